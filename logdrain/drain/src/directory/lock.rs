//! What one has at a time, and others wait for: for a while, and so many of them at most.
//!
//! Whoever has the connection to a database that hangs has it for as long as that takes. Others wait for a second at most, and
//! not at all when they would wait behind somebody who has it for longer than that already, or behind many.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long somebody waits, and how long one may have it before nobody waits for him.
const PATIENCE: Duration = Duration::from_secs(1);
/// Those who wait at a time.
const WAITING: usize = 32;

#[derive(Debug)]
pub(super) struct Lock<T> {
    value: Mutex<T>,
    queue: Mutex<Queue>,
    free: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// Since when somebody has it.
    had: Option<Instant>,
    waiting: usize,
}

/// Whoever has it, until this is dropped.
pub(super) struct Guard<'a, T> {
    value: MutexGuard<'a, T>,
    lock: &'a Lock<T>,
}

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), queue: Mutex::default(), free: Condvar::new() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for as long as it takes.
    pub(super) fn take(&self) -> Guard<'_, T> {
        let queue = self.queue();
        let queue = self.free.wait_while(queue, |queue| queue.had.is_some());
        self.taken(queue.unwrap_or_else(PoisonError::into_inner))
    }

    /// `None` if it is not to be had soon.
    pub(super) fn take_soon(&self) -> Option<Guard<'_, T>> {
        let mut queue = self.queue();
        let is_long = |queue: &Queue| queue.had.is_some_and(|had| had.elapsed() > PATIENCE);
        if queue.had.is_some() && (queue.waiting >= WAITING || is_long(&queue)) {
            return None;
        }
        queue.waiting += 1;
        let waited = self.free.wait_timeout_while(queue, PATIENCE, |queue| queue.had.is_some());
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.waiting -= 1;
        queue.had.is_none().then(|| self.taken(queue))
    }

    fn taken(&self, mut queue: MutexGuard<'_, Queue>) -> Guard<'_, T> {
        queue.had = Some(Instant::now());
        drop(queue);
        // Nobody else has it, or he is just giving it back.
        Guard { value: self.value.lock().unwrap_or_else(PoisonError::into_inner), lock: self }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.lock.queue().had = None;
        self.lock.free.notify_one();
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn nobody_waits_long_for_who_has_it_long_and_few_wait_at_all() {
        let lock = Lock::new(0_u32);
        let had = lock.take();
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..WAITING).map(|_| scope.spawn(|| lock.take_soon().is_some())).collect();
            while lock.queue().waiting < WAITING {
                thread::yield_now();
            }
            assert!(lock.take_soon().is_none(), "as many wait as may");
            assert!(waiting.into_iter().all(|waiting| !waiting.join().unwrap()));
            let began = lock.queue().had.unwrap();
            assert!(began.elapsed() >= PATIENCE && lock.take_soon().is_none());
            let patient = scope.spawn(|| *lock.take());
            drop(had);
            assert_eq!(patient.join().unwrap(), 0);
        });
        assert_eq!(lock.queue().waiting, 0);
        *lock.take_soon().unwrap() += 1;
        assert_eq!(*lock.take(), 1);
    }

    #[test]
    fn each_has_it_alone() {
        let lock = Lock::new(0_u32);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..200).for_each(|_| *lock.take() += 1));
                scope.spawn(|| (0..200).for_each(|_| *lock.take_soon().unwrap() += 1));
            }
        });
        assert_eq!(*lock.take(), 3_200);
    }
}
