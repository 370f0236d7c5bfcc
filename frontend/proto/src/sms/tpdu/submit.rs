//! SMS-SUBMIT (TS 23.040 §9.2.2.2).

use super::super::address::Address;
use super::super::dcs::Dcs;
use super::super::error::DecodeError;
use super::super::fields::{TP_DA, TP_DCS, TP_MR, TP_PID};
use super::super::reader::Reader;
use super::super::rp::Direction;
use super::super::user_data::{MAX_OCTETS, UserData};
use super::super::validity::Validity;
use super::{Carrier, HEADER, REPLY_PATH, STATUS_REPORT, TpduType, expect, flag};

/// TP-MTI of SMS-SUBMIT.
const MTI: u8 = 0x01;
/// Bit 3: TP-RD (§9.2.3.25).
pub(crate) const REJECT_DUPLICATES: u8 = 0x04;

/// A message from a handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submit<'a> {
    /// TP-RD: refuse a message that is still held with the same TP-MR and TP-DA.
    pub reject_duplicates: bool,
    /// TP-RP: a reply path is asked for.
    pub reply_path: bool,
    /// TP-SRR: a status report is asked for.
    pub status_report_request: bool,
    /// TP-MR.
    pub mr: u8,
    /// TP-DA.
    pub da: Address,
    /// TP-PID.
    pub pid: u8,
    /// TP-VP.
    pub vp: Option<Validity>,
    /// TP-DCS and TP-UD.
    pub ud: UserData<'a>,
}

impl<'a> Submit<'a> {
    /// Reads an SMS-SUBMIT.
    ///
    /// # Errors
    /// What is missing or not allowed, another TP-MTI among it.
    pub fn decode(octets: &'a [u8]) -> Result<Submit<'a>, DecodeError> {
        let (first, mut reader) = expect(TpduType::Submit, Direction::MsToNetwork, Carrier::Data, octets)?;
        Submit::read(first, &mut reader)
    }

    pub(super) fn read(first: u8, reader: &mut Reader<'a>) -> Result<Submit<'a>, DecodeError> {
        let mr = reader.octet(TP_MR)?;
        let da = Address::decode_tp(reader, TP_DA)?;
        let pid = reader.octet(TP_PID)?;
        let dcs = Dcs(reader.octet(TP_DCS)?);
        let vp = Validity::decode(first, reader)?;
        let ud = UserData::decode(dcs, first & HEADER != 0, MAX_OCTETS, reader)?;
        Ok(Submit {
            reject_duplicates: first & REJECT_DUPLICATES != 0,
            reply_path: first & REPLY_PATH != 0,
            status_report_request: first & STATUS_REPORT != 0,
            mr,
            da,
            pid,
            vp,
            ud,
        })
    }

    /// Appends the TPDU.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(
            MTI | flag(self.reject_duplicates, REJECT_DUPLICATES)
                | Validity::format(self.vp.as_ref())
                | flag(self.status_report_request, STATUS_REPORT)
                | flag(self.ud.header, HEADER)
                | flag(self.reply_path, REPLY_PATH),
        );
        out.push(self.mr);
        self.da.encode_tp(out);
        out.extend_from_slice(&[self.pid, self.ud.dcs.0]);
        if let Some(vp) = &self.vp {
            vp.encode(out);
        }
        self.ud.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Timestamp;
    use super::*;

    const TEXT: [u8; 7] = [0xe8, 0x32, 0x9b, 0xfd, 0x06, 0x6d, 0xca];

    fn hello() -> Submit<'static> {
        Submit {
            reject_duplicates: false,
            reply_path: false,
            status_report_request: true,
            mr: 0,
            da: Address::international("31612345678").unwrap(),
            pid: 0,
            vp: None,
            ud: UserData { dcs: Dcs(0), header: false, length: 8, octets: &TEXT },
        }
    }

    #[test]
    fn a_submit_reads_and_writes_octet_by_octet() {
        let octets = [
            0x21, 0x00, 0x0b, 0x91, 0x13, 0x16, 0x32, 0x54, 0x76, 0xf8, 0x00, 0x00, 0x08, 0xe8, 0x32, 0x9b,
            0xfd, 0x06, 0x6d, 0xca,
        ];
        assert_eq!(Submit::decode(&octets), Ok(hello()));
        let mut out = Vec::new();
        hello().encode(&mut out);
        assert_eq!(out, octets);
    }

    #[test]
    fn the_text_of_a_submit_has_its_euro_sign() {
        assert_eq!(hello().ud.text().as_deref(), Ok("hello €"));
    }

    #[test]
    fn all_flags_and_an_absolute_validity_period() {
        let octets = [
            0xbd, 0x2a, 0x05, 0x81, 0x21, 0x43, 0xf5, 0x00, 0x04, 0x62, 0x11, 0x12, 0x31, 0x23, 0x33, 0x04,
            0x02, 0xca, 0xfe,
        ];
        let expected = Submit {
            reject_duplicates: true,
            reply_path: true,
            status_report_request: true,
            mr: 0x2a,
            da: Address::dialled("12345").unwrap(),
            pid: 0,
            vp: Some(Validity::Absolute(Timestamp {
                year: 26,
                month: 11,
                day: 21,
                hour: 13,
                minute: 32,
                second: 33,
                zone_quarters: 40,
            })),
            ud: UserData { dcs: Dcs(4), header: false, length: 2, octets: &[0xca, 0xfe] },
        };
        // 0x04 in the zone octet is four tens of quarters: the semi-octets are swapped.
        assert_eq!(Submit::decode(&octets), Ok(expected));
    }

    #[test]
    fn every_cut_is_an_error_that_names_a_place_inside() {
        let mut octets = Vec::new();
        hello().encode(&mut octets);
        for end in 0..octets.len() {
            let error = Submit::decode(&octets[..end]).unwrap_err();
            assert!(error.octet <= end, "{error} after {end} octets");
        }
    }
}
