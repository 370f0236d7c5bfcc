//! Comma-separated header values (RFC 3261 §7.3.1).

use memchr::{memchr, memchr3};

use super::octets::trim;

/// Every element of a comma-separated value, blanks trimmed, empty ones included. Commas inside a quoted string or
/// between `<` and `>` do not separate.
pub(super) fn elements(value: &[u8]) -> Elements<'_> {
    Elements { rest: Some(value) }
}

/// The iterator of [`elements`].
pub(super) struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = find_outside(rest, b',');
        self.rest = end.map(|comma| &rest[comma + 1..]);
        Some(trim(&rest[..end.unwrap_or(rest.len())]))
    }
}

/// The first `separator` of `value` that is neither in a quoted string nor between `<` and `>`.
pub(super) fn find_outside(value: &[u8], separator: u8) -> Option<usize> {
    // What separates is near as a rule, and a search of many octets at once takes long to begin.
    let near =
        value.iter().take(NEAR).position(|&octet| octet == separator || octet == b'"' || octet == b'<');
    let mut at = match near {
        Some(at) if value[at] == separator => return Some(at),
        Some(at) => at,
        None => value.len().min(NEAR),
    };
    loop {
        at += memchr3(separator, b'"', b'<', &value[at..])?;
        match value[at] {
            b'"' => at = quote_end(value, at)?,
            b'<' => at += memchr(b'>', &value[at..])?,
            _ => return Some(at),
        }
        at += 1;
    }
}

/// Octets looked at one by one.
const NEAR: usize = 8;

/// Where the quoted string that opens at `at` closes, minding quoted pairs (RFC 3261 §25.1).
pub(super) fn quote_end(value: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    while at < value.len() {
        match value[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(value: &str) -> Vec<&str> {
        elements(value.as_bytes()).map(|element| std::str::from_utf8(element).unwrap()).collect()
    }

    #[test]
    fn commas_separate_outside_quotes_and_brackets_only() {
        assert_eq!(split("a , b"), ["a", "b"]);
        assert_eq!(split("\"x, \\\" y\" <sip:a,b@c>;p=\",\",d"), ["\"x, \\\" y\" <sip:a,b@c>;p=\",\"", "d"]);
        assert_eq!(split("<sip:a\"b@c>, d"), ["<sip:a\"b@c>", "d"]);
    }

    #[test]
    fn empty_elements_are_kept_for_the_caller_to_judge() {
        assert_eq!(split(""), [""]);
        assert_eq!(split("a,,b,"), ["a", "", "b", ""]);
    }

    #[test]
    fn an_open_quote_or_bracket_takes_the_rest() {
        assert_eq!(split("\"a, b"), ["\"a, b"]);
        assert_eq!(split("<a, b"), ["<a, b"]);
        assert_eq!(split("\"a\\"), ["\"a\\"]);
    }
}
