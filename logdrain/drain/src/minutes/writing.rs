//! What is written to, with the numbers of names that are known of it.

use super::tables::{Named, OfAccount, TableError, Tables};
use heroku_metrics::model::Timestamp;
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};

/// Numbers of names that are remembered at a time.
const KNOWN: usize = 100_000;

/// Where minutes are written, and what is known of it.
pub(super) struct Open<T: Tables = Connection> {
    pub(super) db: T,
    numbers: HashMap<(Named, OfAccount), i64>,
    /// The hour before which all was put together, and when, in milliseconds.
    pub(super) swept: Option<(i64, i64)>,
    /// Where the newest window begins of those that were written last, in milliseconds.
    pub(super) newest: Option<i64>,
    /// The hour in which it was said that there is no room.
    pub(super) said: Option<i64>,
}

impl<T: Tables> Open<T> {
    pub(super) fn new(db: T) -> Self {
        Self { db, numbers: HashMap::new(), swept: None, newest: None, said: None }
    }

    /// Rows of names may have gone, or were never written.
    pub(super) fn forget_numbers(&mut self) {
        self.numbers.clear();
    }

    /// The numbers of metrics or drains of accounts.
    pub(super) fn numbers(&mut self, of: Named, all: &[OfAccount]) -> Result<Vec<i64>, TableError> {
        if self.numbers.len() + all.len() > KNOWN {
            self.numbers.clear();
        }
        let keys: Vec<(Named, OfAccount)> = all.iter().map(|one| (of, one.clone())).collect();
        let mut asked = HashSet::new();
        let unknown = keys.iter().filter(|key| !self.numbers.contains_key(*key) && asked.insert(*key));
        let unknown: Vec<OfAccount> = unknown.map(|(_, one)| one.clone()).collect();
        if !unknown.is_empty() {
            let found = self.db.number(of, &unknown)?;
            self.numbers.extend(unknown.into_iter().map(|one| (of, one)).zip(found));
        }
        let missing = || TableError::Foreign("a name has no number".to_owned());
        keys.iter().map(|key| self.numbers.get(key).copied().ok_or_else(missing)).collect()
    }
}

/// A time in milliseconds.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_micros(millis.saturating_mul(1_000))
}
