//! How much memory a call takes at most: a peer must not make us allocate by a number that it only claims.

#![allow(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; this one counts and leaves the rest to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting per thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes in use, and the most that were since [`peak`] began. What one thread takes and another gives back makes
    /// the numbers wrong, not unsafe: the calls that are measured keep to their thread.
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

fn taken(bytes: usize) {
    // A thread that ends may free after its counters are gone.
    let _ = IN_USE.try_with(|in_use| {
        in_use.set(in_use.get().saturating_add(bytes));
        let _ = MOST.try_with(|most| most.set(most.get().max(in_use.get())));
    });
}

fn given_back(bytes: usize) {
    let _ = IN_USE.try_with(|in_use| in_use.set(in_use.get().saturating_sub(bytes)));
}

// SAFETY: every call goes to `System` with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may exist for a moment.
        taken(size);
        given_back(layout.size());
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        given_back(layout.size());
        unsafe { System.dealloc(at, layout) }
    }
}

/// What `call` answers, and how many bytes it had allocated at most at one time.
pub(crate) fn peak<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.get();
    MOST.set(before);
    let answer = call();
    (answer, MOST.get().saturating_sub(before))
}

#[test]
fn the_peak_is_seen() {
    let ((), bytes) = peak(|| {
        drop(Vec::<u8>::with_capacity(5_000));
        drop(Vec::<u8>::with_capacity(3_000));
    });
    assert_eq!(bytes, 5_000);
    let (kept, bytes) = peak(|| (vec![1u8; 100], vec![2u8; 200]));
    assert_eq!(bytes, 300);
    drop(kept);
}
