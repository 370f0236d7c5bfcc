//! `;name=value` parameters of headers and URIs.

use super::list::find_outside;
use super::octets::{split_at, trim_str};

/// The parameters behind a header value or inside a URI, read when asked for. Names are compared without regard to
/// case; values come without their quotes, escapes inside them left as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params<'a> {
    raw: &'a str,
}

impl<'a> Params<'a> {
    /// Takes `name=value;name;...`, with or without the first `;`.
    pub fn new(raw: &'a str) -> Params<'a> {
        let raw = trim_str(raw);
        Params { raw: raw.strip_prefix(';').map_or(raw, trim_str) }
    }

    /// The parameters as they were written, without the first `;`.
    pub fn as_str(&self) -> &'a str {
        self.raw
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Every parameter in order, with its value if it has one.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        present(self.raw).map(parameter)
    }

    /// The first parameter of this name: `Some(None)` if it has no value.
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        let begins = |segment: &&str| {
            segment
                .as_bytes()
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        };
        let mut named = present(self.raw).filter(begins).map(parameter);
        named.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the first parameter of this name, if it has one.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.get(name).flatten()
    }

    /// Whether a parameter of this name is there, with or without a value.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// A segment's name, and its value if it has one.
fn parameter(segment: &str) -> (&str, Option<&str>) {
    match split_at(segment, b'=') {
        Some((name, value)) => (trim_str(name), Some(unquote(trim_str(value)))),
        None => (segment, None),
    }
}

/// The segments that are not empty; a run of semicolons costs one step.
fn present(raw: &str) -> impl Iterator<Item = &str> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        loop {
            let run = rest.bytes().take_while(|&octet| octet == b';').count();
            rest = &rest[run..];
            if rest.is_empty() {
                return None;
            }
            let end = find_outside(rest.as_bytes(), b';').unwrap_or(rest.len());
            let segment = trim_str(&rest[..end]);
            rest = &rest[end..];
            if !segment.is_empty() {
                return Some(segment);
            }
        }
    })
}

/// The parts between semicolons that stand outside quotes, trimmed, empty ones included.
pub(super) fn segments(raw: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(raw);
    std::iter::from_fn(move || {
        let current = rest?;
        match find_outside(current.as_bytes(), b';') {
            Some(at) => {
                rest = Some(&current[at + 1..]);
                Some(trim_str(&current[..at]))
            }
            None => {
                rest = None;
                Some(trim_str(current))
            }
        }
    })
}

fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_whatever_their_case_blanks_and_quotes() {
        let params = Params::new("; Tag = abc ;lr; +sip.instance=\"<urn:x;y>\"; q=0.7");
        assert_eq!(params.value("tag"), Some("abc"));
        assert_eq!(params.get("LR"), Some(None));
        assert_eq!(params.value("+SIP.instance"), Some("<urn:x;y>"));
        assert_eq!(params.value("q"), Some("0.7"));
        assert_eq!(params.get("none"), None);
    }

    #[test]
    fn empty_segments_are_passed_over() {
        let found: Vec<_> = Params::new(";;a;;b=;").iter().collect();
        assert_eq!(found, [("a", None), ("b", Some(""))]);
        assert!(Params::new(" ;; ").is_empty());
    }
}
