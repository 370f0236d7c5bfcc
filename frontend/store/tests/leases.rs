//! `get_queue` and `process_message`: leases, fencing, and what each outcome leads to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{
    ALICE, BOB, HOUR, MINUTE, SECOND, SMSC01, SMSC02, World, absent, config, message, report, route, text,
};
use smsc_backend::{
    AttemptReport, Backend, ErrorClass, HistoryQuery, MessageHistory, MessageId, NewMessage, Permanent,
    Processed, QueuedMessage, Reason, RecordedAttempt, Status,
};
use smsc_store::StoreConfig;

#[tokio::test]
async fn a_leased_row_is_not_given_again_and_names_its_attempt() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    assert_eq!(world.poll_one().await.delivery_attempts, Some(0));
    assert_eq!(world.poll().await, []);
    assert_eq!(world.state(&id).await, "in_flight");
    world.pass(179 * SECOND).await;
    assert_eq!(world.poll().await, []);
}

#[tokio::test]
async fn only_the_location_a_message_is_routed_to_gets_it_and_no_more_than_it_asks_for() {
    let world = World::registered().await;
    for to in [ALICE, BOB] {
        world.insert(message(to)).await;
    }
    assert_eq!(world.poll_at(SMSC02).await, []);
    assert_eq!(world.store.get_queue(SMSC01.into(), 0).await, Ok(vec![]));
    let first = world.store.get_queue(SMSC01.into(), 1).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(world.poll().await.len(), 1);
    let error = world.store.get_queue(String::new(), 1).await.unwrap_err();
    assert_eq!((error.class, error.status), (ErrorClass::Refused, Some(400)));
}

#[tokio::test]
async fn a_lease_that_runs_out_is_an_unknown_attempt_and_is_tried_again_after_a_pause() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    world.pass(180 * SECOND).await;
    let recorded = AttemptReport {
        detail: "no report came before the lease ran out (recorded by the store)".into(),
        ..report(&row, Status::Unknown)
    };
    assert_eq!(
        world.history(&id).await,
        MessageHistory {
            id: id.clone(),
            source_msisdn: ALICE.into(),
            destination_msisdn: format!("+{BOB}"),
            state: "queued".into(),
            scts: jiff::Timestamp::constant(1_772_366_400, 0),
            due: Some(world.now() + MINUTE),
            attempts: vec![RecordedAttempt { at: world.now(), report: recorded }],
        }
    );
    assert_eq!(world.poll().await, []);
    world.pass(MINUTE).await;
    assert_eq!(world.poll_one().await.delivery_attempts, Some(1));
}

#[tokio::test]
async fn a_text_that_will_be_split_has_a_longer_lease() {
    let world = World::registered().await;
    let id = world.insert(text(BOB, &"x".repeat(161))).await.id;
    world.poll_one().await;
    world.pass(224 * SECOND).await;
    assert_eq!(world.state(&id).await, "in_flight");
    world.pass(SECOND).await;
    assert_eq!(world.statuses(&id).await, [Status::Unknown]);
}

#[tokio::test]
async fn a_delivered_message_is_final_and_a_second_report_changes_nothing() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    world.deliver(&row).await;
    let before = world.history(&id).await;
    assert_eq!(before.state, "delivered");
    for status in [Status::Delivered, Status::Failed, Status::Released] {
        assert_eq!(world.process(&row, report(&row, status)).await, Processed::AlreadyFinal);
    }
    assert_eq!(world.history(&id).await, before);
    world.pass(HOUR).await;
    assert_eq!(world.poll().await, []);
}

/// A message whose first attempt ran out, and that is leased for the second time.
async fn second_attempt(world: &World) -> (QueuedMessage, QueuedMessage) {
    world.insert(message(BOB)).await;
    let first = world.poll_one().await;
    world.pass(180 * SECOND).await;
    world.pass(MINUTE).await;
    (first, world.poll_one().await)
}

