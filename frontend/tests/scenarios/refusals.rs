//! Requests that are wrong, and peers that are not trusted (issue 3 §4, Bad input).

use std::net::SocketAddr;

use smsc_frontend::engine::{AnswerLabel, ReasonLabel};
use smsc_proto::sip::{Header, Message, Request};

use crate::world::*;

const STRANGER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)), 5060);

/// The answer to one request of the core's.
fn answer(request: impl FnOnce(Request) -> Request, method: &str) -> (World, Message) {
    let mut world = World::new(1);
    let base = Request::new(method, PSI)
        .header(Header::From, "<sip:+447700900001@ims.mnc001.mcc001.3gppnetwork.org>;tag=1")
        .header(Header::To, &format!("<{PSI}>"))
        .header(Header::CallId, "one@visited.example")
        .header(Header::CSeq, &format!("1 {method}"));
    world.send(0, "one@visited.example", request(base));
    world.run(secs(2));
    let answers = world.core.answers_to("one@visited.example");
    assert_eq!(answers.len(), 1);
    let answer = answers[0].clone();
    assert!(world.backend.accepted.is_empty() && world.requests().is_empty());
    (world, answer)
}

fn asserted(request: Request) -> Request {
    request.header(Header::PAssertedIdentity, "<tel:+447700900001>")
}

const SMS: &str = "application/vnd.3gpp.sms";

#[test]
fn a_message_without_an_asserted_identity_is_refused_403() {
    let rpdu = Mo::new("+447700900099", "hello").rpdu();
    let (_, refused) = answer(|request| request.body(SMS, &rpdu), "MESSAGE");
    assert_eq!(refused.status(), Some(403));
}

#[test]
fn a_wrong_content_type_is_refused_415_with_what_would_do() {
    let (_, refused) = answer(|request| asserted(request).body("image/png", b"x"), "MESSAGE");
    assert_eq!(
        (refused.status(), refused.header(Header::Accept)),
        (Some(415), Some("application/vnd.3gpp.sms, text/plain, message/cpim, multipart/mixed"))
    );
    assert_eq!(answer(asserted, "MESSAGE").1.status(), Some(415));
}

#[test]
fn an_unknown_method_is_refused_405_with_those_that_are_served() {
    for method in ["INVITE", "PUBLISH", "SUBSCRIBE", "BYE", "WHATEVER"] {
        let (_, refused) = answer(|request| request.header(Header::Require, "100rel"), method);
        assert_eq!(
            (refused.status(), refused.header(Header::Allow)),
            (Some(405), Some("MESSAGE, REGISTER, NOTIFY, OPTIONS")),
            "{method}"
        );
    }
}

#[test]
fn an_extension_that_is_required_is_refused_420() {
    let rpdu = Mo::new("+447700900099", "hello").rpdu();
    let require = |request| asserted(request).header(Header::Require, "pref, x-none").body(SMS, &rpdu);
    let (_, refused) = answer(require, "MESSAGE");
    assert_eq!((refused.status(), refused.header(Header::Unsupported)), (Some(420), Some("pref, x-none")));
}

#[test]
fn options_says_what_is_served() {
    let (_, answered) = answer(|request| request, "OPTIONS");
    assert_eq!(
        (answered.status(), answered.header(Header::Allow)),
        (Some(200), Some("MESSAGE, REGISTER, NOTIFY, OPTIONS"))
    );
}

#[test]
fn a_notify_without_a_subscription_is_refused_481() {
    assert_eq!(answer(|request| request, "NOTIFY").1.status(), Some(481));
}

#[test]
fn an_rpdu_too_short_to_have_a_reference_is_refused_400() {
    assert_eq!(answer(|request| asserted(request).body(SMS, &[0]), "MESSAGE").1.status(), Some(400));
    assert_eq!(answer(|request| asserted(request).body(SMS, &[]), "MESSAGE").1.status(), Some(400));
}

/// An RPDU may come in base64 or inside a multipart (TS 24.341 B.7).
#[test]
fn an_rpdu_is_taken_out_of_its_wrappings() {
    let rpdu = Mo::new("+447700900099", "hello").rpdu();
    let base64 = data_encoding::BASE64.encode(&rpdu);
    let mut multipart = b"--b\r\nContent-Type: application/xml\r\n\r\n<x/>\r\n\
        --b\r\nContent-Type: application/vnd.3gpp.sms\r\n\r\n"
        .to_vec();
    multipart.extend_from_slice(&rpdu);
    multipart.extend_from_slice(b"\r\n--b--\r\n");
    for (content_type, transfer, body) in [
        ("Application/vnd.3gpp.SMS;x=y", "binary", rpdu.clone()),
        (SMS, "base64", base64.into_bytes()),
        ("multipart/mixed;boundary=b", "binary", multipart),
    ] {
        let mut world = World::new(1);
        let (call_id, request) = world.core.message(0, PSI);
        let request = request.header(Header::ContentTransferEncoding, transfer).body(content_type, &body);
        world.send(0, &call_id, request);
        world.run(secs(1));
        assert_eq!(world.statuses(&call_id), [202], "{content_type}");
        assert_eq!(world.backend.accepted[0].1.message_body, "hello");
    }
}

