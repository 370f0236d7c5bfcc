//! Telling an embedded frontend at once that rows wait for its location.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Who listens for which location.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<String, watch::Sender<u64>>>);

impl Watchers {
    /// A receiver that sees a new value whenever rows became due for `location`.
    pub(crate) fn subscribe(&self, location: &str) -> watch::Receiver<u64> {
        let mut watchers = self.lock();
        watchers.retain(|_, sender| sender.receiver_count() > 0);
        watchers.entry(location.to_owned()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// The locations somebody listens for.
    pub(crate) fn locations(&self) -> Vec<String> {
        self.lock().iter().filter(|(_, s)| s.receiver_count() > 0).map(|(name, _)| name.clone()).collect()
    }

    /// Wakes the listeners of these locations.
    pub(crate) fn wake(&self, locations: &BTreeSet<String>) {
        if locations.is_empty() {
            return;
        }
        let watchers = self.lock();
        for sender in locations.iter().filter_map(|location| watchers.get(location)) {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
