//! A capture of SIPp, Kamailio and the frontend talking to each other, read by tshark and by us, and compared: every message,
//! every field that tshark tells, the octets of every body, and where a stream is cut.
//!
//! Run by `tests/run --only capture`. SMSC_CAPTURES is the folder with the captures.

#![allow(clippy::print_stdout, reason = "the counts are what the stage tells")]

#[path = "oracles/disagreements.rs"]
mod disagreements;
#[path = "capture/pdml.rs"]
mod pdml;
#[path = "capture/reading.rs"]
mod reading;
#[path = "capture/sms.rs"]
mod sms;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use disagreements::Row;
use pdml::{Element, Packet};
use reading::Reading;
use smsc_proto::sip::{Framed, Message, StreamFramer};

/// What lib/capture.py sends last.
const END_OF_CAPTURE: &[u8] = b"end of the capture";

/// Where tshark says otherwise.
const TSHARK: &[Row<Reading, Reading>] = &[
    Row {
        what: "of several routes in one line only the first is told",
        clause: "RFC 3261 §7.3.1: values behind commas are as good as lines of their own",
        mend: |theirs, ours| {
            ["record-route", "path", "service-route", "route"].into_iter().fold(false, |mended, name| {
                mended | mend_part(name, theirs, ours, |read, right| right.starts_with(read))
            })
        },
    },
    Row {
        what: "a fold leaves another number of blanks",
        clause: "RFC 3261 §7.3.1: any of them counts as one blank",
        mend: |theirs, ours| {
            let words = |value: &str| value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            theirs.headers.iter_mut().zip(&ours.headers).fold(false, |mended, (read, right)| {
                let wrong = read.1 != right.1 && words(&read.1) == words(&right.1);
                if wrong {
                    read.1.clone_from(&right.1);
                }
                mended | wrong
            })
        },
    },
    Row {
        what: "parameters of the Request-URI are not told",
        clause: "RFC 3261 §19.1.1: they are part of the URI",
        mend: |theirs, ours| {
            mend_part("start line", theirs, ours, |read, right| {
                let rest = right.iter().filter(|part| !part.starts_with("sip.r-uri.param="));
                read.iter().eq(rest)
            })
        },
    },
];

/// Takes our list of parts where the other is wrong in the known way.
fn mend_part(
    name: &str,
    theirs: &mut Reading,
    ours: &Reading,
    known: fn(&[String], &[String]) -> bool,
) -> bool {
    let (Some(read), Some(right)) = (theirs.parts.get_mut(name), ours.parts.get(name)) else { return false };
    let wrong = read != right && known(read, right);
    if wrong {
        read.clone_from(right);
    }
    wrong
}

/// One message: where it was, tshark's reading of it and our octets of it.
struct Seen {
    place: String,
    over_tcp: bool,
    tshark: Element,
    octets: Bytes,
}

#[test]
#[ignore = "needs captures of the suites: tests/run --only capture"]
fn we_read_every_message_of_sipp_and_kamailio_as_tshark_does() {
    let folder =
        std::env::var_os("SMSC_CAPTURES").map(PathBuf::from).expect("SMSC_CAPTURES is set by tests/run");
    let mut needed = [0; TSHARK.len()];
    for suite in ["kamailio", "regevent", "sipp"] {
        judge(suite, &pdml::read(&folder.join(format!("{suite}.pcapng"))), &mut needed);
    }
    disagreements::conclude("tshark", TSHARK, &needed);
}

