//! What time makes due: leases and validities that end, registrations that run out, retention.

use std::time::Duration;

use rusqlite::params;
use smsc_backend::{AttemptReport, Permanent, Status};

use crate::clock::millis;
use crate::damaged;
use crate::decision::State;
use crate::destinations::{self, Plan};
use crate::error::Fault;
use crate::finals::{self, Outcome};
use crate::messages::{self, Message};
use crate::ops::{locations, report};
use crate::totals::reached;
use crate::tp_status;
use crate::writer::Unit;

/// Rows one pass takes of each kind, so that requests never wait long behind it.
const PASS: i64 = 500;
/// The least time a final message stays known: late reports and repeated keys come within it.
const ROWS_KEPT: Duration = Duration::from_secs(3600);
/// How often retention and frontends are looked at, in milliseconds.
const SLOW: i64 = 1000;

/// What is to be remembered between two passes.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// More is due than one pass took.
    behind: bool,
    /// When the last pass was, and the last one with the slow steps.
    last: i64,
    last_slow: i64,
    /// Recipients behind this key are still to be routed by new rules.
    reroute: Option<String>,
}

impl Sweep {
    /// True if the next pass should follow at once.
    pub(crate) const fn is_behind(&self) -> bool {
        self.behind
    }

    /// Routes everybody anew, in the passes to come.
    pub(crate) fn reroute_all(&mut self) {
        self.reroute = Some(String::new());
    }

    /// The pass failed: the next one comes with the next tick.
    pub(crate) fn pause(&mut self) {
        self.behind = false;
    }
}

/// One pass. Listeners of `watched` are woken for rows that time made due since the last one.
pub(crate) fn run(unit: &mut Unit<'_>, sweep: &mut Sweep, watched: &[String]) -> Result<(), Fault> {
    let mut behind = leases(unit)? | registrations(unit)? | validities(unit)?;
    if sweep.behind || !(0..SLOW).contains(&unit.now.saturating_sub(sweep.last_slow)) {
        frontends(unit)?;
        behind |= submit_keys(unit)? | bodies(unit)? | rows(unit)?;
        sweep.last_slow = unit.now;
    }
    if let Some(after) = &sweep.reroute {
        sweep.reroute = reroute(unit, after)?;
    }
    for location in watched {
        let mut due = unit.sql.prepare_cached(
            "SELECT 1 FROM destinations INDEXED BY destinations_due WHERE location = ?1 AND leased_until IS NULL AND due > ?2 AND due <= ?3",
        )?;
        if due.exists(params![location, sweep.last, unit.now])? {
            unit.wake.insert(location.clone());
        }
    }
    sweep.last = unit.now;
    sweep.behind = behind || sweep.reroute.is_some();
    Ok(())
}

/// Whether a step took all it may, so that more is likely to be there.
fn is_full(count: usize) -> bool {
    i64::try_from(count).unwrap_or(PASS) >= PASS
}

/// How a message ends whose validity ran out.
pub(crate) fn expiry(unit: &Unit<'_>, message: &Message) -> Result<Outcome, Fault> {
    let waited = match destinations::load(unit.sql, &message.destination)? {
        Some(destination) if destination.location.is_none() => "no route to the recipient".to_owned(),
        Some(destination) if destination.head != message.seq => "others were before it".to_owned(),
        Some(destination) => destination.failures.map_or_else(
            || "it was not fetched".to_owned(),
            |(class, _)| format!("last seen: {}", class.as_str()),
        ),
        None => "it was not fetched".to_owned(),
    };
    let reason = format!("validity ended after {} attempts; {waited}", message.attempt);
    Ok(Outcome { state: State::Expired, tp_status: tp_status::EXPIRED, reason })
}

