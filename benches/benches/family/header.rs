//! Octets to parsed headers: the hop, the header, and the decision what kind of line it is.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::haystacks;
use heroku_syslog::{Dialect, Frames};
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, bodies) in haystacks() {
        let (body, truth) = (bodies.body(), bodies.truth());
        let mut group = group(criterion, "header", name, body);
        group.bench_function("heroku-syslog", |bencher| {
            checked(bencher, (truth.lines, truth.router_lines), || headers(black_box(body)));
        });
        group.finish();
    }
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
