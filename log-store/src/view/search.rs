//! Pages of events, and patterns.

use super::View;
use super::plan::Plan;
use super::scan::{Same, Scan, Visitor};
use crate::event::{Event, EventBuf};
use crate::page::{Examined, Found, Order, Page};
use crate::patterns::Patterns;
use log_query::Query;

/// What an event takes beside its text.
const AN_EVENT: usize = size_of::<EventBuf>() + 16;

/// Takes events until there are enough.
struct Collector {
    events: Vec<EventBuf>,
    limit: usize,
    bytes: usize,
}

impl Visitor for Collector {
    const MESSAGES: bool = true;

    fn event(&mut self, event: &Event<'_>) -> bool {
        let text = event.account().len() + event.system().len() + event.program().len() + event.message().len();
        self.bytes = self.bytes.saturating_sub(text + AN_EVENT);
        self.events.push(event.to_event_buf());
        self.events.len() < self.limit && self.bytes > 0
    }
}

struct Counter<'p>(&'p mut Patterns);

impl Visitor for Counter<'_> {
    const MESSAGES: bool = true;

    fn event(&mut self, event: &Event<'_>) -> bool {
        self.0.add(event.program(), event.message());
        true
    }
}

impl View {
    /// The events of a page that fit a query. From the newest it stops at the limit without looking at older ones.
    ///
    /// `go_on` is asked before each block of at most a megabyte (some tenth of a millisecond to a millisecond of work); when
    /// it says no, the answer is what was found so far, and [`Found::older`] or [`Found::newer`] goes on from there.
    #[must_use]
    pub fn search(&self, query: &Query, page: &Page, go_on: &mut dyn FnMut() -> bool) -> Found {
        self.search_same(query, Same::default(), page, go_on)
    }

    pub(super) fn search_same(
        &self,
        query: &Query,
        same: Same<'_>,
        page: &Page,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Found {
        let (from, to) = page.range();
        if page.limit() == 0 {
            let at = if page.order() == Order::Newest { to.min(self.to) } else { from };
            let mut examined = Examined::new(at, at);
            examined.reached = crate::page::Reached::Limit;
            return Found { events: Vec::new(), examined };
        }
        let plan = Plan::new(query);
        let mut collector = Collector { events: Vec::new(), limit: page.limit(), bytes: page.bytes() };
        let examined = Scan::new(self, &plan, same, page.order()).run(from, to, go_on, &mut collector);
        let mut events = collector.events;
        if page.order() == Order::Newest {
            events.reverse();
        }
        Found { events, examined }
    }

    /// Adds the events of a page's range that fit a query to `patterns`, from the newest; limits of the page do not count.
    ///
    /// ```
    /// # use log_store::{Event, EventId, Options, Page, Patterns, Query, Scope, Store};
    /// # let folder = std::env::temp_dir().join(format!("log-store-doc-patterns-{}", std::process::id()));
    /// # let mut store = Store::open(&folder, Options::new())?;
    /// # store.append(&Event::new(EventId::new(256), "shop", b"done in 5 ms"))?;
    /// # store.publish(EventId::new(256));
    /// # let view = store.reader().view(&Scope::account("shop"));
    /// let mut patterns = Patterns::new();
    /// view.patterns(&Query::default(), &Page::new(), &mut patterns, &mut || true);
    /// assert_eq!(patterns.top(1)[0].text(), b"done in <n> ms");
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn patterns(
        &self,
        query: &Query,
        page: &Page,
        patterns: &mut Patterns,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Examined {
        let (from, to) = page.range();
        let plan = Plan::new(query);
        Scan::new(self, &plan, Same::default(), page.order()).run(from, to, go_on, &mut Counter(patterns))
    }
}
