//! From what is asked for to what is shown.

use super::LINES;
use super::address::{Ask, At};
use super::bars::Counts;
use super::counting::{Counting, now};
use super::fields::Fields;
use super::line::Line;
use super::part::Part;
use super::shown::{Edge, Note, Shown};
use super::text::Marks;
use crate::turns::Budget;
use log_query::{Node, Nodes};
use log_store::{Event, EventId, Found, Order, Page, Query, Reached, Reader, Scope, View};
use std::time::Duration;

/// The most bytes of lines that are in memory while they are found, but for the last one.
pub(super) const BYTES: usize = 2 << 20;
/// How long lines are counted beside those that are shown. Who has scripts has the rest counted when he has the lines.
const COUNTING: Duration = Duration::from_millis(150);
const SECOND: i64 = 1_000_000;

/// Looks for what is asked for, as far as there is time.
pub(super) fn find(reader: &Reader, ask: Ask, budget: &Budget) -> Shown {
    let mut shown = lines(reader, ask, budget);
    shown.is_empty = shown.lines.is_empty()
        && shown.ask.at == At::Newest
        && shown.ask.query.is_empty()
        && shown.ask.span.is_all()
        && shown.ask.part == Part::default();
    if !shown.is_empty {
        let view = reader.view(&scope(&shown.ask));
        // They come beside the lines, and do not keep them waiting.
        shown.counts = Some(counts(&view, &shown, &budget.within(COUNTING)));
    }
    shown
}

/// The same without counts.
pub(super) fn lines(reader: &Reader, ask: Ask, budget: &Budget) -> Shown {
    let parsed = Query::parse(&ask.query);
    let query = parsed.query();
    let view = reader.view(&scope(&ask));
    // What was found is shown line by line, so that it is in memory once.
    let mut shown = Shown {
        notes: parsed.notes().iter().map(|note| Note::new(&ask.query, note)).collect(),
        explained: explained(query),
        lines: Vec::new(),
        fields: None,
        counts: None,
        above: Edge::End,
        below: Edge::End,
        live: None,
        damaged: 0,
        is_empty: false,
        ask,
    };
    Search { view: &view, query, marks: marks(query), budget }.lines(&mut shown);
    shown
}

fn counts(view: &View, shown: &Shown, budget: &Budget) -> Counts {
    let second = |line: &Line| line.id.unix_micros().div_euclid(SECOND);
    let around = (shown.lines.first().map(second), shown.lines.last().map(second));
    Counting::new(&shown.ask, around).count(view, &mut || budget.goes_on())
}

/// Whose lines are looked at.
pub(super) fn scope(ask: &Ask) -> Scope {
    Scope::clone(&ask.scope)
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
        let (from, to) = shown.ask.span.bounds(now());
        let at = |second: i64| EventId::at(second.saturating_mul(SECOND));
        let (first, end) = (from.map(at), to.map(at));
        match shown.ask.at {
            At::Newest => {
                let found = self.older(shown, end.unwrap_or(EventId::MAX), first, LINES, None);
                match end {
                    None => shown.live = Some(below(found.examined().before())),
                    Some(end) => shown.below = Edge::Border(end),
                }
            }
            At::Before(id) => {
                self.older(shown, end.map_or(id, |end| id.min(end)), first, LINES, None);
                shown.below = Edge::More(At::After(below(id)));
            }
            At::After(id) => {
                // Below the least id there is no line.
                shown.above = if id == EventId::MIN { Edge::End } else { Edge::More(At::Before(above(id))) };
                let id = first.map_or(id, |first| id.max(below(first)));
                self.newer(shown, Some(id), end, LINES);
            }
            At::From(second) => {
                let first = first.map_or(at(second), |first| first.max(at(second)));
                shown.above = Edge::More(At::Before(first));
                self.newer(shown, first.get().checked_sub(1).map(EventId::new), end, LINES);
            }
            At::Around(id) => {
                self.older(shown, above(id), first, LINES / 2, Some(id));
                self.newer(shown, Some(id), end, LINES / 2);
            }
        }
    }

    /// The lines just below an id, and from another one on.
    fn older(
        &self,
        shown: &mut Shown,
        before: EventId,
        first: Option<EventId>,
        limit: usize,
        whole: Option<EventId>,
    ) -> Found {
        let page = Page::new().with_before(before).with_limit(limit);
        let found = self.search(&first.map_or(page, |first| page.with_after(below(first))));
        self.take(shown, &found, whole);
        let from = found.examined().from();
        shown.above = match (found.examined().reached(), first) {
            (Reached::End, Some(first)) => Edge::Border(first),
            (Reached::End, None) => Edge::End,
            (Reached::Budget, _) => Edge::Stopped(At::Before(from), from),
            _ => Edge::More(At::Before(from)),
        };
        found
    }

    /// The lines just above an id, and before another one; from the oldest on, without one.
    fn newer(&self, shown: &mut Shown, after: Option<EventId>, end: Option<EventId>, limit: usize) {
        let page = Page::new().with_order(Order::Oldest).with_limit(limit).with_before(end.unwrap_or(EventId::MAX));
        let found = self.search(&after.map_or(page, |after| page.with_after(after)));
        self.take(shown, &found, None);
        let last = below(found.examined().before()).max(after.unwrap_or(EventId::MIN));
        match (found.examined().reached(), end) {
            (Reached::End, None) => shown.live = Some(last),
            (Reached::End, Some(end)) => shown.below = Edge::Border(end),
            (Reached::Budget, _) => shown.below = Edge::Stopped(At::After(last), last),
            _ => shown.below = Edge::More(At::After(last)),
        }
    }

    fn search(&self, page: &Page) -> Found {
        self.view.search(self.query, &page.with_bytes(BYTES), &mut || self.budget.goes_on())
    }

    fn take(&self, shown: &mut Shown, found: &Found, whole: Option<EventId>) {
        for event in found.events() {
            let (event, is_whole) = (event.as_event(), whole == Some(event.as_event().id()));
            shown.lines.push(self.line(&event, shown, is_whole));
            if is_whole {
                shown.fields = Some(Fields::of(&event, &shown.ask.zone));
            }
        }
        shown.damaged += found.examined().damage().len() as u64;
    }

    fn line(&self, event: &Event<'_>, shown: &Shown, is_whole: bool) -> Line {
        Line::of(event, &self.marks, &shown.ask.zone, is_whole)
    }
}

/// The id just below and just above.
pub(super) const fn below(id: EventId) -> EventId {
    EventId::new(id.get().saturating_sub(1))
}

const fn above(id: EventId) -> EventId {
    EventId::new(id.get().saturating_add(1))
}
