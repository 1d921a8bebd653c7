//! Messages of router lines, filtered by a query.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::{Lines, haystacks};
use log_query::{Fields, Query};
use memchr::memmem::Finder;
use std::hint::black_box;

const FEW: &str = "status=503";
const EACH: &str = "status=503 OR code=H1 -favicon";
const ABSENT: &str = "OutOfMemory";

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, bodies) in haystacks() {
        let lines = bodies.router();
        let mut group = group(criterion, "query", name, lines.text());
        for (what, text) in [("few", FEW), ("absent", ABSENT)] {
            // The limit: one finder over each line, which knows no case, no colour and no other field.
            let finder = Finder::new(text);
            let found = count(lines, |line| finder.find(line).is_some());
            group.bench_function(format!("{what}/memmem"), |bencher| {
                checked(bencher, found, || count(black_box(lines), |line| finder.find(line).is_some()));
            });
            let parsed = Query::parse(text);
            group.bench_function(format!("{what}/log-query"), |bencher| {
                checked(bencher, found, || matching(black_box(lines), parsed.query()));
            });
        }
        let (status, code, icon) = (Finder::new("status=503"), Finder::new("code=H1"), Finder::new("favicon"));
        let found =
            count(lines, |line| status.find(line).is_some() || code.find(line).is_some() && icon.find(line).is_none());
        let parsed = Query::parse(EACH);
        group.bench_function("terms/log-query", |bencher| {
            checked(bencher, found, || matching(black_box(lines), parsed.query()));
        });
        group.finish();
    }
}

fn count(lines: &Lines, fits: impl Fn(&[u8]) -> bool) -> usize {
    lines.iter().filter(|line| fits(line)).count()
}

fn matching(lines: &Lines, query: &Query) -> usize {
    count(lines, |line| query.matches(&Fields::new(b"host", b"heroku/router", line)))
}
