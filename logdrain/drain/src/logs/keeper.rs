//! The store of the lines, and what is done with it: filled, sealed, made room in.
//!
//! The journal keeps each delivery until its events are in files. So what is in memory only is remembered by *marks*, one
//! a delivery: when the events up to a mark are in files, a start may begin behind it.

use super::board::{Books, Gone, Shown};
use super::filters::Rules;
use super::lines::{Line, What};
use super::place::Place;
use super::retention;
use super::senders::Sender;
use super::state::State;
use super::tally::{AROUND, Notice, Tallies, Verdict, millis};
use crate::settings::Settings;
use crate::settings::purge::Purge;
use log_store::{AccountReport, Event, EventId, Options, Page, Reader, Store, StoreError, StoreErrorKind};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How lines are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keeping {
    /// How long.
    pub retention: Duration,
    /// The most bytes of all files; with 0 nothing is kept.
    pub limit: u64,
    /// The most bytes of deliveries that the journal holds for events that are in memory.
    pub ahead: u64,
}

impl Keeping {
    pub const fn is_on(&self) -> bool {
        self.limit > 0
    }

    /// What it takes of the memory.
    pub fn max_memory(&self) -> usize {
        if self.is_on() { self.options().max_memory() } else { 0 }
    }

    fn options(&self) -> Options {
        // A file is let go as a whole: it is a small part of what may be there.
        let seal = usize::try_from(self.limit / 8).unwrap_or(usize::MAX);
        Options::new().with_seal_bytes(seal.clamp(64 << 10, LARGEST_FILE))
    }
}

/// Bytes of lines in one file, before they are packed.
const LARGEST_FILE: usize = 64 << 20;

/// Copies of lines that others make and keep: no line goes before it has its copy, and copies count where room is short.
pub trait Copies: fmt::Debug + Send + Sync {
    /// From which id on the lines of an account wait for their copy; `None` if they do not.
    fn waits_from(&self, account: &str) -> Option<EventId>;
    /// Bytes of all copies.
    fn bytes(&self) -> u64;
    /// Lets go of copies that are older than all lines of their account, until so many bytes are free or there is none; the
    /// accounts that are furthest above their share lose first.
    fn make_room(&self, bytes: u64, lines: &[AccountReport], share: &dyn Fn(&str) -> u64);
    /// Takes the lines of a purge out of all copies, for good. Says how many.
    fn purge(&self, account: &str, purge: &Purge) -> io::Result<u64>;
}

/// How many bytes an account may keep when others need room.
type Share = Box<dyn Fn(&str) -> u64 + Send>;

pub(super) struct Keeper {
    store: Store,
    keeping: Keeping,
    share: Share,
    copies: Arc<dyn Copies>,
    marks: VecDeque<Mark>,
    /// Behind the last mark.
    unmarked: Unmarked,
    /// Bytes of the deliveries of all marks, and behind them.
    ahead: u64,
    counts: Counts,
    gone: Gone,
    /// Every account is within its share, and the files are at their limit.
    is_full: bool,
    safe: State,
}

/// Where a start may begin when everything up to it is in files.
struct Mark {
    position: u64,
    last: EventId,
    /// Of the deliveries since the mark before it.
    bytes: u64,
    settings: Arc<Settings>,
    /// With those of these deliveries.
    counts: Counts,
}

/// Deliveries that no mark is behind yet.
#[derive(Default)]
struct Unmarked {
    bytes: u64,
    last: EventId,
}

/// What is counted, at one position.
#[derive(Clone, Default)]
struct Counts {
    books: Books,
    tallies: Tallies,
}

/// The most marks. Each holds the counts of accounts that lines came for since the one before it.
const MARKS: usize = 32;
/// Between two marks where little comes.
const MARK_EVERY_MILLIS: u64 = 60_000;

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("store", &self.store).field("marks", &self.marks.len()).finish_non_exhaustive()
    }
}

/// What became of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Became {
    Kept,
    /// It was in a file, and in the books.
    KeptBefore,
    NoRoom,
    /// By the rules of its account.
    Dropped,
}

impl Keeper {
    /// Opens the store of a place; `start` is where its state says that it stands.
    pub(super) fn open(place: &Place, keeping: Keeping, start: State) -> Result<Self, StoreError> {
        let store = place.store(keeping.options())?;
        Ok(Self::of(store, keeping, start))
    }

