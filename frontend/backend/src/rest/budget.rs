//! How often a request may be repeated: a budget for all of them together, and jittered pauses.
//!
//! A backend in trouble must not get a multiple of its load because every caller tries again at once.

use std::time::{Duration, Instant};

/// When requests are repeated inside one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryConfig {
    /// Repeats of one operation at most; 0 switches repeats off.
    pub repeats: u32,
    /// Repeats allowed per hundred requests.
    pub percent: u32,
    /// Repeats allowed per second whatever the rate of requests.
    pub per_second: u32,
    /// Repeats that may be saved up.
    pub burst: u32,
    /// The pause before the first repeat, doubled for each further one, jittered by half either way.
    pub pause: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { repeats: 2, percent: 10, per_second: 1, burst: 10, pause: Duration::from_millis(50) }
    }
}

/// A token bucket of repeats, counted in thousandths.
pub(super) struct Budget {
    config: RetryConfig,
    millis: u64,
    filled: Instant,
}

impl Budget {
    pub(super) fn new(config: RetryConfig, now: Instant) -> Self {
        Self { config, millis: u64::from(config.burst) * 1000, filled: now }
    }

    /// A first request was made: it pays in its share.
    pub(super) fn deposit(&mut self) {
        self.add(u64::from(self.config.percent) * 10);
    }

    /// Takes one repeat out. False: there is none.
    pub(super) fn withdraw(&mut self, now: Instant) -> bool {
        // One repeat per second is one thousandth per millisecond.
        let elapsed =
            u64::try_from(now.saturating_duration_since(self.filled).as_millis()).unwrap_or(u64::MAX);
        if elapsed > 0 {
            self.filled = now;
            self.add(elapsed.saturating_mul(u64::from(self.config.per_second)));
        }
        let enough = self.millis >= 1000;
        if enough {
            self.millis -= 1000;
        }
        enough
    }

    fn add(&mut self, millis: u64) {
        self.millis = self.millis.saturating_add(millis).min(u64::from(self.config.burst) * 1000);
    }
}

/// The pause before repeat number `repeat` (0 is the first), scattered by `random` over 50 % to 150 %.
pub(super) fn pause(base: Duration, repeat: u32, random: u64) -> Duration {
    let base = base.saturating_mul(1 << repeat.min(16));
    let percent = 50 + u32::try_from(random % 101).unwrap_or(0);
    base.saturating_mul(percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: RetryConfig =
        RetryConfig { repeats: 2, percent: 10, per_second: 1, burst: 3, pause: Duration::from_millis(50) };

    #[test]
    fn the_burst_is_spent_then_a_tenth_of_the_requests_may_be_repeated() {
        let now = Instant::now();
        let mut budget = Budget::new(CONFIG, now);
        let granted = |budget: &mut Budget| (0..100).filter(|_| budget.withdraw(now)).count();
        assert_eq!(granted(&mut budget), 3);
        for _ in 0..20 {
            budget.deposit();
        }
        assert_eq!(granted(&mut budget), 2);
    }

    #[test]
    fn time_fills_it_at_the_configured_rate_and_never_above_the_burst() {
        let now = Instant::now();
        let mut budget = Budget::new(CONFIG, now);
        while budget.withdraw(now) {}
        assert!(!budget.withdraw(now + Duration::from_millis(999)));
        assert!(budget.withdraw(now + Duration::from_millis(1000)));
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| budget.withdraw(later)).count(), 3);
    }

    #[test]
    fn pauses_double_and_scatter_by_half_either_way() {
        let base = Duration::from_millis(100);
        assert_eq!([0, 50, 100].map(|random| pause(base, 0, random).as_millis()), [50, 100, 150]);
        assert_eq!([0, 50, 100].map(|random| pause(base, 2, random).as_millis()), [200, 400, 600]);
        assert!(pause(base, u32::MAX, 100) < Duration::from_secs(10_000));
    }
}
