//! The sections that concern SIP and messages: `advertise`, `sip`, `reg_event`, `polling`, `mt`, `timers`, `limits`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sip_tls::SipTls;
use crate::values::{AdvertiseAddress, ReportUri};

/// `advertise`: what Via and Contact say about this frontend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Advertise {
    /// Absent: the local address a request leaves from.
    pub address: Option<AdvertiseAddress>,
    /// Absent: the port of the listener.
    pub port: Option<u16>,
    /// The same for TLS; absent: the port of the TLS listener.
    pub tls_port: Option<u16>,
}

/// What a repeated submission of an accepted message is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// RP-ACK with the first TP-SCTS.
    Ack,
    /// RP-ERROR with TP-FCS 0xC5 (TS 23.040 §9.2.3.25).
    Reject,
}

/// `sip`: how this frontend shows itself to handsets and core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Sip {
    /// Where handsets send their reports; absent: see [`Config::report_uri`](crate::Config::report_uri).
    pub report_uri: Option<ReportUri>,
    /// The answer to a repeated submission.
    pub duplicates: Duplicates,
    /// 500 or 503. A 503 makes an S-CSCF leave the whole address alone, that is every pod behind it.
    pub overload_status: u16,
    /// SIP over TLS.
    pub tls: SipTls,
}

impl Default for Sip {
    fn default() -> Self {
        Self { report_uri: None, duplicates: Duplicates::Ack, overload_status: 500, tls: SipTls::default() }
    }
}

/// Whose identity a SUBSCRIBE asserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertedIdentity {
    /// This application server's (TS 24.229 §5.7.1.1).
    Own,
    /// The subscriber's, for an S-CSCF that refuses an application server's own (Kamailio's does, with 403).
    Presentity,
}

/// `reg_event`: subscriptions to the `reg` event (RFC 3680, TS 24.341 §5.3.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct RegEvent {
    /// Whether the S-CSCF is asked for each subscriber's contacts when a third-party REGISTER comes.
    pub enabled: bool,
    /// The lifetime asked for; the S-CSCF may shorten it.
    #[serde(with = "crate::duration")]
    pub expires: Duration,
    /// P-Asserted-Identity of the SUBSCRIBE.
    pub identity: AssertedIdentity,
}

impl Default for RegEvent {
    fn default() -> Self {
        Self { enabled: false, expires: Duration::from_secs(3761), identity: AssertedIdentity::Own }
    }
}

/// `polling`: when and for which locations `get_queue` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Polling {
    /// Time between timer polls of one location.
    #[serde(with = "crate::duration")]
    pub interval: Duration,
    /// A timer poll is skipped when a flush ran within this time.
    #[serde(with = "crate::duration")]
    pub flush_cooldown: Duration,
    /// The least time between two polls of one location, whatever asks for them.
    #[serde(with = "crate::duration")]
    pub min_gap: Duration,
    /// Messages asked for beyond those in flight.
    pub batch: u32,
    /// The locations this pod polls; absent: its own. An empty list polls nothing.
    pub locations: Option<Vec<String>>,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(2),
            flush_cooldown: Duration::from_secs(1),
            min_gap: Duration::from_millis(20),
            batch: 50,
            locations: None,
        }
    }
}

/// The form of the Request-URI for a recipient without a known IMPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestUri {
    /// `sip:+<msisdn>@<ims_domain>;user=phone`.
    Sip,
    /// `tel:+<msisdn>`.
    Tel,
}

/// What counts as the delivery of an MT message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveredOn {
    /// The handset's RP-ACK (TS 24.341 §5.3.2.4).
    #[serde(rename = "rp_ack")]
    RpAck,
    /// The SIP 2xx, for cores that return no reports at all.
    #[serde(rename = "sip_2xx")]
    Sip2xx,
}

/// A language with GSM 7-bit shift tables of its own (TS 23.038 §6.2.1.2, Annex A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", expecting = "the name of a language")]
pub enum Language {
    /// Turkish.
    Turkish,
    /// Spanish.
    Spanish,
    /// Portuguese.
    Portuguese,
    /// Bengali and Assamese.
    Bengali,
    /// Gujarati.
    Gujarati,
    /// Hindi.
    Hindi,
    /// Kannada.
    Kannada,
    /// Malayalam.
    Malayalam,
    /// Oriya.
    Oriya,
    /// Punjabi.
    Punjabi,
    /// Tamil.
    Tamil,
    /// Telugu.
    Telugu,
    /// Urdu.
    Urdu,
}

/// `mt`: how messages go to handsets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Mt {
    /// The form of the Request-URI for a recipient without a known IMPU.
    pub request_uri: RequestUri,
    /// What counts as the delivery.
    pub delivered_on: DeliveredOn,
    /// Whether a handset of which nothing is known can do SMS over IP (`+g.3gpp.smsip`).
    pub default_capable: bool,
    /// Languages whose shift tables every handset is known to have. They are used where that makes a text smaller; a
    /// handset without them shows other characters, so there is none by default.
    pub languages: Vec<Language>,
}

