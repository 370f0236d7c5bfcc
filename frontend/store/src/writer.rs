//! The one thread that writes, with group commit: it drains its queue, does all of it in one transaction, and
//! answers only after COMMIT. So nothing is ever acknowledged that a crash could take back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use smsc_backend::{BackendError, ErrorClass};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::config::StoreConfig;
use crate::error::{Fault, StoreError, busy};
use crate::id::Ids;
use crate::ops::sweep::{self, Sweep};
use crate::routing::Route;
use crate::totals::Totals;
use crate::wake::Watchers;

/// How often the writer looks for what time has made due while nobody asks anything.
const TICK: Duration = Duration::from_millis(500);

/// What a unit of work may use: the open transaction and the facts around it.
pub(crate) struct Unit<'a> {
    pub(crate) sql: &'a Connection,
    /// Milliseconds of the Unix epoch, the same for the whole transaction.
    pub(crate) now: i64,
    pub(crate) config: &'a StoreConfig,
    pub(crate) ids: &'a mut Ids,
    pub(crate) totals: Totals,
    /// Locations for which rows became due; told after COMMIT.
    pub(crate) wake: BTreeSet<String>,
}

/// The way to the writer. Clones share one thread; it ends when the last clone is gone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: SyncSender<Order>,
}

enum Order {
    Work(Box<dyn Work>),
    Routes(Vec<Route>, oneshot::Sender<()>),
}

/// A request on its way through the writer. `run` may be called again after a rollback.
trait Work: Send {
    fn run(&mut self, unit: &mut Unit<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

struct Request<T, F> {
    operation: &'static str,
    work: F,
    outcome: Option<Result<T, BackendError>>,
    reply: oneshot::Sender<Result<T, BackendError>>,
}

impl<T, F> Work for Request<T, F>
where
    T: Send,
    F: FnMut(&mut Unit<'_>) -> Result<T, Fault> + Send,
{
    fn run(&mut self, unit: &mut Unit<'_>) -> Result<(), Fault> {
        self.outcome = Some(match (self.work)(unit) {
            Ok(value) => Ok(value),
            Err(Fault::Refused(error)) => Err(error),
            Err(fault) => return Err(fault),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let never_ran = || busy(self.operation, "the store did not get to it", 1);
        let answer = match committed {
            Ok(()) => self.outcome.unwrap_or_else(|| Err(never_ran())),
            Err(fault) => Err(fault.into_answer(self.operation)),
        };
        // Nobody waits any more: the request was given up, its effect stands.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Does what is due already, then starts the thread.
    pub(crate) fn start(
        sql: Connection,
        config: StoreConfig,
        clock: Arc<dyn Clock>,
        watchers: Arc<Watchers>,
    ) -> Result<Self, StoreError> {
        let (queue, orders) = sync_channel(config.caps.waiting.max(1));
        let (ids, sweep) = (Ids::new(), Sweep::default());
        let mut thread = Thread { sql, config, clock, watchers, ids, sweep, failing: false };
        // The rules may have changed since the file was last open.
        thread.sweep.reroute_all();
        thread.sweep();
        let builder = std::thread::Builder::new().name("smsc-store-writer".into());
        builder.spawn(move || thread.run(&orders)).map_err(StoreError::Thread)?;
        Ok(Self { queue })
    }

    /// Does `work` in a transaction and returns its result once that is committed.
    pub(crate) async fn request<T, F>(&self, operation: &'static str, work: F) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: FnMut(&mut Unit<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(operation, Order::Work(Box::new(Request { operation, work, outcome: None, reply })))?;
        answer.await.unwrap_or_else(|_| Err(stopped(operation)))
    }

    /// Puts new rules into force.
    pub(crate) async fn routes(&self, routes: Vec<Route>) -> Result<(), BackendError> {
        const OPERATION: &str = "set_routes";
        let (reply, answer) = oneshot::channel();
        self.send(OPERATION, Order::Routes(routes, reply))?;
        answer.await.map_err(|_| stopped(OPERATION))
    }

    fn send(&self, operation: &'static str, order: Order) -> Result<(), BackendError> {
        self.queue.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => crate::error::full(operation, "too many requests wait for the store"),
            TrySendError::Disconnected(_) => stopped(operation),
        })
    }
}

fn stopped(operation: &'static str) -> BackendError {
    BackendError::new(operation, ErrorClass::Unreachable, "the store has stopped")
}

struct Thread {
    sql: Connection,
    config: StoreConfig,
    clock: Arc<dyn Clock>,
    watchers: Arc<Watchers>,
    ids: Ids,
    sweep: Sweep,
    /// Whether the last transaction failed: logs follow the change, not every request.
    failing: bool,
}

impl Thread {
    fn run(&mut self, orders: &Receiver<Order>) {
        loop {
            let wait = if self.sweep.is_behind() { Duration::ZERO } else { TICK };
            let first = match orders.recv_timeout(wait) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut batch: Vec<Box<dyn Work>> = Vec::new();
            let mut next = first;
            while let Some(order) = next {
                match order {
                    Order::Work(work) => batch.push(work),
                    Order::Routes(routes, reply) => {
                        self.config.routes = routes;
                        self.sweep.reroute_all();
                        self.sweep();
                        let _ = reply.send(());
                    }
                }
                next = if batch.len() < self.config.caps.commit { orders.try_recv().ok() } else { None };
            }
            self.sweep();
            self.group(batch);
        }
    }

    /// Does what time has made due, in a transaction of its own: its trouble must not be the requests'.
    fn sweep(&mut self) {
        let mut sweep = std::mem::take(&mut self.sweep);
        let locations = self.watchers.locations();
        let swept = self.transaction(|unit| sweep::run(unit, &mut sweep, &locations));
        if swept.is_err() {
            sweep.pause();
        }
        self.note(&swept);
        self.sweep = sweep;
    }

    /// Commits the whole batch, or, if anything in it upsets the database, each request by itself.
    fn group(&mut self, mut batch: Vec<Box<dyn Work>>) {
        if batch.len() > 1 {
            let together = self.transaction(|unit| batch.iter_mut().try_for_each(|work| work.run(unit)));
            if together.is_ok() {
                batch.into_iter().for_each(|work| work.answer(Ok(())));
                return;
            }
        }
        for mut work in batch {
            let committed = self.transaction(|unit| work.run(unit));
            self.note(&committed);
            work.answer(committed);
        }
    }

    fn note(&mut self, committed: &Result<(), Fault>) {
        match committed {
            Err(fault) if !self.failing => tracing::error!(?fault, "the store cannot commit"),
            Ok(()) if self.failing => tracing::info!("the store commits again"),
            _ => {}
        }
        self.failing = committed.is_err();
    }

    fn transaction(&mut self, work: impl FnOnce(&mut Unit<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = Totals::load(&transaction)?;
        let mut unit = Unit {
            sql: &transaction,
            now: self.clock.now().as_millisecond(),
            config: &self.config,
            ids: &mut self.ids,
            totals: before,
            wake: BTreeSet::new(),
        };
        work(&mut unit)?;
        let Unit { totals, wake, .. } = unit;
        if totals != before {
            totals.save(&transaction)?;
        }
        transaction.commit()?;
        self.watchers.wake(&wake);
        Ok(())
    }
}
