//! When a message is tried again: pauses by error class. Pure functions of their arguments.

use std::time::Duration;

use crate::clock::millis;

/// Why a message waits for its next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A temporary failure of no better known kind.
    Failed,
    /// The network or handset is congested (RP-Cause 41, 42, 47; 429, 503).
    Congestion,
    /// Sent, and no report came: a second copy may arrive.
    Unknown,
    /// Registered, but it did not answer (480).
    NoAnswer,
    /// Not registered.
    Absent,
    /// No room in the handset (RP-Cause 22).
    MemoryFull,
}

impl Class {
    /// The name in tables and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Congestion => "congestion",
            Self::Unknown => "unknown",
            Self::NoAnswer => "no_answer",
            Self::Absent => "absent",
            Self::MemoryFull => "memory_full",
        }
    }

    /// The class with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Failed, Self::Congestion, Self::Unknown, Self::NoAnswer, Self::Absent, Self::MemoryFull]
            .into_iter()
            .find(|class| class.as_str() == name)
    }

    /// True if the handset, not the message, is what is waited for: a registration or RP-SMMA ends the wait, and
    /// the next message for that handset need not be tried first.
    pub(crate) const fn parks_destination(self) -> bool {
        matches!(self, Self::NoAnswer | Self::Absent | Self::MemoryFull)
    }
}

/// The pauses before the second, third ... attempt, by class; the last one repeats until the validity ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryTable {
    /// After [`Class::Failed`].
    pub failed: Vec<Duration>,
    /// After [`Class::Congestion`].
    pub congestion: Vec<Duration>,
    /// After [`Class::Unknown`].
    pub unknown: Vec<Duration>,
    /// After [`Class::NoAnswer`]; a registration ends it at once.
    pub no_answer: Vec<Duration>,
    /// After [`Class::Absent`]: only a safety net, a registration ends it at once.
    pub absent: Vec<Duration>,
    /// After [`Class::MemoryFull`]: only a safety net, RP-SMMA or a registration ends it at once.
    pub memory_full: Vec<Duration>,
    /// Each pause is longer or shorter by up to this share, so that what failed together is not repeated together.
    pub jitter_percent: u8,
}

impl Default for RetryTable {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 3600;
        let pauses = |seconds: &[u64]| seconds.iter().copied().map(Duration::from_secs).collect();
        Self {
            failed: pauses(&[30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR]),
            congestion: pauses(&[10, 30, MINUTE, 3 * MINUTE, 10 * MINUTE]),
            unknown: pauses(&[MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR]),
            no_answer: pauses(&[2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR]),
            absent: pauses(&[30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR]),
            memory_full: pauses(&[30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR]),
            jitter_percent: 10,
        }
    }
}

/// The pause of a class whose table is empty, and the least of any pause is a tenth of a second.
const PAUSE_IF_NONE: i64 = 60_000;
const LEAST: i64 = 100;

impl RetryTable {
    /// Milliseconds to wait after failure number `step` (0 is the first) in a row of `class`. `seed` scatters it;
    /// the same seed gives the same pause.
    pub(crate) fn pause(&self, class: Class, step: u32, seed: u64) -> i64 {
        let steps = match class {
            Class::Failed => &self.failed,
            Class::Congestion => &self.congestion,
            Class::Unknown => &self.unknown,
            Class::NoAnswer => &self.no_answer,
            Class::Absent => &self.absent,
            Class::MemoryFull => &self.memory_full,
        };
        let index = usize::try_from(step).unwrap_or(usize::MAX);
        let base = steps.get(index).or(steps.last()).map_or(PAUSE_IF_NONE, |pause| millis(*pause));
        let share = base / 100 * i64::from(self.jitter_percent.min(100));
        let width = u64::try_from(2 * share + 1).unwrap_or(1);
        let scatter = i64::try_from(mix(seed) % width).unwrap_or(0) - share;
        (base + scatter).max(LEAST)
    }
}

/// SplitMix64's finaliser: spreads neighbouring seeds over all 64 bits.
const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_follow_the_table_of_the_class_and_the_last_one_repeats() {
        let table = RetryTable { jitter_percent: 0, absent: Vec::new(), ..RetryTable::default() };
        for (class, step, seconds) in [
            (Class::Failed, 0, 30),
            (Class::Failed, 1, 120),
            (Class::Failed, 4, 3600),
            (Class::Failed, u32::MAX, 3600),
            (Class::Congestion, 0, 10),
            (Class::Unknown, 1, 300),
            (Class::NoAnswer, 0, 120),
            (Class::MemoryFull, 9, 6 * 3600),
            (Class::Absent, 3, 60),
        ] {
            assert_eq!(table.pause(class, step, 7), seconds * 1000, "{class:?} {step}");
        }
    }

    #[test]
    fn jitter_scatters_within_its_share_and_is_the_same_for_the_same_seed() {
        let table = RetryTable::default();
        let pauses: Vec<i64> = (0..200).map(|seed| table.pause(Class::Failed, 0, seed)).collect();
        assert!(pauses.iter().all(|p| (27_000..=33_000).contains(p)));
        assert!(pauses.iter().any(|p| *p < 28_500) && pauses.iter().any(|p| *p > 31_500));
        assert_eq!(pauses, (0..200).map(|seed| table.pause(Class::Failed, 0, seed)).collect::<Vec<_>>());
    }

    #[test]
    fn extreme_tables_neither_overflow_nor_spin() {
        let table = RetryTable {
            failed: vec![Duration::MAX],
            unknown: vec![Duration::ZERO],
            ..RetryTable::default()
        };
        assert!(table.pause(Class::Failed, 0, u64::MAX) > 0);
        assert_eq!(table.pause(Class::Unknown, 0, 1), LEAST);
    }
}