impl Default for Mt {
    fn default() -> Self {
        Self {
            request_uri: RequestUri::Sip,
            delivered_on: DeliveredOn::RpAck,
            default_capable: true,
            languages: Vec::new(),
        }
    }
}

/// `timers`: every protocol timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Timers {
    /// T1, the round-trip estimate (RFC 3261 §17.1.2.1); timers F and J are 64 times it.
    #[serde(with = "crate::duration")]
    pub t1: Duration,
    /// T2, the longest retransmission interval (RFC 3261 §17.1.2.1).
    #[serde(with = "crate::duration")]
    pub t2: Duration,
    /// T4, how long a message stays in the network (RFC 3261 §17.1.2.2).
    #[serde(with = "crate::duration")]
    pub t4: Duration,
    /// TR1N, the wait for the handset's report (TS 24.011 §10).
    #[serde(with = "crate::duration")]
    pub tr1n: Duration,
    /// How long an MO message is offered to the backend before RP-ERROR 41.
    #[serde(with = "crate::duration")]
    pub mo_insert_budget: Duration,
    /// How long the SIP answer to a report waits for `process_message`; then 500.
    #[serde(with = "crate::duration")]
    pub report_ack: Duration,
    /// How long `submit_key` finds the first copy of a repeated submission.
    #[serde(with = "crate::duration")]
    pub submit_window: Duration,
    /// How long a draining pod serves as before, until endpoints have settled.
    #[serde(with = "crate::duration")]
    pub drain_settle: Duration,
    /// How long a relayed report waits for the pod that owns it.
    #[serde(with = "crate::duration")]
    pub relay: Duration,
    /// `expires_in` of `frontend_register`; refreshed every third of it.
    #[serde(with = "crate::duration")]
    pub register_expires: Duration,
    /// How long one operation of the backend may take, repeats included.
    #[serde(with = "crate::duration")]
    pub backend_timeout: Duration,
    /// How long a connection to the backend may take to open, TLS included.
    #[serde(with = "crate::duration")]
    pub backend_connect: Duration,
    /// How long a SIP connection over TCP may take to open; one over TLS has `tls_handshake` besides.
    #[serde(with = "crate::duration")]
    pub tcp_connect: Duration,
    /// A SIP connection over TCP or TLS without traffic for this long is closed.
    #[serde(with = "crate::duration")]
    pub tcp_idle: Duration,
    /// How long a TLS handshake may take, as server and as client; then the connection is closed.
    #[serde(with = "crate::duration")]
    pub tls_handshake: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            tr1n: Duration::from_secs(45),
            mo_insert_budget: Duration::from_secs(25),
            report_ack: Duration::from_secs(5),
            submit_window: Duration::from_secs(900),
            drain_settle: Duration::from_secs(5),
            relay: Duration::from_secs(2),
            register_expires: Duration::from_secs(300),
            backend_timeout: Duration::from_secs(5),
            backend_connect: Duration::from_secs(2),
            tcp_connect: Duration::from_secs(3),
            tcp_idle: Duration::from_secs(600),
            tls_handshake: Duration::from_secs(5),
        }
    }
}

/// `limits`: the caps of everything that grows, and what happens at each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct Limits {
    /// SIP server transactions; beyond: `sip.overload_status` with Retry-After. Each lives 64 × T1 on UDP.
    pub server_transactions: u32,
    /// SIP client transactions; beyond: deliveries wait.
    pub client_transactions: u32,
    /// MO messages being handed to the backend; beyond: `sip.overload_status` with Retry-After.
    pub open_mo: u32,
    /// MT messages in hand; beyond: polling asks for no more.
    pub open_mt: u32,
    /// Messages held for one handset behind the one under way; beyond: left to the backend.
    pub queued_per_handset: u32,
    /// Registrations remembered; beyond: the oldest is forgotten (the backend still has it).
    pub registrations: u32,
    /// Subscriptions to the `reg` event; beyond: a registration is taken as its REGISTER has it.
    pub subscriptions: u32,
    /// Submissions and deliveries remembered for repeats; beyond: the oldest is forgotten.
    pub remembered: u32,
    /// TCP connections, those over TLS and half-open ones included; beyond: new ones are refused.
    pub tcp_connections: u32,
    /// Connections whose TLS handshake a peer has not finished; beyond: the oldest of them is closed.
    pub tls_handshakes: u32,
    /// Requests to the backend under way; beyond: they wait within `timers.backend_timeout`.
    pub backend_requests: u32,
    /// Submissions taken each second; beyond: `sip.overload_status` with Retry-After. Absent: no limit.
    pub submissions_per_second: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            server_transactions: 400_000,
            client_transactions: 200_000,
            open_mo: 20_000,
            open_mt: 10_000,
            queued_per_handset: 100,
            registrations: 1_000_000,
            subscriptions: 200_000,
            remembered: 500_000,
            tcp_connections: 1_000,
            tls_handshakes: 200,
            backend_requests: 256,
            submissions_per_second: None,
        }
    }
}
