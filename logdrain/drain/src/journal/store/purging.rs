//! What purges left to do, done some at a time by the one who writes.

use super::Store;
use crate::event::{Entry, Event};
use crate::journal::endings::Endings;
use crate::journal::failure::{StoreError, is_damage};
use crate::journal::purges::{Erase, Purges};
use crate::journal::purging::{self, Rewrites};
use crate::journal::row::{Columns, find, insert, signed, unsigned};
use crate::journal::schema::SCHEMA;
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;

/// Unused pages that are given back at a time.
const PAGES: u32 = 256;

impl Store {
    /// Does some of what purges left to do, as far as everybody has what is up to `behind`. Says whether there is more to do
    /// at once.
    pub(super) fn purge_part(&mut self, behind: u64, erase: &Erase, endings: &Endings) -> Result<bool, StoreError> {
        let purges = &self.ledger.purges;
        let Some(due) = purging::due(purges, behind, endings) else { return self.clean() };
        let step = self.db.transaction()?;
        let mut next = purging::some(purges, due, self.ledger.settings.as_deref(), &mut Step(&step), erase, endings)?;
        // What waits for others has erased here all that it found.
        let open = |purges: &Purges| purges.pending.iter().filter(|pending| pending.done < pending.seq).count();
        next.is_dirty |= next.pending.len() < purges.pending.len() || open(&next) < open(purges);
        next.write(&step)?;
        step.commit()?;
        self.ledger.purges = next;
        Ok(true)
    }

    /// Gives back pages that are not used, and folds the write-ahead file in.
    fn clean(&mut self) -> Result<bool, StoreError> {
        if !self.ledger.purges.is_dirty {
            return Ok(false);
        }
        let free = |db: &Connection| db.pragma_query_value::<i64, _>(None, "freelist_count", |row| row.get(0));
        let before = free(&self.db)?;
        if before > 0 {
            let mut step = self.db.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
            let mut rows = step.query([])?;
            while rows.next()?.is_some() {}
            drop(rows);
            drop(step);
            if free(&self.db)? < before {
                return Ok(true);
            }
            tracing::warn!("unused pages of the journal cannot be given back: what was purged may be found in them");
        }
        // Somebody's long look keeps it from being folded in: then it is tried again later.
        let is_busy: i64 = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if is_busy != 0 {
            return Ok(false);
        }
        let next = Purges { is_dirty: false, ..self.ledger.purges.clone() };
        next.write(&self.db)?;
        self.ledger.purges = next;
        tracing::info!("what was purged is gone from the journal, too");
        Ok(false)
    }

    /// Removes journals that were set aside before a purge of more than a day ago.
    pub(super) fn remove_aside(&mut self, dir: &Path, now: Timestamp) -> Result<(), StoreError> {
        let Some(next) = purging::remove_aside(&self.ledger.purges, dir, now) else { return Ok(()) };
        next.write(&self.db)?;
        self.ledger.purges = next;
        Ok(())
    }
}

/// A transaction.
struct Step<'a>(&'a Connection);

impl Rewrites for Step<'_> {
    fn read(&mut self, seq: u64) -> Result<Option<Entry>, StoreError> {
        read(self.0, seq)
    }

    fn next_to_look_at(&mut self, behind: u64, before: u64) -> Result<Option<u64>, StoreError> {
        next_to_look_at(self.0, behind, before)
    }

    fn replace(&mut self, seq: u64, event: &Event) -> Result<(), StoreError> {
        replace(self.0, seq, event)
    }
}

/// The next delivery, or change of settings.
fn next_to_look_at(step: &Connection, behind: u64, before: u64) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT seq FROM journal WHERE seq > ?1 AND seq < ?2 AND kind IN (0, 5) ORDER BY seq LIMIT 1";
    let next: Option<i64> =
        step.prepare_cached(sql)?.query_row([signed(behind), signed(before)], |row| row.get(0)).optional()?;
    Ok(next.map(unsigned))
}

/// An event that is there and sound.
fn read(step: &Connection, seq: u64) -> Result<Option<Entry>, StoreError> {
    let columns = |row: &rusqlite::Row<'_>| Ok(Columns::of(row).and_then(|columns| columns.entry(seq)));
    match step.prepare_cached(find(SCHEMA))?.query_row([signed(seq)], columns).optional() {
        Ok(found) => Ok(found.and_then(Result::ok)),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn replace(step: &Connection, seq: u64, event: &Event) -> Result<(), StoreError> {
    step.prepare_cached("DELETE FROM journal WHERE seq = ?1")?.execute([signed(seq)])?;
    insert(step, seq, event)
}
