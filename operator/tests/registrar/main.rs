//! The registrar over real sockets, with credentials from an API server: what it sends, what it says when that fails.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "this is test code")]

mod cluster;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, account, failure};
use futures_util::StreamExt;
use serde_json::{Value, json};
use server::{Server, TOKEN, ca, client_pem, of};
use smsc_backend::FrontendRegistration;
use smsc_crds::Backend;
use smsc_operator::metrics::Metrics;
use smsc_operator::registrar::{Credentials, Key, Registrar, Results, Wanted, Wish, read_credentials};
use smsc_operator::status::{Because, Reason};
use tokio::net::TcpSocket;
use tokio::time::timeout;

const LOCATION: &str = "smsc01.example.org";
const LOOPBACK: &str = "127.0.0.1";

fn key() -> Key {
    Key { namespace: "sms".into(), name: "one".into() }
}

fn backend(spec: Value) -> Backend {
    serde_json::from_value(spec).unwrap()
}

/// A backend that needs everything a resource can name.
fn guarded(url: &str) -> Backend {
    backend(json!({
        "apiBaseURL": url,
        "tls": {"caRef": {"kind": "ConfigMap", "name": "ca"}, "clientCertSecretRef": {"name": "client"}},
        "tokenSecretRef": {"name": "token", "key": "value"},
    }))
}

