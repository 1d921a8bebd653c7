//! Three nodes with any share of the input: merged in any order and grouping they are one state, byte for byte, and write
//! what one node would have written that had seen everything.
#![no_main]

use core::time::Duration;
use family_fuzz::Draw;
use libfuzzer_sys::fuzz_target;
use metric_model::{DataPointBuf, Kind, Observation, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, LatePolicy, StreamQuota};
use std::collections::BTreeSet;

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let quota = draw.flag();
    let revise = draw.flag();
    let config = config(quota, revise, draw.flag());
    let mut nodes = [(); 3].map(|()| node(&config));
    let mut whole = node(&config);
    // One value to an instant and stream: else the position in the input decides which is last, and each node counts its
    // own. One time for all: a node that is ahead finds late what another does not.
    let mut taken = BTreeSet::new();
    while !draw.is_empty() && taken.len() < 400 {
        let kind = draw.pick(&[Kind::Count, Kind::Measure, Kind::Sample]);
        let name = draw.pick(&["bytes", "query", "a.long.name"]);
        let tag = draw.pick(&["", "x", "y", "zz"]);
        let unit = draw.pick(&[Unit::NONE, Unit::MILLISECONDS]);
        let (second, value, to) = (i64::from(draw.octet()), draw.double(), draw.below(4));
        if to == 3 {
            for engine in nodes.iter_mut().chain([&mut whole]) {
                let Ok(()) = engine.advance(Timestamp::from_unix_seconds(second), &mut Vec::<DataPointBuf>::new());
            }
            continue;
        }
        if taken.insert((kind, name, tag, unit.as_str(), second)) {
            let tags = TagSet::from_iter([("tag", tag)]);
            let time = Timestamp::from_unix_seconds(second);
            let seen = Observation::new(kind, name, Value::new(value, unit), &tags, time);
            let fate = nodes[to].observe(&seen);
            let one = whole.observe(&seen);
            assert!(quota || fate == one, "{fate:?}, {one:?}");
        }
    }
    let [a, b, c] = nodes.map(|mut node| node.snapshot(b""));
    let back = |bytes: &[u8]| Aggregator::restore(config.clone(), bytes).expect("our own snapshot").0;
    let sum = |order: [&[u8]; 3], right_first: bool| {
        let [mut x, mut y, z] = order.map(back);
        if right_first {
            y.merge(z).expect("the same configuration");
            x.merge(y).expect("the same configuration");
        } else {
            x.merge(y).expect("the same configuration");
            x.merge(z).expect("the same configuration");
        }
        assert!(x.ledger().balances());
        x
    };
    let state = sum([&a, &b, &c], false).snapshot(b"");
    for order in [[&a, &c, &b], [&b, &a, &c], [&b, &c, &a], [&c, &a, &b], [&c, &b, &a]] {
        for right_first in [false, true] {
            assert!(sum(order.map(Vec::as_slice), right_first).snapshot(b"") == state, "{right_first}");
        }
    }
    if !quota {
        let mut merged = back(&state);
        assert_eq!(merged.ledger(), whole.ledger());
        // What several had written already is written again, which one node would not have done.
        if !revise {
            assert_eq!(points(&mut merged), points(&mut whole));
        }
    }
});

fn config(quota: bool, revise: bool, idle: bool) -> AggregatorConfig {
    let mut config = AggregatorConfig::new().with_window(Duration::from_secs(10)).without_percentiles("bytes");
    config = config.with_allowed_lateness(Duration::from_secs(20));
    if quota {
        config = config.with_quota(StreamQuota::streams(12).with_exempt("by").with_overflow_streams(1));
    }
    if revise {
        config = config.with_late_policy(LatePolicy::Revise { horizon: Duration::from_secs(60) });
    }
    if idle { config.with_idle_after(1) } else { config }
}

fn node(config: &AggregatorConfig) -> Aggregator {
    Aggregator::new(config.clone()).expect("it does not contradict itself")
}

fn points(engine: &mut Aggregator) -> Vec<DataPointBuf> {
    let mut points = Vec::new();
    let Ok(()) = engine.finish(&mut points);
    points
}
