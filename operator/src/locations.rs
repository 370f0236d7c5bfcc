//! Who polls which location's queue: one map for all pods of a resource, moved in two steps (design §5).
//!
//! ```text
//! Held(a) ── wanted elsewhere ──► Leaving(a) ── a's pod has let go, or is gone ──► Held(b)
//! ```
//! A queue is in at most one file at any time, and in another only after the pod that had it shows that it has read
//! its newer file and has nothing of that queue in hand. So a location never has two pollers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smsc_config::pod_location;

/// Who has a location's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// It stands in this ordinal's file.
    Held(u8),
    /// It was written out of this ordinal's file, whose pod may still have it.
    Leaving(u8),
}

/// The holder of each location, kept in an annotation of the ConfigMap whose files say the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PollingMap(pub BTreeMap<String, Holder>);

impl PollingMap {
    /// The locations in one ordinal's file, in order.
    #[must_use]
    pub fn held_by(&self, ordinal: u8) -> Vec<String> {
        let held = self.0.iter().filter(|(_, holder)| **holder == Holder::Held(ordinal));
        held.map(|(location, _)| location.clone()).collect()
    }

    /// The next map on the way to `wanted`, which has the ordinal that is to poll each location. `released` tells whether
    /// an ordinal's pod is gone, or shows its newest file and has nothing of that location in hand.
    #[must_use]
    pub fn step(&self, wanted: &BTreeMap<String, u8>, released: impl Fn(u8, &str) -> bool) -> Self {
        let mut next = BTreeMap::new();
        for (location, holder) in &self.0 {
            let holder = match (*holder, wanted.get(location).copied()) {
                (Holder::Held(has) | Holder::Leaving(has), Some(wants)) if has == wants => {
                    Some(Holder::Held(has))
                }
                (Holder::Held(has), _) => Some(Holder::Leaving(has)),
                (Holder::Leaving(has), _) if !released(has, location) => Some(Holder::Leaving(has)),
                (Holder::Leaving(_), wants) => wants.map(Holder::Held),
            };
            if let Some(holder) = holder {
                next.insert(location.clone(), holder);
            }
        }
        for (location, wants) in wanted {
            if !self.0.contains_key(location) {
                next.insert(location.clone(), Holder::Held(*wants));
            }
        }
        Self(next)
    }

    /// How many replicas may run, of those asked for: an ordinal starts only when its own queue is in its own file.
    #[must_use]
    pub fn startable(&self, location: &str, replicas: u8) -> u8 {
        (0..replicas)
            .take_while(|&ordinal| {
                self.0.get(&pod_location(location, ordinal)) == Some(&Holder::Held(ordinal))
            })
            .fold(0, |count, _| count + 1)
    }
}

/// Who is to poll what: each ordinal its own location, and pod 0 those of `orphans`. Without replicas nobody polls.
#[must_use]
pub fn wanted(location: &str, replicas: u8, orphans: &[u8]) -> BTreeMap<String, u8> {
    let own = (0..replicas).map(|ordinal| (pod_location(location, ordinal), ordinal));
    let orphans = orphans.iter().filter(|&&ordinal| replicas > 0 && ordinal >= replicas);
    own.chain(orphans.map(|&ordinal| (pod_location(location, ordinal), 0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LOCATION: &str = "smsc01.example.org";

    fn map(holders: &[(u8, Holder)]) -> PollingMap {
        PollingMap(
            holders.iter().map(|(ordinal, holder)| (pod_location(LOCATION, *ordinal), *holder)).collect(),
        )
    }

    #[test]
    fn a_new_resource_has_each_queue_in_its_own_pods_file() {
        let made = PollingMap::default().step(&wanted(LOCATION, 2, &[]), |_, _| false);
        assert_eq!(made, map(&[(0, Holder::Held(0)), (1, Holder::Held(1))]));
        assert_eq!(made.startable(LOCATION, 2), 2);
    }

    #[test]
    fn an_orphan_moves_to_pod_0_once_its_own_pod_is_gone() {
        let before = map(&[(0, Holder::Held(0)), (1, Holder::Held(1))]);
        let wanted = wanted(LOCATION, 1, &[1]);
        let leaving = before.step(&wanted, |_, _| true);
        assert_eq!(leaving, map(&[(0, Holder::Held(0)), (1, Holder::Leaving(1))]));
        assert_eq!(leaving.step(&wanted, |_, _| false), leaving);
        assert_eq!(leaving.step(&wanted, |_, _| true), map(&[(0, Holder::Held(0)), (1, Holder::Held(0))]));
    }

    #[test]
    fn a_pod_that_comes_back_starts_only_when_pod_0_has_let_its_queue_go() {
        let before = map(&[(0, Holder::Held(0)), (1, Holder::Held(0))]);
        let wanted = wanted(LOCATION, 2, &[]);
        let leaving = before.step(&wanted, |_, _| false);
        assert_eq!(
            (&leaving, leaving.startable(LOCATION, 2)),
            (&map(&[(0, Holder::Held(0)), (1, Holder::Leaving(0))]), 1)
        );
        let moved = leaving.step(&wanted, |ordinal, _| ordinal == 0);
        assert_eq!(moved.startable(LOCATION, 2), 2);
    }

    #[test]
    fn a_queue_that_is_wanted_back_before_it_left_stays() {
        let leaving = map(&[(0, Holder::Held(0)), (1, Holder::Leaving(1))]);
        let back = leaving.step(&wanted(LOCATION, 2, &[]), |_, _| false);
        assert_eq!(back, map(&[(0, Holder::Held(0)), (1, Holder::Held(1))]));
    }

    #[test]
    fn an_orphan_whose_time_is_over_is_forgotten_when_nobody_has_it() {
        let before = map(&[(0, Holder::Held(0)), (1, Holder::Held(0))]);
        let wanted = wanted(LOCATION, 1, &[]);
        let leaving = before.step(&wanted, |_, _| true);
        assert_eq!(leaving.step(&wanted, |_, _| true), map(&[(0, Holder::Held(0))]));
    }

    proptest! {
        /// Pods read files late and in any order of steps; whatever is asked for, no queue has two pollers.
        #[test]
        fn no_queue_ever_has_two_pollers(steps in prop::collection::vec((0u8..4, any::<[bool; 4]>()), 1..40)) {
            let mut map = PollingMap::default();
            let mut polling: [BTreeSet<String>; 4] = Default::default();
            for (replicas, reads) in steps {
                let orphans: Vec<u8> = (replicas..4).collect();
                let wanted = wanted(LOCATION, replicas, &orphans);
                let before = map.clone();
                // A pod has let go when it shows the file that is written now and polls nothing else.
                map = map.step(&wanted, |ordinal, location| {
                    let pod = &polling[usize::from(ordinal)];
                    pod.iter().eq(before.held_by(ordinal).iter()) && !pod.contains(location)
                });
                for (ordinal, read) in (0u8..).zip(reads) {
                    if read {
                        polling[usize::from(ordinal)] = map.held_by(ordinal).into_iter().collect();
                    }
                }
                let all: Vec<&String> = polling.iter().flatten().collect();
                let distinct: BTreeSet<&&String> = all.iter().collect();
                prop_assert_eq!(distinct.len(), all.len());
            }
        }
    }
}
