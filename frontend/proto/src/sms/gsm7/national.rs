//! National languages (TS 23.038 §6.2.1.2, Annex A): which tables a message asks for.

use std::str::FromStr;

use thiserror::Error;

use super::Tables;
use super::tables;

/// A language with shift tables of its own; the number is its National Language Identifier (TS 23.038 §6.2.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Language {
    /// Turkish.
    Turkish = 1,
    /// Spanish, which has a single shift table only.
    Spanish = 2,
    /// Portuguese.
    Portuguese = 3,
    /// Bengali and Assamese.
    Bengali = 4,
    /// Gujarati.
    Gujarati = 5,
    /// Hindi.
    Hindi = 6,
    /// Kannada.
    Kannada = 7,
    /// Malayalam.
    Malayalam = 8,
    /// Oriya.
    Oriya = 9,
    /// Punjabi.
    Punjabi = 10,
    /// Tamil.
    Tamil = 11,
    /// Telugu.
    Telugu = 12,
    /// Urdu.
    Urdu = 13,
}

/// The text is not the ISO 639-1 code of a language that has shift tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a language with shift tables: tr, es, pt, bn, gu, hi, kn, ml, or, pa, ta, te, ur are")]
pub struct LanguageError;

/// The languages whose tables stand in for the default ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shift {
    /// Whose locking shift table replaces the default alphabet.
    pub locking: Option<Language>,
    /// Whose single shift table replaces the default extension.
    pub single: Option<Language>,
}

impl Language {
    /// Every language, in the order of the identifiers.
    pub const ALL: [Language; 13] = [
        Language::Turkish,
        Language::Spanish,
        Language::Portuguese,
        Language::Bengali,
        Language::Gujarati,
        Language::Hindi,
        Language::Kannada,
        Language::Malayalam,
        Language::Oriya,
        Language::Punjabi,
        Language::Tamil,
        Language::Telugu,
        Language::Urdu,
    ];

    /// Returns the language of a National Language Identifier; nothing for the default (0) and the reserved values.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Language> {
        Self::ALL.into_iter().find(|language| language.id() == id)
    }

    /// Returns the National Language Identifier.
    #[must_use]
    pub fn id(self) -> u8 {
        self as u8
    }

    /// Returns the name in English.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// Returns the ISO 639-1 code, which [`FromStr`] reads.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.words().1
    }

    /// Returns whether there is a locking shift table.
    #[must_use]
    pub fn has_locking(self) -> bool {
        tables::locking(self).is_some()
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Language::Turkish => ("Turkish", "tr"),
            Language::Spanish => ("Spanish", "es"),
            Language::Portuguese => ("Portuguese", "pt"),
            Language::Bengali => ("Bengali", "bn"),
            Language::Gujarati => ("Gujarati", "gu"),
            Language::Hindi => ("Hindi", "hi"),
            Language::Kannada => ("Kannada", "kn"),
            Language::Malayalam => ("Malayalam", "ml"),
            Language::Oriya => ("Oriya", "or"),
            Language::Punjabi => ("Punjabi", "pa"),
            Language::Tamil => ("Tamil", "ta"),
            Language::Telugu => ("Telugu", "te"),
            Language::Urdu => ("Urdu", "ur"),
        }
    }
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(code: &str) -> Result<Language, LanguageError> {
        Self::ALL.into_iter().find(|language| language.code() == code).ok_or(LanguageError)
    }
}

impl Shift {
    /// No national language.
    pub const NONE: Shift = Shift { locking: None, single: None };

