//! What our writers write, our reader reads back, whatever it is told to write.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;
use smsc_proto::sip::{Framed, Header, Message, Request, Response, StreamFramer, Transport, ViaOut};

/// A value as it comes back: no octet of it can end the line, and blanks around it are not part of it.
fn as_read(value: &str) -> String {
    value.replace(['\r', '\n', '\0'], " ").trim_matches([' ', '\t']).to_owned()
}

fn branch_and_body() -> impl Strategy<Value = (String, Vec<u8>)> {
    ("z9hG4bK[a-z0-9]{1,40}", proptest::collection::vec(any::<u8>(), 0..300))
}

proptest! {
    #[test]
    fn requests(
        (branch, body) in branch_and_body(),
        uri in ".{1,60}",
        values in proptest::collection::vec((prop::sample::select(Header::ALL), any::<String>()), 0..60),
        tcp in any::<bool>(),
    ) {
        let values: Vec<_> = values.into_iter().filter(|(header, _)| {
            !matches!(header, Header::Via | Header::ContentLength | Header::ContentType)
        }).collect();
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let via = ViaOut { transport, sent_by: "[2001:db8::1]:5061", branch: &branch, alias: tcp };
        let request = values.iter().fold(Request::new("MESSAGE", &uri), |request, (header, value)| {
            request.header(*header, value)
        });
        let octets = request.body("application/vnd.3gpp.sms", &body).to_bytes(&via);

        let message = Message::parse(octets.clone()).unwrap();
        let top = message.via().unwrap();
        prop_assert_eq!((top.transport, top.host, top.port), (transport.as_str(), "2001:db8::1", Some(5061)));
        prop_assert_eq!((top.branch(), top.rport(), top.params.contains("alias")), (
            Some(branch.as_str()), (!tcp).then_some(None), tcp,
        ));
        for header in values.iter().map(|(header, _)| *header) {
            let written: Vec<_> = values.iter().filter(|(of, _)| *of == header).map(|(_, value)| as_read(value)).collect();
            let read: Vec<_> = message.headers(header).map(str::to_owned).collect();
            prop_assert_eq!(read, written, "{}", header);
        }
        prop_assert_eq!(message.count(Header::ContentLength), 1);
        prop_assert_eq!(message.content("application", "vnd.3gpp.sms").unwrap(), body);

        let mut framer = StreamFramer::new();
        framer.push(&octets);
        prop_assert_eq!(framer.next(), Some(Ok(Framed::Message(octets))));
        prop_assert_eq!(framer.next(), None);
    }

    /// What nobody here knows is passed on as it came, octet for octet.
    #[test]
    fn unknown_methods_schemes_and_headers(
        method in "[A-Z][A-Z0-9.!%*_+`'~-]{0,20}",
        scheme in "[a-z][a-z0-9+.-]{0,9}",
        opaque in "[!#-;=?-~]{1,40}",
        values in proptest::collection::vec(("X[A-Za-z0-9.!%*_+`'~-]{1,20}", "([!-~é😀]([ -~é😀]{0,30}[!-~é😀])?)?"), 0..30),
        (branch, body) in branch_and_body(),
    ) {
        let uri = format!("{scheme}:{opaque}");
        let mut octets = format!("{method} {uri} SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch={branch}\r\n").into_bytes();
        for (name, value) in &values {
            octets.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        octets.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        octets.extend_from_slice(&body);

        let message = Message::parse(octets.clone().into()).unwrap();
        prop_assert_eq!(message.raw(), &octets);
        prop_assert_eq!(message.method().unwrap().as_str(), &method);
        let via = ViaOut { transport: Transport::Tcp, sent_by: "192.0.2.1", branch: &branch, alias: false };
        let request = Request::new(message.method().unwrap().as_str(), message.request_uri().unwrap());
        let request = message
            .lines()
            .filter(|(name, _)| !["Via", "Content-Length"].contains(name))
            .fold(request, |request, (name, value)| request.header_named(name, value));
        // A body without a type is written by its octets alone.
        let mut written = request.to_bytes(&via).to_vec();
        let length = format!("Content-Length: {}\r\n\r\n", body.len());
        written.truncate(written.len() - "Content-Length: 0\r\n\r\n".len());
        written.extend_from_slice(length.as_bytes());
        written.extend_from_slice(&message.body());
        prop_assert_eq!(written, octets);
    }

    #[test]
    fn responses(
        (branch, body) in branch_and_body(),
        status in 100u16..700,
        tag in "[a-z0-9]{1,20}",
        server in any::<String>(),
    ) {
        let via = ViaOut { transport: Transport::Tcp, sent_by: "192.0.2.1", branch: &branch, alias: false };
        let request = Request::new("NOTIFY", "sip:x")
            .header(Header::From, "<sip:a@x>;tag=1")
            .header(Header::To, "\"B, \\\"b\\\"\" <sip:b@x>")
            .header(Header::CallId, "c@x")
            .header(Header::CSeq, "9 NOTIFY")
            .to_bytes(&via);
        let request = Message::parse(request).unwrap();
        let response = Response::to(&request, "192.0.2.1:7".parse().unwrap(), status, &tag)
            .header(Header::Server, &server)
            .body("text/plain", &body)
            .to_bytes();
        let response = Message::parse(response).unwrap();
        prop_assert_eq!(response.status(), Some(status));
        prop_assert_eq!(response.via(), request.via());
        prop_assert_eq!((response.from(), response.call_id()), (request.from(), request.call_id()));
        prop_assert_eq!(response.cseq(), request.cseq());
        prop_assert_eq!(response.to().unwrap().tag(), (status != 100).then_some(tag.as_str()));
        prop_assert_eq!(response.header(Header::Server).unwrap(), as_read(&server));
        prop_assert_eq!(response.body(), body);
    }
}
