//! A location that goes from one pod to another, and what a pod says of itself to whoever moves it (design §5).
//!
//! A location with two pollers is a doubled SMS: what is in hand is never missed, and what comes too late is not begun.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use smsc_backend::{FrontendRegistration, Status};
use smsc_frontend::engine::{Call, Overview, Settings};
use smsc_proto::sms::{Direction, Rpdu};

use crate::world::*;

/// The location that moves: at first it is pod 0's own.
fn moving() -> String {
    location_of(0)
}

/// A pod's file as the operator writes it.
fn polls(world: &mut World, pod: usize, polled: Vec<String>) {
    let settings = Settings { polled, ..world.pods[pod].settings.clone() };
    world.engine(pod, |engine, now| engine.apply(now, settings));
}

fn overview(world: &mut World, pod: usize) -> Overview {
    world.engine(pod, |engine, now| engine.overview(now))
}

fn in_hand(world: &mut World, pod: usize) -> Vec<String> {
    overview(world, pod).in_hand
}

/// For how long pod 0 has anything of the location in hand from now on, to a tenth of a second.
fn held_for(world: &mut World) -> Duration {
    let from = world.elapsed;
    while !in_hand(world, 0).is_empty() && world.elapsed < from + secs(200) {
        assert_eq!(in_hand(world, 0), [moving()]);
        world.run(ms(100));
    }
    world.elapsed - from
}

fn a_world(leases: bool) -> World {
    let mut world = World::with(2, |settings| settings.backend_leases = leases);
    world.backend.lease = leases.then_some(secs(150));
    // Nothing of what a new owner finds waits for an earlier life.
    world.backend.attempts = Attempts::Recorded;
    world.run(ms(500));
    world
}

/// Its rows are not begun; a backend that leases is told, or it would count an attempt that there was not.
#[test]
fn a_queue_asked_for_before_the_location_was_written_out_is_in_hand_until_it_is_answered() {
    for (leases, recorded) in [(false, vec![]), (true, vec![Status::Released])] {
        let mut world = a_world(leases);
        world.queue(0, "42", 1, "hello");
        world.backend.fail(Operation::GetQueue, 1, Fault::Slow(secs(3)));
        world.backend.fail(Operation::ProcessMessage, 1, Fault::Down);
        world.engine(0, |engine, now| engine.wake(now, &location_of(0)));
        world.run(ms(100));
        polls(&mut world, 0, vec![]);
        let held = held_for(&mut world);
        assert!(held >= if leases { secs(4) } else { secs(3) }, "{leases}: {held:?}");
        assert_eq!(overview(&mut world, 0).polling, [""; 0]);
        assert_eq!((world.copies().len(), world.backend.statuses("42")), (0, recorded.clone()));

        polls(&mut world, 1, vec![location_of(1), moving()]);
        world.run(secs(3));
        let pods: Vec<usize> = world.copies_of("42").iter().map(|copy| copy.pod).collect();
        assert_eq!((pods, world.backend.ended("42")), (vec![1], Some(Status::Delivered)));
    }
}

/// The answer that comes is an old picture also where the location was written in again meanwhile.
#[test]
fn a_queue_asked_for_before_the_location_went_and_came_back_is_not_begun() {
    let mut world = a_world(false);
    world.queue(0, "42", 1, "hello");
    world.backend.fail(Operation::GetQueue, 1, Fault::Slow(secs(3)));
    world.engine(0, |engine, now| engine.wake(now, &location_of(0)));
    world.run(ms(100));
    polls(&mut world, 0, vec![]);
    polls(&mut world, 0, vec![moving()]);
    world.run(secs(30));
    assert_eq!((world.copies().len(), world.backend.statuses("42")), (1, vec![Status::Delivered]));
}

/// Waiting, on the air, its outcome on the way to a backend that is down: all of it is in hand, each also by itself.
#[test]
fn a_location_is_in_hand_until_the_backend_has_the_last_outcome() {
    let mut world = a_world(false);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(20)));
    for id in ["42", "43"] {
        world.queue(0, id, 1, "hello");
    }
    world.run(secs(3));
    assert_eq!(in_hand(&mut world, 0), [moving()]);
    polls(&mut world, 0, vec![]);
    // 43 is given back at once; 42 is reported 20 s after it was sent, while the backend is away.
    let back = world.elapsed + secs(60);
    world.backend.outage(world.elapsed + secs(5), back, Fault::Down);
    assert!(held_for(&mut world) >= secs(60));
    assert_eq!(world.backend.statuses("43"), [Status::Released]);
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.copies().len(), 1);
}

