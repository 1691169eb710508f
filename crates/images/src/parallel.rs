//! Runs one function over many items on all processors, results in the order of the items.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::limits::{ITEMS_PER_CLAIM, THREADS_MAX};

/// Returns what `work` makes of each item. Every thread has a worker of its own, made by `start`.
pub(crate) fn map<T: Sync, W, R: Send>(
    items: &[T],
    start: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, &T) -> R + Sync,
) -> Vec<R> {
    let threads = threads().min(items.len().div_ceil(ITEMS_PER_CLAIM));
    if threads <= 1 {
        let mut worker = start();
        return items.iter().map(|item| work(&mut worker, item)).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut worker = start();
        let mut done: Vec<(usize, Vec<R>)> = Vec::new();
        loop {
            let first = next.fetch_add(ITEMS_PER_CLAIM, Ordering::Relaxed);
            if first >= items.len() {
                return done;
            }
            let claimed = &items[first..items.len().min(first + ITEMS_PER_CLAIM)];
            done.push((first, claimed.iter().map(|item| work(&mut worker, item)).collect()));
        }
    };
    let mut pieces = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut pieces = run();
        for other in others {
            match other.join() {
                Ok(done) => pieces.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        pieces
    });
    pieces.sort_unstable_by_key(|(first, _)| *first);
    pieces.into_iter().flat_map(|(_, results)| results).collect()
}

fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX))
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, 7, 8, 9, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled = super::map(&items, || (), |(), item| item * 2);
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
