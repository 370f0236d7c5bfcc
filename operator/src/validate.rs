//! Second step: what the specification and the cluster say, checked, as the only input that building accepts.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource as _;
use serde_json::Value;
use smsc_config::Config;
use smsc_crds::{AdvertiseFrom, SmscFrontend};

use crate::config::{self, Refused};
use crate::locations::PollingMap;
use crate::names::{Names, selector};

/// What of the world around the resource decides what is built.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The image where the specification names none.
    pub image: String,
    /// The address of the Service's load balancer, once it has one.
    pub load_balancer: Option<String>,
    /// Whether the Prometheus operator's PodMonitor is installed.
    pub pod_monitors: bool,
}

/// A resource that can be built.
#[derive(Debug, Clone)]
pub struct Validated {
    /// The resource as it was written.
    pub resource: SmscFrontend,
    /// Where it lives.
    pub namespace: String,
    /// What is built belongs to it.
    pub owner: OwnerReference,
    /// Names of what is built.
    pub names: Names,
    /// The frontend image.
    pub image: String,
    /// What all pods' files share.
    pub shared: Config,
    /// Merged over the pod template, last.
    pub overrides: Option<PodTemplateSpec>,
    /// Who polls what.
    pub polling: PollingMap,
    /// How many pods may run now; fewer than asked for while a queue moves.
    pub replicas: u8,
    /// How many files there are: one for each ordinal asked for or still holding a queue.
    pub files: u8,
    /// Whether a PodMonitor can be made.
    pub pod_monitors: bool,
    /// Whether pods are to say a load balancer's address that is not known yet: until then only Services are applied.
    pub waits_for_address: bool,
}

/// Why a resource cannot be built. It waits for a change of the specification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The API server gave no name, namespace or uid; it always does.
    #[error("the resource has no {0}")]
    Incomplete(&'static str),
    /// A frontend would refuse the configuration.
    #[error(transparent)]
    Config(#[from] Refused),
    /// `pod.overrides` cannot be merged.
    #[error("pod.overrides: {0}")]
    Overrides(String),
}

/// Checks a resource. `polling` is the map to write; `ordinals` how many files it needs.
///
/// # Errors
/// The first thing that keeps it from being built.
pub fn validate(
    resource: &SmscFrontend,
    surroundings: &Surroundings,
    polling: PollingMap,
    ordinals: u8,
) -> Result<Validated, Fault> {
    let name = resource.metadata.name.clone().ok_or(Fault::Incomplete("name"))?;
    let namespace = resource.metadata.namespace.clone().ok_or(Fault::Incomplete("namespace"))?;
    let owner = resource.controller_owner_ref(&()).ok_or(Fault::Incomplete("uid"))?;
    let names = Names::of(&name);
    let shared = config::shared(&resource.spec, &names, &namespace, surroundings.load_balancer.as_deref())?;
    let overrides = resource.spec.pod.overrides.as_ref().map(|value| overrides(value, &name)).transpose()?;
    let asked = u8::try_from(resource.spec.replicas).unwrap_or(0);
    let from = resource.spec.sip.advertise.as_ref().and_then(|advertise| advertise.from);
    Ok(Validated {
        replicas: polling.startable(&resource.spec.location, asked),
        files: ordinals.max(asked),
        resource: resource.clone(),
        namespace,
        owner,
        names,
        image: resource.spec.image.clone().unwrap_or_else(|| surroundings.image.clone()),
        shared,
        overrides,
        polling,
        pod_monitors: surroundings.pod_monitors,
        waits_for_address: from == Some(AdvertiseFrom::LoadBalancer) && surroundings.load_balancer.is_none(),
    })
}

/// A PodTemplateSpec without anything that would be lost or would take pods away from their StatefulSet.
fn overrides(value: &Value, name: &str) -> Result<PodTemplateSpec, Fault> {
    let template: PodTemplateSpec =
        serde_json::from_value(value.clone()).map_err(|error| Fault::Overrides(error.to_string()))?;
    let understood = serde_json::to_value(&template).map_err(|error| Fault::Overrides(error.to_string()))?;
    if let Some(path) = lost(value, &understood, "") {
        return Err(Fault::Overrides(format!("{path} is not a field of a PodTemplateSpec")));
    }
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    for (key, value) in selector(name) {
        if labels.and_then(|labels| labels.get(&key)).is_some_and(|other| *other != value) {
            return Err(Fault::Overrides(format!("the label {key} selects the pods and cannot be changed")));
        }
    }
    Ok(template)
}

/// The first path of `written` that `understood` does not have.
fn lost(written: &Value, understood: &Value, path: &str) -> Option<String> {
    match (written, understood) {
        (Value::Object(written), Value::Object(understood)) => written.iter().find_map(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match understood.get(key) {
                Some(understood) => lost(value, understood, &path),
                None if value.is_null() => None,
                None => Some(path),
            }
        }),
        (Value::Array(written), Value::Array(understood)) => written
            .iter()
            .zip(understood)
            .enumerate()
            .find_map(|(index, (value, understood))| lost(value, understood, &format!("{path}[{index}]"))),
        _ => None,
    }
}
