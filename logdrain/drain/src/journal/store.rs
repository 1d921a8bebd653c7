//! The journal on disk: one SQLite file.
//!
//! ```text
//! journal  seq, kind, at, drain, msg_count, body, crc    every event, deliveries with their bytes,
//!          peer, layout, events, base, raw               who sent them, and the ids of their events
//! ids      id -> drain, seq                              what was taken already, the last of each drain
//! drains   drain -> key, since                           whose pipelines there are
//! meta     position, emitted, last_id, settings          where the journal stands; in each transaction
//! accounts name -> value                                 what accounts have said, beside the settings in meta
//! ```
//!
//! A transaction holds the deliveries of a group commit, their ids and the position: all of it is there or nothing.

mod partition;
mod purging;

use super::accounts;
use super::failure::StoreError;
use super::files::Files;
use super::head;
use super::ledger::{Ledger, text_of};
use super::meta::{self, Meta};
use super::places::Places;
use super::renewal;
use super::row::{Columns, find, insert, signed, unsigned};
use super::schema::{APPLICATION, MIGRATIONS, SCHEMA};
use super::seam::{Old, Partition as _};
use crate::event::{DeliveryKey, Entry, Event};
use crate::parts::Part;
use crate::run::Runs;
use crate::settings::Settings;
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The ids that are kept of each drain. A retry comes before any newer batch of its sender.
const IDS_KEPT: u32 = 4_096;

/// How long another connection is waited for.
const BUSY: Duration = Duration::from_secs(2);
/// Bytes in the write-ahead file at which it is folded in.
const FOLDED_AT: i64 = 16 << 20;
/// A journal may always have so many bytes.
const LEAST: i64 = 256 << 10;
/// The length of the write-ahead file that is kept after it was folded in.
const WAL_USUAL: i64 = 64 << 20;
/// Of a limit, one part in so many is for the write-ahead file.
const WAL_SHARE: u64 = 4;
/// Without a limit, what is longer than this is told.
const WAL_TOLD: u64 = 512 << 20;

/// The connection that writes.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    ledger: Ledger,
    files: Files,
    /// The most bytes of the write-ahead file.
    wal_limit: Option<u64>,
    /// When it was last tried to make that file short.
    folded: Option<Instant>,
}

pub fn path(dir: &Path) -> PathBuf {
    dir.join("journal.db")
}

/// What stands in a folder whose journal is in a database, and in no file: which one that is.
pub fn elsewhere(dir: &Path) -> PathBuf {
    dir.join("journal.postgres")
}

impl Store {
    /// Opens the journal of a folder, makes it when there is none, and brings an older one up to date.
    /// With a limit, its file grows no larger than so many bytes.
    pub fn open(dir: &Path, max_drains: usize, limit: Option<usize>) -> Result<Self, StoreError> {
        Self::open_part(Part::WHOLE, dir, max_drains, limit)
    }

