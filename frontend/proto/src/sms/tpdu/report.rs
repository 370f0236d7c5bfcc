//! SMS-SUBMIT-REPORT and SMS-DELIVER-REPORT (TS 23.040 §9.2.2.2a, §9.2.2.1a).

use super::super::error::DecodeError;
use super::super::fields::{TP_FCS, TP_SCTS};
use super::super::reader::Reader;
use super::super::rp::Direction;
use super::super::timestamp::Timestamp;
use super::super::user_data::UserData;
use super::{Carrier, HEADER, TpduType, expect, flag};

/// TP-MTI of SMS-SUBMIT-REPORT; the one of SMS-DELIVER-REPORT is 0.
const SUBMIT_REPORT_MTI: u8 = 0x01;

/// The service centre's answer to a message or a command from a handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmitReport<'a> {
    /// TP-FCS: why it failed. Present in the form that rides in RP-ERROR, and only there.
    pub fcs: Option<u8>,
    /// TP-SCTS: when the service centre took the message.
    pub scts: Timestamp,
    /// TP-PID.
    pub pid: Option<u8>,
    /// TP-DCS and TP-UD.
    pub ud: Option<UserData<'a>>,
}

/// The handset's answer to a message or a status report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliverReport<'a> {
    /// TP-FCS: why it failed. Present in the form that rides in RP-ERROR, and only there.
    pub fcs: Option<u8>,
    /// TP-PID.
    pub pid: Option<u8>,
    /// TP-DCS and TP-UD, such as the answer of a SIM application.
    pub ud: Option<UserData<'a>>,
}

impl<'a> SubmitReport<'a> {
    /// Reads an SMS-SUBMIT-REPORT of the form that rides in `carrier`.
    ///
    /// # Errors
    /// What is missing or not allowed, another TP-MTI among it.
    pub fn decode(carrier: Carrier, octets: &'a [u8]) -> Result<SubmitReport<'a>, DecodeError> {
        let (first, mut reader) = expect(TpduType::SubmitReport, Direction::NetworkToMs, carrier, octets)?;
        SubmitReport::read(first, carrier, &mut reader)
    }

    pub(super) fn read(
        first: u8,
        carrier: Carrier,
        reader: &mut Reader<'a>,
    ) -> Result<SubmitReport<'a>, DecodeError> {
        let fcs = read_failure_cause(carrier, reader)?;
        // TP-PI stands in front of TP-SCTS here, and what it announces behind.
        let indicator = UserData::read_indicator(reader)?;
        let scts = Timestamp::decode(reader.array(TP_SCTS)?);
        let (pid, ud) = UserData::read_announced(indicator, first & HEADER != 0, reader)?;
        Ok(SubmitReport { fcs, scts, pid, ud })
    }

    /// Appends the TPDU.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let header = self.ud.is_some_and(|data| data.header);
        out.push(SUBMIT_REPORT_MTI | flag(header, HEADER));
        out.extend(self.fcs);
        out.push(UserData::indicator(self.pid, self.ud.as_ref()));
        out.extend_from_slice(&self.scts.encode());
        UserData::encode_announced(self.pid, self.ud.as_ref(), out);
    }
}

impl<'a> DeliverReport<'a> {
    /// Reads an SMS-DELIVER-REPORT of the form that rides in `carrier`.
    ///
    /// # Errors
    /// What is missing or not allowed, another TP-MTI among it.
    pub fn decode(carrier: Carrier, octets: &'a [u8]) -> Result<DeliverReport<'a>, DecodeError> {
        let (first, mut reader) = expect(TpduType::DeliverReport, Direction::MsToNetwork, carrier, octets)?;
        DeliverReport::read(first, carrier, &mut reader)
    }

    pub(super) fn read(
        first: u8,
        carrier: Carrier,
        reader: &mut Reader<'a>,
    ) -> Result<DeliverReport<'a>, DecodeError> {
        let fcs = read_failure_cause(carrier, reader)?;
        let indicator = UserData::read_indicator(reader)?;
        let (pid, ud) = UserData::read_announced(indicator, first & HEADER != 0, reader)?;
        Ok(DeliverReport { fcs, pid, ud })
    }

    /// Appends the TPDU.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(flag(self.ud.is_some_and(|data| data.header), HEADER));
        out.extend(self.fcs);
        out.push(UserData::indicator(self.pid, self.ud.as_ref()));
        UserData::encode_announced(self.pid, self.ud.as_ref(), out);
    }
}

fn read_failure_cause(carrier: Carrier, reader: &mut Reader<'_>) -> Result<Option<u8>, DecodeError> {
    Ok(if carrier == Carrier::Error { Some(reader.octet(TP_FCS)?) } else { None })
}

#[cfg(test)]
mod tests {
    use super::super::super::Dcs;
    use super::*;

    const SCTS: Timestamp =
        Timestamp { year: 26, month: 11, day: 21, hour: 13, minute: 32, second: 33, zone_quarters: -20 };

    fn submit_report(report: SubmitReport<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        report.encode(&mut out);
        out
    }

    #[test]
    fn a_submit_report_of_success_has_no_failure_cause() {
        let octets = [0x01, 0x00, 0x62, 0x11, 0x12, 0x31, 0x23, 0x33, 0x0a];
        let report = SubmitReport { fcs: None, scts: SCTS, pid: None, ud: None };
        assert_eq!(SubmitReport::decode(Carrier::Ack, &octets), Ok(report));
        assert_eq!(submit_report(report), octets);
    }

    #[test]
    fn a_submit_report_of_failure_has_one_in_front_of_the_indicator() {
        let octets = [0x01, 0xc5, 0x01, 0x62, 0x11, 0x12, 0x31, 0x23, 0x33, 0x0a, 0x7f];
        let report = SubmitReport { fcs: Some(0xc5), scts: SCTS, pid: Some(0x7f), ud: None };
        assert_eq!(SubmitReport::decode(Carrier::Error, &octets), Ok(report));
        assert_eq!(submit_report(report), octets);
    }

    #[test]
    fn a_deliver_report_carries_the_answer_of_a_sim() {
        let octets = [0x00, 0x07, 0x7f, 0xf6, 0x03, 0x02, 0x71, 0x00];
        let ud = UserData { dcs: Dcs(0xf6), header: false, length: 3, octets: &[0x02, 0x71, 0x00] };
        let report = DeliverReport { fcs: None, pid: Some(0x7f), ud: Some(ud) };
        assert_eq!(DeliverReport::decode(Carrier::Ack, &octets), Ok(report));
        let mut out = Vec::new();
        report.encode(&mut out);
        assert_eq!(out, octets);
    }

    #[test]
    fn memory_exceeded_is_told_by_the_failure_cause() {
        let report = DeliverReport { fcs: Some(0xd3), ..DeliverReport::default() };
        assert_eq!(DeliverReport::decode(Carrier::Error, &[0x00, 0xd3, 0x00]), Ok(report));
    }

    #[test]
    fn a_coding_scheme_without_user_data_is_kept() {
        let ud = UserData { dcs: Dcs(4), ..UserData::EMPTY };
        let report = DeliverReport { fcs: Some(0xd5), pid: None, ud: Some(ud) };
        assert_eq!(DeliverReport::decode(Carrier::Error, &[0x00, 0xd5, 0x02, 0x04]), Ok(report));
    }

    #[test]
    fn octets_that_extend_the_indicator_are_skipped() {
        let report = DeliverReport { fcs: None, pid: Some(0x2c), ud: None };
        assert_eq!(DeliverReport::decode(Carrier::Ack, &[0x00, 0x81, 0x80, 0x00, 0x2c]), Ok(report));
    }
}
