//! Elections before a server that keeps one lease, in virtual time.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::json;
use tower::Service;

use super::*;

const NAME: &str = "smsc-operator";

/// A server with one lease. Each client has a name, by which its link is cut.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Lease>,
    version: u64,
    /// Clients whose requests never arrive.
    cut: BTreeSet<&'static str>,
    /// Clients whose requests arrive, but not the answers.
    deaf: BTreeSet<&'static str>,
    /// What every request is refused with.
    refusal: Option<(u16, &'static str)>,
    /// Instants at which the lease changed hands, and to whom.
    holders: Vec<(Duration, Option<String>)>,
    began: Option<Instant>,
}

impl Server {
    fn new() -> Self {
        let server = Self::default();
        server.0.lock().unwrap().began = Some(Instant::now());
        server
    }

    fn client(&self, name: &'static str) -> Client {
        Client::new(Link { server: self.clone(), name }, "default")
    }

    async fn acquire(&self, name: &'static str) -> Held {
        acquire(&self.client(name), claim(name)).await.unwrap()
    }

    fn spec(&self) -> Option<LeaseSpec> {
        self.0.lock().unwrap().lease.as_ref().and_then(|lease| lease.spec.clone())
    }

    /// Who had the lease since when.
    fn holders(&self) -> Vec<(u64, Option<String>)> {
        let state = self.0.lock().unwrap();
        state.holders.iter().map(|(since, holder)| (since.as_secs(), holder.clone())).collect()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }
}

impl State {
    fn answer(&mut self, method: &Method, body: &[u8]) -> (u16, serde_json::Value) {
        let refused = |code: u16, reason: &str| {
            (code, json!({"status": "Failure", "code": code, "reason": reason, "message": "refused"}))
        };
        if let Some((code, reason)) = self.refusal {
            return refused(code, reason);
        }
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        match (method, &self.lease) {
            (&Method::GET, Some(lease)) => (200, serde_json::to_value(lease).unwrap()),
            (&Method::POST, Some(_)) => refused(409, "AlreadyExists"),
            (&Method::GET | &Method::PUT, None) => refused(404, "NotFound"),
            (&Method::PUT | &Method::POST, stored) => {
                let mut lease: Lease = serde_json::from_slice(body).unwrap();
                if stored.as_ref().and_then(version) != version(&lease) {
                    return refused(409, "Conflict");
                }
                self.store(&mut lease);
                (200, serde_json::to_value(lease).unwrap())
            }
            _ => refused(405, "MethodNotAllowed"),
        }
    }

    fn store(&mut self, lease: &mut Lease) {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        let now = self.began.unwrap().elapsed();
        let holder = holder(lease).map(str::to_owned);
        if self.holders.last().is_none_or(|(_, last)| *last != holder) {
            self.holders.push((now, holder));
        }
        self.lease = Some(lease.clone());
    }
}

#[derive(Clone)]
struct Link {
    server: Server,
    name: &'static str,
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { server, name } = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let answer = {
                let mut state = server.0.lock().unwrap();
                if state.cut.contains(name) {
                    None
                } else {
                    let answer = state.answer(&head.method, &body);
                    (!state.deaf.contains(name)).then_some(answer)
                }
            };
            let Some((status, value)) = answer else { return std::future::pending().await };
            Ok(Response::builder().status(status).body(value.to_string().into_bytes().into()).unwrap())
        })
    }
}

fn claim(identity: &str) -> Claim {
    Claim { namespace: "default".to_owned(), name: NAME.to_owned(), identity: identity.to_owned() }
}

