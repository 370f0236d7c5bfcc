//! What the status says of what was found, as whole objects.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;
use smsc_crds::{
    Condition, ConditionStatus, ConditionType, Location, LocationState, SmscFrontend, SmscFrontendStatus,
};
use smsc_operator::status::{Because, Facts, Reason, status};

const LOCATION: &str = "smsc01.mnc001.mcc001.3gppnetwork.org";

fn resource(status: Option<SmscFrontendStatus>) -> SmscFrontend {
    let mut resource: SmscFrontend = serde_json::from_value(json!({
        "apiVersion": "smsc.ims.dev/v1alpha1",
        "kind": "SmscFrontend",
        "metadata": {"name": "home", "namespace": "ims", "generation": 3},
        "spec": {
            "imsDomain": "ims.mnc001.mcc001.3gppnetwork.org",
            "location": LOCATION,
            "backend": {"apiBaseURL": "https://10.5.198.200:8443"}
        }
    }))
    .expect("the fixture is of the right shape");
    resource.status = status;
    resource
}

/// Seconds after an arbitrary beginning.
fn at(seconds: i64) -> Time {
    serde_json::from_value(json!(format!("2026-11-21T12:{:02}:{:02}Z", seconds / 60, seconds % 60)))
        .expect("a time")
}

fn running() -> Facts {
    Facts {
        replicas: 1,
        ready: 1,
        up_to_date: 1,
        startable: 1,
        address: Some("192.0.2.10:5060".to_owned()),
        locations: vec![Location {
            name: LOCATION.to_owned(),
            ordinal: 0,
            state: LocationState::Registered,
            polled_by: Some(0),
            leaving: None,
            orphaned_since: None,
            orphaned_until: None,
        }],
        ..Facts::default()
    }
}

/// Type, status and reason of each condition.
fn told(status: &SmscFrontendStatus) -> Vec<(ConditionType, ConditionStatus, &str)> {
    status
        .conditions
        .iter()
        .map(|condition| (condition.kind, condition.status, condition.reason.as_str()))
        .collect()
}

#[test]
fn a_resource_that_runs_as_asked_is_ready_and_says_where() {
    let condition = |kind, status, reason: &str, message: &str| Condition {
        kind,
        status,
        observed_generation: Some(3),
        last_transition_time: at(0),
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    let fine = "the cluster is as the specification asks";
    let expected = SmscFrontendStatus {
        observed_generation: Some(3),
        replicas: 1,
        ready_replicas: 1,
        selector: Some(
            "app.kubernetes.io/component=sip,app.kubernetes.io/instance=home,app.kubernetes.io/name=smsc-frontend"
                .to_owned(),
        ),
        address: Some("192.0.2.10:5060".to_owned()),
        backend: Some("https://10.5.198.200:8443".to_owned()),
        locations: running().locations,
        rollout: None,
        conditions: vec![
            condition(ConditionType::Ready, ConditionStatus::True, "AsSpecified", fine),
            condition(ConditionType::Reconciling, ConditionStatus::False, "AsSpecified", fine),
            condition(ConditionType::Stalled, ConditionStatus::False, "AsSpecified", fine),
            condition(
                ConditionType::BackendRegistered,
                ConditionStatus::True,
                "Registered",
                "the backend has 1 location",
            ),
            condition(
                ConditionType::AddressResolved,
                ConditionStatus::True,
                "AsSpecified",
                "the address for Via and Contact is known",
            ),
        ],
    };
    assert_eq!(status(&resource(None), &running(), at(0)), expected);
}

#[test]
fn the_backend_has_every_location_only_when_no_ready_pod_waits_for_its_own() {
    let two = Facts { replicas: 2, ready: 2, up_to_date: 2, startable: 2, ..running() };
    let later = status(&resource(None), &two, at(0));
    let condition =
        later.conditions.into_iter().find(|condition| condition.kind == ConditionType::BackendRegistered);
    let told = condition.map(|condition| (condition.status, condition.reason, condition.message));
    let message = "the backend has the locations of 1 of 2 Ready pods".to_owned();
    assert_eq!(told, Some((ConditionStatus::Unknown, "Registering".to_owned(), message)));
}

#[test]
fn a_second_pass_that_finds_the_same_writes_the_same() {
    let first = status(&resource(None), &running(), at(0));
    assert_eq!(status(&resource(Some(first.clone())), &running(), at(600)), first);
}

#[test]
fn a_transition_time_moves_only_with_its_own_condition() {
    let first = status(&resource(None), &running(), at(0));
    let later = status(&resource(Some(first)), &Facts { ready: 0, ..running() }, at(60));
    let moved: Vec<(ConditionType, &Time)> =
        later.conditions.iter().map(|condition| (condition.kind, &condition.last_transition_time)).collect();
    assert_eq!(
        moved,
        [
            (ConditionType::Ready, &at(60)),
            (ConditionType::Reconciling, &at(60)),
            (ConditionType::Stalled, &at(0)),
            (ConditionType::BackendRegistered, &at(0)),
            (ConditionType::AddressResolved, &at(0)),
        ]
    );
    assert_eq!(later.conditions[0].message, "0 of 1 pods Ready, 1 up to date, 1 there");
}

#[test]
fn a_backend_that_is_away_is_told_and_does_not_make_pods_less_ready() {
    let away = Because::new(Reason::BackendUnreachable, "no answer within 5 s");
    let facts = Facts { backend: Some(away), ..running() };
    assert_eq!(
        told(&status(&resource(None), &facts, at(0))),
        [
            (ConditionType::Ready, ConditionStatus::True, "AsSpecified"),
            (ConditionType::Reconciling, ConditionStatus::False, "AsSpecified"),
            (ConditionType::Stalled, ConditionStatus::False, "AsSpecified"),
            (ConditionType::BackendRegistered, ConditionStatus::False, "BackendUnreachable"),
            (ConditionType::AddressResolved, ConditionStatus::True, "AsSpecified"),
        ]
    );
}

#[test]
fn what_waits_for_somebody_is_stalled_and_not_reconciling() {
    let taken = Because::new(Reason::LocationConflict, "ims/other has the location already");
    let facts = Facts { stalled: Some(taken), ..Facts::default() };
    assert_eq!(
        told(&status(&resource(None), &facts, at(0))),
        [
            (ConditionType::Ready, ConditionStatus::False, "LocationConflict"),
            (ConditionType::Reconciling, ConditionStatus::False, "LocationConflict"),
            (ConditionType::Stalled, ConditionStatus::True, "LocationConflict"),
            (ConditionType::BackendRegistered, ConditionStatus::Unknown, "NothingToRegister"),
            (ConditionType::AddressResolved, ConditionStatus::True, "AsSpecified"),
        ]
    );
}

#[test]
fn a_replica_that_waits_for_its_queue_is_told_as_such() {
    let mut waiting = resource(None);
    waiting.spec.replicas = 2;
    let found = status(&waiting, &running(), at(0));
    assert_eq!(found.conditions[0].message, "1 of 2 pods may start; a queue moves to its own pod first");
}
