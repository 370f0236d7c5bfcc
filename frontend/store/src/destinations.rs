//! Whose turn it is: one row for every recipient with open messages.
//!
//! A recipient has one message in flight at most, and its messages keep their order: while the head waits, for its
//! pause, its handset or a route, it parks this recipient and nobody else.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Fault;
use crate::messages;
use crate::numbers;
use crate::retry::Class;
use crate::routing;
use crate::writer::Unit;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The message whose turn it is.
    pub(crate) head: i64,
    /// Where it goes; None: held.
    pub(crate) location: Option<String>,
    pub(crate) due: i64,
    /// The class of its failures in a row, and the number of the last one.
    pub(crate) failures: Option<(Class, u32)>,
    /// Who has it in flight.
    pub(crate) leased_to: Option<String>,
    /// The handset came back after the attempt began.
    pub(crate) woken: bool,
}

/// When a recipient's next message is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// As before; a new recipient: now. Leaves a lease alone.
    Keep,
    /// At this time, after these failures. Ends a lease.
    Due { due: i64, failures: Option<(Class, u32)> },
}

/// The key of a recipient. A public identity whose number is known goes by that, so that one handset has one
/// queue.
pub(crate) fn key(unit: &Unit<'_>, address: &str, ton: u8) -> Result<String, Fault> {
    let key = numbers::destination_key(address, ton, &unit.config.numbering);
    if numbers::is_number(&key) {
        return Ok(key);
    }
    let mut select =
        unit.sql.prepare_cached("SELECT number FROM registrations WHERE impu = ?1 AND number IS NOT NULL")?;
    let number = select.query_row([&key], |row| row.get(0)).optional()?;
    Ok(number.unwrap_or(key))
}

pub(crate) fn load(sql: &Connection, key: &str) -> Result<Option<Destination>, Fault> {
    let mut select = sql.prepare_cached(
        "SELECT head, location, due, class, step, leased_to, woken FROM destinations WHERE key = ?1",
    )?;
    let found = select.query_row([key], |row| {
        let (class, step): (Option<String>, u32) = (row.get(3)?, row.get(4)?);
        Ok(Destination {
            head: row.get(0)?,
            location: row.get(1)?,
            due: row.get(2)?,
            failures: class.and_then(|class| Class::from_name(&class)).map(|class| (class, step)),
            leased_to: row.get(5)?,
            woken: row.get(6)?,
        })
    });
    Ok(found.optional()?)
}

/// Finds the recipient's head and its route anew.
pub(crate) fn settle(unit: &mut Unit<'_>, key: &str, plan: Plan) -> Result<(), Fault> {
    let before = load(unit.sql, key)?;
    if plan == Plan::Keep && before.as_ref().is_some_and(|before| before.leased_to.is_some()) {
        return Ok(());
    }
    let mut select = unit.sql.prepare_cached(
        "SELECT seq, tried FROM messages INDEXED BY messages_turn WHERE destination = ?1 AND final_at IS NULL \
         ORDER BY turn, part, seq LIMIT 1",
    )?;
    let head = select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((head, tried)): Option<(i64, String)> = head else {
        unit.sql.prepare_cached("DELETE FROM destinations WHERE key = ?1")?.execute([key])?;
        return Ok(());
    };
    let (due, failures) = match (plan, &before) {
        (Plan::Due { due, failures }, _) => (due, failures),
        (Plan::Keep, Some(before)) => (before.due, before.failures),
        (Plan::Keep, None) => (unit.now, None),
    };
    // A damaged list rules nothing out; the message itself is looked at when it goes out.
    let location = route(unit, key, &serde_json::from_str::<Vec<String>>(&tried).unwrap_or_default())?;
    let after = Destination { head, location, due, failures, leased_to: None, woken: false };
    if before.as_ref() == Some(&after) {
        return Ok(());
    }
    let Destination { head, location, due, failures, .. } = after;
    let mut upsert = unit.sql.prepare_cached(
        "INSERT INTO destinations (key, head, location, due, class, step) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (key) DO UPDATE SET head = ?2, location = ?3, due = ?4, class = ?5, step = ?6, \
         leased_to = NULL, leased_until = NULL, woken = 0",
    )?;
    let (class, step) = failures.map_or((None, 0), |(class, step)| (Some(class.as_str()), step));
    upsert.execute(params![key, head, location, due, class, step])?;
    if let Some(location) = location
        && due <= unit.now
    {
        unit.wake.insert(location);
    }
    Ok(())
}

/// Where messages for `key` go, `tried` ruled out.
pub(crate) fn route(unit: &Unit<'_>, key: &str, tried: &[String]) -> Result<Option<String>, Fault> {
    let mut select = unit.sql.prepare_cached(
        "SELECT location FROM registrations WHERE (number = ?1 OR impu = ?1) AND expires > ?2 \
         ORDER BY ims_capable DESC, updated DESC, impu LIMIT 8",
    )?;
    let registered = select.query_map(params![key, unit.now], |row| row.get(0))?;
    let registered = registered.collect::<Result<Vec<String>, _>>()?;
    let registered = registered.iter().map(String::as_str);
    Ok(routing::choose(key, registered, &unit.config.routes, tried).map(str::to_owned))
}

/// Gives the head out: nothing else for this recipient goes out before the lease ends.
pub(crate) fn lease(unit: &Unit<'_>, key: &str, location: &str, until: i64) -> Result<(), Fault> {
    let mut update = unit.sql.prepare_cached(
        "UPDATE destinations SET leased_to = ?2, leased_until = ?3, woken = 0 WHERE key = ?1",
    )?;
    update.execute(params![key, location, until])?;
    Ok(())
}

/// The handset is there, or has memory again: what waits for it is due now. An attempt under way is left alone;
/// if it fails for want of the handset, the next one follows at once. `registered` also lifts the verdict of
/// locations that could not serve the handset as it was registered before.
pub(crate) fn wake(unit: &mut Unit<'_>, key: &str, cause: &str, registered: bool) -> Result<(), Fault> {
    let Some(before) = load(unit.sql, key)? else { return Ok(()) };
    if before.leased_to.is_some() {
        unit.sql.prepare_cached("UPDATE destinations SET woken = 1 WHERE key = ?1")?.execute([key])?;
        return Ok(());
    }
    if registered {
        let mut update =
            unit.sql.prepare_cached("UPDATE messages SET tried = '[]' WHERE seq = ?1 AND tried <> '[]'")?;
        update.execute([before.head])?;
    }
    settle(unit, key, Plan::Due { due: unit.now, failures: None })?;
    if before.due > unit.now || before.location.is_none() {
        messages::event(unit, before.head, "woken", &cause)?;
    }
    Ok(())
}
