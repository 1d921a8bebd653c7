//! What a row takes on the disk, and how long an answer takes beside reading and unpacking what it is made of. Ratios
//! of time are printed, not held: `LOGDRAIN_FIGURES=1 cargo test --release -p logdrain-drain figures --nocapture` is the long form.

use super::block;
use super::tables::Tables;
use super::tests::{Kept, Random, START, asked, engine, owner};
use heroku_metrics::aggregator::{EachRow, Row};
use heroku_metrics::model::{Kind, Observation, TagSet, Timestamp, Unit, Value};
use logdrain_charts::series::{Function, Grouping, Span};
use std::time::Duration;

/// What streams hold in a minute.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum What {
    Count,
    /// Of a dyno: three values a minute.
    Sample,
    /// Whole milliseconds, as the router writes them.
    Whole(usize),
    /// With three decimal places.
    Decimal(usize),
}

fn is_long() -> bool {
    std::env::var_os("LOGDRAIN_FIGURES").is_some()
}

/// Like latencies: most about 20, some far beyond.
fn latency(random: &mut Random) -> f64 {
    let sum: f64 = (0..6).map(|_| random.below(1_000) as f64 / 1_000.0).sum::<f64>() - 3.0;
    20.0 * (sum * 1.2).exp()
}

pub(super) fn fill<T: Tables>(kept: &mut Kept<T>, name: &str, what: What, (streams, minutes): (usize, i64)) {
    let (mut engine, mut random) = (engine(), Random(11));
    let tags: Vec<TagSet> = (0..streams)
        .map(|stream| {
            let dyno = format!("web.{}", stream % 25 + 1);
            let path = format!("/items/{}", stream / 25);
            TagSet::from_iter([("app_name", "shop"), ("dyno", &dyno), ("path", &path)])
        })
        .collect();
    for minute in 0..minutes {
        for (number, tags) in tags.iter().enumerate() {
            let count = match what {
                What::Count => 1 + random.below(40) as usize,
                What::Sample => 3,
                What::Whole(count) | What::Decimal(count) => count,
            };
            for nth in 0..count {
                let micros = (nth as i64 * 60_000_000 / count as i64) + random.below(500_000) as i64;
                let time = Timestamp::from_unix_micros((START + minute * 60) * 1_000_000 + micros.min(59_999_999));
                let (kind, unit, value) = match what {
                    What::Count => (Kind::Count, Unit::NONE, 1.0),
                    // "sample#memory_total=498.53MB", in bytes.
                    What::Sample => {
                        let megabytes = 300.0 + number as f64 + random.below(4_000) as f64 / 100.0;
                        (Kind::Sample, Unit::BYTES, (megabytes * 100.0).round() / 100.0 * 1_048_576.0)
                    }
                    What::Whole(_) => (Kind::Measure, Unit::MILLISECONDS, latency(&mut random).round()),
                    What::Decimal(_) => {
                        (Kind::Measure, Unit::MILLISECONDS, (latency(&mut random) * 1_000.0).round() / 1_000.0)
                    }
                };
                let _ = engine.observe(&Observation::new(kind, name, Value::new(value, unit), tags, time));
            }
        }
        let now = START + minute * 60 + 120;
        let mut keep = EachRow(|row: &Row<'_>| kept.gather.keep(owner("shop/d.1"), row));
        engine.advance(Timestamp::from_unix_seconds(now), &mut keep).unwrap();
        kept.commit(now);
        if minute % 15 == 14 {
            kept.tidy();
        }
    }
    kept.commit(START + minutes * 60 + 7_200);
    kept.tidy();
}

/// Bytes and rows of a level.
fn size(kept: &Kept, level: i64) -> (usize, usize, usize) {
    let db = super::file::reader(&kept.dir).unwrap().unwrap();
    let mut read = db.prepare("SELECT content FROM pieces WHERE level = ?1").unwrap();
    let pieces: Vec<Vec<u8>> = read.query_map([level], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let rows = pieces.iter().map(|piece| {
        let block = block::unpack(piece).unwrap();
        block::streams(&block).map(|stream| stream.rows().count()).sum::<usize>()
    });
    (pieces.iter().map(Vec::len).sum(), rows.sum(), pieces.len())
}

#[test]
fn a_row_takes_few_bytes_over_an_hour() {
    for (what, most) in
        [(What::Count, 40.0), (What::Sample, 40.0), (What::Whole(100), 150.0), (What::Decimal(100), 150.0)]
    {
        for streams in [1, if is_long() { 300 } else { 30 }] {
            let mut kept = Kept::new(&format!("size-{what:?}-{streams}").replace(['(', ')'], ""));
            fill(&mut kept, "m", what, (streams, 60));
            let (bytes, rows, pieces) = size(&kept, 0);
            let a_row = bytes as f64 / rows as f64;
            println!("{what:?}, {streams} streams: {a_row:.1} bytes a row, {rows} rows in {pieces} pieces");
            assert_eq!(rows, streams * 60);
            assert!(a_row <= most, "{what:?}, {streams} streams: {a_row:.1} bytes a row");
        }
    }
}

/// The least time of a processor, so that whatever else runs here is no part of it.
fn least(mut run: impl FnMut()) -> Duration {
    let time = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    };
    let took = |_| {
        let began = time();
        run();
        time().saturating_sub(began)
    };
    (0..5).map(took).min().unwrap_or_default()
}

/// What counting takes with and without keeping: lines as they come, each with a value, and 100 streams.
#[test]
fn keeping_takes_little_of_what_counting_takes() {
    let tags: Vec<TagSet> = (0..100).map(|stream| TagSet::from_iter([("dyno", format!("web.{stream}"))])).collect();
    let values = |stream: usize, nth: i64| ((stream as i64 * 31 + nth * 17) % 997) as f64;
    let count = |kept: &mut Option<Kept>| {
        let mut engine = engine();
        for minute in 0..20 {
            for nth in 0..60 {
                for (stream, tags) in tags.iter().enumerate() {
                    let time = Timestamp::from_unix_seconds(START + minute * 60 + nth);
                    let value = Value::new(values(stream, nth), Unit::MILLISECONDS);
                    let _ = engine.observe(&Observation::measure("took", value, tags, time));
                }
            }
            let now = Timestamp::from_unix_seconds(START + minute * 60 + 120);
            match kept {
                Some(kept) => {
                    engine.advance(now, &mut EachRow(|row: &Row<'_>| kept.gather.keep(owner("d.1"), row))).unwrap();
                }
                None => {
                    let mut sum = 0.0;
                    let mut look = EachRow(|row: &Row<'_>| {
                        sum += row.point().stats().sum();
                        Ok::<(), ()>(())
                    });
                    engine.advance(now, &mut look).unwrap();
                }
            }
        }
    };
    let without = least(|| count(&mut None));
    let mut kept = Some(Kept::new("cost"));
    let with = least(|| {
        count(&mut kept);
        let _ = kept.as_ref().map(|kept| kept.keeper.batches.try_iter().count());
    });
    let more = with.as_secs_f64() / without.as_secs_f64();
    println!(
        "the engine alone takes {without:.1?} for 120,000 values and 2,000 rows, with keeping {with:.1?}: {more:.3} x"
    );
}

#[test]
fn an_answer_takes_little_longer_than_reading_what_it_is_made_of() {
    let long = [(300, 1_440, 900, 1), (10_000, 60, 60, 0)];
    let short = [(20, 120, 900, 1), (200, 60, 60, 0)];
    for (streams, minutes, step, level) in if is_long() { long } else { short } {
        for what in [What::Count, What::Sample, What::Whole(if streams > 300 { 3 } else { 10 })] {
            let mut kept = Kept::new(&format!("time-{what:?}-{streams}").replace(['(', ')'], ""));
            fill(&mut kept, "m", what, (streams, minutes));
            let db = super::file::reader(&kept.dir).unwrap().unwrap();
            let read = least(|| {
                let mut read = db.prepare_cached("SELECT content FROM pieces WHERE level = ?1").unwrap();
                let mut rows = read.query([level]).unwrap();
                let mut bytes = 0;
                while let Some(row) = rows.next().unwrap() {
                    bytes += block::unpack(row.get_ref(0).unwrap().as_blob().unwrap()).unwrap().len();
                }
                assert!(bytes > 0);
            });
            let span = Span { start: START, end: START + minutes * 60 };
            let functions: &[Function] = match what {
                What::Whole(_) => &[Function::Avg, Function::Quantile(0.95)],
                _ => &[Function::Sum],
            };
            for function in functions {
                for grouping in [Grouping::Together, Grouping::By(vec!["dyno".to_owned()])] {
                    let question = asked("m", *function, grouping.clone());
                    let took = least(|| {
                        let series = kept.ask(&question, span, step);
                        assert_eq!((series.step, series.more), (step, 0));
                    });
                    println!(
                        "{what:?}, {streams} streams, {} minutes, {function:?} {grouping:?}: {took:.1?}, {:.2} x reading ({read:.1?})",
                        minutes,
                        took.as_secs_f64() / read.as_secs_f64(),
                    );
                }
            }
        }
    }
}
