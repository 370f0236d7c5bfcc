//! The short messages of `../shared/vectors`: what some thirty peers' own test suites expect, judged as its README says.
//!
//! Run by `tests/run --only vectors`, which needs that folder beside the checkout (or `SMSC_VECTORS`).

#![allow(clippy::print_stdout, reason = "the counts are what the stage tells")]

#[path = "vectors_sms/encode.rs"]
mod encode;
#[path = "vectors_sms/national.rs"]
mod national;
#[path = "vectors_sms/reading.rs"]
mod reading;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Where we read otherwise than a vector says: its id, the field, and the clause that decides.
const OTHERWISE: [(&str, &str, &str); 3] = [
    (
        "smslib-sr-1",
        "outcome",
        "TS 23.040 §9.1.2.5: TP-RA has at most 20 semi-octets, not 112; the source looks at TP-MTI alone",
    ),
    (
        "smslib-sr-2",
        "scts",
        "TS 23.040 §9.2.3.11: the semi-octet E of the zone octet E1 is no digit and counts as 0, not as 14",
    ),
    (
        "smslib-sr-4",
        "scts",
        "TS 23.040 §9.2.3.11: the semi-octet E of the zone octet E1 is no digit and counts as 0, not as 14",
    ),
];

/// One line of `vectors.jsonl`. A field that this test does not know fails it: no expectation is passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    id: String,
    #[serde(default)]
    layer: String,
    #[serde(default)]
    direction: String,
    #[serde(default)]
    hex: String,
    #[serde(default)]
    expect: Map<String, Value>,
    #[serde(default)]
    expect_error: bool,
    /// What must be refused may be read.
    #[serde(default)]
    allow_ok: bool,
    /// What must be read may be refused.
    #[serde(default)]
    allow_error: bool,
    #[serde(default)]
    also_accept: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    expect_absent: Vec<String>,
    /// What the text begins with where its end is in doubt.
    text_prefix: Option<String>,
    /// The text of the whole message and which part of it this is.
    whole_text: Option<String>,
    part: Option<u64>,
    encode: Option<encode::Wish>,
    segment_kind: Option<String>,
    expect_segments: Option<Value>,
    // Remarks for people.
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(rename = "smsc")]
    _service_centre: Option<String>,
    #[serde(rename = "ours")]
    _composed_by_the_collector: Option<Value>,
    #[serde(rename = "weak")]
    _rests_on_one_reading: Option<Value>,
    #[serde(rename = "refused_by")]
    _refused_by: Option<Value>,
}

/// What is wrong, field by field.
type Differences = Vec<(String, String)>;

