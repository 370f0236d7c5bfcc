//! One operation's way over the wire: slot, breaker, request, answer, repeats.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Response, StatusCode, Url};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout_at};

use super::breaker::{Breaker, Outcome, Permit};
use super::budget::{Budget, pause};
use super::classify::{Broken, Reply, broken, nonsense, refusal};
use super::token::{Token, secret};
use super::{BreakerState, RestConfig, RestError, RestStats, tls};
use crate::{BackendError, ErrorClass};

/// Longest body read of an answer whose body is not wanted.
const MAX_ERROR_BODY: usize = 64 << 10;

/// One request, ready to be sent as often as need be.
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    pub(super) body: Option<Bytes>,
    /// Statuses that are this operation's own answers.
    pub(super) answers: &'static [u16],
    pub(super) repeat: Repeat,
}

/// When a call is repeated here, rather than by its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// After a failure that may be over at once: no connection, a broken one, 502, 503, 504.
    Transient,
    /// Once, at once, after a connection broke: most likely the backend closed an idle one as we wrote.
    BrokenConnection,
}

/// An operation's answer, and the token it was asked with (to be kept out of errors).
pub(super) struct Answered {
    pub(super) reply: Reply,
    token: Option<HeaderValue>,
}

impl Answered {
    pub(super) fn secret(&self) -> Option<&str> {
        self.token.as_ref().and_then(secret)
    }
}

/// Everything the operations share.
pub(super) struct Exchange {
    config: RestConfig,
    https: bool,
    client: RwLock<Client>,
    token: Option<Token>,
    slots: Semaphore,
    gate: Mutex<Gate>,
    budget: Mutex<Budget>,
    random: RandomState,
    counters: Counters,
}

struct Gate {
    breaker: Breaker,
    /// What the latest failure was, for the errors of requests that are not even tried.
    reason: String,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    repeats: AtomicU64,
    refused_by_budget: AtomicU64,
    refused_by_breaker: AtomicU64,
    breaker_opened: AtomicU64,
    unreadable_rows: AtomicU64,
}

impl Exchange {
    pub(super) fn new(config: RestConfig, https: bool) -> Result<Self, RestError> {
        let now = Instant::now();
        Ok(Self {
            https,
            client: RwLock::new(tls::client(&config, https)?),
            token: Token::of(&config, now)?,
            slots: Semaphore::new(config.max_in_flight),
            gate: Mutex::new(Gate { breaker: Breaker::new(config.breaker), reason: String::new() }),
            budget: Mutex::new(Budget::new(config.retry, now)),
            random: RandomState::new(),
            counters: Counters::default(),
            config,
        })
    }

    /// Reads the certificate files again. Requests under way finish on their old connections.
    pub(super) fn reload(&self) -> Result<(), RestError> {
        let client = tls::client(&self.config, self.https)?;
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
        Ok(())
    }

