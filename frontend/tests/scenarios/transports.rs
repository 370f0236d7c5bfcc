//! Every kind of message the engine writes, over UDP and over TCP: what is said does not depend on the transport.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use smsc_backend::{Kind, QueuedMessage, StatusReport};
use smsc_frontend::engine::{RegEvent, Settings};
use smsc_proto::sip::{Header, Request, Transport};
use smsc_proto::sms::{Direction, Rpdu};

use crate::world::*;

const STRANGER: &str = "203.0.113.9:5060";
const PEER: &str = "192.0.2.99:5060";
const SMS: &str = "application/vnd.3gpp.sms";
const CAROL: &str = "+447700900099";

/// Method or status and method of everything a pod says; in a MESSAGE its RP-MTI.
const SAID: &[&str] = &[
    "200 NOTIFY",
    "200 OPTIONS",
    "200 REGISTER",
    "202 MESSAGE",
    "400 MESSAGE",
    "400 NOTIFY",
    "400 nothing",
    "403 MESSAGE",
    "403 OPTIONS",
    "403 REGISTER",
    "404 MESSAGE",
    "405 INVITE",
    "405 PUBLISH",
    "415 MESSAGE",
    "415 NOTIFY",
    "416 MESSAGE",
    "420 MESSAGE",
    "481 CANCEL",
    "481 NOTIFY",
    "482 MESSAGE",
    "489 NOTIFY",
    "500 MESSAGE",
    "500 NOTIFY",
    "503 MESSAGE",
    "505 MESSAGE",
    "MESSAGE RP 1",
    "MESSAGE RP 3",
    "MESSAGE RP 5",
    "MESSAGE text/plain",
    "SUBSCRIBE",
];

#[test]
fn what_is_said_is_the_same_over_udp_and_tcp() {
    for transport in [Transport::Udp, Transport::Tcp] {
        assert_eq!(Vec::from_iter(everything(transport)), SAID, "{}", transport.as_str());
    }
}

/// What a world's pods have said in all these exchanges, everything over one transport.
fn everything(transport: Transport) -> BTreeSet<String> {
    let worlds = [
        submissions(transport),
        deliveries(transport),
        refusals(transport),
        broken(transport),
        subscription(transport),
        overload(transport, 500),
        overload(transport, 503),
    ];
    worlds.iter().flat_map(|world| said(world, transport)).collect()
}

fn said(world: &World, transport: Transport) -> BTreeSet<String> {
    let said = |packet: &Packet| {
        assert_eq!(packet.transport, transport, "{}", shown(&packet.message()));
        let message = packet.message();
        let method = message.cseq().map_or("nothing", |cseq| cseq.method.as_str());
        match (message.status(), message.content_type(), message.body_octets().first()) {
            (Some(status), ..) => format!("{status} {method}"),
            (None, Some(content), Some(mti)) if content.is("application", "vnd.3gpp.sms") => {
                format!("{method} RP {mti}")
            }
            (None, Some(content), _) => format!("{method} {}", content.media_type),
            (None, None, _) => method.to_owned(),
        }
    };
    world.wire.iter().filter(|packet| matches!(packet.from, Party::Pod(_))).map(said).collect()
}

/// A world with everything over this transport.
fn over(transport: Transport, adjust: impl Fn(&mut Settings)) -> World {
    let s_cscf = format!("{S_CSCF};transport={}", transport.as_str().to_ascii_lowercase());
    let mut world = World::with(1, |settings| {
        settings.s_cscf_uri = Some(s_cscf.clone());
        adjust(settings);
    });
    world.core.transport = transport;
    world
}

fn submissions(transport: Transport) -> World {
    let mut world = over(transport, |_| {});
    world.register(0, 3600, None);
    world.run(secs(1));
    world.submit(0, &Mo::new(CAROL, "stored"));
    world.run(secs(2));
    world.backend.fail(Operation::InsertMessage, 1, Fault::Status(422, Some(38)));
    world.submit(0, &Mo { tp_mr: 2, rp_mr: 2, ..Mo::new(CAROL, "refused") });
    world.run(secs(2));
    let mut smma = Vec::new();
    Rpdu::Smma { mr: 77 }.encode(Direction::MsToNetwork, &mut smma);
    world.send_rpdu(0, 0, &smma);
    world.send_text(0, &format!("tel:{CAROL}"), "stored");
    world.send_text(0, "sip:nobody@example.org", "refused");
    world.run(secs(2));
    world
}

