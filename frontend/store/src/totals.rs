//! Counts the caps are checked against, kept in the same transaction as what they count.

use rusqlite::{Connection, params};

/// One row of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The next message's place in the order of acceptance; never used twice.
    pub(crate) next_seq: i64,
    /// Messages without a final outcome.
    pub(crate) open: i64,
    /// Messages in all.
    pub(crate) rows: i64,
    /// Registered identities.
    pub(crate) registrations: i64,
    /// Registered frontends.
    pub(crate) frontends: i64,
}

impl Totals {
    pub(crate) fn load(sql: &Connection) -> rusqlite::Result<Self> {
        let mut statement =
            sql.prepare_cached("SELECT next_seq, open, rows, registrations, frontends FROM totals")?;
        statement.query_row([], |row| {
            Ok(Self {
                next_seq: row.get(0)?,
                open: row.get(1)?,
                rows: row.get(2)?,
                registrations: row.get(3)?,
                frontends: row.get(4)?,
            })
        })
    }

    pub(crate) fn save(self, sql: &Connection) -> rusqlite::Result<()> {
        let Self { next_seq, open, rows, registrations, frontends } = self;
        sql.prepare_cached(
            "UPDATE totals SET next_seq = ?1, open = ?2, rows = ?3, registrations = ?4, frontends = ?5",
        )?
        .execute(params![next_seq, open, rows, registrations, frontends])?;
        Ok(())
    }
}

/// Whether `count` has reached a cap.
pub(crate) fn reached(count: i64, cap: u64) -> bool {
    u64::try_from(count).unwrap_or(0) >= cap
}
