//! From HTTP answers and broken connections to [`BackendError`]s, as `error.rs` defines the classes.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;

use crate::{BackendError, ErrorClass};

/// Longest piece of a backend's text that gets into an error.
const MAX_TEXT: usize = 200;

/// Longest wait taken from `Retry-After`, in seconds.
const MAX_RETRY_AFTER: u64 = 86_400;

/// An answer as it came, its body read up to the limit.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The error for an answer whose status is none of the operation's own. `secret` is taken out of its text.
pub(super) fn refusal(
    operation: &'static str,
    reply: &Reply,
    secret: Option<&str>,
    now: Timestamp,
) -> BackendError {
    let class = match reply.status.as_u16() {
        401 | 403 => ErrorClass::Denied,
        408 => ErrorClass::Timeout,
        429 | 500..=599 => ErrorClass::Busy,
        400..=499 => ErrorClass::Refused,
        _ => ErrorClass::Nonsense,
    };
    let body = ErrorBody::read(&reply.body);
    let text = clean(&body.text, secret);
    let separator = if text.is_empty() { "" } else { ": " };
    BackendError {
        operation,
        class,
        status: Some(reply.status.as_u16()),
        rp_cause: if class == ErrorClass::Refused { body.rp_cause } else { None },
        retry_after: retry_after(&reply.headers, now),
        detail: format!("HTTP {}{separator}{text}", reply.status.as_u16()),
    }
}

/// The answer's JSON, or [`ErrorClass::Nonsense`].
pub(super) fn json<T: DeserializeOwned>(
    operation: &'static str,
    reply: &Reply,
    secret: Option<&str>,
) -> Result<T, BackendError> {
    serde_json::from_slice(&reply.body).or_else(|first| {
        // Members that are null are absent (some encoders write them); anything else stays an error.
        let Ok(mut value) = serde_json::from_slice(&reply.body) else {
            let text = clean(&String::from_utf8_lossy(head(&reply.body)), secret);
            return Err(nonsense(operation, reply, &format!("not JSON: {text:?}")));
        };
        drop_nulls(&mut value);
        serde_json::from_value(value)
            .map_err(|_| nonsense(operation, reply, &clean(&first.to_string(), secret)))
    })
}

/// Checks the answer to an operation that has none: empty or any JSON will do, an intermediary's page will not.
pub(super) fn empty(
    operation: &'static str,
    reply: &Reply,
    secret: Option<&str>,
) -> Result<(), BackendError> {
    if reply.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    json::<serde::de::IgnoredAny>(operation, reply, secret).map(|_| ())
}

/// The rows of an array that can be read, and why the others could not. One bad row must not hold up the queue.
pub(super) fn rows<T: DeserializeOwned>(
    operation: &'static str,
    reply: &Reply,
    secret: Option<&str>,
) -> Result<(Vec<T>, Vec<String>), BackendError> {
    if let Ok(rows) = serde_json::from_slice(&reply.body) {
        return Ok((rows, Vec::new()));
    }
    let mut values: Vec<serde_json::Value> = json(operation, reply, secret)?;
    let mut rows = Vec::with_capacity(values.len());
    let mut unreadable = Vec::new();
    for (index, value) in values.iter_mut().enumerate() {
        drop_nulls(value);
        match serde_json::from_value(value.take()) {
            Ok(row) => rows.push(row),
            Err(error) => unreadable.push(format!("row {index}: {}", clean(&error.to_string(), secret))),
        }
    }
    if rows.is_empty() && !unreadable.is_empty() {
        return Err(nonsense(operation, reply, &unreadable.swap_remove(0)));
    }
    Ok((rows, unreadable))
}

/// An answer that does not follow the contract.
pub(super) fn nonsense(operation: &'static str, reply: &Reply, detail: &str) -> BackendError {
    let status = reply.status.as_u16();
    BackendError {
        status: Some(status),
        ..BackendError::new(operation, ErrorClass::Nonsense, format!("HTTP {status}: {detail}"))
    }
}

/// A request that got no answer.
pub(super) fn broken(operation: &'static str, error: &reqwest::Error) -> Broken {
    let hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    let tls = causes(error).any(|cause| cause.is::<rustls::Error>());
    // What hyper says of chunks and trailers that are none.
    let framing = causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
    let class = if tls {
        ErrorClass::Denied
    } else if error.is_connect() {
        // Nothing was sent, so even a timeout leaves no doubt.
        ErrorClass::Unreachable
    } else if error.is_timeout() {
        ErrorClass::Timeout
    } else if framing || hyper.is_some_and(hyper::Error::is_parse) {
        ErrorClass::Nonsense
    } else {
        ErrorClass::Unreachable
    };
    let midway = class == ErrorClass::Unreachable && !error.is_connect();
    Broken { error: BackendError::new(operation, class, clean(&chain(error), None)), midway }
}

