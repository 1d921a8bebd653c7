//! Minutes that wait, as at a start or after a pause, and are written together.

use super::block;
use super::gather::{Batch, WAITING};
use super::lasting::Counting;
use super::tests::{Kept, Random, START, asked, engine, owner, settings};
use heroku_metrics::aggregator::{EachRow, Row};
use heroku_metrics::model::{Observation, TagSet, Timestamp, Value};
use logdrain_charts::series::{Function, Grouping, Series, Span};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

const HOUR: i64 = 3_600;

/// A folder that is gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("logdrain-minutes-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Level, metric, drain, where its window begins and how long it is, and the stream's key.
type Place = (i64, String, String, i64, i64, Vec<u8>);

/// Every row that stands, at every level.
fn rows(dir: &Path) -> BTreeMap<Place, Vec<u8>> {
    let db = super::file::reader(dir).unwrap().unwrap();
    let mut read = db
        .prepare(
            "SELECT level, names.name, drains.drain, hour, len, content FROM pieces
             JOIN names ON names.id = pieces.name JOIN drains ON drains.id = pieces.drain ORDER BY pieces.id",
        )
        .unwrap();
    let mut found = read.query([]).unwrap();
    let mut rows = BTreeMap::new();
    while let Some(row) = found.next().unwrap() {
        let (level, name, drain): (i64, String, String) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        let (hour, len): (i64, i64) = (row.get(3).unwrap(), row.get(4).unwrap());
        let block = block::unpack(row.get_ref(5).unwrap().as_blob().unwrap()).unwrap();
        for stream in block::streams(&block) {
            for (index, state) in stream.rows() {
                let start = hour * 3_600_000 + i64::from(index) * len;
                let place = (level, name.clone(), drain.clone(), start, len, stream.key.to_vec());
                rows.insert(place, state.to_vec());
            }
        }
    }
    rows
}

fn answers(of: &Counting) -> Vec<Series> {
    let span = Span { start: START - HOUR, end: START + of.seq.cast_signed() * 60 };
    let mut answers = Vec::new();
    for (name, functions) in [
        ("took", &[Function::Count, Function::Sum, Function::Last, Function::Max, Function::Quantile(0.9)][..]),
        ("failed", &[Function::Sum, Function::Rate]),
    ] {
        for function in functions {
            for (grouping, step) in [(Grouping::Apart, 60), (Grouping::Together, 900), (Grouping::Apart, 3_600)] {
                let question = asked(name, *function, grouping);
                answers.push(of.minutes.series("default", None, &question, span, Some(step), 100).unwrap());
            }
        }
    }
    answers
}

fn tidy(of: &mut Counting) {
    while of.keeper.tidy(&mut of.open).unwrap() {}
}

fn stored_position(dir: &Path) -> Option<i64> {
    super::file::standing(&super::file::reader(dir).unwrap()?, "position").unwrap()
}

/// Tries to write where there is not a page more; `false` when there was room enough.
fn is_refused(of: &mut Counting, batches: &[Batch]) -> bool {
    let pages: i64 = of.open.db.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    of.open.db.pragma_update(None, "max_page_count", pages).unwrap();
    of.keeper.stop.store(true, Ordering::Release);
    let is_refused = of.keeper.write(&mut of.open, batches).is_err();
    of.keeper.stop.store(false, Ordering::Release);
    of.open.db.pragma_update(None, "max_page_count", 1 << 20).unwrap();
    is_refused
}

#[test]
fn minutes_are_the_same_written_one_by_one_or_many_together_over_kills_and_full_disks() {
    const EVENTS: u64 = 700;
    let folders = ["one-by-one", "together"].map(Folder::new);
    let [one_by_one, together] = folders.each_ref().map(|folder| folder.0.as_path());
    let mut random = Random(4_711);
    let mut ones = Counting::start(one_by_one, &(0, Vec::new()));
    while ones.seq < EVENTS {
        ones.step();
        ones.write();
        if random.below(50) == 0 {
            tidy(&mut ones);
        }
    }
    let mut snapshot = (0, Vec::new());
    let mut many = Counting::start(together, &snapshot);
    let (mut kills, mut refusals, mut most) = (0, 0, 0);
    while many.seq < EVENTS || many.gather.position() < EVENTS {
        if many.seq < EVENTS {
            many.step();
            if random.below(60) != 0 && many.seq < EVENTS {
                continue;
            }
        }
        let before = stored_position(together);
        let batches: Vec<Batch> = many.keeper.batches.try_iter().collect();
        most = most.max(batches.len());
        if random.below(3) == 0 && is_refused(&mut many, &batches) {
            refusals += 1;
            assert_eq!(stored_position(together), before, "what is in, and how far, are one");
            if random.below(2) == 0 {
                kills += 1;
                many = Counting::start(together, &snapshot);
                continue;
            }
        }
        if random.below(6) == 0 {
            // All of it is lost before it is written.
            kills += 1;
            many = Counting::start(together, &snapshot);
            continue;
        }
        many.keeper.write(&mut many.open, &batches).unwrap();
        assert!(many.gather.position() >= many.seq);
        match random.below(3) {
            0 => tidy(&mut many),
            1 => snapshot = (many.seq, many.engine.snapshot(b"")),
            _ => {}
        }
    }
    assert!(kills > 2 && refusals > 1 && most > 60, "{kills} kills, {refusals} refusals, {most} minutes together");
    let [a, b] = [&ones, &many].map(answers);
    assert!(a.iter().all(|series| !series.lines.is_empty()));
    assert_eq!(a, b);
    // And at rest every row of every level, to the byte.
    let later = Timestamp::from_unix_seconds(START + EVENTS.cast_signed() * 60 + 4 * HOUR);
    for of in [&mut ones, &mut many] {
        of.minutes.moved(later, &settings());
        tidy(of);
    }
    let [a, b] = [rows(one_by_one), rows(together)];
    assert!([0, 1, 2].iter().all(|level| a.keys().any(|place| place.0 == *level)));
    assert!(a == b, "{} rows one by one, {} together", a.len(), b.len());
    let [a, b] = [&ones, &many].map(answers);
    assert_eq!(a, b);
}

