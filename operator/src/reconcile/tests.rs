//! One pass against an API server that is made up: what it asks, what it writes, when it comes again.

use std::sync::Mutex;

use http::{Method, Request, Response};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};
use smsc_crds::SmscFrontend;
use tower::service_fn;

use super::context::Memory;
use super::*;
use crate::names::FINALIZER;
use crate::settings::ServiceAccount;
use crate::status::Reason;

/// Method and path of each request, with its body.
type Requests = Arc<Mutex<Vec<(Method, String, Value)>>>;

/// A server that answers writes with what was written, or with the code that `refuses` gives; it has nothing.
fn server(refuses: fn(&Method, &str) -> Option<u16>) -> (Client, Requests) {
    let requests = Requests::default();
    let seen = requests.clone();
    let answer = move |request: Request<Body>| {
        let seen = seen.clone();
        async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let body = request.into_body().collect_bytes().await.expect("a body");
            let written: Value = serde_json::from_slice(&body).unwrap_or_default();
            let found = refuses(&method, &path).or((method == Method::GET).then_some(404));
            seen.lock().expect("no panic").push((method, path.clone(), written.clone()));
            let (code, answer) = match found {
                None if path.ends_with("/status") => (200, json!(resource(json!({}), json!({})))),
                None => (200, written),
                Some(code) => (
                    code,
                    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no",
                        "reason": if code == 404 { "NotFound" } else { "" }}),
                ),
            };
            let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, Infallible>(answer.expect("a response"))
        }
    };
    (Client::new(service_fn(answer), "default"), requests)
}

fn context(client: &Client) -> Context {
    let settings = Settings {
        namespaces: Vec::new(),
        frontend_image: "smsc-frontend:1".to_owned(),
        secrets_role: "smsc-secrets".to_owned(),
        operator: ServiceAccount { namespace: "ops".to_owned(), name: "smsc".to_owned() },
        instance: "smsc-0".to_owned(),
    };
    let (scope, _) = Scope::watch(client, None);
    Context::new(client.clone(), settings, Arc::new(Metrics::new()), vec![scope]).expect("a context")
}

fn resource(metadata: Value, sip: Value) -> SmscFrontend {
    let mut all = json!({"name": "home", "namespace": "ims", "uid": "u", "generation": 2, "resourceVersion": "7",
        "finalizers": [FINALIZER]});
    all.as_object_mut().expect("an object").extend(metadata.as_object().cloned().unwrap_or_default());
    serde_json::from_value(json!({
        "apiVersion": "smsc.ims.dev/v1alpha1", "kind": "SmscFrontend", "metadata": all,
        "spec": {"imsDomain": "ims.example.org", "location": "smsc01.example.org", "sip": sip,
            "backend": {"apiBaseURL": "http://backend"}}
    }))
    .expect("the fixture is of the right shape")
}

async fn pass(
    context: &Context,
    resource: &SmscFrontend,
    prepare: impl FnOnce(&mut Memory),
) -> pass::Outcome {
    let pass = Pass::of(context, resource).expect("it is complete");
    let mut memory = context.recall(&pass.key, &pass.uid);
    prepare(&mut memory);
    pass.run(&mut memory).await
}

/// The bodies of what was written where `path` ends so.
fn written(requests: &Requests, path: &str) -> Vec<Value> {
    let requests = requests.lock().expect("no panic");
    let those = requests.iter().filter(|(method, at, _)| *method == Method::PATCH && at.ends_with(path));
    those.map(|(.., body)| body.clone()).collect()
}

#[tokio::test]
async fn a_status_is_not_made_of_a_cache_that_is_old() {
    let old = |method: &Method, path: &str| {
        (*method == Method::PATCH && path.ends_with("/configmaps/home-config")).then_some(409)
    };
    let (client, requests) = server(old);
    let (_, again) = pass(&context(&client), &resource(json!({}), json!({})), |_| {}).await;
    assert!(again.is_some_and(|again| again < Duration::from_secs(1)), "{again:?}");
    assert_eq!(written(&requests, "/smscfrontends/home/status"), [] as [Value; 0]);
    assert_eq!(written(&requests, "/statefulsets/home"), [] as [Value; 0]);
}

#[tokio::test]
async fn a_resource_that_waits_for_an_address_waits_for_a_change() {
    let (client, requests) = server(|_, _| None);
    let sip = json!({"exposure": {"type": "Service", "service": {"type": "LoadBalancer"}},
        "advertise": {"from": "LoadBalancer"}});
    let outcome = pass(&context(&client), &resource(json!({}), sip), |_| {}).await;
    assert_eq!(outcome, (Reason::AddressPending, None));
    assert_eq!(
        (written(&requests, "/home-sip").len(), written(&requests, "/statefulsets/home").len()),
        (1, 0)
    );
}

#[tokio::test]
async fn what_was_refused_for_good_is_tried_again_all_the_same() {
    let refused = |method: &Method, path: &str| {
        (*method == Method::PATCH && path.ends_with("/statefulsets/home")).then_some(422)
    };
    let (client, _) = server(refused);
    let (reason, again) = pass(&context(&client), &resource(json!({}), json!({})), |_| {}).await;
    assert_eq!((reason, again.is_some()), (Reason::InvalidSpec, true));
}

#[tokio::test]
async fn a_resource_that_goes_is_let_go_at_its_deadline_whatever_is_refused() {
    let (client, requests) = server(|method, _| (*method == Method::GET).then_some(403));
    let context = context(&client);
    let going = resource(json!({"deletionTimestamp": "2026-11-21T12:00:00Z"}), json!({}));
    let (_, again) = pass(&context, &going, |_| {}).await;
    assert!(again.is_some());
    assert_eq!(written(&requests, "/smscfrontends/home"), [] as [Value; 0], "nobody has tried yet");
    let (_, again) = pass(&context, &going, |memory| memory.going = Some(Timestamp::UNIX_EPOCH)).await;
    assert_eq!(again, None);
    let patch = json!({"metadata": {"uid": "u", "resourceVersion": "7", "finalizers": []}});
    assert_eq!(written(&requests, "/smscfrontends/home"), [patch]);
}
