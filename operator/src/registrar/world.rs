//! What the registrar needs of the world: credentials out of the cluster, and calls to a backend.

use std::future::Future;
use std::time::Duration;

use smsc_backend::rest::{BreakerConfig, Endpoints, RestBackend, RestConfig, RestError, RetryConfig};
use smsc_backend::{Backend as _, BackendError, FrontendRegistration};
use smsc_crds::Backend;

use super::credentials::{Account, Credentials, read_credentials, unusable};
use crate::status::{Because, Reason};

/// The limit for one call, and for reading what it needs.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Calls under way at once, of one task.
pub(super) const AT_ONCE: usize = 4;

/// Tasks of different namespaces or credentials that call the same URL at once; the others wait for their turn.
pub(super) const TASKS_AT_ONCE: usize = 4;

/// One call to a backend.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// `frontend_register`, an upsert.
    Register(FrontendRegistration),
    /// `frontend_deregister` of a location; absent is success.
    Deregister(String),
}

impl Call {
    /// The word in metrics and logs.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::Deregister(_) => "deregister",
        }
    }
}

/// The cluster and the backends, or a test's own.
pub trait World: Send + Sync + 'static {
    /// A client with the credentials of the moment it was made.
    type Session: Send + Sync;

    /// Reads what `backend` names in `namespace` and makes a client of it. Sends nothing to the backend.
    fn open(
        &self,
        namespace: &str,
        backend: &Backend,
    ) -> impl Future<Output = Result<Self::Session, Because>> + Send;

    /// Calls the backend once.
    fn call(
        &self,
        session: &Self::Session,
        call: Call,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;
}

/// The real one.
pub struct Cluster {
    client: kube::Client,
    account: Account,
}

impl Cluster {
    /// Reads through `client`, as `account`.
    #[must_use]
    pub const fn new(client: kube::Client, account: Account) -> Self {
        Self { client, account }
    }
}

impl World for Cluster {
    type Session = RestBackend;

    async fn open(&self, namespace: &str, backend: &Backend) -> Result<RestBackend, Because> {
        let credentials = read_credentials(&self.client, &self.account, namespace, backend).await?;
        RestBackend::new(rest_config(backend, credentials)).map_err(|error| match error {
            RestError::BaseUrl { .. } | RestError::Endpoint { .. } => {
                Because::new(Reason::InvalidSpec, error.to_string())
            }
            RestError::Value { .. } | RestError::File { .. } | RestError::Setting(_) => {
                unusable(namespace, backend, &error)
            }
        })
    }

    async fn call(&self, session: &RestBackend, call: Call) -> Result<(), BackendError> {
        match call {
            Call::Register(registration) => session.frontend_register(registration).await,
            Call::Deregister(location) => session.frontend_deregister(location).await,
        }
    }
}

/// A client that sends one request for one call: when to try again is decided here alone.
fn rest_config(backend: &Backend, credentials: Credentials) -> RestConfig {
    let Backend { api_base_url, tls, token_secret_ref: _, endpoints } = backend;
    let Credentials { ca_pem, client, token } = credentials;
    let (client_cert_pem, client_key_pem) = client.unzip();
    RestConfig {
        endpoints: paths(endpoints),
        ca_pem,
        client_cert_pem,
        client_key_pem,
        insecure_skip_verify: tls.as_ref().is_some_and(|tls| tls.insecure_skip_verify),
        token,
        timeout: CALL_LIMIT,
        connect_timeout: CALL_LIMIT / 2,
        max_in_flight: AT_ONCE,
        max_body: 64 << 10,
        retry: RetryConfig { repeats: 0, ..RetryConfig::default() },
        breaker: BreakerConfig { failures: 0, ..BreakerConfig::default() },
        user_agent: concat!("smsc-operator/", env!("CARGO_PKG_VERSION")).to_owned(),
        ..RestConfig::new(api_base_url)
    }
}

fn paths(endpoints: &smsc_crds::Endpoints) -> Endpoints {
    let smsc_crds::Endpoints {
        frontend_register,
        frontend_deregister,
        insert_location,
        delete_location,
        insert_message,
        get_queue,
        process_message,
    } = endpoints;
    let mut paths = Endpoints::default();
    for (path, given) in [
        (&mut paths.frontend_register, frontend_register),
        (&mut paths.frontend_deregister, frontend_deregister),
        (&mut paths.insert_location, insert_location),
        (&mut paths.delete_location, delete_location),
        (&mut paths.insert_message, insert_message),
        (&mut paths.get_queue, get_queue),
        (&mut paths.process_message, process_message),
    ] {
        if let Some(given) = given {
            path.clone_from(given);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_the_resource_reaches_the_client() {
        let backend: Backend = serde_json::from_value(serde_json::json!({
            "apiBaseURL": "https://10.5.198.200:8443",
            "tls": {"insecureSkipVerify": true},
            "endpoints": {
                "frontendRegister": "/a", "frontendDeregister": "/b/{name}", "insertLocation": "/c",
                "deleteLocation": "/d/{impu}", "insertMessage": "/e", "getQueue": "/f", "processMessage": "/g/{id}"
            }
        }))
        .unwrap();
        let text = |text: &str| Some(text.to_owned());
        let credentials =
            Credentials { ca_pem: text("ca"), client: Some(("c".into(), "k".into())), token: text("t") };
        let expected = RestConfig {
            endpoints: Endpoints {
                frontend_register: "/a".into(),
                frontend_deregister: "/b/{name}".into(),
                insert_location: "/c".into(),
                delete_location: "/d/{impu}".into(),
                insert_message: "/e".into(),
                get_queue: "/f".into(),
                process_message: "/g/{id}".into(),
                ..Endpoints::default()
            },
            ca_pem: text("ca"),
            client_cert_pem: text("c"),
            client_key_pem: text("k"),
            insecure_skip_verify: true,
            token: text("t"),
            timeout: CALL_LIMIT,
            connect_timeout: Duration::from_secs(5),
            max_in_flight: 4,
            max_body: 65536,
            retry: RetryConfig { repeats: 0, ..RetryConfig::default() },
            breaker: BreakerConfig { failures: 0, ..BreakerConfig::default() },
            user_agent: format!("smsc-operator/{}", env!("CARGO_PKG_VERSION")),
            ..RestConfig::new("https://10.5.198.200:8443")
        };
        assert_eq!(rest_config(&backend, credentials), expected);
    }
}
