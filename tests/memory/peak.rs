//! The system's allocator, which keeps account of what each thread has of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

struct Accounting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// What a thread gives back that it was not given itself counts as well: only differences are looked at.
fn account(bytes: isize) {
    // A thread that ends has no account any more, and nothing that is measured.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        MOST.with(|most| most.set(most.get().max(held.get())));
    });
}

#[expect(
    unsafe_code,
    reason = "there is no other way to be an allocator; every call goes to the system's as it came"
)]
unsafe impl GlobalAlloc for Accounting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        account(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        account(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    /// Both are held at a time, unless the system can do better, which is not counted on.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        account(size as isize);
        let moved = unsafe { System.realloc(pointer, layout, size) };
        account(-(layout.size() as isize));
        moved
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        account(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Accounting = Accounting;

/// The most bytes that `work` holds at a time, and what it returns.
pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    MOST.set(before);
    let result = black_box(work());
    (usize::try_from(MOST.get() - before).unwrap(), result)
}

/// The bytes of what `work` makes, and that.
pub(crate) fn kept<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    let result = black_box(work());
    (usize::try_from(HELD.get() - before).unwrap(), result)
}

#[test]
fn the_peak_is_counted() {
    assert_eq!(of(|| ()).0, 0);
    assert_eq!(of(|| drop((Box::new([0u8; 100]), Box::new([0u8; 50])))).0, 150);
    let grown = || {
        let mut list: Vec<u8> = Vec::with_capacity(100);
        list.reserve_exact(150);
        list
    };
    assert_eq!(of(grown).0, 250);
    assert_eq!(kept(|| drop(Box::new([0u8; 50]))).0, 0);
    assert_eq!(kept(grown).0, 150);
}
