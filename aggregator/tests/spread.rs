//! A close in small steps writes what a close in one step does, whatever comes between the steps.
#![allow(missing_docs)]

use core::time::Duration;
use metric_model::{DataPoint, DataPointBuf, Kind, Observation, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, LatePolicy, Outcome};
use std::convert::Infallible;

const KINDS: [Kind; 3] = [Kind::Count, Kind::Measure, Kind::Sample];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// `users` streams of each kind in a window, as numbers spread over them.
fn observe(engine: &mut Aggregator, users: u32, seconds: i64) {
    for user in 0..users {
        // Not in the order of output.
        let tags = TagSet::from_iter([("user", (user.wrapping_mul(0x9E37_79B9) % 100_003).to_string())]);
        for (place, kind) in KINDS.into_iter().enumerate() {
            let value = Value::new(f64::from(user % 97) + 0.25, Unit::new(["", "ms"][place % 2]));
            let _ = engine.observe(&Observation::new(kind, ["b", "a", "c"][place], value, &tags, at(seconds)));
        }
    }
}

fn revising() -> AggregatorConfig {
    AggregatorConfig::new().with_late_policy(LatePolicy::Revise { horizon: Duration::from_secs(600) })
}

fn new(config: &AggregatorConfig) -> Aggregator {
    Aggregator::new(config.clone()).unwrap()
}

#[test]
fn steps_of_any_size_write_the_same() {
    for config in [AggregatorConfig::new(), revising()] {
        let mut expected: Vec<DataPointBuf> = Vec::new();
        let fill = |engine: &mut Aggregator| (0..3).for_each(|minute| observe(engine, 1_500, minute * 60));
        let mut whole = new(&config);
        fill(&mut whole);
        whole.advance(at(1_000), &mut expected).unwrap();
        assert_eq!(expected.len(), 3 * 4_500);
        for step in [0, 1, 7, 1_000, 4_500, usize::MAX] {
            let mut engine = new(&config);
            fill(&mut engine);
            let mut points: Vec<DataPointBuf> = Vec::new();
            loop {
                let before = points.len();
                let more = engine.advance_some(at(1_000), step, &mut points).unwrap();
                assert!(points.len() - before <= step.max(1));
                if !more {
                    break;
                }
            }
            assert!(points == expected, "{step}");
            assert_eq!(engine.open_windows(), whole.open_windows());
            assert!(!engine.advance_some(at(1_000), step, &mut points).unwrap());
            assert_eq!((points.len(), engine.memory()), (expected.len(), whole.memory()));
        }
    }
}

#[test]
fn input_goes_on_between_the_steps() {
    let mut engine = new(&AggregatorConfig::new());
    let mut whole = new(&AggregatorConfig::new());
    observe(&mut engine, 2_000, 0);
    observe(&mut whole, 2_000, 0);
    let (mut points, mut expected): (Vec<DataPointBuf>, Vec<DataPointBuf>) = (Vec::new(), Vec::new());
    whole.advance(at(120), &mut expected).unwrap();
    let mut steps = 0;
    while engine.advance_some(at(120), 100, &mut points).unwrap() {
        // New streams, in and among those that are being written; and what is late is late from the first step on.
        observe(&mut engine, 2_000 + steps, 130);
        observe(&mut whole, 2_000 + steps, 130);
        let none = TagSet::new();
        let late = Observation::count("late", Value::plain(1.0), &none, at(59));
        assert!(matches!(engine.observe(&late), Outcome::Late { .. }));
        let _ = whole.observe(&late);
        steps += 1;
        if steps == 30 {
            engine.finish(&mut points).unwrap();
            break;
        }
    }
    assert_eq!(steps, 30);
    whole.finish(&mut expected).unwrap();
    assert!(points == expected);
    assert_eq!(engine.ledger(), whole.ledger());
    assert_eq!(engine.open_windows(), 0);
}

#[test]
fn late_values_during_a_step_are_written_once() {
    let mut engine = new(&revising());
    observe(&mut engine, 500, 0);
    let mut points: Vec<DataPointBuf> = Vec::new();
    let mut steps = 0;
    while engine.advance_some(at(120), 50, &mut points).unwrap() {
        steps += 1;
        if steps % 7 == 0 {
            observe(&mut engine, 600, 30);
        }
        if steps > 20 {
            break;
        }
    }
    engine.finish(&mut points).unwrap();
    assert_eq!(engine.ledger().revising(), 3 * 3 * 600);
    // The last revision of each stream has all of its values, and revisions have no gap.
    let mut last = std::collections::BTreeMap::new();
    for point in &points {
        let point = point.as_point();
        let revision = last.entry((point.name().to_string(), point.tags().clone())).or_insert((0, 0));
        assert_eq!(u64::from(point.revision()), revision.0, "{point:?}");
        *revision = (revision.0 + 1, point.stats().observations());
    }
    assert_eq!(last.len(), 3 * 600);
    assert_eq!(last.values().map(|(_, observations)| observations).sum::<u64>(), 3 * 500 + 3 * 3 * 600);
}

