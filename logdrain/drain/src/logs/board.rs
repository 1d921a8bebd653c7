//! What there is to see of the lines that are kept, for `/metrics` and the pages.

use super::filters;
use super::tally::{Day, HourBooks, Limits, Notice, Tallies, day_of};
use crate::parts::{Part, Parts};
use crate::settings::Settings;
use log_store::{EventId, Reader};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The books of what came from the journal:
///
/// ```text
/// events = kept + filtered + over_volume + unknown + no_room
/// kept   = there + expired + removed + purged + damaged
/// ```
///
/// They are part of the durable state, and so are right over restarts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Books {
    pub events: u64,
    pub kept: u64,
    /// Events that a filter dropped.
    pub filtered: u64,
    /// Events beyond what a plan lets be kept of a day.
    pub over_volume: u64,
    /// Events of systems that nobody registered, of accounts that take no others.
    pub unknown: u64,
    /// Events that were not kept, because there was no room for them.
    pub no_room: u64,
    /// Of those kept: they are purged in the journal, and were not found in it any more.
    pub purged: u64,
    /// Of those kept: frames that were refused, and stretches without frames.
    pub unread: u64,
    /// Bodies that held more than was counted when they came.
    pub unexpected: u64,
    /// Deliveries of the journal that could not be read again.
    pub damaged_deliveries: u64,
}

/// Events that were kept and are there no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Gone {
    /// Older than `logs_retention`.
    pub expired: u64,
    /// Taken for room, the oldest first.
    pub removed: u64,
    /// Purged for good.
    pub purged: u64,
    /// A purge, by its number in the journal, that is being done; and how many events it takes in all.
    pub purging: u64,
    pub purging_events: u64,
}

/// One look at the store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    pub books: Books,
    pub gone: Gone,
    /// Events that are there now, in files and in memory.
    pub there: u64,
    /// Bytes of files.
    pub bytes: u64,
    pub files: u64,
    /// Files that cannot be opened.
    pub damaged_files: u64,
    /// The last event of the journal that is in.
    pub position: u64,
    /// What the journal keeps for it: up to here it may give back.
    pub safe: u64,
    /// Why nothing can be kept now.
    pub trouble: Option<String>,
}

/// Put up by the thread that keeps lines, read by others.
#[derive(Clone, Debug, Default)]
pub struct Board {
    on_it: Arc<Mutex<OnIt>>,
}

#[derive(Debug, Default)]
struct OnIt {
    shown: Shown,
    /// There when the store is open.
    reader: Option<Reader>,
    /// How often it was opened, or ended to be here.
    generation: u64,
    /// Accounts that the configuration names, and the one that is always there.
    named: Vec<String>,
    tallies: Tallies,
    /// Those that the tallies were counted under.
    settings: Option<Arc<Settings>>,
    /// The last event of each system since somebody asked, by account and system.
    heard: HashMap<(Arc<str>, Arc<str>), u64>,
}

/// Systems that are remembered until somebody asks for them.
const HEARD: usize = 100_000;

/// A system that something came from: account, its name as it sends it, and the id of its last event.
pub(super) type Heard = (Arc<str>, Arc<str>, u64);

/// What an account used of a day, and what it may use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    pub day: Day,
    pub limits: Limits,
}

impl Usage {
    /// What is to be said of it.
    pub fn notice(&self) -> Option<Notice> {
        Notice::of(self.day.used.bytes, self.limits)
    }

    /// How much of the volume is used, in percent; `None` without a limit.
    pub fn percent(&self) -> Option<f64> {
        let volume = self.limits.volume?;
        Some(if volume == 0 { 100.0 } else { self.day.used.bytes as f64 * 100.0 / volume as f64 })
    }

    /// What the day comes to if it goes on as until now, by the time of the day.
    pub fn projected(&self, now: i64) -> u64 {
        const DAY: i64 = 86_400_000_000;
        // Too early there is nothing to go by.
        let passed = now.rem_euclid(DAY).max(DAY / 96);
        (self.day.used.bytes as f64 * DAY as f64 / passed as f64) as u64
    }
}

