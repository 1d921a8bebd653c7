//! Whether another node lives. Whatever comes from it says so; while nothing comes and somebody waits, it is asked, once for
//! all who wait.

use std::sync::{Mutex as Lock, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Between two looks whether something was heard.
const LOOK: Duration = Duration::from_millis(300);
/// Who was heard within this time lives.
const FRESH: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Vital {
    known: Lock<Known>,
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    heard: Option<Instant>,
    /// When it was asked in vain for the first time since, and the last.
    silent: Option<Instant>,
    failed: Option<Instant>,
}

impl Vital {
    pub(super) fn new() -> Self {
        Self { known: Lock::default(), turn: Mutex::new(()) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has come from it.
    pub(super) fn heard(&self) {
        *self.known() = Known { heard: Some(Instant::now()), silent: None, failed: None };
    }

    /// It was asked in vain.
    pub(super) fn failed(&self) {
        let (mut known, now) = (self.known(), Instant::now());
        known.silent.get_or_insert(now);
        known.failed = Some(now);
    }

    pub(super) fn failed_within(&self, time: Duration) -> bool {
        self.known().failed.is_some_and(|failed| failed.elapsed() < time)
    }

    fn was_heard_within(&self, time: Duration) -> bool {
        self.known().heard.is_some_and(|heard| heard.elapsed() < time)
    }

    /// Whether it has been silent for so long.
    fn is_silent_for(&self, time: Duration) -> bool {
        self.known().silent.is_some_and(|silent| silent.elapsed() >= time)
    }

    /// Comes back when it was silent for so long, though it was asked.
    pub(super) async fn silence<F: Future<Output = bool>>(&self, borne: Duration, ask: impl Fn() -> F) {
        loop {
            tokio::time::sleep(LOOK).await;
            if !self.was_heard_within(FRESH) && !self.lives(&ask).await && self.is_silent_for(borne) {
                return;
            }
        }
    }

    async fn lives<F: Future<Output = bool>>(&self, ask: impl Fn() -> F) -> bool {
        let came = Instant::now();
        let _turn = self.turn.lock().await;
        // Somebody else has asked meanwhile, or something came.
        if self.was_heard_within(FRESH) {
            return true;
        }
        if self.failed_within(came.elapsed()) {
            return false;
        }
        let lives = ask().await;
        if lives {
            self.heard()
        } else {
            self.failed()
        }
        lives
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn many_who_wait_ask_once_and_who_bears_it_waits_longer() {
        let (vital, asked) = (Vital::new(), AtomicUsize::new(0));
        let ask = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            false
        };
        let began = Instant::now();
        tokio::join!(
            vital.silence(Duration::ZERO, ask),
            vital.silence(Duration::ZERO, ask),
            vital.silence(Duration::ZERO, ask)
        );
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let borne = Duration::from_millis(700);
        vital.silence(borne, ask).await;
        assert!(began.elapsed() >= LOOK + borne && asked.load(Ordering::Relaxed) > 2);
        vital.heard();
        assert!(!vital.failed_within(Duration::from_secs(60)) && !vital.is_silent_for(Duration::ZERO));
    }
}
