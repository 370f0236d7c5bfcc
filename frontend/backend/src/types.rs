//! The contract's records. Absent fields are omitted and unknown ones ignored, both ways.
//!
//! Text is UTF-8, octets are lowercase hex, times are RFC 3339 UTC.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A backend's name for a message: a UUID, an integer or any other string, kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct MessageId(pub String);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MessageId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Id {
            Number(u64),
            Text(String),
        }
        Ok(Self(match Id::deserialize(deserializer)? {
            Id::Number(n) => n.to_string(),
            Id::Text(s) => s,
        }))
    }
}

/// `frontend_register`: who this frontend is. A pure function of config.yaml but for `uptime_seconds`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrontendRegistration {
    /// The location (design: one poller per location, always).
    pub frontend_name: String,
    /// `IMS`.
    pub frontend_type: String,
    /// The host part of the location.
    pub hostname: String,
    /// The advertised address.
    pub ip_address: String,
    /// The frontend's version.
    pub version: String,
    /// Seconds since start.
    pub uptime_seconds: u64,
    /// Seconds this registration holds; refreshed every third of it.
    pub expires_in: u32,
    /// Settings worth showing to the backend's operator; never a secret.
    pub configuration: BTreeMap<String, serde_json::Value>,
}

/// Why a location was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocationEvent {
    /// First registration seen.
    Registered,
    /// A re-registration.
    Refreshed,
    /// RP-SMMA: the handset has memory again (TS 24.011 §7.3.2).
    MemoryAvailable,
}

/// `insert_location`: where a subscriber can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Digits of the international number, no `+`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
    /// International mobile subscriber identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imsi: Option<String>,
    /// The registered public identity, as a SIP or tel URI.
    pub impu: String,
    /// The location of the frontend that serves it.
    pub location: String,
    /// Whether the contact can do SMS over IP (`+g.3gpp.smsip`).
    pub ims_capable: bool,
    /// The handset's contact where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The serving S-CSCF's URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s_cscf: Option<String>,
    /// Call-ID of the REGISTER; orders writes together with `cseq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// CSeq of the REGISTER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cseq: Option<u32>,
    /// Equipment identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imei: Option<String>,
    /// The handset's User-Agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// P-Access-Network-Info.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_network_info: Option<String>,
    /// P-Visited-Network-ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visited_network: Option<String>,
    /// Seconds until the registration runs out.
    pub expires: u32,
    /// Why this was written.
    pub event: LocationEvent,
}

/// `DELETE` of a location: applies only if the stored S-CSCF is `s_cscf` and `cseq` is newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationRemoval {
    /// The identity whose location goes.
    pub impu: String,
    /// Only the location written for this S-CSCF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s_cscf: Option<String>,
    /// Call-ID of the de-registration; omitted when no REGISTER was seen (after a 404).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// CSeq of the de-registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cseq: Option<u32>,
}

/// Which door a message came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceType {
    /// The IMS core.
    Ims,
    /// An SMPP session.
    Smpp,
    /// A GSM modem.
    Gsm,
    /// An HTTP provider.
    Http,
    /// E-mail.
    Email,
}

/// What `message_body` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Text that came in the GSM 7-bit alphabet (TS 23.038 §6.2).
    Gsm7,
    /// Text that came in UCS2 (TS 23.038 §6.2.3).
    Ucs2,
    /// Octets; `message_body` is hex.
    Binary,
}

