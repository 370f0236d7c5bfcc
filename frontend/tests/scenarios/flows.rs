//! The flows of the specifications, octet by octet.

use smsc_backend::{Kind, Location, LocationEvent, StatusReport};
use smsc_frontend::engine::Call;
use smsc_proto::sip::Header;

use crate::world::*;

/// The direction and kind of everything on the wire, in order.
fn flow(world: &World) -> Vec<String> {
    let show = |packet: &Packet| {
        let message = packet.message();
        let arrow = if packet.from == Party::Core { ">" } else { "<" };
        match message.status() {
            Some(status) => format!("{arrow} {status}"),
            None => match message.body_octets().first() {
                Some(mti) => format!("{arrow} {} RP {mti}", message.method().unwrap().as_str()),
                None => format!("{arrow} {}", message.method().unwrap().as_str()),
            },
        }
    };
    world.wire.iter().map(show).collect()
}

/// TS 34.229-5 A.13 (steps 1-4), TS 24.341 B.5: the submit report is a MESSAGE of its own.
#[test]
fn mo_flow_of_34_229_5_a_13() {
    let mut world = World::new(1);
    world.register(0, 600_000, None);
    world.run(secs(1));
    world.wire.clear();
    let call_id = world.submit(0, &Mo::new("+447700900099", "hello"));
    world.run(secs(1));
    assert_eq!(flow(&world), ["> MESSAGE RP 0", "< 202", "< MESSAGE RP 3", "> 200"]);
    let report = world.wire[2].message();
    let sent = shown(&report);
    let (tag, id) = (report.from().unwrap().params.get("tag").unwrap().unwrap(), report.call_id().unwrap());
    let branch = report.via().unwrap().branch().unwrap();
    assert_ne!(id, call_id);
    let icid = report.p_charging_vector().unwrap().icid();
    assert_eq!(
        sent,
        format!(
            "MESSAGE sip:+447700900001@ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\n\
             Via: SIP/2.0/UDP 10.0.0.1:5060;branch={branch};rport\n\
             Max-Forwards: 70\n\
             Route: <sip:192.0.2.10:5060;lr>\n\
             From: <sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org>;tag={tag}\n\
             To: <sip:+447700900001@ims.mnc001.mcc001.3gppnetwork.org>\n\
             Call-ID: {id}\n\
             CSeq: 1 MESSAGE\n\
             P-Asserted-Identity: <sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org>\n\
             In-Reply-To: {call_id}\n\
             Request-Disposition: no-fork\n\
             Accept-Contact: *;+g.3gpp.smsip;require;explicit\n\
             Content-Type: application/vnd.3gpp.sms\n\
             P-Charging-Vector: icid-value={icid};orig-ioi=ims.mnc001.mcc001.3gppnetwork.org\n\
             Content-Length: 13\n\
             \n\
             03014109010052605151601400"
        )
    );
}

/// TS 34.229-5 A.13 (steps 5-8): the status report goes like a message, with the SCTS the submit report had.
#[test]
fn a_status_report_is_delivered_with_the_scts_of_its_message() {
    let mut world = World::new(1);
    world.queue_with(0, "50", 0, "", |row| smsc_backend::QueuedMessage {
        kind: Kind::StatusReport,
        status_report: Some(StatusReport {
            message_id: "42".into(),
            tp_mr: 7,
            status: 0,
            scts: jiff::Timestamp::from_second(WALL).unwrap(),
            dt: jiff::Timestamp::from_second(WALL + 5).unwrap(),
            destination_msisdn: "+447700900099".to_owned(),
        }),
        ..row
    });
    world.run(secs(1));
    assert_eq!(flow(&world), ["< MESSAGE RP 1", "> 200", "> MESSAGE RP 2", "< 202"]);
    let body = shown(&world.wire[0].message()).split("\n\n").nth(1).unwrap().to_owned();
    let mr = world.handset(0).rp_references()[0];
    assert_eq!(
        body,
        format!(
            "01{mr:02x}079144775810065000\
             1906070c91447700090099526051516004005260515160540000"
        )
    );
    assert_eq!(world.backend.statuses("50"), [smsc_backend::Status::Delivered]);
}

/// TS 34.229-5 A.14, TS 24.341 B.6: header set and octets of what a handset gets.
#[test]
fn mt_flow_of_34_229_5_a_14() {
    let mut world = World::new(1);
    world.queue(0, "0190d7a2-5b1c-7def-8123-456789abcdef", 1, "hello");
    world.run(secs(1));
    assert_eq!(flow(&world), ["< MESSAGE RP 1", "> 200", "> MESSAGE RP 2", "< 202"]);
    let message = world.wire[0].message();
    let (tag, id) = (message.from().unwrap().params.get("tag").unwrap().unwrap(), message.call_id().unwrap());
    let branch = message.via().unwrap().branch().unwrap();
    let (token, mr) = (id.strip_suffix("@10.0.0.1").unwrap(), world.core.handsets[1].rp_references()[0]);
    assert_eq!(token.len(), 40);
    assert_eq!(
        shown(&message),
        format!(
            "MESSAGE sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\n\
             Via: SIP/2.0/UDP 10.0.0.1:5060;branch={branch};rport\n\
             Max-Forwards: 70\n\
             Route: <sip:192.0.2.10:5060;lr>\n\
             From: <sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org>;tag={tag}\n\
             To: <sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org>\n\
             Call-ID: {id}\n\
             CSeq: 1 MESSAGE\n\
             P-Asserted-Identity: <sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org>\n\
             Request-Disposition: no-fork\n\
             Accept-Contact: *;+g.3gpp.smsip;require;explicit\n\
             Content-Type: application/vnd.3gpp.sms\n\
             P-Charging-Vector: icid-value={token};orig-ioi=ims.mnc001.mcc001.3gppnetwork.org\n\
             Content-Length: 36\n\
             \n\
             01{mr:02x}079144775810065000\
             18040c91447700090090000052605151500400\
             05e8329bfd06"
        )
    );
}

