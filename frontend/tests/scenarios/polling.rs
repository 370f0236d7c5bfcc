//! When the backend is asked, how much for, and what a pod that goes away still does (design §4 Drain, §7 Polling).

use std::time::Duration;

use smsc_backend::{ErrorClass, Status};
use smsc_frontend::engine::{Call, Settings};

use crate::world::*;

fn polls(world: &World) -> Vec<Duration> {
    world.backend.times(Operation::GetQueue)
}

fn limits(world: &World) -> Vec<u32> {
    let limit = |call: &Call| match call {
        Call::GetQueue { limit, .. } => Some(*limit),
        _ => None,
    };
    world.backend.calls.iter().filter_map(|(.., call)| limit(call)).collect()
}

#[test]
fn a_pod_polls_at_once_and_then_every_interval() {
    let mut world = World::new(1);
    world.run(secs(7));
    assert_eq!(polls(&world), [ms(2), ms(2002), ms(4002), ms(6002)]);
}

/// The timer poll is skipped when a flush ran within the cooldown; an event poll never is.
#[test]
fn the_cooldown_skips_only_the_timer_poll() {
    let mut world = World::new(1);
    world.run(ms(1500));
    for _ in 0..2 {
        world.engine(0, |engine, now| engine.wake(now, &location_of(0)));
        world.run(ms(100));
    }
    world.run(secs(4));
    assert_eq!(polls(&world), [ms(2), ms(1502), ms(1602), ms(4002)]);
}

#[test]
fn events_are_coalesced_with_one_poll_in_flight_20_ms_apart() {
    let mut world = World::new(1);
    world.run(ms(500));
    let before = polls(&world).len();
    for _ in 0..50 {
        world.engine(0, |engine, now| engine.wake(now, &location_of(0)));
        world.run(ms(1));
    }
    world.run(ms(100));
    let times = &polls(&world)[before..];
    assert!((3..=4).contains(&times.len()), "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= ms(20)), "{times:?}");
}

#[test]
fn events_during_a_slow_poll_are_one_poll_after_it() {
    let mut world = World::new(1);
    world.run(ms(500));
    world.backend.fail(Operation::GetQueue, 1, Fault::Slow(ms(300)));
    for _ in 0..10 {
        world.engine(0, |engine, now| engine.wake(now, &location_of(0)));
        world.run(ms(10));
    }
    world.run(ms(600));
    assert_eq!(polls(&world), [ms(2), ms(502), ms(804)]);
}

#[test]
fn a_poll_that_fails_is_followed_by_slower_ones_and_recovers() {
    let mut world = World::new(1);
    world.backend.outage(secs(1), secs(120), Fault::Down);
    world.run(secs(119));
    let failed = polls(&world).len() - 1;
    assert!((4..=9).contains(&failed), "{:?}", polls(&world));
    world.queue(0, "42", 1, "hello");
    world.run(secs(40));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    let before = polls(&world).len();
    world.run(secs(20));
    assert_eq!(polls(&world).len() - before, 10);
}

/// Nothing a backend says instead of rows stops polling or loses a row.
#[test]
fn nonsense_in_place_of_rows_is_counted_and_asked_again() {
    let mut world = World::new(1);
    world.queue(0, "42", 1, "hello");
    world.backend.outage(ms(0), secs(3), Fault::Nonsense);
    world.run(secs(8));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    let label =
        smsc_frontend::engine::BackendLabel { operation: "get_queue", class: ErrorClass::Nonsense.as_str() };
    assert_eq!(world.pods[0].metrics.backend_errors.get_or_create(&label).get(), 2);
}

/// Slow handsets never hide the queue: the limit is what is in flight, and a batch.
#[test]
fn the_limit_is_what_is_in_flight_and_a_batch() {
    let mut world = World::with(1, |settings| settings.timers.poll_batch = 4);
    for n in 0..3 {
        world.core.handsets.push(Handset::new(&format!("44770090001{n}")));
        world.handset_mut(2 + n).script.push_back(Reaction::only(200));
        world.queue(0, &n.to_string(), 2 + n, "hello");
    }
    world.run(secs(3));
    assert_eq!(limits(&world), [4, 7]);
    world.queue(0, "9", 1, "hello");
    world.run(secs(3));
    assert_eq!(world.backend.statuses("9"), [Status::Delivered]);
}

#[test]
fn a_full_batch_polls_again_at_once() {
    let mut world = World::with(1, |settings| settings.timers.poll_batch = 5);
    for n in 0..23 {
        world.core.handsets.push(Handset::new(&format!("4477009001{n:02}")));
        world.queue(0, &n.to_string(), 2 + n, "hello");
    }
    world.run(ms(500));
    assert!(world.backend.unfinished().is_empty());
    assert!((5..=7).contains(&polls(&world).len()), "{:?}", polls(&world));
}

/// More rows for one handset than are kept in hand do not hide those of others.
#[test]
fn rows_left_to_the_backend_do_not_hide_the_queue() {
    let mut world = World::with(1, |settings| {
        settings.timers.poll_batch = 5;
        settings.caps.queued_per_handset = 3;
    });
    world.handset_mut(1).usual = Reaction::delivered().after(secs(30));
    for n in 0..40 {
        world.queue(0, &n.to_string(), 1, "hello");
    }
    world.queue(0, "99", 0, "hello");
    world.run(secs(2));
    assert_eq!(world.backend.statuses("99"), [Status::Delivered]);
    assert!(polls(&world).len() < 20);
}

/// At the cap of rows in hand nothing more is asked for, until there is room again.
#[test]
fn at_the_cap_of_rows_in_hand_polling_pauses() {
    let mut world = World::with(1, |settings| {
        settings.timers.poll_batch = 2;
        settings.caps.open_mt = 2;
    });
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(10)));
    for id in ["1", "2", "3", "4"] {
        world.queue(0, id, 1, "hello");
    }
    world.run(secs(9));
    assert_eq!(polls(&world).len(), 1);
    world.run(secs(10));
    assert!(world.backend.unfinished().is_empty());
}

