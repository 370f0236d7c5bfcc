//! [`Config`]: the whole file, how to read and write it, and what follows from it.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::check::{self, Purpose};
use crate::network::Network;
use crate::problem::{Finding, KeyPath, Position, Problem, Problems};
use crate::sections::{Advertise, Limits, Mt, Polling, RegEvent, Sip, Timers};
use crate::surroundings::{Admin, Dns, Endpoints, Log, Relay, Store, Tls};
use crate::values::{ApiBaseUrl, Listen, ReportUri, Transport, digits};
use crate::{keys, load, locate, names};

/// The largest file that is read, in octets; a full one has about 4 000.
const LARGEST: u64 = 1 << 20;

/// config.yaml. Serialises with every key; [`Config::to_yaml`] writes those that differ from the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a mapping of keys, such as `location: smsc01.example.org`"
)]
pub struct Config {
    /// Version of this file's form; 1.
    pub version: u32,
    /// The backend. `run` refuses a file without it.
    pub api_base_url: Option<ApiBaseUrl>,
    /// This frontend's identity towards the backend, a fully qualified name unique per frontend instance.
    pub location: String,
    /// If present, every request towards the core goes there.
    pub s_cscf_sip_uri: Option<String>,
    /// The IMS domain: subscriber URIs are built from it, and its S-CSCF is looked up by it.
    pub ims_domain: String,
    /// The service centre's number for RP-OA, digits with or without `+`; absent: only what a row carries.
    #[serde(deserialize_with = "digits::optional")]
    pub sc_address: Option<String>,
    /// This pod's ordinal; absent: see [`Config::ordinal`].
    pub ordinal: Option<u8>,
    /// Names this state of the configuration, opaque; shown in `/status`.
    pub generation: Option<String>,
    /// SIP listeners.
    pub listen: Vec<Listen>,
    /// What Via and Contact say.
    pub advertise: Advertise,
    /// Who may send requests; absent: the addresses of `s_cscf_sip_uri` and `ims_domain`, and loopback.
    pub trusted_peers: Option<Vec<Network>>,
    /// How next hops are looked up.
    pub dns: Dns,
    /// How this frontend shows itself to handsets and core.
    pub sip: Sip,
    /// Subscriptions to the `reg` event.
    pub reg_event: RegEvent,
    /// When and for which locations the queue is asked.
    pub polling: Polling,
    /// How messages go to handsets.
    pub mt: Mt,
    /// Every protocol timer.
    pub timers: Timers,
    /// Towards the backend.
    pub tls: Tls,
    /// Reports between pods.
    pub relay: Relay,
    /// The store-and-forward backend.
    pub store: Store,
    /// Health, metrics, status.
    pub admin: Admin,
    /// The caps of everything that grows.
    pub limits: Limits,
    /// The backend's REST paths.
    pub endpoints: Endpoints,
    /// What is logged and how.
    pub log: Log,
}

impl Default for Config {
    /// Every key's default. `location` and `ims_domain` have none and are empty, which [`Config::check`] refuses.
    fn default() -> Self {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        Self {
            version: 1,
            api_base_url: None,
            location: String::new(),
            s_cscf_sip_uri: None,
            ims_domain: String::new(),
            sc_address: None,
            ordinal: None,
            generation: None,
            listen: [Transport::Udp, Transport::Tcp]
                .map(|transport| Listen { transport, address: everywhere })
                .to_vec(),
            advertise: Advertise::default(),
            trusted_peers: None,
            dns: Dns::default(),
            sip: Sip::default(),
            reg_event: RegEvent::default(),
            polling: Polling::default(),
            mt: Mt::default(),
            timers: Timers::default(),
            tls: Tls::default(),
            relay: Relay::default(),
            store: Store::default(),
            admin: Admin::default(),
            limits: Limits::default(),
            endpoints: Endpoints::default(),
            log: Log::default(),
        }
    }
}

impl Config {
    /// Reads and checks a file that must name `location` and `ims_domain` ([`Purpose::Frontend`]).
    ///
    /// # Errors
    /// Everything wrong with it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::load_for(path, Purpose::Frontend)
    }

    /// Reads and checks a file for a purpose.
    ///
    /// # Errors
    /// Everything wrong with it; or that it cannot be read, is not UTF-8, or is larger than 1 MiB.
    pub fn load_for(path: &Path, purpose: Purpose) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = read(path).map_err(|reason| {
            Problems(vec![Problem { file: file.clone(), position: None, key: String::new(), reason }])
        })?;
        load::parse(&text, &file, purpose)
    }

    /// Reads and checks text; `file` is what problems call it ([`Purpose::Frontend`]).
    ///
    /// # Errors
    /// Everything wrong with it.
    pub fn parse(text: &str, file: &str) -> Result<Self, Problems> {
        load::parse(text, file, Purpose::Frontend)
    }

    /// Reads and checks text for a purpose.
    ///
    /// # Errors
    /// Everything wrong with it.
    pub fn parse_for(text: &str, file: &str, purpose: Purpose) -> Result<Self, Problems> {
        load::parse(text, file, purpose)
    }

    /// Where a key such as `sip.tls.key_file` stands in a file: for mistakes that only show later. Where the key is not
    /// there, the nearest section around it; `None` if the file cannot be read.
    pub fn position(path: &Path, key: &str) -> Option<Position> {
        locate::position(&read(path).ok()?, &KeyPath::from(key))
    }

    /// Checks a configuration that was built, not read: the same checks as a file's.
    ///
    /// # Errors
    /// Everything wrong with it, without file and place.
    pub fn check(&self, purpose: Purpose) -> Result<(), Problems> {
        let problems: Vec<Problem> = check::values(self, purpose)
            .into_iter()
            .chain(check::relations(self, purpose))
            .map(|Finding { path, reason }| Problem {
                file: String::new(),
                position: None,
                key: path.to_string(),
                reason,
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// Writes the keys that differ from their defaults, and no others: what an older frontend does not know stays
    /// out of its file until somebody uses it.
    ///
    /// # Panics
    /// If a path was set that is not UTF-8; none that was read is.
    pub fn to_yaml(&self) -> String {
        let differing = keys::difference(keys::section(self), &keys::section(&Self::default()));
        serde_yaml::to_string(&differing).expect("a tree of text keys can be written")
    }

    /// This pod's ordinal: the key `ordinal`, else the digits that end the first label of the host name (0 without).
    pub fn ordinal(&self, host_name: &str) -> u8 {
        self.ordinal.unwrap_or_else(|| names::host_ordinal(host_name))
    }

    /// Where handsets send their reports: the key `sip.report_uri`, else `sip:smsc@<location>`.
    pub fn report_uri(&self) -> ReportUri {
        self.sip.report_uri.clone().unwrap_or_else(|| ReportUri::Fixed(format!("sip:smsc@{}", self.location)))
    }

    /// The locations this pod polls: the key `polling.locations`, else its own.
    pub fn polled_locations(&self) -> &[String] {
        self.polling.locations.as_deref().unwrap_or(std::slice::from_ref(&self.location))
    }
}

fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut octets = Vec::new();
    File::open(path).map_err(unreadable)?.take(LARGEST + 1).read_to_end(&mut octets).map_err(unreadable)?;
    if octets.len() as u64 > LARGEST {
        return Err(format!("is larger than {LARGEST} octets"));
    }
    String::from_utf8(octets).map_err(|error| format!("is not UTF-8: {}", error.utf8_error()))
}
