//! The admin listener: `/livez`, `/readyz`, `/metrics`, `/status`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::shell::Input;
use crate::engine::Overview;
use crate::tls::Certificate;

/// How long the protocol loop has to say what it has in hand; its rounds take milliseconds.
const ANSWER: Duration = Duration::from_secs(2);

/// What `/status` shows. An operator builds on `generation`, which is shown once all of that configuration is in force,
/// and on what the protocol loop was asked for this very answer: `polling`, `in_hand`, `registration` and
/// `registrations_run_out`. Where the loop does not answer there is no status (503), never an old one.
#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    described: Described,
    /// The locations polled here.
    polling: Vec<String>,
    /// The locations of which anything is in hand here, sorted: a get_queue not yet answered, a row held or under way, an
    /// outcome not yet taken by the backend. Another pod may poll a location when it is in neither `polling` nor this.
    in_hand: Vec<String>,
    /// The body of `frontend_register` as this frontend sends it, without `uptime_seconds`.
    registration: serde_json::Value,
    /// By when (RFC 3339, UTC) every subscriber registration that was written with this `location` has run out, as far as
    /// this pod can tell: those of its own, and those of a predecessor if they last no longer than the longest that it has
    /// seen since its start. Absent while it has seen no REGISTER.
    #[serde(skip_serializing_if = "Option::is_none")]
    registrations_run_out: Option<Timestamp>,
    uptime_seconds: u64,
}

/// What the configuration in force and the sockets say of a frontend.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Described {
    pub(super) version: &'static str,
    pub(super) location: String,
    pub(super) ordinal: u8,
    /// The generation of the configuration in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<String>,
    pub(super) ready: bool,
    pub(super) draining: bool,
    pub(super) listening: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) relay: Option<SocketAddr>,
    pub(super) trusted_peers: Vec<String>,
    /// What TLS listeners show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate: Option<Certificate>,
    /// Changes that wait for a restart.
    pub(super) restart_needed: Vec<String>,
    /// Why the newest configuration file was refused; the one before stays in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

#[derive(Clone)]
struct Admin {
    described: watch::Receiver<Described>,
    registry: Arc<Registry>,
    inputs: mpsc::Sender<Input>,
    started: Instant,
}

/// Serves the admin listener.
pub(super) async fn serve(
    address: SocketAddr,
    described: watch::Receiver<Described>,
    registry: Arc<Registry>,
    inputs: mpsc::Sender<Input>,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(show))
        .with_state(Admin { described, registry, inputs, started: Instant::now() });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "admin listener");
        }
    });
    Ok(bound)
}

/// Ready: sockets bound, configuration loaded, not draining. Never the backend: an outage there must not take every
/// endpoint away, handsets get their RP-ERROR 41.
async fn ready(State(admin): State<Admin>) -> Response {
    let status = admin.described.borrow();
    if status.ready && !status.draining {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, if status.draining { "draining\n" } else { "starting\n" })
            .into_response()
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &admin.registry) {
        Ok(()) => {
            ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
                .into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn show(State(admin): State<Admin>) -> Response {
    // Before the loop is asked: what it says is then of this generation or a newer one.
    let described = admin.described.borrow().clone();
    let Some(overview) = admin.overview().await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the protocol loop does not answer\n").into_response();
    };
    let Overview { polling, in_hand, registration, registrations_run_out } = overview;
    let mut registration = serde_json::to_value(registration).unwrap_or_default();
    if let Some(fields) = registration.as_object_mut() {
        fields.remove("uptime_seconds");
    }
    let uptime_seconds = admin.started.elapsed().as_secs();
    let status = Status { described, polling, in_hand, registration, registrations_run_out, uptime_seconds };
    Json(status).into_response()
}

impl Admin {
    async fn overview(&self) -> Option<Overview> {
        let (asker, answer) = oneshot::channel();
        let asked = async {
            self.inputs.send(Input::Overview(asker)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(ANSWER, asked).await.ok()?
    }
}
