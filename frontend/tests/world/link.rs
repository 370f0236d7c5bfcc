//! The way of datagrams: latency, loss, duplication and reordering from one seed, and losses chosen by a test.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use smsc_proto::sip::{Message, Transport};

use super::ms;

/// One end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    Pod(usize),
    Core,
    Other(SocketAddr),
}

/// A SIP message as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) at: Duration,
    pub(crate) from: Party,
    pub(crate) to: Party,
    pub(crate) transport: Transport,
    pub(crate) octets: Bytes,
    pub(crate) lost: bool,
}

impl Packet {
    /// The message in it.
    pub(crate) fn message(&self) -> Message {
        Message::parse(self.octets.clone()).expect("what is sent can be read")
    }
}

type Choice = Box<dyn Fn(&Packet) -> bool>;

/// What becomes of datagrams.
pub(crate) struct Link {
    /// The shortest way.
    pub(crate) latency: Duration,
    /// Up to so much is added, so that datagrams overtake each other.
    pub(crate) jitter: Duration,
    /// Datagrams lost, of 1000.
    pub(crate) loss: u32,
    /// Datagrams doubled, of 1000.
    pub(crate) doubled: u32,
    /// Every TCP connection is refused.
    pub(crate) tcp_refused: bool,
    lose: Vec<(u32, Choice)>,
    random: Dice,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: ms(5),
            jitter: ms(0),
            loss: 0,
            doubled: 0,
            tcp_refused: false,
            lose: Vec::new(),
            random: Dice::new(1),
        }
    }
}

impl Link {
    /// Loses the next `count` messages that `choice` picks.
    pub(crate) fn lose(&mut self, count: u32, choice: impl Fn(&Packet) -> bool + 'static) {
        self.lose.push((count, Box::new(choice)));
    }

    /// Lets `seed` decide what is lost, doubled and late.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.random = Dice::new(seed);
    }

    /// One delay for every copy that arrives.
    pub(super) fn carry(&mut self, packet: &Packet) -> Vec<Duration> {
        if let Some((left, _)) = self.lose.iter_mut().find(|(left, choice)| *left > 0 && choice(packet)) {
            *left -= 1;
            return Vec::new();
        }
        if packet.transport == Transport::Tcp {
            return vec![self.latency];
        }
        let copies = match self.random.below(1000) as u32 {
            roll if roll < self.loss => 0,
            roll if roll < self.loss + self.doubled => 2,
            _ => 1,
        };
        let jitter = self.jitter.as_micros() as u64 + 1;
        (0..copies).map(|_| self.latency + Duration::from_micros(self.random.below(jitter))).collect()
    }
}

/// Xorshift64*: small, and the same everywhere.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % bound.max(1)
    }
}
