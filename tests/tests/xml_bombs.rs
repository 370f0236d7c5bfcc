//! XML bombs in the NOTIFYs of a subscription that a running frontend has made itself: refused with 400, memory bounded, and
//! both an honest document and an ordinary message pass right after each.
//!
//! Run by `tests/run --only torture`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed test may panic, and figures are printed"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use smsc_proto::sip::{Framed, Header, Message, Request, Response, StreamFramer, Transport, ViaOut};
use smsc_tests::wire::{Core, Running};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bench-frontend");
const IMPU: &str = "sip:+447700900333@ims.example.org";
const PATIENCE: Duration = Duration::from_secs(10);
/// What all bombs together may leave behind, in KiB.
const MEMORY: u64 = 8 * 1024;
/// The longest document that is read.
const LONGEST: usize = 64 * 1024;

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn xml_bombs_in_a_notify_are_refused_and_harm_nothing() {
    let mut core = Core::bind().unwrap();
    let frontend = Running::start_with(PROGRAM.as_ref(), &core, "{}", "reg_event: {enabled: true}").unwrap();
    for _ in 0..20 {
        core.ordinary(&frontend).unwrap();
    }
    let mut dialog = subscription(&mut core, &frontend);
    assert_eq!(dialog.notify(&mut core, &frontend, Transport::Udp, &honest(0)), 200);
    core.ordinary(&frontend).unwrap();
    let before = frontend.resident_kib().unwrap();
    for (version, (name, bomb)) in (1..).zip(bombs()) {
        for transport in [Transport::Udp, Transport::Tcp] {
            // What is too long for a datagram comes over TCP only.
            if transport == Transport::Udp && bomb.len() > 60_000 {
                continue;
            }
            let sent = Instant::now();
            let status = dialog.notify(&mut core, &frontend, transport, &bomb);
            assert_eq!(status, 400, "{name} over {transport:?}");
            println!("{name}: {} octets over {transport:?}, refused in {:?}", bomb.len(), sent.elapsed());
            core.ordinary(&frontend).unwrap();
        }
        assert_eq!(
            dialog.notify(&mut core, &frontend, Transport::Udp, &honest(version)),
            200,
            "after {name}"
        );
    }
    let grown = frontend.resident_kib().unwrap().saturating_sub(before);
    println!("memory grew by {grown} KiB");
    assert!(grown <= MEMORY, "grew by {grown} KiB, more than {MEMORY}");
}

/// A whole document that says what has been said before.
fn honest(version: usize) -> String {
    document(
        version,
        &format!(
            "<registration aor='{IMPU}' id='r' state='active'><contact id='c' state='active' event='registered'>\
             <uri>sip:ue@192.0.2.9</uri><unknown-param name='+g.3gpp.smsip'/></contact></registration>"
        ),
    )
}

fn document(version: usize, inside: &str) -> String {
    format!(
        "<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='{version}' state='full'>{inside}</reginfo>"
    )
}

/// Each by the name it is known by.
fn bombs() -> Vec<(&'static str, String)> {
    let doubled: String =
        (1..10).map(|n| format!("<!ENTITY l{n} '{}'>", format!("&l{};", n - 1).repeat(10))).collect();
    let laughs =
        format!("<!DOCTYPE r [<!ENTITY l0 'ha'>{doubled}]>{}", document(1, "<registration aor='&l9;'/>"));
    let long = "a".repeat(20_000);
    let quadratic = format!("<!DOCTYPE r [<!ENTITY a '{long}'>]>{}", document(1, &"&a;".repeat(10_000)));
    let contact = |uri: &str| {
        let contact = format!("<contact id='c' state='active' event='registered'><uri>{uri}</uri></contact>");
        document(1, &format!("<registration aor='{IMPU}' id='r' state='active'>{contact}</registration>"))
    };
    let attribute = |length: usize| {
        document(1, &format!("<registration aor='{}' id='r' state='init'/>", "a".repeat(length)))
    };
    let many: String = (0..6_000).map(|n| format!(" a{n:x}=''")).collect();
    let spaces: String = (0..3_000).map(|n| format!(" xmlns:n{n:x}='u:{n:x}'")).collect();
    vec![
        ("billion laughs", laughs),
        ("quadratic blow-up", quadratic),
        ("entities without a document type", contact(&"&a;".repeat(10_000))),
        ("a document type alone", format!("<!DOCTYPE reginfo>{}", document(1, ""))),
        (
            "an external document type",
            format!("<!DOCTYPE reginfo SYSTEM 'http://127.0.0.1/x.dtd'>{}", document(1, "")),
        ),
        (
            "an external entity",
            format!("<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>{}", contact("&x;")),
        ),
        (
            "a parameter entity",
            format!("<!DOCTYPE r [<!ENTITY % x SYSTEM 'file:///dev/zero'>%x;]>{}", document(1, "")),
        ),
        ("10 000 elements in each other", document(1, &"<a>".repeat(10_000))),
        (
            "8 000 closed elements in each other",
            document(1, &["<a>".repeat(8_000), "</a>".repeat(8_000)].concat()),
        ),
        ("an attribute of 50 000 octets", attribute(50_000)),
        ("an attribute of nearly all that a document may have", attribute(LONGEST - 200)),
        ("6 000 attributes", document(1, &format!("<registration{many}/>"))),
        ("3 000 namespaces", document(1, &format!("<registration{spaces}/>"))),
        ("10 000 character references", contact(&"&#97;".repeat(10_000))),
        ("1 200 registrations", document(1, &"<registration aor='a:b' id='1' state='init'/>".repeat(1_200))),
        ("a comment without an end", format!("<!--{}", "-".repeat(50_000))),
        ("an open tag without an end", format!("<reginfo {}", "a".repeat(50_000))),
    ]
}

