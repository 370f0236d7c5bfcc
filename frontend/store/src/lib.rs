//! The embedded store-and-forward backend.
//!
//! [`Store`] implements [`Backend`] in-process, and [`http::serve`] serves the same contract (design §6) over HTTP:
//! a frontend cannot tell it from any other backend. What it promises:
//!
//! - An answer comes after COMMIT, with the write-ahead log synced: what was answered survives `kill -9`.
//! - A message is leased to one frontend at a time; reports are fenced by the attempt's number, and of late ones
//!   only `delivered` counts. A lease that runs out is recorded as attempt `unknown`.
//! - A recipient has one message in flight and its messages keep their order; a message that waits parks its
//!   recipient and nobody else.
//! - Every message ends `delivered`, `failed` or `expired`, with a reason, and with an SMS-STATUS-REPORT to the
//!   sender if it asked for one.
//!
//! ```text
//! Store --request--> writer thread: sweep (time), then BEGIN, all that waits, COMMIT --> answers, wake-ups
//!       --read-----> reader thread: its own connection
//! ```

#![forbid(unsafe_code)]

mod clock;
mod concat;
mod config;
mod damaged;
mod database;
mod decision;
mod destinations;
mod error;
mod finals;
pub mod http;
mod id;
mod messages;
mod numbers;
mod ops;
mod reader;
mod reads;
mod retry;
mod routing;
mod schema;
mod totals;
mod tp_status;
mod wake;
mod writer;

use std::sync::Arc;

use smsc_backend::{
    Accepted, Answer, AttemptReport, Backend, BackendError, FrontendRegistration, HistoryQuery, Location,
    LocationRemoval, MessageHistory, MessageId, NewMessage, Processed, QueuedMessage,
};
use tokio::sync::watch;

pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{Caps, Database, StoreConfig};
pub use error::StoreError;
pub use numbers::Numbering;
pub use reads::{MessageEvent, MessagePage, MessageSummary, RegisteredFrontend, Selection, Summary};
pub use retry::{Class, RetryTable};
pub use routing::Route;

use reader::Reader;
use wake::Watchers;
use writer::Writer;

/// A store. Clones are handles to the same one; it closes when the last is gone.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    reader: Reader,
    watchers: Arc<Watchers>,
    numbering: Arc<Numbering>,
}

impl Store {
    /// Opens a store, making or migrating its tables.
    ///
    /// # Errors
    /// The database cannot be opened or used; see [`StoreError`].
    pub fn open(config: StoreConfig, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let connections = database::open(&config.database)?;
        let watchers = Arc::new(Watchers::default());
        let numbering = Arc::new(config.numbering.clone());
        let writer = Writer::start(connections.writer, config, clock, Arc::clone(&watchers))?;
        let reader = Reader::start(connections.reader, &writer)?;
        Ok(Self { writer, reader, watchers, numbering })
    }

    /// A receiver that sees a change as soon as rows are due for `location`: the time to call
    /// [`Backend::get_queue`].
    #[must_use]
    pub fn subscribe(&self, location: &str) -> watch::Receiver<u64> {
        self.watchers.subscribe(location)
    }

    /// Does at once what time has made due. The store does so by itself twice a second; a test that moved a
    /// [`ManualClock`] need not wait for that.
    ///
    /// # Errors
    /// The store has stopped, or too many requests wait for it.
    pub async fn tick(&self) -> Result<(), BackendError> {
        self.writer.request("tick", |_| Ok(())).await
    }

    /// Replaces the routing rules; what waits is routed by the new ones.
    ///
    /// # Errors
    /// The store has stopped, or too many requests wait for it.
    pub async fn set_routes(&self, routes: Vec<Route>) -> Result<(), BackendError> {
        self.writer.routes(routes).await
    }

    /// The registered frontends, by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn frontends(&self) -> Result<Vec<RegisteredFrontend>, BackendError> {
        self.reader.read("frontends", reads::frontends).await
    }

    /// A page of messages, newest first; `before` is the `next` of the page before it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list(
        &self,
        selection: Selection,
        before: Option<i64>,
        limit: u32,
    ) -> Result<MessagePage, BackendError> {
        self.reader.read("list", move |sql| reads::list(sql, selection, before, limit)).await
    }

    /// One message in short.
    ///
    /// # Errors
    /// There is no such message ([`ErrorClass::Refused`](smsc_backend::ErrorClass::Refused), 404), or the database
    /// failed.
    pub async fn message(&self, id: MessageId) -> Result<MessageSummary, BackendError> {
        self.reader.read("message", move |sql| reads::summary_of(sql, &id.0)).await
    }

    /// Everything that happened to a message, oldest first; the newest 200 events are kept.
    ///
    /// # Errors
    /// The database failed.
    pub async fn events(&self, id: MessageId) -> Result<Vec<MessageEvent>, BackendError> {
        self.reader.read("events", move |sql| reads::events(sql, &id.0)).await
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// The database failed.
    pub async fn summary(&self) -> Result<Summary, BackendError> {
        self.reader.read("summary", reads::totals).await
    }

    /// Queues a dead letter again, with its full validity from now.
    ///
    /// # Errors
    /// [`ErrorClass::Refused`](smsc_backend::ErrorClass::Refused): there is no such message (404), or it is no dead
    /// letter or was erased (409). Else the database failed.
    pub async fn replay(&self, id: MessageId) -> Result<(), BackendError> {
        self.writer.request("replay", move |unit| ops::replay::replay(unit, &id)).await
    }
}

impl Backend for Store {
    fn frontend_register(&self, frontend: FrontendRegistration) -> Answer<'_, ()> {
        Box::pin(
            self.writer.request("frontend_register", move |unit| ops::frontends::register(unit, &frontend)),
        )
    }

    fn frontend_deregister(&self, frontend_name: String) -> Answer<'_, ()> {
        Box::pin(
            self.writer
                .request("frontend_deregister", move |unit| ops::frontends::deregister(unit, &frontend_name)),
        )
    }

    fn insert_location(&self, location: Location) -> Answer<'_, ()> {
        Box::pin(
            self.writer
                .request("insert_location", move |unit| ops::locations::insert_location(unit, &location)),
        )
    }

    fn delete_location(&self, removal: LocationRemoval) -> Answer<'_, ()> {
        Box::pin(
            self.writer
                .request("delete_location", move |unit| ops::locations::delete_location(unit, &removal)),
        )
    }

    fn insert_message(&self, message: Arc<NewMessage>) -> Answer<'_, Accepted> {
        Box::pin(
            self.writer.request("insert_message", move |unit| ops::accept::insert_message(unit, &message)),
        )
    }

    fn get_queue(&self, location: String, limit: u32) -> Answer<'_, Vec<QueuedMessage>> {
        Box::pin(self.writer.request("get_queue", move |unit| ops::queue::get_queue(unit, &location, limit)))
    }

    fn process_message(&self, id: MessageId, report: AttemptReport) -> Answer<'_, Processed> {
        Box::pin(
            self.writer
                .request("process_message", move |unit| ops::report::process_message(unit, &id, &report)),
        )
    }

    fn history(&self, query: HistoryQuery) -> Answer<'_, Vec<MessageHistory>> {
        let numbering = Arc::clone(&self.numbering);
        Box::pin(self.reader.read("history", move |sql| match &query {
            HistoryQuery::Message(id) => Ok(vec![reads::message_history(sql, &id.0)?]),
            HistoryQuery::Msisdn(msisdn) => reads::msisdn_history(sql, msisdn, &numbering),
        }))
    }
}
