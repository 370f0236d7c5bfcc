//! Values with a syntax of their own: listeners, addresses, URLs, report URIs.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names;
use crate::network::Network;

/// Where the backend is: a base URL, or the store inside this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ApiBaseUrl {
    /// `embedded`: the store runs in this process.
    Embedded,
    /// An http or https URL without a slash at its end.
    Url(String),
}

impl FromStr for ApiBaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        names::http_url(text).map_err(|reason| format!("{reason}, or `embedded`"))?;
        Ok(Self::Url(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for ApiBaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// A transport SIP is listened for on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP (RFC 3261 §18).
    Udp,
    /// TCP (RFC 3261 §18).
    Tcp,
    /// TLS over TCP (RFC 3261 §26.2.1).
    Tls,
}

impl Transport {
    /// `udp`, `tcp` or `tls`, as the file has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// One SIP listener, written `udp:127.0.0.1:5060`, `tcp:[::]:5060` or `tls:[::]:5061`. Port 0 takes any free port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen {
    /// The transport.
    pub transport: Transport,
    /// The local address.
    pub address: SocketAddr,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a listener; write for example udp:0.0.0.0:5060, tcp:[::]:5060 or tls:[::]:5061"
            )
        };
        let (transport, address) = text.split_once(':').ok_or_else(wrong)?;
        let transport = match transport {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            _ => return Err(wrong()),
        };
        Ok(Self { transport, address: address.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.as_str(), self.address)
    }
}

/// Where the address that goes into Via and Contact comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AdvertiseAddress {
    /// An address (IPv6 without brackets) or host name.
    Literal(String),
    /// `env:NAME`: the environment variable of that name holds it.
    Env(String),
    /// `interface:NAME`: the first address of that network interface.
    Interface(String),
}

impl FromStr for AdvertiseAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("env:") {
            let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            return match letters && name.starts_with(|c: char| !c.is_ascii_digit()) {
                true => Ok(Self::Env(name.to_owned())),
                false => Err(format!("`{name}` is not the name of an environment variable")),
            };
        }
        if let Some(name) = text.strip_prefix("interface:") {
            let proper =
                (1..=15).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
            return match proper {
                true => Ok(Self::Interface(name.to_owned())),
                false => Err(format!("`{name}` is not the name of a network interface (1 to 15 characters)")),
            };
        }
        names::host(text)
            .map_err(|reason| format!("{reason}; an address, a host name, env:NAME or interface:NAME"))?;
        Ok(Self::Literal(text.trim_matches(['[', ']']).to_owned()))
    }
}

impl fmt::Display for AdvertiseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(address) => f.write_str(address),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Interface(name) => write!(f, "interface:{name}"),
        }
    }
}

/// The URI handsets send their reports to: what MT requests carry in From and P-Asserted-Identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ReportUri {
    /// A SIP or tel URI: the provisioned PSI, the same on every pod.
    Fixed(String),
    /// `pod`: one user part per ordinal. Needs a wildcard PSI in the HSS.
    Pod,
    /// `message`: the token in the user part. Needs a wildcard PSI in the HSS.
    Message,
}

impl FromStr for ReportUri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pod" => Ok(Self::Pod),
            "message" => Ok(Self::Message),
            uri => match names::sip_or_tel_uri(uri) {
                Ok(()) => Ok(Self::Fixed(uri.to_owned())),
                Err(reason) => Err(format!("{reason}, or `pod`, or `message`")),
            },
        }
    }
}

impl fmt::Display for ReportUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(uri) => f.write_str(uri),
            Self::Pod => f.write_str("pod"),
            Self::Message => f.write_str("message"),
        }
    }
}

/// serde goes through text; one line per type keeps `try_from` and `into` in step.
macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )+};
}

as_text!(ApiBaseUrl, Listen, Network, AdvertiseAddress, ReportUri);

/// Telephone digits. YAML reads `+44...` and `0044...` as numbers and drops what matters, so quotes are required.
pub(crate) mod digits {
    use std::fmt;

    use serde::de::{Deserialize, Deserializer, Error, Visitor};

    struct DigitsVisitor;

    impl Visitor<'_> for DigitsVisitor {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number in quotes, such as \"+447700900123\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Err(E::custom(format!(
                "put the number in quotes: \"{number}\" (YAML drops a plus or zeros without them)"
            )))
        }
    }

    struct Digits(String);

    impl<'de> Deserialize<'de> for Digits {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserialize(deserializer).map(Self)
        }
    }

    /// For `#[serde(deserialize_with)]`.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(DigitsVisitor)
    }

    /// For `#[serde(deserialize_with)]`; null is absent.
    pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        Ok(Option::<Digits>::deserialize(deserializer)?.map(|digits| digits.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_come_back_as_they_were() {
        fn same<T: FromStr<Err = String> + fmt::Display>(texts: &[&str]) {
            for text in texts {
                assert_eq!(text.parse::<T>().map(|value| value.to_string()), Ok((*text).to_owned()));
            }
        }
        same::<Listen>(&["udp:0.0.0.0:5060", "tcp:[::1]:0", "tls:[::]:5061"]);
        same::<Network>(&["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"]);
        same::<AdvertiseAddress>(&[
            "192.0.2.1",
            "2001:db8::1",
            "smsc.example.org",
            "env:POD_IP",
            "interface:eth0",
        ]);
        same::<ApiBaseUrl>(&["embedded", "https://10.5.198.200:8443", "http://localhost:8080/base"]);
        same::<ReportUri>(&["pod", "message", "sip:smsc@example.org", "tel:+447700900123"]);
    }

    #[test]
    fn wrong_texts_are_refused() {
        for text in ["0.0.0.0:5060", "wss:0.0.0.0:443", "udp:0.0.0.0", "udp:localhost:5060", "5060", ""] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
        for text in [
            "env:",
            "env:1A",
            "env:A B",
            "interface:",
            "interface:a/b",
            "interface:0123456789abcdef",
            "a b",
            "",
        ] {
            assert!(text.parse::<AdvertiseAddress>().is_err(), "{text}");
        }
        for text in ["Embedded", "localhost:8080", ""] {
            assert!(text.parse::<ApiBaseUrl>().is_err(), "{text}");
        }
        for text in ["pods", "smsc@example.org", ""] {
            assert!(text.parse::<ReportUri>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in ".*") {
            let _ = (text.parse::<Listen>(), text.parse::<AdvertiseAddress>());
            let _ = (text.parse::<ApiBaseUrl>(), text.parse::<ReportUri>());
        }
    }
}
