//! From a backend row to what a handset is sent.

use data_encoding::HEXLOWER_PERMISSIVE;
use jiff::Timestamp as Time;
use smsc_backend::{Encoding, Kind, QueuedMessage};
use smsc_proto::sms::{
    Address, AddressError, Alphabet, Carrier, Dcs, Deliver, Direction, Part, SplitError, SplitOptions,
    StatusReport, Timestamp, Tpdu, gsm7::Language, split_binary, split_text,
};

use super::requests::is_uri;

/// What one delivery attempt sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Composed {
    /// RP-DATA with an SMS-DELIVER for every part.
    Deliver { head: Head, parts: Vec<Part> },
    /// RP-DATA with one SMS-STATUS-REPORT.
    StatusReport(Report),
    /// A text/plain MESSAGE.
    Plain(String),
}

/// What all parts of an SMS-DELIVER share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    oa: Address,
    pid: u8,
    reply_path: bool,
    scts: Timestamp,
}

/// The fields of an SMS-STATUS-REPORT (TS 23.040 §9.2.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    mr: u8,
    ra: Address,
    scts: Timestamp,
    dt: Timestamp,
    status: u8,
}

/// Why a row cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unsendable {
    /// The row itself is wrong.
    Row(String),
    /// Octets for a handset that takes only text: another link may do it.
    NeedsSmsip,
}

impl Composed {
    /// How many MESSAGEs it takes.
    pub(super) fn parts(&self) -> usize {
        match self {
            Self::Deliver { parts, .. } => parts.len(),
            Self::StatusReport(_) | Self::Plain(_) => 1,
        }
    }

    /// The TPDU of one part; `None` for text/plain.
    pub(super) fn tpdu(&self, part: usize, more_messages: bool) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(176);
        match self {
            Self::Deliver { head, parts } => {
                let ud = parts.get(part)?.as_user_data();
                Deliver {
                    more_messages,
                    loop_prevention: false,
                    reply_path: head.reply_path,
                    status_report_indication: false,
                    oa: head.oa,
                    pid: head.pid,
                    scts: head.scts,
                    ud,
                }
                .encode(&mut out);
            }
            Self::StatusReport(report) => StatusReport {
                more_messages,
                loop_prevention: false,
                status_report_qualifier: false,
                mr: report.mr,
                ra: report.ra,
                scts: report.scts,
                dt: report.dt,
                status: report.status,
                pid: None,
                ud: None,
            }
            .encode(&mut out),
            Self::Plain(_) => return None,
        }
        Some(out)
    }
}

/// Composes what `row` asks for. Text is coded in the smallest way that handsets which have the tables of `languages`
/// can read; `wall` stands in for a missing TP-SCTS.
pub(super) fn compose(
    row: &QueuedMessage,
    capable: bool,
    languages: &[Language],
    wall: i64,
) -> Result<Composed, Unsendable> {
    if row.kind == Kind::StatusReport {
        return status_report(row).map(Composed::StatusReport);
    }
    if !capable {
        return match row.encoding {
            Some(Encoding::Binary) => Err(Unsendable::NeedsSmsip),
            _ => Ok(Composed::Plain(row.message_body.clone())),
        };
    }
    let raw = row.raw_tpdu.as_deref().map(hex).transpose()?;
    let submitted = raw.as_deref().and_then(|octets| match row.kind {
        Kind::Deliver => None,
        _ => match Tpdu::decode(Direction::MsToNetwork, Carrier::Data, octets) {
            Ok(Tpdu::Submit(submit)) => Some(submit),
            _ => None,
        },
    });
    let delivered = raw.as_deref().and_then(|octets| match row.kind {
        Kind::Deliver => match Tpdu::decode(Direction::NetworkToMs, Carrier::Data, octets) {
            Ok(Tpdu::Deliver(deliver)) => Some(deliver),
            _ => None,
        },
        _ => None,
    });
    let original = submitted.as_ref().map(|s| &s.ud).or(delivered.as_ref().map(|d| &d.ud));
    let parts = match original {
        Some(ud) => {
            vec![Part { dcs: ud.dcs, header: ud.header, length: ud.length, octets: ud.octets.to_vec() }]
        }
        None => split(row, languages)?,
    };
    let pid =
        row.tp_pid.or(submitted.as_ref().map(|s| s.pid)).or(delivered.as_ref().map(|d| d.pid)).unwrap_or(0);
    let reply_path = row.tp_rp.or(submitted.as_ref().map(|s| s.reply_path)).unwrap_or(false);
    let scts = match (row.scts, delivered.as_ref()) {
        (Some(time), _) => timestamp(time),
        (None, Some(deliver)) => deliver.scts,
        (None, None) => Timestamp::from_unix(wall, 0),
    };
    Ok(Composed::Deliver { head: Head { oa: originator(row)?, pid, reply_path, scts }, parts })
}

