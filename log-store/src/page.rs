//! What part of the matching events is asked for, and what came of it.

use crate::event::{EventBuf, EventId};
use crate::segment::Damage;

/// Events an answer holds unless a page says otherwise.
const LIMIT: usize = 1_000;
/// Bytes an answer holds unless a page says otherwise.
const BYTES: usize = 16 << 20;

/// Which end of a range is read first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Order {
    /// From the newest to older ones.
    #[default]
    Newest,
    /// From the oldest to newer ones.
    Oldest,
}

/// A range of ids, the end to begin at, and how much is wanted. Without more: the newest 1,000 of all.
///
/// ```
/// use log_store::{EventId, Order, Page};
///
/// let minute = Page::new()
///     .with_after(EventId::at(1_700_000_000_000_000))
///     .with_before(EventId::at(1_700_000_060_000_000))
///     .with_order(Order::Oldest)
///     .with_limit(100);
/// assert_eq!(minute.limit(), 100);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    after: Option<EventId>,
    before: EventId,
    order: Order,
    limit: usize,
    bytes: usize,
}

impl Page {
    /// The newest 1,000 of all events, of at most 16 MiB.
    #[must_use]
    pub const fn new() -> Self {
        Self { after: None, before: EventId::MAX, order: Order::Newest, limit: LIMIT, bytes: BYTES }
    }

    /// Only events above this id.
    #[must_use]
    pub const fn with_after(mut self, after: EventId) -> Self {
        self.after = Some(after);
        self
    }

    /// Only events below this id.
    #[must_use]
    pub const fn with_before(mut self, before: EventId) -> Self {
        self.before = before;
        self
    }

    /// From which end.
    #[must_use]
    pub const fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// How many events are wanted at most.
    #[must_use]
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// How many bytes of text the answer may have. It holds one event at least, however long.
    #[must_use]
    pub const fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// How many events are wanted at most.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) const fn order(&self) -> Order {
        self.order
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The range as numbers: the first that belongs to it, and the first behind it.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.after.map_or(0, |after| after.get() + 1), self.before.get())
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a search ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reached {
    /// The end of the range: nothing more is there.
    End,
    /// The limit of events or bytes.
    Limit,
    /// The caller's closure said so.
    Budget,
}

/// What was looked at for an answer, and what of it could not be read.
///
/// ```
/// # use log_store::{Event, EventId, Options, Query, Reached, Scope, Page, Store};
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-examined-{}", std::process::id()));
/// # let mut store = Store::open(&folder, Options::new())?;
/// # store.append(&Event::new(EventId::new(256), "shop", b"one"))?;
/// # store.publish(EventId::new(256));
/// let view = store.reader().view(&Scope::account("shop"));
/// let found = view.search(&Query::default(), &Page::new(), &mut || true);
/// assert_eq!(found.examined().reached(), Reached::End);
/// assert!(found.examined().damage().is_empty()); // else the answer lacks what those blocks held
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Examined {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) reached: Reached,
    pub(crate) damage: Vec<Damage>,
    pub(crate) more_damage: bool,
    pub(crate) blocks: u64,
    pub(crate) blocks_read: u64,
}

impl Examined {
    pub(crate) const fn new(from: u64, to: u64) -> Self {
        Self { from, to, reached: Reached::End, damage: Vec::new(), more_damage: false, blocks: 0, blocks_read: 0 }
    }

    /// The lowest id that was looked at: every event from here to [`Examined::before`] is in the answer if it fits.
    #[must_use]
    pub const fn from(&self) -> EventId {
        EventId::new(self.from)
    }

    /// The first id above what was looked at.
    #[must_use]
    pub const fn before(&self) -> EventId {
        EventId::new(self.to)
    }

    /// Why it ended.
    #[must_use]
    pub const fn reached(&self) -> Reached {
        self.reached
    }

    /// Blocks and files that could not be read, at most 100 of them: the answer is incomplete if there is one.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Blocks of files that lay in the range that was looked at.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Blocks of which something was read from the disk; the others were decided by their index.
    #[must_use]
    pub const fn blocks_read(&self) -> u64 {
        self.blocks_read
    }

    pub(crate) fn damaged(&mut self, damage: Damage) {
        if self.damage.len() < 100 {
            self.damage.push(damage);
        } else {
            self.more_damage = true;
        }
    }
}

/// The answer to a search.
#[derive(Clone, Debug)]
pub struct Found {
    pub(crate) events: Vec<EventBuf>,
    pub(crate) examined: Examined,
}

impl Found {
    /// The events, oldest first whatever the order of the page.
    #[must_use]
    pub fn events(&self) -> &[EventBuf] {
        &self.events
    }

    /// The events, to keep them.
    #[must_use]
    pub fn into_events(self) -> Vec<EventBuf> {
        self.events
    }

    /// What was looked at.
    #[must_use]
    pub const fn examined(&self) -> &Examined {
        &self.examined
    }

    /// The page below this one: what is older than all that was looked at. A walk of pages from the newest keeps the lower end
    /// of its range.
    #[must_use]
    pub const fn older(&self, page: &Page) -> Page {
        let after = match page.order {
            Order::Newest => page.after,
            Order::Oldest => None,
        };
        Page { after, before: EventId::new(self.examined.from), order: Order::Newest, ..*page }
    }

    /// The page above this one: what is newer than all that was looked at, from its old end. Nothing that was not there yet
    /// is skipped. A walk of pages from the oldest keeps the upper end of its range.
    #[must_use]
    pub const fn newer(&self, page: &Page) -> Page {
        let before = match page.order {
            Order::Newest => EventId::MAX,
            Order::Oldest => page.before,
        };
        let after = if self.examined.to == 0 { None } else { Some(EventId::new(self.examined.to - 1)) };
        Page { after, before, order: Order::Oldest, ..*page }
    }
}
