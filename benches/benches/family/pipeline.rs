//! The whole pipeline: warm over the hot body, and from empty to all percentiles over the cold one.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::{Table, cold, hot, ours, peers};
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    let body = hot().body();
    let mut whole = ours::Whole::new();
    let receipt = whole.ingest(body);
    let mut warm = group(criterion, "pipeline", "hot", body);
    warm.bench_function("heroku-metrics-warm", |bencher| checked(bencher, receipt, || whole.ingest(black_box(body))));
    warm.finish();

    let (body, text) = (cold().body(), std::str::from_utf8(cold().body()).unwrap_or_default());
    let expected = peers::nom_lines(text, Table::default()).finish();
    let mut empty = group(criterion, "pipeline", "cold", body);
    empty.sample_size(10);
    empty.bench_function("heroku-metrics-from-empty", |bencher| {
        checked(bencher, expected, || {
            let mut whole = ours::Whole::new();
            whole.ingest(black_box(body));
            whole.finish()
        });
    });
    empty.bench_function("nom-map-hdrhistogram-from-empty", |bencher| {
        checked(bencher, expected, || peers::nom_lines(black_box(text), Table::default()).finish());
    });
    empty.finish();
}
