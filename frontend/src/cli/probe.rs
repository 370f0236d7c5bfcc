//! `probe`: one SMS through a running frontend, and whether it was delivered.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;
use smsc_config::parse_duration;
use smsc_proto::sip::Transport;
use smsc_proto::sms::{SplitOptions, split_text};

use super::{Exit, Failure, block_on};
use crate::probe::{self, Missing, Options, Step};

/// Arguments of `probe`.
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// The frontend: a name or an address, and its SIP port unless that is 5060
    #[arg(long, value_name = "HOST[:PORT]", value_parser = endpoint)]
    frontend: (String, u16),
    /// The IMS domain, as in the frontend's configuration
    #[arg(long, value_name = "DOMAIN")]
    ims_domain: String,
    /// Where the probe takes requests [default: a free port of every IPv4 address]
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:0", hide_default_value = true)]
    listen: SocketAddr,
    /// The address or name at which the frontend reaches the probe [default: that of the route to the frontend]
    #[arg(long, value_name = "ADDRESS", value_parser = host)]
    advertise: Option<String>,
    /// What is spoken, both ways
    #[arg(long, value_enum, default_value_t = Spoken::Udp)]
    transport: Spoken,
    /// The sender's number, international
    #[arg(long, value_name = "NUMBER", default_value = "447700900001", value_parser = msisdn)]
    from: String,
    /// The recipient's number, international
    #[arg(long, value_name = "NUMBER", default_value = "447700900002", value_parser = msisdn)]
    to: String,
    /// The service centre's number that the sender has, international
    #[arg(long, value_name = "NUMBER", default_value = "447700900000", value_parser = msisdn)]
    sc_address: String,
    /// The text [default: one that no other probe has]
    #[arg(long)]
    text: Option<String>,
    /// How long all of it may take, the wait for the frontend included
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = parse_duration)]
    timeout: Duration,
    /// Print one JSON object per step
    #[arg(long)]
    json: bool,
}

/// A transport that can be asked for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Spoken {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
}

/// Sends the message and tells each step.
///
/// # Errors
/// An argument cannot be used, or something was missing.
pub fn run(args: &ProbeArgs) -> Result<Exit, Failure> {
    let options = options(args)?;
    let begun = Instant::now();
    block_on(async {
        let done = probe::run(&options, |step| tell(args.json, &step)).await;
        if args.json {
            end(&done, begun.elapsed())?;
        }
        match done {
            Ok(()) => Ok(Exit::Done),
            Err(Ended::Missing(missing)) => Err(Failure::new(Exit::Failed, missing.to_string())),
            Err(Ended::Unwritten(failure)) => Err(failure),
        }
    })
}

/// Why the probe has ended early.
enum Ended {
    Missing(Missing),
    Unwritten(Failure),
}

impl From<Missing> for Ended {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

fn options(args: &ProbeArgs) -> Result<Options, Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, text);
    let text = args.text.clone().unwrap_or_else(|| {
        // The standard library's hash keys are the system's randomness.
        format!("smsc-frontend probe {:08x}", RandomState::new().hash_one(0) as u32)
    });
    split_text(&text, 0, SplitOptions::default()).map_err(|error| usage(format!("--text: {error}")))?;
    if args.from == args.to {
        return Err(usage("--from and --to are one number; two handsets are needed".to_owned()));
    }
    let (host, port) = args.frontend.clone();
    // An IPv6 address cannot be reached from the default, which is for IPv4.
    let listen = match host.parse::<Ipv6Addr>() {
        Ok(_) if args.listen == SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)) => {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
        }
        _ => args.listen,
    };
    Ok(Options {
        host,
        port,
        ims_domain: args.ims_domain.clone(),
        listen,
        advertise: args.advertise.clone(),
        transport: match args.transport {
            Spoken::Udp => Transport::Udp,
            Spoken::Tcp => Transport::Tcp,
        },
        from: args.from.clone(),
        to: args.to.clone(),
        sc_address: args.sc_address.clone(),
        text,
        timeout: args.timeout,
    })
}

/// `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT` or `V6`.
fn endpoint(text: &str) -> Result<(String, u16), String> {
    let port = Transport::Udp.default_port();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), address.port()));
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>() {
        return Ok((address.to_string(), port));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => {
            (name, port.parse().map_err(|_| format!("`{port}` is not a port; write HOST or HOST:PORT"))?)
        }
        None => (text, port),
    };
    Ok((host(name)?, port))
}

/// A host name or an address, for a SIP URI.
fn host(text: &str) -> Result<String, String> {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = !text.is_empty() && text.chars().all(named);
    if is_name || text.parse::<Ipv6Addr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is neither a host name nor an address"))
    }
}

/// The digits of an international number.
fn msisdn(text: &str) -> Result<String, String> {
    let digits = text.trim_start_matches('+');
    if (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(digits.to_owned())
    } else {
        Err("an international number has 3 to 15 digits".to_owned())
    }
}

fn tell(json: bool, step: &Step) -> Result<(), Ended> {
    let Step { stage, at, took, number, text } = step;
    let line = if json {
        let (at, took) = (milliseconds(*at), milliseconds(*took));
        json!({"step": stage, "at_ms": at, "took_ms": took, "number": number, "text": text}).to_string()
    } else {
        format!("{:>7} ms  {number}  {text}", milliseconds(*took))
    };
    write_line(&line).map_err(Ended::Unwritten)
}

fn end(done: &Result<(), Ended>, took: Duration) -> Result<(), Failure> {
    let problem = match done {
        Ok(()) => None,
        Err(Ended::Missing(missing)) => Some(missing.to_string()),
        // Nobody reads any more.
        Err(Ended::Unwritten(_)) => return Ok(()),
    };
    let delivered = problem.is_none();
    let at = milliseconds(took);
    write_line(&json!({"step": "end", "at_ms": at, "delivered": delivered, "problem": problem}).to_string())
}

fn write_line(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontend_is_named_with_or_without_its_port() {
        let read =
            ["smsc.example.org", "10.0.0.1:5070", "[::1]", "::1", "[::1]:5070", "smsc:5070"].map(endpoint);
        let ends = [
            ("smsc.example.org", 5060),
            ("10.0.0.1", 5070),
            ("::1", 5060),
            ("::1", 5060),
            ("::1", 5070),
            ("smsc", 5070),
        ];
        assert_eq!(read, ends.map(|(host, port)| Ok((host.to_owned(), port))));
        let wrong = ["", "smsc:sip", "sip:smsc", "a b", "smsc:5060:5060"].map(endpoint);
        assert!(wrong.iter().all(Result::is_err), "{wrong:?}");
    }

    #[test]
    fn a_number_is_international_digits() {
        assert_eq!(
            ["+447700900001", "447700900001"].map(msisdn),
            [(); 2].map(|()| Ok("447700900001".to_owned()))
        );
        assert!(["", "+", "44770090000a", "1234567890123456"].map(msisdn).iter().all(Result::is_err));
    }
}
