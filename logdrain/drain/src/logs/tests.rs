//! Lines from the journal into their store: which, under which ids, and what is left of them when something fails.

use crate::settings::{DrainLimits, Settings};
use std::collections::BTreeMap;

pub fn settings() -> Settings {
    Settings {
        apps: BTreeMap::new(),
        accounts: BTreeMap::new(),
        next_id: 0,
        window_ms: 60_000,
        lateness_ms: 60_000,
        horizon_ms: 3_600_000,
        extended: false,
        websockets: true,
        reading: logdrain_terms::reading::Reading::default(),
        limits: DrainLimits::within(32 << 20).unwrap(),
        drains: BTreeMap::new(),
    }
}

mod rules;

use super::board::{Books, Gone};
use super::filters::Rules;
use super::keeper::{Keeper, Keeping};
use super::lines::{Lines, What};
use super::place::Place;
use super::retention;
use super::senders::Sender;
use super::state::{self, State};
use super::tally::Tallies;
use crate::event::{Body, Record};
use crate::run::Run;
use crate::scratch::Scratch;
use heroku_metrics::model::Timestamp;
use log_store::{Options, Page, Query, Scope};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

const NOON: i64 = 1_773_480_413_000_000;

fn scratch(name: &str) -> Scratch {
    Scratch::new(&format!("lines-{name}"))
}

fn start() -> State {
    State {
        position: 0,
        settings: settings(),
        books: Books::default(),
        gone: Gone::default(),
        tallies: Tallies::default(),
    }
}

/// A delivery of so many frames, whose ids begin at a millisecond.
fn record(frames: usize, millis: u64) -> Record {
    let line = |n| format!("<190>1 2026-03-14T09:26:53Z host app web.1 - line {n} of {millis}");
    let body = (0..frames).map(line).flat_map(|line| format!("{} {line}", line.len()).into_bytes()).collect();
    let mut record = Record::new("d.1".into(), Timestamp::from_unix_micros(NOON), Body::new(body, None));
    record.run.base = millis << 20;
    record
}

/// Keeps a delivery for an account.
fn keep(keeper: &mut Keeper, account: &str, position: u64, record: &Record) {
    keep_by(keeper, &Rules::default(), account, "system", position, record);
}

fn keep_by(keeper: &mut Keeper, rules: &Rules, account: &str, system: &str, position: u64, record: &Record) {
    let sender = Sender { account: account.into(), system: system.into(), is_taken: true };
    let (mut lines, mut program) = (Lines::of(record), Vec::new());
    while let Some(line) = lines.next(&mut program) {
        keeper.take((&sender, rules), (&program, None), &line, &mut Vec::new(), false).unwrap();
    }
    keeper.mark(position, record.run.last(), record.body.bytes().len() as u64, &Arc::new(settings()));
}

fn keeping(limit: u64, ahead: u64) -> Keeping {
    Keeping { retention: Duration::from_secs(3_600), limit, ahead }
}

fn seal_all(keeper: &mut Keeper) {
    while keeper.seal(None, true).unwrap() {}
}

fn assert_books(keeper: &Keeper) {
    let shown = keeper.shown(0);
    let Books { events, kept, filtered, over_volume, unknown, no_room, .. } = shown.books;
    assert_eq!(events, kept + filtered + over_volume + unknown + no_room);
    assert_eq!(shown.books.kept, shown.there + shown.gone.expired + shown.gone.removed);
}

#[test]
fn what_is_beyond_the_count_is_one_line_under_the_last_id() {
    let mut record = record(5, 7);
    record.run.events = 3;
    let (mut lines, mut program) = (Lines::of(&record), Vec::new());
    let mut all = Vec::new();
    while let Some(line) = lines.next(&mut program) {
        all.push((line.id.get(), line.what, String::from_utf8(program.clone()).unwrap(), line.message.to_vec()));
    }
    assert_eq!(all.len(), 3);
    assert_eq!((all[0].1, &*all[0].2), (What::Read, "app/web.1"));
    assert_eq!((all[2].0, all[2].1, &*all[2].2), ((7 << 20) + 512, What::Unexpected, "logdrain/unread"));
    assert!(all[2].3.ends_with(b"line 4 of 7"));
    // And what was counted too high leaves numbers unused.
    record.run = Run { events: 9, ..record.run };
    let mut lines = Lines::of(&record);
    assert_eq!(std::iter::from_fn(|| lines.next(&mut program).map(|line| line.what)).count(), 5);
}

#[test]
fn a_start_begins_behind_what_is_in_files() {
    let dir = scratch("safe");
    let mut keeper = Keeper::open(&Place::folder(&dir), keeping(1 << 30, 1 << 30), start()).unwrap();
    let now = Arc::new(settings());
    for position in 1..=4 {
        keep(&mut keeper, "default", position, &record(10, position));
    }
    assert_eq!(keeper.safe(4, &now).position, 0, "all is in memory alone");
    seal_all(&mut keeper);
    assert_eq!((keeper.safe(4, &now).position, keeper.safe(4, &now).books.kept), (4, 40));
    keep(&mut keeper, "default", 5, &record(10, 5));
    assert_eq!((keeper.safe(6, &now).position, keeper.safe(6, &now).books.kept), (4, 40));
    // Read again from an older state: nothing stands twice.
    let again = start();
    drop(keeper);
    let mut keeper = Keeper::open(&Place::folder(&dir), keeping(1 << 30, 1 << 30), again).unwrap();
    assert_eq!(keeper.last_id(), record(10, 4).run.last());
    for position in 1..=5 {
        keep(&mut keeper, "default", position, &record(10, position));
    }
    assert_eq!(keeper.shown(5).there, 50);
    assert_books(&keeper);
}

