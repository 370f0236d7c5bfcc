//! The sent-by that we put into a Via and expect back (RFC 3261 §18.1.2).

use crate::sip::{Transport, Via};

/// Our own sent-by, as written and in parts.
pub(super) struct SentBy {
    text: String,
    host: String,
    port: u16,
}

impl SentBy {
    pub(super) fn new(text: String, transport: Transport) -> Self {
        let (host, port) = match text.rsplit_once(':') {
            // Without brackets a second colon belongs to an IPv6 address, not to a port.
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, port.parse().ok()),
            _ => (text.as_str(), None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Self { port: port.unwrap_or(transport.default_port()), host, text }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a Via names us; host names are compared without case, and no port means its transport's own.
    pub(super) fn is(&self, via: &Via<'_>) -> bool {
        self.port == port_of(via) && self.host.eq_ignore_ascii_case(via.host)
    }
}

/// The port of a Via's sent-by; without one, its transport's own (RFC 3261 §18.2.2).
pub(super) fn port_of(via: &Via<'_>) -> u16 {
    via.port.unwrap_or_else(|| Transport::from_name(via.transport).unwrap_or(Transport::Udp).default_port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_via_is_ours_whatever_its_case_and_whether_or_not_it_names_the_default_port() {
        for (ours, via, is) in [
            ("smsc.example.com", "smsc.example.com", true),
            ("smsc.example.com", "SMSC.Example.com:5060", true),
            ("smsc.example.com:5060", "smsc.example.com", true),
            ("smsc.example.com:5080", "smsc.example.com", false),
            ("smsc.example.com", "smsc.example.org", false),
            ("192.0.2.1:5080", "192.0.2.1:5080", true),
            ("[2001:db8::1]:5080", "[2001:DB8::1]:5080", true),
            ("[2001:db8::1]", "[2001:db8::1]:5060", true),
            ("2001:db8::1", "[2001:db8::1]", true),
            ("[2001:db8::1]:5080", "[2001:db8::1]", false),
        ] {
            let via = format!("SIP/2.0/UDP {via};branch=z9hG4bK1");
            let sent_by = SentBy::new(ours.to_owned(), Transport::Udp);
            assert_eq!(sent_by.is(&Via::parse(&via).unwrap()), is, "{ours} and {via}");
        }
    }

    #[test]
    fn over_tls_no_port_means_5061() {
        for (ours, via, is) in [
            ("smsc.example.com", "TLS smsc.example.com", true),
            ("smsc.example.com:5061", "TLS smsc.example.com", true),
            ("smsc.example.com", "tls smsc.example.com:5061", true),
            ("smsc.example.com:5060", "TLS smsc.example.com", false),
        ] {
            let sent_by = SentBy::new(ours.to_owned(), Transport::Tls);
            let via = format!("SIP/2.0/{via};branch=z9hG4bK1");
            assert_eq!(sent_by.is(&Via::parse(&via).unwrap()), is, "{ours} and {via}");
        }
    }
}