fn held(since: u64, by: &str) -> (u64, Option<String>) {
    (since, Some(by.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn the_first_takes_a_lease_that_nobody_made() {
    let server = Server::new();
    server.acquire("one").await;
    let spec = server.spec().unwrap();
    assert_eq!(spec.acquire_time, spec.renew_time);
    assert_eq!(
        spec,
        LeaseSpec {
            holder_identity: Some("one".to_owned()),
            lease_duration_seconds: Some(15),
            acquire_time: spec.acquire_time.clone(),
            renew_time: spec.renew_time.clone(),
            lease_transitions: Some(1),
            ..LeaseSpec::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn one_of_many_that_begin_at_once_leads() {
    let server = Server::new();
    let names = ["one", "two", "three", "four"];
    let all = names.map(|name| {
        let server = server.clone();
        tokio::spawn(async move {
            let mut held = server.acquire(name).await;
            held.keep().await
        })
    });
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(all.iter().filter(|task| task.is_finished()).count(), 0);
    assert_eq!(server.holders().len(), 1);
    all.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_lease_given_up_is_taken_at_once() {
    let server = Server::new();
    let mut one = server.acquire("one").await;
    let two = tokio::spawn({
        let server = server.clone();
        async move { server.acquire("two").await }
    });
    assert!(timeout(Duration::from_secs(61), one.keep()).await.is_err());
    one.release().await.unwrap();
    two.await.unwrap();
    assert_eq!(server.holders(), [held(0, "one"), (61, None), held(62, "two")]);
    assert_eq!(server.spec().unwrap().lease_transitions, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_leader_without_a_server_stops_before_another_begins() {
    let server = Server::new();
    let mut one = server.acquire("one").await;
    let two = tokio::spawn({
        let server = server.clone();
        async move { server.acquire("two").await }
    });
    assert!(timeout(Duration::from_secs(59), one.keep()).await.is_err());
    // Its last write was at 58 s; the other saw it at 60 s.
    server.change(|state| assert!(state.cut.insert("one")));
    let began = server.0.lock().unwrap().began.unwrap();
    assert_eq!(one.keep().await, Lost::NotRenewed("no answer in time".to_owned()));
    assert_eq!(began.elapsed(), Duration::from_secs(68));
    two.await.unwrap();
    assert_eq!(server.holders(), [held(0, "one"), held(76, "two")]);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_stopped_for_long_does_not_act_again() {
    let server = Server::new();
    let mut one = server.acquire("one").await;
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(one.keep().await, Lost::NotRenewed("this process was stopped".to_owned()));
    assert_eq!(server.0.lock().unwrap().version, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_names_another_is_lost_and_not_given_up() {
    let server = Server::new();
    let mut one = server.acquire("one").await;
    server.change(|state| {
        let mut lease = state.lease.clone().unwrap();
        lease.spec.get_or_insert_default().holder_identity = Some("two".to_owned());
        state.store(&mut lease);
    });
    assert_eq!(one.keep().await, Lost::Taken("two".to_owned()));
    one.release().await.unwrap();
    assert_eq!(server.holders(), [held(0, "one"), held(0, "two")]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_deleted_is_made_again() {
    let server = Server::new();
    let mut one = server.acquire("one").await;
    server.change(|state| state.lease = None);
    assert!(timeout(Duration::from_secs(60), one.keep()).await.is_err());
    assert_eq!(server.spec().unwrap().holder_identity.as_deref(), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_costs_nothing() {
    let server = Server::new();
    let mut one = server.acquire("one").await;
    server.change(|state| assert!(state.deaf.insert("one")));
    assert!(timeout(Duration::from_secs(5), one.keep()).await.is_err());
    server.change(|state| assert!(state.deaf.remove("one")));
    assert!(timeout(Duration::from_secs(60), one.keep()).await.is_err());
    server.change(|state| assert!(state.deaf.insert("one")));
    assert!(timeout(Duration::from_secs(5), one.keep()).await.is_err());
    server.change(|state| assert!(state.deaf.remove("one")));
    one.release().await.unwrap();
    assert_eq!(server.holders(), [held(0, "one"), (70, None)]);
}

#[tokio::test(start_paused = true)]
async fn anothers_clock_does_not_matter() {
    for (seconds, lasts) in [(0, 16), (4_000_000_000, 16)] {
        let server = Server::new();
        let when = Timestamp::from_second(seconds).unwrap();
        let spec = LeaseSpec {
            holder_identity: Some("gone".to_owned()),
            lease_duration_seconds: Some(15),
            acquire_time: Some(MicroTime(when)),
            renew_time: Some(MicroTime(when)),
            ..LeaseSpec::default()
        };
        let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
        server.change(|state| state.store(&mut Lease { metadata, spec: Some(spec) }));
        server.acquire("one").await;
        assert_eq!(server.holders(), [held(0, "gone"), held(lasts, "one")]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_its_name_in_the_lease_from_before_goes_on() {
    let server = Server::new();
    drop(server.acquire("one").await);
    server.acquire("one").await;
    assert_eq!(server.spec().unwrap().lease_transitions, Some(1));
    assert_eq!(server.0.lock().unwrap().version, 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_asked_again_and_one_that_refuses_is_not() {
    let server = Server::new();
    server.change(|state| state.refusal = Some((500, "InternalError")));
    let asked = timeout(Duration::from_secs(60), acquire(&server.client("one"), claim("one"))).await;
    assert!(asked.is_err());
    server.change(|state| state.refusal = Some((403, "Forbidden")));
    let refused = acquire(&server.client("one"), claim("one")).await.unwrap_err().to_string();
    assert!(refused.starts_with("the lease default/smsc-operator cannot be taken: "), "{refused}");
}
