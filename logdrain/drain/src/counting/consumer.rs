//! The thread of the pipelines: reads the journal in order, writes rows, takes snapshots.
//!
//! Entries come from the writer as they are committed. Whatever did not come that way, after a start or while rows could
//! not go out, is read from the disk; to the pipelines it is all the same.

use crate::counters::Counters;
use crate::counting::board::Board;
use crate::counting::lateness::Lateness;
use crate::counting::pipelines::Pipelines;
use crate::counting::snapshot;
use crate::event::{Entry, Event};
use crate::fail_point;
use crate::journal::{Doubts, Events, Progress, Snapshots, Step, StoreError};
use crate::minutes::{Gather, Minutes};
use crate::outlets::{Outlet, Owner, Row, Stopped};
use crate::settings::change::Change;
use crate::watching::MinuteRules;
use heroku_metrics::aggregator;
use heroku_metrics::model::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How many bytes of deliveries may lie behind a snapshot.
const SNAPSHOT_OCTETS: u64 = 256 << 20;
/// A snapshot may take one part in so many of the thread's time.
const SNAPSHOT_SHARE: u32 = 10;
const LOOK_AROUND: Duration = Duration::from_millis(200);
/// Between two tries to read a disk that fails.
const AGAIN: Duration = Duration::from_secs(1);

/// A snapshot waits so long for the minutes, and comes later then.
const KEPT_WITHIN: Duration = Duration::from_secs(1);

/// What waits for the disk behind each event takes one part in so many of the thread's time while it reads what is long past.
const SETTLED_SHARE: u32 = 5;
/// So much time is left for counting when the program is to end.
const COUNTED_AT_THE_END: Duration = Duration::from_secs(3);
/// Damaged events that are told one by one.
const NAMED: u32 = 20;
/// With so many one after the other, the way to them is damaged rather than they.
const HOPELESS: u32 = 1_000;

#[derive(Debug)]
pub struct Consumer<R> {
    pub pipelines: Pipelines,
    pub rows: R,
    /// Rows that are kept, and where they are seen.
    pub minutes: Gather,
    pub kept: Minutes,
    /// The rules of alerts on them.
    pub rules: MinuteRules,
    pub entries: Receiver<Arc<Vec<Entry>>>,
    pub reader: Box<dyn Events>,
    pub board: Board,
    pub snapshots: Box<dyn Snapshots>,
    /// The folder of the journal.
    pub dir: PathBuf,
    /// How long a snapshot is good enough, unless taking one takes long.
    pub snapshot_every: Duration,
    pub progress: Arc<Progress>,
    pub counters: Arc<Counters>,
    /// Set when everything up to the head at the start is in.
    pub ready: Arc<AtomicBool>,
    pub stop: Arc<AtomicBool>,
    /// Rows up to here are out already. Minutes know for themselves how far they have come.
    pub emitted: u64,
    pub settling: Settling,
    pub doubts: Doubts,
    /// When the end was first noticed.
    pub asked: Option<Instant>,
}

/// What was made of events, and is to be on the disk before the journal forgets them.
#[derive(Default, Debug)]
pub struct Settling {
    /// Rows up to here were written, and are not known to be on the disk.
    uncommitted: Option<u64>,
    /// Rows may not have reached the disk.
    is_owing: bool,
    /// When that was asked for last, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl Settling {
    /// A slow disk is not asked for each of the events that are there already.
    fn is_due(&self) -> bool {
        self.last.is_none_or(|(at, took)| at.elapsed() >= took * (SETTLED_SHARE - 1))
    }
}