/// `insert_message`: a short message for the backend to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMessage {
    /// Repeats with the same key are one message. Travels as the `Idempotency-Key` header.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub idempotency_key: String,
    /// The sender's number, with `+` where it is international, or its identity where no number is known.
    pub source_msisdn: String,
    /// TP-DA as dialled; only TON 1 gets a leading `+`. The recipient's URI where it has no number: TP-DA is the dummy
    /// MSISDN then (TS 24.341 annex B.7).
    pub destination_msisdn: String,
    /// TON of TP-DA (TS 23.040 §9.1.2.5).
    #[serde(default)]
    pub destination_ton: u8,
    /// NPI of TP-DA.
    #[serde(default)]
    pub destination_npi: u8,
    /// The text, or hex when `encoding` is binary.
    pub message_body: String,
    /// The location of the frontend that took it.
    pub source_smsc: String,
    /// The door it came through.
    pub source_type: SourceType,
    /// What `message_body` holds.
    pub encoding: Encoding,
    /// TP-DCS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_dcs: Option<u8>,
    /// TP-PID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_pid: Option<u8>,
    /// TP-MR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_mr: Option<u8>,
    /// TP-RD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_rd: Option<bool>,
    /// TP-RP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_rp: Option<bool>,
    /// RP-Message-Reference of the RP-DATA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rp_mr: Option<u8>,
    /// User data header, hex without its length octet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udh: Option<String>,
    /// The SMS-SUBMIT as it came, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_tpdu: Option<String>,
    /// RP-DA, the service centre the handset addressed; `+` where it is international.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sc_address: Option<String>,
    /// Finds the first copy of a repeated submission; present only where it is to be consulted or remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit_key: Option<String>,
    /// Seconds the message is worth delivering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_period: Option<u64>,
    /// TP-SRR: the sender wants an SMS-STATUS-REPORT.
    #[serde(default)]
    pub status_report_requested: bool,
    /// Call-ID of the MESSAGE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// IMS charging identifier (P-Charging-Vector).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icid: Option<String>,
}

impl NewMessage {
    /// A message that has no TPDU behind it: everything a handset's SMS-SUBMIT would say is absent.
    #[must_use]
    pub fn bare(
        source_type: SourceType,
        source_msisdn: String,
        destination_msisdn: String,
        encoding: Encoding,
        message_body: String,
    ) -> Self {
        Self {
            idempotency_key: String::new(),
            source_msisdn,
            destination_msisdn,
            destination_ton: 0,
            destination_npi: 0,
            message_body,
            source_smsc: String::new(),
            source_type,
            encoding,
            tp_dcs: None,
            tp_pid: None,
            tp_mr: None,
            tp_rd: None,
            tp_rp: None,
            rp_mr: None,
            udh: None,
            raw_tpdu: None,
            sc_address: None,
            submit_key: None,
            validity_period: None,
            status_report_requested: false,
            call_id: None,
            icid: None,
        }
    }
}

/// The answer to `insert_message`: durably stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The message's name from now on.
    pub id: MessageId,
    /// TP-SCTS, set once: the SUBMIT-REPORT, every delivery and the STATUS-REPORT carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scts: Option<Timestamp>,
    /// True if this was a repeat of a message already accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// Which TPDU a queued row becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A subscriber's or application's message; `raw_tpdu` is the SMS-SUBMIT.
    #[default]
    Submit,
    /// A message another network delivered to us; `raw_tpdu` is the SMS-DELIVER.
    Deliver,
    /// An SMS-STATUS-REPORT for the sender; `status_report` is present.
    StatusReport,
}

/// The content of an SMS-STATUS-REPORT (TS 23.040 §9.2.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The message reported on.
    pub message_id: MessageId,
    /// TP-MR of its SMS-SUBMIT.
    pub tp_mr: u8,
    /// TP-ST (TS 23.040 §9.2.3.15).
    pub status: u8,
    /// The SCTS its SUBMIT-REPORT carried.
    pub scts: Timestamp,
    /// TP-DT: when the outcome was known.
    pub dt: Timestamp,
    /// TP-RA: whom it had been sent to.
    pub destination_msisdn: String,
}

