//! Writing requests.

use bytes::Bytes;

use super::header::Header;
use super::octets::{all, push_line_safe, push_number};
use super::transport::Transport;

/// A request under construction. Its Via is added when it is written, because a retransmission over another
/// transport has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The start line and the header lines behind it.
    head: Vec<u8>,
    method_length: usize,
    start_line_length: usize,
    body: Vec<u8>,
}

/// The Via that a request leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViaOut<'a> {
    /// The transport the request goes over.
    pub transport: Transport,
    /// Where responses shall go, `host` or `host:port`; an IPv6 address in brackets.
    pub sent_by: &'a str,
    /// The whole branch, magic cookie included.
    pub branch: &'a str,
    /// Whether to ask that the connection be used for requests in the other direction (RFC 5923).
    pub alias: bool,
}

impl Request {
    /// Begins a request. Blanks and control characters in the URI are escaped, so that nothing can end the line early.
    pub fn new(method: &str, uri: &str) -> Request {
        let mut head = Vec::with_capacity(768);
        push_line_safe(&mut head, method.as_bytes());
        head.push(b' ');
        if all(uri, |octet| octet.is_ascii_graphic()) {
            head.extend_from_slice(uri.as_bytes());
        } else {
            push_escaped(&mut head, uri);
        }
        head.extend_from_slice(b" SIP/2.0\r\n");
        Request { method_length: method.len(), start_line_length: head.len(), head, body: Vec::new() }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(self, name: Header, value: &str) -> Request {
        self.header_parts(name, &[value])
    }

    /// Adds a header line whose value is these parts, one behind the other.
    #[must_use]
    pub fn header_parts(mut self, name: Header, parts: &[&str]) -> Request {
        push_header(&mut self.head, name, parts);
        self
    }

    /// Adds a header line by name. A CR, LF or NUL in the value becomes a space.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: &str) -> Request {
        push_line_safe(&mut self.head, name.as_bytes());
        push_value(&mut self.head, &[value]);
        self
    }

    /// Sets the body and adds its Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, octets: &[u8]) -> Request {
        push_header(&mut self.head, Header::ContentType, &[content_type]);
        self.body = octets.to_vec();
        self
    }

    /// The method.
    pub fn method(&self) -> &str {
        // The method came as a str, and replacing control characters by spaces leaves it one.
        std::str::from_utf8(&self.head[..self.method_length]).unwrap_or_default()
    }

    /// The octets of everything but the Via line: add about 100 to judge the rule of 1300 (RFC 3261 §18.1.1).
    #[expect(clippy::len_without_is_empty, reason = "a request is never empty")]
    pub fn len(&self) -> usize {
        self.head.len() + CONTENT_LENGTH.len() + 10 + self.body.len()
    }

    /// The request as octets: start line, Via, the headers in the order they were added, Content-Length, body.
    pub fn to_bytes(&self, via: &ViaOut<'_>) -> Bytes {
        let mut out = Vec::with_capacity(self.len() + via.sent_by.len() + via.branch.len() + 48);
        let (start_line, headers) = self.head.split_at(self.start_line_length);
        out.extend_from_slice(start_line);
        out.extend_from_slice(b"Via: SIP/2.0/");
        out.extend_from_slice(via.transport.as_str().as_bytes());
        out.push(b' ');
        push_line_safe(&mut out, via.sent_by.as_bytes());
        out.extend_from_slice(b";branch=");
        push_line_safe(&mut out, via.branch.as_bytes());
        if via.transport == Transport::Udp {
            out.extend_from_slice(b";rport");
        }
        if via.alias {
            out.extend_from_slice(b";alias");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(headers);
        push_body(&mut out, &self.body);
        out.into()
    }
}

const CONTENT_LENGTH: &str = "Content-Length: ";

/// Appends a header line.
pub(super) fn push_header(out: &mut Vec<u8>, name: Header, value: &[impl AsRef<[u8]>]) {
    out.extend_from_slice(name.as_str().as_bytes());
    push_value(out, value);
}

/// Appends what follows the name in a header line.
pub(super) fn push_value(out: &mut Vec<u8>, value: &[impl AsRef<[u8]>]) {
    out.extend_from_slice(b": ");
    for part in value {
        push_line_safe(out, part.as_ref());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends Content-Length, the empty line and the body.
pub(super) fn push_body(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(CONTENT_LENGTH.as_bytes());
    push_number(out, body.len());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}

fn push_escaped(out: &mut Vec<u8>, uri: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for octet in uri.bytes() {
        if octet.is_ascii_graphic() {
            out.push(octet);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIA: ViaOut<'_> =
        ViaOut { transport: Transport::Udp, sent_by: "192.0.2.1:5060", branch: "z9hG4bK1", alias: false };

    #[test]
    fn a_request_is_written_with_its_via_first_and_its_length_last() {
        let request = Request::new("MESSAGE", "sip:+447700900123@ims.example.org")
            .header(Header::MaxForwards, "70")
            .header_named("X-Note", "a")
            .body("application/vnd.3gpp.sms", b"\x00\r\n\xff");
        let expected = b"MESSAGE sip:+447700900123@ims.example.org SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n\
            Max-Forwards: 70\r\n\
            X-Note: a\r\n\
            Content-Type: application/vnd.3gpp.sms\r\n\
            Content-Length: 4\r\n\r\n\x00\r\n\xff";
        assert_eq!(request.to_bytes(&VIA), expected.as_slice());
        assert_eq!(request.method(), "MESSAGE");
    }

    #[test]
    fn over_tcp_no_rport_is_asked_for() {
        let via = ViaOut { transport: Transport::Tcp, alias: true, ..VIA };
        let octets = Request::new("OPTIONS", "sip:x").to_bytes(&via);
        assert_eq!(
            octets,
            "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK1;alias\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn no_value_can_begin_a_line_of_its_own() {
        let octets = Request::new("MESSAGE", "sip:a b\r\nX: y")
            .header(Header::Subject, "one\r\nP-Asserted-Identity: <sip:evil@x>")
            .to_bytes(&VIA);
        assert_eq!(
            octets,
            "MESSAGE sip:a%20b%0D%0AX:%20y SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n\
            Subject: one  P-Asserted-Identity: <sip:evil@x>\r\nContent-Length: 0\r\n\r\n"
        );
    }
}
