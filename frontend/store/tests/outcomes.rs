//! How messages end, and the SMS-STATUS-REPORT that tells the sender.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{
    ALICE, BOB, DAY, HOUR, MINUTE, SECOND, SMSC02, START, World, absent, config, message, report, route, text,
};
use jiff::Timestamp;
use smsc_backend::{
    AttemptReport, Backend, Kind, MessageId, NewMessage, Permanent, QueuedMessage, Reason, SourceType,
    Status, StatusReport,
};
use smsc_store::{MessageEvent, StoreConfig};

const SCTS: Timestamp = Timestamp::constant(1_772_366_400, 0);

fn reported(to: &str) -> NewMessage {
    NewMessage { status_report_requested: true, ..message(to) }
}

/// The report that waits for Alice, its id aside.
async fn report_for_alice(world: &World) -> Option<QueuedMessage> {
    let rows = world.poll().await;
    rows.into_iter().find(|row| row.destination_msisdn == ALICE)
}

#[tokio::test]
async fn a_delivered_message_is_reported_to_its_sender_with_its_own_scts() {
    let world = World::registered().await;
    let id = world.insert(NewMessage { sc_address: Some("447785016005".into()), ..reported(BOB) }).await.id;
    let row = world.poll_one().await;
    world.pass(2 * SECOND).await;
    world.deliver(&row).await;
    let row = world.poll_one().await;
    assert_eq!(
        row,
        QueuedMessage {
            id: row.id.clone(),
            source_msisdn: BOB.into(),
            source_ton: Some(1),
            source_npi: Some(1),
            destination_msisdn: ALICE.into(),
            impu: Some(format!("sip:+{ALICE}@ims.example")),
            s_cscf: Some("sip:scscf.ims.example".into()),
            ims_capable: Some(true),
            message_body: String::new(),
            encoding: None,
            tp_dcs: None,
            tp_pid: None,
            tp_rp: None,
            udh: None,
            raw_tpdu: None,
            scts: Some(SCTS),
            sc_address: Some("447785016005".into()),
            kind: Kind::StatusReport,
            priority: None,
            delivery_attempts: Some(0),
            expires: Some(world.now() + 72 * HOUR),
            status_report: Some(StatusReport {
                message_id: id,
                tp_mr: 42,
                status: 0x00,
                scts: SCTS,
                dt: Timestamp::constant(1_772_366_402, 0),
                destination_msisdn: format!("+{BOB}"),
            }),
            more_to_send: Some(false),
        }
    );
}

#[tokio::test]
async fn each_way_to_fail_has_its_tp_status() {
    let world = World::registered().await;
    for (status, reason, permanent, tp_status) in [
        (Status::Rejected, None, Permanent::Message, 0x42),
        (Status::Failed, None, Permanent::Message, 0x40),
        (Status::Failed, None, Permanent::Link, 0x45),
        (Status::Absent, Some(Reason::NoSmsip), Permanent::Link, 0x41),
        (Status::Absent, Some(Reason::NotRegistered), Permanent::Message, 0x43),
        (Status::MemoryFull, None, Permanent::Message, 0x43),
    ] {
        world.insert(reported(BOB)).await;
        let row = world.poll_one().await;
        world.process(&row, AttemptReport { reason, permanent, ..report(&row, status) }).await;
        let row = world.poll_one().await;
        assert_eq!(
            row.status_report.as_ref().unwrap().status,
            tp_status,
            "{status:?} {reason:?} {permanent:?}"
        );
        world.deliver(&row).await;
    }
}

#[tokio::test]
async fn a_message_that_runs_out_of_time_ends_expired_and_says_why() {
    let world = World::registered().await;
    let id = world.insert(NewMessage { validity_period: Some(3600), ..reported(BOB) }).await.id;
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::MemoryFull)).await;
    world.pass(HOUR).await;
    let summary = world.store.message(id.clone()).await.unwrap();
    let reason = "validity ended after 1 attempts; last seen: memory_full";
    assert_eq!((summary.state.as_str(), summary.reason.as_deref()), ("expired", Some(reason)));
    let events = world.store.events(id).await.unwrap();
    let expired = MessageEvent { at: world.now(), event: "expired".into(), detail: reason.into() };
    assert_eq!(events[1..], [expired]);
    assert_eq!(report_for_alice(&world).await.unwrap().status_report.unwrap().status, 0x46);
}

#[tokio::test]
async fn a_message_is_not_tried_after_its_time_however_long_its_pause() {
    let world = World::registered().await;
    let id = world.insert(NewMessage { validity_period: Some(20), ..message(BOB) }).await.id;
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::Failed)).await;
    assert_eq!(world.due_in(&id).await, None, "the pause ends after the message");
    // Asked before the store looked at its clock by itself.
    world.clock.advance(25 * SECOND);
    assert_eq!(world.poll().await, []);
    assert_eq!(world.state(&id).await, "expired");
}

#[tokio::test]
async fn however_many_run_out_of_time_at_once_none_of_them_goes_out() {
    let world = World::with(StoreConfig { routes: vec![route("", common::SMSC01)], ..config() });
    for n in 0..600 {
        let to = (447_700_000_000_u64 + n).to_string();
        world.insert(NewMessage { validity_period: Some(10), ..message(&to) }).await;
    }
    world.clock.advance(10 * SECOND);
    assert_eq!(world.store.get_queue(common::SMSC01.into(), 1000).await, Ok(vec![]));
    assert_eq!(world.store.summary().await.unwrap().messages, [("expired".to_owned(), 600)].into());
}

