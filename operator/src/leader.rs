//! One operator of several acts: the one that holds a Lease (coordination.k8s.io/v1).
//!
//! Clocks are never compared. A holder writes the lease every [`RETRY`] and stops acting when it could not for
//! [`DEADLINE`]; the others take the lease when *they* saw no write for [`DURATION`], which is longer. Every write names
//! the version it replaces, so of two that write at once one is refused.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Error as KubeError};
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::said;

#[cfg(test)]
mod tests;

/// How long a lease stands without being written.
pub const DURATION: Duration = Duration::from_secs(15);
/// How long a holder that cannot write the lease goes on.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// How often a holder writes and the others look.
pub const RETRY: Duration = Duration::from_secs(2);
/// The longest one look or write may take.
const ATTEMPT: Duration = Duration::from_secs(4);

/// Which lease, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The namespace of the lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who takes it; no two that run may have the same.
    pub identity: String,
}

/// The lease can never be taken.
#[derive(Debug, thiserror::Error)]
#[error("the lease {namespace}/{name} cannot be taken: {}", said(.error))]
pub struct Error {
    namespace: String,
    name: String,
    #[source]
    error: KubeError,
}

/// Why a lease is held no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It could not be written in time; others may take it soon.
    #[error("it could not be renewed in time: {0}")]
    NotRenewed(String),
    /// It names another holder.
    #[error("its holder is now {0}")]
    Taken(String),
}

/// A lease that is held, as long as [`Held::keep`] runs.
#[derive(Debug)]
pub struct Held {
    api: Api<Lease>,
    claim: Claim,
    lease: Lease,
    /// When the write was begun that the server took last.
    renewed: Instant,
}

/// Waits until the lease is free, and takes it. Failures are logged and tried again.
///
/// # Errors
/// The operator has no right to the lease, or there is no such namespace.
pub async fn acquire(client: &Client, claim: Claim) -> Result<Held, Error> {
    let api: Api<Lease> = Api::namespaced(client.clone(), &claim.namespace);
    let mut seen = Seen::default();
    let mut told = Told::default();
    loop {
        let next = Instant::now() + RETRY;
        match timeout(ATTEMPT, try_acquire(&api, &claim, &mut seen)).await {
            Ok(Ok(Attempt::Taken(held))) => return Ok(*held),
            Ok(Ok(Attempt::HeldBy(holder))) => told.waiting(holder),
            Ok(Err(error)) if is_final(&error) => {
                let Claim { namespace, name, .. } = claim;
                return Err(Error { namespace, name, error });
            }
            Ok(Err(error)) => told.failed(said(&error)),
            Err(_) => told.failed("no answer in time".to_owned()),
        }
        sleep_until(next).await;
    }
}

impl Held {
    /// Keeps the lease, and returns only once it is lost: the caller must not act any more then. May be dropped.
    pub async fn keep(&mut self) -> Lost {
        let mut told = Told::default();
        loop {
            let deadline = self.renewed + DEADLINE;
            sleep_until(deadline.min(Instant::now() + RETRY)).await;
            if Instant::now() >= deadline {
                return Lost::NotRenewed(
                    told.failure.unwrap_or_else(|| "this process was stopped".to_owned()),
                );
            }
            match timeout(ATTEMPT.min(deadline - Instant::now()), self.renew()).await {
                Ok(Ok(None)) => told = Told::default(),
                Ok(Ok(Some(holder))) => return Lost::Taken(holder),
                Ok(Err(error)) => told.failed(said(&error)),
                Err(_) => told.failed("no answer in time".to_owned()),
            }
        }
    }

    /// Gives the lease up, so that another may take it at once. Does nothing if it is another's already.
    ///
    /// # Errors
    /// The API server refused or did not answer; the lease then runs out by itself.
    pub async fn release(mut self) -> Result<(), ReleaseError> {
        let release = async {
            loop {
                let mut free = self.lease.clone();
                let spec = free.spec.get_or_insert_default();
                spec.holder_identity = None;
                spec.renew_time = Some(MicroTime(Timestamp::now()));
                match write(&self.api, &free).await {
                    Ok(_) => return Ok(()),
                    Err(error) if is_outdated(&error) => {}
                    Err(error) => return Err(ReleaseError::Refused(error)),
                }
                match self.api.get_opt(&self.claim.name).await.map_err(ReleaseError::Refused)? {
                    Some(lease) if holder(&lease) == Some(&self.claim.identity) => self.lease = lease,
                    _ => return Ok(()),
                }
            }
        };
        timeout(ATTEMPT, release).await.unwrap_or(Err(ReleaseError::NoAnswer))
    }

