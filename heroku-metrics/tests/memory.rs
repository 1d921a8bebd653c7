//! Memory at its worst, as an allocator counts it, stays under what the configuration promises. One test alone, since
//! all tests of a program share the allocator.
#![allow(missing_docs)]

use heroku_metrics::aggregator::AggregatorConfig;
use heroku_metrics::syslog::Delivery;
use heroku_metrics::{Pipeline, PipelineConfig, Plan, SeenDeliveries};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn in_use() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// A body of lines whose names, tags, values and times are all the sender's choice.
fn hostile(round: u64, lines: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for line in 0..lines {
        let n = round * lines + line;
        let (minute, hour) = (n % 60, n / 60 % 24);
        let tag = "x".repeat((n % 240) as usize);
        let line = format!(
            "<190>1 2026-03-14T{hour:02}:{minute:02}:00Z host app web.{n} - measure#m.{n}={}e{} count#c.{n}=1 sample#s.{n}=-{n} tag#user={n}{tag} tag#b={}",
            n % 997,
            n % 250,
            n % 13
        );
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    body
}

#[test]
fn memory_stays_under_the_bound_whatever_comes_in() {
    let aggregator =
        AggregatorConfig::new().with_max_streams(20_000).with_max_key_bytes(4 << 20).with_max_window_bytes(8 << 20);
    let plans = [None, Some(Plan::gold()), Some(Plan::new("large").with_streams(50_000))];
    for plan in plans {
        let config = PipelineConfig::new()
            .with_aggregator(aggregator.clone())
            .with_seen_deliveries(SeenDeliveries::new(4_096, 1 << 20));
        let config = plan.clone().into_iter().fold(config, PipelineConfig::with_plan);
        let bound = config.max_memory();
        let before = in_use();
        let mut most = 0;
        let mut pipeline = Pipeline::new(config).unwrap();
        for round in 0..1_500 {
            let body = hostile(round, 20);
            let (token, id) = (format!("d.{}", round % 700), format!("{round:032}"));
            pipeline.ingest(
                &Delivery::new(&body)
                    .with_header("Logplex-Drain-Token", token.as_bytes())
                    .with_header("Logplex-Frame-Id", id.as_bytes()),
            );
            drop((body, token, id));
            most = most.max(in_use() - before);
        }
        // Then nothing but ids, until the list of them is full and gives way.
        for round in 0_u64..60_000 {
            let (token, id) = (format!("d.{}", round % 900), format!("{round:032}"));
            pipeline.ingest(
                &Delivery::new(b"")
                    .with_header("Logplex-Drain-Token", token.as_bytes())
                    .with_header("Logplex-Frame-Id", id.as_bytes()),
            );
            drop((token, id));
            most = most.max(in_use() - before);
        }
        assert!(most <= bound, "{most} octets of {bound} promised, plan {plan:?}");
        assert!(most * 20 > bound, "a bound that far above {most} says nothing: {bound}");
        assert!(pipeline.ledger().balances());
        let turned_away = pipeline.ledger().observations().folded() + pipeline.ledger().observations().refused();
        assert!(turned_away > 10_000, "the limits were met: {turned_away}");
    }
}
