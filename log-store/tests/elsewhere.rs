//! Files that lie where an embedder puts them: the same answers and the same bytes as in a folder, and nothing read that need not be.

mod kit;

use kit::bucket::{Bucket, Calls};
use kit::{ACCOUNTS, Folder, event, fits, next_id, plain, query, scope};
use log_query::Query;
use log_store::{Event, EventBuf, EventId, Options, Order, Page, Reader, Scope, Store, StoreErrorKind};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use testkit::random::Random;

const START: i64 = 1_700_000_000_000_000;
const LATER: i64 = START + 1_000_000_000_000;
const ALL: std::ops::Range<EventId> = EventId::MIN..EventId::MAX;

fn open(folder: &Folder, bucket: &Arc<Bucket>) -> Store {
    Store::open_with(folder.path(), Options::new(), bucket.clone()).unwrap()
}

fn all(reader: &Reader, account: &str) -> Vec<EventBuf> {
    let page = Page::new().with_order(Order::Oldest).with_limit(1_000_000).with_bytes(usize::MAX);
    let found = reader.view(&Scope::account(account)).search(&Query::default(), &page, &mut || true);
    assert!(found.examined().damage().is_empty(), "{:?}", found.examined());
    found.into_events()
}

/// Eight events, `at` of them first; each file of one flush, all accounts in it.
fn fill(store: &mut Store, files: u64, mut id: EventId) -> Vec<EventBuf> {
    let mut events = Vec::new();
    for n in 0..files {
        for account in ACCOUNTS {
            id = id.next();
            let text = format!("line {n} of {account}, secret {}", n % 3);
            let event = Event::new(id, account, text.as_bytes()).with_system(b"web-1").with_program(b"app");
            store.append(&event).unwrap();
            events.push(event.to_event_buf());
        }
        store.flush().unwrap();
    }
    store.publish(id);
    events
}

fn of<'a>(events: &'a [EventBuf], account: &str) -> Vec<&'a EventBuf> {
    events.iter().filter(|event| event.as_event().account() == account).collect()
}

fn assert_all(reader: &Reader, events: &[EventBuf]) {
    for account in ACCOUNTS {
        assert!(all(reader, account).iter().eq(of(events, account)), "{account}");
    }
}

/// One history, twice.
struct Twins {
    folder: Folder,
    disk: Folder,
    bucket: Arc<Bucket>,
    here: Store,
    there: Store,
}

impl Twins {
    fn both<T: std::fmt::Debug + PartialEq>(&mut self, act: impl Fn(&mut Store) -> T) -> T {
        let (here, there) = (act(&mut self.here), act(&mut self.there));
        assert_eq!(here, there);
        here
    }

    fn reopen(&mut self) {
        let (folder, disk) = (Folder::new("no-folder"), Folder::new("no-disk"));
        self.here = kit::open(&folder);
        self.there = open(&disk, &Bucket::new());
        self.here = kit::open(&self.folder);
        // An owner that takes over has an empty disk.
        self.disk = Folder::new("elsewhere-disk");
        self.there = open(&self.disk, &self.bucket);
    }

    fn assert_equal_files(&self) {
        let files: BTreeMap<String, Vec<u8>> = self
            .folder
            .segments()
            .into_iter()
            .map(|path| {
                let name = path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().replace('\\', "/");
                (name, std::fs::read(&path).unwrap())
            })
            .collect();
        assert_eq!(self.bucket.names(), files.keys().cloned().collect::<Vec<_>>());
        for (name, bytes) in &files {
            assert!(*self.bucket.bytes(name) == bytes[..], "{name}");
        }
        assert_eq!((self.here.files(), self.here.bytes()), (self.there.files(), self.there.bytes()));
        assert_eq!(self.here.accounts(), self.there.accounts());
        assert!(self.disk.segments().is_empty());
    }

