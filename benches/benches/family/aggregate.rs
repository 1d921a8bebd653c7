//! Observations into the aggregator: known streams by Zipf's law, and one distribution beside other sketches.

use crate::checked;
use criterion::{Criterion, Throughput};
use family_benches::groups::{Groups, tags};
use hdrhistogram::Histogram;
use metric_model::{Observation, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, MinuteSketch, Outcome, Sketch};
use sketches_ddsketch::{Config, DDSketch};
use std::collections::HashMap;
use std::hint::black_box;

const RECORDS: usize = 50_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    for streams in [10, 1_000, 100_000] {
        known_streams(criterion, streams);
    }
    one_distribution(criterion);
}

fn known_streams(criterion: &mut Criterion, streams: u64) {
    let mut source = Groups::new(streams, 3);
    let records: Vec<(usize, f64)> = (0..RECORDS).map(|_| (source.rank() as usize, source.service() as f64)).collect();
    let tag_sets: Vec<TagSet> = (0..streams).map(tags).collect();
    let mut group = criterion.benchmark_group(format!("aggregate/{streams}-streams"));
    group.throughput(Throughput::Elements(RECORDS as u64));
    let Ok(mut engine) = Aggregator::new(AggregatorConfig::new()) else { return };
    group.bench_function("minute-aggregator", |bencher| {
        checked(bencher, RECORDS, || {
            let time = Timestamp::from_unix_seconds(0);
            let values = black_box(&records).iter().filter_map(|&(at, took)| Some((tag_sets.get(at)?, took)));
            values
                .map(|(tags, took)| Observation::measure("service", Value::new(took, Unit::MILLISECONDS), tags, time))
                .map(|observation| usize::from(engine.observe(&observation) == Outcome::Accepted))
                .sum()
        });
    });
    let joined: Vec<String> = tag_sets.iter().map(|tags| format!("{tags:?}")).collect();
    let mut map: HashMap<String, Histogram<u64>> = HashMap::new();
    // A hundred thousand of these take gigabytes.
    if streams <= 1_000 {
        group.bench_function("map-of-strings-hdrhistogram", |bencher| {
            checked(bencher, RECORDS, || {
                let mut recorded = 0;
                for (at, took) in black_box(&records) {
                    let Some(key) = joined.get(*at) else { continue };
                    let histogram = match map.get_mut(key) {
                        Some(known) => known,
                        None => map.entry(key.clone()).or_insert(fresh()),
                    };
                    recorded += usize::from(histogram.record(*took as u64).is_ok());
                }
                recorded
            });
        });
    }
    group.finish();
}

fn one_distribution(criterion: &mut Criterion) {
    let mut source = Groups::new(1, 9);
    let values: Vec<f64> = (0..RECORDS).map(|_| source.service() as f64).collect();
    let mut group = criterion.benchmark_group("aggregate/one-distribution");
    group.throughput(Throughput::Elements(RECORDS as u64));
    let count = RECORDS as u64;
    group.bench_function("minute-aggregator-sketch", |bencher| {
        checked(bencher, count, || {
            let mut sketch = MinuteSketch::new();
            black_box(&values).iter().for_each(|&value| sketch.record(value));
            sketch.count()
        });
    });
    group.bench_function("hdrhistogram", |bencher| {
        checked(bencher, count, || {
            let mut histogram = fresh();
            black_box(&values).iter().for_each(|&value| histogram.saturating_record(value as u64));
            histogram.len()
        });
    });
    group.bench_function("sketches-ddsketch", |bencher| {
        checked(bencher, RECORDS, || {
            let mut sketch = DDSketch::new(Config::defaults());
            black_box(&values).iter().for_each(|&value| sketch.add(value));
            sketch.count()
        });
    });
    group.finish();
}

/// Three digits and room to grow, as the crate's page shows.
fn fresh() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}
