//! What a failed call means: a reason, one sentence that is the same each time, and whom it concerns.
//!
//! Error texts from below hold times, addresses and request numbers; in a status they would change without anything
//! having changed. So they go to the log, and a status has a phrase chosen by what they say.

use std::time::Duration;

use http::StatusCode;
use smsc_backend::{BackendError, ErrorClass};

use super::world::CALL_LIMIT;
use crate::status::{Because, Reason};

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setback {
    /// For the condition.
    pub(super) because: Because,
    /// Whom it concerns.
    pub(super) scope: Scope,
    /// What the backend asks us to wait.
    pub(super) retry_after: Option<Duration>,
    /// For the log.
    pub(super) detail: String,
}

/// Whom a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The backend as a whole: other calls would most likely fail the same way.
    Backend,
    /// This one location, refused with this status.
    Location(Option<u16>),
}

impl Setback {
    /// What `error` means for the call about `location`.
    pub(super) fn of(error: &BackendError, location: &str) -> Self {
        let mut scope = Scope::Backend;
        let (reason, message) = match error.class {
            ErrorClass::Unreachable => {
                (Reason::BackendUnreachable, format!("the backend was not reached: {}", connection(error)))
            }
            ErrorClass::Timeout => (Reason::BackendUnreachable, no_answer(error)),
            ErrorClass::Denied => (Reason::BackendDenied, denied(error)),
            ErrorClass::Busy => (Reason::BackendError, format!("the backend answered {}", status(error))),
            ErrorClass::Nonsense => (Reason::BackendError, nonsense(error)),
            ErrorClass::Refused => {
                scope = Scope::Location(error.status);
                let verdict = match error.status {
                    Some(_) => format!("the backend refused location {location}: {}", error.detail),
                    None => format!("location {location} cannot be sent to the backend: {}", error.detail),
                };
                (Reason::BackendError, verdict)
            }
        };
        Self {
            because: Because::new(reason, message),
            scope,
            retry_after: error.retry_after.map(|seconds| Duration::from_secs(seconds.into())),
            detail: error.to_string(),
        }
    }

    /// A failure to get as far as a call.
    pub(super) fn before_any_call(because: Because) -> Self {
        let detail = because.message.clone();
        Self { because, scope: Scope::Backend, retry_after: None, detail }
    }
}

fn no_answer(error: &BackendError) -> String {
    match error.status {
        Some(_) => format!("the backend answered {}", status(error)),
        None => format!("the backend did not answer within {} s", CALL_LIMIT.as_secs()),
    }
}

fn status(error: &BackendError) -> String {
    let code = error.status.and_then(|status| StatusCode::from_u16(status).ok());
    code.map_or_else(|| "nothing".to_owned(), |code| code.to_string())
}

fn denied(error: &BackendError) -> String {
    match error.status {
        Some(_) => format!("the backend answered {}: it wants another token or certificate", status(error)),
        None => format!("no TLS with the backend: {}", tls(error)),
    }
}

fn nonsense(error: &BackendError) -> String {
    match error.status {
        Some(200..=299) => format!("the backend answered {} with a body that is not JSON", status(error)),
        Some(_) => format!("the backend answered {}, which is no answer to this call", status(error)),
        None => "the backend answered what is not HTTP".to_owned(),
    }
}

/// The first phrase whose mark the text below holds.
fn phrase(text: &str, phrases: &[(&[&str], &'static str)], otherwise: &'static str) -> &'static str {
    let text = text.to_lowercase();
    let found = phrases.iter().find(|(marks, _)| marks.iter().any(|mark| text.contains(mark)));
    found.map_or(otherwise, |(_, phrase)| phrase)
}

fn connection(error: &BackendError) -> &'static str {
    const PHRASES: &[(&[&str], &str)] = &[
        (&["dns error", "lookup"], "its name does not resolve"),
        (&["refused"], "connection refused"),
        (&["timed out", "timeout", "deadline"], "no connection in time"),
        (&["unreachable", "no route"], "no route to it"),
        (&["reset", "broken pipe", "closed", "incomplete", "eof"], "the connection broke"),
    ];
    phrase(&error.detail, PHRASES, "the connection failed")
}

