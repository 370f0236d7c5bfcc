//! How a store is set up. The frontend maps its own configuration to this.

use std::path::PathBuf;
use std::time::Duration;

use crate::numbers::Numbering;
use crate::retry::RetryTable;
use crate::routing::Route;

/// Everything a store needs to know. `Default` is an in-memory store with the house's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Where the data lives.
    pub database: Database,
    /// Pauses between attempts.
    pub retry: RetryTable,
    /// How long a row given out by `get_queue` waits for its report. Must exceed tr1n plus slack, else a second
    /// copy goes out while the first is still open.
    pub lease: Duration,
    /// What each part beyond the first adds to the lease of a row that the frontend will split.
    pub lease_per_part: Duration,
    /// Validity of a message that asks for none.
    pub default_validity: Duration,
    /// Longer validities are cut to this.
    pub max_validity: Duration,
    /// Validity of an SMS-STATUS-REPORT.
    pub report_validity: Duration,
    /// How long a `submit_key` finds the first copy of a repeated submission (design §4).
    pub submit_key_window: Duration,
    /// How long after its final outcome a message keeps its content (a dead letter can be replayed that long).
    pub body_retention: Duration,
    /// How long after its final outcome a message is known at all; never less than one hour, within which late
    /// reports and repeated keys still come.
    pub row_retention: Duration,
    /// Where numbers go that are not registered here: the first rule that matches decides.
    pub routes: Vec<Route>,
    /// How numbers are dialled here.
    pub numbering: Numbering,
    /// What the store holds at most.
    pub caps: Caps,
}

impl Default for StoreConfig {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            database: Database::Memory,
            retry: RetryTable::default(),
            lease: Duration::from_secs(180),
            lease_per_part: Duration::from_secs(45),
            default_validity: Duration::from_secs(72 * HOUR),
            max_validity: Duration::from_secs(14 * 24 * HOUR),
            report_validity: Duration::from_secs(72 * HOUR),
            submit_key_window: Duration::from_secs(15 * 60),
            body_retention: Duration::from_secs(24 * HOUR),
            row_retention: Duration::from_secs(7 * 24 * HOUR),
            routes: Vec::new(),
            numbering: Numbering::default(),
            caps: Caps::default(),
        }
    }
}

/// Where the data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file; made if absent. Its directory must exist.
    File(PathBuf),
    /// In memory: gone with the store. For demos and tests.
    Memory,
}

/// What the store holds at most. At a cap the request is answered `Busy` and nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Messages without a final outcome.
    pub messages: u64,
    /// Messages in all; beyond it the oldest final ones go before their retention is over.
    pub rows: u64,
    /// Registered identities.
    pub registrations: u64,
    /// Registered frontends.
    pub frontends: u64,
    /// Octets of the database file beyond which no message is taken. 0 means no limit.
    pub database_octets: u64,
    /// Octets of one message's fields together.
    pub message_octets: usize,
    /// Rows one `get_queue` gives out.
    pub batch: u32,
    /// Requests waiting for the writer.
    pub waiting: usize,
    /// Requests committed together.
    pub commit: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            messages: 1_000_000,
            rows: 10_000_000,
            registrations: 2_000_000,
            frontends: 10_000,
            database_octets: 0,
            message_octets: 128 * 1024,
            batch: 1000,
            waiting: 8192,
            commit: 256,
        }
    }
}
