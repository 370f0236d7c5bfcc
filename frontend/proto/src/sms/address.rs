//! Addresses of both layers: RP-OA, RP-DA (TS 24.011 §8.2.5.1, .2) and TP-OA, TP-DA, TP-RA (TS 23.040 §9.1.2.5).

use std::fmt;

use thiserror::Error;

use super::error::DecodeError;
use super::gsm7;
use super::reader::{Field, Reader};

/// Octets that 20 semi-octets fill.
const MAX_OCTETS: usize = 10;
/// Semi-octets an address may have.
const MAX_SEMI_OCTETS: usize = 20;
/// Bit 8 of the type-of-address octet, always set.
const NO_EXTENSION: u8 = 0x80;

/// A number or a name, up to 20 semi-octets, stored inline as it is on the wire.
///
/// Equality is equality on the wire: the same type-of-address and the same semi-octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    type_of_address: u8,
    semi_octets: u8,
    octets: [u8; MAX_OCTETS],
}

/// Why a string is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// There is nothing in it.
    #[error("the address is empty")]
    Empty,
    /// More than 20 digits, or more than 11 characters.
    #[error("the address is too long: at most 20 digits or 11 characters of the GSM alphabet")]
    TooLong,
    /// A character that the address cannot carry.
    #[error("{0:?} cannot stand in an address")]
    Character(char),
    /// TON above 7 or NPI above 15.
    #[error("TON is 0 to 7 and NPI 0 to 15")]
    Type,
}

impl Address {
    /// No address: length 0 in RP-OA and RP-DA.
    pub const EMPTY: Address =
        Address { type_of_address: NO_EXTENSION, semi_octets: 0, octets: [0; MAX_OCTETS] };
    /// The number that stands where a subscriber has none: fifteen zeros, international (TS 23.003). SMS without an
    /// MSISDN tells who is meant in SIP, and this in TP-DA or TP-OA (TS 24.341 annex B.7).
    pub const DUMMY_MSISDN: Address = Address {
        type_of_address: NO_EXTENSION | Self::TON_INTERNATIONAL << 4 | Self::NPI_E164,
        semi_octets: 15,
        octets: [0, 0, 0, 0, 0, 0, 0, 0xf0, 0, 0],
    };
    /// Type of number: unknown.
    pub const TON_UNKNOWN: u8 = 0;
    /// Type of number: international, written with a `+`.
    pub const TON_INTERNATIONAL: u8 = 1;
    /// Type of number: national.
    pub const TON_NATIONAL: u8 = 2;
    /// Type of number: alphanumeric, packed GSM 7-bit text.
    pub const TON_ALPHANUMERIC: u8 = 5;
    /// Numbering plan: unknown.
    pub const NPI_UNKNOWN: u8 = 0;
    /// Numbering plan: E.164.
    pub const NPI_E164: u8 = 1;

    /// Makes a number of digits `0`-`9`, `*`, `#`, `a`, `b`, `c` (TS 23.040 §9.1.2.3).
    pub fn new(ton: u8, npi: u8, digits: &str) -> Result<Address, AddressError> {
        if ton > 7 || npi > 15 {
            return Err(AddressError::Type);
        }
        Address::of_digits(ton, npi, &mut digits.chars())
    }

    /// Makes an international E.164 number from its digits, with or without the leading `+`.
    pub fn international(digits: &str) -> Result<Address, AddressError> {
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        Address::new(Self::TON_INTERNATIONAL, Self::NPI_E164, digits)
    }