/// What there is to see of the lines of all partitions: one board each. An account's lines are of one partition.
#[derive(Clone, Debug)]
pub struct Boards {
    parts: Parts,
    all: Arc<[Board]>,
}

impl Default for Boards {
    fn default() -> Self {
        Self::new(Parts::ONE)
    }
}

impl Boards {
    pub fn new(parts: Parts) -> Self {
        Self { parts, all: parts.each().map(|_| Board::default()).collect() }
    }

    /// That of a partition.
    pub fn of(&self, part: Part) -> &Board {
        // There is one for each.
        &self.all[usize::from(part.number())]
    }

    fn of_account(&self, account: &str) -> &Board {
        self.of(self.parts.of(account))
    }

    /// What searches and tails of an account read from; `None` while its lines are not kept here, or their store cannot be
    /// opened.
    pub fn reader(&self, account: &str) -> Option<Reader> {
        self.of_account(account).reader()
    }

    /// The same, and which reader it is: another number is another one, and what the one before sees is nothing new any more.
    pub fn numbered_reader(&self, account: &str) -> (u64, Option<Reader>) {
        let on_it = self.of_account(account).on_it.lock().unwrap_or_else(PoisonError::into_inner);
        (on_it.generation, on_it.reader.clone())
    }

    /// The partition of an account.
    pub fn part(&self, account: &str) -> Part {
        self.parts.of(account)
    }

    /// What an account used on the day of this time, in microseconds since 1970.
    pub fn usage(&self, account: &str, now: i64) -> Usage {
        self.of_account(account).usage(account, now)
    }

    /// The books of an hour, counted since 1970, as far as they are remembered: about two days.
    pub fn hour_books(&self, account: &str, hour: u64) -> Option<HourBooks> {
        self.of_account(account).hour_books(account, hour)
    }

    /// The days of accounts that are over, of all partitions.
    pub fn days_over(&self, now: i64) -> Vec<(String, Arc<Day>)> {
        self.all.iter().flat_map(|board| board.days_over(now)).collect()
    }

    /// The systems that something came from since this was asked last.
    pub fn heard(&self) -> Vec<Heard> {
        self.all.iter().flat_map(Board::heard).collect()
    }

    /// All of them together; a trouble is that of one of them.
    pub fn shown(&self) -> Shown {
        self.all.iter().map(Board::shown).reduce(|all, one| all.and(&one)).unwrap_or_default()
    }

    /// The accounts that there are, sorted.
    pub fn accounts(&self) -> Vec<String> {
        let mut accounts: Vec<_> = self.all.iter().flat_map(Board::accounts).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    /// What was counted of all accounts, by partition.
    pub fn tallies(&self) -> Vec<Tallies> {
        self.all.iter().map(Board::tallies).collect()
    }
}

impl Shown {
    /// Both together.
    fn and(&self, other: &Self) -> Self {
        let (books, gone) = (&self.books, &self.gone);
        Self {
            books: Books {
                events: books.events + other.books.events,
                kept: books.kept + other.books.kept,
                filtered: books.filtered + other.books.filtered,
                over_volume: books.over_volume + other.books.over_volume,
                unknown: books.unknown + other.books.unknown,
                no_room: books.no_room + other.books.no_room,
                purged: books.purged + other.books.purged,
                unread: books.unread + other.books.unread,
                unexpected: books.unexpected + other.books.unexpected,
                damaged_deliveries: books.damaged_deliveries + other.books.damaged_deliveries,
            },
            gone: Gone {
                expired: gone.expired + other.gone.expired,
                removed: gone.removed + other.gone.removed,
                purged: gone.purged + other.gone.purged,
                // Of one partition alone.
                purging: 0,
                purging_events: 0,
            },
            there: self.there + other.there,
            bytes: self.bytes + other.bytes,
            files: self.files + other.files,
            damaged_files: self.damaged_files + other.damaged_files,
            position: self.position + other.position,
            safe: self.safe + other.safe,
            trouble: self.trouble.clone().or_else(|| other.trouble.clone()),
        }
    }
}

impl Board {
    /// Nothing is kept here any more.
    pub fn clear(&self) {
        let mut on_it = self.on_it.lock().unwrap_or_else(PoisonError::into_inner);
        *on_it = OnIt { generation: on_it.generation + 1, ..OnIt::default() };
    }

