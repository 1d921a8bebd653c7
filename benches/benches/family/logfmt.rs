//! Messages of router lines to pairs, and the sum of one of them.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::{haystacks, ours::service_ms, peers};
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, bodies) in haystacks() {
        let (lines, truth) = (bodies.router(), bodies.truth());
        let mut group = group(criterion, "logfmt", name, lines.text());
        group.bench_function("logfmt-metrics", |bencher| {
            checked(bencher, truth.router_service_ms as f64, || service_ms(black_box(lines)));
        });
        let text = || lines.iter().flat_map(std::str::from_utf8);
        let expected = truth.router_service_ms as f64;
        group.bench_function("nom", |bencher| checked(bencher, expected, || peers::nom_service(text())));
        group.bench_function("logfmt-zerocopy", |bencher| {
            checked(bencher, expected, || peers::zerocopy_service(text()));
        });
        group.bench_function("tpt-logfmt-parse", |bencher| checked(bencher, expected, || peers::tpt_service(text())));
        group.finish();
    }
}
