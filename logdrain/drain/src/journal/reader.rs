//! Reads the journal beside the connection that writes it.

use super::failure::StoreError;
use super::meta::Meta;
use super::row::{self, Columns, signed, unsigned};
use super::seam::{Events, Step};
use super::store::path;
use crate::event::Entry;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::path::Path;
use std::time::Duration;

/// Reads the journal beside the connection that writes it.
#[derive(Debug)]
pub struct JournalReader {
    db: Connection,
    /// What reads a row of a file of its schema.
    find: &'static str,
}

impl JournalReader {
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path(dir), flags)?;
        db.busy_timeout(Duration::from_secs(2))?;
        let schema: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(Self { db, find: row::find(schema) })
    }

    /// Where the journal says that it stands, and what is wrong with that.
    pub fn standing(&self) -> Result<(u64, u64, Vec<String>), StoreError> {
        let meta = Meta::read(&self.db)?;
        let faults = meta.faults(&self.db)?;
        Ok((meta.position.unwrap_or(0), meta.emitted.unwrap_or(0), faults))
    }

    /// What SQLite's own check finds wrong; nothing when all is well.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut check = self.db.prepare("PRAGMA integrity_check(20)")?;
        let found = check.query_map([], |row| row.get::<_, String>(0))?;
        let found: Vec<String> = found.collect::<Result<_, _>>()?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// Whose file it is.
    pub fn application(&self) -> Result<i32, StoreError> {
        Ok(self.db.pragma_query_value(None, "application_id", |row| row.get(0))?)
    }

    /// The layout of the file.
    pub fn schema(&self) -> Result<i32, StoreError> {
        Ok(self.db.pragma_query_value(None, "user_version", |row| row.get(0))?)
    }

    /// What a statement finds by a number.
    fn number(&self, sql: &str, seq: u64) -> Result<Option<u64>, StoreError> {
        let found: Option<i64> = self.db.prepare_cached(sql)?.query_row([signed(seq)], |row| row.get(0)).optional()?;
        Ok(found.map(unsigned))
    }

    fn look_up(&self, seq: u64) -> Result<Option<Result<Entry, String>>, StoreError> {
        let mut find = self.db.prepare_cached(self.find)?;
        let mut rows = find.query([signed(seq)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Columns::of(row).and_then(|columns| columns.entry(seq))))
    }
}

impl Events for JournalReader {
    fn read(&self, seq: u64) -> Result<Step, StoreError> {
        match self.look_up(seq) {
            Ok(Some(Ok(entry))) => Ok(Step::Event(entry)),
            Ok(Some(Err(why))) => Ok(Step::Damaged { seq, why }),
            Ok(None) => Ok(Step::Missing),
            Err(error) if error.is_damage() => Ok(Step::Damaged { seq, why: error.to_string() }),
            Err(error) => Err(error),
        }
    }

    fn next_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        self.number("SELECT seq FROM journal WHERE seq > ?1 ORDER BY seq LIMIT 1", seq)
    }

    fn next_time_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        self.number("SELECT seq FROM journal WHERE seq > ?1 AND kind IN (1, 3) ORDER BY seq LIMIT 1", seq)
    }

    fn last_time_before(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        self.number("SELECT seq FROM journal WHERE seq < ?1 AND kind IN (1, 3) ORDER BY seq DESC LIMIT 1", seq)
    }
}
