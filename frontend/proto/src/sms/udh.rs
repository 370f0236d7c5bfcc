//! The user data header (TS 23.040 §9.2.3.24): information elements behind TP-UDHL.

use super::gsm7::{Language, Shift};

/// Concatenated short messages, 8-bit reference (§9.2.3.24.1).
pub(crate) const CONCATENATION_8: u8 = 0x00;
/// Special SMS message indication (§9.2.3.24.2).
const INDICATION: u8 = 0x01;
/// Application ports, 8-bit (§9.2.3.24.3).
const PORTS_8: u8 = 0x04;
/// Application ports, 16-bit (§9.2.3.24.4).
const PORTS_16: u8 = 0x05;
/// Concatenated short messages, 16-bit reference (§9.2.3.24.8).
pub(crate) const CONCATENATION_16: u8 = 0x08;

/// National language single shift (§9.2.3.24.15).
const SINGLE_SHIFT: u8 = 0x24;
/// National language locking shift (§9.2.3.24.16).
const LOCKING_SHIFT: u8 = 0x25;

/// One information element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier.
    pub id: u8,
    /// The data behind the length.
    pub data: &'a [u8],
}

/// The part of a long message that this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concatenation {
    /// The reference that all parts share; 8 bits unless `wide`.
    pub reference: u16,
    /// Number of parts, 1 to 255.
    pub total: u8,
    /// Which part this is, 1 to `total`.
    pub sequence: u8,
    /// Whether the reference has 16 bits.
    pub wide: bool,
}

/// Application ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The receiver's port.
    pub destination: u16,
    /// The sender's port.
    pub source: u16,
}

/// A special SMS message indication: messages of a kind that wait elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Indication {
    /// Whether the message is kept, not discarded after the indication was shown.
    pub store: bool,
    /// The profile of the subscriber less 1, 0 to 3.
    pub profile: u8,
    /// 0 voicemail, 1 fax, 2 e-mail, 3 and above other kinds.
    pub kind: u8,
    /// How many wait; 255 stands for any number from 255 on.
    pub count: u8,
}

/// The elements of a header, in their order; unknown ones too.
///
/// The iterator ends before an element that runs past the end of the header.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Reads the elements of a header given without TP-UDHL.
    #[must_use]
    pub fn new(header: &'a [u8]) -> Elements<'a> {
        Elements { rest: header }
    }

    /// Returns whether the elements fill the header exactly; if not, all of it is ignored (§9.2.3.24).
    #[must_use]
    pub fn are_sound(&self) -> bool {
        let mut elements = self.clone();
        elements.by_ref().for_each(drop);
        elements.rest.is_empty()
    }

    /// Returns the national languages that the elements ask for.
    ///
    /// The last element of a kind wins; one with an identifier that is not known is ignored (§9.2.3.24.15, .16).
    #[must_use]
    pub fn shift(self) -> Shift {
        self.fold(Shift::NONE, |shift, element| match (element.id, element.language()) {
            (SINGLE_SHIFT, Some(language)) => Shift { single: Some(language), ..shift },
            (LOCKING_SHIFT, Some(language)) => Shift { locking: Some(language), ..shift },
            _ => shift,
        })
    }
}

impl Element<'_> {
    /// Returns whether only the first part of a long message has this element: a (U)SIM toolkit security header
    /// (TS 31.115, concatenated packets).
    pub(crate) fn is_first_only(&self) -> bool {
        matches!(self.id, 0x70..=0x7f)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let [id, length, rest @ ..] = self.rest else { return None };
        let (data, rest) = rest.split_at_checked(usize::from(*length))?;
        self.rest = rest;
        Some(Element { id: *id, data })
    }
}

