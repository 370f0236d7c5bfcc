//! Making user data: text and octets cut into parts of at most 140 octets (TS 23.040 §9.2.3.24.1, .8).

use thiserror::Error;

use super::dcs::{Alphabet, Dcs};
use super::gsm7::{Language, Shift};
use super::udh::{CONCATENATION_8, CONCATENATION_16, Concatenation, Element, Elements, encode_shift};
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
    /// National languages whose shift tables the receiver is known to have; none by default. A text that the default
    /// alphabet has is coded with them if that makes fewer parts; any other text if that makes fewer parts than UCS2, or
    /// as many with fewer octets.
    pub languages: &'a [Language],
    /// The message class, 0 to 3.
    pub class: Option<u8>,
    /// Whether the reference takes 16 bits.
    pub wide_reference: bool,
    /// Information elements that every part carries besides, raw, without TP-UDHL. If shift elements are among them,
    /// GSM 7-bit text is coded with the tables that these say, and `languages` are not looked at. A (U)SIM toolkit
    /// security header (70 to 7F) stands in the first part only (TS 31.115). Elements that tell a part (00, 08) are for a
    /// message that is one part already, cut by its sender: it must fit into one.
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
    /// The information elements do not fill the header exactly, leave no room for the message, or tell a part of their own
    /// where there are to be several.
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
            // With two septets a character and room for the shift elements, UCS2 may be the smaller one.
            Ok(parts) if parts[0].as_user_data().shift() != Elements::new(options.udh).shift() => {
                let ucs2 = split_ucs2(text, reference, options).ok();
                Ok(ucs2.filter(|ucs2| size(ucs2) <= size(&parts)).unwrap_or(parts))
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

/// What is to be small: the number of parts, then their octets.
fn size(parts: &[Part]) -> (usize, usize) {
    (parts.len(), parts.iter().map(|part| part.octets.len()).sum())
}

/// Codes with the tables that make the smallest message, the default ones if no others make fewer parts; of equally
/// good ones with the first of [`shifts`].
fn smallest_gsm7(text: &str, reference: u16, options: SplitOptions<'_>) -> Result<Vec<Part>, SplitError> {
    let told = Elements::new(options.udh).shift();
    if told != Shift::NONE {
        return split_gsm7(&septets(text, told)?, reference, options, Shift::NONE);
    }
    let mut best: Result<Vec<Part>, SplitError> =
        septets(text, Shift::NONE).and_then(|septets| split_gsm7(&septets, reference, options, Shift::NONE));
    let default = best.as_ref().map(Vec::len).ok();
    if default == Some(1) {
        return best;
    }
    for shift in shifts(options.languages) {
        // What is wrong with a default message is what the caller is told.
        let Ok(septets) = septets(text, shift) else { continue };
        let Ok(parts) = split_gsm7(&septets, reference, options, shift) else { continue };
        let fewer = default.is_none_or(|default| parts.len() < default);
        if fewer && best.as_ref().map_or(true, |best| size(&parts) < size(best)) {
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
    /// Units that fit into the first of several.
    first: usize,
    /// Units that fit into each of the others.
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
        let first_only: usize = Elements::new(options.udh)
            .filter(Element::is_first_only)
            .map(|element| 2 + element.data.len())
            .sum();
        let first = room(1 + concatenation + extra);
        let each = room(1 + concatenation + extra - first_only);
        Ok(Plan { reference, options, shift, single, first, each })
    }

    /// Returns where the parts end. `may_cut` says whether a part may end in front of the unit at an index above 0.
    fn cut(&self, units: usize, may_cut: impl Fn(usize) -> bool) -> Result<Vec<usize>, SplitError> {
        if units <= self.single {
            return Ok(vec![units]);
        }
        let numbered = |element: Element<'_>| matches!(element.id, CONCATENATION_8 | CONCATENATION_16);
        // Room for the longest sequence, a surrogate pair, so that every part makes progress.
        if self.first < 4 || Elements::new(self.options.udh).any(numbered) {
            return Err(SplitError::Header);
        }
        let mut cuts = Vec::with_capacity(units.div_ceil(self.each) + 1);
        let mut at = 0;
        while at < units {
            let room = if at == 0 { self.first } else { self.each };
            let mut end = (at + room).min(units);
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
        for element in
            Elements::new(self.options.udh).filter(|element| index == 0 || !element.is_first_only())
        {
            octets.extend_from_slice(&[element.id, element.data.len() as u8]);
            octets.extend_from_slice(element.data);
        }
        octets[0] = (octets.len() - 1) as u8;
    }
}

#[cfg(test)]
mod tests;
