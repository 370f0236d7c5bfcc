//! Whom a certificate names (RFC 5922 §7).

use std::net::IpAddr;

use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

/// Names taken from one certificate; further ones are not looked at.
const NAMES: usize = 64;

/// The holder of a certificate, by the names in it. Whether it is to be believed is verified elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    names: Vec<String>,
    certificate: CertificateDer<'static>,
}

impl Identity {
    /// Reads the names: the domains of `URI:sip:` entries; where there are none, the DNS entries (RFC 5922 §7.1). A
    /// certificate that cannot be read names nobody.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut names: Vec<String> = Vec::new();
        if let Ok(parsed) = EndEntityCert::try_from(certificate) {
            names.extend(parsed.valid_uri_names().take(NAMES).filter_map(sip_domain));
            if names.is_empty() {
                // A wildcard is never matched (§7.2).
                let whole = parsed.valid_dns_names().filter(|name| !name.contains('*'));
                names.extend(whole.take(NAMES).map(str::to_ascii_lowercase));
            }
        }
        names.dedup();
        Self { names, certificate: certificate.clone().into_owned() }
    }

    /// Whether it is the holder of a domain, or of an address written as text.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        match name.parse::<IpAddr>() {
            Ok(address) => EndEntityCert::try_from(&self.certificate).is_ok_and(|parsed| {
                parsed.verify_is_valid_for_subject_name(&ServerName::IpAddress(address.into())).is_ok()
            }),
            Err(_) => self.names.iter().any(|own| own.eq_ignore_ascii_case(name)),
        }
    }

    /// The domains it names, in lower case.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// The domain of a `sip:domain` URI; one with a user part, or of another scheme, names no domain (§7.1).
fn sip_domain(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") || rest.contains('@') {
        return None;
    }
    let host = rest.split([';', '?']).next().unwrap_or_default();
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_domain_only_as_rfc_5922_has_it() {
        let domain = Some("example.com".to_owned());
        for (uri, expected) in [
            ("sip:example.com", domain.clone()),
            ("SIP:Example.COM", domain.clone()),
            ("sip:example.com:5061;lr", domain),
            ("sip:alice@example.com", None),
            ("sips:example.com", None),
            ("https://example.com", None),
            ("sip:", None),
            ("example.com", None),
        ] {
            assert_eq!(sip_domain(uri), expected, "{uri}");
        }
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        let nobody = Identity::of(&CertificateDer::from(&b"\x30\x03\x02\x01\x00"[..]));
        assert_eq!((nobody.names(), nobody.is("example.com"), nobody.is("::1")), (&[][..], false, false));
    }
}
