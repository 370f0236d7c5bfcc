//! Last step, pure: what is true of the resource, from what was asked, applied and answered (design §9).
//!
//! Nothing in a status moves by itself, and a transition time moves only when a condition's status does.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use smsc_crds::{
    Condition, ConditionStatus, ConditionType, Location, LocationState, Rollout, SmscFrontend,
    SmscFrontendStatus,
};

use crate::names::selector_text;

/// Why a condition is what it is; the same words are reasons of events and labels of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Everything is as asked.
    AsSpecified,
    /// Pods are starting, stopping or being replaced.
    RollingOut,
    /// A queue moves from one pod to another first.
    QueueMoving,
    /// A frontend would refuse the configuration.
    InvalidSpec,
    /// Another resource has the location already.
    LocationConflict,
    /// A field of an owned object cannot be changed.
    ImmutableField,
    /// The API server refused a write.
    ApplyFailed,
    /// Nothing is written, as the specification asks.
    Paused,
    /// The load balancer has no address yet.
    AddressPending,
    /// The backend has every location of a Ready pod.
    Registered,
    /// No pod is Ready yet, so there is nothing to register.
    NothingToRegister,
    /// A pod is Ready and its location is on its way to the backend.
    Registering,
    /// The backend was not reached or did not answer in time.
    BackendUnreachable,
    /// The backend refused: a token or certificate is missing or wrong.
    BackendDenied,
    /// The backend answered with an error.
    BackendError,
    /// The operator may not read what the backend needs.
    SecretUnreadable,
    /// The operator may not make the Secret that holds the relay key.
    RelayKeyDenied,
    /// The resource is going, and its locations are taken from the backend first.
    Deregistering,
    /// The resource went although the backend did not let its locations go.
    DeregistrationAbandoned,
}

impl Reason {
    /// The word, as `kubectl` shows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsSpecified => "AsSpecified",
            Self::RollingOut => "RollingOut",
            Self::QueueMoving => "QueueMoving",
            Self::InvalidSpec => "InvalidSpec",
            Self::LocationConflict => "LocationConflict",
            Self::ImmutableField => "ImmutableField",
            Self::ApplyFailed => "ApplyFailed",
            Self::Paused => "Paused",
            Self::AddressPending => "AddressPending",
            Self::Registered => "Registered",
            Self::NothingToRegister => "NothingToRegister",
            Self::Registering => "Registering",
            Self::BackendUnreachable => "BackendUnreachable",
            Self::BackendDenied => "BackendDenied",
            Self::BackendError => "BackendError",
            Self::SecretUnreadable => "SecretUnreadable",
            Self::RelayKeyDenied => "RelayKeyDenied",
            Self::Deregistering => "Deregistering",
            Self::DeregistrationAbandoned => "DeregistrationAbandoned",
        }
    }
}

/// A reason in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// The word.
    pub reason: Reason,
    /// The sentence.
    pub message: String,
}

impl Because {
    /// A reason and its sentence.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// What one pass found.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Why nothing can be built or applied without a change by somebody.
    pub stalled: Option<Because>,
    /// Why nothing was written for now.
    pub held: Option<Because>,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that are Ready.
    pub ready: i32,
    /// Pods that are Ready and have the newest template.
    pub up_to_date: i32,
    /// Pods that may run now; fewer than asked for while a queue moves.
    pub startable: i32,
    /// Why the address is not known; absent: it is, or none is needed.
    pub address_pending: Option<Because>,
    /// Where the core reaches the frontends.
    pub address: Option<String>,
    /// Every location, whoever polls it.
    pub locations: Vec<Location>,
    /// What the backend last said of a location that it does not have.
    pub backend: Option<Because>,
    /// The last change that restarted pods, if there was one.
    pub rollout: Option<Rollout>,
}

