//! Memory at its worst, as an allocator counts it, stays under what the configuration promises; and the heap is left
//! alone once streams are known. One test alone, since all tests of a program share the allocator.
#![allow(missing_docs)]

use metric_model::{DataPoint, Kind, Metric, Observation, Record, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, MinuteSketch, Precision, Refusal, Sketch, StreamQuota};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::convert::Infallible;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn in_use() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Heap calls, growth of lists included.
fn calls(work: impl FnOnce()) -> usize {
    let region = Region::new(HEAP);
    work();
    let change = region.change();
    change.allocations + change.reallocations
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// Any finite double: every sign and order of magnitude.
    fn double(&mut self) -> f64 {
        let value = f64::from_bits(self.below(1 << 31) << 33 | self.below(1 << 31));
        if value.is_finite() { value } else { 1.0 }
    }
}

fn times() -> u64 {
    if std::env::var_os("HEROKU_METRICS_LONG").is_some() { 20 } else { 1 }
}

/// An attacker who chooses everything: names, tags of all lengths, times, values of all magnitudes, and which columns of a
/// record have one.
fn flood(config: AggregatorConfig, advance: bool, full: Refusal) {
    let bound = config.max_memory();
    let long = "x".repeat(3_000);
    let mut random = Random(7);
    let mut most = 0;
    let before = in_use();
    let mut engine = Aggregator::new(config.with_family(&REQUEST)).unwrap();
    let mut nowhere = |_: &DataPoint<'_>| Ok::<(), Infallible>(());
    for n in 0..150_000 * times() {
        let name = format!("metric.{}", random.below(40));
        let tag = format!("{}{}", random.below(5_000), &long[..random.below(20).pow(2) as usize * 8]);
        let tags = TagSet::from_iter([("user", tag.as_str()), ("a", ""), ("b", "1")]);
        let kind = [Kind::Count, Kind::Sample, Kind::Measure, Kind::Measure][random.below(4) as usize];
        let minute = if advance { n / 5_000 } else { random.below(400) };
        let time = Timestamp::from_unix_seconds(minute as i64 * 60);
        let value = Value::plain(if kind == Kind::Count { 1.0 } else { random.double() });
        if n % 5 == 0 {
            let columns = random.below(16);
            let values = [0, 1, 2, 3].map(|column| (columns >> column & 1 == 1).then(|| random.double().abs()));
            engine.record(&Record::new(&REQUEST, &values, &tags, time), |_, _| ());
        } else {
            let _ = engine.observe(&Observation::new(kind, &name, value, &tags, time));
        }
        if n % 64 == 0 {
            most = most.max(in_use() - before);
            assert!(engine.memory() <= bound);
        }
        if advance && n % 500 == 0 {
            engine.advance(time, &mut nowhere).unwrap();
        }
    }
    assert!(most <= bound, "{most} of {bound}");
    assert!(most * 12 > bound, "the bound is no fantasy: {most} of {bound}");
    let ledger = engine.ledger();
    assert!(ledger.balances());
    assert!(ledger.refused_as(full) > 1_000, "the limit was reached: {ledger:?}");
    engine.finish(&mut nowhere).unwrap();
    assert!(engine.memory() <= bound);
    drop(engine);
    assert_eq!(in_use(), before, "everything is given back");
}

/// All streams of a plan dense, all windows open.
fn dense_plan() {
    let config = AggregatorConfig::new()
        .with_default_precision(Precision::ThreeDigits)
        .with_quota(StreamQuota::tag_sets(300))
        .with_max_streams(400)
        .with_max_key_bytes(64 << 10)
        .with_max_window_bytes(24 << 20);
    let bound = config.max_memory();
    let before = in_use();
    let mut engine = Aggregator::new(config).unwrap();
    let mut most = 0;
    for user in 0..400 {
        let tags = TagSet::from_iter([("user", user.to_string())]);
        for n in 0..1_200_u32 {
            let time = Timestamp::from_unix_seconds(i64::from(n % 8) * 60);
            let value = Value::plain(f64::from(n) * 0.37 + 1_000.0);
            let _ = engine.observe(&Observation::measure("query", value, &tags, time));
        }
        most = most.max(in_use() - before);
    }
    assert!(most <= bound, "{most} of {bound}");
    assert_eq!(engine.ledger().refused(), 0, "{:?}", engine.ledger());
    assert_eq!(engine.explain().used(), 300);
}

