//! sip, sips and tel URIs (RFC 3261 §19.1, RFC 3966).

use std::borrow::Cow;
use std::fmt::Write as _;

use super::error::UriError;
use super::octets::{all, find, is_host, split_at, trim_str};
use super::params::Params;

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other, as written.
    Other(&'a str),
}

impl<'a> Scheme<'a> {
    /// The name without its colon.
    pub fn as_str(&self) -> &'a str {
        match self {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            Scheme::Other(name) => name,
        }
    }
}

/// A URI, its parts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme<'a>,
    /// sip, sips: the user part, escapes and user parameters included. tel: the number with its visual separators.
    pub user: Option<&'a str>,
    /// The password, which nobody should use.
    pub password: Option<&'a str>,
    /// sip, sips: the host, an IPv6 address without its brackets. tel: empty. Another scheme: all behind the colon.
    pub host: &'a str,
    /// The port.
    pub port: Option<u16>,
    /// The URI parameters.
    pub params: Params<'a>,
    /// What follows `?`.
    pub headers: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// Reads a URI, which stands without angle brackets.
    ///
    /// # Errors
    /// [`UriError`] says what is wrong. Schemes other than sip, sips and tel are taken as they are.
    pub fn parse(uri: &'a str) -> Result<Uri<'a>, UriError> {
        if !all(uri, |o| (o > b' ') & (o != b'<') & (o != b'>') & (o != b'"') & (o != 0x7f)) {
            return Err(UriError::Character);
        }
        let (scheme, rest) = split_at(uri, b':').ok_or(UriError::Scheme)?;
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(legal) {
            return Err(UriError::Scheme);
        }
        if scheme.eq_ignore_ascii_case("sip") {
            sip(Scheme::Sip, rest)
        } else if scheme.eq_ignore_ascii_case("sips") {
            sip(Scheme::Sips, rest)
        } else if scheme.eq_ignore_ascii_case("tel") {
            tel(rest)
        } else {
            Ok(Uri { host: rest, ..empty(Scheme::Other(scheme)) })
        }
    }

    /// The value of a URI parameter, if it has one. For a sip URI that holds a telephone number the parameters of the
    /// number are found too: `phone-context` stands in the user part there (RFC 3261 §19.1.6).
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.value(name).or_else(|| self.user_params().value(name))
    }

    /// Whether the URI names a telephone number: tel, or `user=phone`.
    pub fn is_phone(&self) -> bool {
        match self.scheme {
            Scheme::Tel => true,
            Scheme::Sip | Scheme::Sips => {
                self.params.value("user").is_some_and(|user| user.eq_ignore_ascii_case("phone"))
            }
            Scheme::Other(_) => false,
        }
    }

    /// The user part with its escapes resolved; None if there is no user. Escapes that make no UTF-8 stay.
    pub fn user_unescaped(&self) -> Option<Cow<'a, str>> {
        self.user.map(unescape)
    }

    /// The telephone number without visual separators, with `+` if it is global: of a tel URI, of `user=phone`, or of
    /// a user part that is written as one (`+` and digits, or digits only).
    pub fn number(&self) -> Option<String> {
        let user = match self.scheme {
            Scheme::Tel => Cow::Borrowed(self.user?),
            Scheme::Sip | Scheme::Sips => self.user_unescaped()?,
            Scheme::Other(_) => return None,
        };
        digits(&user[..find(&user, b';').unwrap_or(user.len())])
    }

    /// A text that is equal for URIs that name the same public identity, and only for those.
    ///
    /// sip and sips: scheme, user without escapes, host in lower case; port, password, parameters and headers do not
    /// count (TS 23.003 §13.4). Telephone numbers (tel, `user=phone`): `tel:` and the digits; a local number has its
    /// phone-context, or the host, with it.
    pub fn aor_key(&self) -> String {
        if self.is_phone()
            && let Some(number) = self.number()
        {
            return self.number_key(&number);
        }
        match self.scheme {
            Scheme::Sip | Scheme::Sips => {
                let user = self.user_unescaped().unwrap_or_default();
                let mut key = String::with_capacity("sips:@".len() + user.len() + self.host.len());
                key.push_str(self.scheme.as_str());
                key.push(':');
                if self.user.is_some() {
                    key.push_str(&user);
                    key.push('@');
                }
                let host = key.len();
                key.push_str(self.host);
                key[host..].make_ascii_lowercase();
                key
            }
            Scheme::Tel => format!("tel:{}", self.user.unwrap_or_default()),
            Scheme::Other(name) => format!("{}:{}", name.to_ascii_lowercase(), self.host),
        }
    }

    fn number_key(&self, number: &str) -> String {
        let mut key = ["tel:", number].concat();
        if !number.starts_with('+') {
            let context = self.param("phone-context").unwrap_or(self.host).to_ascii_lowercase();
            // Writing to a String cannot fail.
            let _ = write!(key, ";phone-context={context}");
        }
        key
    }

    /// The parameters that a telephone-subscriber carries inside the user part.
    fn user_params(&self) -> Params<'a> {
        match (self.scheme, self.user.and_then(|user| split_at(user, b';'))) {
            (Scheme::Sip | Scheme::Sips, Some((_, params))) => Params::new(params),
            _ => Params::default(),
        }
    }
}

