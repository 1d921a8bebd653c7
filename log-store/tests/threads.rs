//! Readers and tails while a writer appends, seals, merges and lets go.

mod kit;

use kit::{Folder, event, long, next_id, plain};
use log_query::Query;
use log_store::{EventBuf, EventId, Options, Order, Page, Reached, Reader, Scope, Store, StoreErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use testkit::random::Random;

fn events(seed: u64, count: u64) -> Vec<EventBuf> {
    let mut random = Random::new(seed);
    let mut id = EventId::at(1_700_000_000_000_000);
    (0..count)
        .map(|_| {
            id = next_id(&mut random, id);
            event(&mut random, id)
        })
        .collect()
}

fn count() -> u64 {
    if long() { 200_000 } else { 12_000 }
}

/// Appends all, publishing in small steps, sealing and merging as it likes.
fn write(store: &mut Store, events: &[EventBuf], seed: u64, mut between: impl FnMut(&mut Store, EventId)) {
    let mut random = Random::new(seed);
    for piece in events.chunks(23) {
        for event in piece {
            store.append(&event.as_event()).unwrap();
        }
        let last = piece.last().unwrap().id();
        store.publish(last);
        match random.below(40) {
            0 => store.flush().unwrap(),
            1 => {
                store.seal_older(last).unwrap();
            }
            2 | 3 => while store.merge_due(last.unix_micros() + 7_200_000_000).unwrap() {},
            _ => {}
        }
        between(store, last);
    }
}

#[test]
fn views_are_consistent_while_events_move_and_go() {
    let folder = Folder::new("views");
    let events = Arc::new(events(1, count()));
    let mut store = Store::open(folder.path(), Options::new()).unwrap();
    let (floor, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let readers: Vec<_> = (0..3)
        .map(|number| {
            let (reader, events) = (store.reader(), Arc::clone(&events));
            let (floor, done) = (Arc::clone(&floor), Arc::clone(&done));
            thread::spawn(move || {
                let mut random = Random::new(number);
                let mut looks = 0;
                while !done.load(Ordering::Acquire) || looks == 0 {
                    let scope = kit::scope(&mut random);
                    let query = Query::parse(&kit::query(&mut random)).query().clone();
                    let before = floor.load(Ordering::Acquire);
                    let view = reader.view(&scope);
                    let after = floor.load(Ordering::Acquire);
                    let order = random.pick(&[Order::Newest, Order::Oldest]);
                    let page = Page::new().with_limit(usize::MAX).with_bytes(usize::MAX).with_order(order);
                    let found = view.search(&query, &page, &mut || true);
                    assert!(found.examined().damage().is_empty(), "{:?}", found.examined());
                    // All that was certainly there, and nothing that was certainly gone.
                    let from = |floor: u64| floor.checked_sub(1).map(EventId::new);
                    let must = plain(&events, &scope, &query, from(after), view.before());
                    let may = plain(&events, &scope, &query, from(before), view.before());
                    let found: Vec<_> = found.events().iter().collect();
                    assert!(found.ends_with(&must) && may.ends_with(&found), "{query:?}");
                    looks += 1;
                }
                looks
            })
        })
        .collect();
    let mut random = Random::new(77);
    write(&mut store, &events, 2, |store, last| {
        if random.chance(20) {
            let back = random.below(1_000_000_000) as i64;
            let before = EventId::at(last.unix_micros() - back);
            floor.fetch_max(before.get(), Ordering::AcqRel);
            for account in kit::ACCOUNTS {
                store.expire(account, before);
            }
        }
    });
    done.store(true, Ordering::Release);
    for reader in readers {
        assert!(reader.join().unwrap() > 3);
    }
}

#[test]
fn a_tail_gives_every_event_once_whoever_is_slow() {
    let folder = Folder::new("tails");
    let events = Arc::new(events(3, count()));
    // A head so small that a slow tail has to go to files.
    let options = Options::new().with_head_bytes(8 << 20).with_cache_bytes(1 << 20);
    let mut store = Store::open(folder.path(), options).unwrap();
    let last = events.last().unwrap().id();
    let tails: Vec<_> = (0..8)
        .map(|number| {
            let (reader, events) = (store.reader(), Arc::clone(&events));
            thread::spawn(move || {
                let mut random = Random::new(number);
                let scope = kit::scope(&mut random);
                let text = random.pick(&["", "timeout", "-at=info", "nginx:", "absent-word"]);
                let query = Query::parse(text).query().clone();
                let mut tail = reader.tail(&scope, &query, EventId::MIN);
                let mut found = Vec::new();
                while tail.position() < last {
                    let most = random.between(1, 200) as usize;
                    let examined = tail.next_batch(most, &mut found, &mut || true);
                    assert_eq!(tail.position().get() + 1, examined.before().get());
                    if number % 2 == 1 && random.chance(200) {
                        thread::sleep(Duration::from_millis(3));
                    }
                    if examined.reached() == Reached::End {
                        reader.wait(tail.position(), Duration::from_millis(100));
                    }
                    if random.chance(50) {
                        // As after a lost connection: a new one goes on behind the last id.
                        tail = reader.tail(&scope, &query, tail.position());
                    }
                }
                let expected = plain(&events, &scope, &query, None, EventId::MAX);
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text}");
            })
        })
        .collect();
    write(&mut store, &events, 4, |_, _| {});
    for tail in tails {
        tail.join().unwrap();
    }
}

/// Paging by ids, forward while events come and backward from where one began: nothing is skipped, nothing comes twice.
#[test]
fn pages_under_load_skip_nothing() {
    let folder = Folder::new("pages");
    let events = Arc::new(events(5, count()));
    let mut store = Store::open(folder.path(), Options::new()).unwrap();
    let last = events.last().unwrap().id();
    let (reader, all) = (store.reader(), Arc::clone(&events));
    let walker = thread::spawn(move || {
        let scope = Scope::account("alpha");
        let query = Query::parse("-timeout").query().clone();
        let mut found: Vec<EventBuf> = Vec::new();
        // From somewhere in the middle of what is there.
        while reader.newest("alpha") < all[all.len() / 10].id() {
            thread::sleep(Duration::from_millis(1));
        }
        let mut page = Page::new().with_limit(37);
        let first = reader.view(&scope).search(&query, &page, &mut || true);
        let mut newer = first.newer(&page);
        loop {
            let answer = reader.view(&scope).search(&query, &page, &mut || true);
            // The first page was asked for twice, and events came between: begin where the first one ended.
            let answer = if found.is_empty() && page == Page::new().with_limit(37) { first.clone() } else { answer };
            page = answer.older(&page);
            let end = answer.examined().reached() == Reached::End;
            found.splice(0..0, answer.into_events());
            if end {
                break;
            }
        }
        loop {
            let answer = reader.view(&scope).search(&query, &newer, &mut || true);
            newer = answer.newer(&newer);
            let to = answer.examined().before();
            found.extend(answer.into_events());
            if to > last {
                break;
            }
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), plain(&all, &scope, &query, None, EventId::MAX));
    });
    write(&mut store, &events, 6, |_, _| {});
    walker.join().unwrap();
}

