//! `insert_location` and its `DELETE`.

use rusqlite::{OptionalExtension, params};
use smsc_backend::{Location, LocationEvent, LocationRemoval};

use crate::destinations::{self, Plan};
use crate::error::{Fault, full, refused};
use crate::numbers::{impu_key, registered_number};
use crate::totals::reached;
use crate::writer::Unit;

/// Octets of one registration's fields together.
const OCTETS: usize = 16 * 1024;

/// A stored registration.
struct Stored {
    number: Option<String>,
    location: Location,
}

/// Records where a subscriber is, and wakes what waits for it.
pub(crate) fn insert_location(unit: &mut Unit<'_>, location: &Location) -> Result<(), Fault> {
    const OPERATION: &str = "insert_location";
    if location.impu.trim().is_empty() || location.location.trim().is_empty() {
        return Err(Fault::Refused(refused(OPERATION, 400, "impu and location must not be empty")));
    }
    let octets = serde_json::to_string(location)?.len();
    if octets > OCTETS {
        let detail = format!("the location has {octets} octets, the limit is {OCTETS}");
        return Err(Fault::Refused(refused(OPERATION, 413, detail)));
    }
    let key = impu_key(&location.impu);
    let before = load(unit, &key)?;
    if location.event == LocationEvent::MemoryAvailable && (before.is_some() || location.expires == 0) {
        // RP-SMMA is no REGISTER: what the last one said still holds.
        let number = before.and_then(|before| before.number);
        let number = number.or_else(|| registered_number(location.msisdn.as_deref(), &location.impu));
        return wake(unit, &key, number, location);
    }
    if before.as_ref().is_some_and(|before| is_older(location, &before.location)) {
        return Ok(());
    }
    if location.expires == 0 {
        return remove(unit, &key, before);
    }
    if before.is_none() {
        if reached(unit.totals.registrations, unit.config.caps.registrations) {
            let detail = format!("{} identities are registered already", unit.totals.registrations);
            return Err(Fault::Refused(full(OPERATION, detail)));
        }
        unit.totals.registrations += 1;
    }
    let old_number = before.as_ref().and_then(|before| before.number.clone());
    let merged = merge(location, before.map(|before| before.location));
    let number = registered_number(merged.msisdn.as_deref(), &merged.impu);
    let mut upsert = unit.sql.prepare_cached(
        "INSERT OR REPLACE INTO registrations (impu, number, location, ims_capable, updated, expires, content) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    upsert.execute(params![
        key,
        number,
        merged.location,
        merged.ims_capable,
        unit.now,
        unit.now.saturating_add(i64::from(merged.expires) * 1000),
        serde_json::to_string(&merged)?,
    ])?;
    if let Some(old) = old_number.filter(|old| Some(old) != number.as_ref()) {
        destinations::settle(unit, &old, Plan::Keep)?;
    }
    wake(unit, &key, number, location)
}

/// Forgets where a subscriber is, if the one who says so speaks of what is stored.
pub(crate) fn delete_location(unit: &mut Unit<'_>, removal: &LocationRemoval) -> Result<(), Fault> {
    let key = impu_key(&removal.impu);
    let Some(before) = load(unit, &key)? else { return Ok(()) };
    let stored = &before.location;
    let same_s_cscf = removal.s_cscf.is_none() || removal.s_cscf == stored.s_cscf;
    // Numbers of different dialogues cannot be compared (RFC 3261 §10.2.4).
    let same_call = removal.call_id.is_some() && removal.call_id == stored.call_id;
    let older = same_call && matches!((removal.cseq, stored.cseq), (Some(new), Some(old)) if new <= old);
    if same_s_cscf && !older { remove(unit, &key, Some(before)) } else { Ok(()) }
}

/// Takes a registration out and routes what waits for it anew.
fn remove(unit: &mut Unit<'_>, key: &str, before: Option<Stored>) -> Result<(), Fault> {
    let Some(before) = before else { return Ok(()) };
    unit.sql.prepare_cached("DELETE FROM registrations WHERE impu = ?1")?.execute([key])?;
    unit.totals.registrations -= 1;
    reroute(unit, key, before.number)
}

/// Routes what waits for an identity and its number anew.
pub(crate) fn reroute(unit: &mut Unit<'_>, key: &str, number: Option<String>) -> Result<(), Fault> {
    destinations::settle(unit, key, Plan::Keep)?;
    number.map_or(Ok(()), |number| destinations::settle(unit, &number, Plan::Keep))
}

fn wake(unit: &mut Unit<'_>, key: &str, number: Option<String>, location: &Location) -> Result<(), Fault> {
    let cause = match location.event {
        LocationEvent::Registered => "registered",
        LocationEvent::Refreshed => "refreshed",
        LocationEvent::MemoryAvailable => "memory available",
    };
    let registered = location.event != LocationEvent::MemoryAvailable && location.ims_capable;
    destinations::wake(unit, key, cause, registered)?;
    number.map_or(Ok(()), |number| destinations::wake(unit, &number, cause, registered))
}

fn load(unit: &Unit<'_>, key: &str) -> Result<Option<Stored>, Fault> {
    let mut select = unit.sql.prepare_cached("SELECT number, content FROM registrations WHERE impu = ?1")?;
    let found: Option<(Option<String>, String)> =
        select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((number, content)) = found else { return Ok(None) };
    Ok(Some(Stored { number, location: serde_json::from_str(&content)? }))
}

/// True if `new` was overtaken by what is stored: the same Call-ID with a lower CSeq (RFC 3261 §10.3 step 7).
fn is_older(new: &Location, stored: &Location) -> bool {
    new.call_id.is_some()
        && new.call_id == stored.call_id
        && matches!((new.cseq, stored.cseq), (Some(new), Some(stored)) if new < stored)
}

/// The new registration; who the subscriber is stays known where this REGISTER does not say it.
fn merge(new: &Location, before: Option<Location>) -> Location {
    let mut merged = new.clone();
    if let Some(before) = before {
        merged.msisdn = merged.msisdn.or(before.msisdn);
        merged.imsi = merged.imsi.or(before.imsi);
        merged.imei = merged.imei.or(before.imei);
    }
    merged
}
