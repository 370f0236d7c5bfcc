//! Resources that are to be looked at again although nothing of theirs has changed in the cluster.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, Stream};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::Notify;

use crate::caches::Guarded;
use crate::registrar::Key;

/// A set, so that a resource poked twice before it is looked at waits once: it never has more entries than there are
/// resources.
#[derive(Debug, Clone, Default)]
pub(super) struct Pokes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<BTreeSet<Key>>,
    more: Notify,
}

impl Pokes {
    /// Has a resource looked at.
    pub(super) fn poke(&self, key: Key) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        self.0.more.notify_one();
    }

    /// Those poked, for the one who looks at them.
    pub(super) fn stream(&self) -> impl Stream<Item = ObjectRef<Guarded>> + Send + 'static {
        stream::unfold(self.clone(), |pokes| async move {
            loop {
                let next = pokes.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
                if let Some(Key { namespace, name }) = next {
                    return Some((ObjectRef::new(&name).within(&namespace), pokes));
                }
                pokes.0.more.notified().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt as _, StreamExt as _};

    #[tokio::test]
    async fn one_poked_twice_is_looked_at_once() {
        let key = |name: &str| Key { namespace: "ims".to_owned(), name: name.to_owned() };
        let pokes = Pokes::default();
        let mut stream = Box::pin(pokes.stream());
        for name in ["b", "a", "b"] {
            pokes.poke(key(name));
        }
        assert_eq!(stream.next().await.map(|found| found.name), Some("a".to_owned()));
        assert_eq!(stream.next().await.map(|found| found.name), Some("b".to_owned()));
        assert_eq!(stream.next().now_or_never(), None);
        pokes.poke(key("a"));
        assert_eq!(stream.next().await.map(|found| found.name), Some("a".to_owned()));
    }
}
