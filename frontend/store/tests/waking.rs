//! Registrations: where messages go, what wakes them, and which write about a subscriber counts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{
    ALICE, BOB, DAY, HOUR, MINUTE, SECOND, SMSC01, SMSC02, World, absent, config, location, message, report,
    route, text,
};
use smsc_backend::{
    AttemptReport, Backend, Location, LocationEvent, LocationRemoval, Permanent, Reason, Status,
};
use smsc_store::{Caps, StoreConfig};

fn with_event(location: Location, event: LocationEvent) -> Location {
    Location { event, ..location }
}

fn at_cseq(location: Location, call_id: &str, cseq: u32) -> Location {
    Location { call_id: Some(call_id.into()), cseq: Some(cseq), ..location }
}

fn removal(msisdn: &str) -> LocationRemoval {
    LocationRemoval {
        impu: format!("sip:+{msisdn}@ims.example"),
        s_cscf: Some("sip:scscf.ims.example".into()),
        call_id: None,
        cseq: None,
    }
}

#[tokio::test]
async fn a_message_without_a_route_is_held_until_its_recipient_registers() {
    let world = World::new();
    let id = world.insert(message(BOB)).await.id;
    assert_eq!((world.state(&id).await.as_str(), world.due_in(&id).await), ("held", None));
    world.pass(DAY).await;
    world.register(BOB).await;
    assert_eq!(world.poll_one().await.id, id);
}

#[tokio::test]
async fn a_registration_goes_before_rules_and_the_first_rule_that_matches_decides() {
    let routes = vec![route("4420", "smpp-a"), route("44", "smpp-b"), route("", "gsm")];
    let world = World::with(StoreConfig { routes, ..config() });
    world.register(BOB).await;
    for (to, at) in [("442071838750", "smpp-a"), (ALICE, "smpp-b"), ("31612345678", "gsm"), (BOB, SMSC01)] {
        let id = world.insert(message(to)).await.id;
        let rows = world.poll_at(at).await;
        assert_eq!(rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), [id], "{to}");
    }
}

#[tokio::test]
async fn new_rules_apply_to_what_waits() {
    let world = World::new();
    let id = world.insert(message(BOB)).await.id;
    let mut wake = world.store.subscribe("smpp");
    world.store.set_routes(vec![route("44", "smpp")]).await.unwrap();
    assert!(wake.has_changed().unwrap());
    wake.mark_unchanged();
    world.store.set_routes(vec![]).await.unwrap();
    assert_eq!(world.state(&id).await, "held");
    world.store.set_routes(vec![route("44", "smpp")]).await.unwrap();
    assert_eq!(world.poll_at("smpp").await[0].id, id);
}

#[tokio::test]
async fn absent_and_full_handsets_park_their_messages_until_they_come_back() {
    for event in [LocationEvent::Registered, LocationEvent::Refreshed, LocationEvent::MemoryAvailable] {
        for status in [Status::Absent, Status::MemoryFull] {
            let world = World::registered().await;
            let id = world.insert(message(BOB)).await.id;
            let row = world.poll_one().await;
            world.process(&row, report(&row, status)).await;
            world.insert(text(BOB, "behind")).await;
            world.pass(20 * MINUTE).await;
            assert_eq!(world.poll().await, []);
            world.locate(with_event(location(BOB, SMSC01), event)).await;
            assert_eq!(world.poll_one().await.id, id);
            let events = world.store.events(id).await.unwrap();
            assert_eq!(events.into_iter().map(|event| event.event).collect::<Vec<_>>(), ["attempt", "woken"]);
        }
    }
}

#[tokio::test]
async fn a_handset_that_never_comes_back_is_tried_now_and_then() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    for pause in [30, 60, 180, 360, 360] {
        let row = world.poll_one().await;
        world.process(&row, absent(&row, Reason::NotRegistered)).await;
        assert_eq!(world.due_in(&id).await, Some(pause * MINUTE));
        world.pass(pause * MINUTE).await;
    }
}

#[tokio::test]
async fn a_message_behind_one_that_expired_for_an_absent_handset_does_not_try_it_again() {
    let world = World::registered().await;
    let short = smsc_backend::NewMessage { validity_period: Some(600), ..message(BOB) };
    world.insert(short).await;
    let next = world.insert(text(BOB, "next")).await.id;
    let row = world.poll_one().await;
    world.process(&row, absent(&row, Reason::NotRegistered)).await;
    world.pass(10 * MINUTE).await;
    assert_eq!(world.state(&row.id).await, "expired");
    assert_eq!(world.poll().await, []);
    assert_eq!(world.due_in(&next).await, Some(20 * MINUTE));
}

