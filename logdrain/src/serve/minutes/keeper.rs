//! The thread that owns the file: writes what closed, has small pieces put together, and forgets what is too old.

use super::block::Cursor;
use super::file::{self, FileError, Fresh, HOUR, HOURS, MINUTES, Named, Place, QUARTERS};
use super::gather::Batch;
use super::joining::{Gathered, put};
use super::writing::Open;
use super::{Counts, Keeping};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::{BTreeMap, BTreeSet};
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
pub(crate) struct Keeper {
    pub(super) dir: PathBuf,
    pub(super) batches: Receiver<Batch>,
    pub(super) kept: Arc<AtomicU64>,
    pub(super) counts: Arc<Counts>,
    pub(super) stop: Arc<AtomicBool>,
    /// How long the minutes of each account are kept.
    pub(super) keeping: Keeping,
    pub(super) removals: Receiver<super::Removal>,
    pub(super) time: Arc<AtomicI64>,
    /// What the file may take.
    pub(super) most_bytes: u64,
}

/// The minutes are not written any more; what is owed comes again at the next start.
#[derive(Debug)]
pub(super) struct Stopped;

impl Keeper {
    pub(crate) fn run(self) {
        let Ok(mut open) = self.opened() else { return };
        let mut tidied: Option<Instant> = None;
        loop {
            match self.batches.recv_timeout(LOOK_AROUND) {
                Ok(first) => {
                    let batches: Vec<Batch> = std::iter::once(first).chain(self.batches.try_iter()).collect();
                    if self.write(&mut open, &batches).is_err() {
                        return;
                    }
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

    /// Writes batches in one transaction, and tries again until they are written or the program ends.
    pub(super) fn write(&self, open: &mut Open, batches: &[Batch]) -> Result<(), Stopped> {
        loop {
            let error = match open.write(batches) {
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
        let now = self.time.load(Ordering::Acquire).div_euclid(1_000);
        if now <= 0 {
            return Ok(false);
        }
        let is_more = open.put_together(now)? || open.put_days_together(now)?;
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

/// One row of a batch.
struct Row<'a> {
    owner: usize,
    /// In milliseconds.
    start: i64,
    len: i64,
    name: &'a [u8],
    key: &'a [u8],
    state: &'a [u8],
}

fn rows(bytes: &[u8]) -> impl Iterator<Item = Row<'_>> {
    let mut rest = Cursor(bytes);
    std::iter::from_fn(move || {
        let owner = usize::try_from(rest.number()?).ok()?;
        let (start, len) = (rest.number()?.cast_signed(), rest.number()?.cast_signed());
        let mut part = || {
            let len = rest.number()?;
            rest.bytes(len)
        };
        let (name, key, state) = (part()?, part()?, part()?);
        Some(Row { owner, start: start.div_euclid(1_000), len: (len / 1_000).max(1), name, key, state })
    })
}

impl Open {
    pub(super) fn write(&mut self, batches: &[Batch]) -> Result<u64, FileError> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let written = self.write_all(batches);
        self.end(written.is_ok())?;
        written
    }

    fn write_all(&mut self, batches: &[Batch]) -> Result<u64, FileError> {
        let mut count = 0;
        for batch in batches {
            let mut pieces: BTreeMap<(usize, &[u8], i64, i64), Gathered<'_>> = BTreeMap::new();
            for row in rows(&batch.rows) {
                let hour = row.start.div_euclid(HOUR);
                let index = u32::try_from((row.start - hour * HOUR) / row.len).unwrap_or(u32::MAX);
                let piece = pieces.entry((row.owner, row.name, hour, row.len)).or_default();
                piece.entry(row.key).or_default().insert(index, row.state);
                count += 1;
            }
            for ((owner, name, hour, len), rows) in pieces {
                let Some((account, drain)) = batch.owners.get(owner) else { continue };
                let Ok(name) = std::str::from_utf8(name) else { continue };
                let name = self.number(Named::Metric, account, name)?;
                let drain = self.number(Named::Drain, account, drain)?;
                put(&self.db, Place { name, drain, level: MINUTES, hour, span: 1, len }, Fresh::AsItCame, &rows)?;
            }
            for (owner, minute) in &batch.heard {
                let Some((account, drain)) = batch.owners.get(*owner) else { continue };
                let drain = self.number(Named::Drain, account, drain)?;
                let mut mark = self.db.prepare_cached(
                    "INSERT INTO marks (drain, hour, bits) VALUES (?1, ?2, ?3)
                     ON CONFLICT (drain, hour) DO UPDATE SET bits = marks.bits | excluded.bits",
                )?;
                mark.execute(params![drain, minute.div_euclid(60), 1_i64 << minute.rem_euclid(60)])?;
            }
            if let Some(position) = batch.position {
                file::stand(&self.db, "position", position.cast_signed())?;
            }
        }
        Ok(count)
    }

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
