//! A map that forgets: entries live for a fixed time, and the oldest go first at the cap.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

/// What was learnt in the last `life`, at most `cap` entries.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    entries: FxHashMap<K, (u64, V)>,
    order: VecDeque<(Instant, u64, K)>,
    sequence: u64,
    life: Duration,
    cap: usize,
}

impl<K: Hash + Eq + Clone, V> Recent<K, V> {
    /// An empty map.
    pub(crate) fn new(life: Duration, cap: usize) -> Self {
        Self { entries: FxHashMap::default(), order: VecDeque::new(), sequence: 0, life, cap }
    }

    /// Remembers `value` from `now` on, in place of what was there.
    pub(crate) fn insert(&mut self, now: Instant, key: K, value: V) {
        self.forget(now);
        while self.order.len() >= self.cap.max(1) {
            self.drop_oldest();
        }
        self.sequence += 1;
        self.order.push_back((now, self.sequence, key.clone()));
        self.entries.insert(key, (self.sequence, value));
    }

    /// What is remembered at `now`.
    pub(crate) fn get(&mut self, now: Instant, key: &K) -> Option<&mut V> {
        self.forget(now);
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Forgets one entry.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|(_, value)| value)
    }

    fn forget(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) >= self.life) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((_, sequence, key)) = self.order.pop_front() else { return };
        if self.entries.get(&key).is_some_and(|(current, _)| *current == sequence) {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_go_by_age_and_by_cap_and_a_newer_value_outlives_the_older() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut recent = Recent::new(Duration::from_secs(10), 2);
        recent.insert(at(0), "a", 1);
        recent.insert(at(1), "a", 2);
        assert_eq!(recent.get(at(10), &"a"), Some(&mut 2));
        assert_eq!(recent.get(at(11), &"a"), None);
        for (second, key) in [(20, "b"), (21, "c"), (22, "d")] {
            recent.insert(at(second), key, 0);
        }
        assert_eq!(recent.get(at(22), &"b"), None);
        assert_eq!(recent.get(at(22), &"d"), Some(&mut 0));
    }
}