fn wanted(backend: Backend, registered: &[&str], gone: &[&str]) -> Wanted {
    let wish = |location: &&str| {
        let registration = FrontendRegistration {
            frontend_name: (*location).into(),
            frontend_type: "IMS".into(),
            hostname: (*location).into(),
            ip_address: "192.0.2.1".into(),
            version: "0.1.0".into(),
            uptime_seconds: 0,
            expires_in: 90,
            configuration: BTreeMap::new(),
        };
        ((*location).to_owned(), Wish { registration, incarnation: "pod-1".into() })
    };
    Wanted { backend, registered: registered.iter().map(wish).collect(), gone: set(gone) }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Wants it until the results are `expected`, at each poke.
async fn eventually(registrar: &Registrar, wanted: Wanted, expected: Results) {
    let mut pokes = pin!(registrar.pokes());
    let mut results = registrar.want(&key(), wanted.clone());
    while results != expected {
        let poke = timeout(Duration::from_secs(20), pokes.next()).await;
        assert!(poke.is_ok(), "{results:?} stayed, not {expected:?}");
        results = registrar.want(&key(), wanted.clone());
    }
}

/// The first failure of registering at `backend`.
async fn failure_at(cluster: &Cluster, backend: Backend) -> (Reason, String) {
    let registrar = Registrar::new(cluster.client(), Arc::new(Metrics::new()), account());
    let wanted = wanted(backend, &[LOCATION], &[]);
    registrar.want(&key(), wanted.clone());
    timeout(Duration::from_secs(20), pin!(registrar.pokes()).next()).await.unwrap();
    let Because { reason, message } = registrar.want(&key(), wanted).failure.unwrap();
    (reason, message)
}

#[tokio::test]
async fn a_location_is_registered_and_taken_away_with_credentials_of_the_moment() {
    let (servers, clients, cluster) = (ca("servers"), ca("clients"), Cluster::default());
    let (certificate, private_key) = client_pem(&clients);
    cluster.put("configmaps/ca", &[("ca.crt", &servers.pem())]);
    cluster.put("secrets/client", &[("tls.crt", &certificate), ("tls.key", &private_key)]);
    cluster.put("secrets/token", &[("value", "hunter1")]);
    let server = Server::answering(201).wanting_token();
    let url = server.start_tls(&servers, of(LOOPBACK), Some(&clients)).await;
    let metrics = Arc::new(Metrics::new());
    let registrar = Registrar::new(cluster.client(), metrics.clone(), account());

    let refused = "the backend answered 401 Unauthorized: it wants another token or certificate";
    let refused = Because::new(Reason::BackendDenied, refused);
    let denied = Results { failure: Some(refused), ..Results::default() };
    eventually(&registrar, wanted(guarded(&url), &[LOCATION], &[]), denied).await;

    cluster.put("secrets/token", &[("value", TOKEN)]);
    let registered = Results { registered: set(&[LOCATION]), ..Results::default() };
    eventually(&registrar, wanted(guarded(&url), &[LOCATION], &[]), registered).await;

    let gone = Results { gone: set(&[LOCATION]), ..Results::default() };
    eventually(&registrar, wanted(guarded(&url), &[], &[LOCATION]), gone).await;

    assert_eq!(
        server.seen(),
        [
            "401 POST /api/frontends/register smsc01.example.org",
            "201 POST /api/frontends/register smsc01.example.org",
            "201 DELETE /api/frontends/smsc01.example.org -",
        ]
    );
    let counted = metrics.encode();
    for line in [
        r#"operation="register",outcome="ok"} 1"#,
        r#"operation="register",outcome="BackendDenied"} 1"#,
        r#"operation="deregister",outcome="ok"} 1"#,
    ] {
        assert!(counted.contains(line), "{line} is not in\n{counted}");
    }
}

#[tokio::test]
async fn what_a_backend_does_not_know_is_let_go() {
    let server = Server::answering(404);
    let url = server.start().await;
    let cluster = Cluster::default();
    let registrar = Registrar::new(cluster.client(), Arc::new(Metrics::new()), account());
    let gone = Results { gone: set(&[LOCATION]), ..Results::default() };
    let backend = backend(json!({"apiBaseURL": url}));
    eventually(&registrar, wanted(backend, &[], &[LOCATION]), gone).await;
    assert_eq!(server.seen(), ["404 DELETE /api/frontends/smsc01.example.org -"]);
    assert_eq!(cluster.asked(), [""; 0]);
}

#[tokio::test]
async fn a_failure_is_one_request_and_one_sentence() {
    let cluster = Cluster::default();
    for (status, reason, sentence) in [
        (500, Reason::BackendError, "the backend answered 500 Internal Server Error"),
        (503, Reason::BackendError, "the backend answered 503 Service Unavailable"),
        (
            403,
            Reason::BackendDenied,
            "the backend answered 403 Forbidden: it wants another token or certificate",
        ),
        (408, Reason::BackendUnreachable, "the backend answered 408 Request Timeout"),
        (
            301,
            Reason::BackendError,
            "the backend answered 301 Moved Permanently, which is no answer to this call",
        ),
        (404, Reason::BackendError, "the backend refused location smsc01.example.org: HTTP 404: {}"),
    ] {
        let server = Server::answering(status);
        let backend = backend(json!({"apiBaseURL": server.start().await}));
        assert_eq!(failure_at(&cluster, backend).await, (reason, sentence.to_owned()));
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_backend_without_a_connection_is_said_to_be_so_in_one_phrase() {
    let (ours, other, namesake) = (ca("ours"), ca("other"), ca("ours"));
    let cluster = Cluster::default();
    cluster.put("configmaps/ca", &[("ca.crt", &ours.pem())]);
    let clients = ca("clients");
    let server = Server::answering(200);
    let expired = || {
        let mut params = of(LOOPBACK);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        params
    };
    // A port that is taken and nobody listens at.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = closed.local_addr().unwrap().port();
    let plain = server.start().await;
    for (url, phrase) in [
        (format!("http://127.0.0.1:{port}"), "the backend was not reached: connection refused"),
        (plain.replace("http:", "https:"), "no TLS with the backend: it does not speak TLS"),
        (
            server.start_tls(&other, of(LOOPBACK), None).await,
            "no TLS with the backend: its certificate is of an authority not trusted here",
        ),
        (
            server.start_tls(&namesake, of(LOOPBACK), None).await,
            "no TLS with the backend: its certificate is of an authority not trusted here",
        ),
        (
            server.start_tls(&ours, of("192.0.2.1"), None).await,
            "no TLS with the backend: its certificate is for another name",
        ),
        (
            server.start_tls(&ours, expired(), None).await,
            "no TLS with the backend: its certificate has expired",
        ),
        (
            server.start_tls(&ours, of(LOOPBACK), Some(&clients)).await,
            "no TLS with the backend: it did not accept the certificate shown to it, or none",
        ),
    ] {
        let mut spec = json!({"apiBaseURL": url});
        if url.starts_with("https:") {
            spec["tls"] = json!({"caRef": {"kind": "ConfigMap", "name": "ca"}});
        }
        let (reason, said) = failure_at(&cluster, backend(spec)).await;
        assert_eq!(said, phrase, "{url}");
        let tls = phrase.starts_with("no TLS");
        assert_eq!(reason, if tls { Reason::BackendDenied } else { Reason::BackendUnreachable }, "{url}");
    }
}

#[tokio::test]
async fn no_certificate_is_judged_if_the_resource_says_so() {
    let (servers, cluster) = (ca("servers"), Cluster::default());
    let server = Server::answering(200);
    let url = server.start_tls(&servers, of("192.0.2.1"), None).await;
    let registrar = Registrar::new(cluster.client(), Arc::new(Metrics::new()), account());
    let registered = Results { registered: set(&[LOCATION]), ..Results::default() };
    let backend = backend(json!({"apiBaseURL": url, "tls": {"insecureSkipVerify": true}}));
    eventually(&registrar, wanted(backend, &[LOCATION], &[]), registered).await;
}

#[tokio::test]
async fn credentials_are_read_by_get_and_each_object_where_it_is_named() {
    let cluster = Cluster::default();
    cluster.put("secrets/ca", &[("root", "CA")]);
    cluster.put("secrets/client", &[("tls.crt", "CERT"), ("tls.key", "KEY"), ("other", "")]);
    cluster.put("secrets/token", &[("value", "TOKEN")]);
    let mut named = guarded("https://backend");
    named.tls.as_mut().unwrap().ca_ref =
        serde_json::from_value(json!({"kind": "Secret", "name": "ca", "key": "root"})).unwrap();
    let read = read_credentials(&cluster.client(), &account(), "sms", &named).await.unwrap();
    let expected = Credentials {
        ca_pem: Some("CA".into()),
        client: Some(("CERT".into(), "KEY".into())),
        token: Some("TOKEN".into()),
    };
    assert!(!format!("{read:?}").contains("TOKEN") && !format!("{read:?}").contains("KEY"));
    assert_eq!(read, expected);
    assert_eq!(
        cluster.asked(),
        [
            "GET /api/v1/namespaces/sms/secrets/ca",
            "GET /api/v1/namespaces/sms/secrets/client",
            "GET /api/v1/namespaces/sms/secrets/token",
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_named_with_what_to_do() {
    let spec = guarded("https://127.0.0.1:1");
    let said = async |change: &dyn Fn(&Cluster)| {
        let cluster = Cluster::default();
        cluster.put("configmaps/ca", &[("ca.crt", &ca("servers").pem())]);
        let (certificate, private_key) = client_pem(&ca("clients"));
        cluster.put("secrets/client", &[("tls.crt", &certificate), ("tls.key", &private_key)]);
        cluster.put("secrets/token", &[("value", TOKEN)]);
        change(&cluster);
        let (reason, message) = failure_at(&cluster, spec.clone()).await;
        assert_eq!(reason, Reason::SecretUnreadable, "{message}");
        message
    };
    assert_eq!(
        said(&|cluster| cluster.answer("secrets/client", 403, failure(403, "Forbidden"))).await,
        "the operator may not read Secret sms/client; allow it by: kubectl -n sms create rolebinding \
         smsc-operator-secrets --clusterrole=smsc-operator-secrets --serviceaccount=smsc-system:smsc-operator"
    );
    assert_eq!(
        said(&|cluster| cluster.answer("configmaps/ca", 403, failure(403, "Forbidden"))).await,
        "the operator may not read ConfigMap sms/ca: ServiceAccount smsc-system/smsc-operator needs the verb get on \
         configmaps there"
    );
    assert_eq!(
        said(&|cluster| cluster.answer("secrets/token", 404, failure(404, "NotFound"))).await,
        "Secret sms/token does not exist"
    );
    assert_eq!(
        said(&|cluster| cluster.answer("secrets/token", 500, failure(500, "InternalError"))).await,
        "Secret sms/token was not read: the API server answered 500"
    );
    assert_eq!(
        said(&|cluster| cluster.put("secrets/token", &[("Value", TOKEN)])).await,
        "Secret sms/token has no key value"
    );
    let octets = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {}, "data": {"value": "/w=="}});
    assert_eq!(
        said(&|cluster| cluster.answer("secrets/token", 200, octets.clone())).await,
        "key value of Secret sms/token is not text"
    );
    assert_eq!(
        said(&|cluster| cluster.put("secrets/token", &[("value", "two words")])).await,
        "key value of Secret sms/token cannot be used: token: holds a space or a character that no header can carry"
    );
    assert_eq!(
        said(&|cluster| cluster.put("configmaps/ca", &[("ca.crt", "none")])).await,
        "key ca.crt of ConfigMap sms/ca cannot be used: CA certificate: holds no certificate in PEM form"
    );
    assert_eq!(
        said(&|cluster| cluster.put("secrets/client", &[("tls.crt", "x"), ("tls.key", "hunter2")])).await,
        "Secret sms/client cannot be used: client certificate: it and its key hold no usable PEM"
    );
}
