//! What part of the lines is asked for.

use super::{Ask, Wrong};
use log_store::EventId;
use logdrain_drain::limits::Habits;

/// The longest query.
const QUERY: usize = 8 << 10;
/// How many events a page has unless it is said, and at most.
const LIMIT: u64 = 1_000;
const MOST: u64 = 10_000;

/// A page, as its parameters ask for it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    pub(super) query: String,
    pub(super) min_id: Option<u64>,
    pub(super) max_id: Option<u64>,
    /// Microseconds since 1970.
    pub(super) min_time: Option<i64>,
    pub(super) max_time: Option<i64>,
    /// The first id that may be seen: what the plan no longer shows lies below it.
    pub(super) floor: u64,
    pub(super) limit: usize,
    /// `max_id` is part of a page that has a `min_time`.
    pub(super) max_id_overlap: bool,
    /// From the oldest on, so that nothing is skipped.
    pub(super) is_forward: bool,
    /// Times with all digits, which no client of the service that is imitated asks for.
    pub(super) has_fractions: bool,
}

/// The range of ids that a page lies in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Range {
    /// The first id in it.
    pub(super) from: u64,
    /// The first id above it.
    pub(super) before: u64,
}

impl Wanted {
    /// # Errors
    /// When a value cannot be what its name says.
    pub(super) fn of(ask: &Ask, habits: Habits) -> Result<Self, Wrong> {
        let query = ask.text("q").unwrap_or_default();
        if query.len() > QUERY {
            return Err(Wrong(format!("the query has {} bytes, and {QUERY} is the most", query.len())));
        }
        let min_id = ask.number("min_id")?;
        let limit = match ask.number("limit")? {
            Some(0) => return Err(Wrong(format!("limit is a number from 1 to {MOST}"))),
            limit => limit.unwrap_or(LIMIT).min(MOST),
        };
        // Clients that follow send `min_id` and nothing else, and must not skip what came between two looks: with it a page
        // begins at its oldest end unless `tail=true` is said.
        let is_forward = !ask.flag("tail")?.unwrap_or(min_id.is_none());
        Ok(Self {
            query: query.to_owned(),
            min_id,
            max_id: ask.number("max_id")?,
            min_time: ask.time("min_time")?,
            max_time: ask.time("max_time")?,
            floor: 0,
            max_id_overlap: habits.max_id_overlap,
            limit: usize::try_from(limit).unwrap_or(1),
            is_forward,
            has_fractions: ask.flag("fractions")?.unwrap_or(false),
        })
    }

    /// The range, the strictest of all bounds counting.
    pub(super) fn range(&self) -> Range {
        let of_id = self.min_id.map_or(0, |id| id + 1);
        // Ids count whole milliseconds.
        let of_time = self.min_time.map_or(0, |time| EventId::at(time.saturating_add(999)).get());
        let below_time = self.max_time.map(|time| EventId::at(time.saturating_add(1_000)).get());
        let below_id = self.max_id.map(|id| if self.max_id_is_included() { id + 1 } else { id });
        let before = [below_time, below_id].into_iter().flatten().min();
        Range { from: of_id.max(of_time).max(self.floor), before: before.unwrap_or(EventId::MAX.get()) }
    }

    /// A rule of the service that is imitated here: `max_id` is not part of a page, **but with `min_time` it is**. Who pages
    /// back within a time meets the event at the edge twice, and knows it.
    fn max_id_is_included(&self) -> bool {
        self.max_id_overlap && self.min_time.is_some()
    }
}
