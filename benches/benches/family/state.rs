//! A minute's end, and the state of an aggregator: flush, merge, snapshot. 10,000 distributions of 100,000 values.

use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use family_benches::groups::{Groups, tags};
use hdrhistogram::Histogram;
use metric_model::{DataPoint, Observation, Percentile, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig};
use std::convert::Infallible;
use std::hint::black_box;

const STREAMS: u64 = 10_000;
const VALUES: u64 = 100_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let values = values();
    let mut group = begin(criterion, "flush");
    group.bench_function("minute-aggregator", |bencher| {
        bencher.iter_batched(|| filled(&values), |engine| assert_eq!(points(engine), STREAMS), BatchSize::PerIteration);
    });
    group.bench_function("hdrhistogram", |bencher| {
        let histograms = histograms(&values);
        bencher.iter(|| assert_ne!(percentiles(black_box(&histograms)), 0));
    });
    group.finish();

    let mut group = begin(criterion, "merge");
    group.bench_function("minute-aggregator", |bencher| {
        let two = || (filled(&values), filled(&values));
        let merge = |(mut left, right): (Aggregator, Aggregator)| {
            assert!(left.merge(right).is_ok());
            assert_eq!(left.ledger().accepted(), 2 * VALUES);
            left
        };
        bencher.iter_batched(two, merge, BatchSize::PerIteration);
    });
    group.bench_function("hdrhistogram", |bencher| {
        let (mut left, right) = (histograms(&values), histograms(&values));
        bencher.iter(|| {
            let added = left.iter_mut().zip(&right).filter_map(|(left, right)| left.add(right).ok());
            assert_eq!(added.count() as u64, STREAMS);
        });
    });
    group.finish();

    let mut group = begin(criterion, "snapshot");
    let mut engine = filled(&values);
    let bytes = engine.snapshot(b"position");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("memcpy", |bencher| bencher.iter(|| assert_eq!(black_box(&bytes).clone().len(), bytes.len())));
    group
        .bench_function("take", |bencher| bencher.iter(|| assert_eq!(engine.snapshot(b"position").len(), bytes.len())));
    group.bench_function("restore", |bencher| {
        bencher.iter(|| {
            let restored = Aggregator::restore(AggregatorConfig::new(), black_box(&bytes));
            assert!(restored.is_ok_and(|(engine, _)| engine.streams() as u64 == STREAMS));
        });
    });
    group.finish();
}

fn begin<'a>(criterion: &'a mut Criterion, area: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("{area}/10000-streams"));
    group.throughput(Throughput::Elements(STREAMS)).sample_size(10);
    group
}

/// Stream and value: each stream once, the rest by Zipf's law.
fn values() -> Vec<(u64, f64)> {
    let mut source = Groups::new(STREAMS, 11);
    let mut value = |rank: Option<u64>| (rank.unwrap_or_else(|| source.rank()), source.service() as f64);
    let mut values: Vec<(u64, f64)> = (0..STREAMS).map(|rank| value(Some(rank))).collect();
    values.extend((STREAMS..VALUES).map(|_| value(None)));
    values
}

fn filled(values: &[(u64, f64)]) -> Aggregator {
    let mut engine = Aggregator::new(AggregatorConfig::new()).expect("the defaults");
    let tag_sets: Vec<TagSet> = (0..STREAMS).map(tags).collect();
    for &(stream, value) in values {
        let Some(tags) = tag_sets.get(stream as usize) else { continue };
        let value = Value::new(value, Unit::MILLISECONDS);
        let _ = engine.observe(&Observation::measure("service", value, tags, Timestamp::from_unix_seconds(0)));
    }
    engine
}

fn points(mut engine: Aggregator) -> u64 {
    let (mut count, mut sum) = (0, 0.0);
    let mut sink = |point: &DataPoint<'_>| {
        if let Some(all) = point.stats().percentiles() {
            count += 1;
            sum += Percentile::ALL.iter().map(|&which| all.get(which)).sum::<f64>();
        }
        Ok::<(), Infallible>(())
    };
    let Ok(()) = engine.finish(&mut sink);
    black_box(sum);
    count
}

fn histograms(values: &[(u64, f64)]) -> Vec<Histogram<u64>> {
    let fresh = || Histogram::new(3).expect("three digits are allowed");
    let mut all: Vec<Histogram<u64>> = (0..STREAMS).map(|_| fresh()).collect();
    for &(stream, value) in values {
        if let Some(histogram) = all.get_mut(stream as usize) {
            histogram.saturating_record(value as u64);
        }
    }
    all
}

fn percentiles(all: &[Histogram<u64>]) -> u64 {
    let quantiles = [0.5, 0.95, 0.99, 0.999];
    all.iter().flat_map(|histogram| quantiles.map(|quantile| histogram.value_at_quantile(quantile))).sum()
}