/// Reads `host[:port]`; blanks may stand around the colon, as in a Via.
pub(super) fn host_port(text: &str) -> Result<(&str, Option<u16>), UriError> {
    let (host, behind) = match text.strip_prefix('[') {
        Some(inside) => {
            let (host, behind) = inside.split_once(']').ok_or(UriError::Host)?;
            if !host.contains(':') || !host.bytes().all(|o| o.is_ascii_hexdigit() || matches!(o, b':' | b'.'))
            {
                return Err(UriError::Host);
            }
            (host, trim_str(behind))
        }
        None => {
            let end = find(text, b':').unwrap_or(text.len());
            let host = trim_str(&text[..end]);
            if host.is_empty() || !host.bytes().all(is_host) {
                return Err(UriError::Host);
            }
            (host, &text[end..])
        }
    };
    if behind.is_empty() {
        return Ok((host, None));
    }
    let port = trim_str(behind.strip_prefix(':').ok_or(UriError::Host)?);
    if !port.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    port.parse().map(|port| (host, Some(port))).map_err(|_| UriError::Port)
}

fn empty(scheme: Scheme<'_>) -> Uri<'_> {
    Uri { scheme, user: None, password: None, host: "", port: None, params: Params::default(), headers: None }
}

fn sip<'a>(scheme: Scheme<'a>, rest: &'a str) -> Result<Uri<'a>, UriError> {
    // Semicolons and question marks may stand in the user part, an '@' nowhere but behind it.
    let (userinfo, rest) = match split_at(rest, b'@') {
        Some((_, rest)) if find(rest, b'@').is_some() => return Err(UriError::At),
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, rest),
    };
    let (user, password) = match userinfo.map(|userinfo| split_at(userinfo, b':').ok_or(userinfo)) {
        Some(Ok((user, password))) => (Some(user), Some(password)),
        Some(Err(user)) => (Some(user), None),
        None => (None, None),
    };
    if user == Some("") {
        return Err(UriError::User);
    }
    let (rest, headers) = match split_at(rest, b'?') {
        Some((rest, headers)) => (rest, Some(headers)),
        None => (rest, None),
    };
    let end = find(rest, b';').unwrap_or(rest.len());
    let (host, port) = host_port(&rest[..end])?;
    Ok(Uri { scheme, user, password, host, port, params: Params::new(&rest[end..]), headers })
}

fn tel(rest: &str) -> Result<Uri<'_>, UriError> {
    let end = find(rest, b';').unwrap_or(rest.len());
    if end == 0 {
        return Err(UriError::User);
    }
    Ok(Uri { user: Some(&rest[..end]), params: Params::new(&rest[end..]), ..empty(Scheme::Tel) })
}

/// The number without visual separators (RFC 3966 §5.1.1); None if it is not written as a number.
fn digits(number: &str) -> Option<String> {
    let plain = number.strip_prefix('+').unwrap_or(number);
    if !plain.is_empty() && all(plain, |octet| octet.is_ascii_digit()) {
        return Some(number.to_owned());
    }
    let mut digits = String::with_capacity(number.len());
    for (index, letter) in number.chars().enumerate() {
        match letter {
            '+' if index == 0 => digits.push('+'),
            '0'..='9' | '*' | '#' => digits.push(letter),
            '-' | '.' | '(' | ')' => {}
            _ => return None,
        }
    }
    digits.ends_with(|last: char| last != '+').then_some(digits)
}

