//! What waits for one handset: one outstanding message, parts, memory, RP-MR (TS 24.011 §2, design §4).

use smsc_backend::{Encoding, LocationEvent, Permanent, QueuedMessage, Reason, Status};
use smsc_frontend::engine::Call;
use smsc_proto::sms::{Direction, Rpdu};

use crate::world::*;

/// A text of three parts.
fn long() -> String {
    "0123456789".repeat(40)
}

/// (part, more waiting) of every SMS-DELIVER a handset got.
fn parts(world: &World) -> Vec<(u8, bool)> {
    let part = |incoming: &Incoming| match &incoming.body {
        Body::Deliver { more, part, .. } => (part.map_or(1, |part| part.sequence), *more),
        _ => (0, false),
    };
    world.core.handsets[1].inbox.iter().map(part).collect()
}

pub(crate) fn a_handset_has_one_message_outstanding_and_the_others_wait_in_order(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.handset_mut(1).usual = Reaction::delivered().after(secs(3));
    for (id, text) in [("1", "one"), ("2", "two"), ("3", "three")] {
        world.queue(0, id, 1, text);
    }
    world.queue(0, "4", 0, "to another");
    world.run(secs(1));
    assert_eq!((world.handset(1).texts(), world.copies().len()), (vec!["one"], 2));
    world.run(secs(3));
    assert_eq!(world.handset(1).texts(), ["one", "two"]);
    world.run(secs(10));
    assert_eq!(world.handset(1).texts(), ["one", "two", "three"]);
    assert!(world.backend.unfinished().is_empty());
}

#[test]
fn more_messages_to_send_says_whether_another_waits() {
    let mut world = World::new(1);
    for id in ["1", "2"] {
        world.queue(0, id, 1, "hello");
    }
    world.queue_with(0, "3", 0, "hello", |row| QueuedMessage { more_to_send: Some(true), ..row });
    world.run(secs(5));
    assert_eq!(parts(&world), [(1, true), (1, false)]);
    assert!(matches!(world.handset(0).inbox[0].body, Body::Deliver { more: true, .. }));
}

pub(crate) fn a_long_text_is_delivered_when_its_last_part_is_acknowledged(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.handset_mut(1).usual = Reaction::delivered().after(secs(2));
    world.queue(0, "42", 1, &long());
    world.run(ms(5500));
    assert_eq!(
        (parts(&world), world.backend.statuses("42")),
        (vec![(1, true), (2, true), (3, false)], vec![])
    );
    world.run(secs(5));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.handset(1).texts().concat(), long());
    let references: Vec<_> = (world.handset(1).inbox.iter())
        .map(|incoming| match &incoming.body {
            Body::Deliver { part: Some(part), .. } => (part.reference, part.total),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(references, [references[0]; 3]);
    assert_eq!(references[0].1, 3);
}

/// Part 2 is lost: the attempt is `unknown`, and the next begins with part 2.
pub(crate) fn a_second_attempt_goes_on_with_the_part_that_was_not_acknowledged(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.backend.retry_after = secs(5);
    world.handset_mut(1).script.extend([Reaction::delivered(), Reaction::only(200)]);
    world.queue(0, "42", 1, &long());
    world.run(secs(100));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown, Status::Delivered]);
    let sent: Vec<_> = world.copies_of("42").iter().map(|copy| (copy.attempt, copy.part)).collect();
    assert_eq!(sent, [(1, 1), (1, 2), (2, 2), (2, 3)]);
}

/// Its RP-ACK comes twice, with the token or without, while the next part is on its way.
pub(crate) fn a_doubled_rp_ack_of_one_part_ends_nothing(profile: Profile) {
    for in_reply_to in [InReplyTo::Token, InReplyTo::Absent] {
        let mut world = World::new(1).under(profile);
        let twice = Reaction { reports: 2, ..Reaction::delivered().in_reply_to(in_reply_to) };
        world.handset_mut(1).script.extend([twice, Reaction::delivered().after(secs(10))]);
        world.queue(0, "42", 1, &long());
        world.run(secs(9));
        assert_eq!(world.backend.statuses("42"), [], "{in_reply_to:?}");
        world.run(secs(10));
        assert_eq!(world.backend.statuses("42"), [Status::Delivered], "{in_reply_to:?}");
    }
}

/// An RP-ACK of part 1, late and without a token, is not one of part 2, which was not even sent.
pub(crate) fn a_late_rp_ack_of_the_first_part_is_not_a_delivery(profile: Profile) {
    let mut world = World::new(1).under(profile);
    let late = Reaction::delivered().after(secs(50)).in_reply_to(InReplyTo::Absent);
    world.handset_mut(1).script.push_back(late);
    world.queue(0, "42", 1, &long());
    world.run(secs(60));
    assert!(!world.backend.statuses("42").contains(&Status::Delivered));
    world.run(secs(100));
    assert_eq!(world.backend.ended("42"), Some(Status::Delivered));
    let sent: Vec<_> = world.copies_of("42").iter().map(|copy| copy.part).collect();
    assert_eq!(sent, [1, 2, 3]);
}

