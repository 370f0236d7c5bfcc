//! The sections that concern everything around SIP: `dns`, `tls`, `relay`, `store`, `admin`, `endpoints`,
//! `log`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::values::digits;

/// The placeholder in `relay.peers`.
pub(crate) const ORDINAL: &str = "{ordinal}";

/// `dns`: how next hops are looked up (RFC 3263: NAPTR, SRV, A and AAAA).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Dns {
    /// The servers to ask, as a core with a DNS of its own needs; empty: the system's resolver configuration.
    pub servers: Vec<SocketAddr>,
    /// How long the answer to one question may take, repeats and other servers included.
    #[serde(with = "crate::duration")]
    pub timeout: Duration,
}

impl Default for Dns {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout: Duration::from_secs(2) }
    }
}

/// `tls`: towards the backend. Secrets are file paths, never values; files are read again when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Tls {
    /// PEM certificates of the authorities trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM client certificate; together with `client_key_file`.
    pub client_cert_file: Option<PathBuf>,
    /// PEM private key of the client certificate.
    pub client_key_file: Option<PathBuf>,
    /// Accepts any certificate. For laboratories only.
    pub insecure_skip_verify: bool,
    /// A bearer token for the backend.
    pub token_file: Option<PathBuf>,
}

/// `relay`: reports that reached a pod other than the one that sent the message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Relay {
    /// Where reports from other pods are taken; absent: nowhere.
    pub listen: Option<SocketAddr>,
    /// The URL of another pod's relay listener, with `{ordinal}` for its ordinal.
    pub peers: Option<String>,
    /// Key files: the first signs, all verify. Tokens and relayed reports are authenticated by them.
    pub key_files: Vec<PathBuf>,
}

impl Relay {
    /// The URL of pod `ordinal`'s relay listener, if peers are configured.
    pub fn peer(&self, ordinal: u8) -> Option<String> {
        self.peers.as_ref().map(|template| template.replace(ORDINAL, &ordinal.to_string()))
    }
}

/// One routing rule of the store: numbers with this prefix go to that location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a rule with `prefix` and `location`")]
pub struct Route {
    /// Digits the destination begins with, `+` first if it has TON 1; empty: every number.
    #[serde(deserialize_with = "digits::deserialize")]
    pub prefix: String,
    /// The location whose queue the message joins.
    pub location: String,
}

/// `store.numbering`: how numbers are dialled here, to bring them to the international form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Numbering {
    /// The country code's digits; absent: national numbers are left as dialled.
    #[serde(deserialize_with = "digits::optional")]
    pub country_code: Option<String>,
    /// What precedes a national number; may be empty.
    #[serde(deserialize_with = "digits::deserialize")]
    pub national_prefix: String,
    /// What precedes an international number; may be empty.
    #[serde(deserialize_with = "digits::deserialize")]
    pub international_prefix: String,
}

impl Default for Numbering {
    fn default() -> Self {
        Self { country_code: None, national_prefix: "0".to_owned(), international_prefix: "00".to_owned() }
    }
}

/// `store.retry`: waits before the next attempt, by what the last one came to. The last step repeats until the
/// message expires. Registration and RP-SMMA make a message due at once, whatever the step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Retry {
    /// After a temporary failure of no better known kind.
    #[serde(with = "crate::duration::list")]
    pub failed: Vec<Duration>,
    /// After congestion of network or handset (RP-Cause 41, 42, 47; 429, 503).
    #[serde(with = "crate::duration::list")]
    pub congestion: Vec<Duration>,
    /// After `unknown`: the handset may have the message.
    #[serde(with = "crate::duration::list")]
    pub unknown: Vec<Duration>,
    /// After `absent` for `no_answer`: registered, but silent.
    #[serde(with = "crate::duration::list")]
    pub no_answer: Vec<Duration>,
    /// After `absent` for any other reason.
    #[serde(with = "crate::duration::list")]
    pub absent: Vec<Duration>,
    /// After `memory_full`.
    #[serde(with = "crate::duration::list")]
    pub memory_full: Vec<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 3600;
        let steps = |seconds: &[u64]| seconds.iter().copied().map(Duration::from_secs).collect();
        Self {
            failed: steps(&[30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR]),
            congestion: steps(&[10, 30, MINUTE, 3 * MINUTE, 10 * MINUTE]),
            unknown: steps(&[MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR]),
            no_answer: steps(&[2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR]),
            absent: steps(&[30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR]),
            memory_full: steps(&[30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR]),
        }
    }
}

