//! Messages of application lines to metrics and tags.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::{Lines, haystacks};
use logfmt_metrics::{Directive, directives};
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, bodies) in haystacks() {
        let (lines, truth) = (bodies.custom(), bodies.truth());
        let mut group = group(criterion, "custom", name, lines.text());
        group.bench_function("logfmt-metrics", |bencher| {
            checked(bencher, truth.custom_observations, || metrics(black_box(lines)));
        });
        group.finish();
    }
}

fn metrics(lines: &Lines) -> u64 {
    let found = lines.iter().flat_map(directives);
    found.map(|found| u64::from(matches!(found, Ok(Directive::Metric(_))))).sum()
}