fn unescape(text: &str) -> Cow<'_, str> {
    if find(text, b'%').is_none() {
        return Cow::Borrowed(text);
    }
    let octets = text.as_bytes();
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while at < octets.len() {
        let escaped = (octets[at] == b'%').then(|| hex_pair(octets.get(at + 1..at + 3)?)).flatten();
        out.push(escaped.unwrap_or(octets[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let value = digit(pair[0])? * 16 + digit(pair[1])?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(uri: &str) -> String {
        Uri::parse(uri).unwrap().aor_key()
    }

    #[test]
    fn a_sip_uri_is_taken_apart() {
        let uri = Uri::parse("sips:alice:secret@[2001:db8::10]:5061;transport=tcp;lr?subject=x").unwrap();
        let expected = Uri {
            scheme: Scheme::Sips,
            user: Some("alice"),
            password: Some("secret"),
            host: "2001:db8::10",
            port: Some(5061),
            params: Params::new("transport=tcp;lr"),
            headers: Some("subject=x"),
        };
        assert_eq!(uri, expected);
    }

    #[test]
    fn semicolons_and_question_marks_may_stand_in_the_user_part() {
        let uri = Uri::parse("sip:user;par=u%40example.net?x@example.com").unwrap();
        assert_eq!((uri.user, uri.host), (Some("user;par=u%40example.net?x"), "example.com"));
        assert_eq!(uri.user_unescaped().as_deref(), Some("user;par=u@example.net?x"));
        assert!(uri.params.is_empty());
    }

    #[test]
    fn a_phone_context_is_found_wherever_it_stands() {
        let context = Some("ims.mnc001.mcc001.3gppnetwork.org");
        for uri in [
            "tel:7042;phone-context=ims.mnc001.mcc001.3gppnetwork.org",
            "sip:7042;phone-context=ims.mnc001.mcc001.3gppnetwork.org@x.org;user=phone",
        ] {
            let uri = Uri::parse(uri).unwrap();
            assert_eq!(uri.param("phone-context"), context);
            assert_eq!(uri.number().as_deref(), Some("7042"));
        }
    }

    #[test]
    fn equal_identities_have_equal_keys() {
        assert_eq!(key("sip:Al%69ce@EXAMPLE.com:5070;transport=udp"), "sip:Alice@example.com");
        assert_eq!(key("tel:+44-(77)00.900123"), "tel:+447700900123");
        assert_eq!(key("sip:+447700900123@one.example;user=phone"), key("tel:+447700900123"));
        assert_eq!(key("tel:7042;phone-context=X.org"), key("sip:7042@x.org;user=phone"));
        assert_eq!(key("URN:service:sos"), "urn:service:sos");
    }

    #[test]
    fn different_identities_have_different_keys() {
        assert_ne!(key("sip:alice@x"), key("sip:Alice@x"));
        assert_ne!(key("sip:alice@x"), key("sips:alice@x"));
        assert_ne!(key("tel:7042;phone-context=a.org"), key("tel:7042;phone-context=b.org"));
        assert_ne!(key("tel:447700900123;phone-context=a"), key("tel:+447700900123"));
    }

    #[test]
    fn a_number_is_read_only_where_one_is_written() {
        let number = |uri| Uri::parse(uri).unwrap().number();
        assert_eq!(number("sip:+447700900123@x").as_deref(), Some("+447700900123"));
        assert_eq!(number("sip:001010000000001@x").as_deref(), Some("001010000000001"));
        assert_eq!(number("sip:alice@x"), None);
        assert_eq!(number("sip:+@x"), None);
        assert_eq!(number("sip:x.org"), None);
    }

    #[test]
    fn an_unknown_scheme_is_kept_as_it_is() {
        let uri = Uri::parse("nobodyKnowsThisScheme:totallyopaquecontent").unwrap();
        assert_eq!((uri.scheme.as_str(), uri.host), ("nobodyKnowsThisScheme", "totallyopaquecontent"));
    }

    #[test]
    fn a_broken_uri_says_what_is_broken() {
        for (uri, error) in [
            ("", UriError::Scheme),
            ("alice@example.com", UriError::Scheme),
            ("<sip:a@b>", UriError::Character),
            ("sip:a b@c", UriError::Character),
            ("sip:a@b@c", UriError::At),
            ("sip:@b", UriError::User),
            ("sip:a@", UriError::Host),
            ("sip:", UriError::Host),
            ("sip:a@b:", UriError::Port),
            ("sip:a@b:65536", UriError::Port),
            ("sip:a@b:+1", UriError::Port),
            ("sip:2001:db8::10", UriError::Port),
            ("sip:[2001:db8::10", UriError::Host),
            ("sip:[example.com]", UriError::Host),
            ("tel:;phone-context=x", UriError::User),
        ] {
            assert_eq!(Uri::parse(uri), Err(error), "{uri}");
        }
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(unescape("a%4"), "a%4");
        assert_eq!(unescape("%zz%41"), "%zzA");
        assert_eq!(unescape("%ff"), "%ff");
    }
}