#[test]
fn a_row_that_is_given_back_is_in_hand_until_the_backend_has_it() {
    let mut world = a_world(false);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(5)));
    for id in ["42", "43"] {
        world.queue(0, id, 1, "hello");
    }
    world.run(secs(3));
    world.backend.outage(world.elapsed, world.elapsed + secs(2), Fault::Down);
    world.backend.fail(Operation::ProcessMessage, 9, Fault::Status(500, None));
    polls(&mut world, 0, vec![]);
    assert!(held_for(&mut world) > secs(10));
    assert_eq!(world.backend.statuses("43"), [Status::Released]);
}

#[test]
fn an_attempt_without_a_report_is_in_hand_for_tr1n() {
    let mut world = a_world(false);
    world.handset_mut(1).usual = Reaction::only(200);
    world.queue(0, "42", 1, "hello");
    world.run(secs(2));
    polls(&mut world, 0, vec![]);
    let held = held_for(&mut world);
    assert!((secs(43)..secs(46)).contains(&held), "{held:?}");
    assert_eq!(world.backend.statuses("42"), [Status::Unknown]);
}

/// A draining pod says so too.
#[test]
fn a_drained_pod_has_a_location_in_hand_until_everything_is_finished() {
    let mut world = a_world(false);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(10)));
    world.queue(0, "42", 1, "hello");
    world.run(secs(2));
    world.engine(0, |engine, now| engine.begin_drain(now));
    assert!(held_for(&mut world) >= secs(8));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert!(world.engine(0, |engine, _| engine.is_idle()));
}

/// A report after tr1n names a message, not a queue: it may be of any that was polled here not long ago.
#[test]
fn a_late_report_that_the_backend_does_not_have_keeps_the_location_in_hand() {
    let mut world = a_world(false);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(60)));
    world.queue(0, "42", 1, "hello");
    world.run(secs(58));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown]);
    world.backend.outage(world.elapsed, world.elapsed + secs(20), Fault::Down);
    world.run(secs(5));
    polls(&mut world, 0, vec![]);
    assert!(held_for(&mut world) >= secs(15));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown, Status::Delivered]);
}

/// The backend showed the row anew before its answer on the last attempt was here; then the location went.
#[test]
fn a_row_shown_anew_before_its_last_outcome_is_settled_is_not_begun_after_the_location_went() {
    for leases in [false, true] {
        let mut world = a_world(leases);
        world.backend.retry_after = ms(0);
        world.handset_mut(1).script.push_back(Reaction::error(41, None));
        world.backend.fail(Operation::ProcessMessage, 1, Fault::Slow(secs(3)));
        world.queue(0, "42", 1, "hello");
        world.run(secs(4));
        assert_eq!((world.copies().len(), world.backend.statuses("42")), (1, vec![Status::Failed]));
        polls(&mut world, 0, vec![]);
        assert!(held_for(&mut world) > secs(0));
        world.run(secs(10));
        assert_eq!(world.copies().len(), 1, "{leases}");
        // Without leases the new owner leaves a row that was tried before its time.
        polls(&mut world, 1, vec![location_of(1), moving()]);
        world.run(secs(60));
        let pods: Vec<usize> = world.copies_of("42").iter().map(|copy| copy.pod).collect();
        assert_eq!((pods, world.backend.ended("42")), (vec![0, 1], Some(Status::Delivered)));
    }
}

#[test]
fn the_registration_shown_is_the_one_sent() {
    let mut world = World::new(1);
    world.run(secs(1));
    let sent: Vec<FrontendRegistration> = world
        .backend
        .calls
        .iter()
        .filter_map(|(.., call)| match call {
            Call::FrontendRegister(registration) => Some(registration.clone()),
            _ => None,
        })
        .collect();
    let shown = FrontendRegistration { uptime_seconds: 0, ..overview(&mut world, 0).registration };
    assert_eq!(sent, [shown]);
}

/// Seconds after the start by which every registration has run out.
fn run_out(world: &mut World) -> Option<i64> {
    overview(world, 0).registrations_run_out.map(|at| at.as_second() - WALL)
}

