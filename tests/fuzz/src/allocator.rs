//! An allocator that counts: of every thread, but not what C code (SQLite, libFuzzer) allocates for itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[global_allocator]
static COUNTING: Counting = Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the counters hold no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old block lives until the new one is filled.
        grown(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

fn grown(octets: usize) {
    COUNT.fetch_add(1, Relaxed);
    let live = LIVE.fetch_add(octets, Relaxed) + octets;
    PEAK.fetch_max(live, Relaxed);
}

/// What a piece of work allocated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allocated {
    /// The most octets alive at one time, beyond those alive before.
    pub(crate) peak: usize,
    /// How many allocations there were.
    pub(crate) count: usize,
}

/// Begins to count.
pub(crate) fn start() -> Start {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    Start { live, count: COUNT.load(Relaxed) }
}

/// Where a count began.
pub(crate) struct Start {
    live: usize,
    count: usize,
}

impl Start {
    /// What was allocated since.
    pub(crate) fn end(self) -> Allocated {
        Allocated {
            peak: PEAK.load(Relaxed).saturating_sub(self.live),
            count: COUNT.load(Relaxed).wrapping_sub(self.count),
        }
    }
}
