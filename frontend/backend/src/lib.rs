//! The backend contract: five operations, named as the backend's users know them.
//!
//! Two implementations exist: the OmniMessage REST client in [`rest`] and the embedded store (`smsc-store`).
//! The frontend sees only [`Backend`] and cannot tell them apart.

#![forbid(unsafe_code)]

mod error;
pub mod rest;
pub mod types;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use error::{BackendError, ErrorClass};
pub use types::*;

/// The future every operation returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// What a frontend asks of its backend.
///
/// Every operation is idempotent: repeating one with the same arguments has the effect of one.
pub trait Backend: Send + Sync + 'static {
    /// Registers this frontend, or refreshes its registration (an upsert).
    fn frontend_register(&self, frontend: FrontendRegistration) -> Answer<'_, ()>;

    /// Takes a frontend's registration away; absent is success.
    fn frontend_deregister(&self, frontend_name: String) -> Answer<'_, ()>;

    /// Records where a subscriber can be reached.
    fn insert_location(&self, location: Location) -> Answer<'_, ()>;

    /// Removes a subscriber's location, if the stored one is that S-CSCF's and not newer; absent is success.
    fn delete_location(&self, removal: LocationRemoval) -> Answer<'_, ()>;

    /// Hands a short message over; `Ok` means the backend has stored it durably.
    fn insert_message(&self, message: Arc<NewMessage>) -> Answer<'_, Accepted>;

    /// Fetches up to `limit` messages waiting for `location`.
    fn get_queue(&self, location: String, limit: u32) -> Answer<'_, Vec<QueuedMessage>>;

    /// Reports what one delivery attempt came to.
    fn process_message(&self, id: MessageId, report: AttemptReport) -> Answer<'_, Processed>;

    /// The message and its attempts, for `why`; backends without history answer [`ErrorClass::Refused`].
    fn history(&self, query: HistoryQuery) -> Answer<'_, Vec<MessageHistory>>;
}
