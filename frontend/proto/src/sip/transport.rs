//! Transport protocols.

use std::fmt;

/// What carries a SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams; unreliable, so requests and responses are retransmitted.
    Udp,
    /// A stream; reliable.
    Tcp,
    /// TLS over TCP; reliable (RFC 3261 §26.2.1).
    Tls,
}

impl Transport {
    /// The name as a Via header has it (RFC 3261 §20.42).
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// Whether the transport itself repeats what is lost (RFC 3261 §17 calls this "reliable"): it is a stream.
    pub const fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls => true,
        }
    }

    /// The port meant where none is given (RFC 3261 §18.1.1, §19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
        }
    }

    /// The transport a Via or a `transport` parameter names, in any case; `None` for one that is not spoken here.
    pub fn from_name(name: &str) -> Option<Self> {
        [Transport::Udp, Transport::Tcp, Transport::Tls]
            .into_iter()
            .find(|transport| transport.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