    /// Opens the journal of a partition. One that was made as another partition, or among more of them or fewer, is refused:
    /// its drains are others.
    pub fn open_part(part: Part, dir: &Path, max_drains: usize, limit: Option<usize>) -> Result<Self, StoreError> {
        let file = path(dir);
        head::check(&file)?;
        let mut db = Connection::open(&file)?;
        db.busy_timeout(BUSY)?;
        let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let schema: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if (application, schema) == (0, 0) {
            let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables != 0 {
                return Err(StoreError::NotOurs(file));
            }
            db.pragma_update(None, "page_size", super::carve::OURS as i64)?;
            // Pages that are given back can be given to the system.
            db.pragma_update(None, "auto_vacuum", 2)?;
        } else if application != APPLICATION {
            return Err(StoreError::NotOurs(file));
        } else if schema < 1 {
            return Err(StoreError::Broken(format!("it is said to be of schema {schema}")));
        }
        if schema > SCHEMA {
            return Err(StoreError::Newer { file, schema });
        }
        let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::NoWal(mode));
        }
        // What is given back of a page is written over, as far as that page is written anyway.
        let _: i64 = db.pragma_update_and_check(None, "secure_delete", "fast", |row| row.get(0))?;
        // Every commit is on the disk before it is answered.
        db.pragma_update(None, "synchronous", "full")?;
        let page = db.pragma_query_value::<i64, _>(None, "page_size", |row| row.get(0))?.max(1);
        db.pragma_update(None, "wal_autocheckpoint", FOLDED_AT / page)?;
        let wal_limit = limit.map_or(WAL_USUAL, |limit| WAL_USUAL.min(limit as i64 / WAL_SHARE as i64));
        db.pragma_update(None, "journal_size_limit", wal_limit)?;
        if schema < SCHEMA {
            let step = db.transaction()?;
            for migration in &MIGRATIONS[usize::try_from(schema).unwrap_or(0)..] {
                step.execute_batch(migration)?;
            }
            step.pragma_update(None, "application_id", APPLICATION)?;
            step.pragma_update(None, "user_version", SCHEMA)?;
            step.commit()?;
        }
        if let Some(limit) = limit {
            // Main file and write-ahead file together stay within the limit.
            let main = limit - limit / WAL_SHARE as usize;
            let pages = i64::try_from(main).unwrap_or(i64::MAX) / page;
            let often = (wal_limit / 2).clamp(FOLDED_AT / 64, FOLDED_AT) / page;
            db.pragma_update(None, "wal_autocheckpoint", often)?;
            let _: i64 =
                db.pragma_update_and_check(None, "max_page_count", pages.max(LEAST / page), |row| row.get(0))?;
        }
        let mut store = Self {
            db,
            ledger: Ledger::new(part, max_drains),
            files: Files::of(&file),
            wal_limit: limit.map(|limit| limit as u64 / WAL_SHARE),
            folded: None,
        };
        // What the log holds goes into the file, which is then as long as its head says, unless it was cut off.
        store.settle()?;
        store.files = Files::of(&file);
        let count = |pragma| store.db.pragma_query_value::<u64, _>(None, pragma, |row| row.get(0).map(unsigned));
        let said = count("page_count")? * count("page_size")?;
        if fs::metadata(&file).is_ok_and(|meta| meta.len() < said) {
            return Err(StoreError::CutOff(file));
        }
        store.recall()?;
        store.renew()?;
        Ok(store)
    }

    /// Where the journal stands follows from what it holds, and rows that come twice have the same id.
    fn put_right(&mut self, faults: &[String], given: Runs) -> Result<(), StoreError> {
        let last = meta::last_number(&self.db)?;
        if last > meta::LAST_NUMBER || (last > self.ledger.position && !self.is_sound(last)?) {
            return Err(StoreError::Broken(format!(
                "event {last} is not what it was, and its number may not be either"
            )));
        }
        self.ledger.position = last.max(meta::last_of_ids(&self.db)?.min(meta::LAST_NUMBER));
        // Damaged text is no settings; the configuration's are entered anew then.
        if self.ledger.settings.is_none() {
            self.ledger.text = None;
        }
        // What the record says may be made up, and what deliveries say has a checksum each.
        self.ledger.runs = given.passed(self.last_id()?);
        self.db.execute("DELETE FROM meta WHERE key = 'part'", [])?;
        Meta::write(&self.db, &self.ledger.stands(0))?;
        tracing::error!(
            faults = %faults.join("; "), position = self.ledger.position,
            "the journal's record of where it stands was damaged, and follows from its events now; rows may come twice"
        );
        Ok(())
    }

    fn is_sound(&self, seq: u64) -> Result<bool, StoreError> {
        let sound = |row: &rusqlite::Row<'_>| Ok(Columns::of(row).and_then(|columns| columns.entry(seq)).is_ok());
        Ok(self.db.query_row(find(SCHEMA), [signed(seq)], sound)?)
    }

    /// The last id that a sound delivery has.
    fn last_id(&self) -> Result<u64, StoreError> {
        // With more of them damaged there is little left to go behind.
        let sql = "SELECT seq FROM journal WHERE base > 0 ORDER BY base DESC LIMIT 64";
        let mut highest = self.db.prepare(sql)?;
        let highest: Vec<i64> = highest.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for seq in highest.into_iter().map(unsigned) {
            let read = |row: &rusqlite::Row<'_>| Ok(Columns::of(row).and_then(|columns| columns.entry(seq)));
            if let Ok(Entry { event: Event::Delivery(record), .. }) =
                self.db.query_row(find(SCHEMA), [signed(seq)], read)?
            {
                return Ok(record.run.last());
            }
        }
        Ok(0)
    }

    /// Brings deliveries of an older program up to date: their events get ids, once, in the order of the journal.
    fn renew(&mut self) -> Result<(), StoreError> {
        let (position, emitted) = (self.ledger.position, self.emitted()?);
        let standing = renewal::Standing {
            part: self.ledger.part,
            position,
            emitted,
            settings: self.ledger.text.as_deref(),
            accounts: self.ledger.accounts.sum(),
        };
        renewal::run(&mut self.db, &mut self.ledger.runs, &standing)
    }

    /// When the last delivery of a drain came that is kept.
    pub fn last_delivery(&self, drain: &str) -> Result<Option<Timestamp>, StoreError> {
        let last: Option<i64> =
            self.db
                .query_row("SELECT max(at) FROM journal WHERE drain = ?1 AND kind = 0", [drain], |row| row.get(0))?;
        Ok(last.map(Timestamp::from_unix_micros))
    }

    fn ended(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = 'ended'";
        Ok(self.db.query_row(sql, [], |row| row.get(0)).optional()?)
    }

    /// Enters an event of another journal under its own number. Nothing is durable before
    /// [`finish_taking_over`](Self::finish_taking_over).
    pub fn take_over(&mut self, mut entry: Entry) -> Result<(), StoreError> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN")?;
        }
        // Events come in any order here: what follows from others than deliveries comes when all are there.
        if let Event::Delivery(record) = &mut entry.event {
            if record.layout.has_place() {
                self.drain_of(&record.drain, record.received)?;
            }
            self.ledger.runs.pass(record.run.last());
            record.body.pack(None);
        }
        // The same one may have been found before, without its ids.
        self.db.prepare_cached("DELETE FROM journal WHERE seq = ?1")?.execute([signed(entry.seq)])?;
        insert(&self.db, entry.seq, &entry.event)?;
        self.ledger.position = self.ledger.position.max(entry.seq);
        if entry.seq.is_multiple_of(1_000) {
            self.db.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// Enters the id of a delivery that another journal had taken.
    pub fn take_over_id(&mut self, key: DeliveryKey, drain: &str, seq: u64) -> Result<(), StoreError> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN")?;
        }
        self.ledger.position = self.ledger.position.max(seq);
        let drain = self.drain_of(&drain.into(), Timestamp::from_unix_micros(0))?;
        enter_id(&self.db, key, drain, seq).map(|_| ())
    }

    /// A drain had lost its place in the other journal, and sent nothing since.
    pub fn take_over_drop(&mut self, drain: &str, time: Timestamp) -> Result<(), StoreError> {
        self.ledger.drains.remove(drain);
        self.ledger.places.end(&drain.into(), time);
        drop_drain(&self.db, drain, &self.ledger.places)
    }

    /// With where the other journal stood, as far as that is known: no number is used twice.
    pub fn finish_taking_over(
        &mut self,
        position: u64,
        emitted: u64,
        last_id: u64,
        settings: Option<&Settings>,
    ) -> Result<(), StoreError> {
        self.ledger.position = self.ledger.position.max(position);
        self.ledger.runs.pass(last_id);
        if let Some(settings) = settings {
            let mut write = |name: &str, value: Option<(&str, u32)>| accounts::write(&self.db, name, value);
            if let Some(accounts) = self.ledger.accounts.change(&settings.accounts, &mut write)? {
                self.ledger.accounts = accounts;
            }
            self.ledger.know(Some(text_of(settings)?));
        }
        Meta::write(&self.db, &self.ledger.stands(emitted.min(self.ledger.position)))?;
        renewal::mark(&self.db)?;
        if !self.db.is_autocommit() {
            self.db.execute_batch("COMMIT")?;
        }
        self.renew()
    }

    fn drain_of(&mut self, key: &Arc<str>, since: Timestamp) -> Result<i64, StoreError> {
        if let Some(drain) = self.ledger.drains.get(key) {
            return Ok(*drain);
        }
        let drain = add_drain(&self.db, key, since)?;
        self.ledger.drains.insert(key.clone(), drain);
        Ok(drain)
    }

    /// Keeps the write-ahead file short. A reader that stays keeps it from being folded in.
    fn fold(&mut self) -> Result<(), StoreError> {
        let limit = self.wal_limit.unwrap_or(WAL_TOLD);
        if self.files.wal() <= limit {
            return Ok(());
        }
        if self.folded.is_none_or(|tried| tried.elapsed() > Duration::from_millis(500)) {
            self.folded = Some(Instant::now());
            self.db.busy_timeout(Duration::ZERO)?;
            let folded = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            self.db.busy_timeout(BUSY)?;
            if folded.is_ok_and(|busy| busy == 0) {
                return Ok(());
            }
            tracing::warn!(
                bytes = self.files.wal(),
                "the write-ahead file grows: somebody's long look at the store keeps it from being folded in"
            );
        }
        if self.wal_limit.is_some() && self.files.wal() > limit { Err(StoreError::LimitReached) } else { Ok(()) }
    }
}

