//! Turns of those who search, by whatever way they asked: on threads of their own, so that no delivery waits for a search,
//! and not more at a time than leave a core to others.
//!
//! Accounts take turns: one that asks for many searches at a time waits for its own, and keeps another's waiting for one at
//! most.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Searches at a time, on machines with many cores.
pub const MOST: usize = 4;

/// Who may search now.
#[derive(Debug)]
pub struct Turns {
    queue: Arc<Mutex<Queue>>,
}

/// Why nothing was searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

/// Turns that are free, and those who wait for one: by account, the one whose turn is next in front.
#[derive(Debug)]
struct Queue {
    free: usize,
    waiting: VecDeque<(Box<str>, VecDeque<oneshot::Sender<Turn>>)>,
}

/// A turn, until it is over. Whoever is next gets it then.
#[derive(Debug)]
struct Turn(Option<Arc<Mutex<Queue>>>);

/// Says to a search whether to go on: until its time is over, or nobody waits for what it finds.
#[derive(Debug)]
pub struct Budget {
    until: Instant,
    is_wanted: Arc<AtomicBool>,
}

impl Budget {
    pub fn goes_on(&self) -> bool {
        Instant::now() < self.until && self.is_wanted.load(Ordering::Acquire)
    }

    /// What is left of it, and no more than a share of that.
    pub fn within(&self, most: Duration) -> Self {
        Self { until: self.until.min(Instant::now() + most), is_wanted: self.is_wanted.clone() }
    }

    #[cfg(test)]
    pub fn of(time: Duration) -> Self {
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

impl Queue {
    /// Whoever is next; those who went are passed over.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some((account, mut own)) = self.waiting.pop_front() {
            let next = own.pop_front();
            if !own.is_empty() {
                self.waiting.push_back((account, own));
            }
            if let Some(next) = next.filter(|next| !next.is_closed()) {
                return Some(next);
            }
        }
        None
    }

    fn enter(&mut self, account: &str, waits: oneshot::Sender<Turn>) {
        match self.waiting.iter_mut().find(|(name, _)| **name == *account) {
            Some((_, own)) => {
                own.retain(|other| !other.is_closed());
                own.push_back(waits);
            }
            None => self.waiting.push_back((account.into(), VecDeque::from([waits]))),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(queue) = self.0.take() else { return };
        loop {
            let next = {
                let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                let next = queue.next();
                if next.is_none() {
                    queue.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Self(Some(queue.clone()))) {
                Ok(()) => return,
                // It has gone just now: this one is not given on from here, but by the loop.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

impl Turns {
    pub fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::of(cores.saturating_sub(1).clamp(1, MOST))
    }

    fn of(free: usize) -> Self {
        Self { queue: Arc::new(Mutex::new(Queue { free, waiting: VecDeque::new() })) }
    }

    async fn turn(&self, account: &str) -> Result<Turn, Busy> {
        let waits = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            // While one is free nobody waits.
            if queue.free > 0 {
                queue.free -= 1;
                return Ok(Turn(Some(self.queue.clone())));
            }
            let (turn, waits) = oneshot::channel();
            queue.enter(account, turn);
            waits
        };
        waits.await.map_err(|_| Busy)
    }

    /// As [`Turns::search_for`], for no account in particular.
    ///
    /// # Errors
    /// As [`Turns::search_for`].
    pub async fn search<T: Send + 'static>(
        &self,
        patience: Duration,
        time: Duration,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.search_for("", patience, time, work).await
    }

    /// Runs a search for an account when it is its turn, for no longer than a time.
    ///
    /// # Errors
    /// When its turn did not come while there was patience, or no thread could be started.
    pub async fn search_for<T: Send + 'static>(
        &self,
        account: &str,
        patience: Duration,
        time: Duration,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let turn = tokio::time::timeout(patience, self.turn(account)).await.map_err(|_| Busy)??;
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
            let turns = Turns::of(1);
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
            let turns = Turns::of(1);
            let time = Duration::from_millis(300);
            let busy = turns.search(Duration::from_secs(1), time, |budget| while budget.goes_on() {});
            let began = Instant::now();
            let (first, second) = tokio::join!(busy, turns.search(Duration::from_millis(50), time, |_| ()));
            assert_eq!((first, second), (Ok(()), Err(Busy)));
            assert!(began.elapsed() >= time);
            let panicked = turns.search(time, time, |_| -> u8 { panic!("a search that fails costs itself alone") });
            assert_eq!(panicked.await, Err(Busy));
            assert_eq!(turns.search(time, time, |_| 7).await, Ok(7), "and gives its turn back");
            assert_eq!(turns.queue.lock().unwrap().free, 1);
        });
    }

    #[test]
    fn an_account_with_many_searches_keeps_another_waiting_for_one() {
        runtime().block_on(async {
            let turns = Arc::new(Turns::of(1));
            let order = Arc::new(Mutex::new(Vec::new()));
            let long = Duration::from_secs(60);
            let search = |name: &'static str| {
                let (turns, order) = (turns.clone(), order.clone());
                tokio::spawn(async move {
                    let work = move |_: &Budget| {
                        thread::sleep(Duration::from_millis(5));
                        order.lock().unwrap().push(name);
                    };
                    turns.search_for(name, long, long, work).await
                })
            };
            let mut all: Vec<_> = (0..20).map(|_| search("greedy")).collect();
            tokio::task::yield_now().await;
            // Some who gave up stand between.
            for _ in 0..3 {
                let gone = search("gone");
                tokio::task::yield_now().await;
                gone.abort();
            }
            all.push(search("other"));
            all.push(search("third"));
            for one in all {
                assert_eq!(one.await.unwrap(), Ok(()));
            }
            let order = order.lock().unwrap();
            let place = |name: &str| order.iter().position(|other| *other == name).unwrap();
            assert!(place("other") <= 3 && place("third") <= 4, "{order:?}");
            assert_eq!(order.len(), 22);
            assert_eq!(turns.queue.lock().unwrap().free, 1);
        });
    }
}
