//! TP-DCS, the data coding scheme (TS 23.038 §4).

/// The data coding scheme octet, kept as it is on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dcs(pub u8);

/// How the characters of the user data are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// GSM 7-bit: the default alphabet or a national one.
    Gsm7,
    /// 8-bit data.
    EightBit,
    /// UCS2, read and written as UTF-16 big-endian.
    Ucs2,
}

/// What a message waiting indication says (TS 23.038 §4, groups 1100 to 1110).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageWaiting {
    /// Whether the message is kept, not discarded after the indication was shown.
    pub store: bool,
    /// Whether the indication is set, not cleared.
    pub active: bool,
    /// 0 voicemail, 1 fax, 2 e-mail, 3 other.
    pub kind: u8,
}

impl Dcs {
    /// Returns the scheme for uncompressed text or data, with a message class 0 to 3 if any.
    #[must_use]
    pub fn new(alphabet: Alphabet, class: Option<u8>) -> Dcs {
        let coding = match alphabet {
            Alphabet::Gsm7 => 0x00,
            Alphabet::EightBit => 0x04,
            Alphabet::Ucs2 => 0x08,
        };
        Dcs(match class {
            Some(class) => 0x10 | coding | (class & 0x03),
            None => coding,
        })
    }

    /// Returns the scheme of a message waiting indication; nothing for 8-bit data and for UCS2 that is to be
    /// discarded, which have none.
    #[must_use]
    pub fn of_message_waiting(waiting: MessageWaiting, alphabet: Alphabet) -> Option<Dcs> {
        let group = match (alphabet, waiting.store) {
            (Alphabet::Gsm7, false) => 0xc0,
            (Alphabet::Gsm7, true) => 0xd0,
            (Alphabet::Ucs2, true) => 0xe0,
            (Alphabet::Ucs2, false) | (Alphabet::EightBit, _) => return None,
        };
        Some(Dcs(group | u8::from(waiting.active) << 3 | waiting.kind & 0x03))
    }

    /// Returns whether the octet is of a coding group or has an alphabet that TS 23.038 reserves; such a message is
    /// read as GSM 7-bit.
    #[must_use]
    pub fn is_reserved(self) -> bool {
        match self.0 >> 4 {
            0x0..=0x7 => self.0 & 0x0c == 0x0c,
            0x8..=0xb => true,
            _ => false,
        }
    }

    /// Returns the alphabet; reserved codings are GSM 7-bit (TS 23.038 §4).
    #[must_use]
    pub fn alphabet(self) -> Alphabet {
        match self.0 >> 4 {
            0x0..=0x7 => match self.0 & 0x0c {
                0x04 => Alphabet::EightBit,
                0x08 => Alphabet::Ucs2,
                _ => Alphabet::Gsm7,
            },
            0xe => Alphabet::Ucs2,
            0xf if self.0 & 0x04 != 0 => Alphabet::EightBit,
            _ => Alphabet::Gsm7,
        }
    }

    /// Returns the message class, 0 to 3, if the scheme has one.
    #[must_use]
    pub fn class(self) -> Option<u8> {
        match self.0 >> 4 {
            0x0..=0x7 if self.0 & 0x10 != 0 => Some(self.0 & 0x03),
            0xf => Some(self.0 & 0x03),
            _ => None,
        }
    }

    /// Returns whether the user data is compressed (TS 23.042).
    #[must_use]
    pub fn compressed(self) -> bool {
        self.0 & 0xa0 == 0x20
    }

    /// Returns whether the message asks to be deleted once read (group 01xx).
    #[must_use]
    pub fn automatic_deletion(self) -> bool {
        self.0 & 0xc0 == 0x40
    }

    /// Returns the message waiting indication of groups 1100, 1101 and 1110.
    #[must_use]
    pub fn message_waiting(self) -> Option<MessageWaiting> {
        match self.0 >> 4 {
            group @ 0xc..=0xe => {
                Some(MessageWaiting { store: group != 0xc, active: self.0 & 0x08 != 0, kind: self.0 & 0x03 })
            }
            _ => None,
        }
    }