    pub(super) fn stats(&self) -> RestStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters {
            requests,
            repeats,
            refused_by_budget,
            refused_by_breaker,
            breaker_opened,
            unreadable_rows,
        } = &self.counters;
        RestStats {
            requests: load(requests),
            repeats: load(repeats),
            refused_by_budget: load(refused_by_budget),
            refused_by_breaker: load(refused_by_breaker),
            breaker_opened: load(breaker_opened),
            unreadable_rows: load(unreadable_rows),
            breaker: self.gate.lock().unwrap_or_else(PoisonError::into_inner).breaker.state(),
        }
    }

    pub(super) fn count_unreadable_rows(&self, rows: usize) {
        self.counters.unreadable_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Runs `call` to its answer, one of `call.answers`, or to an error, within the configured limit.
    pub(super) async fn run(&self, call: Call) -> Result<Answered, BackendError> {
        let deadline = Instant::now() + self.config.timeout;
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).deposit();
        let mut repeats = 0;
        let mut token_renewed = false;
        loop {
            let token = self.token.as_ref().map(|token| token.header(Instant::now()));
            let failure = match self.attempt(&call, token.as_ref(), deadline).await {
                Ok(reply) => return Ok(Answered { reply, token }),
                Err(failure) => failure,
            };
            let error = failure.error;
            tracing::debug!(operation = call.operation, %error, repeats, "backend request failed");
            // A 401 did nothing at the backend; with a new token the same request is a first one.
            if error.status == Some(401) && !token_renewed {
                token_renewed = true;
                if self.token.as_ref().is_some_and(|ours| ours.differs(token.as_ref(), Instant::now())) {
                    continue;
                }
            }
            let Some(pause) = self.pause_before_repeat(&call, &error, failure.midway, repeats) else {
                return Err(error);
            };
            if pause >= deadline.saturating_duration_since(Instant::now()) || !self.withdraw() {
                return Err(error);
            }
            repeats += 1;
            self.counters.repeats.fetch_add(1, Ordering::Relaxed);
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
    }

    /// How long to wait before `call` is sent again; `None`: it is not.
    fn pause_before_repeat(
        &self,
        call: &Call,
        error: &BackendError,
        midway: bool,
        repeats: u32,
    ) -> Option<Duration> {
        match call.repeat {
            Repeat::BrokenConnection => {
                (midway && repeats == 0 && self.config.retry.repeats > 0).then_some(Duration::ZERO)
            }
            Repeat::Transient => {
                let transient = match error.class {
                    ErrorClass::Unreachable => true,
                    ErrorClass::Busy => matches!(error.status, Some(502..=504)),
                    _ => false,
                };
                // With a Retry-After the caller decides: it asks for more patience than there is here.
                (transient && error.retry_after.is_none() && repeats < self.config.retry.repeats).then(|| {
                    pause(
                        self.config.retry.pause,
                        repeats,
                        self.random.hash_one((call.operation, Instant::now())),
                    )
                })
            }
        }
    }

    fn withdraw(&self) -> bool {
        let granted = self.budget.lock().unwrap_or_else(PoisonError::into_inner).withdraw(Instant::now());
        if !granted {
            self.counters.refused_by_budget.fetch_add(1, Ordering::Relaxed);
        }
        granted
    }

    /// Sends `call` once.
    async fn attempt(
        &self,
        call: &Call,
        token: Option<&HeaderValue>,
        deadline: Instant,
    ) -> Result<Reply, Broken> {
        let fail = |class, detail: String| Broken {
            error: BackendError::new(call.operation, class, detail),
            midway: false,
        };
        let Ok(Ok(_slot)) = timeout_at(deadline.into(), self.slots.acquire()).await else {
            let slots = self.config.max_in_flight;
            return Err(fail(ErrorClass::Unreachable, format!("all of {slots} requests stayed under way")));
        };
        let admission = self.admit(call.operation)?;
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner).clone();
        let exchange = async {
            let response =
                client.execute(request(call, token)).await.map_err(|error| broken(call.operation, &error))?;
            self.read(call, token, response).await
        };
        let result = timeout_at(deadline.into(), exchange).await.unwrap_or_else(|_| {
            let detail = format!("no answer within {:?}", self.config.timeout);
            Err(fail(ErrorClass::Timeout, detail))
        });
        admission.settle(result.as_ref().err().map(|failure| &failure.error));
        result
    }

    /// Reads an answer up to the limit; any status but the call's own is an error.
    async fn read(
        &self,
        call: &Call,
        token: Option<&HeaderValue>,
        mut response: Response,
    ) -> Result<Reply, Broken> {
        let status = response.status();
        let expected = call.answers.contains(&status.as_u16());
        let limit = if expected { self.config.max_body } else { MAX_ERROR_BODY };
        let mut reply = Reply { status, headers: std::mem::take(response.headers_mut()), body: Vec::new() };
        let too_long = loop {
            match response.chunk().await {
                Ok(Some(chunk)) if reply.body.len() + chunk.len() > limit => break true,
                Ok(Some(chunk)) => reply.body.extend_from_slice(&chunk),
                Ok(None) => break false,
                // The status alone decides already, and more surely than a broken connection.
                Err(_) if !expected => break false,
                Err(error) => return Err(broken(call.operation, &error)),
            }
        };
        if !expected {
            let error = refusal(call.operation, &reply, token.and_then(secret), Timestamp::now());
            return Err(Broken { error, midway: false });
        }
        if too_long {
            let error =
                nonsense(call.operation, &reply, &format!("the answer is longer than {limit} octets"));
            return Err(Broken { error, midway: false });
        }
        Ok(reply)
    }

    fn admit(&self, operation: &'static str) -> Result<Admission<'_>, Broken> {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        match gate.breaker.admit(Instant::now()) {
            Ok(permit) => Ok(Admission { exchange: self, permit, settled: false }),
            Err(wait) => {
                self.counters.refused_by_breaker.fetch_add(1, Ordering::Relaxed);
                let detail = format!("not tried for another {} ms after: {}", wait.as_millis(), gate.reason);
                let mut error = BackendError::new(operation, ErrorClass::Unreachable, detail);
                error.retry_after = u32::try_from(wait.as_millis().div_ceil(1000)).ok();
                Err(Broken { error, midway: false })
            }
        }
    }
}

/// A breaker permit that is given back even if the request's future is dropped.
struct Admission<'a> {
    exchange: &'a Exchange,
    permit: Permit,
    settled: bool,
}

impl Admission<'_> {
    fn settle(mut self, error: Option<&BackendError>) {
        self.settled = true;
        self.record(error.map_or(Outcome::Answered, outcome), error);
    }

    fn record(&self, outcome: Outcome, error: Option<&BackendError>) {
        let mut gate = self.exchange.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Outcome::Failed, Some(error)) = (outcome, error) {
            gate.reason.clone_from(&error.detail);
        }
        let change = gate.breaker.record(Instant::now(), self.permit, outcome);
        drop(gate);
        match change {
            Some(BreakerState::Open) if outcome == Outcome::Failed => {
                self.exchange.counters.breaker_opened.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    error = error.map(tracing::field::display),
                    "backend is left alone for a while"
                );
            }
            Some(BreakerState::Closed) => tracing::info!("backend answers again"),
            _ => {}
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.record(Outcome::Abandoned, None);
        }
    }
}

/// What a failure says about the backend's health.
fn outcome(error: &BackendError) -> Outcome {
    match error.status {
        Some(status) if StatusCode::from_u16(status).is_ok_and(|status| status.is_server_error()) => {
            Outcome::Failed
        }
        Some(_) => Outcome::Answered,
        None if error.class == ErrorClass::Nonsense => Outcome::Answered,
        None => Outcome::Failed,
    }
}

fn request(call: &Call, token: Option<&HeaderValue>) -> Request {
    let mut request = Request::new(call.method.clone(), call.url.clone());
    let headers: &mut HeaderMap = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token.clone());
    }
    if let Some((name, value)) = &call.header {
        headers.insert(name.clone(), value.clone());
    }
    if let Some(body) = &call.body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.clone().into());
    }
    request
}
