//! What our writers write, from values of every kind, read by rsip and rsipstack.
//!
//! No tel URI and no IPv6 address appears: what is wrong with those is in the table of exceptions.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;

use proptest::prelude::*;
use smsc_proto::sip::{Header, Message, Request, Response, Transport, ViaOut};
use smsc_readers::{Reader, ours};

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
        for reader in Reader::ALL {
            prop_assert_eq!(reader.read(&octets), Ok(ours(&message)));
        }
        prop_assert_eq!(&ours(&message).body, &body);

        let source = SocketAddr::from(([198, 51, 100, 7], port));
        let octets = Response::to(&message, source, status, "totag").header(Header::Server, "smsc").to_bytes();
        let response = Message::parse(octets.clone()).unwrap();
        for reader in Reader::ALL {
            prop_assert_eq!(reader.read(&octets), Ok(ours(&response)));
        }
        prop_assert_eq!(response.via().unwrap().received(), Some("198.51.100.7"));
        prop_assert_eq!(response.via().unwrap().rport(), (!tcp).then_some(Some(port)));
    }
}
