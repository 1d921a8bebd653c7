//! Disks that are full or damaged under the file of minutes.

use super::ask::Circumstances;
use super::file;
use super::gather::Batch;
use super::open::Opened;
use super::past::{self, Wanted};
use super::tables::TableError;
use super::tests::{Kept, START, asked, engine, owner};
use super::{MinutesError, tags};
use heroku_metrics::aggregator::{EachRow, Row};
use heroku_metrics::model::{Observation, TagSet, Timestamp, Value};
use logdrain_charts::series::{Function, Grouping, Span};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600;

/// Names that no packing makes short.
const fn name(stream: usize) -> u64 {
    (stream as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Counts one a minute, in as many streams.
fn count(kept: &mut Kept, streams: usize, minutes: std::ops::Range<i64>) {
    let mut engine = engine();
    for minute in minutes {
        let time = Timestamp::from_unix_seconds(START + minute * 60 + 30);
        for stream in 0..streams {
            let tags = TagSet::from_iter([("dyno", format!("{:016x}", name(stream)))]);
            let _ = engine.observe(&Observation::count("paid", Value::plain(1.0), &tags, time));
        }
    }
    engine.finish(&mut EachRow(|row: &Row<'_>| kept.gather.keep(owner("d.1"), row))).unwrap();
}

fn sum(kept: &Kept) -> f64 {
    let span = Span { start: START, end: START + 4 * HOUR };
    let series = kept.ask(&asked("paid", Function::Sum, Grouping::Together), span, 60);
    series.lines.iter().flat_map(|line| &line.values).flatten().sum()
}

fn said(kept: &Kept) -> (u64, Vec<String>) {
    let mut lines = Vec::new();
    let wrong = super::check(&kept.dir, &mut |line| lines.push(line.to_owned()));
    (wrong, lines)
}

fn set_aside(kept: &Kept) -> Vec<PathBuf> {
    let files = std::fs::read_dir(&kept.dir).unwrap().flatten().map(|entry| entry.path());
    files.filter(|path| path.to_string_lossy().contains("minutes.damaged-")).collect()
}

#[test]
fn of_many_names_the_first_are_told_and_the_others_counted_and_the_search_ends_in_time() {
    let mut kept = Kept::new("names");
    let mut observe = |names: std::ops::Range<i64>, minute: i64| {
        let mut engine = engine();
        let time = Timestamp::from_unix_seconds(START + minute * 60);
        for name in names {
            let name = format!("name.{name:03}");
            let _ = engine.observe(&Observation::count(&name, Value::plain(1.0), &TagSet::default(), time));
        }
        engine.finish(&mut EachRow(|row: &Row<'_>| kept.gather.keep(owner("d.1"), row))).unwrap();
    };
    observe(0..60, 1);
    observe(40..100, 2);
    kept.commit(START + HOUR);
    let names = |most: usize| kept.minutes.names("default", None, "name", most).unwrap();
    let (told, more) = names(3);
    assert_eq!((told, more), (["name.000", "name.001", "name.002"].map(str::to_owned).to_vec(), 97));
    assert_eq!((names(0), names(1_000).0.len(), names(1_000).1), ((vec![], 100), 100, 0));
    // The time of an answer is over: also when nothing fits.
    let db = file::reader(&kept.dir).unwrap().unwrap();
    let about = kept.minutes.about("default", None);
    let about = Circumstances { until: Instant::now().checked_sub(Duration::from_millis(1)).unwrap(), ..about };
    for text in ["name", "other"] {
        let found = tags::names(Some(&db), &Opened::default(), text, 3, &about);
        assert!(matches!(found, Err(MinutesError::TooLong)), "{text}: {found:?}");
    }
    let wanted = Wanted { metric: &|_| false, with_percentiles: false, hours: (0, i64::MAX) };
    let found = past::rows(&db, wanted, &about, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(found, Err(MinutesError::TooLong)), "{found:?}");
}

#[test]
fn rows_that_find_no_room_are_written_once_there_is_some() {
    let mut kept = Kept::new("full");
    count(&mut kept, 5, 0..10);
    kept.commit(START + HOUR);
    let before = sum(&kept);
    assert_eq!(before, 50.0);
    // Not a page more.
    let pages: i64 = kept.open.db.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    kept.open.db.pragma_update(None, "max_page_count", pages).unwrap();
    count(&mut kept, 2_000, 60..62);
    kept.seq += 1;
    let _ = kept.gather.commit(kept.seq).unwrap();
    let batches: Vec<Batch> = kept.keeper.batches.try_iter().collect();
    assert!(!batches.is_empty());
    let position = kept.keeper.kept.load(Ordering::Acquire);
    // Whoever writes goes on trying until it is told to stop.
    kept.keeper.stop.store(true, Ordering::Release);
    assert!(kept.keeper.write(&mut kept.open, &batches).is_err());
    let counts = kept.minutes.counts();
    assert!(counts.is_failing.load(Ordering::Relaxed) && counts.failures.load(Ordering::Relaxed) > 0);
    assert_eq!(kept.keeper.kept.load(Ordering::Acquire), position, "the journal keeps what is not written");
    assert_eq!(sum(&kept), before, "all of it or nothing, and what was there is answered");
    assert_eq!(said(&kept).0, 0, "a full disk damages nothing: {:?}", said(&kept));
    kept.open.db.pragma_update(None, "max_page_count", 1 << 20).unwrap();
    kept.keeper.write(&mut kept.open, &batches).unwrap();
    assert!(!kept.minutes.counts().is_failing.load(Ordering::Relaxed));
    kept.keeper.stop.store(false, Ordering::Release);
    kept.commit(START + 4 * HOUR);
    assert_eq!(sum(&kept), before + 2.0 * 2_000.0);
}

#[test]
fn a_file_that_is_damaged_is_set_aside_and_what_comes_is_kept() {
    let mut kept = Kept::new("damaged");
    count(&mut kept, 300, 0..60);
    kept.commit(START + HOUR);
    kept.tidy();
    assert!(said(&kept).0 == 0 && said(&kept).1[0].contains("of 1 metrics and 1 drains"), "{:?}", said(&kept));
    assert_eq!(sum(&kept), 300.0 * 60.0);
    // Every page from the third on, under whoever has it open.
    kept.open.db.execute_batch("PRAGMA wal_checkpoint(truncate)").unwrap();
    let path = file::path(&kept.dir);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.iter_mut().skip(2 * 8_192).for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&path, &bytes).unwrap();
    assert!(said(&kept).0 > 0, "{:?}", said(&kept));
    kept.open = kept.keeper.opened().unwrap();
    count(&mut kept, 7, 60..70);
    kept.commit(START + 2 * HOUR);
    assert_eq!(set_aside(&kept).len(), 1, "{:?}", said(&kept));
    assert_eq!(sum(&kept), 70.0, "what comes is kept");
    let (wrong, lines) = said(&kept);
    assert!(wrong == 0 && lines[0].contains("was damaged, and a server set it aside"), "{lines:?}");
    assert!(!kept.minutes.counts().is_failing.load(Ordering::Relaxed));
    // No file of ours at all.
    kept.open.db.execute_batch("PRAGMA wal_checkpoint(truncate)").unwrap();
    std::fs::write(&path, vec![7_u8; 30_000]).unwrap();
    assert!(file::open(&kept.dir).as_ref().err().is_some_and(TableError::is_damage));
    kept.open = kept.keeper.opened().unwrap();
    assert_eq!(sum(&kept), 0.0, "whoever had asked before asks the new file");
    // Cut to nothing.
    std::fs::write(&path, "").unwrap();
    assert!(said(&kept).0 == 1 && said(&kept).1.concat().contains("it is empty"), "{:?}", said(&kept));
    let before = kept.keeper.aside.load(Ordering::Acquire);
    kept.open = kept.keeper.opened().unwrap();
    assert_eq!(kept.keeper.aside.load(Ordering::Acquire), before + 1);
}

#[test]
fn a_piece_that_is_damaged_is_a_gap_and_is_named() {
    let mut kept = Kept::new("piece");
    for hour in 0..3 {
        count(&mut kept, 20, hour * 60..hour * 60 + 60);
        kept.commit(START + (hour + 1) * HOUR);
    }
    kept.tidy();
    let all = sum(&kept);
    assert_eq!(all, 3.0 * 60.0 * 20.0);
    let change = "UPDATE pieces SET content = zeroblob(length(content)) WHERE level = 0 AND hour = ?1";
    let changed = kept.open.db.execute(change, [START / HOUR + 1]).unwrap();
    assert!(changed > 0);
    assert_eq!(sum(&kept), all * 2.0 / 3.0, "the other hours are answered");
    let (wrong, lines) = said(&kept);
    assert_eq!(wrong, changed as u64, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("is damaged: its minutes are a gap")), "{lines:?}");
}
