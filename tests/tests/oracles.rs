//! smspdudecoder and node-pdu as independent readers of our SMS-SUBMIT and SMS-DELIVER.
//!
//! Run by `tests/run --only oracles`, which installs both.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use smsc_tests::codec_cases::{Case, Expected, cases};

/// What a reader finds in a TPDU.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Reading {
    address: Option<String>,
    text: Option<String>,
    /// 8-bit data in hex.
    data: Option<String>,
    /// TP-SCTS in seconds since 1970.
    time: Option<i64>,
    /// Reference, parts, part number.
    concatenation: Option<(u16, u8, u8)>,
    error: Option<String>,
}

#[test]
#[ignore = "needs smspdudecoder: tests/run --only oracles"]
fn smspdudecoder_reads_what_we_encode() {
    let python = cache().join("python/bin/python");
    compare(Command::new(python).arg(reader("read.py")), |_, read, expected| {
        if read.address.as_deref().is_some_and(|text| text.ends_with('@')) {
            // It keeps the fill bits behind seven characters as an eighth.
            read.address = read.address.take().map(|text| text.trim_end_matches('@').to_owned());
        }
        expected.address = expected.address.take().map(|digits| semi_octets(&digits));
    });
}

#[test]
#[ignore = "needs node-pdu: tests/run --only oracles"]
fn node_pdu_reads_what_we_encode() {
    compare(Command::new("node").arg(reader("read.mjs")).arg(cache().join("npm")), |case, read, expected| {
        if case.name.contains("Enhanced") {
            *read = expected.clone(); // a format it does not know
        }
        if expected.data.is_some() {
            // It gives 8-bit data as Latin-1.
            read.data = read
                .text
                .take()
                .map(|text| text.chars().map(|octet| format!("{:02x}", octet as u32)).collect());
        }
        // Its table has a grave accent for the section sign; it trims senders; its times are in the machine's zone.
        expected.text = expected.text.take().map(|text| text.replace('§', "`"));
        expected.address = expected.address.take().map(|address| match address.trim_end() {
            text if text.starts_with('A') => text.to_owned(),
            digits => semi_octets(digits).to_uppercase(),
        });
        expected.time = None;
    });
}

/// How both readers write the digits beyond 9: as the hex digits they are on the wire (TS 23.040 §9.1.2.3).
fn semi_octets(digits: &str) -> String {
    let number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '*');
    let semi_octet = |digit| match digit {
        '*' => 'a',
        '#' => 'b',
        'a' => 'c',
        'b' => 'd',
        'c' => 'e',
        other => other,
    };
    if number { digits.chars().map(semi_octet).collect() } else { digits.to_owned() }
}

/// Gives every SMS-SUBMIT and SMS-DELIVER to a reader; `forgive`, given what it read and what was expected, evens out
/// what the reader is known to get wrong.
fn compare(command: &mut Command, forgive: impl Fn(&Case, &mut Reading, &mut Reading)) {
    let cases: Vec<Case> = cases().into_iter().filter(|case| kind(case).is_some()).collect();
    let lines: String = cases
        .iter()
        .map(|case| {
            format!("{} {}\n", kind(case).unwrap_or_default(), hex(case.tpdu.as_deref().unwrap_or_default()))
        })
        .collect();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the reader is installed");
    let mut input = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("the reader runs");
    writer.join().expect("the writer does not panic").expect("the reader reads all");
    let readings: Vec<Reading> = String::from_utf8(output.stdout)
        .expect("the reader writes UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect();
    assert_eq!(readings.len(), cases.len(), "one answer for each TPDU");

    let mut wrong = Vec::new();
    for (case, mut read) in cases.iter().zip(readings) {
        let mut expected = expected(&case.expected);
        forgive(case, &mut read, &mut expected);
        if read != expected {
            let octets = hex(case.tpdu.as_deref().unwrap_or_default());
            wrong.push(format!("{}: {octets}\n  expected {expected:?}\n  read     {read:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The readers know messages only, no reports.
fn kind(case: &Case) -> Option<&'static str> {
    let kind = ["SMS-DELIVER: ", "SMS-SUBMIT: "].iter().position(|name| case.name.starts_with(name))?;
    Some(["deliver", "submit"][kind])
}

fn expected(expected: &Expected) -> Reading {
    let tpdu = expected.tpdu.as_ref().expect("only TPDUs are read");
    let user_data = tpdu.user_data.as_ref().expect("messages have user data");
    Reading {
        address: tpdu.address.as_ref().map(|(_, _, _, digits)| digits.clone()),
        text: user_data.text.clone(),
        data: user_data.data.as_deref().map(hex),
        time: tpdu.times.first().map(|time| local_seconds(time) - i64::from(time.zone_quarters) * 15 * 60),
        concatenation: user_data.concatenation,
        error: None,
    }
}

/// Seconds since 1970 of a time stamp as if its zone were 0, by another calendar than the codec's.
fn local_seconds(time: &smsc_proto::sms::Timestamp) -> i64 {
    let [year, month, day, hour, minute, second] =
        [time.year, time.month, time.day, time.hour, time.minute, time.second].map(|number| number as i8);
    let civil = jiff::civil::date(2000 + i16::from(year), month, day).at(hour, minute, second, 0);
    civil.to_zoned(jiff::tz::TimeZone::UTC).expect("a real date").timestamp().as_second()
}

/// Where `tests/run` keeps what it installs.
fn cache() -> PathBuf {
    std::env::var_os("SMSC_TESTS_CACHE").map(PathBuf::from).expect("SMSC_TESTS_CACHE is set by tests/run")
}

fn reader(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/oracles").join(name)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