/// The outcome is recorded while a poll that saw the row is on its way back.
#[test]
fn a_row_recorded_while_a_poll_was_in_flight_is_not_sent_again() {
    let mut world = World::new(1);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(ms(2200)));
    world.queue(0, "42", 1, "hello");
    world.run(ms(1900));
    world.backend.fail(Operation::GetQueue, 1, Fault::Slow(secs(1)));
    world.run(secs(5));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
    assert_eq!(world.copies_of("42").len(), 1);
}

/// The outcome itself is on its way, and a slow backend still shows the row.
#[test]
fn a_row_whose_late_outcome_is_on_its_way_is_not_sent_again() {
    let mut world = World::new(1);
    world.backend.retry_after = secs(15);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(60)));
    world.queue(0, "42", 1, "hello");
    world.run(secs(59));
    world.backend.fail(Operation::ProcessMessage, 2, Fault::Down);
    world.run(secs(60));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown, Status::Delivered]);
    assert_eq!(world.copies_of("42").len(), 1);
}

#[test]
fn frontend_register_comes_at_start_and_every_third_of_its_life() {
    let mut world = World::new(1);
    world.run(secs(301));
    assert_eq!(world.backend.times(Operation::FrontendRegister).len(), 4);
    let times = world.backend.times(Operation::FrontendRegister);
    assert!(times.windows(2).all(|pair| (secs(100)..secs(101)).contains(&(pair[1] - pair[0]))), "{times:?}");
    let bodies: Vec<_> = (world.backend.calls.iter())
        .filter_map(|(.., call)| match call {
            Call::FrontendRegister(body) => {
                Some(smsc_backend::FrontendRegistration { uptime_seconds: 0, ..body.clone() })
            }
            _ => None,
        })
        .collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!((bodies[0].frontend_name.as_str(), bodies[0].expires_in), (location_of(0).as_str(), 300));
}

#[test]
fn frontend_register_is_repeated_while_the_backend_is_away() {
    let mut world = World::new(1);
    world.backend.outage(ms(0), secs(10), Fault::Down);
    world.run(secs(20));
    let times = world.backend.times(Operation::FrontendRegister);
    assert_eq!(times.len(), 5, "{times:?}");
}

/// A location taken away and given back is polled once an interval, not twice.
#[test]
fn a_location_that_comes_back_is_polled_by_one_timer() {
    let mut world = World::new(1);
    world.run(ms(500));
    for polled in [vec![], vec![location_of(0)], vec![], vec![location_of(0)]] {
        let settings = Settings { polled, ..world.pods[0].settings.clone() };
        world.engine(0, |engine, now| engine.apply(now, settings));
        world.run(ms(200));
    }
    world.run(secs(1));
    let before = polls(&world).len();
    world.run(secs(20));
    assert_eq!(polls(&world).len() - before, 10);
}