/// A reader of another process: it sees a beginning of the events, also while files are merged and let go under it.
#[test]
fn a_reader_apart_sees_what_is_sealed() {
    let folder = Folder::new("apart");
    let events = Arc::new(events(7, count()));
    let mut store = Store::open(folder.path(), Options::new()).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let floor = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..2)
        .map(|number| {
            let reader = Reader::open(folder.path(), &Options::new().with_cache_bytes(200_000)).unwrap();
            let (events, done, floor) = (Arc::clone(&events), Arc::clone(&done), Arc::clone(&floor));
            thread::spawn(move || {
                let mut random = Random::new(number);
                let mut seen = 0;
                while !done.load(Ordering::Acquire) {
                    let scope = kit::scope(&mut random);
                    let query = Query::parse(&kit::query(&mut random)).query().clone();
                    let view = reader.view(&scope);
                    let order = random.pick(&[Order::Newest, Order::Oldest]);
                    let page = Page::new().with_limit(usize::MAX).with_bytes(usize::MAX).with_order(order);
                    let found = view.search(&query, &page, &mut || true);
                    assert!(found.examined().damage().is_empty(), "{:?}", found.examined());
                    // Files go while it looks, so it may see the end of what a view saw, and all above the floor by then.
                    let after = floor.load(Ordering::Acquire).checked_sub(1).map(EventId::new);
                    let must = plain(&events, &scope, &query, after, view.before());
                    let may = plain(&events, &scope, &query, None, view.before());
                    let found: Vec<_> = found.events().iter().collect();
                    assert!(found.ends_with(&must), "{} of {}", found.len(), must.len());
                    assert!(
                        found.iter().all(|event| may.contains(event)) && found.is_sorted_by_key(|event| event.id())
                    );
                    seen += found.len();
                }
                seen
            })
        })
        .collect();
    let mut random = Random::new(78);
    write(&mut store, &events, 8, |store, last| {
        if random.chance(10) {
            let before = EventId::at(last.unix_micros() - random.below(3_000_000_000) as i64);
            floor.fetch_max(before.get(), Ordering::AcqRel);
            for account in kit::ACCOUNTS {
                store.expire(account, before);
            }
        }
    });
    store.flush().unwrap();
    thread::sleep(Duration::from_millis(50));
    done.store(true, Ordering::Release);
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
}

#[test]
fn a_folder_has_one_writer() {
    let folder = Folder::new("writers");
    let first = Store::open(folder.path(), Options::new()).unwrap();
    let error = Store::open(folder.path(), Options::new()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    let path = folder.path().join("0.lock");
    assert_eq!(
        error.to_string(),
        format!("{}: the folder has another writer; end it, or look on with a Reader", path.display())
    );
    // Another partition's writer is another one.
    Store::open(folder.path(), Options::new().with_partition(1)).unwrap();
    drop(first);
    Store::open(folder.path(), Options::new()).unwrap();
}
