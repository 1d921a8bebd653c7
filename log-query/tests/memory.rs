//! `matches` never asks the allocator for anything. One test alone, since all tests of a program share the allocator.
#![allow(missing_docs)]

use log_query::{Fields, Query};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn matches_allocates_nothing() {
    let queries: Vec<Query> = [
        "",
        "timeout -health",
        "(status=50 OR \"code=H\") program:router severity:error ip:10. facility:local7",
        "größe OR \"router: at=\" OR message:\"ΣΊΣΥΦΟΣ\"",
        "program:(a b c -d) sender:web",
    ]
    .map(|text| Query::parse(text).into_query())
    .into_iter()
    // Deep, wide, and one that nearly fits everywhere.
    .chain([
        Query::parse(&"a b OR c -(".repeat(700)).into_query(),
        Query::parse(&"xy OR ".repeat(1_300)).into_query(),
        Query::parse(&format!("{}b", "a".repeat(8_000))).into_query(),
    ])
    .collect();
    let messages = [
        b"at=error code=H12 desc=\"Request timeout\" status=503".to_vec(),
        b"\x1b[31mERROR\x1b[0m gr\xc3\x96\xe1\xba\x9ee \xff\0".to_vec(),
        b"aA".repeat(32_768),
        b"\x1b[".repeat(32_768),
        "σίσυφος".repeat(4_000).into_bytes(),
    ];
    let before = HEAP.stats();
    let mut fits = 0;
    for query in &queries {
        for message in &messages {
            let fields = Fields::new(b"web01", b"heroku/router", message).with_severity(3).with_facility(23);
            fits += usize::from(query.matches(&fields));
            fits += usize::from(query.matches(&fields.with_source_ip([10, 0, 0, 1].into())));
        }
    }
    let after = HEAP.stats();
    assert!(fits > 20, "{fits}");
    assert_eq!(after.allocations + after.reallocations, before.allocations + before.reallocations);
}
