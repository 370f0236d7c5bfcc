//! Every call of the operator to a backend (design §5, §9). None of them runs inside a reconcile.
//!
//! ```text
//! reconcile ── want ──► Ledger ── jobs ──► a task per (namespace, Backend) ──► backend
//!     ▲                   │  ▲                        │
//!     └───── pokes ◄──────┘  └──── settled ◄──────────┘
//! ```
//! The ledger is pure and holds what is wanted, what is known and when to try again; tasks read credentials at the
//! start of each round of calls, make the calls and write down what came of them.
mod backoff;
mod credentials;
mod ledger;
mod record;
mod task;
mod wording;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::Stream;
use smsc_backend::FrontendRegistration;
use tokio::time::Instant;

pub use credentials::{Account, Credentials, read_credentials};
pub use world::{Call, Cluster, World};

use crate::metrics::Metrics;
use crate::pokes::Pokes;
use crate::status::Because;
use ledger::Ledger;

/// Which resource wants it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace of the resource.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What one resource wants its backend to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// How the backend is reached; names of Secrets and ConfigMaps are those of the resource's namespace.
    pub backend: smsc_crds::Backend,
    /// Locations whose pod is Ready: what to tell. One that is in `gone` too is told.
    pub registered: BTreeMap<String, Wish>,
    /// Locations to take away.
    pub gone: BTreeSet<String>,
}

/// What to tell of one location, and for whom.
#[derive(Debug, Clone)]
pub struct Wish {
    /// What is told. Two wishes that differ in `uptime_seconds` only are the same.
    pub registration: FrontendRegistration,
    /// The pod's uid: a new pod is told again.
    pub incarnation: String,
}

impl PartialEq for Wish {
    fn eq(&self, other: &Self) -> bool {
        let Self { registration: theirs, incarnation } = other;
        let FrontendRegistration {
            frontend_name,
            frontend_type,
            hostname,
            ip_address,
            version,
            uptime_seconds: _,
            expires_in,
            configuration,
        } = &self.registration;
        self.incarnation == *incarnation
            && *frontend_name == theirs.frontend_name
            && *frontend_type == theirs.frontend_type
            && *hostname == theirs.hostname
            && *ip_address == theirs.ip_address
            && *version == theirs.version
            && *expires_in == theirs.expires_in
            && *configuration == theirs.configuration
    }
}

/// What is known now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    /// Locations the backend has taken, at this backend; a location to take away stays until it is let go.
    pub registered: BTreeSet<String>,
    /// Of [`Wanted::gone`]: those the backend has let go.
    pub gone: BTreeSet<String>,
    /// What the backend (or the cluster) last said of one it has not taken, not taken anew, or not let go.
    pub failure: Option<Because>,
}

/// Tells backends of locations, once, and again only when there is something new to tell.
///
/// Its tasks end with it.
pub struct Registrar<W: World = Cluster> {
    shared: Arc<Shared<W>>,
}

impl Registrar {
    /// Reads credentials through `client` as `account`; counts calls in `metrics`.
    #[must_use]
    pub fn new(client: kube::Client, metrics: Arc<Metrics>, account: Account) -> Self {
        Self::of(Cluster::new(client, account), metrics)
    }
}

impl<W: World> Registrar<W> {
    /// A registrar in `world`.
    #[must_use]
    pub fn of(world: W, metrics: Arc<Metrics>) -> Self {
        let shared = Shared { world, metrics, ledger: Mutex::default(), pokes: Arc::default() };
        Self { shared: Arc::new(shared) }
    }

    /// The keys of resources whose results changed; each waits at most once. For one consumer; never
    /// ends.
    pub fn pokes(&self) -> impl Stream<Item = Key> + Send + use<W> {
        self.shared.pokes.clone().stream()
    }

    /// Replaces what the resource wants; returns what is known. Wanting the same again calls nothing. To be called on
    /// a tokio runtime.
    pub fn want(&self, key: &Key, wanted: Wanted) -> Results {
        let mut ledger = self.shared.ledger();
        let results = ledger.want(key, wanted, Instant::now());
        for (place, signals) in ledger.to_start() {
            let task = tokio::spawn(task::run(self.shared.clone(), place.clone(), signals));
            ledger.started(&place, task.abort_handle());
        }
        results
    }

    /// The resource is gone, nothing is to be called any more for it. A call under way runs to its end.
    pub fn forget(&self, key: &Key) {
        self.shared.ledger().forget(key);
    }
}

impl<W: World> Drop for Registrar<W> {
    fn drop(&mut self) {
        self.shared.ledger().abort();
    }
}

/// What tasks share.
struct Shared<W> {
    world: W,
    metrics: Arc<Metrics>,
    /// Held for a look or a note, never while waiting.
    ledger: Mutex<Ledger>,
    pokes: Arc<Pokes>,
}

impl<W> Shared<W> {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
