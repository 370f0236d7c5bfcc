//! Answers that are not what was asked for: `{error, rp_cause?}` with the right status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use smsc_backend::{BackendError, ErrorClass};

/// An answer with a status of 4xx or 5xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: u16,
    retry_after: Option<u32>,
    body: ProblemBody,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProblemBody {
    /// What is wrong and where, for people.
    pub(super) error: String,
    /// The RP-Cause for the handset, with a definite refusal of a message (TS 24.011 §8.2.5.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rp_cause: Option<u8>,
}

impl Problem {
    pub(super) fn new(status: u16, error: impl Into<String>) -> Self {
        Self { status, retry_after: None, body: ProblemBody { error: error.into(), rp_cause: None } }
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "this store asks for its bearer token")
    }

    pub(super) fn crowded() -> Self {
        Self { retry_after: Some(1), ..Self::new(429, "too many requests at the same time") }
    }
}

impl From<BackendError> for Problem {
    fn from(error: BackendError) -> Self {
        let status = error.status.unwrap_or(match error.class {
            ErrorClass::Refused => 400,
            ErrorClass::Denied => 403,
            ErrorClass::Busy | ErrorClass::Timeout | ErrorClass::Unreachable => 503,
            ErrorClass::Nonsense => 500,
        });
        let BackendError { retry_after, rp_cause, detail, .. } = error;
        Self { status, retry_after, body: ProblemBody { error: detail, rp_cause } }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
