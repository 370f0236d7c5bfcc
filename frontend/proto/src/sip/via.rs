//! The Via header (RFC 3261 §20.42).

use super::error::Problem;
use super::name_addr::quotes_close;
use super::octets::{find, is_token, split_at_blank, trim_str};
use super::params::Params;
use super::uri::host_port;

/// One Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Via<'a> {
    /// The SIP version, `2.0` unless the request is one to be refused for it (RFC 3261 §21.5.6).
    pub version: &'a str,
    /// The transport as written, as `UDP`.
    pub transport: &'a str,
    /// The host of sent-by; an IPv6 address without its brackets.
    pub host: &'a str,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one element. Blanks may stand around the slashes and the colon.
    pub fn parse(value: &'a str) -> Result<Via<'a>, Problem> {
        let value = trim_str(value);
        if value.is_empty() {
            return Err(Problem::Empty);
        }
        let (version, rest) = match value.strip_prefix("SIP/2.0/") {
            Some(rest) => ("2.0", rest),
            None => sent_protocol(value).ok_or(Problem::Protocol)?,
        };
        let (transport, rest) = split_at_blank(rest).ok_or(Problem::Protocol)?;
        if transport.is_empty() || !transport.bytes().all(is_token) {
            return Err(Problem::Protocol);
        }
        let end = find(rest, b';').unwrap_or(rest.len());
        let (host, port) = host_port(trim_str(&rest[..end])).map_err(Problem::SentBy)?;
        quotes_close(&rest[end..])?;
        Ok(Via { version, transport, host, port, params: Params::new(&rest[end..]) })
    }

    /// The `branch` parameter.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// The `received` parameter without brackets: where the request came from (RFC 3261 §18.2.1).
    pub fn received(&self) -> Option<&'a str> {
        let value = self.params.value("received")?;
        Some(value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value))
    }

    /// The `rport` parameter (RFC 3581): None if absent, `Some(None)` if it asks for the port.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|value| value.and_then(|value| value.parse().ok()))
    }
}

/// The version in a `SIP / 2.0 /` written with blanks, in another case or of another version, and what follows it.
fn sent_protocol(value: &str) -> Option<(&str, &str)> {
    let (name, rest) = value.split_once('/')?;
    let (version, rest) = rest.split_once('/')?;
    let version = trim_str(version);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    let numbered = version.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor));
    let known = trim_str(name).eq_ignore_ascii_case("SIP") && numbered;
    known.then(|| (version, rest.trim_start_matches([' ', '\t'])))
}

#[cfg(test)]
mod tests {
    use super::super::error::UriError;
    use super::*;

    #[test]
    fn a_via_is_read_whatever_blanks_it_has() {
        let via = Via::parse("SIP  / 2.0\t/ UDP  192.0.2.2 : 5061 ; branch = z9hG4bKx ;rport").unwrap();
        assert_eq!((via.transport, via.host, via.port), ("UDP", "192.0.2.2", Some(5061)));
        assert_eq!((via.branch(), via.rport(), via.received()), (Some("z9hG4bKx"), Some(None), None));
    }

    #[test]
    fn another_version_is_told_so_that_it_can_be_refused() {
        let via = Via::parse("SIP/7.0/UDP a;branch=z9hG4bKx").unwrap();
        assert_eq!((via.version, via.transport, via.branch()), ("7.0", "UDP", Some("z9hG4bKx")));
        assert_eq!(Via::parse("sip / 2.0/UDP a").map(|via| via.version), Ok("2.0"));
    }

    #[test]
    fn an_ipv6_sent_by_comes_without_brackets() {
        let via = Via::parse("SIP/2.0/TCP [2001:db8::9:1];received=[2001:db8::9:255];rport=5062").unwrap();
        assert_eq!((via.host, via.port), ("2001:db8::9:1", None));
        assert_eq!((via.received(), via.rport()), (Some("2001:db8::9:255"), Some(Some(5062))));
    }

    #[test]
    fn a_broken_via_says_what_is_broken() {
        assert_eq!(Via::parse(""), Err(Problem::Empty));
        assert_eq!(Via::parse("SIP/x/UDP a"), Err(Problem::Protocol));
        assert_eq!(Via::parse("HTTP/2.0/UDP a"), Err(Problem::Protocol));
        assert_eq!(Via::parse("SIP/2.0/UDP"), Err(Problem::Protocol));
        // What an answer adds would be read as the end of the branch.
        assert_eq!(Via::parse("SIP/2.0/UDP a;branch=z\"x"), Err(Problem::OpenQuote));
        assert_eq!(Via::parse("SIP/2.0/UDP a;branch=z<x"), Err(Problem::OpenAngle));
        assert_eq!(Via::parse("SIP/2.0/UDP ;branch=x"), Err(Problem::SentBy(UriError::Host)));
        assert_eq!(Via::parse("SIP/2.0/UDP a:99999"), Err(Problem::SentBy(UriError::Port)));
        assert_eq!(Via::parse("SIP/2.0/UDP 2001:db8::1"), Err(Problem::SentBy(UriError::Port)));
    }
}
