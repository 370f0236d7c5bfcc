//! Events of the resource: one for each transition that says something new, never for what merely goes on.
//!
//! `Ready` tells how the resource stands. `Reconciling` and `Stalled` repeat its reason, so `Reconciling` tells nothing
//! here, and `Stalled` only turns that one event into a warning.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{self, EventType, Recorder};
use smsc_crds::{Condition, ConditionStatus, ConditionType};
use tokio::sync::mpsc;

use crate::client::said;
use crate::status::{Because, Reason};

/// The most octets of a note that the API server takes (events.k8s.io/v1).
const NOTE: usize = 1024;
/// Transitions that wait to be published; more are only logged.
const QUEUED: usize = 4096;
/// The longest a pass waits for one event to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reasons for which a resource merely waits.
const WAITING: [Reason; 5] =
    [Reason::RollingOut, Reason::QueueMoving, Reason::Paused, Reason::AddressPending, Reason::Deregistering];

/// What is told of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whether somebody should look.
    pub warning: bool,
    /// The word of [`Reason`].
    pub reason: String,
    /// What the operator was doing.
    pub action: &'static str,
    /// The sentence, of at most 1024 octets.
    pub note: String,
}

/// Two statuses of one resource, one after the other.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The resource.
    pub reference: ObjectReference,
    /// The conditions there were.
    pub before: Vec<Condition>,
    /// The conditions there are.
    pub after: Vec<Condition>,
}

/// Publishes what changes, beside the passes: events hold none of them up.
#[derive(Debug, Clone)]
pub struct Transitions(mpsc::Sender<Transition>);

impl Transitions {
    /// Begins to publish; ends when nobody can tell any more.
    #[must_use]
    pub fn publish(recorder: Recorder) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Transition>(QUEUED);
        tokio::spawn(async move {
            while let Some(Transition { reference, before, after }) = receiver.recv().await {
                for event in told(&before, &after) {
                    publish(&recorder, &reference, event).await;
                }
            }
        });
        Self(sender)
    }

    /// Has what changed published, in order. When too much waits, it is logged instead.
    pub fn tell(&self, transition: Transition) {
        if let Err(
            mpsc::error::TrySendError::Full(transition) | mpsc::error::TrySendError::Closed(transition),
        ) = self.0.try_send(transition)
        {
            let Transition { reference, .. } = transition;
            let (namespace, name) = (reference.namespace, reference.name);
            tracing::warn!(namespace, name, "too many events wait; those of one transition are left out");
        }
    }
}

/// Publishes one event that is no condition's. What cannot be published is logged.
pub async fn tell(recorder: &Recorder, reference: &ObjectReference, because: &Because, warning: bool) {
    let Because { reason, message } = because;
    let event = Event {
        warning,
        reason: reason.as_str().to_owned(),
        action: "Reconcile",
        note: cut(message.clone()),
    };
    publish(recorder, reference, event).await;
}

/// What is to be told of conditions that were `before` and are `after`.
#[must_use]
pub fn told(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    changed(before, after).filter_map(|(old, condition)| transition(old, after, condition)).collect()
}

/// Each condition whose status or reason is another than `before`, beside what it was: what events and the log tell.
pub fn changed<'a>(
    before: &'a [Condition],
    after: &'a [Condition],
) -> impl Iterator<Item = (Option<&'a Condition>, &'a Condition)> {
    after.iter().filter_map(|condition| {
        let old = before.iter().find(|old| old.kind == condition.kind);
        let same = old.is_some_and(|old| old.status == condition.status && old.reason == condition.reason);
        (!same).then_some((old, condition))
    })
}

fn transition(old: Option<&Condition>, after: &[Condition], condition: &Condition) -> Option<Event> {
    let of = |kind| after.iter().find(move |condition| condition.kind == kind);
    let stalled = of(ConditionType::Stalled).is_some_and(|stalled| stalled.status == ConditionStatus::True);
    let (warning, action) = match (condition.kind, condition.status) {
        (ConditionType::Ready, ConditionStatus::True) => (false, "Reconcile"),
        (ConditionType::Ready, ConditionStatus::False) => (stalled || !waits(condition), "Reconcile"),
        // Stalled without Ready beside it has nobody else to tell of it.
        (ConditionType::Stalled, ConditionStatus::True) if of(ConditionType::Ready).is_none() => {
            (true, "Reconcile")
        }
        (ConditionType::BackendRegistered, ConditionStatus::True) => (false, "Register"),
        (ConditionType::BackendRegistered, ConditionStatus::False) => (true, "Register"),
        // An address that needed no waiting is no news.
        (ConditionType::AddressResolved, ConditionStatus::True) if old.is_some() => (false, "ResolveAddress"),
        (ConditionType::AddressResolved, ConditionStatus::False) => (!waits(condition), "ResolveAddress"),
        (
            ConditionType::Ready
            | ConditionType::Reconciling
            | ConditionType::Stalled
            | ConditionType::BackendRegistered
            | ConditionType::AddressResolved,
            _,
        ) => return None,
    };
    let note = cut(condition.message.clone());
    Some(Event { warning, reason: condition.reason.clone(), action, note })
}

fn waits(condition: &Condition) -> bool {
    WAITING.iter().any(|reason| reason.as_str() == condition.reason)
}

/// Cuts a note at a character, so that the API server takes it.
fn cut(mut note: String) -> String {
    const MORE: &str = "...";
    if note.len() > NOTE {
        let end = note.floor_char_boundary(NOTE - MORE.len());
        note.truncate(end);
        note.push_str(MORE);
    }
    note
}

