//! A store of lines whose files are among those of a partition.

use super::super::Segments;
use super::*;
use log_query::Query;
use log_store::{Event, EventId, Options, Page, Scope, Store};
use std::sync::Arc;

const ACCOUNTS: [&str; 2] = ["acme", "shop"];

fn open(house: &House, files: &Files, node: &str) -> Store {
    let folder = house.dir.join(format!("lines-{node}"));
    Store::open_with(folder, Options::new(), Arc::new(Segments::new(files, "logs/"))).unwrap()
}

fn append(store: &mut Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let line = format!("line {number} of many, {}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let id = EventId::new((number + 1) << 8);
        store.append(&Event::new(id, ACCOUNTS[number as usize % 2], line.as_bytes())).unwrap();
        store.publish(id);
    }
    store.flush().unwrap();
}

/// How many lines of both accounts a search finds.
fn found(store: &Store, text: &str) -> usize {
    let of = |account: &&str| {
        let view = store.reader().view(&Scope::account(account));
        let page = Page::new();
        let searched = view.search(Query::parse(text).query(), &page, &mut || true);
        assert!(searched.examined().damage().is_empty(), "{:?}", searched.examined().damage());
        searched.events().len()
    };
    ACCOUNTS.iter().map(of).sum()
}

#[test]
fn lines_that_a_node_kept_are_there_on_the_next_one_and_what_was_purged_is_nowhere() {
    let Some(house) = House::start("lines") else { return };
    let (tier, other) = (house.tier(), house.node("other", LARGE, ENOUGH));
    let before = house.own(&tier, 0);
    before.write("state", b"of somebody else").unwrap();
    let mut store = open(&house, &before, "one");
    for round in 0..5 {
        append(&mut store, round * 10..round * 10 + 10);
    }
    assert_eq!(found(&store, "line"), 50);
    let reader = store.reader();
    // Another node takes over, with an empty disk.
    let files = house.own(&other, 0);
    let mut taken = open(&house, &files, "other");
    assert_eq!((found(&taken, "line"), found(&taken, "\"line 7 \"")), (50, 1));
    // The one before writes nothing more there, and what it has is right.
    assert!(store.append(&Event::new(EventId::new(99 << 8), "acme", b"late")).is_ok());
    assert!(store.flush().is_err());
    append(&mut taken, 50..60);
    while taken.merge_due(i64::MAX).unwrap() {}
    let all = EventId::new(1)..EventId::new(1 << 40);
    let query = Query::parse("\"line 7 \"");
    taken.purge(&Scope::account("shop"), query.query(), all).unwrap();
    assert_eq!((found(&taken, "line"), found(&taken, "\"line 7 \"")), (59, 0));
    drop((reader, store, taken));
    [&tier, &other].into_iter().for_each(until_idle);
    super::super::sweeping::sweep(other.shared(), files.part(), files.epoch()).unwrap();
    until_idle(&other);
    house.assert_whole();
    let again = open(&house, &files, "again");
    assert_eq!((found(&again, "line"), found(&again, "\"line 7 \"")), (59, 0));
    assert_eq!(read(&files, "state").unwrap(), b"of somebody else");
}