/// `store`: the store-and-forward backend, in this process (`api_base_url: embedded`) or as `smsc-frontend store`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Store {
    /// The database file.
    pub path: PathBuf,
    /// Where `smsc-frontend store` serves.
    pub listen: SocketAddr,
    /// How long a message is tried that came without TP-VP.
    #[serde(with = "crate::duration")]
    pub default_validity: Duration,
    /// The longest a message is tried, whatever its TP-VP asks for.
    #[serde(with = "crate::duration")]
    pub max_validity: Duration,
    /// How long a finished message keeps its content.
    #[serde(with = "crate::duration")]
    pub body_retention: Duration,
    /// How long a finished message is known at all, for `why`, late reports and repeated keys.
    #[serde(with = "crate::duration")]
    pub retention: Duration,
    /// How long a message handed out by `get_queue` belongs to that frontend.
    #[serde(with = "crate::duration")]
    pub lease: Duration,
    /// Back-off steps.
    pub retry: Retry,
    /// For destinations that are not registered; the first match decides.
    pub routes: Vec<Route>,
    /// How numbers are dialled here.
    pub numbering: Numbering,
    /// Messages without a final outcome; at the cap new ones are refused as "try later".
    pub max_messages: u64,
    /// Messages in all; at the cap the oldest finished ones go before their retention is over.
    pub max_rows: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: PathBuf::from("smsc.db"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8444)),
            default_validity: Duration::from_secs(3 * 86_400),
            max_validity: Duration::from_secs(14 * 86_400),
            body_retention: Duration::from_secs(86_400),
            retention: Duration::from_secs(7 * 86_400),
            lease: Duration::from_secs(180),
            retry: Retry::default(),
            routes: Vec::new(),
            numbering: Numbering::default(),
            max_messages: 1_000_000,
            max_rows: 10_000_000,
        }
    }
}

/// `admin`: `/livez`, `/readyz`, `/metrics`, `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Admin {
    /// Where it is served; `null`: nowhere.
    pub listen: Option<SocketAddr>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))) }
    }
}

/// `endpoints`: the backend's REST paths. The vendor's reference is not public, so each can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Endpoints {
    /// POST: registers this frontend.
    pub frontend_register: String,
    /// DELETE: takes its registration away; `{name}` is the location.
    pub frontend_deregister: String,
    /// POST: records where a subscriber can be reached.
    pub insert_location: String,
    /// DELETE: removes it; `{impu}` is the public identity.
    pub delete_location: String,
    /// POST: hands a message over.
    pub insert_message: String,
    /// GET: fetches messages.
    pub get_queue: String,
    /// PATCH: reports an attempt; `{id}` is the message.
    pub process_message: String,
    /// GET: one message's history, for `why`; `{id}` is the message. The embedded store serves it.
    pub message_history: String,
    /// GET: a number's newest messages, for `why`. The embedded store serves it.
    pub msisdn_history: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            frontend_register: "/api/frontends/register".to_owned(),
            frontend_deregister: "/api/frontends/{name}".to_owned(),
            insert_location: "/api/locations".to_owned(),
            delete_location: "/api/locations/{impu}".to_owned(),
            insert_message: "/api/messages".to_owned(),
            get_queue: "/api/messages/get_queue".to_owned(),
            process_message: "/api/messages/{id}".to_owned(),
            message_history: "/api/messages/{id}/history".to_owned(),
            msisdn_history: "/api/messages/history".to_owned(),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `log`: what is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Log {
    /// A level, or levels by target: `info`, `info,smsc_frontend::mt=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}
