//! `insert_message`: what is taken, what is a repeat, what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{ALICE, BOB, MINUTE, SECOND, World, config, message, text};
use jiff::Timestamp;
use smsc_backend::{
    Accepted, Backend, BackendError, Encoding, ErrorClass, Kind, NewMessage, QueuedMessage, SourceType,
};
use smsc_store::{Caps, StoreConfig};

const SCTS: Timestamp = Timestamp::constant(1_772_366_400, 0);

#[tokio::test]
async fn scts_is_whole_seconds_set_once_and_carried_by_every_attempt() {
    let world = World::registered().await;
    let accepted = world.insert(message(BOB)).await;
    assert_eq!(accepted, Accepted { id: accepted.id.clone(), scts: Some(SCTS), duplicate: false });
    world.pass(5 * SECOND).await;
    assert_eq!(world.poll_one().await.scts, Some(SCTS));
    world.pass(4 * MINUTE).await;
    world.pass(4 * MINUTE).await;
    let second = world.poll_one().await;
    assert_eq!((second.scts, second.delivery_attempts), (Some(SCTS), Some(1)));
}

#[tokio::test]
async fn a_row_carries_everything_the_sender_gave() {
    let world = World::registered().await;
    let message = NewMessage {
        message_body: "0102ff".into(),
        encoding: Encoding::Binary,
        tp_dcs: Some(0xf5),
        tp_pid: Some(0x41),
        tp_rp: Some(true),
        udh: Some("05040b8423f0".into()),
        raw_tpdu: Some("0123".into()),
        sc_address: Some("447785016005".into()),
        validity_period: Some(3600),
        ..message(BOB)
    };
    let accepted = world.insert(message).await;
    assert_eq!(
        world.poll_one().await,
        QueuedMessage {
            id: accepted.id,
            source_msisdn: ALICE.into(),
            source_ton: Some(1),
            source_npi: Some(1),
            destination_msisdn: BOB.into(),
            impu: Some(format!("sip:+{BOB}@ims.example")),
            s_cscf: Some("sip:scscf.ims.example".into()),
            ims_capable: Some(true),
            message_body: "0102ff".into(),
            encoding: Some(Encoding::Binary),
            tp_dcs: Some(0xf5),
            tp_pid: Some(0x41),
            tp_rp: Some(true),
            udh: Some("05040b8423f0".into()),
            raw_tpdu: Some("0123".into()),
            scts: Some(SCTS),
            sc_address: Some("447785016005".into()),
            kind: Kind::Submit,
            priority: None,
            delivery_attempts: Some(0),
            expires: Some(common::START + 3600 * SECOND),
            status_report: None,
            more_to_send: Some(false),
        }
    );
}

#[tokio::test]
async fn senders_are_shown_as_what_they_are() {
    let world = World::registered().await;
    for (source, source_type, shown, ton, kind) in [
        ("447700900123", SourceType::Ims, "447700900123", Some(1), Kind::Submit),
        ("+447700900123", SourceType::Http, "447700900123", Some(1), Kind::Submit),
        ("4711", SourceType::Smpp, "4711", Some(0), Kind::Submit),
        ("ACME Ltd", SourceType::Smpp, "ACME Ltd", Some(5), Kind::Submit),
        ("sip:carol@ims.example", SourceType::Ims, "sip:carol@ims.example", None, Kind::Submit),
        ("31612345678", SourceType::Gsm, "31612345678", Some(1), Kind::Deliver),
    ] {
        world.insert(NewMessage { source_msisdn: source.into(), source_type, ..message(BOB) }).await;
        let row = world.poll_one().await;
        assert_eq!((row.source_msisdn.as_str(), row.source_ton, row.kind), (shown, ton, kind));
        world.deliver(&row).await;
    }
}

#[tokio::test]
async fn a_repeated_key_is_the_same_message_with_the_same_scts_even_after_delivery() {
    let world = World::registered().await;
    let keyed = |body: &str| NewMessage { idempotency_key: "k1".into(), ..text(BOB, body) };
    let first = world.insert(keyed("one")).await;
    let again = Accepted { duplicate: true, ..first.clone() };
    world.pass(10 * SECOND).await;
    assert_eq!(world.insert(keyed("one")).await, again);
    let row = world.poll_one().await;
    world.deliver(&row).await;
    assert_eq!(world.insert(keyed("one")).await, again);
    assert_eq!(world.poll().await, []);
}

