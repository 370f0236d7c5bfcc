//! `release` before an API server that has some resources: what it changes, and what it says.

mod support;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use support::{Kubeconfig, refused, version};
use tokio::net::TcpListener;
use tokio::process::Command;

const KINDS: &str = "/apis/smsc.ims.dev/v1alpha1";
const OURS: &str = "smsc.ims.dev/deregistration";

/// An API server with `metadata` of resources; a page of its lists has one.
#[derive(Default)]
struct Server {
    resources: Vec<Value>,
    /// Without the definition.
    undefined: bool,
    /// The name of a resource that is somebody else's to change.
    forbidden: Option<&'static str>,
    /// A finalizer that somebody adds to every resource between its reading and our first write.
    raced: Option<&'static str>,
    writes: usize,
}

type Shared = Arc<Mutex<Server>>;

fn resource(namespace: &str, name: &str, finalizers: &[&str]) -> Value {
    json!({"namespace": namespace, "name": name, "resourceVersion": "1", "finalizers": finalizers})
}

fn whole(metadata: &Value) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata})
}

async fn answer(State(server): State<Shared>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut server = server.lock().expect("no test panicked with it");
    if uri.path() == "/version" {
        return version();
    }
    let Some(path) = uri.path().strip_prefix(KINDS).filter(|_| !server.undefined) else {
        return refused(StatusCode::NOT_FOUND);
    };
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (namespace, name) = match segments[..] {
        ["smscfrontends"] => (None, None),
        ["namespaces", namespace, "smscfrontends"] => (Some(namespace), None),
        ["namespaces", namespace, "smscfrontends", name] => (Some(namespace), Some(name)),
        _ => return refused(StatusCode::NOT_FOUND),
    };
    let Some(name) = name else {
        let mut listed =
            server.resources.iter().filter(|one| namespace.is_none_or(|within| one["namespace"] == within));
        let query = uri.query().unwrap_or_default();
        let before =
            query.split('&').find_map(|pair| pair.strip_prefix("continue=")?.parse().ok()).unwrap_or(0);
        let page = listed.nth(before).map(whole);
        let token = listed.next().map_or(String::new(), |_| (before + 1).to_string());
        let list = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": {"continue": token}, "items": page.into_iter().collect::<Vec<_>>()});
        return list.to_string().into_response();
    };
    let Server { resources, forbidden, raced, writes, .. } = &mut *server;
    let is_it =
        |one: &&mut Value| Some(one["namespace"].as_str().expect("text")) == namespace && one["name"] == name;
    let Some(stored) = resources.iter_mut().find(is_it) else { return refused(StatusCode::NOT_FOUND) };
    if method == Method::PATCH {
        if *forbidden == Some(name) {
            return refused(StatusCode::FORBIDDEN);
        }
        if let Some(raced) = raced.take() {
            stored["finalizers"].as_array_mut().expect("a list").insert(0, json!(raced));
            stored["resourceVersion"] = json!("2");
        }
        let patch: Value = serde_json::from_slice(&body).expect("a patch is JSON");
        let patch = patch["metadata"].as_object().expect("it is of metadata");
        if patch["resourceVersion"] != stored["resourceVersion"] {
            return refused(StatusCode::CONFLICT);
        }
        let keys: Vec<&String> = patch.keys().collect();
        assert_eq!(keys, ["finalizers", "resourceVersion"]);
        stored["finalizers"] = patch["finalizers"].clone();
        *writes += 1;
    }
    whole(stored).to_string().into_response()
}

/// Runs `release` and returns its exit code, what it said, and the finalizers that are left.
async fn released(server: Server, arguments: &[&str]) -> (Option<i32>, String, String, Vec<String>, usize) {
    let server = Arc::new(Mutex::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let router = Router::new().fallback(answer).with_state(Arc::clone(&server));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let kubeconfig = Kubeconfig::of(address);
    let mut command = Command::new(env!("CARGO_BIN_EXE_smsc-operator"));
    command.arg("release").args(arguments).env_clear().env("KUBECONFIG", kubeconfig.path());
    let output = command.output().await.expect("the program runs");
    serving.abort();
    let server = server.lock().expect("no test panicked with it");
    let left =
        server.resources.iter().map(|one| format!("{} {}", one["name"], one["finalizers"]).replace('"', ""));
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("it prints UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr), left.collect(), server.writes)
}

#[tokio::test]
async fn our_finalizer_goes_and_the_others_stay() {
    let resources = vec![
        resource("a", "one", &["others.example/first", OURS, "others.example/last"]),
        resource("a", "two", &["others.example/first"]),
        resource("b", "three", &[OURS]),
    ];
    let told = "SmscFrontend a/one released: its locations stay with the backend\n\
                SmscFrontend b/three released: its locations stay with the backend\n";
    let left = ["one [others.example/first,others.example/last]", "two [others.example/first]", "three []"];
    assert_eq!(
        released(Server { resources, ..Server::default() }, &[]).await,
        (Some(0), told.to_owned(), String::new(), left.map(str::to_owned).to_vec(), 2)
    );
}

#[tokio::test]
async fn only_the_namespaces_that_are_named_are_touched() {
    let resources = ["a", "b", "c"].map(|namespace| resource(namespace, "one", &[OURS])).to_vec();
    let told = "SmscFrontend a/one released: its locations stay with the backend\n\
                SmscFrontend c/one released: its locations stay with the backend\n";
    let left = ["one []", "one [smsc.ims.dev/deregistration]", "one []"];
    assert_eq!(
        released(Server { resources, ..Server::default() }, &["--namespace", "a", "--namespace", "c"]).await,
        (Some(0), told.to_owned(), String::new(), left.map(str::to_owned).to_vec(), 2)
    );
}

#[tokio::test]
async fn a_finalizer_that_somebody_adds_meanwhile_stays() {
    let resources = vec![resource("a", "one", &[OURS])];
    let server = Server { resources, raced: Some("others.example/new"), ..Server::default() };
    let told = "SmscFrontend a/one released: its locations stay with the backend\n";
    let left = vec!["one [others.example/new]".to_owned()];
    assert_eq!(released(server, &[]).await, (Some(0), told.to_owned(), String::new(), left, 1));
}

#[tokio::test]
async fn without_the_definition_or_resources_there_is_nothing_to_do() {
    let nothing = (Some(0), "nothing to release\n".to_owned(), String::new(), vec![], 0);
    assert_eq!(released(Server { undefined: true, ..Server::default() }, &[]).await, nothing);
    assert_eq!(released(Server::default(), &[]).await, nothing);
}

#[tokio::test]
async fn one_that_cannot_be_released_does_not_keep_the_next() {
    let resources = vec![resource("a", "one", &[OURS]), resource("a", "two", &[OURS])];
    let server = Server { resources, forbidden: Some("one"), ..Server::default() };
    let (code, stdout, stderr, left, writes) = released(server, &[]).await;
    assert_eq!(code, Some(1));
    assert_eq!(stdout, "SmscFrontend a/two released: its locations stay with the backend\n");
    assert_eq!(stderr, "smsc-operator: SmscFrontend a/one cannot be released: 403 Forbidden\n");
    assert_eq!((left, writes), (vec![format!("one [{OURS}]"), "two []".to_owned()], 1));
}
