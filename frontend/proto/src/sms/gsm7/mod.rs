//! GSM 7-bit text (TS 23.038 §6.1.2, §6.2.1): septets, their packing, and the tables that give them characters.
//!
//! Every function takes the [`Tables`] in force, so that a national language is a pair of tables, not another codec.

mod national;
mod tables;

pub use national::{Language, LanguageError, Shift};
use tables::NONE;

/// The septet that announces one of the single shift (extension) table.
const ESCAPE: u8 = 0x1b;

/// A locking shift table and a single shift table; [`Shift::tables`] makes those of a national language.
#[derive(Clone, Copy)]
pub struct Tables {
    /// Character of every septet.
    locking: &'static [char; 128],
    /// Character of every septet behind an escape.
    single: &'static [char; 128],
    /// A character of the single shift table that is read but not sent.
    unsent: Option<char>,
}

impl Tables {
    /// The default alphabet and its extension (TS 23.038 §6.2.1, §6.2.1.1).
    pub const DEFAULT: Tables =
        Tables { locking: &tables::DEFAULT_ALPHABET, single: &tables::DEFAULT_EXTENSION, unsent: None };
}

/// The one or two septets of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Septets {
    octets: [u8; 2],
    escaped: bool,
}

impl Septets {
    /// Returns the septets, one an octet.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        if self.escaped { &self.octets } else { &self.octets[1..] }
    }

    /// Returns how many there are, 1 or 2.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + usize::from(self.escaped)
    }
}

/// Returns the septets of a character, or nothing if the tables do not have it.
#[must_use]
pub fn septets(char: char, tables: Tables) -> Option<Septets> {
    if char == NONE {
        return None;
    }
    // Most letters and digits have their ASCII code.
    let code = char as usize;
    if code < 128 && tables.locking[code] == char {
        return Some(Septets { octets: [ESCAPE, code as u8], escaped: false });
    }
    let find = |table: &[char; 128]| table.iter().position(|&other| other == char);
    if let Some(septet) = find(tables.locking) {
        return Some(Septets { octets: [ESCAPE, septet as u8], escaped: false });
    }
    let septet = find(tables.single).filter(|_| tables.unsent != Some(char))?;
    Some(Septets { octets: [ESCAPE, septet as u8], escaped: true })
}

/// Appends the septets of a text, one an octet.
///
/// # Errors
/// The first character that the tables do not have; what came before it has been appended.
pub fn encode(text: &str, tables: Tables, out: &mut Vec<u8>) -> Result<(), char> {
    text.chars().try_for_each(|char| {
        out.extend_from_slice(septets(char, tables).ok_or(char)?.as_slice());
        Ok(())
    })
}

/// Returns the characters of septets.
///
/// An escaped septet that the single shift table lacks shows the character of the locking table, and one that this
/// lacks too shows a space; so does an escape behind an escape (TS 23.038 §6.2.1.1) or one with nothing behind it.
pub fn chars(septets: impl Iterator<Item = u8>, tables: Tables) -> impl Iterator<Item = char> {
    let mut septets = septets;
    let shown = |char| if char == NONE { ' ' } else { char };
    std::iter::from_fn(move || {
        let septet = septets.next()? & 0x7f;
        if septet != ESCAPE {
            return Some(shown(tables.locking[usize::from(septet)]));
        }
        let Some(escaped) = septets.next() else { return Some(' ') };
        let escaped = usize::from(escaped & 0x7f);
        let single = tables.single[escaped];
        Some(if single == NONE { shown(tables.locking[escaped]) } else { single })
    })
}

/// Appends septets packed into octets behind `fill_bits` zero bits, 0 to 7 (TS 23.038 §6.1.2.1.1, TS 23.040 §9.2.3.24).
pub fn pack(septets: &[u8], fill_bits: u8, out: &mut Vec<u8>) {
    let mut bits: u32 = 0;
    let mut count = u32::from(fill_bits & 0x07);
    for &septet in septets {
        bits |= u32::from(septet & 0x7f) << count;
        count += 7;
        if count >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push(bits as u8);
    }
}

