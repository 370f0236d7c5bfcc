//! `spec.backend`: where messages are stored, and how the backend is reached.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The OmniMessage backend, or a store of this project.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.tls) || self.apiBaseURL.startsWith('https://')")
        .message("backend.tls is given, but apiBaseURL is not an https:// URL")
)]
pub struct Backend {
    /// The base of the backend's REST paths, such as https://10.5.198.200:8443.
    #[serde(rename = "apiBaseURL")]
    #[schemars(length(min = 8, max = 1024))]
    #[x_kube(
        validation = Rule::new("self != 'embedded'")
            .message("an embedded backend lives in one pod and would not be shared: install the chart's store (store.enabled) and give its URL"),
        validation = Rule::new(r"self == 'embedded' || self.matches('^https?://[^/?#\\s]+[^?#\\s]*$')")
            .message("apiBaseURL must be an http:// or https:// URL without query or fragment, such as https://10.5.198.200:8443"),
        validation = Rule::new("!self.contains('@')")
            .message("apiBaseURL carries credentials: put a token into a Secret and name it in tokenSecretRef")
    )]
    pub api_base_url: String,

    /// How the backend's certificate is judged and what is shown to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTls>,

    /// A bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<KeyReference>,

    /// The backend's REST paths where they are not the usual ones.
    #[serde(default)]
    pub endpoints: Endpoints,
}

/// TLS towards the backend.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.caRef) || !self.insecureSkipVerify")
        .message("caRef and insecureSkipVerify exclude each other: a certificate is either judged or not")
)]
pub struct BackendTls {
    /// The authorities trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaReference>,
    /// A Secret of type kubernetes.io/tls: the certificate frontends show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert_secret_ref: Option<NameReference>,
    /// Accepts any certificate. For laboratories only.
    #[serde(default)]
    pub insecure_skip_verify: bool,
}

/// What holds PEM certificates of authorities.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, JsonSchema)]
pub struct CaReference {
    /// What kind of object it is.
    pub kind: CaSource,
    /// Its name, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[serde(default = "ca_crt")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// The kinds of object that hold certificates of authorities.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema)]
pub enum CaSource {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// One key of a Secret in the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, JsonSchema)]
pub struct KeyReference {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// An object in the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, JsonSchema)]
pub struct NameReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The backend's REST paths; absent ones are the usual ones.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.frontendRegister) ? self.frontendRegister : '/', has(self.insertLocation) ? self.insertLocation : '/', has(self.insertMessage) ? self.insertMessage : '/', has(self.getQueue) ? self.getQueue : '/', has(self.frontendDeregister) ? self.frontendDeregister : '/', has(self.deleteLocation) ? self.deleteLocation : '/', has(self.processMessage) ? self.processMessage : '/'].all(path, path.startsWith('/'))")
        .message("endpoints are paths: each begins with /"),
    validation = Rule::new("!has(self.frontendDeregister) || self.frontendDeregister.contains('{name}')")
        .message("endpoints.frontendDeregister must contain {name}"),
    validation = Rule::new("!has(self.deleteLocation) || self.deleteLocation.contains('{impu}')")
        .message("endpoints.deleteLocation must contain {impu}"),
    validation = Rule::new("!has(self.processMessage) || self.processMessage.contains('{id}')")
        .message("endpoints.processMessage must contain {id}")
)]
pub struct Endpoints {
    /// POST: registers a frontend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub frontend_register: Option<String>,
    /// DELETE: takes a frontend's registration away; `{name}` is the location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub frontend_deregister: Option<String>,
    /// POST: records where a subscriber can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub insert_location: Option<String>,
    /// DELETE: removes it; `{impu}` is the public identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub delete_location: Option<String>,
    /// POST: hands a message over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub insert_message: Option<String>,
    /// GET: fetches messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub get_queue: Option<String>,
    /// PATCH: reports an attempt; `{id}` is the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub process_message: Option<String>,
}

fn ca_crt() -> String {
    "ca.crt".to_owned()
}
