//! Messages of router lines to pairs, and the sum of one of them.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::{Lines, haystacks};
use logfmt_metrics::{number, pairs};
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, bodies) in haystacks() {
        let (lines, truth) = (bodies.router(), bodies.truth());
        let mut group = group(criterion, "logfmt", name, lines.text());
        group.bench_function("logfmt-metrics", |bencher| {
            checked(bencher, truth.router_service_ms as f64, || service_ms(black_box(lines)));
        });
        group.finish();
    }
}

/// The sum of `service=`. All values are whole, so the sum is exact.
fn service_ms(lines: &Lines) -> f64 {
    let values = lines.iter().flat_map(pairs).filter(|pair| pair.key() == b"service").filter_map(|pair| pair.value());
    values.filter_map(|value| number(value).ok()).map(|value| value.number()).sum()
}
