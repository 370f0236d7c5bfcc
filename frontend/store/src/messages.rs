//! The messages table: one row for everything accepted, and its events.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use smsc_backend::{Kind, NewMessage, StatusReport};

use crate::concat::Part;
use crate::decision::State;
use crate::error::Fault;
use crate::writer::Unit;

/// Events of one message beyond this number push the oldest ones out.
const EVENTS_KEPT: i64 = 200;

/// What a message says, as one JSON column: the tables need none of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The message as it was handed over; of a status report: sender and recipient.
    pub(crate) message: NewMessage,
    /// With [`Kind::StatusReport`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<StatusReport>,
    /// TON of the sender where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_ton: Option<u8>,
    /// NPI of the sender where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_npi: Option<u8>,
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// The recipient's key.
    pub(crate) destination: String,
    /// Seconds of the Unix epoch.
    pub(crate) scts: i64,
    pub(crate) expires: i64,
    /// The newest attempt's number; 0 before the first.
    pub(crate) attempt: u32,
    /// Locations that refused it for good.
    pub(crate) tried: Vec<String>,
    pub(crate) report_wanted: bool,
    pub(crate) reason: Option<String>,
    pub(crate) final_at: Option<i64>,
    pub(crate) erased: bool,
    pub(crate) content: Content,
}

/// What is needed to add a row.
pub(crate) struct NewRow {
    pub(crate) idempotency_key: Option<String>,
    pub(crate) kind: Kind,
    /// The sender's key.
    pub(crate) source: String,
    /// The recipient's key.
    pub(crate) destination: String,
    pub(crate) part: Option<Part>,
    pub(crate) scts: i64,
    pub(crate) expires: i64,
    pub(crate) report_wanted: bool,
    pub(crate) content: Content,
}

/// The columns [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "seq, id, kind, state, destination, scts, expires, attempt, tried, \
                                  report_wanted, reason, final_at, erased, content";

/// Adds a message behind all others for its recipient, or beside the parts it belongs to. Returns seq and id.
pub(crate) fn insert(unit: &mut Unit<'_>, row: &NewRow) -> Result<(i64, String), Fault> {
    let seq = unit.totals.next_seq;
    let id = unit.ids.next(unit.now);
    let turn = match &row.part {
        Some(part) => open_turn(unit.sql, &row.destination, part)?.unwrap_or(seq),
        None => seq,
    };
    let mut insert = unit.sql.prepare_cached(
        "INSERT INTO messages (seq, id, idempotency_key, kind, state, source, destination, turn, part, \
         concat_key, scts, expires, report_wanted, content) \
         VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    insert.execute(params![
        seq,
        id,
        row.idempotency_key,
        kind_name(row.kind),
        row.source,
        row.destination,
        turn,
        row.part.as_ref().map_or(0, |part| part.sequence),
        row.part.as_ref().map(|part| &part.key),
        row.scts,
        row.expires,
        row.report_wanted,
        serde_json::to_string(&row.content)?,
    ])?;
    unit.totals.next_seq += 1;
    unit.totals.open += 1;
    unit.totals.rows += 1;
    Ok((seq, id))
}

/// The turn of the multipart message this part belongs to, if a part of it still waits. A reference whose parts
/// include this sequence number already is another message's (references are used again after 256).
fn open_turn(sql: &Connection, destination: &str, part: &Part) -> Result<Option<i64>, Fault> {
    let mut newest = sql.prepare_cached(
        "SELECT turn FROM messages INDEXED BY messages_concat WHERE destination = ?1 AND concat_key = ?2 AND final_at IS NULL \
         ORDER BY seq DESC LIMIT 1",
    )?;
    let Some(turn) = newest.query_row(params![destination, part.key], |row| row.get(0)).optional()? else {
        return Ok(None);
    };
    let mut same = sql.prepare_cached(
        "SELECT 1 FROM messages INDEXED BY messages_turn WHERE destination = ?1 AND turn = ?2 AND part = ?3 AND final_at IS NULL",
    )?;
    let taken = same.exists(params![destination, turn, part.sequence])?;
    Ok((!taken).then_some(turn))
}

/// The message with this id.
pub(crate) fn by_id(sql: &Connection, id: &str) -> Result<Option<Message>, Fault> {
    let mut select = sql.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE id = ?1"))?;
    first(select.query([id])?)
}

/// The message at this place of the order of acceptance.
pub(crate) fn by_seq(sql: &Connection, seq: i64) -> Result<Option<Message>, Fault> {
    let mut select = sql.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE seq = ?1"))?;
    first(select.query([seq])?)
}

fn first(mut rows: rusqlite::Rows<'_>) -> Result<Option<Message>, Fault> {
    rows.next()?.map(read).transpose()
}

/// Reads a row selected with [`COLUMNS`].
pub(crate) fn read(row: &Row<'_>) -> Result<Message, Fault> {
    let (kind, state): (String, String) = (row.get(2)?, row.get(3)?);
    let unknown = |what, value: &str| Fault::Corrupt(format!("{what} {value:?}"));
    Ok(Message {
        seq: row.get(0)?,
        id: row.get(1)?,
        kind: kind_from_name(&kind).ok_or_else(|| unknown("message kind", &kind))?,
        state: State::from_name(&state).ok_or_else(|| unknown("message state", &state))?,
        destination: row.get(4)?,
        scts: row.get(5)?,
        expires: row.get(6)?,
        attempt: row.get(7)?,
        tried: serde_json::from_str(&row.get::<_, String>(8)?)?,
        report_wanted: row.get(9)?,
        reason: row.get(10)?,
        final_at: row.get(11)?,
        erased: row.get(12)?,
        content: serde_json::from_str(&row.get::<_, String>(13)?)?,
    })
}

/// Gives an open message its state, attempt number and ruled-out locations.
pub(crate) fn update(
    unit: &Unit<'_>,
    seq: i64,
    state: State,
    attempt: u32,
    tried: &[String],
) -> Result<(), Fault> {
    let mut update =
        unit.sql.prepare_cached("UPDATE messages SET state = ?2, attempt = ?3, tried = ?4 WHERE seq = ?1")?;
    update.execute(params![seq, state.as_str(), attempt, serde_json::to_string(tried)?])?;
    Ok(())
}

/// Remembers what happened to a message.
pub(crate) fn event(unit: &Unit<'_>, seq: i64, kind: &str, content: &impl Serialize) -> Result<(), Fault> {
    let mut count =
        unit.sql.prepare_cached("UPDATE messages SET events = events + 1 WHERE seq = ?1 RETURNING events")?;
    let n: i64 = count.query_row([seq], |row| row.get(0))?;
    let mut insert = unit
        .sql
        .prepare_cached("INSERT INTO events (message, n, at, kind, content) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute(params![seq, n, unit.now, kind, serde_json::to_string(content)?])?;
    if n > EVENTS_KEPT {
        let mut delete = unit.sql.prepare_cached("DELETE FROM events WHERE message = ?1 AND n <= ?2")?;
        delete.execute([seq, n - EVENTS_KEPT])?;
    }
    Ok(())
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Submit => "submit",
        Kind::Deliver => "deliver",
        Kind::StatusReport => "status_report",
    }
}

fn kind_from_name(name: &str) -> Option<Kind> {
    [Kind::Submit, Kind::Deliver, Kind::StatusReport].into_iter().find(|kind| kind_name(*kind) == name)
}
