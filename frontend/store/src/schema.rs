//! The tables and how they came to be: every change is a migration, applied once, in order.

use rusqlite::{Connection, OptionalExtension};

/// `PRAGMA application_id` of our files: "smsc".
pub(crate) const APPLICATION_ID: i64 = 0x736d_7363;

/// Times are milliseconds of the Unix epoch, except `scts`, which is whole seconds.
///
/// `messages.destination` is the recipient's key; `turn` and `part` order a recipient's messages: parts of one
/// multipart message share the turn of the part that came first. `destinations` has one row for every recipient
/// with open messages: its head is the message whose turn it is, and due, lease and failures are the head's.
const MIGRATIONS: &[&str] = &["
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    idempotency_key TEXT UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    turn INTEGER NOT NULL,
    part INTEGER NOT NULL,
    concat_key TEXT,
    scts INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    tried TEXT NOT NULL DEFAULT '[]',
    report_wanted INTEGER NOT NULL,
    reason TEXT,
    final_at INTEGER,
    erased INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0,
    content TEXT NOT NULL
);
CREATE INDEX messages_turn ON messages (destination, turn, part, seq) WHERE final_at IS NULL;
CREATE INDEX messages_concat ON messages (destination, concat_key, seq)
    WHERE final_at IS NULL AND concat_key IS NOT NULL;
CREATE INDEX messages_expires ON messages (expires) WHERE state = 'queued';
CREATE INDEX messages_body ON messages (final_at) WHERE final_at IS NOT NULL AND erased = 0;
CREATE INDEX messages_final ON messages (final_at) WHERE final_at IS NOT NULL;
CREATE INDEX messages_state ON messages (state, seq);
CREATE INDEX messages_source ON messages (source, seq);
CREATE INDEX messages_destination ON messages (destination, seq);

CREATE TABLE destinations (
    key TEXT PRIMARY KEY,
    head INTEGER NOT NULL,
    location TEXT,
    due INTEGER NOT NULL,
    class TEXT,
    step INTEGER NOT NULL DEFAULT 0,
    leased_to TEXT,
    leased_until INTEGER,
    woken INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX destinations_due ON destinations (location, due, head) WHERE leased_until IS NULL;
CREATE INDEX destinations_lease ON destinations (leased_until) WHERE leased_until IS NOT NULL;

CREATE TABLE events (
    message INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (message, n)
) WITHOUT ROWID;

CREATE TABLE submit_keys (
    key TEXT PRIMARY KEY,
    message INTEGER NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX submit_keys_at ON submit_keys (at);

CREATE TABLE registrations (
    impu TEXT PRIMARY KEY,
    number TEXT,
    location TEXT NOT NULL,
    ims_capable INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    content TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX registrations_number ON registrations (number) WHERE number IS NOT NULL;
CREATE INDEX registrations_expires ON registrations (expires);

CREATE TABLE frontends (
    name TEXT PRIMARY KEY,
    updated INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    content TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE totals (
    next_seq INTEGER NOT NULL,
    open INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    registrations INTEGER NOT NULL,
    frontends INTEGER NOT NULL
);
INSERT INTO totals VALUES (1, 0, 0, 0, 0);
"];

/// What [`migrate`] found instead of a database it can use.
pub(crate) enum Unusable {
    TooNew { found: i64, known: i64 },
    Foreign { found: i64 },
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Brings the database to the newest version, each step with its version number in one transaction.
pub(crate) fn migrate(sql: &mut Connection) -> Result<(), Unusable> {
    let application: i64 = sql.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = sql.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        return Err(Unusable::Foreign { found: application });
    }
    let step = sql.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    step.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL);"
    ))?;
    step.commit()?;
    let found: Option<i64> =
        sql.query_row("SELECT version FROM schema_version", [], |row| row.get(0)).optional()?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found = found.unwrap_or(0);
    if found > known {
        return Err(Unusable::TooNew { found, known });
    }
    for (version, migration) in (1..).zip(MIGRATIONS).skip_while(|(version, _)| *version <= found) {
        let step = sql.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        step.execute_batch(migration)?;
        step.execute("DELETE FROM schema_version", [])?;
        step.execute("INSERT INTO schema_version VALUES (?1)", [version])?;
        step.commit()?;
    }
    Ok(())
}