    fn assert_equal_answers(&self, random: &mut Random, events: &[EventBuf]) {
        for _ in 0..4 {
            let (scope, text) = (scope(random), query(random));
            let query = Query::parse(&text);
            let page = Page::new().with_limit(random.between(1, 400) as usize);
            let page = if random.chance(500) { page.with_order(Order::Oldest) } else { page };
            let search = |store: &Store| {
                let view = store.reader().view(&scope);
                let found = view.search(query.query(), &page, &mut || true);
                assert!(found.examined().damage().is_empty(), "{:?}", found.examined());
                let read = found.examined().blocks_read();
                let counts = view.counts(query.query(), &Page::new(), 60_000_000, &mut || true);
                (found.events().to_vec(), read, counts.steps().collect::<Vec<_>>())
            };
            let (here, there) = (search(&self.here), search(&self.there));
            assert_eq!(here, there, "{text}");
            let total: u64 = here.2.iter().map(|(_, count)| count).sum();
            assert_eq!(total as usize, plain(events, &scope, query.query(), None, EventId::MAX).len(), "{text}");
        }
    }
}

#[test]
fn a_history_gives_the_same_answers_and_the_same_bytes_as_in_a_folder() {
    for seed in 0..if kit::long() { 200 } else { 12 } {
        let mut random = Random::new(seed);
        let (folder, disk, bucket) = (Folder::new("here"), Folder::new("there"), Bucket::new());
        let (here, there) = (kit::open(&folder), open(&disk, &bucket));
        let mut twins = Twins { folder, disk, bucket, here, there };
        let (mut id, mut left) = (EventId::at(START), Vec::<EventBuf>::new());
        for _ in 0..40 {
            match random.below(20) {
                0..=8 => {
                    for _ in 0..random.between(1, 60) {
                        id = next_id(&mut random, id);
                        let event = event(&mut random, id);
                        twins.both(|store| store.append(&event.as_event()).is_ok());
                        left.push(event);
                    }
                    twins.both(|store| store.publish(id));
                    twins.both(|store| store.flush().is_ok());
                }
                9..=12 => while twins.both(|store| store.merge_due(LATER).unwrap()) {},
                13 | 14 => {
                    let (scope, text) = (scope(&mut random), query(&mut random));
                    let query = Query::parse(&text);
                    twins.both(|store| store.purge(&scope, query.query(), ALL).unwrap().events());
                    left.retain(|event| {
                        let event = event.as_event();
                        !(scope.allows(event.account(), event.system()) && fits(query.query(), &event))
                    });
                }
                15 if !left.is_empty() => {
                    let account = random.pick(&ACCOUNTS);
                    let before = left[random.below(left.len() as u64 / 2 + 1) as usize].id();
                    twins.both(|store| store.expire(account, before));
                    left.retain(|event| event.as_event().account() != account || event.id() >= before);
                }
                16 => {
                    let limit = twins.here.bytes() * random.between(6, 10) / 10;
                    twins.both(|store| store.make_room(limit, |_| 0));
                    // Which of them went, the folder says.
                    left = ACCOUNTS.iter().flat_map(|account| all(&twins.here.reader(), account)).collect();
                    left.sort_by_key(EventBuf::id);
                }
                17 => {
                    // What was expired, and is in a file with others still, is back until it is expired again.
                    for account in ACCOUNTS {
                        let first = left.iter().find(|event| event.as_event().account() == account);
                        let before = first.map_or(id.next(), |event| event.id());
                        twins.both(|store| store.expire(account, before));
                    }
                    while twins.both(|store| store.merge_due(LATER).unwrap()) {}
                    twins.reopen();
                    for account in ACCOUNTS {
                        let first = left.iter().find(|event| event.as_event().account() == account);
                        let before = first.map_or(id.next(), |event| event.id());
                        twins.both(|store| store.expire(account, before));
                    }
                    twins.both(|store| store.publish(id));
                }
                _ => twins.assert_equal_answers(&mut random, &left),
            }
            twins.assert_equal_files();
        }
        twins.assert_equal_answers(&mut random, &left);
    }
}

