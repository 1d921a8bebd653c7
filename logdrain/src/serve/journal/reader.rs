//! Reads the journal beside the connection that writes it.

use super::failure::{StoreError, is_damage};
use super::meta::Meta;
use super::row::{self, Columns, signed, unsigned};
use super::store::path;
use crate::serve::event::Entry;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::path::Path;
use std::time::Duration;

/// Reads the journal beside the connection that writes it.
#[derive(Debug)]
pub(crate) struct JournalReader {
    pub(super) db: Connection,
    /// What reads a row of a file of its schema.
    find: &'static str,
}

/// A step of reading.
#[derive(Debug)]
pub(crate) enum Step {
    Event(Entry),
    /// It is there, but not as it was written.
    Damaged {
        seq: u64,
        why: String,
    },
    Missing,
}

impl JournalReader {
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path(dir), flags)?;
        db.busy_timeout(Duration::from_secs(2))?;
        let schema: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(Self { db, find: row::find(schema) })
    }

    /// The number of the first event behind this one that is kept.
    pub(crate) fn next_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        let mut next = self.db.prepare_cached("SELECT seq FROM journal WHERE seq > ?1 ORDER BY seq LIMIT 1")?;
        let next: Option<i64> = next.query_row([signed(seq)], |row| row.get(0)).optional()?;
        Ok(next.map(unsigned))
    }

    /// Where the journal says that it stands, and what is wrong with that.
    pub(crate) fn standing(&self) -> Result<(u64, u64, Vec<String>), StoreError> {
        let meta = Meta::read(&self.db)?;
        let faults = meta.faults(&self.db)?;
        Ok((meta.position.unwrap_or(0), meta.emitted.unwrap_or(0), faults))
    }

    /// What SQLite's own check finds wrong; nothing when all is well.
    pub(crate) fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut check = self.db.prepare("PRAGMA integrity_check(20)")?;
        let found = check.query_map([], |row| row.get::<_, String>(0))?;
        let found: Vec<String> = found.collect::<Result<_, _>>()?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// Whose file it is.
    pub(crate) fn application(&self) -> Result<i32, StoreError> {
        Ok(self.db.pragma_query_value(None, "application_id", |row| row.get(0))?)
    }

    /// The layout of the file.
    pub(crate) fn schema(&self) -> Result<i32, StoreError> {
        Ok(self.db.pragma_query_value(None, "user_version", |row| row.get(0))?)
    }

    /// What stands under a number. Numbers are looked up one by one, so that damage costs one event.
    pub(crate) fn read(&self, seq: u64) -> Result<Step, StoreError> {
        match self.look_up(seq) {
            Ok(Some(Ok(entry))) => Ok(Step::Event(entry)),
            Ok(Some(Err(why))) => Ok(Step::Damaged { seq, why }),
            Ok(None) => Ok(Step::Missing),
            Err(StoreError::Sqlite(error)) if is_damage(&error) => Ok(Step::Damaged { seq, why: error.to_string() }),
            Err(error) => Err(error),
        }
    }

    fn look_up(&self, seq: u64) -> Result<Option<Result<Entry, String>>, StoreError> {
        let mut find = self.db.prepare_cached(self.find)?;
        let mut rows = find.query([signed(seq)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Columns::of(row).and_then(|columns| columns.entry(seq))))
    }
}
