//! What goes wrong between client and backend, and what each case is taken for.
#![allow(clippy::unwrap_used, reason = "this is test code")]

mod support;

use std::time::Duration;

use smsc_backend::rest::{BreakerConfig, BreakerState, RestBackend, RestConfig};
use smsc_backend::{Backend, BackendError, ErrorClass, HistoryQuery, Status};
use support::{Peer, Reply, answer, location, message, plain, report};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The error that `reply` to an `insert_message` gives.
async fn error_of(reply: Reply) -> BackendError {
    let url = Peer::new([reply]).start().await;
    RestBackend::new(plain(&url)).unwrap().insert_message(message().into()).await.unwrap_err()
}

/// A server that reads one request from each connection, writes that connection's octets and closes it. The task
/// ends with the number of connections served.
async fn raw_peer<const N: usize>(answers: [&'static [u8]; N]) -> (String, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        for octets in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            read_request(&mut connection).await;
            connection.write_all(octets).await.unwrap();
        }
        N
    });
    (url, served)
}

/// Reads head and body of one request.
async fn read_request(connection: &mut TcpStream) {
    let mut octets = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&octets).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            if octets.len() >= end + 4 + length.map_or(0, |length| length.parse().unwrap()) {
                return;
            }
        }
        assert_ne!(connection.read_buf(&mut octets).await.unwrap(), 0, "the request ended early");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_says_why() {
    let error = error_of(answer(422, r#"{"error": "unassigned number", "rp_cause": 1}"#)).await;
    let expected = BackendError {
        operation: "insert_message",
        class: ErrorClass::Refused,
        status: Some(422),
        rp_cause: Some(1),
        retry_after: None,
        detail: "HTTP 422: unassigned number".into(),
    };
    assert_eq!(error, expected);
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_busy_backend_says_when_to_come_back() {
    let reply = Reply::Answer(429, vec![("retry-after", "7".into())], "slow down".into());
    let error = error_of(reply).await;
    let expected = BackendError {
        operation: "insert_message",
        class: ErrorClass::Busy,
        status: Some(429),
        rp_cause: None,
        retry_after: Some(7),
        detail: "HTTP 429: slow down".into(),
    };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn every_other_answer_has_its_class() {
    let cases = [
        (answer(500, ""), ErrorClass::Busy),
        (answer(401, ""), ErrorClass::Denied),
        (answer(403, ""), ErrorClass::Denied),
        (answer(408, ""), ErrorClass::Timeout),
        (answer(404, ""), ErrorClass::Refused),
        (answer(302, ""), ErrorClass::Nonsense),
        (answer(202, r#"{"id": 1}"#), ErrorClass::Nonsense),
        (answer(201, "<html>It works!</html>"), ErrorClass::Nonsense),
        (answer(201, r#"{"identifier": 1}"#), ErrorClass::Nonsense),
        (answer(201, ""), ErrorClass::Nonsense),
    ];
    for (reply, class) in cases {
        let text = format!("{reply:?}");
        assert_eq!(error_of(reply).await.class, class, "{text}");
    }
}

#[tokio::test]
async fn a_page_instead_of_nothing_is_nonsense() {
    let url = Peer::new([answer(200, "<html>It works!</html>")]).start().await;
    let backend = RestBackend::new(plain(&url)).unwrap();
    assert_eq!(backend.insert_location(location()).await.unwrap_err().class, ErrorClass::Nonsense);
}

#[tokio::test]
async fn history_of_a_backend_without_it_is_refused() {
    let url = Peer::new([answer(404, "")]).start().await;
    let backend = RestBackend::new(plain(&url)).unwrap();
    let error = backend.history(HistoryQuery::Msisdn("1".into())).await.unwrap_err();
    assert_eq!((error.class, error.status), (ErrorClass::Refused, Some(404)));
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_nonsense() {
    let url = Peer::new([answer(200, format!("[{}]", " ".repeat(1000)))]).start().await;
    let backend = RestBackend::new(RestConfig { max_body: 1000, ..plain(&url) }).unwrap();
    let error = backend.get_queue("l".into(), 1).await.unwrap_err();
    assert_eq!(error.to_string(), "get_queue: nonsense: HTTP 200: the answer is longer than 1000 octets");
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout() {
    let url = Peer::new([Reply::Silence]).start().await;
    let timeout = Duration::from_millis(50);
    let backend = RestBackend::new(RestConfig { timeout, ..plain(&url) }).unwrap();
    let error = backend.insert_message(message().into()).await.unwrap_err();
    assert_eq!(error.to_string(), "insert_message: timeout: no answer within 50ms");
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = RestBackend::new(plain(&url)).unwrap().insert_message(message().into()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unreachable);
    assert!(error.detail.contains("refused"), "{error}");
    assert!(!error.detail.contains("127.0.0.1:") || !error.detail.contains("/api/"), "{error}");
}

#[tokio::test]
async fn a_closed_connection_is_unreachable_and_garbage_is_nonsense() {
    for (octets, class) in [
        (&b""[..], ErrorClass::Unreachable),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"id\"", ErrorClass::Unreachable),
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ErrorClass::Nonsense),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", ErrorClass::Nonsense),
    ] {
        let (url, _) = raw_peer([octets]).await;
        let error =
            RestBackend::new(plain(&url)).unwrap().insert_message(message().into()).await.unwrap_err();
        assert_eq!(error.class, class, "{error}");
    }
}

#[tokio::test]
async fn a_message_is_sent_again_once_with_its_key_after_the_connection_broke() {
    let ok = b"HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{\"id\":1}";
    let (url, served) = raw_peer([b"", ok]).await;
    let backend = RestBackend::new(RestConfig::new(url)).unwrap();
    assert_eq!(backend.insert_message(message().into()).await.unwrap().id, "1".into());
    assert_eq!((served.await.unwrap(), backend.stats().repeats), (2, 1));

    let (url, served) = raw_peer([b"", b""]).await;
    let backend = RestBackend::new(RestConfig::new(url)).unwrap();
    assert_eq!(backend.insert_message(message().into()).await.unwrap_err().class, ErrorClass::Unreachable);
    assert_eq!((served.await.unwrap(), backend.stats().repeats), (2, 1));
}

#[tokio::test]
async fn a_message_is_not_sent_again_here_after_any_answer() {
    let peer = Peer::new([answer(503, "")]);
    let backend = RestBackend::new(RestConfig::new(peer.start().await)).unwrap();
    assert_eq!(backend.insert_message(message().into()).await.unwrap_err().class, ErrorClass::Busy);
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_report_is_repeated_while_the_backend_is_briefly_away() {
    let peer = Peer::new([answer(503, ""), answer(502, ""), answer(200, "")]);
    let mut config = RestConfig::new(peer.start().await);
    config.retry.pause = Duration::from_millis(1);
    let backend = RestBackend::new(config).unwrap();
    backend.process_message("7".into(), report(Status::Delivered)).await.unwrap();
    let seen = peer.seen();
    assert_eq!(seen, [seen[0].clone(), seen[0].clone(), seen[0].clone()]);
}

#[tokio::test]
async fn a_refusal_a_500_and_a_retry_after_are_not_repeated() {
    let after = Reply::Answer(503, vec![("retry-after", "1".into())], String::new());
    for reply in [answer(400, ""), answer(500, ""), answer(429, ""), after] {
        let peer = Peer::new([reply]);
        let backend = RestBackend::new(RestConfig::new(peer.start().await)).unwrap();
        backend.insert_location(location()).await.unwrap_err();
        assert_eq!(peer.seen().len(), 1);
    }
}

#[tokio::test]
async fn the_budget_bounds_repeats_over_all_operations() {
    let peer = Peer::new([answer(503, "")]);
    let mut config = RestConfig::new(peer.start().await);
    config.breaker.failures = 0;
    config.retry.pause = Duration::ZERO;
    config.retry.per_second = 0;
    let backend = RestBackend::new(config).unwrap();
    for _ in 0..100 {
        backend.insert_location(location()).await.unwrap_err();
    }
    // The burst of 10 saved up, and a tenth of the 100; a share paid in on a full bucket is lost.
    let stats = backend.stats();
    assert!((18..=20).contains(&stats.repeats), "{stats:?}");
    assert_eq!(peer.seen().len() as u64, 100 + stats.repeats);
}

#[tokio::test]
async fn failures_in_a_row_open_the_breaker_and_nothing_more_is_sent() {
    let peer = Peer::new([answer(500, "disk full")]);
    let mut config = plain(&peer.start().await);
    let open = Duration::from_secs(600);
    config.breaker = BreakerConfig { failures: 2, open, max_open: open };
    let backend = RestBackend::new(config).unwrap();
    for _ in 0..2 {
        assert_eq!(backend.insert_message(message().into()).await.unwrap_err().class, ErrorClass::Busy);
    }
    let error = backend.get_queue("l".into(), 1).await.unwrap_err();
    assert_eq!((error.class, error.status, error.retry_after), (ErrorClass::Unreachable, None, Some(600)));
    assert!(error.detail.ends_with("ms after: HTTP 500: disk full"), "{error}");
    let stats = backend.stats();
    assert_eq!((stats.breaker, stats.breaker_opened, stats.refused_by_breaker), (BreakerState::Open, 1, 1));
    assert_eq!(peer.seen().len(), 2);
}

#[tokio::test]
async fn a_probe_that_is_answered_closes_the_breaker_even_if_refused() {
    let peer =
        Peer::new([answer(500, ""), answer(500, ""), answer(500, ""), answer(400, ""), answer(200, "[]")]);
    let mut config = plain(&peer.start().await);
    config.breaker = BreakerConfig { failures: 2, open: Duration::ZERO, max_open: Duration::ZERO };
    let backend = RestBackend::new(config).unwrap();
    let mut states = Vec::new();
    for _ in 0..4 {
        backend.get_queue("l".into(), 1).await.unwrap_err();
        states.push(backend.stats().breaker);
    }
    use BreakerState::{Closed, Open};
    assert_eq!(states, [Closed, Open, Open, Closed]);
    backend.get_queue("l".into(), 1).await.unwrap();
}

#[tokio::test]
async fn a_probe_whose_caller_gave_up_does_not_wedge_the_breaker() {
    let peer = Peer::new([answer(500, ""), Reply::Silence, answer(200, "[]")]);
    let mut config = plain(&peer.start().await);
    config.breaker = BreakerConfig { failures: 1, open: Duration::ZERO, max_open: Duration::ZERO };
    let backend = RestBackend::new(config).unwrap();
    backend.get_queue("l".into(), 1).await.unwrap_err();
    let given_up = tokio::time::timeout(Duration::from_millis(50), backend.get_queue("l".into(), 1)).await;
    assert!(given_up.is_err());
    assert_eq!(backend.get_queue("l".into(), 1).await, Ok(Vec::new()));
}

#[tokio::test]
async fn requests_beyond_the_cap_wait_and_then_fail_unsent() {
    let peer = Peer::new([Reply::Silence]);
    let timeout = Duration::from_millis(50);
    let url = peer.start().await;
    let backend = RestBackend::new(RestConfig { max_in_flight: 1, timeout, ..plain(&url) }).unwrap();
    let (first, second) =
        tokio::join!(backend.insert_message(message().into()), backend.insert_message(message().into()));
    let mut classes = [first, second].map(|result| result.unwrap_err().class.as_str());
    classes.sort_unstable();
    assert_eq!(classes, ["timeout", "unreachable"]);
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_new_token_is_used_after_a_401_and_no_token_ever_shows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "hunter1\n").unwrap();
    let peer =
        Peer::new([answer(401, "expired"), answer(200, ""), answer(401, "I do not like hunter2 at all")]);
    let url = peer.start().await;
    let config = RestConfig { token_file: Some(path.clone()), ..plain(&url) };
    let backend = RestBackend::new(config).unwrap();
    std::fs::write(&path, "hunter2\n").unwrap();
    backend.insert_location(location()).await.unwrap();
    let tokens: Vec<_> = peer.seen().iter().map(|seen| seen.headers["authorization"].clone()).collect();
    assert_eq!(tokens, ["Bearer hunter1", "Bearer hunter2"]);

    let error = backend.insert_location(location()).await.unwrap_err();
    assert_eq!(error.to_string(), "insert_location: denied: HTTP 401: I do not like *** at all");
    assert_eq!(peer.seen().len(), 3);
    assert!(!format!("{backend:?} {error:?}").contains("hunter"));
}

#[tokio::test]
async fn a_token_given_as_a_value_is_sent_kept_out_of_errors_and_not_tried_twice() {
    let peer = Peer::new([answer(200, ""), answer(401, r#"{"error": "I do not like hunter2"}"#)]);
    let config = RestConfig { token: Some("hunter2\n".into()), ..plain(&peer.start().await) };
    let backend = RestBackend::new(config.clone()).unwrap();
    backend.insert_location(location()).await.unwrap();
    let error = backend.insert_location(location()).await.unwrap_err();
    assert_eq!(error.to_string(), "insert_location: denied: HTTP 401: I do not like ***");
    let tokens: Vec<_> = peer.seen().iter().map(|seen| seen.headers["authorization"].clone()).collect();
    assert_eq!(tokens, ["Bearer hunter2"; 2]);
    assert!(!format!("{backend:?} {config:?}").contains("hunter"));

    let refused = RestBackend::new(RestConfig { token: Some("hunter2 hunter3".into()), ..config });
    assert_eq!(
        refused.unwrap_err().to_string(),
        "token: holds a space or a character that no header can carry"
    );
}

#[tokio::test]
async fn arguments_that_cannot_be_sent_are_refused_here() {
    let peer = Peer::new([answer(200, "")]);
    let backend = RestBackend::new(plain(&peer.start().await)).unwrap();
    let errors = [
        backend.frontend_deregister(String::new()).await.unwrap_err(),
        backend.get_queue("a\r\nsmsc: b".into(), 1).await.unwrap_err(),
        backend.process_message("..".into(), report(Status::Delivered)).await.unwrap_err(),
    ];
    assert_eq!(errors.map(|error| error.class), [ErrorClass::Refused; 3]);
    assert_eq!(peer.seen(), []);
}