#[test]
fn opening_with_notes_reads_nothing_and_neither_does_sealing() {
    let (disk, bucket) = (Folder::new("notes"), Bucket::new());
    let mut store = open(&disk, &bucket);
    let events = fill(&mut store, 20, EventId::at(START));
    let none = Calls { lists: 1, puts: 20, ..Calls::default() };
    assert_eq!(bucket.calls(), none);
    let (accounts, bytes) = (store.accounts(), store.bytes());
    drop(store);
    let store = open(&disk, &bucket);
    assert_eq!(bucket.calls(), Calls { lists: 2, ..none });
    assert_eq!((store.accounts(), store.bytes(), store.files()), (accounts.clone(), bytes, 20));
    assert_eq!(store.last_id(), events.last().map(EventBuf::id));
    // What is searched is opened, once.
    assert_all(&store.reader(), &events);
    assert_all(&store.reader(), &events);
    assert_eq!(bucket.calls().opens, 20);
    drop(store);
    // Notes of no use cost an open each, and change nothing.
    for change in [
        |_: Vec<u8>| Vec::new(),
        |mut note: Vec<u8>| {
            note[3] ^= 1;
            note
        },
        |mut note: Vec<u8>| {
            note[0] += 1;
            reseal(&mut note);
            note
        },
        |_| vec![0xff; 3 << 20],
    ] {
        let bucket = bucket.copy();
        for name in bucket.names() {
            bucket.set_about(&name, change(bucket.about(&name)));
        }
        let store = open(&disk, &bucket);
        assert_eq!(bucket.calls().opens, 20);
        assert_eq!((store.accounts(), store.bytes(), store.files()), (accounts.clone(), bytes, 20));
        assert!(store.damage().is_empty());
        assert_all(&store.reader(), &events);
    }
}

/// Makes the checksum of a note right again.
fn reseal(note: &mut [u8]) {
    let end = note.len() - 4;
    let crc = crc32fast::hash(&note[..end]);
    note[end..].copy_from_slice(&crc.to_le_bytes());
}

/// A note with a checksum that fits, and that says what is not so.
#[test]
fn a_note_of_another_file_costs_that_file_and_loses_nothing() {
    let (disk, bucket) = (Folder::new("forged"), Bucket::new());
    let mut store = open(&disk, &bucket);
    let events = fill(&mut store, 9, EventId::at(START));
    drop(store);
    let name = bucket.names()[3].clone();
    let good = bucket.about(&name);
    let mut seen = 0;
    for at in 0..good.len() - 4 {
        for to in [0, 1, good[at] ^ 1, good[at].wrapping_add(1), 0x7f, 0xff] {
            let mut note = good.clone();
            note[at] = to;
            reseal(&mut note);
            bucket.set_about(&name, note);
            let mut store = open(&disk, &bucket.copy());
            while store.merge_due(LATER).unwrap() {}
            store.publish(events.last().unwrap().id());
            for account in ACCOUNTS {
                let page = Page::new().with_limit(1_000);
                let found =
                    store.reader().view(&Scope::account(account)).search(&Query::default(), &page, &mut || true);
                let wanted = of(&events, account);
                assert!(found.events().iter().all(|event| wanted.contains(&event)), "byte {at}: {to}");
                assert!(found.events().is_sorted_by(|left, right| left.id() < right.id()), "byte {at}: {to}");
                let whole = found.events().len() == wanted.len();
                // An account that the note does not name is not looked for in that file.
                let named = String::from_utf8_lossy(&bucket.about(&name)).contains(account);
                assert!(whole || !named || !found.examined().damage().is_empty(), "byte {at}: {to}: {account}");
                seen += usize::from(!found.examined().damage().is_empty());
            }
            drop(store);
        }
    }
    assert!(seen > 50, "{seen}");
    // The right note again, and all is there: nothing was merged away.
    bucket.set_about(&name, good);
    assert_all(&open(&disk, &bucket).reader(), &events);
}

