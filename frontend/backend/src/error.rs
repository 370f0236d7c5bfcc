//! What can go wrong between a frontend and its backend.

use serde::{Deserialize, Serialize};

/// How a failed operation is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The backend refused the request for good (4xx other than 408 and 429).
    Refused,
    /// The backend asks to come back later (429, 5xx).
    Busy,
    /// No answer within the time limit, or 408: the outcome is not known.
    Timeout,
    /// No connection, a broken one, or an open circuit breaker.
    Unreachable,
    /// An answer that does not follow the contract.
    Nonsense,
    /// Credentials or certificates were not accepted (401, 403, TLS).
    Denied,
}

impl ErrorClass {
    /// The label used in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Nonsense => "nonsense",
            Self::Denied => "denied",
        }
    }
}

/// A failed backend operation. The text never holds a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {}: {detail}", class.as_str())]
pub struct BackendError {
    /// The operation, by its contract name (`insert_message`).
    pub operation: &'static str,
    /// How to treat the failure.
    pub class: ErrorClass,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The RP-Cause the backend asks for (TS 24.011 §8.2.5.4), only with [`ErrorClass::Refused`].
    pub rp_cause: Option<u8>,
    /// Seconds the backend asks us to wait (`Retry-After`).
    pub retry_after: Option<u32>,
    /// What happened, for people.
    pub detail: String,
}

impl BackendError {
    /// An error of `class` with no HTTP status.
    pub fn new(operation: &'static str, class: ErrorClass, detail: impl Into<String>) -> Self {
        Self { operation, class, status: None, rp_cause: None, retry_after: None, detail: detail.into() }
    }

    /// True if repeating the same request may succeed. Everything but a definite refusal is repeated.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        !matches!(self.class, ErrorClass::Refused)
    }
}
