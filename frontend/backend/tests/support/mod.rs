//! A backend in the test's own process: answers what it is told to, keeps what it was asked.
#![allow(dead_code, unreachable_pub, reason = "every test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "this is test code")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use smsc_backend::*;
use tokio::net::TcpListener;

/// A request as it arrived: everything of it that the contract speaks about.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub method: String,
    pub path_and_query: String,
    /// All but host, user-agent, accept and content-length.
    pub headers: BTreeMap<String, String>,
    pub body: serde_json::Value,
}

/// What the peer does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Status, extra headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Never answers.
    Silence,
}

pub fn answer(status: u16, body: impl Into<String>) -> Reply {
    Reply::Answer(status, Vec::new(), body.into())
}

/// The peer. Answers its script in order, the last entry for ever.
#[derive(Clone)]
pub struct Peer {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Mutex<VecDeque<Reply>>>,
}

impl Peer {
    pub fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        Self { seen: Arc::default(), script: Arc::new(Mutex::new(script.into_iter().collect())) }
    }

    /// Starts it on a free port; returns its base URL.
    pub async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn handle(State(peer): State<Peer>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let plain = ["host", "user-agent", "accept", "content-length"];
    let headers = head.headers.iter().filter(|(name, _)| !plain.contains(&name.as_str()));
    peer.seen.lock().unwrap().push(Seen {
        method: head.method.to_string(),
        path_and_query: head.uri.to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: if body.is_empty() { serde_json::Value::Null } else { serde_json::from_slice(&body).unwrap() },
    });
    let reply = {
        let mut script = peer.script.lock().unwrap();
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    };
    match reply.unwrap_or_else(|| answer(200, "")) {
        Reply::Answer(status, headers, body) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Reply::Silence => std::future::pending().await,
    }
}

/// A configuration that never repeats and never opens the breaker, so that one call is one request.
pub fn plain(url: &str) -> rest::RestConfig {
    let mut config = rest::RestConfig::new(url);
    config.retry.repeats = 0;
    config.breaker.failures = 0;
    config.retry.pause = Duration::ZERO;
    config
}

pub fn registration() -> FrontendRegistration {
    FrontendRegistration {
        frontend_name: "smsc01.example".into(),
        frontend_type: "IMS".into(),
        hostname: "smsc01".into(),
        ip_address: "192.0.2.1".into(),
        version: "0.1.0".into(),
        uptime_seconds: 7,
        expires_in: 90,
        configuration: [("ims_domain".to_owned(), "ims.example".into())].into(),
    }
}

pub fn location() -> Location {
    Location {
        msisdn: Some("447700900123".into()),
        imsi: None,
        impu: "sip:+447700900123@ims.example".into(),
        location: "smsc01.example".into(),
        ims_capable: true,
        contact: None,
        s_cscf: Some("sip:scscf.ims.example:5060;lr".into()),
        call_id: Some("r1".into()),
        cseq: Some(4),
        imei: None,
        user_agent: None,
        access_network_info: None,
        visited_network: None,
        expires: 3600,
        event: LocationEvent::Registered,
    }
}

pub fn message() -> NewMessage {
    NewMessage {
        idempotency_key: "k1".into(),
        source_msisdn: "447700900456".into(),
        destination_msisdn: "+447700900123".into(),
        destination_ton: 1,
        destination_npi: 1,
        message_body: "grüße €".into(),
        source_smsc: "smsc01.example".into(),
        source_type: SourceType::Ims,
        encoding: Encoding::Ucs2,
        tp_dcs: Some(8),
        tp_pid: Some(0),
        tp_mr: Some(17),
        tp_rd: None,
        tp_rp: None,
        rp_mr: Some(3),
        udh: None,
        raw_tpdu: Some("01ff".into()),
        sc_address: None,
        submit_key: None,
        validity_period: None,
        status_report_requested: true,
        call_id: Some("c1".into()),
        icid: None,
    }
}

pub fn report(status: Status) -> AttemptReport {
    AttemptReport {
        dest_smsc: "smsc01.example".into(),
        attempt: 1,
        status,
        reason: None,
        permanent: Permanent::No,
        rp_cause: None,
        tp_fcs: None,
        report_tpdu: None,
        sip_status: Some(202),
        icid: None,
        detail: "RP-ACK".into(),
    }
}
