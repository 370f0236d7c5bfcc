//! What can be asked about messages and frontends: history for `why`, lists, counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use smsc_backend::{FrontendRegistration, Kind, MessageHistory, MessageId, RecordedAttempt};

use crate::clock::timestamp;
use crate::decision::State;
use crate::destinations::{self, Destination};
use crate::error::{Fault, refused};
use crate::messages::{self, Message};
use crate::numbers::{Numbering, destination_key};

/// Messages in the history of a number.
const NEWEST: usize = 50;
/// Messages on one page of a list.
pub(crate) const PAGE: u32 = 500;

/// A message in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSummary {
    /// The message.
    pub id: MessageId,
    /// Which TPDU it becomes.
    pub kind: Kind,
    /// Sender.
    pub source_msisdn: String,
    /// Recipient, as dialled.
    pub destination_msisdn: String,
    /// `held`, `queued`, `in_flight`, `delivered`, `failed` or `expired`.
    pub state: String,
    /// TP-SCTS: when it was accepted.
    pub scts: Timestamp,
    /// When its validity ends or ended.
    pub expires: Timestamp,
    /// Attempts counted so far.
    pub attempts: u32,
    /// When the recipient's next attempt is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// How it ended, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_at: Option<Timestamp>,
}

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<MessageSummary>,
    /// Pass this as `before` for the next page; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Which messages a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// Waiting: queued, held or in flight.
    Open,
    /// Dead letters: failed or expired.
    Dead,
    /// Waiting for their turn or time.
    Queued,
    /// Waiting for a route: neither registered nor covered by a rule.
    Held,
    /// Leased to a frontend.
    InFlight,
    /// Delivered.
    Delivered,
    /// Failed.
    Failed,
    /// Expired.
    Expired,
}

impl Selection {
    /// The selection of this name (`open`, `dead`, `queued` ...).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "open" => Self::Open,
            "dead" => Self::Dead,
            "queued" => Self::Queued,
            "held" => Self::Held,
            "in_flight" => Self::InFlight,
            "delivered" => Self::Delivered,
            "failed" => Self::Failed,
            "expired" => Self::Expired,
            _ => return None,
        })
    }

    const fn states(self) -> &'static [State] {
        match self {
            Self::All => &[State::Queued, State::InFlight, State::Delivered, State::Failed, State::Expired],
            Self::Open => &[State::Queued, State::InFlight],
            Self::Dead => &[State::Failed, State::Expired],
            Self::Queued | Self::Held => &[State::Queued],
            Self::InFlight => &[State::InFlight],
            Self::Delivered => &[State::Delivered],
            Self::Failed => &[State::Failed],
            Self::Expired => &[State::Expired],
        }
    }
}

/// Something that happened to a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageEvent {
    /// When.
    pub at: Timestamp,
    /// `attempt`, `woken`, `expired`, `replayed` or `damaged`.
    pub event: String,
    /// The attempt's report, or words.
    pub detail: serde_json::Value,
}

/// A registered frontend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegisteredFrontend {
    /// What it said.
    #[serde(flatten)]
    pub registration: FrontendRegistration,
    /// When it last said so.
    pub updated: Timestamp,
    /// When that runs out.
    pub expires: Timestamp,
}

/// How much the store holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Messages by state; `held` ones count as queued.
    pub messages: BTreeMap<String, u64>,
    /// Registered identities.
    pub registrations: u64,
    /// Registered frontends.
    pub frontends: u64,
    /// When the message that waits longest was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
}

/// The history of one message.
pub(crate) fn message_history(sql: &Connection, id: &str) -> Result<MessageHistory, Fault> {
    history(sql, existing(sql, "history", id)?)
}

fn existing(sql: &Connection, operation: &'static str, id: &str) -> Result<Message, Fault> {
    let absent = || Fault::Refused(refused(operation, 404, format!("there is no message {id}")));
    messages::by_id(sql, id)?.ok_or_else(absent)
}

/// The histories of the newest messages from or to a number, newest first.
pub(crate) fn msisdn_history(
    sql: &Connection,
    msisdn: &str,
    numbering: &Numbering,
) -> Result<Vec<MessageHistory>, Fault> {
    let mut seqs = Vec::new();
    for key in [destination_key(msisdn, 0, numbering), destination_key(msisdn, 1, numbering)] {
        for column in ["source", "destination"] {
            let mut select = sql.prepare_cached(&format!(
                "SELECT seq FROM messages WHERE {column} = ?1 ORDER BY seq DESC LIMIT {NEWEST}"
            ))?;
            let found = select.query_map([&key], |row| row.get::<_, i64>(0))?;
            seqs.extend(found.collect::<Result<Vec<_>, _>>()?);
        }
    }
    seqs.sort_unstable_by(|a, b| b.cmp(a));
    seqs.dedup();
    seqs.truncate(NEWEST);
    let mut histories = Vec::with_capacity(seqs.len());
    for seq in seqs {
        histories.extend(messages::by_seq(sql, seq)?.map(|message| history(sql, message)).transpose()?);
    }
    Ok(histories)
}

fn history(sql: &Connection, message: Message) -> Result<MessageHistory, Fault> {
    let destination = destinations::load(sql, &message.destination)?;
    let mut select = sql.prepare_cached(
        "SELECT at, content FROM events WHERE message = ?1 AND kind = 'attempt' ORDER BY n",
    )?;
    let mut rows = select.query([message.seq])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        let report = serde_json::from_str(&row.get::<_, String>(1)?)?;
        attempts.push(RecordedAttempt { at: timestamp(row.get(0)?), report });
    }
    Ok(MessageHistory {
        state: state_name(&message, destination.as_ref()).to_owned(),
        due: due(&message, destination.as_ref()),
        id: MessageId(message.id),
        source_msisdn: message.content.message.source_msisdn,
        destination_msisdn: message.content.message.destination_msisdn,
        scts: timestamp(message.scts.saturating_mul(1000)),
        attempts,
    })
}

