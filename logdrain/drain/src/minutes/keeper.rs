//! The thread that owns the file: writes what closed, has small pieces put together, and forgets what is too old.

use super::file::{self, FileError, HOUR, HOURS, MINUTES, QUARTERS};
use super::gather::{Batch, Queue};
use super::writing::Open;
use super::{Counts, Keeping};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two tries to write.
const AGAIN: Duration = Duration::from_secs(1);
const LOOK_AROUND: Duration = Duration::from_millis(250);
/// Pieces that one step deletes.
const SOME: i64 = 256;

#[derive(Debug)]
pub struct Keeper {
    pub(super) dir: PathBuf,
    pub(super) batches: Queue,
    pub(super) kept: Arc<AtomicU64>,
    pub(super) counts: Arc<Counts>,
    pub(super) stop: Arc<AtomicBool>,
    /// How long the minutes of each account are kept.
    pub(super) keeping: Keeping,
    pub(super) removals: Receiver<super::Removal>,
    pub(super) time: Arc<AtomicI64>,
    /// What the file may take.
    pub(super) most_bytes: u64,
    /// Files that were damaged and set aside.
    pub(super) aside: Arc<AtomicU64>,
}

/// The minutes are not written any more; what is owed comes again at the next start.
#[derive(Debug)]
pub(super) struct Stopped;