#[tokio::test]
async fn late_reports_are_ignored_unless_they_say_delivered() {
    let world = World::registered().await;
    let (first, second) = second_attempt(&world).await;
    for status in [Status::Failed, Status::Absent, Status::Unknown, Status::Released, Status::MemoryFull] {
        let late = AttemptReport { permanent: Permanent::Message, ..report(&first, status) };
        assert_eq!(world.process(&first, late).await, Processed::Recorded);
    }
    assert_eq!(world.state(&first.id).await, "in_flight");
    assert_eq!(world.statuses(&first.id).await, [Status::Unknown]);
    // The report on the attempt under way still counts.
    world.process(&second, report(&second, Status::Failed)).await;
    assert_eq!(world.statuses(&first.id).await, [Status::Unknown, Status::Failed]);
}

#[tokio::test]
async fn a_late_delivered_ends_the_message_while_the_next_attempt_is_under_way() {
    let world = World::registered().await;
    let (first, second) = second_attempt(&world).await;
    world.insert(text(BOB, "next")).await;
    world.deliver(&first).await;
    assert_eq!(world.state(&first.id).await, "delivered");
    assert_eq!(world.process(&second, report(&second, Status::Unknown)).await, Processed::AlreadyFinal);
    assert_eq!(world.poll_texts().await, ["next"]);
}

#[tokio::test]
async fn a_late_delivered_cancels_the_retry() {
    let world = World::registered().await;
    world.insert(message(BOB)).await;
    let row = world.poll_one().await;
    world.pass(180 * SECOND).await;
    world.deliver(&row).await;
    world.pass(HOUR).await;
    assert_eq!(world.poll().await, []);
    assert_eq!(world.statuses(&row.id).await, [Status::Unknown, Status::Delivered]);
}

#[tokio::test]
async fn a_repeated_report_counts_once() {
    let world = World::registered().await;
    world.insert(message(BOB)).await;
    let row = world.poll_one().await;
    for _ in 0..3 {
        assert_eq!(world.process(&row, report(&row, Status::Failed)).await, Processed::Recorded);
    }
    assert_eq!(world.statuses(&row.id).await, [Status::Failed]);
    assert_eq!(world.due_in(&row.id).await, Some(30 * SECOND));
}

#[tokio::test]
async fn a_released_row_is_due_at_once_and_no_attempt_is_counted() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::Released)).await;
    assert_eq!(world.due_in(&id).await, Some(std::time::Duration::ZERO));
    assert_eq!(world.poll_one().await, row);
    assert_eq!(world.statuses(&id).await, []);
    // Another location cannot release it, nor can the holder twice.
    let other = AttemptReport { dest_smsc: SMSC02.into(), ..report(&row, Status::Released) };
    world.process(&row, other).await;
    assert_eq!(world.poll().await, []);
    world.process(&row, report(&row, Status::Released)).await;
    world.process(&row, report(&row, Status::Released)).await;
    assert_eq!(world.poll_one().await, row);
}

#[tokio::test]
async fn a_release_between_failures_keeps_the_pause_growing() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::Failed)).await;
    world.pass(30 * SECOND).await;
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::Released)).await;
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::Failed)).await;
    assert_eq!(world.due_in(&id).await, Some(120 * SECOND));
}

#[tokio::test]
async fn each_class_of_failure_has_its_pauses() {
    for (outcome, pauses) in [
        (AttemptReport { rp_cause: Some(111), ..report(&row_like(), Status::Failed) }, [30, 120, 600]),
        (AttemptReport { rp_cause: Some(42), ..report(&row_like(), Status::Failed) }, [10, 30, 60]),
        (report(&row_like(), Status::Unknown), [60, 300, 900]),
        (absent(&row_like(), Reason::NoAnswer), [120, 600, 1800]),
        (absent(&row_like(), Reason::NotRegistered), [1800, 3600, 10_800]),
        (report(&row_like(), Status::MemoryFull), [1800, 3600, 10_800]),
    ] {
        let world = World::registered().await;
        let id = world.insert(message(BOB)).await.id;
        for pause in pauses {
            let row = world.poll_one().await;
            let report = AttemptReport { attempt: row.delivery_attempts.unwrap() + 1, ..outcome.clone() };
            world.process(&row, report).await;
            assert_eq!(world.due_in(&id).await, Some(pause * SECOND), "{outcome:?}");
            world.pass((pause - 1) * SECOND).await;
            assert_eq!(world.poll().await, []);
            world.pass(SECOND).await;
        }
    }
}

