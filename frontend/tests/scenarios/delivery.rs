//! What ends a delivery attempt, and what does not (design §4, Attempt outcome).

use smsc_backend::{AttemptReport, Permanent, QueuedMessage, Reason, Status};
use smsc_frontend::engine::Call;
use smsc_proto::sip::Transport;

use crate::world::*;

/// One message for bob, who reacts like this.
fn one(profile: Profile, reaction: Reaction) -> World {
    let mut world = World::new(1).under(profile);
    world.handset_mut(1).script.push_back(reaction);
    world.queue(0, "42", 1, "hello");
    world
}

pub(crate) fn a_2xx_is_not_a_delivery(profile: Profile) {
    for status in [200, 202] {
        let mut world = one(profile, Reaction::only(status));
        world.run(secs(44));
        assert_eq!(world.backend.statuses("42"), []);
        world.run(secs(2));
        assert_eq!(world.backend.statuses("42"), [Status::Unknown]);
        assert_eq!(world.backend.reports("42")[0].sip_status, Some(status));
    }
}

#[test]
fn the_rp_ack_is_the_delivery_and_its_outcome_is_told_once_in_full() {
    let mut world = one(Profile::Standard, Reaction::delivered());
    world.run(secs(1));
    let icid = world.copies_of("42").len();
    assert_eq!(icid, 1);
    let token = world.core.handsets[1].inbox[0].message.call_id().unwrap().replace("@10.0.0.1", "");
    assert_eq!(
        world.backend.reports("42"),
        [&AttemptReport {
            dest_smsc: location_of(0),
            attempt: 1,
            status: Status::Delivered,
            reason: None,
            permanent: Permanent::No,
            rp_cause: None,
            tp_fcs: None,
            report_tpdu: None,
            sip_status: Some(200),
            icid: Some(token),
            detail: "the handset answered RP-ACK (TS 24.011 §7.3.3)".into(),
        }]
    );
}

/// tr1n runs from the 2xx.
#[test]
fn tr1n_runs_from_a_late_2xx() {
    let mut world = one(Profile::Standard, Reaction { answer_after: secs(20), ..Reaction::only(200) });
    world.run(secs(64));
    assert_eq!(world.backend.statuses("42"), []);
    world.run(secs(2));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown]);
}

/// 408, 504 and every other 5xx: the handset may have the message; its report decides.
pub(crate) fn an_undecided_answer_does_not_end_an_attempt(profile: Profile) {
    for status in [408, 500, 502, 503, 504, 513, 580] {
        let mut world = one(profile, Reaction::delivered().answering(Answer::Status(status)).after(secs(30)));
        world.run(secs(29));
        assert_eq!(world.backend.statuses("42"), [], "{status}");
        world.run(secs(2));
        assert_eq!(world.backend.statuses("42"), [Status::Delivered], "{status}");
        assert_eq!(world.copies_of("42").len(), 1, "{status}");
    }
    let mut world = one(profile, Reaction::only(504));
    world.run(secs(46));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown]);
}

pub(crate) fn timer_f_does_not_end_an_attempt(profile: Profile) {
    let mut world = one(profile, Reaction::delivered().answering(Answer::Silence).after(secs(40)));
    world.run(secs(41));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.backend.reports("42")[0].sip_status, None);
    let mut world = one(profile, Reaction::silent());
    world.run(secs(44));
    assert_eq!(world.backend.statuses("42"), []);
    world.run(secs(2));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown]);
    assert_eq!(
        world.backend.reports("42")[0].detail,
        "no SIP answer, and no report from the handset within 45 s (TS 24.011 §10, TR1N)"
    );
}

#[test]
fn a_transport_error_after_sending_does_not_end_an_attempt() {
    let mut world = one(Profile::Standard, Reaction::delivered().answering(Answer::Silence).after(secs(10)));
    world.run(secs(2));
    world.engine(0, |engine, now| {
        let failure =
            smsc_proto::sip::transaction::TransportFailure::Lost { transport: Transport::Udp, addr: CORE };
        engine.handle_transport_failure(now, failure);
    });
    world.run(secs(2));
    assert_eq!(world.backend.statuses("42"), []);
    world.run(secs(7));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
}

