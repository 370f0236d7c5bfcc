//! The control plane: makes frontends out of `SmscFrontend` resources, and keeps them so (design §9).
//!
//! ```text
//! dereference ──► validate ──► build ──► apply ──► status
//! reads           pure         pure      writes    pure
//! ```
#![forbid(unsafe_code)]

pub mod admin;
pub mod apply;
pub mod build;
pub mod caches;
pub mod claims;
pub mod cli;
pub mod client;
pub mod config;
pub mod dereference;
pub mod events;
pub mod leader;
pub mod locations;
pub mod metrics;
pub mod names;
pub mod plan;
pub mod pods;
mod pokes;
pub mod reconcile;
pub mod registrar;
pub mod rollout;
pub mod settings;
pub mod status;
pub mod validate;
