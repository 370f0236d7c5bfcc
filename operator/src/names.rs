//! Names, labels, ports and paths. They are API: versions N and N-1 run together (design §7).

use std::collections::BTreeMap;

/// SIP over UDP and TCP (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5060;
/// SIP over TLS (RFC 3261 §19.1.2).
pub const SIPS_PORT: u16 = 5061;
/// Reports between pods.
pub const RELAY_PORT: u16 = 7060;
/// Health, metrics, status.
pub const ADMIN_PORT: u16 = 9090;

/// The directory of config files, one for each pod.
pub const CONFIG_DIR: &str = "/etc/smsc/config";
/// The relay key.
pub const RELAY_DIR: &str = "/etc/smsc/relay";
/// The key in the relay Secret that signs.
pub const RELAY_KEY: &str = "current";
/// The backend's authorities.
pub const BACKEND_CA_DIR: &str = "/etc/smsc/backend-ca";
/// The certificate shown to the backend.
pub const BACKEND_CLIENT_DIR: &str = "/etc/smsc/backend-client";
/// The backend's token.
pub const BACKEND_TOKEN_DIR: &str = "/etc/smsc/backend-token";
/// The certificate shown to the core.
pub const SIP_TLS_DIR: &str = "/etc/smsc/sip-tls";

/// On the pod template: the hash of what needs a restart.
pub const CONFIG_HASH: &str = "smsc.ims.dev/config-hash";
/// On the ConfigMap: who polls what ([`crate::locations::PollingMap`]).
pub const POLLING_MAP: &str = "smsc.ims.dev/polling-map";
/// On the ConfigMap: the generation of each ordinal's file, as that pod's `GET /status` will show it.
pub const GENERATIONS: &str = "smsc.ims.dev/generations";
/// On a pod: the generation of its file. Touching it makes the kubelet refresh what the pod mounts at once.
pub const GENERATION: &str = "smsc.ims.dev/generation";
/// Keeps a resource until the backend has let its locations go.
pub const FINALIZER: &str = "smsc.ims.dev/deregistration";

/// On everything the operator makes; it watches by it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by=smsc-operator";
/// Whose an object is.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The field manager of everything that is applied.
pub const FIELD_MANAGER: &str = "smsc-operator/smscfrontend";
/// The field manager of the status.
pub const STATUS_MANAGER: &str = "smsc-operator/status";
/// Pods that one resource may have; more is refused by the definition.
pub const MOST_PODS: u8 = 64;
/// The container that carries messages.
pub const CONTAINER: &str = "frontend";

/// Names of the objects made for the resource `name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The StatefulSet, its budget and policy, and the stem of pod names.
    pub workload: String,
    /// The headless Service that gives pods their DNS names.
    pub relay: String,
    /// The Service the core reaches.
    pub sip: String,
    /// The ConfigMap with one file for each ordinal.
    pub config: String,
    /// The Secret with the relay key.
    pub relay_key: String,
}

impl Names {
    /// Those of one resource.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self {
            workload: name.to_owned(),
            relay: format!("{name}-relay"),
            sip: format!("{name}-sip"),
            config: format!("{name}-config"),
            relay_key: format!("{name}-relay-key"),
        }
    }

    /// The pod of an ordinal, as the StatefulSet names it.
    #[must_use]
    pub fn pod(&self, ordinal: u8) -> String {
        format!("{}-{ordinal}", self.workload)
    }

    /// The Service of one pod alone.
    #[must_use]
    pub fn sip_of_pod(&self, ordinal: u8) -> String {
        format!("{}-{ordinal}", self.sip)
    }

    /// The file of an ordinal in the ConfigMap.
    #[must_use]
    pub fn file(&self, ordinal: u8) -> String {
        format!("{}.yaml", self.pod(ordinal))
    }
}

/// What selects the SIP pods of one resource; never changes for one that exists.
#[must_use]
pub fn selector(name: &str) -> BTreeMap<String, String> {
    labels_of([
        ("app.kubernetes.io/name", "smsc-frontend"),
        (INSTANCE, name),
        ("app.kubernetes.io/component", "sip"),
    ])
}

/// What every object made for a resource carries; orphans are found by it.
#[must_use]
pub fn labels(name: &str) -> BTreeMap<String, String> {
    let mut labels = selector(name);
    labels.extend(labels_of([("app.kubernetes.io/managed-by", "smsc-operator")]));
    labels
}

/// A selector as `kubectl` and the scale subresource write it.
#[must_use]
pub fn selector_text(name: &str) -> String {
    let pairs: Vec<String> = selector(name).iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

fn labels_of<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
