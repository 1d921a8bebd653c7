//! How many events fit, by time.

use super::View;
use super::plan::Plan;
use super::scan::{Same, Scan, Visitor};
use crate::event::Event;
use crate::page::{Examined, Page};
use log_query::Query;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000_000;
const MILLISECOND: i64 = 1_000;
/// Steps of time that are told apart.
const MOST: usize = 10_000;

/// How many events fit a query, by the time of their ids.
///
/// ```
/// # use log_store::{Event, EventId, Options, Page, Query, Scope, Store};
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-counts-{}", std::process::id()));
/// # let mut store = Store::open(&folder, Options::new())?;
/// # for n in 0..90 { store.append(&Event::new(EventId::at(1_699_999_980_000_000 + n * 1_000_000), "shop", b"line"))?; }
/// # store.publish(EventId::at(1_700_000_070_000_000));
/// # let view = store.reader().view(&Scope::account("shop"));
/// let counts = view.counts(&Query::default(), &Page::new(), 60_000_000, &mut || true);
/// assert_eq!(counts.total(), 90);
/// assert_eq!(counts.steps().collect::<Vec<_>>(), [(1_699_999_980_000_000, 60), (1_700_000_040_000_000, 30)]);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Counts {
    tally: Tally,
    examined: Examined,
}

#[derive(Clone, Debug)]
struct Tally {
    width: i64,
    /// By the number of the step.
    steps: BTreeMap<i64, u64>,
    total: u64,
}

impl Counts {
    /// How long a step is, in microseconds: what was asked for, or, if there would be more than 10,000 of them, a multiple.
    #[must_use]
    pub const fn width(&self) -> i64 {
        self.tally.width
    }

    /// When each step with an event begins, in microseconds since 1970, rising, and how many events it has.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (i64, u64)> + '_ {
        self.tally.steps.iter().map(|(&step, &count)| (step * self.tally.width, count))
    }

    /// How many in all.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.tally.total
    }

    /// What was looked at.
    #[must_use]
    pub const fn examined(&self) -> &Examined {
        &self.examined
    }
}

impl Tally {
    fn add(&mut self, micros: i64, count: u64) {
        self.total += count;
        *self.steps.entry(micros.div_euclid(self.width)).or_default() += count;
        if self.steps.len() > MOST {
            // Twice as long, half as many; ever so long until they are few enough.
            while self.steps.len() > MOST {
                self.width = self.width.saturating_mul(2);
                let mut wider = BTreeMap::new();
                for (&step, &count) in &self.steps {
                    *wider.entry(step.div_euclid(2)).or_default() += count;
                }
                self.steps = wider;
            }
        }
    }
}

impl Visitor for Tally {
    const MESSAGES: bool = false;

    fn minutes(&mut self, minutes: &[(u32, u32)]) -> bool {
        if self.width % MINUTE != 0 {
            return false;
        }
        for &(minute, count) in minutes {
            self.add(i64::from(minute) * MINUTE, u64::from(count));
        }
        true
    }

    fn event(&mut self, event: &Event<'_>) -> bool {
        self.add(event.id().unix_micros(), 1);
        true
    }
}

impl View {
    /// How many events of a page's range fit a query, in steps of `width` microseconds, from the newest unless the page says
    /// otherwise; limits of the page do not count. Steps begin at multiples of their width. A width below a millisecond is one.
    ///
    /// Whole minutes are counted from the index where a query asks for nothing, or for what the senders of a block decide: no
    /// block is read. `go_on` is asked as in [`View::search`].
    #[must_use]
    pub fn counts(&self, query: &Query, page: &Page, width: i64, go_on: &mut dyn FnMut() -> bool) -> Counts {
        let (from, to) = page.range();
        let plan = Plan::new(query);
        let mut tally = Tally { width: width.max(MILLISECOND), steps: BTreeMap::new(), total: 0 };
        let examined = Scan::new(self, &plan, Same::default(), page.order()).run(from, to, go_on, &mut tally);
        Counts { tally, examined }
    }
}
