//! Making user data: text and octets cut into parts of at most 140 octets (TS 23.040 §9.2.3.24.1, .8).

use thiserror::Error;

use super::dcs::{Alphabet, Dcs};
use super::gsm7::{Language, Shift};
use super::udh::{CONCATENATION_8, CONCATENATION_16, Concatenation, Elements, encode_shift};
use super::user_data::{MAX_OCTETS, UserData};
use super::{gsm7, ucs2};

/// Septets that fill 140 octets.
const MAX_SEPTETS: usize = MAX_OCTETS * 8 / 7;
/// Parts that one octet can count.
const MAX_PARTS: usize = 255;

/// User data that owns its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The data coding scheme.
    pub dcs: Dcs,
    /// TP-UDHI: whether a header stands in front.
    pub header: bool,
    /// TP-UDL.
    pub length: u8,
    /// TP-UD, at most 140 octets.
    pub octets: Vec<u8>,
}

impl Part {
    /// Borrows the part for a TPDU.
    #[must_use]
    pub fn as_user_data(&self) -> UserData<'_> {
        UserData { dcs: self.dcs, header: self.header, length: self.length, octets: &self.octets }
    }
}

/// How to code and cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SplitOptions<'a> {
    /// The alphabet; if none is given, GSM 7-bit where it has every character, else UCS2.
    pub alphabet: Option<Alphabet>,
    /// National languages whose shift tables the receiver is known to have; none by default. They are used where they
    /// make fewer parts than the default alphabet and, unless the alphabet is given, than UCS2.
    pub languages: &'a [Language],
    /// The message class, 0 to 3.
    pub class: Option<u8>,
    /// Whether the reference takes 16 bits.
    pub wide_reference: bool,
    /// Information elements that every part carries besides, raw, without TP-UDHL. If shift elements are among them,
    /// GSM 7-bit text is coded with the tables that these say, and `languages` are not looked at.
    pub udh: &'a [u8],
}

/// Why a message cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SplitError {
    /// The alphabet that was asked for lacks a character, in its default tables and in those of the languages allowed.
    #[error("{character:?} at byte {at} is not in the GSM 7-bit alphabet")]
    Character {
        /// The character.
        character: char,
        /// Where it stands in the text, in bytes.
        at: usize,
    },
    /// Text was to be sent as 8-bit data.
    #[error("text cannot be sent as 8-bit data")]
    TextAsData,
    /// It takes more than 255 parts.
    #[error("the message needs {0} parts, at most 255 can be told")]
    TooManyParts(usize),
    /// The information elements do not fill the header exactly, leave no room for the message, or tell a part of their own.
    #[error("the information elements of the user data header cannot be used")]
    Header,
}

/// Codes a text and cuts it where it does not fit into one message.
///
/// No part ends inside an escape sequence or a surrogate pair. `reference` is the concatenation reference; its low
/// 8 bits are used unless [`SplitOptions::wide_reference`] is set. An empty text is one empty part.
///
/// # Errors
/// [`SplitError`]: a character, the header, or the number of parts.
pub fn split_text(text: &str, reference: u16, options: SplitOptions<'_>) -> Result<Vec<Part>, SplitError> {
    match options.alphabet {
        Some(Alphabet::EightBit) => Err(SplitError::TextAsData),
        Some(Alphabet::Ucs2) => split_ucs2(text, reference, options),
        Some(Alphabet::Gsm7) => smallest_gsm7(text, reference, options),
        None => match smallest_gsm7(text, reference, options) {
            // With room for two shift elements less, UCS2 may need fewer parts than two septets a character.
            Ok(parts) if parts.len() > 1 && parts[0].as_user_data().shift() != Shift::NONE => {
                let ucs2 = split_ucs2(text, reference, options).ok();
                Ok(ucs2.filter(|ucs2| ucs2.len() < parts.len()).unwrap_or(parts))
            }
            Err(SplitError::Character { .. }) => split_ucs2(text, reference, options),
            other => other,
        },
    }
}

