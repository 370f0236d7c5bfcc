//! The timers of RFC 3261 table 4, and the two queues that hold them.
//!
//! Both queues delete lazily: an entry whose transaction moved on stays until it reaches the front. They are swept when
//! such entries outnumber the live ones, so their length is bounded by the tables' caps.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use super::table::Id;

/// The base values from which every timer follows (RFC 3261 table 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// Round-trip time estimate; first interval of timer E. 500 ms.
    pub t1: Duration,
    /// Largest interval of timer E. 4 s.
    pub t2: Duration,
    /// How long a message may stay in the network; timer K. 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timers {
    /// Timer F, the time a client transaction waits for its final response: 64·T1.
    pub fn f(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer J, the time a server transaction absorbs repetitions on UDP: 64·T1.
    pub fn j(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer K, the time a client transaction absorbs repeated responses on UDP: T4.
    pub fn k(&self) -> Duration {
        self.t4
    }

    /// The interval of timer E after `interval` in state Trying: min(2·E, T2).
    pub fn next_e(&self, interval: Duration) -> Duration {
        interval.saturating_mul(2).min(self.t2)
    }
}

/// Deadlines that are all set the same time ahead, hence in order of their end.
pub(super) struct Fifo {
    after: Duration,
    queue: VecDeque<(Instant, Id)>,
}

impl Fifo {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, queue: VecDeque::new() }
    }

    /// Adds a deadline and returns it. `open` is the number of live transactions in the table it belongs to.
    pub(super) fn push(
        &mut self,
        now: Instant,
        id: Id,
        open: usize,
        live: impl Fn(Instant, Id) -> bool,
    ) -> Instant {
        if sweep_due(self.queue.len(), open) {
            self.queue.retain(|&(due, id)| live(due, id));
        }
        let due = now + self.after;
        self.queue.push_back((due, id));
        due
    }

    /// The first deadline that is live.
    pub(super) fn next(&mut self, live: impl Fn(Instant, Id) -> bool) -> Option<Instant> {
        while let Some(&(due, id)) = self.queue.front() {
            if live(due, id) {
                return Some(due);
            }
            self.queue.pop_front();
        }
        None
    }

    /// Takes the first live deadline that is not after `now`.
    pub(super) fn pop(&mut self, now: Instant, live: impl Fn(Instant, Id) -> bool) -> Option<Id> {
        if self.next(live)? > now {
            return None;
        }
        self.queue.pop_front().map(|(_, id)| id)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// Deadlines of varying length.
#[derive(Default)]
pub(super) struct Heap {
    heap: BinaryHeap<Reverse<(Instant, Id)>>,
}

impl Heap {
    /// Adds a deadline. `open` is the number of live transactions in the table it belongs to.
    pub(super) fn push(&mut self, due: Instant, id: Id, open: usize, live: impl Fn(Instant, Id) -> bool) {
        if sweep_due(self.heap.len(), open) {
            self.heap.retain(|&Reverse((due, id))| live(due, id));
        }
        self.heap.push(Reverse((due, id)));
    }

    /// The first deadline that is live.
    pub(super) fn next(&mut self, live: impl Fn(Instant, Id) -> bool) -> Option<Instant> {
        while let Some(&Reverse((due, id))) = self.heap.peek() {
            if live(due, id) {
                return Some(due);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes the first live deadline that is not after `now`.
    pub(super) fn pop(&mut self, now: Instant, live: impl Fn(Instant, Id) -> bool) -> Option<Id> {
        if self.next(live)? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, id))| id)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}

/// A transaction has at most two entries in one queue, so beyond that and some slack at least a third are dead and a
/// sweep costs O(1) per entry added since the last.
fn sweep_due(len: usize, open: usize) -> bool {
    len > 3 * open + SWEEP_SLACK
}

const SWEEP_SLACK: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timer_e_doubles_from_t1_up_to_t2() {
        let timers = Timers::default();
        let mut interval = timers.t1;
        let mut seen = vec![interval.as_millis()];
        for _ in 0..5 {
            interval = timers.next_e(interval);
            seen.push(interval.as_millis());
        }
        assert_eq!(seen, [500, 1000, 2000, 4000, 4000, 4000]);
    }

    #[test]
    fn dead_entries_never_pile_up() {
        let start = Instant::now();
        let (mut fifo, mut heap) = (Fifo::new(Duration::from_secs(32)), Heap::default());
        for n in 0..10_000 {
            let id = Id::new(n, 0);
            let live = |_: Instant, other: Id| other == id;
            fifo.push(start, id, 1, live);
            heap.push(start + Duration::from_millis(u64::from(n % 7)), id, 1, live);
            assert!(fifo.len() <= 3 + SWEEP_SLACK + 1 && heap.len() <= 3 + SWEEP_SLACK + 1);
        }
    }

    #[test]
    fn a_deadline_is_taken_when_it_is_reached_and_not_before() {
        let start = Instant::now();
        let mut fifo = Fifo::new(Duration::from_secs(5));
        let live = |_: Instant, _: Id| true;
        let due = fifo.push(start, Id::new(1, 0), 1, live);
        assert_eq!(fifo.next(live), Some(due));
        assert_eq!(fifo.pop(due - Duration::from_nanos(1), live), None);
        assert_eq!(fifo.pop(due, live), Some(Id::new(1, 0)));
        assert_eq!(fifo.next(live), None);
    }
}
