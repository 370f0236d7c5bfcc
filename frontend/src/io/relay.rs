//! The relay listener and its client: reports on their way to the pod that owns them (design §4, Relay).
//!
//! Authenticated by the key files alone, never by source address: the signature covers a time and the body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use smsc_config::Relay;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::shell::Input;
use crate::engine::{Keys, RelayVerdict, RelayedReport};

const PATH: &str = "/relay/report";
const TIME: &str = "x-smsc-time";
const SIGNATURE: &str = "x-smsc-signature";
/// How far a peer's clock may be off, and how long a signed report can be played again (doing so is harmless).
const SKEW: u64 = 300;
const BODY_LIMIT: usize = 4096;
/// When an owner that was not reached is told again. A pod that has just started has no name for some seconds, and an
/// owner that hears nothing of a report keeps the handset's next message back until TR1N (TS 24.011 §10).
const AGAIN: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8), Duration::from_secs(16)];
/// Reports that are told again at once, at most; the owners of others wait for TR1N.
const TOLD_AGAIN: usize = 256;

/// The other pods of this domain.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    client: reqwest::Client,
    relay: Relay,
    keys: Keys,
    again: Arc<Semaphore>,
}

impl Peers {
    pub(super) fn new(relay: Relay, keys: Keys, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(timeout).no_proxy().build()?;
        Ok(Self { client, relay, keys, again: Arc::new(Semaphore::new(TOLD_AGAIN)) })
    }

    /// The same peers by another configuration.
    pub(super) fn with(&self, relay: Relay, keys: Keys) -> Self {
        Self { client: self.client.clone(), relay, keys, again: self.again.clone() }
    }

    /// Passes a report on and waits for what became of it. An owner that was not reached is told later all the same.
    pub(super) async fn pass_on(&self, ordinal: u8, report: &RelayedReport) -> RelayVerdict {
        self.tell(ordinal, report).await.unwrap_or_else(|_| {
            self.tell_again(ordinal, report.clone());
            RelayVerdict::Failed
        })
    }

    /// What became of the report elsewhere does not matter: what is final stays so, and the owner learns that.
    fn tell_again(&self, ordinal: u8, report: RelayedReport) {
        let Ok(permit) = self.again.clone().try_acquire_owned() else { return };
        let peers = self.clone();
        tokio::spawn(async move {
            for wait in AGAIN {
                tokio::time::sleep(wait).await;
                if peers.tell(ordinal, &report).await.is_ok() {
                    break;
                }
            }
            drop(permit);
        });
    }

    async fn tell(&self, ordinal: u8, report: &RelayedReport) -> Result<RelayVerdict, Unreached> {
        let (Some(peer), Ok(body)) = (self.relay.peer(ordinal), serde_json::to_vec(report)) else {
            return Ok(RelayVerdict::Failed);
        };
        let time = unix_seconds().to_string();
        let request = self
            .client
            .post(format!("{}{PATH}", peer.trim_end_matches('/')))
            .header(SIGNATURE, self.keys.sign(&signed(&time, &body)))
            .header(TIME, time)
            .body(body);
        match request.send().await.and_then(reqwest::Response::error_for_status) {
            Ok(answer) => Ok(answer.json().await.unwrap_or(RelayVerdict::Failed)),
            Err(error) => {
                tracing::info!(ordinal, error = causes(&error), "relay");
                Err(Unreached)
            }
        }
    }
}

/// The owner did not answer, or refused to.
struct Unreached;

/// An error with its causes: alone it does not say whether the peer's name, its port or its answer was missing.
fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[derive(Clone)]
struct Listener {
    inputs: mpsc::Sender<Input>,
    keys: watch::Receiver<Keys>,
}

/// Serves the relay listener.
pub(super) async fn serve(
    address: SocketAddr,
    inputs: mpsc::Sender<Input>,
    keys: watch::Receiver<Keys>,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let router = Router::new()
        .route(PATH, post(take))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Listener { inputs, keys });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "relay listener");
        }
    });
    Ok(bound)
}

async fn take(State(listener): State<Listener>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fresh = text(TIME).parse().is_ok_and(|time: u64| unix_seconds().abs_diff(time) <= SKEW);
    if !fresh || !listener.keys.borrow().verify(&signed(text(TIME), &body), text(SIGNATURE)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(report) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (answer, verdict) = oneshot::channel();
    if listener.inputs.send(Input::Relayed { report, answer }).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(verdict.await.unwrap_or(RelayVerdict::Failed)).into_response()
}

fn signed(time: &str, body: &[u8]) -> Vec<u8> {
    [time.as_bytes(), b".", body].concat()
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
