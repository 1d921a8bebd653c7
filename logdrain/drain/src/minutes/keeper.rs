//! The thread that owns the file: writes what closed, has small pieces put together, and forgets what is too old.

use super::counts::Counts;
use super::gather::{Batch, Queue};
use super::keeping::Keeping;
use super::levels::HOUR;
use super::tables::{TableError, Tables};
use super::writing::Open;
use crate::fail_point;
use rusqlite::Connection;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two tries to write.
const AGAIN: Duration = Duration::from_secs(1);
const LOOK_AROUND: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub struct Keeper<T: Tables = Connection> {
    pub(super) at: T::At,
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
    /// Of several keepers one at a time writes: each takes its memory.
    pub(super) turn: Arc<Mutex<()>>,
}

/// The minutes are not written any more; what is owed comes again at the next start.
#[derive(Debug)]
pub(super) struct Stopped;

impl<T: Tables> Keeper<T> {
    pub fn run(self) {
        let Ok(mut open) = self.opened() else { return };
        let mut tidied: Option<Instant> = None;
        let mut written: Option<Instant> = None;
        let mut said = String::new();
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
                    Err(error) if error.is_final() => return,
                    // There is more of it.
                    Ok(true) => tidied = None,
                    Ok(false) => {
                        tidied = Some(Instant::now());
                        said.clear();
                    }
                    Err(error) => {
                        tidied = Some(Instant::now());
                        // Once, as long as it is the same.
                        if error.to_string() != said {
                            said = error.to_string();
                            tracing::warn!(%error, "minutes could not be put together; they are kept as they are");
                        }
                        self.counts.failures.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
        open.db.close();
    }

    /// Opens the file, and tries again while the disk does not let it.
    pub(super) fn opened(&self) -> Result<Open<T>, Stopped> {
        loop {
            let error = match T::open(&self.at) {
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
    fn set_aside(&self, error: &TableError) -> Result<(), Stopped> {
        let second = self.time.load(Ordering::Acquire).div_euclid(1_000_000);
        match T::set_aside(&self.at, second) {
            Ok(to) => {
                self.aside.fetch_add(1, Ordering::AcqRel);
                tracing::error!(%error, aside = %to, "the file of the minutes is damaged and set aside; a new one begins now");
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
    pub(super) fn write(&self, open: &mut Open<T>, batches: &[Batch]) -> Result<(), Stopped> {
        let mut said = String::new();
        loop {
            let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let written = open.write(batches, self.now());
            drop(turn);
            let error = match written {
                Ok(rows) => {
                    fail_point("minutes");
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
            if error.is_final() {
                return Err(Stopped);
            }
            self.failed();
            if error.is_damage() {
                self.set_aside(&error)?;
                *open = self.opened()?;
                continue;
            }
            if error.to_string() != said {
                said = error.to_string();
                tracing::error!(%error, "minutes cannot be written; deliveries are still taken, and their minutes will follow");
            }
            self.wait()?;
        }
    }

    /// One step of what is not urgent; `true` if there is more to do.
    pub(super) fn tidy(&self, open: &mut Open<T>) -> Result<bool, TableError> {
        let now = self.now();
        if now <= 0 {
            return Ok(false);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // The hour of which the rest waits is not over here.
        let written = open.newest.filter(|_| self.batches.is_behind()).map_or(now, |newest| newest.min(now));
        let is_more = open.put_together(written)? || open.put_days_together(written)?;
        if is_more {
            return Ok(true);
        }
        let gone = open.forget(now, &self.keeping)?;
        let bytes = open.db.bytes()?;
        self.counts.bytes.store(bytes, Ordering::Relaxed);
        if bytes > self.most_bytes && !gone {
            return open.make_room(bytes, self.most_bytes, now);
        }
        Ok(gone)
    }
}

impl<T: Tables> Open<T> {
    /// Deletes some of what is kept no longer; `true` if there is more.
    fn forget(&mut self, now: i64, keeping: &Keeping) -> Result<bool, TableError> {
        let forgot = self.db.forget(now, keeping)?;
        if forgot.names {
            self.forget_numbers();
        }
        Ok(forgot.is_more)
    }

    /// Deletes the oldest of what the account has that has most. `false` when there was nothing.
    fn make_room(&mut self, bytes: u64, most: u64, now: i64) -> Result<bool, TableError> {
        let Some(account) = self.db.largest()? else { return Ok(false) };
        if self.said != Some(now.div_euclid(HOUR)) {
            self.said = Some(now.div_euclid(HOUR));
            tracing::warn!(
                account,
                "the minutes take more than {most} bytes ({bytes}): the oldest of this account are let go"
            );
        }
        self.db.shorten(&account)
    }

    /// Deletes all that is kept of an account, so that no byte of it is left in the file.
    pub(super) fn remove(&mut self, account: &str) -> Result<(), TableError> {
        self.forget_numbers();
        self.db.remove(account)
    }
}
