//! Resources to be looked at again. Holds each at most once, so it never holds more than there are resources.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::Stream;
use tokio::sync::Notify;

use crate::registrar::Key;

/// Keys that wait to be taken.
#[derive(Default)]
pub(crate) struct Pokes {
    keys: Mutex<BTreeSet<Key>>,
    wake: Notify,
}

impl Pokes {
    /// Adds a key; one that waits already stays one.
    pub(crate) fn push(&self, key: Key) {
        if self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            self.wake.notify_one();
        }
    }

    /// The keys as they come, for one consumer. Never ends.
    pub(crate) fn stream(self: Arc<Self>) -> impl Stream<Item = Key> + Send + 'static {
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt as _, StreamExt as _};

    #[tokio::test]
    async fn one_poked_twice_is_looked_at_once() {
        let key = |name: &str| Key { namespace: "ims".to_owned(), name: name.to_owned() };
        let pokes = Arc::new(Pokes::default());
        let mut stream = Box::pin(pokes.clone().stream());
        for name in ["b", "a", "b"] {
            pokes.push(key(name));
        }
        assert_eq!((stream.next().await, stream.next().await), (Some(key("a")), Some(key("b"))));
        assert_eq!(stream.next().now_or_never(), None);
        pokes.push(key("a"));
        assert_eq!(stream.next().await, Some(key("a")));
    }
}