#[tokio::test]
async fn a_handset_that_registers_during_an_attempt_that_missed_it_is_tried_again_at_once() {
    let world = World::registered().await;
    world.insert(message(BOB)).await;
    let row = world.poll_one().await;
    world.pass(SECOND).await;
    world.register(BOB).await;
    assert_eq!(world.poll().await, []);
    world.process(&row, absent(&row, Reason::NotRegistered)).await;
    let row = world.poll_one().await;
    world.process(&row, absent(&row, Reason::NotRegistered)).await;
    assert_eq!(world.poll().await, []);
}

#[tokio::test]
async fn a_wake_ends_any_pause_and_the_pauses_begin_anew() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    for _ in 0..2 {
        for pause in [60, 300] {
            let row = world.poll_one().await;
            world.process(&row, report(&row, Status::Unknown)).await;
            assert_eq!(world.due_in(&id).await, Some(pause * SECOND));
            world.pass(pause * SECOND).await;
        }
        world.register(BOB).await;
    }
}

#[tokio::test]
async fn memory_available_says_nothing_about_the_registration() {
    let world = World::new();
    world.locate(at_cseq(location(BOB, SMSC01), "c", 5)).await;
    let smma = Location { expires: 0, s_cscf: None, ..location(BOB, SMSC02) };
    world.locate(with_event(smma, LocationEvent::MemoryAvailable)).await;
    world.insert(message(BOB)).await;
    assert_eq!(world.poll_one().await.s_cscf.as_deref(), Some("sip:scscf.ims.example"));
}

#[tokio::test]
async fn within_one_call_id_the_higher_cseq_counts_whatever_comes_first() {
    let world = World::new();
    world.locate(at_cseq(location(BOB, SMSC02), "c", 5)).await;
    world.locate(at_cseq(location(BOB, SMSC01), "c", 4)).await;
    world.insert(message(BOB)).await;
    assert_eq!(world.poll().await, []);
    world.locate(at_cseq(location(BOB, SMSC01), "another", 1)).await;
    assert_eq!(world.poll().await.len(), 1);
}

#[tokio::test]
async fn a_removal_counts_only_for_the_s_cscf_that_is_stored_and_if_it_is_newer() {
    for (removal, gone) in [
        (removal(BOB), true),
        (LocationRemoval { s_cscf: None, ..removal(BOB) }, true),
        (LocationRemoval { s_cscf: Some("sip:other.ims.example".into()), ..removal(BOB) }, false),
        (LocationRemoval { call_id: Some("c".into()), cseq: Some(4), ..removal(BOB) }, false),
        (LocationRemoval { call_id: Some("c".into()), cseq: Some(5), ..removal(BOB) }, false),
        (LocationRemoval { call_id: Some("c".into()), cseq: Some(6), ..removal(BOB) }, true),
        (LocationRemoval { call_id: Some("d".into()), cseq: Some(1), ..removal(BOB) }, true),
        (removal(ALICE), false),
    ] {
        let world = World::new();
        world.locate(at_cseq(location(BOB, SMSC01), "c", 5)).await;
        let id = world.insert(message(BOB)).await.id;
        for _ in 0..2 {
            world.store.delete_location(removal.clone()).await.unwrap();
        }
        assert_eq!(world.state(&id).await, if gone { "held" } else { "queued" }, "{removal:?}");
    }
}

#[tokio::test]
async fn a_registration_that_runs_out_or_is_written_with_no_time_left_is_gone() {
    let world = World::new();
    world.locate(Location { expires: 60, ..location(BOB, SMSC01) }).await;
    let id = world.insert(message(BOB)).await.id;
    world.pass(59 * SECOND).await;
    assert_eq!(world.state(&id).await, "queued");
    world.pass(SECOND).await;
    assert_eq!(world.state(&id).await, "held");
    world.register(BOB).await;
    world.locate(Location { expires: 0, ..location(BOB, SMSC01) }).await;
    assert_eq!(world.state(&id).await, "held");
    assert_eq!(world.store.summary().await.unwrap().registrations, 0);
}

