//! Reads text into a [`Config`] and reports every mistake in it at once.
//!
//! serde stops at the first mistake. So the text becomes a tree; a value that does not fit is noted and cut out of the
//! tree, and the rest is tried again. Checks of what the values mean then run on what is left.

use std::collections::{BTreeMap, BTreeSet};

use serde_path_to_error::Segment;
use serde_yaml::Value;

use crate::aliases;
use crate::check::{self, Purpose};
use crate::config::Config;
use crate::keys;
use crate::locate;
use crate::problem::{Finding, KeyPath, MOST, Problem, Problems, Step};

/// Reads and checks a file's text.
pub(crate) fn parse(text: &str, file: &str, purpose: Purpose) -> Result<Config, Problems> {
    let unreadable = if nested_too_deep(text) {
        Some(format!("brackets are open more than {DEEPEST} deep"))
    } else if text.as_bytes().split(|octet| !octet.is_ascii_digit()).any(|run| run.len() > MOST_DIGITS) {
        Some(format!("a number of more than {MOST_DIGITS} digits"))
    } else if aliases::blow_up(text) {
        Some("aliases (`*name`) make it far larger than it is; write out what they stand for".to_owned())
    } else {
        None
    };
    if let Some(reason) = unreadable {
        return Err(Problems(vec![Problem {
            file: file.to_owned(),
            position: None,
            key: String::new(),
            reason,
        }]));
    }
    let mut tree = match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Null) => Value::Mapping(serde_yaml::Mapping::new()),
        Ok(tree) => tree,
        Err(error) => return Err(Problems(vec![syntax(file, &error)])),
    };
    let mut cuts = Cuts::default();
    let (config, mut findings) = fit(&mut tree, &mut cuts);
    if let Some(config) = &config {
        let unfit: Vec<KeyPath> = findings.iter().map(|finding| finding.path.clone()).collect();
        let meant = check::values(config, purpose)
            .into_iter()
            .map(|finding| Finding { path: cuts.original(&finding.path), ..finding })
            .filter(|finding| !unfit.iter().any(|path| path.touches(&finding.path)));
        findings.extend(meant);
        // How keys fit together can be told only once each of them is right.
        if unfit.is_empty() {
            findings.extend(check::relations(config, purpose));
        }
    }
    match config {
        Some(config) if findings.is_empty() => Ok(config),
        _ => Err(placed(findings, text, file)),
    }
}

/// Brackets that may be open at one place. The reader looks at each open one with every word that follows.
const DEEPEST: usize = 64;

/// Digits that may follow each other. The reader tries every number as a float, which takes long for a long one.
const MOST_DIGITS: usize = 40;

/// Whether more brackets are open somewhere than any configuration has: those of texts and comments count too.
fn nested_too_deep(text: &str) -> bool {
    let mut open = 0usize;
    text.bytes().any(|octet| {
        match octet {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > DEEPEST
    })
}

/// Fits the tree into a [`Config`], cutting out what does not fit; no configuration if the file as a whole is wrong.
fn fit(tree: &mut Value, cuts: &mut Cuts) -> (Option<Config>, Vec<Finding>) {
    let mut findings = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, Config>(&*tree) {
            Ok(config) => return (Some(config), findings),
            Err(error) => error,
        };
        let path = steps(error.path());
        let Some(value) = cuts.cut(tree, &path) else {
            findings.push(Finding::new(path, plain(error.inner())));
            return (None, findings);
        };
        // A section whose keys are all commented out is there, and empty: it has its defaults.
        if value.is_null() && keys::is_section(&path) {
            continue;
        }
        let mut found = Vec::new();
        match (&value, unknown_key(error.inner())) {
            (_, Some((unknown, known))) => {
                found.push((path.clone(), keys::unknown(&path, &unknown, &known)));
                // All of the section at once: each new try reads the whole tree again.
                for (path, unknown) in cuts.cut_unknown(tree, &path, &known) {
                    let reason = keys::unknown(&path, &unknown, &known);
                    found.push((path, reason));
                }
            }
            (Value::Null, None) => {
                found.push((path, "has no value; leave the key out for its default".to_owned()));
            }
            _ => found.push((path, plain(error.inner()))),
        }
        for (path, reason) in found {
            let path = cuts.note(&path);
            // A misspelt key is one mistake, not also the lack of the right one.
            if findings.iter().any(|finding| finding.path.touches(&path)) {
                continue;
            }
            findings.push(Finding::new(path, reason));
            if findings.len() >= MOST {
                return (None, findings);
            }
        }
    }
}

