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
mod block;
#[cfg(all(test, unix))]
mod figures;
mod file;
mod gather;
mod joining;
mod keeper;
#[cfg(test)]
mod lasting;
mod open;
mod select;
mod tags;
#[cfg(test)]
mod tests;
mod writing;

pub(crate) use ask::{MOST_STEPS, MOST_VALUES};
pub(crate) use gather::Gather;
pub(crate) use keeper::Keeper;
pub(crate) use open::OpenRows;
pub(crate) use tags::Tag;

use crate::series::{Asked, Series, Span};
use crate::serve::settings::Settings;
use crate::serve::settings::account::PLAN_GRACE_MICROS;
use ask::{Circumstances, Kept};
use heroku_metrics::model::{Kind, Timestamp};
use rusqlite::Connection;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Batches that wait for the disk.
const AHEAD: usize = 4;
/// Connections that are kept for the next question.
const READERS: usize = 4;
/// How long a question may take.
const TIME: Duration = Duration::from_secs(5);
/// How long a removal is waited for.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);
/// What the file may take.
const MOST_BYTES: u64 = 4 << 30;
/// 8 days, 32 days and a year.
const KEPT: Kept = [8 * 24, 32 * 24, 366 * 24];

/// Questions at a time: each takes its memory.
const AT_A_TIME: usize = 2;
/// What all of it takes at most: questions, rows on their way, what is open, twice, and what is put together.
pub(crate) const MEMORY: usize = AT_A_TIME * ask::MEMORY + gather::MEMORY + 2 * open::MOST_BYTES + joining::MEMORY;

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum MinutesError {
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
pub(crate) struct Counts {
    /// Rows that were written.
    pub(crate) rows: AtomicU64,
    /// Tries to write that failed.
    pub(crate) failures: AtomicU64,
    /// What the file takes.
    pub(crate) bytes: AtomicU64,
    /// They cannot be written now.
    pub(crate) is_failing: AtomicBool,
}

/// How long minutes are kept, by account.
#[derive(Clone)]
pub(crate) struct Keeping(Arc<dyn Fn() -> Arc<Settings> + Send + Sync>);

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeping")
    }
}

impl Keeping {
    pub(crate) fn by(settings: impl Fn() -> Arc<Settings> + Send + Sync + 'static) -> Self {
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
pub(crate) struct Removal {
    account: String,
    done: Sender<Result<(), String>>,
}

/// The kept minutes, for whoever asks.
#[derive(Clone, Debug)]
pub(crate) struct Minutes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    keeping: Keeping,
    readers: Mutex<Vec<Connection>>,
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
    removals: Sender<Removal>,
    removed: Mutex<Option<Receiver<Removal>>>,
}

impl Minutes {
    pub(crate) fn new(dir: &Path, keeping: Keeping) -> Self {
        let (removals, removed) = mpsc::channel();
        Self {
            shared: Arc::new(Shared {
                dir: dir.to_owned(),
                keeping,
                readers: Mutex::default(),
                asking: Mutex::default(),
                answered: Condvar::new(),
                open: Mutex::default(),
                time: Arc::default(),
                closed: AtomicI64::new(0),
                window_ms: AtomicI64::new(60_000),
                counts: Arc::default(),
                removals,
                removed: Mutex::new(Some(removed)),
            }),
        }
    }

    /// What keeps them from here on, when the store is open: what gathers rows, and what writes them on a thread of its own.
    /// `from` is where counting begins, and `head` where the journal ends.
    pub(crate) fn start(&self, (from, head): (u64, u64), stop: Arc<AtomicBool>) -> (Gather, Keeper) {
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
        let (to, batches): (SyncSender<gather::Batch>, _) = mpsc::sync_channel(AHEAD);
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
            most_bytes: MOST_BYTES,
        };
        (Gather::new(to, kept, stop), keeper)
    }

    fn position(&self) -> Option<u64> {
        let db = file::reader(&self.shared.dir).ok()??;
        file::standing(&db, "position").ok()?.map(i64::cast_unsigned)
    }

    /// The time of the journal moved on.
    pub(crate) fn moved(&self, time: Timestamp, settings: &Settings) {
        let closed = time.earlier(settings.lateness()).unix_micros();
        let window = i64::try_from(settings.window_ms).unwrap_or(60_000).max(1);
        let closed = closed.div_euclid(window * 1_000) * window * 1_000;
        self.shared.window_ms.store(window, Ordering::Release);
        self.shared.closed.fetch_max(closed, Ordering::AcqRel);
        self.shared.time.fetch_max(time.unix_micros(), Ordering::AcqRel);
    }

    /// What is open now.
    pub(crate) fn show_open(&self, rows: OpenRows) {
        *self.shared.open.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rows);
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Values over time, of the drains that may be seen; `None` is all of them. A step that is not given is as usual for the
    /// span, and one that would be too many or is not kept any more becomes longer.
    ///
    /// It takes its time: call it where that keeps nobody waiting.
    ///
    /// # Errors
    /// When it would go through too much, or take too long, or the disk does not give it.
    pub(crate) fn series(
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

    /// The metrics whose names hold a text, or fit it when it has a star; and how many more there are.
    pub(crate) fn names(
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
    pub(crate) fn has(&self, account: &str, drains: Option<&[String]>, name: &str) -> Result<bool, MinutesError> {
        let about = self.about(account, drains);
        let open = self.open();
        self.read(|db| tags::has(db, &open, name, &about))
    }

    /// The tags that a metric had in the last day, and their values.
    pub(crate) fn tags(
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
    pub(crate) fn kind(
        &self,
        account: &str,
        drains: Option<&[String]>,
        name: &str,
    ) -> Result<Option<Kind>, MinutesError> {
        let about = self.about(account, drains);
        let open = self.open();
        self.read(|db| tags::kind(db, &open, name, &about))
    }

    /// The drains of an account of which there is anything.
    pub(crate) fn drains(&self, account: &str) -> Result<Vec<String>, MinutesError> {
        let open = self.open();
        self.read(|db| tags::drains(db, &open, account))
    }

    /// From the oldest hour to the end of the newest, with what is open; `None` where there is nothing yet.
    pub(crate) fn span_of(&self, account: &str) -> Result<Option<Span>, MinutesError> {
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
    pub(crate) fn remove(&self, account: &str) -> Result<(), MinutesError> {
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
            0 => crate::serve::journal::now().unix_micros(),
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
        let kept = self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match kept {
            Some(db) => Some(db),
            None => file::reader(&self.shared.dir)?,
        };
        let answer = read(db.as_ref());
        let mut readers = self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // What failed may be of a file that was set aside.
        if let Some(db) = db.filter(|_| answer.is_ok() && readers.len() < READERS) {
            readers.push(db);
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
