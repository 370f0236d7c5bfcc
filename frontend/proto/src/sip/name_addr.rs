//! `"Display" <uri>;params`: From, To, Contact, Route and their kin (RFC 3261 §20.10).

use super::error::{Problem, UriError};
use super::list::quote_end;
use super::octets::{all, find, split_at, trim_str};
use super::params::Params;
use super::uri::Uri;

/// A name-addr, or an addr-spec without angle brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr<'a> {
    /// The display name without its quotes, escapes inside left as they are; None if absent or empty.
    pub display: Option<&'a str>,
    /// The URI as written, without angle brackets.
    pub uri: &'a str,
    /// The header parameters. Without angle brackets all parameters belong to the header (RFC 3261 §20.10).
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one element.
    pub fn parse(value: &'a str) -> Result<NameAddr<'a>, Problem> {
        let value = trim_str(value);
        if value.is_empty() {
            return Err(Problem::Empty);
        }
        let (display, rest) = if value.starts_with('"') {
            let end = quote_end(value.as_bytes(), 0).ok_or(Problem::OpenQuote)?;
            (&value[1..end], trim_str(&value[end + 1..]))
        } else {
            match find(value, b'<') {
                Some(angle) => (trim_str(&value[..angle]), &value[angle..]),
                None => return bare(value),
            }
        };
        let inside = rest.strip_prefix('<').ok_or(Problem::Trailing)?;
        let (uri, behind) = split_at(inside, b'>').ok_or(Problem::OpenAngle)?;
        Ok(NameAddr {
            display: Some(display).filter(|display| !display.is_empty()),
            uri: checked(uri)?,
            params: params(behind)?,
        })
    }

    /// Reads one element of a header whose values have no parameters of their own, as P-Asserted-Identity: all
    /// parameters belong to the URI, also without angle brackets (RFC 3325 §9.1).
    pub fn parse_identity(value: &'a str) -> Result<NameAddr<'a>, Problem> {
        let value = trim_str(value);
        if value.starts_with('"') || find(value, b'<').is_some() || value.is_empty() {
            return NameAddr::parse(value);
        }
        Ok(NameAddr { display: None, uri: checked(value)?, params: Params::default() })
    }

    /// The `tag` parameter (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag")
    }

    /// The value of a header parameter, if it has one.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.value(name)
    }

    /// The URI, read.
    ///
    /// # Errors
    /// [`UriError`] says what is wrong with it.
    pub fn parsed_uri(&self) -> Result<Uri<'a>, UriError> {
        Uri::parse(self.uri)
    }
}

/// An addr-spec: everything from the first `;` on is the header's.
fn bare(value: &str) -> Result<NameAddr<'_>, Problem> {
    let end = find(value, b';').unwrap_or(value.len());
    let uri = checked(trim_str(&value[..end]))?;
    // Without brackets neither a comma nor headers may stand in the URI (RFC 3261 §20).
    if uri.contains([',', '?']) {
        return Err(Problem::Uri(UriError::Character));
    }
    Ok(NameAddr { display: None, uri, params: params(&value[end..])? })
}

fn checked(uri: &str) -> Result<&str, Problem> {
    if uri.is_empty() {
        return Err(Problem::Empty);
    }
    if !all(uri, |o| (o > b' ') & (o != 0x7f)) {
        return Err(Problem::Blank);
    }
    Ok(uri)
}

/// The parameters behind a value.
pub(super) fn params(behind: &str) -> Result<Params<'_>, Problem> {
    let behind = trim_str(behind);
    if !behind.is_empty() && !behind.starts_with(';') {
        return Err(Problem::Trailing);
    }
    quotes_close(behind)?;
    Ok(Params::new(behind))
}

/// Whether every quoted string in `text` ends, and every angle bracket outside them: else what is written behind it
/// would be read as part of it.
pub(super) fn quotes_close(text: &str) -> Result<(), Problem> {
    let octets = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'<', octets.get(at..).unwrap_or_default()) {
        at += found;
        at = if octets[at] == b'"' {
            quote_end(octets, at).ok_or(Problem::OpenQuote)?
        } else {
            at + memchr::memchr(b'>', &octets[at..]).ok_or(Problem::OpenAngle)?
        } + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> (Option<&str>, &str, &str) {
        let NameAddr { display, uri, params } = NameAddr::parse(value).unwrap();
        (display, uri, params.as_str())
    }

    #[test]
    fn display_name_uri_and_parameters_are_told_apart() {
        assert_eq!(
            read("\"A. \\\"B\\\" <x>\" <sip:a@b;lr>;tag=1"),
            (Some("A. \\\"B\\\" <x>"), "sip:a@b;lr", "tag=1")
        );
        assert_eq!(read("Lee M. Foote <sips:lee@x>"), (Some("Lee M. Foote"), "sips:lee@x", ""));
        assert_eq!(read("\"\"<tel:+1>;q=0.1"), (None, "tel:+1", "q=0.1"));
        assert_eq!(read("<sip:a@b?x=y>  ; tag = 7"), (None, "sip:a@b?x=y", "tag = 7"));
    }

    #[test]
    fn without_brackets_the_parameters_are_the_headers() {
        let from = NameAddr::parse("sip:+1@b;tag=9;user=phone").unwrap();
        assert_eq!((from.uri, from.tag(), from.param("USER")), ("sip:+1@b", Some("9"), Some("phone")));
    }

    #[test]
    fn a_broken_name_addr_says_what_is_broken() {
        assert_eq!(NameAddr::parse(" "), Err(Problem::Empty));
        assert_eq!(NameAddr::parse("\"Mr. J. User <sip:j@x>"), Err(Problem::OpenQuote));
        assert_eq!(NameAddr::parse("\"a\" sip:j@x"), Err(Problem::Trailing));
        assert_eq!(NameAddr::parse("<sip:j@x"), Err(Problem::OpenAngle));
        assert_eq!(NameAddr::parse("<sip:j@x>tag=1"), Err(Problem::Trailing));
        assert_eq!(NameAddr::parse("< sip:j@x>"), Err(Problem::Blank));
        assert_eq!(NameAddr::parse("<>"), Err(Problem::Empty));
        assert_eq!(NameAddr::parse("sip:j@x?Route=y"), Err(Problem::Uri(UriError::Character)));
        assert_eq!(NameAddr::parse("<sip:j@x>;a=\"b"), Err(Problem::OpenQuote));
        assert_eq!(NameAddr::parse("<sip:j@x>;a=<b"), Err(Problem::OpenAngle));
    }
}
