//! A resource that goes: its pods first, then its locations at the backend, then itself (design §5).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use smsc_config::{Config, pod_location};
use smsc_crds::DeregistrationPolicy;

use super::context::Memory;
use super::pass::{Again, Pass, between};
use crate::apply::Refused;
use crate::build::grace;
use crate::dereference::{any_pod, gets_no_pod};
use crate::events;
use crate::names::{FINALIZER, selector_text};
use crate::registrar::Wanted;
use crate::status::{Because, Facts, Reason};

/// Pods that stop are looked for this often, besides at every change of one.
const STOPPING: Duration = Duration::from_secs(5);

/// How far it is.
enum Step {
    /// Nothing of it is left that keeps it.
    Done,
    /// It takes longer; until then it may.
    Waits(Again, Timestamp),
}

impl Pass<'_> {
    /// Does the next step; none is left when the finalizer is gone.
    pub(super) async fn delete(
        &self,
        memory: &mut Memory,
        facts: &mut Facts,
    ) -> Result<Option<Again>, Refused> {
        let finalizers = self.resource.metadata.finalizers.as_deref().unwrap_or_default();
        if !finalizers.iter().any(|name| name == FINALIZER) {
            return Ok(None);
        }
        if self.resource.spec.deregistration.policy == DeregistrationPolicy::Leave {
            self.finalizer(false).await?;
            return Ok(None);
        }
        let deadline = self.deadline(memory);
        match self.take_away(memory, facts, deadline).await {
            Ok(Step::Done) => {
                self.finalizer(false).await?;
                Ok(None)
            }
            Ok(Step::Waits(mut again, until)) if self.now < until => {
                again.soon(between(self.now, until));
                Ok(Some(again))
            }
            Err(refused) if self.now < deadline => Err(refused),
            Ok(Step::Waits(..)) => self.abandon(memory, facts, None).await,
            Err(refused) => self.abandon(memory, facts, Some(&refused)).await,
        }
    }

    /// The whole time it may take: what pods are given to stop, then what the backend is given. It begins when an operator
    /// looks: one that was away has not tried yet.
    fn deadline(&self, memory: &mut Memory) -> Timestamp {
        let stopping = SignedDuration::try_from(grace(&Config::default())).unwrap_or_default();
        let began = *memory.going.get_or_insert(self.now);
        after(after(began, stopping), self.patience())
    }

    /// What the backend is given.
    fn patience(&self) -> SignedDuration {
        SignedDuration::from_secs(self.resource.spec.deregistration.deadline_seconds.into())
    }

    /// Stops the pods, then tells the backend.
    async fn take_away(
        &self,
        memory: &mut Memory,
        facts: &mut Facts,
        mut deadline: Timestamp,
    ) -> Result<Step, Refused> {
        let mut again = Again::default();
        let before = self.before(memory);
        facts.locations = before.locations.clone();
        let owned = self.owned();
        // What pods say does not matter any more.
        let silent = owned.pods.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
        let found = self.reader().read(owned, 0, &before.locations, &BTreeSet::new(), &silent).await?;
        self.count(memory, facts, &found);

        if !self.stopped().await? {
            let message = format!("{} pods stop; then the backend is told", found.pods.len());
            facts.held = Some(Because::new(Reason::Deregistering, message));
            again.soon(STOPPING);
        } else if self.context.is_taken(self.resource) {
            // What the backend has under these names is another's.
            return Ok(Step::Done);
        } else {
            let since = *memory.pods_gone.get_or_insert(self.now);
            deadline = deadline.min(after(since, self.patience()));
            let own = (0..self.asked()).map(|ordinal| pod_location(&self.resource.spec.location, ordinal));
            let gone: BTreeSet<String> = own
                .chain(before.locations.iter().map(|location| location.name.clone()))
                .chain(found.polling.0.keys().cloned())
                .collect();
            let wanted = Wanted {
                backend: self.resource.spec.backend.clone(),
                registered: BTreeMap::new(),
                gone: gone.clone(),
            };
            let results = self.context.registrar.want(&self.key, wanted);
            if gone.is_subset(&results.gone) {
                return Ok(Step::Done);
            }
            facts.locations.retain(|location| !results.gone.contains(&location.name));
            facts.backend = results.failure;
            facts.held =
                Some(Because::new(Reason::Deregistering, "the backend is told that the locations are gone"));
        }
        Ok(Step::Waits(again, deadline))
    }

    /// Lets the resource go, and says what stays.
    async fn abandon(
        &self,
        memory: &Memory,
        facts: &Facts,
        refused: Option<&Refused>,
    ) -> Result<Option<Again>, Refused> {
        let seconds = self.resource.spec.deregistration.deadline_seconds;
        let names: Vec<&str> = facts.locations.iter().map(|location| location.name.as_str()).collect();
        let why = match (refused, &facts.backend, memory.pods_gone) {
            (Some(refused), ..) => refused.to_string(),
            (None, Some(backend), _) => backend.message.clone(),
            (None, None, Some(_)) => "it has not answered yet".to_owned(),
            (None, None, None) => "pods did not stop".to_owned(),
        };
        let message = format!("after {seconds} s the backend may still have {}: {why}", names.join(", "));
        let because = Because::new(Reason::DeregistrationAbandoned, message);
        tracing::warn!(namespace = self.key.namespace, name = self.key.name, "{}", because.message);
        events::tell(&self.context.recorder, &self.reference(), &because, true).await;
        self.finalizer(false).await?;
        Ok(None)
    }

    /// Has the pods stopped; whether none is left and none can come, as the API server, not only the cache, has it.
    async fn stopped(&self) -> Result<bool, Refused> {
        let set = self.reader().stateful_set().await?;
        let owned = |set: &StatefulSet| set.owner_references().iter().any(|owner| owner.uid == self.uid);
        let set = set.filter(owned);
        if let Some(set) = &set
            && set.spec.as_ref().and_then(|spec| spec.replicas) != Some(0)
        {
            self.stop().await?;
            return Ok(false);
        }
        let pods = any_pod(&self.context.client, &self.key.namespace, &selector_text(&self.key.name)).await?;
        Ok(!pods && gets_no_pod(set.as_ref(), 0))
    }

    async fn stop(&self) -> Result<(), Refused> {
        let name = &self.names.workload;
        let api: Api<StatefulSet> = Api::namespaced(self.context.client.clone(), &self.key.namespace);
        let patch = json!({"spec": {"replicas": 0}});
        match api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(source) => Err(Refused { what: format!("StatefulSet {name}"), source }),
        }
    }
}

/// Never beyond what a clock can show.
fn after(start: Timestamp, wait: SignedDuration) -> Timestamp {
    start.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