#[test]
fn a_refused_point_has_the_window_written_from_its_first_point() {
    let mut engine = new(&AggregatorConfig::new());
    observe(&mut engine, 400, 0);
    let mut expected: Vec<DataPointBuf> = Vec::new();
    let mut other = new(&AggregatorConfig::new());
    observe(&mut other, 400, 0);
    other.finish(&mut expected).unwrap();

    let mut seen = 0;
    let mut breaks = |_: &DataPoint<'_>| {
        seen += 1;
        if seen > 700 { Err("full") } else { Ok(()) }
    };
    let error = loop {
        match engine.advance_some(at(120), 64, &mut breaks) {
            Ok(more) => assert!(more),
            Err(error) => break error,
        }
    };
    assert_eq!((error, seen, engine.open_windows()), ("full", 701, 1));
    let mut points: Vec<DataPointBuf> = Vec::new();
    while engine.advance_some(at(120), 64, &mut points).unwrap() {}
    assert!(points == expected, "with revision 0");
}

#[test]
fn a_refused_revision_keeps_its_number() {
    let mut engine = new(&revising());
    for revision in 0..5 {
        observe(&mut engine, 100, 30);
        let mut seen = 0;
        let mut breaks = |_: &DataPoint<'_>| {
            seen += 1;
            if seen > 170 { Err("full") } else { Ok(()) }
        };
        assert_eq!(engine.advance(at(120), &mut breaks), Err("full"));
        let mut points: Vec<DataPointBuf> = Vec::new();
        engine.advance(at(120), &mut points).unwrap();
        assert_eq!(points.len(), 300);
        assert!(points.iter().all(|point| point.as_point().revision() == revision), "{revision}");
    }
}

#[test]
fn a_snapshot_in_the_middle_holds_what_is_still_to_be_written() {
    let mut expected: Vec<DataPointBuf> = Vec::new();
    let mut whole = new(&AggregatorConfig::new());
    observe(&mut whole, 700, 0);
    observe(&mut whole, 700, 60);
    whole.finish(&mut expected).unwrap();
    for stop in 1..80 {
        let mut engine = new(&AggregatorConfig::new());
        observe(&mut engine, 700, 0);
        observe(&mut engine, 700, 60);
        let mut points: Vec<DataPointBuf> = Vec::new();
        for _ in 0..stop {
            engine.advance_some(at(180), 80, &mut points).unwrap();
        }
        let bytes = engine.snapshot(b"");
        let (mut restored, _) = Aggregator::restore(AggregatorConfig::new(), &bytes).unwrap();
        assert!(restored.snapshot(b"") == bytes, "{stop}");
        let mut rest: Vec<DataPointBuf> = Vec::new();
        restored.finish(&mut rest).unwrap();
        assert!([&points[..], &rest].concat() == expected, "{stop}");
        // The one that goes on is not disturbed.
        engine.finish(&mut points).unwrap();
        assert!(points == expected, "{stop}");
        assert_eq!((engine.open_windows(), restored.open_windows()), (0, 0));
    }
}

#[test]
fn merging_in_the_middle_loses_nothing() {
    let mut engine = new(&AggregatorConfig::new());
    observe(&mut engine, 300, 0);
    let mut sum = 0.0;
    let mut add = |point: &DataPoint<'_>| {
        sum += if point.revision() == 0 { point.stats().sum() } else { 0.0 };
        Ok::<(), Infallible>(())
    };
    for _ in 0..8 {
        assert!(engine.advance_some(at(120), 50, &mut add).unwrap());
    }
    let mut other = new(&AggregatorConfig::new());
    observe(&mut other, 300, 60);
    engine.merge(other).unwrap();
    engine.finish(&mut add).unwrap();
    let mut expected = 0.0;
    let mut whole = new(&AggregatorConfig::new());
    observe(&mut whole, 300, 0);
    observe(&mut whole, 300, 60);
    let mut add = |point: &DataPoint<'_>| {
        expected += point.stats().sum();
        Ok::<(), Infallible>(())
    };
    whole.finish(&mut add).unwrap();
    assert_eq!(sum, expected);
}

#[test]
fn after_a_merge_in_the_middle_the_rest_comes_in_order() {
    let keys = |points: &[DataPointBuf]| {
        let points = points.iter().map(DataPointBuf::as_point);
        points.map(|point| (point.name().to_string(), point.kind(), point.tags().clone())).collect::<Vec<_>>()
    };
    let mut whole = new(&AggregatorConfig::new());
    observe(&mut whole, 600, 0);
    let mut expected: Vec<DataPointBuf> = Vec::new();
    whole.finish(&mut expected).unwrap();
    for steps in 1..20 {
        let mut engine = new(&AggregatorConfig::new());
        observe(&mut engine, 300, 0);
        for _ in 0..steps {
            engine.advance_some(at(120), 50, &mut Vec::new()).unwrap();
        }
        let mut other = new(&AggregatorConfig::new());
        observe(&mut other, 600, 0);
        engine.merge(other).unwrap();
        let mut points: Vec<DataPointBuf> = Vec::new();
        engine.finish(&mut points).unwrap();
        assert!(keys(&points) == keys(&expected), "after {steps} steps");
    }
}
