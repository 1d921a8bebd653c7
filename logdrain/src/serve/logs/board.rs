//! What there is to see of the lines that are kept, for `/metrics` and the pages.

use log_store::Reader;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

/// The books of what came from the journal:
///
/// ```text
/// events = kept + no_room
/// kept   = there + expired + removed + damaged
/// ```
///
/// They are part of the durable state, and so are right over restarts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Books {
    pub(crate) events: u64,
    pub(crate) kept: u64,
    /// Events that were not kept, because there was no room for them.
    pub(crate) no_room: u64,
    /// Of those kept: frames that were refused, and stretches without frames.
    pub(crate) unread: u64,
    /// Bodies that held more than was counted when they came.
    pub(crate) unexpected: u64,
    /// Deliveries of the journal that could not be read again.
    pub(crate) damaged_deliveries: u64,
}

/// Events that were kept and are there no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Gone {
    /// Older than `logs_retention`.
    pub(crate) expired: u64,
    /// Taken for room, the oldest first.
    pub(crate) removed: u64,
}

/// One look at the store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) books: Books,
    pub(crate) gone: Gone,
    /// Events that are there now, in files and in memory.
    pub(crate) there: u64,
    /// Bytes of files.
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    /// Files that cannot be opened.
    pub(crate) damaged_files: u64,
    /// The last event of the journal that is in.
    pub(crate) position: u64,
    /// What the journal keeps for it: up to here it may give back.
    pub(crate) safe: u64,
    /// Why nothing can be kept now.
    pub(crate) trouble: Option<String>,
}

/// Put up by the thread that keeps lines, read by others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    on_it: Arc<Mutex<OnIt>>,
}

#[derive(Debug, Default)]
struct OnIt {
    shown: Shown,
    /// There when the store is open.
    reader: Option<Reader>,
    /// Accounts that the configuration names, and the one that is always there.
    named: Vec<String>,
}

impl Board {
    pub(crate) fn show(&self, shown: Shown) {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).shown = shown;
    }

    pub(crate) fn open(&self, reader: Reader) {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).reader = Some(reader);
    }

    pub(super) fn name(&self, accounts: Vec<String>) {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).named = accounts;
    }

    pub(crate) fn shown(&self) -> Shown {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).shown.clone()
    }

    /// What searches and tails read from; `None` while lines are not kept, or their store cannot be opened.
    pub(crate) fn reader(&self) -> Option<Reader> {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).reader.clone()
    }

    /// The accounts that there are, sorted: those of the configuration, and those that have lines.
    pub(crate) fn accounts(&self) -> Vec<String> {
        let mut accounts = self.on_it.lock().unwrap_or_else(PoisonError::into_inner).named.clone();
        let there = self.reader().and_then(|reader| reader.accounts().ok()).unwrap_or_default();
        accounts.extend(there.iter().map(|account| account.name().to_owned()));
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }
}
