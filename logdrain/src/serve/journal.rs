//! The journal: one thread owns the disk. What queued up since the last commit goes into the next one, is answered when
//! it is durable, and is handed to the pipelines.

mod accounts;
mod carve;
mod doubts;
mod endings;
mod failure;
mod files;
mod head;
mod meta;
mod places;
mod purges;
mod reader;
mod renewal;
mod row;
mod salvage;
mod schema;
mod store;
mod time;
mod window_clock;

pub(crate) use doubts::Doubts;
pub(crate) use endings::{Ending, Endings};
pub(crate) use failure::StoreError;
pub(crate) use meta::LAST_NUMBER;
pub(crate) use purges::Erase;
pub(crate) use reader::{JournalReader, Step};
pub(crate) use salvage::{marker, salvage};
pub(crate) use schema::{APPLICATION, SCHEMA};
pub(crate) use store::{Kept, Offer, Old, Store, path};
pub(crate) use time::Timekeeper;

use crate::serve::clock::Standing;
use crate::serve::counters::Counters;
use crate::serve::drain_name::DrainName;
use crate::serve::event::{DeliveryKey, Entry, Event, Record};
use crate::serve::settings::Settings;
use crate::serve::settings::change::{Change, Unfit};
use heroku_metrics::model::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// The most deliveries of a commit.
const GROUP: usize = 1_024;
/// Old events that go with a commit, at least.
const AT_ONCE: u64 = 64;
/// Unused pages that are given back at a time while there is nothing to do,
const AT_ONCE_PAGES: u32 = 64;
/// and at the end.
const AT_THE_END_PAGES: u32 = 16_384;
/// How often ids are looked through for old ones.
const IDS_EVERY: Duration = Duration::from_secs(1);
/// How long the thread waits for something to do before it looks around.
const LOOK_AROUND: Duration = Duration::from_millis(500);

/// Something for the thread that writes.
#[derive(Debug)]
pub(crate) enum Message {
    Delivery {
        key: Option<DeliveryKey>,
        record: Box<Record>,
        answer: oneshot::Sender<Answer>,
    },
    /// What the configuration says from now on.
    Settings(Box<Settings>),
    /// What somebody asks for; nobody waits for what a drain says of itself.
    Change {
        change: Box<Change>,
        answer: Option<oneshot::Sender<Result<Changed, ChangeError>>>,
    },
    /// Which drains have a place.
    Drains(oneshot::Sender<Vec<Listed>>),
    /// An operator takes a drain's place away.
    Drop {
        drain: Arc<str>,
        answer: oneshot::Sender<Answer>,
    },
}

/// A drain that has a place, or lost it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Listed {
    /// Its key: never to be shown.
    pub(crate) drain: Arc<str>,
    /// When its last delivery came, as far as that is known.
    pub(crate) heard: Option<Timestamp>,
    /// It lost its place, and is refused until then.
    pub(crate) refused_until: Option<Timestamp>,
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It is on the disk.
    Kept,
    /// It was, before.
    Duplicate,
    /// The disk does not take it.
    CannotStore,
    TooManyDrains,
    /// There is no such drain to be dropped.
    Unknown,
}

/// A change that is on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Changed {
    /// The number of what was made or changed, if it has one.
    pub(crate) id: Option<u32>,
    /// The change's own in the journal.
    pub(crate) position: u64,
}

/// Why nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ChangeError {
    /// It does not fit what there is.
    Unfit(Unfit),
    /// The journal takes nothing now, or its disk does not.
    CannotStore,
}

/// Tells others of the settings that hold from a commit on.
pub(crate) struct Publish(Box<Follow>);

type Follow = dyn Fn(&Arc<Settings>) + Send;

impl Publish {
    pub(crate) fn to(follow: impl Fn(&Arc<Settings>) + Send + 'static) -> Self {
        Self(Box::new(follow))
    }
}

impl std::fmt::Debug for Publish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Publish")
    }
}

/// Where the journal stands; what the threads tell each other without waiting.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The last event on the disk.
    pub(crate) head: AtomicU64,
    /// The last event whose rows are out and durable.
    pub(crate) emitted: AtomicU64,
    /// Events up to here are in a snapshot that is safe.
    pub(crate) behind: AtomicU64,
    /// The lines of events up to here are in files; the most there can be while lines are not kept.
    pub(crate) kept_behind: AtomicU64,
    /// No event gets an id at or below this one.
    pub(crate) taken_id: AtomicU64,
    /// The journal has no room.
    pub(crate) full: AtomicBool,
    /// Whether the disk took the last commit.
    pub(crate) storing: AtomicBool,
    /// What time it is, and how far the watermark is.
    pub(crate) time: Standing,
    /// Snapshots that could not be written, one after the other.
    pub(crate) snapshots_failing: AtomicU64,
    /// Accounts that are destroyed, and of which something is left beside the journal.
    pub(crate) endings: Endings,
}

