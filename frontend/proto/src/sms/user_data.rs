//! TP-UDL and TP-UD (TS 23.040 §9.2.3.16, §9.2.3.24): header, text, octets.

use super::dcs::{Alphabet, Dcs};
use super::error::{DecodeError, ErrorKind};
use super::fields::{TP_DCS, TP_PI, TP_PID, TP_UD, TP_UDL};
use super::gsm7::Shift;
use super::reader::Reader;
use super::udh::{Concatenation, Elements, Ports};
use super::{gsm7, ucs2};

/// Octets that TP-UD of a submitted or delivered message can have.
pub(crate) const MAX_OCTETS: usize = 140;
/// Octets that TP-UD of any TPDU can have: SMS-DELIVER-REPORT for RP-ACK has the most room (§9.2.2.1a).
pub(crate) const MAX_REPORT_OCTETS: usize = 159;

/// User data as it is on the wire, header included, with what is needed to read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserData<'a> {
    /// The data coding scheme.
    pub dcs: Dcs,
    /// TP-UDHI: whether a header stands in front.
    pub header: bool,
    /// TP-UDL: septets for GSM 7-bit that is not compressed, else octets; the header counts too.
    pub length: u8,
    /// TP-UD.
    pub octets: &'a [u8],
}

impl<'a> UserData<'a> {
    /// No user data, in the default alphabet.
    pub const EMPTY: UserData<'static> = UserData { dcs: Dcs(0), header: false, length: 0, octets: &[] };

