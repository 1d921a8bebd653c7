//! Files elsewhere whose calls fail, one after the other, in each way: nothing is lost, nothing is there twice, and what was
//! purged is in no file.

mod kit;

use kit::bucket::{Bucket, Fault};
use kit::{ACCOUNTS, Folder};
use log_query::Query;
use log_store::{
    Damage, Event, EventBuf, EventId, Options, Order, Page, Scope, Store, StoreError, StoreErrorKind, View,
};
use std::sync::Arc;

const START: i64 = 1_700_000_000_000_000;
const LATER: i64 = START + 1_000_000_000_000;
const ALL: std::ops::Range<EventId> = EventId::MIN..EventId::MAX;
const SECRETS: [&str; 2] = ["secret 0", "secret 1"];

/// A store, its embedder's journal, and what is to be in it.
struct Run {
    bucket: Arc<Bucket>,
    disk: Folder,
    store: Option<Store>,
    events: Vec<EventBuf>,
    purged: Vec<EventBuf>,
    floor: EventId,
    /// An owner that meets an error ends, and another one takes over.
    gives_up: bool,
    /// A view that never ends while the store is open, and what it saw.
    view: Option<(View, usize)>,
    failures: usize,
}

impl Run {
    fn new(bucket: Arc<Bucket>, gives_up: bool) -> Self {
        let mut run = Self {
            bucket,
            disk: Folder::new("faults"),
            store: None,
            events: Vec::new(),
            purged: Vec::new(),
            floor: EventId::MIN,
            gives_up,
            view: None,
            failures: 0,
        };
        run.open();
        run
    }

    fn failed(&mut self, error: &StoreError) {
        assert!(matches!(error.kind(), StoreErrorKind::Io(_)), "{error}");
        self.failures += 1;
        assert!(self.failures < 20, "{error}");
    }

    /// As an owner that takes over does: with an empty disk, and all that the journal has.
    fn open(&mut self) {
        (self.view, self.store) = (None, None);
        self.disk = Folder::new("faults");
        let mut store = loop {
            match Store::open_with(self.disk.path(), Options::new(), self.bucket.clone()) {
                Ok(store) => break store,
                Err(error) => {
                    self.failed(&error);
                    self.bucket.away(None);
                }
            }
        };
        assert_eq!(store.damage(), []);
        for event in &self.events {
            store.append(&event.as_event()).unwrap();
        }
        if let Some(last) = self.events.last() {
            store.publish(last.id());
        }
        self.store = Some(store);
        self.expire();
    }

