//! The admin listener: `/livez`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// Serves until the listener fails.
///
/// `/livez` says only that the process answers: every request to the API server is bounded, and an operator that lost its
/// lease ends by itself. `/readyz` is for those who wait for an installation.
///
/// # Errors
/// The listener failed.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>) -> std::io::Result<()> {
    axum::serve(listener, router(metrics)).await
}

fn router(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show))
        .with_state(metrics)
}

async fn ready(State(metrics): State<Arc<Metrics>>) -> Response {
    match not_ready(&metrics) {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

/// What is missing. A standby needs no caches.
fn not_ready(metrics: &Metrics) -> Option<&'static str> {
    if !metrics.api_answered() {
        Some("the API server has not answered yet\n")
    } else if metrics.is_leader() && !metrics.resources_counted() {
        Some("the caches are not filled yet\n")
    } else {
        None
    }
}

async fn show(State(metrics): State<Arc<Metrics>>) -> Response {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.encode())
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::NO_ANSWER;

    #[test]
    fn ready_is_who_reached_the_server_and_as_leader_knows_the_resources() {
        let metrics = Metrics::new();
        metrics.api_request("get", NO_ANSWER);
        assert_eq!(not_ready(&metrics), Some("the API server has not answered yet\n"));
        metrics.api_request("get", 500);
        assert_eq!(not_ready(&metrics), None);
        metrics.leader(true);
        assert_eq!(not_ready(&metrics), Some("the caches are not filled yet\n"));
        metrics.resources([]);
        assert_eq!(not_ready(&metrics), None);
    }
}
