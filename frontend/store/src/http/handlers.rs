//! One function per path.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use smsc_backend::{
    Accepted, AttemptReport, Backend, FrontendRegistration, HistoryQuery, Location, LocationRemoval,
    MessageHistory, MessageId, NewMessage, Processed, QueuedMessage,
};

use super::answer::Problem;
use crate::{MessageEvent, MessagePage, MessageSummary, RegisteredFrontend, Selection, Store, Summary};

/// Rows of a `get_queue` or list that names no limit.
const ROWS: u32 = 50;

type Done<T> = Result<Json<T>, Problem>;
type Body = Result<Bytes, BytesRejection>;
type PathPart = Result<Path<String>, PathRejection>;

/// Nothing to say: `{}`.
#[derive(Debug, Serialize)]
pub(super) struct Empty {}

pub(super) async fn frontends(State(store): State<Store>) -> Done<Vec<RegisteredFrontend>> {
    Ok(Json(store.frontends().await?))
}

pub(super) async fn frontend_register(State(store): State<Store>, body: Body) -> Done<Empty> {
    store.frontend_register(parse::<FrontendRegistration>(body)?).await?;
    Ok(Json(Empty {}))
}

pub(super) async fn frontend_deregister(State(store): State<Store>, name: PathPart) -> Done<Empty> {
    store.frontend_deregister(part(name)?).await?;
    Ok(Json(Empty {}))
}

pub(super) async fn insert_location(State(store): State<Store>, body: Body) -> Done<Empty> {
    store.insert_location(parse::<Location>(body)?).await?;
    Ok(Json(Empty {}))
}

/// The conditions of a removal.
#[derive(Debug, Deserialize)]
pub(super) struct RemovalQuery {
    s_cscf: Option<String>,
    call_id: Option<String>,
    cseq: Option<u32>,
}

pub(super) async fn delete_location(
    State(store): State<Store>,
    impu: PathPart,
    query: Result<Query<RemovalQuery>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let RemovalQuery { s_cscf, call_id, cseq } = parameters(query)?;
    store.delete_location(LocationRemoval { impu: part(impu)?, s_cscf, call_id, cseq }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn insert_message(
    State(store): State<Store>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let mut message = parse::<NewMessage>(body)?;
    if let Some(key) = text_header(&headers, "idempotency-key")? {
        message.idempotency_key = key.to_owned();
    }
    Ok((StatusCode::CREATED, Json(store.insert_message(message.into()).await?)))
}

/// How many rows are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct LimitQuery {
    limit: Option<u32>,
}

pub(super) async fn get_queue(
    State(store): State<Store>,
    headers: HeaderMap,
    query: Result<Query<LimitQuery>, QueryRejection>,
) -> Done<Vec<QueuedMessage>> {
    let limit = parameters(query)?.limit.unwrap_or(ROWS);
    let Some(location) = text_header(&headers, "smsc")? else {
        return Err(Problem::new(400, "the header smsc must name the location"));
    };
    Ok(Json(store.get_queue(location.to_owned(), limit).await?))
}

pub(super) async fn process_message(State(store): State<Store>, id: PathPart, body: Body) -> Done<Empty> {
    let report = parse::<AttemptReport>(body)?;
    let id = MessageId(part(id)?);
    match store.process_message(id.clone(), report).await? {
        Processed::Recorded => Ok(Json(Empty {})),
        Processed::AlreadyFinal => Err(Problem::new(409, format!("message {id} is final already"))),
    }
}

/// One message's history, with everything that happened between its attempts.
#[derive(Debug, Serialize)]
pub(super) struct FullHistory {
    #[serde(flatten)]
    pub(super) history: MessageHistory,
    pub(super) events: Vec<MessageEvent>,
}

pub(super) async fn message_history(State(store): State<Store>, id: PathPart) -> Done<FullHistory> {
    let id = MessageId(part(id)?);
    let mut histories = store.history(HistoryQuery::Message(id.clone())).await?;
    let Some(history) = histories.pop() else {
        return Err(Problem::new(404, format!("there is no message {id}")));
    };
    Ok(Json(FullHistory { history, events: store.events(id).await? }))
}

/// Whose messages are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct MsisdnQuery {
    msisdn: String,
}

pub(super) async fn msisdn_history(
    State(store): State<Store>,
    query: Result<Query<MsisdnQuery>, QueryRejection>,
) -> Done<Vec<MessageHistory>> {
    let MsisdnQuery { msisdn } = parameters(query)?;
    // A '+' that was not percent-encoded arrives as a space.
    Ok(Json(store.history(HistoryQuery::Msisdn(msisdn.trim().to_owned())).await?))
}

pub(super) async fn message(State(store): State<Store>, id: PathPart) -> Done<MessageSummary> {
    Ok(Json(store.message(MessageId(part(id)?)).await?))
}

/// Which page of which list.
#[derive(Debug, Deserialize)]
pub(super) struct ListQuery {
    state: Option<String>,
    before: Option<i64>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(store): State<Store>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Done<MessagePage> {
    let ListQuery { state, before, limit } = parameters(query)?;
    let state = state.as_deref().unwrap_or("all");
    let Some(selection) = Selection::from_name(state) else {
        let known = "all, open, dead, queued, held, in_flight, delivered, failed, expired";
        return Err(Problem::new(400, format!("state {state:?} is none of {known}")));
    };
    Ok(Json(store.list(selection, before, limit.unwrap_or(ROWS)).await?))
}

pub(super) async fn replay(State(store): State<Store>, id: PathPart) -> Done<MessageSummary> {
    let id = MessageId(part(id)?);
    store.replay(id.clone()).await?;
    Ok(Json(store.message(id).await?))
}

pub(super) async fn summary(State(store): State<Store>) -> Done<Summary> {
    Ok(Json(store.summary().await?))
}

/// Ready means that the writer still answers.
pub(super) async fn ready(State(store): State<Store>) -> Result<&'static str, Problem> {
    store.tick().await?;
    Ok("ready\n")
}

/// Reads a JSON body; what is wrong is named with its place.
fn parse<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let octets =
        body.map_err(|rejection| Problem::new(rejection.status().as_u16(), rejection.body_text()))?;
    let mut reader = serde_json::Deserializer::from_slice(&octets);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = match error.path().to_string().as_str() {
            "." | "?" => String::new(),
            field => format!("{field}: "),
        };
        Problem::new(400, format!("body: {place}{}", error.inner()))
    })?;
    reader.end().map_err(|error| Problem::new(400, format!("body: {error}")))?;
    Ok(value)
}

fn parameters<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let Query(parameters) =
        query.map_err(|rejection| Problem::new(rejection.status().as_u16(), rejection.body_text()))?;
    Ok(parameters)
}

fn part(path: PathPart) -> Result<String, Problem> {
    let Path(part) =
        path.map_err(|rejection| Problem::new(rejection.status().as_u16(), rejection.body_text()))?;
    Ok(part)
}

/// A header's value; empty counts as absent.
fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(value) => Ok(Some(value.trim()).filter(|value| !value.is_empty())),
        Err(_) => Err(Problem::new(400, format!("header {name}: not printable ASCII"))),
    }
}
