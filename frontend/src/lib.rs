//! The SIP data plane: carries SMS between the IMS core and the backend.
//!
//! [`engine`] holds every rule and no I/O; [`io`] moves octets between it and the world.

#![forbid(unsafe_code)]

pub mod backend;
pub mod cli;
pub mod demo;
pub mod dns;
pub mod engine;
pub mod environment;
pub mod io;
pub mod probe;
pub mod settings;
pub mod tls;
