//! An example of every record that travels, with all fields and with the fewest: the document is made from them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use smsc_backend::{
    Accepted, AttemptReport, Encoding, FrontendRegistration, Kind, Location, LocationEvent, MessageHistory,
    MessageId, NewMessage, Permanent, QueuedMessage, Reason, RecordedAttempt, SourceType, Status,
    StatusReport,
};

use super::answer::ProblemBody;
use super::handlers::FullHistory;
use crate::{MessageEvent, MessagePage, MessageSummary, RegisteredFrontend, Summary};

/// The words a field can hold.
type Words = (&'static str, fn() -> Value);

/// One record of the contract.
pub(super) struct Record {
    pub(super) name: &'static str,
    /// With all fields.
    pub(super) full: fn() -> Value,
    /// With the fewest its type reads.
    pub(super) least: fn() -> Value,
    /// Fields with a fixed set of values.
    pub(super) words: &'static [Words],
}

/// All of them.
pub(super) const RECORDS: &[Record] = &[
    Record {
        name: "Accepted",
        full: || read_by::<Accepted>(value(accepted())),
        least: || read_by::<Accepted>(json!({ "id": "1" })),
        words: &[],
    },
    Record {
        name: "AttemptReport",
        full: || read_by::<AttemptReport>(value(report())),
        least: || {
            read_by::<AttemptReport>(json!({ "dest_smsc": "smsc01", "attempt": 1, "status": "delivered" }))
        },
        words: &[("status", statuses), ("reason", reasons), ("permanent", permanents)],
    },
    Record {
        name: "FrontendRegistration",
        full: || read_by::<FrontendRegistration>(value(frontend())),
        least: || read_by::<FrontendRegistration>(value(frontend())),
        words: &[],
    },
    Record {
        name: "Location",
        full: || read_by::<Location>(value(location())),
        least: || {
            read_by::<Location>(
                json!({ "impu": "tel:+447700900456", "location": "smsc01", "ims_capable": true, "expires": 600,
                    "event": "registered" }),
            )
        },
        words: &[("event", events)],
    },
    Record {
        name: "MessageHistory",
        full: || read_by::<MessageHistory>(value(FullHistory { history: history(), events: vec![event()] })),
        least: || read_by::<MessageHistory>(value(MessageHistory { due: None, ..history() })),
        words: &[],
    },
    Record {
        name: "MessagePage",
        full: || read_by::<MessagePage>(value(MessagePage { messages: vec![summary()], next: Some(41) })),
        least: || read_by::<MessagePage>(json!({ "messages": [] })),
        words: &[],
    },
    Record {
        name: "MessageSummary",
        full: || read_by::<MessageSummary>(value(summary())),
        least: || {
            read_by::<MessageSummary>(value(MessageSummary {
                due: None,
                location: None,
                reason: None,
                final_at: None,
                ..summary()
            }))
        },
        words: &[("kind", kinds)],
    },
    Record {
        name: "NewMessage",
        full: || read_by::<NewMessage>(value(message())),
        least: || {
            read_by::<NewMessage>(
                json!({ "source_msisdn": "447700900123", "destination_msisdn": "+447700900456", "message_body": "Hello",
                    "source_smsc": "smsc01", "source_type": "ims", "encoding": "gsm7" }),
            )
        },
        words: &[("source_type", source_types), ("encoding", encodings)],
    },
    Record {
        name: "Problem",
        full: || {
            read_by::<ProblemBody>(value(ProblemBody {
                error: "body: encoding: unknown variant".into(),
                rp_cause: Some(95),
            }))
        },
        least: || read_by::<ProblemBody>(json!({ "error": "" })),
        words: &[],
    },
    Record {
        name: "QueuedMessage",
        full: || read_by::<QueuedMessage>(value(queued())),
        least: || {
            read_by::<QueuedMessage>(
                json!({ "id": "1", "source_msisdn": "447700900123", "destination_msisdn": "447700900456" }),
            )
        },
        words: &[("kind", kinds), ("encoding", encodings)],
    },
    Record {
        name: "RegisteredFrontend",
        full: || {
            read_by::<RegisteredFrontend>(value(RegisteredFrontend {
                registration: frontend(),
                updated: time(),
                expires: later(),
            }))
        },
        least: || {
            read_by::<RegisteredFrontend>(value(RegisteredFrontend {
                registration: frontend(),
                updated: time(),
                expires: later(),
            }))
        },
        words: &[],
    },
    Record {
        name: "Summary",
        full: || read_by::<Summary>(value(totals())),
        least: || read_by::<Summary>(value(Summary { oldest: None, ..totals() })),
        words: &[],
    },
];

fn value(record: impl Serialize) -> Value {
    // Every record is a struct with text keys, which always has a JSON form.
    serde_json::to_value(record).unwrap_or_default()
}

/// The value, if `T` reads it; null if not, which the tests would notice.
fn read_by<T: DeserializeOwned>(value: Value) -> Value {
    if T::deserialize(&value).is_ok() { value } else { Value::Null }
}

fn statuses() -> Value {
    use Status::{Absent, Delivered, Failed, MemoryFull, Rejected, Released, Unknown};
    value([Delivered, Failed, Absent, MemoryFull, Rejected, Unknown, Released])
}

fn reasons() -> Value {
    value([Reason::NotRegistered, Reason::NoSmsip, Reason::NoAnswer])
}

fn permanents() -> Value {
    value([Permanent::No, Permanent::Link, Permanent::Message])
}

fn events() -> Value {
    value([LocationEvent::Registered, LocationEvent::Refreshed, LocationEvent::MemoryAvailable])
}

fn kinds() -> Value {
    value([Kind::Submit, Kind::Deliver, Kind::StatusReport])
}

fn source_types() -> Value {
    value([SourceType::Ims, SourceType::Smpp, SourceType::Gsm, SourceType::Http, SourceType::Email])
}

fn encodings() -> Value {
    value([Encoding::Gsm7, Encoding::Ucs2, Encoding::Binary])
}

fn time() -> Timestamp {
    Timestamp::constant(1_772_366_400, 0)
}

fn later() -> Timestamp {
    Timestamp::constant(1_772_625_600, 0)
}

fn id() -> MessageId {
    MessageId::from("019ca8e0-7400-7001-9b3f-2c6d5e4f3a21")
}

fn accepted() -> Accepted {
    Accepted { id: id(), scts: Some(time()), duplicate: true }
}

fn report() -> AttemptReport {
    AttemptReport {
        dest_smsc: "smsc01.mnc001.mcc001.3gppnetwork.org".into(),
        attempt: 1,
        status: Status::MemoryFull,
        reason: Some(Reason::NoAnswer),
        permanent: Permanent::No,
        rp_cause: Some(22),
        tp_fcs: Some(0xd3),
        report_tpdu: Some("00d3057ff602027100".to_owned()),
        sip_status: Some(202),
        icid: Some("icid-1".into()),
        detail: "the handset answered RP-ERROR 22, memory capacity exceeded".into(),
    }
}

fn frontend() -> FrontendRegistration {
    FrontendRegistration {
        frontend_name: "smsc01.mnc001.mcc001.3gppnetwork.org".into(),
        frontend_type: "IMS".into(),
        hostname: "smsc01".into(),
        ip_address: "192.0.2.10".into(),
        version: "0.1.0".into(),
        uptime_seconds: 3600,
        expires_in: 90,
        configuration: BTreeMap::from([("ims_domain".into(), json!("ims.mnc001.mcc001.3gppnetwork.org"))]),
    }
}

fn location() -> Location {
    Location {
        msisdn: Some("447700900456".into()),
        imsi: Some("001010000000456".into()),
        impu: "tel:+447700900456".into(),
        location: "smsc01.mnc001.mcc001.3gppnetwork.org".into(),
        ims_capable: true,
        contact: Some("sip:447700900456@192.0.2.20".into()),
        s_cscf: Some("sip:scscf.ims.mnc001.mcc001.3gppnetwork.org".into()),
        call_id: Some("reg-1@192.0.2.30".into()),
        cseq: Some(7),
        imei: Some("350000000000006".into()),
        user_agent: Some("Handset/1".into()),
        access_network_info: Some("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001".into()),
        visited_network: Some("ims.mnc001.mcc001.3gppnetwork.org".into()),
        expires: 600_000,
        event: LocationEvent::Registered,
    }
}

fn message() -> NewMessage {
    NewMessage {
        idempotency_key: "5f2b".into(),
        source_msisdn: "447700900123".into(),
        destination_msisdn: "+447700900456".into(),
        destination_ton: 1,
        destination_npi: 1,
        message_body: "Hello".into(),
        source_smsc: "smsc01.mnc001.mcc001.3gppnetwork.org".into(),
        source_type: SourceType::Ims,
        encoding: Encoding::Gsm7,
        tp_dcs: Some(0),
        tp_pid: Some(0),
        tp_mr: Some(42),
        tp_rd: Some(false),
        tp_rp: Some(false),
        rp_mr: Some(7),
        udh: Some("0003a70201".into()),
        raw_tpdu: Some("212a0c91447700904065000005c8329bfd06".into()),
        sc_address: Some("447785016005".into()),
        submit_key: Some("9a1c".into()),
        validity_period: Some(86_400),
        status_report_requested: true,
        call_id: Some("mo-1@192.0.2.20".into()),
        icid: Some("icid-1".into()),
    }
}

fn queued() -> QueuedMessage {
    QueuedMessage {
        id: id(),
        source_msisdn: "447700900123".into(),
        source_ton: Some(1),
        source_npi: Some(1),
        destination_msisdn: "447700900456".into(),
        impu: Some("tel:+447700900456".into()),
        s_cscf: Some("sip:scscf.ims.mnc001.mcc001.3gppnetwork.org".into()),
        ims_capable: Some(true),
        message_body: "Hello".into(),
        encoding: Some(Encoding::Gsm7),
        tp_dcs: Some(0),
        tp_pid: Some(0),
        tp_rp: Some(false),
        udh: Some("0003a70201".into()),
        raw_tpdu: Some("212a0c91447700904065000005c8329bfd06".into()),
        scts: Some(time()),
        sc_address: Some("447785016005".into()),
        kind: Kind::Submit,
        priority: Some(0),
        delivery_attempts: Some(0),
        expires: Some(later()),
        status_report: Some(StatusReport {
            message_id: id(),
            tp_mr: 42,
            status: 0,
            scts: time(),
            dt: later(),
            destination_msisdn: "+447700900456".into(),
        }),
        more_to_send: Some(false),
    }
}

fn history() -> MessageHistory {
    MessageHistory {
        id: id(),
        source_msisdn: "447700900123".into(),
        destination_msisdn: "+447700900456".into(),
        state: "queued".into(),
        scts: time(),
        due: Some(later()),
        attempts: vec![RecordedAttempt { at: time(), report: report() }],
    }
}

fn event() -> MessageEvent {
    MessageEvent { at: later(), event: "woken".into(), detail: json!("memory available") }
}

fn summary() -> MessageSummary {
    MessageSummary {
        id: id(),
        kind: Kind::Submit,
        source_msisdn: "447700900123".into(),
        destination_msisdn: "+447700900456".into(),
        state: "queued".into(),
        scts: time(),
        expires: later(),
        attempts: 1,
        due: Some(later()),
        location: Some("smsc01.mnc001.mcc001.3gppnetwork.org".into()),
        reason: Some("validity ended after 3 attempts; last seen: absent".into()),
        final_at: Some(later()),
    }
}

fn totals() -> Summary {
    let messages = BTreeMap::from([("delivered".into(), 40), ("queued".into(), 2)]);
    Summary { messages, registrations: 2, frontends: 1, oldest: Some(time()) }
}
