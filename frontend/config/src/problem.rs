//! What is wrong with a file: one [`Problem`] per mistake, all of them in one [`Problems`].

use std::fmt;

/// The most problems reported at once.
pub(crate) const MOST: usize = 16;

/// One mistake: where it is and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// The file as the caller named it; empty for a configuration that came from no file.
    pub file: String,
    /// Where in the file, if the place is known.
    pub position: Option<Position>,
    /// The key's path, such as `polling.interval` or `listen[1]`; empty for the file as a whole.
    pub key: String,
    /// What is wrong, in a sentence.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.file.is_empty() || self.position.is_some() {
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", OneLine(&self.key))?;
        }
        write!(f, "{}", OneLine(&self.reason))
    }
}

/// A text with its control characters escaped: a value that is repeated must not begin a line of its own.
struct OneLine<'t>(&'t str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| {
            if char.is_control() { write!(f, "{}", char.escape_default()) } else { write!(f, "{char}") }
        })
    }
}

/// A place in a file. Both count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// Everything wrong with a configuration, in the order of the file; never empty. One line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// The way from the top of the file to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KeyPath(pub(crate) Vec<Step>);

impl KeyPath {
    /// This path's beginning of that many steps.
    pub(crate) fn first(&self, steps: usize) -> Self {
        Self(self.0[..steps].to_vec())
    }

    /// Whether one of the two leads through the other, or both are the same.
    pub(crate) fn touches(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(mine, theirs)| mine == theirs)
    }

    pub(crate) fn key(mut self, key: &str) -> Self {
        self.0.push(Step::Key(key.to_owned()));
        self
    }

    pub(crate) fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }
}

/// From dotted keys, as checks name them: `polling.interval`.
impl From<&str> for KeyPath {
    fn from(keys: &str) -> Self {
        keys.split('.').fold(Self::default(), Self::key)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A mistake before its place in the file is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: KeyPath,
    pub(crate) reason: String,
}

impl Finding {
    pub(crate) fn new(path: impl Into<KeyPath>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }
}
