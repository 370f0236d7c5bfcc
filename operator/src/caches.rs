//! What the operator watches: its resources and, by label, what it made for them. One scope for each namespace it may see,
//! or one for all.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
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
use tokio::sync::watch;

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
    unlisted: Unlisted,
    /// Whether resources were listed, or may not be.
    asked: Arc<watch::Sender<bool>>,
}

/// How many kinds have not been listed yet. `Store::wait_until_ready` is not used beside a controller, which uses it too:
/// of several that wait for one store it wakes only the last.
#[derive(Debug, Clone)]
struct Unlisted(Arc<watch::Sender<usize>>);

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
        let unlisted = Unlisted(Arc::new(watch::Sender::new(0)));
        let asked = Arc::new(watch::Sender::new(false));
        let (resources, writer) = reflector::store();
        let changes = watcher(api::<Guarded>(client, namespace), watcher::Config::default())
            .default_backoff()
            .modify(|resource| resource.managed_fields_mut().clear())
            .reflect(writer)
            .inspect_ok(unlisted.one_more())
            .inspect({
                let asked = asked.clone();
                move |event| {
                    if answers(event) {
                        asked.send_if_modified(|asked| !std::mem::replace(asked, true));
                    }
                }
            })
            .boxed();
        let mut owned = Vec::new();
        let scope = Self {
            namespace: namespace.map(str::to_owned),
            resources,
            pods: watched(client, namespace, &unlisted, &mut owned, |pod: &mut Pod| pod.spec = None),
            stateful_sets: watched(client, namespace, &unlisted, &mut owned, |set: &mut StatefulSet| {
                if let Some(spec) = &mut set.spec {
                    spec.template = Default::default();
                }
            }),
            services: watched(client, namespace, &unlisted, &mut owned, |_| {}),
            config_maps: watched(client, namespace, &unlisted, &mut owned, |_| {}),
            budgets: watched(client, namespace, &unlisted, &mut owned, |_| {}),
            policies: watched(client, namespace, &unlisted, &mut owned, |_| {}),
            unlisted,
            asked,
        };
        (scope, Watches { resources: changes, owned })
    }

    /// Waits until everything has been listed once.
    pub async fn filled(&self) {
        let mut left = self.unlisted.0.subscribe();
        left.wait_for(|left| *left == 0).await.expect("the scope has the sender");
    }

    /// Waits until its resources have been listed once, or were refused: a namespace that is gone, and its Role with it, must
    /// not keep the others from being looked after.
    pub async fn asked(&self) {
        let mut asked = self.asked.subscribe();
        asked.wait_for(|asked| *asked).await.expect("the scope has the sender");
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

impl Unlisted {
    /// Counts one more kind, until its events say that it was listed. A kind may be listed again later.
    fn one_more<K>(&self) -> impl FnMut(&watcher::Event<K>) + Send + use<K> {
        self.0.send_modify(|left| *left += 1);
        let mut sender = Some(self.0.clone());
        move |event| {
            if let watcher::Event::InitDone = event
                && let Some(sender) = sender.take()
            {
                sender.send_modify(|left| *left -= 1);
            }
        }
    }
}

/// Whether the API server has listed what there is, or has refused to.
fn answers<K>(event: &Result<watcher::Event<K>, watcher::Error>) -> bool {
    match event {
        Ok(event) => matches!(event, watcher::Event::InitDone),
        Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) => matches!(status.code, 403 | 404),
        Err(_) => false,
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
    unlisted: &Unlisted,
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
        .inspect_ok(unlisted.one_more())
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::future::join_all;
    use futures_util::stream::select_all;
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    /// A server that has nothing, and never says of a change.
    fn empty() -> Client {
        let answer = |request: Request<Body>| async move {
            if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
                std::future::pending::<()>().await;
            }
            let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": []});
            Ok::<_, Infallible>(Response::new(Body::from(list.to_string().into_bytes())))
        };
        Client::new(service_fn(answer), "default")
    }

    #[tokio::test(start_paused = true)]
    async fn everyone_who_waits_for_the_caches_is_woken() {
        let (scope, Watches { resources, owned }) = Scope::watch(&empty(), None);
        let waiting = (0..5).map(|_| {
            let scope = scope.clone();
            tokio::spawn(async move { scope.filled().await })
        });
        let waiting: Vec<_> = waiting.collect();
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|task| !task.is_finished()));
        tokio::spawn(resources.for_each(|_| async {}));
        tokio::spawn(select_all(owned).for_each(|_| async {}));
        let woken = tokio::time::timeout(std::time::Duration::from_secs(60), join_all(waiting)).await;
        assert!(woken.expect("all are woken").into_iter().all(|task| task.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_may_not_be_read_is_not_waited_for_by_others() {
        let refuse = |_: Request<Body>| async {
            let text = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden"});
            let body = Body::from(text.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(403).body(body).expect("a response"))
        };
        let client = Client::new(service_fn(refuse), "default");
        let (scope, Watches { resources, owned: _ }) = Scope::watch(&client, Some("gone"));
        tokio::spawn(resources.for_each(|_| async {}));
        let patience = std::time::Duration::from_secs(60);
        tokio::time::timeout(patience, scope.asked()).await.expect("it was refused");
        assert!(tokio::time::timeout(patience, scope.filled()).await.is_err());
    }
}
