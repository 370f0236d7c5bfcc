//! What the engine has written, read by rsip and rsipstack. `tests/run --only readers` writes and reads it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed test may panic, and this one prints a table"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use smsc_proto::sip::Message;
use smsc_readers::exceptions::{EXCEPTIONS, expected};
use smsc_readers::kinds::{KINDS, UDP_ONLY, kind};
use smsc_readers::{Reader, Wrong, differences, ours};

/// The transports the engine is driven over.
const TRANSPORTS: [&str; 2] = ["udp", "tcp"];

#[test]
#[ignore = "reads what the scenarios have written: tests/run --only readers"]
fn every_message_written_is_read_alike() {
    let messages = [written("scenarios"), written("torture")].concat();
    let mut wrong: BTreeMap<(Reader, String), Vec<String>> = BTreeMap::new();
    let mut occurred = BTreeSet::new();
    for (file, octets) in &messages {
        let message = Message::parse(octets.clone()).unwrap();
        for reader in Reader::ALL {
            let found = judged(reader, &message);
            let (expected, names) = expected(reader, &message);
            if found != expected {
                let which = (reader, format!("{found:?}, but listed is {expected:?}"));
                wrong.entry(which).or_default().push(file.clone());
            }
            occurred.extend(names);
        }
    }
    for ((reader, how), files) in &wrong {
        println!(
            "{reader:?} {how}: {} messages, the first is\n{}",
            files.len(),
            shown(*reader, &messages, &files[0])
        );
    }
    assert!(wrong.is_empty());
    for exception in EXCEPTIONS {
        assert!(occurred.contains(exception.name), "listed but does not occur: {}", exception.name);
    }
    println!("{} messages, each read by {:?}; {} exceptions", messages.len(), Reader::ALL, EXCEPTIONS.len());
}

/// How a reader is wrong about a message.
fn judged(reader: Reader, message: &Message) -> Wrong {
    match reader.read(message.raw()) {
        Ok(theirs) => Wrong::Fields(differences(&ours(message), &theirs)),
        Err(_) => Wrong::Refuses,
    }
}

/// A message, and what was understood where that is not the same.
fn shown(reader: Reader, messages: &[(String, Bytes)], file: &str) -> String {
    let (_, octets) = messages.iter().find(|(name, _)| name == file).unwrap();
    let ours = format!("{:#?}", ours(&Message::parse(octets.clone()).unwrap()));
    let theirs = match reader.read(octets) {
        Ok(theirs) => format!("{theirs:#?}"),
        Err(error) => error,
    };
    let lines = |of: &str, other: &str, mark: &str| -> String {
        let other: BTreeSet<_> = other.lines().collect();
        of.lines().filter(|line| !other.contains(line)).map(|line| format!("{mark} {line}\n")).collect()
    };
    let (missed, invented) = (lines(&ours, &theirs, "ours  "), lines(&theirs, &ours, "theirs"));
    format!("{}\n{missed}{invented}", String::from_utf8_lossy(octets))
}

#[test]
#[ignore = "reads what the scenarios have written: tests/run --only readers"]
fn every_kind_of_message_was_written_over_each_transport() {
    let mut counts: BTreeMap<String, [usize; TRANSPORTS.len()]> = BTreeMap::new();
    for (file, octets) in written("scenarios") {
        let Some(transport) = TRANSPORTS.iter().position(|transport| file.starts_with(transport)) else {
            continue;
        };
        counts.entry(kind(&Message::parse(octets).unwrap())).or_default()[transport] += 1;
    }
    println!("{:40} {:>6} {:>6}", "messages written, one of each shape", "UDP", "TCP");
    for (kind, [udp, tcp]) in &counts {
        println!("{kind:40} {udp:6} {tcp:6}");
    }
    let over = |transport: usize| {
        let kinds = counts.iter().filter(move |(_, counts)| counts[transport] > 0);
        kinds.map(|(kind, _)| kind.as_str()).collect::<BTreeSet<_>>()
    };
    assert_eq!(over(0), KINDS.iter().chain(UDP_ONLY).copied().collect());
    assert_eq!(over(1), KINDS.iter().copied().collect());
}

/// Every file of one of the folders, by name.
fn written(by: &str) -> Vec<(String, Bytes)> {
    let folder = PathBuf::from(std::env::var_os("SMSC_WRITTEN").expect("SMSC_WRITTEN names the folder"));
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), Bytes::from(std::fs::read(entry.path()).unwrap()))
    };
    let mut files: Vec<_> = std::fs::read_dir(folder.join(by)).unwrap().map(read).collect();
    assert!(!files.is_empty(), "the {by} have written nothing");
    files.sort();
    files
}
