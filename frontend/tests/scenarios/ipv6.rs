//! IPv6 wherever an address stands: brackets where the grammar wants them, none where not (RFC 5118).

use std::net::SocketAddr;

use smsc_backend::{QueuedMessage, Status};
use smsc_frontend::engine::{Call, Settings, Trusted};
use smsc_proto::sip::{Header, Message, Request, Response, Transport, ViaOut};

use crate::repeats::CAROL;
use crate::world::*;

/// The S-CSCF.
const S_CSCF6: &str = "[2001:db8::10]:5070";

fn s_cscf() -> SocketAddr {
    S_CSCF6.parse().unwrap()
}

fn advertise(settings: &mut Settings) {
    settings.sent_by = "[2001:db8::a1]:5060".to_owned();
    settings.advertised_host = "2001:db8::a1".to_owned();
    let networks = [("2001:db8::", 32), ("192.0.2.0", 24)];
    settings.trusted = Trusted::new(networks.map(|(ip, length)| (ip.parse().unwrap(), length)).to_vec());
}

/// Has the S-CSCF send a request.
fn send(world: &mut World, request: Request, branch: &str) {
    let via = ViaOut { transport: Transport::Udp, sent_by: S_CSCF6, branch, alias: false };
    world.inject(0, s_cscf(), request.to_bytes(&via));
    world.run(secs(1));
}

/// A MESSAGE of a handset behind it.
fn from_handset(number: &str, call_id: &str) -> Request {
    let identity = format!("<sip:+{number}@ims.mnc001.mcc001.3gppnetwork.org>");
    Request::new("MESSAGE", PSI)
        .header(Header::MaxForwards, "67")
        .header(Header::From, &format!("{identity};tag=1"))
        .header(Header::To, &format!("<{PSI}>"))
        .header(Header::CallId, call_id)
        .header(Header::CSeq, "1 MESSAGE")
        .header(Header::PAssertedIdentity, &identity)
}

fn received(world: &World) -> Vec<Message> {
    world.sent_to(s_cscf())
}

#[test]
fn a_message_is_delivered_over_ipv6() {
    let mut world = World::with(1, |settings| {
        advertise(settings);
        settings.s_cscf_uri = Some(format!("sip:{S_CSCF6}"));
    });
    world.queue(0, "42", 1, "hello");
    world.run(secs(1));
    let message = received(&world).remove(0);
    let via = message.via().unwrap();
    assert_eq!((via.host, via.port), ("2001:db8::a1", Some(5060)));
    assert_eq!(message.header(Header::Route), Some("<sip:[2001:db8::10]:5070;lr>"));
    assert!(message.call_id().unwrap().ends_with("@2001:db8::a1"));
    let answer = Response::to(&message, "[2001:db8::a1]:5060".parse().unwrap(), 200, "core").to_bytes();
    world.inject(0, s_cscf(), answer);
    assert_eq!(tpdu_for_handset(message.body_octets())[0] & 0x03, 0, "an SMS-DELIVER");
    let report = report_rpdu(Report::Ack, message.body_octets()[1]);
    let request = from_handset("447700900002", "ue@[2001:db8::7]")
        .header(Header::InReplyTo, message.call_id().unwrap())
        .body("application/vnd.3gpp.sms", &report);
    send(&mut world, request, "z9hG4bKreport");
    assert_eq!(received(&world).last().unwrap().status(), Some(202));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.backend.reports("42")[0].sip_status, Some(200));
}

#[test]
fn a_submission_over_ipv6_is_answered_where_it_came_from() {
    let mut world = World::with(1, advertise);
    let request =
        from_handset("447700900001", "mo@x").body("application/vnd.3gpp.sms", &Mo::new(CAROL, "hi").rpdu());
    send(&mut world, request, "z9hG4bKmo");
    let sent = received(&world);
    assert_eq!((sent[0].status(), sent[0].via().unwrap().host), (Some(202), "2001:db8::10"));
    let via = sent[0].via().unwrap();
    assert_eq!((via.received(), via.rport()), (Some("2001:db8::10"), Some(Some(5070))));
    assert_eq!((sent[1].in_reply_to().next(), sent[1].body_octets()[0]), (Some("mo@x"), 3));
    assert_eq!(crate::repeats::taken(&world), ["hi"]);
}

