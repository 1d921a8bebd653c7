//! Turns of those who search, by whatever way they asked: on threads of their own, so that no delivery waits for a search, and not more at a time than
//! leave a core to others.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// Searches at a time, on machines with many cores.
pub(crate) const MOST: usize = 4;

/// Who may search now.
#[derive(Debug)]
pub(crate) struct Turns {
    free: Arc<Semaphore>,
}

/// Why nothing was searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Busy;

/// Says to a search whether to go on: until its time is over, or nobody waits for what it finds.
#[derive(Debug)]
pub(crate) struct Budget {
    until: Instant,
    is_wanted: Arc<AtomicBool>,
}

impl Budget {
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.until && self.is_wanted.load(Ordering::Acquire)
    }

    /// What is left of it, and no more than a share of that.
    pub(crate) fn within(&self, most: Duration) -> Self {
        Self { until: self.until.min(Instant::now() + most), is_wanted: self.is_wanted.clone() }
    }

    #[cfg(test)]
    pub(crate) fn of(time: Duration) -> Self {
        Self { until: Instant::now() + time, is_wanted: Arc::new(AtomicBool::new(true)) }
    }
}

/// Whoever waits for a search, until he goes.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Turns {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self { free: Arc::new(Semaphore::new(cores.saturating_sub(1).clamp(1, MOST))) }
    }

    /// Runs a search when it is its turn, for no longer than a time.
    ///
    /// # Errors
    /// When its turn did not come while there was patience, or no thread could be started.
    pub(crate) async fn search<T: Send + 'static>(
        &self,
        patience: Duration,
        time: Duration,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let turn = tokio::time::timeout(patience, self.free.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| Busy)?.map_err(|_| Busy)?;
        let is_wanted = Arc::new(AtomicBool::new(true));
        let wanted = Wanted(is_wanted.clone());
        let (done, found) = oneshot::channel();
        let run = move || {
            let budget = Budget { until: Instant::now() + time, is_wanted };
            let found = work(&budget);
            // The next one begins when this one has ended, and not when nobody waits for it any more.
            drop(turn);
            let _ = done.send(found);
        };
        thread::Builder::new().name("search".to_owned()).spawn(run).map_err(|_| Busy)?;
        let found = found.await.map_err(|_| Busy);
        drop(wanted);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_search_that_nobody_waits_for_gives_its_turn_back() {
        runtime().block_on(async {
            let turns = Turns { free: Arc::new(Semaphore::new(1)) };
            let (long, patience) = (Duration::from_secs(60), Duration::from_millis(100));
            let endless = |budget: &Budget| while budget.goes_on() {};
            let first = turns.search(patience, long, endless);
            assert!(tokio::time::timeout(Duration::from_millis(20), first).await.is_err(), "it goes");
            // It has stopped by then, though it had a minute.
            assert_eq!(turns.search(long, long, |_| 7).await, Ok(7));
        });
    }

    #[test]
    fn who_has_waited_long_enough_is_told_so_and_time_is_kept() {
        runtime().block_on(async {
            let turns = Turns { free: Arc::new(Semaphore::new(1)) };
            let time = Duration::from_millis(300);
            let busy = turns.search(Duration::from_secs(1), time, |budget| while budget.goes_on() {});
            let began = Instant::now();
            let (first, second) = tokio::join!(busy, turns.search(Duration::from_millis(50), time, |_| ()));
            assert_eq!((first, second), (Ok(()), Err(Busy)));
            assert!(began.elapsed() >= time);
            let panicked = turns.search(time, time, |_| -> u8 { panic!("a search that fails costs itself alone") });
            assert_eq!(panicked.await, Err(Busy));
            assert_eq!(turns.search(time, time, |_| 7).await, Ok(7), "and gives its turn back");
        });
    }
}