/// RP-ERROR 22: what else is in hand for this handset goes back unattempted, and all wait for RP-SMMA.
pub(crate) fn a_full_memory_releases_the_other_messages_for_that_handset(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.handset_mut(1).script.push_back(Reaction::error(22, Some(0xD3)));
    for id in ["1", "2", "3"] {
        world.queue(0, id, 1, "hello");
    }
    world.queue(0, "4", 0, "hello");
    world.run(ms(1500));
    assert_eq!(world.backend.statuses("1"), [Status::MemoryFull]);
    assert_eq!(world.backend.statuses("2"), [Status::Released]);
    assert_eq!(world.backend.statuses("3"), [Status::Released]);
    assert_eq!(world.backend.statuses("4"), [Status::Delivered]);
    assert_eq!((world.copies_of("2").len(), world.copies_of("3").len()), (0, 0));
}

#[test]
fn an_absent_handset_releases_its_other_messages_even_at_a_backend_that_knows_no_release() {
    let mut world = World::new(1);
    world.backend.refuses_released = true;
    world.handset_mut(1).script.push_back(Reaction::only(480));
    for id in ["1", "2"] {
        world.queue(0, id, 1, "hello");
    }
    world.run(secs(1));
    assert_eq!(world.copies().len(), 1);
    world.run(secs(3));
    assert_eq!(world.backend.statuses("2"), [Status::Delivered]);
}

