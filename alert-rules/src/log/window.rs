//! One rule with its open window.

use super::alert::{Counts, LogAlert, Standing};
use super::rule::{LogRule, Period};
use crate::tick::Tick;
use crate::verdict::join;
use core::time::Duration;
use log_query::Fields;
use metric_model::Timestamp;

/// A rule and what its open window has so far.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) rule: u64,
    pub(super) is: LogRule,
    pub(super) fingerprint: u64,
    /// The window has what lies behind this.
    pub(super) start: Tick,
    /// `None` until the host has said it, which it is asked of days alone.
    pub(super) due: Option<Timestamp>,
    /// It began with a tick, and was not cut short.
    pub(super) is_full: bool,
    pub(super) found: Found,
    pub(super) unknown: Option<(Timestamp, Timestamp)>,
}

/// What was found.
#[derive(Default, Debug)]
pub(super) struct Found {
    pub(super) count: u64,
    pub(super) ids: Vec<u64>,
    pub(super) counts: Counts,
    /// How much is in `counts`: each number is one, and a system some.
    pub(super) told: usize,
    pub(super) reached_limit: bool,
}

impl Watch {
    /// Begins behind `last`, at the time of the tick before it.
    pub(super) fn new(rule: u64, is: LogRule, tick: Tick, last: u64) -> Self {
        let fingerprint = is.fingerprint();
        Self {
            due: due(is.period(), tick.time()),
            // A day is cut short by its hour.
            is_full: last == tick.id() && is.period() != Period::Day,
            rule,
            is,
            fingerprint,
            start: Tick::new(last, tick.time()),
            found: Found::default(),
            unknown: None,
        }
    }

    /// A line that fits.
    pub(super) fn record(&mut self, id: u64, time: Timestamp, fields: &Fields<'_>, most: usize) {
        let found = &mut self.found;
        found.count += 1;
        if self.is.is_counting() {
            let bucket = self.is.period().bucket();
            let seconds = time.unix_seconds().div_euclid(bucket).saturating_mul(bucket);
            found.reached_limit |= !found.add(fields.system(), seconds, most);
        } else if found.ids.len() < most {
            found.ids.push(id);
        } else {
            found.reached_limit = true;
        }
    }

    /// There is room for no more than that: what came last goes, and is only counted.
    pub(super) fn shorten(&mut self, most: usize) {
        let found = &mut self.found;
        if found.ids.len() > most {
            found.ids.truncate(most);
            found.ids.shrink_to_fit();
            found.reached_limit = true;
        }
        while found.told > most
            && let Some((system, counts)) = found.counts.pop_last()
        {
            found.told -= Found::room_of(&system) + counts.len();
            found.reached_limit = true;
        }
    }

    /// Of this stretch nothing is known.
    pub(super) fn unknown(&mut self, from: Timestamp, until: Timestamp) {
        let from = from.max(self.start.time());
        if from < until {
            join(&mut self.unknown, from, until);
        }
    }

    /// Time goes on, or back. Answers what the window had, if it ends here and that is to be told.
    pub(super) fn tick(
        &mut self,
        before: Tick,
        tick: Tick,
        next_day: &mut impl FnMut(u64, Timestamp) -> Timestamp,
    ) -> Option<LogAlert> {
        let (rule, period) = (self.rule, self.is.period());
        let mut next = |time: Timestamp| match due(period, time) {
            Some(due) => due,
            // A host that names a time that is over would end a window with every tick.
            None => Some(next_day(rule, time)).filter(|due| *due > time).unwrap_or(time.later(period.length())),
        };
        let now = tick.time();
        let mut ends = *self.due.get_or_insert_with(|| next(self.start.time()));
        if now < before.time() && next(now) < ends {
            // The clock was set back: nobody waits for the same hour twice.
            ends = next(now);
            self.due = Some(ends);
        }
        if now < ends {
            return None;
        }
        // The next is due at the same second of the minute, however late the tick is.
        self.due = Some(match period {
            Period::Day => next(now),
            _ => now.later(period.length()).earlier(behind(now.since(ends), period)),
        });
        let start = core::mem::replace(&mut self.start, tick);
        let found = core::mem::take(&mut self.found);
        let unknown = self.unknown.take();
        let was_full = core::mem::replace(&mut self.is_full, true);
        let silence = self.is.is_on_inactivity();
        let fires =
            if silence { was_full && unknown.is_none() && found.count == 0 } else { found.count >= self.is.minimum() };
        fires.then(|| LogAlert {
            rule,
            start,
            end: tick,
            period,
            minimum: self.is.minimum(),
            silence,
            count: found.count,
            ids: found.ids,
            counts: found.counts,
            reached_limit: found.reached_limit,
            unknown,
        })
    }

    pub(super) fn standing(&self) -> Standing<'_> {
        Standing {
            rule: &self.is,
            start: self.start.time(),
            due: self.due,
            count: self.found.count,
            is_full: self.is_full,
            unknown: self.unknown,
        }
    }
}

impl Found {
    /// What a system takes, in the room of numbers.
    pub(super) const fn room_of(system: &[u8]) -> usize {
        /// Of a number.
        const BYTES: usize = 16;
        /// Of a system, besides its name.
        const AROUND: usize = 96;
        (AROUND + system.len()) / BYTES
    }

    /// One line more of a system. Answers whether there was room to tell it.
    fn add(&mut self, system: &[u8], seconds: i64, most: usize) -> bool {
        if !self.counts.contains_key(system) {
            let takes = Self::room_of(system);
            if self.told + takes >= most {
                return false;
            }
            self.told += takes;
            self.counts.insert(system.into(), Vec::new());
        }
        let has_room = self.told < most;
        let Some(counts) = self.counts.get_mut(system) else { return false };
        // Mostly the last; a clock may have been set back.
        let place = match counts.last() {
            Some((last, _)) if *last < seconds => counts.len(),
            _ => counts.partition_point(|(second, _)| *second < seconds),
        };
        match counts.get_mut(place) {
            Some((second, count)) if *second == seconds => *count += 1,
            _ if !has_room => return false,
            _ => {
                counts.insert(place, (seconds, 1));
                self.told += 1;
            }
        }
        true
    }
}

/// When a window that begins now ends; of a day the host knows.
fn due(period: Period, time: Timestamp) -> Option<Timestamp> {
    (period != Period::Day).then(|| time.later(period.length()))
}

/// How far a time is behind the last one that was due.
fn behind(late: Duration, period: Period) -> Duration {
    let micros = late.as_micros() % period.length().as_micros();
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
