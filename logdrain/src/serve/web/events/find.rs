//! From what is asked for to what is shown.

use super::LINES;
use super::address::{Ask, At};
use super::bars::Counts;
use super::line::Line;
use super::page::{Edge, Note, Shown};
use super::text::Marks;
use crate::serve::journal;
use crate::serve::web::turns::Budget;
use log_query::{Node, Nodes};
use log_store::{Event, EventId, Found, Order, Page, Query, Reached, Reader, Scope, View};
use std::time::Duration;

/// The most bytes of lines that are in memory while they are found, but for the last one.
pub(super) const BYTES: usize = 2 << 20;
/// Minutes that are counted, and how long that may take beside the lines.
const MINUTES: i64 = 60;
const COUNTING: Duration = Duration::from_secs(1);
/// The most accounts that are offered.
const ACCOUNTS: usize = 500;
const SECOND: i64 = 1_000_000;

/// Looks for what is asked for, as far as there is time.
pub(super) fn find(reader: &Reader, ask: Ask, drain: String, budget: &Budget) -> Shown {
    let parsed = Query::parse(&ask.query);
    let query = parsed.query();
    let view = reader.view(&scope(&ask));
    // What was found is shown line by line, so that it is in memory once.
    let mut shown = Shown {
        notes: parsed.notes().iter().map(|note| Note { range: note.range(), text: note.to_string() }).collect(),
        explained: explained(query),
        lines: Vec::new(),
        counts: None,
        above: Edge::End,
        below: Edge::End,
        live: None,
        damaged: 0,
        accounts: accounts(reader, &ask),
        is_empty: false,
        drain,
        ask,
    };
    let search = Search { view: &view, query, marks: marks(query), budget };
    search.lines(&mut shown);
    shown.is_empty = shown.lines.is_empty() && shown.ask.at == At::Newest && shown.ask.query.is_empty();
    if !shown.is_empty {
        shown.counts = Some(search.counts(&shown));
    }
    shown
}

/// Whose lines are looked at.
pub(super) fn scope(ask: &Ask) -> Scope {
    Scope::clone(&ask.scope)
}

/// Accounts to choose from, by name.
fn accounts(reader: &Reader, ask: &Ask) -> Vec<String> {
    if !ask.has_others {
        return vec![ask.account.clone()];
    }
    let there = reader.accounts().unwrap_or_default();
    let mut names: Vec<String> = there.iter().map(|account| account.name().to_owned()).take(ACCOUNTS).collect();
    if let Err(at) = names.binary_search(&ask.account) {
        names.insert(at, ask.account.clone());
    }
    names
}

/// What a query looks for in lines that it finds.
pub(super) fn marks(query: &Query) -> Marks {
    let mut words = Vec::new();
    // As deep as a query may be: not by calls.
    let mut left: Vec<Nodes<'_>> = Vec::new();
    let mut take = |node: Node<'_>| match node {
        Node::Term(term) if term.in_message() || term.in_program() => words.push(term.text().to_owned()),
        _ => {}
    };
    match query.root() {
        Node::All(nodes) | Node::Any(nodes) => left.push(nodes),
        node => take(node),
    }
    while let Some(nodes) = left.pop() {
        for node in nodes {
            match node {
                Node::All(nodes) | Node::Any(nodes) => left.push(nodes),
                node => take(node),
            }
        }
    }
    Marks::new(words)
}

