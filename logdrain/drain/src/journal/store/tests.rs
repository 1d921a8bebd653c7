//! What the journal keeps of a delivery: packed, with ids, and as it was when it is read again.

use super::*;
use crate::event::{Body, Record};
use crate::journal::meta::Meta;
use crate::journal::{Events as _, JournalReader, Kept, Offer, Step, salvage, salvage_part};
use crate::parts::{Part, Parts};
use crate::run::{Run, STEP};
use crate::settings::account::{OwnDrain, Search};
use crate::settings::change::tests::settings;
use crate::settings::change::{Change, Misfit};
use crate::settings::digest::Digest;
use crate::settings::{APPS_OF_ONE, DrainSettings};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("logdrain-journal-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn nothing_old() -> Old {
    Old { behind: 0, before: Timestamp::from_unix_micros(i64::MIN), ids: false, rows: 0, given: 0 }
}

const NOON: i64 = 1_773_480_413_518_134;

fn body(lines: usize) -> Vec<u8> {
    let line = |n| format!("<190>1 2026-03-14T09:26:53Z host app web.1 - line {n} of it\n");
    (0..lines).map(line).flat_map(|line| format!("{} {line}", line.len()).into_bytes()).collect()
}

fn record(drain: &str, lines: usize, micros: i64) -> Record {
    let mut record = Record {
        peer: Some(IpAddr::from([192, 0, 2, 7])),
        ..Record::new(drain.into(), Timestamp::from_unix_micros(micros), Body::new(body(lines), None))
    };
    record.body.pack(None);
    record
}

fn keep(store: &mut Store, record: Record) -> Run {
    let offer = Offer { key: None, event: Event::Delivery(record) };
    match store.append(vec![offer], 0, &mut nothing_old()).unwrap().remove(0) {
        Kept::New(Entry { event: Event::Delivery(record), .. }) => record.run,
        other => panic!("{other:?}"),
    }
}

/// Every delivery that can be read, by its number.
fn deliveries(dir: &Path) -> BTreeMap<u64, Record> {
    let reader = JournalReader::open(dir).unwrap();
    let mut found = BTreeMap::new();
    let mut last = 0;
    while let Some(seq) = reader.next_after(last).unwrap() {
        if let Step::Event(Entry { event: Event::Delivery(record), .. }) = reader.read(seq).unwrap() {
            found.insert(seq, record);
        }
        last = seq;
    }
    found
}

/// Ids rise from delivery to delivery and none stands twice.
fn assert_ids_rise(deliveries: &BTreeMap<u64, Record>) {
    let mut last = 0;
    for (seq, record) in deliveries {
        assert!(record.run.base > last, "{seq}: {:?} behind {last}", record.run);
        assert_eq!(record.run.events, record.layout.frames(record.body.bytes()).count() as u64, "{seq}");
        last = record.run.last();
    }
}

#[test]
fn a_delivery_is_kept_packed_and_read_as_it_came() {
    let dir = scratch("packed");
    let mut store = Store::open(&dir, 16, None).unwrap();
    let long = keep(&mut store, record("d.1", 1_000, NOON));
    let short = keep(&mut store, record("d.1", 1, NOON));
    let none = keep(&mut store, record("d.1", 0, NOON));
    let more = keep(&mut store, Record { peer: Some("2001:db8::1".parse().unwrap()), ..record("d.1", 2, NOON) });
    assert_eq!(long, Run { base: (NOON as u64 / 1_000) << 20, events: 1_000 });
    assert_eq!((short.base, none.base, more.base), (long.base + 1_000 * STEP, long.base + 1_001 * STEP, none.base));
    store.settle().unwrap();
    let read = deliveries(&dir);
    let lines: Vec<_> = read.values().map(|record| record.body.bytes().to_vec()).collect();
    assert_eq!(lines, [body(1_000), body(1), body(0), body(2)]);
    assert_eq!(read[&4].peer, Some("2001:db8::1".parse().unwrap()));
    assert_eq!(read[&1].peer, Some("192.0.2.7".parse().unwrap()));
    let stored: i64 =
        store.db.query_row("SELECT length(body) FROM journal WHERE seq = 1", [], |row| row.get(0)).unwrap();
    assert!(stored * 4 < body(1_000).len() as i64, "{stored}");
}

