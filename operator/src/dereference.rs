//! First step: what the cluster and the pods say of one resource, read at one point and handed on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{ListParams, ObjectMeta};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use smsc_crds::{ExposureType, Location, ServiceType, SmscFrontend, Transport};

use crate::apply::Refused;
use crate::caches::Owned;
use crate::locations::{Holder, PollingMap};
use crate::names::{GENERATIONS, Names, POLLING_MAP, SIP_PORT, SIPS_PORT};
use crate::plan::remembered;
use crate::pods::{Pods, Seen, Told, starting};
use crate::registrar::Key;

/// What was found of one resource.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it owns, as the caches have it; the ConfigMap's metadata is never older than they.
    pub owned: Owned,
    /// Its pods, by ordinal.
    pub pods: Vec<Seen>,
    /// Who polls what, as the files say.
    pub polling: PollingMap,
    /// The generation of each ordinal's file.
    pub generations: BTreeMap<u8, String>,
    /// What pods that were asked have answered, if anything.
    pub told: BTreeMap<u8, Option<Told>>,
    /// Pods that have been asked and may still answer.
    pub awaited: BTreeSet<u8>,
    /// Ordinals that have no pod and get none.
    pub gone: BTreeSet<u8>,
}

impl Found {
    /// Whether nobody can poll a location any more on behalf of an ordinal (design §5).
    #[must_use]
    pub fn released(&self, ordinal: u8, location: &str) -> bool {
        let generation = self.generations.get(&ordinal).map(String::as_str);
        self.gone.contains(&ordinal)
            || self.answer(ordinal).is_some_and(|told| told.has_let_go(generation, location))
    }

    /// Whether a pod's container has not been started yet; perhaps what it mounts is missing.
    #[must_use]
    pub fn starting(&self) -> bool {
        self.owned.pods.iter().any(|pod| starting(pod))
    }

    /// What a pod has answered.
    #[must_use]
    pub fn answer(&self, ordinal: u8) -> Option<&Told> {
        self.told.get(&ordinal)?.as_ref()
    }

    /// The address of the load balancer in front of the pods, once it has one.
    #[must_use]
    pub fn load_balancer(&self, names: &Names) -> Option<String> {
        let service = self.service(names)?;
        let ingress = service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?.first()?;
        ingress.ip.clone().or_else(|| ingress.hostname.clone())
    }

    /// Where the core reaches the frontends, as far as the cluster can tell.
    #[must_use]
    pub fn address(&self, resource: &SmscFrontend, names: &Names, namespace: &str) -> Option<String> {
        let sip = &resource.spec.sip;
        let plain = sip.transports.iter().any(|transport| *transport != Transport::Tls);
        let port = if plain { SIP_PORT } else { SIPS_PORT };
        let with_port = |host: &str| match host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            _ => format!("{host}:{port}"),
        };
        match sip.exposure.kind {
            ExposureType::Multus => None,
            ExposureType::HostNetwork => {
                let hosts: BTreeSet<IpAddr> = self.pods.iter().filter_map(|pod| pod.host).collect();
                let hosts: Vec<String> = hosts.iter().map(|host| with_port(&host.to_string())).collect();
                (!hosts.is_empty()).then(|| hosts.join(","))
            }
            ExposureType::Service => match sip.exposure.service.clone().unwrap_or_default().kind {
                ServiceType::ClusterIP => Some(with_port(&format!("{}.{namespace}.svc", names.sip))),
                ServiceType::LoadBalancer => self.load_balancer(names).map(|host| with_port(&host)),
                ServiceType::NodePort => {
                    let ports = self.service(names)?.spec.as_ref()?.ports.as_ref()?;
                    Some(format!("any node:{}", ports.first()?.node_port?))
                }
            },
        }
    }

    fn service(&self, names: &Names) -> Option<&Arc<Service>> {
        self.owned.services.iter().find(|service| service.metadata.name.as_ref() == Some(&names.sip))
    }
}

/// Who reads.
pub struct Reader<'a> {
    /// The API server.
    pub client: &'a Client,
    /// Asks pods.
    pub pods: &'a Pods,
    /// The resource.
    pub key: &'a Key,
    /// Names of what is built for it.
    pub names: &'a Names,
}

