//! Third-party REGISTER (TS 24.229 §5.4.1.7, TS 24.341 §5.3.3.2).

use std::time::Duration;

use smsc_backend::{Location, LocationEvent, LocationRemoval};
use smsc_frontend::engine::Call;
use smsc_proto::sip::Header;

use crate::world::*;

const INFO: &[u8] = b"<ims-3gpp version=\"1\"><service-info>447700900055</service-info></ims-3gpp>";
const UE: &str = "REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bKue\r\n\
    From: <sip:001010000000002@ims.mnc001.mcc001.3gppnetwork.org>;tag=4\r\n\
    To: <sip:001010000000002@ims.mnc001.mcc001.3gppnetwork.org>\r\n\
    Contact: <sip:001010000000002@10.9.0.1:5060>;+sip.instance=\"<urn:gsma:imei:35824005-944763-1>\";+g.3gpp.smsip\r\n\
    Authorization: Digest username=\"001010000000002@ims.mnc001.mcc001.3gppnetwork.org\", realm=\"x\"\r\n\
    User-Agent: Phone/1\r\nCall-ID: ue-own\r\nCSeq: 2 REGISTER\r\nContent-Length: 0\r\n\r\n";

fn written(world: &World) -> Vec<Location> {
    let location = |call: &Call| match call {
        Call::InsertLocation(location) => Some(location.clone()),
        _ => None,
    };
    world.backend.calls.iter().filter_map(|(.., call)| location(call)).collect()
}

fn removed(world: &World) -> Vec<LocationRemoval> {
    let removal = |call: &Call| match call {
        Call::DeleteLocation(removal) => Some(removal.clone()),
        _ => None,
    };
    world.backend.calls.iter().filter_map(|(.., call)| removal(call)).collect()
}

#[test]
fn the_handsets_own_register_tells_capability_instance_and_imsi() {
    let mut world = World::with(1, |settings| settings.capable_by_default = false);
    world.register(1, 3600, Some(("message/sip", UE.as_bytes())));
    world.run(secs(1));
    let told = &written(&world)[0];
    assert_eq!(
        (told.ims_capable, told.contact.as_deref(), told.imsi.as_deref()),
        (true, Some("sip:001010000000002@10.9.0.1:5060"), Some("001010000000002"))
    );
    assert_eq!(
        (told.imei.as_deref(), told.user_agent.as_deref()),
        (Some("35824005-944763-1"), Some("Phone/1"))
    );
}

/// No `+g.3gpp.smsip` in the contact: this handset gets texts.
#[test]
fn a_contact_without_smsip_is_not_capable() {
    let mut world = World::new(1);
    let ue = UE.replace(";+g.3gpp.smsip", "");
    world.register(1, 3600, Some(("message/sip", ue.as_bytes())));
    world.run(secs(1));
    assert!(!written(&world)[0].ims_capable);
}

/// Service information, the REGISTER and the 200 together (TS 24.229 §5.4.1.7A).
#[test]
fn a_multipart_register_tells_all_of_it() {
    let ok = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bKue\r\n\
        From: <sip:001010000000002@ims.mnc001.mcc001.3gppnetwork.org>;tag=4\r\n\
        To: <sip:001010000000002@ims.mnc001.mcc001.3gppnetwork.org>;tag=5\r\nCall-ID: ue-own\r\nCSeq: 2 REGISTER\r\n\
        P-Associated-URI: <sip:+447700900056@ims.mnc001.mcc001.3gppnetwork.org>, <tel:+447700900056>\r\n\
        Contact: <sip:001010000000002@10.9.0.1:5060>;expires=600000\r\nContent-Length: 0\r\n\r\n";
    let body = |info: bool| {
        let mut body = Vec::new();
        let info = info.then_some(("application/3gpp-ims+xml", INFO));
        let nested = [("message/sip", UE.as_bytes()), ("message/sip", ok.as_bytes())];
        for (content_type, part) in info.into_iter().chain(nested) {
            body.extend_from_slice(format!("--b\r\nContent-Type: {content_type}\r\n\r\n").as_bytes());
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--b--\r\n");
        body
    };
    for (info, msisdn) in [(true, "447700900055"), (false, "447700900056")] {
        let mut world = World::new(1);
        world.register(1, 3600, Some(("multipart/mixed;boundary=b", &body(info))));
        world.run(secs(1));
        let told = &written(&world)[0];
        assert_eq!(
            (told.msisdn.as_deref(), told.imsi.as_deref(), told.ims_capable),
            (Some(msisdn), Some("001010000000002"), true)
        );
    }
}

/// An IMPU of 15 digits that begin with the home network's is an IMSI (design §11).
#[test]
fn an_identity_made_of_an_imsi_is_no_number() {
    let mut world = World::new(1);
    world.handset_mut(1).impu = "sip:001010000000002@ims.mnc001.mcc001.3gppnetwork.org".into();
    world.register(1, 3600, None);
    world.run(secs(1));
    let told = &written(&world)[0];
    assert_eq!((told.msisdn.as_deref(), told.imsi.as_deref()), (None, Some("001010000000002")));
}

/// Two calls at once could arrive in any order.
#[test]
fn writes_of_one_identity_reach_the_backend_one_after_the_other() {
    let mut world = World::new(1);
    world.backend.latency = ms(300);
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(Some(world.register(1, 3600, None)));
        world.run(ms(50));
    }
    world.run(secs(2));
    let (at, written): (Vec<Duration>, Vec<_>) = world
        .backend
        .calls
        .iter()
        .filter_map(|(at, _, call)| match call {
            Call::InsertLocation(location) => Some((*at, location.call_id.clone())),
            _ => None,
        })
        .unzip();
    assert_eq!(written, [sent[0].clone(), sent[2].clone()], "the newest follows the first");
    assert!(at[1] - at[0] >= ms(600), "{at:?}");
}