/// Returns up to `count` septets that stand behind `skip_bits` bits; it ends early where the octets end.
pub fn unpack(octets: &[u8], skip_bits: usize, count: usize) -> impl Iterator<Item = u8> + '_ {
    (0..count).map_while(move |index| {
        let bit = skip_bits + index * 7;
        let (octet, shift) = (bit / 8, bit % 8);
        let low = *octets.get(octet)?;
        // A septet that begins at bit 0 or 1 ends in the same octet.
        let high = if shift > 1 { *octets.get(octet + 1)? } else { 0 };
        Some(((u16::from(high) << 8 | u16::from(low)) >> shift) as u8 & 0x7f)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(text: &str, fill_bits: u8) -> Vec<u8> {
        let (mut septets, mut out) = (Vec::new(), Vec::new());
        encode(text, Tables::DEFAULT, &mut septets).unwrap();
        pack(&septets, fill_bits, &mut out);
        out
    }

    fn text(septets: &[u8]) -> String {
        chars(septets.iter().copied(), Tables::DEFAULT).collect()
    }

    #[test]
    fn septets_are_packed_from_the_low_bits_up() {
        assert_eq!(packed("hello", 0), [0xe8, 0x32, 0x9b, 0xfd, 0x06]);
        assert_eq!(packed("hello €", 0), [0xe8, 0x32, 0x9b, 0xfd, 0x06, 0x6d, 0xca]);
        assert_eq!(packed("hello", 1), [0xd0, 0x65, 0x36, 0xfb, 0x0d]);
        assert_eq!(packed("abcdefgh", 0).len(), 7);
    }

    #[test]
    fn the_extension_table_is_behind_the_escape() {
        let mut septets = Vec::new();
        encode("\u{c}^{}\\[~]|€", Tables::DEFAULT, &mut septets).unwrap();
        assert_eq!(
            septets,
            [
                0x1b, 0x0a, 0x1b, 0x14, 0x1b, 0x28, 0x1b, 0x29, 0x1b, 0x2f, 0x1b, 0x3c, 0x1b, 0x3d, 0x1b,
                0x3e, 0x1b, 0x40, 0x1b, 0x65
            ]
        );
        assert_eq!(text(&septets), "\u{c}^{}\\[~]|€");
    }

    #[test]
    fn an_unknown_escape_shows_the_character_of_the_main_table() {
        assert_eq!(text(&[0x1b, 0x41, 0x42]), "AB");
        assert_eq!(text(&[0x41, 0x1b, 0x1b, 0x42]), "A B");
        assert_eq!(text(&[0x41, 0x1b]), "A ");
    }

    #[test]
    fn what_the_alphabet_lacks_is_named() {
        assert_eq!(encode("smørrebrød ✓", Tables::DEFAULT, &mut Vec::new()), Err('✓'));
        assert_eq!(septets('\u{1b}', Tables::DEFAULT), None);
        assert_eq!(septets('`', Tables::DEFAULT), None);
    }

    #[test]
    fn every_character_of_the_default_tables_has_one_code() {
        for septet in (0..128).filter(|&septet| septet != ESCAPE) {
            let char = Tables::DEFAULT.locking[usize::from(septet)];
            assert_eq!(septets(char, Tables::DEFAULT).unwrap().as_slice(), [septet]);
        }
        for (septet, &char) in Tables::DEFAULT.single.iter().enumerate().filter(|(_, char)| **char != NONE) {
            assert_eq!(septets(char, Tables::DEFAULT).unwrap().as_slice(), [ESCAPE, septet as u8]);
        }
    }

    proptest! {
        #[test]
        fn packing_round_trips_at_every_alignment(septets in prop::collection::vec(0u8..128, 0..200), fill in 0u8..7) {
            let mut octets = Vec::new();
            pack(&septets, fill, &mut octets);
            let back: Vec<u8> = unpack(&octets, fill.into(), septets.len()).collect();
            prop_assert_eq!(back, septets);
        }

        #[test]
        fn unpacking_never_reads_past_the_end(octets: Vec<u8>, skip in 0usize..100, count in 0usize..400) {
            prop_assert!(unpack(&octets, skip, count).count() * 7 <= octets.len() * 8);
        }
    }
}
