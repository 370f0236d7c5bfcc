//! What the engine needs to know of config.yaml, parsed once.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smsc_proto::sip::Transport;
use smsc_proto::sms::Address;
use smsc_proto::sms::gsm7::Language;

use super::token::Keys;

/// Everything the engine is told by configuration. A reload replaces it whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This frontend's identity towards the backend.
    pub location: String,
    /// The IMS home domain.
    pub ims_domain: String,
    /// MCC and MNC digits of the domain: 15 digits that begin so are an IMSI, not a number (design §11).
    pub home_network: Vec<String>,
    /// This pod's ordinal.
    pub ordinal: u8,
    /// The outbound proxy for every request, as configured.
    pub s_cscf_uri: Option<String>,
    /// `host:port` written into Via.
    pub sent_by: String,
    /// The same for TLS, where there is a listener for it.
    pub sent_by_tls: Option<String>,
    /// Whether requests can be sent over TLS.
    pub speaks_tls: bool,
    /// What a URI of ours must ask for, where UDP is not listened for: TCP if that is, else TLS.
    pub reached_by: Option<Transport>,
    /// The address shown to the backend and used behind the `@` of a Call-ID.
    pub advertised_host: String,
    /// Peers whose requests are believed.
    pub trusted: Trusted,
    /// Where handsets send their reports.
    pub report_uri: ReportUri,
    /// How a repeat of an accepted submission is answered.
    pub reject_duplicates: bool,
    /// 500, or 503 where the core prefers it.
    pub overload_status: u16,
    /// RP-OA when a row has none.
    pub sc_address: Address,
    /// Request-URIs built from a number are `tel:` instead of `sip:`.
    pub tel_uri: bool,
    /// A SIP 2xx counts as the delivery (cores that return no reports at all).
    pub delivered_on_2xx: bool,
    /// Whether a handset whose contact was never seen can do SMS over IP.
    pub capable_by_default: bool,
    /// Languages whose shift tables every handset has (TS 23.038 §6.2.1.2).
    pub languages: Vec<Language>,
    /// Subscriptions to the `reg` event; absent: none are made.
    pub reg_event: Option<RegEvent>,
    /// The locations this pod polls.
    pub polled: Vec<String>,
    /// True where the backend leases rows itself (the embedded store).
    pub backend_leases: bool,
    /// True if reports for other pods can be passed on.
    pub relay: bool,
    /// Keys of the delivery token.
    pub keys: Keys,
    /// Version and settings shown in `frontend_register`.
    pub register: RegisterInfo,
    /// Timer lengths.
    pub timers: Timers,
    /// Caps.
    pub caps: Caps,
    /// Life steps are reported as they happen (demo, console).
    pub narrate: bool,
}

impl Settings {
    /// Our Contact for a peer reached by the URI `hop` over `transport`: where it can send requests of its own. What is
    /// reached by a `sips:` URI gets one (RFC 3261 §8.1.1.8).
    #[must_use]
    pub fn contact(&self, hop: Option<&str>, transport: Option<Transport>) -> String {
        let over = match transport {
            Some(Transport::Tls) => transport,
            _ => self.reached_by,
        };
        let secure =
            hop.is_some_and(|uri| uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:")));
        match (&self.sent_by_tls, over) {
            (Some(sent_by), _) if secure => format!("sips:{sent_by}"),
            (Some(sent_by), Some(Transport::Tls)) => format!("sip:{sent_by};transport=tls"),
            (_, Some(Transport::Tcp)) => format!("sip:{};transport=tcp", self.sent_by),
            _ => format!("sip:{}", self.sent_by),
        }
    }
}

/// What `frontend_register` says besides the location.
#[derive(Debug, Clone, Default)]
pub struct RegisterInfo {
    /// The binary's version.
    pub version: String,
    /// Settings shown to the backend; no secret among them.
    pub configuration: std::collections::BTreeMap<String, serde_json::Value>,
}

/// `sip.report_uri` (design §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportUri {
    /// One URI on every pod.
    Fixed(String),
    /// One user part per ordinal: `smsc-2@host`.
    Pod(String),
    /// The token is the user part.
    Message(String),
}

impl ReportUri {
    /// The URI, of a message where it has one of its own.
    pub(super) fn with(&self, token: Option<&str>) -> Cow<'_, str> {
        match self {
            Self::Fixed(uri) | Self::Pod(uri) => uri.into(),
            Self::Message(host) => format!("sip:{}@{host}", token.unwrap_or("smsc")).into(),
        }
    }
}

/// How the `reg` event is subscribed to (RFC 3680, TS 24.341 §5.3.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegEvent {
    /// The lifetime asked for, in whole seconds.
    pub expires: Duration,
    /// P-Asserted-Identity is the subscriber's instead of our own.
    pub as_presentity: bool,
}

