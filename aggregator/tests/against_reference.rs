//! Random programs, run by the aggregator and by the slow, exact reference, must write the same.
#![allow(missing_docs)]

use judge::{Line, Step, config, config_with_families, observe, run};
use metric_model::{DataPointBuf, Timestamp};
use minute_aggregator::{Aggregator, AggregatorConfig};
use proptest::prelude::*;
use std::collections::BTreeSet;
use testkit::reference::{self, Quota, Rules, Seen};

const SECOND: i64 = 1_000_000;

fn rules() -> impl Strategy<Value = Rules> {
    let times = (prop::sample::select(vec![1, 10, 60]), 0..120_i64, 0..400_i64);
    let horizon = prop_oneof![Just(0), 0..400_i64];
    let idle_after = prop_oneof![Just(60), 0..5_i64];
    (times, horizon, idle_after, quota()).prop_map(|((window, lateness, future), horizon, idle_after, quota)| Rules {
        window: window * SECOND,
        lateness: lateness * SECOND,
        future: future * SECOND,
        horizon: horizon * SECOND,
        idle_after,
        without_percentiles: BTreeSet::from(["bytes".to_string()]),
        quota,
    })
}

fn quota() -> impl Strategy<Value = Option<Quota>> {
    let exempt = prop::sample::subsequence(vec!["by".to_string(), "a.very".to_string()], 0..=2);
    let quota = (0..40_u64, any::<bool>(), exempt, 0..4_usize).prop_map(|(limit, tag_sets, exempt, overflow)| Quota {
        limit,
        tag_sets,
        exempt,
        overflow,
    });
    prop::option::of(quota)
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -100.0..10_000.0_f64,
        8 => (0..400_i32).prop_map(f64::from),
        2 => prop::sample::select(vec![0.1, 0.2, -0.0, 1e-300, 1e300, -1e300, 1.6e23, -1.6e23, f64::MAX, 1e15 + 0.5]),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ]
}

fn key() -> impl Strategy<Value = reference::Key> {
    let kinds = vec![reference::Kind::Count, reference::Kind::Measure, reference::Kind::Sample];
    (
        prop::sample::select(vec!["bytes", "query", "a.very.long.name", ""]),
        prop::sample::select(kinds),
        prop::sample::select(vec!["", "ms"]),
        prop::collection::btree_map("[ab]", "[xyz]{0,2}", 0..3),
    )
        .prop_map(|(name, kind, unit, tags)| reference::Key { name: name.into(), kind, unit: unit.into(), tags })
}

fn seen() -> impl Strategy<Value = Seen> {
    (key(), value(), -200..600_i64, 0..3_i64).prop_map(|(key, value, second, micros)| Seen {
        key,
        value,
        time: second * SECOND + micros,
    })
}

