//! The two clocks, read together.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::engine::Now;

/// Reads both clocks.
pub(super) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Now { mono: Instant::now(), wall: i64::try_from(wall).unwrap_or(i64::MAX) }
}

/// Good randomness: the standard library's hash keys come from the operating system.
pub(super) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