impl<R: Outlet> Consumer<R> {
    /// Runs until the writer has gone and everything is in, and ends with a snapshot.
    ///
    /// # Errors
    /// When rows cannot go out and the program is to end: what is owed comes again at the next start.
    pub fn run(mut self) -> Result<(), Stopped> {
        let mut due =
            Due { last: Instant::now(), wait: self.snapshot_every, octets: 0, position: self.pipelines.position() };
        self.catch_up(&mut due)?;
        self.ready.store(true, Ordering::Release);
        tracing::info!(position = self.pipelines.position(), "the journal has been read to its end");
        let mut showing = Showing::default();
        let mut opened = Opened::default();
        let mut lateness = Lateness::new(&self.pipelines);
        loop {
            match self.entries.recv_timeout(LOOK_AROUND) {
                Ok(entries) => {
                    if let Some(first) = entries.first() {
                        self.read_up_to(first.seq - 1, &mut due)?;
                    }
                    for entry in entries.iter() {
                        // What has to wait is read from the disk later.
                        if !self.take(entry, &mut due)? {
                            break;
                        }
                    }
                    self.settle()?;
                }
                Err(RecvTimeoutError::Timeout) => self.catch_up(&mut due)?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if due.is_now(self.pipelines.position()) {
                self.snapshot(&mut due);
            }
            lateness.look(&self.pipelines, false);
            showing.show(&self.board, &self.pipelines, self.counters.kept.get());
            opened.show(&self.kept, &mut self.pipelines);
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
        let mut left_out = LeftOut::default();
        while self.pipelines.position() < last {
            if self.is_time_up() {
                tracing::warn!(
                    behind = last - self.pipelines.position(),
                    "stopped before everything was counted: the next start goes on"
                );
                break;
            }
            let seq = self.pipelines.position() + 1;
            match self.reader.read(seq) {
                Ok(Step::Event(entry)) => {
                    left_out.in_a_row = 0;
                    if !self.take(&entry, due)? {
                        break;
                    }
                }
                Ok(Step::Damaged { seq, why }) => {
                    self.counters.damaged.add(1);
                    left_out.tell(seq, &why);
                    self.pipelines.pass_over(seq);
                    self.rules.pass(seq, true);
                    if left_out.in_a_row >= HOPELESS {
                        return Err(self.give_up(&why));
                    }
                }
                Ok(Step::Missing) => match self.reader.next_after(seq) {
                    Ok(next) => {
                        let to = next.map_or(last, |next| next - 1).min(last);
                        self.counters.damaged.add(to - self.pipelines.position());
                        tracing::error!(from = seq, to, "events of the journal are missing and are left out");
                        self.pipelines.pass_over(to);
                        self.rules.pass(to, true);
                    }
                    Err(error) if error.is_damage() => return Err(self.give_up(&error)),
                    Err(error) => self.wait(&error)?,
                },
                Err(error) => self.wait(&error)?,
            }
            if due.is_now(self.pipelines.position()) {
                self.settle()?;
                self.snapshot(due);
            }
        }
        left_out.tell_rest();
        self.settle()
    }

    /// Whether the program is to end, and has been for a while: what is left is counted after the next start.
    fn is_time_up(&mut self) -> bool {
        self.stop.load(Ordering::Acquire) && self.asked.get_or_insert_with(Instant::now).elapsed() > COUNTED_AT_THE_END
    }

    /// Leaves word for the next start, which looks for what can be read.
    fn give_up(&self, why: &dyn std::fmt::Display) -> Stopped {
        tracing::error!(%why, "the journal cannot be read on");
        let _ = std::fs::write(crate::journal::marker(&self.dir), format!("{why}\n"));
        Stopped
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
        if entry.seq > self.pipelines.position() + 1 || self.rules.must_wait() {
            return Ok(false);
        }
        let moved;
        let event = match &entry.event {
            Event::Doubt { believed, .. } => match self.doubts.time_of(&*self.reader, entry.seq, *believed) {
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
        let are_out = entry.seq <= self.emitted;
        self.minutes.begin(entry.seq);
        if matches!(event, Event::Tick(_) | Event::Dropped { .. }) {
            let drains = self.pipelines.drains().map(|(drain, _)| drain);
            self.rules.begin(entry.seq, self.pipelines.settings(), drains);
        }
        let mut kept = Kept { seq: entry.seq, minutes: &mut self.minutes, rules: &mut self.rules };
        if are_out {
            self.pipelines.apply(entry.seq, event, &mut kept)?;
        } else {
            let counters = &self.counters;
            self.pipelines.apply(entry.seq, event, &mut Counted { rows: &mut self.rows, kept, counters })?;
        }
        self.pipelines.set_mark(Some(entry.mark()));
        self.ask_rules(entry.seq, event);
        if matches!(event, Event::Delivery(_)) {
            return Ok(true);
        }
        self.moved(event);
        self.minutes.commit(entry.seq)?;
        if !are_out {
            self.settling.uncommitted = Some(entry.seq);
        }
        if self.settling.is_due() {
            self.settle()?;
        }
        Ok(true)
    }

    /// Waits until the disk has what was made of events so far.
    fn settle(&mut self) -> Result<(), Stopped> {
        let began = Instant::now();
        if let Some(seq) = self.settling.uncommitted.take() {
            fail_point("counting");
            self.settling.is_owing = !self.rows.commit()?;
            fail_point("rows");
            if !self.settling.is_owing {
                self.emitted = self.emitted.max(seq);
            }
        }
        // The journal may forget what all have.
        let emitted = self.emitted.min(self.minutes.position()).min(self.rules.keep());
        self.progress.emitted.fetch_max(emitted, Ordering::AcqRel);
        self.settling.last = Some((Instant::now(), began.elapsed()));
        Ok(())
    }

    fn ask_rules(&mut self, seq: u64, event: &Event) {
        let settings = self.pipelines.settings();
        match event {
            Event::Tick(time) => self.rules.tick(seq, *time, time.earlier(settings.lateness())),
            Event::NotTaken { from, until } => self.rules.not_taken(seq, *from, *until),
            Event::Settings(_) => self.rules.configure(seq, settings),
            Event::Change { change, .. } => {
                self.rules.follow(seq, change, settings);
                if matches!(**change, Change::Destroy { .. }) {
                    // A start from here on tells nothing of the account any more.
                    if let Err(why) = self.rules.write() {
                        tracing::error!(%why, "rules of an account that is destroyed may tell once more");
                    }
                }
            }
            _ => self.rules.pass(seq, false),
        }
    }

    fn moved(&self, event: &Event) {
        if let Event::Tick(time) = event {
            self.progress.time.moved(*time);
            self.kept.moved(*time, self.pipelines.settings());
        }
    }

    /// Waits a moment for the minutes of all that was counted.
    fn are_minutes_kept(&mut self) -> bool {
        let began = Instant::now();
        self.minutes.begin(self.pipelines.position());
        loop {
            match self.minutes.commit(self.pipelines.position()) {
                Ok(true) => return true,
                Ok(false) if began.elapsed() < KEPT_WITHIN => std::thread::sleep(Duration::from_millis(5)),
                _ => return false,
            }
        }
    }

    fn snapshot(&mut self, due: &mut Due) {
        // A start from behind rows that are owed would never write them, nor mark the minutes of deliveries since.
        if due.position == self.pipelines.position() || self.settling.is_owing || !self.are_minutes_kept() {
            return;
        }
        let began = Instant::now();
        // Nor would it tell what rules found before it.
        let written = self.rules.write().map_err(std::io::Error::other);
        fail_point("rules");
        match written.and_then(|()| snapshot::write(&*self.snapshots, &mut self.pipelines)) {
            Ok(needed) => {
                fail_point("snapshot");
                self.progress.behind.store(needed, Ordering::Release);
                self.progress.snapshots_failing.store(0, Ordering::Release);
                let now = u64::try_from(crate::journal::now().unix_seconds()).unwrap_or(0);
                self.counters.snapshot_at.store(now, Ordering::Relaxed);
            }
            Err(error) => {
                self.counters.snapshots_failed.add(1);
                self.progress.snapshots_failing.fetch_add(1, Ordering::AcqRel);
                tracing::warn!(%error, "no snapshot could be written; the next start will take longer");
            }
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

/// Tells of damaged events, each, but not of thousands.
#[derive(Default)]
struct LeftOut {
    in_a_row: u32,
    told: u32,
    rest: Option<(u64, u64)>,
}

impl LeftOut {
    fn tell(&mut self, seq: u64, why: &str) {
        self.in_a_row += 1;
        self.told += 1;
        if self.told <= NAMED {
            tracing::error!(seq, why, "an event of the journal is damaged and is left out");
        } else {
            let (first, _) = self.rest.unwrap_or((seq, seq));
            self.rest = Some((first, seq));
        }
    }

    fn tell_rest(&self) {
        if let Some((from, to)) = self.rest {
            tracing::error!(more = self.told - NAMED, from, to, "more events of the journal are damaged and left out");
        }
    }
}

/// Counts rows on their way, and gives the minutes theirs.
struct Counted<'a, R> {
    rows: &'a mut R,
    kept: Kept<'a>,
    counters: &'a Counters,
}

impl<R: Outlet> Outlet for Counted<'_, R> {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        self.counters.rows.add(1);
        self.rows.write(row)
    }

    fn keep(&mut self, owner: Owner<'_>, row: &aggregator::Row<'_>) -> Result<(), Stopped> {
        self.kept.keep(owner, row)
    }

    fn heard(&mut self, owner: Owner<'_>, at: Timestamp) {
        self.kept.heard(owner, at);
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        self.rows.commit()
    }
}

/// Minutes and rules, which know for themselves how far they have come: of rows that are out already, too.
struct Kept<'a> {
    seq: u64,
    minutes: &'a mut Gather,
    rules: &'a mut MinuteRules,
}

impl Outlet for Kept<'_> {
    fn write(&mut self, _: &Row<'_>) -> Result<(), Stopped> {
        Ok(())
    }

    fn keep(&mut self, owner: Owner<'_>, row: &aggregator::Row<'_>) -> Result<(), Stopped> {
        if self.rules.asks(self.seq, owner.account) {
            self.rules.point(owner.account, owner.drain, &row.point());
        }
        self.minutes.keep(owner, row)
    }

    fn heard(&mut self, owner: Owner<'_>, at: Timestamp) {
        self.minutes.heard(owner, at);
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        Ok(true)
    }
}

/// Shows what is in windows that are open, in a small part of the thread's time.
#[derive(Default)]
struct Opened {
    last: Option<(Instant, Duration)>,
}

impl Opened {
    fn show(&mut self, kept: &Minutes, pipelines: &mut Pipelines) {
        const SHARE: u32 = 50;
        const EVERY: Duration = Duration::from_secs(2);
        if self.last.is_some_and(|(at, took)| at.elapsed() < EVERY.max(took * SHARE)) {
            return;
        }
        let began = Instant::now();
        kept.show_open(pipelines.open_rows());
        self.last = Some((Instant::now(), began.elapsed()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_asked_for_each_event_when_it_is_fast_and_for_a_fifth_of_the_time_when_it_is_slow() {
        let took = Duration::from_secs(1_000);
        let since = |took: Duration| Settling { last: Some((Instant::now(), took)), ..Settling::default() };
        assert!(Settling::default().is_due() && since(Duration::ZERO).is_due());
        assert!(!since(took).is_due());
        let asked_at = |before: Duration| Instant::now().checked_sub(before).map(|at| (at, Duration::from_millis(5)));
        let later = Settling { last: asked_at(Duration::from_millis(20)), ..Settling::default() };
        assert!(later.is_due());
    }
}
