//! The OmniMessage REST client: the contract over HTTP/1.1 with keep-alive, TLS and token files.
//!
//! Repeats inside one operation are few and quick: they share the operation's time limit and a budget over all
//! operations ([`RetryConfig`]), and a backend that fails again and again is left alone ([`BreakerConfig`]).
//! [`insert_message`](Backend::insert_message) is repeated at most once, at once, and only after a connection
//! broke under it; repeating it with the same key for as long as the handset waits is its caller's part.
//!
//! Any connection failure below HTTP is [`ErrorClass::Unreachable`], TLS ones [`ErrorClass::Denied`]; both and
//! every 5xx count towards the breaker. Nothing here logs or returns a credential.

mod breaker;
mod budget;
mod classify;
mod config;
mod endpoints;
mod exchange;
mod tls;
mod token;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};

pub use breaker::{BreakerConfig, BreakerState};
pub use budget::RetryConfig;
pub use config::{RestConfig, RestError};
pub use endpoints::Endpoints;

use crate::{
    Accepted, Answer, AttemptReport, Backend, BackendError, ErrorClass, FrontendRegistration, HistoryQuery,
    Location, LocationRemoval, MessageHistory, MessageId, NewMessage, Processed, QueuedMessage,
};
use endpoints::Table;
use exchange::{Answered, Call, Exchange, Repeat};

/// The header that makes repeats of `insert_message` one message.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of `get_queue` that names the location.
const SMSC: HeaderName = HeaderName::from_static("smsc");

/// Answers of operations that return nothing.
const DONE: &[u16] = &[200, 201, 202, 204];

/// The same, where absence is success.
const DONE_OR_ABSENT: &[u16] = &[200, 201, 202, 204, 404, 410];

/// A backend reached over HTTP. Needs a tokio runtime with time and I/O.
pub struct RestBackend {
    base: Url,
    table: Table,
    exchange: Exchange,
}

/// Counters since start, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestStats {
    /// HTTP requests sent, repeats included.
    pub requests: u64,
    /// Of these, repeats inside an operation.
    pub repeats: u64,
    /// Repeats not made because the budget was spent.
    pub refused_by_budget: u64,
    /// Requests not sent because the breaker was open.
    pub refused_by_breaker: u64,
    /// Times the breaker opened.
    pub breaker_opened: u64,
    /// Rows of `get_queue` that could not be read and were left out.
    pub unreadable_rows: u64,
    /// The breaker's state now.
    pub breaker: BreakerState,
}

impl RestBackend {
    /// Makes a client. Connects to nothing yet, so a backend that is down is no error here.
    ///
    /// # Errors
    /// A setting, template or file that cannot be used; see [`RestError`].
    pub fn new(config: RestConfig) -> Result<Self, RestError> {
        config.check()?;
        let base = config.base()?;
        let table = Table::new(&base, &config.endpoints)?;
        let exchange = Exchange::new(config, base.scheme() == "https")?;
        Ok(Self { base, table, exchange })
    }

    /// Reads CA, certificate and key files again; new connections use them, requests under way are not disturbed.
    /// The token file needs no reload.
    ///
    /// # Errors
    /// A file that cannot be used; the old ones then stay in force.
    pub fn reload(&self) -> Result<(), RestError> {
        self.exchange.reload()
    }

    /// Counters since start.
    #[must_use]
    pub fn stats(&self) -> RestStats {
        self.exchange.stats()
    }

    /// Runs an operation that returns nothing.
    async fn done(&self, call: Call) -> Result<(), BackendError> {
        let operation = call.operation;
        let answered = self.exchange.run(call).await?;
        // A 404 that means "absent" may carry any text.
        if answered.reply.status.is_client_error() {
            return Ok(());
        }
        classify::empty(operation, &answered.reply, answered.secret())
    }
}

impl fmt::Debug for RestBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestBackend")
            .field("base", &self.base.as_str())
            .field("stats", &self.stats())
            .finish()
    }
}

