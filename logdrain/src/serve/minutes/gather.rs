//! Rows on their way to the thread that keeps them: packed where they close, and handed over with each commit.

use super::block;
use crate::serve::outlets::{Owner, Stopped};
use heroku_metrics::aggregator::Row;
use heroku_metrics::model::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

/// Rows of so many bytes go on their way before the commit.
const FULL: usize = 1 << 20;
/// What waits, what is being gathered, and what is being written.
pub(super) const MEMORY: usize = (super::AHEAD + 4) * FULL * 2;
/// Between two tries to hand something over.
const AGAIN: Duration = Duration::from_millis(20);
/// How long that may take once the program is to end.
const LAST_CALL: Duration = Duration::from_secs(2);

/// What goes to the thread that keeps it.
#[derive(Default, Debug)]
pub(super) struct Batch {
    /// Accounts and drains that it speaks of.
    pub(super) owners: Vec<(Arc<str>, Arc<str>)>,
    /// `owner start length name key state` of each row, in microseconds.
    pub(super) rows: Vec<u8>,
    /// Owners, and minutes since 1970 in which they were heard.
    pub(super) heard: BTreeSet<(usize, i64)>,
    /// With it everything is there up to this event.
    pub(super) position: Option<u64>,
}

/// Rows and marks that were not handed over yet.
#[derive(Debug)]
pub(crate) struct Gather {
    batch: Batch,
    /// Where each drain stands among the owners.
    known: HashMap<Arc<str>, usize>,
    /// The owner that was spoken of last, and the minute in which it was heard.
    last: usize,
    last_heard: (usize, i64),
    state: Vec<u8>,
    to: Option<SyncSender<Batch>>,
    /// Everything up to here is on the disk.
    kept: Arc<AtomicU64>,
    /// Up to here it was handed over.
    given: u64,
    /// What comes now was kept before.
    is_known: bool,
    stop: Arc<AtomicBool>,
}

impl Gather {
    pub(super) fn new(to: SyncSender<Batch>, kept: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Self {
        let given = kept.load(Ordering::Acquire);
        Self {
            batch: Batch::default(),
            known: HashMap::new(),
            last: 0,
            last_heard: (0, 0),
            state: Vec::new(),
            to: Some(to),
            kept,
            given,
            is_known: false,
            stop,
        }
    }

    /// Keeps nothing.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        let kept = Arc::new(AtomicU64::new(u64::MAX));
        Self {
            batch: Batch::default(),
            known: HashMap::new(),
            last: 0,
            last_heard: (0, 0),
            state: Vec::new(),
            to: None,
            kept,
            given: u64::MAX,
            is_known: true,
            stop: Arc::default(),
        }
    }

    /// What comes from here on is of this event. Of one that was kept before nothing is written again: a later revision of its
    /// rows may be there.
    pub(crate) const fn begin(&mut self, position: u64) {
        self.is_known = position <= self.given;
    }

    /// Takes a row with all that it holds.
    pub(crate) fn keep(&mut self, owner: Owner<'_>, row: &Row<'_>) -> Result<(), Stopped> {
        if self.is_known {
            return Ok(());
        }
        let owner = self.owner(owner);
        let window = row.window();
        let (start, end) = (window.start().unix_micros(), window.end().unix_micros());
        let rows = &mut self.batch.rows;
        block::number(rows, owner as u64);
        block::number(rows, start.max(0).unsigned_abs());
        block::number(rows, end.saturating_sub(start).unsigned_abs());
        self.state.clear();
        row.to_state().pack(window.start(), &mut self.state);
        let key = block::key(row.kind(), row.unit(), row.tags());
        for part in [row.name().as_bytes(), &key, &self.state] {
            block::number(rows, part.len() as u64);
            rows.extend_from_slice(part);
        }
        if rows.len() >= FULL { self.hand_over(None) } else { Ok(()) }
    }

    /// A delivery of a drain came: what it does not speak of did not happen.
    pub(crate) fn heard(&mut self, owner: Owner<'_>, at: Timestamp) {
        if !self.is_known {
            let heard = (self.owner(owner), at.unix_micros().div_euclid(60_000_000));
            if heard != self.last_heard || self.batch.heard.is_empty() {
                self.last_heard = heard;
                self.batch.heard.insert(heard);
            }
        }
    }

    fn owner(&mut self, Owner { account, drain }: Owner<'_>) -> usize {
        let owners = &mut self.batch.owners;
        let is_it = |(of, known): &(Arc<str>, Arc<str>)| **known == *drain && **of == *account;
        if owners.get(self.last).is_some_and(is_it) {
            return self.last;
        }
        let known = self.known.get(drain).copied();
        self.last = known.filter(|at| owners.get(*at).is_some_and(is_it)).unwrap_or_else(|| {
            let name: Arc<str> = drain.into();
            owners.push((account.into(), name.clone()));
            self.known.insert(name, owners.len() - 1);
            owners.len() - 1
        });
        self.last
    }

    /// Everything of this event, and of those before it, has come. `false` while some of it is not on the disk.
    pub(crate) fn commit(&mut self, position: u64) -> Result<bool, Stopped> {
        if position > self.given {
            if self.batch.rows.is_empty() && self.batch.heard.is_empty() {
                // With nothing on its way, nothing is what there is to keep.
                if self.kept.load(Ordering::Acquire) >= self.given {
                    self.kept.store(position, Ordering::Release);
                    self.given = position;
                }
            } else {
                self.hand_over(Some(position))?;
                self.given = position;
            }
        }
        Ok(self.kept.load(Ordering::Acquire) >= position.min(self.given))
    }

    fn take(&mut self) -> Batch {
        self.known.clear();
        std::mem::take(&mut self.batch)
    }

    /// Up to here everything is on the disk.
    pub(crate) fn position(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    fn hand_over(&mut self, position: Option<u64>) -> Result<(), Stopped> {
        let Some(to) = self.to.clone() else { return Ok(()) };
        let mut batch = Batch { position, ..self.take() };
        let mut ending: Option<Instant> = None;
        loop {
            batch = match to.try_send(batch) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Stopped),
                Err(TrySendError::Full(batch)) => batch,
            };
            // The disk is full, or slow.
            if self.stop.load(Ordering::Acquire) && ending.get_or_insert_with(Instant::now).elapsed() > LAST_CALL {
                tracing::error!("minutes cannot be written; the next start writes those that are owed");
                return Err(Stopped);
            }
            std::thread::sleep(AGAIN);
        }
    }
}
