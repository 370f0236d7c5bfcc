//! Messages that are hard to read or must be refused: those of RFC 4475 and RFC 5118, each retold with names of our own,
//! and what a server that takes MESSAGE, REGISTER, NOTIFY and OPTIONS from a trusted peer does with them.

mod rfc4475;
mod rfc5118;

use std::net::SocketAddr;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered once, with this status.
    Answered(u16),
    /// Answered with these statuses: a stream holds two requests.
    AnsweredTwice(u16, u16),
    /// Thrown away unread, and counted under this reason.
    Dropped(&'static str),
    /// Read and not answered: a response to nothing, or a message whose end has not come yet.
    Ignored,
    /// The stream is closed, and counted under this reason.
    Closed(&'static str),
}

/// One message.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name it has in the RFC.
    pub name: &'static str,
    /// Where it stands, and what decides.
    pub clause: &'static str,
    /// The message.
    pub octets: Vec<u8>,
    /// What becomes of it as a datagram.
    pub datagram: Outcome,
    /// What becomes of it on a stream.
    pub stream: Outcome,
}

/// Every message of both RFCs.
pub fn cases() -> Vec<Case> {
    let mut cases = rfc4475::cases();
    cases.extend(rfc5118::cases());
    cases
}

/// An ordinary MESSAGE with an SMS-SUBMIT, as an S-CSCF hands it on; `number` makes it a new one.
pub fn ordinary(number: usize, transport: &str, local: SocketAddr) -> Vec<u8> {
    // RP-DATA to +447700900999 with SMS-SUBMIT to +447700900222: "hello".
    let mut rpdu = *b"\x00\x2a\x00\x07\x91\x44\x77\x00\x09\x90\x99\x12\x01\x07\x0c\x91\x44\x77\x00\x09\x20\x22\x00\x00\x05\xe8\x32\x9b\xfd\x06";
    rpdu[1] = number as u8;
    rpdu[13] = number as u8;
    let sender = 447_700_000_000_u64 + number as u64 % 10_000;
    let head = [
        "MESSAGE sip:smsc@ims.example.org SIP/2.0".to_owned(),
        format!("Via: SIP/2.0/{transport} {local};branch=z9hG4bKordinary{number};rport"),
        "Via: SIP/2.0/UDP [2001:db8::5]:5060;branch=z9hG4bKbefore".to_owned(),
        "Max-Forwards: 66".to_owned(),
        format!("From: <sip:+{sender}@ims.example.org>;tag=o{number}"),
        "To: <sip:smsc@ims.example.org>".to_owned(),
        format!("Call-ID: ordinary-{number}@handset"),
        "CSeq: 1 MESSAGE".to_owned(),
        format!("P-Asserted-Identity: <sip:+{sender}@ims.example.org>, <tel:+{sender}>"),
        "Content-Type: application/vnd.3gpp.sms".to_owned(),
        format!("Content-Length: {}", rpdu.len()),
    ];
    sip(&head.each_ref().map(String::as_str), &rpdu)
}

/// A message that fares alike on both transports.
fn case(name: &'static str, clause: &'static str, outcome: Outcome, octets: Vec<u8>) -> Case {
    Case { name, clause, octets, datagram: outcome, stream: outcome }
}

impl Case {
    fn on_a_stream(self, stream: Outcome) -> Case {
        Case { stream, ..self }
    }
}

/// Lines, each ended, the empty line, and a body. `@` alone after `Content-Length:` or `l:` is the body's length.
fn sip(head: &[&str], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in head {
        match line.strip_suffix(": @") {
            Some(name) => out.extend_from_slice(format!("{name}: {}", body.len()).as_bytes()),
            None => out.extend_from_slice(line.as_bytes()),
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// A session description, for the INVITEs.
const SDP: &[u8] = b"v=0\r\no=anna 4711 1 IN IP4 192.0.2.50\r\ns=-\r\nc=IN IP4 192.0.2.50\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
