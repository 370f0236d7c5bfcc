//! Putting a dead letter back into its queue.

use std::time::Duration;

use rusqlite::params;
use smsc_backend::MessageId;

use crate::clock::millis;
use crate::decision::State;
use crate::destinations::{self, Plan};
use crate::error::{Fault, full, refused};
use crate::messages;
use crate::totals::reached;
use crate::writer::Unit;

/// Queues a failed or expired message again, with its full validity and all ways open. Attempts go on counting, so
/// late reports of earlier ones stay fenced off.
pub(crate) fn replay(unit: &mut Unit<'_>, id: &MessageId) -> Result<(), Fault> {
    const OPERATION: &str = "replay";
    let refuse = |status, detail: String| Err(Fault::Refused(refused(OPERATION, status, detail)));
    let Some(message) = messages::by_id(unit.sql, &id.0)? else {
        return refuse(404, format!("there is no message {id}"));
    };
    if !matches!(message.state, State::Failed | State::Expired) {
        return refuse(409, format!("message {id} is {}, not a dead letter", message.state.as_str()));
    }
    if message.erased {
        return refuse(409, format!("the content of message {id} was erased when its retention ended"));
    }
    if reached(unit.totals.open, unit.config.caps.messages) {
        let detail = format!("{} messages wait already", unit.totals.open);
        return Err(Fault::Refused(full(OPERATION, detail)));
    }
    let validity =
        message.content.message.validity_period.map_or(unit.config.default_validity, Duration::from_secs);
    let validity = validity.min(unit.config.max_validity).max(Duration::from_secs(1));
    let mut update = unit.sql.prepare_cached(
        "UPDATE messages SET state = 'queued', tried = '[]', reason = NULL, final_at = NULL, expires = ?2 \
         WHERE seq = ?1",
    )?;
    update.execute(params![message.seq, unit.now.saturating_add(millis(validity))])?;
    unit.totals.open += 1;
    messages::event(unit, message.seq, "replayed", &message.reason)?;
    destinations::settle(unit, &message.destination, Plan::Keep)
}
