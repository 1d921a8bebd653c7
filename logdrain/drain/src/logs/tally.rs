//! What was counted of each account, at one position of the journal: its day, its hours, its filters.
//!
//! It follows from the journal alone, but for what found no room. All of it is bounded: of the programs of a day the largest
//! are told by name and the rest is one sum, of the filters the newest.

use super::lines::{Line, What};
use log_store::EventId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an event counts besides its message, its system and its program.
pub const AROUND: u64 = 24;
const HOUR_MILLIS: u64 = 3_600_000;
const DAY_MILLIS: u64 = 24 * HOUR_MILLIS;
/// Hours that are remembered when they are over.
const HOURS: u64 = 50;
/// Programs of a day that are told by name, in one account,
const NAMED: usize = 256;
/// in all of them together,
const NAMED_IN_ALL: usize = 32_768;
/// and in each, however many accounts there are.
const NAMED_AT_LEAST: usize = 4;
/// Filters that are counted one by one; an account has fewer at a time.
const FILTERS: usize = 256;

/// The tallies of all accounts. A copy shares what does not change.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tallies {
    of: BTreeMap<Arc<str>, Arc<Tally>>,
}

impl Tallies {
    pub fn of(&self, account: &str) -> Option<&Tally> {
        self.of.get(account).map(|tally| &**tally)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.of.iter().map(|(account, tally)| (&**account, &**tally))
    }

    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    pub(super) fn forget(&mut self, account: &str) {
        self.of.remove(account);
    }

    /// An account's, to be counted on.
    pub(super) fn open(&mut self, account: &Arc<str>) -> &mut Tally {
        if !self.of.contains_key(account) {
            self.of.insert(account.clone(), Arc::default());
        }
        let named = (NAMED_IN_ALL / self.of.len()).clamp(NAMED_AT_LEAST, NAMED);
        let tally = Arc::make_mut(self.of.entry(account.clone()).or_default());
        tally.named = named;
        tally
    }
}

/// What became of an event before it came to the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It counts so many bytes.
    Keep(u64),
    /// By the filter of this number.
    Filtered(u32),
    OverVolume,
    /// Nobody registered its system, and the account takes no others.
    Unknown,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    pub day: Day,
    /// The last day before it on which anything came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_before: Option<Arc<Day>>,
    /// Since there is the account.
    #[serde(skip_serializing_if = "ByFilter::is_empty")]
    pub filtered: ByFilter,
    hour: u64,
    books: HourBooks,
    #[serde(skip_serializing_if = "no_hours")]
    hours: Arc<BTreeMap<u64, HourBooks>>,
    /// Programs that may be told by name.
    #[serde(skip)]
    named: usize,
}

fn no_hours(hours: &Arc<BTreeMap<u64, HourBooks>>) -> bool {
    hours.is_empty()
}

/// A day of ids, by UTC.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Day {
    /// Days since 1970.
    pub number: u64,
    /// What was kept, or found no room.
    pub used: Used,
    /// Events beyond the volume.
    pub over: u64,
    pub unknown: u64,
    #[serde(skip_serializing_if = "ByFilter::is_empty")]
    pub filtered: ByFilter,
    /// By system and program.
    pub by: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Used>>,
    /// Of programs that are not told by name.
    pub rest: Used,
    /// Programs in `by`.
    pub(super) programs: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Used {
    pub events: u64,
    pub bytes: u64,
}

impl Used {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.bytes += other.bytes;
    }
}

/// Events that filters dropped, by the number of the filter; those of filters of long ago under 0.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByFilter(BTreeMap<u32, u64>);

impl ByFilter {
    fn add(&mut self, filter: u32) {
        if let Some(count) = self.0.get_mut(&filter) {
            *count += 1;
            return;
        }
        self.0.insert(filter, 1);
        if self.0.len() > FILTERS
            && let Some(oldest) = self.0.keys().copied().find(|&filter| filter != 0)
            && let Some(count) = self.0.remove(&oldest)
        {
            *self.0.entry(0).or_default() += count;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub fn of(&self, filter: u32) -> u64 {
        self.0.get(&filter).copied().unwrap_or(0)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().map(|(&filter, &count)| (filter, count))
    }
}

/// The books of an hour of ids: `events = kept + filtered + over_volume + unknown + no_room`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HourBooks {
    pub events: u64,
    pub kept: u64,
    #[serde(skip_serializing_if = "ByFilter::is_empty")]
    pub filtered: ByFilter,
    pub over_volume: u64,
    pub unknown: u64,
    pub no_room: u64,
    /// Of those kept: what could not be read.
    pub unread: u64,
}

/// How much of its volume an account has used, when that is to be said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Notice {
    /// Nine tenths.
    Near,
    /// All of it. With a hard limit beyond it lines are kept on.
    Full,
    /// Nothing is kept until midnight.
    Stopped,
}

impl Notice {
    pub fn of(bytes: u64, rules: Limits) -> Option<Self> {
        let volume = rules.volume?;
        match bytes {
            _ if bytes >= rules.hard_limit.unwrap_or(volume) => Some(Self::Stopped),
            _ if bytes >= volume => Some(Self::Full),
            _ if u128::from(bytes) * 10 >= u128::from(volume) * 9 => Some(Self::Near),
            _ => None,
        }
    }
}