fn give_back<'a>(step: &Connection, drains: impl Iterator<Item = &'a i64>, old: &mut Old) -> Result<(), StoreError> {
    let mut last = None;
    let mut oldest = step.prepare_cached("SELECT seq, at FROM journal ORDER BY seq LIMIT ?1")?;
    let mut oldest = oldest.query([signed(old.rows)])?;
    while let Some(row) = oldest.next()? {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if seq > signed(old.behind) || at > old.before.unix_micros() {
            break;
        }
        last = Some(seq);
    }
    if let Some(last) = last {
        old.given += step.prepare_cached("DELETE FROM journal WHERE seq <= ?1")?.execute([last])?;
    }
    if old.ids {
        let mut forget = step.prepare_cached(
            "DELETE FROM ids WHERE id IN (SELECT id FROM ids WHERE drain = ?1 AND seq <=
                (SELECT seq FROM ids WHERE drain = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2) LIMIT ?3)",
        )?;
        for drain in drains {
            old.given += forget.execute(params![drain, IDS_KEPT, signed(old.rows)])?;
        }
    }
    Ok(())
}

fn add_drain(step: &Connection, key: &str, since: Timestamp) -> Result<i64, StoreError> {
    step.prepare_cached("INSERT INTO drains (key, since) VALUES (?1, ?2)")?
        .execute(params![key, since.unix_micros()])?;
    Ok(step.last_insert_rowid())
}

/// Forgets a drain with its ids; whoever lost a place is written with it.
fn drop_drain(step: &Connection, key: &str, places: &Places) -> Result<(), StoreError> {
    step.execute("DELETE FROM ids WHERE drain IN (SELECT drain FROM drains WHERE key = ?1)", [key])?;
    step.execute("DELETE FROM drains WHERE key = ?1", [key])?;
    step.execute("INSERT OR REPLACE INTO meta VALUES ('ended', ?1)", [places.ended_text()?])?;
    Ok(())
}

/// `false` when it is there already.
fn enter_id(step: &Connection, key: DeliveryKey, drain: i64, seq: u64) -> Result<bool, StoreError> {
    let mut insert = step.prepare_cached("INSERT OR IGNORE INTO ids VALUES (?1, ?2, ?3)")?;
    Ok(insert.execute(params![key.0, drain, signed(seq)])? == 1)
}

#[cfg(test)]
mod tests;