#[tokio::test]
async fn a_subscriber_may_have_several_identities_for_one_number() {
    let world = World::new();
    let tel = Location { impu: format!("tel:+{BOB}"), msisdn: None, ..location(BOB, SMSC01) };
    let sip = Location { impu: "sip:bob@ims.example".into(), ims_capable: false, ..location(BOB, SMSC02) };
    world.locate(tel.clone()).await;
    world.pass(SECOND).await;
    world.locate(sip.clone()).await;
    // The one that can do SMS over IP goes first.
    world.insert(message(BOB)).await;
    let row = world.poll_one().await;
    assert_eq!((row.impu.clone(), row.ims_capable), (Some(tel.impu.clone()), Some(true)));
    world.deliver(&row).await;
    let gone = LocationRemoval { impu: tel.impu, s_cscf: None, call_id: None, cseq: None };
    world.store.delete_location(gone).await.unwrap();
    world.insert(message(BOB)).await;
    let rows = world.poll_at(SMSC02).await;
    assert_eq!((rows[0].impu.clone(), rows[0].ims_capable), (Some(sip.impu), Some(false)));
}

#[tokio::test]
async fn a_recipient_can_be_named_by_its_identity_and_shares_the_queue_of_its_number() {
    let world = World::new();
    world.locate(Location { impu: "sip:bob@IMS.example".into(), ..location(BOB, SMSC01) }).await;
    let by_name = smsc_backend::NewMessage {
        destination_msisdn: "sip:bob@ims.example;user=phone".into(),
        destination_ton: 0,
        ..text(BOB, "by name")
    };
    world.insert(by_name).await;
    world.insert(text(BOB, "by number")).await;
    let row = world.poll_one().await;
    assert_eq!((row.message_body.as_str(), row.destination_msisdn.as_str()), ("by name", BOB));
}

#[tokio::test]
async fn a_new_registration_gives_a_location_another_chance_that_could_not_serve_the_old_one() {
    let world = World::with(StoreConfig { routes: vec![route("44", "smpp")], ..config() });
    world.register(BOB).await;
    world.insert(message(BOB)).await;
    let row = world.poll_one().await;
    let no_smsip = AttemptReport { permanent: Permanent::Link, ..absent(&row, Reason::NoSmsip) };
    world.process(&row, no_smsip).await;
    world.register(BOB).await;
    assert_eq!(world.poll_one().await.id, row.id);
}

#[tokio::test]
async fn listeners_are_told_at_once_of_rows_for_their_location_and_of_no_others() {
    let world = World::registered().await;
    let mut here = world.store.subscribe(SMSC01);
    let there = world.store.subscribe(SMSC02);
    let mut told = || {
        let told = here.has_changed().unwrap();
        here.mark_unchanged();
        told
    };
    world.insert(message(BOB)).await;
    assert!(told(), "a new message");
    let row = world.poll_one().await;
    world.insert(message(BOB)).await;
    assert!(!told(), "a message behind one in flight");
    world.process(&row, report(&row, Status::Failed)).await;
    assert!(!told(), "a pause begins");
    world.pass(29 * SECOND).await;
    assert!(!told(), "a pause goes on");
    world.pass(SECOND).await;
    assert!(told(), "a pause ends");
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::Released)).await;
    assert!(told(), "released");
    let row = world.poll_one().await;
    world.deliver(&row).await;
    assert!(told(), "the next message's turn");
    let row = world.poll_one().await;
    world.process(&row, absent(&row, Reason::NotRegistered)).await;
    assert!(!told(), "parked");
    world.register(BOB).await;
    assert!(told(), "registered");
    assert!(!there.has_changed().unwrap());
}

#[tokio::test]
async fn at_the_cap_a_new_identity_is_put_off_and_a_known_one_is_not() {
    let world = World::with(StoreConfig { caps: Caps { registrations: 1, ..Caps::default() }, ..config() });
    world.register(BOB).await;
    let error = world.store.insert_location(location(ALICE, SMSC01)).await.unwrap_err();
    assert_eq!((error.status, error.retry_after), (Some(429), Some(10)));
    world.register(BOB).await;
    world.store.delete_location(removal(BOB)).await.unwrap();
    world.register(ALICE).await;
    world.pass(8 * DAY).await;
    world.pass(HOUR).await;
    assert_eq!(world.store.summary().await.unwrap().registrations, 0);
}

#[tokio::test]
async fn a_location_without_identity_or_beyond_all_size_is_refused() {
    let world = World::new();
    for wrong in [Location { impu: String::new(), ..location(BOB, SMSC01) }, location(BOB, "")] {
        assert_eq!(world.store.insert_location(wrong).await.unwrap_err().status, Some(400));
    }
    let huge = Location { user_agent: Some("x".repeat(20_000)), ..location(BOB, SMSC01) };
    assert_eq!(world.store.insert_location(huge).await.unwrap_err().status, Some(413));
}
