//! The journal: one thread owns the disk. What queued up since the last commit goes into the next one, is answered when
//! it is durable, and is handed to the pipelines.

#[cfg(not(feature = "postgres"))]
mod absent;
mod accounts;
mod aside;
mod carried;
mod carve;
mod desk;
mod doubts;
mod endings;
mod failure;
mod files;
mod gone;
mod group;
mod head;
mod lease;
mod ledger;
mod meta;
#[cfg(not(feature = "s3"))]
mod no_bucket;
#[cfg(feature = "s3")]
mod objects;
mod outage;
mod places;
#[cfg(feature = "postgres")]
mod postgres;
mod purges;
mod purging;
mod reader;
#[cfg(feature = "postgres")]
mod remembered;
mod renewal;
mod row;
mod salvage;
mod schema;
mod seam;
mod seats;
mod segments;
#[cfg(feature = "postgres")]
mod sharing;
mod snapshot_place;
mod snapshots;
mod spool;
mod spooling;
mod store;
mod time;
mod window_clock;

#[cfg(feature = "postgres")]
pub use crate::sql::Address;
#[cfg(not(feature = "postgres"))]
pub use absent::{Address, open_database, owner};
pub use desk::Desk;
pub use doubts::Doubts;
pub use endings::{Ending, Endings};
pub use failure::StoreError;
pub use lease::{Lease, NotHeld, hold, is_held};
pub use meta::LAST_NUMBER;
#[cfg(all(feature = "s3", feature = "postgres"))]
pub(crate) use objects::Objects;
#[cfg(feature = "postgres")]
pub use postgres::{
    Members, NodeView, PartView, SharedPartition, View, Waiting, find_lines, open_database, owner, reader_of, view_of,
};
pub use purges::Erase;
pub use reader::JournalReader;
#[cfg(feature = "postgres")]
pub use remembered::{Memory, Past, Remembered, recall};
pub use salvage::{marker, salvage, salvage_part};
pub use schema::{APPLICATION, SCHEMA};
pub use seam::{Events, Kept, Leisure, Offer, Old, Partition, Segments, Snapshots, Step, Writing};
pub use segments::Folder;
#[cfg(feature = "postgres")]
pub use sharing::{Owned, Ownership, SharingWriter, Told};
pub use snapshot_place::SnapshotPlace;
pub use snapshots::Named;
pub use spool::{Owner, Spool, Spooled};
pub use store::{Store, elsewhere, path};
pub use time::Timekeeper;

use crate::clock::Standing;
use crate::event::{DeliveryKey, Record};
use crate::settings::Settings;
use crate::settings::change::{Change, Unfit};
use group::{Group, Outcome};
use heroku_metrics::model::Timestamp;
use spooling::Spooling;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// The most deliveries of a commit.
const GROUP: usize = 1_024;
/// Old events that go with a commit, at least.
const AT_ONCE: u64 = 64;
/// How often ids are looked through for old ones.
const IDS_EVERY: Duration = Duration::from_secs(1);
/// How long the thread waits for something to do before it looks around.
const LOOK_AROUND: Duration = Duration::from_millis(500);
/// How long it lets a journal be that takes nothing, when nobody brings anything.
const AGAIN: Duration = Duration::from_millis(100);

