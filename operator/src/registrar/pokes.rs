//! Resources to be looked at again. Holds each at most once, so it never holds more than there are resources.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::Stream;
use tokio::sync::Notify;

use super::Key;

/// Keys that wait to be taken.
#[derive(Default)]
pub(super) struct Pokes {
    keys: Mutex<BTreeSet<Key>>,
    wake: Notify,
}

impl Pokes {
    /// Adds a key; one that waits already stays one.
    pub(super) fn push(&self, key: Key) {
        if self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            self.wake.notify_one();
        }
    }

    /// The keys as they come, for one consumer. Never ends.
    pub(super) fn stream(self: Arc<Self>) -> impl Stream<Item = Key> + Send + 'static {
        futures_util::stream::unfold(self, |pokes| async move {
            let key = pokes.next().await;
            Some((key, pokes))
        })
    }

    async fn next(&self) -> Key {
        loop {
            let key = self.keys.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
            match key {
                Some(key) => return key,
                None => self.wake.notified().await,
            }
        }
    }
}