/// TS 24.341 B.3: the number comes as service information, the 200 repeats the contact.
#[test]
fn registration_flow_of_24_341_b_3() {
    let mut world = World::new(1);
    let info = b"<ims-3gpp version=\"1\"><service-info>447700900002</service-info></ims-3gpp>";
    let call_id = world.register(1, 600_000, Some(("application/3gpp-ims+xml", info)));
    world.run(secs(1));
    assert_eq!(flow(&world)[1..], ["< 200"]);
    let answer = world.core.answers_to(&call_id)[0];
    assert_eq!(answer.header(Header::Contact), Some("<sip:192.0.2.10:5060>;expires=600000"));
    let written = world.backend.calls.iter().find_map(|(.., call)| match call {
        Call::InsertLocation(location) => Some(location.clone()),
        _ => None,
    });
    assert_eq!(
        written,
        Some(Location {
            msisdn: Some("447700900002".into()),
            imsi: None,
            impu: "sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org".into(),
            location: location_of(0),
            ims_capable: true,
            contact: None,
            s_cscf: Some(S_CSCF.into()),
            call_id: Some(call_id),
            cseq: Some(101),
            imei: None,
            user_agent: None,
            access_network_info: Some("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100019B01".into()),
            visited_network: Some("visited.example".into()),
            expires: 600_000,
            event: LocationEvent::Registered,
        })
    );
}

/// From one handset to another: one SCTS in the submit report and in the delivery.
#[test]
fn a_message_goes_from_handset_to_handset_with_one_time_stamp() {
    let mut world = World::new(1);
    world.register(0, 600_000, None);
    world.register(1, 600_000, None);
    world.run(secs(1));
    world.submit(0, &Mo::new("+447700900002", "naïve 😀 {€}"));
    world.run(secs(1));
    let scts = world.handset(0).verdicts[0].scts.unwrap();
    let body = world.handset(1).inbox[0].body.clone();
    let (from, text) = ("+447700900001".to_owned(), "naïve 😀 {€}".to_owned());
    assert_eq!(body, Body::Deliver { from, text, more: false, scts, part: None });
    assert_eq!(world.backend.ended("9000"), Some(smsc_backend::Status::Delivered));
}

/// Design §7: the Request-URI is the registered identity, else made of the number; the next hop is the outbound proxy,
/// else the location's S-CSCF, else the domain.
#[test]
fn the_request_uri_and_the_next_hop_follow_the_row_and_the_configuration() {
    let sent = |adjust: fn(&mut smsc_frontend::engine::Settings), impu: bool, s_cscf: bool| {
        let mut world = World::with(1, adjust);
        world.dns.insert("ims.mnc001.mcc001.3gppnetwork.org".into(), CORE);
        world.queue_with(0, "42", 1, "hello", |row| smsc_backend::QueuedMessage {
            impu: row.impu.clone().filter(|_| impu),
            s_cscf: row.s_cscf.clone().filter(|_| s_cscf),
            ..row
        });
        world.run(secs(1));
        assert_eq!(world.backend.statuses("42"), [smsc_backend::Status::Delivered]);
        let (.., message) = world.requests().remove(0);
        let header = |name| message.header(name).unwrap().to_owned();
        assert_eq!(header(Header::To), format!("<{}>", message.request_uri().unwrap()));
        (message.request_uri().unwrap().to_owned(), header(Header::Route))
    };
    let impu = "sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org".to_owned();
    let proxy = |settings: &mut smsc_frontend::engine::Settings| {
        settings.s_cscf_uri = Some("sip:192.0.2.10:5060;lr".into());
    };
    let route = || "<sip:192.0.2.10:5060;lr>".to_owned();
    assert_eq!(sent(|_| {}, true, true), (impu.clone(), route()));
    assert_eq!(sent(|_| {}, false, true), (format!("{impu};user=phone"), route()));
    assert_eq!(sent(|settings| settings.tel_uri = true, false, true), ("tel:+447700900002".into(), route()));
    assert_eq!(sent(proxy, true, false), (impu.clone(), route()));
    assert_eq!(sent(|_| {}, true, false).0, impu);
}

/// Design §7: whatever the row, what leaves fits a datagram before other proxies add their Vias.
#[test]
fn an_mt_message_takes_at_most_900_octets() {
    let mut world = World::with(1, |settings| {
        settings.advertised_host = "[2001:db8:1234:5678:9abc:def0:1234:5678]".into();
        settings.sent_by = "[2001:db8:1234:5678:9abc:def0:1234:5678]:5060".into();
    });
    let longest = "x".repeat(160);
    let ids =
        ["0190d7a2-5b1c-7def-8123-456789abcdef", "not a compact id: it travels as a hash of ten octets"];
    for id in ids {
        world.queue_with(0, id, 1, &longest, |row| smsc_backend::QueuedMessage {
            s_cscf: Some("sip:192.0.2.10:5060;transport=udp".into()),
            ..row
        });
    }
    world.run(secs(3));
    let sizes: Vec<usize> = world.requests().iter().map(|(.., message)| message.raw().len()).collect();
    assert_eq!(sizes.len(), 2);
    assert!(sizes.iter().all(|size| *size <= 900), "{sizes:?}");
}