#[test]
fn ids_rise_over_restarts_and_a_clock_that_is_set_back_also_when_nothing_is_kept_of_the_last() {
    let dir = scratch("ids");
    let mut last = 0;
    for (round, off) in [0, -3_600_000_000, 5_000, -86_400_000_000, 1].into_iter().enumerate() {
        let mut store = Store::open(&dir, 16, None).unwrap();
        for lines in [3, 0, 5_000] {
            let run = keep(&mut store, record("d.1", lines, NOON + off));
            assert!(run.base > last, "{round}");
            if lines > 0 {
                last = run.last();
            }
        }
        let mut old = Old { behind: u64::MAX >> 1, before: Timestamp::from_unix_micros(i64::MAX), ..nothing_old() };
        old.rows = 100;
        store.give_back(&mut old).unwrap();
        assert_eq!(old.given, 3);
    }
}

#[test]
fn each_part_of_a_delivery_is_under_its_checksum() {
    let dir = scratch("flips");
    let mut store = Store::open(&dir, 16, None).unwrap();
    keep(&mut store, record("d.1", 100, NOON));
    let reader = JournalReader::open(&dir).unwrap();
    for wrong in [
        "peer = x'c0000208'",
        "peer = NULL",
        "peer = x'00'",
        "layout = 1",
        "layout = NULL",
        "events = events + 1",
        "events = NULL",
        "base = base + 256",
        "base = NULL",
        "base = 'text'",
        "raw = raw - 1",
        "raw = NULL",
        "raw = 1 << 40",
        "peer = NULL, layout = NULL, events = NULL, base = NULL, raw = NULL",
        "body = substr(body, 1, length(body) - 1)",
        "body = x''",
        "at = at + 1",
        "drain = 'd.2'",
    ] {
        store.db.execute_batch("SAVEPOINT sound").unwrap();
        store.db.execute(&format!("UPDATE journal SET {wrong}"), []).unwrap();
        store.db.execute_batch("RELEASE sound").unwrap();
        assert!(matches!(reader.read(1).unwrap(), Step::Damaged { seq: 1, .. }), "{wrong}");
        // As it was.
        store.db.execute("DELETE FROM journal", []).unwrap();
        let mut again = record("d.1", 100, NOON);
        again.run.base = (NOON as u64 / 1_000) << 20;
        insert(&store.db, 1, &Event::Delivery(again)).unwrap();
        assert!(matches!(reader.read(1).unwrap(), Step::Event(_)), "{wrong}");
    }
}

/// The store in `testdata/stores` that a program wrote which gave no ids.
fn old_store(name: &str) -> PathBuf {
    let dir = scratch(name);
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stores/0.1.0-schema-2/journal.db.gz");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(packed).unwrap()).read_to_end(&mut bytes).unwrap();
    fs::write(path(&dir), bytes).unwrap();
    dir
}

type Told = Vec<(u64, Run, Vec<u8>)>;

fn told(deliveries: &BTreeMap<u64, Record>) -> Told {
    deliveries.iter().map(|(seq, record)| (*seq, record.run, record.body.bytes().to_vec())).collect()
}

#[test]
fn deliveries_of_an_older_program_get_ids_once() {
    let dir = old_store("old");
    let before = deliveries(&dir);
    assert!(before.values().all(|record| !record.run.is_given()), "it is read without them, too");
    drop(Store::open(&dir, 16, None).unwrap());
    let after = deliveries(&dir);
    assert_ids_rise(&after);
    assert_eq!(after.len(), 4);
    for (seq, record) in &after {
        assert_eq!(record.body.bytes(), before[seq].body.bytes());
        assert_eq!((record.received, record.peer), (before[seq].received, None));
        assert_eq!(record.run.base >> 20, record.received.unix_micros() as u64 / 1_000, "{seq}");
    }
    // Opened again, and in another copy: the same ones.
    let mut store = Store::open(&dir, 16, None).unwrap();
    assert_eq!(told(&deliveries(&dir)), told(&after));
    let other = old_store("old-again");
    drop(Store::open(&other, 16, None).unwrap());
    assert_eq!(told(&deliveries(&other)), told(&after));
    let next = keep(&mut store, record("d.shop", 1, 0));
    assert_eq!(next.base, after.values().last().unwrap().run.last() + STEP);
}

