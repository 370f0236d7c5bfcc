//! The GSM 7-bit tables, septet by septet, against what four sources make of the same annex.

use std::collections::BTreeMap;

use serde::Deserialize;
use smsc_proto::sms::gsm7::{self, Language, Shift};

use super::json;

const ESCAPE: u8 = 0x1b;

/// By language, septet and code point, both hexadecimal.
type Table = BTreeMap<u8, BTreeMap<String, String>>;

#[derive(Deserialize)]
struct National {
    locking: Table,
    single: Table,
    disagreements: Vec<Disagreement>,
}

#[derive(Deserialize)]
struct Disagreement {
    table: String,
    language: u8,
    septet: String,
    values: BTreeMap<String, Option<String>>,
    decision: String,
}

#[test]
#[ignore = "needs ../shared/vectors: tests/run --only vectors"]
fn every_septet_of_every_national_table_is_the_character_that_the_annex_gives_it() {
    let national: National = json("sms/national.json");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for id in 0..=13 {
        let language = Language::from_id(id);
        assert_eq!(
            language.is_some_and(Language::has_locking) || id == 0,
            national.locking.contains_key(&id)
        );
        let default = &national.locking[&0];
        let table = national.locking.get(&id).unwrap_or(default);
        let shift = Shift { locking: language, single: None };
        for septet in (0..128).filter(|&septet| septet != ESCAPE) {
            // A receiver shows a space for what is reserved.
            let expected = character(table, septet).unwrap_or(' ');
            check(&[septet], shift, expected, character(table, septet).is_some(), &mut wrong);
            compared += 1;
        }
        let shift = Shift { locking: None, single: language };
        let table = &national.single[&id];
        for septet in 0..128 {
            let fallback = if septet == ESCAPE { ' ' } else { character(default, septet).unwrap_or(' ') };
            let own = character(table, septet);
            check(&[ESCAPE, septet], shift, own.unwrap_or(fallback), false, &mut wrong);
            compared += 1;
        }
    }
    println!("{compared:5} septets of 13 locking and 14 single shift tables compared");
    println!("{:5} of them on which the four sources disagree:", national.disagreements.len());
    for case in &national.disagreements {
        let values: Vec<String> = case
            .values
            .iter()
            .map(|(source, value)| format!("{source} {}", value.as_deref().unwrap_or("none")))
            .collect();
        println!(
            "      {} {} {}: {} ({})",
            case.table,
            case.language,
            case.septet,
            case.decision,
            values.join(", ")
        );
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Reads the octets, and writes the character back if the table is to have it at one place only.
fn check(octets: &[u8], shift: Shift, expected: char, sent: bool, wrong: &mut Vec<String>) {
    let shown: String = gsm7::chars(octets.iter().copied(), shift.tables()).collect();
    if shown != expected.to_string() {
        wrong.push(format!("{shift:?} {octets:02x?}: {expected:?} expected, we show {shown:?}"));
    }
    let written = gsm7::septets(expected, shift.tables());
    if sent && written.is_none_or(|written| written.as_slice() != octets) {
        wrong.push(format!("{shift:?}: {expected:?} is written as {written:?}, not {octets:02x?}"));
    }
}

fn character(table: &BTreeMap<String, String>, septet: u8) -> Option<char> {
    let code = table.get(&format!("{septet:02x}"))?;
    char::from_u32(u32::from_str_radix(code, 16).ok()?)
}