#[test]
#[ignore = "needs ../shared/vectors: tests/run --only vectors"]
fn every_vector_is_read_and_written_as_it_says_or_as_the_specification_says() {
    let lines =
        std::fs::read_to_string(folder().join("sms/vectors.jsonl")).expect("vectors.jsonl is readable");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut expected_otherwise: Vec<_> = OTHERWISE.iter().map(|(id, field, _)| (*id, *field)).collect();
    let mut wrong = Vec::new();
    for line in lines.lines() {
        let vector: Vector = match serde_json::from_str(line) {
            Ok(vector) => vector,
            Err(error) => {
                wrong.push(format!("{error} in {line}"));
                continue;
            }
        };
        let (kind, differences) = judge(&vector);
        *counts.entry(kind).or_default() += 1;
        for (field, what) in differences {
            let known =
                expected_otherwise.iter().position(|known| *known == (vector.id.as_str(), field.as_str()));
            match known {
                Some(index) => {
                    expected_otherwise.swap_remove(index);
                    *counts.entry("judged otherwise, by the clause").or_default() += 1;
                }
                None => wrong.push(format!("{}: {field}: {what}", vector.id)),
            }
        }
    }
    for (kind, count) in &counts {
        println!("{count:5} {kind}");
    }
    for (id, field, clause) in OTHERWISE {
        println!("      otherwise: {id}: {field}: {clause}");
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(expected_otherwise.is_empty(), "no longer judged otherwise: {expected_otherwise:?}");
}

/// Returns what kind of vector it is and what is wrong.
fn judge(vector: &Vector) -> (&'static str, Differences) {
    if let Some(wish) = &vector.encode {
        let kind = vector.segment_kind.as_deref().expect("a wish has a kind");
        let expected = vector.expect_segments.as_ref().expect("a wish has segments");
        let differences = encode::judge(wish, kind, expected);
        return ("written", differences.into_iter().map(|what| (kind.to_owned(), what)).collect());
    }
    let read = octets(&vector.hex)
        .ok_or_else(|| "not hexadecimal".to_owned())
        .and_then(|octets| reading::read(&vector.layer, &vector.direction, &octets));
    let difference = |what: String| vec![("outcome".to_owned(), what)];
    match read {
        Err(_) if vector.expect_error => ("refused", Vec::new()),
        Ok(_) if vector.expect_error && vector.allow_ok => ("read, may be refused or read", Vec::new()),
        Ok(read) if vector.expect_error => {
            ("refused", difference(format!("must be refused, reads {read:?}")))
        }
        Err(_) if vector.allow_error => ("refused, may be refused or read", Vec::new()),
        Err(error) => ("read", difference(error)),
        Ok(read) => ("read", compare(vector, &read)),
    }
}

fn compare(vector: &Vector, read: &Map<String, Value>) -> Differences {
    let mut differences = Differences::new();
    for (field, expected) in &vector.expect {
        let also = vector.also_accept.get(field).into_iter().flatten();
        let found = read.get(field);
        if !std::iter::once(expected).chain(also).any(|good| agrees(found, &normal(field, good))) {
            differences.push((field.clone(), format!("{expected} expected, we read {found:?}")));
        }
    }
    for field in vector.expect_absent.iter().filter(|field| read.contains_key(*field)) {
        differences.push((field.clone(), format!("must not be told, we read {}", read[field])));
    }
    let text = read.get("text").and_then(Value::as_str).unwrap_or_default();
    if vector.text_prefix.as_ref().is_some_and(|prefix| !text.starts_with(prefix)) {
        differences.push(("text_prefix".to_owned(), text.to_owned()));
    }
    if let (Some(whole), Some(part)) = (&vector.whole_text, vector.part) {
        let is_part = read.get("concat").is_some_and(|concat| concat["seq"] == part);
        if !whole.contains(text) || !is_part {
            differences.push(("whole_text".to_owned(), text.to_owned()));
        }
    }
    differences
}

/// Whether what was read is what is expected: of an object, all members that the vector names; null is what is not there.
fn agrees(found: Option<&Value>, expected: &Value) -> bool {
    match (found, expected) {
        (found, Value::Null) => found.is_none(),
        (Some(Value::Object(found)), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| agrees(found.get(name), value))
        }
        (found, expected) => found == Some(expected),
    }
}

/// The value as [`reading::read`] puts it: times without their century, types without `SMS-`, hex in lower case.
fn normal(field: &str, value: &Value) -> Value {
    match value {
        Value::String(time) if matches!(field, "scts" | "dt" | "time") => time[2..].into(),
        Value::String(name) if matches!(field, "type" | "tp_type") => name.trim_start_matches("SMS-").into(),
        Value::String(hex) if matches!(field, "data_hex" | "udh_hex" | "hex") => hex.to_lowercase().into(),
        Value::Object(inner) => inner
            .iter()
            .map(|(name, value)| (name.clone(), normal(name, value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("SMSC_VECTORS").map_or_else(beside, PathBuf::from);
    assert!(folder.is_dir(), "no vectors: {} is not there", folder.display());
    folder
}

fn json<T: DeserializeOwned>(file: &str) -> T {
    let text = std::fs::read(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Octets of hexadecimal digits; nothing if they are none or odd in number.
fn octets(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok()
        })
        .collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