#[test]
fn a_renewal_that_was_broken_off_goes_on() {
    let whole = old_store("whole");
    drop(Store::open(&whole, 16, None).unwrap());
    let dir = old_store("broken-off");
    let db = Connection::open(path(&dir)).unwrap();
    MIGRATIONS[2..].iter().for_each(|migration| db.execute_batch(migration).unwrap());
    db.pragma_update(None, "user_version", SCHEMA).unwrap();
    drop(db);
    // As if each commit had been the last one of a program.
    for _ in 0..6 {
        let mut db = Connection::open(path(&dir)).unwrap();
        let meta = Meta::read(&db).unwrap();
        let mut runs = Runs::default().passed(meta.last_id.unwrap_or(0));
        let (position, emitted) = (meta.position.unwrap(), meta.emitted.unwrap());
        let (settings, accounts) = (meta.settings.as_deref(), meta.accounts.unwrap_or(0));
        let standing = renewal::Standing { part: Part::WHOLE, position, emitted, settings, accounts };
        renewal::run_some(&mut db, &mut runs, &standing, 1, 1).unwrap();
    }
    drop(Store::open(&dir, 16, None).unwrap());
    assert_eq!(told(&deliveries(&dir)), told(&deliveries(&whole)));
}

#[test]
fn a_damaged_journal_is_salvaged_with_the_ids_that_it_has() {
    for is_old in [true, false] {
        let dir = old_store(if is_old { "salvage-old" } else { "salvage-new" });
        let twin = old_store("salvage-twin");
        drop(Store::open(&twin, 16, None).unwrap());
        let mut expected = told(&deliveries(&twin));
        if !is_old {
            let mut store = Store::open(&dir, 16, None).unwrap();
            let run = keep(&mut store, record("d.shop", 40, NOON));
            store.settle().unwrap();
            expected.push((9, run, body(40)));
        }
        // No table can be found any more, and every page is looked through.
        let mut bytes = fs::read(path(&dir)).unwrap();
        bytes[100..120].fill(0xff);
        fs::write(path(&dir), bytes).unwrap();
        let salvaged = salvage(&dir, 16, 0, None).unwrap();
        assert_eq!(salvaged.missing, 0, "{salvaged:?}");
        let read = deliveries(&dir);
        assert_eq!(told(&read), expected);
        let mut store = Store::open(&dir, 16, None).unwrap();
        assert!(keep(&mut store, record("d.shop", 1, 0)).base > expected.last().unwrap().1.last());
    }
}