async fn publish(recorder: &Recorder, reference: &ObjectReference, event: Event) {
    let Event { warning, reason, action, note } = event;
    let name = reference.name.as_deref().unwrap_or_default();
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    let event = events::Event {
        type_: if warning { EventType::Warning } else { EventType::Normal },
        reason,
        note: Some(note),
        action: action.to_owned(),
        secondary: None,
    };
    let reason = &event.reason;
    match tokio::time::timeout(PATIENCE, recorder.publish(&event, reference)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(namespace, name, reason, error = said(&error), "an event was not published");
        }
        Err(_) => tracing::warn!(namespace, name, reason, "an event was not published in time"),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use smsc_crds::ConditionStatus::{False, True, Unknown};
    use smsc_crds::ConditionType::{AddressResolved, BackendRegistered, Ready, Reconciling, Stalled};

    use super::*;

    type Shape = (ConditionType, ConditionStatus, Reason);
    /// What happens, the conditions before and after it, and what is told.
    type Case<'a> = (&'a str, &'a [Shape], &'a [Shape], &'a [&'a str]);

    fn conditions(shapes: &[Shape]) -> Vec<Condition> {
        shapes
            .iter()
            .map(|(kind, status, reason)| Condition {
                kind: *kind,
                status: *status,
                observed_generation: Some(1),
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
                reason: reason.as_str().to_owned(),
                message: format!("{kind:?} is {status:?}"),
            })
            .collect()
    }

    /// One line for each event, as `kubectl` would show it.
    fn lines(before: &[Shape], after: &[Shape]) -> Vec<String> {
        let events = told(&conditions(before), &conditions(after));
        events
            .into_iter()
            .map(|Event { warning, reason, action, note }| {
                let kind = if warning { "Warning" } else { "Normal" };
                format!("{kind} {reason} {action}: {note}")
            })
            .collect()
    }

    const NEW: [Shape; 5] = [
        (Ready, False, Reason::RollingOut),
        (Reconciling, True, Reason::RollingOut),
        (Stalled, False, Reason::AsSpecified),
        (BackendRegistered, Unknown, Reason::NothingToRegister),
        (AddressResolved, False, Reason::AddressPending),
    ];
    const FINE: [Shape; 5] = [
        (Ready, True, Reason::AsSpecified),
        (Reconciling, False, Reason::AsSpecified),
        (Stalled, False, Reason::AsSpecified),
        (BackendRegistered, True, Reason::Registered),
        (AddressResolved, True, Reason::AsSpecified),
    ];
    const STUCK: [Shape; 5] = [
        (Ready, False, Reason::LocationConflict),
        (Reconciling, False, Reason::LocationConflict),
        (Stalled, True, Reason::LocationConflict),
        (BackendRegistered, False, Reason::BackendDenied),
        (AddressResolved, True, Reason::AsSpecified),
    ];

    #[test]
    fn each_transition_is_told_once_and_as_what_it_means() {
        let table: [Case<'_>; 9] = [
            (
                "a new resource starts to roll out",
                &[],
                &NEW,
                &[
                    "Normal RollingOut Reconcile: Ready is False",
                    "Normal AddressPending ResolveAddress: AddressResolved is False",
                ],
            ),
            (
                "it comes up",
                &NEW,
                &FINE,
                &[
                    "Normal AsSpecified Reconcile: Ready is True",
                    "Normal Registered Register: BackendRegistered is True",
                    "Normal AsSpecified ResolveAddress: AddressResolved is True",
                ],
            ),
            ("nothing changes", &FINE, &FINE, &[]),
            (
                "it stalls, and the backend refuses",
                &FINE,
                &STUCK,
                &[
                    "Warning LocationConflict Reconcile: Ready is False",
                    "Warning BackendDenied Register: BackendRegistered is False",
                ],
            ),
            (
                "a new one that stalls at once; its address needs no waiting",
                &[],
                &STUCK,
                &[
                    "Warning LocationConflict Reconcile: Ready is False",
                    "Warning BackendDenied Register: BackendRegistered is False",
                ],
            ),
            (
                "the same status and reason say nothing, a new reason does",
                &[(Ready, False, Reason::RollingOut), (BackendRegistered, False, Reason::BackendUnreachable)],
                &[(Ready, False, Reason::RollingOut), (BackendRegistered, False, Reason::BackendError)],
                &["Warning BackendError Register: BackendRegistered is False"],
            ),
            (
                "a write that is refused is no mere waiting",
                &FINE,
                &[(Ready, False, Reason::ApplyFailed), (Stalled, False, Reason::AsSpecified)],
                &["Warning ApplyFailed Reconcile: Ready is False"],
            ),
            (
                "it goes",
                &FINE,
                &[(Ready, False, Reason::Deregistering), (Reconciling, True, Reason::Deregistering)],
                &["Normal Deregistering Reconcile: Ready is False"],
            ),
            (
                "stalled alone",
                &[],
                &[(Stalled, True, Reason::InvalidSpec)],
                &["Warning InvalidSpec Reconcile: Stalled is True"],
            ),
        ];
        for (what, before, after, expected) in table {
            assert_eq!(lines(before, after), expected, "{what}");
        }
    }

    #[test]
    fn a_long_note_is_cut_at_a_character() {
        let mut condition = conditions(&FINE[..1]);
        condition[0].message = "é".repeat(600);
        let events = told(&[], &condition);
        assert_eq!(events[0].note, format!("{}...", "é".repeat(510)));
        condition[0].message = "x".repeat(1024);
        assert_eq!(told(&[], &condition)[0].note, "x".repeat(1024));
    }
}
