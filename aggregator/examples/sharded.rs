//! The same input on one thread and on four: the same points, in the same order.
//!
//! `cargo run --release -p minute-aggregator --example sharded`

use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, output_order, shard};
use std::time::Instant;

const OBSERVATIONS: u64 = 2_000_000;
const USERS: u64 = 20_000;

/// Reads the whole input, takes what belongs to one shard, and writes its points.
fn run(of: u32, shards: u32, users: &[TagSet]) -> Vec<DataPointBuf> {
    let Ok(mut engine) = Aggregator::new(AggregatorConfig::new()) else { return Vec::new() };
    for n in 0..OBSERVATIONS {
        let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        let Some(tags) = users.get((mixed % USERS) as usize) else { continue };
        let value = Value::new((mixed % 5_000) as f64 / 10.0, Unit::MILLISECONDS);
        let time = Timestamp::from_unix_seconds((n * 180 / OBSERVATIONS) as i64);
        let seen = Observation::measure("query", value, tags, time);
        if shard(&seen, shards) == of {
            let _ = engine.observe(&seen); // counted in the ledger, whatever it is
        }
    }
    let mut points: Vec<DataPointBuf> = Vec::new();
    match engine.finish(&mut points) {
        Ok(()) => points,
        Err(never) => match never {},
    }
}

fn main() {
    let users: Vec<TagSet> = (0..USERS).map(|user| TagSet::from_iter([("user", user.to_string())])).collect();
    let start = Instant::now();
    let one = run(0, 1, &users);
    println!("one thread:   {} points in {:?}", one.len(), start.elapsed());

    let start = Instant::now();
    let mut four: Vec<DataPointBuf> = std::thread::scope(|threads| {
        let users = &users;
        let running: Vec<_> = (0..4).map(|of| threads.spawn(move || run(of, 4, users))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    four.sort_by(|a, b| output_order(&a.as_point(), &b.as_point()));
    println!("four threads: {} points in {:?}", four.len(), start.elapsed());
    println!("the same: {}", one == four);
    if one != four {
        std::process::exit(1);
    }
}
