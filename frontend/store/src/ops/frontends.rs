//! `frontend_register` and its `DELETE`.

use rusqlite::params;
use smsc_backend::FrontendRegistration;

use crate::error::{Fault, full, refused};
use crate::totals::reached;
use crate::writer::Unit;

/// Octets of one registration's fields together.
const OCTETS: usize = 64 * 1024;

/// Registers a frontend or refreshes it.
pub(crate) fn register(unit: &mut Unit<'_>, frontend: &FrontendRegistration) -> Result<(), Fault> {
    const OPERATION: &str = "frontend_register";
    let name = frontend.frontend_name.trim();
    if name.is_empty() {
        return Err(Fault::Refused(refused(OPERATION, 400, "frontend_name must not be empty")));
    }
    let content = serde_json::to_string(frontend)?;
    if content.len() > OCTETS {
        let detail = format!("the registration has {} octets, the limit is {OCTETS}", content.len());
        return Err(Fault::Refused(refused(OPERATION, 413, detail)));
    }
    let known = unit.sql.prepare_cached("SELECT 1 FROM frontends WHERE name = ?1")?.exists([name])?;
    if !known {
        if reached(unit.totals.frontends, unit.config.caps.frontends) {
            let detail = format!("{} frontends are registered already", unit.totals.frontends);
            return Err(Fault::Refused(full(OPERATION, detail)));
        }
        unit.totals.frontends += 1;
    }
    let expires = unit.now.saturating_add(i64::from(frontend.expires_in) * 1000);
    let mut upsert = unit.sql.prepare_cached(
        "INSERT OR REPLACE INTO frontends (name, updated, expires, content) VALUES (?1, ?2, ?3, ?4)",
    )?;
    upsert.execute(params![name, unit.now, expires, content])?;
    Ok(())
}

/// Takes a registration away; absent is success.
pub(crate) fn deregister(unit: &mut Unit<'_>, name: &str) -> Result<(), Fault> {
    let gone = unit.sql.prepare_cached("DELETE FROM frontends WHERE name = ?1")?.execute([name.trim()])?;
    unit.totals.frontends -= i64::from(gone != 0);
    Ok(())
}
