//! Counts what one run of each work allocates, and gives callgrind something to count instructions in.
//!
//! Prints a JSON line for each work. Under `valgrind --tool=callgrind --toggle-collect='count::measured*'
//! --dump-after='count::measured*'` each call of [`measured`] is a dump of its own, in the order of the lines.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use smsc_readers::works::works;

/// How often each work is run inside one call of [`measured`].
const TIMES: u32 = 50;

/// The system's allocator, which counts what it is asked for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static OCTETS: Cell<u64> = const { Cell::new(0) };
}

fn count(size: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    OCTETS.set(OCTETS.get() + size as u64);
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    for mut work in works() {
        // What is made once and kept is made here.
        (work.run)();
        let before = (ALLOCATIONS.get(), OCTETS.get());
        (work.run)();
        let (allocations, octets) = (ALLOCATIONS.get() - before.0, OCTETS.get() - before.1);
        measured(&mut *work.run);
        println!(
            "{{\"operation\": \"{}\", \"by\": \"{}\", \"allocations\": {allocations}, \"octets\": {octets}, \
             \"times\": {TIMES}}}",
            work.operation, work.by
        );
    }
}

#[inline(never)]
fn measured(run: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        run();
    }
}