    fn of(store: Store, keeping: Keeping, start: State) -> Self {
        for damage in store.damage() {
            tracing::error!(%damage, "a file of lines cannot be read, and is left where it is: searches say what they lack");
        }
        let (mut books, gone, tallies) = (start.books, start.gone, start.tallies.clone());
        // Files know of events that the state does not: they were written after it, or beside a journal that was put back
        // since. They are entered here, and not once more when the journal has them, too.
        let there: u64 = store.accounts().iter().map(AccountReport::events).sum();
        let unknown = (there + gone.expired + gone.removed + gone.purged + books.purged).saturating_sub(books.kept);
        books.events += unknown;
        books.kept += unknown;
        Self {
            store,
            keeping,
            share: Box::new(|_| 0),
            copies: Arc::new(NoCopies),
            marks: VecDeque::new(),
            unmarked: Unmarked::default(),
            ahead: 0,
            counts: Counts { books, tallies },
            gone,
            is_full: false,
            safe: start,
        }
    }

    pub(super) fn set_copies(&mut self, copies: Arc<dyn Copies>) {
        self.copies = copies;
    }

    pub(super) fn set_share(&mut self, share: Share) {
        self.share = share;
    }

    pub(super) fn reader(&self) -> Reader {
        self.store.reader()
    }

    /// The highest id that is in a file: no event gets one at or below it any more.
    pub(super) fn last_id(&self) -> u64 {
        self.store.last_id().map_or(0, EventId::get)
    }

    pub(super) const fn books(&mut self) -> &mut Books {
        &mut self.counts.books
    }

    pub(super) const fn tallies(&self) -> &Tallies {
        &self.counts.tallies
    }

    /// Takes an event: whether it is kept is for the account's rules, then for the room. Answers whether it came past the
    /// filters. `joined` is used again each time;
    /// `is_stuck` is when the disk takes nothing, and the journal is full.
    ///
    /// # Errors
    /// When the memory for events is full and the disk takes no file. The event is to be offered again.
    pub(super) fn take(
        &mut self,
        (sender, rules): (&Sender, &Rules),
        (program, peer): (&[u8], Option<IpAddr>),
        line: &Line<'_>,
        joined: &mut Vec<u8>,
        is_stuck: bool,
    ) -> Result<bool, StoreError> {
        let tally = self.counts.tallies.open(&sender.account);
        tally.turn_to(line.id);
        let verdict = if !sender.is_taken {
            Verdict::Unknown
        } else if let Some(filter) = rules.filter(program, line.message, joined) {
            Verdict::Filtered(filter)
        } else if tally.has_volume(rules.limits) {
            Verdict::Keep((line.message.len() + sender.system.len() + program.len()) as u64 + AROUND)
        } else {
            Verdict::OverVolume
        };
        let became = match verdict {
            Verdict::Keep(_) if is_stuck => Became::NoRoom,
            Verdict::Keep(_) => self.store_event(sender, program, peer, line)?,
            // It is in no file, and so is counted whenever it is read.
            _ => Became::Dropped,
        };
        let is_kept = matches!(became, Became::Kept | Became::KeptBefore);
        let tally = self.counts.tallies.open(&sender.account);
        if let Some(notice) = tally.enter(verdict, is_kept, (&sender.system, program), line, rules.limits) {
            say(&sender.account, notice, tally.day.used.bytes);
        }
        self.enter(became, verdict, line.what);
        Ok(matches!(verdict, Verdict::Keep(_) | Verdict::OverVolume))
    }

    fn store_event(
        &mut self,
        sender: &Sender,
        program: &[u8],
        peer: Option<IpAddr>,
        line: &Line<'_>,
    ) -> Result<Became, StoreError> {
        if self.is_full {
            return Ok(Became::NoRoom);
        }
        let mut event = Event::new(line.id, &sender.account, line.message)
            .with_system(sender.system.as_bytes())
            .with_program(program)
            .with_generated(line.generated);
        if let Some(severity) = line.severity {
            event = event.with_severity(severity);
        }
        if let Some(facility) = line.facility {
            event = event.with_facility(facility);
        }
        if let Some(peer) = peer {
            event = event.with_source_ip(peer);
        }
        let passed_over = self.store.passed_over();
        match self.store.append(&event) {
            Ok(()) if self.store.passed_over() > passed_over => Ok(Became::KeptBefore),
            Ok(()) => Ok(Became::Kept),
            Err(error) if matches!(error.kind(), StoreErrorKind::Io(_)) => Err(error),
            Err(_) => Ok(Became::NoRoom),
        }
    }

    /// An event that was purged after it was kept, before this start.
    pub(super) fn pass_purged(&mut self) {
        let books = &mut self.counts.books;
        books.events += 1;
        books.kept += 1;
        books.purged += 1;
    }