/// Something for the thread that writes.
#[derive(Debug)]
pub enum Message {
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
pub struct Listed {
    /// Its key: never to be shown.
    pub drain: Arc<str>,
    /// When its last delivery came, as far as that is known.
    pub heard: Option<Timestamp>,
    /// It lost its place, and is refused until then.
    pub refused_until: Option<Timestamp>,
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
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
pub struct Changed {
    /// The number of what was made or changed, if it has one.
    pub id: Option<u32>,
    /// The change's own in the journal.
    pub position: u64,
}

/// Why nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeError {
    /// It does not fit what there is.
    Unfit(Unfit),
    /// The journal takes nothing now, or its disk does not.
    CannotStore,
}

/// Tells others of the settings that hold from a commit on.
pub struct Publish(Box<Follow>);

type Follow = dyn Fn(&Arc<Settings>) + Send;

impl Publish {
    pub fn to(follow: impl Fn(&Arc<Settings>) + Send + 'static) -> Self {
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
pub struct Progress {
    /// The last event on the disk.
    pub head: AtomicU64,
    /// The last event whose rows are out and durable.
    pub emitted: AtomicU64,
    /// Events up to here are in a snapshot that is safe.
    pub behind: AtomicU64,
    /// The lines of events up to here are in files; the most there can be while lines are not kept.
    pub kept_behind: AtomicU64,
    /// No event gets an id at or below this one.
    pub taken_id: AtomicU64,
    /// The journal has no room.
    pub full: AtomicBool,
    /// Whether the disk took the last commit.
    pub storing: AtomicBool,
    /// What time it is, and how far the watermark is.
    pub time: Standing,
    /// Snapshots that could not be written, one after the other.
    pub snapshots_failing: AtomicU64,
    /// Accounts that are destroyed, and of which something is left beside the journal.
    pub endings: Endings,
    /// What waits in the spool.
    pub spooled: Spooled,
    /// Where nodes share the journal, what this one sees of it.
    pub nodes: Nodes,
}

/// What a node sees of those that share its journal; all 0 where there are none.
#[derive(Debug, Default)]
pub struct Nodes {
    /// How many live.
    pub live: AtomicU64,
    /// How many partitions there are, and how many of them are this node's.
    pub parts: AtomicU64,
    pub owned: AtomicU64,
    /// Partitions that this one took since it began.
    pub taken: AtomicU64,
    /// And those that it lost to another one.
    pub lost: AtomicU64,
    /// This one started while the database was away, has heard of nobody since, and goes by what it knew before.
    pub remembers: AtomicBool,
    /// The database does not answer: when the leases are over nobody can say who owns what.
    pub away: AtomicBool,
    /// Lines are kept, each account's by the node that counts it.
    pub keeps_lines: AtomicBool,
    /// Requests that other nodes answered for this one, and those that none did.
    pub passed: AtomicU64,
    pub unanswered: AtomicU64,
}

impl Nodes {
    /// Whether the journal is one that nodes share.
    pub fn are_there(&self) -> bool {
        self.parts.load(Ordering::Relaxed) > 0
    }
}

impl Progress {
    /// What keeps deliveries from being counted as they should, if anything does.
    pub fn trouble(&self) -> Option<&'static str> {
        /// A few may find a disk that is full for a moment.
        const MANY: u64 = 3;
        if self.snapshots_failing.load(Ordering::Acquire) >= MANY {
            return Some("snapshots cannot be written, and the journal grows without end");
        }
        // While the spool takes what comes, the watermark waits for its oldest.
        if self.spooled.is_in_use() { None } else { self.time.trouble() }
    }
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writer {
    pub store: Box<dyn Partition>,
    /// Keeps deliveries while the store is away, if that is wanted.
    pub spool: Option<Spool>,
    pub desk: Desk,
}

impl Writer {
    /// Writes until everybody who could send has gone. The pipelines see the end by their side of the channel.
    ///
    /// # Errors
    /// When the file turns out to be damaged: the next start looks after it. Or another node writes the journal now.
    pub fn run(mut self) -> Result<(), Halt> {
        if let Some(spool) = self.spool.take() {
            return Spooling::new(self.store, spool, self.desk)?.run();
        }
        let mut failing = Failing::default();
        let mut ids_given = Instant::now();
        let mut has_more = false;
        loop {
            let least = if failing.since.is_some() { AGAIN } else { Duration::ZERO };
            let wait = if has_more { Duration::ZERO } else { self.desk.time.wait().clamp(least, LOOK_AROUND) };
            let mut group = Group::default();
            let over = self.desk.gather(&mut group, wait, |answer| drop(answer.send(self.store.listed())));
            // What time it is stands before the deliveries that came by then: after a sleep they would be of the future.
            let times = self.desk.time.turn(group.records(), &self.desk.progress.time);
            group.put_first(times, self.desk.time.believed());
            let mut old = self.desk.old(group.len(), failing.is_full, ids_given.elapsed() > IDS_EVERY);
            if group.len() == 0 || failing.is_full {
                // With nothing to write, or to make room for it.
                match self.store.give_back(&mut old) {
                    Err(error) if is_the_end(&error) => return Err(self.desk.halt(&error)),
                    // What the disk refuses will be told when something is to be kept.
                    _ => {}
                }
                if let Err(error) = self.store.check_place() {
                    failing.note(&error);
                    self.desk.progress.storing.store(false, Ordering::Release);
                } else if failing.since.is_none() {
                    let _ = self.store.shrink(Leisure::Moment);
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
                let _ = self.store.shrink(Leisure::End);
                if let Err(error) = self.store.settle() {
                    tracing::warn!(%error, "the write-ahead log could not be folded in; it will be at the next start");
                }
                return Ok(());
            }
        }
    }

    /// Does some of what purges left to do. Says whether there is more to do at once.
    fn purge(&mut self) -> Result<bool, Halt> {
        let desk = &self.desk;
        let done = self.store.purge_some(desk.behind(), &desk.erase, &desk.progress.endings);
        let aside = desk.time.older_than(Duration::ZERO).map_or(Ok(()), |now| self.store.purge_aside(&desk.dir, now));
        match done.and_then(|more| aside.map(|()| more)) {
            Ok(more) => Ok(more),
            Err(error) if is_the_end(&error) => Err(desk.halt(&error)),
            Err(error) => {
                tracing::warn!(%error, "a purge of the journal waits for its disk");
                // Whether it is there is read again.
                match self.store.recall() {
                    Err(error) if is_the_end(&error) => Err(desk.halt(&error)),
                    _ => Ok(false),
                }
            }
        }
    }

    /// Commits a group and answers it, whether or not the disk took it.
    fn commit(&mut self, group: Group, old: &mut Old, failing: &mut Failing) -> Result<(), Halt> {
        let Group { offers, answers, settings, has_deliveries, .. } = group;
        let progress = self.desk.progress.clone();
        let emitted = progress.emitted.load(Ordering::Acquire);
        self.store.pass_id(progress.taken_id.load(Ordering::Acquire));
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
                progress.full.store(failing.is_full, Ordering::Release);
                progress.storing.store(false, Ordering::Release);
                self.desk.counters.commits_failed.add(1);
                if has_deliveries {
                    self.desk.time.not_taken();
                }
                answers.into_iter().for_each(|waiting| waiting.answer(Outcome::Is(Answer::CannotStore)));
                self.desk.owed = settings;
                return if is_the_end(&error) { Err(self.desk.halt(&error)) } else { Ok(()) };
            }
        };
        // A disk that is full may take a tick, and no delivery.
        if has_deliveries || !failing.is_full {
            failing.over();
            progress.full.store(false, Ordering::Release);
            progress.storing.store(true, Ordering::Release);
        }
        self.desk.counters.commits.record(began.elapsed());
        self.desk.settled(self.store.position(), before.as_ref(), self.store.settings());
        let mut entries = Vec::with_capacity(kept.len());
        for (kept, waiting) in kept.into_iter().zip(answers) {
            waiting.answer(self.desk.outcome(kept, &mut entries));
        }
        self.desk.hand_on(entries);
        Ok(())
    }
}

/// Whether nothing can be written from now on, whatever is tried.
fn is_the_end(error: &StoreError) -> bool {
    error.is_damage() || error.is_taken_over()
}

/// Why the journal cannot be written any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Halt {
    /// Its file is broken.
    Damaged,
    /// Another node writes it now.
    TakenOver,
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
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
