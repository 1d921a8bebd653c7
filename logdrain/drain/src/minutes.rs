//! Minutes kept: the rows of closed windows with all that they hold, so that any of them can be added up later, percentiles
//! included.
//!
//! ```text
//! counting -> Gather -> Keeper -> minutes.db -> series, names, tags -> pages, API
//!             packs     a thread of its own
//! ```
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
#[cfg(all(test, unix))]
mod figures;
mod file;
mod gather;
mod joining;
mod keeper;
#[cfg(test)]
mod lasting;
mod open;
mod past;
mod select;
mod sums;
mod tags;
mod taking;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble;
mod writing;

pub use ask::{MOST_STEPS, MOST_VALUES};
pub use checking::check;
pub use gather::Gather;
pub use keeper::Keeper;
pub use open::OpenRows;
pub use past::{Past, Wanted};
pub use select::fits;
pub use tags::Tag;

use crate::settings::Settings;
use crate::settings::account::PLAN_GRACE_MICROS;
use ask::{Circumstances, Kept};
use heroku_metrics::model::{Kind, Timestamp};
use logdrain_charts::series::{Asked, Series, Span};
use rusqlite::Connection;
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Connections that are kept for the next question.
const READERS: usize = 4;
/// How long a question may take.
const TIME: Duration = Duration::from_secs(5);
/// How long a removal is waited for.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);
/// 8 days, 32 days and a year.
const KEPT: Kept = [8 * 24, 32 * 24, 366 * 24];

/// Questions at a time: each takes its memory.
const AT_A_TIME: usize = 2;
/// What all of it takes at most: questions, rows on their way, what is open, twice, and what is put together.
pub const MEMORY: usize = AT_A_TIME * ask::MEMORY + gather::MEMORY + 2 * open::MOST_BYTES + joining::MEMORY;

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

impl From<file::FileError> for MinutesError {
    fn from(error: file::FileError) -> Self {
        Self::Unread(error.to_string())
    }
}

/// What is counted of them.
#[derive(Default, Debug)]
pub struct Counts {
    /// Rows that were written.
    pub rows: AtomicU64,
    /// Tries to write that failed.
    pub failures: AtomicU64,
    /// What the file takes.
    pub bytes: AtomicU64,
    /// They cannot be written now.
    pub is_failing: AtomicBool,
}

/// How long minutes are kept, by account.
#[derive(Clone)]
pub struct Keeping(Arc<dyn Fn() -> Arc<Settings> + Send + Sync>);

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeping")
    }
}

impl Keeping {
    pub fn by(settings: impl Fn() -> Arc<Settings> + Send + Sync + 'static) -> Self {
        Self(Arc::new(settings))
    }

    /// How many hours the levels of an account are kept; `now` in milliseconds.
    pub(super) fn hours(&self, account: &str, now: i64) -> Kept {
        let settings = self.0();
        let account = settings.account(account);
        let shorter = account.plan.as_ref().and_then(|plan| plan.metrics.retention());
        let grace = PLAN_GRACE_MICROS / 1_000;
        match shorter {
            // What a plan hides is there a week longer, for whoever takes a larger one again.
            Some(shown) if now.saturating_sub(account.plan_since / 1_000) >= grace => {
                let hours = i64::try_from(shown.as_secs().div_ceil(3_600)).unwrap_or(i64::MAX / 2);
                KEPT.map(|kept| kept.min(hours.saturating_add(grace / file::HOUR)))
            }
            _ => KEPT,
        }
    }
}

/// What an account's minutes are removed by.
#[derive(Debug)]
pub struct Removal {
    account: String,
    done: Sender<Result<(), String>>,
}

/// The kept minutes, for whoever asks.
#[derive(Clone, Debug)]
pub struct Minutes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    keeping: Keeping,
    most_bytes: u64,
    /// Each with how many files were set aside before it was opened.
    readers: Mutex<Vec<(u64, Connection)>>,
    /// Questions that are being answered.
    asking: Mutex<usize>,
    answered: Condvar,
    open: Mutex<Arc<OpenRows>>,
    /// What time it is by the journal, in microseconds.
    time: Arc<AtomicI64>,
    /// Before this time windows are closed, in microseconds.
    closed: AtomicI64,
    window_ms: AtomicI64,
    counts: Arc<Counts>,
    /// Files that were damaged and set aside.
    aside: Arc<AtomicU64>,
    removals: Sender<Removal>,
    removed: Mutex<Option<Receiver<Removal>>>,
}

impl Minutes {
    /// Minutes in the folder of a store, in a file of no more than so many bytes.
    pub fn new(dir: &Path, keeping: Keeping, most_bytes: u64) -> Self {
        let (removals, removed) = mpsc::channel();
        Self {
            shared: Arc::new(Shared {
                dir: dir.to_owned(),
                keeping,
                most_bytes,
                readers: Mutex::default(),
                asking: Mutex::default(),
                answered: Condvar::new(),
                open: Mutex::default(),
                time: Arc::default(),
                closed: AtomicI64::new(0),
                window_ms: AtomicI64::new(60_000),
                counts: Arc::default(),
                aside: Arc::default(),
                removals,
                removed: Mutex::new(Some(removed)),
            }),
        }
    }

