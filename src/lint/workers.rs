//! Work on many things at once, with the results in the order of the things.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The result of some work for each item. A thread takes the next item when it is done with one, so that no more is in
/// memory than what the threads are at, and the results.
pub(super) fn in_order<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            match items.get(place) {
                Some(item) => done.push((place, work(item))),
                None => return done,
            }
        }
    };
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(join).collect()
    });
    results.sort_unstable_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in [0, 1, 2, 7, 2000] {
            assert_eq!(
                in_order(threads, &items, |item| item * 2),
                items.iter().map(|item| item * 2).collect::<Vec<_>>()
            );
        }
        assert!(in_order(4, &[], |item: &usize| *item).is_empty());
    }

    #[test]
    fn a_panic_is_not_swallowed() {
        let work = |item: &usize| assert_ne!(*item, 5, "the fifth");
        let panic = panic::catch_unwind(|| in_order(2, &[1, 5, 2], work)).expect_err("a panic");
        assert!(panic.downcast_ref::<String>().is_some_and(|message| message.contains("the fifth")));
    }
}