    fn expire(&mut self) {
        let Some(store) = &mut self.store else { return };
        store.expire("beta", self.floor);
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    /// Does it until it is done.
    fn act<T>(&mut self, act: impl Fn(&mut Store) -> Result<T, StoreError>) -> T {
        loop {
            match act(self.store()) {
                Ok(done) => return done,
                Err(error) => {
                    self.failed(&error);
                    self.bucket.away(None);
                    self.check(true);
                    if self.gives_up {
                        self.open();
                        self.check(true);
                    }
                }
            }
        }
    }

    fn append(&mut self, files: u64) {
        for n in 0..files {
            for account in ACCOUNTS {
                let id = self.events.last().map_or(EventId::at(START), |last| last.id().next());
                let text = format!("{account} {n} secret {}", n % 4);
                let event = Event::new(id, account, text.as_bytes()).to_event_buf();
                self.store().append(&event.as_event()).unwrap();
                self.store().publish(id);
                self.events.push(event);
            }
            self.act(Store::flush);
        }
    }

    fn merge(&mut self) {
        while self.act(|store| store.merge_due(LATER)) {}
    }

    fn purge(&mut self, account: &str, text: &str) {
        let goes = |event: &EventBuf| {
            let event = event.as_event();
            event.account() == account && String::from_utf8_lossy(event.message()).contains(text)
        };
        // All of it is in files before anything is purged, and a journal gives back what is in files.
        self.act(Store::flush);
        let (gone, left): (Vec<_>, Vec<_>) = self.events.drain(..).partition(goes);
        (self.events, self.purged) = (left, gone);
        let query = Query::parse(&format!("\"{text}\""));
        let before = self.view.as_ref().map(|(view, seen)| (view.clone(), *seen));
        let purged = self.act(|store| store.purge(&Scope::account(account), query.query(), ALL));
        assert!(purged.unread().is_empty());
        if let Some((view, seen)) = before.filter(|_| self.view.is_some()) {
            assert_eq!(self.search(&view).len(), seen, "a view is as it was");
        }
        self.is_final(account, text);
        self.purged.clear();
    }

    /// All that a view sees. What cannot be had now is asked for again.
    fn search(&mut self, view: &View) -> Vec<EventBuf> {
        let page = Page::new().with_limit(10_000).with_order(Order::Oldest);
        loop {
            let found = view.search(&Query::default(), &page, &mut || true);
            if found.examined().damage().is_empty() {
                return found.into_events();
            }
            assert!(found.examined().damage().iter().all(Damage::is_passing), "{:?}", found.examined());
            self.failures += 1;
            assert!(self.failures < 20, "{:?}", found.examined());
            self.bucket.away(None);
        }
    }

    /// No file there holds what was purged, whatever a kill leaves at this moment, and so nobody finds it again.
    fn is_final(&self, account: &str, text: &str) {
        let query = Query::parse(&format!("\"{text}\""));
        for name in self.bucket.names() {
            let disk = Folder::new("one-file");
            let store = Store::open_with(disk.path(), Options::new(), self.bucket.only(&name)).unwrap();
            let view = store.reader().view(&Scope::account(account));
            let found = view.search(query.query(), &Page::new(), &mut || true);
            assert!(found.examined().damage().is_empty());
            assert_eq!(found.events().len(), 0, "{name} holds what was purged: {:?}", found.events());
        }
    }

    /// What is seen is what is to be, once each. While a purge is on its way some of what goes may be there still.
    fn check(&mut self, purging: bool) {
        let floor = self.floor;
        for account in ACCOUNTS {
            let view = self.store().reader().view(&Scope::account(account));
            let found = self.search(&view);
            let is_of =
                |event: &&EventBuf| event.as_event().account() == account && (account != "beta" || event.id() >= floor);
            let expected: Vec<&EventBuf> = self.events.iter().filter(is_of).collect();
            let going: Vec<&EventBuf> = self.purged.iter().filter(is_of).collect();
            assert!(purging || going.is_empty());
            let seen: Vec<&EventBuf> = found.iter().filter(|event| !going.contains(event)).collect();
            assert_eq!(seen, expected, "{account}");
            assert!(found.is_sorted_by(|left, right| left.id() < right.id()), "{account}");
        }
    }

    fn look(&mut self) {
        let view = self.store().reader().view(&Scope::account("alpha"));
        let seen = self.events.iter().filter(|event| event.as_event().account() == "alpha").count();
        self.view = Some((view, seen));
    }

    /// Everything that a store does with files.
    fn history(&mut self, with_view: bool) {
        self.append(9);
        if with_view {
            self.look();
        }
        self.merge();
        self.check(false);
        self.append(2);
        self.purge("alpha", SECRETS[0]);
        self.check(false);
        self.floor = self.events[self.events.len() / 3].id();
        self.expire();
        self.append(8);
        if with_view {
            self.look();
        }
        self.merge();
        self.purge("gamma", SECRETS[1]);
        self.check(false);
        self.open();
        self.check(false);
        self.purge("beta", "beta 0");
        self.merge();
        self.check(false);
    }

    /// With no more faults: what is there is what counts, and nothing is left behind.
    fn end(mut self, what: &str) {
        self.bucket.away(None);
        self.open();
        self.append(1);
        self.append(1);
        self.check(false);
        let names = self.bucket.names();
        assert_eq!(names.len(), self.store().files(), "{what}: {names:?}");
    }
}

fn run(fault: Fault, gives_up: bool, with_view: bool) {
    let mut run = Run::new(Bucket::new(), gives_up);
    run.history(with_view);
    assert_eq!(run.failures, 0);
    let calls = run.bucket.number();
    run.end("without faults");
    let step = if kit::long() { 1 } else { 5 };
    // Each way to fail begins with another call, so that all calls are met.
    let first = (fault as u64 + u64::from(gives_up) + u64::from(with_view)) % step;
    let mut failed = 0;
    for at in (first..calls).step_by(step as usize) {
        let what = format!("{fault:?} at {at} of {calls}, gives up: {gives_up}, with a view: {with_view}");
        // Shown if it fails.
        println!("{what}");
        let bucket = Bucket::new();
        bucket.fail(at, fault);
        let mut run = Run::new(bucket, gives_up);
        run.history(with_view);
        failed += usize::from(run.failures > 0);
        run.end(&what);
    }
    assert!(failed * 3 > (calls / step) as usize, "{failed} of {calls}");
}

#[test]
fn a_call_that_is_not_done() {
    run(Fault::Undone, false, false);
    run(Fault::Undone, true, false);
}

#[test]
fn a_call_that_is_done_and_whose_answer_is_lost() {
    run(Fault::Lost, false, false);
    run(Fault::Lost, true, false);
}

#[test]
fn a_bucket_that_goes_away_and_comes_back() {
    run(Fault::Dead, false, false);
    run(Fault::LostAndDead, false, true);
}

#[test]
fn an_owner_that_dies_at_a_call_and_the_next_one() {
    run(Fault::Dead, true, false);
    run(Fault::LostAndDead, true, false);
}

#[test]
fn views_that_are_held_meanwhile() {
    run(Fault::Undone, false, true);
    run(Fault::Lost, false, true);
}

/// Files whose removal fails would be found again at the next opening, with all that was purged since from the one that they went
/// into.
#[test]
fn what_cannot_be_removed_holds_up_a_purge_and_nothing_else() {
    let mut run = Run::new(Bucket::new(), false);
    run.append(9);
    run.bucket.refuse_removal(true);
    run.merge();
    assert_eq!((run.store().files(), run.bucket.names().len()), (1, 10));
    run.append(1);
    run.check(false);
    let query = Query::parse("secret");
    for _ in 0..2 {
        let error = run.store().purge(&Scope::account("alpha"), query.query(), ALL).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Io(std::io::ErrorKind::TimedOut));
        assert!(error.to_string().contains("remove a file"), "{error}");
    }
    run.bucket.refuse_removal(false);
    run.purge("alpha", "secret");
    assert_eq!((run.store().files(), run.bucket.names().len()), (2, 2));
    run.check(false);
    run.end("removed at last");
}