/// Timer lengths; the names are those of config.yaml.
#[derive(Debug, Clone)]
pub struct Timers {
    /// How long to wait for a handset's RP report (TS 24.011 §10, TR1N).
    pub tr1n: Duration,
    /// How long `insert_message` is repeated before RP-ERROR 41.
    pub mo_budget: Duration,
    /// How long the answer to a report waits for `process_message`.
    pub report_ack: Duration,
    /// How long a peer has to take a relayed report.
    pub relay: Duration,
    /// `expires_in` of `frontend_register`.
    pub register_expires: Duration,
    /// Timer poll.
    pub poll_interval: Duration,
    /// The timer poll is skipped when a flush ran within this.
    pub flush_cooldown: Duration,
    /// Two polls of one location are at least this far apart.
    pub poll_gap: Duration,
    /// Rows asked for beyond those in flight.
    pub poll_batch: u32,
    /// How long a submission is remembered for repeats of it.
    pub submit_window: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            tr1n: Duration::from_secs(45),
            mo_budget: Duration::from_secs(25),
            report_ack: Duration::from_secs(5),
            relay: Duration::from_secs(2),
            register_expires: Duration::from_secs(300),
            poll_interval: Duration::from_secs(2),
            flush_cooldown: Duration::from_secs(1),
            poll_gap: Duration::from_millis(20),
            poll_batch: 50,
            submit_window: Duration::from_secs(15 * 60),
        }
    }
}

/// What grows, and how far.
#[derive(Debug, Clone)]
pub struct Caps {
    /// Open server transactions; beyond: 500 with Retry-After.
    pub server_transactions: usize,
    /// Open client transactions; beyond: deliveries wait.
    pub client_transactions: usize,
    /// Submissions waiting for the backend; beyond: 500 with Retry-After.
    pub open_mo: usize,
    /// Rows in hand; polling asks for no more.
    pub open_mt: usize,
    /// Rows waiting for one handset behind the one under way; beyond: left to the backend.
    pub queued_per_handset: usize,
    /// Submissions taken each second; beyond: 500 with Retry-After.
    pub submissions_per_second: Option<u32>,
    /// Registrations remembered; beyond: the oldest is forgotten (the backend still has it).
    pub registrations: usize,
    /// Subscriptions to the `reg` event; beyond: a registration is taken as its REGISTER has it.
    pub subscriptions: usize,
    /// Submissions and deliveries remembered for repeats; beyond: the oldest is forgotten.
    pub remembered: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            server_transactions: 400_000,
            client_transactions: 200_000,
            open_mo: 20_000,
            open_mt: 10_000,
            queued_per_handset: 100,
            submissions_per_second: None,
            registrations: 1_000_000,
            subscriptions: 200_000,
            remembered: 500_000,
        }
    }
}

/// The networks whose requests are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted(Vec<(IpAddr, u8)>);

impl Trusted {
    /// Networks as (address, prefix length).
    #[must_use]
    pub fn new(networks: Vec<(IpAddr, u8)>) -> Self {
        Self(networks)
    }

    /// The networks, for `check` and `/status`.
    pub fn networks(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(address, length)| format!("{address}/{length}"))
    }

    /// True if `peer` lies in one of the networks.
    #[must_use]
    pub fn contains(&self, peer: SocketAddr) -> bool {
        let peer = peer.ip().to_canonical();
        self.0.iter().any(|(network, length)| match (network, peer) {
            (IpAddr::V4(n), IpAddr::V4(p)) => {
                same_prefix(n.to_bits().into(), p.to_bits().into(), *length, 32)
            }
            (IpAddr::V6(n), IpAddr::V6(p)) => same_prefix(n.to_bits(), p.to_bits(), *length, 128),
            _ => false,
        })
    }
}

fn same_prefix(a: u128, b: u128, length: u8, width: u8) -> bool {
    let shift = u32::from(width.saturating_sub(length.min(width)));
    shift >= 128 || (a >> shift) == (b >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_trusted_by_prefix_and_family() {
        let trusted = Trusted::new(vec![
            ("10.1.0.0".parse().unwrap(), 16),
            ("::1".parse().unwrap(), 128),
            ("127.0.0.1".parse().unwrap(), 32),
        ]);
        let judged = ["10.1.2.3:5060", "10.2.0.1:5060", "[::1]:5060", "[::ffff:127.0.0.1]:9", "127.0.0.2:1"]
            .map(|peer| trusted.contains(peer.parse().unwrap()));
        assert_eq!(judged, [true, false, true, true, false]);
        assert!(Trusted::new(vec![("0.0.0.0".parse().unwrap(), 0)]).contains("8.8.8.8:1".parse().unwrap()));
    }
}