#[test]
fn a_registration_keeps_the_brackets_of_its_s_cscf() {
    let mut world = World::with(1, |settings| {
        advertise(settings);
        settings.reg_event =
            Some(smsc_frontend::engine::RegEvent { expires: secs(3600), as_presentity: false });
    });
    let request = Request::new("REGISTER", PSI)
        .header(Header::MaxForwards, "70")
        .header(Header::From, "<sip:[2001:db8::10]:5070>;tag=1")
        .header(Header::To, "<sip:+447700900001@ims.mnc001.mcc001.3gppnetwork.org>")
        .header(Header::Contact, "<sip:[2001:db8::10]:5070>")
        .header(Header::Expires, "600")
        .header(Header::CallId, "r@x")
        .header(Header::CSeq, "1 REGISTER");
    send(&mut world, request, "z9hG4bKregister");
    let sent = received(&world);
    assert_eq!(sent[0].header(Header::Contact), Some("<sip:[2001:db8::10]:5070>;expires=600"));
    let written = world.backend.calls.iter().find_map(|(.., call)| match call {
        Call::InsertLocation(location) => location.s_cscf.clone(),
        _ => None,
    });
    assert_eq!(written.as_deref(), Some("sip:[2001:db8::10]:5070"));
    let subscribe = sent.iter().find(|message| message.is_request()).unwrap();
    assert_eq!(subscribe.header(Header::Contact), Some("<sip:[2001:db8::a1]:5060>"));
    assert_eq!(subscribe.header(Header::Route), Some("<sip:[2001:db8::10]:5070;lr>"));
}

#[test]
fn peers_are_trusted_by_family_prefix_and_mapped_address() {
    let mut world = World::with(1, advertise);
    let peers = [
        ("[2001:db8:ffff::1]:5060", 200),
        ("[2001:db9::1]:5060", 403),
        ("[::ffff:192.0.2.77]:5060", 200),
        ("[::ffff:203.0.113.1]:5060", 403),
        ("192.0.2.78:5060", 200),
    ];
    for (at, (peer, status)) in peers.into_iter().enumerate() {
        let address: SocketAddr = peer.parse().unwrap();
        let request = Request::new("OPTIONS", PSI)
            .header(Header::MaxForwards, "70")
            .header(Header::From, "<sip:x>;tag=1")
            .header(Header::To, "<sip:x>")
            .header(Header::CallId, &at.to_string())
            .header(Header::CSeq, "1 OPTIONS");
        let branch = format!("z9hG4bK{at}");
        let via = ViaOut { transport: Transport::Udp, sent_by: peer, branch: &branch, alias: false };
        world.inject(0, address, request.to_bytes(&via));
        world.run(secs(1));
        let answers = world.sent_to(address);
        assert_eq!(answers.iter().map(Message::status).collect::<Vec<_>>(), [Some(status)], "{peer}");
    }
}

#[test]
fn one_pod_serves_both_families_at_once() {
    let mut world = World::with(1, advertise);
    world.queue(0, "41", 0, "over IPv4");
    world.queue_with(0, "42", 1, "over IPv6", |row| QueuedMessage {
        s_cscf: Some(format!("sip:{S_CSCF6}")),
        ..row
    });
    world.run(secs(2));
    assert_eq!(world.backend.statuses("41"), [Status::Delivered]);
    let message = received(&world).remove(0);
    assert_eq!(message.header(Header::Route), Some("<sip:[2001:db8::10]:5070;lr>"));
}
