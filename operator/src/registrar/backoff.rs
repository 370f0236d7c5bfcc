//! How long a backend is left alone after a round of calls that failed. Pure: time and chance come from the caller.

use std::time::Duration;

/// A backend that failed is asked at most this often, whatever is wanted meanwhile.
pub(super) const FLOOR: Duration = Duration::from_secs(1);

/// The longest wait, also for a backend that asks for more with `Retry-After`.
pub(super) const CEILING: Duration = Duration::from_secs(60);

/// Exponential, with full jitter: the n-th wait in a row lies anywhere between 1 s and 2ⁿ s, never above 60 s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure. `chance` is evenly distributed over all of `u64`.
    pub(super) fn failed(&mut self, chance: u64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let highest = 2u32.checked_pow(self.failures).map_or(CEILING, |times| (FLOOR * times).min(CEILING));
        FLOOR + (highest - FLOOR).mul_f64(chance as f64 / u64::MAX as f64)
    }

    /// The backend answers again, or something new is worth a try.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_waits_double_up_to_a_minute_and_start_again_after_a_success() {
        let mut backoff = Backoff::default();
        let mut waits = || (0..8).map(|_| backoff.failed(u64::MAX).as_secs()).collect::<Vec<_>>();
        assert_eq!(waits(), [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(waits(), [60; 8]);
        backoff.reset();
        assert_eq!(backoff.failed(u64::MAX), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn chance_spreads_a_wait_over_all_of_its_range(chance: u64, failures in 0u32..100) {
            let highest = Backoff { failures }.failed(u64::MAX);
            let wait = Backoff { failures }.failed(chance);
            prop_assert!(FLOOR <= wait && wait <= highest && highest <= CEILING);
            let share = (wait - FLOOR).as_secs_f64() / (highest - FLOOR).as_secs_f64();
            prop_assert!((share - chance as f64 / u64::MAX as f64).abs() < 1e-6);
        }
    }
}