#[test]
fn what_is_listed_twice_or_is_none_of_ours_is_passed_over() {
    #[derive(Debug)]
    struct Twice(Arc<Bucket>);
    impl log_store::Files for Twice {
        fn list(&self) -> std::io::Result<Vec<log_store::Listed>> {
            let once = self.0.list()?;
            let other =
                ["", "/", "alpha", "alpha/1/0000000000000100-0000000000000100.seg", "../0/x", "shared/0/1-2.seg"];
            let others = other.map(|name| log_store::Listed::new(name, 5));
            Ok(once.iter().cloned().chain(others).chain(once.clone()).collect())
        }
        fn open(&self, name: &str) -> std::io::Result<Box<dyn log_store::ReadAt>> {
            self.0.open(name)
        }
        fn put(&self, name: &str, file: &std::path::Path, about: &[u8]) -> std::io::Result<()> {
            self.0.put(name, file, about)
        }
        fn remove(&self, name: &str) -> std::io::Result<()> {
            self.0.remove(name)
        }
    }
    let (disk, bucket) = (Folder::new("twice"), Bucket::new());
    let mut store = open(&disk, &bucket);
    let events = fill(&mut store, 5, EventId::at(START));
    drop(store);
    let store = Store::open_with(disk.path(), Options::new(), Arc::new(Twice(bucket.clone()))).unwrap();
    assert_eq!((store.files(), bucket.names().len(), store.damage().len()), (5, 5, 0));
    assert_all(&store.reader(), &events);
    assert_eq!(bucket.calls().removes, 0);
}

/// What passes is not damage: it is tried again, nothing is marked, and a search says that asking again is worth it.
#[test]
fn a_bucket_that_is_away_for_a_moment_changes_nothing() {
    for kind in [ErrorKind::TimedOut, ErrorKind::ConnectionReset, ErrorKind::PermissionDenied, ErrorKind::Other] {
        let (disk, bucket) = (Folder::new("away"), Bucket::new());
        let mut store = open(&disk, &bucket);
        let events = fill(&mut store, 12, EventId::at(START));
        drop(store);
        let mut store = open(&disk, &bucket);
        bucket.away(Some(kind));
        let is_io = |error: log_store::StoreError| assert_eq!(error.kind(), StoreErrorKind::Io(kind), "{error}");
        for _ in 0..3 {
            is_io(store.merge_due(LATER).unwrap_err());
            is_io(store.purge(&Scope::account("alpha"), Query::parse("secret").query(), ALL).unwrap_err());
        }
        let found = store.reader().view(&Scope::account("alpha")).search(&Query::default(), &Page::new(), &mut || true);
        assert_eq!((found.events().len(), found.examined().damage().is_empty()), (0, false));
        assert!(found.examined().damage().iter().all(|damage| damage.is_passing() && damage.kind().is_passing()));
        // What cannot be put stays in the head, and is seen.
        let id = events.last().unwrap().id().next();
        store.append(&Event::new(id, "alpha", b"one more, secret")).unwrap();
        store.publish(id);
        is_io(store.flush().unwrap_err());
        assert_eq!(store.oldest_unsealed(), Some(id));
        let found = store.reader().view(&Scope::account("alpha")).search(&Query::default(), &Page::new(), &mut || true);
        assert_eq!(found.events().len(), 1);
        // Opening is tried again, too; also if only the list can be had.
        let other = Folder::new("away-too");
        is_io(Store::open_with(other.path(), Options::new(), bucket.clone()).unwrap_err());
        bucket.away(None);
        let without = bucket.copy();
        without.names().iter().for_each(|name| without.set_about(name, Vec::new()));
        without.bad(&without.names()[5], Some(kind));
        is_io(Store::open_with(other.path(), Options::new(), without.clone()).unwrap_err());
        without.bad(&without.names()[5], None);
        assert_eq!(open(&other, &without).damage(), []);
        // Back again: everything is as it would have been.
        let purged = store.purge(&Scope::account("alpha"), Query::parse("secret").query(), ALL).unwrap();
        assert_eq!((purged.events(), purged.unread().len()), (13, 0));
        while store.merge_due(LATER).unwrap() {}
        assert!(store.files() < 6, "{}", store.files());
        assert_eq!(all(&store.reader(), "alpha").len(), 0);
        assert_eq!(all(&store.reader(), "beta").len(), 12);
        assert_eq!(bucket.names().len(), store.files());
    }
}