impl Progress {
    /// What keeps deliveries from being counted as they should, if anything does.
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        /// A few may find a disk that is full for a moment.
        const MANY: u64 = 3;
        if self.snapshots_failing.load(Ordering::Acquire) >= MANY {
            return Some("snapshots cannot be written, and the journal grows without end");
        }
        self.time.trouble()
    }
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) store: Store,
    pub(crate) dir: PathBuf,
    pub(crate) queue: Receiver<Message>,
    pub(crate) pipelines: SyncSender<Arc<Vec<Entry>>>,
    /// Where lines are kept.
    pub(crate) logs: Option<SyncSender<Arc<Vec<Entry>>>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) retention: Duration,
    /// The most bytes of a commit.
    pub(crate) group_bytes: usize,
    pub(crate) time: Timekeeper,
    /// Who goes by the settings.
    pub(crate) publish: Publish,
    /// What is left of a delivery without lines that were purged.
    pub(crate) erase: Erase,
    /// What the configuration says, as long as the disk did not take it.
    pub(crate) owed: Option<Box<Settings>>,
}

impl Writer {
    /// Writes until everybody who could send has gone. The pipelines see the end by their side of the channel.
    ///
    /// # Errors
    /// When the file turns out to be damaged: the next start looks after it.
    pub(crate) fn run(mut self) -> Result<(), Damaged> {
        let mut failing = Failing::default();
        let mut ids_given = Instant::now();
        let mut has_more = false;
        loop {
            let wait = if has_more { Duration::ZERO } else { self.time.wait().min(LOOK_AROUND) };
            let mut group = Group::default();
            if let Some(settings) = self.owed.take() {
                group.add(Message::Settings(settings), &mut self.time);
            }
            let mut over = false;
            match self.queue.recv_timeout(wait) {
                Ok(message) => {
                    self.add(message, &mut group);
                    while group.len() < GROUP && group.bytes < self.group_bytes {
                        let Ok(message) = self.queue.try_recv() else { break };
                        self.add(message, &mut group);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => over = true,
            }
            // What time it is stands before the deliveries that came by then: after a sleep they would be of the future.
            let times = self.time.turn(group.records(), &self.progress.time);
            group.put_first(times, self.time.believed());
            let mut old = self.old(&group, &failing, ids_given.elapsed() > IDS_EVERY);
            if group.len() == 0 || failing.is_full {
                // With nothing to write, or to make room for it.
                match self.store.give_back(&mut old) {
                    Err(error) if error.is_damage() => return Err(self.damaged(&error)),
                    // What the disk refuses will be told when something is to be kept.
                    _ => {}
                }
                if let Err(error) = self.store.check_place() {
                    failing.note(&error);
                    self.progress.storing.store(false, Ordering::Release);
                } else if failing.since.is_none() {
                    let _ = self.store.shrink(AT_ONCE_PAGES);
                }
            }
            if group.len() > 0 {
                self.commit(group, &mut old, &mut failing)?;
            }
            if old.ids && old.given == 0 {
                ids_given = Instant::now();
            }
            has_more = !over && failing.since.is_none() && self.purge()?;
            if over {
                let _ = self.store.shrink(AT_THE_END_PAGES);
                if let Err(error) = self.store.settle() {
                    tracing::warn!(%error, "the write-ahead log could not be folded in; it will be at the next start");
                }
                return Ok(());
            }
        }
    }

    /// Does some of what purges left to do. Says whether there is more to do at once.
    fn purge(&mut self) -> Result<bool, Damaged> {
        let kept = if self.logs.is_some() { self.progress.kept_behind.load(Ordering::Acquire) } else { u64::MAX };
        let behind = self.progress.behind.load(Ordering::Acquire).min(kept);
        let done = self.store.purge_some(behind, &self.erase, &self.progress.endings);
        let aside = self.time.older_than(Duration::ZERO).map_or(Ok(()), |now| self.store.purge_aside(&self.dir, now));
        match done.and_then(|more| aside.map(|()| more)) {
            Ok(more) => Ok(more),
            Err(error) if error.is_damage() => Err(self.damaged(&error)),
            Err(error) => {
                tracing::warn!(%error, "a purge of the journal waits for its disk");
                // Whether it is there is read again.
                match self.store.recall() {
                    Err(error) if error.is_damage() => Err(self.damaged(&error)),
                    _ => Ok(false),
                }
            }
        }
    }

    /// Answers what can be answered at once; the rest goes with the next commit.
    fn add(&mut self, message: Message, group: &mut Group) {
        match message {
            Message::Drains(answer) => drop(answer.send(listed(&self.store))),
            message => group.add(message, &mut self.time),
        }
    }

    /// Commits a group and answers it, whether or not the disk took it.
    fn commit(&mut self, group: Group, old: &mut Old, failing: &mut Failing) -> Result<(), Damaged> {
        let Group { offers, answers, settings, has_deliveries, .. } = group;
        let emitted = self.progress.emitted.load(Ordering::Acquire);
        self.store.pass_id(self.progress.taken_id.load(Ordering::Acquire));
        let before = self.store.settings().cloned();
        let began = Instant::now();
        let outcome = match failing.since {
            // Nobody knows whether a commit that failed is there: the disk is asked first.
            Some(_) => self.store.recall().and_then(|()| self.store.append(offers, emitted, old)),
            None => self.store.append(offers, emitted, old),
        };
        let kept = match outcome {
            Ok(kept) => kept,
            Err(error) => {
                failing.note(&error);
                self.progress.full.store(failing.is_full, Ordering::Release);
                self.progress.storing.store(false, Ordering::Release);
                self.counters.commits_failed.add(1);
                answers.into_iter().for_each(|waiting| waiting.answer(Outcome::Is(Answer::CannotStore)));
                self.owed = settings;
                return if error.is_damage() { Err(self.damaged(&error)) } else { Ok(()) };
            }
        };
        // A disk that is full may take a tick, and no delivery.
        if has_deliveries || !failing.is_full {
            failing.over();
            self.progress.full.store(false, Ordering::Release);
            self.progress.storing.store(true, Ordering::Release);
        }
        self.counters.commits.record(began.elapsed());
        self.progress.head.store(self.store.position(), Ordering::Release);
        // Whoever is answered finds what he asked for.
        if let Some(now) = self.store.settings().filter(|now| before.is_none_or(|before| !Arc::ptr_eq(&before, now))) {
            (self.publish.0)(now);
        }
        let mut entries = Vec::with_capacity(kept.len());
        for (kept, waiting) in kept.into_iter().zip(answers) {
            let outcome = match kept {
                Kept::New(entry) => {
                    self.time.written(&entry.event, &self.progress.time);
                    entries.push(entry);
                    Outcome::Is(Answer::Kept)
                }
                Kept::Changed(entry) => {
                    let position = entry.seq;
                    if let Event::Change { change, .. } = &entry.event
                        && let Change::Destroy { account, at, .. } = &**change
                    {
                        let ending = Ending { seq: position, at: *at, account: account.clone() };
                        self.progress.endings.begin(ending);
                    }
                    let id = if let Event::Change { id, .. } = &entry.event { *id } else { None };
                    entries.push(entry);
                    Outcome::Changed(Ok(Changed { id, position }))
                }
                Kept::Unfit(unfit) => Outcome::Changed(Err(unfit)),
                Kept::NewInstead { dropped, entry } => {
                    told(&dropped, &entry);
                    entries.extend([dropped, entry]);
                    Outcome::Is(Answer::Kept)
                }
                Kept::Unknown => Outcome::Is(Answer::Unknown),
                Kept::Duplicate => Outcome::Is(Answer::Duplicate),
                Kept::TooManyDrains => Outcome::Is(Answer::TooManyDrains),
            };
            waiting.answer(outcome);
        }
        if !entries.is_empty() {
            // Who is behind reads the journal itself; intake waits for nobody.
            let entries = Arc::new(entries);
            if let Some(logs) = &self.logs {
                let _ = logs.try_send(entries.clone());
            }
            let _ = self.pipelines.try_send(entries);
        }
        Ok(())
    }

    /// What may go with this commit: deliveries that are in two snapshots, and twice as many as come, so that the file
    /// does not grow. When there is no room, those that are only kept for later use go, too.
    fn old(&self, group: &Group, failing: &Failing, ids: bool) -> Old {
        let retention = if failing.is_full { Duration::ZERO } else { self.retention };
        // What anybody still needs stays.
        let kept = if self.logs.is_some() { self.progress.kept_behind.load(Ordering::Acquire) } else { u64::MAX };
        let behind = self.progress.behind.load(Ordering::Acquire).min(kept);
        let before = match self.time.older_than(retention) {
            // With none, age does not matter, and so the clock does not.
            _ if retention.is_zero() => Timestamp::from_unix_micros(i64::MAX),
            Some(before) => before,
            None => Timestamp::from_unix_micros(i64::MIN),
        };
        Old { behind, before, ids, rows: AT_ONCE.max(2 * group.len() as u64), given: 0 }
    }

    /// Leaves word for the next start.
    fn damaged(&self, error: &StoreError) -> Damaged {
        tracing::error!(%error, "the journal cannot be used on");
        let _ = std::fs::write(marker(&self.dir), format!("{error}\n"));
        Damaged
    }
}

/// The drains of a store, those with a place first.
pub(crate) fn listed(store: &Store) -> Vec<Listed> {
    let here = store.drains().map(|(drain, heard)| Listed { drain: drain.clone(), heard, refused_until: None });
    let mut all: Vec<_> = here.collect();
    all.sort_by(|a, b| a.drain.cmp(&b.drain));
    all.extend(store.refused().map(|(drain, until)| Listed {
        drain: drain.clone(),
        heard: None,
        refused_until: Some(until),
    }));
    all
}

/// Says whose place went to whom.
fn told(dropped: &Entry, entry: &Entry) {
    if let (Event::Dropped { drain: old, .. }, Event::Delivery(record)) = (&dropped.event, &entry.event) {
        tracing::warn!(
            old = %DrainName::of(old).shown(), new = %DrainName::of(&record.drain).shown(),
            "a new drain took the place of another one, which is refused until its windows are past their horizon; if \
             both are meant, raise max_tokens of their [[drain]], or max_drains"
        );
    }
}

/// The journal's file is broken.
#[derive(Debug)]
pub(crate) struct Damaged;

/// What goes into one commit, and who waits for it.
#[derive(Default)]
struct Group {
    offers: Vec<Offer>,
    answers: Vec<Waiting>,
    bytes: usize,
    has_deliveries: bool,
    /// Those that were asked for last, to be asked for again when the commit fails.
    settings: Option<Box<Settings>>,
}

impl Group {
    fn add(&mut self, message: Message, time: &mut Timekeeper) {
        match message {
            Message::Delivery { key, record, answer } => {
                self.bytes += record.body.memory();
                self.has_deliveries = true;
                self.offers.push(Offer { key, event: Event::Delivery(*record) });
                self.answers.push(Waiting::Answer(answer));
            }
            Message::Change { change, answer } => {
                self.offers.push(Offer { key: None, event: Event::Change { change, id: None } });
                self.answers.push(answer.map_or(Waiting::Nobody, Waiting::Change));
            }
            Message::Settings(settings) => {
                time.follow(&settings);
                self.settings = Some(settings.clone());
                self.offers.push(Offer { key: None, event: Event::Settings(settings) });
                self.answers.push(Waiting::Nobody);
            }
            Message::Drop { drain, answer } => {
                self.offers.push(Offer { key: None, event: Event::Dropped { drain, time: now() } });
                self.answers.push(Waiting::Answer(answer));
            }
            // These are answered without the disk.
            Message::Drains(_) => {}
        }
    }

    fn len(&self) -> usize {
        self.offers.len()
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.offers.iter().filter_map(|offer| match &offer.event {
            Event::Delivery(record) => Some(record),
            _ => None,
        })
    }

    /// Puts events before all others, and says by the believed clock when deliveries came.
    fn put_first(&mut self, events: Vec<Event>, believed: Timestamp) {
        for offer in &mut self.offers {
            match &mut offer.event {
                Event::Delivery(record) => record.received = believed,
                Event::Dropped { time, .. } => *time = believed,
                Event::Change { change, .. } => change.is_of(believed.unix_micros()),
                _ => {}
            }
        }
        self.answers.splice(0..0, events.iter().map(|_| Waiting::Nobody));
        self.offers.splice(0..0, events.into_iter().map(|event| Offer { key: None, event }));
    }
}

/// Who waits for what becomes of an offer.
enum Waiting {
    Nobody,
    Answer(oneshot::Sender<Answer>),
    Change(oneshot::Sender<Result<Changed, ChangeError>>),
}

/// What became of it.
enum Outcome {
    Is(Answer),
    Changed(Result<Changed, Unfit>),
}

impl Waiting {
    fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Answer(answer), Outcome::Is(what)) => drop(answer.send(what)),
            (Self::Change(answer), Outcome::Changed(what)) => drop(answer.send(what.map_err(ChangeError::Unfit))),
            (Self::Change(answer), Outcome::Is(_)) => drop(answer.send(Err(ChangeError::CannotStore))),
            (Self::Answer(answer), Outcome::Changed(_)) => drop(answer.send(Answer::CannotStore)),
            (Self::Nobody, _) => {}
        }
    }
}

/// Says once that the disk fails, and once that it works again.
#[derive(Default)]
struct Failing {
    since: Option<Instant>,
    is_full: bool,
    said: Option<Instant>,
}

impl Failing {
    fn note(&mut self, error: &StoreError) {
        self.since.get_or_insert_with(Instant::now);
        self.is_full = error.is_full();
        if self.said.is_none_or(|said| said.elapsed() > Duration::from_secs(30)) {
            self.said = Some(Instant::now());
            tracing::error!(%error, "deliveries cannot be stored, and are answered with 503 until they can");
        }
    }

    fn over(&mut self) {
        if let Some(since) = self.since.take() {
            *self = Self::default();
            tracing::info!(after_seconds = since.elapsed().as_secs(), "deliveries are stored again");
        }
    }
}

/// What the host's clock says.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
