//! All groups, as `<area>/<haystack>/<engine>`. `scan` is the newline scan of the same bytes.
#![allow(missing_docs)] // criterion's macros make public functions

mod family {
    pub(super) mod aggregate;
    pub(super) mod custom;
    pub(super) mod frame;
    pub(super) mod header;
    pub(super) mod logfmt;
    pub(super) mod pipeline;
    pub(super) mod query;
    pub(super) mod router;
    pub(super) mod state;
}

use criterion::{
    Bencher, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use family_benches::newlines;
use std::hint::black_box;

/// A group with its limit in it: a newline scan of the bytes that its other engines read.
fn group<'a>(criterion: &'a mut Criterion, area: &str, haystack: &str, text: &[u8]) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("{area}/{haystack}"));
    group.throughput(Throughput::Bytes(text.len() as u64));
    let expected = newlines(text);
    group.bench_function("scan", |bencher| checked(bencher, expected, || newlines(black_box(text))));
    group
}

/// Times `run`, and checks its answer each time: an engine that is fast and wrong does not count.
fn checked<T: PartialEq + std::fmt::Debug>(bencher: &mut Bencher<'_>, expected: T, mut run: impl FnMut() -> T) {
    bencher.iter(|| assert_eq!(run(), expected));
}

criterion_group!(
    groups,
    family::frame::benches,
    family::header::benches,
    family::logfmt::benches,
    family::router::benches,
    family::custom::benches,
    family::query::benches,
    family::pipeline::benches,
    family::aggregate::benches,
    family::state::benches
);
criterion_main!(groups);