fn judge(suite: &str, packets: &[Packet], needed: &mut [usize]) {
    let mut seen = datagrams(packets);
    seen.extend(streams(packets));
    let (mut fields, mut kinds, mut wrong) = (0, BTreeMap::<String, usize>::new(), Vec::new());
    let (mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new());
    for Seen { place, over_tcp, tshark, octets } in &seen {
        let message = match Message::parse(octets.clone()) {
            Ok(message) => message,
            Err(error) => {
                wrong.push(format!("{place}: not read: {error}"));
                continue;
            }
        };
        let (mut theirs, ours) = (reading::tshark(tshark, octets), reading::ours(&message));
        fields += theirs.fields();
        disagreements::mend(TSHARK, needed, &mut theirs, &ours);
        wrong
            .extend(theirs.differences(&ours).into_iter().map(|difference| format!("{place}: {difference}")));
        let cseq = message.cseq().expect("compared above");
        let branch = message.via().expect("compared above").branch().unwrap_or_default().to_owned();
        let answers = if message.is_request() { &mut asked } else { &mut answered };
        answers.insert((branch, cseq.method.as_str().to_owned()));
        let status = message.status().map(|status| format!(" {status}")).unwrap_or_default();
        let transport = if *over_tcp { "TCP" } else { "UDP" };
        *kinds.entry(format!("{}{status} over {transport}", cseq.method.as_str())).or_default() += 1;
    }
    println!("{suite}: {} messages, {fields} fields compared", seen.len());
    for (kind, count) in &kinds {
        println!("{count:6} {kind}");
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(fields > 10 * seen.len() && !seen.is_empty(), "nothing was compared");
    // A test of the suite regevent kills the S-CSCF, which then owes the frontend an answer.
    asked.retain(|(branch, method)| {
        let owed = suite == "regevent" && method == "SUBSCRIBE";
        !owed || answered.contains(&(branch.clone(), method.clone()))
    });
    assert_eq!(asked, answered, "every request is in the capture with an answer, whoever spoke with whom");
}

/// Each datagram is one message, but for the last one of the capture and the copies that Kamailio sends to its collector
/// (HEP).
fn datagrams(packets: &[Packet]) -> Vec<Seen> {
    let mut seen = Vec::new();
    let is_sip = |packet: &&Packet| {
        let other = packet.payload == END_OF_CAPTURE || packet.payload.starts_with(b"HEP3");
        packet.tcp_stream.is_none() && !other
    };
    for packet in packets.iter().filter(is_sip) {
        let [message] = packet.messages.as_slice() else {
            panic!("packet {}: tshark finds {} messages in it", packet.number, packet.messages.len());
        };
        seen.push(Seen {
            place: format!("packet {}", packet.number),
            over_tcp: false,
            tshark: message.clone(),
            octets: Bytes::copy_from_slice(&packet.payload),
        });
    }
    seen
}

/// Each direction of a connection is cut by our framer, fed segment by segment; tshark puts segments together itself.
fn streams(packets: &[Packet]) -> Vec<Seen> {
    let mut ways: BTreeMap<_, (StreamFramer, Vec<Bytes>, Vec<Element>)> = BTreeMap::new();
    for packet in packets {
        let Some(stream) = packet.tcp_stream else { continue };
        assert_eq!(packet.tcp_analysis, [""; 0], "packet {}: loopback loses nothing", packet.number);
        let (framer, cut, found) = ways.entry((stream, packet.way.clone())).or_default();
        framer.push(&packet.payload);
        while let Some(framed) = framer.next() {
            match framed.unwrap_or_else(|error| panic!("packet {}: {error}", packet.number)) {
                Framed::Message(octets) => cut.push(octets),
                Framed::Ping | Framed::Pong => {}
            }
        }
        found.extend(packet.messages.iter().cloned());
    }
    let mut seen = Vec::new();
    for ((stream, way), (framer, cut, found)) in ways {
        let place = format!("TCP {stream}, {} to {}", way.0, way.1);
        assert_eq!(framer.buffered(), 0, "{place}: octets are left over");
        assert_eq!(cut.len(), found.len(), "{place}: messages that we cut, and tshark");
        for (index, (octets, tshark)) in cut.into_iter().zip(found).enumerate() {
            seen.push(Seen { place: format!("{place}, message {index}"), over_tcp: true, tshark, octets });
        }
    }
    seen
}