#[tokio::test]
async fn repeats_in_one_commit_are_one_message_too() {
    let world = World::registered().await;
    let keyed = || {
        let message = NewMessage { idempotency_key: "k1".into(), ..message(BOB) };
        world.store.insert_message(message.into())
    };
    let (a, b, c) = tokio::join!(keyed(), keyed(), keyed());
    let mut answers = [a.unwrap(), b.unwrap(), c.unwrap()];
    answers.sort_by_key(|answer| answer.duplicate);
    assert_eq!(answers.clone().map(|answer| answer.duplicate), [false, true, true]);
    assert!(answers.iter().all(|answer| answer.id == answers[0].id));
    assert_eq!(world.poll().await.len(), 1);
}

#[tokio::test]
async fn two_identical_texts_without_a_key_are_two_messages() {
    let world = World::registered().await;
    let (first, second) = (world.insert(text(BOB, "OK")).await, world.insert(text(BOB, "OK")).await);
    assert_ne!(first.id, second.id);
    assert!(!second.duplicate);
}

#[tokio::test]
async fn a_submit_key_finds_the_first_copy_only_with_tp_rd_and_within_fifteen_minutes() {
    let world = World::registered().await;
    let submit = |tp_rd, key: &str| NewMessage {
        idempotency_key: key.into(),
        submit_key: Some("s1".into()),
        tp_rd,
        ..message(BOB)
    };
    let first = world.insert(submit(Some(false), "k1")).await;
    world.pass(5 * MINUTE).await;
    let repeat = world.insert(submit(Some(true), "k2")).await;
    assert_eq!(repeat, Accepted { duplicate: true, ..first.clone() });
    // Without TP-RD it is a new message, and from now on the one that is repeated.
    for tp_rd in [Some(false), None] {
        assert!(!world.insert(submit(tp_rd, "")).await.duplicate);
    }
    world.pass(14 * MINUTE).await;
    let repeat = world.insert(submit(Some(true), "k3")).await;
    assert!(repeat.duplicate && repeat.id != first.id);
    world.pass(MINUTE + SECOND).await;
    assert!(!world.insert(submit(Some(true), "k4")).await.duplicate);
}

#[tokio::test]
async fn what_no_repetition_cures_is_refused_with_its_cause() {
    let world =
        World::with(StoreConfig { caps: Caps { message_octets: 1000, ..Caps::default() }, ..config() });
    let hello = || message(BOB);
    for (message, status, rp_cause, detail) in [
        (
            NewMessage { destination_msisdn: " ".into(), ..hello() },
            400,
            1,
            "destination_msisdn: no number given",
        ),
        (NewMessage { source_msisdn: String::new(), ..hello() }, 400, 95, "source_msisdn: no sender given"),
        (
            NewMessage { encoding: Encoding::Binary, ..hello() },
            400,
            95,
            "message_body: not hex, though encoding is binary",
        ),
        (NewMessage { udh: Some("0".into()), ..hello() }, 400, 95, "udh: not hex"),
        (NewMessage { raw_tpdu: Some("zz".into()), ..hello() }, 400, 95, "raw_tpdu: not hex"),
        (
            NewMessage { destination_ton: 8, ..hello() },
            400,
            95,
            "destination_ton, destination_npi: not of 0 to 7 and 0 to 15 (TS 23.040 §9.1.2.5)",
        ),
        (text(BOB, &"x".repeat(1000)), 413, 95, "the message has 1039 octets, the limit is 1000"),
    ] {
        let expected = BackendError {
            operation: "insert_message",
            class: ErrorClass::Refused,
            status: Some(status),
            rp_cause: Some(rp_cause),
            retry_after: None,
            detail: detail.into(),
        };
        assert_eq!(world.store.insert_message(message.into()).await, Err(expected));
    }
    assert_eq!(world.store.summary().await.unwrap().messages.len(), 0);
}

#[tokio::test]
async fn a_message_waits_no_longer_than_the_longest_validity() {
    let world = World::registered().await;
    for (asked, given) in
        [(Some(3600), 3600), (None, 3 * 86_400), (Some(u64::MAX), 14 * 86_400), (Some(0), 1)]
    {
        world.insert(NewMessage { validity_period: asked, ..message(BOB) }).await;
        let row = world.poll_one().await;
        assert_eq!(row.expires, Some(world.now() + given * SECOND));
        world.deliver(&row).await;
    }
}