#[test]
fn a_partition_is_what_it_was_made_as_and_its_ids_say_so() {
    let dir = scratch("part");
    let part = |number: usize, count| Parts::new(count).unwrap().each().nth(number).unwrap();
    let open = |part| Store::open_part(part, &dir, 16, None);
    // Nothing is in it yet.
    drop(open(Part::WHOLE).unwrap());
    let mut store = open(part(3, 4)).unwrap();
    let run = keep(&mut store, record("d.1", 2, NOON));
    assert_eq!(run.base, (NOON as u64 / 1_000) << 20 | 3);
    drop(store);
    for other in [Part::WHOLE, part(2, 4), part(3, 5)] {
        let error = open(other).unwrap_err();
        assert!(error.is_final() && !error.is_damage(), "{error}");
        let said = format!("the journal was made as partition 3 of 4 and cannot be {other}: ");
        assert!(error.to_string().starts_with(&said), "{error}");
    }
    // A record that is damaged says nothing; events do.
    let mut last = run.last();
    for wrong in [
        "DELETE FROM meta WHERE key = 'part'",
        "UPDATE meta SET value = value + 1 WHERE key = 'part'",
        "UPDATE meta SET value = 'text' WHERE key = 'part'",
        "UPDATE meta SET value = 7 WHERE key = 'last_id'",
    ] {
        Connection::open(path(&dir)).unwrap().execute(wrong, []).unwrap();
        for _ in 0..2 {
            let mut store = open(part(3, 4)).unwrap();
            let run = keep(&mut store, record("d.1", 1, 0));
            assert_eq!(run.base, last + STEP, "{wrong}");
            last = run.last();
        }
        assert!(open(Part::WHOLE).is_err(), "{wrong}");
    }
    // Nor does what is salvaged of it become another one.
    let mut bytes = fs::read(path(&dir)).unwrap();
    bytes[100..120].fill(0xff);
    fs::write(path(&dir), bytes).unwrap();
    salvage_part(part(3, 4), &dir, 16, 0, None).unwrap();
    assert!(open(Part::WHOLE).is_err());
    assert_eq!(keep(&mut open(part(3, 4)).unwrap(), record("d.1", 1, 0)).base, last + STEP);
    // What was made before there were partitions is the only one.
    let dir = old_store("part-old");
    assert!(Store::open_part(part(0, 2), &dir, 16, None).is_err());
    drop(Store::open(&dir, 16, None).unwrap());
}

#[test]
fn a_record_that_speaks_of_a_partition_where_there_is_none_is_put_right_once() {
    let dir = scratch("part-made-up");
    let run = keep(&mut Store::open(&dir, 16, None).unwrap(), record("d.1", 2, NOON));
    Connection::open(path(&dir)).unwrap().execute("INSERT INTO meta VALUES ('part', 1027)", []).unwrap();
    drop(Store::open(&dir, 16, None).unwrap());
    assert!(JournalReader::open(&dir).unwrap().standing().unwrap().2.is_empty());
    assert_eq!(keep(&mut Store::open(&dir, 16, None).unwrap(), record("d.1", 1, 0)).base, run.last() + STEP);
}

#[test]
fn a_record_of_where_the_journal_stands_that_is_damaged_takes_no_id_twice() {
    let dir = scratch("meta");
    let mut store = Store::open(&dir, 16, None).unwrap();
    let last = keep(&mut store, record("d.1", 40, NOON)).last();
    drop(store);
    for wrong in [
        "DELETE FROM meta WHERE key = 'last_id'",
        "UPDATE meta SET value = value - 512 WHERE key = 'last_id'",
        "UPDATE meta SET value = 1 << 62 WHERE key = 'last_id'",
        "UPDATE meta SET value = 'text' WHERE key = 'last_id'",
    ] {
        let db = Connection::open(path(&dir)).unwrap();
        db.execute(wrong, []).unwrap();
        drop(db);
        drop(Store::open(&dir, 16, None).unwrap());
        let mut store = Store::open(&dir, 16, None).unwrap();
        let run = keep(&mut store, record("d.1", 1, 0));
        assert!(run.base > last && run.base < last + (1 << 20), "{wrong}: {run:?}");
    }
}

fn ask(store: &mut Store, changes: &[Change]) -> Vec<Kept> {
    let offer =
        |change: &Change| Offer { key: None, event: Event::Change { change: Box::new(change.clone()), id: None } };
    store.append(changes.iter().map(offer).collect(), 0, &mut nothing_old()).unwrap()
}

fn add_search(account: &str, name: &str) -> Change {
    let search = Search { name: name.to_owned(), ..Search::default() };
    Change::AddSearch { account: account.to_owned(), search }
}

fn configured(dir: &Path) -> Store {
    let mut store = Store::open(dir, 4, None).unwrap();
    let event = Event::Settings(Box::new(settings()));
    store.append(vec![Offer { key: None, event }], 0, &mut nothing_old()).unwrap();
    store
}

