//! One write, and what is remembered of it so that it is not made again.

use std::collections::BTreeMap;
use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::Refused;
use crate::names::FIELD_MANAGER;

/// The kinds that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    ConfigMap,
    Service,
    PodDisruptionBudget,
    NetworkPolicy,
    PodMonitor,
    StatefulSet,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PodMonitor => "PodMonitor",
            Self::StatefulSet => "StatefulSet",
        }
    }

    /// What moves when somebody writes an object: its generation, which its own controller's status leaves alone; else its
    /// version.
    fn version(self, metadata: &ObjectMeta) -> String {
        match self {
            Self::ConfigMap | Self::Service => metadata.resource_version.clone().unwrap_or_default(),
            Self::PodDisruptionBudget | Self::NetworkPolicy | Self::PodMonitor | Self::StatefulSet => {
                metadata.generation.unwrap_or_default().to_string()
            }
        }
    }
}

/// What was written of one resource, by this process.
#[derive(Debug, Default)]
pub struct Marks {
    written: BTreeMap<(Kind, String), Mark>,
    /// The relay key was made, or was there.
    pub(super) has_relay_key: bool,
    removed: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Mark {
    built: [u8; 32],
    uid: Option<String>,
    version: String,
    /// They move no generation.
    labels: Option<BTreeMap<String, String>>,
}

/// What is known of the StatefulSet as it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written(pub Option<i64>);

impl Marks {
    /// The StatefulSet's generation after the last write, if this process wrote it.
    #[must_use]
    pub fn stateful_set(&self, name: &str) -> Written {
        let mark = self.written.get(&(Kind::StatefulSet, name.to_owned()));
        Written(mark.and_then(|mark| mark.version.parse().ok()))
    }

    /// Whether the StatefulSet would be written if `built` were applied.
    pub fn would_write<K: Serialize + Resource>(&self, built: &K, live: Option<&ObjectMeta>) -> bool {
        Put::new(Kind::StatefulSet, built, live, self).is_some()
    }

    /// Whether an object that is not watched may be there: this process wrote it, or has not looked yet.
    pub(super) fn may_have(&self, kind: Kind, name: &str) -> bool {
        !self.removed || self.written.contains_key(&(kind, name.to_owned()))
    }

    pub(super) fn forget(&mut self, kind: Kind, name: &str) {
        self.removed |= kind == Kind::PodMonitor;
        self.written.remove(&(kind, name.to_owned()));
    }
}

/// A write that is needed.
pub(super) struct Put {
    kind: Kind,
    name: String,
    built: [u8; 32],
}

impl Put {
    /// None if what is built and what is there are as they were after the last write.
    pub(super) fn new<K: Serialize + Resource>(
        kind: Kind,
        built: &K,
        live: Option<&ObjectMeta>,
        marks: &Marks,
    ) -> Option<Self> {
        let put = Self::of(kind, built);
        let mark = marks.written.get(&(kind, put.name.clone()));
        let same = mark.zip(live).is_some_and(|(mark, live)| {
            mark.built == put.built
                && mark.uid == live.uid
                && mark.version == kind.version(live)
                && mark.labels == live.labels
        });
        (!same).then_some(put)
    }

    /// None if what is built is as it was at the last write.
    pub(super) fn unwatched<K: Serialize + Resource>(kind: Kind, built: &K, marks: &Marks) -> Option<Self> {
        let put = Self::of(kind, built);
        let same = marks.written.get(&(kind, put.name.clone())).is_some_and(|mark| mark.built == put.built);
        (!same).then_some(put)
    }

    fn of<K: Serialize + Resource>(kind: Kind, built: &K) -> Self {
        let text = serde_json::to_vec(built).expect("an object is a tree of text keys");
        let name = built.meta().name.clone().unwrap_or_default();
        Self { kind, name, built: Sha256::digest(&text).into() }
    }

    /// Applies `object`, remembers and returns how it then stands.
    pub(super) async fn write<K>(self, api: &Api<K>, object: &K, marks: &mut Marks) -> Result<K, Refused>
    where
        K: Resource + Serialize + DeserializeOwned + Clone + Debug,
    {
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let written = api.patch(&self.name, &parameters, &Patch::Apply(object)).await;
        let written = written
            .map_err(|source| Refused { what: format!("{} {}", self.kind.as_str(), self.name), source })?;
        let metadata = written.meta();
        let mark = Mark {
            built: self.built,
            uid: metadata.uid.clone(),
            version: self.kind.version(metadata),
            labels: metadata.labels.clone(),
        };
        marks.written.insert((self.kind, self.name), mark);
        Ok(written)
    }
}