    /// Makes an alphanumeric address: up to 11 characters of the GSM 7-bit default alphabet (TS 23.040 §9.1.2.5).
    pub fn alphanumeric(text: &str) -> Result<Address, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let mut septets = [0; 11];
        let mut count = 0;
        for char in text.chars() {
            let coded = gsm7::septets(char, gsm7::Tables::DEFAULT).ok_or(AddressError::Character(char))?;
            for &septet in coded.as_slice() {
                *septets.get_mut(count).ok_or(AddressError::TooLong)? = septet;
                count += 1;
            }
        }
        let mut octets = [0; MAX_OCTETS];
        for (index, &septet) in septets[..count].iter().enumerate() {
            let (octet, shift) = (index * 7 / 8, index * 7 % 8);
            octets[octet] |= septet << shift;
            if shift > 1 {
                octets[octet + 1] |= septet >> (8 - shift);
            }
        }
        let semi_octets = (count * 7).div_ceil(4) as u8;
        Ok(Address { type_of_address: NO_EXTENSION | Self::TON_ALPHANUMERIC << 4, semi_octets, octets })
    }

    /// Makes an address from a number as somebody dials it: `+4477…` is international, everything else is of unknown
    /// type. Visual separators (space, `-`, `.`, parentheses) are left out; letters are refused, so that a name such as
    /// `CAB` is never taken for a number.
    pub fn dialled(number: &str) -> Result<Address, AddressError> {
        let (ton, number) = match number.trim_start().strip_prefix('+') {
            Some(rest) => (Self::TON_INTERNATIONAL, rest),
            None => (Self::TON_UNKNOWN, number),
        };
        let separator = |char: &char| matches!(char, ' ' | '-' | '.' | '(' | ')');
        let mut digits = number.chars().filter(|char| !separator(char));
        if let Some(letter) = digits.clone().find(char::is_ascii_alphabetic) {
            return Err(AddressError::Character(letter));
        }
        Address::of_digits(ton, Self::NPI_E164, &mut digits)
    }

    /// Returns the type of number, 0 to 7.
    #[must_use]
    pub fn ton(&self) -> u8 {
        self.type_of_address >> 4 & 0x07
    }

    /// Returns the numbering plan, 0 to 15.
    #[must_use]
    pub fn npi(&self) -> u8 {
        self.type_of_address & 0x0f
    }

    /// Returns the type-of-address octet as it is on the wire.
    #[must_use]
    pub fn type_of_address(&self) -> u8 {
        self.type_of_address
    }

    /// Returns whether there are no digits and no characters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.semi_octets == 0
    }

    /// Returns whether the number is international.
    #[must_use]
    pub fn is_international(&self) -> bool {
        self.ton() == Self::TON_INTERNATIONAL
    }

    /// Returns whether this is [`Address::DUMMY_MSISDN`], of whatever type: no number of a subscriber.
    #[must_use]
    pub fn is_dummy_msisdn(&self) -> bool {
        !self.is_alphanumeric()
            && (self.semi_octets, self.octets) == (Self::DUMMY_MSISDN.semi_octets, Self::DUMMY_MSISDN.octets)
    }

    /// Returns whether the address is a name, not a number.
    #[must_use]
    pub fn is_alphanumeric(&self) -> bool {
        self.ton() == Self::TON_ALPHANUMERIC
    }

    /// Returns the number without `+`, or the text of an alphanumeric address.
    #[must_use]
    pub fn digits(&self) -> String {
        self.to_string()
    }

    /// Returns the number as one dials it: with a leading `+` if it is international; the text of an alphanumeric one.
    #[must_use]
    pub fn as_dialled(&self) -> String {
        if self.is_alphanumeric() {
            return self.to_string();
        }
        let plus = (self.is_international() && !self.is_empty()).then_some('+');
        plus.into_iter().chain(self.digit_chars()).collect()
    }

    /// Reads a TP address: length in semi-octets, type, value.
    pub(crate) fn decode_tp(reader: &mut Reader<'_>, field: Field) -> Result<Address, DecodeError> {
        let at = reader.at();
        let semi_octets = reader.octet(field)?;
        if usize::from(semi_octets) > MAX_SEMI_OCTETS {
            return Err(field.length_error(at, semi_octets.into(), 0, MAX_SEMI_OCTETS));
        }
        let type_of_address = reader.octet(field)?;
        let value = reader.take(usize::from(semi_octets).div_ceil(2), field)?;
        Ok(Address::from_wire(type_of_address, semi_octets, value))
    }

    /// Reads an RP address: length in octets, type, value; length 0 is [`Address::EMPTY`].
    pub(crate) fn decode_rp(reader: &mut Reader<'_>, field: Field) -> Result<Address, DecodeError> {
        let at = reader.at();
        let length = usize::from(reader.octet(field)?);
        if length == 0 {
            return Ok(Address::EMPTY);
        }
        if length > 1 + MAX_OCTETS {
            return Err(field.length_error(at, length, 0, 1 + MAX_OCTETS));
        }
        let type_of_address = reader.octet(field)?;
        let value = reader.take(length - 1, field)?;
        Ok(Address::from_wire(type_of_address, (value.len() * 2) as u8, value))
    }

    /// Writes a TP address.
    pub(crate) fn encode_tp(&self, out: &mut Vec<u8>) {
        out.push(self.semi_octets);
        out.push(self.type_of_address);
        out.extend_from_slice(self.value());
    }

    /// Writes an RP address.
    pub(crate) fn encode_rp(&self, out: &mut Vec<u8>) {
        if *self == Address::EMPTY {
            out.push(0);
            return;
        }
        let value = self.value();
        out.push(1 + value.len() as u8);
        out.push(self.type_of_address);
        out.extend_from_slice(value);
    }

    /// Takes over what is on the wire; filler semi-octets do not count and the spare one becomes the filler.
    fn from_wire(type_of_address: u8, semi_octets: u8, value: &[u8]) -> Address {
        let mut octets = [0; MAX_OCTETS];
        octets[..value.len()].copy_from_slice(value);
        let mut address = Address { type_of_address, semi_octets, octets };
        if address.is_alphanumeric() {
            return address;
        }
        while address.semi_octets > 0 && address.semi_octet(address.semi_octets - 1) == 0x0f {
            address.semi_octets -= 1;
        }
        let used = usize::from(address.semi_octets).div_ceil(2);
        address.octets[used..].fill(0);
        address.fill();
        address
    }

    fn of_digits(ton: u8, npi: u8, digits: &mut dyn Iterator<Item = char>) -> Result<Address, AddressError> {
        let mut address = Address { type_of_address: NO_EXTENSION | ton << 4 | npi, ..Address::EMPTY };
        for digit in digits {
            let value = digit_value(digit).ok_or(AddressError::Character(digit))?;
            address.push(value)?;
        }
        if address.is_empty() {
            return Err(AddressError::Empty);
        }
        address.fill();
        Ok(address)
    }

    fn value(&self) -> &[u8] {
        &self.octets[..usize::from(self.semi_octets).div_ceil(2)]
    }

    fn semi_octet(&self, index: u8) -> u8 {
        let octet = self.octets[usize::from(index / 2)];
        if index.is_multiple_of(2) { octet & 0x0f } else { octet >> 4 }
    }

    fn push(&mut self, value: u8) -> Result<(), AddressError> {
        let index = usize::from(self.semi_octets);
        if index == MAX_SEMI_OCTETS {
            return Err(AddressError::TooLong);
        }
        self.octets[index / 2] |= if index.is_multiple_of(2) { value } else { value << 4 };
        self.semi_octets += 1;
        Ok(())
    }

    /// Puts the filler 1111 behind an odd number of digits.
    fn fill(&mut self) {
        if !self.semi_octets.is_multiple_of(2) {
            self.octets[usize::from(self.semi_octets / 2)] |= 0xf0;
        }
    }

    fn digit_chars(&self) -> impl Iterator<Item = char> {
        (0..self.semi_octets).filter_map(|index| digit_char(self.semi_octet(index)))
    }

    fn write_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut count = usize::from(self.semi_octets) * 4 / 7;
        // Many senders tell whole octets, not useful semi-octets: the septet that then seems to be there is no @.
        if (count * 7).is_multiple_of(8) && gsm7::unpack(self.value(), 0, count).last() == Some(0) {
            count -= 1;
        }
        gsm7::chars(gsm7::unpack(self.value(), 0, count), gsm7::Tables::DEFAULT)
            .try_for_each(|char| fmt::Write::write_char(f, char))
    }
}

