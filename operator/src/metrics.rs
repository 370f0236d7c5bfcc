//! What `/metrics` shows of the operator. Names and labels are API: dashboards and rules are written against them.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use smsc_crds::{ConditionStatus, ConditionType};

/// Upper bounds of reconcile durations, in seconds.
const DURATIONS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The `code` of a request that was not answered.
pub const NO_ANSWER: u16 = 0;

/// The operator's metrics; one of them for a process, shared.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    durations: Histogram,
    reconciles: Family<OutcomeLabel, Counter>,
    registrations: Family<RegistrationLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    leader: Gauge,
    resources: Family<ConditionLabels, Gauge>,
    answered: AtomicBool,
    counted: AtomicBool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RegistrationLabels {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    condition: &'static str,
    status: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("smsc_operator");
        let durations = Histogram::new(DURATIONS);
        registry.register(
            "reconcile_duration_seconds",
            "How long one pass over a resource took",
            durations.clone(),
        );
        let reconciles = Family::default();
        registry.register("reconciles", "Passes over a resource, by what came of them", reconciles.clone());
        let registrations = Family::default();
        registry.register(
            "registrations",
            "Calls to backends about a location, by what came of them",
            registrations.clone(),
        );
        let requests = Family::default();
        registry.register(
            "api_requests",
            "Requests to the API server, by verb and HTTP status; 0 where nothing answered",
            requests.clone(),
        );
        let leader = Gauge::default();
        registry.register("leader", "1 while this operator holds the lease", leader.clone());
        let resources = Family::default();
        registry.register(
            "resources",
            "SmscFrontend resources, by condition and its status; the leader alone counts them",
            resources.clone(),
        );
        Self {
            registry,
            durations,
            reconciles,
            registrations,
            requests,
            leader,
            resources,
            answered: AtomicBool::new(false),
            counted: AtomicBool::new(false),
        }
    }

    /// One pass over a resource ended so and took so long.
    pub fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.durations.observe(took.as_secs_f64());
        self.reconciles.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// One call to a backend about a location, such as `register`, ended so.
    pub fn registration(&self, operation: &'static str, outcome: &'static str) {
        self.registrations.get_or_create(&RegistrationLabels { operation, outcome }).inc();
    }

    /// One request to the API server, such as `list`, was answered with an HTTP status, or [`NO_ANSWER`].
    pub fn api_request(&self, verb: &'static str, code: u16) {
        self.requests.get_or_create(&RequestLabels { verb, code }).inc();
        if code != NO_ANSWER {
            self.answered.store(true, Ordering::Release);
        }
    }

    /// Whether the API server has ever answered.
    #[must_use]
    pub fn api_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    /// Whether this operator holds the lease.
    pub fn leader(&self, holds: bool) {
        self.leader.set(i64::from(holds));
    }

    /// Whether this operator holds the lease.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leader.get() == 1
    }

    /// How many resources there are by the status of each condition: every watched resource adds one for each of its
    /// conditions. What is not counted here has none.
    ///
    /// Called only once the caches are filled; until then a leader is not ready ([`Self::resources_counted`]).
    pub fn resources(&self, conditions: impl IntoIterator<Item = (ConditionType, ConditionStatus)>) {
        let mut counts = [[0_i64; STATUSES.len()]; CONDITIONS.len()];
        for (condition, status) in conditions {
            counts[condition_row(condition)][status_column(status)] += 1;
        }
        for (row, condition) in counts.iter().zip(CONDITIONS) {
            for (count, status) in row.iter().zip(STATUSES) {
                self.resources.get_or_create(&ConditionLabels { condition, status }).set(*count);
            }
        }
        self.counted.store(true, Ordering::Release);
    }

    /// Whether resources were counted, so that the caches are filled.
    #[must_use]
    pub fn resources_counted(&self) -> bool {
        self.counted.load(Ordering::Acquire)
    }

    /// All of them as OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("text can be written to a String");
        text
    }
}

const CONDITIONS: [&str; 5] = ["Ready", "Reconciling", "Stalled", "BackendRegistered", "AddressResolved"];
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// The place in [`CONDITIONS`].
const fn condition_row(condition: ConditionType) -> usize {
    match condition {
        ConditionType::Ready => 0,
        ConditionType::Reconciling => 1,
        ConditionType::Stalled => 2,
        ConditionType::BackendRegistered => 3,
        ConditionType::AddressResolved => 4,
    }
}

/// The place in [`STATUSES`].
const fn status_column(status: ConditionStatus) -> usize {
    match status {
        ConditionStatus::True => 0,
        ConditionStatus::False => 1,
        ConditionStatus::Unknown => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: &str = include_str!("../tests/metrics/fresh.txt");
    const USED: &str = include_str!("../tests/metrics/used.txt");

    #[test]
    fn a_fresh_operator_has_done_nothing_and_leads_nobody() {
        assert_eq!(Metrics::new().encode(), FRESH);
    }

    #[test]
    fn each_thing_that_happens_is_shown_under_its_labels() {
        let metrics = Metrics::new();
        metrics.reconciled("applied", Duration::from_millis(20));
        metrics.reconciled("applied", Duration::from_secs(40));
        metrics.registration("register", "BackendUnreachable");
        metrics.api_request("patch", 409);
        metrics.leader(true);
        assert!(!metrics.resources_counted());
        let two = [(ConditionType::Ready, ConditionStatus::True); 2];
        metrics.resources(two);
        metrics.resources([(ConditionType::Stalled, ConditionStatus::Unknown)]);
        assert!(metrics.resources_counted());
        // The order of a family's rows is not fixed.
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&metrics.encode()), sorted(USED));
    }

    #[test]
    fn the_words_are_those_of_the_resource() {
        let word = |value: serde_json::Value| value.as_str().map(str::to_owned);
        for condition in [
            ConditionType::Ready,
            ConditionType::Reconciling,
            ConditionType::Stalled,
            ConditionType::BackendRegistered,
            ConditionType::AddressResolved,
        ] {
            let written = word(serde_json::to_value(condition).unwrap());
            assert_eq!(written.as_deref(), Some(CONDITIONS[condition_row(condition)]));
        }
        for status in [ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown] {
            let written = word(serde_json::to_value(status).unwrap());
            assert_eq!(written.as_deref(), Some(STATUSES[status_column(status)]));
        }
    }
}