/// Everything that happened to a message, oldest first.
pub(crate) fn events(sql: &Connection, id: &str) -> Result<Vec<MessageEvent>, Fault> {
    let mut select = sql.prepare_cached(
        "SELECT at, kind, content FROM events WHERE message = (SELECT seq FROM messages WHERE id = ?1) ORDER BY n",
    )?;
    let mut rows = select.query([id])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let detail = serde_json::from_str(&row.get::<_, String>(2)?)?;
        events.push(MessageEvent { at: timestamp(row.get(0)?), event: row.get(1)?, detail });
    }
    Ok(events)
}

/// One message in short.
pub(crate) fn summary_of(sql: &Connection, id: &str) -> Result<MessageSummary, Fault> {
    summary(sql, existing(sql, "message", id)?)
}

/// A page of messages behind `before`, newest first.
pub(crate) fn list(
    sql: &Connection,
    selection: Selection,
    before: Option<i64>,
    limit: u32,
) -> Result<MessagePage, Fault> {
    let limit = limit.clamp(1, PAGE);
    let held = if selection == Selection::Held {
        "AND destination IN (SELECT key FROM destinations WHERE location IS NULL)"
    } else {
        ""
    };
    // One statement per state, so that each walks an index and stops at the limit.
    let mut select = sql.prepare_cached(&format!(
        "SELECT {} FROM messages WHERE state = ?1 AND seq < ?2 {held} ORDER BY seq DESC LIMIT ?3",
        messages::COLUMNS
    ))?;
    let mut found = Vec::new();
    for state in selection.states() {
        let mut rows = select.query(params![state.as_str(), before.unwrap_or(i64::MAX), limit + 1])?;
        while let Some(row) = rows.next()? {
            found.push(messages::read(row)?);
        }
    }
    found.sort_unstable_by_key(|message| std::cmp::Reverse(message.seq));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.seq);
    let messages = found.into_iter().map(|message| summary(sql, message)).collect::<Result<_, _>>()?;
    Ok(MessagePage { messages, next })
}

fn summary(sql: &Connection, message: Message) -> Result<MessageSummary, Fault> {
    let destination =
        if message.state.is_final() { None } else { destinations::load(sql, &message.destination)? };
    Ok(MessageSummary {
        state: state_name(&message, destination.as_ref()).to_owned(),
        due: due(&message, destination.as_ref()),
        id: MessageId(message.id),
        kind: message.kind,
        source_msisdn: message.content.message.source_msisdn,
        destination_msisdn: message.content.message.destination_msisdn,
        scts: timestamp(message.scts.saturating_mul(1000)),
        expires: timestamp(message.expires),
        attempts: message.attempt,
        location: destination.and_then(|destination| destination.location),
        reason: message.reason,
        final_at: message.final_at.map(timestamp),
    })
}

fn state_name(message: &Message, destination: Option<&Destination>) -> &'static str {
    let held = message.state == State::Queued && destination.is_some_and(|d| d.location.is_none());
    if held { "held" } else { message.state.as_str() }
}

/// When the recipient's next attempt is due; None for what is final, in flight, held or over before that.
fn due(message: &Message, destination: Option<&Destination>) -> Option<Timestamp> {
    let destination = destination.filter(|d| d.location.is_some() && d.leased_to.is_none())?;
    (message.state == State::Queued && destination.due < message.expires).then(|| timestamp(destination.due))
}

/// The registered frontends, by name.
pub(crate) fn frontends(sql: &Connection) -> Result<Vec<RegisteredFrontend>, Fault> {
    let mut select = sql.prepare_cached("SELECT updated, expires, content FROM frontends ORDER BY name")?;
    let mut rows = select.query([])?;
    let mut frontends = Vec::new();
    while let Some(row) = rows.next()? {
        let registration = serde_json::from_str(&row.get::<_, String>(2)?)?;
        let (updated, expires) = (timestamp(row.get(0)?), timestamp(row.get(1)?));
        frontends.push(RegisteredFrontend { registration, updated, expires });
    }
    Ok(frontends)
}

/// How much the store holds.
pub(crate) fn totals(sql: &Connection) -> Result<Summary, Fault> {
    let mut select = sql.prepare_cached("SELECT state, count(*) FROM messages GROUP BY state")?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    let counts = select.query_map([], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
    let messages = counts.collect::<Result<BTreeMap<String, u64>, _>>()?;
    let mut select = sql.prepare_cached("SELECT registrations, frontends FROM totals")?;
    let (registrations, frontends) =
        select.query_row([], |row| Ok((count(row.get(0)?), count(row.get(1)?))))?;
    let mut select = sql.prepare_cached(
        "SELECT min(scts) FROM messages WHERE seq IN \
         (SELECT min(seq) FROM messages WHERE state = 'queued' UNION \
          SELECT min(seq) FROM messages WHERE state = 'in_flight')",
    )?;
    let oldest: Option<Option<i64>> = select.query_row([], |row| row.get(0)).optional()?;
    let oldest = oldest.flatten().map(|seconds| timestamp(seconds.saturating_mul(1000)));
    Ok(Summary { messages, registrations, frontends, oldest })
}