fn tls(error: &BackendError) -> &'static str {
    const PHRASES: &[(&[&str], &str)] = &[
        (&["received fatal alert", "alert"], "it did not accept the certificate shown to it, or none"),
        (&["expired"], "its certificate has expired"),
        (&["not valid yet"], "its certificate is not valid yet"),
        (&["not valid for"], "its certificate is for another name"),
        (&["unknownissuer", "badsignature"], "its certificate is of an authority not trusted here"),
        (&["revoked"], "its certificate is revoked"),
        (&["invalidcontenttype", "corrupt message"], "it does not speak TLS"),
        (&["certificate"], "its certificate is not accepted here"),
    ];
    phrase(&error.detail, PHRASES, "the handshake failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(class: ErrorClass, status: Option<u16>, detail: &str) -> (Reason, String, Scope) {
        let error = BackendError { status, ..BackendError::new("frontend_register", class, detail) };
        let Setback { because, scope, .. } = Setback::of(&error, "smsc01.example");
        (because.reason, because.message, scope)
    }

    #[test]
    fn what_changes_from_call_to_call_is_left_out() {
        let expired = "invalid peer certificate: certificate expired: verification time 1795290000 (UNIX), but \
                       certificate is not valid after 1795280000 (10000 seconds ago)";
        for (class, status, detail, reason, message) in [
            (
                ErrorClass::Unreachable,
                None,
                "tcp connect error: Connection refused (os error 111)",
                Reason::BackendUnreachable,
                "the backend was not reached: connection refused",
            ),
            (
                ErrorClass::Unreachable,
                None,
                "dns error: failed to lookup address information: Name or service not known",
                Reason::BackendUnreachable,
                "the backend was not reached: its name does not resolve",
            ),
            (
                ErrorClass::Unreachable,
                None,
                "connection closed before message completed",
                Reason::BackendUnreachable,
                "the backend was not reached: the connection broke",
            ),
            (
                ErrorClass::Timeout,
                None,
                "no answer within 10s",
                Reason::BackendUnreachable,
                "the backend did not answer within 10 s",
            ),
            (
                ErrorClass::Denied,
                None,
                expired,
                Reason::BackendDenied,
                "no TLS with the backend: its certificate has expired",
            ),
            (
                ErrorClass::Denied,
                None,
                "invalid peer certificate: UnknownIssuer",
                Reason::BackendDenied,
                "no TLS with the backend: its certificate is of an authority not trusted here",
            ),
            (
                ErrorClass::Denied,
                Some(401),
                "HTTP 401: request 7f3a",
                Reason::BackendDenied,
                "the backend answered 401 Unauthorized: it wants another token or certificate",
            ),
            (
                ErrorClass::Busy,
                Some(503),
                "HTTP 503: request 7f3b",
                Reason::BackendError,
                "the backend answered 503 Service Unavailable",
            ),
            (
                ErrorClass::Nonsense,
                Some(302),
                "HTTP 302",
                Reason::BackendError,
                "the backend answered 302 Found, which is no answer to this call",
            ),
            (
                ErrorClass::Nonsense,
                Some(200),
                "HTTP 200: not JSON",
                Reason::BackendError,
                "the backend answered 200 OK with a body that is not JSON",
            ),
        ] {
            assert_eq!(said(class, status, detail), (reason, message.to_owned(), Scope::Backend), "{detail}");
        }
    }

    #[test]
    fn a_refusal_is_about_one_location_and_says_why() {
        assert_eq!(
            said(ErrorClass::Refused, Some(422), "HTTP 422: frontend_type unknown"),
            (
                Reason::BackendError,
                "the backend refused location smsc01.example: HTTP 422: frontend_type unknown".to_owned(),
                Scope::Location(Some(422))
            )
        );
    }
}
