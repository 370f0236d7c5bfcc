//! The program as one of several operators, before an API server that keeps a lease and knows nothing else.

mod support;

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use support::{Kubeconfig, refused, version};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, Command};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/smsc/leases";

type Lease = Arc<Mutex<Option<Value>>>;

async fn answer(State(lease): State<Lease>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut lease = lease.lock().expect("no test panicked with it");
    let Some(name) = uri.path().strip_prefix(LEASES) else {
        return if uri.path() == "/version" { version() } else { refused(StatusCode::NOT_FOUND) };
    };
    assert!(matches!(name, "" | "/smsc-operator"), "{uri}");
    if method != Method::GET {
        let mut new: Value = serde_json::from_slice(&body).expect("a lease is JSON");
        let stored = lease.as_ref().map_or(&Value::Null, |lease| &lease["metadata"]["resourceVersion"]);
        if stored != &new["metadata"]["resourceVersion"] {
            return refused(StatusCode::CONFLICT);
        }
        let next = stored.as_str().map_or(1, |version| version.parse::<u64>().expect("we count") + 1);
        new["metadata"]["resourceVersion"] = json!(next.to_string());
        *lease = Some(new);
    }
    match &*lease {
        Some(lease) => lease.to_string().into_response(),
        None => refused(StatusCode::NOT_FOUND),
    }
}

struct Cluster {
    lease: Lease,
    kubeconfig: Kubeconfig,
}

impl Cluster {
    async fn start() -> Self {
        let lease = Lease::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&lease));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { lease, kubeconfig: Kubeconfig::of(address) }
    }

    fn operator(&self, pod: &str) -> Operator {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smsc-operator"));
        command.args(["run", "--frontend-image", "smsc-frontend", "--listen", "127.0.0.1:0"]);
        command.env_clear().env("KUBECONFIG", self.kubeconfig.path());
        command.env("POD_NAME", pod).env("POD_NAMESPACE", "smsc");
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("the program runs");
        let stderr = child.stderr.take().expect("it is piped");
        Operator { child, lines: BufReader::new(stderr).lines() }
    }

    fn holder(&self) -> Value {
        let lease = self.lease.lock().expect("no test panicked with it");
        lease.as_ref().map_or(Value::Null, |lease| lease["spec"]["holderIdentity"].clone())
    }
}

struct Operator {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Operator {
    /// Reads log lines until one says so.
    async fn says(&mut self, expected: &str) {
        while let Some(line) = self.lines.next_line().await.expect("the log can be read") {
            let line: Value = serde_json::from_str(&line).expect("each line is JSON");
            if line["message"] == expected {
                return;
            }
        }
        panic!("it ended without saying {expected:?}");
    }

    async fn stop(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("a process number");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGTERM).expect("it runs");
        self.child.wait().await.expect("it is ours")
    }
}

const LEADS: &str = "the lease is held, now leading";

#[tokio::test]
async fn who_is_asked_to_stop_hands_the_lease_over_and_ends_with_0() {
    let cluster = Cluster::start().await;
    let mut one = cluster.operator("one");
    one.says(LEADS).await;
    let mut two = cluster.operator("two");
    two.says("the lease is held by another").await;
    assert_eq!(cluster.holder(), "one");
    assert_eq!(one.stop().await.code(), Some(0));
    assert_ne!(cluster.holder(), "one");
    two.says(LEADS).await;
    assert_eq!(cluster.holder(), "two");
}

#[tokio::test]
async fn a_standby_that_is_asked_to_stop_leaves_the_lease_alone() {
    let cluster = Cluster::start().await;
    let mut one = cluster.operator("one");
    one.says(LEADS).await;
    let mut two = cluster.operator("two");
    two.says("the lease is held by another").await;
    assert_eq!(two.stop().await.code(), Some(0));
    assert_eq!(cluster.holder(), "one");
}

#[tokio::test]
async fn who_loses_the_lease_ends_with_1() {
    let cluster = Cluster::start().await;
    let mut one = cluster.operator("one");
    one.says(LEADS).await;
    {
        let mut lease = cluster.lease.lock().expect("no test panicked with it");
        let lease = lease.as_mut().expect("it was made");
        lease["spec"]["holderIdentity"] = json!("two");
        lease["metadata"]["resourceVersion"] = json!("1000");
    }
    one.says("the lease is lost: its holder is now two").await;
    assert_eq!(one.child.wait().await.expect("it is ours").code(), Some(1));
    assert_eq!(cluster.holder(), "two");
}
