//! The task of one backend: rounds of calls, each with credentials read for it, until nothing is due.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use smsc_backend::{BackendError, ErrorClass};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::Shared;
use super::ledger::{Job, Next, Round, Signals};
use super::record::Place;
use super::wording::{Scope, Setback};
use super::world::{AT_ONCE, CALL_LIMIT, World};
use crate::status::{Because, Reason};

/// After this long a round takes no more jobs: its credentials are no longer those of the moment.
const ROUND_LIMIT: Duration = CALL_LIMIT;

/// Works at `place` until nothing is due there.
pub(super) async fn run<W: World>(shared: Arc<Shared<W>>, place: Arc<Place>, signals: Signals) {
    let Signals { wake, turns } = signals;
    let mut turn = None;
    loop {
        let held = turn.take();
        let next = shared.ledger().next(&place, Instant::now());
        match next {
            Next::End => return,
            Next::Wait(until) => {
                drop(held);
                wait(until, &wake).await;
            }
            // Waiting for it may take long: what is due then is looked at again.
            Next::Round if held.is_none() => turn = turns.acquire().await.ok(),
            Next::Round => {
                let round = round(&shared, &place).await;
                close(&shared, &place, round);
            }
        }
    }
}

async fn wait(until: Option<Instant>, wake: &Notify) {
    match until {
        Some(until) => {
            tokio::select! {
                () = wake.notified() => {}
                () = sleep_until(until) => {}
            }
        }
        None => wake.notified().await,
    }
}

/// Makes the calls that are due. One at a time until one succeeds, so that a backend that is down gets one request.
async fn round<W: World>(shared: &Shared<W>, place: &Arc<Place>) -> Round {
    let begun = Instant::now();
    let mut round = Round::default();
    let opening = timeout(CALL_LIMIT, shared.world.open(&place.namespace, &place.backend)).await;
    let session = match opening.unwrap_or_else(|_| Err(cluster_silent())) {
        Ok(session) => session,
        Err(because) => {
            round.failed = Some(Setback::before_any_call(because));
            return round;
        }
    };
    let mut calls = FuturesUnordered::new();
    loop {
        let room = match &round {
            Round { failed: Some(_), .. } => 0,
            Round { succeeded: true, .. } => AT_ONCE,
            Round { .. } => 1,
        };
        while calls.len() < room && begun.elapsed() < ROUND_LIMIT {
            let Some(job) = shared.ledger().take(place) else { break };
            calls.push(call(shared, &session, job));
        }
        let Some((job, operation, outcome)) = calls.next().await else { return round };
        settle(shared, &mut round, job, operation, outcome);
    }
}

/// One call, within its limit.
async fn call<W: World>(
    shared: &Shared<W>,
    session: &W::Session,
    job: Job,
) -> (Job, &'static str, Result<(), BackendError>) {
    let call = job.call();
    let operation = call.operation();
    let outcome = timeout(CALL_LIMIT, shared.world.call(session, call)).await;
    let late = |_| Err(BackendError::new(operation, ErrorClass::Timeout, "no answer in time"));
    (job, operation, outcome.unwrap_or_else(late))
}

/// Counts a call, writes down what came of it and pokes whom it concerns.
fn settle<W: World>(
    shared: &Shared<W>,
    round: &mut Round,
    job: Job,
    operation: &'static str,
    outcome: Result<(), BackendError>,
) {
    let location = job.location.clone();
    let outcome = outcome.map_err(|error| Setback::of(&error, &location));
    let word = outcome.as_ref().map_or_else(|setback| setback.because.reason.as_str(), |()| "ok");
    shared.metrics.registration(operation, word);
    let (poke, news) = shared.ledger().settle(job, outcome.as_ref().copied());
    if let Some(key) = poke {
        shared.pokes.push(key);
    }
    match outcome {
        Ok(()) => {
            tracing::info!(operation, location, "backend told");
            round.succeeded = true;
        }
        Err(setback) if setback.scope == Scope::Backend => round.failed = Some(setback),
        Err(setback) => {
            if news {
                tracing::warn!(operation, location, error = setback.detail, "location refused");
            }
            round.refused = true;
        }
    }
}

/// Ends a round and pokes whom its end concerns.
fn close<W: World>(shared: &Shared<W>, place: &Place, round: Round) {
    let error = round.failed.as_ref().map(|failed| failed.detail.clone());
    // Without a source of chance everybody waits the longest: later, never more often.
    let chance = getrandom::u64().unwrap_or(u64::MAX);
    let (pokes, news) = shared.ledger().close(place, round, Instant::now(), chance);
    if news {
        let Place { namespace, backend } = place;
        tracing::warn!(namespace, backend = backend.api_base_url, error, "backend failed");
    }
    pokes.into_iter().for_each(|key| shared.pokes.push(key));
}

fn cluster_silent() -> Because {
    let message = format!(
        "what spec.backend names was not read: the API server did not answer within {} s",
        CALL_LIMIT.as_secs()
    );
    Because::new(Reason::SecretUnreadable, message)
}
