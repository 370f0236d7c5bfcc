//! Host names, SIP URIs and HTTP URLs: as much syntax as a configuration check needs, and the pods' location names.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The location of pod `ordinal`: pod 0 has the location as it stands, pod *k* has `-k` appended to the first label.
pub fn pod_location(location: &str, ordinal: u8) -> String {
    match (ordinal, location.split_once('.')) {
        (0, _) => location.to_owned(),
        (k, Some((label, domain))) => format!("{label}-{k}.{domain}"),
        (k, None) => format!("{location}-{k}"),
    }
}

/// The ordinal a host name ends with: the digits at the end of its first label, modulo 256; 0 without digits.
pub fn host_ordinal(host_name: &str) -> u8 {
    let label = host_name.split('.').next().unwrap_or_default();
    let name = label.trim_end_matches(|c: char| c.is_ascii_digit());
    label[name.len()..].bytes().fold(0, |n: u8, digit| n.wrapping_mul(10).wrapping_add(digit - b'0'))
}

/// Checks a fully qualified domain name (RFC 1123 §2.1): at least two labels, no dot at the end.
pub(crate) fn fqdn(name: &str) -> Result<(), String> {
    host_name(name)?;
    if name.parse::<Ipv4Addr>().is_ok() {
        return Err(format!("`{name}` is an address; a domain name is needed"));
    }
    if !name.contains('.') {
        return Err(format!("`{name}` is not fully qualified; a name such as {name}.example.org is needed"));
    }
    Ok(())
}

/// Checks an IP address (IPv6 with or without brackets) or a host name.
pub(crate) fn host(text: &str) -> Result<(), String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match inner.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("`{text}` is not an IPv6 address")),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() { Ok(()) } else { host_name(text) }
}

/// Checks a SIP or tel URI (RFC 3261 §19.1, RFC 3966) that is to be written into requests.
pub(crate) fn sip_or_tel_uri(uri: &str) -> Result<(), String> {
    match uri.split_once(':') {
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel") => {
            visible(uri)?;
            let number = number.split(';').next().unwrap_or_default();
            let digits = number.strip_prefix('+').unwrap_or(number);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b"-.()*#".contains(&b)) {
                return Err(format!("`{uri}` is not a tel URI; write for example tel:+447700900123"));
            }
            Ok(())
        }
        _ if asks_for_tls(uri) => {
            Err(format!("`{uri}` is reached over TLS only, by handsets too; write a sip: URI"))
        }
        _ => sip_uri(uri),
    }
}

/// Checks a `sip:` or `sips:` URI: host, port and transport.
pub(crate) fn sip_uri(uri: &str) -> Result<(), String> {
    visible(uri)?;
    let wrong = |what: &str| Err(format!("`{uri}` {what}; write for example sip:192.0.2.1:5060"));
    let Some((scheme, rest)) = uri.split_once(':') else { return wrong("is not a SIP URI") };
    let sips = scheme.eq_ignore_ascii_case("sips");
    if !sips && !scheme.eq_ignore_ascii_case("sip") {
        return wrong("is not a SIP URI");
    }
    let (rest, headers) = rest.split_once('?').map_or((rest, None), |(rest, headers)| (rest, Some(headers)));
    if headers.is_some() {
        return wrong("carries headers");
    }
    let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    if user.is_some_and(|user| user.is_empty() || user.contains('@')) {
        return wrong("has no proper user part");
    }
    if user.is_some_and(|user| user.contains(':')) {
        return Err("the URI carries a password; secrets do not belong in this file".to_owned());
    }
    let mut parts = rest.split(';');
    host_port(parts.next().unwrap_or_default()).map_err(|reason| format!("`{uri}`: {reason}"))?;
    for parameter in parts {
        let Some(("transport", transport)) = parameter.split_once('=') else { continue };
        if !["udp", "tcp", "tls"].iter().any(|known| transport.eq_ignore_ascii_case(known)) {
            return wrong("names a transport other than udp, tcp or tls");
        }
        if sips && transport.eq_ignore_ascii_case("udp") {
            return wrong("asks for TLS over UDP, which there is not");
        }
    }
    Ok(())
}

/// Whether a SIP URI is reached over TLS: by its scheme or its transport (RFC 3261 §26.2.2).
pub(crate) fn asks_for_tls(uri: &str) -> bool {
    let uri = uri.to_ascii_lowercase();
    uri.starts_with("sips:") || uri.split(';').skip(1).any(|parameter| parameter == "transport=tls")
}

/// Checks an `http:` or `https:` URL to which paths will be appended.
pub(crate) fn http_url(url: &str) -> Result<(), String> {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return Err(
            "is not an http:// or https:// URL; write for example https://10.5.198.200:8443".to_owned()
        );
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(
            "the URL carries credentials; secrets do not belong in this file (see tls.token_file)".to_owned()
        );
    }
    visible(url)?;
    if rest.contains(['?', '#']) {
        return Err(format!("`{url}` has a query or fragment; paths are appended to this URL"));
    }
    host_port(authority).map_err(|reason| format!("`{url}`: {reason}"))
}

/// Checks the path of an endpoint: absolute, and with exactly the placeholder its operation needs.
pub(crate) fn endpoint_path(path: &str, placeholder: Option<&str>) -> Result<(), String> {
    visible(path)?;
    if !path.starts_with('/') {
        return Err(format!("`{path}` is not a path; it must begin with /"));
    }
    if path.contains(['?', '#']) {
        return Err(format!("`{path}` has a query or fragment; only the path can be set"));
    }
    let rest = match placeholder {
        Some(name) if path.matches(name).count() != 1 => {
            return Err(format!("`{path}` must contain {name} once"));
        }
        Some(name) => path.replacen(name, "", 1),
        None => path.to_owned(),
    };
    if rest.contains(['{', '}']) {
        let allowed =
            placeholder.map_or("no placeholder".to_owned(), |name| format!("the one placeholder {name}"));
        return Err(format!("`{path}`: this operation has {allowed}"));
    }
    Ok(())
}

