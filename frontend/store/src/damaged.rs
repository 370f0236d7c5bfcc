//! Rows that cannot be read must not hold up the others: they become dead letters, with what was in them kept.

use rusqlite::params;
use smsc_backend::{Encoding, NewMessage, SourceType};

use crate::destinations::{self, Plan};
use crate::error::Fault;
use crate::messages::{self, Content, Message};
use crate::writer::Unit;

/// The open message at `seq`, which waits for recipient `key`. None: it is damaged, or not there, and is out of the
/// way now.
pub(crate) fn readable(unit: &mut Unit<'_>, key: &str, seq: i64) -> Result<Option<Message>, Fault> {
    match messages::by_seq(unit.sql, seq) {
        Ok(Some(message)) => return Ok(Some(message)),
        Ok(None) => tracing::error!(seq, key, "a message that should wait is missing"),
        Err(Fault::Corrupt(detail)) => quarantine(unit, seq, &detail)?,
        Err(fault) => return Err(fault),
    }
    // Only the head holds a lease, and it is the head that was found missing or damaged, or the lease is another's.
    let head = destinations::load(unit.sql, key)?.is_none_or(|destination| destination.head == seq);
    let plan = if head { Plan::Due { due: unit.now, failures: None } } else { Plan::Keep };
    destinations::settle(unit, key, plan)?;
    Ok(None)
}

fn quarantine(unit: &mut Unit<'_>, seq: i64, detail: &str) -> Result<(), Fault> {
    tracing::error!(seq, detail, "a damaged message became a dead letter");
    let mut select =
        unit.sql.prepare_cached("SELECT source, destination, content FROM messages WHERE seq = ?1")?;
    let (source, destination, content): (String, String, String) =
        select.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    messages::event(unit, seq, "damaged", &content)?;
    let mut update = unit.sql.prepare_cached(
        "UPDATE messages SET kind = 'submit', state = 'failed', tried = '[]', erased = 1, final_at = ?2, \
         reason = ?3, content = ?4 WHERE seq = ?1",
    )?;
    let reason = format!("the store could not read it: {detail}");
    let content = serde_json::to_string(&placeholder(source, destination))?;
    update.execute(params![seq, unit.now, reason, content])?;
    unit.totals.open -= 1;
    Ok(())
}

/// What is still known of a damaged message.
fn placeholder(source_msisdn: String, destination_msisdn: String) -> Content {
    let (source, destination) = (source_msisdn, destination_msisdn);
    let message = NewMessage::bare(SourceType::Ims, source, destination, Encoding::Gsm7, String::new());
    Content { message, report: None, source_ton: None, source_npi: None }
}
