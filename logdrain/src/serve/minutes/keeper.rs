//! The thread that owns the file: writes what closed, puts small pieces together, makes the levels above, and forgets what
//! is too old.

use super::block::{self, Builder, Cursor, FULL};
use super::file::{self, FileError, Fresh, HOUR, HOURS, MINUTES, Named, Place, QUARTER, QUARTERS};
use super::gather::Batch;
use super::{Counts, Keeping};
use heroku_metrics::aggregator::RowState;
use heroku_metrics::model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two tries to write.
const AGAIN: Duration = Duration::from_secs(1);
const LOOK_AROUND: Duration = Duration::from_millis(250);
/// Small pieces of an hour that is not over are put together when there are so many.
const MANY: i64 = 12;
/// An hour is put together when it has been over for so long, in milliseconds: most of it does not change any more.
const OVER: i64 = 180_000;
/// A piece that changes an hour which was put together waits for others, so long.
const GATHERED: i64 = 900_000;
/// Days of the levels above are put together when they have been over for so long.
const DAY_OVER: i64 = 3 * HOUR;
const DAY: i64 = 24;
/// Pieces that one step deletes.
const SOME: i64 = 256;
/// How much one step puts together.
const GROUPS: i64 = 16;
/// Numbers of names that are remembered at a time.
const KNOWN: usize = 100_000;

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
}

/// The file, and what is known of it.
pub(super) struct Open {
    db: Connection,
    numbers: HashMap<(Named, Arc<str>, Arc<str>), i64>,
    /// The hour before which all was put together, and when, in milliseconds.
    swept: Option<(i64, i64)>,
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
                Ok(db) => return Ok(Open { db, numbers: HashMap::new(), swept: None }),
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
            open.numbers.clear();
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
        self.counts.bytes.store(open.bytes()?, Ordering::Relaxed);
        Ok(gone)
    }
}

