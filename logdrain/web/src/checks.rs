//! Passwords are checked a few at a time: each check takes time and memory on purpose.

use logdrain_drain::directory;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Whose turn it is.
#[derive(Debug)]
pub struct Checks {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Those that wait for their turn, and how long.
const WAITING: usize = 32;
const PATIENCE: Duration = Duration::from_secs(5);

impl Checks {
    pub fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(directory::CHECKS)), waiting: AtomicUsize::new(0) }
    }

    /// Does something that hashes a password, in its turn; `None` when too many wait.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::AcqRel);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let waits = Waits(&self.waiting);
        if before >= WAITING {
            return None;
        }
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await.ok()?.ok()?;
        drop(waits);
        // The turn lasts as long as the work, whoever has stopped waiting for it.
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}
