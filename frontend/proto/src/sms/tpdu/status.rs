//! SMS-STATUS-REPORT (TS 23.040 §9.2.2.3).

use super::super::address::Address;
use super::super::error::DecodeError;
use super::super::fields::{TP_DT, TP_MR, TP_RA, TP_SCTS, TP_ST};
use super::super::reader::Reader;
use super::super::rp::Direction;
use super::super::timestamp::Timestamp;
use super::super::user_data::UserData;
use super::{Carrier, HEADER, LOOP_PREVENTION, NO_MORE_MESSAGES, STATUS_REPORT, TpduType, expect, flag};

/// TP-MTI of SMS-STATUS-REPORT.
const MTI: u8 = 0x02;

/// What became of a message or a command that a handset submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusReport<'a> {
    /// TP-MMS: more messages wait for the handset (the bit on the wire is the opposite).
    pub more_messages: bool,
    /// TP-LP: must not be forwarded, so that no loop arises.
    pub loop_prevention: bool,
    /// TP-SRQ: it is the result of an SMS-COMMAND.
    pub status_report_qualifier: bool,
    /// TP-MR of the message it is about.
    pub mr: u8,
    /// TP-RA: TP-DA of the message it is about.
    pub ra: Address,
    /// TP-SCTS: when the service centre took the message.
    pub scts: Timestamp,
    /// TP-DT: when the outcome was.
    pub dt: Timestamp,
    /// TP-ST; see [`super::super::names::status`].
    pub status: u8,
    /// TP-PID.
    pub pid: Option<u8>,
    /// TP-DCS and TP-UD.
    pub ud: Option<UserData<'a>>,
}

impl<'a> StatusReport<'a> {
    /// Reads an SMS-STATUS-REPORT.
    ///
    /// # Errors
    /// What is missing or not allowed, another TP-MTI among it.
    pub fn decode(octets: &'a [u8]) -> Result<StatusReport<'a>, DecodeError> {
        let (first, mut reader) =
            expect(TpduType::StatusReport, Direction::NetworkToMs, Carrier::Data, octets)?;
        StatusReport::read(first, &mut reader)
    }

    pub(super) fn read(first: u8, reader: &mut Reader<'a>) -> Result<StatusReport<'a>, DecodeError> {
        let mr = reader.octet(TP_MR)?;
        let ra = Address::decode_tp(reader, TP_RA)?;
        let scts = Timestamp::decode(reader.array(TP_SCTS)?);
        let dt = Timestamp::decode(reader.array(TP_DT)?);
        let status = reader.octet(TP_ST)?;
        // TP-PI is there only if something of what it announces is (§9.2.2.3). A report that was read from a SIM ends
        // with the octets FF that fill its record, and those are none.
        let (pid, ud) = if reader.rest().iter().all(|&octet| octet == 0xff) {
            (None, None)
        } else {
            let indicator = UserData::read_indicator(reader)?;
            UserData::read_announced(indicator, first & HEADER != 0, reader)?
        };
        Ok(StatusReport {
            more_messages: first & NO_MORE_MESSAGES == 0,
            loop_prevention: first & LOOP_PREVENTION != 0,
            status_report_qualifier: first & STATUS_REPORT != 0,
            mr,
            ra,
            scts,
            dt,
            status,
            pid,
            ud,
        })
    }

    /// Appends the TPDU.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(
            MTI | flag(!self.more_messages, NO_MORE_MESSAGES)
                | flag(self.loop_prevention, LOOP_PREVENTION)
                | flag(self.status_report_qualifier, STATUS_REPORT)
                | flag(self.ud.is_some_and(|data| data.header), HEADER),
        );
        out.push(self.mr);
        self.ra.encode_tp(out);
        out.extend_from_slice(&self.scts.encode());
        out.extend_from_slice(&self.dt.encode());
        out.push(self.status);
        if self.pid.is_some() || self.ud.is_some() {
            out.push(UserData::indicator(self.pid, self.ud.as_ref()));
            UserData::encode_announced(self.pid, self.ud.as_ref(), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_report_reads_and_writes_octet_by_octet() {
        let octets = [
            0x06, 0x2a, 0x0b, 0x91, 0x13, 0x16, 0x32, 0x54, 0x76, 0xf8, 0x62, 0x11, 0x12, 0x31, 0x23, 0x33,
            0x00, 0x62, 0x11, 0x12, 0x31, 0x23, 0x73, 0x00, 0x00,
        ];
        let scts =
            Timestamp { year: 26, month: 11, day: 21, hour: 13, minute: 32, second: 33, zone_quarters: 0 };
        let expected = StatusReport {
            more_messages: false,
            loop_prevention: false,
            status_report_qualifier: false,
            mr: 0x2a,
            ra: Address::international("31612345678").unwrap(),
            scts,
            dt: Timestamp { second: 37, ..scts },
            status: 0,
            pid: None,
            ud: None,
        };
        assert_eq!(StatusReport::decode(&octets), Ok(expected));
        let mut out = Vec::new();
        expected.encode(&mut out);
        assert_eq!(out, octets);
    }

    #[test]
    fn the_filling_of_a_sim_record_is_no_optional_element() {
        let octets = [0x06, 0x01, 0x02, 0x81, 0x21, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0x46];
        let filled = [&octets[..], &[0xff; 150]].concat();
        assert_eq!(StatusReport::decode(&filled), StatusReport::decode(&octets));
        assert!(StatusReport::decode(&octets).is_ok());
    }

    #[test]
    fn every_cut_of_a_status_report_is_refused() {
        let octets = [
            0x26, 0x01, 0x02, 0x81, 0x21, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0x46, 0x07, 0x00, 0x04,
            0x01, 0xff,
        ];
        assert!(StatusReport::decode(&octets).is_ok());
        // Where the optional elements begin, the report without them is whole.
        for end in (0..octets.len()).filter(|&end| end != 20) {
            assert!(StatusReport::decode(&octets[..end]).is_err(), "{end}");
        }
    }
}
