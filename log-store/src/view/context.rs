//! What stands around an event.

use super::View;
use super::scan::Same;
use crate::event::EventId;
use crate::page::{Found, Order, Page};
use log_query::Query;

/// Which events are the neighbours of an event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Neighbours {
    /// Those of the same system and program.
    Program,
    /// Those of the same system.
    System,
    /// All that the scope allows.
    All,
}

/// An event and its neighbours.
///
/// ```
/// # use log_store::{Event, EventId, Neighbours, Options, Scope, Store};
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-context-{}", std::process::id()));
/// # let mut store = Store::open(&folder, Options::new())?;
/// # for n in 1..=9 { store.append(&Event::new(EventId::new(n * 256), "shop", b"line"))?; }
/// # store.publish(EventId::new(9 * 256));
/// # let view = store.reader().view(&Scope::account("shop"));
/// let context = view.context(EventId::new(5 * 256), 2, 1, Neighbours::All, &mut || true);
/// assert_eq!((context.before().events().len(), context.after().events().len()), (2, 1));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Context {
    at: Found,
    before: Found,
    after: Found,
}

impl Context {
    /// The event itself, if it is there and may be seen: none or one.
    #[must_use]
    pub const fn event(&self) -> &Found {
        &self.at
    }

    /// Its neighbours before it, oldest first.
    #[must_use]
    pub const fn before(&self) -> &Found {
        &self.before
    }

    /// Its neighbours behind it, oldest first.
    #[must_use]
    pub const fn after(&self) -> &Found {
        &self.after
    }
}

impl View {
    /// What stands around an event: so many before and after it. If the event is not there, or may not be seen, its neighbours
    /// are all that stand around its id.
    #[must_use]
    pub fn context(
        &self,
        id: EventId,
        before: usize,
        after: usize,
        neighbours: Neighbours,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Context {
        let everything = Query::default();
        let next = EventId::new(id.get() + 1);
        let mut only = Page::new().with_before(next).with_limit(1);
        if let Some(last) = id.get().checked_sub(1) {
            only = only.with_after(EventId::new(last));
        }
        let at = self.search(&everything, &only, go_on);
        let event = at.events().first().map(|event| event.as_event());
        let same = Same {
            system: event.filter(|_| neighbours != Neighbours::All).map(|event| event.system()),
            program: event.filter(|_| neighbours == Neighbours::Program).map(|event| event.program()),
        };
        let page = Page::new().with_before(id).with_limit(before);
        let before = self.search_same(&everything, same, &page, go_on);
        let page = Page::new().with_after(id).with_order(Order::Oldest).with_limit(after);
        let after = self.search_same(&everything, same, &page, go_on);
        Context { before, after, at }
    }
}
