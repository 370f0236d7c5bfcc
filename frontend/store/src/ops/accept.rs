//! `insert_message`.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use smsc_backend::{Accepted, BackendError, Encoding, Kind, MessageId, NewMessage, SourceType};

use crate::clock::{millis, timestamp};
use crate::concat;
use crate::destinations::{self, Plan};
use crate::error::{Fault, busy, full, refused};
use crate::finals::source_key;
use crate::messages::{self, Content, NewRow};
use crate::numbers;
use crate::totals::reached;
use crate::writer::Unit;

const OPERATION: &str = "insert_message";

/// Takes a message, or finds that it was taken before.
pub(crate) fn insert_message(unit: &mut Unit<'_>, message: &NewMessage) -> Result<Accepted, Fault> {
    check(message, unit.config.caps.message_octets).map_err(Fault::Refused)?;
    if let Some(first) = first_copy(unit, message)? {
        return Ok(first);
    }
    check_room(unit)?;
    let destination = destinations::key(unit, &message.destination_msisdn, message.destination_ton)?;
    let config = unit.config;
    let validity = message.validity_period.map_or(config.default_validity, Duration::from_secs);
    let validity = validity.min(config.max_validity).max(Duration::from_secs(1));
    let scts = unit.now.div_euclid(1000);
    let (source_ton, source_npi) = source_numbering(&message.source_msisdn);
    let row = NewRow {
        idempotency_key: (!message.idempotency_key.is_empty()).then(|| message.idempotency_key.clone()),
        // What a modem received is another network's SMS-DELIVER.
        kind: if message.source_type == SourceType::Gsm { Kind::Deliver } else { Kind::Submit },
        source: source_key(&message.source_msisdn),
        destination: destination.clone(),
        part: concat::part_of(message),
        scts,
        expires: unit.now.saturating_add(millis(validity)),
        report_wanted: message.status_report_requested,
        content: Content {
            message: NewMessage { idempotency_key: String::new(), ..message.clone() },
            report: None,
            source_ton,
            source_npi,
        },
    };
    let (seq, id) = messages::insert(unit, &row)?;
    if let Some(key) = &message.submit_key {
        let mut remember = unit
            .sql
            .prepare_cached("INSERT OR REPLACE INTO submit_keys (key, message, at) VALUES (?1, ?2, ?3)")?;
        remember.execute(params![key, seq, unit.now])?;
    }
    destinations::settle(unit, &destination, Plan::Keep)?;
    Ok(Accepted { id: MessageId(id), scts: Some(timestamp(scts.saturating_mul(1000))), duplicate: false })
}

/// The message this one repeats: by its idempotency key always, by its submit key only if the handset says that it
/// repeats (TP-RD, TS 23.040 §9.2.3.25): two equal texts to one friend are two messages.
fn first_copy(unit: &Unit<'_>, message: &NewMessage) -> Result<Option<Accepted>, Fault> {
    let accepted = |row: &rusqlite::Row<'_>| {
        let seconds: i64 = row.get(1)?;
        let scts = Some(timestamp(seconds.saturating_mul(1000)));
        Ok(Accepted { id: MessageId(row.get(0)?), scts, duplicate: true })
    };
    if !message.idempotency_key.is_empty() {
        let mut select =
            unit.sql.prepare_cached("SELECT id, scts FROM messages WHERE idempotency_key = ?1")?;
        let found = select.query_row([&message.idempotency_key], accepted).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let Some(key) = message.submit_key.as_ref().filter(|_| message.tp_rd == Some(true)) else {
        return Ok(None);
    };
    let since = unit.now.saturating_sub(millis(unit.config.submit_key_window));
    let mut select = unit.sql.prepare_cached(
        "SELECT id, scts FROM messages WHERE seq = (SELECT message FROM submit_keys WHERE key = ?1 AND at > ?2)",
    )?;
    Ok(select.query_row(params![key, since], accepted).optional()?)
}

/// What no repetition cures. The RP-Cause is what the handset is told (TS 24.011 §8.2.5.4).
fn check(message: &NewMessage, octets: usize) -> Result<(), BackendError> {
    const UNASSIGNED_NUMBER: u8 = 1;
    const SEMANTICALLY_INCORRECT: u8 = 95;
    let wrong = |field: &str, what: &str| BackendError {
        rp_cause: Some(SEMANTICALLY_INCORRECT),
        ..refused(OPERATION, 400, format!("{field}: {what}"))
    };
    let NewMessage { source_msisdn, destination_msisdn, message_body, udh, raw_tpdu, .. } = message;
    if destination_msisdn.trim().trim_start_matches('+').is_empty() {
        let detail = "destination_msisdn: no number given";
        return Err(BackendError { rp_cause: Some(UNASSIGNED_NUMBER), ..refused(OPERATION, 400, detail) });
    }
    if source_msisdn.trim().is_empty() {
        return Err(wrong("source_msisdn", "no sender given"));
    }
    if message.destination_ton > 7 || message.destination_npi > 15 {
        return Err(wrong(
            "destination_ton, destination_npi",
            "not of 0 to 7 and 0 to 15 (TS 23.040 §9.1.2.5)",
        ));
    }
    let is_hex = |text: &str| concat::octets(text).is_some();
    if message.encoding == Encoding::Binary && !is_hex(message_body) {
        return Err(wrong("message_body", "not hex, though encoding is binary"));
    }
    for (field, value) in [("udh", udh), ("raw_tpdu", raw_tpdu)] {
        if value.as_ref().is_some_and(|value| !is_hex(value)) {
            return Err(wrong(field, "not hex"));
        }
    }
    let texts =
        [source_msisdn, destination_msisdn, message_body, &message.source_smsc, &message.idempotency_key];
    let options = [udh, raw_tpdu, &message.sc_address, &message.submit_key, &message.call_id, &message.icid]
        .map(Option::as_ref);
    let size: usize = texts.into_iter().chain(options.into_iter().flatten()).map(String::len).sum();
    if size > octets {
        let detail = format!("the message has {size} octets, the limit is {octets}");
        return Err(BackendError {
            rp_cause: Some(SEMANTICALLY_INCORRECT),
            ..refused(OPERATION, 413, detail)
        });
    }
    Ok(())
}

fn check_room(unit: &Unit<'_>) -> Result<(), Fault> {
    let caps = unit.config.caps;
    if reached(unit.totals.open, caps.messages) {
        return Err(Fault::Refused(full(OPERATION, format!("{} messages wait already", unit.totals.open))));
    }
    if caps.database_octets > 0 {
        let octets: i64 = unit.sql.query_row(
            "SELECT (page_count - freelist_count) * page_size \
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
            [],
            |row| row.get(0),
        )?;
        if reached(octets, caps.database_octets) {
            return Err(Fault::Refused(busy(OPERATION, format!("the database has {octets} octets"), 30)));
        }
    }
    Ok(())
}

/// TON and NPI a sender is shown with: an international number, a short one, a name; unknown for a URI.
fn source_numbering(source: &str) -> (Option<u8>, Option<u8>) {
    const SHORTEST_INTERNATIONAL: usize = 7;
    let digits = source.trim_start_matches('+');
    if numbers::is_number(digits) {
        let international = source.starts_with('+') || digits.len() >= SHORTEST_INTERNATIONAL;
        return (Some(u8::from(international)), Some(1));
    }
    if source.contains([':', '@']) { (None, None) } else { (Some(numbers::ALPHANUMERIC), Some(0)) }
}
