//! Minutes kept: the rows of closed windows with all that they hold, so that any of them can be added up later, percentiles
//! included.
//!
//! ```text
//! counting -> Gather -> Keeper -> minutes.db -> series, names, tags -> pages, API
//!             packs     a thread of its own
//! ```
//!
//! Nodes that share a journal keep them in its database instead. Each partition has a gather and a keeper where it is counted,
//! and what these write goes by the epoch of its owner; whoever asks sees all partitions, on any node.
//!
//! A row is kept under its account and drain; a revision stands in for the row of the same drain, and of no other. Rows come
//! in small pieces, which are put together by the hour, and rolled up to quarters and hours. What the roll-ups do not have
//! yet is read from the minutes, so that an answer has all that is known, whatever step it is drawn in.
//!
//! Writing is idempotent: what is written twice is there once. So a start that does not know how far it had come begins
//! further back.

mod ask;
#[cfg(test)]
mod behind;
mod block;
mod checking;
mod counts;
#[cfg(feature = "postgres")]
mod database;
#[cfg(all(test, unix))]
mod figures;
mod file;
mod gather;
mod joining;
mod keeper;
mod keeping;
#[cfg(test)]
mod lasting;
mod levels;
mod open;
mod past;
mod select;
mod standing;
mod sums;
mod tables;
mod tags;
mod taking;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble;
mod writing;

pub use ask::{MOST_STEPS, MOST_VALUES};
pub use checking::check;
pub use counts::Counts;
pub use gather::Gather;
pub use keeper::Keeper;
pub use keeping::Keeping;
pub use open::OpenRows;
pub use past::{Past, Wanted};
pub use select::fits;
pub use tags::Tag;

#[cfg(feature = "postgres")]
use crate::parts::{Part, Parts};
use crate::settings::Settings;
#[cfg(feature = "postgres")]
use crate::sql::Address;
use ask::Circumstances;
#[cfg(feature = "postgres")]
use database::{Database, Keepers, Shelf};
use heroku_metrics::model::{Kind, Timestamp};
use keeping::KEPT;
use logdrain_charts::series::{Asked, Series, Span};
use open::Opened;
use standing::Standing;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tables::{Lookup, TableError};

/// Connections that are kept for the next question.
const READERS: usize = 4;
/// How long a question may take.
const TIME: Duration = Duration::from_secs(5);
/// How long a removal is waited for.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);

/// Questions at a time: each takes its memory.
const AT_A_TIME: usize = 2;
/// What all of it takes at most on a single server.
pub const MEMORY: usize = memory(1);

/// What all of it takes at most where so many partitions are counted: questions, rows on their way, what is open, twice, and
/// what is put together.
pub const fn memory(partitions: usize) -> usize {
    let each = gather::memory(waiting(partitions)) + 2 * open::MOST_BYTES;
    AT_A_TIME * ask::MEMORY + partitions * each + joining::MEMORY
}

/// Bytes of rows of each partition that may wait.
const fn waiting(partitions: usize) -> usize {
    let share = gather::WAITING / partitions;
    if share > gather::FULL { share } else { gather::FULL }
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MinutesError {
    /// It would go through more than a question may.
    TooMuch(&'static str),
    TooLong,
    /// Others asked before.
    Busy,
    /// The file cannot be read.
    Unread(String),
}

impl fmt::Display for MinutesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch(why) => f.write_str(why),
            Self::TooLong => {
                write!(f, "the answer took longer than {} s: ask for a shorter span or a longer step", TIME.as_secs())
            }
            Self::Busy => f.write_str("others are being answered: come again"),
            Self::Unread(why) => write!(f, "the kept minutes cannot be read: {why}"),
        }
    }
}

impl From<&'static str> for MinutesError {
    fn from(why: &'static str) -> Self {
        Self::TooMuch(why)
    }
}

impl From<rusqlite::Error> for MinutesError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unread(error.to_string())
    }
}

impl From<TableError> for MinutesError {
    fn from(error: TableError) -> Self {
        Self::Unread(error.to_string())
    }
}

/// What an account's minutes are removed by.
#[derive(Debug)]
pub struct Removal {
    account: String,
    done: Sender<Result<(), String>>,
}

/// The kept minutes, for whoever asks, and for who counts.
#[derive(Clone, Debug)]
pub struct Minutes {
    shared: Arc<Shared>,
    /// Of the partition that is counted.
    own: Arc<Standing>,
}

