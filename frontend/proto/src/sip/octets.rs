//! Small facts about octets that reader and writer share.

use memchr::{memchr, memchr2};

/// Whether `octet` may stand in a token (RFC 3261 §25.1).
#[inline]
pub(super) fn is_token(octet: u8) -> bool {
    TOKEN[usize::from(octet)]
}

/// Whether `octet` is a space or a tab.
#[inline]
pub(super) fn is_blank(octet: u8) -> bool {
    octet == b' ' || octet == b'\t'
}

/// Whether every octet of `text` is legal. Looks at all of them, which the compiler can do many at a time.
pub(super) fn all(text: &str, legal: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, octet| all & legal(octet))
}

/// Where `octet`, an ASCII one, first stands in `text`.
#[inline]
pub(super) fn find(text: &str, octet: u8) -> Option<usize> {
    memchr(octet, text.as_bytes())
}

/// What stands before and what behind the first `octet`, an ASCII one; quicker than `str::split_once` on short texts.
#[inline]
pub(super) fn split_at(text: &str, octet: u8) -> Option<(&str, &str)> {
    find(text, octet).map(|at| (&text[..at], &text[at + 1..]))
}

/// What stands before and what behind the first space or tab.
#[inline]
pub(super) fn split_at_blank(text: &str) -> Option<(&str, &str)> {
    memchr2(b' ', b'\t', text.as_bytes()).map(|at| (&text[..at], &text[at + 1..]))
}

/// `octets` without blanks at either end.
#[inline]
pub(super) fn trim(mut octets: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = octets {
        octets = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = octets {
        octets = rest;
    }
    octets
}

/// `text` without blanks at either end.
#[inline]
pub(super) fn trim_str(text: &str) -> &str {
    match text.as_bytes() {
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => text.trim_matches([' ', '\t']),
        _ => text,
    }
}

/// The number written in `digits`: None unless they are all digits; [`u32::MAX`] if it is larger than that, which
/// is how RFC 4475 §3.1.2.4 lets an overlarge interval be read.
pub(super) fn saturating_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |number, octet| {
        octet.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(u32::from(octet - b'0')))
    })
}

/// Appends a header value or similar, with a space in place of each CR, LF and NUL, so that no value can end its
/// line early.
pub(super) fn push_line_safe(out: &mut Vec<u8>, value: &[u8]) {
    let start = out.len();
    out.extend_from_slice(value);
    // CR, LF, NUL and some more: looking at every octet once is quicker here than a search for three.
    if value.iter().fold(true, |safe, octet| safe & (*octet > b'\r')) {
        return;
    }
    for octet in &mut out[start..] {
        if matches!(octet, b'\r' | b'\n' | 0) {
            *octet = b' ';
        }
    }
}

/// Appends a decimal number.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Whether `octet` may stand in a host name or an IPv4 address; `_` is no letter of the RFC, but of some names.
#[inline]
pub(super) fn is_host(octet: u8) -> bool {
    HOST[usize::from(octet)]
}

static TOKEN: [bool; 256] = token_table();
static HOST: [bool; 256] = host_table();

const fn host_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = (octet as u8).is_ascii_alphanumeric() || matches!(octet as u8, b'-' | b'.' | b'_');
        octet += 1;
    }
    table
}

const fn token_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = (octet as u8).is_ascii_alphanumeric()
            || matches!(octet as u8, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        octet += 1;
    }
    table
}