    /// Counts what a purge will take, once, with everything in files; says whether that is to be written down before.
    pub(super) fn count_purge(&mut self, seq: u64, account: &str, purge: &Purge) -> Result<bool, StoreError> {
        while self.store.seal_older(EventId::MAX)? {}
        if self.gone.purging == seq {
            return Ok(false);
        }
        let ids = purge.ids();
        let page = Page::new().with_before(ids.end);
        let page = match ids.start.get().checked_sub(1) {
            Some(after) => page.with_after(EventId::new(after)),
            None => page,
        };
        let view = self.store.reader().view(&purge.scope(account));
        let counts = view.counts(&purge.parsed(), &page, 3_600_000_000, &mut || true);
        (self.gone.purging, self.gone.purging_events) = (seq, counts.total());
        Ok(true)
    }

    /// Takes what was counted out of all files. Answers how many events it was.
    pub(super) fn purge(&mut self, account: &str, purge: &Purge) -> Result<u64, StoreError> {
        let purged = self.store.purge(&purge.scope(account), &purge.parsed(), purge.ids())?;
        for path in purged.unread() {
            tracing::error!(path = %path.display(), "a file of lines is damaged: whether it holds what is to be purged cannot be told");
        }
        let events = self.gone.purging_events;
        self.gone.purged += std::mem::take(&mut self.gone.purging_events);
        Ok(events)
    }

    /// What was counted of an account is shown no more.
    pub(super) fn forget(&mut self, account: &str) {
        self.counts.tallies.forget(account);
    }

    fn enter(&mut self, became: Became, verdict: Verdict, what: What) {
        let books = &mut self.counts.books;
        if became != Became::KeptBefore {
            books.events += 1;
        }
        match became {
            Became::Kept | Became::KeptBefore => {
                books.kept += u64::from(became == Became::Kept);
                books.unread += u64::from(what != What::Read);
            }
            Became::NoRoom => books.no_room += 1,
            Became::Dropped => match verdict {
                Verdict::Filtered(_) => books.filtered += 1,
                Verdict::OverVolume => books.over_volume += 1,
                Verdict::Unknown | Verdict::Keep(_) => books.unknown += 1,
            },
        }
        books.unexpected += u64::from(what == What::Unexpected);
    }

    /// All events of a delivery are in: readers may see them.
    pub(super) fn mark(&mut self, position: u64, last: u64, bytes: u64, settings: &Arc<Settings>) {
        let last = EventId::new(last);
        self.store.publish(last);
        self.ahead += bytes;
        self.unmarked.bytes += bytes;
        self.unmarked.last = last;
        let before = self.marks.back().map_or(0, |mark| millis(mark.last));
        let is_late = millis(last).saturating_sub(before) >= MARK_EVERY_MILLIS;
        if !is_late && self.unmarked.bytes < self.keeping.ahead / MARKS as u64 {
            return;
        }
        let bytes = std::mem::take(&mut self.unmarked.bytes);
        self.marks.push_back(Mark { position, last, bytes, settings: settings.clone(), counts: self.counts.clone() });
        if self.marks.len() > MARKS {
            self.thin();
        }
    }

    /// Every second mark goes, and the next one stands for its deliveries, too.
    fn thin(&mut self) {
        let mut bytes = 0;
        let mut goes = self.marks.len() % 2 == 1;
        self.marks.retain_mut(|mark| {
            goes = !goes;
            if goes {
                bytes = mark.bytes;
            } else {
                mark.bytes += std::mem::take(&mut bytes);
            }
            !goes
        });
    }

    /// Where a start may begin: everything up to there is in files. `position` is the last event of the journal that is in.
    pub(super) fn safe(&mut self, position: u64, settings: &Arc<Settings>) -> &State {
        let unsealed = self.store.oldest_unsealed();
        let is_in_files = |mark: &Mark| unsealed.is_none_or(|oldest| mark.last < oldest);
        while self.marks.front().is_some_and(is_in_files) {
            let Some(mark) = self.marks.pop_front() else { break };
            self.ahead -= mark.bytes;
            self.stand_at(mark.position, mark.counts, &mark.settings);
        }
        let is_all_in_files = self.marks.is_empty() && unsealed.is_none_or(|oldest| self.unmarked.last < oldest);
        if is_all_in_files && self.safe.position < position {
            (self.ahead, self.unmarked.bytes) = (0, 0);
            self.stand_at(position, self.counts.clone(), settings);
        }
        self.safe.gone = self.gone;
        &self.safe
    }

    fn stand_at(&mut self, position: u64, counts: Counts, settings: &Settings) {
        self.safe.position = position;
        (self.safe.books, self.safe.tallies) = (counts.books, counts.tallies);
        if self.safe.settings != *settings {
            self.safe.settings = settings.clone();
        }
    }

    #[cfg(test)]
    pub(super) fn marks(&self) -> usize {
        self.marks.len()
    }

    #[cfg(test)]
    pub(super) fn seal_before(&mut self, id: u64) -> Result<bool, StoreError> {
        self.store.seal_older(EventId::new(id))
    }

    /// Whether the journal holds more for it than it may.
    pub(super) const fn is_too_far_ahead(&self) -> bool {
        self.ahead > self.keeping.ahead
    }