#[derive(Debug)]
struct Shared {
    place: Place,
    keeping: Keeping,
    most_bytes: u64,
    /// Each with how many files were set aside before it was opened.
    readers: Mutex<Vec<(u64, Reader)>>,
    /// Questions that are being answered.
    asking: Mutex<usize>,
    answered: Condvar,
    /// The partitions that are counted here, by their numbers; 0 is all that a single server has.
    counted: Mutex<BTreeMap<u8, Arc<Standing>>>,
    window_ms: AtomicI64,
    counts: Arc<Counts>,
    /// Files that were damaged and set aside.
    aside: Arc<AtomicU64>,
    removals: Sender<Removal>,
    removed: Mutex<Option<Receiver<Removal>>>,
    turn: Arc<Mutex<()>>,
}

/// Where the minutes lie.
#[derive(Debug)]
enum Place {
    /// In the file of this folder.
    File(PathBuf),
    #[cfg(feature = "postgres")]
    Database(Nodes),
}

/// What a node needs to know of the database.
#[cfg(feature = "postgres")]
#[derive(Debug)]
struct Nodes {
    parts: Parts,
    db: Arc<Keepers>,
    /// What time it is there, in microseconds; 0 before it is known.
    time: AtomicI64,
}

type Reader = Box<dyn Lookup + Send>;

impl fmt::Debug for dyn Lookup + Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl Minutes {
    /// Minutes in the folder of a store, in a file of no more than so many bytes.
    pub fn new(dir: &Path, keeping: Keeping, most_bytes: u64) -> Self {
        Self::at(Place::File(dir.to_owned()), keeping, most_bytes)
    }

    /// Minutes of nodes that share a journal, in its database. All partitions together take no more than so many bytes.
    #[cfg(feature = "postgres")]
    pub fn of_nodes(address: &Address, parts: Parts, keeping: Keeping, most_bytes: u64) -> Self {
        let nodes = Nodes { parts, db: Arc::new(Keepers::new(address.clone())), time: AtomicI64::new(0) };
        Self::at(Place::Database(nodes), keeping, most_bytes)
    }

    fn at(place: Place, keeping: Keeping, most_bytes: u64) -> Self {
        let (removals, removed) = mpsc::channel();
        let own = Arc::<Standing>::default();
        let counted = match &place {
            Place::File(_) => BTreeMap::from([(0, own.clone())]),
            #[cfg(feature = "postgres")]
            Place::Database(_) => BTreeMap::new(),
        };
        Self {
            own,
            shared: Arc::new(Shared {
                place,
                keeping,
                most_bytes,
                readers: Mutex::default(),
                asking: Mutex::default(),
                answered: Condvar::new(),
                counted: Mutex::new(counted),
                window_ms: AtomicI64::new(60_000),
                counts: Arc::default(),
                aside: Arc::default(),
                removals,
                removed: Mutex::new(Some(removed)),
                turn: Arc::default(),
            }),
        }
    }

    /// What keeps them from here on, when the store is open: what gathers rows, and what writes them on a thread of its own.
    /// `from` is where counting begins, and `head` where the journal ends. Nodes keep those of a partition with `own`.
    pub fn start(&self, (from, head): (u64, u64), stop: Arc<AtomicBool>) -> (Gather, Keeper) {
        let dir = match &self.shared.place {
            Place::File(dir) => dir.clone(),
            #[cfg(feature = "postgres")]
            Place::Database(_) => PathBuf::new(),
        };
        let stored = file::position(&dir).unwrap_or(0);
        let removals = self.shared.removed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let removals = removals.unwrap_or_else(|| mpsc::channel().1);
        self.keep(dir, (stored, from, head), (stop, removals), gather::WAITING)
    }

