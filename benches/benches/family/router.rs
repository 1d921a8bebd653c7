//! Messages of router lines to typed fields.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::{Lines, haystacks};
use heroku_router::RouterLine;
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, bodies) in haystacks() {
        let (lines, truth) = (bodies.router(), bodies.truth());
        let expected = (truth.router_lines, truth.router_service_ms as f64, truth.router_bytes);
        let mut group = group(criterion, "router", name, lines.text());
        group.bench_function("heroku-router", |bencher| checked(bencher, expected, || needed(black_box(lines))));
        group.bench_function("heroku-router-all-fields", |bencher| {
            checked(bencher, (truth.router_lines, lines.text().len()), || all_fields(black_box(lines)));
        });
        group.finish();
    }
}

/// What the native metrics need: lines with dyno, method and status, and the sums of service and bytes.
fn needed(lines: &Lines) -> (u64, f64, u64) {
    let (mut count, mut service, mut bytes) = (0, 0.0, 0);
    for line in lines.iter().filter_map(RouterLine::parse) {
        let keyed = line.method().is_some() && line.status().is_some();
        count += u64::from(keyed);
        service += line.service_ms().unwrap_or_default();
        bytes += line.bytes().unwrap_or_default();
        black_box((line.dyno(), line.connect_ms(), line.code()));
    }
    (count, service, bytes)
}

/// Every field located. Their octets, with what stands around each of them, are all octets of the text.
fn all_fields(lines: &Lines) -> (u64, usize) {
    let (mut count, mut octets) = (0, 0);
    for line in lines.iter().filter_map(RouterLine::parse) {
        count += 1;
        for field in line.fields() {
            // name "=" value, its quotes, and the SP or LF behind it
            octets +=
                field.name().len() + 2 + field.value().unwrap_or_default().len() + 2 * usize::from(field.is_quoted());
        }
    }
    (count, octets)
}
