//! Where counting stands that gives minutes, as whoever counts says it: of one journal, or of a partition.

use super::open::OpenRows;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is said of one of them.
#[derive(Default, Debug)]
pub(super) struct Standing {
    /// What time it is by the journal, in microseconds.
    pub(super) time: Arc<AtomicI64>,
    /// Before this time windows are closed, in microseconds.
    pub(super) closed: AtomicI64,
    open: Mutex<Arc<OpenRows>>,
}

impl Standing {
    pub(super) fn moved(&self, time: i64, closed: i64) {
        self.closed.fetch_max(closed, Ordering::AcqRel);
        self.time.fetch_max(time, Ordering::AcqRel);
    }

    pub(super) fn show(&self, rows: OpenRows) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rows);
    }

    pub(super) fn open(&self) -> Arc<OpenRows> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