    /// What keeps those of a partition that this node owns since an epoch, and what tells of it: as [`start`](Self::start)
    /// does for a single server. What it writes is refused when another node has the partition.
    ///
    /// # Errors
    /// When the database does not say how far they had come.
    #[cfg(feature = "postgres")]
    pub fn own(
        &self,
        (part, epoch): (Part, i64),
        journal: (u64, u64),
        stop: Arc<AtomicBool>,
    ) -> Result<(Self, Gather, Keeper<Database>), String> {
        let Place::Database(nodes) = &self.shared.place else { return Err("this is no node".to_owned()) };
        let shelf = Shelf { db: nodes.db.clone(), part, epoch };
        let (from, head) = journal;
        let stored = shelf.position().map_err(|error| format!("the kept minutes: {error}"))?;
        let own = Arc::<Standing>::default();
        self.counted().insert(part.number(), own.clone());
        let minutes = Self { shared: self.shared.clone(), own };
        let waiting = waiting(usize::from(nodes.parts.count()));
        let (gather, keeper) = minutes.keep(shelf, (stored, from, head), (stop, mpsc::channel().1), waiting);
        Ok((minutes, gather, keeper))
    }

    /// The partition that this tells of is not counted here any more.
    pub fn end(&self) {
        self.counted().retain(|_, of| !Arc::ptr_eq(of, &self.own));
    }

    fn keep<T: tables::Tables>(
        &self,
        at: T::At,
        (stored, from, head): (u64, u64, u64),
        (stop, removals): (Arc<AtomicBool>, Receiver<Removal>),
        waiting: usize,
    ) -> (Gather, Keeper<T>) {
        // Behind the end of the journal nothing can have been: it was made again, and counts from its beginning.
        let position = if stored > head { from } else { stored.max(from) };
        if stored > head {
            tracing::error!(
                minutes = stored,
                journal = head,
                "the minutes are ahead of the journal, which has lost its end"
            );
        }
        let kept = Arc::new(AtomicU64::new(position));
        let (to, batches) = gather::queue(waiting);
        let Shared { keeping, counts, turn, .. } = &*self.shared;
        // Until the journal says what time it is, steps are those of the windows that are set.
        self.shared.window_ms.store(self.window_set(), Ordering::Release);
        let keeper = Keeper {
            at,
            batches,
            kept: kept.clone(),
            counts: counts.clone(),
            stop: stop.clone(),
            keeping: keeping.clone(),
            removals,
            time: self.own.time.clone(),
            most_bytes: self.shared.most_bytes,
            aside: self.shared.aside.clone(),
            turn: turn.clone(),
        };
        (Gather::new(to, kept, stop), keeper)
    }

    /// How long windows are set to be, in milliseconds.
    fn window_set(&self) -> i64 {
        i64::try_from(self.shared.keeping.settings().window_ms).unwrap_or(60_000).max(1)
    }

    /// The time of the journal moved on.
    pub fn moved(&self, time: Timestamp, settings: &Settings) {
        let window = i64::try_from(settings.window_ms).unwrap_or(60_000).max(1);
        self.shared.window_ms.store(window, Ordering::Release);
        self.own.moved(time.unix_micros(), closed(time, settings));
    }

    /// What time it is at the database, for who asks.
    #[cfg(feature = "postgres")]
    pub fn tell(&self, time: Timestamp) {
        if let Place::Database(nodes) = &self.shared.place {
            nodes.time.store(time.unix_micros(), Ordering::Release);
        }
    }

    /// What is open now.
    pub fn show_open(&self, rows: OpenRows) {
        self.own.show(rows);
    }

    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Values over time, of the drains that may be seen; `None` is all of them. A step that is not given is as usual for the
    /// span, and one that would be too many or is not kept any more becomes longer.
    ///
    /// It takes its time: call it where that keeps nobody waiting.
    ///
    /// # Errors
    /// When it would go through too much, or take too long, or the disk does not give it.
    pub fn series(
        &self,
        account: &str,
        drains: Option<&[String]>,
        asked: &Asked,
        span: Span,
        step: Option<u32>,
        most_lines: usize,
    ) -> Result<Series, MinutesError> {
        let about = self.about(account, drains);
        let span = self.shown(account, span);
        let step = ask::step(span, step, &about);
        let open = self.open();
        self.read(|db| ask::series(db, &open, asked, (span, step), most_lines, &about))
    }

