//! What each operation looks like on the wire, whole requests at a time.
#![allow(clippy::unwrap_used, reason = "this is test code")]

mod support;

use serde_json::{Value, json};
use smsc_backend::rest::{RestBackend, RestConfig};
use smsc_backend::{
    Accepted, AttemptReport, Backend, HistoryQuery, Kind, LocationRemoval, MessageHistory, MessageId,
    Permanent, Processed, QueuedMessage, Reason, RecordedAttempt, Status,
};
use support::{Peer, Reply, Seen, answer, location, message, plain, registration, report};

/// A client and the peer it talks to, which answers `reply` to everything.
async fn pair(reply: Reply) -> (RestBackend, Peer) {
    let peer = Peer::new([reply]);
    let backend = RestBackend::new(plain(&peer.start().await)).unwrap();
    (backend, peer)
}

fn seen(method: &str, path_and_query: &str, headers: &[(&str, &str)], body: Value) -> Vec<Seen> {
    let mut headers: std::collections::BTreeMap<_, _> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if !body.is_null() {
        headers.insert("content-type".into(), "application/json".into());
    }
    vec![Seen { method: method.into(), path_and_query: path_and_query.into(), headers, body }]
}

#[tokio::test]
async fn frontend_register_posts_the_registration() {
    let (backend, peer) = pair(answer(201, r#"{"id": 3}"#)).await;
    backend.frontend_register(registration()).await.unwrap();
    let body = json!({
        "frontend_name": "smsc01.example", "frontend_type": "IMS", "hostname": "smsc01",
        "ip_address": "192.0.2.1", "version": "0.1.0", "uptime_seconds": 7, "expires_in": 90,
        "configuration": {"ims_domain": "ims.example"},
    });
    assert_eq!(peer.seen(), seen("POST", "/api/frontends/register", &[], body));
}

#[tokio::test]
async fn frontend_deregister_deletes_and_absent_is_success() {
    for status in [200, 204, 404, 410] {
        let (backend, peer) = pair(answer(status, "")).await;
        backend.frontend_deregister("smsc01-1.example".into()).await.unwrap();
        assert_eq!(peer.seen(), seen("DELETE", "/api/frontends/smsc01-1.example", &[], Value::Null));
    }
}

#[tokio::test]
async fn insert_location_omits_what_is_absent() {
    let (backend, peer) = pair(answer(200, "")).await;
    backend.insert_location(location()).await.unwrap();
    let body = json!({
        "msisdn": "447700900123", "impu": "sip:+447700900123@ims.example", "location": "smsc01.example",
        "ims_capable": true, "s_cscf": "sip:scscf.ims.example:5060;lr", "call_id": "r1", "cseq": 4,
        "expires": 3600, "event": "registered",
    });
    assert_eq!(peer.seen(), seen("POST", "/api/locations", &[], body));
}

#[tokio::test]
async fn delete_location_says_whose_registration_ends() {
    let (backend, peer) = pair(answer(204, "")).await;
    let removal = LocationRemoval {
        impu: "sip:+447700900123@ims.example".into(),
        s_cscf: Some("sip:scscf.ims.example:5060;lr".into()),
        call_id: Some("r1/+@x".into()),
        cseq: Some(5),
    };
    backend.delete_location(removal.clone()).await.unwrap();
    backend.delete_location(LocationRemoval { call_id: None, cseq: None, ..removal }).await.unwrap();
    let path =
        "/api/locations/sip%3A%2B447700900123%40ims.example?s_cscf=sip%3Ascscf.ims.example%3A5060%3Blr";
    let expected = [
        seen("DELETE", &format!("{path}&call_id=r1%2F%2B%40x&cseq=5"), &[], Value::Null),
        seen("DELETE", path, &[], Value::Null),
    ];
    assert_eq!(peer.seen(), expected.concat());
}

#[tokio::test]
async fn insert_message_carries_its_key_as_a_header_only() {
    let (backend, peer) = pair(answer(201, r#"{"id": "m-1", "scts": "2026-11-21T10:00:00Z"}"#)).await;
    let accepted = backend.insert_message(message().into()).await.unwrap();
    let scts = Some("2026-11-21T10:00:00Z".parse().unwrap());
    assert_eq!(accepted, Accepted { id: "m-1".into(), scts, duplicate: false });
    let body = json!({
        "source_msisdn": "447700900456", "destination_msisdn": "+447700900123", "destination_ton": 1,
        "destination_npi": 1, "message_body": "grüße €", "source_smsc": "smsc01.example", "source_type": "ims",
        "encoding": "ucs2", "tp_dcs": 8, "tp_pid": 0, "tp_mr": 17, "rp_mr": 3, "raw_tpdu": "01ff",
        "status_report_requested": true, "call_id": "c1",
    });
    assert_eq!(peer.seen(), seen("POST", "/api/messages", &[("idempotency-key", "k1")], body));
}

#[tokio::test]
async fn insert_message_takes_a_repeat_and_an_integer_id() {
    let (backend, _) = pair(answer(200, r#"{"id": 42, "duplicate": true, "queue": "x"}"#)).await;
    let accepted = backend.insert_message(message().into()).await.unwrap();
    assert_eq!(accepted, Accepted { id: "42".into(), scts: None, duplicate: true });
}

#[tokio::test]
async fn get_queue_names_its_location_in_a_header() {
    let row = json!({
        "id": 7, "source_msisdn": "ACME", "source_ton": 5, "source_npi": 0, "destination_msisdn": "447700900123",
        "message_body": "hi", "kind": "submit", "delivery_attempts": 2, "expires": "2026-11-22T10:00:00Z",
        "impu": null, "colour": "blue",
    });
    let (backend, peer) = pair(answer(200, json!([row]).to_string())).await;
    let rows = backend.get_queue("smsc01.example".into(), 20).await.unwrap();
    let expected = QueuedMessage {
        id: "7".into(),
        source_msisdn: "ACME".into(),
        source_ton: Some(5),
        source_npi: Some(0),
        destination_msisdn: "447700900123".into(),
        impu: None,
        s_cscf: None,
        ims_capable: None,
        message_body: "hi".into(),
        encoding: None,
        tp_dcs: None,
        tp_pid: None,
        tp_rp: None,
        udh: None,
        raw_tpdu: None,
        scts: None,
        sc_address: None,
        kind: Kind::Submit,
        priority: None,
        delivery_attempts: Some(2),
        expires: Some("2026-11-22T10:00:00Z".parse().unwrap()),
        status_report: None,
        more_to_send: None,
    };
    assert_eq!(rows, [expected]);
    assert_eq!(
        peer.seen(),
        seen("GET", "/api/messages/get_queue?limit=20", &[("smsc", "smsc01.example")], Value::Null)
    );
}

#[tokio::test]
async fn get_queue_takes_no_more_than_it_asked_for_and_leaves_out_what_it_cannot_read() {
    let row = |id: u32| json!({"id": id, "source_msisdn": "1", "destination_msisdn": "2"});
    let (backend, _) = pair(answer(200, json!([row(1), {"id": 2}, row(3), row(4)]).to_string())).await;
    let rows = backend.get_queue("l".into(), 2).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id.0.as_str()).collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!(backend.stats().unreadable_rows, 1);
}

#[tokio::test]
async fn process_message_patches_the_message_with_the_attempt() {
    let (backend, peer) = pair(answer(200, "{}")).await;
    let absent = AttemptReport {
        reason: Some(Reason::NoSmsip),
        permanent: Permanent::Link,
        sip_status: Some(488),
        ..report(Status::Absent)
    };
    assert_eq!(backend.process_message("a b/c".into(), absent).await, Ok(Processed::Recorded));
    let body = json!({
        "dest_smsc": "smsc01.example", "attempt": 1, "status": "absent", "reason": "no_smsip",
        "permanent": "link", "sip_status": 488, "detail": "RP-ACK",
    });
    assert_eq!(peer.seen(), seen("PATCH", "/api/messages/a%20b%2Fc", &[], body));
}

#[tokio::test]
async fn process_message_of_a_final_message_is_no_error() {
    let (backend, _) = pair(answer(409, r#"{"error": "already delivered"}"#)).await;
    assert_eq!(
        backend.process_message("7".into(), report(Status::Delivered)).await,
        Ok(Processed::AlreadyFinal)
    );
}

#[tokio::test]
async fn history_asks_for_a_message_or_a_number() {
    let history = json!({
        "id": "m", "source_msisdn": "1", "destination_msisdn": "2", "state": "delivered",
        "scts": "2026-11-21T10:00:00Z",
        "attempts": [{"at": "2026-11-21T10:00:05Z", "dest_smsc": "smsc01.example", "attempt": 1,
            "status": "delivered", "permanent": "no", "sip_status": 202, "detail": "RP-ACK"}],
    });
    let expected = MessageHistory {
        id: "m".into(),
        source_msisdn: "1".into(),
        destination_msisdn: "2".into(),
        state: "delivered".into(),
        scts: "2026-11-21T10:00:00Z".parse().unwrap(),
        due: None,
        attempts: vec![RecordedAttempt {
            at: "2026-11-21T10:00:05Z".parse().unwrap(),
            report: report(Status::Delivered),
        }],
    };

    let (backend, peer) = pair(answer(200, history.to_string())).await;
    let one = HistoryQuery::Message(MessageId::from("m"));
    assert_eq!(backend.history(one).await, Ok(vec![expected.clone()]));
    assert_eq!(peer.seen(), seen("GET", "/api/messages/m/history", &[], Value::Null));

    let (backend, peer) = pair(answer(200, json!([history]).to_string())).await;
    assert_eq!(backend.history(HistoryQuery::Msisdn("+44 1".into())).await, Ok(vec![expected]));
    assert_eq!(peer.seen(), seen("GET", "/api/messages/history?msisdn=%2B44%201", &[], Value::Null));
}

#[tokio::test]
async fn a_prefix_and_overridden_paths_are_used() {
    let peer = Peer::new([answer(200, "[]")]);
    let mut config = RestConfig::new(format!("{}/omni/", peer.start().await));
    config.endpoints.set("get_queue", "/v2/queue?tenant=7").unwrap();
    let backend = RestBackend::new(config).unwrap();
    backend.get_queue("l".into(), 1).await.unwrap();
    assert_eq!(peer.seen(), seen("GET", "/omni/v2/queue?tenant=7&limit=1", &[("smsc", "l")], Value::Null));
}
