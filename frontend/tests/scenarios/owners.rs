//! Which pod a report belongs to, and what happens when that pod is not there (design §4, Matching and Relay).

use smsc_backend::Status;
use smsc_frontend::engine::ReportUri;

use crate::world::*;

/// A world in which bob's reports come in at pod 1, and pod 0 has a message for him.
fn wrong_pod(profile: Profile, reaction: Reaction) -> World {
    let mut world = World::new(2).under(profile);
    // What the first poll shows may wait tr1n.
    world.run(ms(500));
    world.handset_mut(1).usual = reaction.at_pod(1);
    world.queue(0, "42", 1, "hello");
    world
}

/// True if there were reports, and each was answered 202.
fn all_taken(world: &World) -> bool {
    let mut answers = world.core.answers.iter();
    !world.core.answers.is_empty() && answers.all(|(_, message)| message.status() == Some(202))
}

/// Pods whose `process_message` calls arrived, in order.
fn recorders(world: &World) -> Vec<usize> {
    let of = |call| Operation::of(call) == Operation::ProcessMessage;
    world.backend.calls.iter().filter(|(.., call)| of(call)).map(|(_, pod, _)| *pod).collect()
}

pub(crate) fn a_report_at_the_wrong_pod_is_relayed_to_its_owner(profile: Profile) {
    let mut world = wrong_pod(profile, Reaction::delivered());
    world.run(secs(3));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    world.run(secs(8));
    assert_eq!((world.pods[1].relays.len(), recorders(&world)), (world.core.answers.len(), vec![0]));
    assert!(all_taken(&world));
}

pub(crate) fn a_report_whose_owner_is_dead_is_completed_where_it_came_in(profile: Profile) {
    let mut world = wrong_pod(profile, Reaction::delivered().after(secs(5)));
    world.backend.attempts = Attempts::Unknown;
    world.run(secs(2));
    world.kill(0);
    world.run(secs(15));
    if profile.keeps_tokens() {
        assert_eq!((world.backend.ended("42"), recorders(&world)), (Some(Status::Delivered), vec![1]));
        return assert!(all_taken(&world));
    }
    // Nobody can say whose report it is: nothing is recorded, and the next copy waits until tr1n is over.
    assert_eq!((world.backend.ended("42"), all_taken(&world)), (None, false));
    world.restart(0);
    world.run(secs(100));
    assert_eq!(world.backend.ended("42"), Some(Status::Delivered));
    assert_eq!((world.copies_of("42").len(), world.broken_promises()), (2, vec![]));
}

/// The owner does not answer: the other waits 2 s, then completes the report itself.
pub(crate) fn a_report_whose_owner_cannot_be_reached_is_completed_where_it_came_in(profile: Profile) {
    let mut world = wrong_pod(profile, Reaction::delivered());
    world.relay_latency = None;
    world.run(ms(2500));
    assert_eq!(world.backend.ended("42"), None);
    world.run(secs(3));
    if profile.keeps_tokens() {
        assert_eq!((world.backend.ended("42"), recorders(&world)), (Some(Status::Delivered), vec![1]));
        world.run(secs(60));
        return assert_eq!(world.copies_of("42").len(), 1);
    }
    assert_eq!((recorders(&world), all_taken(&world)), (vec![], false));
    world.run(secs(60));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown]);
}

/// The owner has it but its backend is slow: whoever completes it, it is delivered once.
pub(crate) fn a_report_whose_owner_is_slow_is_completed_by_both_and_delivered_once(profile: Profile) {
    let mut world = wrong_pod(profile, Reaction::delivered());
    world.backend.fail(Operation::ProcessMessage, 1, Fault::Slow(secs(4)));
    world.run(secs(60));
    // Without the token only the owner can complete it.
    let recorded_by = if profile.keeps_tokens() { vec![0, 1] } else { vec![0] };
    assert_eq!((world.backend.statuses("42"), recorders(&world)), (vec![Status::Delivered], recorded_by));
    assert_eq!((world.copies_of("42").len(), all_taken(&world)), (1, profile.keeps_tokens()));
}

/// Only RP-MR named the owner, and that is dead: nobody can say whose report it is, so the network shall repeat it.
#[test]
fn a_report_without_a_token_whose_owner_is_dead_is_answered_500() {
    let mut world =
        wrong_pod(Profile::Standard, Reaction::delivered().after(secs(5)).in_reply_to(InReplyTo::Absent));
    world.run(secs(2));
    world.kill(0);
    world.run(secs(10));
    let statuses: Vec<_> = world.core.answers.iter().filter_map(|(_, m)| m.status()).collect();
    assert_eq!((statuses, recorders(&world)), (vec![500], vec![]));
}