    /// Shows the rows of closed windows, oldest first, until whoever looks has seen enough. He has a place among those who
    /// ask as long as he looks.
    ///
    /// # Errors
    /// When it would go through too much, or the disk does not give it.
    pub fn rows(
        &self,
        account: &str,
        drains: Option<&[String]>,
        wanted: Wanted<'_>,
        look: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
    ) -> Result<(), MinutesError> {
        let about = self.about(account, drains);
        // What a plan hides is not looked at either.
        let (first, end) = wanted.hours;
        let shown = self.shown(account, Span { start: first.saturating_mul(3_600), end: end.saturating_mul(3_600) });
        let wanted = Wanted { hours: ((shown.start + 3_599).div_euclid(3_600), shown.end.div_euclid(3_600)), ..wanted };
        self.read(|db| db.map_or(Ok(()), |db| past::rows(db, wanted, &about, look)))
    }

    /// How long windows are, and before which time all of them are closed.
    pub fn standing(&self) -> (Duration, Timestamp) {
        let window = self.window().max(1).unsigned_abs();
        (Duration::from_millis(window), Timestamp::from_unix_micros(self.closed()))
    }

    /// The metrics whose names hold a text, or fit it when it has a star; and how many more there are.
    pub fn names(
        &self,
        account: &str,
        drains: Option<&[String]>,
        text: &str,
        most: usize,
    ) -> Result<(Vec<String>, usize), MinutesError> {
        let about = self.about(account, drains);
        let open = self.open();
        self.read(|db| tags::names(db, &open, text, most, &about))
    }

    /// Whether there is a metric of this name, for who sees these drains.
    pub fn has(&self, account: &str, drains: Option<&[String]>, name: &str) -> Result<bool, MinutesError> {
        let about = self.about(account, drains);
        let open = self.open();
        self.read(|db| tags::has(db, &open, name, &about))
    }

    /// The tags that a metric had in the last day, and their values.
    pub fn tags(
        &self,
        account: &str,
        drains: Option<&[String]>,
        name: &str,
        most: usize,
    ) -> Result<Vec<Tag>, MinutesError> {
        let about = self.about(account, drains);
        let open = self.open();
        self.read(|db| tags::tags(db, &open, name, most, &about))
    }

    /// What the values of a metric are; `None` when none was told in the last day.
    pub fn kind(&self, account: &str, drains: Option<&[String]>, name: &str) -> Result<Option<Kind>, MinutesError> {
        let about = self.about(account, drains);
        let open = self.open();
        self.read(|db| tags::kind(db, &open, name, &about))
    }

    /// The drains of an account of which there is anything.
    pub fn drains(&self, account: &str) -> Result<Vec<String>, MinutesError> {
        let open = self.open();
        self.read(|db| tags::drains(db, &open, account))
    }

    /// From the oldest hour to the end of the newest, with what is open; `None` where there is nothing yet.
    pub fn span_of(&self, account: &str) -> Result<Option<Span>, MinutesError> {
        let open = self.open().span(account);
        let kept = self.read(|db| db.map_or(Ok(None), |db| tags::span(db, account)))?;
        Ok(match (kept, open) {
            (Some(kept), Some(open)) => Some(Span { start: kept.start.min(open.start), end: kept.end.max(open.end) }),
            (kept, open) => kept.or(open),
        })
    }

    /// Removes all that is kept of an account, and waits until it is gone.
    ///
    /// # Errors
    /// When the disk does not let it, or it does not come to it in time.
    pub fn remove(&self, account: &str) -> Result<(), MinutesError> {
        #[cfg(feature = "postgres")]
        if let Place::Database(nodes) = &self.shared.place {
            return Ok(database::remove(&nodes.db, account, None, Instant::now() + REMOVED_WITHIN)?);
        }
        let (done, removed) = mpsc::channel();
        let gone = || MinutesError::Unread("nobody writes them now".to_owned());
        self.shared.removals.send(Removal { account: account.to_owned(), done }).map_err(|_| gone())?;
        removed.recv_timeout(REMOVED_WITHIN).map_err(|_| gone())?.map_err(MinutesError::Unread)
    }

    /// The same where nodes have them together, by the owner of a partition: as long as it is the owner.
    ///
    /// # Errors
    /// When it cannot be written, or it does not come to it in time; what was removed is gone then.
    #[cfg(feature = "postgres")]
    pub fn remove_by(&self, owner: (Part, i64), account: &str) -> Result<(), MinutesError> {
        let Place::Database(nodes) = &self.shared.place else { return self.remove(account) };
        Ok(database::remove(&nodes.db, account, Some(owner), Instant::now() + REMOVED_WITHIN)?)
    }

