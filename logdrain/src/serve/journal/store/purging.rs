//! What purges left to do, done some at a time by the one who writes.

use super::Store;
use crate::serve::event::{Body, Entry, Event};
use crate::serve::journal::endings::{Ending, Endings};
use crate::serve::journal::failure::{StoreError, is_damage};
use crate::serve::journal::purges::{Erase, Purges};
use crate::serve::journal::row::{Columns, find, insert, signed, unsigned};
use crate::serve::journal::schema::SCHEMA;
use crate::serve::settings::change::Change;
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Bytes of bodies that are looked through at a time: answers wait for that long.
const AT_ONCE: usize = 1 << 20;
/// Unused pages that are given back at a time.
const PAGES: u32 = 256;
/// What was set aside stays for so long.
const ASIDE: Duration = Duration::from_secs(86_400);

impl Store {
    /// Accounts that are destroyed, and of which there may be something left beside the journal.
    pub(crate) fn endings(&self) -> Vec<Ending> {
        self.purges.endings().collect()
    }

    /// Does some of what purges left to do, as far as everybody has what is up to `behind`. Says whether there is more to do
    /// at once.
    ///
    /// An account that is destroyed is done with when it has no `endings` any more.
    pub(crate) fn purge_some(&mut self, behind: u64, erase: &Erase, endings: &Endings) -> Result<bool, StoreError> {
        let Some(pending) = self.purges.pending.first().cloned() else { return self.clean() };
        if pending.seq > behind || (pending.done >= pending.seq && endings.is_waiting(pending.seq)) {
            return Ok(false);
        }
        let mut next = self.purges.clone();
        let settings = self.settings.clone();
        let step = self.db.transaction()?;
        let change = match read(&step, pending.seq)? {
            Some(Entry { event: Event::Change { change, id }, .. }) => Some((change, id)),
            _ => None,
        };
        let removal = change.as_ref().and_then(|(change, id)| {
            let (account, purge) = change.removal()?;
            (!purge.is_done).then(|| (account.to_owned(), purge.into_owned(), change.at(), *id))
        });
        // Without it all that was before it is given back, too.
        let mut done = if removal.is_none() { pending.seq } else { pending.done };
        if let (Some((account, purge, at, id)), Some(settings)) = (removal, settings) {
            let mut bytes = 0;
            while done < pending.seq && bytes < AT_ONCE {
                let Some(seq) = next_delivery(&step, done, pending.seq)? else {
                    done = pending.seq;
                    break;
                };
                done = seq;
                // What is damaged cannot be told, and is nothing that anybody reads.
                let Some(Entry { event: Event::Delivery(mut record), .. }) = read(&step, seq)? else { continue };
                bytes += record.body.bytes().len().max(1 << 10);
                if let Some(body) = (erase.0)(&settings, &account, &purge, &record) {
                    record.body = Body::new(body, None);
                    record.body.pack(None);
                    replace(&step, seq, &Event::Delivery(record))?;
                }
            }
            // What a purge looked for is not kept either; whoever destroys an account names it alone.
            if done >= pending.seq && !purge.is_all {
                let change = Box::new(Change::Purge { account, purge: purge.done(), at });
                replace(&step, pending.seq, &Event::Change { change, id })?;
            }
        }
        if done >= pending.seq && !endings.is_waiting(pending.seq) {
            next.pending.remove(0);
            next.is_dirty = true;
        } else if let Some(first) = next.pending.first_mut() {
            first.done = done;
        }
        next.write(&step)?;
        step.commit()?;
        self.purges = next;
        Ok(true)
    }

    /// Gives back pages that are not used, and folds the write-ahead file in.
    fn clean(&mut self) -> Result<bool, StoreError> {
        if !self.purges.is_dirty {
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
        let next = Purges { is_dirty: false, ..self.purges.clone() };
        next.write(&self.db)?;
        self.purges = next;
        tracing::info!("what was purged is gone from the journal, too");
        Ok(false)
    }

    /// Removes journals that were set aside before a purge of more than a day ago.
    pub(crate) fn purge_aside(&mut self, dir: &Path, now: Timestamp) -> Result<(), StoreError> {
        let before = now.earlier(ASIDE).unix_micros();
        if self.purges.aside.first().is_none_or(|at| *at > before) {
            return Ok(());
        }
        for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("journal.damaged-")
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::warn!(path = %path.display(), %error, "a journal that was set aside before a purge cannot be removed");
                return Ok(());
            }
        }
        let mut next = self.purges.clone();
        next.aside.retain(|at| *at > before);
        next.write(&self.db)?;
        self.purges = next;
        Ok(())
    }
}

fn next_delivery(step: &Connection, behind: u64, before: u64) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT seq FROM journal WHERE seq > ?1 AND seq < ?2 AND kind = 0 ORDER BY seq LIMIT 1";
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