    /// Writes a file if one is due: for its size, for its age by this time, or because the journal holds too much for it.
    /// `all` asks for everything. Says whether it wrote one, and then there may be more to do.
    pub(super) fn seal(&mut self, now: Option<i64>, all: bool) -> Result<bool, StoreError> {
        if all {
            return self.store.seal_older(EventId::MAX);
        }
        if self.is_too_far_ahead() {
            // The older half of what is ahead, so that it is not done again at once.
            let mut behind = 0;
            let half = self.marks.iter().find(|mark| {
                behind += mark.bytes;
                behind >= self.ahead.div_ceil(2)
            });
            let than = half.map_or(EventId::MAX, |mark| mark.last.next());
            return self.store.seal_older(than);
        }
        match now {
            Some(now) => self.store.seal_due(now),
            None => Ok(false),
        }
    }

    /// Writes small files of hours that are over into larger ones, one at a time. Says whether it did.
    pub(super) fn merge(&mut self, now: i64) -> Result<bool, StoreError> {
        match self.store.merge_due(now) {
            // What is damaged stays as it is, and was told when it was opened.
            Err(error) if error.kind() == StoreErrorKind::Damage => Ok(false),
            merged => merged,
        }
    }

    /// Hides what plans let be seen no more by this time.
    pub(super) fn hide(&mut self, now: i64, settings: &Settings) {
        for (name, account) in &settings.accounts {
            self.store.hide(name, retention::floor(account, now));
        }
    }

    /// Lets go what is too old, as far as the clock is to be trusted with that, and what there is no room for. Says whether
    /// something went.
    pub(super) fn let_go(&mut self, now: Option<i64>, settings: &Settings) -> bool {
        let before = self.gone;
        if let Some(now) = now {
            for account in self.store.accounts() {
                let oldest = retention::oldest(settings.account(account.name()), now, self.keeping.retention);
                let oldest = self.copies.waits_from(account.name()).map_or(oldest, |waiting| waiting.min(oldest));
                if account.oldest().is_some_and(|first| first < oldest) {
                    self.gone.expired += self.store.expire(account.name(), oldest).events();
                }
            }
        }
        let above = (self.store.bytes() + self.copies.bytes()).saturating_sub(self.keeping.limit);
        if above > 0 || self.is_full {
            self.copies.make_room(above, &self.store.accounts(), &self.share);
            let limit = self.keeping.limit.saturating_sub(self.copies.bytes());
            let room = self.store.make_room(limit, &self.share);
            for (account, removed) in room.removed() {
                self.gone.removed += removed.events();
                tracing::warn!(
                    account = %account, events = removed.events(), bytes = removed.bytes(),
                    "logs_limit is reached: the oldest lines were let go"
                );
            }
            if self.is_full == room.is_enough() {
                self.is_full = !room.is_enough();
                if self.is_full {
                    tracing::error!("logs_limit is reached, and no account is above its share: new lines are not kept");
                } else {
                    tracing::info!("there is room for lines again");
                }
            }
        }
        self.gone != before
    }

    /// The journal gives back what was waited with: what is in memory can be seen on, and is lost with the process.
    pub(super) fn give_up(&mut self) {
        self.marks.clear();
        self.unmarked = Unmarked::default();
        self.ahead = 0;
    }

    pub(super) fn shown(&self, position: u64) -> Shown {
        Shown {
            books: self.counts.books,
            gone: self.gone,
            there: self.store.accounts().iter().map(AccountReport::events).sum(),
            bytes: self.store.bytes(),
            files: self.store.files() as u64,
            damaged_files: self.store.damage().len() as u64,
            position,
            safe: self.safe.position,
            trouble: None,
        }
    }
}

/// Nobody makes any.
#[derive(Debug)]
struct NoCopies;

impl Copies for NoCopies {
    fn waits_from(&self, _: &str) -> Option<EventId> {
        None
    }

    fn bytes(&self) -> u64 {
        0
    }

    fn make_room(&self, _: u64, _: &[AccountReport], _: &dyn Fn(&str) -> u64) {}

    fn purge(&self, _: &str, _: &Purge) -> io::Result<u64> {
        Ok(0)
    }
}

/// Once a day each.
fn say(account: &str, notice: Notice, bytes: u64) {
    match notice {
        Notice::Near => tracing::warn!(account, bytes, "nine tenths of the plan's volume of today are used"),
        Notice::Full => {
            tracing::warn!(account, bytes, "the plan's volume of today is used: lines are kept on up to its hard limit")
        }
        Notice::Stopped => tracing::warn!(
            account,
            bytes,
            "the plan's volume of today is used: lines are not kept until midnight (UTC), metrics go on"
        ),
    }
}
