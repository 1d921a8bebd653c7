//! Following what comes.

use crate::event::{EventBuf, EventId};
use crate::page::{Examined, Order, Page};
use crate::reader::Reader;
use crate::scope::Scope;
use log_query::Query;

/// A cursor over what fits a query, in order of ids. It never skips an event and never gives one twice.
///
/// It holds an id and no lines: whoever is slow reads from files what is no longer in memory, and nobody waits for him. To go
/// on after a restart, keep [`Tail::position`] and begin a new one there.
///
/// ```
/// # use log_store::{Event, EventId, Options, Query, Scope, Store};
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-tail-{}", std::process::id()));
/// # let mut store = Store::open(&folder, Options::new())?;
/// let mut tail = store.reader().tail(&Scope::account("shop"), &Query::default(), EventId::MIN);
/// store.append(&Event::new(EventId::new(256), "shop", b"one"))?;
/// store.append(&Event::new(EventId::new(512), "shop", b"two"))?;
/// store.publish(EventId::new(256));
///
/// let mut events = Vec::new();
/// tail.next_batch(100, &mut events, &mut || true);
/// assert_eq!(events.len(), 1); // the second one is not published yet
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tail {
    reader: Reader,
    scope: Scope,
    query: Query,
    /// The first id that was not looked at.
    next: u64,
}

impl Reader {
    /// A cursor that follows what fits a query, from behind an id; [`Reader::newest`] gives the one to follow only what comes.
    #[must_use]
    pub fn tail(&self, scope: &Scope, query: &Query, after: EventId) -> Tail {
        Tail::new(self.clone(), scope.clone(), query.clone(), after)
    }
}

impl Tail {
    fn new(reader: Reader, scope: Scope, query: Query, after: EventId) -> Self {
        Self { reader, scope, query, next: after.get() + 1 }
    }

    /// Adds the next events to `out`, `most` at most, and says what was looked at. Nothing new is no event; wait with
    /// [`Reader::wait`] on [`Tail::position`], then ask again. After [`Reached::Limit`](crate::Reached::Limit) or
    /// [`Reached::Budget`](crate::Reached::Budget) there may be more at once.
    ///
    /// The cursor moves over what was looked at and no further: also over blocks that are damaged, which the answer names.
    pub fn next_batch(&mut self, most: usize, out: &mut Vec<EventBuf>, go_on: &mut dyn FnMut() -> bool) -> Examined {
        let page = Page::new().with_after(self.position()).with_order(Order::Oldest).with_limit(most);
        let found = self.reader.view(&self.scope).search(&self.query, &page, go_on);
        self.next = self.next.max(found.examined.to);
        out.extend(found.events);
        found.examined
    }

    /// The highest id that was looked at. All events up to it that fit were given.
    #[must_use]
    pub const fn position(&self) -> EventId {
        EventId::new(self.next - 1)
    }
}
