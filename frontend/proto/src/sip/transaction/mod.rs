//! The transaction layer for every method but INVITE (RFC 3261 §17.1.2, §17.2.2), without sockets or a clock.
//!
//! # Use
//!
//! Each call is one of three kinds, and they are made in this order:
//!
//! 1. **Mutate**: [`Transactions::handle_message`], [`handle_timeout`](Transactions::handle_timeout),
//!    [`handle_transport_error`](Transactions::handle_transport_error), [`request`](Transactions::request),
//!    [`respond`](Transactions::respond).
//! 2. **Drain**: [`poll_event`](Transactions::poll_event) and [`poll_transmit`](Transactions::poll_transmit)
//!    until both return `None`. Undrained output is the only thing here that grows without a cap of its own.
//! 3. **Sleep** until [`poll_timeout`](Transactions::poll_timeout), or until something arrives.
//!
//! `now` must never go back. Ids and bytes are cheap to copy; nothing here reads a clock, a socket or randomness.
//!
//! # Client transaction (RFC 3261 figure 6)
//!
//! ```text
//!                        request()
//!                           │ send
//!                           ▼              timer E: send again, E = min(2·E, T2)
//!                      ┌─────────┐         timer F: Timeout
//!                      │ Trying  │──────►  transport error: TransportError
//!                      └─────────┘         (UDP in place of TCP once, if the size chose TCP: §18.1.1)
//!              1xx          │     200-699
//!          ┌────────────────┴───────────┐ Response
//!          ▼                            ▼
//!    ┌────────────┐   200-699     ┌───────────┐  any response: absorbed
//!    │ Proceeding │──────────────►│ Completed │  timer K (T4): gone
//!    └────────────┘   Response    └───────────┘  TCP: no K, gone at once
//!      timer E: send again, E = T2
//!      timer F: Timeout
//! ```
//!
//! # Server transaction (RFC 3261 figure 8, with RFC 4320)
//!
//! ```text
//!                   new request
//!                        │ Request
//!                        ▼
//!                   ┌─────────┐  request again: absorbed
//!                   │ Trying  │  64·T1 without a final answer: gone, a late one is dropped (RFC 4320 §4.2)
//!                   └─────────┘
//!            1xx         │     200-699
//!         ┌──────────────┴────────────┐ send
//!         ▼ send                      ▼
//!   ┌────────────┐  200-699     ┌───────────┐  request again: same bytes again
//!   │ Proceeding │─────────────►│ Completed │  another answer: dropped
//!   └────────────┘  send        └───────────┘  timer J (64·T1): gone; TCP: no J, gone at once
//!     request again: last 1xx again
//! ```
//!
//! INVITE, CANCEL and unknown methods run through the server machine as well, so that the caller can refuse them;
//! the refusal of an INVITE is repeated only when the INVITE is (there is no timer G), and every ACK is absorbed.
//!
//! # Differences from the letter of the RFC
//!
//! - A `maddr` in a Via is not followed: it would let any sender aim our answers at a third party.
//! - A server transaction outlives a transport error, so that a repeated request is not handled twice (§17.2.4 ends it).

mod client;
mod key;
mod layer;
mod sent_by;
mod server;
mod table;
mod timers;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::{Message, Transport};

pub use layer::Transactions;
pub use timers::Timers;

/// What a [`Transactions`] is made with.
#[derive(Clone)]
pub struct Config {
    /// The protocol timers.
    pub timers: Timers,
    /// `sent-by` of the Via of requests sent over UDP: `host` or `host:port`.
    pub sent_by_udp: String,
    /// `sent-by` of the Via of requests sent over TCP: `host` or `host:port`.
    pub sent_by_tcp: String,
    /// `sent-by` of the Via of requests sent over TLS: `host` or `host:port`.
    pub sent_by_tls: String,
    /// How many server transactions may exist; at the cap a new request becomes [`Event::Overload`].
    ///
    /// Each lives 64·T1 after its answer on UDP: a rate of 1000 requests a second needs 32 000.
    pub max_server: usize,
    /// How many client transactions may exist; at the cap [`Transactions::request`] returns [`Full`].
    ///
    /// Each lives T4 after its final response on UDP.
    pub max_client: usize,
    /// Secret randomness for the keys of both tables, new for every process.
    ///
    /// Whoever knows it can choose branches that share a key.
    pub seed: [u64; 2],
}

impl Config {
    /// A configuration with the timers of RFC 3261 and room for 262 144 transactions of each kind.
    pub fn new(sent_by: impl Into<String>, seed: [u64; 2]) -> Self {
        let sent_by = sent_by.into();
        Self {
            timers: Timers::default(),
            sent_by_udp: sent_by.clone(),
            sent_by_tcp: sent_by.clone(),
            sent_by_tls: sent_by,
            max_server: 262_144,
            max_client: 262_144,
            seed,
        }
    }
}