fn raw(method: &str, headers: &str) -> String {
    format!(
        "{method} {PSI} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKx\r\n{headers}\
         P-Asserted-Identity: <tel:+447700900001>\r\nContent-Length: 0\r\n\r\n"
    )
}

const HEADERS: &str =
    "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: two@x\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n";

#[test]
fn a_peer_that_is_not_trusted_is_refused_403_whatever_it_asks() {
    let mut world = World::new(1);
    for (n, method) in ["MESSAGE", "REGISTER", "OPTIONS"].into_iter().enumerate() {
        let headers = HEADERS.replace("MESSAGE", method);
        world.inject(0, STRANGER, raw(method, &headers).replace("z9hG4bKx", &format!("z9hG4bK{n}")));
        world.run(secs(1));
    }
    let statuses: Vec<_> = world.sent_to(STRANGER).iter().map(|answer| answer.status().unwrap()).collect();
    assert_eq!(statuses, [403, 403, 403]);
    let label = AnswerLabel { reason: "untrusted_peer", status: 403 };
    assert_eq!(world.pods[0].metrics.refused.get_or_create(&label).get(), 3);
    assert_eq!(world.backend.times(Operation::InsertLocation), []);
}

#[test]
fn strangers_cannot_fill_the_transaction_table() {
    let mut world = World::with(1, |settings| settings.caps.server_transactions = 10);
    for n in 0..100 {
        let request = raw("OPTIONS", &HEADERS.replace("MESSAGE", "OPTIONS"));
        world.inject(0, STRANGER, request.replace("z9hG4bKx", &format!("z9hG4bK{n}")));
    }
    world.run(secs(1));
    let statuses: Vec<_> = world.sent_to(STRANGER).iter().map(|answer| answer.status().unwrap()).collect();
    assert_eq!(statuses, [403; 100]);
    world.submit(0, &Mo::new("+447700900099", "hello"));
    world.run(secs(2));
    assert_eq!(world.backend.accepted.len(), 1);
}

/// A stranger's answer to nothing does not make us poll.
#[test]
fn a_stray_response_is_an_event_only_from_a_trusted_peer() {
    let response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnone\r\n\
        From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: z\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
    for (from, expected) in [(STRANGER, 1), (CORE, 2)] {
        let mut world = World::new(1);
        world.run(secs(1));
        world.inject(0, from, response);
        world.run(ms(500));
        assert_eq!(world.backend.times(Operation::GetQueue).len(), expected);
    }
}

#[test]
fn what_is_not_sip_is_dropped_and_counted_with_its_reason() {
    let mut world = World::new(1);
    for octets in [&b"\x00\x01\x02"[..], b"", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 2000]] {
        world.inject(0, CORE, octets.to_vec());
    }
    world.run(secs(1));
    assert!(world.wire.is_empty());
    let mut text = String::new();
    let mut registry = prometheus_client::registry::Registry::default();
    world.pods[0].metrics.register(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let dropped: u64 = (text.lines().filter(|line| line.starts_with("smsc_sip_dropped_total{")))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(dropped, 4, "{text}");
    let unknown = ReasonLabel { reason: "stray_response" };
    assert_eq!(world.pods[0].metrics.dropped.get_or_create(&unknown).get(), 0);
}

/// Readable enough to be answered, but not a request: 400.
#[test]
fn a_request_with_a_broken_header_is_refused_400() {
    for (n, broken) in [
        HEADERS.replace("Call-ID: two@x\r\n", ""),
        HEADERS.replace("From: <sip:a@x>;tag=1", "From: <sip:a@x"),
        HEADERS.replace("CSeq: 1 MESSAGE", "CSeq: one MESSAGE"),
        HEADERS.replace("CSeq: 1 MESSAGE", "CSeq: 1 NOTIFY"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut world = World::new(1);
        let text = raw("MESSAGE", &broken).replace("203.0.113.9", "192.0.2.99");
        world.inject(0, "192.0.2.99:5060".parse().unwrap(), text);
        world.run(secs(1));
        let answers = world.sent_to("192.0.2.99:5060".parse().unwrap());
        assert!(answers.len() <= 1);
        assert_eq!(answers.first().and_then(|a| a.status()), Some(400), "{n}: {broken}");
    }
}

/// RFC 3261 §9.2: a CANCEL finds an INVITE, or it does not; either way nothing comes of it.
#[test]
fn a_cancel_is_answered_by_whether_there_is_something_to_cancel() {
    let mut world = World::new(1);
    let peer: SocketAddr = "192.0.2.99:5060".parse().unwrap();
    let of = |method: &str, branch: &str| {
        let headers = HEADERS.replace("MESSAGE", method);
        raw(method, &headers).replace("203.0.113.9", "192.0.2.99").replace("z9hG4bKx", branch)
    };
    for octets in
        [of("INVITE", "z9hG4bK1"), of("CANCEL", "z9hG4bK1"), of("CANCEL", "z9hG4bK2"), of("ACK", "z9hG4bK1")]
    {
        world.inject(0, peer, octets);
        world.run(ms(100));
    }
    let statuses: Vec<_> = world.sent_to(peer).iter().map(|answer| answer.status().unwrap()).collect();
    assert_eq!(statuses, [405, 200, 481]);
}