    /// Writes the lease once; or says who else holds it.
    async fn renew(&mut self) -> Result<Option<String>, KubeError> {
        let asked = Instant::now();
        let mut next = self.lease.clone();
        next.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
        match write(&self.api, &next).await {
            Ok(lease) => {
                self.lease = lease;
                self.renewed = asked;
                return Ok(None);
            }
            Err(error) if is_outdated(&error) => {}
            Err(error) => return Err(error),
        }
        // A write of ours whose answer was lost, somebody else's, or the lease is gone.
        match self.api.get_opt(&self.claim.name).await? {
            Some(lease) if holder(&lease) == Some(&self.claim.identity) => self.lease = lease,
            Some(lease) => return Ok(Some(holder(&lease).unwrap_or("nobody").to_owned())),
            None => self.lease.metadata.resource_version = None,
        }
        let next = Lease { spec: next.spec, metadata: self.lease.metadata.clone() };
        self.lease = write(&self.api, &next).await?;
        self.renewed = asked;
        Ok(None)
    }
}

/// Why a lease was not given up.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The API server refused.
    #[error("{}", said(.0))]
    Refused(#[source] KubeError),
    /// It did not answer in time.
    #[error("no answer in time")]
    NoAnswer,
}

enum Attempt {
    Taken(Box<Held>),
    HeldBy(String),
}

async fn try_acquire(api: &Api<Lease>, claim: &Claim, seen: &mut Seen) -> Result<Attempt, KubeError> {
    let found = api.get_opt(&claim.name).await?;
    if let Some(lease) = &found
        && let Some(holder) = holder(lease)
        && holder != claim.identity
        && !seen.is_over(lease.spec.as_ref(), Instant::now())
    {
        return Ok(Attempt::HeldBy(holder.to_owned()));
    }
    let asked = Instant::now();
    let existed = found.is_some();
    match write(api, &taken(found, claim, Timestamp::now())).await {
        Ok(lease) => {
            let held = Held { api: api.clone(), claim: claim.clone(), lease, renewed: asked };
            Ok(Attempt::Taken(Box::new(held)))
        }
        // A lease that is missing when it is created has no namespace.
        Err(error) if is_outdated(&error) && (existed || !is_missing(&error)) => {
            Ok(Attempt::HeldBy("one that was faster".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// The lease as the claimant writes it first.
fn taken(found: Option<Lease>, claim: &Claim, now: Timestamp) -> Lease {
    let mut lease = found.unwrap_or_else(|| Lease {
        metadata: ObjectMeta { name: Some(claim.name.clone()), ..ObjectMeta::default() },
        spec: None,
    });
    let before = lease.spec.take().unwrap_or_default();
    let changes = before.lease_transitions.unwrap_or(0);
    let same = before.holder_identity.as_deref() == Some(&claim.identity);
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(claim.identity.clone()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(if same { changes } else { changes.saturating_add(1) }),
        ..before
    });
    lease
}

/// What another's lease said last, and since when by our own clock.
#[derive(Debug, Default)]
struct Seen {
    spec: Option<LeaseSpec>,
    since: Option<Instant>,
}

impl Seen {
    /// Whether nothing was written for as long as its holder said.
    fn is_over(&mut self, spec: Option<&LeaseSpec>, now: Instant) -> bool {
        let since = match self.since {
            Some(since) if self.spec.as_ref() == spec => since,
            _ => {
                self.spec = spec.cloned();
                *self.since.insert(now)
            }
        };
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
        let lasts =
            seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(DURATION, Duration::from_secs);
        now - since >= lasts
    }
}

/// What was logged last: a line for each change, not for each look.
#[derive(Debug, Default)]
struct Told {
    holder: Option<String>,
    failure: Option<String>,
}

impl Told {
    fn waiting(&mut self, holder: String) {
        self.failure = None;
        if self.holder.as_ref() != Some(&holder) {
            tracing::info!(holder, "the lease is held by another");
            self.holder = Some(holder);
        }
    }

    fn failed(&mut self, failure: String) {
        if self.failure.as_ref() != Some(&failure) {
            tracing::warn!(error = failure, "the lease could not be read or written");
            self.failure = Some(failure);
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Writes what replaces the version it was made from, or the first version.
async fn write(api: &Api<Lease>, lease: &Lease) -> Result<Lease, KubeError> {
    match (&lease.metadata.resource_version, &lease.metadata.name) {
        (Some(_), Some(name)) => api.replace(name, &PostParams::default(), lease).await,
        _ => api.create(&PostParams::default(), lease).await,
    }
}

/// Whether the version that was to be replaced is not the newest.
fn is_outdated(error: &KubeError) -> bool {
    matches!(error, KubeError::Api(status) if status.code == 409) || is_missing(error)
}

fn is_missing(error: &KubeError) -> bool {
    matches!(error, KubeError::Api(status) if status.code == 404)
}

/// Whether trying again cannot help: no right to the lease, or its namespace is missing.
fn is_final(error: &KubeError) -> bool {
    matches!(error, KubeError::Api(status) if matches!(status.code, 401 | 403)) || is_missing(error)
}
