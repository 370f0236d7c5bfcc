//! The console: one page with both handsets, over an API in JSON.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/state` | both handsets with their chats, and the number of the next event |
//! | `GET /api/events?after=N` | server-sent events from event N on |
//! | `GET /api/log?after=N` | the same as one array, for whoever polls |
//! | `POST /api/messages` | `{"from", "to", "text"}` is typed and sent |
//! | `POST /api/handsets/NAME` | `{"switch": "on" \| "off" \| "full" \| "mute" \| "plain" \| "sms"}` |
//! | `GET /api/messages` | what the store holds |
//! | `GET /api/messages/ID` | one message's life; the end of its id is enough |

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use futures_util::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use smsc_backend::MessageHistory;
use smsc_store::MessageSummary;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::core::{Handle, Switch};
use super::handset::View;
use super::journal::{Journal, Reader, Record};
use super::people::{SUBSCRIBERS, find};
use super::stage::Stage;
use super::told::Records;
use crate::cli::why;

const PAGE: &str = include_str!("console.html");

/// The served console; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Console(JoinHandle<()>);

impl Drop for Console {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Clone)]
struct Shown {
    core: Handle,
    journal: Journal,
    records: Records,
}

/// Serves the console on `port` of the loopback, or on a free one if it is taken; returns where.
///
/// # Errors
/// No port could be had.
pub(super) async fn serve(stage: &Stage, port: u16) -> io::Result<(Console, SocketAddr)> {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
    };
    let address = listener.local_addr()?;
    let shown =
        Shown { core: stage.core.clone(), journal: stage.journal.clone(), records: stage.records.clone() };
    let router = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/api/state", get(state))
        .route("/api/events", get(events))
        .route("/api/log", get(log))
        .route("/api/messages", get(messages).post(type_message))
        .route("/api/messages/{id}", get(message))
        .route("/api/handsets/{name}", post(switch))
        .layer(middleware::from_fn(only_from_here))
        .with_state(shown);
    let serving = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "console");
        }
    });
    Ok((Console(serving), address))
}

/// A page elsewhere whose name was made to lead here (DNS rebinding) asks by that name; it gets nothing.
async fn only_from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost") {
        next.run(request).await
    } else {
        wrong(StatusCode::FORBIDDEN, "the console is for this machine only")
    }
}

#[derive(Serialize)]
struct Everything {
    handsets: Vec<View>,
    next_event: u64,
}

async fn state(State(shown): State<Shown>) -> Json<Everything> {
    // The number first: what happens in between is then told twice rather than never.
    let next_event = shown.journal.end();
    Json(Everything { handsets: shown.core.views().await, next_event })
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    after: u64,
}

async fn events(
    State(shown): State<Shown>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    // A browser that lost the connection says what it saw last.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let reader = shown.journal.reader(last.map_or(from.after, |last| last.saturating_add(1)));
    let stream = futures_util::stream::unfold(reader, async |mut reader: Reader| {
        let record = reader.next().await;
        let event = sse::Event::default().id(record.number.to_string()).json_data(&*record);
        // A record is made of strings and numbers, which JSON can always hold.
        Some((Ok(event.unwrap_or_default()), reader))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

async fn log(State(shown): State<Shown>, Query(from): Query<From>) -> Json<Vec<Record>> {
    let mut reader = shown.journal.reader(from.after);
    Json(std::iter::from_fn(|| reader.ready()).map(Arc::unwrap_or_clone).collect())
}

#[derive(Deserialize)]
struct Typed {
    from: String,
    to: String,
    text: String,
}

async fn type_message(State(shown): State<Shown>, Json(typed): Json<Typed>) -> Response {
    let Some(from) = find(&typed.from) else { return nobody(&typed.from) };
    match shown.core.type_message(from, &typed.to, &typed.text).await {
        Ok(message) => (StatusCode::ACCEPTED, Json(json!({ "message": message }))).into_response(),
        Err(why) => wrong(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

#[derive(Deserialize)]
struct Switched {
    switch: Switch,
}

async fn switch(
    State(shown): State<Shown>,
    Path(name): Path<String>,
    Json(switched): Json<Switched>,
) -> Response {
    let Some(handset) = find(&name) else { return nobody(&name) };
    shown.core.switch(handset, switched.switch).await;
    let mut views = shown.core.views().await;
    if handset < views.len() {
        Json(views.swap_remove(handset)).into_response()
    } else {
        wrong(StatusCode::SERVICE_UNAVAILABLE, "the demo ends")
    }
}

async fn messages(State(shown): State<Shown>) -> Result<Json<Vec<MessageSummary>>, Response> {
    let newest = shown.records.newest().await;
    newest.map(Json).map_err(|why| wrong(StatusCode::INTERNAL_SERVER_ERROR, &why))
}

#[derive(Serialize)]
struct Life {
    #[serde(flatten)]
    history: MessageHistory,
    told: String,
}

async fn message(State(shown): State<Shown>, Path(id): Path<String>) -> Result<Json<Life>, Response> {
    let history = shown.records.history(Some(&id)).await;
    let history = history.map_err(|why| wrong(StatusCode::NOT_FOUND, &why))?;
    let told = why::tell(&history, Timestamp::now());
    Ok(Json(Life { history, told }))
}

fn nobody(name: &str) -> Response {
    let [one, other] = SUBSCRIBERS.map(|who| who.name);
    wrong(StatusCode::NOT_FOUND, &format!("there is no {name}: the handsets are {one} and {other}"))
}

fn wrong(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
