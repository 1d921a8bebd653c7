//! Answers of several stores as one: what a store with all their events answers, and nothing skipped by who goes on.

mod kit;

use kit::{Folder, event, fits, long, next_id, query, scope};
use log_query::Query;
use log_store::{Event, EventBuf, EventId, Found, Options, Order, Page, Reached, Scope, Store, View};
use testkit::random::Random;

fn rounds() -> u64 {
    if long() { 300 } else { 12 }
}

/// Some stores of one folder, and one store that has all of their events.
struct Stores {
    several: Vec<Store>,
    one: Store,
    events: Vec<EventBuf>,
    _folders: [Folder; 2],
}

impl Stores {
    fn new(random: &mut Random, count: u64) -> Self {
        let folders = [Folder::new("merged"), Folder::new("merged-one")];
        let partitions = random.between(1, 6) as u8;
        let store = |partition| Store::open(folders[0].path(), Options::new().with_partition(partition)).unwrap();
        let mut several: Vec<Store> = (0..partitions).map(store).collect();
        let mut one = kit::open(&folders[1]);
        let (mut id, mut events) = (EventId::at(1_700_000_000_000_000), Vec::new());
        for _ in 0..count {
            id = EventId::new(next_id(random, id).get().max(id.get() | 0xff) & !0xff).next();
            let partition = random.below(u64::from(partitions));
            let event = event(random, EventId::new(id.get() | partition));
            for store in [&mut several[partition as usize], &mut one] {
                store.append(&event.as_event()).unwrap();
                if random.chance(3) {
                    store.flush().unwrap();
                }
            }
            events.push(event);
        }
        let mut stores = Self { several, one, events, _folders: folders };
        stores.publish(EventId::new(id.get() | 0xff));
        stores
    }

    fn publish(&mut self, id: EventId) {
        self.several.iter_mut().chain([&mut self.one]).for_each(|store| store.publish(id));
    }

    fn views(&self, scope: &Scope) -> Vec<View> {
        self.several.iter().map(|store| store.reader().view(scope)).collect()
    }
}

/// Asks each, and stops each of them after so many looks.
fn ask(views: &[View], query: &Query, page: &Page, looks: u64) -> Found {
    let answer = |view: &View| {
        let mut left = looks;
        view.search(query, page, &mut || {
            left = left.saturating_sub(1);
            left > 0
        })
    };
    Found::merged(page, views.iter().map(answer))
}

fn next(found: &Found, page: &Page, order: Order) -> Page {
    if order == Order::Oldest { found.newer(page) } else { found.older(page) }
}

fn page(random: &mut Random, events: &[EventBuf], order: Order) -> Page {
    let mut page = Page::new().with_order(order).with_limit(random.between(1, 40) as usize);
    if random.chance(300) {
        page = page.with_bytes(random.between(1, 4_000) as usize);
    }
    let mut id = || events[random.below(events.len() as u64) as usize].id();
    let (after, before) = (id(), id());
    match random.below(4) {
        0 => page.with_after(after),
        1 => page.with_before(before),
        2 => page.with_after(after.min(before)).with_before(after.max(before)),
        _ => page,
    }
}

#[test]
fn several_stores_answer_as_one_that_has_all_their_events() {
    for round in 0..rounds() {
        let mut random = Random::new(round);
        let stores = Stores::new(&mut random, 600);
        for _ in 0..40 {
            let (text, scope) = (query(&mut random), scope(&mut random));
            let query = Query::parse(&text).into_query();
            let (views, one) = (stores.views(&scope), stores.one.reader().view(&scope));
            for order in [Order::Newest, Order::Oldest] {
                let mut page = page(&mut random, &stores.events, order);
                loop {
                    let (found, expected) =
                        (ask(&views, &query, &page, u64::MAX), one.search(&query, &page, &mut || true));
                    assert!(found.events() == expected.events(), "{round} {text:?} {page:?}");
                    let told = |found: &Found| {
                        (found.examined().from(), found.examined().before(), found.examined().reached())
                    };
                    assert_eq!(told(&found), told(&expected), "{round} {text:?} {page:?}");
                    if expected.examined().reached() == Reached::End {
                        break;
                    }
                    page = next(&found, &page, order);
                }
                // Two who answer for the same store.
                let again: Vec<View> = views.iter().chain(&views).cloned().collect();
                let (twice, once) = (ask(&again, &query, &page, u64::MAX), ask(&views, &query, &page, u64::MAX));
                assert!(twice.events() == once.events(), "{round} {text:?} {page:?}");
            }
        }
    }
}

