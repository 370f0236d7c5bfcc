//! The `reg` event (RFC 6665, RFC 3680, TS 24.341 §5.3.3.2).

use std::time::Duration;

use smsc_backend::{Location, LocationEvent, LocationRemoval, Status};
use smsc_frontend::engine::{AnswerLabel, Call, RegEvent, Settings};
use smsc_proto::sip::{Header, Message};

use crate::world::*;

const IMPU: &str = "sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org";
const TEL: &str = "tel:+447700900002";

fn on(settings: &mut Settings) {
    settings.reg_event = Some(RegEvent { expires: secs(3761), as_presentity: false });
}

/// A world in which bob has registered and was subscribed to.
fn registered() -> World {
    let mut world = World::with(1, on);
    world.register(1, 3600, None);
    world.run(secs(1));
    world
}

/// An identity, and its contact and capability, or that it is gone.
type Told = (String, Option<(Option<String>, bool)>);

/// What the backend was told of locations, in order.
fn told(world: &World) -> Vec<Told> {
    let told = |call: &Call| match call {
        Call::InsertLocation(at) => Some((at.impu.clone(), Some((at.contact.clone(), at.ims_capable)))),
        Call::DeleteLocation(removal) => Some((removal.impu.clone(), None)),
        _ => None,
    };
    world.backend.calls.iter().filter_map(|(.., call)| told(call)).collect()
}

fn at(impu: &str, id: &str, capable: bool) -> Told {
    (impu.to_owned(), Some((Some(format!("sip:{id}@10.9.0.1:5060")), capable)))
}

fn gone(impu: &str) -> Told {
    (impu.to_owned(), None)
}

fn volte(version: u32) -> String {
    document(version, "full", &[registration(IMPU, "active", &[contact("ue", "active", "registered", true)])])
}

fn nobody(version: u32) -> String {
    let contacts = [contact("ue", "terminated", "unregistered", true)];
    document(version, "full", &[registration(IMPU, "terminated", &contacts)])
}

fn failures(world: &World, reason: &'static str, status: u16) -> u64 {
    world.pods[0].metrics.subscription_failures.get_or_create(&AnswerLabel { reason, status }).get()
}

