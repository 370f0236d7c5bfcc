//! [`SmscFrontend`]: the resource and the top of its specification.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::status::SmscFrontendStatus;
use crate::{
    Backend, DisruptionBudget, Limits, Log, Monitoring, NetworkPolicy, Pod, Polling, PullPolicy, Sip,
};

/// What one IMS domain's frontends are to be.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "smsc.ims.dev",
    version = "v1alpha1",
    kind = "SmscFrontend",
    plural = "smscfrontends",
    shortname = "smsc",
    namespaced,
    derive = "PartialEq",
    status = "SmscFrontendStatus",
    doc = "The SMS frontends of one IMS domain: pods that carry every SMS between its core and a backend.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Location", type_ = "string", json_path = ".spec.location"),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.address"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Backend", type_ = "string", json_path = ".spec.backend.apiBaseURL", priority = 1),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be lower-case letters, digits and hyphens, beginning with a letter: Services are named after it"),
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("metadata.name may have at most 40 characters: names of pods and Services are built from it")
)]
#[serde(rename_all = "camelCase")]
pub struct SmscFrontendSpec {
    /// The IMS domain these frontends serve, such as ims.mnc001.mcc001.3gppnetwork.org. Cannot be changed.
    #[schemars(length(min = 3, max = 253))]
    #[x_kube(
        validation = Rule::new("self == oldSelf").message("imsDomain cannot be changed: make another SmscFrontend, then delete this one"),
        validation = Rule::new(r"self.matches('^([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\\.)+[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$')")
            .message("imsDomain must be a fully qualified domain name, such as ims.mnc001.mcc001.3gppnetwork.org")
    )]
    pub ims_domain: String,

    /// How the backend knows pod 0; pod k has -k appended to the first label. Unique per backend. Cannot be changed.
    #[schemars(length(min = 3, max = 240))]
    #[x_kube(
        validation = Rule::new("self == oldSelf").message("location cannot be changed: make another SmscFrontend, then delete this one"),
        validation = Rule::new(r"self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9]{0,58}[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)+$')")
            .message("location must be a fully qualified domain name whose first label has at most 60 characters, such as smsc01.mnc001.mcc001.3gppnetwork.org")
    )]
    pub location: String,

    /// Frontend pods. `kubectl scale` and a HorizontalPodAutoscaler set it.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 64))]
    pub replicas: i32,

    /// Where every request towards the core goes, such as sip:scscf.example.org:5060. Absent: each subscriber's S-CSCF,
    /// else what DNS has for the IMS domain.
    #[serde(rename = "sCSCFURI", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 512))]
    #[x_kube(validation = Rule::new(r"self.matches('^sips?:[^@\\s]+$')")
        .message("sCSCFURI must be a SIP URI without a user part, such as sip:scscf.example.org:5060"))]
    pub s_cscf_uri: Option<String>,

    /// The service centre's number, as handsets see it, with or without +.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 21))]
    #[x_kube(validation = Rule::new(r"self.matches('^\\+?[0-9]{1,20}$')")
        .message("scAddress must be a telephone number of at most 20 digits, such as +447700900999"))]
    pub sc_address: Option<String>,

    /// Where messages are stored.
    pub backend: Backend,

    /// How the frontends meet the IMS core.
    #[serde(default)]
    pub sip: Sip,

    /// How often the queue is asked.
    #[serde(default)]
    pub polling: Polling,

    /// The caps of everything that grows. Absent ones have the frontend's defaults.
    #[serde(default)]
    pub limits: Limits,

    /// What frontends log, and how.
    #[serde(default)]
    pub log: Log,

    /// The frontend image; absent: the operator's own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// When the image is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,

    /// CPU and memory of one frontend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// What else pods are to have.
    #[serde(default)]
    pub pod: Pod,

    /// Protects against evictions of several pods at once.
    #[serde(default)]
    pub disruption_budget: DisruptionBudget,

    /// Which traffic may reach pods.
    #[serde(default)]
    pub network_policy: NetworkPolicy,

    /// A PodMonitor for the Prometheus operator.
    #[serde(default)]
    pub monitoring: Monitoring,

    /// Stops every write to the cluster for this resource. Registrations at the backend go on.
    #[serde(default)]
    pub paused: bool,

    /// What happens to locations at the backend when they go.
    #[serde(default)]
    pub deregistration: Deregistration,
}

/// What happens to locations at the backend when the resource or an ordinal goes.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deregistration {
    /// Deregister tells the backend; Leave lets the registration run out.
    #[serde(default)]
    pub policy: DeregistrationPolicy,
    /// How long a deletion waits for the backend before the resource goes all the same.
    #[serde(default = "one_minute")]
    #[schemars(range(min = 0, max = 86_400))]
    pub deadline_seconds: i32,
    /// How long the queue of an ordinal that scaled away is still polled, at the latest.
    #[serde(default = "one_day")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub orphan_deadline_seconds: i32,
}

impl Default for Deregistration {
    fn default() -> Self {
        Self {
            policy: DeregistrationPolicy::default(),
            deadline_seconds: one_minute(),
            orphan_deadline_seconds: one_day(),
        }
    }
}

/// Whether the backend is told of locations that go.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum DeregistrationPolicy {
    /// Each location is deregistered.
    #[default]
    Deregister,
    /// Nothing is said; `expires_in` ends the registration.
    Leave,
}

fn one() -> i32 {
    1
}

fn one_minute() -> i32 {
    60
}

fn one_day() -> i32 {
    86_400
}
