//! The contract over HTTP (design §6), for frontends in other processes, with lists, history and replay for people.

mod answer;
mod docs;
mod examples;
mod handlers;
mod openapi;
mod token;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::Store;
use answer::Problem;
use token::TokenFile;

pub use token::TokenError;

/// Octets of a request's body.
const BODY: usize = 512 * 1024;

/// How the store is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// Requests need the bearer token this file holds; it is read again when it changes. None: no token is asked
    /// for, so only trusted peers may reach the listener.
    pub token_file: Option<PathBuf>,
    /// Requests served at the same time; more are answered 429.
    pub requests: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { token_file: None, requests: 4096 }
    }
}

/// Why the store cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The token file cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The listener failed.
    #[error("store: cannot serve: {0}")]
    Listener(#[from] std::io::Error),
}

/// Serves `store` on `listener` until `shutdown` is done, then lets the requests under way end.
///
/// # Errors
/// The token file cannot be read at the start, or the listener fails.
pub async fn serve(
    store: Store,
    listener: TcpListener,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let router = router(store, options)?;
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await?;
    Ok(())
}

/// The routes, for callers who serve them beside their own.
///
/// # Errors
/// The token file cannot be read.
pub fn router(store: Store, options: ServeOptions) -> Result<Router, ServeError> {
    let gate = Gate {
        token: options.token_file.map(TokenFile::open).transpose()?,
        places: Semaphore::new(options.requests.clamp(1, Semaphore::MAX_PERMITS)),
    };
    Ok(Router::new()
        .route("/api/frontends", get(handlers::frontends))
        .route("/api/frontends/register", post(handlers::frontend_register))
        .route("/api/frontends/{name}", delete(handlers::frontend_deregister))
        .route("/api/locations", post(handlers::insert_location))
        .route("/api/locations/{impu}", delete(handlers::delete_location))
        .route("/api/messages", post(handlers::insert_message).get(handlers::list))
        .route("/api/messages/get_queue", get(handlers::get_queue))
        .route("/api/messages/history", get(handlers::msisdn_history))
        .route("/api/messages/{id}", patch(handlers::process_message).get(handlers::message))
        .route("/api/messages/{id}/history", get(handlers::message_history))
        .route("/api/messages/{id}/replay", post(handlers::replay))
        .route("/api/summary", get(handlers::summary))
        .route("/api/docs", get(docs::page))
        .route("/api/docs/openapi.json", get(docs::openapi))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(handlers::ready))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(Arc::new(gate), pass))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(store))
}

/// Who may come in, and how many at a time.
struct Gate {
    token: Option<TokenFile>,
    places: Semaphore,
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let open = matches!(path, "/livez" | "/readyz" | "/api/docs" | "/api/docs/openapi.json");
    if let Some(token) = gate.token.as_ref().filter(|_| !open) {
        let authorization = request.headers().get(header::AUTHORIZATION);
        if !token.admits(authorization.map_or(&[], |value| value.as_bytes())) {
            return Problem::unauthorized().into_response();
        }
    }
    let Ok(_place) = gate.places.try_acquire() else {
        return Problem::crowded().into_response();
    };
    next.run(request).await
}

async fn no_such_path(method: Method, uri: Uri) -> Problem {
    Problem::new(404, format!("there is nothing at {method} {}; see /api/docs", uri.path()))
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(405, format!("{} does not take {method}; see /api/docs", uri.path()))
}
