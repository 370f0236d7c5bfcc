//! Writing responses.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::header::Header;
use super::list::elements;
use super::message::Message;
use super::octets::{find, push_line_safe, push_number, trim_str};
use super::params::segments;
use super::request::{push_body, push_header, push_value};
use super::status::reason_phrase;
use super::via::Via;

/// A response under construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Response {
    /// Begins the response to `request`, which came from `source`.
    ///
    /// Via, From, To, Call-ID and CSeq are copied (RFC 3261 §8.2.6.2). The topmost Via gets `received` if its host is
    /// not the source address (§18.2.1), and `received` and `rport` if it asked with `rport` (RFC 3581 §4). To gets
    /// `to_tag` unless it has a tag, `to_tag` is empty, or the status is 100.
    pub fn to(request: &Message, source: SocketAddr, status: u16, to_tag: &str) -> Response {
        let copied = COPIED.iter().flat_map(|header| request.header_octets(*header));
        let length: usize = copied.map(|value| value.len() + "Call-ID: \r\n".len()).sum();
        // Room for all that most responses have, and not much more: the transaction keeps it for half a minute.
        let mut head = Vec::with_capacity(length + to_tag.len() + 128);
        head.extend_from_slice(b"SIP/2.0 ");
        push_number(&mut head, status.into());
        head.push(b' ');
        head.extend_from_slice(reason_phrase(status).as_bytes());
        head.extend_from_slice(b"\r\n");
        push_vias(&mut head, request, source);
        copy(&mut head, request, Header::From);
        push_to(&mut head, request, if status == 100 { "" } else { to_tag });
        copy(&mut head, request, Header::CallId);
        copy(&mut head, request, Header::CSeq);
        Response { status, head, body: Vec::new() }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: Header, value: &str) -> Response {
        push_header(&mut self.head, name, &[value]);
        self
    }

    /// Adds a header line by name. A CR, LF or NUL in the value becomes a space.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: &str) -> Response {
        push_line_safe(&mut self.head, name.as_bytes());
        push_value(&mut self.head, &[value]);
        self
    }

    /// Sets the body and adds its Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, octets: &[u8]) -> Response {
        push_header(&mut self.head, Header::ContentType, &[content_type]);
        self.body = octets.to_vec();
        self
    }

    /// The response as octets.
    pub fn to_bytes(&self) -> Bytes {
        self.clone().into_bytes()
    }

    /// The response as octets, where it was built.
    pub fn into_bytes(self) -> Bytes {
        let Response { mut head, body, status: _ } = self;
        push_body(&mut head, &body);
        head.into()
    }
}

/// What every response takes over from its request (RFC 3261 §8.2.6.2).
const COPIED: [Header; 5] = [Header::Via, Header::From, Header::To, Header::CallId, Header::CSeq];

fn copy(head: &mut Vec<u8>, request: &Message, header: Header) {
    if let Some(value) = request.header_octets(header).next() {
        push_header(head, header, &[value]);
    }
}

fn push_to(head: &mut Vec<u8>, request: &Message, tag: &str) {
    copy(head, request, Header::To);
    // What cannot be read goes back as it came.
    let untagged = request.to().is_ok_and(|to| !to.params.contains("tag"));
    if untagged && !tag.is_empty() {
        head.truncate(head.len() - 2);
        head.extend_from_slice(b";tag=");
        push_line_safe(head, tag.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
}

fn push_vias(head: &mut Vec<u8>, request: &Message, source: SocketAddr) {
    let mut lines = request.header_octets(Header::Via);
    if let Some(first) = lines.next() {
        push_top_via(head, first, source);
    }
    for line in lines {
        push_header(head, Header::Via, &[line]);
    }
}

/// Appends the first Via line, its first element with `received` and `rport` as they must be.
fn push_top_via(head: &mut Vec<u8>, line: &[u8], source: SocketAddr) {
    let top = elements(line).next().and_then(|top| std::str::from_utf8(top).ok()).unwrap_or_default();
    let Ok(via) = Via::parse(top) else {
        return push_header(head, Header::Via, &[line]);
    };
    let address = source.ip().to_canonical();
    let asked = via.rport().is_some();
    let same = via.host.parse::<IpAddr>().is_ok_and(|host| host.to_canonical() == address);
    head.extend_from_slice(b"Via: ");
    for (index, part) in segments(top).enumerate() {
        let name = trim_str(&part[..find(part, b'=').unwrap_or(part.len())]);
        // Only the receiver may say where a request came from, so what the sender claims is replaced.
        if index > 0 && name.eq_ignore_ascii_case("received") {
            continue;
        }
        if index > 0 {
            head.push(b';');
        }
        if index > 0 && name.eq_ignore_ascii_case("rport") {
            head.extend_from_slice(b"rport=");
            push_number(head, source.port().into());
        } else {
            push_line_safe(head, part.as_bytes());
        }
    }
    if asked || !same {
        head.extend_from_slice(b";received=");
        push_address(head, address);
    }
    // The line was trimmed, so its first element begins it; what stands behind are the other elements.
    push_line_safe(head, line.get(top.len()..).unwrap_or_default());
    head.extend_from_slice(b"\r\n");
}

fn push_address(head: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    head.push(b'.');
                }
                push_number(head, octet.into());
            }
        }
        IpAddr::V6(address) => _ = write!(Text(head), "{address}"),
    }
}

