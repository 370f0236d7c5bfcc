//! The relay listener and its client: reports on their way to the pod that owns them (design §4, Relay).
//!
//! Authenticated by the key files alone, never by source address: the signature covers a time and the body.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use smsc_config::Relay;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::shell::Input;
use crate::engine::{Keys, RelayVerdict, RelayedReport};

const PATH: &str = "/relay/report";
const TIME: &str = "x-smsc-time";
const SIGNATURE: &str = "x-smsc-signature";
/// How far a peer's clock may be off, and how long a signed report can be played again (doing so is harmless).
const SKEW: u64 = 300;
const BODY_LIMIT: usize = 4096;

/// The other pods of this domain.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    client: reqwest::Client,
    relay: Relay,
    keys: Keys,
}

impl Peers {
    pub(super) fn new(relay: Relay, keys: Keys, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(timeout).no_proxy().build()?;
        Ok(Self { client, relay, keys })
    }

    /// The same peers by another configuration.
    pub(super) fn with(&self, relay: Relay, keys: Keys) -> Self {
        Self { client: self.client.clone(), relay, keys }
    }

    /// Passes a report on and waits for what became of it.
    pub(super) async fn pass_on(&self, ordinal: u8, report: &RelayedReport) -> RelayVerdict {
        let (Some(peer), Ok(body)) = (self.relay.peer(ordinal), serde_json::to_vec(report)) else {
            return RelayVerdict::Failed;
        };
        let time = unix_seconds().to_string();
        let request = self
            .client
            .post(format!("{}{PATH}", peer.trim_end_matches('/')))
            .header(SIGNATURE, self.keys.sign(&signed(&time, &body)))
            .header(TIME, time)
            .body(body);
        match request.send().await.and_then(reqwest::Response::error_for_status) {
            Ok(answer) => answer.json().await.unwrap_or(RelayVerdict::Failed),
            Err(error) => {
                tracing::info!(ordinal, error = causes(&error), "relay");
                RelayVerdict::Failed
            }
        }
    }
}

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
