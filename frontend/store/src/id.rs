//! Message ids: UUID version 7 (RFC 9562 §5.7), unique across restarts and across stores that were wiped.
//!
//! An id never comes back with another meaning: a handset's report may name it long after a restart.

use std::hash::{BuildHasher, RandomState};

/// Makes ids. One per writer.
pub(crate) struct Ids {
    seed: RandomState,
    counter: u64,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self { seed: RandomState::new(), counter: 0 }
    }

    /// The next id, for a message accepted at `millis` of the Unix epoch.
    pub(crate) fn next(&mut self, millis: i64) -> String {
        self.counter = self.counter.wrapping_add(1);
        let time = u64::try_from(millis).unwrap_or(0) & 0xffff_ffff_ffff;
        // The keyed hash is SipHash with keys of this process: 64 bits nobody else has.
        let random = self.seed.hash_one((self.counter, millis));
        let a = self.counter & 0xfff;
        let b = random & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-7{a:03x}-{:04x}-{:012x}",
            time >> 16,
            time & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_begin_with_their_time() {
        let mut ids = Ids::new();
        let made: BTreeSet<_> = (0..10_000).map(|_| ids.next(0x0192_f3a1_c4d5)).collect();
        assert_eq!(made.len(), 10_000);
        for id in made {
            assert!(id.starts_with("0192f3a1-c4d5-7"), "{id}");
            assert_eq!(id.len(), 36);
            assert!(matches!(id.as_bytes()[19], b'8'..=b'b'), "{id}");
        }
    }
}
