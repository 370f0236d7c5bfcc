//! What the operator watches: its resources and, by label, what it made for them. One scope for each namespace it may see,
//! or one for all.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt as _};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::reflector::{self, Lookup, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use smsc_crds::SmscFrontend;

use crate::names::{INSTANCE, MANAGED_BY};

/// A resource as it was read; one that has not its shape wedges nothing.
pub type Guarded = DeserializeGuard<SmscFrontend>;

/// A changed object's resource, or why watching failed for now.
pub type Triggers = BoxStream<'static, Result<ObjectRef<Guarded>, watcher::Error>>;

/// What is known of one namespace, or of all.
#[derive(Clone)]
pub struct Scope {
    /// The namespace; absent: all.
    pub namespace: Option<String>,
    /// The resources.
    pub resources: Store<Guarded>,
    pods: Store<Pod>,
    stateful_sets: Store<StatefulSet>,
    services: Store<Service>,
    config_maps: Store<PartialObjectMeta<ConfigMap>>,
    budgets: Store<PartialObjectMeta<PodDisruptionBudget>>,
    policies: Store<PartialObjectMeta<NetworkPolicy>>,
}

/// The streams that keep a scope up to date; somebody must drive them.
pub struct Watches {
    /// Changes of resources.
    pub resources: BoxStream<'static, Result<watcher::Event<Guarded>, watcher::Error>>,
    /// Changes of what was made for them.
    pub owned: Vec<Triggers>,
}

/// What exists of one resource.
#[derive(Debug, Clone, Default)]
pub struct Owned {
    /// Its pods.
    pub pods: Vec<Arc<Pod>>,
    /// Its StatefulSet, without the template.
    pub stateful_set: Option<Arc<StatefulSet>>,
    /// Its Services.
    pub services: Vec<Arc<Service>>,
    /// Metadata of its ConfigMaps.
    pub config_maps: Vec<ObjectMeta>,
    /// Metadata of its PodDisruptionBudgets.
    pub budgets: Vec<ObjectMeta>,
    /// Metadata of its NetworkPolicies.
    pub policies: Vec<ObjectMeta>,
}

impl Scope {
    /// Begins to watch.
    #[must_use]
    pub fn watch(client: &Client, namespace: Option<&str>) -> (Self, Watches) {
        let (resources, writer) = reflector::store();
        let changes = watcher(api::<Guarded>(client, namespace), watcher::Config::default())
            .default_backoff()
            .modify(|resource| resource.managed_fields_mut().clear())
            .reflect(writer)
            .boxed();
        let mut owned = Vec::new();
        let scope = Self {
            namespace: namespace.map(str::to_owned),
            resources,
            pods: watched(client, namespace, &mut owned, |pod: &mut Pod| pod.spec = None),
            stateful_sets: watched(client, namespace, &mut owned, |set: &mut StatefulSet| {
                if let Some(spec) = &mut set.spec {
                    spec.template = Default::default();
                }
            }),
            services: watched(client, namespace, &mut owned, |_| {}),
            config_maps: watched(client, namespace, &mut owned, |_| {}),
            budgets: watched(client, namespace, &mut owned, |_| {}),
            policies: watched(client, namespace, &mut owned, |_| {}),
        };
        (scope, Watches { resources: changes, owned })
    }

    /// Waits until everything has been listed once.
    ///
    /// # Errors
    /// Watching has ended.
    pub async fn filled(&self) -> Result<(), reflector::store::WriterDropped> {
        self.resources.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        self.stateful_sets.wait_until_ready().await?;
        self.services.wait_until_ready().await?;
        self.config_maps.wait_until_ready().await?;
        self.budgets.wait_until_ready().await?;
        self.policies.wait_until_ready().await
    }

    /// What exists of the resource `name` with this uid; pods without an owner of their own are found by label.
    #[must_use]
    pub fn owned(&self, namespace: &str, name: &str, uid: &str) -> Owned {
        let theirs = |metadata: &ObjectMeta| {
            let owners = metadata.owner_references.as_deref().unwrap_or_default();
            metadata.namespace.as_deref() == Some(namespace) && owners.iter().any(|owner| owner.uid == uid)
        };
        Owned {
            pods: self.pods.state_filter(|pod| {
                pod.metadata.namespace.as_deref() == Some(namespace)
                    && pod.labels().get(INSTANCE).map(String::as_str) == Some(name)
            }),
            stateful_set: self.stateful_sets.find(|set| theirs(&set.metadata)),
            services: self.services.state_filter(|service| theirs(&service.metadata)),
            config_maps: metadata_of(&self.config_maps, theirs),
            budgets: metadata_of(&self.budgets, theirs),
            policies: metadata_of(&self.policies, theirs),
        }
    }
}

fn metadata_of<K: Resource<DynamicType = ()> + Debug + Send + Sync + 'static>(
    store: &Store<PartialObjectMeta<K>>,
    theirs: impl Fn(&ObjectMeta) -> bool,
) -> Vec<ObjectMeta>
where
    PartialObjectMeta<K>: Lookup<DynamicType = ()> + Clone,
{
    let found = store.state_filter(|object| theirs(&object.metadata));
    found.iter().map(|object| object.metadata.clone()).collect()
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Watches a kind, whole or as metadata alone, without what `strip` takes away.
fn watched<K>(
    client: &Client,
    namespace: Option<&str>,
    triggers: &mut Vec<Triggers>,
    strip: impl Fn(&mut K) + Send + Sync + 'static,
) -> Store<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let changes = watcher(api::<K>(client, namespace), watcher::Config::default().labels(MANAGED_BY))
        .default_backoff()
        .modify(move |object| {
            object.managed_fields_mut().clear();
            strip(object);
        })
        .reflect(writer)
        .touched_objects()
        .filter_map(|object| async { object.map(|object| resource_of(object.meta())).transpose() });
    triggers.push(changes.boxed());
    store
}

/// Whose an object is, by its label.
fn resource_of(metadata: &ObjectMeta) -> Option<ObjectRef<Guarded>> {
    let name = metadata.labels.as_ref()?.get(INSTANCE)?;
    Some(ObjectRef::new(name).within(metadata.namespace.as_deref()?))
}
