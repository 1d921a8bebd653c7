//! Shards on threads write what one aggregator writes.
#![allow(missing_docs)]

use core::time::Duration;
use metric_model::{DataPointBuf, Kind, Observation, TagSet, Timestamp, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, LatePolicy, ObservationLedger, output_order, shard};

fn config() -> AggregatorConfig {
    let horizon = Duration::from_secs(300);
    AggregatorConfig::new().with_late_policy(LatePolicy::Revise { horizon }).without_percentiles("bytes")
}

/// The n-th of some thousand observations, some of them late.
fn event(n: u64) -> (Kind, &'static str, f64, TagSet, Timestamp) {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let (kind, name) =
        [(Kind::Count, "requests"), (Kind::Measure, "latency"), (Kind::Measure, "bytes"), (Kind::Sample, "depth")]
            [mixed as usize % 4];
    let tags = TagSet::from_iter([("dyno", format!("web.{}", mixed / 7 % 50))]);
    let late = if mixed.is_multiple_of(11) { mixed % 400 } else { 0 };
    let second = (n / 20) as i64 - late as i64;
    (kind, name, (mixed % 100_000) as f64 / 100.0, tags, Timestamp::from_unix_seconds(second))
}

/// Everything that one shard writes, advance by advance.
fn run(of: u32, shards: u32) -> (Vec<Vec<DataPointBuf>>, ObservationLedger, Aggregator) {
    let mut engine = Aggregator::new(config()).unwrap();
    let mut written = Vec::new();
    for n in 0..20_000 {
        let (kind, name, value, tags, time) = event(n);
        let seen = Observation::new(kind, name, Value::plain(value), &tags, time);
        if shard(&seen, shards) == of {
            let _ = engine.observe(&seen);
        }
        if n % 600 == 0 {
            let mut points = Vec::new();
            engine.advance(Timestamp::from_unix_seconds((n / 20) as i64), &mut points).unwrap();
            written.push(points);
        }
    }
    let mut points = Vec::new();
    let ledger = engine.ledger().clone();
    engine.finish(&mut points).unwrap();
    written.push(points);
    (written, ledger, engine)
}

#[test]
fn four_threads_write_what_one_writes() {
    let (expected, ledger, _) = run(0, 1);
    assert!(ledger.late() > 0 && ledger.revising() > 0);
    let shards: Vec<_> = std::thread::scope(|threads| {
        let running: Vec<_> = (0..4).map(|of| threads.spawn(move || run(of, 4))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (advance, expected) in expected.iter().enumerate() {
        let mut together: Vec<DataPointBuf> =
            shards.iter().flat_map(|(written, ..)| written[advance].clone()).collect();
        together.sort_by(|a, b| output_order(&a.as_point(), &b.as_point()));
        assert!(together == *expected, "advance {advance}");
    }
    let mut all = Aggregator::new(config()).unwrap();
    for (_, _, engine) in shards {
        assert!(engine.ledger().observed() > 2_000);
        all.merge(engine).unwrap();
    }
    assert_eq!(*all.ledger(), ledger);
}

#[test]
fn runs_of_the_input_appended_in_order_are_the_whole_input() {
    // Many samples of one stream at one instant, in different runs.
    let observe = |engine: &mut Aggregator, n: u64| {
        let (kind, name, value, tags, time) = event(n);
        let second = Timestamp::from_unix_seconds(time.unix_seconds() / 30 * 30);
        let _ = engine.observe(&Observation::new(kind, name, Value::plain(value), &tags, second));
    };
    let part = |from: u64, to: u64| {
        let mut engine = Aggregator::new(config()).unwrap();
        (from..to).for_each(|n| observe(&mut engine, n));
        engine
    };
    let finish = |mut engine: Aggregator| {
        let mut points: Vec<DataPointBuf> = Vec::new();
        engine.finish(&mut points).unwrap();
        (points, engine.ledger().clone())
    };
    let expected = finish(part(0, 20_000));
    for cuts in [vec![10_000], vec![1, 19_999], vec![5_000, 5_001, 5_002, 12_345], vec![0, 20_000]] {
        let mut whole = part(0, cuts[0]);
        for (at, from) in cuts.iter().enumerate() {
            whole.append(part(*from, cuts.get(at + 1).copied().unwrap_or(20_000))).unwrap();
        }
        assert!(finish(whole) == expected, "{cuts:?}");
    }
}
