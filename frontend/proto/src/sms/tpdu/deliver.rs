//! SMS-DELIVER (TS 23.040 §9.2.2.1).

use super::super::address::Address;
use super::super::dcs::Dcs;
use super::super::error::DecodeError;
use super::super::fields::{TP_DCS, TP_OA, TP_PID, TP_SCTS};
use super::super::reader::Reader;
use super::super::rp::Direction;
use super::super::timestamp::Timestamp;
use super::super::user_data::{MAX_OCTETS, UserData};
use super::{
    Carrier, HEADER, LOOP_PREVENTION, NO_MORE_MESSAGES, REPLY_PATH, STATUS_REPORT, TpduType, expect, flag,
};

/// A message to a handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deliver<'a> {
    /// TP-MMS: more messages wait for the handset (the bit on the wire is the opposite).
    pub more_messages: bool,
    /// TP-LP: must not be forwarded, so that no loop arises.
    pub loop_prevention: bool,
    /// TP-RP: a reply path exists.
    pub reply_path: bool,
    /// TP-SRI: the sender asked for a status report.
    pub status_report_indication: bool,
    /// TP-OA.
    pub oa: Address,
    /// TP-PID.
    pub pid: u8,
    /// TP-SCTS: when the service centre took the message.
    pub scts: Timestamp,
    /// TP-DCS and TP-UD.
    pub ud: UserData<'a>,
}

impl<'a> Deliver<'a> {
    /// Reads an SMS-DELIVER.
    ///
    /// # Errors
    /// What is missing or not allowed, another TP-MTI among it.
    pub fn decode(octets: &'a [u8]) -> Result<Deliver<'a>, DecodeError> {
        let (first, mut reader) = expect(TpduType::Deliver, Direction::NetworkToMs, Carrier::Data, octets)?;
        Deliver::read(first, &mut reader)
    }

    pub(super) fn read(first: u8, reader: &mut Reader<'a>) -> Result<Deliver<'a>, DecodeError> {
        let oa = Address::decode_tp(reader, TP_OA)?;
        let pid = reader.octet(TP_PID)?;
        let dcs = Dcs(reader.octet(TP_DCS)?);
        let scts = Timestamp::decode(reader.array(TP_SCTS)?);
        let ud = UserData::decode(dcs, first & HEADER != 0, MAX_OCTETS, reader)?;
        Ok(Deliver {
            more_messages: first & NO_MORE_MESSAGES == 0,
            loop_prevention: first & LOOP_PREVENTION != 0,
            reply_path: first & REPLY_PATH != 0,
            status_report_indication: first & STATUS_REPORT != 0,
            oa,
            pid,
            scts,
            ud,
        })
    }

    /// Appends the TPDU.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(
            flag(!self.more_messages, NO_MORE_MESSAGES)
                | flag(self.loop_prevention, LOOP_PREVENTION)
                | flag(self.status_report_indication, STATUS_REPORT)
                | flag(self.ud.header, HEADER)
                | flag(self.reply_path, REPLY_PATH),
        );
        self.oa.encode_tp(out);
        out.extend_from_slice(&[self.pid, self.ud.dcs.0]);
        out.extend_from_slice(&self.scts.encode());
        self.ud.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deliver_from_a_name_in_ucs2() {
        let octets = [
            0x24, 0x09, 0xd0, 0x41, 0xa1, 0xb1, 0x68, 0x04, 0x00, 0x18, 0x62, 0x11, 0x12, 0x31, 0x23, 0x33,
            0x00, 0x04, 0xd8, 0x3d, 0xde, 0x00,
        ];
        let expected = Deliver {
            more_messages: false,
            loop_prevention: false,
            reply_path: false,
            status_report_indication: true,
            oa: Address::alphanumeric("ABFEF").unwrap(),
            pid: 0,
            scts: Timestamp {
                year: 26,
                month: 11,
                day: 21,
                hour: 13,
                minute: 32,
                second: 33,
                zone_quarters: 0,
            },
            ud: UserData { dcs: Dcs(0x18), header: false, length: 4, octets: &[0xd8, 0x3d, 0xde, 0x00] },
        };
        assert_eq!(Deliver::decode(&octets), Ok(expected));
        let mut out = Vec::new();
        expected.encode(&mut out);
        assert_eq!(out, octets);
        assert_eq!(expected.ud.text().as_deref(), Ok("😀"));
    }

    #[test]
    fn the_bit_for_more_messages_is_set_when_there_are_none() {
        let octets = [0x00, 0x02, 0x81, 0x21, 0x00, 0x04, 0, 0, 0, 0, 0, 0, 0, 0x00];
        assert!(Deliver::decode(&octets).unwrap().more_messages);
        assert!(!Deliver::decode(&[&[0x04], &octets[1..]].concat()).unwrap().more_messages);
    }

    #[test]
    fn another_type_is_refused() {
        assert_eq!(
            Deliver::decode(&[0x02, 0x00]).unwrap_err().to_string(),
            "octet 0: this is an SMS-STATUS-REPORT, not an SMS-DELIVER (TS 23.040 §9.2.3.1)"
        );
    }
}