/// What [`broken`] found.
pub(super) struct Broken {
    pub(super) error: BackendError,
    /// The connection stood and then broke; what was sent may have arrived.
    pub(super) midway: bool,
}

/// An error and its causes in one line, without the URL (it holds identities).
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        // Many wrappers repeat what they wrap.
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    if text.is_empty() { "no further reason".into() } else { text }
}

/// Everything below reqwest's own error, whose text would name the URL.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| below(*cause))
}

fn below<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause.downcast_ref::<io::Error>() {
        // An io::Error shows its inner error's text as its own and skips it as a source.
        Some(io) => io.get_ref().map(|inner| -> &(dyn Error + 'static) { inner }),
        None => cause.source(),
    }
}

/// Seconds to wait (RFC 9110 §10.2.3). A date counts from the answer's own `Date`, so clocks need not agree.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<u32> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = if !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit()) {
        text.parse().unwrap_or(u64::MAX)
    } else {
        let date = |text: &str| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
        let sent = headers.get(DATE).and_then(|value| date(value.to_str().ok()?)).unwrap_or(now);
        u64::try_from(date(text)?.as_second() - sent.as_second()).unwrap_or(0)
    };
    u32::try_from(seconds.min(MAX_RETRY_AFTER)).ok()
}

/// `{error, rp_cause?}` of a refusal, read as tolerantly as possible.
struct ErrorBody {
    text: String,
    rp_cause: Option<u8>,
}

impl ErrorBody {
    fn read(body: &[u8]) -> Self {
        let plain = || String::from_utf8_lossy(head(body)).into_owned();
        let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(body) else {
            return Self { text: plain(), rp_cause: None };
        };
        let text = match object.get("error") {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => plain(),
        };
        // RP-Cause has seven bits (TS 24.011 §8.2.5.4).
        let cause = object.get("rp_cause").and_then(serde_json::Value::as_u64);
        Self { text, rp_cause: cause.and_then(|cause| u8::try_from(cause).ok()).filter(|cause| *cause < 128) }
    }
}

/// The octets of a body worth looking at; far more than is shown, so that no secret is cut before it is masked.
fn head(body: &[u8]) -> &[u8] {
    &body[..body.len().min(64 << 10)]
}

/// Text from outside made fit for logs: `secret` masked, one line, nothing that steers a terminal, not long.
fn clean(text: &str, secret: Option<&str>) -> String {
    let masked = match secret {
        Some(secret) if text.contains(secret) => text.replace(secret, "***"),
        _ => text.to_owned(),
    };
    let unsafe_character = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut line = String::new();
    let words =
        masked.split(|c: char| c.is_whitespace() || unsafe_character(c)).filter(|word| !word.is_empty());
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * MAX_TEXT {
            break;
        }
    }
    match line.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Removes null members, at every depth.