impl Backend for RestBackend {
    fn frontend_register(&self, frontend: FrontendRegistration) -> Answer<'_, ()> {
        Box::pin(async move {
            let url = self.table.frontend_register.url(&[]);
            self.done(Call {
                body: Some(encode("frontend_register", &frontend)?),
                ..call("frontend_register", Method::POST, url)
            })
            .await
        })
    }

    fn frontend_deregister(&self, frontend_name: String) -> Answer<'_, ()> {
        Box::pin(async move {
            let operation = "frontend_deregister";
            let url = self.table.frontend_deregister.url_with(&frontend_name, &[]);
            let url = url.map_err(|detail| unusable(operation, detail))?;
            self.done(Call { answers: DONE_OR_ABSENT, ..call(operation, Method::DELETE, url) }).await
        })
    }

    fn insert_location(&self, location: Location) -> Answer<'_, ()> {
        Box::pin(async move {
            let url = self.table.insert_location.url(&[]);
            let body = encode("insert_location", &location)?;
            self.done(Call { body: Some(body), ..call("insert_location", Method::POST, url) }).await
        })
    }

    fn delete_location(&self, removal: LocationRemoval) -> Answer<'_, ()> {
        Box::pin(async move {
            let operation = "delete_location";
            let LocationRemoval { impu, s_cscf, call_id, cseq } = removal;
            let cseq = cseq.map(|cseq| cseq.to_string());
            let query =
                [("s_cscf", s_cscf.as_deref()), ("call_id", call_id.as_deref()), ("cseq", cseq.as_deref())];
            let url = self.table.delete_location.url_with(&impu, &query);
            let url = url.map_err(|detail| unusable(operation, detail))?;
            self.done(Call { answers: DONE_OR_ABSENT, ..call(operation, Method::DELETE, url) }).await
        })
    }

    fn insert_message(&self, message: Arc<NewMessage>) -> Answer<'_, Accepted> {
        Box::pin(async move {
            let operation = "insert_message";
            let mut message = Arc::unwrap_or_clone(message);
            // The key travels as a header only.
            let key = std::mem::take(&mut message.idempotency_key);
            let header = if key.is_empty() { None } else { Some(header(operation, IDEMPOTENCY_KEY, &key)?) };
            let url = self.table.insert_message.url(&[]);
            let answered = self
                .exchange
                .run(Call {
                    header,
                    body: Some(encode(operation, &message)?),
                    // 202 would promise nothing: the message must be stored before it is acknowledged.
                    answers: &[200, 201],
                    repeat: Repeat::BrokenConnection,
                    ..call(operation, Method::POST, url)
                })
                .await?;
            json(operation, &answered)
        })
    }

    fn get_queue(&self, location: String, limit: u32) -> Answer<'_, Vec<QueuedMessage>> {
        Box::pin(async move {
            let operation = "get_queue";
            let url = self.table.get_queue.url(&[("limit", Some(&limit.to_string()))]);
            let header = Some(header(operation, SMSC, &location)?);
            let answered = self
                .exchange
                .run(Call { header, answers: &[200, 204], ..call(operation, Method::GET, url) })
                .await?;
            if answered.reply.body.is_empty() && answered.reply.status.as_u16() == 204 {
                return Ok(Vec::new());
            }
            let (mut rows, unreadable) = classify::rows(operation, &answered.reply, answered.secret())?;
            if let Some(first) = unreadable.first() {
                self.exchange.count_unreadable_rows(unreadable.len());
                tracing::warn!(rows = unreadable.len(), first, %location, "rows left out that do not follow the contract");
            }
            // What a backend sends beyond the limit comes again with the next poll.
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(rows)
        })
    }

    fn process_message(&self, id: MessageId, report: AttemptReport) -> Answer<'_, Processed> {
        Box::pin(async move {
            let operation = "process_message";
            let url = self.table.process_message.url_with(&id.0, &[]);
            let url = url.map_err(|detail| unusable(operation, detail))?;
            let body = Some(encode(operation, &report)?);
            let answers = &[200, 201, 202, 204, 409];
            let answered =
                self.exchange.run(Call { body, answers, ..call(operation, Method::PATCH, url) }).await?;
            if answered.reply.status.as_u16() == 409 {
                return Ok(Processed::AlreadyFinal);
            }
            classify::empty(operation, &answered.reply, answered.secret())?;
            Ok(Processed::Recorded)
        })
    }

    fn history(&self, query: HistoryQuery) -> Answer<'_, Vec<MessageHistory>> {
        /// One message's history is one object, a number's is a list.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            Many(Vec<MessageHistory>),
            One(Box<MessageHistory>),
        }
        Box::pin(async move {
            let operation = "history";
            let url = match &query {
                HistoryQuery::Message(id) => {
                    let url = self.table.message_history.url_with(&id.0, &[]);
                    url.map_err(|detail| unusable(operation, detail))?
                }
                HistoryQuery::Msisdn(msisdn) => self.table.msisdn_history.url(&[("msisdn", Some(msisdn))]),
            };
            let answered =
                self.exchange.run(Call { answers: &[200], ..call(operation, Method::GET, url) }).await?;
            Ok(match json(operation, &answered)? {
                OneOrMany::Many(histories) => histories,
                OneOrMany::One(history) => vec![*history],
            })
        })
    }
}

/// A call with the usual answers and repeats, no header and no body.
fn call(operation: &'static str, method: Method, url: Url) -> Call {
    Call { operation, method, url, header: None, body: None, answers: DONE, repeat: Repeat::Transient }
}

fn encode(operation: &'static str, value: &impl Serialize) -> Result<Bytes, BackendError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| unusable(operation, error.to_string()))
}

fn json<T: serde::de::DeserializeOwned>(
    operation: &'static str,
    answered: &Answered,
) -> Result<T, BackendError> {
    classify::json(operation, &answered.reply, answered.secret())
}

fn header(
    operation: &'static str,
    name: HeaderName,
    value: &str,
) -> Result<(HeaderName, HeaderValue), BackendError> {
    match HeaderValue::from_str(value) {
        Ok(header) => Ok((name, header)),
        Err(_) => Err(unusable(operation, format!("{value:?} cannot be the header {name}"))),
    }
}

/// The caller's argument cannot be sent at all; repeating it would change nothing.
fn unusable(operation: &'static str, detail: String) -> BackendError {
    BackendError::new(operation, ErrorClass::Refused, detail)
}