    /// Returns whether TP-UDL counts septets: GSM 7-bit that is not compressed (TS 23.040 §9.2.3.16).
    #[must_use]
    pub fn counts_septets(self) -> bool {
        self.alphabet() == Alphabet::Gsm7 && !self.compressed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_its_alphabet_and_class() {
        use Alphabet::{EightBit, Gsm7, Ucs2};
        let table = [
            (0x00, Gsm7, None),
            (0x01, Gsm7, None),
            (0x04, EightBit, None),
            (0x08, Ucs2, None),
            (0x0c, Gsm7, None),
            (0x10, Gsm7, Some(0)),
            (0x12, Gsm7, Some(2)),
            (0x15, EightBit, Some(1)),
            (0x19, Ucs2, Some(1)),
            (0x48, Ucs2, None),
            (0x53, Gsm7, Some(3)),
            (0x84, Gsm7, None),
            (0xb8, Gsm7, None),
            (0xc8, Gsm7, None),
            (0xd8, Gsm7, None),
            (0xe0, Ucs2, None),
            (0xf0, Gsm7, Some(0)),
            (0xf1, Gsm7, Some(1)),
            (0xf6, EightBit, Some(2)),
        ];
        for (octet, alphabet, class) in table {
            assert_eq!((Dcs(octet).alphabet(), Dcs(octet).class()), (alphabet, class), "{octet:02x}");
        }
    }

    #[test]
    fn only_the_general_groups_can_be_compressed_or_deleted() {
        let compressed: Vec<u8> = (0..=255).filter(|&octet| Dcs(octet).compressed()).collect();
        let expected: Vec<u8> = (0x20..=0x3f).chain(0x60..=0x7f).collect();
        assert_eq!(compressed, expected);
        assert!(Dcs(0x40).automatic_deletion() && !Dcs(0x80).automatic_deletion());
    }

    #[test]
    fn message_waiting_says_store_active_and_kind() {
        assert_eq!(Dcs(0xc8).message_waiting(), Some(MessageWaiting { store: false, active: true, kind: 0 }));
        assert_eq!(Dcs(0xd1).message_waiting(), Some(MessageWaiting { store: true, active: false, kind: 1 }));
        assert_eq!(Dcs(0xea).message_waiting(), Some(MessageWaiting { store: true, active: true, kind: 2 }));
        assert_eq!(Dcs(0xf0).message_waiting(), None);
    }

    #[test]
    fn a_waiting_indication_reads_back() {
        for octet in (0xc0..=0xef).filter(|octet| octet & 0x04 == 0) {
            let waiting = Dcs(octet).message_waiting().unwrap();
            assert_eq!(Dcs::of_message_waiting(waiting, Dcs(octet).alphabet()), Some(Dcs(octet)));
        }
        let discarded = MessageWaiting { store: false, active: true, kind: 0 };
        assert_eq!(Dcs::of_message_waiting(discarded, Alphabet::Ucs2), None);
    }

    #[test]
    fn every_octet_is_reserved_or_of_a_known_group() {
        let reserved: Vec<u8> = (0..=255).filter(|&octet| Dcs(octet).is_reserved()).collect();
        let general = (0u8..0x80).filter(|octet| octet & 0x0c == 0x0c);
        assert_eq!(reserved, general.chain(0x80..0xc0).collect::<Vec<_>>());
        assert!(reserved.iter().all(|&octet| Dcs(octet).alphabet() == Alphabet::Gsm7));
    }

    #[test]
    fn a_made_scheme_reads_back() {
        for alphabet in [Alphabet::Gsm7, Alphabet::EightBit, Alphabet::Ucs2] {
            for class in [None, Some(0), Some(1), Some(2), Some(3)] {
                let dcs = Dcs::new(alphabet, class);
                assert_eq!((dcs.alphabet(), dcs.class(), dcs.compressed()), (alphabet, class, false));
            }
        }
    }
}