/// The query in words, or its beginning.
fn explained(query: &Query) -> String {
    const MOST: usize = 2_000;
    let text = query.explain();
    match text.char_indices().find(|(at, _)| *at >= MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

struct Search<'a> {
    view: &'a View,
    query: &'a Query,
    marks: Marks,
    budget: &'a Budget,
}

impl Search<'_> {
    fn lines(&self, shown: &mut Shown) {
        match shown.ask.at {
            At::Newest => {
                let found = self.older(shown, EventId::MAX, LINES, None);
                shown.live = Some(below(found.examined().before()));
            }
            At::Before(id) => {
                self.older(shown, id, LINES, None);
                shown.below = Edge::More(At::After(below(id)));
            }
            At::After(id) => {
                shown.above = Edge::More(At::Before(above(id)));
                self.newer(shown, Some(id), LINES);
            }
            At::From(second) => {
                let first = EventId::at(second.saturating_mul(SECOND));
                shown.above = Edge::More(At::Before(first));
                self.newer(shown, first.get().checked_sub(1).map(EventId::new), LINES);
            }
            At::Around(id) => {
                self.older(shown, above(id), LINES / 2, Some(id));
                self.newer(shown, Some(id), LINES / 2);
            }
        }
    }

    /// The lines just below an id.
    fn older(&self, shown: &mut Shown, before: EventId, limit: usize, whole: Option<EventId>) -> Found {
        let found = self.search(&Page::new().with_before(before).with_limit(limit));
        self.take(shown, &found, whole);
        let from = found.examined().from();
        shown.above = match found.examined().reached() {
            Reached::End => Edge::End,
            Reached::Budget => Edge::Stopped(At::Before(from), from),
            _ => Edge::More(At::Before(from)),
        };
        found
    }

    /// The lines just above an id; all, from the oldest, without one.
    fn newer(&self, shown: &mut Shown, after: Option<EventId>, limit: usize) {
        let page = Page::new().with_order(Order::Oldest).with_limit(limit);
        let found = self.search(&after.map_or(page, |after| page.with_after(after)));
        self.take(shown, &found, None);
        let last = below(found.examined().before()).max(after.unwrap_or(EventId::MIN));
        match found.examined().reached() {
            Reached::End => shown.live = Some(last),
            Reached::Budget => shown.below = Edge::Stopped(At::After(last), last),
            _ => shown.below = Edge::More(At::After(last)),
        }
    }

    fn search(&self, page: &Page) -> Found {
        self.view.search(self.query, &page.with_bytes(BYTES), &mut || self.budget.goes_on())
    }

    fn take(&self, shown: &mut Shown, found: &Found, whole: Option<EventId>) {
        let line = |event: Event<'_>| Line::of(&event, &self.marks, whole == Some(event.id()));
        shown.lines.extend(found.events().iter().map(|event| line(event.as_event())));
        shown.damaged += found.examined().damage().len() as u64;
    }

    /// Lines in the hour of those that are shown.
    fn counts(&self, shown: &Shown) -> Counts {
        let second = |id: EventId| id.unix_micros().div_euclid(SECOND);
        let of_line = |line: Option<&Line>| line.map(|line| second(line.id));
        let (first, last) = (of_line(shown.lines.first()), of_line(shown.lines.last()));
        let minute = |second: i64| second.div_euclid(60) * 60;
        let hour = |end: i64| minute(end) - 60 * (MINUTES - 1);
        let start = match shown.ask.at {
            At::Newest => hour(last.unwrap_or_else(now)),
            At::Before(id) => hour(last.unwrap_or_else(|| second(id).min(now()))),
            At::Around(id) => minute(second(id)) - 60 * (MINUTES / 2),
            At::After(id) => minute(first.unwrap_or_else(|| second(id))),
            At::From(second) => minute(second),
        };
        let start = start.max(0);
        let mut page = Page::new().with_before(EventId::at((start + 60 * MINUTES) * SECOND));
        if let Some(after) = EventId::at(start * SECOND).get().checked_sub(1) {
            page = page.with_after(EventId::new(after));
        }
        // They come beside the lines, and do not keep them waiting for long.
        let budget = self.budget.within(COUNTING);
        let found = self.view.counts(self.query, &page, 60 * SECOND, &mut || budget.goes_on());
        let mut minutes = vec![0; MINUTES as usize];
        for (begins, count) in found.steps() {
            let index = usize::try_from((begins.div_euclid(SECOND) - start).div_euclid(60));
            if let Some(minute) = index.ok().and_then(|index| minutes.get_mut(index)) {
                *minute += count;
            }
        }
        let is_partial = found.examined().reached() == Reached::Budget || !found.examined().damage().is_empty();
        Counts { start, minutes, is_partial }
    }
}

/// The id just below and just above.
const fn below(id: EventId) -> EventId {
    EventId::new(id.get().saturating_sub(1))
}

const fn above(id: EventId) -> EventId {
    EventId::new(id.get().saturating_add(1))
}

fn now() -> i64 {
    journal::now().unix_seconds()
}
