//! What is known of a resource's locations, and what of its wishes is still to be done. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use smsc_crds::Backend;

use super::{Results, Wanted, Wish};
use crate::status::Because;

/// Where one task calls: credentials have their names in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) namespace: String,
    pub(super) backend: Backend,
}

impl Place {
    /// What has to change so that a backend knows nothing of what it was told.
    pub(super) fn site(&self) -> (&str, Option<&str>) {
        let Backend { api_base_url, tls: _, token_secret_ref: _, endpoints } = &self.backend;
        (api_base_url, endpoints.frontend_register.as_deref())
    }
}

/// What is kept of a resource.
pub(super) struct Record {
    pub(super) place: Arc<Place>,
    pub(super) wanted: Wanted,
    pub(super) entries: BTreeMap<String, Entry>,
    /// What its reconcile was last told.
    pub(super) published: Results,
}

/// What is known of a location.
#[derive(Default)]
pub(super) struct Entry {
    /// The backend took it and has not let it go.
    pub(super) taken: bool,
    /// What the backend surely knows; none while a call may have changed that.
    pub(super) told: Option<Wish>,
    /// The backend let it go.
    pub(super) let_go: bool,
    /// What it last said of this location, if that was a refusal.
    pub(super) failure: Option<(Option<u16>, Because)>,
    /// The number of the last call; 0: never called.
    pub(super) tried: u64,
    /// The round of the last call.
    pub(super) round: u64,
}

/// What a call is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Errand<'a> {
    Register(&'a Wish),
    Deregister,
}

impl Record {
    /// What is still to be done, by location.
    pub(super) fn due(&self) -> impl Iterator<Item = (&String, Errand<'_>)> {
        let Wanted { backend: _, registered, gone } = &self.wanted;
        let entry = |location: &String| self.entries.get(location);
        let to_tell = registered
            .iter()
            .filter(move |(location, wish)| {
                entry(location).and_then(|entry| entry.told.as_ref()) != Some(*wish)
            })
            .map(|(location, wish)| (location, Errand::Register(wish)));
        let to_go = gone
            .iter()
            .filter(move |location| !registered.contains_key(*location))
            .filter(move |location| !entry(location).is_some_and(|entry| entry.let_go))
            .map(|location| (location, Errand::Deregister));
        to_tell.chain(to_go)
    }

    pub(super) fn results(&self, failing: Option<&Because>) -> Results {
        let those = |which: fn(&Entry) -> bool| {
            let found = self.entries.iter().filter(move |(_, entry)| which(entry));
            found.map(|(location, _)| location.clone())
        };
        let refusal = || {
            let refused = |(location, _)| self.entries.get::<String>(location)?.failure.as_ref();
            self.due().find_map(refused).map(|(_, because)| because)
        };
        let to_go = |location: &String| asked(&self.wanted, location) == Some(Errand::Deregister);
        Results {
            registered: those(|entry| entry.taken).collect(),
            gone: those(|entry| entry.let_go).filter(to_go).collect(),
            failure: failing.or_else(refusal).cloned(),
        }
    }
}

/// What `wanted` asks for at `location`.
pub(super) fn asked<'a>(wanted: &'a Wanted, location: &str) -> Option<Errand<'a>> {
    let Wanted { backend: _, registered, gone } = wanted;
    match registered.get(location) {
        Some(wish) => Some(Errand::Register(wish)),
        None => gone.contains(location).then_some(Errand::Deregister),
    }
}
