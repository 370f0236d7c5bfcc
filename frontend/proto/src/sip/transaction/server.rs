//! The non-INVITE server transaction (RFC 3261 §17.2.2, RFC 4320), one state machine without its table and queue.
//!
//! It never holds the request: the user has that, and a repetition is known by its key.

use std::time::Instant;

use bytes::Bytes;

use super::Flow;
use crate::sip::Transport;

/// A server transaction from its request to its end.
pub(super) struct Server {
    reply_to: Flow,
    invite: bool,
    ends: Instant,
    state: State,
}

/// The states of RFC 3261 figure 8. Terminated is the absence of a transaction.
enum State {
    Trying,
    Proceeding(Bytes),
    /// Only on UDP, as timer J is zero on a stream.
    Completed(Bytes),
}

/// What an answer of the user leads to.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Answered {
    /// Send it.
    Provisional,
    /// Send it; timer J starts.
    FinalThenJ,
    /// Send it; the transaction ends now.
    FinalThenGone,
    /// Do not send it: a final answer went before, or only an INVITE may get it (RFC 4320 §4.1, §4.2).
    Dropped,
}

impl Server {
    /// `ends` is when the client will have given up (64·T1 after the request).
    pub(super) fn new(reply_to: Flow, invite: bool, ends: Instant) -> Self {
        Self { reply_to, invite, ends, state: State::Trying }
    }

    /// Where every answer goes.
    pub(super) fn reply_to(&self) -> Flow {
        self.reply_to
    }

    /// When the transaction ends by itself.
    pub(super) fn ends(&self) -> Instant {
        self.ends
    }

    /// Whether the final answer was given.
    pub(super) fn is_completed(&self) -> bool {
        matches!(self.state, State::Completed(_))
    }

    /// The request came again: what to send, if anything.
    pub(super) fn repeated(&self) -> Option<Bytes> {
        match &self.state {
            State::Trying => None,
            State::Proceeding(answer) | State::Completed(answer) => Some(answer.clone()),
        }
    }

    /// Takes an answer from the user.
    pub(super) fn respond(&mut self, status: u16, answer: &Bytes) -> Answered {
        if self.is_completed() {
            return Answered::Dropped;
        }
        match status {
            101..200 | 408 if !self.invite => Answered::Dropped,
            ..200 => {
                self.state = State::Proceeding(answer.clone());
                Answered::Provisional
            }
            _ => match self.reply_to.transport {
                Transport::Udp => {
                    self.state = State::Completed(answer.clone());
                    Answered::FinalThenJ
                }
                Transport::Tcp | Transport::Tls => Answered::FinalThenGone,
            },
        }
    }

    /// Timer J was started.
    pub(super) fn set_timer_j(&mut self, due: Instant) {
        self.ends = due;
    }
}
