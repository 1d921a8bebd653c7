//! Every answer equals that of the plain evaluator over all events, one by one.

mod kit;

use kit::{Folder, event, fill, fits, long, next_id, open, plain, query, scope};
use log_query::Query;
use log_store::{EventBuf, EventId, Neighbours, Options, Order, Page, Patterns, Reached, Reader, Scope, Store, View};
use std::collections::BTreeMap;
use testkit::random::Random;

fn rounds() -> u64 {
    if long() { 400 } else { 12 }
}

fn check_search(random: &mut Random, view: &View, events: &[EventBuf], scope: &Scope, text: &str) {
    let parsed = Query::parse(text);
    let query = parsed.query();
    let range = |random: &mut Random| match random.below(3) {
        0 => Some(events[random.below(events.len() as u64) as usize].id()),
        1 => Some(EventId::new(events[random.below(events.len() as u64) as usize].id().get() + 1)),
        _ => None,
    };
    let (after, before) = (range(random), range(random));
    let limit = random.between(1, 30) as usize;
    for order in [Order::Newest, Order::Oldest] {
        let mut page = Page::new().with_order(order).with_limit(limit);
        if let Some(after) = after {
            page = page.with_after(after);
        }
        if let Some(before) = before {
            page = page.with_before(before);
        }
        let expected = plain(events, scope, query, after, before.unwrap_or(EventId::MAX));
        // Page by page, until all of it was seen.
        let mut found: Vec<EventBuf> = Vec::new();
        loop {
            let answer = view.search(query, &page, &mut || true);
            assert!(answer.examined().damage().is_empty());
            assert!(answer.events().len() <= limit);
            assert!(answer.events().is_sorted_by_key(EventBuf::id));
            let reached = answer.examined().reached();
            page = match order {
                Order::Oldest => {
                    let next = answer.newer(&page);
                    found.extend(answer.into_events());
                    next
                }
                _ => {
                    let next = answer.older(&page);
                    found.splice(0..0, answer.into_events());
                    next
                }
            };
            if reached == Reached::End {
                break;
            }
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text:?} {order:?} {after:?} {before:?}");
    }
}

fn check_counts(random: &mut Random, view: &View, events: &[EventBuf], scope: &Scope, text: &str) {
    let parsed = Query::parse(text);
    let width = random.pick(&[60_000_000, 1_000_000, 3_600_000_000, 7_000]);
    let counts = view.counts(parsed.query(), &Page::new(), width, &mut || true);
    let mut expected = BTreeMap::new();
    for event in plain(events, scope, parsed.query(), None, EventId::MAX) {
        *expected.entry(event.id().unix_micros().div_euclid(counts.width()) * counts.width()).or_insert(0) += 1;
    }
    assert_eq!(counts.steps().collect::<BTreeMap<_, _>>(), expected, "{text:?}");
    assert_eq!(counts.total(), expected.values().sum::<u64>());
}

fn check_context(random: &mut Random, view: &View, events: &[EventBuf], scope: &Scope) {
    let at = &events[random.below(events.len() as u64) as usize];
    let seen = scope.allows(at.as_event().account(), at.as_event().system());
    let neighbours = random.pick(&[Neighbours::All, Neighbours::System, Neighbours::Program]);
    let same = |other: &EventBuf| {
        let (at, other) = (at.as_event(), other.as_event());
        scope.allows(other.account(), other.system())
            && (!seen || neighbours == Neighbours::All || at.system() == other.system())
            && (!seen || neighbours != Neighbours::Program || at.program() == other.program())
    };
    let (before, after) = (random.below(7) as usize, random.below(7) as usize);
    let context = view.context(at.id(), before, after, neighbours, &mut || true);
    let mut earlier: Vec<_> = events.iter().filter(|event| event.id() < at.id() && same(event)).collect();
    earlier.drain(..earlier.len().saturating_sub(before));
    let later: Vec<_> = events.iter().filter(|event| event.id() > at.id() && same(event)).take(after).collect();
    assert_eq!(context.before().events().iter().collect::<Vec<_>>(), earlier);
    assert_eq!(context.after().events().iter().collect::<Vec<_>>(), later);
    assert_eq!(context.event().events().first(), seen.then_some(at));
}

fn check_patterns(view: &View, events: &[EventBuf], scope: &Scope, text: &str) {
    let parsed = Query::parse(text);
    let (mut found, mut expected) = (Patterns::new(), Patterns::new());
    view.patterns(parsed.query(), &Page::new(), &mut found, &mut || true);
    for event in plain(events, scope, parsed.query(), None, EventId::MAX) {
        expected.add(event.as_event().program(), event.as_event().message());
    }
    assert_eq!(found.top(100), expected.top(100));
}