    /// Returns the tables. A language without a locking shift table leaves the default alphabet in force.
    #[must_use]
    pub fn tables(self) -> Tables {
        let default = Tables::DEFAULT;
        Tables {
            locking: self.locking.and_then(tables::locking).unwrap_or(default.locking),
            single: self.single.map_or(default.single, tables::single),
            unsent: self.single.and_then(tables::unsent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ESCAPE, NONE, chars, septets};
    use super::*;

    fn shifts() -> impl Iterator<Item = Shift> {
        Language::ALL.into_iter().flat_map(|language| {
            let (one, none) = (Some(language), None);
            [(one, none), (none, one), (one, one)].map(|(locking, single)| Shift { locking, single })
        })
    }

    fn text(octets: &[u8], shift: Shift) -> String {
        chars(octets.iter().copied(), shift.tables()).collect()
    }

    #[test]
    fn a_language_has_an_identifier_a_name_and_a_code() {
        for (index, language) in Language::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(language.id()), index + 1);
            assert_eq!(Language::from_id(language.id()), Some(language));
            assert_eq!(language.code().parse(), Ok(language));
        }
        assert_eq!((Language::from_id(0), Language::from_id(14)), (None, None));
        assert_eq!("en".parse::<Language>(), Err(LanguageError));
    }

    #[test]
    fn tables_say_the_letters_of_their_language() {
        let both = |language| Shift { locking: Some(language), single: Some(language) };
        let table = [
            (Language::Turkish, &[0x0b, 0x1c, 0x40, 0x1b, 0x47, 0x1b, 0x53][..], "ĞŞİĞŞ"),
            (Language::Portuguese, &[0x00, 0x12, 0x15, 0x1b, 0x12, 0x1b, 0x7b], "@ª∞Φã"),
            (Language::Bengali, &[0x03, 0x1c, 0x60, 0x7f, 0x1b, 0x19, 0x1b, 0x34], "অছৎৱ০৺"),
            (Language::Hindi, &[0x03, 0x3c, 0x60, 0x7f, 0x1b, 0x19, 0x1b, 0x1c], "अऩॐॿ।०"),
            (Language::Tamil, &[0x03, 0x60, 0x1b, 0x24, 0x1b, 0x2e], "அௐ௮௺"),
            (Language::Urdu, &[0x00, 0x2a, 0x5e, 0x7f, 0x1b, 0x26, 0x1b, 0x3f], "اڙُٰ،۔"),
        ];
        for (language, octets, expected) in table {
            assert_eq!(text(octets, both(language)), expected, "{language:?}");
        }
        let spanish = Shift { locking: Some(Language::Spanish), single: Some(Language::Spanish) };
        assert_eq!(text(&[0x09, 0x1b, 0x09, 0x1b, 0x41], spanish), "ÇçÁ");
    }

    #[test]
    fn a_septet_that_no_table_has_is_the_locking_one_or_a_space() {
        let bengali = Shift { locking: Some(Language::Bengali), single: Some(Language::Bengali) };
        assert_eq!(text(&[0x0c, 0x1b, 0x0d, 0x1b, 0x0c, 0x1b, 0x3f], bengali), " \r+?");
        assert_eq!(text(&[0x1b, 0x1b, 0x61], bengali), " a");
    }

    #[test]
    fn every_character_that_is_sent_reads_back_and_a_reserved_septet_is_never_sent() {
        for shift in shifts() {
            let tables = shift.tables();
            let all = tables.locking.iter().chain(tables.single).copied().filter(|&char| char != NONE);
            for char in all {
                let Some(coded) = septets(char, tables) else {
                    assert_eq!(tables.unsent, Some(char));
                    continue;
                };
                assert_eq!(text(coded.as_slice(), shift), char.to_string(), "{shift:?}");
            }
            assert_eq!(septets(NONE, tables), None);
            assert_eq!(tables.locking[usize::from(ESCAPE)], NONE);
        }
    }

    #[test]
    fn the_euro_sign_of_telugu_is_read_and_not_sent() {
        let telugu = Shift { single: Some(Language::Telugu), ..Shift::NONE };
        assert_eq!(text(&[0x1b, 0x65], telugu), "€");
        assert_eq!(septets('€', telugu.tables()), None);
        assert!(septets('€', Shift { single: Some(Language::Tamil), ..Shift::NONE }.tables()).is_some());
    }
}
