//! Rows on their way to the thread that keeps them: packed where they close, and handed over with each commit. What waits for
//! the disk meanwhile is bounded by its bytes, and written together.

use super::block;
use crate::outlets::{Owner, Stopped};
use heroku_metrics::aggregator::Row;
use heroku_metrics::model::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// A batch that takes so many bytes goes on its way before the commit.
pub(super) const FULL: usize = 1 << 20;
/// Minutes that follow each other sooner are of the past: they wait for more, so that blocks which they share are written once.
const TOGETHER: Duration = Duration::from_millis(200);
/// Bytes that wait for the disk; as many are written at a time.
pub(super) const WAITING: usize = 6 << 20;
/// What waits, what is being gathered, and what is being written, where so many bytes may wait.
pub(super) const fn memory(waiting: usize) -> usize {
    2 * waiting + 4 * FULL
}
/// What a row takes besides its bytes, when it is written with others.
const ROW: usize = 96;
/// What a batch takes, an owner in it, and a minute in which he was heard.
const BATCH: usize = 256;
const OWNER: usize = 256;
const HEARD: usize = 64;
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
    /// How many rows.
    pub(super) count: usize,
    /// Owners, and minutes since 1970 in which they were heard.
    pub(super) heard: BTreeSet<(usize, i64)>,
    /// With it everything is there up to this event.
    pub(super) position: Option<u64>,
}

impl Batch {
    /// What it takes in memory, about, until it is written.
    pub(super) fn bytes(&self) -> usize {
        BATCH + self.rows.len() + self.count * ROW + self.owners.len() * OWNER + self.heard.len() * HEARD
    }
}

/// The way from counting to the thread that keeps, where no more than so many bytes wait.
pub(super) fn queue(most: usize) -> (Ahead, Queue) {
    let (to, batches) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Ahead { to, waiting: waiting.clone(), most }, Queue { batches, waiting, most })
}

/// Its beginning.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    to: Sender<Batch>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

impl Ahead {
    /// Puts a batch there, or gives it back when too much waits.
    fn put(&self, batch: Batch) -> Result<Option<Batch>, Stopped> {
        let (waiting, bytes) = (self.waiting.load(Ordering::Acquire), batch.bytes());
        if waiting > 0 && waiting + bytes > self.most {
            return Ok(Some(batch));
        }
        self.waiting.fetch_add(bytes, Ordering::AcqRel);
        self.to.send(batch).map(|()| None).map_err(|_| Stopped)
    }
}

/// Its end.
#[derive(Debug)]
pub(super) struct Queue {
    batches: Receiver<Batch>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

impl Queue {
    /// Waits for a batch, and takes with it what came meanwhile, in one piece: blocks that they share are written once then.
    /// What comes straight after what was written at `last` waits a moment for more; what comes alone waits for nothing.
    pub(super) fn take(&self, within: Duration, last: Option<Instant>) -> Result<Vec<Batch>, RecvTimeoutError> {
        let first = self.taken(self.batches.recv_timeout(within)?);
        let mut bytes = first.bytes();
        let mut all = vec![first];
        while bytes < self.most {
            let rest = last.map_or(Duration::ZERO, |last| TOGETHER.saturating_sub(last.elapsed()));
            // With half of what may wait nobody is made to wait for room.
            let batch = match bytes < self.most / 2 && !rest.is_zero() {
                true => self.batches.recv_timeout(rest).ok(),
                false => self.batches.try_recv().ok(),
            };
            let Some(batch) = batch else { break };
            bytes += batch.bytes();
            all.push(self.taken(batch));
        }
        Ok(all)
    }

    /// More is there to be written.
    pub(super) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    fn taken(&self, batch: Batch) -> Batch {
        self.waiting.fetch_sub(batch.bytes(), Ordering::AcqRel);
        batch
    }

    /// What is there now.
    #[cfg(test)]
    pub(super) fn try_iter(&self) -> impl Iterator<Item = Batch> {
        self.batches.try_iter().map(|batch| self.taken(batch))
    }
}

/// Rows and marks that were not handed over yet.
#[derive(Debug)]
pub struct Gather {
    batch: Batch,
    /// Where each drain stands among the owners.
    known: HashMap<Arc<str>, usize>,
    /// The owner that was spoken of last, and the minute in which it was heard.
    last: usize,
    last_heard: (usize, i64),
    state: Vec<u8>,
    to: Option<Ahead>,
    /// Everything up to here is on the disk.
    kept: Arc<AtomicU64>,
    /// Up to here it was handed over.
    given: u64,
    /// What comes now was kept before.
    is_known: bool,
    stop: Arc<AtomicBool>,
}

impl Gather {
    pub(super) fn new(to: Ahead, kept: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Self {
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
    pub fn nothing() -> Self {
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
    pub const fn begin(&mut self, position: u64) {
        self.is_known = position <= self.given;
    }

    /// Takes a row with all that it holds.
    pub fn keep(&mut self, owner: Owner<'_>, row: &Row<'_>) -> Result<(), Stopped> {
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
        self.batch.count += 1;
        if self.batch.bytes() >= FULL { self.hand_over(None) } else { Ok(()) }
    }

    /// A delivery of a drain came: what it does not speak of did not happen.
    pub fn heard(&mut self, owner: Owner<'_>, at: Timestamp) {
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
    pub fn commit(&mut self, position: u64) -> Result<bool, Stopped> {
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
    pub fn position(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    fn hand_over(&mut self, position: Option<u64>) -> Result<(), Stopped> {
        let Some(to) = self.to.clone() else { return Ok(()) };
        let mut batch = Batch { position, ..self.take() };
        batch.rows.shrink_to_fit();
        let mut ending: Option<Instant> = None;
        loop {
            let Some(back) = to.put(batch)? else { return Ok(()) };
            batch = back;
            // The disk is full, or slow.
            if self.stop.load(Ordering::Acquire) && ending.get_or_insert_with(Instant::now).elapsed() > LAST_CALL {
                tracing::error!("minutes cannot be written; the next start writes those that are owed");
                return Err(Stopped);
            }
            std::thread::sleep(AGAIN);
        }
    }
}
