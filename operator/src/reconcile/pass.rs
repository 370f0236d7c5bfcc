//! One pass over one resource: dereference → validate → build → apply → status.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource as _, ResourceExt as _};
use smsc_config::Config;
use smsc_crds::{DeregistrationPolicy, Location, LocationState, SmscFrontend};

use super::context::{Context, Memory};
use super::judge::{Verdict, backoff, verdict};
use super::silent::Heard;
use crate::apply::{Apply, Refused};
use crate::build::build;
use crate::caches::Owned;
use crate::config::of_pod;
use crate::dereference::{Found, Reader, generations};
use crate::names::Names;
use crate::plan::{Known, Plan, plan, shown};
use crate::pods::{Seen, Told};
use crate::registrar::{Key, Results, Wanted, Wish};
use crate::rollout::rollout;
use crate::status::{Because, Facts, Reason};
use crate::validate::{Surroundings, Validated, validate};

/// While a location moves, pods are asked this often whether they have let it go.
const MOVING: Duration = Duration::from_secs(1);
/// While pods start, what they mount is looked after this often: nothing tells that a Secret is gone.
const STARTING: Duration = Duration::from_secs(30);

/// One resource in one pass.
pub(super) struct Pass<'a> {
    pub(super) context: &'a Context,
    pub(super) resource: &'a SmscFrontend,
    pub(super) key: Key,
    pub(super) uid: String,
    pub(super) names: Names,
    /// Whole seconds, as the API server keeps them: a finer time would differ from the one read back.
    pub(super) now: Timestamp,
}

/// What one pass came to: the word for the metric, and when the next is due without a change.
pub(super) type Outcome = (Reason, Option<Duration>);

impl<'a> Pass<'a> {
    /// None for an object without name, namespace or uid, which the API server never shows.
    pub(super) fn of(context: &'a Context, resource: &'a SmscFrontend) -> Option<Self> {
        let key = Key::of(&resource.metadata)?;
        let now = Timestamp::from_second(Timestamp::now().as_second()).ok()?;
        let names = Names::of(&key.name);
        Some(Self { context, resource, uid: resource.metadata.uid.clone()?, names, key, now })
    }

    /// Does it.
    pub(super) async fn run(&self, memory: &mut Memory) -> Outcome {
        let mut facts = Facts::default();
        let done = if self.resource.metadata.deletion_timestamp.is_some() {
            self.delete(memory, &mut facts).await
        } else {
            self.keep(memory, &mut facts).await
        };
        let mut again = match done {
            Ok(Some(again)) => again,
            // It is gone, or nothing could be read of it.
            Ok(None) => return (Reason::AsSpecified, None),
            Err(refused) => {
                tracing::warn!(namespace = self.key.namespace, name = self.key.name, error = %refused, "pass");
                return (Reason::ApplyFailed, Some(self.later(memory)));
            }
        };
        match self.tell(memory, &facts).await {
            Ok(()) => {}
            Err(refused) => {
                tracing::warn!(namespace = self.key.namespace, name = self.key.name, error = %refused, "status");
                again.soon(self.later(memory));
            }
        }
        let told = facts.stalled.as_ref().or(facts.held.as_ref());
        (told.map_or(Reason::AsSpecified, |because| because.reason), again.0)
    }