/// Nothing was sent, so nothing can have arrived.
#[test]
fn a_refused_tcp_connection_is_definite() {
    let mut world = World::new(1);
    world.link.tcp_refused = true;
    world.queue_with(0, "42", 1, "hello", |row| QueuedMessage {
        s_cscf: Some("sip:192.0.2.10:5060;transport=tcp".into()),
        ..row
    });
    world.run(secs(1));
    assert_eq!(world.backend.statuses("42"), [Status::Failed]);
    assert!(world.requests().is_empty());
}

#[test]
fn over_tcp_a_message_is_delivered_as_over_udp() {
    let mut world = World::new(1);
    world.queue_with(0, "42", 1, "hello", |row| QueuedMessage {
        s_cscf: Some("sip:192.0.2.10:5060;transport=tcp".into()),
        ..row
    });
    world.run(secs(1));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.wire[0].transport, Transport::Tcp);
}

pub(crate) fn a_definite_refusal_ends_the_attempt_at_once(profile: Profile) {
    use Permanent::{Link, No};
    use Status::{Absent, Failed, Rejected};
    let table = [
        (404, Absent, Some(Reason::NotRegistered), No),
        (410, Absent, Some(Reason::NotRegistered), No),
        (604, Absent, Some(Reason::NotRegistered), No),
        (480, Absent, Some(Reason::NoAnswer), No),
        (415, Absent, Some(Reason::NoSmsip), Link),
        (420, Absent, Some(Reason::NoSmsip), Link),
        (488, Absent, Some(Reason::NoSmsip), Link),
        (606, Absent, Some(Reason::NoSmsip), Link),
        (401, Failed, None, No),
        (403, Failed, None, No),
        (407, Failed, None, No),
        (482, Failed, None, No),
        (483, Failed, None, No),
        (486, Rejected, None, No),
        (600, Rejected, None, No),
        (603, Rejected, None, No),
    ];
    for (status, outcome, reason, permanent) in table {
        let mut world = one(profile, Reaction::only(status));
        world.run(secs(1));
        let told: Vec<_> = (world.backend.reports("42").iter())
            .map(|r| (r.sip_status, r.status, r.reason, r.permanent))
            .collect();
        assert_eq!(told, [(Some(status), outcome, reason, permanent)]);
    }
}

pub(crate) fn an_rp_error_ends_the_attempt_and_says_its_cause(profile: Profile) {
    use Permanent::{Message, No};
    let table = [
        (22, Some(0xD3), Status::MemoryFull, No),
        (22, None, Status::MemoryFull, No),
        (41, None, Status::Failed, No),
        (41, Some(0xD0), Status::MemoryFull, No),
        (111, Some(0xFF), Status::Rejected, Message),
        (95, None, Status::Rejected, Message),
        (97, None, Status::Rejected, Message),
    ];
    for (cause, fcs, outcome, permanent) in table {
        let mut world = one(profile, Reaction::error(cause, fcs));
        world.run(secs(1));
        let told: Vec<_> = (world.backend.reports("42").iter())
            .map(|r| (r.rp_cause, r.tp_fcs, r.status, r.permanent))
            .collect();
        assert_eq!(told, [(Some(cause), fcs, outcome, permanent)]);
    }
}

/// Only the S-CSCF is named, because no REGISTER was seen (design §11); 480 and 408 remove nothing.
#[test]
fn a_404_removes_the_location_of_that_s_cscf_only() {
    let removed = |status| {
        let mut world = one(Profile::Standard, Reaction::only(status));
        world.run(secs(60));
        let removal = world.backend.calls.iter().find_map(|(.., call)| match call {
            Call::DeleteLocation(removal) => Some(removal.clone()),
            _ => None,
        });
        removal.map(|r| (r.impu, r.s_cscf, r.call_id, r.cseq))
    };
    let impu = "sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org".to_owned();
    for status in [404, 410, 604] {
        assert_eq!(removed(status), Some((impu.clone(), Some(S_CSCF.into()), None, None)));
    }
    for status in [480, 408, 403, 603] {
        assert_eq!(removed(status), None);
    }
}

