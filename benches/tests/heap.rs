//! Calls of the allocator over the whole pipeline: none for a line of known streams, few for a new stream. One test alone,
//! since all tests of a program share the allocator.
#![allow(missing_docs)]

use family_benches::groups::every_stream_once;
use family_benches::timing::heap_calls;
use family_benches::{hot, ours};
use heroku_metrics::Plan;
use stats_alloc::StatsAlloc;
use std::alloc::System;

#[global_allocator]
static HEAP: &StatsAlloc<System> = family_benches::timing::HEAP;

/// Lines in colours and of JSON, with values, tags and fields that are refused, and a frame without a header.
fn refused() -> Vec<u8> {
    let mut body = Vec::new();
    let long = "v".repeat(300);
    let tag = format!("measure#cart.total=7 tag#note={long}");
    for (app_name, proc_id, message) in [
        ("app", "web.1", "measure#checkout=soon count#orders=-4 sample#heroku.dyno.forged=1 count#orders=2"),
        ("app", "web.1", tag.as_str()),
        ("app", "web.1", "\u{1b}[32mcount#orders=1\u{1b}[0m \u{1b}[35mtag#market=fr\u{1b}[0m"),
        ("app", "web.1", "{\"msg\":\"done count#orders=1 tag#market=fr\",\"agent\":\"count#orders=1\"}"),
        ("heroku", "router", "at=info method=GET path=\"/\" dyno=web.1 connect=xms service=1ms status=200 bytes=12"),
    ] {
        let frame = format!("<190>1 2026-03-14T09:00:07.000000+00:00 host {app_name} {proc_id} - {message}\n");
        body.extend_from_slice(format!("{} {frame}", frame.len()).as_bytes());
    }
    body.extend_from_slice(b"7 no head");
    body
}

fn warm_lines(plan: Plan) {
    let body = [hot().body(), &refused()].concat();
    let mut whole = ours::Whole::with_plan(plan);
    // All delivery ids that are remembered, and all sketches with their counters.
    (0..10_000).for_each(|_| {
        whole.ingest(b"");
    });
    let first = whole.ingest(&body);
    assert!(first.refused_values() >= 4 && first.refused_frames() == 1, "{first:?}");
    (0..100).for_each(|_| {
        whole.ingest(&body);
    });
    let mut last = first;
    let calls = heap_calls(|| last = whole.ingest(&body));
    assert_eq!(last.frames(), first.frames());
    assert_eq!(calls, 0, "of {} lines", last.frames());
}

fn new_streams() {
    let body = every_stream_once(20_000);
    let mut whole = ours::Whole::new();
    let calls = heap_calls(|| {
        whole.ingest(&body);
    });
    let streams = whole.pipeline().aggregator().streams();
    assert_eq!(streams, 80_000, "a count, two distributions and a gauge for each");
    assert!(calls <= 4 * streams, "{calls} for {streams}");
}

#[test]
fn heap_calls_of_the_whole_pipeline() {
    new_streams();
    warm_lines(Plan::new("large").with_streams(1_000_000));
    let folding = Plan::gold();
    warm_lines(folding);
}
