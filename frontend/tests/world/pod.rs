//! One frontend: a real engine with the settings of its ordinal, and its lives.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smsc_frontend::engine::{
    CallId, Caps, Engine, Keys, Metrics, Now, RegisterInfo, RelayedReport, ReportUri, Settings, Step, Timers,
    Trusted,
};
use smsc_proto::sip::transaction;
use smsc_proto::sms::Address;

/// The relay key of every pod.
pub(crate) const KEY: &[u8] = b"a key of the operator's making";
/// The IMS domain.
pub(crate) const DOMAIN: &str = "ims.mnc001.mcc001.3gppnetwork.org";

/// A frontend.
pub(crate) struct Pod {
    /// The engine; `None` while the pod is dead.
    pub(crate) engine: Option<Engine>,
    /// How often it was started.
    pub(crate) life: u32,
    /// When earlier lives ended.
    pub(crate) deaths: Vec<Duration>,
    /// Its counters, of all lives.
    pub(crate) metrics: Arc<Metrics>,
    /// What it told while `narrate` is set.
    pub(crate) steps: Vec<Step>,
    /// Reports it passed on.
    pub(crate) relays: Vec<RelayedReport>,
    pub(super) relayed: BTreeMap<u64, (usize, u32, CallId)>,
    /// What it starts with.
    pub(crate) settings: Settings,
    seed: u64,
}

impl Pod {
    pub(super) fn new(ordinal: usize, pods: usize, now: Now, adjust: &impl Fn(&mut Settings)) -> Self {
        let mut settings = settings(ordinal, pods);
        adjust(&mut settings);
        let mut pod = Self {
            engine: None,
            life: 0,
            deaths: Vec::new(),
            metrics: Arc::default(),
            steps: Vec::new(),
            relays: Vec::new(),
            relayed: BTreeMap::new(),
            settings,
            seed: 1000 * (ordinal as u64 + 1),
        };
        pod.start(now);
        pod
    }

    pub(super) fn start(&mut self, now: Now) {
        self.life += 1;
        let seed = self.seed + u64::from(self.life);
        let config = transaction::Config {
            max_server: self.settings.caps.server_transactions,
            max_client: self.settings.caps.client_transactions,
            ..transaction::Config::new(self.settings.sent_by.clone(), [seed, !seed])
        };
        self.engine = Some(Engine::new(self.settings.clone(), self.metrics.clone(), config, seed, now));
    }

    pub(super) fn kill(&mut self, at: Duration) {
        if self.engine.take().is_some() {
            self.deaths.push(at);
        }
        self.relayed.clear();
    }

    /// The engine, if it is still in the life that asked.
    pub(super) fn living(&mut self, life: u32) -> Option<&mut Engine> {
        self.engine.as_mut().filter(|_| self.life == life)
    }
}

/// The SIP address of a pod.
pub(crate) fn address_of(pod: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, pod as u8 + 1], 5060))
}

/// The location of a pod (design §5).
pub(crate) fn location_of(pod: usize) -> String {
    let label = if pod == 0 { "smsc01".to_owned() } else { format!("smsc01-{pod}") };
    format!("{label}.mnc001.mcc001.3gppnetwork.org")
}

fn settings(ordinal: usize, pods: usize) -> Settings {
    let address = address_of(ordinal);
    Settings {
        location: location_of(ordinal),
        ims_domain: DOMAIN.to_owned(),
        home_network: vec!["00101".to_owned(), "001001".to_owned()],
        ordinal: ordinal as u8,
        s_cscf_uri: None,
        sent_by: address.to_string(),
        sent_by_tls: None,
        speaks_tls: false,
        reached_by: None,
        advertised_host: address.ip().to_string(),
        trusted: Trusted::new(vec![([192, 0, 2, 0].into(), 24)]),
        report_uri: ReportUri::Fixed(format!("sip:smsc@{}", location_of(0))),
        reject_duplicates: false,
        overload_status: 500,
        sc_address: Address::international("447785016005").expect("a number"),
        tel_uri: false,
        delivered_on_2xx: false,
        capable_by_default: true,
        languages: Vec::new(),
        reg_event: None,
        polled: vec![location_of(ordinal)],
        backend_leases: false,
        relay: pods > 1,
        keys: Keys::new(&[KEY.to_vec()], DOMAIN),
        register: RegisterInfo { version: "0.1.0".to_owned(), configuration: BTreeMap::default() },
        timers: Timers::default(),
        caps: Caps::default(),
        narrate: true,
    }
}
