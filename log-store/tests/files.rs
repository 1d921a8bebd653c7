//! Files: merged, shared, let go, and what a crash leaves of them.

mod kit;

use kit::{ACCOUNTS, Folder, event, next_id, open, plain};
use log_query::Query;
use log_store::{Event, EventBuf, EventId, Options, Page, Reader, Scope, Store, StoreErrorKind};
use std::fs;
use testkit::random::Random;

const START: i64 = 1_700_000_000_000_000;
const LATER: i64 = START + 1_000_000_000_000;

/// Many small files: everything is flushed every few events.
fn small_files(store: &mut Store, random: &mut Random, count: u64, mut id: EventId) -> Vec<EventBuf> {
    let mut events = Vec::new();
    for n in 0..count {
        id = next_id(random, id);
        let event = event(random, id);
        store.append(&event.as_event()).unwrap();
        events.push(event);
        if n % 10 == 9 {
            store.flush().unwrap();
        }
    }
    store.flush().unwrap();
    store.publish(id);
    events
}

fn merge_all(store: &mut Store) {
    while store.merge_due(LATER).unwrap() {}
}

fn assert_all(reader: &Reader, events: &[EventBuf]) {
    for account in ACCOUNTS {
        let scope = Scope::account(account);
        for text in ["", "timeout", "-at=info nginx:"] {
            let query = Query::parse(text);
            let page = Page::new().with_limit(usize::MAX);
            let found = reader.view(&scope).search(query.query(), &page, &mut || true);
            assert!(found.examined().damage().is_empty(), "{:?}", found.examined().damage());
            let expected = plain(events, &scope, query.query(), None, EventId::MAX);
            assert_eq!(found.events().iter().collect::<Vec<_>>(), expected, "{account} {text}");
        }
    }
}

#[test]
fn merging_changes_files_and_no_answer() {
    let mut random = Random::new(1);
    let folder = Folder::new("merging");
    let mut store = open(&folder);
    let events = small_files(&mut store, &mut random, 2_000, EventId::at(START));
    assert!(store.files() >= 200);
    let view = store.reader().view(&Scope::account("alpha"));
    merge_all(&mut store);
    assert!(store.files() <= 8, "{}", store.files());
    assert_all(&store.reader(), &events);
    // A view of before still sees what it saw; then its files go.
    let found = view.search(&Query::default(), &Page::new().with_limit(usize::MAX), &mut || true);
    assert_eq!(found.events().len(), events.iter().filter(|event| event.as_event().account() == "alpha").count());
    drop(view);
    assert_eq!(folder.segments().len(), store.files());
    drop(store);
    assert_all(&Reader::open(folder.path(), &Options::new()).unwrap(), &events);
    let store = open(&folder);
    assert_eq!(store.accounts().iter().map(|account| account.events()).sum::<u64>(), events.len() as u64);
    assert_all(&store.reader(), &events);
}

/// A crash between the writing of a merged file and the removal of the old ones: nothing is seen twice, and the old ones go.
#[test]
fn files_left_by_a_crash_are_covered() {
    let mut random = Random::new(2);
    let folder = Folder::new("left");
    let mut store = open(&folder);
    let events = small_files(&mut store, &mut random, 600, EventId::at(START));
    let before: Vec<_> = folder.segments().into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    merge_all(&mut store);
    let merged = store.files();
    drop(store);
    let mut random = Random::new(3);
    for left in [before.len(), 1, 5, before.len() / 2] {
        for _ in 0..left {
            let (bytes, path) = &before[random.below(before.len() as u64) as usize];
            if !path.exists() {
                fs::write(path, bytes).unwrap();
            }
        }
        fs::write(before[0].1.with_extension("tmp"), b"half").unwrap();
        assert_all(&Reader::open(folder.path(), &Options::new()).unwrap(), &events);
        let store = open(&folder);
        assert_eq!(store.files(), merged);
        assert_eq!(folder.segments().len(), merged);
        assert_all(&store.reader(), &events);
        assert!(!before[0].1.with_extension("tmp").exists());
    }
}