impl fmt::Debug for Config {
    /// Shows everything but the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { timers, sent_by_udp, sent_by_tcp, sent_by_tls, max_server, max_client, seed: _ } = self;
        f.debug_struct("Config")
            .field("timers", timers)
            .field("sent_by_udp", sent_by_udp)
            .field("sent_by_tcp", sent_by_tcp)
            .field("sent_by_tls", sent_by_tls)
            .field("max_server", max_server)
            .field("max_client", max_client)
            .finish_non_exhaustive()
    }
}

/// Where a message came from, precisely enough to answer the same way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flow {
    /// The transport it came over.
    pub transport: Transport,
    /// The address of the peer.
    pub remote: SocketAddr,
    /// The shell's number for a TCP or TLS connection; 0 for UDP.
    pub connection: u64,
    /// The index of the listener it came in by.
    pub local: u16,
}

/// Where a request goes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// The transport asked for; `None` means UDP, or TCP if the request exceeds 1300 octets (RFC 3261 §18.1.1).
    pub transport: Option<Transport>,
    /// The address of the next hop.
    pub addr: SocketAddr,
    /// Over TLS: the domain, or the address as text, that the peer's certificate must name (RFC 5922 §4), in lower
    /// case. `None` leads over a connection that stands, whoever holds it, and never opens one.
    pub name: Option<Arc<str>>,
}

impl Target {
    /// A target that needs no certificate.
    #[must_use]
    pub const fn new(transport: Option<Transport>, addr: SocketAddr) -> Self {
        Self { transport, addr, name: None }
    }
}

/// Names a client transaction; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(table::Id);

/// Names a server transaction; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(table::Id);

/// What the transaction layer tells its user.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new request, never an ACK and never a repetition; it waits for [`Transactions::respond`].
    Request {
        /// Names the transaction in `respond`.
        id: ServerId,
        /// Where the request came from.
        flow: Flow,
        /// The request.
        message: Message,
    },
    /// A new request for which no transaction is left; to be answered with [`Transactions::respond_stateless`].
    Overload {
        /// Where the request came from.
        flow: Flow,
        /// The request.
        message: Message,
    },
    /// The final response to a request; provisional ones and repetitions are absorbed.
    Response {
        /// The transaction, which is hereby finished for the caller.
        id: ClientId,
        /// The response.
        message: Message,
    },
    /// No final response came within 64·T1 (timer F). The request may have arrived all the same.
    Timeout {
        /// The transaction, now gone.
        id: ClientId,
    },
    /// The request could not be sent, or its connection broke before an answer. It may have arrived all the same.
    TransportError {
        /// The transaction, now gone.
        id: ClientId,
    },
    /// A response that matches no transaction (RFC 3261 §17.1.3), or is not addressed to our Via (§18.1.2).
    Stray {
        /// Where the response came from.
        flow: Flow,
        /// The response.
        message: Message,
    },
}

/// Bytes to be put on the wire, in the order they are polled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Which way.
    pub to: Destination,
    /// One whole message.
    pub bytes: Bytes,
    /// The client transaction that sends a request; `None` for a response.
    pub client: Option<ClientId>,
}

/// The way of a [`Transmit`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Destination {
    /// Back the way a request came: the same listener and, over TCP or TLS, the same connection.
    Flow(Flow),
    /// To an address: a datagram, or a new or kept connection. The transport is always set.
    Connect(Target),
}

/// What went wrong below the transaction layer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransportFailure {
    /// This was never sent: no route, connection refused or timed out, connection gone. One is due for every
    /// [`Transmit`] given up, also for those that were waiting for a connection.
    Unsent(Transmit),
    /// A connection to this address broke, or an ICMP error says that datagrams do not arrive there: every
    /// client transaction that waits for an answer from it ends. Costs a walk over all of them.
    Lost {
        /// The transport that failed.
        transport: Transport,
        /// The address of the peer.
        addr: SocketAddr,
    },
}

/// The client table is at its cap; nothing was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("every SIP client transaction that may exist (max_client) is in use")]
pub struct Full;

/// What the layer did without telling its user, counted since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Repeated requests absorbed, whether answered again or not.
    pub requests_absorbed: u64,
    /// Repeated final responses and provisional responses absorbed.
    pub responses_absorbed: u64,
    /// Requests sent again by timer E.
    pub retransmissions: u64,
    /// Requests sent over UDP after the TCP connection that their size chose failed (RFC 3261 §18.1.1).
    pub udp_fallbacks: u64,
    /// Server transactions that ended without an answer (RFC 4320 §4.2).
    pub unanswered: u64,
    /// Answers that were not sent: too late, second to a final one, or not for this method (RFC 4320 §4).
    pub answers_dropped: u64,
    /// Answers for which neither the flow nor a new connection could be had.
    pub answers_unsent: u64,
    /// Requests without a readable Via, which cannot be answered at all.
    pub unanswerable: u64,
}
