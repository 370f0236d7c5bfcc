//! SMS-COMMAND (TS 23.040 §9.2.2.4).

use super::super::address::Address;
use super::super::error::DecodeError;
use super::super::fields::{TP_CD, TP_CDL, TP_CT, TP_DA, TP_MN, TP_MR, TP_PID};
use super::super::reader::Reader;
use super::super::rp::Direction;
use super::super::user_data::MAX_REPORT_OCTETS;
use super::{Carrier, HEADER, STATUS_REPORT, TpduType, expect, flag};

/// TP-MTI of SMS-COMMAND.
const MTI: u8 = 0x02;
/// Octets of command data (§9.2.3.20).
const MAX_DATA: usize = MAX_REPORT_OCTETS - 2;

/// A handset's wish about a message it submitted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// TP-SRR: a status report is asked for.
    pub status_report_request: bool,
    /// TP-UDHI: the data begin with a header.
    pub header: bool,
    /// TP-MR.
    pub mr: u8,
    /// TP-PID.
    pub pid: u8,
    /// TP-CT: 0 enquiry, 1 cancel status report, 2 delete, 3 enable status report.
    pub command_type: u8,
    /// TP-MN: TP-MR of the message it is about.
    pub message_number: u8,
    /// TP-DA of the message it is about.
    pub da: Address,
    /// TP-CD.
    pub data: &'a [u8],
}

impl<'a> Command<'a> {
    /// Reads an SMS-COMMAND.
    ///
    /// # Errors
    /// What is missing or not allowed, another TP-MTI among it.
    pub fn decode(octets: &'a [u8]) -> Result<Command<'a>, DecodeError> {
        let (first, mut reader) = expect(TpduType::Command, Direction::MsToNetwork, Carrier::Data, octets)?;
        Command::read(first, &mut reader)
    }

    pub(super) fn read(first: u8, reader: &mut Reader<'a>) -> Result<Command<'a>, DecodeError> {
        let mr = reader.octet(TP_MR)?;
        let pid = reader.octet(TP_PID)?;
        let command_type = reader.octet(TP_CT)?;
        let message_number = reader.octet(TP_MN)?;
        let da = Address::decode_tp(reader, TP_DA)?;
        let data = Command::read_data(reader)?;
        Ok(Command {
            status_report_request: first & STATUS_REPORT != 0,
            header: first & HEADER != 0,
            mr,
            pid,
            command_type,
            message_number,
            da,
            data,
        })
    }

    /// Reads TP-CDL and TP-CD.
    pub(crate) fn read_data(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        let at = reader.at();
        let length = usize::from(reader.octet(TP_CDL)?);
        if length > MAX_DATA {
            return Err(TP_CDL.length_error(at, length, 0, MAX_DATA));
        }
        reader.take(length, TP_CD)
    }

    /// Appends the TPDU. Of the data only the first 157 octets have room.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(MTI | flag(self.status_report_request, STATUS_REPORT) | flag(self.header, HEADER));
        out.extend_from_slice(&[self.mr, self.pid, self.command_type, self.message_number]);
        self.da.encode_tp(out);
        let data = &self.data[..self.data.len().min(MAX_DATA)];
        out.push(data.len() as u8);
        out.extend_from_slice(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_and_writes_octet_by_octet() {
        let octets =
            [0x22, 0x05, 0x00, 0x02, 0x2a, 0x0b, 0x91, 0x13, 0x16, 0x32, 0x54, 0x76, 0xf8, 0x02, 0xca, 0xfe];
        let expected = Command {
            status_report_request: true,
            header: false,
            mr: 5,
            pid: 0,
            command_type: 2,
            message_number: 0x2a,
            da: Address::international("31612345678").unwrap(),
            data: &[0xca, 0xfe],
        };
        assert_eq!(Command::decode(&octets), Ok(expected));
        let mut out = Vec::new();
        expected.encode(&mut out);
        assert_eq!(out, octets);
    }
}