pub(crate) fn the_report_may_come_before_the_2xx(profile: Profile) {
    let mut world = one(profile, Reaction { answer_after: secs(2), ..Reaction::delivered() });
    world.queue(0, "43", 1, "there");
    world.run(secs(1));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    world.run(secs(5));
    assert_eq!(world.backend.statuses("43"), [Status::Delivered]);
    assert_eq!(world.handset(1).texts(), ["hello", "there"]);
}

/// A second copy goes out only after `unknown` is recorded, even where that takes the backend a while.
pub(crate) fn a_lost_report_is_unknown_after_tr1n_and_only_then_a_second_copy_is_sent(profile: Profile) {
    let mut world = one(profile, Reaction::only(200));
    world.backend.retry_after = secs(0);
    world.backend.outage(secs(44), secs(70), Fault::Down);
    world.run(secs(69));
    assert_eq!(world.copies_of("42").len(), 1);
    world.run(secs(60));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown, Status::Delivered]);
    let second = world.copies_of("42")[1].clone();
    assert_eq!(second.attempt, 2);
    assert!(second.at > world.backend.records[0].0);
}

/// RP-ACK after tr1n: `delivered` replaces `unknown` and there is no second copy.
pub(crate) fn a_late_report_replaces_unknown_and_cancels_the_retry(profile: Profile) {
    let mut world = one(profile, Reaction::delivered().after(secs(90)));
    world.run(secs(300));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown, Status::Delivered]);
    assert_eq!(world.copies_of("42").len(), 1);
}

/// The retry is already in hand, behind another message, when the first attempt turns out to have worked.
pub(crate) fn a_late_report_takes_the_retry_out_of_the_queue_before_the_backend_knows(profile: Profile) {
    let mut world = one(profile, Reaction::delivered().after(secs(60)));
    world.backend.retry_after = secs(5);
    world.backend.outage(secs(60), secs(80), Fault::Slow(secs(4)));
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(14)));
    world.run(secs(46));
    world.queue(0, "43", 1, "there");
    world.run(secs(200));
    assert_eq!(world.copies_of("42").len(), 1);
    assert_eq!(world.backend.ended("42"), Some(Status::Delivered));
}

/// The retry is already under way but waits for room; nothing of it was sent, and nothing will be.
#[test]
fn a_late_report_withdraws_a_retry_that_is_not_on_the_air_yet() {
    let mut world = World::with(1, |settings| settings.caps.client_transactions = 1);
    world.backend.retry_after = secs(5);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(60)));
    world.handset_mut(0).script.push_back(Reaction::silent());
    world.queue(0, "42", 1, "hello");
    world.run(secs(47));
    world.queue(0, "43", 0, "there");
    world.run(secs(200));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown, Status::Delivered]);
    assert_eq!(world.copies_of("42").len(), 1);
    assert_eq!(world.backend.statuses("43"), [Status::Unknown, Status::Delivered]);
}

pub(crate) fn a_doubled_report_changes_nothing(profile: Profile) {
    let mut world = one(profile, Reaction { reports: 3, ..Reaction::delivered() });
    world.run(secs(2));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    world.run(secs(8));
    assert!(world.core.answers.len() >= 3);
    assert!(world.core.answers.iter().all(|(_, message)| message.status() == Some(202)));
    // The repeats share the outcome of the first; the backend is not asked again.
    assert_eq!(world.backend.times(Operation::ProcessMessage).len(), 1);
    assert_eq!(world.copies_of("42").len(), 1);
}

