//! `get_queue`.

use rusqlite::{OptionalExtension, params};
use smsc_backend::{Encoding, Kind, Location, MessageId, NewMessage, QueuedMessage};
use smsc_proto::sms::gsm7;

use crate::clock::{millis, timestamp};
use crate::config::StoreConfig;
use crate::damaged;
use crate::decision::State;
use crate::destinations;
use crate::error::{Fault, refused};
use crate::finals;
use crate::messages::{self, Message};
use crate::numbers;
use crate::ops::sweep::expiry;
use crate::writer::Unit;

/// Leases up to `limit` due messages to `location`, those that wait longest first.
pub(crate) fn get_queue(
    unit: &mut Unit<'_>,
    location: &str,
    limit: u32,
) -> Result<Vec<QueuedMessage>, Fault> {
    if location.trim().is_empty() {
        return Err(Fault::Refused(refused("get_queue", 400, "no location given (header smsc)")));
    }
    let limit = limit.min(unit.config.caps.batch);
    let mut select = unit.sql.prepare_cached(
        "SELECT key FROM destinations INDEXED BY destinations_due WHERE location = ?1 AND leased_until IS NULL AND due <= ?2 \
         ORDER BY due, head LIMIT ?3",
    )?;
    let keys = select.query_map(params![location, unit.now, limit], |row| row.get(0))?;
    let keys = keys.collect::<Result<Vec<String>, _>>()?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        rows.extend(lease_head(unit, location, &key)?);
    }
    Ok(rows)
}

/// Leases the message whose turn it is. Messages that ran out of time meanwhile end here instead of going out.
fn lease_head(unit: &mut Unit<'_>, location: &str, key: &str) -> Result<Option<QueuedMessage>, Fault> {
    while let Some(destination) = destinations::load(unit.sql, key)? {
        if destination.location.as_deref() != Some(location) || destination.due > unit.now {
            break;
        }
        let Some(message) = damaged::readable(unit, key, destination.head)? else { continue };
        if message.expires <= unit.now {
            finals::finalise(unit, &message, &expiry(unit, &message)?)?;
            continue;
        }
        let attempt = message.attempt.saturating_add(1);
        messages::update(unit, message.seq, State::InFlight, attempt, &message.tried)?;
        let until = unit.now.saturating_add(lease_millis(&message.content.message, unit.config));
        destinations::lease(unit, key, location, until)?;
        return row(unit, location, message).map(Some);
    }
    Ok(None)
}

fn row(unit: &Unit<'_>, location: &str, message: Message) -> Result<QueuedMessage, Fault> {
    let registration = registration(unit, location, &message.destination)?;
    let mut others = unit.sql.prepare_cached(
        "SELECT 1 FROM messages INDEXED BY messages_turn WHERE destination = ?1 AND final_at IS NULL AND seq <> ?2 LIMIT 1",
    )?;
    let more_to_send = others.exists(params![message.destination, message.seq])?;
    let is_report = message.kind == Kind::StatusReport;
    let content = message.content;
    let number = &message.destination;
    let destination =
        if numbers::is_number(number) { number.clone() } else { content.message.destination_msisdn.clone() };
    let new = content.message;
    Ok(QueuedMessage {
        id: MessageId(message.id),
        source_msisdn: new.source_msisdn.trim_start_matches('+').to_owned(),
        source_ton: content.source_ton,
        source_npi: content.source_npi,
        destination_msisdn: destination,
        impu: registration.as_ref().map(|r| r.impu.clone()),
        s_cscf: registration.as_ref().and_then(|r| r.s_cscf.clone()),
        ims_capable: registration.as_ref().map(|r| r.ims_capable),
        message_body: new.message_body,
        encoding: (!is_report).then_some(new.encoding),
        tp_dcs: new.tp_dcs,
        tp_pid: new.tp_pid,
        tp_rp: new.tp_rp,
        udh: new.udh,
        raw_tpdu: new.raw_tpdu,
        scts: Some(timestamp(message.scts.saturating_mul(1000))),
        sc_address: new.sc_address,
        kind: message.kind,
        priority: None,
        delivery_attempts: Some(message.attempt),
        expires: Some(timestamp(message.expires)),
        status_report: content.report,
        more_to_send: Some(more_to_send),
    })
}

/// The registration by which `location` reaches the recipient; None if it is a rule that leads there.
fn registration(unit: &Unit<'_>, location: &str, key: &str) -> Result<Option<Location>, Fault> {
    let mut select = unit.sql.prepare_cached(
        "SELECT content FROM registrations WHERE (number = ?1 OR impu = ?1) AND expires > ?2 AND location = ?3 \
         ORDER BY ims_capable DESC, updated DESC, impu LIMIT 1",
    )?;
    let content: Option<String> =
        select.query_row(params![key, unit.now, location], |row| row.get(0)).optional()?;
    Ok(content.map(|content| serde_json::from_str(&content)).transpose()?)
}

/// How long the frontend has for its report.
fn lease_millis(message: &NewMessage, config: &StoreConfig) -> i64 {
    let extra = millis(config.lease_per_part).saturating_mul(parts(message) - 1);
    millis(config.lease).saturating_add(extra)
}

/// How many parts the frontend will make of a message at most: one, unless it is a text that came without its TPDU.
fn parts(message: &NewMessage) -> i64 {
    let septet = |c| gsm7::septets(c, gsm7::Tables::DEFAULT).map(|coded| coded.as_slice().len());
    let septets = || message.message_body.chars().map(septet).sum::<Option<usize>>();
    let (units, whole, each) = match message.encoding {
        // A text beyond the default alphabet is coded with national tables only where UCS2 makes no fewer parts.
        Encoding::Gsm7 if let Some(septets) = septets() => (septets, 160, 153),
        Encoding::Gsm7 | Encoding::Ucs2 => (message.message_body.encode_utf16().count(), 70, 67),
        Encoding::Binary => (message.message_body.len() / 2, 140, 134),
    };
    let is_whole = message.udh.is_some() || message.raw_tpdu.is_some() || units <= whole;
    if is_whole { 1 } else { i64::try_from(units.div_ceil(each)).unwrap_or(255).min(255) }
}