/// Shows the number without `+`, or the text of an alphanumeric address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_alphanumeric() {
            return self.write_text(f);
        }
        self.digit_chars().try_for_each(|digit| fmt::Write::write_char(f, digit))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:02x} {self})", self.type_of_address)
    }
}

impl Default for Address {
    fn default() -> Address {
        Address::EMPTY
    }
}

fn digit_value(digit: char) -> Option<u8> {
    Some(match digit {
        '0'..='9' => digit as u8 - b'0',
        '*' => 0x0a,
        '#' => 0x0b,
        'a' | 'A' => 0x0c,
        'b' | 'B' => 0x0d,
        'c' | 'C' => 0x0e,
        _ => return None,
    })
}

/// The filler has no character.
fn digit_char(value: u8) -> Option<char> {
    Some(match value {
        0..=9 => char::from(b'0' + value),
        0x0a => '*',
        0x0b => '#',
        0x0c => 'a',
        0x0d => 'b',
        0x0e => 'c',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIELD: Field = Field::new("TP-DA", "TS 23.040 §9.1.2.5");

    fn tp(octets: &[u8]) -> Address {
        Address::decode_tp(&mut Reader::new(octets), FIELD).unwrap()
    }

    fn tp_octets(address: Address) -> Vec<u8> {
        let mut out = Vec::new();
        address.encode_tp(&mut out);
        out
    }

    #[test]
    fn an_odd_number_is_filled_and_keeps_its_plus_to_itself() {
        let address = Address::dialled("+31612345678").unwrap();
        assert_eq!(tp_octets(address), [0x0b, 0x91, 0x13, 0x16, 0x32, 0x54, 0x76, 0xf8]);
        assert_eq!(address, Address::international("31612345678").unwrap());
        assert_eq!(
            (address.digits().as_str(), address.as_dialled().as_str()),
            ("31612345678", "+31612345678")
        );
    }

    #[test]
    fn the_relay_layer_counts_octets_where_the_transfer_layer_counts_digits() {
        let address = Address::international("31612345678").unwrap();
        let mut out = Vec::new();
        address.encode_rp(&mut out);
        assert_eq!(out, [0x07, 0x91, 0x13, 0x16, 0x32, 0x54, 0x76, 0xf8]);
        assert_eq!(Address::decode_rp(&mut Reader::new(&out), FIELD), Ok(address));
        assert_eq!(Address::decode_rp(&mut Reader::new(&[0]), FIELD), Ok(Address::EMPTY));
    }

    #[test]
    fn a_type_without_digits_is_kept() {
        let typed = Address::decode_rp(&mut Reader::new(&[1, 0x91]), FIELD).unwrap();
        assert_eq!((typed.is_empty(), typed.ton()), (true, Address::TON_INTERNATIONAL));
        let mut out = Vec::new();
        typed.encode_rp(&mut out);
        assert_eq!(out, [1, 0x91]);
    }

    #[test]
    fn a_dialled_number_stays_as_it_was_dialled() {
        for (dialled, ton, shown) in
            [("0044 (20) 7946-0018", 0, "00442079460018"), ("*100#", 0, "*100#"), ("12345", 0, "12345")]
        {
            let address = Address::dialled(dialled).unwrap();
            assert_eq!((address.ton(), address.npi(), address.as_dialled().as_str()), (ton, 1, shown));
        }
        assert_eq!(Address::dialled("+"), Err(AddressError::Empty));
        assert_eq!(Address::dialled("alice"), Err(AddressError::Character('a')));
        assert_eq!(Address::dialled("CAB"), Err(AddressError::Character('C')));
        assert_eq!(Address::dialled("123456789012345678901"), Err(AddressError::TooLong));
    }

    #[test]
    fn a_name_is_packed_text_and_its_length_counts_useful_semi_octets() {
        let address = Address::alphanumeric("Design@Home").unwrap();
        assert_eq!(
            tp_octets(address),
            [0x14, 0xd0, 0xc4, 0xf2, 0x3c, 0x7d, 0x76, 0x03, 0x90, 0xef, 0x76, 0x19]
        );
        assert_eq!(address.digits(), "Design@Home");
        assert_eq!(Address::alphanumeric("twelve chars"), Err(AddressError::TooLong));
        assert_eq!(Address::alphanumeric("жук"), Err(AddressError::Character('ж')));
    }

    #[test]
    fn a_name_told_in_whole_octets_has_no_at_sign_behind_it() {
        let mut octets = tp_octets(Address::alphanumeric("7 chars").unwrap());
        assert_eq!(octets[0], 13);
        octets[0] = 14;
        assert_eq!(tp(&octets).digits(), "7 chars");
    }

    #[test]
    fn who_has_no_number_has_fifteen_zeros() {
        let zeros = Address::international("000000000000000").unwrap();
        assert_eq!(zeros, Address::DUMMY_MSISDN);
        assert_eq!(tp(&tp_octets(zeros)), Address::DUMMY_MSISDN);
        assert!(zeros.is_dummy_msisdn() && Address::dialled("000000000000000").unwrap().is_dummy_msisdn());
        for other in ["00000000000000", "0000000000000000", "000000000000001"] {
            assert!(!Address::international(other).unwrap().is_dummy_msisdn(), "{other}");
        }
    }

    #[test]
    fn fillers_are_no_digits_and_the_spare_semi_octet_is_normal() {
        let number = Address::international("614098657").unwrap();
        assert_eq!(tp(&[0x0a, 0x91, 0x16, 0x04, 0x89, 0x56, 0xf7]), number);
        assert_eq!(tp(&[0x09, 0x91, 0x16, 0x04, 0x89, 0x56, 0x07]).digits(), "614098657");
    }

    #[test]
    fn more_than_twenty_digits_are_refused_by_name() {
        let error = Address::decode_tp(&mut Reader::new(&[0x15, 0x91, 0x00]), FIELD).unwrap_err();
        assert_eq!(
            error.to_string(),
            "octet 0: TP-DA has length 21, allowed is 0 to 20 (TS 23.040 §9.1.2.5)"
        );
    }

    proptest! {
        #[test]
        fn numbers_round_trip(ton in (0u8..8).prop_filter("numbers", |&ton| ton != 5), npi in 0u8..16, digits in "[0-9*#abc]{1,20}") {
            let address = Address::new(ton, npi, &digits).unwrap();
            prop_assert_eq!(address.digits(), digits);
            prop_assert_eq!(tp(&tp_octets(address)), address);
            let mut out = Vec::new();
            address.encode_rp(&mut out);
            prop_assert_eq!(Address::decode_rp(&mut Reader::new(&out), FIELD), Ok(address));
        }

        #[test]
        fn names_round_trip(text in "[A-Za-z0-9 ÄÖÑÜ§¿äöñüà£$_!?.-]{1,11}") {
            let address = Address::alphanumeric(&text).unwrap();
            prop_assert_eq!(address.digits(), text);
            prop_assert_eq!(tp(&tp_octets(address)), address);
        }
    }
}