    /// Makes the cluster what the specification asks for.
    async fn keep(&self, memory: &mut Memory, facts: &mut Facts) -> Result<Option<Again>, Refused> {
        let spec = &self.resource.spec;
        let mut again = Again::default();
        let taken = self.context.admit(self.resource);
        self.context.conflicted(&self.key, taken.is_some());
        if let Some(other) = taken {
            let other = format!("{}/{}", other.namespace().unwrap_or_default(), other.name_any());
            let message =
                format!("{other} has {} or an ordinal of it at this backend already", spec.location);
            facts.stalled = Some(Because::new(Reason::LocationConflict, message));
            let before = self.before(memory);
            (facts.replicas, facts.ready) = (before.replicas, before.ready_replicas);
            facts.locations = before.locations;
            return Ok(Some(again));
        }

        let asked = self.asked();
        let before = self.before(memory).locations;
        let registrations = memory.registrations.keys().cloned().collect();
        let began = Instant::now();
        let silent = memory.silent.resting(began);
        let found = self.reader().read(self.owned(), asked, &before, &registrations, &silent).await?;
        let known = self.known(asked, &before, &found, memory);
        let mut plan = plan(&known, |ordinal, location| found.released(ordinal, location));
        self.remember_answers(memory, &found, began, &mut again);

        let surroundings = Surroundings {
            image: self.context.settings.frontend_image.clone(),
            load_balancer: found.load_balancer(&self.names),
            pod_monitors: self.pod_monitors().await?,
        };
        let applied = match validate(self.resource, &surroundings, plan.polling.clone(), plan.files) {
            Ok(validated) => {
                facts.startable = i32::from(validated.replicas);
                self.apply(memory, facts, &validated, &found).await
            }
            Err(fault) => {
                facts.stalled = Some(Because::new(Reason::InvalidSpec, fault.to_string()));
                Ok(false)
            }
        };
        let applied = match applied {
            Ok(applied) => applied,
            Err(refused) => {
                match verdict(&refused, &self.context.settings, &self.key.namespace) {
                    Verdict::Stalled(because) => facts.stalled = Some(because),
                    Verdict::Held(because) => facts.held = Some(because),
                    // What was seen is old: a status made of it would speak of a specification that is not applied yet.
                    Verdict::Again => return Err(refused),
                }
                tracing::warn!(namespace = self.key.namespace, name = self.key.name, error = %refused, "apply");
                // Also what stalls: the change it waits for may be made elsewhere, to a policy of the cluster say.
                again.soon(self.later(memory));
                false
            }
        };
        if applied {
            memory.failures = 0;
            if plan.moves(asked, &spec.location) {
                again.soon(MOVING);
            }
            if found.starting() {
                again.soon(STARTING);
            }
        } else {
            plan.polling = found.polling.clone();
        }
        let next = plan.orphans.values().map(|kept| kept.until).filter(|until| *until > self.now).min();
        if let Some(next) = next {
            again.soon(between(self.now, next));
        }

        let results = self.register(memory, &found, &plan, asked);
        let url = Some(&spec.backend.api_base_url);
        let status = self.before(memory);
        let had = |name: &str| {
            status.backend.as_ref() == url
                && results.failure.is_none()
                && before.iter().any(|l| l.name == name && l.state == LocationState::Registered)
        };
        let leave = spec.deregistration.policy == DeregistrationPolicy::Leave;
        facts.locations = shown(
            &known,
            &plan,
            |name| results.registered.contains(name) || had(name),
            |name| leave || results.gone.contains(name),
        );
        facts.backend = results.failure;
        facts.address = found.address(self.resource, &self.names, &self.key.namespace);
        self.count(memory, facts, &found);
        if !spec.paused && (leave || (asked == 0 && facts.locations.is_empty() && found.pods.is_empty())) {
            self.finalizer(false).await?;
        }
        Ok(Some(again))
    }

    /// Writes what was built; whether all of it is.
    async fn apply(
        &self,
        memory: &mut Memory,
        facts: &mut Facts,
        validated: &Validated,
        found: &Found,
    ) -> Result<bool, Refused> {
        let objects = build(validated);
        if self.resource.spec.paused {
            facts.held = Some(Because::new(Reason::Paused, "spec.paused: nothing is written to the cluster"));
            return Ok(false);
        }
        // Pods register themselves as soon as they run; those that ran have left locations.
        let registers = validated.replicas > 0 || !self.before(memory).locations.is_empty();
        let mut apply = Apply {
            client: &self.context.client,
            namespace: &self.key.namespace,
            names: &self.names,
            live: &found.owned,
            marks: &mut memory.marks,
        };
        if validated.waits_for_address {
            let message = format!("the load balancer of Service {} has no address yet", self.names.sip);
            let because = Because::new(Reason::AddressPending, message);
            facts.address_pending = Some(because.clone());
            facts.held = Some(because);
            apply.services(&objects.relay, &objects.sip).await?;
            return Ok(false);
        }
        let policy = self.resource.spec.deregistration.policy;
        if policy == DeregistrationPolicy::Deregister && registers {
            self.finalizer(true).await?;
        }
        let live = found.owned.stateful_set.as_ref().map(|set| &set.metadata);
        let running = match live {
            Some(_) if apply.marks.would_write(&objects.stateful_set, live) => self.running().await?,
            _ => None,
        };
        let written = apply.all(&objects, validated.pod_monitors).await?;
        if let Some((running, before)) = running
            && let Some(written) = written
        {
            let after = of_pod(&validated.shared, 0, validated.polling.held_by(0));
            let template = |set: &StatefulSet| set.spec.clone().map(|spec| spec.template).unwrap_or_default();
            facts.rollout = rollout(&template(&running), &template(&written), before.as_ref(), &after);
        }
        let generations = generations(&objects.config_map.metadata);
        apply.refresh(&found.pods, &found.generations, &generations).await?;
        Ok(true)
    }

    /// What runs before a write: the StatefulSet with its template, and pod 0's file.
    async fn running(&self) -> Result<Option<(StatefulSet, Option<Config>)>, Refused> {
        let reader = self.reader();
        let Some(set) = reader.stateful_set().await? else { return Ok(None) };
        let file = reader.file().await?;
        Ok(Some((set, file.and_then(|file| Config::parse(&file, "config.yaml").ok()))))
    }

    /// Tells the registrar what the backend is to know, and hears what it knows.
    fn register(&self, memory: &Memory, found: &Found, plan: &Plan, asked: u8) -> Results {
        let spec = &self.resource.spec;
        let ready = found.pods.iter().filter(|pod| pod.ready && pod.ordinal < asked);
        let registered = ready.filter_map(|pod| {
            let registration = memory.registrations.get(&pod.uid)?.clone();
            let wish = Wish { registration, incarnation: pod.uid.clone() };
            Some((wish.registration.frontend_name.clone(), wish))
        });
        let gone = match spec.deregistration.policy {
            DeregistrationPolicy::Deregister => plan.ended.clone(),
            DeregistrationPolicy::Leave => BTreeSet::new(),
        };
        let wanted = Wanted { backend: spec.backend.clone(), registered: registered.collect(), gone };
        self.context.registrar.want(&self.key, wanted)
    }