/// What `text` is coded in, where handsets have the tables of `languages`: `ucs2` says that it must be that.
pub fn encoding(text: &str, languages: &[Language]) -> Result<Encoding, SplitError> {
    let parts = split_text(text, 0, SplitOptions { languages, ..SplitOptions::default() })?;
    let gsm7 = parts.iter().all(|part| part.dcs.alphabet() == Alphabet::Gsm7);
    Ok(if gsm7 { Encoding::Gsm7 } else { Encoding::Ucs2 })
}

fn status_report(row: &QueuedMessage) -> Result<Report, Unsendable> {
    let report = row.status_report.as_ref().ok_or_else(|| bad("status_report", "missing"))?;
    Ok(Report {
        mr: report.tp_mr,
        ra: recipient(&report.destination_msisdn)
            .map_err(|e| bad("status_report.destination_msisdn", &e.to_string()))?,
        scts: timestamp(report.scts),
        dt: timestamp(report.dt),
        status: report.status,
    })
}

/// TP-RA: the number as dialled; the dummy MSISDN, which the message had as TP-DA, for a recipient without one
/// (TS 23.003 §3.3).
fn recipient(destination: &str) -> Result<Address, AddressError> {
    if is_uri(destination) { Ok(Address::DUMMY_MSISDN) } else { Address::dialled(destination) }
}

fn split(row: &QueuedMessage, languages: &[Language]) -> Result<Vec<Part>, Unsendable> {
    let udh = row.udh.as_deref().map(hex).transpose()?.unwrap_or_default();
    let reference = concatenation_reference(row);
    let class = row.tp_dcs.and_then(|dcs| Dcs(dcs).class());
    let options =
        |alphabet| SplitOptions { alphabet, languages, class, udh: &udh, ..SplitOptions::default() };
    let parts = match row.encoding {
        Some(Encoding::Binary) => {
            split_binary(&hex(&row.message_body)?, reference, options(Some(Alphabet::EightBit)))
        }
        Some(Encoding::Ucs2) => split_text(&row.message_body, reference, options(Some(Alphabet::Ucs2))),
        _ => split_text(&row.message_body, reference, options(None)),
    };
    let mut parts = parts.map_err(|error| bad("message_body", &error.to_string()))?;
    // What the sender's scheme says besides the alphabet: message waiting, class, automatic deletion.
    let asked = row.tp_dcs.map(Dcs).filter(|dcs| !dcs.compressed() && !dcs.is_reserved());
    for part in &mut parts {
        part.dcs = asked.filter(|dcs| dcs.alphabet() == part.dcs.alphabet()).unwrap_or(part.dcs);
    }
    Ok(parts)
}

/// The same for every attempt at one message, so that a handset joins parts of different attempts.
fn concatenation_reference(row: &QueuedMessage) -> u16 {
    row.id.0.bytes().fold(0x5A5Au16, |hash, octet| hash.rotate_left(5) ^ u16::from(octet).wrapping_mul(257))
}

/// TP-OA: digits with the row's TON and NPI, or what its form tells.
fn originator(row: &QueuedMessage) -> Result<Address, Unsendable> {
    const ALPHANUMERIC: u8 = 5;
    let text = row.source_msisdn.as_str();
    let address = match (row.source_ton, row.source_npi) {
        (Some(ALPHANUMERIC), _) => Address::alphanumeric(text),
        (Some(ton), npi) => Address::new(ton, npi.unwrap_or(1), text.trim_start_matches('+')),
        (None, _) if text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'*' | b'#')) => {
            Address::dialled(text)
        }
        (None, _) => Address::alphanumeric(user_part(text)),
    };
    address.map_err(|error| bad("source_msisdn", &error.to_string()))
}

/// Of a sender known only by its URI: the part a handset can show.
fn user_part(text: &str) -> &str {
    let user = text.split_once(':').map_or(text, |(_, rest)| rest).split('@').next().unwrap_or(text);
    user.char_indices().nth(11).map_or(user, |(end, _)| &user[..end])
}

fn timestamp(time: Time) -> Timestamp {
    Timestamp::from_unix(time.as_second(), 0)
}

fn hex(text: &str) -> Result<Vec<u8>, Unsendable> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| bad("hex field", "not hex digits"))
}

fn bad(field: &str, why: &str) -> Unsendable {
    Unsendable::Row(format!("{field}: {why}"))
}