#[test]
fn whoever_has_little_time_for_each_finds_all_of_it_once_and_in_order() {
    for round in 0..rounds() {
        let mut random = Random::new(1_000 + round);
        let stores = Stores::new(&mut random, 900);
        for store in &stores.several {
            assert!(store.damage().is_empty());
        }
        let (text, scope) = (query(&mut random), scope(&mut random));
        let query = Query::parse(&text).into_query();
        let wanted = |event: &&EventBuf| {
            let event = event.as_event();
            scope.allows(event.account(), event.system()) && fits(&query, &event)
        };
        let expected: Vec<&EventBuf> = stores.events.iter().filter(wanted).collect();
        let views = stores.views(&scope);
        for order in [Order::Newest, Order::Oldest] {
            let mut page = Page::new().with_order(order).with_limit(random.between(1, 200) as usize);
            let mut found: Vec<EventBuf> = Vec::new();
            loop {
                let answer = ask(&views, &query, &page, random.between(2, 4));
                let reached = answer.examined().reached();
                page = next(&answer, &page, order);
                let at = if order == Order::Oldest { found.len() } else { 0 };
                found.splice(at..at, answer.into_events());
                if reached == Reached::End {
                    break;
                }
            }
            assert!(found.iter().collect::<Vec<_>>() == expected, "{round} {text:?} {order:?}");
        }
    }
}

#[test]
fn who_follows_sees_nothing_before_all_are_that_far_and_skips_nothing() {
    for round in 0..rounds() {
        let mut random = Random::new(2_000 + round);
        let folder = Folder::new("merged-tail");
        let store = |partition| Store::open(folder.path(), Options::new().with_partition(partition)).unwrap();
        let mut stores: Vec<Store> = (0..4).map(store).collect();
        let scope = Scope::account("shop");
        let (mut all, mut seen) = (Vec::new(), Vec::new());
        let mut published = [0_u64; 4];
        let mut page = Page::new().with_order(Order::Oldest).with_limit(7);
        let mut step = |stores: &[Store], published: &[u64; 4], all: &[u64], seen: &mut Vec<u64>| loop {
            let views: Vec<View> = stores.iter().map(|store| store.reader().view(&scope)).collect();
            let found = ask(&views, &Query::default(), &page, u64::MAX);
            seen.extend(found.events().iter().map(|event| event.id().get()));
            let least = published.iter().min().unwrap();
            assert!(seen.last().is_none_or(|last| last <= least), "{round}");
            page = found.newer(&page);
            if found.examined().reached() == Reached::End {
                assert_eq!(seen.len(), all.iter().filter(|id| **id <= *least).count(), "{round}");
                break;
            }
        };
        for millisecond in 1..400_u64 {
            let partition = random.below(4);
            let id = millisecond << 20 | partition;
            // One of them gets nothing for long, and says how far it is all the same.
            if partition != 2 || millisecond > 300 {
                stores[partition as usize].append(&Event::new(EventId::new(id), "shop", b"a line")).unwrap();
                all.push(id);
            }
            let who = random.below(4) as usize;
            published[who] = millisecond << 20 | 0xf_ffff;
            stores[who].publish(EventId::new(published[who]));
            if random.chance(20) {
                stores[who].flush().unwrap();
            }
            if random.chance(300) {
                step(&stores, &published, &all, &mut seen);
            }
        }
        published = [400 << 20; 4];
        stores.iter_mut().for_each(|store| store.publish(EventId::new(400 << 20)));
        step(&stores, &published, &all, &mut seen);
        assert_eq!(seen, all, "{round}");
    }
}

#[test]
fn from_the_newest_on_begins_below_what_not_all_have_seen() {
    for round in 0..rounds() {
        let mut random = Random::new(3_000 + round);
        let mut stores = Stores::new(&mut random, 300);
        // One that is behind, as far as it is known how far it is, and has nothing of the account.
        let folder = Folder::new("merged-behind");
        let mut behind = Store::open(folder.path(), Options::new()).unwrap();
        let end = random.pick(&stores.events.iter().map(EventBuf::id).collect::<Vec<_>>());
        behind.publish(end);
        stores.several.push(behind);
        let scope = Scope::account("alpha");
        let mine = |event: &&EventBuf| event.as_event().account() == "alpha" && event.id() <= end;
        let expected: Vec<&EventBuf> = stores.events.iter().filter(mine).collect();
        let (views, mut page) = (stores.views(&scope), Page::new().with_limit(random.between(1, 20) as usize));
        let mut found: Vec<EventBuf> = Vec::new();
        loop {
            let answer = ask(&views, &Query::default(), &page, u64::MAX);
            assert!(answer.examined().from() <= answer.examined().before(), "{round}");
            let reached = answer.examined().reached();
            page = answer.older(&page);
            found.splice(0..0, answer.into_events());
            if reached == Reached::End {
                break;
            }
        }
        assert!(found.iter().collect::<Vec<_>>() == expected, "{round}");
    }
}

#[test]
fn nobody_who_answers_is_nothing_found() {
    let found = Found::merged(&Page::new(), []);
    assert!(found.events().is_empty());
    assert_eq!((found.examined().before(), found.examined().reached()), (EventId::MIN, Reached::End));
}