    /// Returns the header's information elements without TP-UDHL, raw; nothing if there is no header.
    #[must_use]
    pub fn udh(&self) -> Option<&'a [u8]> {
        match self.octets {
            [length, rest @ ..] if self.header => rest.get(..usize::from(*length)),
            _ => None,
        }
    }

    /// Returns the information elements; none if there is no header or it is not sound and thus ignored (§9.2.3.24).
    #[must_use]
    pub fn elements(&self) -> Elements<'a> {
        let elements = Elements::new(self.udh().unwrap_or_default());
        if elements.are_sound() { elements } else { Elements::new(&[]) }
    }

    /// Returns which part of a long message this is; the last element wins if there are several (§9.2.3.24).
    #[must_use]
    pub fn concatenation(&self) -> Option<Concatenation> {
        self.elements().filter_map(|element| element.concatenation()).last()
    }

    /// Returns the application ports.
    #[must_use]
    pub fn ports(&self) -> Option<Ports> {
        self.elements().filter_map(|element| element.ports()).last()
    }

    /// Returns the alphabet of the text.
    #[must_use]
    pub fn alphabet(&self) -> Alphabet {
        self.dcs.alphabet()
    }

    /// Returns the octets behind the header. Of GSM 7-bit text they begin with the fill bits.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.octets.get(self.header_octets()..).unwrap_or_default()
    }

    /// Returns the national languages whose tables GSM 7-bit text is coded with; they hold for this part alone.
    #[must_use]
    pub fn shift(&self) -> Shift {
        self.elements().shift()
    }

    /// Returns the text in UTF-8.
    ///
    /// # Errors
    /// [`ErrorKind::NotText`] for 8-bit data and [`ErrorKind::Compressed`] for compressed text; `octet` counts from
    /// the start of TP-UD.
    pub fn text(&self) -> Result<String, DecodeError> {
        self.check_text()?;
        // The default alphabet takes at most 3 octets of UTF-8 for 7 bits, and nearly always one.
        let mut text = String::with_capacity(usize::from(self.length));
        match self.alphabet() {
            Alphabet::Gsm7 => text.extend(gsm7::chars(self.septets(), self.shift().tables())),
            _ => text.extend(ucs2::chars(self.payload())),
        }
        Ok(text)
    }

    /// Returns the septets of GSM 7-bit text behind header and fill bits.
    pub fn septets(&self) -> impl Iterator<Item = u8> + use<'a> {
        let header = self.header_septets();
        gsm7::unpack(self.octets, header * 7, usize::from(self.length).saturating_sub(header))
    }

    fn check_text(&self) -> Result<(), DecodeError> {
        let kind = if self.dcs.compressed() {
            ErrorKind::Compressed
        } else if self.alphabet() == Alphabet::EightBit {
            ErrorKind::NotText
        } else {
            return Ok(());
        };
        Err(DecodeError { octet: 0, clause: "TS 23.038 §4", kind })
    }

    /// Octets of the header, TP-UDHL included.
    fn header_octets(&self) -> usize {
        self.udh().map_or(0, |udh| udh.len() + 1)
    }

    /// Septets that the header fills up to the next septet boundary.
    fn header_septets(&self) -> usize {
        (self.header_octets() * 8).div_ceil(7)
    }

    /// Reads TP-UDL and TP-UD of a TPDU that has room for `max` octets of them.
    pub(crate) fn decode(
        dcs: Dcs,
        header: bool,
        max: usize,
        reader: &mut Reader<'a>,
    ) -> Result<UserData<'a>, DecodeError> {
        let at = reader.at();
        let length = reader.octet(TP_UDL)?;
        let septets = dcs.counts_septets();
        let needed = if septets { (usize::from(length) * 7).div_ceil(8) } else { usize::from(length) };
        if needed > max {
            let limit = if septets { max * 8 / 7 } else { max };
            return Err(TP_UDL.length_error(at, length.into(), 0, limit));
        }
        let left = reader.left();
        if needed > left {
            let kind = ErrorKind::UserDataLength { length, septets, left };
            return Err(DecodeError { octet: at, clause: TP_UDL.clause, kind });
        }
        let at = reader.at();
        let octets = reader.take(needed, TP_UD)?;
        let data = UserData { dcs, header, length, octets };
        // A message with TP-UDHI and nothing at all in TP-UD is in use; it has no header.
        let Some(&udhl) = octets.first().filter(|_| header) else { return Ok(data) };
        let header_fits = data.udh().is_some() && (!septets || data.header_septets() <= usize::from(length));
        if !header_fits {
            let kind = ErrorKind::HeaderLength { length: udhl, left: octets.len() - 1 };
            return Err(DecodeError { octet: at, clause: TP_UD.clause, kind });
        }
        Ok(data)
    }

    /// Reads TP-PI (§9.2.3.27). Octets that extend it announce nothing that is known.
    pub(crate) fn read_indicator(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
        let indicator = reader.octet(TP_PI)?;
        let mut last = indicator;
        while last & 0x80 != 0 {
            last = reader.octet(TP_PI)?;
        }
        Ok(indicator)
    }

    /// Reads what TP-PI announces: TP-PID, TP-DCS, TP-UDL with TP-UD.
    pub(crate) fn read_announced(
        indicator: u8,
        header: bool,
        reader: &mut Reader<'a>,
    ) -> Result<(Option<u8>, Option<UserData<'a>>), DecodeError> {
        let pid = if indicator & 0x01 != 0 { Some(reader.octet(TP_PID)?) } else { None };
        let dcs = if indicator & 0x02 != 0 { Dcs(reader.octet(TP_DCS)?) } else { Dcs(0) };
        let data = if indicator & 0x04 != 0 {
            Some(UserData::decode(dcs, header, MAX_REPORT_OCTETS, reader)?)
        } else {
            // A scheme that comes alone is kept with user data that are empty.
            (indicator & 0x02 != 0).then_some(UserData { dcs, ..UserData::EMPTY })
        };
        Ok((pid, data))
    }

    /// Writes TP-UDL and TP-UD.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.length);
        out.extend_from_slice(self.octets);
    }

    /// Returns the TP-PI that announces these.
    pub(crate) fn indicator(pid: Option<u8>, data: Option<&UserData<'_>>) -> u8 {
        u8::from(pid.is_some()) | if data.is_some() { 0x06 } else { 0 }
    }

    /// Writes what TP-PI announces.
    pub(crate) fn encode_announced(pid: Option<u8>, data: Option<&UserData<'_>>, out: &mut Vec<u8>) {
        out.extend(pid);
        if let Some(data) = data {
            out.push(data.dcs.0);
            data.encode(out);
        }
    }
}

