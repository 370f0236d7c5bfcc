//! An API server in the test's own process: knows some Secrets and ConfigMaps.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use smsc_operator::registrar::Account;
use smsc_operator::settings::ServiceAccount;

/// What each path is answered with; others do not exist.
#[derive(Clone, Default)]
pub struct Cluster {
    answers: Arc<Mutex<BTreeMap<String, (u16, Value)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Cluster {
    /// Puts an object of namespace `sms` in place of an earlier one: `secrets/token` or `configmaps/ca`.
    pub fn put(&self, object: &str, data: &[(&str, &str)]) {
        let encoded = |value: &str| data_encoding::BASE64.encode(value.as_bytes());
        let secret = object.starts_with("secrets/");
        let data: BTreeMap<_, _> = data
            .iter()
            .map(|(key, value)| (*key, if secret { encoded(value) } else { (*value).to_owned() }))
            .collect();
        let kind = if secret { "Secret" } else { "ConfigMap" };
        let body = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": object}, "data": data});
        self.answer(object, 200, body);
    }

    /// Answers a `get` of the object with this.
    pub fn answer(&self, object: &str, status: u16, body: Value) {
        self.answers.lock().unwrap().insert(format!("/api/v1/namespaces/sms/{object}"), (status, body));
    }

    /// Requests so far: method and path.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub fn client(&self) -> kube::Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move { Ok::<_, Infallible>(cluster.handle(&request)) }
        });
        kube::Client::new(service, "default")
    }

    fn handle(&self, request: &Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        self.asked.lock().unwrap().push(format!("{} {path}", request.method()));
        let found = self.answers.lock().unwrap().get(path).cloned();
        let (status, body) = found.unwrap_or_else(|| (404, failure(404, "NotFound")));
        let body = Body::from(serde_json::to_vec(&body).unwrap());
        Response::builder().status(status).body(body).unwrap()
    }
}

/// What an API server says when it refuses. The request number stands for whatever differs each time.
pub fn failure(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
           "message": "request 7f3a"})
}

pub fn account() -> Account {
    Account {
        secrets_role: "smsc-operator-secrets".into(),
        operator: ServiceAccount { namespace: "smsc-system".into(), name: "smsc-operator".into() },
    }
}
