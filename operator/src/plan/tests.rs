//! One pass after another over the life of locations, in a clock of our own.

use super::*;

const LOCATION: &str = "smsc01.example.org";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

fn named(ordinal: u8) -> String {
    pod_location(LOCATION, ordinal)
}

fn map(holders: &[(u8, Holder)]) -> PollingMap {
    PollingMap(holders.iter().map(|(ordinal, holder)| (named(*ordinal), *holder)).collect())
}

fn known<'a>(asked: u8, polling: &'a PollingMap, locations: &'a [Location], now: i64) -> Known<'a> {
    Known {
        location: LOCATION,
        asked,
        polling,
        locations,
        pods: BTreeSet::new(),
        may_tell: BTreeSet::new(),
        run_outs: BTreeMap::new(),
        deadline: SignedDuration::from_secs(100),
        now: at(now),
    }
}

/// What the status shows after a pass, with everything registered and nothing let go by the backend.
fn after(known: &Known<'_>, plan: &Plan) -> Vec<Location> {
    shown(known, plan, |_| true, |_| false)
}

#[test]
fn an_ordinal_that_scaled_away_is_kept_to_its_deadline_and_then_ended() {
    let both = map(&[(0, Holder::Held(0)), (1, Holder::Held(1))]);
    let registered =
        shown(&known(2, &both, &[], 0), &plan(&known(2, &both, &[], 0), |_, _| false), |_| true, |_| false);

    let scaled = known(1, &both, &registered, 10);
    let leaving = plan(&scaled, |_, _| true);
    let kept = Kept { since: at(10), until: at(110), settled: true };
    let expected = Plan {
        polling: map(&[(0, Holder::Held(0)), (1, Holder::Leaving(1))]),
        orphans: BTreeMap::from([(1, kept)]),
        ended: BTreeSet::new(),
        files: 2,
    };
    assert_eq!(leaving, expected);
    let status = after(&scaled, &leaving);
    let orphan = Location {
        name: named(1),
        ordinal: 1,
        state: LocationState::Orphaned,
        polled_by: None,
        leaving: Some(1),
        orphaned_since: Some(Time(at(10))),
        orphaned_until: Some(Time(at(110))),
    };
    assert_eq!(status[1], orphan);

    let moving = known(1, &leaving.polling, &status, 20);
    let moved = plan(&moving, |_, _| true);
    assert_eq!(moved.polling, map(&[(0, Holder::Held(0)), (1, Holder::Held(0))]));
    let status = after(&moving, &moved);
    assert_eq!((status[1].polled_by, status[1].orphaned_since.clone()), (Some(0), Some(Time(at(10)))));

    let over = known(1, &moved.polling, &status, 110);
    let leaving = plan(&over, |_, _| true);
    assert_eq!((&leaving.polling.0[&named(1)], leaving.ended.len()), (&Holder::Leaving(0), 0));
    let released = known(1, &leaving.polling, &status, 111);
    let written_out = plan(&released, |_, _| true);
    assert_eq!((written_out.polling.clone(), written_out.ended.len()), (map(&[(0, Holder::Held(0))]), 0));

    let last = known(1, &written_out.polling, &status, 112);
    let ended = plan(&last, |_, _| true);
    assert_eq!(ended.ended, BTreeSet::from([named(1)]));
    assert_eq!(after(&last, &ended).len(), 2, "as long as the backend has it");
    assert_eq!(shown(&last, &ended, |_| true, |_| true).len(), 1);
}

#[test]
fn an_orphan_ends_sooner_when_no_handset_is_registered_there_any_more() {
    let both = map(&[(0, Holder::Held(0)), (1, Holder::Held(1))]);
    let until = |run_out: i64| {
        let scaled = Known { run_outs: BTreeMap::from([(1, at(run_out))]), ..known(1, &both, &[], 10) };
        plan(&scaled, |_, _| false).orphans[&1].until
    };
    assert_eq!([until(40), until(5), until(1000)], [at(40), at(10), at(110)]);
}

#[test]
fn until_its_pod_has_told_or_is_silent_the_end_of_an_orphan_is_open() {
    let both = map(&[(0, Holder::Held(0)), (1, Holder::Held(1))]);
    let asked = Known { may_tell: BTreeSet::from([1]), ..known(1, &both, &[], 10) };
    let open = plan(&asked, |_, _| false);
    assert_eq!(after(&asked, &open)[1].orphaned_until, None);
    let status = after(&asked, &open);
    let told = Known { run_outs: BTreeMap::from([(1, at(40))]), ..known(1, &open.polling, &status, 12) };
    let planned = plan(&told, |_, _| false);
    assert_eq!(after(&told, &planned)[1].orphaned_until, Some(Time(at(40))));
}

#[test]
fn a_pod_that_comes_back_is_an_orphan_no_more() {
    let before = map(&[(0, Holder::Held(0)), (1, Holder::Held(0))]);
    let scaled = known(2, &before, &[], 10);
    let planned = plan(&scaled, |_, _| false);
    assert!(planned.orphans.is_empty() && planned.moves(2, LOCATION));
    assert_eq!(planned.polling, map(&[(0, Holder::Held(0)), (1, Holder::Leaving(0))]));
}

#[test]
fn at_no_replicas_nobody_polls_and_nothing_is_forgotten() {
    let one = map(&[(0, Holder::Held(0))]);
    let scaled = known(0, &one, &[], 10);
    let leaving = plan(&scaled, |_, _| true);
    assert_eq!(leaving.polling, map(&[(0, Holder::Leaving(0))]));
    let status = after(&scaled, &leaving);
    let next = known(0, &leaving.polling, &status, 20);
    let nobody = plan(&next, |_, _| true);
    assert_eq!((nobody.polling.0.len(), nobody.orphans.len(), nobody.files), (0, 1, 0));
}

#[test]
fn a_map_that_was_taken_away_is_known_from_the_status() {
    let moving = map(&[(0, Holder::Held(0)), (1, Holder::Leaving(1)), (2, Holder::Held(0))]);
    let before = known(1, &moving, &[], 10);
    let planned = Plan { polling: moving.clone(), ..plan(&before, |_, _| false) };
    assert_eq!(remembered(&after(&before, &planned)), moving);
}

#[test]
fn there_is_a_file_for_every_pod_that_runs_and_every_holder() {
    let one = map(&[(0, Holder::Held(0))]);
    let running = Known { pods: BTreeSet::from([0, 1, 2]), ..known(1, &one, &[], 0) };
    assert_eq!(plan(&running, |_, _| false).files, 3);
}
