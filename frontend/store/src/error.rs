//! What can go wrong, on opening and inside a request.

use std::path::PathBuf;

use smsc_backend::{BackendError, ErrorClass};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite cannot open, read or write the database.
    #[error("store {path:?}: {detail}")]
    Database {
        /// The file; `:memory:` for a store in memory.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// A later version of this program wrote the file.
    #[error("store {path:?}: its schema has version {found}, this program knows versions up to {known}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The file is a SQLite database of another program.
    #[error("store {path:?}: this database belongs to another program (application_id {found:#x})")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The application id found.
        found: i64,
    },
    /// No thread could be started.
    #[error("store: cannot start its thread: {0}")]
    Thread(std::io::Error),
}

/// Why a unit of work did not do what was asked.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The request is answered with this error. The work must not have written anything before it says so.
    Refused(BackendError),
    /// The database failed: the whole transaction is rolled back.
    Database(rusqlite::Error),
    /// A row holds what this program never writes.
    Corrupt(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl Fault {
    /// The answer to `operation`. A database that fails is `Busy`: nothing was stored, come back later.
    pub(crate) fn into_answer(self, operation: &'static str) -> BackendError {
        match self {
            Self::Refused(error) => error,
            Self::Database(error) => busy(operation, format!("the database failed: {error}"), 5),
            Self::Corrupt(detail) => {
                busy(operation, format!("the database holds a damaged row: {detail}"), 60)
            }
        }
    }
}

/// A definite refusal with the HTTP status it travels as.
pub(crate) fn refused(operation: &'static str, status: u16, detail: impl Into<String>) -> BackendError {
    BackendError { status: Some(status), ..BackendError::new(operation, ErrorClass::Refused, detail) }
}

/// "Come back in `seconds`": nothing was stored.
pub(crate) fn busy(operation: &'static str, detail: impl Into<String>, seconds: u32) -> BackendError {
    BackendError {
        status: Some(503),
        retry_after: Some(seconds),
        ..BackendError::new(operation, ErrorClass::Busy, detail)
    }
}

/// A cap is reached: come back when there is room.
pub(crate) fn full(operation: &'static str, detail: impl Into<String>) -> BackendError {
    BackendError { status: Some(429), ..busy(operation, detail, 10) }
}
