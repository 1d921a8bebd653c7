//! Random programs, run by the aggregator and by the slow, exact reference, must write the same.
#![allow(missing_docs)]

use core::time::Duration;
use metric_model::{DataPointBuf, Kind, Observation, Percentile, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, LatePolicy, MinuteSketch, Outcome, StreamQuota};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use testkit::reference::{self, Fate, Quota, Reference, Row, Rules, Seen};

#[derive(Clone, Debug)]
enum Step {
    Observe(Seen),
    /// The same stream and second again and again, so that sketches leave their exact form.
    Burst(Seen, Vec<f64>),
    Advance(i64),
    SetQuota(Option<Quota>),
    /// A crash: the state goes to bytes and comes back.
    Restart,
    Finish,
}

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

fn stream_quota(quota: &Quota) -> StreamQuota {
    let limit = quota.limit as u32;
    let empty = if quota.tag_sets { StreamQuota::tag_sets(limit) } else { StreamQuota::streams(limit) };
    quota.exempt.iter().fold(empty, |quota, prefix| quota.exempt(prefix)).overflow_streams(quota.overflow as u32)
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

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        60 => seen().prop_map(Step::Observe),
        2 => (seen(), prop::collection::vec(value(), 0..150)).prop_map(|(seen, values)| Step::Burst(seen, values)),
        4 => (-300..700_i64).prop_map(|second| Step::Advance(second * SECOND)),
        1 => quota().prop_map(Step::SetQuota),
        2 => Just(Step::Restart),
        1 => Just(Step::Finish),
    ]
}

fn config(rules: &Rules) -> AggregatorConfig {
    let micros = |micros: i64| Duration::from_micros(micros as u64);
    let config = AggregatorConfig::new()
        .window(micros(rules.window))
        .allowed_lateness(micros(rules.lateness))
        .max_future(micros(rules.future))
        .idle_after(rules.idle_after as u32);
    let config = match rules.horizon {
        0 => config,
        horizon => config.late_policy(LatePolicy::Revise { horizon: micros(horizon) }),
    };
    let config = rules.quota.iter().fold(config, |config, quota| config.quota(stream_quota(quota)));
    rules.without_percentiles.iter().fold(config, |config, name| config.without_percentiles(name))
}

fn observe(engine: &mut Aggregator, seen: &Seen) -> Fate {
    let kind = match seen.key.kind {
        reference::Kind::Count => Kind::Count,
        reference::Kind::Measure => Kind::Measure,
        reference::Kind::Sample => Kind::Sample,
    };
    let tags: TagSet = seen.key.tags.iter().collect();
    let value = Value::new(seen.value, Unit::new(&seen.key.unit));
    let time = Timestamp::from_unix_micros(seen.time);
    match engine.observe(&Observation::new(kind, &seen.key.name, value, &tags, time)) {
        Outcome::Accepted => Fate::Accepted,
        Outcome::Folded => Fate::Folded,
        Outcome::Late { by } => Fate::Late(by.as_micros() as i64),
        Outcome::Future { by } => Fate::Future(by.as_micros() as i64),
        Outcome::Refused(reason) => Fate::Refused(reason.as_str()),
        other => panic!("{other:?}"),
    }
}

/// The point in the reference's terms.
fn row(point: &DataPointBuf) -> Row {
    let point = point.as_point();
    let stats = point.stats();
    let kind = match point.kind() {
        Kind::Count => reference::Kind::Count,
        Kind::Measure => reference::Kind::Measure,
        Kind::Sample => reference::Kind::Sample,
    };
    let tags: BTreeMap<_, _> = point.tags().iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let key = reference::Key { name: point.name().into(), kind, unit: point.unit().as_str().into(), tags };
    Row {
        window: point.window().start().unix_micros(),
        key,
        revision: point.revision(),
        count: stats.observations(),
        sum: stats.sum(),
        range: stats.min().zip(stats.max()).zip(stats.last()).map(|((min, max), last)| [min, max, last]),
        percentiles: stats.percentiles().map(|found| Percentile::ALL.map(|which| found.get(which))),
    }
}

/// Equal, but for percentiles of many values: those within the stated half per cent.
fn agree(written: &[Row], expected: &[Row]) -> Result<(), TestCaseError> {
    prop_assert_eq!(written.len(), expected.len());
    for (got, want) in written.iter().zip(expected) {
        let exact = want.count <= MinuteSketch::EXACT as u64;
        if exact || got.percentiles.is_none() {
            prop_assert_eq!(got, want);
            continue;
        }
        let plain = |row: &Row| Row { percentiles: None, ..row.clone() };
        prop_assert_eq!(plain(got), plain(want));
        for (a, b) in got.percentiles.into_iter().flatten().zip(want.percentiles.into_iter().flatten()) {
            prop_assert!((a - b).abs() <= b.abs() * 0.005, "{} is not {}", a, b);
        }
    }
    Ok(())
}

fn run(rules: Rules, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut engine = Aggregator::new(config(&rules)).unwrap();
    let mut reference = Reference::new(rules);
    let mut points: Vec<DataPointBuf> = Vec::new();
    let mut expected: Vec<Row> = Vec::new();
    for step in steps {
        match step {
            Step::Observe(seen) => prop_assert_eq!(observe(&mut engine, seen), reference.observe(seen)),
            Step::Burst(seen, values) => {
                for value in values {
                    let seen = Seen { value: *value, ..seen.clone() };
                    prop_assert_eq!(observe(&mut engine, &seen), reference.observe(&seen));
                }
            }
            Step::Advance(now) => {
                engine.advance(Timestamp::from_unix_micros(*now), &mut points).unwrap();
                expected.extend(reference.advance(*now));
            }
            Step::SetQuota(quota) => {
                engine.set_quota(quota.as_ref().map(stream_quota));
                reference.set_quota(quota.clone());
            }
            Step::Restart => {
                let bytes = engine.snapshot(b"position");
                let (back, position) = Aggregator::restore(engine.config().clone(), &bytes).unwrap();
                prop_assert_eq!(position, b"position");
                prop_assert_eq!(back.ledger(), engine.ledger());
                engine = back;
                prop_assert!(engine.snapshot(b"position") == bytes, "equal states are equal bytes");
            }
            Step::Finish => {
                engine.finish(&mut points).unwrap();
                expected.extend(reference.finish());
            }
        }
        prop_assert!(engine.ledger().balances());
        prop_assert_eq!(engine.open_windows(), reference.windows());
        prop_assert_eq!(engine.explain().used(), reference.used());
    }
    engine.finish(&mut points).unwrap();
    expected.extend(reference.finish());
    let written: Vec<Row> = points.iter().map(row).collect();
    agree(&written, &expected)?;
    // The last word on each point counts every observation once.
    let last: BTreeMap<_, _> = written.iter().map(|row| ((row.window, row.key.clone()), row.count)).collect();
    prop_assert_eq!(last.values().sum::<u64>(), engine.ledger().accepted() + engine.ledger().folded());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("HEROKU_METRICS_LONG").is_some() { 20_000 } else { 200 }))]

    #[test]
    fn programs_write_what_the_reference_writes(
        rules in rules(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        run(rules, &steps)?;
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
        let mut nodes: Vec<Aggregator> = (0..4).map(|_| Aggregator::new(config(&rules)).unwrap()).collect();
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
                Aggregator::restore(config(&rules), &part.snapshot(b"")).unwrap().0
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