#[test]
fn a_head_that_holds_the_journal_back_is_sealed_early() {
    let dir = scratch("ahead");
    let mut keeper = Keeper::open(&Place::folder(&dir), keeping(1 << 30, 20_000), start()).unwrap();
    let now = Arc::new(settings());
    for position in 1..=100 {
        keep(&mut keeper, "default", position, &record(10, position));
        while keeper.seal(None, false).unwrap() {}
        assert!(!keeper.is_too_far_ahead() || keeper.safe(position, &now).position > 0);
        keeper.safe(position, &now);
        assert!(!keeper.is_too_far_ahead(), "{position}");
    }
    assert!(keeper.shown(0).files > 1);
}

/// `share` given by account: who is within it loses nothing, and when all are, new lines are not kept.
#[test]
fn an_account_within_its_share_loses_nothing_for_anothers_sake() {
    let dir = scratch("share");
    let mut keeper = Keeper::open(&Place::folder(&dir), keeping(60_000, 1 << 30), start()).unwrap();
    keeper.set_share(Box::new(|account| if account == "quiet" { 50_000 } else { 0 }));
    let mut position = 0;
    let mut both = |keeper: &mut Keeper, loud: usize, quiet: usize| {
        for (account, frames) in [("loud", loud), ("quiet", quiet)] {
            position += 1;
            keep(keeper, account, position, &record(frames, position));
            seal_all(keeper);
        }
        keeper.let_go(None, &settings());
        assert_books(keeper);
    };
    both(&mut keeper, 100, 100);
    let quiet = keeper.reader().accounts().unwrap().iter().find(|account| account.name() == "quiet").unwrap().events();
    for _ in 0..6 {
        both(&mut keeper, 5_000, 0);
    }
    let accounts = keeper.reader().accounts().unwrap();
    let of = |name: &str| accounts.iter().find(|account| account.name() == name).unwrap();
    assert_eq!(of("quiet").events(), quiet);
    assert!(of("loud").events() < 30_100 && keeper.shown(0).bytes <= 60_000);
    // All are within their share, and together above the limit: then there is no room.
    keeper.set_share(Box::new(|_| 1 << 40));
    let mut before = keeper.shown(0);
    for _ in 0..20 {
        both(&mut keeper, 5_000, 10);
        let shown = keeper.shown(0);
        if before.books.no_room > 0 {
            assert!(shown.there == before.there && shown.books.kept == before.books.kept);
        }
        before = shown;
    }
    assert!(before.books.no_room > 0, "{before:?}");
    assert_eq!(before.gone.removed, 30_100 - of("loud").events());
    // With room again, lines are kept again.
    keeper.set_share(Box::new(|_| 0));
    keeper.let_go(None, &settings());
    both(&mut keeper, 10, 10);
    assert!(keeper.shown(0).books.kept > before.books.kept);
}

#[test]
fn lines_go_by_age_when_the_clock_is_trusted_and_not_before() {
    let dir = scratch("age");
    let mut keeper = Keeper::open(&Place::folder(&dir), keeping(1 << 30, 1 << 30), start()).unwrap();
    let millis = NOON as u64 / 1_000;
    keep(&mut keeper, "default", 1, &record(10, millis));
    seal_all(&mut keeper);
    keep(&mut keeper, "default", 2, &record(20, millis + 3_000_000));
    seal_all(&mut keeper);
    assert!(!keeper.let_go(None, &settings()), "a clock that is not trusted deletes nothing");
    assert!(!keeper.let_go(Some(NOON + 3_599_000_000), &settings()));
    assert!(keeper.let_go(Some(NOON + 3_700_000_000), &settings()));
    assert_eq!((keeper.shown(0).there, keeper.shown(0).gone.expired), (20, 10));
    assert_books(&keeper);
    let view = keeper.reader().view(&Scope::account("default"));
    let found = view.search(&Query::default(), &Page::new(), &mut || true);
    assert!(found.events().iter().all(|event| event.id().get() >> 20 > millis));
}

#[test]
fn the_state_that_can_be_read_and_is_of_this_journal_is_read() {
    let dir = scratch("state");
    assert_eq!(state::read(&dir, 100), None);
    let at = |position| State { position, books: Books { kept: position, ..Books::default() }, ..start() };
    for position in [3, 7, 9] {
        state::write(&dir, &at(position)).unwrap();
    }
    assert_eq!(state::list(&dir).unwrap().len(), 2, "the last two are kept");
    assert_eq!(state::read(&dir, 100), Some(at(9)));
    let newest = state::list(&dir).unwrap()[0].1.clone();
    let sound = fs::read(&newest).unwrap();
    for at_byte in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[at_byte] ^= 0x04;
        fs::write(&newest, &flipped).unwrap();
        assert!(state::read(&dir, 100).is_some_and(|read| read == at(7) || read == at(9)), "{at_byte}");
        fs::write(&newest, &sound[..at_byte]).unwrap();
        assert_eq!(state::read(&dir, 100), Some(at(7)), "{at_byte}");
    }
    fs::write(&newest, &sound).unwrap();
    // A journal that was restored ends before it: those numbers will be given again.
    assert_eq!(state::read(&dir, 8), Some(at(7)));
    assert_eq!(state::read(&dir, 100), Some(at(7)));
}

#[test]
fn options_stay_within_what_is_said_of_memory() {
    assert_eq!(keeping(0, 0).max_memory(), 0);
    assert_eq!(keeping(10 << 30, 0).max_memory(), Options::new().max_memory());
}