/// Lines of one row within a second, so that from the second one on all streams are known.
fn lines() -> impl Strategy<Value = Step> {
    let values = prop::collection::vec(prop::option::weighted(0.9, value()), 4..7);
    let line = (values, 0..3_i64, prop::bool::weighted(0.1));
    let tags = prop::collection::btree_map("[ab]", "[xyz]{0,2}", 0..3);
    (0..3_usize, tags, -200..600_i64, prop::collection::vec(line, 1..20)).prop_map(|(family, tags, second, lines)| {
        let lines = lines.into_iter().map(|(values, micros, is_copy)| Line {
            family,
            tags: tags.clone(),
            values,
            time: second * SECOND + micros,
            is_copy,
        });
        Step::Record(lines.collect())
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => seen().prop_map(Step::Observe),
        30 => lines(),
        2 => (seen(), prop::collection::vec(value(), 0..150)).prop_map(|(seen, values)| Step::Burst(seen, values)),
        4 => (-300..700_i64).prop_map(|second| Step::Advance(second * SECOND)),
        2 => (-300..700_i64, 1..6_usize, 1..4_usize)
            .prop_map(|(second, points, parts)| Step::AdvanceSome { now: second * SECOND, points, parts }),
        1 => Just(Step::CloseOldest),
        1 => quota().prop_map(Step::SetQuota),
        2 => Just(Step::Restart),
        1 => Just(Step::Finish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("HEROKU_METRICS_LONG").is_some() { 20_000 } else { 200 }))]

    #[test]
    fn programs_write_what_the_reference_writes(
        rules in rules(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        run(rules, &steps).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn parts_merge_to_the_whole_in_any_order(
        rules in rules(),
        all in prop::collection::vec((seen(), 0usize..4), 0..300),
        order in Just([0, 1, 2, 3]).prop_shuffle(),
        pairwise: bool,
        through_bytes: bool,
    ) {
        // One value to an instant and stream, so that position never decides which is last.
        let rules = Rules { quota: None, ..rules };
        let mut taken = BTreeSet::new();
        let mut whole = Aggregator::new(config(&rules)).unwrap();
        // Nodes of two versions: some have families, some have none.
        let config_of = |node: usize| if node.is_multiple_of(2) { config_with_families(&rules) } else { config(&rules) };
        let mut nodes: Vec<Aggregator> = (0..4).map(|node| Aggregator::new(config_of(node)).unwrap()).collect();
        for (seen, node) in &all {
            if taken.insert((format!("{:?}", seen.key), seen.time)) {
                let _ = observe(&mut whole, seen);
                let _ = observe(&mut nodes[*node], seen);
            }
        }
        let mut parts: Vec<Aggregator> = order
            .iter()
            .map(|node| {
                let part = std::mem::replace(&mut nodes[*node], Aggregator::new(config(&rules)).unwrap());
                if !through_bytes {
                    return part;
                }
                let mut part = part;
                Aggregator::restore(config_of(*node / 2), &part.snapshot(b"")).unwrap().0
            })
            .collect();
        let (d, c) = (parts.pop().unwrap(), parts.pop().unwrap());
        let (mut b, mut a) = (parts.pop().unwrap(), parts.pop().unwrap());
        if pairwise {
            // a + (b + (c + d))
            let mut c = c;
            c.merge(d).unwrap();
            b.merge(c).unwrap();
            a.merge(b).unwrap();
        } else {
            // ((a + b) + c) + d
            a.merge(b).unwrap();
            a.merge(c).unwrap();
            a.merge(d).unwrap();
        }
        prop_assert_eq!(a.ledger(), whole.ledger());
        let (mut merged, mut expected): (Vec<DataPointBuf>, Vec<DataPointBuf>) = (Vec::new(), Vec::new());
        for now in [100, 300, 500] {
            a.advance(Timestamp::from_unix_micros(now * SECOND), &mut merged).unwrap();
            whole.advance(Timestamp::from_unix_micros(now * SECOND), &mut expected).unwrap();
        }
        a.finish(&mut merged).unwrap();
        whole.finish(&mut expected).unwrap();
        prop_assert_eq!(merged, expected);
    }

    #[test]
    fn order_of_arrival_does_not_show(
        mut all in prop::collection::vec(seen(), 0..300),
        turn in 0usize..300,
    ) {
        // One value to an instant and stream, so that position never decides which is last.
        let mut taken = BTreeSet::new();
        all.retain(|seen| taken.insert((format!("{:?}", seen.key), seen.time)));
        let written = |all: &[Seen]| {
            let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
            for seen in all {
                let _ = observe(&mut engine, seen);
            }
            let mut points: Vec<DataPointBuf> = Vec::new();
            engine.finish(&mut points).unwrap();
            points
        };
        let there = written(&all);
        let by = turn % all.len().max(1);
        all.rotate_left(by);
        prop_assert_eq!(&written(&all), &there);
        all.reverse();
        prop_assert_eq!(&written(&all), &there);
    }
}