/// TS 24.341 §5.3.2.5: 202, the backend hears of it, RP-ACK with the same MR, and the queue is polled at once.
pub(crate) fn rp_smma_is_told_to_the_backend_and_answered_and_brings_the_messages(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.register(1, 3600, None);
    world.handset_mut(1).script.push_back(Reaction::error(22, None));
    world.queue(0, "42", 1, "hello");
    world.run(secs(10));
    assert_eq!(world.handset(1).texts(), ["hello"]);
    let mut smma = Vec::new();
    Rpdu::Smma { mr: 77 }.encode(Direction::MsToNetwork, &mut smma);
    let polls = world.backend.times(Operation::GetQueue).len();
    let call_id = world.send_rpdu(1, 0, &smma);
    world.run(ms(500));
    assert_eq!(world.statuses(&call_id), [202]);
    let verdicts = world.handset(1).verdicts.clone();
    assert_eq!(verdicts.len(), 1);
    assert_eq!((verdicts[0].rp_mr, &verdicts[0].in_reply_to, verdicts[0].error), (77, &call_id, None));
    let told = world.backend.calls.iter().rev().find_map(|(.., call)| match call {
        Call::InsertLocation(location) => Some(location.clone()),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!(
        (told.event, told.msisdn.as_deref(), told.s_cscf.as_deref()),
        (LocationEvent::MemoryAvailable, Some("447700900002"), Some(S_CSCF))
    );
    assert!(world.backend.times(Operation::GetQueue).len() > polls);
    world.run(secs(1));
    assert_eq!(world.backend.statuses("42"), [Status::MemoryFull, Status::Delivered]);
}

/// Its RP-ERROR 22 comes again when it has said that it has memory, and the message waits in hand behind another.
pub(crate) fn an_rp_error_sent_again_does_not_hold_back_the_next_attempt(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.backend.attempts = Attempts::Unknown;
    world.run(secs(1));
    let full = Reaction { reports: 2, ..Reaction::error(22, Some(0xD3)) };
    world.handset_mut(1).script.extend([full, Reaction::delivered().after(secs(10))]);
    world.queue(0, "42", 1, "hello");
    assert!(world.run_until(secs(5), |world| world.backend.statuses("42") == [Status::MemoryFull]));
    world.queue(0, "43", 1, "before it");
    world.run(secs(2));
    let mut smma = Vec::new();
    Rpdu::Smma { mr: 77 }.encode(Direction::MsToNetwork, &mut smma);
    world.send_rpdu(1, 0, &smma);
    world.run(secs(40));
    assert_eq!(world.backend.statuses("42"), [Status::MemoryFull, Status::Delivered]);
    assert_eq!(world.backend.statuses("43"), [Status::Delivered]);
}

/// The next attempt was given back unattempted; the RP-ERROR that comes again is still the first one's.
#[test]
fn an_rp_error_sent_again_is_known_after_the_next_attempt_was_released() {
    let mut world = World::new(1).under(Profile::Samsung);
    world.backend.attempts = Attempts::Unknown;
    world.run(secs(1));
    world.handset_mut(1).script.extend([Reaction::error(22, None), Reaction::delivered().after(secs(10))]);
    world.queue(0, "42", 1, "hello");
    world.queue(0, "43", 1, "before it");
    assert!(world.run_until(secs(5), |world| world.copies_of("43").len() == 1));
    let mut smma = Vec::new();
    Rpdu::Smma { mr: 77 }.encode(Direction::MsToNetwork, &mut smma);
    world.send_rpdu(1, 0, &smma);
    world.run(ms(300));
    world.engine(0, |engine, now| engine.begin_drain(now));
    world.run(secs(20));
    assert_eq!(world.backend.statuses("42"), [Status::MemoryFull, Status::Released]);
}

/// The handset repeats an RP-SMMA that was answered RP-ERROR 41.
pub(crate) fn rp_smma_is_answered_rp_error_41_while_the_backend_is_down(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.backend.outage(ms(0), secs(100), Fault::Down);
    let mut smma = Vec::new();
    Rpdu::Smma { mr: 77 }.encode(Direction::MsToNetwork, &mut smma);
    let call_id = world.send_rpdu(1, 0, &smma);
    world.run(secs(30));
    assert_eq!((world.statuses(&call_id), world.handset(1).causes()), (vec![202], vec![Some(41)]));
}

/// 32 values in 3 × tr1n: the next message waits, it does not reuse one.
pub(crate) fn at_the_cap_of_rp_mr_the_next_message_waits(profile: Profile) {
    let mut world = World::new(1).under(profile);
    for id in 0..34 {
        world.queue(0, &id.to_string(), 1, "hello");
    }
    world.run(secs(60));
    let mut references = world.handset(1).rp_references();
    assert_eq!(references.len(), 32);
    references.sort_unstable();
    assert_eq!(references, (0..32).collect::<Vec<u8>>());
    world.run(secs(100));
    assert!(world.backend.unfinished().is_empty());
    let copies = world.copies();
    assert!(copies[32].at >= copies[0].at + secs(135));
}

/// No room for another client transaction: it waits for room, and uses up no RP-MR while it waits.
#[test]
fn without_a_client_transaction_a_message_waits() {
    let mut world = World::with(1, |settings| settings.caps.client_transactions = 1);
    world.handset_mut(0).script.push_back(Reaction::silent());
    world.queue(0, "a", 0, "hello");
    world.queue(0, "b", 1, "hello");
    world.run(secs(31));
    assert_eq!(world.backend.statuses("b"), []);
    world.run(secs(10));
    assert_eq!(world.backend.statuses("b"), [Status::Delivered]);
    // The 160 tries of half a minute took no RP-MR: 31 of 32 are left, and none is waited for.
    world.link.latency = ms(1);
    let before = world.elapsed;
    for id in 0..9 {
        world.queue(0, &id.to_string(), 1, "hello");
    }
    assert!(world.run_until(secs(80), |world| world.backend.unfinished().len() <= 1));
    assert!(world.elapsed - before < secs(80));
}

/// text/plain has no RP report: there the handset's 200 is the delivery, and a relay's 202 says nothing.
#[test]
fn a_text_only_handset_has_a_text_and_its_200_is_the_delivery() {
    let text_only = |status, encoding, text: &str| {
        let mut world = World::new(1);
        world.handset_mut(1).script.push_back(Reaction::only(status));
        world.queue_with(0, "42", 1, text, |row| QueuedMessage { ims_capable: Some(false), encoding, ..row });
        world.run(secs(2));
        world
    };
    let world = text_only(200, None, "naïve 😀");
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.handset(1).inbox[0].body, Body::Text("naïve 😀".into()));
    let (.., request) = world.requests().remove(0);
    assert_eq!(request.header(smsc_proto::sip::Header::ContentType), Some("text/plain;charset=utf-8"));
    assert_eq!(request.header(smsc_proto::sip::Header::AcceptContact), None);
    assert_eq!(text_only(202, None, "hi").backend.statuses("42"), [Status::Unknown]);
    let world = text_only(200, Some(Encoding::Binary), "00ff");
    let report = world.backend.reports("42")[0];
    assert_eq!(
        (report.status, report.reason, report.permanent),
        (Status::Absent, Some(Reason::NoSmsip), Permanent::Link)
    );
    assert!(world.requests().is_empty());
}

/// What a sender submitted as octets or with a header of its own arrives as it was.
#[test]
fn octets_and_headers_of_the_sender_arrive_untouched() {
    let mut world = World::new(1);
    world.queue_with(0, "1", 1, "00ff10", |row| QueuedMessage { encoding: Some(Encoding::Binary), ..row });
    world.queue_with(0, "2", 1, "", |row| QueuedMessage {
        // 8-bit data behind a port header, as it was submitted.
        raw_tpdu: Some("51010c914477009000200004a70b0605040b84000000ff1020".into()),
        ..row
    });
    world.run(secs(2));
    assert_eq!(world.handset(1).texts(), ["00ff10", "00ff1020"]);
    let body = world.handset(1).inbox[1].message.body();
    assert!(data_encoding::HEXLOWER.encode(&body).ends_with("0b0605040b84000000ff1020"));
}

#[test]
fn a_row_that_cannot_be_written_as_sms_is_rejected_for_good() {
    let mut world = World::new(1);
    world.queue_with(0, "1", 1, "xyz", |row| QueuedMessage { encoding: Some(Encoding::Binary), ..row });
    world.queue(0, "2", 1, "hello");
    world.run(secs(2));
    let report = world.backend.reports("1")[0];
    assert_eq!((report.status, report.permanent), (Status::Rejected, Permanent::Message));
    assert_eq!(world.backend.statuses("2"), [Status::Delivered]);
}
