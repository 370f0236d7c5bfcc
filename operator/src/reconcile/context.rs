//! What all passes share, and what is remembered from one pass of a resource to the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource as _};
use smsc_backend::FrontendRegistration;
use smsc_crds::{SmscFrontend, SmscFrontendStatus};

use super::Error;
use super::silent::Silent;
use crate::apply::Marks;
use crate::caches::{Guarded, Scope};
use crate::claims::{Claims, overlap};
use crate::events::Transitions;
use crate::metrics::Metrics;
use crate::pods::Pods;
use crate::pokes::Pokes;
use crate::registrar::{Account, Key, Registrar};
use crate::settings::Settings;

/// How long it is believed that a kind is installed, or not.
const KINDS_KNOWN: Duration = Duration::from_secs(300);

/// What all passes share.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) settings: Settings,
    pub(super) metrics: Arc<Metrics>,
    pub(super) scopes: Vec<Scope>,
    /// For each scope, resources to look at again.
    pub(super) pokes: Vec<Arc<Pokes>>,
    pub(super) registrar: Registrar,
    pub(super) pods: Pods,
    pub(super) recorder: Recorder,
    pub(super) transitions: Transitions,
    memories: Mutex<HashMap<Key, Memory>>,
    claims: Mutex<Claims>,
    /// Whether PodMonitors are known to the cluster, and when that was asked.
    pod_monitors: Mutex<Option<(bool, Instant)>>,
    /// Resources whose location another one has: they are looked at again when any resource changes or goes.
    conflicted: Mutex<BTreeSet<Key>>,
}

/// What is remembered of a resource; all of it can be found out anew.
#[derive(Default)]
pub(super) struct Memory {
    /// Which resource of its name it is.
    uid: String,
    /// What was written.
    pub(super) marks: Marks,
    /// What pods tell the backend of themselves, by their uid.
    pub(super) registrations: BTreeMap<String, FrontendRegistration>,
    /// Pods that did not answer.
    pub(super) silent: Silent,
    /// The status as it was last written, which the cache may not have yet.
    pub(super) status: Option<SmscFrontendStatus>,
    /// Passes that failed since the last that did not.
    pub(super) failures: u32,
    /// When it was first seen that the resource is going.
    pub(super) going: Option<Timestamp>,
    /// When the last pod of a resource that is going was gone.
    pub(super) pods_gone: Option<Timestamp>,
}

impl Key {
    /// That of an object in a namespace.
    pub(super) fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self { namespace: metadata.namespace.clone()?, name: metadata.name.clone()? })
    }
}

impl Context {
    pub(super) fn new(
        client: Client,
        settings: Settings,
        metrics: Arc<Metrics>,
        scopes: Vec<Scope>,
    ) -> Result<Self, Error> {
        let reporter =
            Reporter { controller: "smsc-operator".to_owned(), instance: Some(settings.instance.clone()) };
        let recorder = Recorder::new(client.clone(), reporter);
        let account =
            Account { secrets_role: settings.secrets_role.clone(), operator: settings.operator.clone() };
        Ok(Self {
            transitions: Transitions::publish(recorder.clone()),
            recorder,
            pods: Pods::new()?,
            registrar: Registrar::new(client.clone(), metrics.clone(), account),
            pokes: scopes.iter().map(|_| Arc::default()).collect(),
            memories: Mutex::default(),
            claims: Mutex::default(),
            pod_monitors: Mutex::default(),
            conflicted: Mutex::default(),
            client,
            settings,
            metrics,
            scopes,
        })
    }

    /// The scope that has a namespace.
    pub(super) fn scope(&self, namespace: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.namespace.as_deref().is_none_or(|named| named == namespace))
    }

    /// Every resource; some cannot be read.
    fn resources(&self) -> Vec<Arc<Guarded>> {
        self.scopes.iter().flat_map(|scope| scope.resources.state()).collect()
    }

    /// The resource that has a location of `resource`'s; if there is none, `resource` has them from now on.
    pub(super) fn admit(&self, resource: &SmscFrontend) -> Option<SmscFrontend> {
        let others = self.resources();
        let others = others.iter().filter_map(|guarded| guarded.0.as_ref().ok());
        locked(&self.claims).admit(resource, others).cloned()
    }

    /// Whether another resource has a location of `resource`'s.
    pub(super) fn is_taken(&self, resource: &SmscFrontend) -> bool {
        let others = self.resources();
        let others = others.iter().filter_map(|guarded| guarded.0.as_ref().ok());
        locked(&self.claims).holder(resource, others).is_some()
    }

    /// Whether PodMonitors are known to the cluster, if that was asked lately. `asked` is what was found just now.
    pub(super) fn pod_monitors(&self, asked: Option<bool>) -> Option<bool> {
        let mut known = locked(&self.pod_monitors);
        if let Some(asked) = asked {
            *known = Some((asked, Instant::now()));
        }
        known.filter(|(_, at)| at.elapsed() < KINDS_KNOWN).map(|(known, _)| known)
    }

    /// Has a resource looked at again.
    pub(super) fn poke(&self, key: Key) {
        let has = |scope: &Scope| scope.namespace.as_ref().is_none_or(|named| *named == key.namespace);
        if let Some(index) = self.scopes.iter().position(has) {
            self.pokes[index].push(key);
        }
    }

    /// Has those looked at to whom a change of `resource` may matter.
    pub(super) fn disturb(&self, resource: &SmscFrontend) {
        let others = self.resources();
        let others = others.iter().filter_map(|guarded| guarded.0.as_ref().ok());
        let others =
            others.filter(|other| overlap(resource, other)).filter_map(|other| Key::of(&other.metadata));
        let own = Key::of(&resource.metadata);
        let conflicted = locked(&self.conflicted).clone();
        for key in others.chain(conflicted).filter(|key| Some(key) != own.as_ref()) {
            self.poke(key);
        }
    }

    /// Drops what is remembered of a resource that is gone.
    pub(super) fn forget(&self, resource: &SmscFrontend) {
        if let Some(key) = Key::of(&resource.metadata) {
            locked(&self.memories).remove(&key);
            locked(&self.conflicted).remove(&key);
            self.registrar.forget(&key);
        }
        locked(&self.claims).forget(resource);
        self.disturb(resource);
    }

    /// Notes whether another resource has this one's location.
    pub(super) fn conflicted(&self, key: &Key, is: bool) {
        let mut conflicted = locked(&self.conflicted);
        if is {
            conflicted.insert(key.clone());
        } else {
            conflicted.remove(key);
        }
    }

    /// Takes what is remembered of a resource, for one pass. Of an older one of its name nothing is.
    pub(super) fn recall(&self, key: &Key, uid: &str) -> Memory {
        let found = locked(&self.memories).remove(key);
        found.filter(|memory| memory.uid == uid).unwrap_or_else(|| {
            self.registrar.forget(key);
            Memory { uid: uid.to_owned(), ..Memory::default() }
        })
    }

    /// Puts it back, unless the resource has gone meanwhile.
    pub(super) fn remember(&self, key: &Key, memory: Memory) {
        let mut memories = locked(&self.memories);
        let reference = ObjectRef::<Guarded>::new(&key.name).within(&key.namespace);
        let there = self.scope(&key.namespace).and_then(|scope| scope.resources.get(&reference));
        if there.is_some_and(|resource| resource.meta().uid.as_ref() == Some(&memory.uid)) {
            memories.insert(key.clone(), memory);
        } else {
            self.registrar.forget(key);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