#[test]
fn every_answer_is_the_plain_one() {
    for round in 0..rounds() {
        let mut random = Random::new(round);
        let folder = Folder::new("oracle");
        let mut store = open(&folder);
        let count = random.between(10, 3_000);
        let events = fill(&mut random, &mut store, count, EventId::at(1_700_000_000_000_000));
        for again in 0..2 {
            let reader =
                if again == 0 { store.reader() } else { Reader::open(folder.path(), &Options::new()).unwrap() };
            for _ in 0..60 {
                let scope = scope(&mut random);
                let view = reader.view(&scope);
                let text = query(&mut random);
                check_search(&mut random, &view, &events, &scope, &text);
                check_counts(&mut random, &view, &events, &scope, &text);
                check_context(&mut random, &view, &events, &scope);
                check_patterns(&view, &events, &scope, &text);
            }
            // Then all in files, by a reader that stands apart.
            store.flush().unwrap();
        }
    }
}

/// What was written is there again after a restart, and nothing that was sealed is taken twice.
#[test]
fn a_restart_and_a_replay_change_nothing() {
    let mut random = Random::new(9);
    let folder = Folder::new("restart");
    let mut store = open(&folder);
    let events = fill(&mut random, &mut store, 2_000, EventId::at(1_700_000_000_000_000));
    let sealed = events.len() as u64;
    let oldest = store.oldest_unsealed();
    drop(store);
    let mut store = open(&folder);
    let unsealed = oldest.map_or(0, |oldest| events.iter().filter(|event| event.id() >= oldest).count() as u64);
    for event in &events {
        store.append(&event.as_event()).unwrap();
    }
    assert!(store.passed_over() >= sealed - unsealed);
    store.publish(events.last().unwrap().id());
    for account in kit::ACCOUNTS {
        let scope = Scope::account(account);
        let found = store.reader().view(&scope).search(&Query::default(), &Page::new().with_limit(9_999), &mut || true);
        assert_eq!(
            found.events().iter().collect::<Vec<_>>(),
            plain(&events, &scope, &Query::default(), None, EventId::MAX)
        );
    }
}

/// Nothing beyond what was published is seen, whether it is in the head or in a file.
#[test]
fn nothing_is_seen_before_it_is_published() {
    let mut random = Random::new(3);
    let folder = Folder::new("published");
    let mut store = open(&folder);
    let reader = store.reader();
    let mut id = EventId::at(1_700_000_000_000_000);
    let mut events = Vec::new();
    let mut published = EventId::MIN;
    for n in 0..600 {
        id = next_id(&mut random, id);
        let event = event(&mut random, id);
        store.append(&event.as_event()).unwrap();
        events.push(event);
        if n % 7 == 0 {
            store.publish(id);
            published = id;
        }
        if n % 50 == 25 {
            store.flush().unwrap();
        }
        let scope = scope(&mut random);
        let found = reader.view(&scope).search(&Query::default(), &Page::new(), &mut || true);
        let expected = plain(&events, &scope, &Query::default(), None, EventId::new(published.get() + 1));
        assert_eq!(found.events().iter().collect::<Vec<_>>(), expected);
        assert!(store.append(&events[0].as_event()).is_err() || store.passed_over() > 0);
    }
    assert!(fits(&Query::default(), &events[0].as_event()));
}

/// A budget that ends at any block: going on from there gives what one search gives.
#[test]
fn a_search_in_pieces_is_the_whole_search() {
    let mut random = Random::new(5);
    let folder = Folder::new("pieces");
    let mut store = Store::open(folder.path(), Options::new()).unwrap();
    let events = fill(&mut random, &mut store, 4_000, EventId::at(1_700_000_000_000_000));
    for text in ["timeout", "", "-at=info severity:error", "absent-word"] {
        let parsed = Query::parse(text);
        for scope in kit::ACCOUNTS.map(Scope::account) {
            let view = store.reader().view(&scope);
            for order in [Order::Newest, Order::Oldest] {
                let mut page = Page::new().with_order(order).with_limit(usize::MAX);
                let mut found = Vec::new();
                for _ in 0..10_000 {
                    // One step, then stop.
                    let mut left = 3;
                    let answer = view.search(parsed.query(), &page, &mut || {
                        left -= 1;
                        left >= 0
                    });
                    let reached = answer.examined().reached();
                    page = if order == Order::Oldest { answer.newer(&page) } else { answer.older(&page) };
                    found.extend(answer.into_events());
                    if reached == Reached::End {
                        break;
                    }
                }
                found.sort_by_key(EventBuf::id);
                let expected = plain(&events, &scope, parsed.query(), None, EventId::MAX);
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text} {order:?}");
            }
        }
    }
}