impl Keeper {
    pub fn run(self) {
        let Ok(mut open) = self.opened() else { return };
        let mut tidied: Option<Instant> = None;
        let mut written: Option<Instant> = None;
        loop {
            match self.batches.take(LOOK_AROUND, written) {
                Ok(batches) => {
                    if self.write(&mut open, &batches).is_err() {
                        return;
                    }
                    written = Some(Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Ok(removal) = self.removals.try_recv() {
                let removed = open.remove(&removal.account);
                let _ = removal.done.send(removed.map_err(|error| error.to_string()));
            }
            if tidied.is_none_or(|at| at.elapsed() > AGAIN) && !self.stop.load(Ordering::Acquire) {
                match self.tidy(&mut open) {
                    // There is more of it.
                    Ok(true) => tidied = None,
                    Ok(false) => tidied = Some(Instant::now()),
                    Err(error) => {
                        tidied = Some(Instant::now());
                        tracing::warn!(%error, "minutes could not be put together; they are kept as they are");
                        self.counts.failures.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
        let _ = open.db.execute_batch("PRAGMA wal_checkpoint(truncate)");
    }

    /// Opens the file, and tries again while the disk does not let it.
    pub(super) fn opened(&self) -> Result<Open, Stopped> {
        loop {
            let error = match file::open(&self.dir) {
                Ok(db) => return Ok(Open::new(db)),
                Err(error) => error,
            };
            self.failed();
            if error.is_damage() {
                self.set_aside(&error)?;
                continue;
            }
            tracing::error!(%error, "the file of the minutes cannot be opened; rows wait for it");
            self.wait()?;
        }
    }

    /// A file that cannot be read is kept for whoever wants to try, and a new one is begun: what comes is worth more.
    fn set_aside(&self, error: &FileError) -> Result<(), Stopped> {
        let second = self.time.load(Ordering::Acquire).div_euclid(1_000_000);
        match file::set_aside(&self.dir, second) {
            Ok(to) => {
                self.aside.fetch_add(1, Ordering::AcqRel);
                tracing::error!(%error, aside = %to.display(), "the file of the minutes is damaged and set aside; a new one begins now");
                Ok(())
            }
            Err(failed) => {
                tracing::error!(%error, %failed, "the file of the minutes is damaged");
                self.wait()
            }
        }
    }

    fn failed(&self) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        self.counts.is_failing.store(true, Ordering::Relaxed);
    }

    fn wait(&self) -> Result<(), Stopped> {
        if self.stop.load(Ordering::Acquire) {
            return Err(Stopped);
        }
        std::thread::sleep(AGAIN);
        Ok(())
    }

    /// What time it is by the journal, in milliseconds.
    fn now(&self) -> i64 {
        self.time.load(Ordering::Acquire).div_euclid(1_000)
    }

    /// Writes batches in one transaction, and tries again until they are written or the program ends.
    pub(super) fn write(&self, open: &mut Open, batches: &[Batch]) -> Result<(), Stopped> {
        loop {
            let error = match open.write(batches, self.now()) {
                Ok(rows) => {
                    self.counts.rows.fetch_add(rows, Ordering::Relaxed);
                    self.counts.is_failing.store(false, Ordering::Relaxed);
                    if let Some(position) = batches.iter().filter_map(|batch| batch.position).max() {
                        self.kept.fetch_max(position, Ordering::AcqRel);
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            // What was numbered may not be there.
            open.forget_numbers();
            self.failed();
            if error.is_damage() {
                self.set_aside(&error)?;
                *open = self.opened()?;
                continue;
            }
            tracing::error!(%error, "minutes cannot be written; deliveries are still taken, and their minutes will follow");
            self.wait()?;
        }
    }

    /// One step of what is not urgent; `true` if there is more to do.
    pub(super) fn tidy(&self, open: &mut Open) -> Result<bool, FileError> {
        let now = self.now();
        if now <= 0 {
            return Ok(false);
        }
        // The hour of which the rest waits is not over here.
        let written = open.newest.filter(|_| self.batches.is_behind()).map_or(now, |newest| newest.min(now));
        let is_more = open.put_together(written)? || open.put_days_together(written)?;
        if is_more {
            return Ok(true);
        }
        let gone = open.forget(now, &self.keeping)?;
        let bytes = open.bytes()?;
        self.counts.bytes.store(bytes, Ordering::Relaxed);
        if bytes > self.most_bytes && !gone {
            return open.make_room(bytes, self.most_bytes, now);
        }
        Ok(gone)
    }
}

impl Open {
    /// Deletes some of what is kept no longer; `true` if there is more.
    fn forget(&mut self, now: i64, keeping: &Keeping) -> Result<bool, FileError> {
        let hour = now.div_euclid(HOUR);
        let accounts: Vec<String> = {
            let mut read = self.db.prepare_cached("SELECT DISTINCT account FROM drains")?;
            let found = read.query_map([], |row| row.get(0))?;
            found.collect::<Result<_, _>>()?
        };
        let mut gone = 0_usize;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = accounts.iter().try_for_each(|account| -> Result<(), FileError> {
            for (level, hours) in [MINUTES, QUARTERS, HOURS].into_iter().zip(keeping.hours(account, now)) {
                let mut remove = self.db.prepare_cached(
                    "DELETE FROM pieces WHERE id IN (SELECT pieces.id FROM pieces JOIN drains ON drains.id = pieces.drain
                     WHERE pieces.level = ?1 AND pieces.hour < ?2 AND pieces.hour + pieces.span <= ?2 AND drains.account = ?3
                     LIMIT ?4)",
                )?;
                gone += remove.execute(params![level, hour - hours, account, SOME])?;
            }
            let oldest = hour - keeping.hours(account, now).into_iter().max().unwrap_or_default();
            let mut remove = self.db.prepare_cached(
                "DELETE FROM marks WHERE hour < ?1 AND drain IN (SELECT id FROM drains WHERE account = ?2)",
            )?;
            remove.execute(params![oldest, account])?;
            Ok(())
        });
        self.end(done.is_ok())?;
        done?;
        if gone == 0 && self.are_names_due(hour)? {
            self.forget_numbers();
            self.db.execute_batch(
                "DELETE FROM names WHERE NOT EXISTS (SELECT 1 FROM pieces WHERE pieces.name = names.id);
                 DELETE FROM drains WHERE NOT EXISTS (SELECT 1 FROM marks WHERE marks.drain = drains.id)
                    AND id NOT IN (SELECT drain FROM pieces);
                 PRAGMA incremental_vacuum(1000);",
            )?;
        }
        Ok(gone >= SOME.unsigned_abs() as usize)
    }

    /// Deletes the oldest of what the account has that has most: minutes while there are any, then quarters, then hours. `false`
    /// when there was nothing.
    fn make_room(&mut self, bytes: u64, most: u64, now: i64) -> Result<bool, FileError> {
        let account: Option<String> = self
            .db
            .query_row(
                "SELECT drains.account FROM pieces JOIN drains ON drains.id = pieces.drain
                 GROUP BY drains.account ORDER BY sum(length(pieces.content)) DESC LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()?;
        let Some(account) = account else { return Ok(false) };
        if self.said != Some(now.div_euclid(HOUR)) {
            self.said = Some(now.div_euclid(HOUR));
            tracing::warn!(
                account,
                "the minutes take more than {most} bytes ({bytes}): the oldest of this account are let go"
            );
        }
        for level in [MINUTES, QUARTERS, HOURS] {
            let gone = self.db.execute(
                "DELETE FROM pieces WHERE id IN (SELECT pieces.id FROM pieces JOIN drains ON drains.id = pieces.drain
                 WHERE pieces.level = ?1 AND drains.account = ?2 ORDER BY pieces.hour, pieces.id LIMIT ?3)",
                params![level, account, SOME],
            )?;
            if gone > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names that nothing is kept of any more are looked for once in an hour.
    fn are_names_due(&self, hour: i64) -> Result<bool, FileError> {
        let is_due = file::standing(&self.db, "names")?.is_none_or(|last| last != hour);
        if is_due {
            file::stand(&self.db, "names", hour)?;
        }
        Ok(is_due)
    }

    /// Deletes all that is kept of an account, so that no byte of it is left in the file.
    pub(super) fn remove(&mut self, account: &str) -> Result<(), FileError> {
        self.forget_numbers();
        self.db.execute_batch("PRAGMA secure_delete = on; BEGIN IMMEDIATE")?;
        let sql = [
            "DELETE FROM pieces WHERE drain IN (SELECT id FROM drains WHERE account = ?1)",
            "DELETE FROM marks WHERE drain IN (SELECT id FROM drains WHERE account = ?1)",
            "DELETE FROM names WHERE account = ?1",
            "DELETE FROM drains WHERE account = ?1",
        ];
        let done = sql.iter().try_for_each(|sql| self.db.execute(sql, [account]).map(drop));
        self.end(done.is_ok())?;
        done?;
        self.db.execute_batch("PRAGMA secure_delete = off; PRAGMA wal_checkpoint(truncate)")?;
        Ok(())
    }

    /// What the file takes.
    fn bytes(&self) -> Result<u64, FileError> {
        let number =
            |what: &str| self.db.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i64>(0)).optional();
        let pages = number("page_count")?.unwrap_or(0) - number("freelist_count")?.unwrap_or(0);
        Ok((pages * number("page_size")?.unwrap_or(0)).max(0).unsigned_abs())
    }
}

/// Every hour that has something fresh.
pub(super) fn fresh_hours(db: &Connection, name: i64, from: i64, to: i64) -> Result<BTreeSet<i64>, FileError> {
    let mut read = db.prepare_cached(
        "SELECT DISTINCT hour FROM pieces WHERE name = ?1 AND fresh > 0 AND hour >= ?2 AND hour < ?3",
    )?;
    let found = read.query_map(params![name, from, to], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}
