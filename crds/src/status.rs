//! `status`: what is true of the resource. Nothing here moves by itself: no counters, no heartbeats (design §9).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator has made of the specification.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmscFrontendStatus {
    /// The generation of the specification that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// SIP pods that exist.
    #[serde(default)]
    pub replicas: i32,
    /// SIP pods that are Ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Selects the SIP pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Where the core reaches the frontends, host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The backend that the locations below are registered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Every location the backend knows of this resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
    /// The last change of the specification that restarted pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// What holds and since when; one entry per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// One location and who polls its queue.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Its name.
    pub name: String,
    /// The ordinal it was made for.
    pub ordinal: i32,
    /// How it stands.
    pub state: LocationState,
    /// The ordinal of the pod that polls it; absent while it moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polled_by: Option<i32>,
    /// The ordinal of the pod that polled it and may still have something of it in hand; only while it moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<i32>,
    /// Since when its ordinal is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned_since: Option<Time>,
    /// Until when it is still polled: no handset is registered there any longer, or the deadline has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned_until: Option<Time>,
}

/// How a location stands with the backend.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum LocationState {
    /// Its pod was not Ready yet, or the backend has not answered.
    Pending,
    /// The backend has it.
    Registered,
    /// Its ordinal scaled away; another pod polls what is left.
    Orphaned,
}

/// A change that restarted pods.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The hash of what needs a restart, as in the pods' annotation.
    pub config_hash: String,
    /// The keys of config.yaml, and `template` for the pod itself, that changed.
    pub changed: Vec<String>,
}

/// One thing that holds or does not (Kubernetes API conventions, metav1.Condition).
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it speaks of.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Since when its status is what it is.
    pub last_transition_time: Time,
    /// Why, in one word of an enumeration.
    pub reason: String,
    /// Why, in a sentence.
    #[serde(default)]
    pub message: String,
}

/// What conditions speak of (design §9).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub enum ConditionType {
    /// Every replica asked for is Ready with the newest configuration.
    Ready,
    /// The cluster is not yet what the specification asks for.
    Reconciling,
    /// It will not become so without a change by somebody.
    Stalled,
    /// The backend has every location of a Ready pod.
    BackendRegistered,
    /// The address for Via and Contact is known.
    AddressResolved,
}

/// Whether a condition holds.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told.
    Unknown,
}
