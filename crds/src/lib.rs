//! The Kubernetes API of the project: `SmscFrontend`, one per IMS domain (design §5, §9).
//!
//! What a user writes is judged three times: by the schema and the CEL rules below in the API server, so that
//! `kubectl apply` says what is wrong; by the operator, where a rule needs more than one object; and by `smsc-config`,
//! which owns what a frontend accepts. Names, columns and conditions are API: versions N and N-1 run together.
//!
//! Places kept for later doors: `spec.gsm.gateways[]` and `spec.smpp[]`, list maps keyed by `name`.
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "kube's derive makes hidden public copies of the types that have rules")]

mod backend;
mod exposure;
mod frontend;
mod pods;
mod schema;
mod sip;
mod status;
mod tuning;

pub use backend::{Backend, BackendTls, CaReference, CaSource, Endpoints, KeyReference, NameReference};
pub use exposure::{
    Advertise, AdvertiseFrom, Exposure, ExposureType, Multus, ServiceExposure, ServiceType, TrafficPolicy,
};
pub use frontend::{Deregistration, DeregistrationPolicy, SmscFrontend, SmscFrontendSpec};
pub use pods::{DisruptionBudget, Monitoring, NetworkPolicy, Pod, PullPolicy};
pub use schema::{NAME, definition, yaml};
pub use sip::{AssertedIdentity, RegEvent, Sip, Transport};
pub use status::{
    Condition, ConditionStatus, ConditionType, Location, LocationState, Rollout, SmscFrontendStatus,
};
pub use tuning::{Limits, Log, LogFormat, Polling};
