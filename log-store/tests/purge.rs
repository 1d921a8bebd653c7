//! What was purged is in no file any more, and all else is where it was.

mod kit;

use kit::{ACCOUNTS, Folder, fill, fits, open, plain, query, scope};
use log_query::Query;
use log_store::{Event, EventBuf, EventId, Options, Order, Page, Reader, Scope, Store, StoreErrorKind};
use testkit::random::Random;

fn all(reader: &Reader, account: &str) -> Vec<EventBuf> {
    let page = Page::new().with_order(Order::Oldest).with_limit(1_000_000).with_bytes(usize::MAX);
    let found = reader.view(&Scope::account(account)).search(&Query::default(), &page, &mut || true);
    assert!(found.examined().damage().is_empty(), "{:?}", found.examined());
    found.into_events()
}

#[test]
fn what_is_left_is_what_a_plain_list_has_left() {
    for seed in 0..if kit::long() { 400 } else { 25 } {
        let mut random = Random::new(seed);
        let folder = Folder::new("purge");
        let mut store = open(&folder);
        let (mut id, mut left) = (EventId::at(1_700_000_000_000_000), Vec::<EventBuf>::new());
        for _ in 0..6 {
            left.extend(fill(&mut random, &mut store, 150, id));
            id = left.last().unwrap().as_event().id();
            while random.chance(300) && store.merge_due(i64::MAX / 4).unwrap() {}
            let view = store.reader().view(&Scope::account("alpha"));
            let before = all(&store.reader(), "alpha");
            let (scope, text) = (scope(&mut random), query(&mut random));
            let query = Query::parse(&text);
            let mut edge = || left[random.below(left.len() as u64) as usize].as_event().id();
            let (one, other) = (edge(), edge());
            let ids = if seed % 3 == 0 { EventId::new(0)..EventId::MAX } else { one.min(other)..one.max(other) };
            let is_gone = |event: &Event<'_>| {
                ids.contains(&event.id()) && scope.allows(event.account(), event.system()) && fits(query.query(), event)
            };
            let count = left.len();
            left.retain(|event| !is_gone(&event.as_event()));
            let purged = store.purge(&scope, query.query(), ids.clone()).unwrap();
            assert_eq!(purged.events() as usize, count - left.len(), "{seed}: {text}");
            assert!(purged.unread().is_empty());
            // A view that began before sees what it saw.
            let page = Page::new().with_order(Order::Oldest).with_limit(1_000_000).with_bytes(usize::MAX);
            let seen = view.search(&Query::default(), &page, &mut || true);
            assert!(seen.events() == before && seen.examined().damage().is_empty(), "{seed}");
            drop(view);
            assert_eq!(store.purge(&scope, query.query(), ids).unwrap().events(), 0, "once");
            // Here, from the files alone, and after a restart.
            for again in 0..3 {
                if again == 2 {
                    drop(store);
                    store = open(&folder);
                }
                let reader =
                    if again == 1 { Reader::open(folder.path(), &Options::new()).unwrap() } else { store.reader() };
                for account in ACCOUNTS {
                    let wanted = plain(&left, &Scope::account(account), &Query::default(), None, EventId::MAX);
                    let there = all(&reader, account);
                    assert!(there.iter().eq(wanted.iter().copied()), "{seed}: {account}: {text}");
                    if again != 1 {
                        let report = store.accounts().into_iter().find(|report| report.name() == account);
                        assert_eq!(report.map_or(0, |report| report.events()) as usize, wanted.len());
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_left_can_be_searched_merged_and_expired() {
    let folder = Folder::new("purge-on");
    let mut store = open(&folder);
    let at = |n: u64| EventId::at(1_700_000_000_000_000 + n as i64 * 1_000_000);
    for n in 0..400 {
        let text = format!("number {n} {}", if n % 3 == 0 { "card 4111" } else { "plain" });
        store.append(&Event::new(at(n), "shop", text.as_bytes())).unwrap();
        if n % 20 == 19 {
            store.flush().unwrap();
        }
    }
    store.publish(at(400));
    let card = Query::parse("4111");
    assert_eq!(store.purge(&Scope::account("shop"), card.query(), at(0)..at(400)).unwrap().events(), 134);
    // The first and the last file lost their ends, and keep their names.
    let names = folder.segments();
    assert_eq!(names.len(), 20);
    while store.merge_due(at(400).unix_micros() + 7_200_000_000).unwrap() {}
    assert!(folder.segments().len() < 20);
    assert_eq!(all(&store.reader(), "shop").len(), 266);
    assert_eq!(store.expire("shop", at(1_000)).events(), 266);
    assert!(folder.segments().is_empty());
}

#[test]
fn a_file_of_which_all_lines_go_is_gone_at_once_also_while_somebody_looks() {
    let folder = Folder::new("purge-all");
    let mut store = open(&folder);
    store.append(&Event::new(EventId::new(256), "shop", b"a secret")).unwrap();
    store.publish(EventId::new(256));
    store.flush().unwrap();
    let view = store.reader().view(&Scope::account("shop"));
    let purged = store.purge(&Scope::account("shop"), &Query::default(), EventId::new(0)..EventId::MAX).unwrap();
    assert_eq!((purged.events(), purged.files()), (1, 1));
    assert!(folder.segments().is_empty());
    let found = view.search(&Query::default(), &Page::new(), &mut || true);
    assert_eq!(found.events().len(), 1, "as before");
    drop(view);
    // What is not published yet goes, too.
    store.append(&Event::new(EventId::new(512), "shop", b"a secret")).unwrap();
    let purged = store.purge(&Scope::account("shop"), Query::parse("secret").query(), EventId::new(0)..EventId::MAX);
    assert_eq!(purged.unwrap().events(), 1);
    drop(store);
    assert_eq!(open(&folder).accounts().iter().map(|account| account.events()).sum::<u64>(), 0);
}

#[test]
fn what_cannot_be_read_is_named_and_what_cannot_be_written_is_as_it_was() {
    let folder = Folder::new("purge-broken");
    let mut store = open(&folder);
    for n in 1..=2 {
        store.append(&Event::new(EventId::new(n * 256), "shop", b"a secret that is long enough to be packed")).unwrap();
        store.flush().unwrap();
    }
    store.publish(EventId::new(512));
    drop(store);
    let damaged = folder.segments()[0].clone();
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[40] ^= 0x55;
    std::fs::write(&damaged, bytes).unwrap();
    let mut store: Store = open(&folder);
    let everything = EventId::new(0)..EventId::MAX;
    let purged = store.purge(&Scope::account("shop"), &Query::default(), everything.clone()).unwrap();
    assert_eq!((purged.events(), purged.unread()), (1, &[damaged][..]));
    // A folder in the place of the next unfinished file, as a full disk would be.
    store.append(&Event::new(EventId::new(768), "shop", b"one more")).unwrap();
    store.append(&Event::new(EventId::new(1_024), "shop", b"another")).unwrap();
    store.flush().unwrap();
    store.publish(EventId::new(1_024));
    let dir = folder.segments()[1].parent().unwrap().to_owned();
    let mut readonly = std::fs::metadata(&dir).unwrap().permissions();
    readonly.set_readonly(true);
    std::fs::set_permissions(&dir, readonly.clone()).unwrap();
    let refused = store.purge(&Scope::account("shop"), Query::parse("another").query(), everything.clone());
    #[expect(clippy::permissions_set_readonly_false, reason = "it goes away with the test")]
    readonly.set_readonly(false);
    std::fs::set_permissions(&dir, readonly).unwrap();
    // Who is root is let in all the same.
    if let Err(error) = refused {
        assert!(matches!(error.kind(), StoreErrorKind::Io(_)), "{error}");
        assert_eq!(all(&store.reader(), "shop").len(), 2);
    }
    store.purge(&Scope::account("shop"), Query::parse("another").query(), everything).unwrap();
    let reader = Reader::open(folder.path(), &Options::new()).unwrap();
    let page = Page::new().with_limit(10);
    let found = reader.view(&Scope::account("shop")).search(&Query::default(), &page, &mut || true);
    assert_eq!(found.events().len(), 1);
}

/// Files that other accounts need, and files of which only some lines are old enough, hold what was expired until they are written
/// again: after a restart that would be back.
#[test]
fn what_was_expired_and_is_in_a_file_still_is_purged_too() {
    let folder = Folder::new("purge-expired");
    let mut store = open(&folder);
    let mut n = 0;
    for _ in 0..3 {
        for account in ACCOUNTS {
            for text in ["a secret", "other"] {
                n += 1;
                store.append(&Event::new(EventId::new(n * 256), account, text.as_bytes())).unwrap();
            }
        }
        store.flush().unwrap();
    }
    store.publish(EventId::new(n * 256));
    // All of the first file that alpha has in it, and of the second one the secret.
    store.expire("alpha", EventId::new(8 * 256));
    let everything = EventId::MIN..EventId::MAX;
    let purged = store.purge(&Scope::account("alpha"), Query::parse("secret").query(), everything.clone()).unwrap();
    assert!(purged.unread().is_empty());
    assert_eq!(all(&store.reader(), "alpha").len(), 2);
    drop(store);
    let mut store = open(&folder);
    let found = all(&store.reader(), "alpha");
    assert!(found.iter().all(|event| event.as_event().message() == b"other"), "{found:?}");
    assert_eq!((all(&store.reader(), "beta").len(), all(&store.reader(), "gamma").len()), (6, 6));
    assert_eq!(store.purge(&Scope::account("alpha"), Query::parse("secret").query(), everything).unwrap().events(), 0);
}
