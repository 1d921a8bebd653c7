//! One answer of several: of stores that have the events of an account between them.

use crate::event::{Event, EventBuf};
use crate::page::{Examined, Found, Order, Page, Reached};
use std::mem;

impl Found {
    /// The answers of several stores to the same page, as one: what one store with all their events would answer.
    ///
    /// Events are in order of their ids, and one that two of them gave stands once. Only what all of them have looked at is in it,
    /// so that nothing is skipped by who goes on with [`Found::older`] or [`Found::newer`]: from the newest on that begins below the
    /// smallest of their ends, as what comes later to that store stands there. Publish in each store how far it is, though nothing
    /// came to it. And let each look for a while: a store that has looked at nothing is as if none of them had.
    ///
    /// ```
    /// # use log_store::{Event, EventId, Found, Options, Page, Query, Scope, Store};
    /// # let folder = std::env::temp_dir().join(format!("log-store-doc-merged-{}", std::process::id()));
    /// # let query = Query::default();
    /// let mut answers = Vec::new();
    /// let page = Page::new();
    /// for (partition, ids) in [(0, [256, 1024]), (1, [513, 769])] {
    ///     let mut store = Store::open(&folder, Options::new().with_partition(partition))?;
    ///     for id in ids {
    ///         store.append(&Event::new(EventId::new(id), "shop", b"a line"))?;
    ///     }
    ///     store.publish(EventId::new(1024 + 255)); // both have what came until then
    ///     answers.push(store.reader().view(&Scope::account("shop")).search(&query, &page, &mut || true));
    /// }
    /// let found = Found::merged(&page, answers);
    /// let ids: Vec<u64> = found.events().iter().map(|event| event.as_event().id().get()).collect();
    /// assert_eq!(ids, [256, 513, 769, 1024]);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn merged(page: &Page, answers: impl IntoIterator<Item = Self>) -> Self {
        let mut answers: Vec<Self> = answers.into_iter().collect();
        let order = page.order();
        let to = answers.iter().map(|answer| answer.examined.to).min().unwrap_or(page.range().0);
        let from = answers.iter().map(|answer| answer.examined.from).max().unwrap_or(to).min(to);
        let mut examined = Examined::new(from, to);
        // Whoever stopped first tells why; those who came to the end, or went on, have nothing to add.
        let is_first = |answer: &Self| match order {
            Order::Newest => answer.examined.from >= from,
            Order::Oldest => answer.examined.to <= to,
        };
        let stopped = answers.iter().filter(|answer| is_first(answer)).map(|answer| answer.examined.reached);
        examined.reached = stopped.fold(Reached::End, |all, reached| match (all, reached) {
            // With time there is more, whatever else is there.
            (Reached::Budget, _) | (_, Reached::Budget) => Reached::Budget,
            (Reached::Limit, _) | (_, Reached::Limit) => Reached::Limit,
            _ => Reached::End,
        });
        for answer in &mut answers {
            let other = &mut answer.examined;
            examined.blocks += other.blocks;
            examined.blocks_read += other.blocks_read;
            examined.more_damage |= other.more_damage;
            mem::take(&mut other.damage).into_iter().for_each(|damage| examined.damaged(damage));
        }
        let all = answers.into_iter().flat_map(|answer| answer.events);
        let mut events: Vec<EventBuf> = all.filter(|event| (from..to).contains(&id(event))).collect();
        events.sort_unstable_by_key(id);
        events.dedup_by_key(|event| id(event));
        let mut found = Self { events, examined };
        found.cut(page);
        found
    }

    /// Leaves what one answer holds, as a search does.
    fn cut(&mut self, page: &Page) {
        let mut room = Room::of(page);
        match page.order() {
            Order::Newest => {
                if let Some(at) = self.events.iter().rposition(|event| room.is_full_with(&event.as_event())) {
                    self.events.drain(..at);
                    self.examined.from = self.events.first().map_or(self.examined.from, id);
                    self.examined.reached = Reached::Limit;
                }
            }
            Order::Oldest => {
                if let Some(at) = self.events.iter().position(|event| room.is_full_with(&event.as_event())) {
                    self.events.truncate(at + 1);
                    self.examined.to = self.events.last().map_or(self.examined.to, |event| id(event) + 1);
                    self.examined.reached = Reached::Limit;
                }
            }
        }
    }
}

fn id(event: &EventBuf) -> u64 {
    event.as_event().id().get()
}

/// What an answer may hold.
pub(crate) struct Room {
    events: usize,
    bytes: usize,
}

impl Room {
    pub(crate) const fn of(page: &Page) -> Self {
        Self { events: page.limit(), bytes: page.bytes() }
    }

    /// Takes one more event; whether there is no room behind it.
    pub(crate) fn is_full_with(&mut self, event: &Event<'_>) -> bool {
        /// What an event takes beside its text.
        const AN_EVENT: usize = size_of::<EventBuf>() + 16;
        let text = event.account().len() + event.system().len() + event.program().len() + event.message().len();
        self.bytes = self.bytes.saturating_sub(text + AN_EVENT);
        self.events = self.events.saturating_sub(1);
        self.events == 0 || self.bytes == 0
    }
}
