//! Warning (RFC 3261 §20.43).

use std::borrow::Cow;

use super::super::error::Problem;
use super::super::list::quote_end;
use super::super::octets::{saturating_number, trim_str};

/// One warning: `399 host "what is wrong"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Warning<'a> {
    /// Three digits; 399 is a miscellaneous warning.
    pub code: u16,
    /// Who warns: a host, perhaps with a port, or a pseudonym.
    pub agent: &'a str,
    /// What is wrong, escapes left as they are.
    pub text: &'a str,
}

impl<'a> Warning<'a> {
    /// Reads one element.
    pub fn parse(element: &'a str) -> Result<Warning<'a>, Problem> {
        let element = trim_str(element);
        let (code, rest) = element.split_once([' ', '\t']).ok_or(Problem::NotANumber)?;
        let code =
            saturating_number(code.as_bytes()).filter(|_| code.len() == 3).ok_or(Problem::NotANumber)?;
        let rest = trim_str(rest);
        let (agent, text) = rest.split_once([' ', '\t']).ok_or(Problem::Missing)?;
        let text = trim_str(text);
        if !text.starts_with('"') {
            return Err(Problem::OpenQuote);
        }
        let end = quote_end(text.as_bytes(), 0).ok_or(Problem::OpenQuote)?;
        if end + 1 != text.len() {
            return Err(Problem::Trailing);
        }
        Ok(Warning { code: code as u16, agent, text: &text[1..end] })
    }
}

/// The content of a quoted string with its quoted pairs resolved (RFC 3261 §25.1).
pub fn unescaped(quoted: &str) -> Cow<'_, str> {
    if !quoted.contains('\\') {
        return Cow::Borrowed(quoted);
    }
    let mut escaped = false;
    let kept = quoted.chars().filter(|&character| {
        escaped = character == '\\' && !escaped;
        !escaped
    });
    Cow::Owned(kept.collect())
}