#[test]
fn changes_are_events_with_the_number_that_they_gave_and_hold_from_then_on() {
    let dir = scratch("changes");
    let mut store = configured(&dir);
    let remove = Change::RemoveSearch { account: "shop".to_owned(), id: 1_000 };
    let asked = [add_search("shop", "one"), add_search("blog", "two"), remove.clone(), remove, add_search("shop", "x")];
    let kept = ask(&mut store, &asked);
    let ids: Vec<_> = kept
        .iter()
        .map(|kept| match kept {
            Kept::Changed(Entry { seq, event: Event::Change { id, .. } }) => Ok((*seq, *id)),
            Kept::Unfit(unfit) => Err(unfit.kind),
            other => panic!("{other:?}"),
        })
        .collect();
    let given =
        [Ok((2, Some(1_000))), Ok((3, Some(1_001))), Ok((4, Some(1_000))), Err(Misfit::NotFound), Ok((5, Some(1_002)))];
    assert_eq!(ids, given);
    let known = store.settings().unwrap().clone();
    assert_eq!(
        (known.account("shop").searches.len(), known.account("blog").searches[&1_001].name.as_str()),
        (1, "two")
    );
    // A configuration that is read again takes nothing of it; and a start finds all of it.
    let event = Event::Settings(Box::new(Settings { window_ms: 30_000, ..settings() }));
    store.append(vec![Offer { key: None, event }], 0, &mut nothing_old()).unwrap();
    let now = Settings { window_ms: 30_000, ..Settings::clone(&known) };
    assert_eq!(**store.settings().unwrap(), now);
    drop(store);
    let store = Store::open(&dir, 4, None).unwrap();
    assert_eq!(**store.settings().unwrap(), now);
    // What the journal says is the same.
    let (reader, mut told) = (JournalReader::open(&dir).unwrap(), settings());
    for seq in 1..=store.position() {
        match reader.read(seq).unwrap() {
            Step::Event(Entry { event: Event::Change { change, id }, .. }) => {
                assert_eq!(told.replay(&change, id), Ok(id))
            }
            Step::Event(Entry { event: Event::Settings(said), .. }) => told.configure(&said),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, now);
}

#[test]
fn a_commit_that_fails_changes_nothing() {
    let dir = scratch("changes-fail");
    let mut store = configured(&dir);
    ask(&mut store, &[add_search("shop", "one")]);
    let known = store.settings().unwrap().clone();
    // Somebody else holds the file.
    let other = Connection::open(path(&dir)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM ids").unwrap();
    store.db.busy_timeout(Duration::ZERO).unwrap();
    let event = Event::Change { change: Box::new(add_search("shop", "two")), id: None };
    assert!(store.append(vec![Offer { key: None, event }], 0, &mut nothing_old()).is_err());
    assert!(Arc::ptr_eq(store.settings().unwrap(), &known));
    drop(other);
    store.recall().unwrap();
    assert_eq!(**store.settings().unwrap(), *known);
    ask(&mut store, &[add_search("shop", "three")]);
    let searches = &store.settings().unwrap().account("shop").searches;
    let names: Vec<_> = searches.iter().map(|(id, search)| (*id, search.name.as_str())).collect();
    assert_eq!(names, [(1_000, "one"), (1_001, "three")]);
}

#[test]
fn names_of_apps_and_places_of_drains_have_bounds_whoever_asks_at_once() {
    let mut store = configured(&scratch("changes-bounds"));
    let call = |drain: &str| Change::App { drain: drain.to_owned(), app: "app".to_owned(), instead: None };
    let made_up: Vec<_> = (0..20).map(|number| call(&format!("shop/d.{number}"))).collect();
    let kept = ask(&mut store, &made_up);
    assert_eq!(kept.iter().filter(|kept| matches!(kept, Kept::Changed(_))).count(), APPS_OF_ONE);
    assert!(matches!(ask(&mut store, &[call("shop/d.0")])[..], [Kept::Unfit(_)]), "it is called so already");
    let drain = |name: &str| {
        let own = OwnDrain { read: DrainSettings::default(), credentials: Digest::of(name), tokens: Vec::new() };
        Change::AddDrain { account: "shop".to_owned(), name: format!("shop.{name}"), drain: own }
    };
    let kept = ask(&mut store, &["a", "b", "c", "d", "e"].map(drain));
    let Some(Kept::Unfit(unfit)) = kept.last() else { panic!("{kept:?}") };
    assert!(unfit.kind == Misfit::TooMany && unfit.why.contains("max_drains is 4, and 4 have one"), "{unfit}");
    assert_eq!(store.settings().unwrap().named_drains().count(), 4);
}

#[test]
fn what_an_account_had_is_found_again_when_its_row_is_damaged() {
    for (name, sql) in [
        ("changed", "UPDATE accounts SET value = replace(value, 'one', 'eno') WHERE name = 'shop'"),
        ("gone", "DELETE FROM accounts WHERE name = 'shop'"),
        ("typed", "UPDATE accounts SET crc = 'x' WHERE name = 'blog'"),
    ] {
        let dir = scratch(&format!("changes-{name}"));
        let mut store = configured(&dir);
        ask(&mut store, &[add_search("shop", "one"), add_search("blog", "two")]);
        let (at, first) = (store.position(), store.settings().unwrap().clone());
        ask(&mut store, &[add_search("shop", "three")]);
        let known = store.settings().unwrap().clone();
        drop(store);
        let damage = Connection::open(path(&dir)).unwrap();
        damage.execute_batch(sql).unwrap();
        // Deleted rows are read from their pages otherwise.
        damage.execute_batch("VACUUM").unwrap();
        drop(damage);
        assert!(Store::open(&dir, 4, None).unwrap_err().is_damage(), "{name}");
        // By the events alone, and by those behind a snapshot when the others were given back.
        salvage(&dir, 4, 0, None).unwrap();
        let store = Store::open(&dir, 4, None).unwrap();
        assert_eq!(store.settings().unwrap(), &known, "{name}");
        drop(store);
        let damage = Connection::open(path(&dir)).unwrap();
        damage.execute_batch(sql).unwrap();
        damage.execute("DELETE FROM journal WHERE seq <= ?1", [signed(at)]).unwrap();
        damage.execute_batch("VACUUM").unwrap();
        drop(damage);
        salvage(&dir, 4, at, Some(&first)).unwrap();
        assert_eq!(Store::open(&dir, 4, None).unwrap().settings().unwrap(), &known, "{name}");
    }
}

#[test]
fn a_journal_that_was_set_aside_is_removed_a_day_after_a_purge_and_not_before() {
    use crate::settings::purge::Purge;
    let dir = scratch("aside");
    let mut store = configured(&dir);
    let hours = |hours: i64| Timestamp::from_unix_micros(NOON + hours * 3_600_000_000);
    let aside = ["journal.damaged-1.db", "journal.damaged-1.db-wal"].map(|name| dir.join(name));
    aside.iter().for_each(|path| fs::write(path, "4111").unwrap());
    // Without a purge it stays for whoever wants to look at it.
    store.purge_aside(&dir, hours(1_000)).unwrap();
    assert!(aside.iter().all(|path| path.exists()));
    let purge = Change::Purge { account: "default".to_owned(), purge: Purge::default(), at: NOON };
    let later = Change::Destroy { account: "shop".to_owned(), at: NOON + 3_600_000_000, upto: 0 };
    assert!(ask(&mut store, &[purge, later]).iter().all(|kept| matches!(kept, Kept::Changed(_))));
    store.purge_aside(&dir, hours(23)).unwrap();
    assert!(aside.iter().all(|path| path.exists()));
    // Also when the program was started again meanwhile.
    drop(store);
    let mut store = Store::open(&dir, 10, None).unwrap();
    store.purge_aside(&dir, hours(24)).unwrap();
    assert!(!aside.iter().any(|path| path.exists()));
    assert!(dir.join("journal.db").exists());
    // One that is set aside after that goes with the next purge.
    fs::write(&aside[0], "4111").unwrap();
    store.purge_aside(&dir, hours(24)).unwrap();
    assert!(aside[0].exists());
    store.purge_aside(&dir, hours(25)).unwrap();
    assert!(!aside[0].exists());
    fs::remove_dir_all(dir).unwrap();
}