/// Rows of one metric and drain in one hour: by stream, then by window.
type Gathered<'a> = BTreeMap<&'a [u8], BTreeMap<u32, &'a [u8]>>;

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
    fn number(&mut self, of: Named, account: &Arc<str>, name: &str) -> Result<i64, FileError> {
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

    fn write(&mut self, batches: &[Batch]) -> Result<u64, FileError> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let written = self.write_all(batches);
        self.end(written.is_ok())?;
        written
    }

    fn end(&self, is_well: bool) -> Result<(), FileError> {
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

    /// Puts the pieces of some hours together, and what is over into the levels above; `true` if there are more.
    fn put_together(&mut self, now: i64) -> Result<bool, FileError> {
        let over = (now - OVER).div_euclid(HOUR);
        // What changes an hour that was put together waits for more of that.
        let is_due = self.swept.is_none_or(|(before, at)| before != over || now - at >= GATHERED);
        let below = if is_due { over } else { i64::MIN };
        let groups: Vec<(i64, i64, i64)> = {
            let mut find = self.db.prepare_cached(
                "SELECT name, drain, hour FROM pieces WHERE fresh > 0 GROUP BY hour, name, drain
                 HAVING hour < ?1 OR sum(fresh = 2) >= ?2 LIMIT ?3",
            )?;
            let found =
                find.query_map(params![below, MANY, GROUPS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            found.collect::<Result<_, _>>()?
        };
        if groups.is_empty() && is_due {
            self.swept = Some((over, now));
        }
        if groups.is_empty() {
            return Ok(false);
        }
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = groups.iter().try_for_each(|(name, drain, hour)| self.join(*name, *drain, *hour, *hour < over));
        self.end(done.is_ok())?;
        done.map(|()| true)
    }

    /// Puts the pieces of one metric and drain in an hour together.
    fn join(&self, name: i64, drain: i64, hour: i64, is_over: bool) -> Result<(), FileError> {
        let pieces = self.pieces(name, drain, MINUTES, hour, hour + 1)?;
        let blocks: Vec<_> = pieces.iter().map(|piece| (piece, block::unpack(&piece.content))).collect();
        let mut by_len: BTreeMap<i64, Gathered<'_>> = BTreeMap::new();
        for (piece, block) in &blocks {
            let Some(block) = block else {
                tracing::error!(piece = piece.id, hour, "a piece of the minutes is damaged and left out");
                continue;
            };
            let rows = by_len.entry(piece.len).or_default();
            for stream in block::streams(block) {
                rows.entry(stream.key).or_default().extend(stream.rows());
            }
        }
        self.remove_pieces(pieces.iter().map(|piece| piece.id))?;
        let fresh = if is_over { Fresh::Not } else { Fresh::Joined };
        for (len, rows) in &by_len {
            put(&self.db, Place { name, drain, level: MINUTES, hour, span: 1, len: *len }, fresh, rows)?;
        }
        if !is_over {
            return Ok(());
        }
        for (level, len) in [(QUARTERS, QUARTER), (HOURS, HOUR)] {
            let mut remove = self.db.prepare_cached(
                "DELETE FROM pieces WHERE name = ?1 AND level = ?2 AND hour = ?3 AND drain = ?4 AND span = 1",
            )?;
            remove.execute(params![name, level, hour, drain])?;
            let above = rolled(&by_len, hour, len);
            let rows: Gathered<'_> = above
                .iter()
                .map(|(key, rows)| (*key, rows.iter().map(|(index, state)| (*index, &**state)).collect()))
                .collect();
            put(&self.db, Place { name, drain, level, hour, span: 1, len }, Fresh::Not, &rows)?;
        }
        Ok(())
    }

    /// Puts the hours of some days together in the levels above.
    fn put_days_together(&mut self, now: i64) -> Result<bool, FileError> {
        let over = (now - DAY_OVER).div_euclid(HOUR * DAY) * DAY;
        let mut groups: Vec<(i64, i64, i64, i64)> = Vec::new();
        for level in [QUARTERS, HOURS] {
            let mut find = self.db.prepare_cached(
                "SELECT DISTINCT name, drain, level, hour / 24 FROM pieces WHERE level = ?1 AND hour < ?2 AND span = 1 LIMIT ?3",
            )?;
            let found = find.query_map(params![level, over, GROUPS / 2], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            for group in found {
                groups.push(group?);
            }
        }
        if groups.is_empty() {
            return Ok(false);
        }
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = groups.iter().try_for_each(|(name, drain, level, day)| self.join_day(*name, *drain, *level, *day));
        self.end(done.is_ok())?;
        done.map(|()| true)
    }

    fn join_day(&self, name: i64, drain: i64, level: i64, day: i64) -> Result<(), FileError> {
        let first = day * DAY;
        let pieces = self.pieces(name, drain, level, first, first + DAY)?;
        let blocks: Vec<_> = pieces.iter().map(|piece| (piece, block::unpack(&piece.content))).collect();
        let mut rows: Gathered<'_> = BTreeMap::new();
        let len = if level == QUARTERS { QUARTER } else { HOUR };
        for (piece, block) in &blocks {
            let Some(block) = block else {
                tracing::error!(piece = piece.id, day, "a piece of the minutes is damaged and left out");
                continue;
            };
            let shift = u32::try_from((piece.hour - first) * HOUR / len).unwrap_or(0);
            for stream in block::streams(block) {
                let of = stream.rows().map(|(index, state)| (index + shift, state));
                rows.entry(stream.key).or_default().extend(of);
            }
        }
        self.remove_pieces(pieces.iter().map(|piece| piece.id))?;
        put(&self.db, Place { name, drain, level, hour: first, span: DAY, len }, Fresh::Not, &rows)
    }

    /// The pieces of one metric and drain that begin in these hours, in the order in which they were written.
    fn pieces(&self, name: i64, drain: i64, level: i64, from: i64, to: i64) -> Result<Vec<Piece>, FileError> {
        let mut read = self.db.prepare_cached(
            "SELECT id, hour, len, content FROM pieces WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4 AND drain = ?5
             ORDER BY id",
        )?;
        let found = read.query_map(params![name, level, from, to, drain], |row| {
            Ok(Piece { id: row.get(0)?, hour: row.get(1)?, len: row.get(2)?, content: row.get(3)? })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn remove_pieces(&self, ids: impl Iterator<Item = i64>) -> Result<(), FileError> {
        let mut remove = self.db.prepare_cached("DELETE FROM pieces WHERE id = ?1")?;
        for id in ids {
            remove.execute([id])?;
        }
        Ok(())
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
            self.numbers.clear();
            self.db.execute_batch(
                "DELETE FROM names WHERE NOT EXISTS (SELECT 1 FROM pieces WHERE pieces.name = names.id);
                 DELETE FROM drains WHERE NOT EXISTS (SELECT 1 FROM marks WHERE marks.drain = drains.id)
                    AND id NOT IN (SELECT drain FROM pieces);
                 PRAGMA incremental_vacuum(1000);",
            )?;
        }
        Ok(gone >= SOME.unsigned_abs() as usize)
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
    fn remove(&mut self, account: &str) -> Result<(), FileError> {
        self.numbers.clear();
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

struct Piece {
    id: i64,
    hour: i64,
    len: i64,
    content: Vec<u8>,
}

/// Writes rows as a piece, or as several where they are many.
fn put(db: &Connection, place: Place, fresh: Fresh, rows: &Gathered<'_>) -> Result<(), FileError> {
    let mut builder = Builder::default();
    let write = |builder: &mut Builder| match block::pack(&builder.take()) {
        Some(content) => file::insert(db, place, fresh, &content),
        None => Err(FileError::Foreign("a piece could not be packed".to_owned())),
    };
    for (key, rows) in rows {
        for (index, state) in rows {
            builder.row(*index, state);
        }
        builder.stream(key);
        if builder.len() >= FULL {
            write(&mut builder)?;
        }
    }
    if builder.is_empty() { Ok(()) } else { write(&mut builder) }
}

/// The rows of an hour, added up in longer windows.
fn rolled<'a>(by_len: &BTreeMap<i64, Gathered<'a>>, hour: i64, to: i64) -> BTreeMap<&'a [u8], BTreeMap<u32, Vec<u8>>> {
    let mut sums: BTreeMap<&[u8], BTreeMap<u32, Option<RowState>>> = BTreeMap::new();
    for (len, streams) in by_len {
        for (key, rows) in streams {
            let sums = sums.entry(key).or_default();
            for (index, state) in rows {
                let start = hour * HOUR + i64::from(*index) * len;
                let sum = sums.entry(u32::try_from((start - hour * HOUR) / to).unwrap_or(0)).or_default();
                let _ = RowState::add_packed(sum, at(start), state, true);
            }
        }
    }
    let packed = |(index, sum): (u32, Option<RowState>)| {
        let mut bytes = Vec::new();
        sum?.pack(at(hour * HOUR + i64::from(index) * to), &mut bytes);
        Some((index, bytes))
    };
    sums.into_iter().map(|(key, sums)| (key, sums.into_iter().filter_map(packed).collect())).collect()
}

/// A time in milliseconds.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_micros(millis.saturating_mul(1_000))
}

/// Every hour that has something fresh.
pub(super) fn fresh_hours(db: &Connection, name: i64, from: i64, to: i64) -> Result<BTreeSet<i64>, FileError> {
    let mut read = db.prepare_cached(
        "SELECT DISTINCT hour FROM pieces WHERE name = ?1 AND fresh > 0 AND hour >= ?2 AND hour < ?3",
    )?;
    let found = read.query_map(params![name, from, to], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}
