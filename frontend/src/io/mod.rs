//! The shell around the engine: sockets, clocks, the backend, peers, signals.
//!
//! One loop owns the [`Engine`](crate::engine::Engine). It performs what the engine puts out, then waits for the next
//! input: a datagram, a message over TCP or TLS, a backend answer, a relayed report, a look-up, a timer, new settings, a signal.

mod admin;
mod calls;
mod clock;
mod connection;
mod crypto;
mod frontend;
mod relay;
mod reload;
mod run;
pub(crate) mod shell;
pub(crate) mod streams;
mod udp;

pub use frontend::{Frontend, LogLevel, Start, StartError};
pub use run::{RunError, run, terminated};