/// Joins the text of the parts of a long message, given in their order.
///
/// Septets and code units are joined before they become characters, so a sender that cut an escape or a surrogate pair
/// in two does no harm. Each part has an alphabet and shift tables of its own.
///
/// # Errors
/// As [`UserData::text`], of the first part that is not text.
pub fn join_text(parts: &[UserData<'_>]) -> Result<String, DecodeError> {
    let mut text = String::new();
    let coding = |part: &UserData<'_>| match part.alphabet() {
        Alphabet::Gsm7 => (Alphabet::Gsm7, part.shift()),
        alphabet => (alphabet, Shift::NONE),
    };
    for run in parts.chunk_by(|one, other| coding(one) == coding(other)) {
        run.iter().try_for_each(UserData::check_text)?;
        if run[0].alphabet() == Alphabet::Gsm7 {
            let tables = run[0].shift().tables();
            text.extend(gsm7::chars(run.iter().flat_map(UserData::septets), tables));
        } else {
            let units: Vec<u8> = run.iter().flat_map(|part| part.payload()).copied().collect();
            text.extend(ucs2::chars(&units));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONCAT_1_OF_2: [u8; 6] = [0x05, 0x00, 0x03, 0x55, 0x02, 0x01];

    fn decode(dcs: u8, header: bool, octets: &[u8]) -> Result<UserData<'_>, DecodeError> {
        UserData::decode(Dcs(dcs), header, MAX_OCTETS, &mut Reader::new(octets))
    }

    #[test]
    fn text_behind_a_header_begins_at_a_septet_boundary() {
        let octets = [&[12][..], &CONCAT_1_OF_2, &[0xd0, 0x65, 0x36, 0xfb, 0x0d]].concat();
        let data = decode(0, true, &octets).unwrap();
        assert_eq!(data.text().unwrap(), "hello");
        assert_eq!(data.udh(), Some(&CONCAT_1_OF_2[1..]));
        assert_eq!(
            data.concatenation(),
            Some(Concatenation { reference: 0x55, total: 2, sequence: 1, wide: false })
        );
    }

    #[test]
    fn a_header_of_seven_octets_needs_no_fill_bits() {
        let octets =
            [&[13, 0x06, 0x08, 0x04, 0x12, 0x34, 0x02, 0x01][..], &[0xe8, 0x32, 0x9b, 0xfd, 0x06]].concat();
        let data = decode(0, true, &octets).unwrap();
        assert_eq!(data.text().unwrap(), "hello");
        assert_eq!(data.concatenation().map(|part| (part.reference, part.wide)), Some((0x1234, true)));
    }

    #[test]
    fn a_length_that_the_octets_do_not_bear_out_is_named() {
        assert_eq!(
            decode(0, false, &[0xa0, 1, 2, 3]).unwrap_err().to_string(),
            "octet 0: TP-UDL says 160 septets, 3 octets follow (TS 23.040 §9.2.3.16)"
        );
        assert_eq!(
            decode(4, false, &[0x8d; 200]).unwrap_err().to_string(),
            "octet 0: TP-UDL has length 141, allowed is 0 to 140 (TS 23.040 §9.2.3.16)"
        );
        assert_eq!(
            decode(0, true, &[0x05, 0x05, 0x00, 0x03, 0x7a, 0x02]).unwrap_err().to_string(),
            "octet 1: TP-UDHL says 5 octets, 4 follow (TS 23.040 §9.2.3.24)"
        );
    }

    #[test]
    fn a_header_indicator_without_user_data_is_tolerated() {
        let data = decode(0, true, &[0]).unwrap();
        assert_eq!((data.udh(), data.text().as_deref()), (None, Ok("")));
    }

    #[test]
    fn a_header_with_an_octet_left_over_says_nothing_and_the_text_stays() {
        let octets =
            [&[13, 0x06, 0x00, 0x03, 0x11, 0x02, 0x01, 0x7f][..], &[0xe8, 0x32, 0x9b, 0xfd, 0x06]].concat();
        let data = decode(0, true, &octets).unwrap();
        assert_eq!((data.concatenation(), data.text().as_deref()), (None, Ok("hello")));
    }

    #[test]
    fn the_last_of_several_elements_wins() {
        let octets = [11, 0x0a, 0x00, 0x03, 1, 2, 1, 0x00, 0x03, 9, 3, 2];
        let data = decode(4, true, &octets).unwrap();
        assert_eq!(data.concatenation().map(|part| part.reference), Some(9));
        assert_eq!(data.payload(), []);
    }

    #[test]
    fn data_and_compressed_text_are_no_text() {
        assert_eq!(decode(4, false, &[1, 2]).unwrap().text().unwrap_err().kind, ErrorKind::NotText);
        assert_eq!(decode(0x20, false, &[1, 2]).unwrap().text().unwrap_err().kind, ErrorKind::Compressed);
    }

    #[test]
    fn parts_that_were_cut_inside_a_character_join_to_whole_text() {
        let half = |octets| UserData { dcs: Dcs(8), header: false, length: 2, octets };
        assert_eq!(join_text(&[half(&[0xd8, 0x3d]), half(&[0xde, 0x00])]).as_deref(), Ok("😀"));
        let septet = |octets| UserData { dcs: Dcs(0), header: false, length: 1, octets };
        assert_eq!(join_text(&[septet(&[0x1b]), septet(&[0x65])]).as_deref(), Ok("€"));
    }
}
