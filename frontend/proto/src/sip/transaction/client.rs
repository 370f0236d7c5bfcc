//! The non-INVITE client transaction (RFC 3261 §17.1.2), one state machine without its table and queues.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Timers;
use crate::sip::Transport;

/// A client transaction from its first transmission to its end.
pub(super) struct Client {
    addr: SocketAddr,
    state: State,
}

/// The states of RFC 3261 figure 6. Terminated is the absence of a transaction.
enum State {
    Trying(Sending),
    Proceeding(Sending),
    /// Only on UDP, as timer K is zero on a stream.
    Completed,
}

/// What an unanswered request needs, which depends on its transport: only UDP repeats, only a stream can fall back.
enum Sending {
    Udp { request: Bytes, timer_e: TimerE },
    Stream { transport: Transport, fallback: Option<Bytes> },
}

#[derive(Clone, Copy)]
struct TimerE {
    due: Instant,
    interval: Duration,
}

/// How a request is sent.
pub(super) enum Way {
    /// Over UDP, to be repeated.
    Udp(Bytes),
    /// Over TCP or TLS; `fallback` is the same request with the Via for UDP, if only its size chose TCP.
    Stream { transport: Transport, fallback: Option<Bytes> },
}

/// What a response means to the transaction.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// Nothing to tell the user: provisional, or a repetition.
    Absorbed,
    /// The final response; timer K starts.
    FinalThenK,
    /// The final response; the transaction ends now.
    FinalThenGone,
}

/// What follows from a transport failure.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Failed {
    /// Nothing: the final response is here already, or the request goes another way by now.
    Ignored,
    /// Send this over UDP; timer E was started.
    FallBack { request: Bytes, timer_e: Instant },
    /// The transaction ends with an error.
    Gone,
}

impl Client {
    pub(super) fn new(now: Instant, timers: &Timers, addr: SocketAddr, way: Way) -> Self {
        let sending = match way {
            Way::Udp(request) => Sending::Udp { request, timer_e: TimerE::start(now, timers.t1) },
            Way::Stream { transport, fallback } => Sending::Stream { transport, fallback },
        };
        Self { addr, state: State::Trying(sending) }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The transport in use while an answer is awaited.
    pub(super) fn awaiting(&self) -> Option<Transport> {
        match self.sending()? {
            Sending::Udp { .. } => Some(Transport::Udp),
            Sending::Stream { transport, .. } => Some(*transport),
        }
    }

    /// When timer E is due, if it runs.
    pub(super) fn timer_e(&self) -> Option<Instant> {
        match self.sending()? {
            Sending::Udp { timer_e, .. } => Some(timer_e.due),
            Sending::Stream { .. } => None,
        }
    }

    /// Takes the status of a response that matched.
    pub(super) fn respond(&mut self, status: u16) -> Heard {
        match std::mem::replace(&mut self.state, State::Completed) {
            State::Completed => Heard::Absorbed,
            State::Trying(sending) | State::Proceeding(sending) if status < 200 => {
                self.state = State::Proceeding(sending);
                Heard::Absorbed
            }
            State::Trying(Sending::Udp { .. }) | State::Proceeding(Sending::Udp { .. }) => Heard::FinalThenK,
            State::Trying(Sending::Stream { .. }) | State::Proceeding(Sending::Stream { .. }) => {
                Heard::FinalThenGone
            }
        }
    }

    /// Timer E fired: restarts it and returns what to send again, and when it is due next.
    pub(super) fn repeat(&mut self, now: Instant, timers: &Timers) -> Option<(Bytes, Instant)> {
        let (sending, trying) = match &mut self.state {
            State::Trying(sending) => (sending, true),
            State::Proceeding(sending) => (sending, false),
            State::Completed => return None,
        };
        let Sending::Udp { request, timer_e } = sending else { return None };
        let interval = if trying { timers.next_e(timer_e.interval) } else { timers.t2 };
        *timer_e = TimerE::start(now, interval);
        Some((request.clone(), timer_e.due))
    }

    /// The request could not be sent over `transport`.
    pub(super) fn unsent(&mut self, now: Instant, timers: &Timers, transport: Option<Transport>) -> Failed {
        // Word of a TCP connection may come after the fallback, and then says nothing about UDP.
        if self.awaiting() != transport {
            return Failed::Ignored;
        }
        match &mut self.state {
            State::Completed => Failed::Ignored,
            State::Trying(Sending::Stream { fallback: Some(request), .. }) => {
                let request = std::mem::take(request);
                let timer_e = TimerE::start(now, timers.t1);
                self.state = State::Trying(Sending::Udp { request: request.clone(), timer_e });
                Failed::FallBack { request, timer_e: timer_e.due }
            }
            State::Trying(_) | State::Proceeding(_) => Failed::Gone,
        }
    }

    fn sending(&self) -> Option<&Sending> {
        match &self.state {
            State::Trying(sending) | State::Proceeding(sending) => Some(sending),
            State::Completed => None,
        }
    }
}

impl TimerE {
    fn start(now: Instant, interval: Duration) -> Self {
        // An interval of zero would be due again at once, for ever.
        let interval = interval.max(SHORTEST_INTERVAL);
        Self { due: now + interval, interval }
    }
}

const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);
