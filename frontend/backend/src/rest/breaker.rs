//! A circuit breaker: after enough failures in a row the backend is left alone for a while.
//!
//! A pure state machine: the caller passes `now` and reports what each admitted request came to.
//!
//! ```text
//! Closed --N failures in a row--> Open --time is up--> HalfOpen --success--> Closed
//!                                  ^------- failure, for twice as long -----'
//! ```

use std::time::{Duration, Instant};

/// When the breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row (no connection, no answer, 5xx) that open it; 0 switches the breaker off.
    pub failures: u32,
    /// How long it stays open the first time.
    pub open: Duration,
    /// The length doubles with each failed probe up to this. Keep it well below the 25 s for which an
    /// `insert_message` is repeated, so that a backend that is back is found in time.
    pub max_open: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 5, open: Duration::from_secs(1), max_open: Duration::from_secs(4) }
    }
}

/// What the breaker does with requests just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Lets every request through.
    Closed,
    /// Refuses every request.
    Open,
    /// One request, the probe, is under way and decides; others are refused.
    HalfOpen,
}

impl BreakerState {
    /// The label used in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Leave to send one request; handed back with its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Permit {
    generation: u64,
}

/// What an admitted request came to, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The backend answered; whatever it said, it is alive.
    Answered,
    /// No connection, no answer in time, or 5xx.
    Failed,
    /// Given up by the caller before there was an outcome.
    Abandoned,
}

enum State {
    Closed { failures: u32 },
    Open { until: Instant, length: Duration },
    HalfOpen { length: Duration },
}

/// The state machine.
pub(super) struct Breaker {
    config: BreakerConfig,
    state: State,
    /// Grows with every change of state: outcomes of requests admitted before it say nothing about now.
    generation: u64,
}

impl Breaker {
    pub(super) const fn new(config: BreakerConfig) -> Self {
        Self { config, state: State::Closed { failures: 0 }, generation: 0 }
    }

    pub(super) const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Asks leave to send. `Err` says after how long asking again makes sense.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Permit, Duration> {
        match self.state {
            State::Closed { .. } => {}
            State::Open { until, .. } if now < until => return Err(until - now),
            State::Open { length, .. } => self.change(State::HalfOpen { length }),
            State::HalfOpen { length } => return Err(length),
        }
        Ok(Permit { generation: self.generation })
    }

    /// Takes a permit back. Returns the new state if this changed it.
    pub(super) fn record(&mut self, now: Instant, permit: Permit, outcome: Outcome) -> Option<BreakerState> {
        if permit.generation != self.generation {
            return None;
        }
        let next = match (&mut self.state, outcome) {
            (State::Closed { failures }, Outcome::Answered) => {
                *failures = 0;
                return None;
            }
            (State::Closed { .. }, Outcome::Abandoned) => return None,
            (State::Closed { failures }, Outcome::Failed) => {
                *failures = failures.saturating_add(1);
                if self.config.failures == 0 || *failures < self.config.failures {
                    return None;
                }
                State::Open { until: now + self.config.open, length: self.config.open }
            }
            (State::HalfOpen { .. }, Outcome::Answered) => State::Closed { failures: 0 },
            (State::HalfOpen { length }, Outcome::Failed) => {
                let length = length.saturating_mul(2).min(self.config.max_open);
                State::Open { until: now + length, length }
            }
            // Nothing was learnt: the next request is the probe.
            (State::HalfOpen { length }, Outcome::Abandoned) => State::Open { until: now, length: *length },
            // An open breaker hands out no permits of its generation.
            (State::Open { .. }, _) => return None,
        };
        self.change(next);
        Some(self.state())
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig =
        BreakerConfig { failures: 3, open: Duration::from_secs(1), max_open: Duration::from_secs(3) };

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A breaker that three failures at `now` have opened.
    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(CONFIG);
        for _ in 0..3 {
            let permit = breaker.admit(now).unwrap();
            breaker.record(now, permit, Outcome::Failed);
        }
        breaker
    }

    #[test]
    fn opens_at_the_third_failure_in_a_row_and_not_before() {
        let now = Instant::now();
        let mut breaker = Breaker::new(CONFIG);
        let outcomes = [
            Outcome::Failed,
            Outcome::Failed,
            Outcome::Answered,
            Outcome::Failed,
            Outcome::Abandoned,
            Outcome::Failed,
            Outcome::Failed,
        ];
        let changes = outcomes.map(|outcome| {
            let permit = breaker.admit(now).unwrap();
            breaker.record(now, permit, outcome)
        });
        assert_eq!(changes, [None, None, None, None, None, None, Some(BreakerState::Open)]);
        assert_eq!(breaker.admit(now + millis(400)), Err(millis(600)));
    }

    #[test]
    fn one_probe_after_the_time_is_up_closes_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + millis(1000);
        let probe = breaker.admit(later).unwrap();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert_eq!(breaker.admit(later), Err(millis(1000)));
        assert_eq!(breaker.record(later, probe, Outcome::Answered), Some(BreakerState::Closed));
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn failed_probes_double_the_time_up_to_the_cap() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        now += millis(1000);
        for expected in [2000, 3000, 3000] {
            let probe = breaker.admit(now).unwrap();
            assert_eq!(breaker.record(now, probe, Outcome::Failed), Some(BreakerState::Open));
            assert_eq!(breaker.admit(now), Err(millis(expected)));
            now += millis(expected);
        }
    }

    #[test]
    fn an_abandoned_probe_leaves_the_probe_to_the_next() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + millis(1000);
        let probe = breaker.admit(later).unwrap();
        assert_eq!(breaker.record(later, probe, Outcome::Abandoned), Some(BreakerState::Open));
        let probe = breaker.admit(later).unwrap();
        assert_eq!(breaker.record(later, probe, Outcome::Answered), Some(BreakerState::Closed));
    }

    #[test]
    fn outcomes_of_requests_from_before_a_change_are_ignored() {
        let now = Instant::now();
        let mut breaker = Breaker::new(CONFIG);
        let early = breaker.admit(now).unwrap();
        for _ in 0..3 {
            let permit = breaker.admit(now).unwrap();
            breaker.record(now, permit, Outcome::Failed);
        }
        assert_eq!(breaker.record(now, early, Outcome::Answered), None);
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker.admit(now + millis(1000)).unwrap();
        assert_eq!(breaker.record(now, early, Outcome::Failed), None);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn zero_failures_switches_it_off() {
        let now = Instant::now();
        let mut breaker = Breaker::new(BreakerConfig { failures: 0, ..CONFIG });
        for _ in 0..100 {
            let permit = breaker.admit(now).unwrap();
            assert_eq!(breaker.record(now, permit, Outcome::Failed), None);
        }
    }
}
