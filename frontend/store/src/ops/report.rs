//! `process_message`, and the lease that runs out without one.

use smsc_backend::{AttemptReport, MessageId, Permanent, Processed};

use crate::decision::{Standing, State, Verdict, judge};
use crate::destinations::{self, Destination, Plan};
use crate::error::{Fault, refused};
use crate::finals::{self, Outcome};
use crate::messages::{self, Message};
use crate::ops::sweep::expiry;
use crate::tp_status;
use crate::writer::Unit;

/// Octets kept of each of a report's texts.
const TEXT: usize = 2000;

/// Records what an attempt came to.
pub(crate) fn process_message(
    unit: &mut Unit<'_>,
    id: &MessageId,
    report: &AttemptReport,
) -> Result<Processed, Fault> {
    let Some(message) = messages::by_id(unit.sql, &id.0)? else {
        return Err(Fault::Refused(refused("process_message", 404, format!("there is no message {id}"))));
    };
    match apply(unit, &message, report)? {
        Verdict::AlreadyFinal => Ok(Processed::AlreadyFinal),
        _ => Ok(Processed::Recorded),
    }
}

/// Judges a report and does what follows from it.
pub(crate) fn apply(
    unit: &mut Unit<'_>,
    message: &Message,
    report: &AttemptReport,
) -> Result<Verdict, Fault> {
    let destination = destinations::load(unit.sql, &message.destination)?;
    let destination = destination.filter(|destination| destination.head == message.seq);
    let verdict = verdict(unit, message, destination.as_ref(), report)?;
    let outcome = match verdict {
        Verdict::AlreadyFinal | Verdict::Ignored => {
            tracing::debug!(id = message.id, ?verdict, attempt = report.attempt, "report changes nothing");
            return Ok(verdict);
        }
        Verdict::Released => {
            let failures = destination.and_then(|destination| destination.failures);
            let attempt = message.attempt.saturating_sub(1);
            messages::update(unit, message.seq, State::Queued, attempt, &message.tried)?;
            destinations::settle(unit, &message.destination, Plan::Due { due: unit.now, failures })?;
            return Ok(verdict);
        }
        Verdict::OtherRoute => {
            let tried = with_tried(message, destination.as_ref());
            requeue(unit, message, report, &tried, Plan::Due { due: unit.now, failures: None })?;
            return Ok(verdict);
        }
        Verdict::Retry { due, class, step } => {
            let plan = Plan::Due { due, failures: Some((class, step)) };
            requeue(unit, message, report, &message.tried, plan)?;
            return Ok(verdict);
        }
        Verdict::Delivered => {
            let reason = format!("attempt {} delivered it", report.attempt);
            Outcome { state: State::Delivered, tp_status: tp_status::RECEIVED, reason }
        }
        Verdict::Failed { tp_status } => Outcome { state: State::Failed, tp_status, reason: reason(report) },
        Verdict::Expired => expiry(unit, message)?,
    };
    messages::event(unit, message.seq, "attempt", &shortened(report))?;
    finals::finalise(unit, message, &outcome)?;
    Ok(verdict)
}

/// Records a failed attempt and puts the message back into its queue.
fn requeue(
    unit: &mut Unit<'_>,
    message: &Message,
    report: &AttemptReport,
    tried: &[String],
    plan: Plan,
) -> Result<(), Fault> {
    messages::event(unit, message.seq, "attempt", &shortened(report))?;
    messages::update(unit, message.seq, State::Queued, message.attempt, tried)?;
    destinations::settle(unit, &message.destination, plan)
}

fn verdict(
    unit: &Unit<'_>,
    message: &Message,
    destination: Option<&Destination>,
    report: &AttemptReport,
) -> Result<Verdict, Fault> {
    let other_route = report.permanent == Permanent::Link
        && destinations::route(unit, &message.destination, &with_tried(message, destination))?.is_some();
    let standing = Standing {
        state: message.state,
        attempt: message.attempt,
        leased_to: destination.and_then(|destination| destination.leased_to.as_deref()),
        expires: message.expires,
        failures: destination.and_then(|destination| destination.failures),
        woken: destination.is_some_and(|destination| destination.woken),
        other_route,
        seed: u64::from_ne_bytes(message.seq.to_ne_bytes()) ^ u64::from(message.attempt) << 48,
    };
    Ok(judge(&standing, report, &unit.config.retry, unit.now))
}

/// The locations ruled out if this attempt's one is.
fn with_tried(message: &Message, destination: Option<&Destination>) -> Vec<String> {
    let mut tried = message.tried.clone();
    tried.extend(destination.and_then(|destination| destination.leased_to.clone()));
    tried
}

/// Why a report ends a message, for people.
fn reason(report: &AttemptReport) -> String {
    let what = serde_json::to_value(report.status).ok().and_then(|v| v.as_str().map(str::to_owned));
    let scope = match report.permanent {
        Permanent::Message => "no repetition can help",
        Permanent::Link | Permanent::No => "no other way leads there",
    };
    let detail = &shortened(report).detail;
    let separator = if detail.is_empty() { "" } else { ": " };
    format!("{} in attempt {}, {scope}{separator}{detail}", what.unwrap_or_default(), report.attempt)
}

fn shortened(report: &AttemptReport) -> AttemptReport {
    let mut report = report.clone();
    let texts = [Some(&mut report.dest_smsc), report.icid.as_mut(), Some(&mut report.detail)];
    for text in texts.into_iter().flatten() {
        let end = (0..=TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
    report
}