    pub fn show(&self, shown: Shown) {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).shown = shown;
    }

    pub fn open(&self, reader: Reader) {
        let mut on_it = self.on_it.lock().unwrap_or_else(PoisonError::into_inner);
        on_it.reader = Some(reader);
        on_it.generation += 1;
    }

    pub(super) fn name(&self, accounts: Vec<String>) {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).named = accounts;
    }

    /// Systems of an account that is no more are told to nobody.
    pub(super) fn forget(&self, account: &str) {
        let mut on_it = self.on_it.lock().unwrap_or_else(PoisonError::into_inner);
        on_it.heard.retain(|(of, _), _| **of != *account);
    }

    pub(super) fn count(&self, tallies: Tallies, settings: Arc<Settings>) {
        let mut on_it = self.on_it.lock().unwrap_or_else(PoisonError::into_inner);
        (on_it.tallies, on_it.settings) = (tallies, Some(settings));
    }

    pub(super) fn hear(&self, all: impl Iterator<Item = ((Arc<str>, Arc<str>), u64)>) {
        let mut on_it = self.on_it.lock().unwrap_or_else(PoisonError::into_inner);
        for (system, id) in all {
            if on_it.heard.len() < HEARD || on_it.heard.contains_key(&system) {
                on_it.heard.insert(system, id);
            }
        }
    }

    /// The systems that something came from since this was asked last.
    pub fn heard(&self) -> Vec<Heard> {
        let heard = std::mem::take(&mut self.on_it.lock().unwrap_or_else(PoisonError::into_inner).heard);
        heard.into_iter().map(|((account, system), id)| (account, system, id)).collect()
    }

    /// What was counted of all accounts.
    pub fn tallies(&self) -> Tallies {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).tallies.clone()
    }

    /// What an account used on the day of this time, in microseconds since 1970.
    pub fn usage(&self, account: &str, now: i64) -> Usage {
        let on_it = self.on_it.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = on_it.settings.as_ref().and_then(|settings| settings.account(account).plan.as_ref());
        let limits = plan.map_or_else(Limits::default, |plan| filters::limits(&plan.logs));
        let number = day_of(EventId::at(now));
        let day = on_it.tallies.of(account).and_then(|tally| tally.day(number)).cloned();
        Usage { day: day.unwrap_or(Day { number, ..Day::default() }), limits }
    }

    /// The books of an hour, counted since 1970, as far as they are remembered: about two days.
    pub fn hour_books(&self, account: &str, hour: u64) -> Option<HourBooks> {
        let on_it = self.on_it.lock().unwrap_or_else(PoisonError::into_inner);
        on_it.tallies.of(account)?.hour(hour).cloned()
    }

    /// The days of accounts that are over: account, days since 1970, what each program used, and the sum of those that are
    /// not named.
    pub fn days_over(&self, now: i64) -> Vec<(String, Arc<Day>)> {
        let today = day_of(EventId::at(now));
        let tallies = self.tallies();
        let days = tallies.iter().filter_map(|(account, tally)| {
            let day =
                if tally.day.number < today { Some(Arc::new(tally.day.clone())) } else { tally.day_before.clone() };
            Some((account.to_owned(), day.filter(|day| day.used.events > 0)?))
        });
        days.collect()
    }

    pub fn shown(&self) -> Shown {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).shown.clone()
    }

    /// What searches and tails read from; `None` while lines are not kept, or their store cannot be opened.
    pub fn reader(&self) -> Option<Reader> {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner).reader.clone()
    }

    /// The accounts that there are, sorted: those of the configuration, and those that have lines.
    pub fn accounts(&self) -> Vec<String> {
        let mut accounts = self.on_it.lock().unwrap_or_else(PoisonError::into_inner).named.clone();
        let there = self.reader().and_then(|reader| reader.accounts().ok()).unwrap_or_default();
        accounts.extend(there.iter().map(|account| account.name().to_owned()));
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }
}