/// A row to make reports from whose attempt is filled in later.
fn row_like() -> QueuedMessage {
    serde_json::from_str(r#"{"id":"","source_msisdn":"","destination_msisdn":"","delivery_attempts":0}"#)
        .unwrap()
}

#[tokio::test]
async fn a_message_refused_for_good_fails_at_once_and_lets_the_next_one_go() {
    let world = World::registered().await;
    let id = world.insert(message(BOB)).await.id;
    world.insert(text(BOB, "next")).await;
    let row = world.poll_one().await;
    let refusal = AttemptReport {
        permanent: Permanent::Message,
        rp_cause: Some(95),
        detail: "RP-ERROR 95".into(),
        ..report(&row, Status::Rejected)
    };
    world.process(&row, refusal).await;
    let message = world.store.message(id).await.unwrap();
    let reason = "rejected in attempt 1, no repetition can help: RP-ERROR 95";
    assert_eq!((message.state.as_str(), message.reason.as_deref()), ("failed", Some(reason)));
    assert_eq!(world.poll_texts().await, ["next"]);
}

#[tokio::test]
async fn a_location_that_cannot_serve_the_handset_leaves_the_message_to_the_next_one() {
    let world = World::with(StoreConfig { routes: vec![route("44", SMSC02)], ..config() });
    world.register(BOB).await;
    let id = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    let no_smsip = AttemptReport { permanent: Permanent::Link, ..absent(&row, Reason::NoSmsip) };
    world.process(&row, no_smsip.clone()).await;
    assert_eq!(world.poll().await, []);
    let [row] = world.poll_at(SMSC02).await.try_into().unwrap();
    assert_eq!((row.delivery_attempts, row.impu.clone()), (Some(1), None));
    // No further way is left.
    let report = AttemptReport { dest_smsc: SMSC02.into(), attempt: 2, ..no_smsip };
    world.process(&row, report).await;
    let message = world.store.message(id).await.unwrap();
    let reason = "absent in attempt 2, no other way leads there";
    assert_eq!((message.state.as_str(), message.reason.as_deref()), ("failed", Some(reason)));
}

#[tokio::test]
async fn a_report_on_a_message_that_is_not_here_is_refused() {
    let world = World::new();
    let error = world
        .store
        .process_message(MessageId::from("7"), report(&row_like(), Status::Delivered))
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, error.status, error.detail.as_str()),
        (ErrorClass::Refused, Some(404), "there is no message 7")
    );
    let error = world.store.history(HistoryQuery::Message(MessageId::from("7"))).await.unwrap_err();
    assert_eq!((error.class, error.status), (ErrorClass::Refused, Some(404)));
}

#[tokio::test]
async fn the_history_of_a_number_has_what_it_sent_and_what_it_got_newest_first() {
    let world = World::registered().await;
    let to_bob = world.insert(message(BOB)).await.id;
    let from_bob = world.insert(NewMessage { source_msisdn: BOB.into(), ..message(ALICE) }).await.id;
    world.insert(message(ALICE)).await;
    for number in [BOB.to_owned(), format!("+{BOB}"), format!("00{BOB}")] {
        let found = world.store.history(HistoryQuery::Msisdn(number)).await.unwrap();
        let ids: Vec<MessageId> = found.into_iter().map(|history| history.id).collect();
        assert_eq!(ids, [from_bob.clone(), to_bob.clone()]);
    }
}