/// The status to write. `now` stamps conditions whose status changed.
#[must_use]
pub fn status(resource: &SmscFrontend, facts: &Facts, now: Time) -> SmscFrontendStatus {
    let old = resource.status.clone().unwrap_or_default();
    let asked = resource.spec.replicas;
    let complete = facts.startable >= asked
        && facts.replicas == asked
        && facts.ready == asked
        && facts.up_to_date == asked;
    let waiting = waiting(facts, asked, complete);
    let stalled = facts.stalled.as_ref();
    let ready = stalled.or(waiting.as_ref());
    let fine = Because::new(Reason::AsSpecified, "the cluster is as the specification asks");
    let registered = backend(facts);
    let address = facts.address_pending.clone().map_or_else(
        || {
            (
                ConditionStatus::True,
                Because::new(Reason::AsSpecified, "the address for Via and Contact is known"),
            )
        },
        |pending| (ConditionStatus::False, pending),
    );
    let truth = |holds: bool| if holds { ConditionStatus::True } else { ConditionStatus::False };
    let found = [
        (ConditionType::Ready, truth(ready.is_none()), ready.unwrap_or(&fine).clone()),
        (
            ConditionType::Reconciling,
            truth(stalled.is_none() && waiting.is_some()),
            stalled.or(waiting.as_ref()).unwrap_or(&fine).clone(),
        ),
        (ConditionType::Stalled, truth(stalled.is_some()), stalled.unwrap_or(&fine).clone()),
        (ConditionType::BackendRegistered, registered.0, registered.1),
        (ConditionType::AddressResolved, address.0, address.1),
    ];
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    SmscFrontendStatus {
        observed_generation: resource.metadata.generation,
        replicas: facts.replicas,
        ready_replicas: facts.ready,
        selector: Some(selector_text(name)),
        address: facts.address.clone(),
        backend: match stalled {
            // Whatever still runs was made for the backend of before.
            Some(because) if because.reason == Reason::LocationConflict => old.backend,
            _ => (!facts.locations.is_empty()).then(|| resource.spec.backend.api_base_url.clone()),
        },
        locations: facts.locations.clone(),
        rollout: facts.rollout.clone().or(old.rollout),
        conditions: found
            .into_iter()
            .map(|(kind, status, because)| {
                let before = old.conditions.iter().find(|condition| condition.kind == kind);
                let since = before.filter(|condition| condition.status == status);
                Condition {
                    kind,
                    status,
                    observed_generation: resource.metadata.generation,
                    last_transition_time: since
                        .map_or_else(|| now.clone(), |same| same.last_transition_time.clone()),
                    reason: because.reason.as_str().to_owned(),
                    message: because.message,
                }
            })
            .collect(),
    }
}

/// What the resource waits for, if anything.
fn waiting(facts: &Facts, asked: i32, complete: bool) -> Option<Because> {
    if let Some(held) = &facts.held {
        return Some(held.clone());
    }
    if facts.startable < asked {
        let message =
            format!("{} of {asked} pods may start; a queue moves to its own pod first", facts.startable);
        return Some(Because::new(Reason::QueueMoving, message));
    }
    (!complete).then(|| {
        let message = format!(
            "{} of {asked} pods Ready, {} up to date, {} there",
            facts.ready, facts.up_to_date, facts.replicas
        );
        Because::new(Reason::RollingOut, message)
    })
}

fn backend(facts: &Facts) -> (ConditionStatus, Because) {
    if let Some(because) = &facts.backend {
        return (ConditionStatus::False, because.clone());
    }
    let registered =
        facts.locations.iter().filter(|location| location.state != LocationState::Pending).count();
    if registered == 0 {
        return (
            ConditionStatus::Unknown,
            Because::new(
                Reason::NothingToRegister,
                "no location is registered yet: a pod registers once it is Ready",
            ),
        );
    }
    let own = facts.locations.iter().filter(|location| location.state == LocationState::Registered).count();
    let ready = usize::try_from(facts.ready).unwrap_or(0);
    if own < ready {
        let message = format!("the backend has the locations of {own} of {ready} Ready pods");
        return (ConditionStatus::Unknown, Because::new(Reason::Registering, message));
    }
    let message = match registered {
        1 => "the backend has 1 location".to_owned(),
        many => format!("the backend has {many} locations"),
    };
    (ConditionStatus::True, Because::new(Reason::Registered, message))
}