/// The delays between SUBSCRIBEs.
fn pauses(world: &World) -> Vec<Duration> {
    let sent: Vec<Duration> = world.subscribes().into_iter().map(|(at, _)| at).collect();
    sent.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn answer(status: u16, headers: &[(Header, &str)]) -> Option<Scripted> {
    Some((status, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()))
}

fn header(message: &Message, name: Header) -> &str {
    message.header(name).unwrap_or_default()
}

#[test]
fn nobody_is_subscribed_to_unless_it_is_turned_on() {
    let mut world = World::new(1);
    world.register(1, 3600, None);
    world.run(secs(60));
    assert!(world.subscribes().is_empty());
}

#[test]
fn a_register_brings_a_subscribe_as_the_standard_has_it() {
    let world = registered();
    let (_, subscribe) = &world.subscribes()[0];
    assert_eq!(subscribe.request_uri(), Some(IMPU));
    let shown = [
        Header::Route,
        Header::To,
        Header::Event,
        Header::Accept,
        Header::Expires,
        Header::Contact,
        Header::PAssertedIdentity,
        Header::CSeq,
    ]
    .map(|name| header(subscribe, name));
    assert_eq!(
        shown,
        [
            "<sip:192.0.2.10:5060;lr>",
            &format!("<{IMPU}>"),
            "reg",
            "application/reginfo+xml",
            "3761",
            "<sip:10.0.0.1:5060>",
            &format!("<{PSI}>"),
            "1 SUBSCRIBE"
        ]
    );
    assert_eq!(subscribe.from().unwrap().uri, PSI);
    assert!(header(subscribe, Header::PChargingVector).starts_with("icid-value="));
    assert_eq!(world.pods[0].metrics.subscriptions.get(), 1);
}

/// Kamailio's S-CSCF answers 403 to an application server's own identity.
#[test]
fn the_subscriber_may_be_asserted_instead() {
    let mut world = World::with(1, |settings| {
        settings.reg_event = Some(RegEvent { expires: secs(600), as_presentity: true });
    });
    world.register(1, 3600, None);
    world.run(secs(1));
    let (_, subscribe) = &world.subscribes()[0];
    assert_eq!(
        (header(subscribe, Header::PAssertedIdentity), header(subscribe, Header::Expires)),
        (&*format!("<{IMPU}>"), "600")
    );
}

#[test]
fn a_document_tells_contact_and_capability_of_each_member_of_the_set() {
    let mut world = registered();
    let contacts = [contact("ue", "active", "registered", true)];
    let set = [registration(IMPU, "active", &contacts), registration(TEL, "active", &contacts)];
    assert_eq!(world.notify(&document(0, "full", &set)), 200);
    let by_register = (IMPU.to_owned(), Some((None, true)));
    assert_eq!(told(&world), [by_register, at(IMPU, "ue", true), at(TEL, "ue", true)]);
    let written = &world.backend.locations[TEL];
    assert_eq!(
        *written,
        Location {
            msisdn: Some("447700900002".into()),
            impu: TEL.into(),
            call_id: None,
            cseq: None,
            ..world.backend.locations[IMPU].clone()
        }
    );
    assert_eq!((written.event, written.expires), (LocationEvent::Registered, 3000));
    // Nothing new: nothing is written.
    assert_eq!(world.notify(&document(1, "full", &set)), 200);
    assert_eq!(told(&world).len(), 3);
}

#[test]
fn a_contact_without_smsip_is_told_from_a_handset() {
    let mut world = registered();
    let ott = contact("app", "active", "registered", false);
    world.notify(&document(0, "full", &[registration(IMPU, "active", std::slice::from_ref(&ott))]));
    assert!(!world.backend.locations[IMPU].ims_capable);
    let ue = contact("ue", "active", "registered", true);
    world.notify(&document(1, "partial", &[registration(IMPU, "active", &[ue])]));
    assert!(world.backend.locations[IMPU].ims_capable);
    // The REGISTER that refreshes the application's contact does not change who is there.
    world.register(1, 3600, None);
    world.run(secs(1));
    assert_eq!(told(&world).last(), Some(&at(IMPU, "ue", true)));
    let ue = contact("ue", "terminated", "expired", true);
    world.notify(&document(2, "partial", &[registration(IMPU, "active", &[ue])]));
    assert_eq!(told(&world).last(), Some(&gone(IMPU)));
}

/// TS 24.341 annex B.4: one registration terminated, another active in the same body.
#[test]
fn each_address_of_record_is_judged_by_itself() {
    let mut world = registered();
    let contacts = [contact("ue", "terminated", "deactivated", true)];
    let other = "sip:work@ims.mnc001.mcc001.3gppnetwork.org";
    let set = [
        registration(other, "terminated", &contacts),
        registration(IMPU, "active", &[contact("ue", "active", "registered", true)]),
    ];
    world.notify(&document(0, "full", &set));
    assert_eq!(told(&world)[1..], [gone(other), at(IMPU, "ue", true)]);
}

#[test]
fn expires_0_removes_only_if_no_contact_is_left() {
    for (document, removed) in [(volte(1), false), (nobody(1), true)] {
        let mut world = registered();
        world.notify(&volte(0));
        let call_id = world.register(1, 0, None);
        world.run(secs(1));
        assert_eq!((world.statuses(&call_id), world.backend.locations.len()), (vec![200], 1));
        assert_eq!(world.subscribes().len(), 2, "the S-CSCF is asked");
        assert_eq!(world.notify(&document), 200);
        world.run(secs(120));
        assert_eq!(world.backend.locations.is_empty(), removed);
        let last = world.backend.calls.iter().rev().find_map(|(.., call)| match call {
            Call::DeleteLocation(removal) => Some(removal.clone()),
            _ => None,
        });
        let removal = LocationRemoval {
            impu: IMPU.into(),
            s_cscf: Some(S_CSCF.into()),
            call_id: Some(call_id),
            cseq: last.as_ref().and_then(|removal| removal.cseq),
        };
        assert_eq!(last, removed.then_some(removal));
    }
}

#[test]
fn expires_0_removes_where_the_s_cscf_knows_no_subscription_any_more() {
    let mut world = registered();
    let contacts = [contact("ue", "active", "registered", true)];
    let set = [registration(IMPU, "active", &contacts), registration(TEL, "active", &contacts)];
    world.notify(&document(0, "full", &set));
    assert_eq!(world.backend.locations.len(), 2);
    world.core.presence.script.push_back(answer(481, &[]));
    world.register(1, 0, None);
    world.run(secs(1));
    assert!(world.backend.locations.is_empty());
    assert_eq!((world.subscribes().len(), world.pods[0].metrics.subscriptions.get()), (2, 0));
}

#[test]
fn expires_0_removes_at_once_where_no_handset_is_known() {
    let mut world = registered();
    let ott = contact("app", "active", "registered", false);
    world.notify(&document(0, "full", &[registration(IMPU, "active", &[ott])]));
    world.register(1, 0, None);
    world.run(secs(1));
    assert!(world.backend.locations.is_empty());
    assert_eq!(world.subscribes().len(), 1);
}

/// Another pod may have been told, or this one before its restart.
#[test]
fn expires_0_of_whom_nothing_is_known_has_the_s_cscf_asked() {
    let ott = registration(IMPU, "active", &[contact("app", "active", "registered", false)]);
    let elsewhere = registration("sip:work@ims.mnc001.mcc001.3gppnetwork.org", "active", &[]);
    let cases = [
        (Some(volte(0)), false),
        (Some(nobody(0)), true),
        (Some(document(0, "full", &[ott])), true),
        (Some(document(0, "full", &[elsewhere])), true),
        (None, true),
    ];
    for (document, removed) in cases {
        let mut world = registered();
        world.restart(0);
        if document.is_none() {
            world.core.presence.script.push_back(answer(403, &[]));
        }
        world.register(1, 0, None);
        world.run(ms(500));
        assert_eq!(world.subscribes().len(), 2, "the S-CSCF is asked");
        if let Some(document) = document {
            assert_eq!(world.backend.locations.len(), 1);
            assert_eq!(world.notify(&document), 200);
        }
        world.run(secs(1));
        assert_eq!(world.backend.locations.is_empty(), removed);
    }
}

/// The REGISTER was answered 200, and whoever comes after this pod knows nothing of it.
#[test]
fn a_removal_that_waits_for_the_s_cscf_is_carried_out_when_the_pod_goes() {
    let is_idle =
        |world: &World| world.pods[0].engine.as_ref().is_some_and(smsc_frontend::engine::Engine::is_idle);
    let mut world = registered();
    assert_eq!(world.notify(&volte(0)), 200);
    world.run(secs(1));
    world.register(1, 0, None);
    world.run(ms(500));
    assert!(!world.backend.locations.is_empty(), "the S-CSCF is asked first");
    world.engine(0, |engine, now| engine.begin_drain(now));
    assert!(!is_idle(&world));
    world.run(secs(1));
    assert_eq!((world.backend.locations.len(), is_idle(&world)), (0, true));
}

#[test]
fn a_subscription_is_refreshed_before_its_end_inside_its_dialog() {
    for (granted, earliest, latest) in [("3761", 3101, 3161), ("600", 270, 300)] {
        let mut world = World::with(1, on);
        let routes = "<sip:p1@192.0.2.10;lr>, <sip:p2@192.0.2.10;lr>";
        let target = "<sip:notifier@192.0.2.10:5060>";
        world.core.presence.script.push_back(answer(
            200,
            &[(Header::Expires, granted), (Header::RecordRoute, routes), (Header::Contact, target)],
        ));
        world.register(1, 7200, None);
        world.run(secs(1));
        let call_id = world.subscribes()[0].1.call_id().unwrap().to_owned();
        world.notify_as(&Notify {
            document: &volte(0),
            state: Some(&format!("active;expires={granted}")),
            ..Notify::default()
        });
        world.run(secs(latest + 1));
        let pause = pauses(&world)[0];
        assert!((secs(earliest)..=secs(latest + 1)).contains(&pause), "{pause:?}");
        let (_, refresh) = &world.subscribes()[1];
        let routes: Vec<&str> = refresh.headers(Header::Route).collect();
        assert_eq!(
            (refresh.call_id().unwrap(), refresh.to().unwrap().tag(), header(refresh, Header::CSeq)),
            (&*call_id, Some("core"), "2 SUBSCRIBE")
        );
        assert_eq!(routes, ["<sip:p2@192.0.2.10;lr>", "<sip:p1@192.0.2.10;lr>"]);
        // A NOTIFY refreshes the target (RFC 6665 §4.4.1).
        assert_eq!(refresh.request_uri(), Some(S_CSCF));
    }
}

#[test]
fn an_interval_too_brief_is_lengthened() {
    let mut world = World::with(1, on);
    world.core.presence.script.push_back(answer(423, &[(Header::MinExpires, "7200")]));
    world.register(1, 3600, None);
    world.run(secs(1));
    let asked: Vec<_> =
        world.subscribes().iter().map(|(_, s)| header(s, Header::Expires).to_owned()).collect();
    assert_eq!(asked, ["3761", "7200"]);
}

#[test]
fn a_refusal_holds_until_the_next_register() {
    for status in [403, 489] {
        let mut world = World::with(1, on);
        world.core.presence.script.push_back(answer(status, &[]));
        world.register(1, 3600, None);
        world.run(secs(3000));
        assert_eq!((world.subscribes().len(), failures(&world, "refused", status)), (1, 1));
        world.register(1, 3600, None);
        world.run(secs(1));
        assert_eq!(world.subscribes().len(), 2);
    }
}

#[test]
fn a_refresh_the_s_cscf_does_not_know_makes_a_new_dialog_at_once() {
    let mut world = registered();
    world.notify(&volte(0));
    world.core.presence.script.push_back(answer(481, &[]));
    world.run(secs(3000));
    assert!(world.run_until(secs(200), |world| world.subscribes().len() == 3));
    let sent = world.subscribes();
    assert!(pauses(&world)[1] < secs(1));
    assert_ne!(sent[2].1.call_id().unwrap(), sent[1].1.call_id().unwrap());
    assert_eq!(sent[2].1.to().unwrap().tag(), None);
}

/// Kamailio's own configuration answers 500 for a dialog it does not know, as after its restart.
#[test]
fn a_refresh_that_fails_without_a_time_to_come_again_makes_a_new_dialog() {
    for (retry_after, anew) in [(None, true), (Some((Header::RetryAfter, "60")), false)] {
        let mut world = registered();
        world.notify(&volte(0));
        world.core.presence.script.push_back(answer(500, retry_after.as_slice()));
        world.register(1, 3600, None);
        world.run(secs(4));
        let tags: Vec<bool> =
            world.subscribes().iter().map(|(_, sent)| sent.to().unwrap().tag().is_some()).collect();
        assert_eq!(tags, if anew { vec![false, true, false] } else { vec![false, true] });
        assert_eq!(world.backend.locations.len(), 1);
    }
}

#[test]
fn silence_and_overload_are_tried_again_after_growing_pauses_and_then_no_more() {
    let mut world = World::with(1, on);
    world.core.presence.script.extend([None, answer(503, &[(Header::RetryAfter, "60")])]);
    world.core.presence.script.extend(vec![answer(500, &[]); 10]);
    world.register(1, 3600, None);
    world.run(secs(3000));
    // Timer F is 32 s.
    let expected = [42, 60, 40, 80, 160];
    let pauses = pauses(&world);
    assert_eq!(pauses.len(), expected.len());
    for (pause, expected) in pauses.iter().zip(expected) {
        assert!((secs(expected)..secs(expected + 2)).contains(pause), "{pauses:?}");
    }
    assert_eq!(world.pods[0].metrics.subscriptions.get(), 0);
}

/// Accepted, but nothing is told (timer N, RFC 6665 §4.1.2.4).
#[test]
fn a_subscription_without_a_notify_is_asked_again() {
    let mut world = registered();
    world.run(secs(34));
    assert_eq!(world.subscribes().len(), 2);
    world.run(secs(600));
    assert_eq!(world.pods[0].metrics.subscriptions.get(), 0);
    assert_eq!(failures(&world, "no_notify", 0), 1);
}

/// Kamailio tells an application server of contacts that go, never of those that come.
#[test]
fn a_register_that_no_notify_follows_has_the_s_cscf_asked() {
    let phone = [registration(IMPU, "active", &[contact("old", "active", "refreshed", true)])];
    let mut world = registered();
    world.notify(&document(0, "full", &phone));
    world.register(1, 3600, None);
    assert_eq!(world.notify(&document(1, "partial", &phone)), 200);
    world.run(secs(60));
    assert_eq!(world.subscribes().len(), 1, "a NOTIFY has come");

    world.register(1, 3600, None);
    world.run(secs(3));
    let sent = world.subscribes();
    assert_eq!((sent.len(), header(&sent[1].1, Header::CSeq)), (2, "2 SUBSCRIBE"));
    world.notify(&volte(2));
    assert_eq!(told(&world).last(), Some(&at(IMPU, "ue", true)));
    world.run(secs(60));
    assert_eq!(world.subscribes().len(), 2);
}

/// Kamailio sends the third-party REGISTER before it saves the contact: a document may be older than it.
#[test]
fn a_document_that_contradicts_a_register_is_believed_when_it_is_told_again() {
    for (again, removed) in [(volte(0), false), (nobody(0), true)] {
        let mut world = registered();
        assert_eq!(world.notify(&nobody(0)), 200);
        world.run(secs(1));
        assert_eq!((world.subscribes().len(), world.backend.locations.len()), (1, 1));
        world.run(secs(2));
        assert_eq!((world.subscribes().len(), world.backend.locations.len()), (2, 1));
        assert_eq!(world.notify(&again), 200);
        world.run(secs(60));
        assert_eq!(world.backend.locations.is_empty(), removed);
        assert_eq!(world.subscribes().len(), 2);
    }
}

/// Kamailio 5.6 accepts a refresh and tells nothing after it.
#[test]
fn a_notifier_that_is_mute_after_a_refresh_is_asked_in_a_new_dialog() {
    let mut world = registered();
    world.notify(&volte(0));
    world.register(1, 3600, None);
    world.run(secs(9));
    let dialogs = |world: &World| -> Vec<String> {
        world.subscribes().iter().map(|(_, sent)| sent.call_id().unwrap().to_owned()).collect()
    };
    let first = dialogs(&world);
    assert_eq!((first.len(), first[0] == first[1], first[1] == first[2]), (3, true, false));
    assert!((secs(5)..secs(6)).contains(&pauses(&world)[1]), "{:?}", pauses(&world));
    world.notify(&volte(0));
    world.run(secs(60));
    // It is known to be so: the next time no refresh is tried.
    world.register(1, 3600, None);
    world.run(secs(3));
    let then = dialogs(&world);
    assert_eq!((then.len(), then[2] == then[3]), (4, false));
    assert_eq!(world.subscribes()[3].1.to().unwrap().tag(), None);
    world.notify(&volte(0));
    world.run(secs(600));
    assert_eq!((world.subscribes().len(), world.pods[0].metrics.subscriptions.get()), (4, 1));
}

#[test]
fn who_registers_again_after_the_end_is_subscribed_to_anew() {
    let mut world = registered();
    world.notify(&volte(0));
    world.notify(&nobody(1));
    assert!(world.backend.locations.is_empty());
    world.register(1, 3600, None);
    world.run(ms(500));
    let sent = world.subscribes();
    assert_eq!((sent.len(), sent[1].1.to().unwrap().tag()), (2, None));
    assert_eq!(world.notify(&volte(0)), 200);
    assert_eq!(told(&world).last(), Some(&at(IMPU, "ue", true)));
}

#[test]
fn what_a_document_told_stays_when_a_register_tells_less() {
    let mut world = registered();
    let ue = contact("ue", "active", "registered", true);
    let imei =
        "<unknown-param name=\"+sip.instance\">\"&lt;urn:gsma:imei:35-209900-176148-0&gt;\"</unknown-param>";
    let ue = ue.replace("</contact>", &format!("{imei}</contact>"));
    world.notify(&document(0, "full", &[registration(IMPU, "active", &[ue])]));
    let before = world.backend.locations[IMPU].clone();
    assert_eq!(before.imei.as_deref(), Some("35-209900-176148-0"));
    world.register(1, 3600, None);
    world.run(secs(1));
    let after = &world.backend.locations[IMPU];
    assert_eq!((&after.imei, &after.contact, after.ims_capable), (&before.imei, &before.contact, true));
}

#[test]
fn a_notify_is_judged_before_it_is_believed() {
    let mut world = registered();
    assert_eq!(world.notify(&volte(0)), 200);
    let document = nobody(1);
    let notify = Notify { document: &document, ..Notify::default() };
    let cases = [
        (Notify { tag: "another", ..notify }, 481),
        (Notify { event: "presence", ..notify }, 489),
        (Notify { state: None, ..notify }, 400),
        (Notify { cseq: Some(1), ..notify }, 200),
        (Notify { document: "", ..notify }, 200),
        (Notify { cseq: Some(2), ..notify }, 500),
        (Notify { content_type: "text/plain", ..notify }, 415),
        (Notify { document: "<!DOCTYPE a>", ..notify }, 400),
    ];
    for (at, (notify, status)) in cases.iter().enumerate() {
        assert_eq!(world.notify_as(notify), *status, "case {at}");
    }
    assert_eq!(world.backend.locations.len(), 1);
    assert_eq!(world.notify(&document), 200);
    assert!(world.backend.locations.is_empty());
}

#[test]
fn a_gap_in_the_versions_asks_for_everything() {
    let mut world = registered();
    world.notify(&volte(0));
    let ue = contact("ue", "terminated", "expired", true);
    let partial = |version| {
        document(version, "partial", &[registration(IMPU, "terminated", std::slice::from_ref(&ue))])
    };
    assert_eq!(world.notify(&partial(2)), 200);
    assert_eq!((world.subscribes().len(), world.backend.locations.len()), (2, 1));
    assert_eq!(header(&world.subscribes()[1].1, Header::CSeq), "2 SUBSCRIBE");
    world.notify(&nobody(3));
    assert!(world.backend.locations.is_empty());
}

#[test]
fn a_notify_may_come_before_the_answer() {
    let mut world = World::with(1, on);
    world.core.presence.script.push_back(None);
    world.register(1, 3600, None);
    world.run(ms(200));
    assert_eq!(world.notify(&volte(0)), 200);
    assert_eq!(told(&world).last(), Some(&at(IMPU, "ue", true)));
}

#[test]
fn what_follows_an_end_depends_on_its_reason() {
    for (state, again) in [
        ("terminated;reason=deactivated", Some(1..3)),
        ("terminated;reason=timeout", Some(1..3)),
        ("terminated;reason=probation;retry-after=60", Some(60..62)),
        // Kamailio gives no reason.
        ("terminated", Some(1..3)),
        ("terminated;retry-after=60", Some(60..62)),
        ("terminated;reason=rejected", None),
        ("terminated;reason=noresource", None),
    ] {
        let mut world = registered();
        world.notify(&volte(0));
        let ended = Notify { state: Some(state), ..Notify::default() };
        assert_eq!(world.notify_as(&ended), 200);
        assert_eq!(world.notify_as(&ended), 481);
        let from = world.elapsed;
        world.run(secs(100));
        let sent = world.subscribes();
        let waited = sent.get(1).map(|(at, _)| (*at - from).as_secs_f64());
        match again {
            Some(range) => {
                let waited = waited.unwrap();
                assert!(
                    waited > f64::from(range.start) - 0.5 && waited < f64::from(range.end),
                    "{state} {waited}"
                );
                assert_ne!(sent[0].1.call_id().unwrap(), sent[1].1.call_id().unwrap());
            }
            None => assert_eq!(waited, None, "{state}"),
        }
        assert_eq!(world.backend.locations.len(), 1);
    }
}

#[test]
fn an_s_cscf_that_keeps_ending_the_subscription_is_asked_ever_more_slowly() {
    let mut world = registered();
    for _ in 0..5 {
        world.notify(&volte(0));
        let subscribe = world.subscribes().len() - 1;
        let state = Some("terminated;reason=deactivated");
        world.notify_as(&Notify { subscribe, state, ..Notify::default() });
        assert!(world.run_until(secs(40), |world| world.subscribes().len() == subscribe + 2));
    }
    let pauses = pauses(&world);
    for (pause, expected) in pauses[1..].iter().zip([2, 4, 8, 16]) {
        assert!((secs(expected)..secs(expected + 2)).contains(pause), "{pauses:?}");
    }
}

/// Some S-CSCFs fork; a second notifier is not merged (RFC 6665 §4.4.1, RFC 3680 §4.8).
#[test]
fn the_first_notify_makes_the_dialog_and_another_notifier_is_refused() {
    let mut world = World::with(1, on);
    world.core.presence.script.push_back(None);
    world.register(1, 3600, None);
    world.run(ms(200));
    assert_eq!(world.notify(&volte(0)), 200);
    let contradiction = nobody(0);
    assert_eq!(world.notify_as(&Notify { tag: "fork", document: &contradiction, ..Notify::default() }), 481);
    assert_eq!(world.backend.locations.len(), 1);
}

#[test]
fn after_a_restart_the_next_register_begins_anew() {
    let mut world = registered();
    world.notify(&volte(0));
    world.restart(0);
    assert_eq!(world.notify(&nobody(1)), 481);
    world.register(1, 3600, None);
    world.run(secs(1));
    assert_eq!(world.subscribes().len(), 2);
    assert_eq!(world.notify(&volte(0)), 200);
}

#[test]
fn subscriptions_have_a_cap_and_registrations_beyond_it_are_taken_as_they_are() {
    let mut world = World::with(1, |settings| {
        on(settings);
        settings.caps.subscriptions = 1;
    });
    for handset in [0, 1] {
        world.register(handset, 3600, None);
    }
    world.run(secs(1));
    assert_eq!((world.subscribes().len(), world.backend.locations.len()), (1, 2));
    assert_eq!(failures(&world, "full", 0), 1);
}

/// The next hop is looked up as for any request; where that fails, the S-CSCF is where its REGISTER came from.
#[test]
fn the_way_to_the_s_cscf_is_looked_up_or_else_the_way_back() {
    for known in [true, false] {
        let mut world = World::with(1, |settings| {
            on(settings);
            settings.s_cscf_uri = Some("sip:scscf.ims.example".into());
        });
        if known {
            world.dns.insert("scscf.ims.example".into(), CORE);
        }
        world.register(1, 3600, None);
        world.run(secs(2));
        let sent = world.subscribes();
        assert_eq!(sent.len(), 1);
        assert_eq!(header(&sent[0].1, Header::Route), "<sip:scscf.ims.example;lr>");
        assert_eq!(world.looked_up, ["scscf.ims.example"]);
    }
}

/// Reports come under any identity of the implicit registration set (design §4, Matching).
#[test]
fn a_document_tells_which_identities_are_one_handset() {
    let mut world = World::with(1, on);
    let private = "sip:001010000000002@ims.mnc001.mcc001.3gppnetwork.org";
    world.handset_mut(1).impu = private.into();
    world.register(1, 3600, None);
    world.run(secs(1));
    let contacts = [contact("ue", "active", "registered", true)];
    let set = [registration(private, "active", &contacts), registration(TEL, "active", &contacts)];
    world.notify(&document(0, "full", &set));
    for identity in [private, TEL] {
        let written = &world.backend.locations[identity];
        let told = (written.msisdn.as_deref(), written.imsi.as_deref());
        assert_eq!(told, (Some("447700900002"), Some("001010000000002")));
    }
    let reaction = Reaction { asserted: Some(vec![private.into()]), ..Reaction::delivered() };
    world.handset_mut(1).script.push_back(reaction.in_reply_to(InReplyTo::Absent));
    world.queue(0, "42", 1, "hello");
    world.run(secs(10));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
}
