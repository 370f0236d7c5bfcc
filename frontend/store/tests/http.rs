//! The contract over HTTP: what a frontend in another process sees.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::path::PathBuf;
use std::time::Duration;

use common::{ALICE, BOB, SMSC01, World, location, message, report, text};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use smsc_backend::{QueuedMessage, Status};
use smsc_store::http::{ServeOptions, serve};

/// A store behind a socket of its own.
struct Served {
    world: World,
    base: String,
    client: Client,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn new() -> Self {
        Self::with(ServeOptions::default()).await
    }

    async fn with(options: ServeOptions) -> Self {
        let world = World::new();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let store = world.store.clone();
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            serve(store, listener, options, shutdown).await.unwrap();
        });
        // The answers of a proxy are no answers of ours.
        let client = Client::builder().no_proxy().build().unwrap();
        Self { world, base, client, stop: Some(stop), task }
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.base))
    }

    async fn answer(&self, request: RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.answer(self.request("GET", path)).await
    }

    async fn post(&self, path: &str, body: &impl serde::Serialize) -> (u16, Value) {
        self.answer(self.request("POST", path).json(body)).await
    }

    async fn poll(&self) -> Vec<QueuedMessage> {
        let request = self.request("GET", "/api/messages/get_queue?limit=10").header("smsc", SMSC01);
        let (status, rows) = self.answer(request).await;
        assert_eq!(status, 200);
        serde_json::from_value(rows).unwrap()
    }
}

#[tokio::test]
async fn a_message_goes_its_whole_way() {
    let served = Served::new().await;
    assert_eq!(served.post("/api/locations", &location(BOB, SMSC01)).await, (200, json!({})));
    let insert =
        || served.request("POST", "/api/messages").header("Idempotency-Key", "k1").json(&message(BOB));
    let (status, accepted) = served.answer(insert()).await;
    assert_eq!((status, &accepted["scts"]), (201, &json!("2026-03-01T12:00:00Z")));
    let (status, again) = served.answer(insert()).await;
    assert_eq!(status, 201);
    assert_eq!(again, json!({ "id": accepted["id"], "scts": accepted["scts"], "duplicate": true }));
    let [row] = served.poll().await.try_into().unwrap();
    assert_eq!((row.id.0.as_str(), row.more_to_send), (accepted["id"].as_str().unwrap(), Some(false)));
    let path = format!("/api/messages/{}", row.id);
    let delivered = report(&row, Status::Delivered);
    let patch = || served.request("PATCH", &path).json(&delivered);
    assert_eq!(served.answer(patch()).await, (200, json!({})));
    let (status, problem) = served.answer(patch()).await;
    assert_eq!((status, problem), (409, json!({ "error": format!("message {} is final already", row.id) })));
    let (status, history) = served.get(&format!("{path}/history")).await;
    assert_eq!(
        (status, &history["state"], &history["attempts"][0]["status"]),
        (200, &json!("delivered"), &json!("delivered"))
    );
    assert_eq!(history["events"][0]["event"], "attempt");
    let (status, histories) = served.get(&format!("/api/messages/history?msisdn=%2B{BOB}")).await;
    assert_eq!((status, &histories[0]["id"]), (200, &accepted["id"]));
    let (status, page) = served.get("/api/messages?state=delivered&limit=1").await;
    assert_eq!((status, &page["messages"][0]["id"], page.get("next")), (200, &accepted["id"], None));
    assert_eq!(served.get(&path).await.1, page["messages"][0]);
    assert_eq!(served.get("/api/summary").await.1["messages"], json!({ "delivered": 1 }));
}

#[tokio::test]
async fn frontends_and_locations_come_and_go() {
    let served = Served::new().await;
    let frontend = json!({
        "frontend_name": SMSC01, "frontend_type": "IMS", "hostname": "smsc01", "ip_address": "192.0.2.10",
        "version": "0.1.0", "uptime_seconds": 1, "expires_in": 90, "configuration": {}, "novelty": "ignored",
    });
    assert_eq!(served.post("/api/frontends/register", &frontend).await, (200, json!({})));
    assert_eq!(served.get("/api/frontends").await.1[0]["frontend_name"], SMSC01);
    let gone = served.answer(served.request("DELETE", &format!("/api/frontends/{SMSC01}"))).await;
    assert_eq!(gone, (200, json!({})));
    assert_eq!(served.get("/api/frontends").await, (200, json!([])));

    served.post("/api/locations", &location(BOB, SMSC01)).await;
    let path = format!("/api/locations/sip%3A%2B{BOB}%40ims.example");
    for (s_cscf, left) in [("sip%3Aother", 1), ("sip%3Ascscf.ims.example", 0)] {
        let request = served.request("DELETE", &format!("{path}?s_cscf={s_cscf}"));
        assert_eq!(served.answer(request).await, (204, Value::Null));
        assert_eq!(served.get("/api/summary").await.1["registrations"], left);
    }
}

