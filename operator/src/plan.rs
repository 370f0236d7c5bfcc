//! What is to become of each location, pure: who polls it next, since when and until when an orphan is kept, which are to be
//! taken from the backend (design §5).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use smsc_config::pod_location;
use smsc_crds::{Location, LocationState};

use crate::locations::{Holder, PollingMap, wanted};
use crate::names::MOST_PODS;

/// What is known before a pass.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Pod 0's location.
    pub location: &'a str,
    /// Pods asked for.
    pub asked: u8,
    /// Who polls what, as the files say now.
    pub polling: &'a PollingMap,
    /// What the status has of each location.
    pub locations: &'a [Location],
    /// Ordinals of pods that exist.
    pub pods: BTreeSet<u8>,
    /// Of these: those that were asked until when handsets are registered there, and may still answer.
    pub may_tell: BTreeSet<u8>,
    /// Until when handsets are registered at an ordinal's location, as its pod told.
    pub run_outs: BTreeMap<u8, Timestamp>,
    /// How long an orphan is kept at the latest.
    pub deadline: SignedDuration,
    /// Now.
    pub now: Timestamp,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Who polls what, as the files are to say.
    pub polling: PollingMap,
    /// Ordinals that scaled away and whose queue is still polled, or still to be let go.
    pub orphans: BTreeMap<u8, Kept>,
    /// Locations whose time is over and that stand in no file any more: to be taken from the backend.
    pub ended: BTreeSet<String>,
    /// How many files there are to be.
    pub files: u8,
}

/// From when to when an orphan is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Since when its ordinal is gone.
    pub since: Timestamp,
    /// Until when it is polled.
    pub until: Timestamp,
    /// Whether that stands, whatever its pod may still tell.
    pub settled: bool,
}

impl Plan {
    /// Whether a queue is on its way from one pod to another.
    #[must_use]
    pub fn moves(&self, asked: u8, location: &str) -> bool {
        self.polling.0.values().any(|holder| matches!(holder, Holder::Leaving(_)))
            || self.polling.startable(location, asked) < asked
    }
}

/// Plans one pass. `released` as in [`PollingMap::step`].
#[must_use]
pub fn plan(known: &Known<'_>, released: impl Fn(u8, &str) -> bool) -> Plan {
    let orphans: BTreeMap<u8, Kept> =
        (known.asked..MOST_PODS).filter_map(|ordinal| Some((ordinal, kept(known, ordinal)?))).collect();
    let polled: Vec<u8> =
        orphans.iter().filter(|(_, kept)| kept.until > known.now).map(|(ordinal, _)| *ordinal).collect();
    let polling = known.polling.step(&wanted(known.location, known.asked, &polled), released);
    let ended = orphans
        .iter()
        .filter(|(_, kept)| kept.until <= known.now)
        .map(|(ordinal, _)| pod_location(known.location, *ordinal))
        .filter(|location| !polling.0.contains_key(location) && !known.polling.0.contains_key(location))
        .collect();
    let holders = polling.0.values().map(|holder| match holder {
        Holder::Held(ordinal) | Holder::Leaving(ordinal) => *ordinal,
    });
    let files = holders.chain(known.pods.iter().copied()).map(|ordinal| ordinal.saturating_add(1)).max();
    Plan { polling, orphans, ended, files: files.unwrap_or(0).max(known.asked).min(MOST_PODS) }
}

/// The map as the status remembers it, for when the ConfigMap that has it was taken away.
#[must_use]
pub fn remembered(locations: &[Location]) -> PollingMap {
    let ordinal = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
    let holder = |location: &Location| {
        let held = ordinal(location.polled_by).map(Holder::Held);
        Some((location.name.clone(), held.or_else(|| ordinal(location.leaving).map(Holder::Leaving))?))
    };
    PollingMap(locations.iter().filter_map(holder).collect())
}

/// The locations as the status is to show them. `registered` tells what the backend has, `let_go` what it has no more.
#[must_use]
pub fn shown(
    known: &Known<'_>,
    plan: &Plan,
    registered: impl Fn(&str) -> bool,
    let_go: impl Fn(&str) -> bool,
) -> Vec<Location> {
    let location = |ordinal: u8, kept: Option<&Kept>| {
        let name = pod_location(known.location, ordinal);
        let (polled_by, leaving) = match plan.polling.0.get(&name) {
            Some(Holder::Held(by)) => (Some(i32::from(*by)), None),
            Some(Holder::Leaving(by)) => (None, Some(i32::from(*by))),
            None => (None, None),
        };
        Location {
            state: match kept {
                Some(_) => LocationState::Orphaned,
                None if registered(&name) => LocationState::Registered,
                None => LocationState::Pending,
            },
            name,
            ordinal: i32::from(ordinal),
            polled_by,
            leaving,
            orphaned_since: kept.map(|kept| Time(kept.since)),
            orphaned_until: kept.filter(|kept| kept.settled).map(|kept| Time(kept.until)),
        }
    };
    let own = (0..known.asked).map(|ordinal| location(ordinal, None));
    let orphans = plan.orphans.iter().map(|(ordinal, kept)| location(*ordinal, Some(kept)));
    own.chain(orphans.filter(|orphan| !(plan.ended.contains(&orphan.name) && let_go(&orphan.name)))).collect()
}

/// How long an ordinal beyond those asked for is kept; absent: there is nothing of it.
fn kept(known: &Known<'_>, ordinal: u8) -> Option<Kept> {
    let name = pod_location(known.location, ordinal);
    let before = known.locations.iter().find(|location| location.name == name);
    if before.is_none() && !known.polling.0.contains_key(&name) {
        return None;
    }
    let time = |time: Option<&Time>| time.map(|time| time.0);
    let since = time(before.and_then(|before| before.orphaned_since.as_ref())).unwrap_or(known.now);
    let told = time(before.and_then(|before| before.orphaned_until.as_ref()))
        .or_else(|| known.run_outs.get(&ordinal).copied());
    // A time beyond what a clock can show is as good as none.
    let latest = since.saturating_add(known.deadline).unwrap_or(Timestamp::MAX);
    let until = told.map_or(latest, |told| told.clamp(since, latest.max(since)));
    Some(Kept { since, until, settled: told.is_some() || !known.may_tell.contains(&ordinal) })
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
