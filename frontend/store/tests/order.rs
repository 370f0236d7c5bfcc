//! One message in flight for each recipient, in the order of acceptance, parts of one message together.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{ALICE, BOB, HOUR, SECOND, World, message, report, text};
use smsc_backend::{NewMessage, Status};

fn part(to: &str, reference: u8, total: u8, sequence: u8) -> NewMessage {
    NewMessage {
        udh: Some(format!("0003{reference:02x}{total:02x}{sequence:02x}")),
        ..text(to, &format!("{reference}:{sequence}/{total}"))
    }
}

/// Delivers everything that waits, one poll after the other, and returns the texts in that order.
async fn drain(world: &World) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let rows = world.poll().await;
        if rows.is_empty() {
            return texts;
        }
        for row in rows {
            world.deliver(&row).await;
            texts.push(row.message_body);
        }
    }
}

#[tokio::test]
async fn a_recipient_has_one_message_in_flight_and_they_keep_their_order() {
    let world = World::registered().await;
    for n in 1..=3 {
        world.insert(text(BOB, &n.to_string())).await;
    }
    for (n, more) in [("1", true), ("2", true), ("3", false)] {
        let row = world.poll_one().await;
        assert_eq!((row.message_body.as_str(), row.more_to_send), (n, Some(more)));
        world.deliver(&row).await;
    }
}

#[tokio::test]
async fn a_message_that_waits_parks_its_recipient_and_nobody_else() {
    let world = World::registered().await;
    world.insert(text(BOB, "bob 1")).await;
    world.insert(text(BOB, "bob 2")).await;
    let row = world.poll_one().await;
    world.process(&row, report(&row, Status::Failed)).await;
    world.insert(text(ALICE, "alice 1")).await;
    assert_eq!(world.poll_texts().await, ["alice 1"]);
    world.pass(30 * SECOND).await;
    assert_eq!(world.poll_texts().await, ["bob 1"]);
}

#[tokio::test]
async fn parts_of_one_message_stay_together_and_in_order_however_they_arrive() {
    let world = World::registered().await;
    for message in [
        part(BOB, 7, 3, 2),
        text(BOB, "between"),
        part(BOB, 7, 3, 1),
        part(BOB, 8, 2, 1),
        NewMessage { source_msisdn: "447700900999".into(), ..part(BOB, 7, 3, 3) },
        part(BOB, 7, 3, 3),
        part(BOB, 8, 2, 2),
    ] {
        world.insert(message).await;
    }
    assert_eq!(drain(&world).await, ["7:1/3", "7:2/3", "7:3/3", "between", "8:1/2", "8:2/2", "7:3/3"]);
}

#[tokio::test]
async fn a_reference_that_is_used_again_begins_another_message() {
    let world = World::registered().await;
    for message in
        [part(BOB, 7, 2, 1), part(BOB, 7, 2, 2), text(BOB, "between"), part(BOB, 7, 2, 1), part(BOB, 7, 2, 2)]
    {
        world.insert(message).await;
    }
    assert_eq!(drain(&world).await, ["7:1/2", "7:2/2", "between", "7:1/2", "7:2/2"]);
}

#[tokio::test]
async fn a_part_that_waits_holds_back_what_comes_behind_its_message() {
    let world = World::registered().await;
    for message in [part(BOB, 7, 2, 1), text(BOB, "behind"), part(BOB, 7, 2, 2)] {
        world.insert(message).await;
    }
    let first = world.poll_one().await;
    world.deliver(&first).await;
    let second = world.poll_one().await;
    world.process(&second, report(&second, Status::Failed)).await;
    world.pass(30 * SECOND).await;
    assert_eq!(drain(&world).await, ["7:2/2", "behind"]);
}

#[tokio::test]
async fn an_earlier_part_that_arrives_during_an_attempt_waits_for_its_end() {
    let world = World::registered().await;
    world.insert(part(BOB, 7, 2, 2)).await;
    let second = world.poll_one().await;
    world.insert(part(BOB, 7, 2, 1)).await;
    assert_eq!(world.poll().await, []);
    world.process(&second, report(&second, Status::Failed)).await;
    world.pass(30 * SECOND).await;
    assert_eq!(drain(&world).await, ["7:1/2", "7:2/2"]);
    // A late report on the attempt that was overtaken must not end another one's lease.
    world.pass(HOUR).await;
    assert_eq!(world.poll().await, []);
}

#[tokio::test]
async fn a_late_delivered_for_a_message_that_lost_its_turn_leaves_the_one_in_flight_alone() {
    let world = World::registered().await;
    world.insert(part(BOB, 7, 2, 2)).await;
    let second = world.poll_one().await;
    world.insert(part(BOB, 7, 2, 1)).await;
    world.insert(message(BOB)).await;
    world.process(&second, report(&second, Status::Unknown)).await;
    world.pass(60 * SECOND).await;
    let first = world.poll_one().await;
    assert_eq!(first.message_body, "7:1/2");
    world.deliver(&second).await;
    assert_eq!(world.poll().await, []);
    world.deliver(&first).await;
    assert_eq!(world.poll_texts().await, ["Hello"]);
}