#[test]
fn registrations_run_out_with_the_last_that_was_written_or_that_an_earlier_life_may_have_written() {
    let mut world = World::new(1);
    world.run(secs(10));
    assert_eq!(run_out(&mut world), None);
    // One that is taken back tells no lifetime.
    world.register(1, 0, None);
    world.run(secs(1));
    assert_eq!(run_out(&mut world), None);
    world.register(1, 3600, None);
    world.run(secs(9));
    assert_eq!(run_out(&mut world), Some(11 + 3600));
    world.register(0, 600, None);
    world.run(secs(80));
    assert_eq!(run_out(&mut world), Some(11 + 3600));
    world.register(0, 7200, None);
    world.run(secs(1));
    assert_eq!(run_out(&mut world), Some(100 + 7200));
    // What an earlier life wrote is taken to last no longer.
    world.restart(0);
    world.register(0, 600, None);
    world.run(secs(1));
    assert_eq!(run_out(&mut world), Some(101 + 600));
}

/// The backend counts from when it takes the write.
#[test]
fn a_registration_that_waits_for_the_backend_runs_out_later() {
    let mut world = World::new(1);
    world.backend.outage(ms(0), secs(300), Fault::Down);
    world.register(1, 600, None);
    world.run(secs(290));
    assert_eq!(run_out(&mut world), Some(290 + 600));
    world.run(secs(100));
    let taken = i64::try_from(world.backend.times(Operation::InsertLocation).last().unwrap().as_secs());
    assert_eq!(run_out(&mut world), Some(taken.unwrap() + 600));
}

/// RP-SMMA writes a location too, but names no lifetime.
#[test]
fn a_handset_with_memory_again_puts_the_end_off() {
    // Also where the backend has it and the answer is lost, and where that takes a while.
    for (fault, end) in [(Fault::LostAnswer, 3600), (Fault::Slow(secs(3)), 3603)] {
        let mut world = World::new(1);
        world.backend.fail(Operation::InsertLocation, 1, fault);
        let mut smma = Vec::new();
        Rpdu::Smma { mr: 77 }.encode(Direction::MsToNetwork, &mut smma);
        world.send_rpdu(1, 0, &smma);
        world.run(secs(20));
        assert_eq!(run_out(&mut world), None);
        world.register(0, 600, None);
        world.run(secs(1));
        assert_eq!(run_out(&mut world), Some(end));
    }
}

/// When, to which pod.
type Moves = Vec<(u64, usize)>;

fn reaction() -> impl Strategy<Value = Reaction> {
    prop_oneof![
        4 => Just(Reaction::delivered()),
        3 => (0..70_000u64).prop_map(|after| Reaction::delivered().after(ms(after))),
        1 => Just(Reaction::only(200)),
        1 => Just(Reaction::error(41, None)),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Down),
        Just(Fault::LostAnswer),
        (100..20_000u64).prop_map(|after| Fault::Slow(ms(after)))
    ]
}

/// The operator's rule: written out, let go when it is neither polled nor in hand, written in elsewhere.
fn move_about(world: &mut World, moves: &Moves) {
    let mut owner = 0;
    for (at, to) in moves {
        world.run(ms(*at).saturating_sub(world.elapsed));
        polls(world, owner, vec![]);
        while in_hand(world, owner).contains(&moving()) {
            world.run(ms(100));
        }
        owner = *to;
        polls(world, owner, vec![moving()]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_location_that_is_moved_by_the_rule_loses_and_doubles_nothing(
        rows in vec((0..40_000u64, 0..2usize), 1..12),
        moves in vec((0..60_000u64, 0..2usize), 1..6),
        reactions in vec((0..2usize, reaction()), 0..12),
        faults in vec((0..60_000u64, 0..20_000u64, fault()), 0..4),
        leases in any::<bool>(),
    ) {
        let mut world = a_world(leases);
        world.backend.retry_after = secs(5);
        polls(&mut world, 1, vec![]);
        for (handset, reaction) in reactions {
            world.handset_mut(handset).script.push_back(reaction);
        }
        for (from, length, fault) in faults {
            world.backend.outage(ms(from), ms(from + length), fault);
        }
        let count = rows.len();
        for (id, (due, handset)) in rows.into_iter().enumerate() {
            world.queue_with(0, &id.to_string(), handset, "hello", |row| row);
            world.backend.due(&id.to_string(), ms(due));
        }
        let mut moves = moves;
        moves.sort_unstable();
        move_about(&mut world, &moves);
        world.run(secs(600));
        prop_assert_eq!(world.broken_promises(), vec![]);
        for id in 0..count {
            prop_assert_eq!(world.backend.ended(&id.to_string()), Some(Status::Delivered), "{}", id);
        }
    }
}