fn host_port(text: &str) -> Result<(), String> {
    let (name, port) = match text.rfind(':') {
        Some(colon) if !text[colon..].contains(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    };
    if name.contains(':') && !name.starts_with('[') {
        return Err(format!("an IPv6 address needs brackets: [{text}]"));
    }
    host(name)?;
    match port {
        Some(port) if !port.parse::<u16>().is_ok_and(|number| number > 0) => {
            Err(format!("`{port}` is not a port (1 to 65535)"))
        }
        _ => Ok(()),
    }
}

fn host_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the host name is empty".to_owned());
    }
    if name.len() > 253 {
        return Err(format!("a host name has at most 253 characters, this one {}", name.len()));
    }
    for label in name.split('.') {
        let wrong = if label.is_empty() {
            "a label is empty"
        } else if label.len() > 63 {
            "a label is longer than 63 characters"
        } else if label.starts_with('-') || label.ends_with('-') {
            "a label begins or ends with a hyphen"
        } else if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            "a label has characters other than letters, digits and hyphens"
        } else {
            continue;
        };
        return Err(format!("`{name}` is not a host name: {wrong}"));
    }
    Ok(())
}

/// Refuses what would break out of a header or request line.
fn visible(text: &str) -> Result<(), String> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"".contains(c) || !c.is_ascii()) {
        return Err(format!("{text:?} has blanks, quotes, angle brackets or characters other than ASCII"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pod_k_has_minus_k_on_its_first_label() {
        let base = "smsc01.mnc001.mcc001.3gppnetwork.org";
        assert_eq!(pod_location(base, 0), base);
        assert_eq!(pod_location(base, 1), "smsc01-1.mnc001.mcc001.3gppnetwork.org");
        assert_eq!(pod_location("smsc", 12), "smsc-12");
    }

    #[test]
    fn the_ordinal_is_the_digits_that_end_the_host_name() {
        for (name, ordinal) in [
            ("smsc-3", 3),
            ("smsc-0", 0),
            ("smsc-12.smsc.default.svc", 12),
            ("laptop", 0),
            ("", 0),
            ("web01", 1),
            ("n-257", 1),
        ] {
            assert_eq!(host_ordinal(name), ordinal, "{name}");
        }
    }

    #[test]
    fn fully_qualified_names_are_told_from_others() {
        for name in ["smsc01.mnc001.mcc001.3gppnetwork.org", "a.b", "1a.2b"] {
            assert_eq!(fqdn(name), Ok(()), "{name}");
        }
        let long = format!("{}.org", "a".repeat(64));
        for name in
            ["", "smsc01", "a..b", "a.b.", "-a.b", "a-.b", "a_b.c", "a b.c", "10.0.0.1", "ü.org", &long]
        {
            assert!(fqdn(name).is_err(), "{name}");
        }
    }

    #[test]
    fn sip_uris_are_checked() {
        for uri in [
            "sip:127.0.0.2:5060",
            "sip:scscf.ims.example.org",
            "sip:smsc@[2001:db8::1]:5060;transport=tcp;lr",
            "SIP:a.b",
            "sips:a.b",
            "sip:a.b;transport=tls",
        ] {
            assert_eq!(sip_uri(uri), Ok(()), "{uri}");
        }
        for uri in [
            "",
            "127.0.0.2:5060",
            "sips:a.b;transport=udp",
            "sip:a.b;transport=sctp",
            "tel:+44",
            "sip:",
            "sip:@a.b",
            "sip:a:b@c.d",
            "sip:a.b:0",
            "sip:a.b:70000",
            "sip:2001:db8::1",
            "sip:a.b?x=y",
            "sip:a b",
            "sip:a\r\nX: y",
            "<sip:a.b>",
        ] {
            assert!(sip_uri(uri).is_err(), "{uri}");
        }
        assert_eq!(sip_or_tel_uri("tel:+447700900123"), Ok(()));
        assert!(sip_or_tel_uri("tel:abc").is_err());
    }

    #[test]
    fn urls_are_checked_and_credentials_never_repeated() {
        for url in ["https://10.5.198.200:8443", "http://localhost:8080/base", "https://[::1]"] {
            assert_eq!(http_url(url), Ok(()), "{url}");
        }
        for url in
            ["10.5.198.200:8443", "ftp://a.b", "https://", "https://a.b:x", "https://a.b/?q", "https://a b"]
        {
            assert!(http_url(url).is_err(), "{url}");
        }
        let error = http_url("https://user:hunter2@a.b").expect_err("credentials");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn endpoint_paths_carry_their_placeholder() {
        assert_eq!(endpoint_path("/v2/messages/{id}", Some("{id}")), Ok(()));
        assert_eq!(endpoint_path("/v2/messages", None), Ok(()));
        for (path, placeholder) in [
            ("v2", None),
            ("/a b", None),
            ("/a?b", None),
            ("/a/{id}", None),
            ("/a", Some("{id}")),
            ("/{id}/{id}", Some("{id}")),
            ("/{id}/{name}", Some("{id}")),
        ] {
            assert!(endpoint_path(path, placeholder).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_check_panic(text in ".*", sip in "sips?:[ -~]{0,40}") {
            let _ = (fqdn(&text), host(&text), sip_or_tel_uri(&text), http_url(&text), endpoint_path(&text, Some("{id}")));
            let _ = (sip_or_tel_uri(&sip), host_ordinal(&text), pod_location(&text, 1));
        }
    }
}