/// Each file that goes costs its account's oldest events, and only of the account that is furthest above its share.
#[test]
fn room_is_made_by_those_who_are_above_their_share() {
    let long = vec![b'x'; 40_000];
    let mut random = Random::new(4);
    let fill = |store: &mut Store, random: &mut Random, account: &str, id: &mut EventId| {
        for _ in 0..200 {
            *id = id.next();
            let mut message = long.clone();
            message.iter_mut().for_each(|byte| *byte = random.bits() as u8);
            store.append(&Event::new(*id, account, &message)).unwrap();
        }
        store.flush().unwrap();
    };
    let folder = Folder::new("room");
    let mut store = open(&folder);
    let mut id = EventId::at(START);
    for _ in 0..4 {
        fill(&mut store, &mut random, "loud", &mut id);
        fill(&mut store, &mut random, "fair", &mut id);
    }
    fill(&mut store, &mut random, "loud", &mut id);
    store.publish(id);
    let bytes = |store: &Store, name: &str| {
        store.accounts().iter().find(|account| account.name() == name).map_or(0, |a| a.bytes())
    };
    let (loud, fair, all) = (bytes(&store, "loud"), bytes(&store, "fair"), store.bytes());
    assert_eq!(loud + fair, all);

    // Within the limit nobody loses.
    assert!(store.make_room(all, |_| 0).removed().is_empty());
    // Without shares the largest loses its oldest, until the next one is as large.
    let room = store.make_room(all - 1, |_| 0);
    assert_eq!((room.removed().len(), room.removed()[0].0.as_ref(), room.removed()[0].1.events()), (1, "loud", 200));
    assert!(room.is_enough());
    // A share protects: `loud` is within its own, so `fair` loses, and all of it goes before `loud` loses anything.
    let share = |name: &str| if name == "loud" { loud } else { 0 };
    let room = store.make_room(bytes(&store, "loud"), share);
    assert_eq!((room.removed().len(), room.removed()[0].0.as_ref(), room.removed()[0].1.events()), (1, "fair", 800));
    // All within their shares: there is no room, and nobody loses.
    let room = store.make_room(1, |_| loud);
    assert!(room.removed().is_empty() && !room.is_enough());
    // What is left is seen, from the oldest that is left.
    let page = Page::new().with_bytes(usize::MAX);
    let found = store.reader().view(&Scope::account("loud")).search(&Query::default(), &page, &mut || true);
    assert_eq!(found.events().len() as u64, store.accounts()[1].events());
    drop(found);
    assert_eq!(folder.segments().len(), store.files());
}

/// Small accounts share a file. One that loses its part for room has it taken out, and the others keep theirs.
#[test]
fn room_is_made_in_shared_files_too() {
    let mut random = Random::new(5);
    let folder = Folder::new("shared-room");
    let mut store = open(&folder);
    let events = small_files(&mut store, &mut random, 400, EventId::at(START));
    let share = |name: &str| if name == "beta" { 0 } else { u64::MAX };
    let before = store.bytes();
    let beta = store.accounts()[1].clone();
    let room = store.make_room(before - beta.bytes() / 2, share);
    assert!(room.is_enough() && room.removed().iter().all(|(name, _)| name.as_ref() == "beta"));
    assert!(store.bytes() <= before - beta.bytes() / 2);
    let left = store.accounts()[1].events();
    assert!(left > 0 && left < beta.events());
    let mut rest = events.clone();
    let mut go = beta.events() - left;
    rest.retain(|event| {
        let goes = event.as_event().account() == "beta" && go > 0;
        go -= u64::from(goes);
        !goes
    });
    assert_all(&store.reader(), &rest);
    drop(store);
    assert_all(&Reader::open(folder.path(), &Options::new()).unwrap(), &rest);
}

