//! The client against a backend that knows nothing of it: tests/peers/fake_backend.py, written from the contract
//! alone, in a process of its own. No request may be a violation in its eyes.
#![allow(clippy::unwrap_used, reason = "this is test code")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use smsc_backend::rest::{RestBackend, RestConfig};
use smsc_backend::{
    Backend, ErrorClass, Kind, LocationRemoval, NewMessage, Processed, Reason, Status, StatusReport,
};
use support::{location, message, registration, report};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The process; it ends with its standard input, so it cannot outlive the test.
struct Fake {
    url: String,
    http: reqwest::Client,
    _process: Child,
}

impl Fake {
    async fn start(arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/fake_backend.py");
        let mut process = Command::new("python3")
            .args([script, "--until-eof"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).await.unwrap();
        let url = line.trim().strip_prefix("READY ").unwrap().to_owned();
        Self { url, http: reqwest::Client::builder().no_proxy().build().unwrap(), _process: process }
    }

    fn backend(&self) -> RestBackend {
        RestBackend::new(RestConfig::new(&self.url)).unwrap()
    }

    async fn control(&self, name: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/_control/{name}", self.url)).json(&body);
        let response = request.send().await.unwrap().error_for_status().unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default()
    }

    async fn get(&self, name: &str) -> Value {
        let response = self.http.get(format!("{}/_control/{name}", self.url)).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    /// Everything it keeps, after checking that no request broke the contract.
    async fn state(&self) -> Value {
        let state = self.get("state").await;
        assert_eq!(state["violations"], json!([]));
        state
    }
}

#[tokio::test]
async fn the_five_operations_carry_a_message_from_one_handset_to_the_other_and_its_report_back() {
    let fake = Fake::start(&[]).await;
    let backend = fake.backend();
    backend.frontend_register(registration()).await.unwrap();
    backend.insert_location(location()).await.unwrap();
    let accepted = backend.insert_message(message().into()).await.unwrap();

    let rows = backend.get_queue("smsc01.example".into(), 10).await.unwrap();
    let [row] = &rows[..] else { panic!("one row, not {rows:?}") };
    assert_eq!((&row.id, row.scts, row.delivery_attempts), (&accepted.id, accepted.scts, Some(0)));
    assert_eq!((row.message_body.as_str(), row.raw_tpdu.as_deref()), ("grüße €", Some("01ff")));
    assert_eq!(row.s_cscf.as_deref(), Some("sip:scscf.ims.example:5060;lr"));
    assert_eq!(backend.get_queue("smsc01.example".into(), 10).await.unwrap(), rows, "there are no leases");
    assert_eq!(backend.get_queue("smsc02.example".into(), 10).await.unwrap(), []);

    let delivered = || backend.process_message(accepted.id.clone(), report(Status::Delivered));
    assert_eq!(delivered().await, Ok(Processed::Recorded));
    assert_eq!(delivered().await, Ok(Processed::AlreadyFinal));

    let mut sender = location();
    sender.msisdn = Some("447700900456".into());
    sender.impu = "sip:+447700900456@ims.example".into();
    backend.insert_location(sender).await.unwrap();
    let rows = backend.get_queue("smsc01.example".into(), 10).await.unwrap();
    let [row] = &rows[..] else { panic!("one row, not {rows:?}") };
    let expected = StatusReport {
        message_id: accepted.id.clone(),
        tp_mr: 17,
        status: 0,
        scts: accepted.scts.unwrap(),
        dt: row.status_report.as_ref().unwrap().dt,
        destination_msisdn: "447700900123".into(),
    };
    assert_eq!((row.kind, row.status_report.as_ref()), (Kind::StatusReport, Some(&expected)));

    backend.frontend_deregister("smsc01.example".into()).await.unwrap();
    backend.frontend_deregister("smsc01.example".into()).await.unwrap();
    assert_eq!(fake.state().await["frontends"], json!({}));
}

#[tokio::test]
async fn a_location_goes_only_for_its_own_s_cscf_and_a_newer_register() {
    let fake = Fake::start(&[]).await;
    let backend = fake.backend();
    let left = async |s_cscf: &str, cseq| {
        backend.insert_location(location()).await.unwrap();
        let removal = LocationRemoval {
            impu: location().impu,
            s_cscf: Some(s_cscf.into()),
            call_id: Some("r1".into()),
            cseq: Some(cseq),
        };
        backend.delete_location(removal).await.unwrap();
        fake.state().await["locations"].as_object().unwrap().len()
    };
    let ours = "sip:scscf.ims.example:5060;lr";
    assert_eq!([left("sip:other.example", 5).await, left(ours, 4).await, left(ours, 5).await], [1, 1, 0]);
}

#[tokio::test]
async fn a_message_whose_answer_got_lost_is_one_message() {
    let fake = Fake::start(&[]).await;
    fake.control("faults", json!({"operation": "insert_message", "fault": "lose_answer"})).await;
    let backend = fake.backend();
    let first = backend.insert_message(message().into()).await.unwrap();
    let again = backend.insert_message(message().into()).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(fake.state().await["messages"].as_array().unwrap().len(), 1);
    let requests = fake.get("requests?operation=insert_message").await;
    let keys: Vec<_> =
        requests.as_array().unwrap().iter().map(|r| &r["headers"]["idempotency-key"]).collect();
    assert_eq!(keys, ["k1", "k1", "k1"]);
}

#[tokio::test]
async fn a_backend_that_ignores_keys_stores_what_it_is_sent() {
    let fake = Fake::start(&["--ignore-keys", "--integer-ids"]).await;
    let backend = fake.backend();
    let ids =
        [backend.insert_message(message().into()).await, backend.insert_message(message().into()).await];
    assert_eq!(ids.map(|accepted| accepted.unwrap().id.0), ["1", "2"]);
}

#[tokio::test]
async fn an_attempt_that_may_be_repeated_and_one_that_may_not() {
    let fake = Fake::start(&["--retry-seconds", "0"]).await;
    let backend = fake.backend();
    let row = json!({"location": "l", "id": "m", "source_msisdn": "ACME", "source_ton": 5,
        "destination_msisdn": "447700900123", "message_body": "hi"});
    fake.control("enqueue", row).await;
    let attempts = async || {
        let rows = backend.get_queue("l".into(), 10).await.unwrap();
        rows.iter().map(|row| row.delivery_attempts).collect::<Vec<_>>()
    };
    assert_eq!(attempts().await, [Some(0)]);
    backend.process_message("m".into(), report(Status::Released)).await.unwrap();
    assert_eq!(attempts().await, [Some(0)]);
    let mut absent = report(Status::Absent);
    absent.reason = Some(Reason::NoAnswer);
    backend.process_message("m".into(), absent).await.unwrap();
    assert_eq!(attempts().await, [Some(1)]);
    let mut refused = report(Status::Rejected);
    refused.attempt = 2;
    refused.permanent = smsc_backend::Permanent::Message;
    backend.process_message("m".into(), refused).await.unwrap();
    assert_eq!(attempts().await, []);
    assert_eq!(fake.state().await["messages"][0]["state"], "failed");
}

#[tokio::test]
async fn every_scripted_fault_has_its_class() {
    let fake = Fake::start(&[]).await;
    let mut config = RestConfig::new(&fake.url);
    config.timeout = Duration::from_millis(300);
    config.breaker.failures = 0;
    config.retry.repeats = 0;
    let backend = RestBackend::new(config).unwrap();
    let cases = [
        (json!({"fault": "delay", "seconds": 2}), ErrorClass::Timeout, None),
        (json!({"fault": "status", "status": 500}), ErrorClass::Busy, None),
        (json!({"fault": "status", "status": 429, "retry_after": 3}), ErrorClass::Busy, Some(3)),
        (json!({"fault": "status", "status": 401}), ErrorClass::Denied, None),
        (json!({"fault": "refuse", "rp_cause": 28}), ErrorClass::Refused, None),
        (json!({"fault": "nonsense"}), ErrorClass::Nonsense, None),
        (json!({"fault": "garbage"}), ErrorClass::Nonsense, None),
        (json!({"fault": "drop"}), ErrorClass::Unreachable, None),
    ];
    for (mut fault, class, retry_after) in cases {
        fault["operation"] = "insert_message".into();
        fake.control("faults", fault.clone()).await;
        let error = backend.insert_message(message().into()).await.unwrap_err();
        assert_eq!((error.class, error.retry_after), (class, retry_after), "{fault}: {error}");
        assert_eq!(error.rp_cause, fault["rp_cause"].as_u64().map(|cause| cause as u8));
    }
}

#[tokio::test]
async fn a_token_is_asked_for_and_never_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let (token, log) = (directory.path().join("token"), directory.path().join("requests.jsonl"));
    std::fs::write(&token, "hunter2").unwrap();
    let fake = Fake::start(&["--token", "hunter2", "--log", log.to_str().unwrap()]).await;
    let config = RestConfig { token_file: Some(token), ..RestConfig::new(&fake.url) };
    RestBackend::new(config).unwrap().insert_message(message().into()).await.unwrap();
    let error = fake.backend().insert_message(message().into()).await.unwrap_err();
    assert_eq!(error.to_string(), "insert_message: denied: HTTP 401: the token is not known");
    let recorded = std::fs::read_to_string(log).unwrap();
    assert_eq!(recorded.lines().count(), 2);
    assert!(!recorded.contains("hunter2"));
}

#[tokio::test]
async fn the_fake_notices_what_breaks_the_contract() {
    let fake = Fake::start(&[]).await;
    let wrong = NewMessage { raw_tpdu: Some("01FF".into()), ..message() };
    let error = fake.backend().insert_message(wrong.into()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert_eq!(fake.get("state").await["violations"], json!(["insert_message: raw_tpdu is '01FF', not hex"]));
}
