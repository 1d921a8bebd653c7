//! How many lines there are, by time and by how much they want to be looked at.

use super::address::{Ask, At};
use super::alarm::{ERRORS, WARNINGS};
use super::bars::Counts;
use log_store::{EventId, Page, Query, Reached, View};
use logdrain_drain::journal;

const SECOND: i64 = 1_000_000;
/// The most bars.
const BARS: i64 = 120;
/// What is counted where no range is asked for.
const HOUR: i64 = 3_600;
/// How long a bar may be. Those of a minute and more are counted from the index.
const STEPS: [i64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

/// What is counted: from a second on, in steps.
#[derive(Debug)]
pub(super) struct Counting {
    query: Query,
    start: i64,
    step: i64,
    bars: i64,
}

impl Counting {
    /// The range that is asked for, or the hour of some lines: the seconds of the first and the last.
    pub(super) fn new(ask: &Ask, lines: (Option<i64>, Option<i64>)) -> Self {
        let query = Query::parse(&ask.query).into_query();
        let now = now();
        let (start, end) = match (ask.span.is_all() || matches!(ask.at, At::Around(_)), ask.span.bounds(now)) {
            (false, (Some(from), to)) => (from, to.unwrap_or(now + 1).max(from + 1)),
            (false, (None, Some(to))) => (to - HOUR, to),
            _ => Self::hour(ask.at, lines, now),
        };
        let start = start.max(0);
        let step = Self::step(start, end);
        // Bars begin where the clock does.
        let offset = ask.zone.offset(start);
        let begins = (start + offset).div_euclid(step) * step - offset;
        // Of a zone that is no whole minutes away they are those of UTC: so they are counted.
        let begins = if begins.rem_euclid(step.min(60)) == 0 { begins } else { start.div_euclid(step) * step };
        let bars = (end - begins + step - 1).div_euclid(step).clamp(1, BARS);
        Self { query, start: begins, step, bars }
    }

    /// The shortest step with which there are not too many bars.
    fn step(start: i64, end: i64) -> i64 {
        let len = end - start;
        let fits = |step: i64| len <= step * (BARS - 1);
        STEPS.into_iter().find(|step| fits(*step) && (*step > 30 || len < HOUR)).unwrap_or_else(|| {
            let days = len.div_euclid(86_400 * (BARS - 1)) + 1;
            days * 86_400
        })
    }

    fn hour(at: At, (first, last): (Option<i64>, Option<i64>), now: i64) -> (i64, i64) {
        let second = |id: EventId| id.unix_micros().div_euclid(SECOND);
        let minute = |second: i64| second.div_euclid(60) * 60;
        let until = |end: i64| (minute(end) + 60 - HOUR, minute(end) + 60);
        let from = |start: i64| (minute(start), minute(start) + HOUR);
        match at {
            At::Newest => until(last.unwrap_or(now)),
            At::Before(id) => until(last.unwrap_or_else(|| second(id).min(now))),
            At::Around(id) => from(second(id) - HOUR / 2),
            At::After(id) => from(first.unwrap_or_else(|| second(id))),
            At::From(second) => from(second),
        }
    }

    /// Counts, for as long as `goes_on` says so.
    pub(super) fn count(&self, view: &View, goes_on: &mut dyn FnMut() -> bool) -> Counts {
        let mut counts = Counts {
            start: self.start,
            step: self.step,
            bars: vec![[0; 3]; usize::try_from(self.bars).unwrap_or(0)],
            is_partial: false,
        };
        let all = self.each(view, &self.query, goes_on);
        counts.is_partial |= all.1;
        for (index, count) in all.0 {
            if let Some(bar) = counts.bars.get_mut(index) {
                bar[0] = count;
            }
        }
        if counts.total() == 0 {
            return counts;
        }
        for (which, alarm) in [(2, ERRORS), (1, WARNINGS)] {
            // As it was read, so that brackets and operators of the two do not mix.
            let text = if self.query.is_empty() { alarm.to_owned() } else { format!("({}) ({alarm})", self.query) };
            let some = self.each(view, Query::parse(&text).query(), goes_on);
            counts.is_partial |= some.1;
            for (index, count) in some.0 {
                if let Some(bar) = counts.bars.get_mut(index) {
                    let count = count.min(bar[0]);
                    bar[which] = count;
                    bar[0] -= count;
                }
            }
        }
        counts
    }

    /// What a query finds, by bars, and whether that is not all.
    fn each(&self, view: &View, query: &Query, goes_on: &mut dyn FnMut() -> bool) -> (Vec<(usize, u64)>, bool) {
        let mut page = Page::new().with_before(EventId::at((self.start + self.step * self.bars) * SECOND));
        if let Some(after) = EventId::at(self.start * SECOND).get().checked_sub(1) {
            page = page.with_after(EventId::new(after));
        }
        // Minutes come from the index; longer bars are made of them.
        let width = if self.step % 60 == 0 { 60 } else { self.step };
        let found = view.counts(query, &page, width * SECOND, goes_on);
        let mut bars: Vec<(usize, u64)> = Vec::new();
        for (begins, count) in found.steps() {
            let index = (begins.div_euclid(SECOND) - self.start).div_euclid(self.step);
            let Ok(index) = usize::try_from(index) else { continue };
            match bars.last_mut() {
                Some((last, sum)) if *last == index => *sum += count,
                _ => bars.push((index, count)),
            }
        }
        (bars, found.examined().reached() == Reached::Budget || !found.examined().damage().is_empty())
    }
}

/// How many lines there are above an id, and whether there may be more.
pub(super) fn newer(ask: &Ask, after: EventId, view: &View, goes_on: &mut dyn FnMut() -> bool) -> (u64, bool) {
    let query = Query::parse(&ask.query).into_query();
    let found = view.counts(&query, &Page::new().with_after(after), 60 * SECOND, goes_on);
    (found.total(), found.examined().reached() == Reached::Budget || !found.examined().damage().is_empty())
}

pub(super) fn now() -> i64 {
    journal::now().unix_seconds()
}