#[test]
fn what_is_expired_is_gone_at_once_and_for_good() {
    let mut random = Random::new(6);
    let folder = Folder::new("expire");
    let mut store = open(&folder);
    let events = small_files(&mut store, &mut random, 600, EventId::at(START));
    let middle = events[300].id();
    let mut gone = 0;
    for account in ACCOUNTS {
        gone += store.expire(account, middle).events();
        assert_eq!(store.expire(account, middle).events(), 0);
        assert_eq!(store.expire(account, EventId::MIN).events(), 0);
    }
    assert!(gone > 200 && gone <= 300);
    assert_all(&store.reader(), &events[300..]);
    assert_eq!(folder.segments().len(), store.files());
    merge_all(&mut store);
    assert_all(&store.reader(), &events[300..]);
    // Merged files hold nothing of what is gone.
    drop(store);
    let store = open(&folder);
    for account in ACCOUNTS {
        assert_eq!(
            store.sealed_through(account),
            events.iter().rev().find(|e| e.as_event().account() == account).map(EventBuf::id)
        );
    }
}

/// Equal systems, programs and texts in one shared file: each scope sees its own.
#[test]
fn scopes_in_a_shared_file_see_their_own() {
    let folder = Folder::new("scopes");
    let mut store = open(&folder);
    let mut id = EventId::at(START);
    for n in 0..300 {
        id = id.next();
        let account = ACCOUNTS[n % 3];
        let message = format!("secret of {account}");
        let event = Event::new(id, account, message.as_bytes()).with_system(b"web").with_program(b"app/web.1");
        store.append(&event).unwrap();
    }
    store.flush().unwrap();
    store.publish(id);
    assert_eq!(store.files(), 1);
    for reader in [store.reader(), Reader::open(folder.path(), &Options::new()).unwrap()] {
        for account in ACCOUNTS {
            for text in ["", "secret", "host:web", "-nothing", "program:app"] {
                let query = Query::parse(text);
                let view = reader.view(&Scope::account(account));
                let found = view.search(query.query(), &Page::new(), &mut || true);
                assert_eq!(found.events().len(), 100, "{text}");
                assert!(found.events().iter().all(|event| event.as_event().account() == account));
                assert_eq!(view.counts(query.query(), &Page::new(), 60_000_000, &mut || true).total(), 100);
            }
            let other = ACCOUNTS.iter().find(|other| **other != account).unwrap();
            let query = Query::parse(&format!("\"secret of {other}\""));
            let view = reader.view(&Scope::account(account));
            assert!(view.search(query.query(), &Page::new(), &mut || true).events().is_empty());
        }
        assert!(
            reader
                .view(&Scope::account("shared"))
                .search(&Query::default(), &Page::new(), &mut || true)
                .events()
                .is_empty()
        );
        assert!(
            reader
                .view(&Scope::account("../x"))
                .search(&Query::default(), &Page::new(), &mut || true)
                .events()
                .is_empty()
        );
    }
}

/// Accounts whose embedder counts ids for each by itself would make files of the same name: nothing is written over.
#[test]
fn files_of_one_name_do_not_meet() {
    let folder = Folder::new("names");
    for (first, second) in [("a", "b"), ("c", "d"), ("e", "f")] {
        let mut store = open(&folder);
        store.append(&Event::new(EventId::new(256), first, b"one")).unwrap();
        store.append(&Event::new(EventId::new(512), second, b"two")).unwrap();
        store.flush().unwrap();
    }
    let store = open(&folder);
    assert_eq!(store.accounts().iter().map(|account| account.events()).sum::<u64>(), 6);
}