/// Leases that ran out: the attempt's outcome is not known, the handset may have the message.
fn leases(unit: &mut Unit<'_>) -> Result<bool, Fault> {
    let mut select = unit.sql.prepare_cached(
        "SELECT key, head, leased_to FROM destinations INDEXED BY destinations_lease WHERE leased_until <= ?1 ORDER BY leased_until LIMIT ?2",
    )?;
    let over =
        select.query_map(params![unit.now, PASS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let over = over.collect::<Result<Vec<(String, i64, String)>, _>>()?;
    for (key, head, leased_to) in &over {
        let Some(message) = damaged::readable(unit, key, *head)? else { continue };
        let unknown = AttemptReport {
            dest_smsc: leased_to.clone(),
            attempt: message.attempt,
            status: Status::Unknown,
            reason: None,
            permanent: Permanent::No,
            rp_cause: None,
            tp_fcs: None,
            report_tpdu: None,
            sip_status: None,
            icid: None,
            detail: "no report came before the lease ran out (recorded by the store)".into(),
        };
        report::apply(unit, &message, &unknown)?;
    }
    Ok(is_full(over.len()))
}

fn registrations(unit: &mut Unit<'_>) -> Result<bool, Fault> {
    let mut delete = unit.sql.prepare_cached(
        "DELETE FROM registrations WHERE impu IN \
         (SELECT impu FROM registrations WHERE expires <= ?1 ORDER BY expires LIMIT ?2) RETURNING impu, number",
    )?;
    let gone = delete.query_map(params![unit.now, PASS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let gone = gone.collect::<Result<Vec<(String, Option<String>)>, _>>()?;
    let count = gone.len();
    for (impu, number) in gone {
        unit.totals.registrations -= 1;
        locations::reroute(unit, &impu, number)?;
    }
    Ok(is_full(count))
}

/// Messages that wait and are no longer worth delivering. One in flight ends with its report.
fn validities(unit: &mut Unit<'_>) -> Result<bool, Fault> {
    let mut select = unit.sql.prepare_cached(
        "SELECT destination, seq FROM messages INDEXED BY messages_expires \
         WHERE state = 'queued' AND expires <= ?1 ORDER BY expires LIMIT ?2",
    )?;
    let over = select.query_map(params![unit.now, PASS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let over = over.collect::<Result<Vec<(String, i64)>, _>>()?;
    for (key, seq) in &over {
        let Some(message) = damaged::readable(unit, key, *seq)? else { continue };
        let outcome = expiry(unit, &message)?;
        finals::finalise(unit, &message, &outcome)?;
    }
    Ok(is_full(over.len()))
}

fn frontends(unit: &mut Unit<'_>) -> Result<(), Fault> {
    let gone = unit.sql.prepare_cached("DELETE FROM frontends WHERE expires <= ?1")?.execute([unit.now])?;
    unit.totals.frontends -= i64::try_from(gone).unwrap_or(0);
    Ok(())
}

fn submit_keys(unit: &mut Unit<'_>) -> Result<bool, Fault> {
    let before = unit.now.saturating_sub(millis(unit.config.submit_key_window));
    let mut delete = unit.sql.prepare_cached(
        "DELETE FROM submit_keys WHERE key IN (SELECT key FROM submit_keys WHERE at <= ?1 ORDER BY at LIMIT ?2)",
    )?;
    Ok(is_full(delete.execute(params![before, PASS])?))
}

/// Erases the content of messages whose retention ended: text, header and TPDU.
fn bodies(unit: &mut Unit<'_>) -> Result<bool, Fault> {
    let before = unit.now.saturating_sub(millis(unit.config.body_retention));
    let mut select = unit.sql.prepare_cached(&format!(
        "SELECT {} FROM messages INDEXED BY messages_body WHERE final_at IS NOT NULL AND erased = 0 AND final_at <= ?1 \
         ORDER BY final_at LIMIT ?2",
        messages::COLUMNS
    ))?;
    let mut rows = select.query(params![before, PASS])?;
    let mut over = Vec::new();
    while let Some(row) = rows.next()? {
        over.push(messages::read(row)?);
    }
    for message in &mut over {
        let kept = &mut message.content.message;
        kept.message_body.clear();
        (kept.udh, kept.raw_tpdu) = (None, None);
        let mut update =
            unit.sql.prepare_cached("UPDATE messages SET content = ?2, erased = 1 WHERE seq = ?1")?;
        update.execute(params![message.seq, serde_json::to_string(&message.content)?])?;
    }
    Ok(is_full(over.len()))
}

/// Forgets messages: those whose retention ended, and the oldest final ones while there are more than the cap.
fn rows(unit: &mut Unit<'_>) -> Result<bool, Fault> {
    let before = unit.now.saturating_sub(millis(unit.config.row_retention.max(ROWS_KEPT)));
    let over = reached(unit.totals.rows, unit.config.caps.rows.saturating_add(1));
    let before = if over { unit.now } else { before };
    let excess = unit.totals.rows.saturating_sub(i64::try_from(unit.config.caps.rows).unwrap_or(i64::MAX));
    let limit = if over { excess.min(PASS) } else { PASS };
    let mut select = unit.sql.prepare_cached(
        "SELECT seq FROM messages INDEXED BY messages_final WHERE final_at IS NOT NULL AND final_at <= ?1 ORDER BY final_at LIMIT ?2",
    )?;
    let gone = select.query_map(params![before, limit], |row| row.get(0))?;
    let gone = gone.collect::<Result<Vec<i64>, _>>()?;
    for seq in &gone {
        unit.sql.prepare_cached("DELETE FROM events WHERE message = ?1")?.execute([seq])?;
        unit.sql.prepare_cached("DELETE FROM messages WHERE seq = ?1")?.execute([seq])?;
        unit.totals.rows -= 1;
    }
    Ok(is_full(gone.len()))
}

/// Routes the next recipients behind `after`. Returns where to go on.
fn reroute(unit: &mut Unit<'_>, after: &str) -> Result<Option<String>, Fault> {
    let mut select =
        unit.sql.prepare_cached("SELECT key FROM destinations WHERE key > ?1 ORDER BY key LIMIT ?2")?;
    let keys = select.query_map(params![after, PASS], |row| row.get(0))?;
    let keys = keys.collect::<Result<Vec<String>, _>>()?;
    for key in &keys {
        destinations::settle(unit, key, Plan::Keep)?;
    }
    Ok(keys.into_iter().next_back())
}