/// Drain: unattempted rows go back, what is open is finished, nothing new is fetched.
#[test]
fn a_drained_pod_gives_back_what_it_has_not_sent_and_finishes_the_rest() {
    let mut world = World::new(1);
    world.handset_mut(1).script.push_back(Reaction::delivered().after(secs(10)));
    for id in ["1", "2", "3"] {
        world.queue(0, id, 1, "hello");
    }
    world.run(secs(1));
    world.engine(0, |engine, now| engine.begin_drain(now));
    assert!(!world.engine(0, |engine, _| engine.is_idle()));
    world.queue(0, "4", 0, "hello");
    world.run(secs(8));
    assert_eq!(world.backend.statuses("2"), [Status::Released]);
    assert_eq!(world.backend.statuses("3"), [Status::Released]);
    assert!(!world.engine(0, |engine, _| engine.is_idle()));
    world.run(secs(3));
    assert_eq!(world.backend.statuses("1"), [Status::Delivered]);
    assert!(world.engine(0, |engine, _| engine.is_idle()));
    assert_eq!(world.copies().len(), 1);
}

/// Without a report it takes tr1n, no longer.
#[test]
fn a_drained_pod_is_idle_after_tr1n_at_the_latest() {
    let mut world = World::new(1);
    world.handset_mut(1).usual = Reaction::silent();
    world.queue(0, "1", 1, "hello");
    world.run(secs(1));
    world.engine(0, |engine, now| engine.begin_drain(now));
    world.run(secs(46));
    assert!(world.engine(0, |engine, _| engine.is_idle()));
    assert_eq!(world.backend.statuses("1"), [Status::Unknown]);
}

/// What it has taken on is finished: a submission, its RP-ACK, and a registration the backend has not taken.
#[test]
fn a_drained_pod_is_not_idle_while_it_owes_something() {
    let mut world = World::new(1);
    world.backend.outage(ms(0), secs(10), Fault::Down);
    world.register(1, 3600, None);
    world.run(ms(100));
    world.engine(0, |engine, now| engine.begin_drain(now));
    assert!(!world.engine(0, |engine, _| engine.is_idle()));
    world.run(secs(30));
    assert!(world.engine(0, |engine, _| engine.is_idle()));
    assert_eq!(world.backend.locations.len(), 1);
    world.handset_mut(0).verdict_answers.push_back(Answer::Silence);
    world.submit(0, &Mo::new("+447700900099", "hello"));
    world.run(secs(2));
    assert!(!world.engine(0, |engine, _| engine.is_idle()));
    world.run(secs(40));
    assert!(world.engine(0, |engine, _| engine.is_idle()));
}

#[test]
fn a_backend_that_leases_hands_every_row_out_once() {
    let mut world = World::with(1, |settings| settings.backend_leases = true);
    world.backend.lease = Some(secs(120));
    world.handset_mut(1).script.push_back(Reaction::only(200));
    world.queue(0, "42", 1, "hello");
    world.queue(0, "43", 1, "there");
    world.run(secs(130));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown, Status::Delivered]);
    assert_eq!(world.backend.statuses("43"), [Status::Delivered]);
}

/// The pod dies with the row: the lease runs out, the store records `unknown`, the next life sends it.
#[test]
fn a_lease_that_runs_out_is_unknown_before_the_next_copy() {
    let mut world = World::with(1, |settings| settings.backend_leases = true);
    world.backend.lease = Some(secs(120));
    world.handset_mut(1).script.push_back(Reaction::silent());
    world.queue(0, "42", 1, "hello");
    world.run(secs(5));
    world.restart(0);
    world.run(secs(130));
    assert_eq!(world.backend.statuses("42"), [Status::Unknown, Status::Delivered]);
    let second = world.copies_of("42")[1].at;
    assert!(second > world.backend.records[0].0 && second > secs(120));
}

/// The store hands a row out again as soon as it has the outcome, which may be before its answer on that is here.
#[test]
fn a_row_leased_again_before_the_answer_on_its_last_attempt_is_not_lost() {
    // Also where the pod does not know that the backend leases: the store served over HTTP.
    for (latency, known) in [(ms(2), true), (ms(5), true), (ms(2), false), (ms(5), false)] {
        let mut world = World::with(1, |settings| settings.backend_leases = known);
        world.backend.lease = Some(secs(120));
        world.backend.retry_after = ms(0);
        world.backend.latency = latency;
        world.handset_mut(1).script.push_back(Reaction::error(41, None));
        world.queue(0, "42", 1, "hello");
        for _ in 0..200 {
            world.engine(0, |engine, now| engine.wake(now, &location_of(0)));
            world.run(ms(1));
        }
        world.run(secs(10));
        assert_eq!(world.backend.statuses("42"), [Status::Failed, Status::Delivered]);
        assert_eq!(world.copies().len(), 2);
    }
}