#[test]
fn what_cannot_be_taken_is_said() {
    let folder = Folder::new("refused");
    let options = Options::new().with_accounts(2);
    let mut store = Store::open(folder.path(), options).unwrap();
    let event = Event::new(EventId::new(256), "a", b"x");
    store.append(&event).unwrap();
    let mut said = |event: &Event<'_>, kind| {
        let error = store.append(event).unwrap_err();
        assert_eq!(error.kind(), kind);
        error.to_string()
    };
    assert_eq!(said(&event, StoreErrorKind::Order), "the id 256 is not above the last one");
    for name in ["", "shared", "A", "a/b", "..", &"a".repeat(64)] {
        let event = Event::new(EventId::new(512), name, b"x");
        assert_eq!(
            said(&event, StoreErrorKind::Account),
            "an account's name is 1 to 63 of a-z, 0-9 and -, and not `shared`"
        );
    }
    let long = vec![0; (1 << 20) + 1];
    assert_eq!(
        said(&Event::new(EventId::new(512), "a", &long), StoreErrorKind::Length),
        "a message is longer than 1 MiB: cut it"
    );
    store.append(&Event::new(EventId::new(512), "b", &long[1..])).unwrap();
    let error = store.append(&Event::new(EventId::new(768), "c", b"x")).unwrap_err();
    assert_eq!(error.to_string(), "there are 2 accounts already: allow more");
    store.publish(EventId::new(1_024));
    assert_eq!(store.append(&Event::new(EventId::new(1_024), "a", b"x")).unwrap_err().kind(), StoreErrorKind::Order);
    for options in [
        Options::new().with_head_bytes(1),
        Options::new().with_seal_bytes(0),
        Options::new().with_seal_bytes(1 << 40),
        Options::new().with_accounts(0),
    ] {
        assert_eq!(Store::open(folder.path().join("other"), options).unwrap_err().kind(), StoreErrorKind::Options);
    }
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(Store::open(&file, Options::new()).unwrap_err().kind(), StoreErrorKind::Io(_)));
    assert!(matches!(Reader::open(&file, &Options::new()).unwrap_err().kind(), StoreErrorKind::Io(_)));
}

/// More accounts than a file may have blocks: files of few are merged, files of all of them stay, and it is not tried for ever.
#[test]
fn what_would_be_too_many_blocks_stays_apart() {
    for (accounts, merged) in [(600, true), (4_500, false)] {
        let folder = Folder::new("blocks");
        let mut store = Store::open(folder.path(), Options::new().with_accounts(10_000)).unwrap();
        let names: Vec<String> = (0..accounts).map(|number| format!("account-{number}")).collect();
        let mut id = START;
        for round in 0..9 {
            for name in &names {
                id += 1_000;
                let said = format!("round {round} of {name}");
                store.append(&Event::new(EventId::at(id), name, said.as_bytes())).unwrap();
            }
            store.flush().unwrap();
        }
        store.publish(EventId::at(id));
        let before = store.files();
        let merges = (0..100).take_while(|_| store.merge_due(LATER).unwrap()).count();
        assert!(merges < 20, "{merges}");
        assert_eq!(store.files() == 1, merged, "{accounts}: {before} files, {} now", store.files());
        for name in [&names[0], &names[accounts - 1]] {
            let page = Page::new().with_bytes(usize::MAX);
            let found = store.reader().view(&Scope::account(name)).search(&Query::default(), &page, &mut || true);
            assert_eq!(found.events().len(), 9);
        }
    }
}

/// Lines that pack well: a file of a few bytes has many full blocks. They are merged as far as one file takes them.
#[test]
fn full_blocks_of_few_bytes_are_merged_as_far_as_they_go() {
    let folder = Folder::new("full");
    let mut store = open(&folder);
    // Each has a block of its own.
    let line = [b'x'; (64 << 10) + 1];
    let (mut id, rounds, lines) = (START, 10, 500);
    for _ in 0..rounds {
        for _ in 0..lines {
            id += 1_000;
            store.append(&Event::new(EventId::at(id), "loud", &line)).unwrap();
        }
        store.flush().unwrap();
    }
    store.publish(EventId::at(id));
    let before = store.files();
    merge_all(&mut store);
    assert_eq!((before, store.files()), (rounds, 3), "eight of ten have room in one");
    let view = store.reader().view(&Scope::account("loud"));
    assert_eq!(view.counts(&Query::default(), &Page::new(), 60_000_000, &mut || true).total(), (rounds * lines) as u64);
}