/// Cuts 8-bit data where they do not fit into one message; [`SplitOptions::alphabet`] is not looked at.
///
/// # Errors
/// [`SplitError`]: the header, or the number of parts.
pub fn split_binary(data: &[u8], reference: u16, options: SplitOptions<'_>) -> Result<Vec<Part>, SplitError> {
    let plan = Plan::new(reference, options, |header| MAX_OCTETS.saturating_sub(header))?;
    let cuts = plan.cut(data.len(), |_| true)?;
    Ok(plan.parts(&cuts, Dcs::new(Alphabet::EightBit, options.class), |range, octets| {
        octets.extend_from_slice(&data[range]);
        octets.len()
    }))
}

fn split_ucs2(text: &str, reference: u16, options: SplitOptions<'_>) -> Result<Vec<Part>, SplitError> {
    let mut data = Vec::with_capacity(text.len() * 2);
    ucs2::encode(text, &mut data);
    let plan = Plan::new(reference, options, |header| MAX_OCTETS.saturating_sub(header) / 2 * 2)?;
    // No cut inside a code unit, and none in front of the second half of a pair.
    let cuts = plan
        .cut(data.len(), |at| at.is_multiple_of(2) && data.get(at).is_none_or(|high| high & 0xfc != 0xdc))?;
    Ok(plan.parts(&cuts, Dcs::new(Alphabet::Ucs2, options.class), |range, octets| {
        octets.extend_from_slice(&data[range]);
        octets.len()
    }))
}

/// Codes with the tables that make the fewest parts; of equally good ones the first of [`shifts`].
fn smallest_gsm7(text: &str, reference: u16, options: SplitOptions<'_>) -> Result<Vec<Part>, SplitError> {
    let told = Elements::new(options.udh).shift();
    if told != Shift::NONE {
        return split_gsm7(&septets(text, told)?, reference, options, Shift::NONE);
    }
    let mut best: Result<Vec<Part>, SplitError> =
        septets(text, Shift::NONE).and_then(|septets| split_gsm7(&septets, reference, options, Shift::NONE));
    for shift in shifts(options.languages) {
        if best.as_ref().is_ok_and(|parts| parts.len() == 1) {
            break;
        }
        // What is wrong with a default message is what the caller is told.
        let Ok(septets) = septets(text, shift) else { continue };
        let Ok(parts) = split_gsm7(&septets, reference, options, shift) else { continue };
        if best.as_ref().map_or(true, |best| parts.len() < best.len()) {
            best = Ok(parts);
        }
    }
    best
}

/// The pairs of tables to try, the one that every receiver can most likely read first: single shift, which leaves
/// most of the text readable without it, then locking shift, then both.
fn shifts(languages: &[Language]) -> impl Iterator<Item = Shift> {
    let single = languages.iter().map(|&language| Shift { single: Some(language), ..Shift::NONE });
    let with_locking = || languages.iter().filter(|language| language.has_locking());
    let locking = with_locking().map(|&language| Shift { locking: Some(language), ..Shift::NONE });
    let both = with_locking().map(|&language| Shift { locking: Some(language), single: Some(language) });
    single.chain(locking).chain(both)
}

fn split_gsm7(
    septets: &[u8],
    reference: u16,
    options: SplitOptions<'_>,
    shift: Shift,
) -> Result<Vec<Part>, SplitError> {
    let room = |header: usize| MAX_SEPTETS.saturating_sub((header * 8).div_ceil(7));
    let plan = Plan::with_shift(reference, options, shift, room)?;
    // An escape is never the second septet of a sequence, so the septet in front of a cut tells whether one is open.
    let cuts = plan.cut(septets.len(), |at| septets[at - 1] != 0x1b)?;
    Ok(plan.parts(&cuts, Dcs::new(Alphabet::Gsm7, options.class), |range, octets| {
        let header_bits = octets.len() * 8;
        let header_septets = header_bits.div_ceil(7);
        let count = range.len();
        gsm7::pack(&septets[range], (header_septets * 7 - header_bits) as u8, octets);
        header_septets + count
    }))
}