/// Another answer could deregister the subscriber.
#[test]
fn a_register_is_answered_200_at_once_though_the_backend_is_down() {
    for fault in [Fault::Down, Fault::Status(500, None), Fault::Nonsense, Fault::LostAnswer] {
        let mut world = World::new(1);
        world.backend.outage(ms(0), secs(20), fault);
        let call_id = world.register(1, 3600, None);
        world.run(ms(100));
        assert_eq!(world.statuses(&call_id), [200]);
        world.run(secs(60));
        assert_eq!(world.backend.locations.len(), 1, "{fault:?}");
    }
}

/// Ten REGISTERs of one identity while the backend is away are one write that is repeated, not ten.
#[test]
fn only_the_newest_registration_of_an_identity_is_repeated() {
    let mut world = World::new(1);
    world.backend.outage(ms(0), secs(120), Fault::Down);
    for expires in 3600..3610 {
        world.register(1, expires, None);
        world.run(ms(200));
    }
    world.run(secs(110));
    let before = world.backend.times(Operation::InsertLocation).len();
    assert!(before < 10 + 10, "{before}");
    world.run(secs(60));
    assert_eq!(world.backend.locations.values().next().unwrap().expires, 3609);
    let after = world.backend.times(Operation::InsertLocation).len();
    assert_eq!(
        after,
        world.backend.times(Operation::InsertLocation).iter().filter(|at| **at < secs(120)).count() + 1
    );
}

#[test]
fn a_write_the_backend_refuses_is_not_repeated() {
    let mut world = World::new(1);
    world.backend.fail(Operation::InsertLocation, 1, Fault::Status(422, None));
    world.register(1, 3600, None);
    world.run(secs(60));
    assert_eq!(world.backend.times(Operation::InsertLocation).len(), 1);
}

#[test]
fn expires_0_removes_the_location_with_its_order() {
    let mut world = World::new(1);
    world.register(1, 3600, None);
    world.run(secs(1));
    let call_id = world.register(1, 0, None);
    world.run(secs(1));
    assert_eq!(world.statuses(&call_id), [200]);
    assert_eq!(
        removed(&world),
        [LocationRemoval {
            impu: "sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org".into(),
            s_cscf: Some(S_CSCF.into()),
            call_id: Some(call_id),
            cseq: Some(103),
        }]
    );
    assert!(world.backend.locations.is_empty());
}

/// The lifetime may stand in the contact instead (RFC 3261 §10.2.1.1).
#[test]
fn a_contact_with_expires_0_removes_the_location_too() {
    let mut world = World::new(1);
    let (call_id, _) = world.core.third_party_register(1, 3600);
    let request = smsc_proto::sip::Request::new("REGISTER", PSI)
        .header(Header::From, &format!("<{S_CSCF}>;tag=14142"))
        .header(Header::To, "<sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org>")
        .header(Header::Contact, &format!("<{S_CSCF}>;expires=0"))
        .header(Header::CallId, &call_id)
        .header(Header::CSeq, "9 REGISTER");
    world.send(0, &call_id, request);
    world.run(secs(1));
    assert_eq!((world.statuses(&call_id), removed(&world).len(), written(&world).len()), (vec![200], 1, 0));
}

#[test]
fn a_registration_is_new_then_refreshed_then_new_again_after_it_was_gone() {
    let mut world = World::new(1);
    for expires in [3600, 3600, 0, 3600] {
        world.register(1, expires, None);
        world.run(secs(1));
    }
    let events: Vec<_> = written(&world).iter().map(|location| location.event).collect();
    use LocationEvent::{Refreshed, Registered};
    assert_eq!(events, [Registered, Refreshed, Registered]);
}

/// A REGISTER polls only once its location is written: before that the backend would not route to us (design §11).
#[test]
fn a_registration_polls_when_its_location_is_written() {
    let mut world = World::new(1);
    world.run(ms(500));
    world.backend.fail(Operation::InsertLocation, 1, Fault::Slow(ms(700)));
    world.register(1, 3600, None);
    world.run(ms(600));
    assert_eq!(world.backend.times(Operation::GetQueue).len(), 1);
    world.run(ms(300));
    assert_eq!(world.backend.times(Operation::GetQueue).len(), 2);
}

/// A message waits for a handset that was absent; its registration brings it at once.
#[test]
fn a_message_for_an_absent_handset_comes_with_its_registration() {
    let mut world = World::new(1);
    world.handset_mut(1).script.push_back(Reaction::only(404));
    world.queue(0, "42", 1, "hello");
    world.run(secs(30));
    assert!(world.handset(1).texts().is_empty());
    world.register(1, 3600, None);
    world.run(ms(500));
    assert_eq!(world.handset(1).texts(), ["hello"]);
}
