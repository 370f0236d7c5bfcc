//! What the work of one input costs: octets and allocations always, CPU time on demand.

use std::hint::black_box;

use crate::allocator::{self, Allocated};

/// Work is repeated until a round takes so long, so that the clock's own cost does not count.
const ROUND_NANOS: u64 = 20_000;

/// Measures the parts of a target that are product code; the checks around them do not count.
#[derive(Default)]
pub struct Meter {
    rounds: Option<u32>,
    allocated: Allocated,
    nanos: f64,
    octets: usize,
}

impl Meter {
    /// A meter of allocations.
    pub fn new() -> Meter {
        Meter::default()
    }

    /// A meter of CPU time too: of so many rounds the quickest counts, because what disturbs only adds.
    pub fn timing(rounds: u32) -> Meter {
        Meter { rounds: Some(rounds), ..Meter::default() }
    }

    /// Does work that can be done again and again.
    pub fn watch<T>(&mut self, work: impl Fn() -> T) -> T {
        let start = allocator::start();
        let result = work();
        self.add(start.end());
        if let Some(rounds) = self.rounds {
            self.nanos += quickest(rounds, &work);
        }
        result
    }

    /// Does work whose time is nobody's concern: what is shown to people at a prompt.
    pub fn watch_untimed<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = allocator::start();
        let result = work();
        self.add(start.end());
        result
    }

    /// Does work that can be done once only: its CPU time counts as it is, of all threads.
    pub async fn watch_once<T>(&mut self, work: impl Future<Output = T>) -> T {
        let before = self.rounds.map(|_| cpu_nanos());
        let start = allocator::start();
        let result = work.await;
        self.add(start.end());
        self.nanos += before.map_or(0.0, |before| (cpu_nanos() - before) as f64);
        result
    }

    /// Tells that a whole message of so many octets was read, where an input is several; a short one counts as `floor`.
    pub fn count_octets(&mut self, octets: usize, floor: usize) {
        self.octets += octets.max(floor);
    }

    /// The octets of all the messages told; 0 if the input is one message.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// The most octets alive at one time within one piece of work.
    pub fn peak(&self) -> usize {
        self.allocated.peak
    }

    /// The allocations of all pieces of work together.
    pub fn count(&self) -> usize {
        self.allocated.count
    }

    /// CPU time of all pieces of work together, in nanoseconds; 0 unless it was asked for.
    pub fn nanos(&self) -> f64 {
        self.nanos
    }

    fn add(&mut self, allocated: Allocated) {
        self.allocated.peak = self.allocated.peak.max(allocated.peak);
        self.allocated.count += allocated.count;
    }
}

fn quickest<T>(rounds: u32, work: &impl Fn() -> T) -> f64 {
    let mut repeats: u32 = 1;
    let mut round = || {
        let before = cpu_nanos();
        for _ in 0..repeats {
            black_box(work());
        }
        let took = cpu_nanos() - before;
        let each = took as f64 / f64::from(repeats);
        if took < ROUND_NANOS {
            repeats = repeats.saturating_mul(2);
        }
        (each, took >= ROUND_NANOS)
    };
    let mut best = f64::INFINITY;
    let mut counted = 0;
    while counted < rounds {
        let (each, long_enough) = round();
        best = best.min(each);
        counted += u32::from(long_enough);
    }
    best
}

/// CPU time of this process so far, of all its threads, in nanoseconds.
pub fn cpu_nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and `time` is a timespec to be written.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the CPU clock of this process can be read");
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
