//! The keys there are: for suggestions, for empty sections, and for writing only what differs from the defaults.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_yaml::{Mapping, Value};

use crate::config::Config;
use crate::problem::{KeyPath, Step};

/// Every key with its default.
static DEFAULTS: LazyLock<Value> = LazyLock::new(|| tree(&Config::default()));

/// The sections in which each key is known.
static PLACES: LazyLock<BTreeMap<String, Vec<KeyPath>>> = LazyLock::new(|| {
    let mut places = BTreeMap::new();
    note_places(&KeyPath::default(), &DEFAULTS, &mut places);
    places
});

/// A configuration as a tree with every key in it.
pub(crate) fn tree(config: &impl serde::Serialize) -> Value {
    serde_yaml::to_value(config).expect("keys are text, and paths come from UTF-8 text or literals")
}

/// A configuration or one of its sections as its keys.
pub(crate) fn section(config: &impl serde::Serialize) -> Mapping {
    match tree(config) {
        Value::Mapping(mapping) => mapping,
        _ => Mapping::new(),
    }
}

/// The parts of `tree` that differ from `base`.
pub(crate) fn difference(tree: Mapping, base: &Mapping) -> Mapping {
    tree.into_iter()
        .filter_map(|(key, value)| match (value, base.get(&key)) {
            (value, Some(same)) if value == *same => None,
            (Value::Mapping(inner), Some(Value::Mapping(base))) => {
                Some((key, Value::Mapping(difference(inner, base))))
            }
            (value, _) => Some((key, value)),
        })
        .collect()
}

/// The paths of the keys at which two trees differ, sections taken apart.
pub(crate) fn differing(path: &KeyPath, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Mapping(old), Value::Mapping(new)) => {
            for (key, new) in new {
                if let (Some(name), Some(old)) = (key.as_str(), old.get(key)) {
                    differing(&path.clone().key(name), old, new, found);
                }
            }
        }
        (old, new) if old != new => found.push(path.to_string()),
        _ => {}
    }
}

/// Whether the value at `path` is a section of keys.
pub(crate) fn is_section(path: &KeyPath) -> bool {
    let value = path.0.iter().try_fold(&*DEFAULTS, |value, step| match step {
        Step::Key(key) => value.get(key.as_str()),
        Step::Index(_) => None,
    });
    value.is_some_and(Value::is_mapping)
}

/// Says that the last key of `path` is not known, and which one may have been meant.
pub(crate) fn unknown(path: &KeyPath, key: &str, known: &[String]) -> String {
    let place = path.first(path.0.len().saturating_sub(1));
    let here = if place.0.is_empty() { String::new() } else { format!(" in `{place}`") };
    let nearest = known.iter().map(|name| (distance(key, name), name)).min();
    let hint = match nearest {
        Some((edits, name)) if edits <= (name.len() / 3).max(1) => format!("did you mean `{name}`?"),
        _ => match elsewhere(key) {
            Some(section) => format!("it belongs {section}"),
            None => format!("known keys{here}: {}", known.join(", ")),
        },
    };
    format!("unknown key `{key}`{here}; {hint}")
}

/// Where a key of exactly this name is known, if at one place only.
fn elsewhere(key: &str) -> Option<String> {
    match PLACES.get(key)?.as_slice() {
        [place] if place.0.is_empty() => Some("at the top of the file".to_owned()),
        [place] => Some(format!("in the section `{place}`")),
        _ => None,
    }
}

fn note_places(path: &KeyPath, value: &Value, places: &mut BTreeMap<String, Vec<KeyPath>>) {
    for (key, inner) in value.as_mapping().into_iter().flatten() {
        let Some(key) = key.as_str() else { continue };
        places.entry(key.to_owned()).or_default().push(path.clone());
        note_places(&path.clone().key(key), inner, places);
    }
}

/// Insertions, deletions and replacements from one text to the other (Levenshtein), of the first 64 characters.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (index, o) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *o);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (one, other, edits) in
            [("", "", 0), ("abc", "abc", 0), ("intervall", "interval", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(one, other), edits, "{one} {other}");
        }
    }

    #[test]
    fn an_unknown_key_gets_the_best_hint_there_is() {
        let known = ["interval".to_owned(), "batch".to_owned()];
        let at = |path: &str, key: &str| unknown(&KeyPath::from(path), key, &known);
        assert_eq!(
            at("polling.intervl", "intervl"),
            "unknown key `intervl` in `polling`; did you mean `interval`?"
        );
        assert_eq!(at("tr1n", "tr1n"), "unknown key `tr1n`; it belongs in the section `timers`");
        assert_eq!(
            at("polling.location", "location"),
            "unknown key `location` in `polling`; it belongs at the top of the file"
        );
        assert_eq!(
            at("polling.colour", "colour"),
            "unknown key `colour` in `polling`; known keys in `polling`: interval, batch"
        );
    }
}