#[tokio::test]
async fn an_attempt_under_way_may_still_deliver_after_the_time_is_up() {
    for (status, state) in
        [(Status::Delivered, "delivered"), (Status::Unknown, "expired"), (Status::Failed, "expired")]
    {
        let world = World::registered().await;
        let id = world.insert(NewMessage { validity_period: Some(20), ..message(BOB) }).await.id;
        let row = world.poll_one().await;
        world.pass(30 * SECOND).await;
        assert_eq!(world.state(&id).await, "in_flight");
        world.process(&row, report(&row, status)).await;
        assert_eq!(world.state(&id).await, state);
    }
}

#[tokio::test]
async fn a_held_message_expires_too_and_those_behind_a_parked_one() {
    let world = World::new();
    world.register(ALICE).await;
    let first = world.insert(reported(BOB)).await.id;
    let second = world.insert(text(BOB, "behind")).await.id;
    world.pass(3 * DAY).await;
    assert_eq!([world.state(&first).await, world.state(&second).await], ["expired", "expired"]);
    let summary = world.store.message(first).await.unwrap();
    assert_eq!(summary.reason.as_deref(), Some("validity ended after 0 attempts; no route to the recipient"));
    assert_eq!(report_for_alice(&world).await.unwrap().status_report.unwrap().status, 0x46);
}

#[tokio::test]
async fn a_report_is_routed_like_a_message_retried_like_one_and_never_reported_on() {
    let world = World::with(StoreConfig { routes: vec![route("44", SMSC02)], ..config() });
    world.register(BOB).await;
    let message =
        NewMessage { source_type: SourceType::Smpp, source_msisdn: "+447700900999".into(), ..reported(BOB) };
    world.insert(message).await;
    let row = world.poll_one().await;
    world.deliver(&row).await;
    let [row] = world.poll_at(SMSC02).await.try_into().unwrap();
    assert_eq!((row.kind, row.destination_msisdn.as_str()), (Kind::StatusReport, "447700900999"));
    let report = AttemptReport { dest_smsc: SMSC02.into(), ..report(&row, Status::Failed) };
    world.process(&row, report.clone()).await;
    world.pass(30 * SECOND).await;
    let [row] = world.poll_at(SMSC02).await.try_into().unwrap();
    let refused =
        AttemptReport { attempt: 2, status: Status::Rejected, permanent: Permanent::Message, ..report };
    world.process(&row, refused).await;
    assert_eq!(world.state(&row.id).await, "failed");
    assert_eq!((world.poll().await, world.poll_at(SMSC02).await), (vec![], vec![]));
}

#[tokio::test]
async fn a_report_waits_behind_the_messages_its_recipient_already_waits_for() {
    let world = World::registered().await;
    world.insert(reported(BOB)).await;
    world.insert(NewMessage { source_msisdn: BOB.into(), ..text(ALICE, "to Alice") }).await;
    let rows = world.poll().await;
    for row in &rows {
        world.deliver(row).await;
    }
    assert_eq!(world.poll_one().await.kind, Kind::StatusReport);
}

#[tokio::test]
async fn an_unknown_outcome_is_reported_only_when_it_is_final() {
    let world = World::registered().await;
    world.insert(reported(BOB)).await;
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::Unknown)).await;
    assert_eq!(report_for_alice(&world).await, None);
    world.deliver(&row).await;
    assert_eq!(report_for_alice(&world).await.unwrap().status_report.unwrap().status, 0x00);
}

#[tokio::test]
async fn a_dead_letter_can_be_replayed_with_its_full_validity_and_all_ways_open() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    world.process(&row, AttemptReport { permanent: Permanent::Link, ..absent(&row, Reason::NoSmsip) }).await;
    assert_eq!(world.state(&id).await, "failed");
    world.pass(HOUR).await;
    world.store.replay(id.clone()).await.unwrap();
    let row = world.poll_one().await;
    assert_eq!((row.id.clone(), row.delivery_attempts), (id.clone(), Some(1)));
    assert_eq!(row.expires, Some(START + HOUR + 72 * HOUR));
    let again = world.store.replay(id.clone()).await.unwrap_err();
    assert_eq!(
        (again.status, again.detail),
        (Some(409), format!("message {id} is in_flight, not a dead letter"))
    );
    world.deliver(&row).await;
    let absent = world.store.replay(MessageId::from("7")).await.unwrap_err();
    assert_eq!((absent.status, absent.detail.as_str()), (Some(404), "there is no message 7"));
}

#[tokio::test]
async fn events_are_kept_for_two_hundred_steps_and_attempts_go_on_counting() {
    let world = World::with(StoreConfig { default_validity: 14 * DAY, ..config() });
    world.register(BOB).await;
    let id = world.insert(message(BOB)).await.id;
    for _ in 0..150 {
        let row = world.poll_one().await;
        world.process(&row, report(&row, Status::MemoryFull)).await;
        world.pass(MINUTE).await;
        world.register(BOB).await;
    }
    let events = world.store.events(id.clone()).await.unwrap();
    assert_eq!(events.len(), 200);
    assert_eq!(world.history(&id).await.attempts.last().unwrap().report.attempt, 150);
}

#[tokio::test]
async fn the_detail_of_a_report_is_cut_at_a_character() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    let detail = "€".repeat(1000);
    world
        .store
        .process_message(id.clone(), AttemptReport { detail, ..report(&row, Status::Failed) })
        .await
        .unwrap();
    assert_eq!(world.history(&id).await.attempts[0].report.detail, "€".repeat(666));
}
