//! Final outcomes, and the SMS-STATUS-REPORT that follows one.

use rusqlite::params;
use smsc_backend::{Encoding, Kind, MessageId, NewMessage, StatusReport};

use crate::clock::{millis, timestamp};
use crate::decision::State;
use crate::destinations::{self, Plan};
use crate::error::Fault;
use crate::messages::{self, Content, Message, NewRow};
use crate::numbers;
use crate::writer::Unit;

/// How a message ends.
pub(crate) struct Outcome {
    pub(crate) state: State,
    /// TP-Status for the sender.
    pub(crate) tp_status: u8,
    /// One sentence for people.
    pub(crate) reason: String,
}

/// Ends a message, lets the next one for its recipient go, and reports to the sender if that was asked for.
pub(crate) fn finalise(unit: &mut Unit<'_>, message: &Message, outcome: &Outcome) -> Result<(), Fault> {
    let Outcome { state, tp_status, reason } = outcome;
    let mut update = unit
        .sql
        .prepare_cached("UPDATE messages SET state = ?2, reason = ?3, final_at = ?4 WHERE seq = ?1")?;
    update.execute(params![message.seq, state.as_str(), reason, unit.now])?;
    unit.totals.open -= 1;
    if *state == State::Expired {
        messages::event(unit, message.seq, "expired", reason)?;
    }
    let plan = next(unit, message, *state)?;
    destinations::settle(unit, &message.destination, plan)?;
    if message.report_wanted && message.kind != Kind::StatusReport {
        enqueue_report(unit, message, *tp_status)?;
    }
    tracing::debug!(id = message.id, state = state.as_str(), reason, "final");
    Ok(())
}

/// When the recipient's next message goes: at once, unless it was not this one's turn, or the recipient itself is
/// what was waited for.
fn next(unit: &Unit<'_>, message: &Message, state: State) -> Result<Plan, Fault> {
    let Some(destination) = destinations::load(unit.sql, &message.destination)? else {
        return Ok(Plan::Keep);
    };
    if destination.head != message.seq {
        return Ok(Plan::Keep);
    }
    let parked = destination.failures.is_some_and(|(class, _)| class.parks_destination());
    if state == State::Expired && parked {
        return Ok(Plan::Due { due: destination.due.max(unit.now), failures: destination.failures });
    }
    Ok(Plan::Due { due: unit.now, failures: None })
}

/// Puts an SMS-STATUS-REPORT into the sender's queue: a message like any other, but it never has a report itself.
fn enqueue_report(unit: &mut Unit<'_>, message: &Message, tp_status: u8) -> Result<(), Fault> {
    let original = &message.content.message;
    let destination = destinations::key(unit, &source_key(&original.source_msisdn), numbers::INTERNATIONAL)?;
    let report = StatusReport {
        message_id: MessageId(message.id.clone()),
        tp_mr: original.tp_mr.unwrap_or(0),
        status: tp_status,
        scts: timestamp(message.scts.saturating_mul(1000)),
        dt: timestamp(unit.now.div_euclid(1000).saturating_mul(1000)),
        destination_msisdn: original.destination_msisdn.clone(),
    };
    let row = NewRow {
        idempotency_key: None,
        kind: Kind::StatusReport,
        source: message.destination.clone(),
        destination: destination.clone(),
        part: None,
        scts: message.scts,
        expires: unit.now.saturating_add(millis(unit.config.report_validity)),
        report_wanted: false,
        content: Content {
            message: NewMessage {
                idempotency_key: String::new(),
                source_msisdn: original.destination_msisdn.trim_start_matches('+').to_owned(),
                destination_msisdn: original.source_msisdn.clone(),
                destination_ton: 0,
                destination_npi: 0,
                message_body: String::new(),
                source_smsc: original.source_smsc.clone(),
                source_type: original.source_type,
                encoding: Encoding::Gsm7,
                tp_dcs: None,
                tp_pid: None,
                tp_mr: None,
                tp_rd: None,
                tp_rp: None,
                rp_mr: None,
                udh: None,
                raw_tpdu: None,
                sc_address: original.sc_address.clone(),
                submit_key: None,
                validity_period: None,
                status_report_requested: false,
                call_id: None,
                icid: original.icid.clone(),
            },
            report: Some(report),
            source_ton: Some(original.destination_ton),
            source_npi: Some(original.destination_npi),
        },
    };
    messages::insert(unit, &row)?;
    destinations::settle(unit, &destination, Plan::Keep)
}

/// The key of a sender: its digits are the international number already.
pub(crate) fn source_key(source: &str) -> String {
    numbers::destination_key(source, numbers::INTERNATIONAL, &numbers::Numbering::default())
}
