//! Transport protocols.

use std::fmt;

/// What carries a SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams; unreliable, so requests and responses are retransmitted.
    Udp,
    /// A stream; reliable.
    Tcp,
}

impl Transport {
    /// The name as a Via header has it (RFC 3261 §20.42).
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }

    /// Whether the transport itself repeats what is lost (RFC 3261 §17 calls this "reliable").
    pub const fn is_reliable(self) -> bool {
        matches!(self, Transport::Tcp)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