/// What a plan allows of a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    pub volume: Option<u64>,
    /// At the volume or beyond it.
    pub hard_limit: Option<u64>,
}

/// The day of an id, since 1970.
pub(super) fn day_of(id: EventId) -> u64 {
    millis(id) / DAY_MILLIS
}

/// The time of an id, in milliseconds since 1970.
pub(super) fn millis(id: EventId) -> u64 {
    id.get() >> 20
}

impl Tally {
    /// Goes on to the day and the hour of an id. Ids rise.
    pub(super) fn turn_to(&mut self, id: EventId) {
        let hour = millis(id) / HOUR_MILLIS;
        if hour <= self.hour {
            return;
        }
        if self.books.events > 0 {
            let hours = Arc::make_mut(&mut self.hours);
            hours.insert(self.hour, std::mem::take(&mut self.books));
            while hours.first_key_value().is_some_and(|(&first, _)| first + HOURS < hour) {
                hours.pop_first();
            }
        }
        self.hour = hour;
        let number = day_of(id);
        if number > self.day.number {
            let over = std::mem::replace(&mut self.day, Day { number, ..Day::default() });
            if over.is_worth_a_word() {
                self.day_before = Some(Arc::new(over));
            }
        }
    }

    /// Whether the day has room for one more event: one is kept whole when the sum before it is below the limit.
    pub(super) fn has_volume(&self, limits: Limits) -> bool {
        limits.hard_limit.is_none_or(|limit| self.day.used.bytes < limit)
    }

    /// Counts an event. `is_kept` is whether there was room for it. Answers what there is to say of its volume.
    pub(super) fn enter(
        &mut self,
        verdict: Verdict,
        is_kept: bool,
        of: (&Arc<str>, &[u8]),
        line: &Line<'_>,
        limits: Limits,
    ) -> Option<Notice> {
        self.books.events += 1;
        match verdict {
            Verdict::Unknown => {
                self.books.unknown += 1;
                self.day.unknown += 1;
            }
            Verdict::Filtered(filter) => {
                self.books.filtered.add(filter);
                self.day.filtered.add(filter);
                self.filtered.add(filter);
            }
            Verdict::OverVolume => {
                self.books.over_volume += 1;
                self.day.over += 1;
            }
            Verdict::Keep(bytes) => {
                if is_kept {
                    self.books.kept += 1;
                    self.books.unread += u64::from(line.what != What::Read);
                } else {
                    self.books.no_room += 1;
                }
                let before = Notice::of(self.day.used.bytes, limits);
                self.day.add(of, Used { events: 1, bytes }, self.named);
                let now = Notice::of(self.day.used.bytes, limits);
                return now.filter(|_| now > before);
            }
        }
        None
    }

    /// The books of an hour, counted since 1970; `None` when nothing came in it, or it is too long ago.
    pub fn hour(&self, hour: u64) -> Option<&HourBooks> {
        if hour == self.hour {
            return (self.books.events > 0).then_some(&self.books);
        }
        self.hours.get(&hour)
    }

    /// The last day with this number, where it is known.
    pub fn day(&self, number: u64) -> Option<&Day> {
        let before = self.day_before.as_deref();
        [Some(&self.day), before].into_iter().flatten().find(|day| day.number == number)
    }
}

impl Day {
    fn is_worth_a_word(&self) -> bool {
        self.used.events + self.over + self.unknown > 0 || !self.filtered.is_empty()
    }

    fn add(&mut self, (system, program): (&Arc<str>, &[u8]), used: Used, most: usize) {
        self.used.add(used);
        let program = String::from_utf8_lossy(program);
        if let Some(known) = self.by.get_mut(system).and_then(|programs| programs.get_mut(&*program)) {
            known.add(used);
            return;
        }
        if self.programs >= most.max(NAMED_AT_LEAST) {
            self.fold(most.max(NAMED_AT_LEAST) / 2);
        }
        self.programs += 1;
        self.by.entry(system.clone()).or_default().insert(program.into(), used);
    }

    /// Only so many of the largest stay with their names.
    fn fold(&mut self, most: usize) {
        let sizes = self.by.values().flat_map(|programs| programs.values().map(|used| used.bytes));
        let mut sizes: Vec<u64> = sizes.collect();
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        let least = sizes.get(most.saturating_sub(1)).copied().unwrap_or(0);
        // Of those of the least size, as many as there are places for, by name.
        let mut equal = most - sizes.iter().filter(|&&size| size > least).count().min(most);
        let Self { by, rest, .. } = self;
        for programs in by.values_mut() {
            programs.retain(|_, used| {
                let stays = used.bytes > least || (used.bytes == least && equal > 0);
                if used.bytes == least {
                    equal = equal.saturating_sub(1);
                }
                if !stays {
                    rest.add(*used);
                }
                stays
            });
        }
        by.retain(|_, programs| !programs.is_empty());
        self.programs = self.by.values().map(BTreeMap::len).sum();
    }

    /// What each program used, the largest first.
    pub fn largest(&self) -> Vec<(&str, &str, Used)> {
        let mut all: Vec<(&str, &str, Used)> = Vec::with_capacity(self.programs);
        for (system, programs) in &self.by {
            all.extend(programs.iter().map(|(program, used)| (&**system, &**program, *used)));
        }
        all.sort_by_key(|&(system, program, used)| (std::cmp::Reverse(used.bytes), system, program));
        all
    }
}