/// Octets that text is formatted into; that cannot fail.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(via: &str, to: &str) -> Message {
        let text = format!(
            "MESSAGE sip:a@b SIP/2.0\r\nVia: {via}\r\nv: SIP/2.0/UDP p2;branch=z9hG4bKb\r\nf: <sip:f@x>;tag=f\r\n\
             t: {to}\r\ni: c@x\r\nCSeq: 7 MESSAGE\r\nl: 0\r\n\r\n"
        );
        Message::parse(text.into()).unwrap()
    }

    fn top_via(via: &str, source: &str) -> String {
        let response = Response::to(&request(via, "<sip:t@x>"), source.parse().unwrap(), 200, "t").to_bytes();
        Message::parse(response).unwrap().header(Header::Via).unwrap().to_owned()
    }

    #[test]
    fn a_response_copies_what_identifies_the_request() {
        let request = request("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", "<sip:t@x>");
        let response = Response::to(&request, "192.0.2.1:5060".parse().unwrap(), 202, "mine")
            .header(Header::Server, "smsc")
            .body("text/plain", b"hi");
        assert_eq!(
            response.to_bytes(),
            "SIP/2.0 202 Accepted\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
             Via: SIP/2.0/UDP p2;branch=z9hG4bKb\r\nFrom: <sip:f@x>;tag=f\r\nTo: <sip:t@x>;tag=mine\r\n\
             Call-ID: c@x\r\nCSeq: 7 MESSAGE\r\nServer: smsc\r\nContent-Type: text/plain\r\n\
             Content-Length: 2\r\n\r\nhi"
        );
        assert_eq!(response.status(), 202);
    }

    #[test]
    fn a_to_tag_is_added_only_where_there_is_none() {
        let source = "192.0.2.1:5060".parse().unwrap();
        let tagged = |to, status, tag| {
            let response =
                Response::to(&request("SIP/2.0/UDP 192.0.2.1", to), source, status, tag).to_bytes();
            Message::parse(response).unwrap().header(Header::To).unwrap().to_owned()
        };
        assert_eq!(tagged("<sip:t@x>;tag=theirs", 200, "mine"), "<sip:t@x>;tag=theirs");
        assert_eq!(tagged("sip:t@x", 200, "mine"), "sip:t@x;tag=mine");
        assert_eq!(tagged("<sip:t@x>", 100, "mine"), "<sip:t@x>");
        assert_eq!(tagged("\"open <sip:t@x>", 400, "mine"), "\"open <sip:t@x>");
    }

    #[test]
    fn the_top_via_says_where_the_request_came_from() {
        for (via, source, expected) in [
            ("SIP/2.0/UDP 192.0.2.1;branch=a", "192.0.2.1:9", "SIP/2.0/UDP 192.0.2.1;branch=a"),
            ("SIP/2.0/UDP 192.0.2.1;branch=a", "[::ffff:192.0.2.1]:9", "SIP/2.0/UDP 192.0.2.1;branch=a"),
            ("SIP/2.0/UDP host;branch=a", "192.0.2.1:9", "SIP/2.0/UDP host;branch=a;received=192.0.2.1"),
            (
                "SIP/2.0/UDP 192.0.2.1;rport;branch=a",
                "192.0.2.1:9",
                "SIP/2.0/UDP 192.0.2.1;rport=9;branch=a;received=192.0.2.1",
            ),
            (
                "SIP/2.0/UDP host;received=203.0.113.9;branch=a",
                "192.0.2.1:9",
                "SIP/2.0/UDP host;branch=a;received=192.0.2.1",
            ),
            ("SIP/2.0/TCP [2001:DB8::1]:5060", "[2001:db8::1]:9", "SIP/2.0/TCP [2001:DB8::1]:5060"),
            (
                "SIP/2.0/TCP h, SIP/2.0/UDP z",
                "192.0.2.1:9",
                "SIP/2.0/TCP h;received=192.0.2.1, SIP/2.0/UDP z",
            ),
            ("broken", "192.0.2.1:9", "broken"),
        ] {
            assert_eq!(top_via(via, source), expected);
        }
    }
}
