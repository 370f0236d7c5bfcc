//! `spec.polling`, `spec.limits`, `spec.log`: what a frontend's file says under the same names.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often the queue is asked.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Polling {
    /// Time between timer polls of one location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 3_600_000))]
    pub interval_milliseconds: Option<i32>,
    /// A timer poll is skipped when a flush ran within this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3_600_000))]
    pub flush_cooldown_milliseconds: Option<i32>,
    /// Messages asked for beyond those in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub batch: Option<i32>,
}

/// The caps of everything that grows; absent ones have the frontend's defaults.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// SIP server transactions; beyond: 500 with Retry-After.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub server_transactions: Option<i32>,
    /// SIP client transactions; beyond: deliveries wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub client_transactions: Option<i32>,
    /// MO messages being handed to the backend; beyond: 500 with Retry-After.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub open_mo: Option<i32>,
    /// MT messages in hand; beyond: the queue is asked for no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub open_mt: Option<i32>,
    /// Messages held for one handset behind the one under way; beyond: left to the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub queued_per_handset: Option<i32>,
    /// Registrations remembered; beyond: the oldest is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub registrations: Option<i32>,
    /// Subscriptions to the reg event; beyond: a registration is taken as its REGISTER has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub subscriptions: Option<i32>,
    /// Submissions and deliveries remembered for repeats; beyond: the oldest is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub remembered: Option<i32>,
    /// TCP connections; beyond: new ones are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub tcp_connections: Option<i32>,
    /// Requests to the backend under way; beyond: they wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub backend_requests: Option<i32>,
    /// Submissions taken each second by one pod; beyond: 500 with Retry-After. Absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub submissions_per_second: Option<i32>,
}

/// What frontends log, and how.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
pub struct Log {
    /// A level, or levels by target: `info`, `info,smsc_frontend=debug`. Changes without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[-A-Za-z0-9_:=,]+$')")
        .message("log.level must be a level, or levels by target, such as info,smsc_frontend=debug"))]
    pub level: Option<String>,
    /// How lines look.
    #[serde(default)]
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum LogFormat {
    /// For machines.
    #[default]
    Json,
    /// For people.
    Text,
}
