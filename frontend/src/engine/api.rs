//! What goes into the engine and what comes out of it.

use std::sync::Arc;
use std::time::Instant;

use smsc_backend::{
    Accepted, AttemptReport, BackendError, FrontendRegistration, Location, LocationRemoval, MessageId,
    NewMessage, Processed, QueuedMessage,
};
use smsc_proto::sip::transaction::Transmit;

use super::servers::Question;

/// The caller's two clocks, read once per input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For intervals.
    pub mono: Instant,
    /// Unix seconds, for what other parties read: TP-SCTS, token hours.
    pub wall: i64,
}

/// Names one request to the shell; its answer comes back with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// A backend operation to perform.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// `frontend_register`.
    FrontendRegister(FrontendRegistration),
    /// `insert_location`.
    InsertLocation(Location),
    /// `DELETE` of a location.
    DeleteLocation(LocationRemoval),
    /// `insert_message`.
    InsertMessage(Arc<NewMessage>),
    /// `get_queue`.
    GetQueue {
        /// Whose queue.
        location: String,
        /// At most so many rows.
        limit: u32,
    },
    /// `process_message`.
    ProcessMessage {
        /// The message.
        id: MessageId,
        /// What the attempt came to.
        report: Box<AttemptReport>,
    },
}

/// A backend's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done, nothing to say.
    Done,
    /// A message was stored.
    Accepted(Accepted),
    /// A queue's rows.
    Rows(Vec<QueuedMessage>),
    /// An outcome was recorded.
    Processed(Processed),
}

/// What the backend answered, or why it did not.
pub type Answered = Result<Reply, BackendError>;

/// A handset's report on its way between pods.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RelayedReport {
    /// The token it brought, as written; absent where only the RP-MR named the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The reporting identity (P-Asserted-Identity).
    pub identity: String,
    /// The RPDU, hex.
    pub rpdu: String,
}

/// What became of a relayed report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayVerdict {
    /// The owner has recorded it.
    Taken,
    /// The owner knows no such delivery.
    Unknown,
    /// The owner could not be reached, or could not record it in time.
    Failed,
}

/// A moment in a message's life, told as it happens.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// The backend's id, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// `mo`, `mt`, `report`, `register`.
    pub stage: &'static str,
    /// One sentence.
    pub text: String,
}

/// What the caller has to do.
#[derive(Debug)]
pub enum Output {
    /// Send octets.
    Transmit(Transmit),
    /// Perform a backend operation; answer with `handle_answer`.
    Call {
        /// Names the operation.
        id: CallId,
        /// The operation.
        call: Call,
    },
    /// Find the servers behind a name (RFC 3263); answer with `handle_resolved`.
    Resolve(Question),
    /// Pass a report to another pod; answer with `handle_relay_answer`.
    Relay {
        /// Names the request.
        id: CallId,
        /// The pod that owns the delivery.
        ordinal: u8,
        /// The report.
        report: RelayedReport,
    },
    /// Answer a peer's relayed report.
    RelayAnswer {
        /// The request, as named by the caller.
        id: u64,
        /// What became of it.
        verdict: RelayVerdict,
    },
    /// Something worth showing happened.
    Step(Step),
}