    /// What a plan shows of a span.
    fn shown(&self, account: &str, span: Span) -> Span {
        let settings = self.shared.keeping.settings();
        let now = self.now().div_euclid(1_000_000);
        let hours = settings.account(account).plan.as_ref().and_then(|plan| plan.metrics.retention());
        let floor = match hours {
            Some(shown) => now.saturating_sub(i64::try_from(shown.as_secs()).unwrap_or(i64::MAX)),
            None => 0,
        };
        let start = span.start.clamp(0, i64::from(u32::MAX) * 4).max(floor);
        Span { start, end: span.end.clamp(start, i64::from(u32::MAX) * 4) }
    }

    fn about<'a>(&self, account: &'a str, drains: Option<&'a [String]>) -> Circumstances<'a> {
        Circumstances {
            account,
            drains,
            now: self.now().div_euclid(1_000),
            closed: self.closed().div_euclid(1_000),
            window: self.window(),
            kept: KEPT,
            until: Instant::now() + TIME,
        }
    }

    /// How long windows are, in milliseconds.
    fn window(&self) -> i64 {
        match &self.shared.place {
            Place::File(_) => self.shared.window_ms.load(Ordering::Acquire),
            // It may count none.
            #[cfg(feature = "postgres")]
            Place::Database(_) => self.window_set(),
        }
    }

    fn counted(&self) -> MutexGuard<'_, BTreeMap<u8, Arc<Standing>>> {
        self.shared.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before this time, in microseconds, all windows are closed that are counted here.
    fn closed(&self) -> i64 {
        self.counted().values().map(|of| of.closed.load(Ordering::Acquire)).min().unwrap_or(0)
    }

    /// In microseconds; before the journal says it, as the clock does.
    fn now(&self) -> i64 {
        let time = match &self.shared.place {
            Place::File(_) => self.own.time.load(Ordering::Acquire),
            #[cfg(feature = "postgres")]
            Place::Database(nodes) => nodes.time.load(Ordering::Acquire),
        };
        match time {
            0 => crate::journal::now().unix_micros(),
            time => time,
        }
    }

    fn open(&self) -> Opened {
        Opened(self.counted().values().map(|of| of.open()).collect())
    }

    /// A place among those who ask.
    fn turn(&self) -> Result<Turn<'_>, MinutesError> {
        let asking = self.shared.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.shared.answered.wait_timeout_while(asking, TIME, |asking| *asking >= AT_A_TIME);
        let (mut asking, waited) = free.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(MinutesError::Busy);
        }
        *asking += 1;
        Ok(Turn(&self.shared))
    }

    /// Reads with a connection of those that are kept, or one more.
    fn read<T>(&self, read: impl FnOnce(Option<&dyn Lookup>) -> Result<T, MinutesError>) -> Result<T, MinutesError> {
        let _turn = self.turn()?;
        let file = self.shared.aside.load(Ordering::Acquire);
        let kept = {
            let mut readers = self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner);
            // Those of a file that was set aside would go on reading it.
            readers.retain(|(of, _)| *of == file);
            readers.pop().map(|(_, db)| db)
        };
        let db = match kept {
            Some(db) => Some(db),
            None => self.reader()?,
        };
        let answer = read(db.as_deref().map(|db| db as &dyn Lookup));
        let mut readers = self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(db) = db.filter(|_| answer.is_ok() && readers.len() < READERS) {
            readers.push((file, db));
        }
        answer
    }

    /// One more connection; `None` when there is nothing yet.
    fn reader(&self) -> Result<Option<Reader>, MinutesError> {
        match &self.shared.place {
            Place::File(dir) => Ok(file::reader(dir)?.map(|db| Box::new(db) as Reader)),
            #[cfg(feature = "postgres")]
            Place::Database(nodes) => {
                let reader = database::reader(&nodes.db.address, self.shared.keeping.clone())?;
                Ok(Some(Box::new(reader)))
            }
        }
    }
}

/// Before which time, in microseconds, windows are closed when the journal has come to a time.
fn closed(time: Timestamp, settings: &Settings) -> i64 {
    let window = i64::try_from(settings.window_ms).unwrap_or(60_000).max(1) * 1_000;
    time.earlier(settings.lateness()).unix_micros().div_euclid(window) * window
}

/// One who asks, until he is answered.
struct Turn<'a>(&'a Shared);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.asking.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.answered.notify_one();
    }
}
