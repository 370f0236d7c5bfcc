//! RFC 4475 and RFC 5118, every message: as a table against one engine, and over UDP and TCP against a running frontend.
//!
//! The wire part is run by `tests/run --only torture`.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use smsc_proto::sip::{Framed, Message, StreamFramer, Transport};
use smsc_tests::lone_engine::{Heard, LoneEngine, PEER};
use smsc_tests::torture::{Case, Outcome, cases, ordinary};
use smsc_tests::wire::{Core, Running};

#[path = "../../frontend/tests/world/written.rs"]
mod written;

#[test]
fn both_rfcs_are_here_whole() {
    let (rfc4475, rfc5118): (Vec<Case>, Vec<Case>) =
        cases().into_iter().partition(|case| case.clause.starts_with("RFC 4475"));
    assert_eq!((rfc4475.len(), rfc5118.len()), (49, 12));
}

#[test]
fn every_torture_datagram_is_answered_or_dropped_as_its_rfc_says() {
    every_case(Transport::Udp, |case| case.datagram);
}

#[test]
fn every_torture_stream_is_answered_or_closed_as_its_rfc_says() {
    every_case(Transport::Tcp, |case| case.stream);
}

/// One engine hears them all, an ordinary message after each; all mistakes are told at once.
fn every_case(transport: Transport, expected: impl Fn(&Case) -> Outcome) {
    let mut engine = LoneEngine::new();
    let mut wrong = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        let expected = expected(&case);
        let reason = match expected {
            Outcome::Dropped(reason) | Outcome::Closed(reason) => reason,
            _ => "not one of them",
        };
        let before = engine.dropped(reason);
        let heard = engine.hear(transport, &case.octets);
        for message in heard.answers.iter().chain(&heard.requests) {
            written::keep(transport, message.raw());
        }
        let counted = engine.dropped(reason) > before;
        if outcome(&heard, counted, reason) != expected {
            let (statuses, closed) = (heard.statuses(), heard.closed);
            wrong.push(format!(
                "{}: {expected:?} expected, {statuses:?} {closed:?}; {}",
                case.name, case.clause
            ));
        }
        let after = engine.hear(transport, &ordinary(number, transport.as_str(), PEER));
        let acknowledged = after.requests.iter().any(|request| request.body().first() == Some(&3));
        if after.statuses() != [202] || !acknowledged {
            wrong.push(format!(
                "{}: the ordinary message after it was answered {:?}",
                case.name,
                after.statuses()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn outcome(heard: &Heard, counted: bool, reason: &'static str) -> Outcome {
    match (heard.statuses()[..].as_ref(), heard.closed) {
        (&[], Some(error)) if counted && error.reason() == reason => Outcome::Closed(reason),
        (&[], None) if counted => Outcome::Dropped(reason),
        (&[], None) => Outcome::Ignored,
        (&[status], None) => Outcome::Answered(status),
        (&[one, two], None) => Outcome::AnsweredTwice(one, two),
        _ => Outcome::Dropped("something else"),
    }
}

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn every_torture_datagram_is_answered_or_dropped_on_the_wire_and_an_ordinary_one_passes_behind_it() {
    let mut core = Core::bind().unwrap();
    let frontend = Running::start(PROGRAM.as_ref(), &core, "{}").unwrap();
    let mut wrong = Vec::new();
    for case in cases() {
        let before = case.dropped(&frontend);
        core.send(&frontend, &case.octets).unwrap();
        let mut answers = core.ordinary(&frontend).unwrap();
        // Its answer may have to wait for the backend, and come behind the other's.
        if matches!(case.datagram, Outcome::Answered(_)) && answers.is_empty() {
            answers.extend(core.receive(Duration::from_secs(2)).unwrap().map(|(message, _)| message));
        }
        let statuses: Vec<u16> = answers.iter().filter_map(Message::status).collect();
        let right = match case.datagram {
            Outcome::Answered(status) => statuses == [status],
            Outcome::Dropped(_) => statuses.is_empty() && case.dropped(&frontend) > before,
            Outcome::Ignored => statuses.is_empty(),
            Outcome::AnsweredTwice(..) | Outcome::Closed(_) => false,
        };
        if !right {
            wrong.push(format!("{}: {:?} expected, {statuses:?}; {}", case.name, case.datagram, case.clause));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn every_torture_stream_is_answered_or_closed_on_the_wire_and_an_ordinary_message_passes_behind_it() {
    let mut core = Core::bind().unwrap();
    let frontend = Running::start(PROGRAM.as_ref(), &core, "{}").unwrap();
    let mut wrong = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        let before = case.dropped(&frontend);
        let mut stream = TcpStream::connect(frontend.sip()).unwrap();
        stream.write_all(&case.octets).unwrap();
        let expected: Vec<u16> = match case.stream {
            Outcome::Answered(status) => vec![status],
            Outcome::AnsweredTwice(one, two) => vec![one, two],
            Outcome::Dropped(_) | Outcome::Ignored | Outcome::Closed(_) => Vec::new(),
        };
        // What must stay silent is given time by the ordinary exchange; a message on the same connection ends the others.
        core.ordinary(&frontend).unwrap();
        let goes_on = !matches!(case.stream, Outcome::Closed(_)) && case.name != "clerr";
        if goes_on {
            let local = stream.local_addr().unwrap();
            stream.write_all(&ordinary(5000 + number, "TCP", local)).unwrap();
        }
        let (mut statuses, open) = answers(&mut stream, expected.len() + usize::from(goes_on));
        if goes_on && statuses.pop() != Some(202) {
            wrong.push(format!("{}: the ordinary message on its connection did not pass", case.name));
        }
        let counted = case.dropped(&frontend) > before;
        let right = match case.stream {
            Outcome::Closed(_) => counted && !open,
            Outcome::Dropped(_) => counted && open,
            _ => open,
        };
        if statuses != expected || !right {
            wrong.push(format!("{}: {:?} expected, {statuses:?}; {}", case.name, case.stream, case.clause));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_bench-frontend");

trait Counted {
    /// How often the frontend has thrown something away for the reason this case expects.
    fn dropped(&self, frontend: &Running) -> u64;
}

impl Counted for Case {
    fn dropped(&self, frontend: &Running) -> u64 {
        let (Outcome::Dropped(reason) | Outcome::Closed(reason)) = self.stream else { return 0 };
        frontend.counter("smsc_sip_dropped_total", &format!("\"{reason}\"")).unwrap()
    }
}

/// The statuses of so many responses on a stream, and whether it stays open behind them.
fn answers(stream: &mut TcpStream, count: usize) -> (Vec<u16>, bool) {
    let (mut framer, mut statuses, mut buffer) = (StreamFramer::new(), Vec::new(), [0; 4096]);
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    loop {
        while let Some(framed) = framer.next() {
            let Ok(Framed::Message(octets)) = framed else { continue };
            statuses.extend(Message::parse(octets).unwrap().status());
        }
        if statuses.len() >= count {
            // Whatever else there is has come by now: the ordinary exchange took longer.
            stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        }
        match stream.read(&mut buffer) {
            Ok(0) => return (statuses, false),
            Ok(length) => framer.push(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (statuses, false),
            Err(_) => return (statuses, true),
        }
    }
}
