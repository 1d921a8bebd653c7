//! Over damaged files an answer lacks what they held, says so, and has nothing wrong in it.

mod kit;

use kit::{ACCOUNTS, Folder, event, next_id, open, plain, query, scope};
use log_query::Query;
use log_store::{EventBuf, EventId, Options, Page, Reader, Scope, Store, check};
use std::fs;
use testkit::random::Random;

const START: i64 = 1_700_000_000_000_000;

fn filled(folder: &Folder, random: &mut Random) -> Vec<EventBuf> {
    let mut store = open(folder);
    let mut id = EventId::at(START);
    let mut events = Vec::new();
    for n in 0..900 {
        id = next_id(random, id);
        let event = event(random, id);
        store.append(&event.as_event()).unwrap();
        events.push(event);
        if n % 60 == 59 {
            store.flush().unwrap();
        }
    }
    events
}

/// Whether the answer is whole.
fn assert_honest(reader: &Reader, events: &[EventBuf], random: &mut Random) -> bool {
    let mut whole = true;
    for _ in 0..20 {
        let scope = scope(random);
        let parsed = Query::parse(&query(random));
        let view = reader.view(&scope);
        let found = view.search(parsed.query(), &Page::new().with_limit(usize::MAX), &mut || true);
        let expected = plain(events, &scope, parsed.query(), None, EventId::MAX);
        let found_events: Vec<_> = found.events().iter().collect();
        assert!(found_events.iter().all(|event| expected.contains(event)), "nothing wrong is in an answer");
        assert!(found_events.is_sorted_by(|left, right| left.id() < right.id()));
        if found.examined().damage().is_empty() {
            assert_eq!(found_events, expected, "an answer without damage is whole");
        } else {
            whole = false;
            assert!(!found.examined().damage()[0].to_string().is_empty());
        }
        let counts = view.counts(parsed.query(), &Page::new(), 60_000_000, &mut || true);
        assert!(counts.total() <= expected.len() as u64);
        assert!(!counts.examined().damage().is_empty() || counts.total() == expected.len() as u64);
    }
    whole
}

#[test]
fn answers_over_damaged_files_say_what_they_lack() {
    let rounds = if kit::long() { 3_000 } else { 60 };
    let mut random = Random::new(1);
    let folder = Folder::new("damaged");
    let events = filled(&folder, &mut random);
    let (mut broken, mut found_by_check) = (0, 0);
    for round in 0..rounds {
        let paths = folder.segments();
        let path = random.pick(&paths.iter().collect::<Vec<_>>()).clone();
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        match round % 3 {
            0 => bad.truncate(random.below(good.len() as u64) as usize),
            _ => {
                for _ in 0..random.between(1, 4) {
                    let at = random.below(good.len() as u64) as usize;
                    bad[at] ^= 1 << random.below(8);
                }
            }
        }
        fs::write(&path, &bad).unwrap();
        let checked = check(folder.path()).unwrap();
        assert!(bad == good || !checked.damage().is_empty(), "check finds each damage");
        found_by_check += usize::from(!checked.damage().is_empty());
        let reader = Reader::open(folder.path(), &Options::new()).unwrap();
        broken += usize::from(!assert_honest(&reader, &events, &mut random));
        // The writer's own reader, too; and merging leaves what can be read.
        let mut store = open(&folder);
        store.publish(EventId::MAX);
        assert_honest(&store.reader(), &events, &mut random);
        drop(store);
        fs::write(&path, &good).unwrap();
    }
    assert!(broken * 3 > rounds as usize, "{broken} of {rounds} were seen, {found_by_check} by check");
    assert_eq!(check(folder.path()).unwrap().lines(), events.len() as u64);
}

/// Merging over a damaged block stops before it, and loses nothing that can be read.
#[test]
fn merging_loses_nothing_to_damage() {
    let mut random = Random::new(2);
    let folder = Folder::new("merge-damaged");
    let events = filled(&folder, &mut random);
    let path = folder.segments()[4].clone();
    let mut bytes = fs::read(&path).unwrap();
    // Blocks stand at the front.
    bytes[60] ^= 0xff;
    fs::write(&path, &bytes).unwrap();
    let count = |store: &Store| -> usize {
        let all = |account| {
            let view = store.reader().view(&Scope::account(account));
            view.search(&Query::default(), &Page::new().with_limit(usize::MAX), &mut || true).events().len()
        };
        ACCOUNTS.into_iter().map(all).sum()
    };
    let mut store = open(&folder);
    let before = count(&store);
    assert!(before < events.len());
    while store.merge_due(START + 1_000_000_000_000).unwrap() {}
    assert_eq!(count(&store), before);
    assert_honest(&store.reader(), &events, &mut random);
    drop(store);
    assert_eq!(count(&open(&folder)), before);
}

/// A reader apart must not take a folder that cannot be listed for an empty one.
#[test]
fn a_folder_that_cannot_be_listed_is_named() {
    let folder = Folder::new("unlisted");
    let mut random = Random::new(3);
    filled(&folder, &mut random);
    let account = ACCOUNTS[0];
    let reader = Reader::open(folder.path(), &Options::new()).unwrap();
    let ask = || {
        let view = reader.view(&Scope::account(account));
        let found = view.search(&Query::default(), &Page::new(), &mut || true);
        let counts = view.counts(&Query::default(), &Page::new(), 60_000_000, &mut || true);
        (found, counts)
    };
    assert!(ask().0.examined().damage().is_empty());
    // In place of the folder of a partition there is a file.
    let own = folder.path().join(account).join("0");
    let aside = folder.path().join(account).join("aside");
    if own.exists() {
        fs::rename(&own, &aside).unwrap();
    }
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "").unwrap();
    let (found, counts) = ask();
    assert_eq!(found.examined().damage().len(), 1);
    assert!(found.examined().damage()[0].to_string().contains(own.to_str().unwrap()), "{:?}", found.examined());
    assert_eq!(counts.examined().damage().len(), 1);
    assert!(reader.accounts().is_err());
    fs::remove_file(&own).unwrap();
    if aside.exists() {
        fs::rename(&aside, &own).unwrap();
    }
    assert!(ask().0.examined().damage().is_empty());
}
