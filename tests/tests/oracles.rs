//! smspdudecoder and node-pdu as independent readers of our SMS-SUBMIT and SMS-DELIVER; pycrate as reader and writer of
//! every RPDU. Where one of them says otherwise, its table says what decides.
//!
//! Run by `tests/run --only oracles`, which installs them.

#![allow(clippy::print_stdout, reason = "the counts are what the stage tells")]

#[path = "oracles/disagreements.rs"]
mod disagreements;
#[path = "oracles/pycrate.rs"]
mod pycrate;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use disagreements::Row;
use serde::Deserialize;
use serde::de::DeserializeOwned;
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

/// What is right, and the name of the case.
struct Right {
    name: String,
    expected: Reading,
}

const SMSPDUDECODER: &[Row<Reading, Right>] = &[
    Row {
        what: "the fill bits behind seven letters of a sender are an eighth",
        clause: "TS 23.040 §9.1.2.5: the length counts the semi-octets that are used",
        mend: |read, right| {
            let filled = right.expected.address.as_ref().map(|address| format!("{address}@"));
            let wrong = filled.is_some() && read.address == filled;
            put(wrong, &mut read.address, &right.expected.address)
        },
    },
    Row {
        what: "digits beyond 9 are hexadecimal",
        clause: "TS 23.040 §9.1.2.3: they are *, #, a, b and c",
        mend: |read, right| {
            let wrong = right.expected.address.as_deref().map(semi_octets);
            let wrong = wrong != right.expected.address && read.address == wrong;
            put(wrong, &mut read.address, &right.expected.address)
        },
    },
];

const NODE_PDU: &[Row<Reading, Right>] = &[
    Row {
        what: "the enhanced validity is not known",
        clause: "TS 23.040 §9.2.3.12.3: it has seven octets",
        mend: |read, right| {
            let wrong = right.name.contains("Enhanced") && *read != right.expected;
            put(wrong, read, &right.expected)
        },
    },
    Row {
        what: "8-bit data are text in Latin-1",
        clause: "TS 23.038 §4: 8-bit data have no alphabet",
        mend: |read, right| {
            let octets = |text: &String| text.chars().map(|octet| format!("{:02x}", octet as u32)).collect();
            let wrong =
                right.expected.data.is_some() && read.text.as_ref().map(octets) == right.expected.data;
            put(wrong, &mut read.text, &None) && put(wrong, &mut read.data, &right.expected.data)
        },
    },
    Row {
        what: "septet 5F is a grave accent",
        clause: "TS 23.038 §6.2.1: it is the section sign",
        mend: |read, right| {
            let wrong = right.expected.text.as_ref().map(|text| text.replace('§', "`"));
            let wrong = wrong != right.expected.text && read.text == wrong;
            put(wrong, &mut read.text, &right.expected.text)
        },
    },
    Row {
        what: "digits beyond 9 are hexadecimal",
        clause: "TS 23.040 §9.1.2.3: they are *, #, a, b and c",
        mend: |read, right| {
            let wrong = right.expected.address.as_deref().map(|digits| semi_octets(digits).to_uppercase());
            let number = right.expected.address.as_deref().is_some_and(|digits| !digits.starts_with('A'));
            let wrong = number && wrong != right.expected.address && read.address == wrong;
            put(wrong, &mut read.address, &right.expected.address)
        },
    },
    Row {
        what: "a blank that ends a sender is cut off",
        clause: "TS 23.040 §9.1.2.5: the length says which letters there are",
        mend: |read, right| {
            let wrong = right.expected.address.as_deref().and_then(|address| address.strip_suffix(' '));
            let wrong = wrong.is_some() && read.address.as_deref() == wrong;
            put(wrong, &mut read.address, &right.expected.address)
        },
    },
    Row {
        what: "times are in the zone of the machine, so they are not asked for",
        clause: "TS 23.040 §9.2.3.11: the time stamp has a zone of its own",
        mend: |read, right| {
            let wrong = read.time.is_none() && right.expected.time.is_some();
            put(wrong, &mut read.time, &right.expected.time)
        },
    },
];

#[test]
#[ignore = "needs smspdudecoder: tests/run --only oracles"]
fn smspdudecoder_reads_what_we_encode() {
    let mut command = Command::new(cache().join("python/bin/python"));
    command.arg(reader("read.py"));
    compare("smspdudecoder", command, SMSPDUDECODER);
}

#[test]
#[ignore = "needs node-pdu: tests/run --only oracles"]
fn node_pdu_reads_what_we_encode() {
    let mut command = Command::new("node");
    command.arg(reader("read.mjs")).arg(cache().join("npm"));
    compare("node-pdu", command, NODE_PDU);
}

/// Puts a value right if it is known to be wrong.
fn put<T: Clone>(wrong: bool, read: &mut T, right: &T) -> bool {
    if wrong {
        read.clone_from(right);
    }
    wrong
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

/// Gives every SMS-SUBMIT and SMS-DELIVER to a reader, whose table evens out what it is known to get wrong.
fn compare(name: &str, command: Command, table: &[Row<Reading, Right>]) {
    let cases: Vec<Case> = cases().into_iter().filter(|case| kind(case).is_some()).collect();
    let line = |case: &Case| {
        format!("{} {}\n", kind(case).unwrap_or_default(), hex(case.tpdu.as_deref().unwrap_or_default()))
    };
    let readings: Vec<Reading> = answers(command, cases.iter().map(line).collect());
    assert_eq!(readings.len(), cases.len(), "one answer for each TPDU");

    let (mut needed, mut wrong) = (vec![0; table.len()], Vec::new());
    for (case, mut read) in cases.iter().zip(readings) {
        let right = Right { name: case.name.clone(), expected: expected(&case.expected) };
        disagreements::mend(table, &mut needed, &mut read, &right);
        if read != right.expected {
            let octets = hex(case.tpdu.as_deref().unwrap_or_default());
            let expected = right.expected;
            wrong.push(format!("{}: {octets}\n  expected {expected:?}\n  read     {read:?}", case.name));
        }
    }
    println!("{name}: {} TPDUs of ours read", cases.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    disagreements::conclude(name, table, &needed);
}

/// What a reader says to some lines: a JSON object each.
fn answers<T: DeserializeOwned>(mut command: Command, lines: String) -> Vec<T> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the reader is installed");
    let mut input = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("the reader runs");
    writer.join().expect("the writer does not panic").expect("the reader reads all");
    assert!(output.status.success(), "the reader failed");
    let said = String::from_utf8(output.stdout).expect("the reader writes UTF-8");
    said.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
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