/// What has been cut out of lists, so that the elements left keep the number they have in the file.
#[derive(Default)]
struct Cuts(BTreeMap<KeyPath, BTreeSet<usize>>);

impl Cuts {
    /// Takes the value at `path` out of the tree.
    fn cut(&self, tree: &mut Value, path: &KeyPath) -> Option<Value> {
        let (last, around) = around(tree, path)?;
        match (last, around) {
            (Step::Key(key), Value::Mapping(mapping)) => mapping.shift_remove(key.as_str()),
            (Step::Index(index), Value::Sequence(list)) if *index < list.len() => Some(list.remove(*index)),
            _ => None,
        }
    }

    /// Takes every key that is not known out of the section in which the key at `path` stood, [`MOST`] at most.
    fn cut_unknown(&self, tree: &mut Value, path: &KeyPath, known: &[String]) -> Vec<(KeyPath, String)> {
        let Some((_, Value::Mapping(section))) = around(tree, path) else { return Vec::new() };
        let is_unknown = |key: &&str| !known.iter().any(|known| known == key);
        let keys = section.keys().filter_map(Value::as_str).filter(is_unknown).take(MOST);
        let unknown: Vec<String> = keys.map(str::to_owned).collect();
        for key in &unknown {
            section.shift_remove(key.as_str());
        }
        let place = path.first(path.0.len() - 1);
        unknown.into_iter().map(|key| (place.clone().key(&key), key)).collect()
    }

    /// Remembers that the value at `path` was cut; answers with its path in the file.
    fn note(&mut self, path: &KeyPath) -> KeyPath {
        let original = self.original(path);
        if let Some(Step::Index(index)) = original.0.last() {
            self.0.entry(original.first(original.0.len() - 1)).or_default().insert(*index);
        }
        original
    }

    /// The path in the file of what has `path` in the tree.
    fn original(&self, path: &KeyPath) -> KeyPath {
        path.0.iter().fold(KeyPath::default(), |way, step| match step {
            Step::Key(key) => way.key(key),
            Step::Index(index) => {
                let mut original = *index;
                for cut in self.0.get(&way).into_iter().flatten() {
                    original += usize::from(*cut <= original);
                }
                way.index(original)
            }
        })
    }
}

/// The last step of a path, and the value that it is taken from.
fn around<'t, 'p>(tree: &'t mut Value, path: &'p KeyPath) -> Option<(&'p Step, &'t mut Value)> {
    let (last, way) = path.0.split_last()?;
    let around = way.iter().try_fold(tree, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Index(index) => value.get_mut(*index),
    })?;
    Some((last, around))
}

fn steps(path: &serde_path_to_error::Path) -> KeyPath {
    let steps = path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    KeyPath(steps.collect())
}

/// The key serde did not know and those it knows there: "unknown field `a`, expected one of `b`, `c`".
fn unknown_key(error: &serde_yaml::Error) -> Option<(String, Vec<String>)> {
    let message = error.to_string();
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once("`, expected ")?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((unknown.to_owned(), known))
}

/// serde's message in words that do not presuppose Rust.
fn plain(error: &serde_yaml::Error) -> String {
    let message = error.to_string();
    for (rust, words) in [
        ("expected u8", "expected a whole number from 0 to 255"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u64", "expected a whole number from 0"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list"),
        ("expected field identifier", "expected the name of a key"),
        ("expected path string", "expected the path of a file"),
        (
            "invalid socket address syntax",
            "is not an address with a port; write for example 127.0.0.1:9090 or [::1]:9090",
        ),
    ] {
        if let Some(beginning) = message.strip_suffix(rust) {
            return format!("{beginning}{words}");
        }
    }
    message
}

fn syntax(file: &str, error: &serde_yaml::Error) -> Problem {
    let message = error.to_string();
    // The place is told separately.
    let reason = message.split(" at line ").next().unwrap_or(&message).to_owned();
    Problem { file: file.to_owned(), position: locate::of_error(error), key: String::new(), reason }
}

fn placed(mut findings: Vec<Finding>, text: &str, file: &str) -> Problems {
    findings.truncate(MOST);
    let paths: Vec<&KeyPath> = findings.iter().map(|finding| &finding.path).collect();
    let positions = locate::positions(text, &paths);
    let mut problems: Vec<Problem> = findings
        .into_iter()
        .zip(positions)
        .map(|(Finding { path, reason }, position)| Problem {
            file: file.to_owned(),
            position,
            key: path.to_string(),
            reason,
        })
        .collect();
    problems.sort_by_key(|problem| problem.position);
    Problems(problems)
}
