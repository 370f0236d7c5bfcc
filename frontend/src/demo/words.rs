//! What a message carries, in a few words.

use smsc_proto::sms::{Carrier, Direction, Rpdu, Tpdu, UserData, names};

/// Characters of a text that are shown on a hop.
const SHOWN: usize = 40;

/// An RPDU and the TPDU in it.
pub(super) fn rpdu(direction: Direction, octets: &[u8]) -> String {
    match Rpdu::decode(direction, octets) {
        Ok(Rpdu::Data(data)) => {
            format!("RP-DATA {}: {}", data.mr, tpdu(direction, Carrier::Data, data.user_data))
        }
        Ok(Rpdu::Ack(ack)) => match ack.user_data {
            Some(octets) => format!("RP-ACK {}: {}", ack.mr, tpdu(direction, Carrier::Ack, octets)),
            None => format!("RP-ACK {}", ack.mr),
        },
        Ok(Rpdu::Error(error)) => {
            let name = names::rp_cause(error.cause).unwrap_or("reserved");
            format!("RP-ERROR {}: cause {} ({name})", error.mr, error.cause)
        }
        Ok(Rpdu::Smma { mr }) => format!("RP-SMMA {mr}"),
        Err(error) => format!("not an RPDU: {error}"),
    }
}

/// A text, cut where it gets long.
pub(super) fn text(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("“{}…”", &line[..end]),
        None => format!("“{line}”"),
    }
}

fn tpdu(direction: Direction, carrier: Carrier, octets: &[u8]) -> String {
    match Tpdu::decode(direction, carrier, octets) {
        Ok(Tpdu::Submit(submit)) => {
            let report = if submit.status_report_request { ", report wanted" } else { "" };
            format!(
                "SMS-SUBMIT {} to {} {}{report}",
                submit.mr,
                submit.da.as_dialled(),
                user_data(&submit.ud)
            )
        }
        Ok(Tpdu::Deliver(deliver)) => {
            format!("SMS-DELIVER from {} {}", deliver.oa.as_dialled(), user_data(&deliver.ud))
        }
        Ok(Tpdu::StatusReport(report)) => {
            format!("SMS-STATUS-REPORT on SMS-SUBMIT {}: {}", report.mr, names::status(report.status))
        }
        Ok(other) => other.name().to_owned(),
        Err(error) => format!("not a TPDU: {error}"),
    }
}

fn user_data(ud: &UserData<'_>) -> String {
    let part = ud.concatenation().map(|c| format!(" (part {} of {})", c.sequence, c.total));
    let text = ud.text().map_or_else(|_| "(octets)".to_owned(), |text| self::text(&text));
    format!("{text}{}", part.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use smsc_proto::sms::{RpAck, RpError};

    use super::*;

    fn told(direction: Direction, rpdu: &Rpdu<'_>) -> String {
        let mut octets = Vec::new();
        rpdu.encode(direction, &mut octets);
        super::rpdu(direction, &octets)
    }

    #[test]
    fn rpdus_are_told_by_the_names_of_the_specification() {
        let ack = Rpdu::Ack(RpAck { mr: 7, user_data: None });
        assert_eq!(told(Direction::MsToNetwork, &ack), "RP-ACK 7");
        let error = Rpdu::Error(RpError { mr: 8, cause: 22, diagnostic: None, user_data: None });
        assert_eq!(told(Direction::MsToNetwork, &error), "RP-ERROR 8: cause 22 (memory capacity exceeded)");
        assert_eq!(told(Direction::MsToNetwork, &Rpdu::Smma { mr: 9 }), "RP-SMMA 9");
    }

    #[test]
    fn a_long_text_is_cut_and_stays_on_its_line() {
        assert_eq!(text("one\ntwo"), "“one two”");
        assert_eq!(text(&"é".repeat(41)), format!("“{}…”", "é".repeat(40)));
    }
}