/// Without a relay listener every pod completes what it gets.
#[test]
fn without_relay_a_report_is_completed_where_it_came_in() {
    let mut world = World::with(2, |settings| settings.relay = false);
    world.handset_mut(1).usual = Reaction::delivered().at_pod(1);
    world.queue(0, "42", 1, "hello");
    world.run(secs(2));
    assert_eq!((world.backend.ended("42"), recorders(&world)), (Some(Status::Delivered), vec![1]));
}

/// The B2BUA changed our Call-ID: RP-MR alone says who owns the delivery.
#[test]
fn rp_mr_names_the_owner_where_the_call_id_was_rewritten() {
    for in_reply_to in [InReplyTo::Rewritten, InReplyTo::Absent] {
        let mut world = wrong_pod(Profile::Standard, Reaction::delivered().in_reply_to(in_reply_to));
        world.run(secs(2));
        assert_eq!((world.backend.statuses("42"), recorders(&world)), (vec![Status::Delivered], vec![0]));
        assert_eq!(world.pods[1].relays[0].token, None);
    }
}

#[test]
fn a_report_without_a_token_is_matched_by_subscriber_and_rp_mr() {
    let mut world = World::new(1);
    world.handset_mut(1).usual = Reaction::delivered().in_reply_to(InReplyTo::Absent);
    for (id, handset) in [("42", 0), ("43", 1)] {
        world.queue(0, id, handset, "hello");
    }
    world.run(secs(2));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.backend.statuses("43"), [Status::Delivered]);
}

/// The report's identity is another of the same implicit registration set, which may be learnt before the delivery or
/// while it is under way.
#[test]
fn a_report_matches_by_registration_set_not_by_equal_identity() {
    // The second is how Kamailio 5.6 writes it.
    let sets = [
        "<sip:bob@ims.mnc001.mcc001.3gppnetwork.org>, <tel:+447700900002>",
        "<sip:bob@ims.mnc001.mcc001.3gppnetwork.org, tel:+447700900002>",
    ];
    for (head_start, set) in [(ms(0), sets[0]), (secs(1), sets[0]), (secs(1), sets[1])] {
        let mut world = World::new(1);
        let (call_id, request) = world.core.third_party_register(1, 3600);
        world.send(0, &call_id, request.header(smsc_proto::sip::Header::PAssociatedUri, set));
        world.run(head_start);
        let other = vec!["sip:bob@ims.mnc001.mcc001.3gppnetwork.org".to_owned()];
        world.handset_mut(1).usual =
            Reaction { asserted: Some(other), ..Reaction::delivered().in_reply_to(InReplyTo::Absent) };
        // The backend has the number in the national form; it is the same handset.
        world.queue_with(0, "42", 1, "hello", |row| smsc_backend::QueuedMessage {
            destination_msisdn: "07700900002".into(),
            ..row
        });
        world.run(secs(3));
        assert_eq!(world.backend.statuses("42"), [Status::Delivered], "{head_start:?}");
    }
}

/// The number a handset sends from is what its registration said, however the backend writes it.
#[test]
fn a_delivery_does_not_change_the_number_of_its_recipient() {
    let mut world = World::new(1);
    world.handset_mut(1).impu = "sip:bob@ims.mnc001.mcc001.3gppnetwork.org".into();
    world.handset_mut(1).asserted = vec![world.core.handsets[1].impu.clone()];
    let info = b"<ims-3gpp version=\"1\"><service-info>447700900002</service-info></ims-3gpp>";
    world.register(1, 3600, Some(("application/3gpp-ims+xml", info)));
    world.run(secs(1));
    world.queue_with(0, "42", 1, "hello", |row| smsc_backend::QueuedMessage {
        destination_msisdn: "07700900002".into(),
        ..row
    });
    world.run(secs(3));
    world.submit(1, &Mo::new("+447700900001", "hello yourself"));
    world.run(secs(1));
    assert_eq!(world.backend.accepted[0].1.source_msisdn, "+447700900002");
}

