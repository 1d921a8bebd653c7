//! The thread of the pipelines: reads the journal in order, writes rows, takes snapshots.
//!
//! Entries come from the writer as they are committed. Whatever did not come that way, after a start or while rows could
//! not go out, is read from the disk; to the pipelines it is all the same.

use super::board::Board;
use super::counters::Counters;
use super::event::{Entry, Event};
use super::journal::{Doubts, JournalReader, Progress, Step, StoreError};
use super::lateness::Lateness;
use super::pipeline::Pipelines;
use super::sinks::{Row, RowSink, Stopped};
use super::snapshot;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How many octets of deliveries may lie behind a snapshot.
const SNAPSHOT_OCTETS: u64 = 256 << 20;
/// A snapshot may take one part in so many of the thread's time.
const SNAPSHOT_SHARE: u32 = 10;
const LOOK_AROUND: Duration = Duration::from_millis(200);
/// Between two tries to read a disk that fails.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Consumer<R> {
    pub(crate) pipelines: Pipelines,
    pub(crate) rows: R,
    pub(crate) entries: Receiver<Vec<Entry>>,
    pub(crate) reader: JournalReader,
    pub(crate) board: Board,
    pub(crate) snapshots: PathBuf,
    /// How long a snapshot is good enough, unless taking one takes long.
    pub(crate) snapshot_every: Duration,
    pub(crate) progress: Arc<Progress>,
    pub(crate) counters: Arc<Counters>,
    /// Set when everything up to the head at the start is in.
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) stop: Arc<AtomicBool>,
    /// Rows up to here are out already.
    pub(crate) emitted: u64,
    /// Rows may not have reached the disk.
    pub(crate) is_owing: bool,
    pub(crate) doubts: Doubts,
}

