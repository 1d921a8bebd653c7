//! What the journal keeps of a delivery: packed, with ids, and as it was when it is read again.

use super::*;
use crate::serve::event::{Body, Record};
use crate::serve::frames;
use crate::serve::journal::{JournalReader, Step, salvage};
use crate::serve::run::{Run, STEP};
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
        assert_eq!(record.run.events, frames::count(record.layout, record.body.bytes()), "{seq}");
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
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/stores/0.1.0-schema-2/journal.db.gz");
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
    db.execute_batch(MIGRATIONS[2]).unwrap();
    db.pragma_update(None, "user_version", SCHEMA).unwrap();
    drop(db);
    // As if each commit had been the last one of a program.
    for _ in 0..6 {
        let mut db = Connection::open(path(&dir)).unwrap();
        let meta = Meta::read(&db).unwrap();
        let mut runs = Runs::default().passed(meta.last_id.unwrap_or(0));
        let (position, emitted) = (meta.position.unwrap(), meta.emitted.unwrap());
        let standing = renewal::Standing { position, emitted, settings: meta.settings.as_deref() };
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
        let salvaged = salvage(&dir, 16, 0).unwrap();
        assert_eq!(salvaged.missing, 0, "{salvaged:?}");
        let read = deliveries(&dir);
        assert_eq!(told(&read), expected);
        let mut store = Store::open(&dir, 16, None).unwrap();
        assert!(keep(&mut store, record("d.shop", 1, 0)).base > expected.last().unwrap().1.last());
    }
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
