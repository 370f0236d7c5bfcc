//! A thread of its own for TLS connections: what their ciphers cost must not delay the loop.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread. It ends, and with it what runs there, when this is dropped.
#[derive(Debug)]
pub(super) struct Crypto {
    handle: Handle,
    _running: oneshot::Sender<()>,
}

impl Crypto {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("tls".to_owned()).spawn(move || {
            runtime.block_on(async {
                _ = ended.await;
            });
        })?;
        Ok(Self { handle, _running: running })
    }

    /// Runs a connection there.
    pub(super) fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(connection);
    }
}