    /// What keeps them from here on, when the store is open: what gathers rows, and what writes them on a thread of its own.
    /// `from` is where counting begins, and `head` where the journal ends.
    pub fn start(&self, (from, head): (u64, u64), stop: Arc<AtomicBool>) -> (Gather, Keeper) {
        let stored = self.position().unwrap_or(0);
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
        let (to, batches) = gather::queue();
        let Shared { dir, keeping, counts, time, removed, .. } = &*self.shared;
        // Until the journal says what time it is, steps are those of the windows that are set.
        let window = i64::try_from(keeping.0().window_ms).unwrap_or(60_000).max(1);
        self.shared.window_ms.store(window, Ordering::Release);
        let removals = removed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let keeper = Keeper {
            dir: dir.clone(),
            batches,
            kept: kept.clone(),
            counts: counts.clone(),
            stop: stop.clone(),
            keeping: keeping.clone(),
            removals: removals.unwrap_or_else(|| mpsc::channel().1),
            time: time.clone(),
            most_bytes: self.shared.most_bytes,
            aside: self.shared.aside.clone(),
        };
        (Gather::new(to, kept, stop), keeper)
    }

    fn position(&self) -> Option<u64> {
        let db = file::reader(&self.shared.dir).ok()??;
        file::standing(&db, "position").ok()?.map(i64::cast_unsigned)
    }

    /// The time of the journal moved on.
    pub fn moved(&self, time: Timestamp, settings: &Settings) {
        let closed = time.earlier(settings.lateness()).unix_micros();
        let window = i64::try_from(settings.window_ms).unwrap_or(60_000).max(1);
        let closed = closed.div_euclid(window * 1_000) * window * 1_000;
        self.shared.window_ms.store(window, Ordering::Release);
        self.shared.closed.fetch_max(closed, Ordering::AcqRel);
        self.shared.time.fetch_max(time.unix_micros(), Ordering::AcqRel);
    }

    /// What is open now.
    pub fn show_open(&self, rows: OpenRows) {
        *self.shared.open.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rows);
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
        let window = self.shared.window_ms.load(Ordering::Acquire).max(1).unsigned_abs();
        (Duration::from_millis(window), Timestamp::from_unix_micros(self.shared.closed.load(Ordering::Acquire)))
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
        let (done, removed) = mpsc::channel();
        let gone = || MinutesError::Unread("nobody writes them now".to_owned());
        self.shared.removals.send(Removal { account: account.to_owned(), done }).map_err(|_| gone())?;
        removed.recv_timeout(REMOVED_WITHIN).map_err(|_| gone())?.map_err(MinutesError::Unread)
    }

    /// What a plan shows of a span.
    fn shown(&self, account: &str, span: Span) -> Span {
        let settings = self.shared.keeping.0();
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
            closed: self.shared.closed.load(Ordering::Acquire).div_euclid(1_000),
            window: self.shared.window_ms.load(Ordering::Acquire),
            kept: KEPT,
            until: Instant::now() + TIME,
        }
    }

    /// In microseconds; before the journal says it, as the clock does.
    fn now(&self) -> i64 {
        match self.shared.time.load(Ordering::Acquire) {
            0 => crate::journal::now().unix_micros(),
            time => time,
        }
    }

    fn open(&self) -> Arc<OpenRows> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A place among those who ask.
    fn place(&self) -> Result<Place<'_>, MinutesError> {
        let asking = self.shared.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.shared.answered.wait_timeout_while(asking, TIME, |asking| *asking >= AT_A_TIME);
        let (mut asking, waited) = free.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(MinutesError::Busy);
        }
        *asking += 1;
        Ok(Place(&self.shared))
    }

    /// Reads with a connection of those that are kept, or one more.
    fn read<T>(&self, read: impl FnOnce(Option<&Connection>) -> Result<T, MinutesError>) -> Result<T, MinutesError> {
        let _place = self.place()?;
        let file = self.shared.aside.load(Ordering::Acquire);
        let kept = {
            let mut readers = self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner);
            // Those of a file that was set aside would go on reading it.
            readers.retain(|(of, _)| *of == file);
            readers.pop().map(|(_, db)| db)
        };
        let db = match kept {
            Some(db) => Some(db),
            None => file::reader(&self.shared.dir)?,
        };
        let answer = read(db.as_ref());
        let mut readers = self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(db) = db.filter(|_| answer.is_ok() && readers.len() < READERS) {
            readers.push((file, db));
        }
        answer
    }
}

/// One who asks, until he is answered.
struct Place<'a>(&'a Shared);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.asking.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.answered.notify_one();
    }
}
