//! Octets to parsed headers: the hop, the header, and the decision what kind of line it is.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::{haystacks, peers, with_nil};
use heroku_syslog::{Dialect, Frames};
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, bodies) in haystacks() {
        let (body, truth) = (bodies.body(), bodies.truth());
        let mut group = group(criterion, "header", name, body);
        group.bench_function("heroku-syslog", |bencher| {
            checked(bencher, (truth.lines, truth.router_lines), || headers(black_box(body)));
        });
        let longer = with_nil(body);
        let (text, nil) = (as_text(body), as_text(&longer));
        let expected = (truth.lines, truth.router_lines);
        group.sample_size(10);
        group.bench_function("nom", |bencher| checked(bencher, expected, || peers::nom_headers(black_box(text))));
        group.bench_function("syslog_loose", |bencher| {
            checked(bencher, expected, || peers::loose_headers(black_box(nil)));
        });
        group.bench_function("syslog_rfc5424", |bencher| {
            checked(bencher, expected, || peers::rfc5424_headers(black_box(nil)));
        });
        if let Ok(patterns) = peers::Patterns::new() {
            group.bench_function("regex", |bencher| checked(bencher, expected, || patterns.headers(black_box(text))));
        }
        #[cfg(feature = "vrl")]
        if let Some(mut vector) = peers::Vector::new() {
            group.bench_function("vrl", |bencher| checked(bencher, expected, || vector.headers(black_box(nil))));
        }
        group.finish();
    }
}

fn as_text(body: &[u8]) -> &str {
    std::str::from_utf8(body).expect("the generator writes text")
}

/// Good frames, and how many of them are from the router.
fn headers(body: &[u8]) -> (u64, u64) {
    let (mut frames, mut router) = (0, 0);
    for raw in Frames::new(body) {
        if let Ok(raw) = raw
            && let Ok(frame) = raw.parse(Dialect::Logplex)
        {
            frames += 1;
            router += u64::from(frame.app_name() == Some("heroku") && frame.proc_id() == Some("router"));
        }
    }
    (frames, router)
}