impl Reader<'_> {
    /// Reads what is needed besides the caches. Pods are asked only while a location moves, when an ordinal goes, and for
    /// their registration: `known` has the uids of those whose registration is known. `silent` has those that did not answer
    /// and are not to be asked yet.
    ///
    /// # Errors
    /// The API server did not answer.
    pub async fn read(
        &self,
        mut owned: Owned,
        asked: u8,
        locations: &[Location],
        known: &BTreeSet<String>,
        silent: &BTreeSet<String>,
    ) -> Result<Found, Refused> {
        if owned.config_maps.is_empty() {
            // Perhaps the cache has not seen it yet; a map made from nothing could give a queue to two pods.
            let written: Option<ConfigMap> = self.opt(&self.names.config).await?;
            owned.config_maps.extend(written.map(|written| written.metadata));
        }
        let config = owned.config_maps.iter().find(|meta| meta.name.as_ref() == Some(&self.names.config));
        let version = config.and_then(|meta| meta.resource_version.clone());
        let polling = config.and_then(|meta| annotation(meta, POLLING_MAP));
        let polling = polling.unwrap_or_else(|| remembered(locations));
        let generations = config.map(generations).unwrap_or_default();
        let mut pods: Vec<Seen> =
            owned.pods.iter().filter_map(|pod| Seen::of(pod, &self.names.workload)).collect();
        pods.sort_by_key(|pod| pod.ordinal);

        let leaving: BTreeSet<u8> = polling.0.values().filter_map(left).collect();
        let ending = |pod: &Seen| {
            let until = |location: &Location| location.orphaned_until.is_some();
            pod.ordinal >= asked && !locations.iter().any(|l| l.ordinal == i32::from(pod.ordinal) && until(l))
        };
        let wanted = pods.iter().filter(|pod| !silent.contains(&pod.uid)).filter(|pod| {
            leaving.contains(&pod.ordinal) || ending(pod) || (pod.ready && !known.contains(&pod.uid))
        });
        let version = version.unwrap_or_default();
        let mut told = BTreeMap::new();
        let mut awaited = BTreeSet::new();
        for pod in wanted {
            match self.pods.ask(self.key, pod, &version) {
                Some(answer) => told.extend([(pod.ordinal, answer)]),
                None => awaited.extend([pod.ordinal]),
            }
        }
        let mut gone = BTreeSet::new();
        for ordinal in leaving {
            let seen = pods.iter().any(|pod| pod.ordinal == ordinal);
            if !seen && gets_no_pod(owned.stateful_set.as_deref(), ordinal) && self.absent(ordinal).await? {
                gone.insert(ordinal);
            }
        }
        Ok(Found { owned, pods, polling, generations, told, awaited, gone })
    }

    /// Pod 0's file as it stands.
    ///
    /// # Errors
    /// The API server did not answer.
    pub async fn file(&self) -> Result<Option<String>, Refused> {
        let written: Option<ConfigMap> = self.opt(&self.names.config).await?;
        Ok(written.and_then(|written| written.data?.remove(&self.names.file(0))))
    }

    /// The StatefulSet with its template.
    ///
    /// # Errors
    /// The API server did not answer.
    pub async fn stateful_set(&self) -> Result<Option<StatefulSet>, Refused> {
        self.opt(&self.names.workload).await
    }

    /// Whether the cluster knows the Prometheus operator's kinds.
    ///
    /// # Errors
    /// The API server did not answer.
    pub async fn knows_pod_monitors(&self) -> Result<bool, Refused> {
        match self.client.list_api_group_resources("monitoring.coreos.com/v1").await {
            Ok(list) => Ok(list.resources.iter().any(|resource| resource.kind == "PodMonitor")),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(source) => Err(Refused { what: "monitoring.coreos.com/v1".to_owned(), source }),
        }
    }

    /// Whether the API server, not only the cache, has no pod of an ordinal.
    async fn absent(&self, ordinal: u8) -> Result<bool, Refused> {
        let name = self.names.pod(ordinal);
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.key.namespace);
        let found = api.get_metadata_opt(&name).await;
        found.map(|found| found.is_none()).map_err(|source| Refused { what: format!("Pod {name}"), source })
    }

    async fn opt<K>(&self, name: &str) -> Result<Option<K>, Refused>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.key.namespace);
        api.get_opt(name).await.map_err(|source| Refused { what: format!("{} {name}", K::kind(&())), source })
    }
}

/// Whether any pod of a resource exists, as the API server, not only the cache, has it.
///
/// # Errors
/// The API server did not answer.
pub async fn any_pod(client: &Client, namespace: &str, selector: &str) -> Result<bool, Refused> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let found = api.list_metadata(&ListParams::default().labels(selector).limit(1)).await;
    found.map(|list| !list.items.is_empty()).map_err(|source| Refused { what: "Pods".to_owned(), source })
}

/// The StatefulSet's controller has seen that an ordinal is not asked for, so it makes no pod of it.
#[must_use]
pub fn gets_no_pod(stateful_set: Option<&StatefulSet>, ordinal: u8) -> bool {
    let Some(set) = stateful_set else { return true };
    let asked = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let seen = set.status.as_ref().and_then(|status| status.observed_generation);
    asked <= i32::from(ordinal) && seen.is_some() && seen >= set.metadata.generation
}

fn left(holder: &Holder) -> Option<u8> {
    match holder {
        Holder::Leaving(ordinal) => Some(*ordinal),
        Holder::Held(_) => None,
    }
}

/// The generation of each ordinal's file, as a ConfigMap says.
pub(crate) fn generations(config_map: &ObjectMeta) -> BTreeMap<u8, String> {
    annotation(config_map, GENERATIONS).unwrap_or_default()
}

fn annotation<T: DeserializeOwned>(metadata: &ObjectMeta, key: &str) -> Option<T> {
    let text = metadata.annotations.as_ref()?.get(key)?;
    serde_json::from_str(text)
        .inspect_err(|error| tracing::warn!(key, %error, "annotation of the ConfigMap"))
        .ok()
}
