//! What our writers write, read by `rsip`, a parser nobody here wrote.
//!
//! rsip reads no tel: Request-URI and no IPv6, so neither appears; its own writer, which is not used, breaks bodies.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;

use proptest::prelude::*;
use rsip::prelude::*;
use smsc_proto::sip::{Header, Message, Request, Response, Transport, ViaOut};

/// What a reader says about a message.
#[derive(Debug, PartialEq)]
struct Reading {
    start: (String, String),
    via: (String, String, String),
    from: (String, Option<String>),
    to: (String, Option<String>),
    call_id: String,
    cseq: (u32, String),
    body: Vec<u8>,
}

fn ours(message: &Message) -> Reading {
    let (via, from, to) = (message.via().unwrap(), message.from().unwrap(), message.to().unwrap());
    let start = match message.status() {
        Some(status) => (status.to_string(), String::new()),
        None => (message.method().unwrap().to_string(), message.request_uri().unwrap().to_owned()),
    };
    let sent_by = via.port.map_or(via.host.to_owned(), |port| format!("{}:{port}", via.host));
    let cseq = message.cseq().unwrap();
    Reading {
        start,
        via: (via.transport.to_owned(), sent_by, via.branch().unwrap().to_owned()),
        from: (from.uri.to_owned(), from.tag().map(str::to_owned)),
        to: (to.uri.to_owned(), to.tag().map(str::to_owned)),
        call_id: message.call_id().unwrap().to_owned(),
        cseq: (cseq.number, cseq.method.to_string()),
        body: message.body().to_vec(),
    }
}

fn theirs(octets: &[u8]) -> Reading {
    let message = rsip::SipMessage::try_from(octets).unwrap();
    let start = match &message {
        rsip::SipMessage::Request(request) => (request.method.to_string(), request.uri.to_string()),
        rsip::SipMessage::Response(response) => (response.status_code.code().to_string(), String::new()),
    };
    let via = message.via_header().unwrap().typed().unwrap();
    let from = message.from_header().unwrap().typed().unwrap();
    let to = message.to_header().unwrap().typed().unwrap();
    let cseq = message.cseq_header().unwrap().typed().unwrap();
    Reading {
        start,
        via: (via.transport.to_string(), via.sent_by().to_string(), via.branch().unwrap().to_string()),
        from: (from.uri.to_string(), from.tag().map(|tag| tag.value().to_owned())),
        to: (to.uri.to_string(), to.tag().map(|tag| tag.value().to_owned())),
        call_id: message.call_id_header().unwrap().value().to_owned(),
        cseq: (cseq.seq, cseq.method.to_string()),
        body: message.body().clone(),
    }
}

fn request(user: &str, tag: &str, call_id: &str, cseq: u32, body: &[u8]) -> Request {
    Request::new("MESSAGE", &format!("sip:{user}@ims.example.org"))
        .header(Header::MaxForwards, "70")
        .header(Header::Route, "<sip:scscf.ims.example.org:5060;lr>")
        .header(Header::From, &format!("<sip:smsc@smsc01.example.org>;tag={tag}"))
        .header(Header::To, &format!("<sip:{user}@ims.example.org>"))
        .header(Header::CallId, call_id)
        .header(Header::CSeq, &format!("{cseq} MESSAGE"))
        .header(Header::PAssertedIdentity, "<sip:smsc@smsc01.example.org>")
        .header(Header::AcceptContact, "*;+g.3gpp.smsip;require;explicit")
        .header(Header::RequestDisposition, "no-fork")
        .body("application/vnd.3gpp.sms", body)
}

proptest! {
    #[test]
    fn requests_and_their_responses_are_read_alike(
        user in "[+]?[0-9]{3,15}|[a-z]{1,12}",
        tag in "[a-z0-9]{1,16}",
        call_id in "[a-z0-9]{1,40}@[a-z]{1,12}\\.example",
        cseq in 0u32..0x8000_0000,
        branch in "z9hG4bK[A-Za-z0-9]{1,24}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
        tcp in any::<bool>(),
        status in prop::sample::select(vec![100u16, 200, 202, 400, 404, 405, 415, 480, 488, 500, 503, 603]),
        port in 1024u16..,
    ) {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let via = ViaOut { transport, sent_by: "192.0.2.1:5060", branch: &branch, alias: false };
        let octets = request(&user, &tag, &call_id, cseq, &body).to_bytes(&via);
        let message = Message::parse(octets.clone()).unwrap();
        prop_assert_eq!(message.request_fault(), None);
        prop_assert_eq!(ours(&message), theirs(&octets));
        prop_assert_eq!(&ours(&message).body, &body);

        let source = SocketAddr::from(([198, 51, 100, 7], port));
        let octets = Response::to(&message, source, status, "totag").header(Header::Server, "smsc").to_bytes();
        let response = Message::parse(octets.clone()).unwrap();
        prop_assert_eq!(ours(&response), theirs(&octets));
        prop_assert_eq!(response.via().unwrap().received(), Some("198.51.100.7"));
        prop_assert_eq!(response.via().unwrap().rport(), (!tcp).then_some(Some(port)));
    }
}
