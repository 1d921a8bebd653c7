//! The file as it is written: one connection, steps that are done as a whole or not at all, and the numbers of names.

use super::file::{self, FileError, Named};
use heroku_metrics::model::Timestamp;
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::Arc;

/// Numbers of names that are remembered at a time.
const KNOWN: usize = 100_000;

/// The file, and what is known of it.
pub(super) struct Open {
    pub(super) db: Connection,
    numbers: HashMap<(Named, Arc<str>, Arc<str>), i64>,
    /// The hour before which all was put together, and when, in milliseconds.
    pub(super) swept: Option<(i64, i64)>,
    /// Where the newest window begins of those that were written last, in milliseconds.
    pub(super) newest: Option<i64>,
    /// The hour in which it was said that there is no room.
    pub(super) said: Option<i64>,
}

impl Open {
    pub(super) fn new(db: Connection) -> Self {
        Self { db, numbers: HashMap::new(), swept: None, newest: None, said: None }
    }

    /// Rows of names may have gone, or were never written.
    pub(super) fn forget_numbers(&mut self) {
        self.numbers.clear();
    }

    pub(super) fn number(&mut self, of: Named, account: &Arc<str>, name: &str) -> Result<i64, FileError> {
        let key = (of, account.clone(), name.into());
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        if self.numbers.len() >= KNOWN {
            self.numbers.clear();
        }
        let number = file::number(&self.db, of, account, name)?;
        self.numbers.insert(key, number);
        Ok(number)
    }

    pub(super) fn end(&self, is_well: bool) -> Result<(), FileError> {
        match is_well {
            true => self.db.execute_batch("COMMIT").map_err(|error| {
                let _ = self.db.execute_batch("ROLLBACK");
                error.into()
            }),
            false => {
                let _ = self.db.execute_batch("ROLLBACK");
                Ok(())
            }
        }
    }
}

/// A time in milliseconds.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_micros(millis.saturating_mul(1_000))
}