/// What does not pass is damage, as in a folder.
#[test]
fn a_file_that_is_lost_is_named_and_left_alone() {
    for kind in [ErrorKind::NotFound, ErrorKind::InvalidData, ErrorKind::UnexpectedEof] {
        let (disk, bucket) = (Folder::new("lost"), Bucket::new());
        let mut store = open(&disk, &bucket);
        let events = fill(&mut store, 20, EventId::at(START));
        drop(store);
        let mut store = open(&disk, &bucket);
        store.publish(events.last().unwrap().id());
        let name = bucket.names()[10].clone();
        bucket.bad(&name, Some(kind));
        while store.merge_due(LATER).unwrap() {}
        assert!(store.files() < 20, "others are merged without it");
        let found = store.reader().view(&Scope::account("alpha")).search(&Query::default(), &Page::new(), &mut || true);
        assert_eq!(found.events().len(), 19);
        let [damage] = found.examined().damage() else { panic!("{:?}", found.examined()) };
        assert!(damage.file().to_str() == Some(&*name) && !damage.is_passing(), "{damage}");
        let purged = store.purge(&Scope::account("alpha"), &Query::default(), ALL).unwrap();
        assert_eq!((purged.events(), purged.unread().len()), (19, 1));
        // Without a note it is broken from the beginning, and the store opens all the same.
        bucket.set_about(&name, Vec::new());
        drop(store);
        let store = open(&disk, &bucket);
        assert_eq!(store.damage().len(), 1);
        bucket.bad(&name, None);
        assert_eq!(all(&open(&Folder::new("lost-again"), &bucket).reader(), "alpha").len(), 1, "put back");
    }
}

#[test]
fn the_last_view_that_holds_a_file_has_it_removed() {
    let (disk, bucket) = (Folder::new("views"), Bucket::new());
    let mut store = open(&disk, &bucket);
    let events = fill(&mut store, 10, EventId::at(START));
    let view = store.reader().view(&Scope::account("alpha"));
    let other = view.clone();
    for account in ACCOUNTS {
        assert_eq!(store.expire(account, EventId::MAX).events(), 10);
    }
    assert_eq!((bucket.names().len(), store.files()), (10, 0));
    drop(view);
    assert_eq!(bucket.calls().removes, 0);
    let found = other.search(&Query::default(), &Page::new(), &mut || true);
    assert_eq!(found.events().iter().collect::<Vec<_>>(), of(&events, "alpha"));
    drop((found, other));
    assert_eq!((bucket.names().len(), bucket.calls().removes), (0, 10));
}

/// A merged file may have the name of one that it is not made of, but that is held by a view: that view goes on with what it saw,
/// and takes nothing away when it ends.
#[test]
fn a_name_that_a_view_still_holds_may_be_another_files() {
    for elsewhere in [false, true] {
        let (disk, bucket) = (Folder::new("same-name"), Bucket::new());
        let mut store = if elsewhere { open(&disk, &bucket) } else { kit::open(&disk) };
        let mut n = 0;
        let mut append = |store: &mut Store, accounts: &[&str]| {
            for account in accounts {
                n += 1;
                store.append(&Event::new(EventId::new(n * 256), account, b"a line")).unwrap();
            }
            store.flush().unwrap();
            store.publish(EventId::new(n * 256));
        };
        (0..7).for_each(|_| append(&mut store, &["gamma", "alpha", "beta"]));
        append(&mut store, &["alpha", "beta"]);
        let files = || if elsewhere { bucket.names().len() } else { disk.segments().len() };
        let view = store.reader().view(&Scope::account("alpha"));
        assert!(store.merge_due(LATER).unwrap());
        assert_eq!((store.files(), files()), (1, 9));
        // Of the merged file the lines of the last one are left.
        store.expire("alpha", EventId::new(22 * 256));
        store.expire("beta", EventId::new(23 * 256));
        let room = store.make_room(store.bytes() - 1, |name| if name == "gamma" { 0 } else { u64::MAX });
        assert!(room.is_enough(), "{room:?}");
        let page = Page::new().with_limit(100);
        assert_eq!(view.search(&Query::default(), &page, &mut || true).events().len(), 8);
        drop(view);
        assert_eq!((store.files(), files()), (1, 1));
        assert_eq!(all(&store.reader(), "alpha").len() + all(&store.reader(), "beta").len(), 2);
        drop(store);
        let store = if elsewhere { open(&disk, &bucket) } else { kit::open(&disk) };
        assert_eq!(all(&store.reader(), "alpha").len() + all(&store.reader(), "beta").len(), 2);
    }
}
