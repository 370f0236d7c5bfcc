//! Durations as people write them: `500ms`, `2s`, `25m`, `1h30m`, `3d`. A bare number is refused: it has no unit.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Unexpected, Visitor};
use serde::ser::Serializer;

/// The longest duration the file may name; far below what would overflow a clock.
pub(crate) const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// Units from the longest to the shortest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `1h30m`, `500ms`, ...: whole numbers, each with its unit, longest unit first.
///
/// # Errors
/// A sentence that says what is wrong and how to write it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut next_unit = 0;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        if number.is_empty() {
            return Err(format!("`{text}` is not a duration; write for example 500ms, 2s, 10m, 1h or 3d"));
        }
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(letters);
        if unit.is_empty() {
            return Err(format!(
                "`{text}` has no unit; write {number}s, {number}ms, {number}m, {number}h or {number}d"
            ));
        }
        let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(format!(
                "`{text}`: `{unit}` is not a unit; the units are ms, s, m, h and d, with whole numbers"
            ));
        };
        if index < next_unit {
            return Err(format!("`{text}`: units go from the longest to the shortest, each once"));
        }
        next_unit = index + 1;
        millis = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(UNITS[index].1))
            .and_then(|n| n.checked_add(millis))
            .filter(|n| u128::from(*n) <= LONGEST.as_millis())
            .ok_or_else(|| format!("`{text}` is too long; at most {}", format_duration(LONGEST)))?;
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

/// Writes a duration in the longest unit that needs no fraction: 90 s is `90s`, 120 s is `2m`.
///
/// Parts finer than a millisecond are rounded up.
pub fn format_duration(duration: Duration) -> String {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    if millis == 0 {
        return "0s".to_owned();
    }
    for (unit, length) in UNITS {
        if millis.is_multiple_of(u128::from(length)) {
            return format!("{}{unit}", millis / u128::from(length));
        }
    }
    format!("{millis}ms")
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 500ms, 2s, 10m, 1h or 3d")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse_duration(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Duration, E> {
        Err(E::custom(format!(
            "{number} has no unit; write {number}s for seconds or {number}ms for milliseconds"
        )))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Duration, E> {
        Err(E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Duration, E> {
        Err(E::custom(format!("{number} has no unit; write whole milliseconds, for example 1500ms")))
    }
}

/// A duration that deserialises from its text; what lists of durations are made of.
struct Text(Duration);

impl<'de> de::Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

/// For `#[serde(with = "crate::duration")]`.
pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_duration(*duration))
}

/// For `#[serde(with = "crate::duration")]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(DurationVisitor)
}

/// For `#[serde(with = "crate::duration::list")]`.
pub(crate) mod list {
    use super::{Deserializer, Duration, Serializer, Text, format_duration};
    use serde::Deserialize;

    pub(crate) fn serialize<S: Serializer>(durations: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(durations.iter().map(|duration| format_duration(*duration)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        let texts = Vec::<Text>::deserialize(deserializer)?;
        Ok(texts.into_iter().map(|text| text.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("2s", 2_000),
            ("15m", 900_000),
            ("1h", 3_600_000),
            ("3d", 259_200_000),
            ("1h30m", 5_400_000),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "is not a duration"),
            ("fast", "is not a duration"),
            ("-2s", "is not a duration"),
            ("2", "has no unit; write 2s, 2ms"),
            ("1h30", "has no unit; write 30s"),
            ("1.5s", "`.` is not a unit"),
            ("2 s", "` s` is not a unit"),
            ("2sec", "`sec` is not a unit"),
            ("30s1m", "longest to the shortest"),
            ("1s1s", "each once"),
            ("4000d", "is too long; at most 3650d"),
            ("99999999999999999999s", "is too long"),
        ] {
            let error = parse_duration(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn durations_are_written_in_the_longest_exact_unit() {
        for (millis, text) in
            [(0, "0s"), (20, "20ms"), (1_500, "1500ms"), (90_000, "90s"), (120_000, "2m"), (86_400_000, "1d")]
        {
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(format_duration(Duration::from_micros(1)), "1ms");
    }

    proptest! {
        #[test]
        fn every_duration_survives_writing_and_reading(millis in 0..=LONGEST.as_millis() as u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = parse_duration(&text);
        }
    }
}