/// The 500 makes the network repeat the report; the outcome is recorded all the same.
pub(crate) fn a_report_is_answered_500_if_the_backend_does_not_confirm_in_5_s(profile: Profile) {
    let mut world = one(profile, Reaction { retries: 1, ..Reaction::delivered() });
    world.backend.outage(ms(100), secs(7), Fault::Down);
    world.run(secs(30));
    let statuses: Vec<_> = world.core.answers.iter().filter_map(|(_, message)| message.status()).collect();
    // Each report that came too early is repeated by the network; in the end all are taken.
    assert_eq!(statuses[0], 500);
    let refused = statuses.iter().filter(|status| **status == 500).count();
    assert_eq!(statuses[refused..], vec![202; statuses.len() - refused]);
    assert!(statuses.len() > refused);
    assert_eq!(world.backend.ended("42"), Some(Status::Delivered));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.copies_of("42").len(), 1);
}

/// A backend that refuses an outcome for good goes on showing the row; that must not send it again and again.
#[test]
fn a_refused_outcome_does_not_send_the_message_again() {
    let mut world = one(Profile::Standard, Reaction::delivered());
    world.backend.fail(Operation::ProcessMessage, u32::MAX, Fault::Status(422, None));
    world.run(secs(60));
    assert_eq!(world.copies_of("42").len(), 1);
}

#[test]
fn a_message_whose_validity_has_ended_is_not_sent() {
    let mut world = World::new(1);
    world.queue_with(0, "42", 1, "hello", |row| QueuedMessage {
        expires: Some(jiff::Timestamp::from_second(WALL - 1).unwrap()),
        ..row
    });
    world.run(secs(1));
    assert_eq!(world.backend.ended("42"), Some(Status::Failed));
    assert!(world.requests().is_empty());
}

/// A core that returns no reports at all: `mt.delivered_on: sip_2xx`.
#[test]
fn a_2xx_is_the_delivery_where_the_operator_says_so() {
    let mut world = World::with(1, |settings| settings.delivered_on_2xx = true);
    world.handset_mut(1).usual = Reaction::only(200);
    world.queue(0, "42", 1, "hello");
    world.run(secs(1));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
}

/// The S-CSCF's own name, an SRV name, or nothing at all (design §7, next hop).
#[test]
fn the_next_hop_is_looked_up_once_and_a_name_without_address_is_a_failure() {
    let mut world = World::new(1);
    world.dns.insert("scscf.ims.mnc001.mcc001.3gppnetwork.org".into(), CORE);
    for (id, handset) in [("42", 0), ("43", 1)] {
        world.queue_with(0, id, handset, "hello", |row| QueuedMessage {
            s_cscf: Some("sip:scscf.ims.mnc001.mcc001.3gppnetwork.org".into()),
            ..row
        });
    }
    world.queue_with(0, "44", 1, "hello", |row| QueuedMessage { s_cscf: None, ..row });
    world.run(secs(2));
    let ended = ["42", "43", "44"].map(|id| world.backend.statuses(id));
    assert_eq!(ended, [[Status::Delivered], [Status::Delivered], [Status::Failed]]);
    assert_eq!(
        world.looked_up,
        ["scscf.ims.mnc001.mcc001.3gppnetwork.org", "ims.mnc001.mcc001.3gppnetwork.org"]
    );
}

/// Ten thousand messages that cannot be sent end one after the other, not inside one another.
#[test]
fn a_long_queue_without_a_next_hop_is_worked_off() {
    let mut world = World::with(1, |settings| {
        settings.timers.poll_batch = 5000;
        settings.caps.queued_per_handset = 5000;
    });
    for id in 0..5000 {
        world.queue_with(0, &id.to_string(), 1, "hello", |row| QueuedMessage {
            s_cscf: Some("sip:nowhere.example".into()),
            ..row
        });
    }
    world.run(secs(3));
    assert_eq!(world.backend.records.len(), 5000);
    assert_eq!(world.looked_up.len(), 1);
}