/// Counts one a minute, in as many streams, and commits each minute.
fn count(kept: &mut Kept, streams: usize, minutes: std::ops::Range<i64>) {
    let mut engine = engine();
    for minute in minutes {
        let time = Timestamp::from_unix_seconds(START + minute * 60 + 30);
        for stream in 0..streams {
            let tags = TagSet::from_iter([("dyno", format!("web.{stream}"))]);
            let _ = engine.observe(&Observation::count("paid", Value::plain(1.0), &tags, time));
        }
        engine.finish(&mut EachRow(|row: &Row<'_>| kept.gather.keep(owner("d.1"), row))).unwrap();
        kept.gather.heard(owner("d.1"), time);
        kept.seq += 1;
        kept.minutes.moved(Timestamp::from_unix_seconds(START + minute * 60 + 60), &settings());
        let _ = kept.gather.commit(kept.seq).unwrap();
    }
}

fn sum(kept: &Kept) -> f64 {
    let span = Span { start: START, end: START + 5 * HOUR };
    let series = kept.ask(&asked("paid", Function::Sum, Grouping::Together), span, 60);
    series.lines.iter().flat_map(|line| &line.values).flatten().sum()
}

/// How many pieces of each level and freshness there are.
fn pieces(kept: &Kept) -> BTreeMap<(i64, i64), i64> {
    let mut read = kept.open.db.prepare("SELECT level, fresh, count(*) FROM pieces GROUP BY level, fresh").unwrap();
    let found = read.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).unwrap();
    found.map(Result::unwrap).collect()
}

#[test]
fn an_hour_that_waited_is_one_piece_and_is_added_up_at_once() {
    let mut kept = Kept::new("hours");
    count(&mut kept, 5, 0..150);
    kept.write();
    assert_eq!(sum(&kept), 750.0);
    // Two hours that are over, with their quarters and hours, and of the third what has come.
    assert_eq!(pieces(&kept), BTreeMap::from([((0, 0), 2), ((0, 2), 1), ((1, 0), 2), ((2, 0), 2)]));
    // The rest of it, and one minute more.
    count(&mut kept, 5, 150..185);
    kept.write();
    assert_eq!(sum(&kept), 925.0);
    assert_eq!(pieces(&kept), BTreeMap::from([((0, 0), 3), ((0, 2), 1), ((1, 0), 3), ((2, 0), 3)]));
    // A late row of a full hour writes none of it again.
    count(&mut kept, 1, 20..21);
    kept.write();
    assert_eq!(pieces(&kept), BTreeMap::from([((0, 0), 3), ((0, 2), 2), ((1, 0), 3), ((2, 0), 3)]));
    assert_eq!(sum(&kept), 925.0, "it stands for what was there");
}

#[test]
fn what_waits_for_a_disk_is_bounded_and_a_commit_that_waits_is_told_to_stop() {
    let mut kept = Kept::new("bounded");
    // Nobody writes.
    kept.keeper.stop.store(true, Ordering::Release);
    let mut engine = engine();
    let mut is_stopped = false;
    for minute in 0..10_000 {
        let time = Timestamp::from_unix_seconds(START + minute * 60 + 30);
        for stream in 0..500 {
            let tags = TagSet::from_iter([("dyno", format!("web.{stream}"))]);
            let _ = engine.observe(&Observation::count("paid", Value::plain(1.0), &tags, time));
        }
        let mut keep = EachRow(|row: &Row<'_>| kept.gather.keep(owner("d.1"), row));
        kept.seq += 1;
        if engine.finish(&mut keep).is_err() || kept.gather.commit(kept.seq).is_err() {
            is_stopped = true;
            break;
        }
    }
    assert!(is_stopped);
    let waiting: usize = kept.keeper.batches.try_iter().map(|batch| batch.bytes()).sum();
    assert!(waiting > WAITING / 2 && waiting <= WAITING, "{waiting} bytes");
    assert!(!kept.keeper.batches.is_behind());
}

#[test]
fn a_minute_that_comes_alone_is_written_and_waits_for_no_other() {
    let folder = Folder::new("alone");
    let mut counting = Counting::start(&folder.0, &(0, Vec::new()));
    while counting.keeper.batches.try_iter().count() == 0 {
        counting.step();
    }
    let Counting { mut gather, keeper, minutes, seq, .. } = Counting::start(&folder.0, &(0, Vec::new()));
    let keeper = std::thread::spawn(move || keeper.run());
    for next in [seq + 1, seq + 2, seq + 3] {
        gather.begin(next);
        gather.heard(owner("d.1"), Timestamp::from_unix_seconds(START + 60 * next.cast_signed()));
        // It is on the disk though nothing follows it.
        while !gather.commit(next).unwrap() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(stored_position(&folder.0), Some(next.cast_signed()));
    }
    assert_eq!(minutes.drains("default").unwrap(), ["d.1"]);
    drop(gather);
    keeper.join().unwrap();
}