    /// Pods as they are.
    pub(super) fn count(&self, memory: &Memory, facts: &mut Facts, found: &Found) {
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        let set = found.owned.stateful_set.as_deref();
        let status = set.and_then(|set| set.status.as_ref());
        // What was written a moment ago the set's controller may not have seen yet.
        let written = memory.marks.stateful_set(&self.names.workload).0;
        let wanted = set.and_then(|set| set.metadata.generation).max(written);
        let seen = status.and_then(|status| status.observed_generation);
        let revision = status.and_then(|status| status.update_revision.clone());
        let newest = seen.is_some() && seen >= wanted && revision.is_some();
        facts.replicas = count(found.pods.len());
        facts.ready = count(found.pods.iter().filter(|pod| pod.ready).count());
        facts.up_to_date =
            count(found.pods.iter().filter(|pod| newest && pod.ready && pod.revision == revision).count());
    }

    /// Keeps what pods have answered. One that is silent is asked again later and later: its registration it sends itself,
    /// and passes over other resources must not wait for it.
    fn remember_answers(&self, memory: &mut Memory, found: &Found, began: Instant, again: &mut Again) {
        let uids: BTreeSet<&String> = found.pods.iter().map(|pod| &pod.uid).collect();
        memory.registrations.retain(|uid, _| uids.contains(uid));
        for pod in found.pods.iter().filter(|pod| pod.ready) {
            let registration = found.answer(pod.ordinal).and_then(Told::registration);
            memory.registrations.extend(registration.map(|body| (pod.uid.clone(), body)));
        }
        let heard = found.pods.iter().map(|pod| {
            let heard = match found.told.get(&pod.ordinal) {
                Some(Some(_)) => Heard::Answer,
                Some(None) => Heard::Nothing,
                None if found.awaited.contains(&pod.ordinal) => Heard::NotYet,
                None => Heard::Unasked,
            };
            (&pod.uid, heard)
        });
        let wait = |failures| backoff(failures, random());
        if let Some(wait) = memory.silent.note(heard, began, Instant::now(), wait) {
            again.soon(wait);
        }
    }

    fn known<'b>(
        &'b self,
        asked: u8,
        locations: &'b [Location],
        found: &'b Found,
        memory: &Memory,
    ) -> Known<'b> {
        let silent = |pod: &&Seen| memory.silent.has(&pod.uid) || found.told.contains_key(&pod.ordinal);
        let run_outs: BTreeMap<u8, Timestamp> = found
            .told
            .iter()
            .filter_map(|(ordinal, told)| Some((*ordinal, told.as_ref()?.registrations_run_out?)))
            .collect();
        Known {
            location: &self.resource.spec.location,
            asked,
            polling: &found.polling,
            locations,
            pods: found.pods.iter().map(|pod| pod.ordinal).collect(),
            may_tell: found.pods.iter().filter(|pod| !silent(pod)).map(|pod| pod.ordinal).collect(),
            run_outs,
            deadline: SignedDuration::from_secs(
                self.resource.spec.deregistration.orphan_deadline_seconds.into(),
            ),
            now: self.now,
        }
    }

    async fn pod_monitors(&self) -> Result<bool, Refused> {
        if let Some(known) = self.context.pod_monitors(None) {
            return Ok(known);
        }
        let known = self.reader().knows_pod_monitors().await?;
        self.context.pod_monitors(Some(known));
        Ok(known)
    }

    pub(super) fn owned(&self) -> Owned {
        let scope = self.context.scope(&self.key.namespace);
        scope.map(|scope| scope.owned(&self.key.namespace, &self.key.name, &self.uid)).unwrap_or_default()
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { client: &self.context.client, pods: &self.context.pods, key: &self.key, names: &self.names }
    }

    pub(super) fn reference(&self) -> ObjectReference {
        self.resource.object_ref(&())
    }

    pub(super) fn asked(&self) -> u8 {
        u8::try_from(self.resource.spec.replicas).unwrap_or(0)
    }

    /// The wait after one more failure.
    fn later(&self, memory: &mut Memory) -> Duration {
        memory.failures = memory.failures.saturating_add(1);
        backoff(memory.failures, random())
    }
}

/// Where there is no randomness, waits are not spread.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}

/// When a resource is looked at again without a change: the soonest of all reasons.
#[derive(Debug, Default)]
pub(super) struct Again(Option<Duration>);

impl Again {
    pub(super) fn soon(&mut self, wait: Duration) {
        self.0 = Some(self.0.map_or(wait, |other| other.min(wait)));
    }
}

/// A little more than the time between two instants, so that the second has come when it is over.
pub(super) fn between(now: Timestamp, then: Timestamp) -> Duration {
    let seconds = u64::try_from(then.as_second().saturating_sub(now.as_second())).unwrap_or(0);
    Duration::from_secs(seconds + 1)
}
