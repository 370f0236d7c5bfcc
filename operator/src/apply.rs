//! Fourth step: writes what was built by server-side apply, in order, and removes what is built no more.
//!
//! Nothing is written when neither the built object nor the live one has changed since the last write.

mod put;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, NamespaceResourceScope};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;

pub use put::{Marks, Written};

use crate::build::Objects;
use crate::caches::Owned;
use crate::names::{GENERATION, Names, RELAY_KEY, labels};
use crate::pods::{Seen, starting};
use put::{Kind, Put};

/// Octets of a relay key.
const KEY_OCTETS: usize = 32;

/// A write or removal that the API server refused, or did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct Refused {
    /// What was written.
    pub what: String,
    /// What the API server said.
    pub source: kube::Error,
}

/// Writes one resource's objects.
pub struct Apply<'a> {
    /// The API server.
    pub client: &'a Client,
    /// Where the resource lives.
    pub namespace: &'a str,
    /// Names of what is built for it.
    pub names: &'a Names,
    /// What exists of it, as far as the caches know.
    pub live: &'a Owned,
    /// What was written before.
    pub marks: &'a mut Marks,
}

impl Apply<'_> {
    /// Writes everything that changed. Services go first, for pods without names cannot find each other; the StatefulSet
    /// goes last, when all that its pods mount is there.
    ///
    /// Returns the StatefulSet if it was written, as it then stands.
    ///
    /// # Errors
    /// The first refusal; what was written before it stays.
    pub async fn all(
        &mut self,
        objects: &Objects,
        pod_monitors: bool,
    ) -> Result<Option<StatefulSet>, Refused> {
        let Objects { config_map, relay, sip, stateful_set, disruption_budget, network_policy, pod_monitor } =
            objects;
        let owner = config_map.metadata.owner_references.as_ref().and_then(|owners| owners.first());
        self.relay_key(owner).await?;
        self.services(relay, sip).await?;
        self.config_map(config_map).await?;
        let live = self.live;
        self.one(Kind::PodDisruptionBudget, disruption_budget.as_ref(), &live.budgets).await?;
        self.one(Kind::NetworkPolicy, network_policy.as_ref(), &live.policies).await?;
        if pod_monitors {
            self.pod_monitor(pod_monitor.as_ref()).await?;
        }
        let seen = live.stateful_set.as_ref().map(|set| &set.metadata);
        self.put(Kind::StatefulSet, stateful_set, seen).await
    }

    /// Writes the Services alone, and removes those of pods that are asked for no more.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn services(&mut self, relay: &Service, sip: &[Service]) -> Result<(), Refused> {
        let live = self.live;
        let find =
            |name: &Option<String>| live.services.iter().find(|service| service.metadata.name == *name);
        for service in std::iter::once(relay).chain(sip) {
            let seen = find(&service.metadata.name).map(|service| &service.metadata);
            self.put(Kind::Service, service, seen).await?;
        }
        let built = |metadata: &ObjectMeta| {
            std::iter::once(relay).chain(sip).any(|service| service.metadata.name == metadata.name)
        };
        for orphan in live.services.iter().filter(|service| !built(&service.metadata)) {
            self.remove::<Service>(Kind::Service, &orphan.metadata).await?;
        }
        Ok(())
    }

    /// Makes kubelets refresh the files of pods whose file has changed from `before`. A pod that started with its file as it
    /// is needs no word.
    ///
    /// # Errors
    /// The first refusal; a pod that is gone is none.
    pub async fn refresh(
        &self,
        pods: &[Seen],
        before: &BTreeMap<u8, String>,
        generations: &BTreeMap<u8, String>,
    ) -> Result<(), Refused> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        for pod in pods {
            let Some(generation) = generations.get(&pod.ordinal) else { continue };
            let told = pod.generation.as_ref().or_else(|| before.get(&pod.ordinal));
            if told == Some(generation) {
                continue;
            }
            let patch = json!({"metadata": {"uid": pod.uid, "annotations": {GENERATION: generation}}});
            match api.patch_metadata(&pod.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Ok(_) => {}
                // Gone, or another of that name already: it reads the newest file when it starts.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
                Err(source) => return Err(Refused { what: format!("Pod {}", pod.name), source }),
            }
        }
        Ok(())
    }

    /// The key that signs delivery tokens: made once, never read, never changed (design §4).
    async fn relay_key(&mut self, owner: Option<&OwnerReference>) -> Result<(), Refused> {
        let name = &self.names.relay_key;
        // It is not read, so nobody sees that it is gone, perhaps with an older resource of this name, but by pods that do
        // not start.
        let needed = self.live.stateful_set.is_none() || self.live.pods.iter().any(|pod| starting(pod));
        if self.marks.has_relay_key && !needed {
            return Ok(());
        }
        let what = || format!("Secret {name}");
        let mut key = [0; KEY_OCTETS];
        getrandom::fill(&mut key).map_err(|error| Refused {
            what: what(),
            source: kube::Error::Service(format!("no randomness: {error}").into()),
        })?;
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(self.namespace.to_owned()),
                labels: Some(labels(&self.names.workload)),
                owner_references: owner.map(|owner| vec![owner.clone()]),
                ..ObjectMeta::default()
            },
            string_data: Some(BTreeMap::from([(RELAY_KEY.to_owned(), data_encoding::HEXLOWER.encode(&key))])),
            ..Secret::default()
        };
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        match api.create(&PostParams::default(), &secret).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 && status.reason == "AlreadyExists" => {}
            Err(source) => return Err(Refused { what: what(), source }),
        }
        self.marks.has_relay_key = true;
        Ok(())
    }

    /// With the version it was planned from, so that a plan made from an old map is refused, not written.
    async fn config_map(&mut self, built: &ConfigMap) -> Result<(), Refused> {
        let live = self.live;
        let seen = live.config_maps.iter().find(|metadata| metadata.name == built.metadata.name);
        let mut object = built.clone();
        object.metadata.resource_version = seen.and_then(|seen| seen.resource_version.clone());
        let Some(put) = Put::new(Kind::ConfigMap, built, seen, self.marks) else { return Ok(()) };
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), self.namespace);
        put.write(&api, &object, self.marks).await?;
        Ok(())
    }

    /// Writes the one object of a kind, or removes it where it is wanted no more.
    async fn one<K>(&mut self, kind: Kind, built: Option<&K>, live: &[ObjectMeta]) -> Result<(), Refused>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + serde::Serialize
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let name = built.and_then(|built| built.meta().name.clone());
        if let Some(built) = built {
            let seen = live.iter().find(|metadata| metadata.name == name);
            self.put(kind, built, seen).await?;
        }
        for orphan in live.iter().filter(|metadata| name.is_none() || metadata.name != name) {
            self.remove::<K>(kind, orphan).await?;
        }
        Ok(())
    }

    /// A kind that is not watched, for it may not be installed: it is written when what is built has changed.
    async fn pod_monitor(&mut self, built: Option<&DynamicObject>) -> Result<(), Refused> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("monitoring.coreos.com", "v1", "PodMonitor"));
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), self.namespace, &kind);
        let name = &self.names.workload;
        if let Some(built) = built {
            let Some(put) = Put::unwatched(Kind::PodMonitor, built, self.marks) else { return Ok(()) };
            put.write(&api, built, self.marks).await?;
            return Ok(());
        }
        if !self.marks.may_have(Kind::PodMonitor, name) {
            return Ok(());
        }
        match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(source) => return Err(Refused { what: format!("PodMonitor {name}"), source }),
            Ok(_) => {}
        }
        self.marks.forget(Kind::PodMonitor, name);
        Ok(())
    }

    async fn put<K>(&mut self, kind: Kind, built: &K, seen: Option<&ObjectMeta>) -> Result<Option<K>, Refused>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + serde::Serialize
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let Some(put) = Put::new(kind, built, seen, self.marks) else { return Ok(None) };
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        put.write(&api, built, self.marks).await.map(Some)
    }

    async fn remove<K>(&mut self, kind: Kind, orphan: &ObjectMeta) -> Result<(), Refused>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let Some(name) = &orphan.name else { return Ok(()) };
        let precondition = Preconditions { uid: orphan.uid.clone(), resource_version: None };
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        match api.delete(name, &DeleteParams::background().preconditions(precondition)).await {
            Ok(_) => tracing::info!(namespace = self.namespace, "removed {} {name}", kind.as_str()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(source) => return Err(Refused { what: format!("{} {name}", kind.as_str()), source }),
        }
        self.marks.forget(kind, name);
        Ok(())
    }
}