impl Element<'_> {
    /// Reads a concatenation element; one that contradicts itself is ignored (§9.2.3.24.1).
    #[must_use]
    pub fn concatenation(&self) -> Option<Concatenation> {
        let (reference, total, sequence, wide) = match (self.id, self.data) {
            (CONCATENATION_8, &[reference, total, sequence]) => (reference.into(), total, sequence, false),
            (CONCATENATION_16, &[high, low, total, sequence]) => {
                (u16::from_be_bytes([high, low]), total, sequence, true)
            }
            _ => return None,
        };
        (sequence >= 1 && sequence <= total).then_some(Concatenation { reference, total, sequence, wide })
    }

    /// Reads the National Language Identifier of a shift element; nothing for a language that has no such table.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        match (self.id, self.data) {
            (SINGLE_SHIFT, &[id]) => Language::from_id(id),
            (LOCKING_SHIFT, &[id]) => Language::from_id(id).filter(|language| language.has_locking()),
            _ => None,
        }
    }

    /// Reads a special SMS message indication.
    #[must_use]
    pub fn indication(&self) -> Option<Indication> {
        match (self.id, self.data) {
            (INDICATION, &[kind, count]) => Some(Indication {
                store: kind & 0x80 != 0,
                profile: kind >> 5 & 0x03,
                kind: kind & 0x1f,
                count,
            }),
            _ => None,
        }
    }

    /// Reads a port element.
    #[must_use]
    pub fn ports(&self) -> Option<Ports> {
        match (self.id, self.data) {
            (PORTS_8, &[destination, source]) => {
                Some(Ports { destination: destination.into(), source: source.into() })
            }
            (PORTS_16, &[d1, d2, s1, s2]) => Some(Ports {
                destination: u16::from_be_bytes([d1, d2]),
                source: u16::from_be_bytes([s1, s2]),
            }),
            _ => None,
        }
    }
}

/// Appends the elements that ask for national languages.
pub(crate) fn encode_shift(shift: Shift, out: &mut Vec<u8>) {
    for (id, language) in [(SINGLE_SHIFT, shift.single), (LOCKING_SHIFT, shift.locking)] {
        if let Some(language) = language {
            out.extend_from_slice(&[id, 1, language.id()]);
        }
    }
}

impl Concatenation {
    /// Returns the element as it stands in a header.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let [high, low] = self.reference.to_be_bytes();
        if self.wide {
            out.extend_from_slice(&[CONCATENATION_16, 4, high, low, self.total, self.sequence]);
        } else {
            out.extend_from_slice(&[CONCATENATION_8, 3, low, self.total, self.sequence]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_elements_are_typed_and_unknown_ones_are_kept() {
        let header =
            [0x00, 0x03, 0x88, 0x03, 0x02, 0x70, 0x00, 0x05, 0x04, 0x0b, 0x84, 0x23, 0xf0, 0x99, 0x01, 0xff];
        let elements: Vec<Element<'_>> = Elements::new(&header).collect();
        assert_eq!(
            elements,
            [
                Element { id: 0x00, data: &[0x88, 0x03, 0x02] },
                Element { id: 0x70, data: &[] },
                Element { id: 0x05, data: &[0x0b, 0x84, 0x23, 0xf0] },
                Element { id: 0x99, data: &[0xff] },
            ]
        );
        assert_eq!(
            elements[0].concatenation(),
            Some(Concatenation { reference: 0x88, total: 3, sequence: 2, wide: false })
        );
        assert_eq!(elements[2].ports(), Some(Ports { destination: 2948, source: 9200 }));
        assert!(Elements::new(&header).are_sound());
    }

    #[test]
    fn the_last_language_of_a_kind_wins_and_an_unknown_one_is_ignored() {
        let shift = |header: &[u8]| Elements::new(header).shift();
        let turkish = Shift { single: Some(Language::Turkish), locking: None };
        assert_eq!(shift(&[0x24, 1, 3, 0x24, 1, 1, 0x24, 1, 14, 0x24, 2, 3, 3, 0x25, 1, 2]), turkish);
        let both = Shift { single: Some(Language::Urdu), locking: Some(Language::Hindi) };
        let mut header = Vec::new();
        encode_shift(both, &mut header);
        assert_eq!(header, [0x24, 1, 13, 0x25, 1, 6]);
        assert_eq!(shift(&header), both);
    }

    #[test]
    fn an_indication_tells_what_waits_and_for_which_profile() {
        let element = Element { id: 0x01, data: &[0xa2, 3] };
        assert_eq!(element.indication(), Some(Indication { store: true, profile: 1, kind: 2, count: 3 }));
        assert_eq!(Element { id: 0x01, data: &[0xa2] }.indication(), None);
    }

    #[test]
    fn a_part_that_cannot_be_is_ignored() {
        for data in [[1, 2, 0], [1, 2, 3], [1, 0, 0]] {
            assert_eq!(Element { id: 0, data: &data }.concatenation(), None);
        }
        assert_eq!(Element { id: 8, data: &[1, 2, 3] }.concatenation(), None);
    }

    #[test]
    fn a_header_with_octets_left_over_is_not_sound() {
        assert!(!Elements::new(&[0x00, 0x03, 0x11, 0x02, 0x01, 0x7f]).are_sound());
        assert!(!Elements::new(&[0x00, 0x04, 0x11, 0x02, 0x01]).are_sound());
        assert!(Elements::new(&[]).are_sound());
    }
}
