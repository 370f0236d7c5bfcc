//! `decode`: an RPDU or TPDU, field by field.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Write};

use clap::{Args, ValueEnum};
use smsc_proto::sms::explain::{Explanation, Input, explain, guess};
use smsc_proto::sms::{Carrier, Direction};

use super::{Exit, Failure, colour};

/// More than this on standard input is not one message.
const LARGEST: u64 = 64 * 1024;

/// Arguments of `decode`.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// Hex digits; spaces, colons, line ends and 0x are left out. Without any, or with `-`: standard input
    #[arg(value_name = "HEX")]
    hex: Vec<String>,
    /// Who sends it; without, the octets tell
    #[arg(long, value_enum)]
    direction: Option<Way>,
    /// The octets are a bare TPDU
    #[arg(long, conflicts_with = "smsc")]
    tpdu: bool,
    /// The octets are a TPDU behind the service centre's address, as modems have it (TS 27.005 §3.1)
    #[arg(long)]
    smsc: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// [`Direction`], as the command line has it.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    /// From the handset.
    MsToNet,
    /// To the handset.
    NetToMs,
}

/// Explains the octets.
///
/// # Errors
/// There are none, or they are not hex.
pub fn run(args: &DecodeArgs) -> Result<Exit, Failure> {
    let hex = octets(&text(&args.hex)?)?;
    let explanation = read(&hex.octets, args);
    let mut out = io::stdout().lock();
    if args.json {
        let json = serde_json::to_string_pretty(&explanation)
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        writeln!(out, "{json}")?;
    } else if colour() {
        out.write_all(coloured(&explanation.to_string()).as_bytes())?;
    } else {
        write!(out, "{explanation}")?;
    }
    out.flush()?;
    if hex.left_over {
        return Err(Failure::new(Exit::Failed, "a hex digit is left over at the end; octets have two"));
    }
    match explanation.problems().count() {
        0 => Ok(Exit::Done),
        _ => Ok(Exit::Failed),
    }
}

fn text(arguments: &[String]) -> Result<String, Failure> {
    if !arguments.is_empty() && arguments != ["-"] {
        return Ok(arguments.join(" "));
    }
    if io::stdin().is_terminal() && arguments.is_empty() {
        return Err(Failure::new(Exit::Usage, "no octets; give hex digits, or - and hex on standard input"));
    }
    let mut text = String::new();
    io::stdin()
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(Exit::Usage, format!("standard input cannot be read: {error}")))?;
    Ok(text)
}

#[derive(Debug, PartialEq, Eq)]
struct Hex {
    octets: Vec<u8>,
    /// True if a last digit has no partner.
    left_over: bool,
}

/// Hex digits to octets, without what people and tools put between them.
fn octets(text: &str) -> Result<Hex, Failure> {
    let mut digits = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '-' | '"')) {
        let word = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
        for character in word.chars() {
            let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            digits.push(digit.ok_or_else(|| {
                let character = character.escape_default();
                Failure::new(
                    Exit::Usage,
                    format!("`{character}` behind {} hex digits is not one", digits.len()),
                )
            })?);
        }
    }
    let pairs = digits.chunks_exact(2);
    let left_over = !pairs.remainder().is_empty();
    let octets: Vec<u8> = pairs.map(|pair| pair[0] << 4 | pair[1]).collect();
    if octets.is_empty() {
        return Err(Failure::new(Exit::Usage, "no octets; at least two hex digits are needed"));
    }
    Ok(Hex { octets, left_over })
}

/// Reads the octets as what the arguments say they are; what those leave open, the octets tell.
fn read(octets: &[u8], args: &DecodeArgs) -> Explanation {
    let direction = args.direction.map(|way| match way {
        Way::MsToNet => Direction::MsToNetwork,
        Way::NetToMs => Direction::NetworkToMs,
    });
    let directions: &[Direction] = match &direction {
        Some(direction) => std::slice::from_ref(direction),
        None => &[Direction::MsToNetwork, Direction::NetworkToMs],
    };
    let inputs: Vec<Input> = match (args.tpdu, args.smsc) {
        (false, false) => return guess(octets, direction),
        (_, true) => directions.iter().map(|&direction| Input::Modem { direction }).collect(),
        (true, false) => [Carrier::Data, Carrier::Error, Carrier::Ack]
            .into_iter()
            .flat_map(|carrier| directions.iter().map(move |&direction| Input::Tpdu { direction, carrier }))
            .collect(),
    };
    let readings = inputs.into_iter().map(|input| explain(octets, input));
    readings.min_by_key(|reading| wrong(reading, octets.len())).unwrap_or_else(|| guess(octets, direction))
}

/// How much of a reading makes no sense; the later the first mistake, the likelier the reading. A report takes nearly
/// anything, so a broken one is the last guess.
fn wrong(reading: &Explanation, length: usize) -> (bool, usize) {
    let wrong: usize =
        reading.problems().map(|problem| 1 + length.saturating_sub(problem.octets.start)).sum();
    let report = matches!(reading.input, Input::Tpdu { carrier: Carrier::Ack | Carrier::Error, .. });
    (report && wrong > 0, wrong)
}

/// The tree with its octets dimmed and its problems red.
fn coloured(tree: &str) -> String {
    let mut shown = String::with_capacity(tree.len() * 2);
    for line in tree.lines() {
        let indent = line.len() - line.trim_start().len();
        let end = line[indent..].find(' ').map_or(line.len(), |space| indent + space);
        let (octets, rest) = line.split_at(end);
        let name = rest.trim_start_matches([' ', '│', '├', '└', '─']);
        // Writing to a String cannot fail.
        let _ = match name.starts_with("! ") {
            true => writeln!(shown, "\x1b[2m{octets}\x1b[0m\x1b[31m{rest}\x1b[0m"),
            false => writeln!(shown, "\x1b[2m{octets}\x1b[0m{rest}"),
        };
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_however_tools_write_it() {
        for text in ["002a03", "00 2A 03", "00:2a:03", "0x00 0x2a, 0x03", "0x002a03\n", "\"002a\"\r\n03"] {
            assert_eq!(octets(text).ok(), Some(Hex { octets: vec![0, 42, 3], left_over: false }), "{text}");
        }
        assert_eq!(octets("002a0").ok(), Some(Hex { octets: vec![0, 42], left_over: true }));
        assert!(octets("00zz").is_err() && octets("").is_err() && octets("7").is_err());
    }

    #[test]
    fn a_problem_is_red_and_octets_are_dim() {
        let tree = " 0-1  RP-DATA\n   1  └─ ! problem  ends here\n";
        assert_eq!(
            coloured(tree),
            "\x1b[2m 0-1\x1b[0m  RP-DATA\n\x1b[2m   1\x1b[0m\x1b[31m  └─ ! problem  ends here\x1b[0m\n"
        );
    }
}