/// The top three bits of RP-MR are the pod's.
pub(crate) fn two_pods_never_use_the_same_rp_mr_towards_a_handset(profile: Profile) {
    let mut world = World::new(3).under(profile);
    for pod in 0..3 {
        for n in 0..20 {
            world.queue(pod, &format!("{}", 100 * pod + n), 1, "hello");
        }
    }
    world.run(secs(30));
    let copies = world.copies();
    assert_eq!(copies.len(), 60);
    assert!(copies.iter().all(|copy| usize::from(copy.rp_mr >> 5) == copy.pod));
    let mut references = world.handset(1).rp_references();
    references.sort_unstable();
    references.dedup();
    assert_eq!(references.len(), 60);
}

/// Each pod has an address of its own for reports; none needs to be relayed.
#[test]
fn with_a_report_uri_per_pod_reports_go_straight_to_their_owner() {
    let mut world = World::with(2, |settings| {
        settings.report_uri = ReportUri::Pod(format!("sip:smsc-{}@smsc.example", settings.ordinal));
    });
    world.queue(1, "42", 1, "hello");
    world.run(secs(2));
    assert_eq!((world.backend.statuses("42"), recorders(&world)), (vec![Status::Delivered], vec![1]));
    assert!(world.pods[0].relays.is_empty());
}

/// The token is the user part of the report URI, for cores that drop In-Reply-To.
#[test]
fn with_a_report_uri_per_message_the_request_uri_brings_the_token() {
    let mut world =
        World::with(2, |settings| settings.report_uri = ReportUri::Message("smsc.example".to_owned()));
    world.handset_mut(1).usual = Reaction::delivered().in_reply_to(InReplyTo::Absent).at_pod(1);
    world.queue(0, "42", 1, "hello");
    world.run(secs(2));
    assert_eq!((world.backend.statuses("42"), recorders(&world)), (vec![Status::Delivered], vec![0]));
    assert!(world.pods[1].relays[0].token.is_some());
}

/// A new engine with the same keys believes the old one's token.
pub(crate) fn a_report_after_a_restart_is_completed_by_its_token(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.backend.attempts = Attempts::Unknown;
    // What the first poll shows waits tr1n.
    world.run(secs(1));
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(20)));
    world.queue(0, "42", 1, "hello");
    world.run(secs(5));
    world.restart(0);
    world.run(secs(100));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    // Without the token its report fits nothing, and the second copy waits until tr1n is over.
    let copies = if profile.keeps_tokens() { 1 } else { 2 };
    assert_eq!((world.copies_of("42").len(), world.broken_promises()), (copies, vec![]));
}

/// The id does not fit the token; the new life resolves its hash by the row it holds back.
#[test]
fn a_report_after_a_restart_finds_an_id_that_travels_as_a_hash() {
    let mut world = World::new(1);
    world.backend.attempts = Attempts::Unknown;
    world.run(secs(1));
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(20)));
    world.queue(0, "a message called by a long name", 1, "hello");
    world.run(secs(5));
    world.restart(0);
    world.run(secs(100));
    assert_eq!(world.backend.statuses("a message called by a long name"), [Status::Delivered]);
    assert_eq!(world.handset(1).texts(), ["hello"]);
}

#[test]
fn a_late_report_finds_an_id_that_travels_as_a_hash() {
    let mut world = World::new(1);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(60)));
    world.queue(0, "a message called by a long name", 1, "hello");
    world.run(secs(100));
    let statuses = world.backend.statuses("a message called by a long name");
    assert_eq!(statuses, [Status::Unknown, Status::Delivered]);
}

/// Rows that may have been tried in an earlier life wait tr1n; rows never tried, and leased ones, do not.
#[test]
fn after_a_restart_rows_of_an_earlier_life_wait_tr1n() {
    let first_copy = |attempts, leases: bool| {
        let mut world = World::with(1, |settings| settings.backend_leases = leases);
        world.backend.attempts = Attempts::Recorded;
        world.queue_with(0, "42", 1, "hello", |row| smsc_backend::QueuedMessage {
            delivery_attempts: attempts,
            ..row
        });
        if attempts.is_none() {
            world.backend.attempts = Attempts::Unknown;
        }
        world.run(secs(60));
        world.copies_of("42")[0].at
    };
    assert!(first_copy(Some(0), false) < secs(1));
    for attempts in [Some(1), None] {
        assert!(first_copy(attempts, false) >= secs(45), "{attempts:?}");
        assert!(first_copy(attempts, true) < secs(1), "{attempts:?}");
    }
}

