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
    let data: Vec<u8> = split_binary(&[7; 141], 1, narrow).unwrap().iter().map(|part| part.length).collect();
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
    let parts = split_text(&format!("{}€{}", "a".repeat(152), "b".repeat(20)), 1, SplitOptions::default());
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
fn languages_are_used_only_if_they_are_allowed_and_make_the_text_smaller() {
    let (none, turkish) = (SplitOptions::default(), &[Language::Turkish][..]);
    let allowed = SplitOptions { languages: turkish, ..none };
    let turkish_locking = Shift { single: None, locking: Some(Language::Turkish) };
    assert_eq!(coded("ĞŞİ", none), [(Shift::NONE, 6, 8)]);
    // 4 octets of header and 3 septets are no less than the 6 octets of UCS2, which every handset reads.
    assert_eq!(coded("ĞŞİ", allowed), [(Shift::NONE, 6, 8)]);
    assert_eq!(coded("ĞŞİ ve daha", allowed), [(turkish_locking, 5 + 11, 0)]);
    let forced = SplitOptions { alphabet: Some(Alphabet::Gsm7), ..allowed };
    assert_eq!(coded("ĞŞİ", forced), [(turkish_locking, 5 + 3, 0)]);
    // á and í take two septets each.
    let spanish = SplitOptions { languages: &[Language::Spanish], ..none };
    let single = Shift { single: Some(Language::Spanish), locking: None };
    assert_eq!(coded("Mañana será otro día", spanish), [(single, 5 + 20 + 2, 0)]);
    assert_eq!(coded(&"Ğ".repeat(155), allowed), [(turkish_locking, 160, 0)]);
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
fn what_is_one_part_already_keeps_the_number_its_sender_gave_it() {
    let options = SplitOptions { udh: &[0x00, 0x03, 0x01, 0x02, 0x01], ..SplitOptions::default() };
    let parts = split_binary(&[0xab; 100], 7, options).unwrap();
    let numbers: Vec<_> = parts.iter().map(|part| part.as_user_data().concatenation()).collect();
    assert_eq!(numbers, [Some(Concatenation { reference: 1, total: 2, sequence: 1, wide: false })]);
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
        let udh = if with_extra { [&[0x99, extra.len() as u8][..], &extra].concat() } else { Vec::new() };
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
