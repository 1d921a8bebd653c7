//! Rows A1, A2 and M1 to M3: calls of the allocator, and octets on the heap.

use crate::Options;
use crate::print::Goal;
use family_benches::groups::{Groups, every_stream_once};
use family_benches::timing::{heap_calls, in_use};
use family_benches::{hot, ours};
use metric_model::{DataPoint, Observation, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, MinuteSketch, Sketch};
use std::convert::Infallible;

pub(crate) fn goals(options: &Options, goals: &mut Vec<Goal>) -> Result<(), String> {
    if options.wants(&["A1"]) {
        goals.push(Goal::at_most("A1", "heap calls a line, warm", warm_calls()?, "", 0.0, 0.0));
    }
    if options.wants(&["A2", "M3"]) {
        let (calls, octets) = many_groups()?;
        goals.push(Goal::at_most("A2", "heap calls a new stream", calls, "", 4.0, 2.0));
        goals.push(Goal::at_most("M3", "100,000 router groups, a million records", octets, "MB", 85.0, 60.0));
    }
    if options.wants(&["M1", "M2"]) {
        goals.push(Goal::at_most(
            "M1",
            "an idle known distribution, besides its tag set",
            distribution(1, true)?,
            "B",
            128.0,
            64.0,
        ));
        for (values, must, aim) in [(10, 256.0, 136.0), (100, 1_536.0, 900.0), (10_000, 4_096.0, 2_048.0)] {
            let octets = distribution(values, false)?;
            let sketch = sketch(values);
            goals.push(Goal::at_most("M2", format!("a sketch alone after {values} values"), sketch, "B", must, aim));
            goals.push(Goal::at_most(
                "M2",
                format!("a distribution after {values} values, all of its stream's state"),
                octets,
                "B",
                must,
                aim,
            ));
        }
    }
    Ok(())
}

fn warm_calls() -> Result<f64, String> {
    let mut whole = ours::Whole::new();
    // All delivery ids that are remembered, and all sketches with their counters.
    (0..10_000).for_each(|_| {
        whole.ingest(b"");
    });
    let receipt = whole.ingest(hot().body());
    (0..100).for_each(|_| {
        whole.ingest(hot().body());
    });
    let mut agrees = true;
    let calls = heap_calls(|| agrees = whole.ingest(hot().body()) == receipt);
    if agrees { Ok(calls as f64 / hot().truth().lines as f64) } else { Err("A1: its counts are wrong".to_owned()) }
}

/// Heap calls a stream when each comes once, and the octets that a million records take, by Zipf's law.
fn many_groups() -> Result<(f64, f64), String> {
    const GROUPS: u64 = 100_000;
    const RECORDS: u64 = 1_000_000;
    let first = every_stream_once(GROUPS);
    // The body goes before the memory is counted.
    let before = in_use() - first.capacity();
    let mut whole = ours::Whole::new();
    let calls = heap_calls(|| {
        whole.ingest(&first);
    });
    let streams = whole.pipeline().aggregator().streams();
    drop(first);
    let mut groups = Groups::new(GROUPS, 7);
    let mut lines = GROUPS;
    while lines < RECORDS {
        let part = groups.body(10_000.min(RECORDS - lines));
        lines += 10_000.min(RECORDS - lines);
        whole.ingest(&part);
    }
    let octets = in_use() - before - groups.heap();
    if whole.finish().requests != RECORDS {
        return Err("M3: its counts are wrong".to_owned());
    }
    Ok((calls as f64 / streams as f64, octets as f64 / 1e6))
}

/// Octets of a sketch with so many values, on the heap and off it.
fn sketch(values: u32) -> f64 {
    let before = in_use();
    let mut sketch = MinuteSketch::new();
    (0..values).for_each(|value| sketch.record(latency(value)));
    (size_of::<MinuteSketch>() + in_use() - before) as f64
}

/// Latencies between 5 and 1,500 ms.
fn latency(value: u32) -> f64 {
    5.0 + f64::from(value % 997) * 1.5
}

/// Octets of the heap for a distribution with so many values in the minute, or after it, besides its tag set.
fn distribution(values: u32, idle: bool) -> Result<f64, String> {
    let streams = if values > 1_000 { 1_000 } else { 20_000 };
    let tag_sets: Vec<TagSet> = (0..streams).map(|n| TagSet::from_iter([("user", n.to_string())])).collect();
    let text: usize = tag_sets.iter().map(|tags| size_of::<TagSet>() + tags.text_len()).sum();
    let before = in_use();
    let mut engine = Aggregator::new(AggregatorConfig::new()).map_err(|error| error.to_string())?;
    for value in 0..values {
        for tags in &tag_sets {
            let value = Value::new(latency(value), Unit::MILLISECONDS);
            let _ = engine.observe(&Observation::measure("query", value, tags, Timestamp::from_unix_seconds(0)));
        }
    }
    let mut written = 0;
    if idle {
        let mut sink = |point: &DataPoint<'_>| {
            written += point.stats().observations();
            Ok::<(), Infallible>(())
        };
        let Ok(()) = engine.finish(&mut sink);
    }
    let octets = in_use() - before;
    let expected = u64::from(values) * tag_sets.len() as u64;
    if engine.ledger().accepted() != expected || (idle && written != expected) {
        return Err("M1, M2: the counts are wrong".to_owned());
    }
    Ok((octets - text) as f64 / tag_sets.len() as f64)
}