fn drop_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(object) => {
            object.retain(|_, member| !member.is_null());
            object.values_mut().for_each(drop_nulls);
        }
        serde_json::Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
        let headers = headers
            .iter()
            .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap()));
        Reply { status: StatusCode::from_u16(status).unwrap(), headers: headers.collect(), body: body.into() }
    }

    #[test]
    fn statuses_map_to_the_documented_classes() {
        let class = |status| refusal("op", &reply(status, &[], ""), None, NOW).class;
        assert_eq!([400, 404, 405, 409, 413, 422, 499].map(class), [ErrorClass::Refused; 7]);
        assert_eq!([429, 500, 502, 503, 504, 599].map(class), [ErrorClass::Busy; 6]);
        assert_eq!([401, 403].map(class), [ErrorClass::Denied; 2]);
        assert_eq!(class(408), ErrorClass::Timeout);
        assert_eq!([206, 301, 302, 304].map(class), [ErrorClass::Nonsense; 4]);
    }

    #[test]
    fn a_refusal_carries_the_backends_text_and_rp_cause() {
        let body = r#"{"error": "subscriber\u0007 barred\r\nX-Evil: 1", "rp_cause": 10}"#;
        assert_eq!(
            refusal("insert_message", &reply(422, &[], body), None, NOW),
            BackendError {
                operation: "insert_message",
                class: ErrorClass::Refused,
                status: Some(422),
                rp_cause: Some(10),
                retry_after: None,
                detail: "HTTP 422: subscriber barred X-Evil: 1".into(),
            }
        );
    }

    #[test]
    fn an_rp_cause_counts_only_in_a_refusal_and_only_if_it_has_seven_bits() {
        let cause = |status, body| refusal("op", &reply(status, &[], body), None, NOW).rp_cause;
        assert_eq!(cause(400, r#"{"rp_cause": 127}"#), Some(127));
        assert_eq!(cause(400, r#"{"rp_cause": 128}"#), None);
        assert_eq!(cause(400, r#"{"rp_cause": "10"}"#), None);
        assert_eq!(cause(503, r#"{"rp_cause": 10}"#), None);
    }

    #[test]
    fn the_token_is_masked_wherever_the_backend_repeats_it() {
        let error =
            refusal("op", &reply(401, &[], r#"{"error":"bad token hunter2!"}"#), Some("hunter2"), NOW);
        assert_eq!(error.detail, "HTTP 401: bad token ***!");
        let long = format!("{}hunter2", "x ".repeat(99));
        assert!(!refusal("op", &reply(400, &[], &long), Some("hunter2"), NOW).detail.contains("hunt"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_counted_from_the_answers_own() {
        let after =
            |headers: &[(&'static str, &str)]| refusal("op", &reply(503, headers, ""), None, NOW).retry_after;
        assert_eq!(after(&[("retry-after", "30")]), Some(30));
        assert_eq!(after(&[("retry-after", "99999999999999999999999")]), Some(86_400));
        assert_eq!(after(&[("retry-after", "-1")]), None);
        assert_eq!(after(&[("retry-after", "soon")]), None);
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(after(&[date, ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), Some(30));
        assert_eq!(after(&[date, ("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT")]), Some(0));
        assert_eq!(after(&[("retry-after", "Thu, 01 Jan 1970 00:01:00 GMT")]), Some(60));
    }

    #[test]
    fn what_is_not_json_or_does_not_fit_is_nonsense() {
        let accepted = |body| json::<crate::Accepted>("insert_message", &reply(200, &[], body), None);
        assert_eq!(
            accepted("<html>Welcome</html>").unwrap_err(),
            BackendError {
                status: Some(200),
                ..BackendError::new(
                    "insert_message",
                    ErrorClass::Nonsense,
                    "HTTP 200: not JSON: \"<html>Welcome</html>\""
                )
            }
        );
        assert_eq!(accepted(r#"{"scts":1}"#).unwrap_err().class, ErrorClass::Nonsense);
        assert_eq!(accepted("").unwrap_err().class, ErrorClass::Nonsense);
        assert_eq!(
            accepted(r#"{"id": 7, "scts": null, "new_in_v9": [1]}"#),
            Ok(crate::Accepted { id: "7".into(), scts: None, duplicate: false })
        );
    }

    #[test]
    fn operations_without_an_answer_take_nothing_or_json_but_no_page() {
        let verdict = |body| empty("op", &reply(200, &[], body), None).is_ok();
        assert_eq!(
            ["", " \n", "{}", "\"ok\"", "<html>", "{"].map(verdict),
            [true, true, true, true, false, false]
        );
    }

    #[test]
    fn one_unreadable_row_does_not_hold_up_the_others() {
        let good = r#"{"id":"a","source_msisdn":"1","destination_msisdn":"2"}"#;
        let null =
            r#"{"id":"b","source_msisdn":"1","destination_msisdn":"2","message_body":null,"kind":null}"#;
        let read = |body: String| {
            rows::<crate::QueuedMessage>("get_queue", &reply(200, &[], &body), None)
                .map(|(rows, bad)| (rows.into_iter().map(|row| row.id.0).collect::<Vec<_>>(), bad))
        };
        assert_eq!(
            read(format!("[{good},{{\"id\":\"c\"}},{null}]")),
            Ok((vec!["a".into(), "b".into()], vec!["row 1: missing field `source_msisdn`".into()]))
        );
        assert_eq!(read("[{}]".into()).unwrap_err().class, ErrorClass::Nonsense);
        assert_eq!(read("{}".into()).unwrap_err().class, ErrorClass::Nonsense);
    }

    proptest! {
        #[test]
        fn any_body_gives_one_short_line_without_control_characters(body in any::<Vec<u8>>(), status in 100u16..600) {
            let reply = Reply { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body };
            let error = refusal("op", &reply, Some("secret"), NOW);
            prop_assert!(error.detail.chars().count() <= MAX_TEXT + 20);
            prop_assert!(!error.detail.contains(char::is_control));
        }
    }
}
