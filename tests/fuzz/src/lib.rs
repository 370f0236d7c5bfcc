//! What is fuzzed, and what every input must keep to: no panic, the properties of its target, allocations in proportion
//! (the [`Caps`] of the target), and time in proportion (the binary `worst`).
//!
//! `fuzz` is libFuzzer with the target that SMSC_FUZZ_TARGET names; `worst` replays inputs and compares their cost.

mod allocator;
mod meter;
pub mod targets;

pub use meter::{Meter, cpu_nanos};
pub use targets::{Caps, TARGETS, Target};

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
