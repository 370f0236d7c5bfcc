//! Third step, pure: every object that a resource is to have.

mod config_map;
mod network_policy;
mod pod;
mod services;
mod stateful_set;

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::DynamicObject;
use serde_json::json;
use smsc_config::Config;
use smsc_crds::Transport;

use crate::names::{SIP_PORT, SIPS_PORT, labels, selector};
use crate::validate::Validated;

/// All objects of one resource but the relay key, which is only ever created. Applying them destructures this without
/// `..`, so that a new kind does not compile until somebody applies it.
#[derive(Debug, Clone, PartialEq)]
pub struct Objects {
    /// A config.yaml for each ordinal.
    pub config_map: ConfigMap,
    /// The headless Service that gives pods their names, for the relay.
    pub relay: Service,
    /// What the core reaches: none but with exposure by Service.
    pub sip: Vec<Service>,
    /// The pods.
    pub stateful_set: StatefulSet,
    /// Above one replica.
    pub disruption_budget: Option<PodDisruptionBudget>,
    /// Where asked for.
    pub network_policy: Option<NetworkPolicy>,
    /// Where asked for and known to the cluster.
    pub pod_monitor: Option<DynamicObject>,
}

/// How long a pod may take to stop.
#[must_use]
pub fn grace(config: &Config) -> Duration {
    pod::grace(config)
}

/// Builds everything.
#[must_use]
pub fn build(resource: &Validated) -> Objects {
    Objects {
        config_map: config_map::build(resource),
        relay: services::relay(resource),
        sip: services::sip(resource),
        stateful_set: stateful_set::build(resource),
        disruption_budget: disruption_budget(resource),
        network_policy: resource
            .resource
            .spec
            .network_policy
            .enabled
            .then(|| network_policy::build(resource)),
        pod_monitor: pod_monitor(resource),
    }
}

/// Name, labels and owner of an object.
fn metadata(resource: &Validated, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(resource.namespace.clone()),
        labels: Some(labels(&resource.names.workload)),
        owner_references: Some(vec![resource.owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// Name, protocol and number of each SIP port, in one order, whatever the specification's.
fn sip_ports(transports: &[Transport]) -> impl Iterator<Item = (&'static str, &'static str, u16)> {
    [
        (Transport::Udp, "sip-udp", "UDP", SIP_PORT),
        (Transport::Tcp, "sip-tcp", "TCP", SIP_PORT),
        (Transport::Tls, "sips", "TCP", SIPS_PORT),
    ]
    .into_iter()
    .filter(|(transport, ..)| transports.contains(transport))
    .map(|(_, name, protocol, number)| (name, protocol, number))
}

fn pods(resource: &Validated) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&resource.names.workload)), ..LabelSelector::default() }
}

/// For a single pod there is none: it would keep its node from being drained (zalando/postgres-operator and others
/// learnt it the hard way).
fn disruption_budget(resource: &Validated) -> Option<PodDisruptionBudget> {
    let budget = &resource.resource.spec.disruption_budget;
    (budget.enabled && resource.resource.spec.replicas > 1).then(|| PodDisruptionBudget {
        metadata: metadata(resource, &resource.names.workload),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(budget.max_unavailable)),
            selector: Some(pods(resource)),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    })
}

fn pod_monitor(resource: &Validated) -> Option<DynamicObject> {
    let monitoring = &resource.resource.spec.monitoring;
    if !(monitoring.enabled && resource.pod_monitors) {
        return None;
    }
    let mut endpoint = json!({"port": "admin", "path": "/metrics"});
    if let Some(seconds) = monitoring.interval_seconds {
        endpoint["interval"] = json!(format!("{seconds}s"));
    }
    let mut metadata = metadata(resource, &resource.names.workload);
    let own = metadata.labels.get_or_insert_default();
    for (key, value) in &monitoring.labels {
        own.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Some(DynamicObject {
        types: Some(kube::core::TypeMeta {
            api_version: "monitoring.coreos.com/v1".to_owned(),
            kind: "PodMonitor".to_owned(),
        }),
        metadata,
        data: json!({"spec": {"selector": pods(resource), "podMetricsEndpoints": [endpoint]}}),
    })
}
