//! The admin listener: `/livez`, `/readyz`, `/metrics`, `/status`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::tls::Certificate;

/// What `/status` shows; the operator reads `generation` and `polling`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Status {
    pub(super) version: &'static str,
    pub(super) location: String,
    pub(super) ordinal: u8,
    /// The generation of the configuration in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<String>,
    /// The locations polled here.
    pub(super) polling: Vec<String>,
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
    status: watch::Receiver<Status>,
    registry: Arc<Registry>,
    started: Instant,
}

/// Serves the admin listener.
pub(super) async fn serve(
    address: SocketAddr,
    status: watch::Receiver<Status>,
    registry: Arc<Registry>,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(show))
        .with_state(Admin { status, registry, started: Instant::now() });
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
    let status = admin.status.borrow();
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
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        status: Status,
        uptime_seconds: u64,
    }
    let status = admin.status.borrow().clone();
    Json(Shown { status, uptime_seconds: admin.started.elapsed().as_secs() }).into_response()
}
