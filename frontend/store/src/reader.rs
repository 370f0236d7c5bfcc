//! Reads that need no transaction, on a connection of their own: they never wait for the writer.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use rusqlite::Connection;
use smsc_backend::{BackendError, ErrorClass};
use tokio::sync::oneshot;

use crate::error::{Fault, StoreError, full};
use crate::writer::Writer;

/// Reads waiting at most.
const WAITING: usize = 256;

type Work = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the reading thread; in a store in memory, which has one connection, to the writer.
#[derive(Clone)]
pub(crate) enum Reader {
    Thread(SyncSender<Work>),
    Writer(Writer),
}

impl Reader {
    pub(crate) fn start(sql: Option<Connection>, writer: &Writer) -> Result<Self, StoreError> {
        let Some(sql) = sql else { return Ok(Self::Writer(writer.clone())) };
        let (queue, works) = sync_channel::<Work>(WAITING);
        let builder = std::thread::Builder::new().name("smsc-store-reader".into());
        builder.spawn(move || works.into_iter().for_each(|work| work(&sql))).map_err(StoreError::Thread)?;
        Ok(Self::Thread(queue))
    }

    /// Reads. `work` sees what was committed before it began.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, BackendError> {
        let queue = match self {
            Self::Writer(writer) => return writer.request(operation, move |unit| work(unit.sql)).await,
            Self::Thread(queue) => queue,
        };
        let (reply, answer) = oneshot::channel();
        let run: Work = Box::new(move |sql| {
            // One transaction: all statements see the same state.
            let read = sql.unchecked_transaction().map_err(Fault::from).and_then(|snapshot| work(&snapshot));
            // Nobody waits any more: nothing to do.
            let _ = reply.send(read.map_err(|fault| fault.into_answer(operation)));
        });
        let stopped = || BackendError::new(operation, ErrorClass::Unreachable, "the store has stopped");
        queue.try_send(run).map_err(|error| match error {
            TrySendError::Full(_) => full(operation, "too many reads wait for the store"),
            TrySendError::Disconnected(_) => stopped(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}
