//! Opening the database.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::config::Database;
use crate::error::StoreError;
use crate::schema::{self, Unusable};

/// The connections of one store.
pub(crate) struct Connections {
    /// The only one that writes.
    pub(crate) writer: Connection,
    /// Reads beside the writer. None for a database in memory, which has one connection.
    pub(crate) reader: Option<Connection>,
}

/// Opens the database, makes or migrates its tables, and sets it to commit durably: WAL with synchronous FULL
/// syncs the log at every commit.
pub(crate) fn open(database: &Database) -> Result<Connections, StoreError> {
    let path = match database {
        Database::File(path) => path.clone(),
        Database::Memory => PathBuf::from(":memory:"),
    };
    let failed = |detail: String| StoreError::Database { path: path.clone(), detail };
    let sqlite = |error: rusqlite::Error| failed(error.to_string());
    // Each connection is used by one thread only.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut writer = Connection::open_with_flags(&path, flags).map_err(sqlite)?;
    prepare(&writer).map_err(sqlite)?;
    let journal: String =
        writer.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(sqlite)?;
    if matches!(database, Database::File(_)) && journal != "wal" {
        return Err(failed(format!("write-ahead logging is not possible there (journal_mode {journal})")));
    }
    schema::migrate(&mut writer).map_err(|unusable| match unusable {
        Unusable::TooNew { found, known } => StoreError::TooNew { path: path.clone(), found, known },
        Unusable::Foreign { found } => StoreError::Foreign { path: path.clone(), found },
        Unusable::Database(error) => sqlite(error),
    })?;
    let reader = match database {
        Database::Memory => None,
        Database::File(path) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let reader = Connection::open_with_flags(path, flags).map_err(sqlite)?;
            prepare(&reader).map_err(sqlite)?;
            Some(reader)
        }
    };
    Ok(Connections { writer, reader })
}

fn prepare(sql: &Connection) -> rusqlite::Result<()> {
    sql.busy_timeout(Duration::from_secs(5))?;
    sql.set_prepared_statement_cache_capacity(128);
    // Plans do not depend on bound values: without this, statements are compiled anew at nearly every use.
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // secure_delete: an erased message is overwritten, not only unlinked.
    sql.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; \
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864;",
    )
}
