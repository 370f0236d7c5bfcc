//! The control plane: makes frontends out of `SmscFrontend` resources, and keeps them so (design §9).
//!
//! ```text
//! dereference ──► validate ──► build ──► apply ──► status
//! reads           pure         pure      writes    pure
//! ```
#![forbid(unsafe_code)]

pub mod admin;
pub mod build;
pub mod client;
pub mod config;
pub mod events;
pub mod leader;
pub mod locations;
pub mod metrics;
pub mod names;
pub mod registrar;
pub mod settings;
pub mod status;
pub mod validate;
