//! From a range to the page of it, and to what is said of it.

use super::size::most;
use super::wanted::Wanted;
use crate::v1::lines::Lines;
use crate::v1::memory::{FOUND, WRITTEN};
use log_store::{Damage, Event, EventId, Order, Page as StorePage, Query, Reached, View};

/// A page of events, oldest first, and what was examined for it.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) events: Lines,
    pub(super) min_id: u64,
    pub(super) max_id: u64,
    /// Microseconds since 1970.
    pub(super) min_time_at: i64,
    pub(super) max_time_at: i64,
    /// Nothing older is left in the range, or nothing newer.
    pub(super) reached_beginning: bool,
    pub(super) reached_end: bool,
    pub(super) reached_record_limit: bool,
    pub(super) reached_time_limit: bool,
    /// Some of the lines could not be read.
    pub(super) is_partial: bool,
    /// Something cannot be read now that can be later.
    pub(super) is_away: bool,
}

/// Finds a page, in memory that others have used. `oldest` is the oldest event that is kept, `now` the time of day.
pub(super) fn find(
    mut events: Lines,
    view: &View,
    query: &Query,
    wanted: &Wanted,
    oldest: Option<EventId>,
    now: i64,
    go_on: &mut dyn FnMut() -> bool,
) -> Page {
    let oldest = oldest.map(|oldest| oldest.max(EventId::new(wanted.floor)));
    let range = wanted.range();
    let end = range.before.min(view.before().get());
    if range.from >= end {
        return Page { events, ..nothing(view, wanted, oldest, now) };
    }
    let order = if wanted.is_forward { Order::Oldest } else { Order::Newest };
    let page = StorePage::new().with_order(order).with_before(EventId::new(range.before));
    let page = match range.from.checked_sub(1) {
        Some(after) => page.with_after(EventId::new(after)),
        None => page,
    };
    let examined = view.each(query, &page, go_on, &mut |event| {
        events.push(event);
        events.len() < wanted.limit && events.bytes() < FOUND
    });
    if !wanted.is_forward {
        events.reverse();
    }
    let (low, high) = (examined.from().get(), examined.before().get().saturating_sub(1));
    let (mut reached, damage) = (examined.reached(), examined.damage());
    let (is_partial, is_away) = (!damage.is_empty(), damage.iter().any(Damage::is_passing));
    let (mut low, mut high) = (low.clamp(range.from, end), high.clamp(range.from.saturating_sub(1), end - 1));
    // What is longer in JSON than an answer may be is left to the next page.
    if let Some(fitting) = fitting(&events, wanted.is_forward) {
        reached = Reached::Limit;
        if wanted.is_forward {
            events.keep_first(fitting);
            high = events.last_id().map_or(high, EventId::get);
        } else {
            events.keep_last(fitting);
            low = events.first_id().map_or(low, EventId::get);
        }
    }
    let is_all = reached == Reached::End;
    // The end of the range that the page does not begin at was reached, or what was examined ends before it.
    let (min_id, max_id) = match (wanted.is_forward, is_all) {
        (true, true) => (wanted.lowest(oldest), end - 1),
        (true, false) => (wanted.lowest(oldest), high),
        (false, true) => (wanted.lowest(oldest), end - 1),
        (false, false) => (low, end - 1),
    };
    Page {
        min_time_at: if is_all || wanted.is_forward { wanted.earliest(oldest, now) } else { time(min_id) },
        max_time_at: if is_all || !wanted.is_forward { wanted.latest(now) } else { time(max_id) },
        events,
        min_id,
        max_id,
        reached_beginning: is_all,
        reached_end: is_all,
        reached_record_limit: reached == Reached::Limit,
        reached_time_limit: reached == Reached::Budget,
        is_partial,
        is_away,
    }
}

/// The page of a range that holds no event yet, or never will: who follows goes on from where he is.
fn nothing(view: &View, wanted: &Wanted, oldest: Option<EventId>, now: i64) -> Page {
    let newest = view.before().get().saturating_sub(1);
    let range = wanted.range();
    let max_id = wanted.min_id.unwrap_or_else(|| wanted.max_id.map_or(newest, |id| id.min(newest)));
    let stored = oldest.map_or(now, EventId::unix_micros);
    let min_time_at = match wanted.min_id {
        Some(id) if range.from < range.before => time(id),
        // A client that swaps two bounds stops when this is not above the lower of them.
        _ => wanted.max_id.map_or(stored, |id| stored.min(time(id))),
    };
    Page {
        events: Lines::default(),
        min_id: wanted.min_id.unwrap_or(max_id),
        max_id,
        min_time_at,
        max_time_at: now,
        reached_beginning: true,
        reached_end: true,
        reached_record_limit: false,
        reached_time_limit: false,
        is_partial: false,
        is_away: false,
    }
}

impl Wanted {
    /// The lowest id that is examined when nothing ends the search before.
    fn lowest(&self, oldest: Option<EventId>) -> u64 {
        match (self.min_id, self.min_time) {
            (Some(id), _) => id,
            (None, Some(_)) => self.range().from,
            (None, None) => oldest.map_or(0, EventId::get),
        }
    }

    /// The time that belongs to it.
    fn earliest(&self, oldest: Option<EventId>, now: i64) -> i64 {
        let of_id = self.min_id.map(time);
        match (of_id, self.min_time) {
            (None, None) => oldest.map_or(now, EventId::unix_micros),
            (of_id, of_time) => of_id.unwrap_or(0).max(of_time.unwrap_or(0)),
        }
    }

    /// The time up to which lines are examined.
    fn latest(&self, now: i64) -> i64 {
        let bounds = [self.max_id.map(time), self.max_time];
        bounds.into_iter().flatten().fold(now, i64::min)
    }
}

fn time(id: u64) -> i64 {
    EventId::new(id).unix_micros()
}

/// How many events fit into an answer, from the end at which the page begins; one at least. `None` is all of them.
fn fitting(events: &Lines, is_forward: bool) -> Option<usize> {
    let mut left = WRITTEN;
    let mut fits = |event: &Event<'_>| {
        let len = most(event);
        left.checked_sub(len).map(|rest| left = rest).is_some()
    };
    let count = if is_forward {
        events.iter().take_while(|event| fits(event)).count()
    } else {
        events.iter().rev().take_while(|event| fits(event)).count()
    };
    (count < events.len()).then_some(count.max(1))
}