impl<R: RowSink> Consumer<R> {
    /// Runs until the writer has gone and everything is in, and ends with a snapshot.
    ///
    /// # Errors
    /// When rows cannot go out and the program is to end: what is owed comes again at the next start.
    pub(crate) fn run(mut self) -> Result<(), Stopped> {
        let mut due =
            Due { last: Instant::now(), wait: self.snapshot_every, octets: 0, position: self.pipelines.position() };
        self.catch_up(&mut due)?;
        self.ready.store(true, Ordering::Release);
        tracing::info!(position = self.pipelines.position(), "the journal has been read to its end");
        let mut showing = Showing::default();
        let mut lateness = Lateness::new(&self.pipelines);
        loop {
            match self.entries.recv_timeout(LOOK_AROUND) {
                Ok(entries) => {
                    if let Some(first) = entries.first() {
                        self.read_up_to(first.seq - 1, &mut due)?;
                    }
                    for entry in &entries {
                        // What has to wait is read from the disk later.
                        if !self.take(entry, &mut due)? {
                            break;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.catch_up(&mut due)?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if due.is_now(self.pipelines.position()) {
                self.snapshot(&mut due);
            }
            lateness.look(&self.pipelines, false);
            showing.show(&self.board, &self.pipelines, self.counters.kept.get());
        }
        self.catch_up(&mut due)?;
        lateness.look(&self.pipelines, true);
        self.snapshot(&mut due);
        Ok(())
    }

    fn catch_up(&mut self, due: &mut Due) -> Result<(), Stopped> {
        self.read_up_to(self.progress.head.load(Ordering::Acquire), due)
    }

    fn read_up_to(&mut self, last: u64, due: &mut Due) -> Result<(), Stopped> {
        while self.pipelines.position() < last {
            let seq = self.pipelines.position() + 1;
            match self.reader.read(seq) {
                Ok(Step::Event(entry)) => {
                    if !self.take(&entry, due)? {
                        return Ok(());
                    }
                }
                Ok(Step::Damaged { seq, why }) => {
                    self.counters.damaged.add(1);
                    tracing::error!(seq, why, "an event of the journal is damaged and is left out");
                    self.pipelines.pass_over(seq);
                }
                Err(error) => self.wait(&error)?,
            }
            if due.is_now(self.pipelines.position()) {
                self.snapshot(due);
            }
        }
        Ok(())
    }

    fn wait(&self, error: &StoreError) -> Result<(), Stopped> {
        tracing::error!(%error, "the journal cannot be read");
        if self.stop.load(Ordering::Acquire) {
            return Err(Stopped);
        }
        std::thread::sleep(AGAIN);
        Ok(())
    }

    /// Takes an event in, once. `false` when it has to wait: for what is before it, or for the time to be known.
    fn take(&mut self, entry: &Entry, due: &mut Due) -> Result<bool, Stopped> {
        if entry.seq <= self.pipelines.position() {
            return Ok(true);
        }
        if entry.seq > self.pipelines.position() + 1 {
            return Ok(false);
        }
        let moved;
        let event = match &entry.event {
            Event::Doubt { believed, .. } => match self.doubts.time_of(&self.reader, entry.seq, *believed) {
                Ok(Some(time)) => {
                    moved = Event::Tick(time);
                    &moved
                }
                Ok(None) => return Ok(false),
                Err(error) => {
                    self.wait(&error)?;
                    return Ok(false);
                }
            },
            event => event,
        };
        if let Event::Delivery(record) = event {
            due.octets += record.body.bytes().len() as u64;
        }
        if entry.seq <= self.emitted {
            self.pipelines.apply(entry.seq, event, &mut ())?;
            self.moved(event);
            return Ok(true);
        }
        self.pipelines.apply(entry.seq, event, &mut Counted { rows: &mut self.rows, counters: &self.counters })?;
        if matches!(event, Event::Delivery(_)) {
            return Ok(true);
        }
        self.moved(event);
        self.is_owing = !self.rows.commit()?;
        if !self.is_owing {
            self.emitted = entry.seq;
            self.progress.emitted.store(entry.seq, Ordering::Release);
        }
        Ok(true)
    }

    fn moved(&self, event: &Event) {
        if let Event::Tick(time) = event {
            self.progress.time.moved(*time);
        }
    }

    fn snapshot(&mut self, due: &mut Due) {
        // A start from behind rows that are owed would never write them.
        if due.position == self.pipelines.position() || self.is_owing {
            return;
        }
        let began = Instant::now();
        match snapshot::write(&self.snapshots, &mut self.pipelines) {
            Ok(needed) => self.progress.behind.store(needed, Ordering::Release),
            Err(error) => tracing::warn!(%error, "no snapshot could be written; the next start will take longer"),
        }
        let took = began.elapsed();
        self.counters.snapshots.record(took);
        *due = Due {
            last: Instant::now(),
            wait: self.snapshot_every.max(took * SNAPSHOT_SHARE),
            octets: 0,
            position: self.pipelines.position(),
        };
    }
}

/// Counts rows on their way.
struct Counted<'a, R> {
    rows: &'a mut R,
    counters: &'a Counters,
}

impl<R: RowSink> RowSink for Counted<'_, R> {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        self.counters.rows.add(1);
        self.rows.write(row)
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        self.rows.commit()
    }
}

/// Keeps the board up to date, in a small part of the thread's time.
#[derive(Default)]
struct Showing {
    last: Option<(Instant, Duration)>,
    last_top: Option<(Instant, Duration)>,
}

impl Showing {
    fn show(&mut self, board: &Board, pipelines: &Pipelines, deliveries: u64) {
        const SHARE: u32 = 50;
        let is_due = |last: Option<(Instant, Duration)>, least: Duration| {
            last.is_none_or(|(at, took)| at.elapsed() > least.max(took * SHARE))
        };
        if !is_due(self.last, Duration::from_millis(500)) {
            return;
        }
        let with_top = is_due(self.last_top, Duration::from_secs(5));
        let began = Instant::now();
        board.show(pipelines, deliveries, with_top);
        let took = (began, began.elapsed());
        self.last = Some(took);
        if with_top {
            self.last_top = Some(took);
        }
    }
}

/// When the next snapshot is due.
struct Due {
    last: Instant,
    wait: Duration,
    octets: u64,
    /// Of the last one.
    position: u64,
}

impl Due {
    fn is_now(&self, position: u64) -> bool {
        let since = self.last.elapsed();
        position > self.position
            && (since >= self.wait || (self.octets > SNAPSHOT_OCTETS && since >= self.wait / SNAPSHOT_SHARE))
    }
}
