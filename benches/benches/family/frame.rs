//! Octets to frames, nothing parsed in them.

use crate::{checked, group};
use criterion::Criterion;
use family_benches::{haystacks, hop};
use heroku_syslog::{FrameReader, Frames, Limits, Recovery};
use std::hint::black_box;

/// What one read of a socket brings.
const READ: usize = 16 * 1024;

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, bodies) in haystacks() {
        let (body, lines) = (bodies.body(), bodies.truth().lines);
        let mut group = group(criterion, "frame", name, body);
        group.bench_function("hop", |bencher| checked(bencher, lines, || hop(black_box(body))));
        group.bench_function("heroku-syslog", |bencher| {
            checked(bencher, lines, || Frames::new(black_box(body)).map(|frame| u64::from(frame.is_ok())).sum());
        });
        group.bench_function("heroku-syslog-reads", |bencher| checked(bencher, lines, || reads(black_box(body))));
        group.finish();
    }
}

fn reads(body: &[u8]) -> u64 {
    let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
    let mut frames = 0;
    for read in body.chunks(READ) {
        reader.push(read);
        while let Some(frame) = reader.next_frame() {
            frames += u64::from(frame.is_ok());
        }
    }
    reader.finish();
    while let Some(frame) = reader.next_frame() {
        frames += u64::from(frame.is_ok());
    }
    frames
}