fn deliveries(transport: Transport) -> World {
    let mut world = over(transport, |_| {});
    world.queue(0, "41", 1, &"of two parts ".repeat(20));
    world.queue_with(0, "42", 1, "plain", |row| QueuedMessage { ims_capable: Some(false), ..row });
    world.queue_with(0, "43", 0, "", |row| QueuedMessage {
        kind: Kind::StatusReport,
        status_report: Some(StatusReport {
            message_id: "42".into(),
            tp_mr: 7,
            status: 0,
            scts: jiff::Timestamp::from_second(WALL).unwrap(),
            dt: jiff::Timestamp::from_second(WALL + 5).unwrap(),
            destination_msisdn: CAROL.to_owned(),
        }),
        ..row
    });
    world.run(secs(5));
    world.handset_mut(1).script.push_back(Reaction::only(0).answering(Answer::LoopTo(0)));
    world.queue(0, "44", 1, "sent back to us");
    world.run(secs(2));
    world
}

fn refusals(transport: Transport) -> World {
    let mut world = over(transport, |_| {});
    let rpdu = Mo::new(CAROL, "hello").rpdu();
    let mut number = 0;
    let mut send = |method: &str, uri: &str, complete: &dyn Fn(Request) -> Request| {
        number += 1;
        let call_id = format!("refused-{number}@visited.example");
        let request = Request::new(method, uri)
            .header(Header::From, "\"A, B\" <sip:+447700900001@ims.example.org;user=phone>;tag=1")
            .header(Header::To, &format!("<{PSI}>"))
            .header(Header::CallId, &call_id)
            .header(Header::CSeq, &format!("1 {method}"));
        world.send(0, &call_id, complete(request));
        world.run(secs(1));
    };
    let asserted = |request: Request| request.header(Header::PAssertedIdentity, "<tel:+447700900001>");
    send("MESSAGE", PSI, &|request| request.body(SMS, &rpdu));
    send("MESSAGE", PSI, &|request| asserted(request).body("image/png", b"x"));
    send("MESSAGE", PSI, &|request| asserted(request).body(SMS, &[0]));
    send("MESSAGE", PSI, &|request| asserted(request).header(Header::Require, "pref").body(SMS, &rpdu));
    send("MESSAGE", "urn:service:sos", &|request| asserted(request).body(SMS, &rpdu));
    send("PUBLISH", PSI, &|request| request);
    send("OPTIONS", PSI, &|request| request);
    send("NOTIFY", PSI, &|request| request);
    world
}

fn broken(transport: Transport) -> World {
    let mut world = over(transport, |_| {});
    let request = |method: &str, from: &str, branch: u32| {
        format!(
            "{method} {PSI} SIP/2.0\r\nVia: SIP/2.0/{} {from};branch=z9hG4bK{branch}\r\n\
             From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: broken{branch}@x\r\nCSeq: 1 {method}\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            transport.as_str()
        )
    };
    let (stranger, peer): (SocketAddr, SocketAddr) = (STRANGER.parse().unwrap(), PEER.parse().unwrap());
    for (from, octets) in [
        (stranger, request("MESSAGE", STRANGER, 1)),
        (stranger, request("OPTIONS", STRANGER, 2)),
        (stranger, request("REGISTER", STRANGER, 7)),
        (peer, request("MESSAGE", PEER, 3).replacen("SIP/2.0", "SIP/7.0", 1)),
        (peer, request("MESSAGE", PEER, 4).replace("CSeq: 1 MESSAGE", "CSeq: 1 NOTIFY")),
        (peer, request("MESSAGE", PEER, 8).replace("CSeq: 1 MESSAGE\r\n", "")),
        (peer, request("INVITE", PEER, 5)),
        (peer, request("CANCEL", PEER, 6)),
    ] {
        world.inject_over(transport, 0, from, octets);
        world.run(secs(1));
    }
    world
}

fn subscription(transport: Transport) -> World {
    let mut world = over(transport, |settings| {
        settings.reg_event = Some(RegEvent { expires: secs(600), as_presentity: false });
    });
    world.register(1, 3600, None);
    world.run(secs(1));
    let nobody = document(0, "full", &[]);
    let usual = Notify { document: &nobody, ..Notify::default() };
    world.notify_as(&usual);
    world.notify_as(&Notify { cseq: Some(0), ..usual });
    world.notify_as(&Notify { event: "presence", ..usual });
    world.notify_as(&Notify { document: "<!DOCTYPE x>", ..usual });
    world.notify_as(&Notify { content_type: "text/plain", ..usual });
    world.notify_as(&Notify { state: None, ..usual });
    world
}

fn overload(transport: Transport, status: u16) -> World {
    let mut world = over(transport, |settings| {
        settings.caps.open_mo = 1;
        settings.overload_status = status;
    });
    world.backend.outage(ms(0), secs(5), Fault::Down);
    world.submit(0, &Mo::new(CAROL, "first"));
    world.submit(1, &Mo::new(CAROL, "second"));
    world.run(secs(10));
    world
}
