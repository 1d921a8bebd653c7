//! Pages of events, and patterns.

use super::View;
use super::plan::Plan;
use super::scan::{Same, Scan, Visitor};
use crate::event::{Event, EventBuf};
use crate::merged::Room;
use crate::page::{Examined, Found, Order, Page};
use crate::patterns::Patterns;
use log_query::Query;

/// Takes events until there are enough.
struct Collector {
    events: Vec<EventBuf>,
    room: Room,
}

impl Visitor for Collector {
    const MESSAGES: bool = true;

    fn event(&mut self, event: &Event<'_>) -> bool {
        let is_full = self.room.is_full_with(event);
        self.events.push(event.to_event_buf());
        !is_full
    }
}

/// Hands events on.
struct Each<'t>(&'t mut dyn FnMut(&Event<'_>) -> bool);

impl Visitor for Each<'_> {
    const MESSAGES: bool = true;

    fn event(&mut self, event: &Event<'_>) -> bool {
        (self.0)(event)
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
        let mut collector = Collector { events: Vec::new(), room: Room::of(page) };
        let examined = Scan::new(self, &plan, same, page.order()).run(from, to, go_on, &mut collector);
        let mut events = collector.events;
        if page.order() == Order::Newest {
            events.reverse();
        }
        Found { events, examined }
    }

    /// Hands the events of a page's range that fit a query on, one by one as they lie in a block, in the page's order, until
    /// `take` says that it has enough ([`Reached::Limit`](crate::Reached::Limit)); limits of the page do not count. It is
    /// [`View::search`] without a copy of each event, for who writes a whole range down.
    ///
    /// ```
    /// # use log_store::{Event, EventId, Options, Order, Page, Query, Reached, Scope, Store};
    /// # let folder = std::env::temp_dir().join(format!("log-store-doc-each-{}", std::process::id()));
    /// # let mut store = Store::open(&folder, Options::new())?;
    /// # store.append(&Event::new(EventId::new(256), "shop", b"one"))?;
    /// # store.append(&Event::new(EventId::new(512), "shop", b"two"))?;
    /// # store.publish(EventId::new(512));
    /// # let view = store.reader().view(&Scope::account("shop"));
    /// let mut bytes = 0;
    /// let page = Page::new().with_order(Order::Oldest);
    /// let examined = view.each(&Query::default(), &page, &mut || true, &mut |event| {
    ///     bytes += event.message().len();
    ///     true
    /// });
    /// assert_eq!((bytes, examined.reached()), (6, Reached::End));
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each(
        &self,
        query: &Query,
        page: &Page,
        go_on: &mut dyn FnMut() -> bool,
        take: &mut dyn FnMut(&Event<'_>) -> bool,
    ) -> Examined {
        let (from, to) = page.range();
        let plan = Plan::new(query);
        Scan::new(self, &plan, Same::default(), page.order()).run(from, to, go_on, &mut Each(take))
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