/// No heap call for known streams; few for a new one.
fn heap_calls() {
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    let tag_sets: Vec<TagSet> =
        (0..1_000).map(|n| TagSet::from_iter([("dyno", format!("web.{n}")), ("method", "GET".into())])).collect();
    let mut pass = |round: u32| {
        for (n, tags) in (0_u32..).zip(&tag_sets) {
            let time = Timestamp::from_unix_seconds(i64::from(n % 60));
            let value = Value::plain(f64::from(n % 100 + round % 7));
            let _ = engine.observe(&Observation::measure("latency", value, tags, time));
            let _ = engine.observe(&Observation::count("requests", Value::plain(1.0), tags, time));
            let _ = engine.observe(&Observation::sample("bytes", value, tags, time));
        }
    };
    let first = calls(|| pass(0));
    assert!(first <= 3_000 * 2, "{first} for 3,000 new streams");
    (0..200).for_each(&mut pass); // all sketches have counters, all lists have grown
    assert_eq!(calls(|| pass(3)), 0);
}

/// A distribution after so many values, its cell included.
fn sizes() {
    for (values, most) in [(0, 136), (10, 256), (100, 1_536), (10_000, 4_096)] {
        let before = in_use();
        let mut sketch = MinuteSketch::new();
        for n in 0..values {
            // Latencies between 5 and 1,500 ms.
            sketch.record(5.0 + f64::from(n % 997) * 1.5);
        }
        let cell = 72 + size_of::<MinuteSketch>() + in_use() - before;
        assert!(cell <= most, "{values}: {cell}");
    }
}

static REQUEST: [Metric<'static>; 4] = [
    Metric::new(Kind::Count, "requests", Unit::NONE),
    Metric::new(Kind::Measure, "service", Unit::NONE),
    Metric::new(Kind::Measure, "connect", Unit::NONE),
    Metric::new(Kind::Measure, "bytes", Unit::NONE),
];

/// A million records of 100,000 router groups in a minute: three distributions and a count each. Few groups have most of
/// the records, as in life.
fn router_minute() {
    const GROUPS: usize = 100_000;
    let groups: Vec<TagSet> = (0..GROUPS)
        .map(|n| {
            TagSet::from_iter([("dyno", format!("web.{n}")), ("method", "GET".into()), ("status_code", "200".into())])
        })
        .collect();
    let mut random = Random(3);
    let mut points = 0;
    let mut count = |_: &DataPoint<'_>| {
        points += 1;
        Ok::<(), Infallible>(())
    };
    let before = in_use();
    let config = AggregatorConfig::new().with_quota(StreamQuota::tag_sets(1_000_000)).with_family(&REQUEST);
    let mut engine = Aggregator::new(config).unwrap();
    let record = |engine: &mut Aggregator, group: usize, millis: i64, value: f64| {
        let time = Timestamp::from_unix_micros(millis * 1_000);
        let values = [Some(1.0), Some(value), Some(value * 2.0), Some(value * 3.0)];
        engine.record(&Record::new(&REQUEST, &values, &groups[group], time), |_, _| ());
    };
    let region = Region::new(HEAP);
    for n in 0..1_000_000 {
        // Every group once, the rest by the inverse of its rank.
        let group = match n {
            0..GROUPS => n,
            _ => (GROUPS as f64).powf(random.below(1 << 30) as f64 / f64::from(1 << 30)) as usize - 1,
        };
        let value = 2.0 + (random.below(1 << 20) as f64 / f64::from(1 << 20) * 6.0).exp().round();
        record(&mut engine, group, n as i64 / 20, value);
    }
    let change = region.change();
    let heap_calls = change.allocations + change.reallocations;
    let live = in_use() - before;
    assert_eq!((engine.streams(), engine.ledger().accepted()), (4 * GROUPS, 4_000_000));
    assert!(live <= 125_000_000, "{live}");
    assert!(heap_calls <= 2 * engine.streams(), "{heap_calls} heap calls");
    assert!(live <= engine.memory());

    // Closed, the streams are known and idle.
    engine.advance(Timestamp::from_unix_seconds(120), &mut count).unwrap();
    let names: usize = groups.iter().map(|tags| size_of::<TagSet>() + tags.text_len()).sum();
    let idle = (in_use() - before - names) / engine.streams();
    assert!(idle <= 128, "{idle}");
}

#[test]
fn memory() {
    sizes();
    router_minute();
    heap_calls();
    dense_plan();
    let plan = AggregatorConfig::new()
        .with_quota(StreamQuota::streams(300))
        .with_max_streams(500)
        .with_max_key_bytes(1 << 20)
        .with_max_window_bytes(4 << 20);
    flood(plan.clone(), false, Refusal::WindowsFull);
    flood(plan, true, Refusal::OverQuota);
    let no_plan =
        AggregatorConfig::new().with_max_streams(5_000).with_max_key_bytes(4 << 20).with_max_window_bytes(1 << 19);
    flood(no_plan.clone(), false, Refusal::WindowsFull);
    flood(no_plan, true, Refusal::TooManyStreams);
}
