//! What can go wrong at the backend.

use std::time::Duration;

use smsc_backend::{BackendError, ErrorClass};
use smsc_frontend::engine::Call;

use super::{ms, secs};

/// Which calls a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    FrontendRegister,
    InsertLocation,
    DeleteLocation,
    InsertMessage,
    GetQueue,
    ProcessMessage,
}

impl Operation {
    pub(crate) fn of(call: &Call) -> Self {
        match call {
            Call::FrontendRegister(_) => Self::FrontendRegister,
            Call::InsertLocation(_) => Self::InsertLocation,
            Call::DeleteLocation(_) => Self::DeleteLocation,
            Call::InsertMessage(_) => Self::InsertMessage,
            Call::GetQueue { .. } => Self::GetQueue,
            Call::ProcessMessage { .. } => Self::ProcessMessage,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FrontendRegister => "frontend_register",
            Self::InsertLocation | Self::DeleteLocation => "insert_location",
            Self::InsertMessage => "insert_message",
            Self::GetQueue => "get_queue",
            Self::ProcessMessage => "process_message",
        }
    }
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection: nothing is done.
    Down,
    /// Done, and answered after so long.
    Slow(Duration),
    /// An HTTP status, nothing is done; with the RP-Cause a 4xx may name.
    Status(u16, Option<u8>),
    /// Done, but the answer does not arrive: a timeout after 10 s.
    LostAnswer,
    /// An answer that makes no sense; whether it was done nobody can tell (it was not).
    Nonsense,
}

impl Fault {
    /// Whether the operation takes effect.
    pub(super) fn takes_effect(self) -> bool {
        matches!(self, Self::Slow(_) | Self::LostAnswer)
    }

    /// When the frontend learns of it, and the error it sees; `None`: the true answer.
    pub(super) fn outcome(self, operation: &'static str) -> (Duration, Option<BackendError>) {
        let error = |class, status, rp_cause| {
            let error = BackendError::new(operation, class, "injected");
            Some(BackendError { status, rp_cause, ..error })
        };
        match self {
            Self::Down => (ms(1), error(ErrorClass::Unreachable, None, None)),
            Self::Slow(after) => (after, None),
            Self::Status(status, cause) => {
                let class = match status {
                    408 => ErrorClass::Timeout,
                    429 | 500.. => ErrorClass::Busy,
                    401 | 403 => ErrorClass::Denied,
                    _ => ErrorClass::Refused,
                };
                (ms(1), error(class, Some(status), cause))
            }
            Self::LostAnswer => (secs(10), error(ErrorClass::Timeout, None, None)),
            Self::Nonsense => (ms(1), error(ErrorClass::Nonsense, Some(200), None)),
        }
    }
}