/// A dialog that the frontend's SUBSCRIBE made, seen from the S-CSCF.
struct Dialog {
    call_id: String,
    remote: String,
    cseq: u32,
    local: SocketAddr,
    stream: Option<TcpStream>,
}

const TAG: &str = "notifier";

/// Registers the handset, and takes the SUBSCRIBE that follows.
fn subscription(core: &mut Core, frontend: &Running) -> Dialog {
    let local = core.local();
    let register = Request::new("REGISTER", "sip:smsc@ims.example.org")
        .header(Header::MaxForwards, "70")
        .header(Header::From, &format!("<sip:{local}>;tag=r"))
        .header(Header::To, &format!("<{IMPU}>"))
        .header(Header::CallId, "bombs@scscf")
        .header(Header::CSeq, "1 REGISTER")
        .header(Header::Contact, &format!("<sip:{local}>"))
        .header(Header::Expires, "600")
        .to_bytes(&via(Transport::Udp, &local.to_string(), "z9hG4bKregister"));
    core.send(frontend, &register).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "no SUBSCRIBE came");
        let Some((message, from)) = core.receive(Duration::from_millis(100)).unwrap() else { continue };
        if is_subscribe(&message) {
            accept(core, frontend, &message, from);
            return Dialog {
                call_id: message.call_id().unwrap().to_owned(),
                remote: message.header(Header::From).unwrap().to_owned(),
                cseq: 0,
                local,
                stream: None,
            };
        }
    }
}

fn is_subscribe(message: &Message) -> bool {
    message.method().is_some_and(|method| method.as_str() == "SUBSCRIBE")
}

fn accept(core: &Core, frontend: &Running, subscribe: &Message, from: SocketAddr) {
    let answer = Response::to(subscribe, from, 200, TAG)
        .header(Header::Expires, "600")
        .header(Header::Contact, &format!("<sip:{}>", core.local()));
    core.send(frontend, &answer.to_bytes()).unwrap();
}

fn via<'a>(transport: Transport, sent_by: &'a str, branch: &'a str) -> ViaOut<'a> {
    ViaOut { transport, sent_by, branch, alias: false }
}

impl Dialog {
    /// Sends a document and returns the status it is answered with. A SUBSCRIBE that asks for everything again is accepted.
    fn notify(&mut self, core: &mut Core, frontend: &Running, transport: Transport, body: &str) -> u16 {
        self.cseq += 1;
        let branch = format!("z9hG4bKnotify{}", self.cseq);
        let notify = Request::new("NOTIFY", &format!("sip:{}", frontend.sip()))
            .header(Header::MaxForwards, "70")
            .header(Header::From, &format!("<{IMPU}>;tag={TAG}"))
            .header(Header::To, &self.remote)
            .header(Header::CallId, &self.call_id)
            .header(Header::CSeq, &format!("{} NOTIFY", self.cseq))
            .header(Header::Contact, &format!("<sip:{}>", self.local))
            .header(Header::Event, "reg")
            .header(Header::SubscriptionState, "active;expires=600")
            .body("application/reginfo+xml", body.as_bytes());
        let deadline = Instant::now() + PATIENCE;
        if transport == Transport::Tcp {
            let stream = self.stream.get_or_insert_with(|| TcpStream::connect(frontend.sip()).unwrap());
            let local = stream.local_addr().unwrap().to_string();
            stream.write_all(&notify.to_bytes(&via(transport, &local, &branch))).unwrap();
            return answer(stream).status().unwrap();
        }
        let sent_by = self.local.to_string();
        core.send(frontend, &notify.to_bytes(&via(transport, &sent_by, &branch))).unwrap();
        loop {
            assert!(Instant::now() < deadline, "no answer to the NOTIFY");
            let Some((message, from)) = core.receive(Duration::from_millis(100)).unwrap() else { continue };
            if is_subscribe(&message) {
                accept(core, frontend, &message, from);
            } else if message.via().is_ok_and(|via| via.branch() == Some(&branch)) {
                return message.status().unwrap();
            }
        }
    }
}

/// The next message of a stream.
fn answer(stream: &mut TcpStream) -> Message {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut framer, mut octets) = (StreamFramer::new(), [0; 4096]);
    loop {
        if let Some(framed) = framer.next() {
            let Framed::Message(message) = framed.unwrap() else { continue };
            return Message::parse(message).unwrap();
        }
        let length = stream.read(&mut octets).unwrap();
        assert!(length > 0, "the frontend closed the connection");
        framer.push(&octets[..length]);
    }
}
