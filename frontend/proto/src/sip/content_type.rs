//! Content-Type (RFC 3261 §20.15).

use super::octets::{find, is_token, split_at, trim_str};
use super::params::Params;

/// A media type with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentType<'a> {
    /// `type/subtype` as written.
    pub media_type: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> ContentType<'a> {
    /// Reads a value; None if it is not `type/subtype` with parameters.
    pub fn parse(value: &'a str) -> Option<ContentType<'a>> {
        let end = find(value, b';').unwrap_or(value.len());
        let parsed = ContentType { media_type: trim_str(&value[..end]), params: Params::new(&value[end..]) };
        let (kind, subtype) = parsed.split()?;
        let token = |text: &str| !text.is_empty() && text.bytes().all(is_token);
        (token(kind) && token(subtype)).then_some(parsed)
    }

    /// Whether this is that media type, without regard to case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.split().is_some_and(|(own_kind, own_subtype)| {
            own_kind.eq_ignore_ascii_case(kind) && own_subtype.eq_ignore_ascii_case(subtype)
        })
    }

    /// Whether this is some `multipart/...`.
    pub fn is_multipart(&self) -> bool {
        self.split().is_some_and(|(kind, _)| kind.eq_ignore_ascii_case("multipart"))
    }

    /// The value of a parameter, if it has one.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.value(name)
    }

    fn split(&self) -> Option<(&'a str, &'a str)> {
        split_at(self.media_type, b'/').map(|(kind, subtype)| (trim_str(kind), trim_str(subtype)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_compared_without_regard_to_case() {
        let content_type = ContentType::parse("Application/VND.3gpp.SMS ; charset=\"utf-8\"").unwrap();
        assert!(content_type.is("application", "vnd.3gpp.sms"));
        assert!(!content_type.is("text", "plain"));
        assert_eq!(content_type.param("Charset"), Some("utf-8"));
        assert!(ContentType::parse("multipart / mixed;boundary=x").unwrap().is_multipart());
    }

    #[test]
    fn what_is_no_media_type_is_none() {
        for value in ["", "text", "text/", "/plain", "te xt/plain", ";charset=x"] {
            assert_eq!(ContentType::parse(value), None, "{value}");
        }
    }
}
