//! Accounts that are destroyed, and of which there may be something left beside the journal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An account that is destroyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// The event's number in the journal, and its time in microseconds since 1970.
    pub seq: u64,
    pub at: i64,
    pub account: String,
}

/// All of them. The journal remembers them on the disk until they are over.
#[derive(Clone, Debug, Default)]
pub struct Endings(Arc<Mutex<Vec<Waiting>>>);

#[derive(Debug)]
struct Waiting {
    ending: Ending,
    /// Nobody comes in any more.
    is_closed: bool,
    /// Nothing is made of it any more, since then.
    since: Option<Instant>,
    /// Nothing is left.
    is_over: bool,
}

impl Endings {
    pub fn begin(&self, ending: Ending) {
        let mut all = self.all();
        if all.iter().all(|waiting| waiting.ending.seq != ending.seq) {
            all.push(Waiting { ending, is_closed: false, since: None, is_over: false });
        }
    }

    /// These are what the journal has to do, whoever wrote them down: those that are new begin, and what it has done with is
    /// forgotten.
    #[cfg(feature = "postgres")]
    pub(super) fn follow(&self, all: impl Iterator<Item = Ending>) {
        let all: Vec<_> = all.collect();
        self.all().retain(|waiting| !waiting.is_over || all.iter().any(|ending| ending.seq == waiting.ending.seq));
        all.into_iter().for_each(|ending| self.begin(ending));
    }

    pub fn waiting(&self) -> Vec<Ending> {
        self.all().iter().filter(|waiting| !waiting.is_over).map(|waiting| waiting.ending.clone()).collect()
    }

    /// Whether something is left of the account that an event destroyed.
    pub fn is_waiting(&self, seq: u64) -> bool {
        self.all().iter().any(|waiting| waiting.ending.seq == seq && !waiting.is_over)
    }

    /// Whether nobody comes in any more by what that account had.
    pub fn is_closed(&self, seq: u64) -> bool {
        self.all().iter().all(|waiting| waiting.ending.seq != seq || waiting.is_closed)
    }

    pub fn close(&self, seq: u64) {
        self.all().iter_mut().filter(|waiting| waiting.ending.seq == seq).for_each(|waiting| waiting.is_closed = true);
    }

    /// Nothing is made of it any more; whether that is so for so long already.
    pub fn settled(&self, seq: u64, long: Duration) -> bool {
        let mut all = self.all();
        let found = all.iter_mut().find(|waiting| waiting.ending.seq == seq);
        found.is_some_and(|waiting| waiting.since.get_or_insert_with(Instant::now).elapsed() >= long)
    }

    /// Nothing is left.
    pub fn end(&self, seq: u64) {
        self.all().iter_mut().filter(|waiting| waiting.ending.seq == seq).for_each(|waiting| waiting.is_over = true);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
