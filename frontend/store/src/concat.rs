//! Which parts belong to one multipart message (TS 23.040 §9.2.3.24.1, §9.2.3.24.8).

use smsc_backend::{NewMessage, SourceType};
use smsc_proto::sms::{Concatenation, Deliver, Elements, Submit};

/// A part's place in its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The same for all parts of one message, as long as its reference is not used again.
    pub(crate) key: String,
    /// From 1.
    pub(crate) sequence: u8,
}

/// The concatenation a message's user data header announces, or that of its TPDU where none is given apart.
pub(crate) fn part_of(message: &NewMessage) -> Option<Part> {
    let found = match (&message.udh, &message.raw_tpdu) {
        (Some(udh), _) => in_header(&octets(udh)?),
        (None, Some(raw)) => in_tpdu(message.source_type, &octets(raw)?),
        (None, None) => None,
    };
    let Concatenation { reference, total, sequence, wide } = found.filter(|found| found.total > 1)?;
    let width = if wide { 16 } else { 8 };
    Some(Part { key: format!("{} {reference}/{width} {total}", message.source_msisdn), sequence })
}

/// A header that is not sound is ignored as a whole; of several elements the last counts (TS 23.040 §9.2.3.24).
fn in_header(header: &[u8]) -> Option<Concatenation> {
    let elements = Elements::new(header);
    elements.are_sound().then(|| elements.filter_map(|element| element.concatenation()).last())?
}

fn in_tpdu(source: SourceType, tpdu: &[u8]) -> Option<Concatenation> {
    match source {
        SourceType::Gsm => Deliver::decode(tpdu).ok()?.ud.concatenation(),
        _ => Submit::decode(tpdu).ok()?.ud.concatenation(),
    }
}

/// The octets of a hex string; None if it is not one.
pub(crate) fn octets(hex: &str) -> Option<Vec<u8>> {
    let nibble = |c: u8| char::from(c).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use smsc_backend::Encoding;

    use super::*;

    fn message(source_type: SourceType, udh: Option<&str>, raw_tpdu: Option<&str>) -> NewMessage {
        NewMessage {
            idempotency_key: String::new(),
            source_msisdn: "447700900123".into(),
            destination_msisdn: "+447700900456".into(),
            destination_ton: 1,
            destination_npi: 1,
            message_body: "part".into(),
            source_smsc: "smsc01".into(),
            source_type,
            encoding: Encoding::Gsm7,
            tp_dcs: None,
            tp_pid: None,
            tp_mr: None,
            tp_rd: None,
            tp_rp: None,
            rp_mr: None,
            udh: udh.map(str::to_owned),
            raw_tpdu: raw_tpdu.map(str::to_owned),
            sc_address: None,
            submit_key: None,
            validity_period: None,
            status_report_requested: false,
            call_id: None,
            icid: None,
        }
    }

    fn part(reference: &str, total: u8, sequence: u8) -> Option<Part> {
        Some(Part { key: format!("447700900123 {reference} {total}"), sequence })
    }

    #[test]
    fn parts_are_known_by_reference_and_total_and_damaged_headers_are_none() {
        for (udh, expected) in [
            ("0003a70201", part("167/8", 2, 1)),
            ("0804beef0302", part("48879/16", 3, 2)),
            ("05040b8423f00003070202", part("7/8", 2, 2)),
            ("0003070201080400080302", part("8/16", 3, 2)),
            ("00030702010804000803", None),
            ("0003a70203", None),
            ("0003a70200", None),
            ("0003a70101", None),
            ("0003a702", None),
            ("0", None),
            ("", None),
        ] {
            assert_eq!(part_of(&message(SourceType::Smpp, Some(udh), None)), expected, "{udh}");
        }
    }

    #[test]
    fn without_a_header_apart_the_tpdu_is_read() {
        // SMS-SUBMIT with TP-UDHI to 447700900456, 8-bit data, and the SMS-DELIVER a modem gives for its like.
        let submit = "41010c914477009004650004080500030702014142";
        let deliver = "440c914477009004650004621112213143400805000307020141 42".replace(' ', "");
        for (source_type, raw, expected) in [
            (SourceType::Ims, submit, part("7/8", 2, 1)),
            (SourceType::Gsm, deliver.as_str(), part("7/8", 2, 1)),
            (SourceType::Ims, "41010c91447700", None),
            (SourceType::Ims, "01010c91447700900465000403414243", None),
        ] {
            assert_eq!(part_of(&message(source_type, None, Some(raw))), expected, "{raw}");
        }
    }
}