/// More rows than one batch holds were in hand when the pod died: all of them wait.
#[test]
fn after_a_restart_the_rows_behind_a_full_batch_wait_too() {
    let mut world = World::with(1, |settings| settings.timers.poll_batch = 5);
    world.backend.attempts = Attempts::Unknown;
    world.run(secs(1));
    world.core.handsets.extend((10..30).map(|n| Handset::new(&format!("4477009000{n}"))));
    for n in 0..20 {
        world.handset_mut(2 + n).script.push_back(Reaction::delivered().after(secs(20)));
        world.queue(0, &n.to_string(), 2 + n, "hello");
    }
    world.run(secs(5));
    world.restart(0);
    world.run(secs(100));
    assert_eq!(world.copies().len(), 20);
    assert!(world.backend.unfinished().is_empty());
}

/// A location that is given to another pod: what the old owner has not sent is the new owner's.
#[test]
fn a_location_that_moves_is_sent_by_one_pod_only() {
    let mut world = World::new(2);
    world.backend.attempts = Attempts::Unknown;
    world.run(secs(1));
    world.handset_mut(1).script.push_back(Reaction::only(200));
    for n in 0..4 {
        world.queue(0, &n.to_string(), 1, "hello");
    }
    world.run(secs(3));
    let moved = location_of(0);
    for (pod, polled) in [(0, vec![]), (1, vec![location_of(1), moved])] {
        let settings = smsc_frontend::engine::Settings { polled, ..world.pods[pod].settings.clone() };
        world.engine(pod, |engine, now| engine.apply(now, settings));
        world.run(secs(1));
    }
    world.run(secs(200));
    assert!(world.backend.unfinished().is_empty());
    let pods: Vec<Vec<usize>> =
        (0..4).map(|n| world.copies_of(&n.to_string()).iter().map(|c| c.pod).collect()).collect();
    assert_eq!(pods, [vec![0, 1], vec![1], vec![1], vec![1]]);
    assert_eq!(world.broken_promises(), []);
}

#[test]
fn a_report_that_fits_nothing_is_taken_and_counted() {
    let mut world = World::new(1);
    let call_id = world.send_rpdu(1, 0, &report_rpdu(Report::Ack, 9));
    world.run(secs(1));
    assert_eq!(world.statuses(&call_id), [202]);
    assert!(world.backend.records.is_empty());
}

/// A terminating iFC that matches the PSI sends our own MESSAGE to a pod: this one, or another.
pub(crate) fn our_own_message_come_back_is_answered_482(profile: Profile) {
    for pod in [0, 1] {
        let mut world = World::new(2).under(profile);
        world.handset_mut(1).script.push_back(Reaction::only(0).answering(Answer::LoopTo(pod)));
        world.queue(0, "42", 1, "hello");
        world.run(secs(2));
        assert_eq!(world.backend.statuses("42"), [Status::Failed]);
        assert_eq!(world.backend.reports("42")[0].sip_status, Some(482));
        assert_eq!(world.pods[pod].metrics.loops.get(), 1);
        assert!(world.backend.accepted.is_empty());
    }
}

/// The same for a text, which must not become a message from us to ourselves.
#[test]
fn our_own_text_come_back_is_answered_482() {
    for pod in [0, 1] {
        let mut world = World::new(2);
        world.handset_mut(1).script.push_back(Reaction::only(0).answering(Answer::LoopTo(pod)));
        world.queue_with(0, "42", 1, "hello", |row| smsc_backend::QueuedMessage {
            ims_capable: Some(false),
            ..row
        });
        world.run(secs(2));
        assert_eq!(world.backend.reports("42")[0].sip_status, Some(482));
        assert!(world.backend.accepted.is_empty());
    }
}

/// A submit report sent back to another pod must not be answered with an RP-ERROR, and that with another.
pub(crate) fn our_own_submit_report_come_back_is_not_answered_with_another(profile: Profile) {
    for pod in [0, 1] {
        let mut world = World::new(2).under(profile);
        world.submit(0, &Mo::new("+447700900099", "hello"));
        world.run(secs(1));
        let (.., report) = world.requests().pop().unwrap();
        let octets = String::from_utf8_lossy(report.raw()).replacen(
            "Via:",
            "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKloop;rport\r\nVia:",
            1,
        );
        let before = world.requests().len();
        world.inject(pod, CORE, octets);
        world.run(secs(5));
        assert_eq!(world.requests().len(), before);
        let answer = world.wire.last().unwrap().message();
        assert!(answer.status().is_some_and(|status| status >= 400), "{:?}", answer.status());
    }
}
