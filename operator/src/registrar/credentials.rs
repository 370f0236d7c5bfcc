//! The Secrets and ConfigMaps that `spec.backend` names: read by `get` only, and only when a call is to be made.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use smsc_backend::rest::RestError;
use smsc_crds::{Backend, BackendTls, CaSource};

use crate::settings::ServiceAccount;
use crate::status::{Because, Reason};

/// The keys of a Secret of type kubernetes.io/tls.
const TLS_CERTIFICATE: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";

/// Who the operator is in the cluster: named when it is denied something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The ClusterRole that allows to `get` Secrets.
    pub secrets_role: String,
    /// The operator's own ServiceAccount.
    pub operator: ServiceAccount,
}

/// What is shown to a backend, and by what it is judged. Lives as long as one round of calls.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The authorities trusted instead of the system's (PEM).
    pub ca_pem: Option<String>,
    /// The certificate shown (PEM), and its key.
    pub client: Option<(String, String)>,
    /// The bearer token.
    pub token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("ca_pem", &self.ca_pem.is_some())
            .field("client", &self.client.is_some())
            .field("token", &self.token.is_some())
            .finish()
    }
}

/// Reads what `backend` names in `namespace`, as it is now.
///
/// # Errors
/// One sentence that says which object is missing, lacks what, or what to do so that it may be read.
pub async fn read_credentials(
    client: &kube::Client,
    account: &Account,
    namespace: &str,
    backend: &Backend,
) -> Result<Credentials, Because> {
    let reader = Reader { client, account, namespace };
    let Backend { api_base_url: _, tls, token_secret_ref, endpoints: _ } = backend;
    let mut credentials = Credentials::default();
    if let Some(BackendTls { ca_ref, client_cert_secret_ref, insecure_skip_verify: _ }) = tls {
        if let Some(ca) = ca_ref {
            let kind = match ca.kind {
                CaSource::Secret => Kind::Secret,
                CaSource::ConfigMap => Kind::ConfigMap,
            };
            let [pem] = reader.values(kind, &ca.name, [&ca.key]).await?;
            credentials.ca_pem = Some(pem);
        }
        if let Some(secret) = client_cert_secret_ref {
            let [certificate, key] =
                reader.values(Kind::Secret, &secret.name, [TLS_CERTIFICATE, TLS_KEY]).await?;
            credentials.client = Some((certificate, key));
        }
    }
    if let Some(secret) = token_secret_ref {
        let [token] = reader.values(Kind::Secret, &secret.name, [&secret.key]).await?;
        credentials.token = Some(token);
    }
    Ok(credentials)
}

/// Why what was read is of no use, with the object it came from.
pub(super) fn unusable(namespace: &str, backend: &Backend, error: &RestError) -> Because {
    let tls = backend.tls.as_ref();
    let origin = match error {
        RestError::Value { what: "CA certificate", .. } => tls
            .and_then(|tls| tls.ca_ref.as_ref())
            .map(|ca| format!("key {} of {:?} {namespace}/{}", ca.key, ca.kind, ca.name)),
        RestError::Value { what: "token", .. } => backend
            .token_secret_ref
            .as_ref()
            .map(|token| format!("key {} of Secret {namespace}/{}", token.key, token.name)),
        // What does not go together is the client certificate and its key.
        _ => tls
            .and_then(|tls| tls.client_cert_secret_ref.as_ref())
            .map(|secret| format!("Secret {namespace}/{}", secret.name)),
    };
    let origin = origin.unwrap_or_else(|| "what spec.backend names".to_owned());
    Because::new(Reason::SecretUnreadable, format!("{origin} cannot be used: {error}"))
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Secret,
    ConfigMap,
}

struct Reader<'a> {
    client: &'a kube::Client,
    account: &'a Account,
    namespace: &'a str,
}

impl Reader<'_> {
    /// The values of `keys` in one object.
    async fn values<const N: usize>(
        &self,
        kind: Kind,
        name: &str,
        keys: [&str; N],
    ) -> Result<[String; N], Because> {
        let Self { client, namespace, .. } = *self;
        let object = format!("{kind:?} {namespace}/{name}");
        let denied = |error| self.denied(kind, &object, &error);
        let data: BTreeMap<String, Vec<u8>> = match kind {
            Kind::Secret => {
                let secret = Api::<Secret>::namespaced(client.clone(), namespace).get(name).await;
                let data = secret.map_err(denied)?.data.unwrap_or_default();
                data.into_iter().map(|(key, value)| (key, value.0)).collect()
            }
            Kind::ConfigMap => {
                let map = Api::<ConfigMap>::namespaced(client.clone(), namespace).get(name).await;
                let data = map.map_err(denied)?.data.unwrap_or_default();
                data.into_iter().map(|(key, value)| (key, value.into_bytes())).collect()
            }
        };
        let mut values = [const { String::new() }; N];
        for (slot, key) in values.iter_mut().zip(keys) {
            let refuse = |text| Because::new(Reason::SecretUnreadable, text);
            let octets = data.get(key).ok_or_else(|| refuse(format!("{object} has no key {key}")))?;
            *slot = String::from_utf8(octets.clone())
                .map_err(|_| refuse(format!("key {key} of {object} is not text")))?;
        }
        Ok(values)
    }

    /// What a failed `get` means. What the API server says besides is left out: it may differ each time.
    fn denied(&self, kind: Kind, object: &str, error: &kube::Error) -> Because {
        tracing::debug!(%error, object, "not read");
        let Account { secrets_role, operator } = self.account;
        let ServiceAccount { namespace: home, name: service_account } = operator;
        let message = match (error, kind) {
            (kube::Error::Api(status), Kind::Secret) if status.code == 403 => format!(
                "the operator may not read {object}; allow it by: {}",
                operator.binding(secrets_role, self.namespace)
            ),
            (kube::Error::Api(status), Kind::ConfigMap) if status.code == 403 => format!(
                "the operator may not read {object}: ServiceAccount {home}/{service_account} needs the verb get on \
                 configmaps there"
            ),
            (kube::Error::Api(status), _) if status.code == 404 => format!("{object} does not exist"),
            (kube::Error::Api(status), _) => {
                format!("{object} was not read: the API server answered {}", status.code)
            }
            _ => format!("{object} was not read: the API server was not reached"),
        };
        Because::new(Reason::SecretUnreadable, message)
    }
}
