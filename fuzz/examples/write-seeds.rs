//! Writes the seeds that nobody writes by hand: `cargo run --manifest-path fuzz/Cargo.toml --example write-seeds`.
//!
//! They are what real state looks like. The fuzzer breaks it.

use alert_rules::{LogRules, MetricRules, Tick};
use core::convert::Infallible;
use family_fuzz::stored::Original;
use family_fuzz::{alerts, content, row_content};
use heroku_metrics::syslog::{Delivery, Frames};
use heroku_metrics::{Pipeline, PipelineConfig};
use log_query::Fields;
use metric_model::{DataPoint, Kind, Observation, Stats, Summary, TagSet, Timestamp, Unit, Value, Window};
use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, MinuteSketch, Persist, Precision, Row, RowBuf, Sketch};
use std::io::Result;
use std::path::Path;
use testkit::random::Random;

fn main() -> Result<()> {
    let demo = std::fs::read(testkit::testdata().join("demo.logplex"))?;
    let body = |frames: usize| {
        let end = Frames::new(&demo).flatten().take(frames).map(|raw| raw.offset() + raw.wire_len()).last();
        &demo[..end.unwrap_or(0) as usize]
    };

    for (name, frames) in [("empty", 0), ("one", 1), ("few", 12), ("more", 40)] {
        let mut pipeline = Pipeline::new(PipelineConfig::new()).expect("the defaults agree");
        let id = format!("{frames:032x}");
        pipeline.ingest(
            &Delivery::new(body(frames))
                .with_header("Logplex-Frame-Id", id.as_bytes())
                .with_header("Logplex-Drain-Token", b"d.1"),
        );
        let bytes = pipeline.snapshot(b"here");
        write("restore", name, content(&bytes))?;
        if frames > 0 {
            let mut rows: Vec<RowBuf> = Vec::new();
            let Ok(()) =
                pipeline.finish(&mut EachRow(|row: &Row<'_>| Ok::<(), Infallible>(rows.push(row.to_row_buf()))));
            for row in rows.iter().step_by(1 + rows.len() / 4) {
                write("row", &format!("{}-{name}", row.name()), row_content(&row.to_bytes()))?;
            }
        }
        write("resume", name, &[&[1][..], content(&bytes)].concat())?;
        // The position of the pipeline's aggregator is the pipeline's own state.
        let (_, state) = Aggregator::restore(AggregatorConfig::new(), &bytes).expect("our own snapshot");
        write("resume", &format!("{name}-state"), &[&[0][..], &state].concat())?;
    }

    for (name, count) in [("none", 0), ("few", 5), ("list", 40), ("counters", 200), ("many", 5_000)] {
        for (digits, precision) in [("two", Precision::TwoDigits), ("three", Precision::ThreeDigits)] {
            let mut random = Random::new(count);
            let mut sketch = MinuteSketch::with_precision(precision);
            (0..count).for_each(|_| sketch.record(random.latency(300) as f64 / 8.0 - 2.0));
            let mut bytes = Vec::new();
            sketch.encode(&mut bytes);
            write("sketch", &format!("{name}-{digits}"), &bytes)?;
        }
    }

    // Many values, and what others have summed among them: of that no line of the demo says anything.
    for (name, count, summed) in [("list", 40, false), ("counters", 200, false), ("summed", 40, true)] {
        let mut engine = Aggregator::new(AggregatorConfig::new()).expect("the defaults agree");
        let (mut random, none, time) = (Random::new(count), TagSet::new(), Timestamp::from_unix_seconds(7));
        for _ in 0..count {
            let value = Value::plain(random.latency(300) as f64 / 8.0 - 2.0);
            let _ = engine.observe(&Observation::measure("query", value, &none, time));
        }
        if summed {
            let stats = Stats::sample(12, 540.0, 20.0, 110.0, 31.0);
            let _ = engine.summary(&Summary::new(Kind::Measure, "query", Unit::NONE, &none, time, stats));
            write("restore", name, content(&engine.snapshot(b"here")))?;
        }
        let mut rows: Vec<RowBuf> = Vec::new();
        let Ok(()) = engine.finish(&mut EachRow(|row: &Row<'_>| Ok::<(), Infallible>(rows.push(row.to_row_buf()))));
        write("row", name, row_content(&rows[0].to_bytes()))?;
    }

    let at = Timestamp::from_unix_seconds;
    let mut lines = LogRules::new(Tick::new(1, at(0)));
    let mut minutes = MetricRules::new(alerts::MINUTE);
    alerts::log_rules().into_iter().for_each(|(rule, is)| assert!(lines.set(rule, is)));
    alerts::metric_rules().into_iter().for_each(|(rule, is)| assert!(minutes.set(rule, is)));
    for step in 0..8_u64 {
        let window = Window::containing(at(60 * step as i64), alerts::MINUTE);
        for line in 0..5 {
            lines.event(10 * step + 2 + line, at(60 * step as i64), &Fields::new(b"shop", b"app", b"boom a"));
        }
        let tags = TagSet::from_iter([("dyno", "web.1")]);
        for (name, kind, stats) in
            [("load", Kind::Sample, Stats::sample(1, 2.0, 2.0, 2.0, 2.0)), ("count", Kind::Count, Stats::count(1, 0.5))]
        {
            minutes.point("shop", &DataPoint::new(window, kind, name, Unit::NONE, &tags, stats));
        }
        write("alert_state", &format!("lines-{step}"), alerts::content(&lines.state()))?;
        write("alert_state", &format!("minutes-{step}"), alerts::content(&minutes.state()))?;
        let tick = Tick::new(10 * step + 9, window.end());
        lines.tick(tick);
        minutes.tick(tick, window.end());
    }
    minutes.unknown(at(480), at(700));
    minutes.clear(1);
    write("alert_state", "minutes-unknown", alerts::content(&minutes.state()))?;

    for target in ["programs", "merge", "sketch", "row"] {
        for (seed, len) in [(1, 40), (2, 200), (3, 800), (4, 2_000)] {
            let mut random = Random::new(seed);
            let bytes: Vec<u8> = (0..len).map(|_| random.bits() as u8).collect();
            write(target, &format!("random-{len}"), &bytes)?;
        }
    }

    // Recovery, limits, tidiness, number of cuts, cuts, body.
    for (recovery, name) in [(0, "stop"), (1, "resync")] {
        write("reader", name, &[&[recovery, 5, 3, 1, 4, 7, 30, 255, 63], body(6)].concat())?;
        let damaged = [body(2), b"999999999 lost", &body(4)[body(2).len()..], b"\r\n \n007 <1>"].concat();
        write("reader", &format!("{name}-damaged"), &[&[recovery, 4, 1, 0, 3, 0, 64, 200], &damaged[..]].concat())?;
    }

    // One byte says what is done to it: 0 a few bytes changed or a piece cut, 1 bytes set and forged, 2 the file itself.
    let original = Original::new().bytes;
    write("segment", "file", &[&[2][..], &original].concat())?;
    write("segment", "as-it-is", &[0])?;
    write("segment", "cut-in-half", &[&[0, 2][..], &(original.len() as u16 / 2).to_le_bytes()].concat())?;
    for at in (0..original.len() as u16).step_by(original.len() / 24) {
        let [low, high] = at.to_le_bytes();
        write("segment", &format!("flip-{at}"), &[0, 0, 0, low, high, 1])?;
        write("segment", &format!("hole-{at}"), &[0, 3, low, high, 9, 0])?;
        write("segment", &format!("set-{at}"), &[1, low, high, 0xff])?;
    }
    // The same: 0 bytes set, 1 the same with a checksum that fits, 2 the note itself. It has some eighty bytes.
    write("note", "as-it-is", &[0])?;
    write("note", "none", &[2])?;
    for at in (0..80_u8).step_by(4) {
        write("note", &format!("set-{at}"), &[0, at, 0, 1])?;
        write("note", &format!("forged-{at}"), &[1, at, 0, 1])?;
    }
    for (seed, len) in [(1, 60), (2, 200), (3, 500)] {
        let mut random = Random::new(seed);
        let bytes: Vec<u8> = (0..len).map(|_| random.bits() as u8).collect();
        for (number, query) in
            ["needle", "timeout -red", "program:app OR \"a: a\"", "severity:error"].into_iter().enumerate()
        {
            write("store_query", &format!("random-{len}-{number}"), &[&[20][..], &bytes, query.as_bytes()].concat())?;
        }
    }
    Ok(())
}

fn write(target: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), bytes)
}