/// A row of `get_queue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// The message.
    pub id: MessageId,
    /// Sender as shown to the recipient: digits, or alphanumeric text with TON 5.
    pub source_msisdn: String,
    /// TON of the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ton: Option<u8>,
    /// NPI of the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_npi: Option<u8>,
    /// The recipient's number.
    pub destination_msisdn: String,
    /// The recipient's registered public identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impu: Option<String>,
    /// The recipient's serving S-CSCF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s_cscf: Option<String>,
    /// False for a handset known not to do SMS over IP: it gets text/plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ims_capable: Option<bool>,
    /// The text, or hex when `encoding` is binary.
    #[serde(default)]
    pub message_body: String,
    /// What `message_body` holds; absent: text, the smallest alphabet that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// TP-DCS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_dcs: Option<u8>,
    /// TP-PID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_pid: Option<u8>,
    /// TP-RP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_rp: Option<bool>,
    /// User data header, hex without its length octet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udh: Option<String>,
    /// What the sender submitted (SUBMIT) or a modem received (DELIVER), hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_tpdu: Option<String>,
    /// TP-SCTS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scts: Option<Timestamp>,
    /// RP-OA for this message, an international number with or without `+`; else the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sc_address: Option<String>,
    /// Which TPDU the row becomes.
    #[serde(default)]
    pub kind: Kind,
    /// Higher goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Attempts made before this one; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_attempts: Option<u32>,
    /// When the message stops being worth delivering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// With [`Kind::StatusReport`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_report: Option<StatusReport>,
    /// True if more wait for this recipient (TP-MMS, TS 23.040 §9.2.3.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_to_send: Option<bool>,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The handset acknowledged it.
    Delivered,
    /// It did not work; see `permanent`.
    Failed,
    /// The handset is not there.
    Absent,
    /// The handset has no room (RP-Cause 22).
    MemoryFull,
    /// The handset or core refused this message.
    Rejected,
    /// Sent, and nothing came back in time: it may have arrived.
    Unknown,
    /// Not attempted: the row is due again at once and no attempt is counted.
    Released,
}

/// Why a handset is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The core knows no registration (404, 410, 604).
    NotRegistered,
    /// It cannot do SMS over IP (415, 488, 606, 420).
    NoSmsip,
    /// It did not answer (480, 408 from the core).
    NoAnswer,
}

/// What a repetition could achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permanent {
    /// Another attempt may work.
    #[default]
    No,
    /// Not over this link; another link may do it.
    Link,
    /// Never: the message itself is refused.
    Message,
}

/// `process_message`: the outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// The location that made the attempt.
    pub dest_smsc: String,
    /// `delivery_attempts` + 1 of the row.
    pub attempt: u32,
    /// What it came to.
    pub status: Status,
    /// With [`Status::Absent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What a repetition could achieve.
    #[serde(default)]
    pub permanent: Permanent,
    /// RP-Cause of the handset's RP-ERROR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rp_cause: Option<u8>,
    /// TP-FCS of its DELIVER-REPORT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tp_fcs: Option<u8>,
    /// The SMS-DELIVER-REPORT in the handset's RP-ACK or RP-ERROR, hex, where it carries user data, such as the answer of
    /// a (U)SIM application (TS 23.040 §9.2.2.1a).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_tpdu: Option<String>,
    /// SIP status that decided, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_status: Option<u16>,
    /// IMS charging identifier of the MESSAGE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icid: Option<String>,
    /// One sentence for people: what happened, who decided, which clause.
    #[serde(default)]
    pub detail: String,
}

/// The answer to `process_message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processed {
    /// Recorded.
    Recorded,
    /// The message was final already (409); nothing changed.
    AlreadyFinal,
}

/// What `why` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryQuery {
    /// One message.
    Message(MessageId),
    /// The newest messages from or to a number.
    Msisdn(String),
}

/// A message's life, oldest event first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageHistory {
    /// The message.
    pub id: MessageId,
    /// Sender.
    pub source_msisdn: String,
    /// Recipient.
    pub destination_msisdn: String,
    /// `queued`, `delivered`, `failed`, `expired` ...
    pub state: String,
    /// TP-SCTS.
    pub scts: Timestamp,
    /// When the next attempt is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Every attempt reported.
    pub attempts: Vec<RecordedAttempt>,
}

/// One attempt in a [`MessageHistory`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedAttempt {
    /// When it was reported.
    pub at: Timestamp,
    /// The report.
    #[serde(flatten)]
    pub report: AttemptReport,
}