fn septets(text: &str, shift: Shift) -> Result<Vec<u8>, SplitError> {
    let tables = shift.tables();
    let mut septets = Vec::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let coded = gsm7::septets(character, tables).ok_or(SplitError::Character { character, at })?;
        septets.extend_from_slice(coded.as_slice());
    }
    Ok(septets)
}

/// What every part has in common: the header, and the units (septets or octets) that fit behind it.
struct Plan<'a> {
    reference: u16,
    options: SplitOptions<'a>,
    /// The elements for these stand in front of those of the options.
    shift: Shift,
    /// Units that fit if there is one part.
    single: usize,
    /// Units that fit into each of several.
    each: usize,
}

impl<'a> Plan<'a> {
    /// `room` returns the units that fit behind a header of so many octets, TP-UDHL included.
    fn new(
        reference: u16,
        options: SplitOptions<'a>,
        room: impl Fn(usize) -> usize,
    ) -> Result<Plan<'a>, SplitError> {
        Plan::with_shift(reference, options, Shift::NONE, room)
    }

    fn with_shift(
        reference: u16,
        options: SplitOptions<'a>,
        shift: Shift,
        room: impl Fn(usize) -> usize,
    ) -> Result<Plan<'a>, SplitError> {
        let shifted = [shift.locking, shift.single].into_iter().flatten().count();
        let extra = 3 * shifted + options.udh.len();
        if !Elements::new(options.udh).are_sound() || extra >= MAX_OCTETS {
            return Err(SplitError::Header);
        }
        let concatenation = if options.wide_reference { 6 } else { 5 };
        let single = room(if extra == 0 { 0 } else { 1 + extra });
        Ok(Plan { reference, options, shift, single, each: room(1 + concatenation + extra) })
    }

    /// Returns where the parts end. `may_cut` says whether a part may end in front of the unit at an index above 0.
    fn cut(&self, units: usize, may_cut: impl Fn(usize) -> bool) -> Result<Vec<usize>, SplitError> {
        if units <= self.single {
            return Ok(vec![units]);
        }
        let numbered = |element: super::Element<'_>| matches!(element.id, CONCATENATION_8 | CONCATENATION_16);
        // Room for the longest sequence, a surrogate pair, so that every part makes progress.
        if self.each < 4 || Elements::new(self.options.udh).any(numbered) {
            return Err(SplitError::Header);
        }
        let mut cuts = Vec::with_capacity(units.div_ceil(self.each) + 1);
        let mut at = 0;
        while at < units {
            let mut end = (at + self.each).min(units);
            while end < units && !may_cut(end) {
                end -= 1;
            }
            cuts.push(end);
            at = end;
        }
        if cuts.len() > MAX_PARTS {
            return Err(SplitError::TooManyParts(cuts.len()));
        }
        Ok(cuts)
    }

    /// Builds the parts; `write` appends a range of units behind the header and returns TP-UDL.
    fn parts(
        &self,
        cuts: &[usize],
        dcs: Dcs,
        write: impl Fn(std::ops::Range<usize>, &mut Vec<u8>) -> usize,
    ) -> Vec<Part> {
        let mut start = 0;
        let parts = cuts.iter().enumerate().map(|(index, &end)| {
            let mut octets = Vec::with_capacity(MAX_OCTETS);
            self.write_header(index, cuts.len(), &mut octets);
            let header = !octets.is_empty();
            let length = write(start..end, &mut octets) as u8;
            start = end;
            Part { dcs, header, length, octets }
        });
        parts.collect()
    }

    fn write_header(&self, index: usize, total: usize, octets: &mut Vec<u8>) {
        if total == 1 && self.options.udh.is_empty() && self.shift == Shift::NONE {
            return;
        }
        octets.push(0);
        if total > 1 {
            let concatenation = Concatenation {
                reference: self.reference,
                total: total as u8,
                sequence: (index + 1) as u8,
                wide: self.options.wide_reference,
            };
            concatenation.encode(octets);
        }
        encode_shift(self.shift, octets);
        octets.extend_from_slice(self.options.udh);
        octets[0] = (octets.len() - 1) as u8;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::join_text;
    use super::*;

    fn lengths(text: &str, options: SplitOptions<'_>) -> Vec<u8> {
        split_text(text, 0x1234, options).unwrap().iter().map(|part| part.length).collect()
    }

    fn joined(parts: &[Part]) -> String {
        join_text(&parts.iter().map(Part::as_user_data).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_short_text_is_one_part_without_header() {
        let expected = Part {
            dcs: Dcs(0),
            header: false,
            length: 8,
            octets: vec![0xe8, 0x32, 0x9b, 0xfd, 0x06, 0x6d, 0xca],
        };
        assert_eq!(split_text("hello €", 1, SplitOptions::default()), Ok(vec![expected]));
        let empty = Part { dcs: Dcs(0), header: false, length: 0, octets: vec![] };
        assert_eq!(split_text("", 1, SplitOptions::default()), Ok(vec![empty]));
    }

    #[test]
    fn parts_are_as_long_as_the_header_lets_them_be() {
        let narrow = SplitOptions::default();
        let wide = SplitOptions { wide_reference: true, ..narrow };
        assert_eq!(lengths(&"a".repeat(160), narrow), [160]);
        assert_eq!(lengths(&"a".repeat(161), narrow), [160, 15]);
        assert_eq!(lengths(&"a".repeat(161), wide), [160, 17]);
        assert_eq!(lengths(&"ж".repeat(70), narrow), [140]);
        assert_eq!(lengths(&"ж".repeat(71), narrow), [140, 14]);
        assert_eq!(lengths(&"ж".repeat(71), wide), [139, 17]);
        let data: Vec<u8> =
            split_binary(&[7; 141], 1, narrow).unwrap().iter().map(|part| part.length).collect();
        assert_eq!(data, [140, 13]);
    }

    #[test]
    fn the_second_part_carries_reference_total_and_number() {
        let parts = split_text(&"a".repeat(154 + 7), 0x1234, SplitOptions::default()).unwrap();
        assert_eq!(parts[1].octets[..6], [0x05, 0x00, 0x03, 0x34, 0x02, 0x02]);
        let wide = SplitOptions { wide_reference: true, udh: &[0x70, 0x00], ..SplitOptions::default() };
        let parts = split_text(&"a".repeat(161), 0x1234, wide).unwrap();
        assert_eq!(parts[0].octets[..9], [0x08, 0x08, 0x04, 0x12, 0x34, 0x02, 0x01, 0x70, 0x00]);
    }

    #[test]
    fn an_escape_at_the_cut_moves_to_the_next_part() {
        let parts =
            split_text(&format!("{}€{}", "a".repeat(152), "b".repeat(20)), 1, SplitOptions::default());
        let parts = parts.unwrap();
        assert_eq!(parts[0].length, 159);
        assert_eq!(parts[1].as_user_data().text().unwrap(), format!("€{}", "b".repeat(20)));
    }

    #[test]
    fn a_surrogate_pair_at_the_cut_moves_to_the_next_part() {
        let parts = split_text(&format!("{}😀 ж", "a".repeat(66)), 1, SplitOptions::default()).unwrap();
        assert_eq!(parts.len(), 1);
        let parts = split_text(&format!("{}😀 жжж", "a".repeat(66)), 1, SplitOptions::default()).unwrap();
        assert_eq!(parts[0].length, 6 + 132);
        assert_eq!(parts[1].as_user_data().text().unwrap(), "😀 жжж");
    }

    /// Languages, TP-UDL and TP-DCS of every part.
    fn coded(text: &str, options: SplitOptions<'_>) -> Vec<(Shift, u8, u8)> {
        let parts = split_text(text, 0x1234, options).unwrap();
        assert_eq!(joined(&parts), text);
        parts.iter().map(|part| (part.as_user_data().shift(), part.length, part.dcs.0)).collect()
    }

    #[test]
    fn languages_are_used_only_if_they_are_allowed_and_make_fewer_parts() {
        let (none, turkish) = (SplitOptions::default(), &[Language::Turkish][..]);
        let allowed = SplitOptions { languages: turkish, ..none };
        let single = Shift { single: Some(Language::Turkish), locking: None };
        let locking = Shift { single: None, locking: Some(Language::Turkish) };
        assert_eq!(coded("ĞŞİ", none), [(Shift::NONE, 6, 8)]);
        // 4 octets of header fill 5 septets, and each letter takes two.
        assert_eq!(coded("ĞŞİ", allowed), [(single, 11, 0)]);
        assert_eq!(coded(&"ĞŞİğşı".repeat(13)[..154], allowed), [(single, 159, 0)]);
        assert_eq!(coded(&"Ğ".repeat(155), allowed), [(locking, 160, 0)]);
        assert_eq!(coded("plain", allowed), [(Shift::NONE, 5, 0)]);
        assert_eq!(coded("ж", allowed), [(Shift::NONE, 2, 8)]);
        // ^ takes two septets by default, one in the Portuguese alphabet.
        let portuguese = SplitOptions { languages: &[Language::Portuguese], ..none };
        assert_eq!(coded(&"^".repeat(80), portuguese), [(Shift::NONE, 160, 0)]);
        let locking = Shift { single: None, locking: Some(Language::Portuguese) };
        assert_eq!(coded(&"^".repeat(81), portuguese), [(locking, 86, 0)]);
    }

    #[test]
    fn both_tables_of_a_language_are_used_where_neither_has_all() {
        let options = SplitOptions { languages: &Language::ALL, ..SplitOptions::default() };
        let both = Shift { single: Some(Language::Hindi), locking: Some(Language::Hindi) };
        // 7 octets of header fill 8 septets; the digits are two each.
        assert_eq!(coded("नमस्ते १२३", options), [(both, 8 + 7 + 6, 0)]);
        let locking = Shift { single: None, locking: Some(Language::Tamil) };
        assert_eq!(coded("வணக்கம்", options), [(locking, 5 + 7, 0)]);
    }

    #[test]
    fn tables_that_the_callers_own_elements_ask_for_are_the_ones_used() {
        let udh = [0x25, 1, Language::Turkish.id()];
        let options = SplitOptions { udh: &udh, languages: &Language::ALL, ..SplitOptions::default() };
        let locking = Shift { single: None, locking: Some(Language::Turkish) };
        assert_eq!(coded("ıı", options), [(locking, 5 + 2, 0)]);
        // è gave its place to the euro sign.
        assert_eq!(coded("è", options)[0].2, 8);
        let gsm7 = SplitOptions { alphabet: Some(Alphabet::Gsm7), ..options };
        assert_eq!(split_text("è", 1, gsm7), Err(SplitError::Character { character: 'è', at: 0 }));
    }

    #[test]
    fn what_cannot_be_made_is_named() {
        let gsm7 = SplitOptions { alphabet: Some(Alphabet::Gsm7), ..SplitOptions::default() };
        assert_eq!(
            split_text("é ж", 1, gsm7).unwrap_err().to_string(),
            "'ж' at byte 3 is not in the GSM 7-bit alphabet"
        );
        let long = "a".repeat(255 * 153 + 1);
        assert_eq!(split_text(&long, 1, gsm7), Err(SplitError::TooManyParts(256)));
        assert_eq!(split_text(&long[1..], 1, gsm7).unwrap().len(), 255);
        for udh in [&[0x00, 0x05, 0x01][..], &[0x00, 0x03, 0x01, 0x02, 0x01], &[0x70; 200]] {
            let options = SplitOptions { udh, ..gsm7 };
            assert_eq!(split_text(&long[..200], 1, options), Err(SplitError::Header));
        }
        let data = SplitOptions { alphabet: Some(Alphabet::EightBit), ..gsm7 };
        assert_eq!(split_text("a", 1, data), Err(SplitError::TextAsData));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_whole(
            text in "([a-zA-Z €{}\\[\\]]|[ж😀🌍é]|.){0,600}", reference: u16, wide_reference: bool,
            class in prop::option::of(0u8..4), extra in prop::collection::vec(any::<u8>(), 0..60), with_extra: bool,
        ) {
            let udh = if with_extra { [&[0x70, extra.len() as u8][..], &extra].concat() } else { Vec::new() };
            let options =
                SplitOptions { alphabet: None, languages: &[], class, wide_reference, udh: &udh };
            let parts = split_text(&text, reference, options).unwrap();
            let mut apart = String::new();
            for (index, part) in parts.iter().enumerate() {
                prop_assert!(part.octets.len() <= 140);
                let data = part.as_user_data();
                apart += &data.text().unwrap();
                let concatenation = (parts.len() > 1).then_some(Concatenation {
                    reference: if wide_reference { reference } else { reference & 0xff },
                    total: parts.len() as u8,
                    sequence: index as u8 + 1,
                    wide: wide_reference,
                });
                prop_assert_eq!(data.concatenation(), concatenation);
                prop_assert_eq!(data.dcs.class(), class);
                prop_assert!(data.udh().unwrap_or_default().ends_with(&udh));
            }
            prop_assert_eq!(&apart, &text);
            prop_assert_eq!(joined(&parts), text);
        }

        #[test]
        fn text_of_every_alphabet_comes_back_whole(
            language in prop::sample::select(&Language::ALL[..]), picks in prop::collection::vec((0u8..128, 0u8..3), 0..400),
            reference: u16, forced: bool, all: bool,
        ) {
            // Characters of the default tables, the locking and the single shift table, mixed.
            let shift = Shift { locking: Some(language), single: Some(language) };
            let text: String = picks.iter().flat_map(|&(septet, table)| {
                let (octets, shift) = [
                    (vec![septet], Shift::NONE), (vec![septet], shift), (vec![0x1b, septet], shift),
                ][usize::from(table)].clone();
                gsm7::chars(octets.into_iter(), shift.tables()).collect::<Vec<_>>()
            }).collect();
            let languages = if all { &Language::ALL[..] } else { &[language] };
            let alphabet = forced.then_some(Alphabet::Gsm7);
            let options = SplitOptions { languages, alphabet, ..SplitOptions::default() };
            let parts = match split_text(&text, reference, options) {
                Err(SplitError::Character { .. }) if forced => return Ok(()),
                parts => parts.unwrap(),
            };
            prop_assert!(parts.iter().all(|part| part.octets.len() <= 140));
            prop_assert_eq!(joined(&parts), &text[..]);
            let apart: String = parts.iter().map(|part| part.as_user_data().text().unwrap()).collect();
            prop_assert_eq!(apart, &text[..]);
            let default = split_text(&text, reference, SplitOptions { languages: &[], ..options });
            prop_assert!(default.is_err() || parts.len() <= default.unwrap().len());
        }

        #[test]
        fn any_data_come_back_whole(data in prop::collection::vec(any::<u8>(), 0..2000), reference: u16) {
            let parts = split_binary(&data, reference, SplitOptions::default()).unwrap();
            prop_assert!(parts.iter().all(|part| part.octets.len() <= 140));
            let back: Vec<u8> = parts.iter().flat_map(|part| part.as_user_data().payload().to_vec()).collect();
            prop_assert_eq!(back, data);
        }

        #[test]
        fn any_header_is_used_or_refused(udh in prop::collection::vec(any::<u8>(), 0..160), text in ".{0,100}") {
            let options = SplitOptions { udh: &udh, ..SplitOptions::default() };
            if let Ok(parts) = split_text(&text, 1, options) {
                prop_assert!(parts.iter().all(|part| part.octets.len() <= 140));
            }
        }
    }
}