#[tokio::test]
async fn a_dead_letter_is_replayed() {
    let served = Served::new().await;
    served.world.register(BOB).await;
    served.world.insert(message(BOB)).await;
    let [row] = served.poll().await.try_into().unwrap();
    let path = format!("/api/messages/{}/replay", row.id);
    let (status, problem) = served.answer(served.request("POST", &path)).await;
    assert_eq!(
        (status, problem["error"].as_str()),
        (409, Some(format!("message {} is in_flight, not a dead letter", row.id).as_str()))
    );
    served.world.pass(common::DAY * 4).await;
    let (status, message) = served.answer(served.request("POST", &path)).await;
    assert_eq!((status, &message["state"]), (200, &json!("queued")));
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong_and_where() {
    let served = Served::new().await;
    let post = |path: &str, body: &'static str| served.request("POST", path).body(body);
    let report = r#"{"dest_smsc":"smsc01","attempt":1,"status":"delivered"}"#;
    for (request, status, error) in [
        (post("/api/messages", "{"), 400, "body: EOF while parsing an object at line 1 column 1"),
        (
            post("/api/messages", r#"{"encoding":"utf8"}"#),
            400,
            "body: encoding: unknown variant `utf8`, expected one of `gsm7`, `ucs2`, `binary` at line 1 column 18",
        ),
        (post("/api/locations", "{} x"), 400, "body: missing field `impu` at line 1 column 2"),
        (served.request("PATCH", "/api/messages/7").body(report), 404, "there is no message 7"),
        (served.request("GET", "/api/messages/7"), 404, "there is no message 7"),
        (served.request("GET", "/api/messages/7/history"), 404, "there is no message 7"),
        (served.request("GET", "/api/messages/get_queue"), 400, "the header smsc must name the location"),
        (
            served.request("GET", "/api/messages/get_queue?limit=many").header("smsc", SMSC01),
            400,
            "Failed to deserialize query string: limit: invalid digit found in string",
        ),
        (
            served.request("GET", "/api/messages/history"),
            400,
            "Failed to deserialize query string: missing field `msisdn`",
        ),
        (
            served.request("GET", "/api/messages?state=lost"),
            400,
            "state \"lost\" is none of all, open, dead, queued, held, in_flight, delivered, failed, expired",
        ),
        (served.request("GET", "/api/nothing"), 404, "there is nothing at GET /api/nothing; see /api/docs"),
        (served.request("PUT", "/api/messages"), 405, "/api/messages does not take PUT; see /api/docs"),
    ] {
        assert_eq!(served.answer(request).await, (status, json!({ "error": error })));
    }
    let refused = smsc_backend::NewMessage { destination_msisdn: String::new(), ..message(BOB) };
    let refusal = json!({ "error": "destination_msisdn: no number given", "rp_cause": 1 });
    assert_eq!(served.post("/api/messages", &refused).await, (400, refusal));
    let (status, _) = served.post("/api/messages", &text(BOB, &"x".repeat(600_000))).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn busy_says_when_to_come_back() {
    let served = Served::with(ServeOptions { requests: 1, ..ServeOptions::default() }).await;
    let requests: Vec<_> =
        (0..200).map(|_| served.request("POST", "/api/messages").json(&message(ALICE)).send()).collect();
    let answers = futures_util::future::join_all(requests).await;
    let put_off: Vec<_> = answers
        .into_iter()
        .map(Result::unwrap)
        .filter(|answer| answer.status() != StatusCode::CREATED)
        .collect();
    assert!(!put_off.is_empty());
    for answer in put_off {
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()),
            (429, b"1".as_slice())
        );
    }
}

#[tokio::test]
async fn a_token_is_asked_for_everywhere_but_at_probes_and_documents() {
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("token");
    std::fs::write(&token_file, "s3cret\n").unwrap();
    let served = Served::with(ServeOptions { token_file: Some(token_file), ..ServeOptions::default() }).await;
    for (token, status) in [
        (None, 401),
        (Some("Bearer wrong"), 401),
        (Some("Basic s3cret"), 401),
        (Some("bearer s3cret"), 200),
        (Some("Bearer s3cret"), 200),
    ] {
        let request = served.request("GET", "/api/summary");
        let request =
            token.into_iter().fold(request, |request, token| request.header("Authorization", token));
        assert_eq!(served.answer(request).await.0, status, "{token:?}");
    }
    for path in ["/livez", "/readyz", "/api/docs", "/api/docs/openapi.json"] {
        assert_eq!(served.get(path).await.0, 200, "{path}");
    }
}

#[test]
fn a_token_file_that_cannot_be_used_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty");
    std::fs::write(&empty, " \n").unwrap();
    let refusal = |path: PathBuf| {
        let options = ServeOptions { token_file: Some(path), ..ServeOptions::default() };
        smsc_store::http::router(World::new().store, options).err().unwrap().to_string()
    };
    assert_eq!(refusal(empty.clone()), format!("token file {empty:?} is empty"));
    let missing = directory.path().join("missing");
    assert_eq!(
        refusal(missing.clone()),
        format!("token file {missing:?}: No such file or directory (os error 2)")
    );
}

#[tokio::test]
async fn the_document_names_exactly_what_is_served() {
    let served = Served::new().await;
    let (status, document) = served.get("/api/docs/openapi.json").await;
    assert_eq!(status, 200);
    let verbs = ["get", "post", "put", "patch", "delete"];
    for (path, operations) in document["paths"].as_object().unwrap() {
        for verb in verbs {
            let path = path.replace(['{', '}'], "");
            let request = served.request(&verb.to_uppercase(), &path).header("smsc", SMSC01).body("{}");
            let documented = operations.get(verb).is_some();
            let (status, body) = served.answer(request).await;
            assert_eq!(status != 405, documented, "{verb} {path}: {status} {body}");
        }
    }
    let page = served.request("GET", "/api/docs").send().await.unwrap().text().await.unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("process_message"));
}

#[tokio::test]
async fn shutdown_ends_serving() {
    let mut served = Served::new().await;
    assert_eq!(served.request("GET", "/livez").send().await.unwrap().text().await.unwrap(), "ok\n");
    served.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), served.task).await.unwrap().unwrap();
}
