//! Windows, lateness, revision and sinks that fail.
#![allow(missing_docs)]

use core::time::Duration;
use metric_model::{DataPoint, DataPointBuf, Kind, Metric, Observation, Record, Sink, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, LatePolicy, Outcome, Refusal, StreamQuota};

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(second)
}

fn observe(engine: &mut Aggregator, name: &str, value: f64, time: Timestamp) -> Outcome {
    engine.observe(&Observation::sample(name, Value::plain(value), &TagSet::new(), time))
}

/// Start, name, revision and sum of each point.
fn rows(points: &[DataPointBuf]) -> Vec<(i64, String, u32, f64)> {
    let row = |point: DataPoint<'_>| {
        (point.window().start().unix_seconds(), point.name().to_string(), point.revision(), point.stats().sum())
    };
    points.iter().map(|point| row(point.as_point())).collect()
}

/// Takes so many points, then fails once.
struct Fails {
    after: usize,
    taken: Vec<DataPointBuf>,
}

impl Sink for Fails {
    type Error = &'static str;

    fn write(&mut self, point: &DataPoint<'_>) -> Result<(), Self::Error> {
        if self.after == 0 {
            self.after = usize::MAX;
            return Err("full");
        }
        self.after -= 1;
        self.taken.push(point.to_buf());
        Ok(())
    }
}

#[test]
fn windows_are_clock_aligned_on_both_sides_of_1970() {
    for (length, time, start) in [
        (60, -1, -60),
        (60, -60, -60),
        (60, 59, 0),
        (60, 60, 60),
        (10, 253_402_300_799, 253_402_300_790),
        (86_400, -1, -86_400),
    ] {
        let mut engine = Aggregator::new(AggregatorConfig::new().with_window(Duration::from_secs(length))).unwrap();
        assert_eq!(observe(&mut engine, "x", 1.0, at(time)), Outcome::Accepted);
        let mut points: Vec<DataPointBuf> = Vec::new();
        engine.finish(&mut points).unwrap();
        assert_eq!(rows(&points), [(start, "x".to_string(), 0, 1.0)]);
    }
}

#[test]
fn the_ends_of_time_are_windows_too() {
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    for time in [Timestamp::MIN, Timestamp::MAX, at(0)] {
        assert_eq!(observe(&mut engine, "x", 1.0, time), Outcome::Accepted);
    }
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.advance(Timestamp::MAX, &mut points).unwrap();
    engine.finish(&mut points).unwrap();
    assert_eq!(points.len(), 3);
    assert!(engine.ledger().balances());
    assert!(matches!(observe(&mut engine, "x", 1.0, Timestamp::MIN), Outcome::Late { .. }));
}

#[test]
fn one_frame_from_the_year_9999_closes_nothing() {
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.advance(at(1_000), &mut points).unwrap();
    assert!(matches!(observe(&mut engine, "x", 1.0, at(253_402_300_799)), Outcome::Future { .. }));
    assert_eq!(observe(&mut engine, "x", 1.0, at(1_000)), Outcome::Accepted);
    assert_eq!((engine.open_windows(), engine.latest()), (1, Some(at(1_000))));
}

#[test]
fn a_window_closes_at_its_end_plus_the_lateness() {
    let mut engine = Aggregator::new(AggregatorConfig::new().with_allowed_lateness(Duration::from_secs(30))).unwrap();
    let mut points: Vec<DataPointBuf> = Vec::new();
    let _ = observe(&mut engine, "x", 1.0, at(0));
    engine.advance(Timestamp::from_unix_micros(89_999_999), &mut points).unwrap();
    assert_eq!((points.len(), observe(&mut engine, "x", 2.0, at(59))), (0, Outcome::Accepted));
    engine.advance(at(90), &mut points).unwrap();
    assert_eq!(rows(&points), [(0, "x".to_string(), 0, 3.0)]);
    let by = Duration::from_micros(1);
    let last = Timestamp::from_unix_micros(59_999_999);
    assert_eq!(observe(&mut engine, "x", 2.0, last), Outcome::Late { by });
    engine.advance(at(0), &mut points).unwrap();
    assert_eq!(observe(&mut engine, "x", 2.0, last), Outcome::Late { by }, "time does not go back");
}

#[test]
fn a_sink_that_fails_gets_the_window_again_from_its_first_point() {
    for after in 0..4 {
        let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
        for (name, second) in [("a", 0), ("b", 0), ("a", 60), ("b", 60)] {
            let _ = observe(&mut engine, name, 1.0, at(second));
        }
        let mut sink = Fails { after, taken: Vec::new() };
        assert_eq!(engine.advance(at(180), &mut sink), Err("full"));
        assert!(matches!(observe(&mut engine, "a", 1.0, at(60)), Outcome::Late { .. }), "closed all the same");
        let before = sink.taken.len();
        assert_eq!(engine.advance(at(180), &mut sink), Ok(()));
        let whole = |second| [(second, "a".to_string(), 0, 1.0), (second, "b".to_string(), 0, 1.0)];
        let again = rows(&sink.taken[before..]);
        let expected = if after < 2 { [whole(0), whole(60)].concat() } else { whole(60).to_vec() };
        assert_eq!(again, expected, "failed after {after}");
        assert_eq!(engine.open_windows(), 0);
    }
}

#[test]
fn revisions_hold_what_changed_and_number_on() {
    let hour = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
    let mut engine = Aggregator::new(AggregatorConfig::new().with_late_policy(hour)).unwrap();
    let mut points: Vec<DataPointBuf> = Vec::new();
    let _ = observe(&mut engine, "a", 1.0, at(0));
    let _ = observe(&mut engine, "b", 1.0, at(0));
    engine.advance(at(120), &mut points).unwrap();
    assert_eq!(points.len(), 2);

    points.clear();
    let _ = observe(&mut engine, "c", 7.0, at(30));
    let _ = observe(&mut engine, "a", 2.0, at(1));
    let _ = observe(&mut engine, "a", 5.0, at(60));
    engine.advance(at(180), &mut points).unwrap();
    let expected = [(0, "a", 1, 3.0), (0, "c", 0, 7.0), (60, "a", 0, 5.0)];
    assert_eq!(rows(&points), expected.map(|(start, name, revision, sum)| (start, name.to_string(), revision, sum)));
    assert_eq!(engine.ledger().revising(), 2);

    points.clear();
    let _ = observe(&mut engine, "b", 2.0, at(1));
    let mut sink = Fails { after: 0, taken: Vec::new() };
    assert_eq!(engine.advance(at(181), &mut sink), Err("full"));
    engine.advance(at(181), &mut points).unwrap();
    assert_eq!(rows(&points), [(0, "b".to_string(), 1, 3.0)]);

    // The first minute's horizon ends at 60 + 60 + 3600.
    engine.advance(at(3_719), &mut points).unwrap();
    assert_eq!(observe(&mut engine, "b", 2.0, at(1)), Outcome::Accepted);
    engine.advance(at(3_720), &mut points).unwrap();
    assert_eq!(rows(&points).last(), Some(&(0, "b".to_string(), 2, 5.0)), "written once more before it goes");
    assert!(matches!(observe(&mut engine, "b", 2.0, at(1)), Outcome::Late { .. }));
    assert_eq!(engine.open_windows(), 1);
    engine.finish(&mut points).unwrap();
    assert_eq!(engine.open_windows(), 0);
}

#[test]
fn a_point_that_is_first_seen_late_starts_at_revision_0() {
    let hour = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
    let mut engine = Aggregator::new(AggregatorConfig::new().with_late_policy(hour)).unwrap();
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.advance(at(600), &mut points).unwrap();
    assert_eq!(observe(&mut engine, "x", 1.0, at(0)), Outcome::Accepted);
    engine.advance(at(600), &mut points).unwrap();
    assert_eq!(rows(&points), [(0, "x".to_string(), 0, 1.0)]);
}

#[test]
fn the_last_sample_is_the_latest_by_event_time_then_by_position() {
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    for (value, second) in [(1.0, 5), (2.0, 9), (3.0, 9), (4.0, 7)] {
        let _ = observe(&mut engine, "x", value, at(second));
    }
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.finish(&mut points).unwrap();
    assert_eq!(points[0].as_point().stats().last(), Some(3.0));
}

#[test]
fn values_of_different_units_are_different_streams() {
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    let none = TagSet::new();
    for unit in ["ms", "", "bytes"] {
        let value = Value::new(1.0, Unit::new(unit));
        assert_eq!(engine.observe(&Observation::measure("x", value, &none, at(0))), Outcome::Accepted);
    }
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.finish(&mut points).unwrap();
    let units: Vec<_> = points.iter().map(|point| point.as_point().unit().to_string()).collect();
    assert_eq!(units, ["", "bytes", "ms"]);
}

#[test]
fn output_is_sorted_by_window_name_kind_unit_and_tags() {
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    let tag_sets = [vec![("z", "1")], vec![], vec![("a", "2"), ("b", "1")], vec![("a", "10")]];
    for tags in tag_sets.map(TagSet::from_iter) {
        for (name, second) in [("b", 60), ("a", 60), ("a", 0)] {
            let value = Value::plain(1.0);
            let _ = engine.observe(&Observation::sample(name, value, &tags, at(second)));
            let _ = engine.observe(&Observation::count(name, value, &tags, at(second)));
            let _ = engine.observe(&Observation::measure(name, value, &tags, at(second)));
        }
    }
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.finish(&mut points).unwrap();
    let keys: Vec<_> = points
        .iter()
        .map(|point| {
            let point = point.as_point();
            (point.window(), point.name().to_string(), point.kind(), point.unit().to_string(), point.tags().clone())
        })
        .collect();
    assert_eq!(keys.len(), 36);
    assert!(keys.is_sorted());
}

#[test]
fn closing_the_oldest_gives_memory_back() {
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    for minute in 0..100 {
        for value in 0..200 {
            let none = TagSet::new();
            let value = Value::plain(f64::from(value) * 3.3);
            let _ = engine.observe(&Observation::measure("x", value, &none, at(minute * 60)));
        }
    }
    let mut points: Vec<DataPointBuf> = Vec::new();
    assert!(engine.close_oldest(&mut points).unwrap());
    let full = engine.memory();
    for _ in 0..90 {
        assert!(engine.close_oldest(&mut points).unwrap());
    }
    assert!(engine.memory() < full / 3, "{full} {}", engine.memory());
    assert_eq!((points.len(), engine.open_windows()), (91, 9));
    engine.finish(&mut points).unwrap();
    assert!(!engine.close_oldest(&mut points).unwrap());
}

#[test]
fn a_record_answers_as_its_observations_do_when_streams_come_and_go() {
    static CLICK: [Metric<'static>; 2] =
        [Metric::new(Kind::Count, "clicks", Unit::NONE), Metric::new(Kind::Measure, "delay", Unit::NONE)];

    let config = AggregatorConfig::new().with_quota(StreamQuota::streams(7)).with_idle_after(3);
    let mut by_record = Aggregator::new(config.clone().with_family(&CLICK)).unwrap();
    let mut by_value = Aggregator::new(config).unwrap();
    let users: Vec<TagSet> = (0..4).map(|user| TagSet::from_iter([("user", user.to_string())])).collect();
    let (mut written, mut expected): (Vec<DataPointBuf>, Vec<DataPointBuf>) = (Vec::new(), Vec::new());
    // Who is seen changes every few minutes, so that places are given up, streams removed and their numbers used again.
    for n in 0_i64..4_000 {
        let user = usize::try_from((n / 400 + n % 3) % 4).unwrap();
        let values = [Some(1.0), (n % 5 > 0).then_some(n as f64)];
        let record = Record::new(&CLICK, &values, &users[user], at(n * 3));
        let mut outcomes = Vec::new();
        by_record.record(&record, |_, outcome| outcomes.push(outcome));
        assert_eq!(outcomes, record.observations().map(|seen| by_value.observe(&seen)).collect::<Vec<_>>(), "{n}");
        if n % 50 == 0 {
            by_record.advance(at(n * 3), &mut written).unwrap();
            by_value.advance(at(n * 3), &mut expected).unwrap();
        }
    }
    assert!(by_value.ledger().folded() > 0 && by_value.ledger().accepted() > 0);
    assert_eq!(by_record.snapshot(b""), by_value.snapshot(b""));
    by_record.finish(&mut written).unwrap();
    by_value.finish(&mut expected).unwrap();
    assert_eq!(written, expected);
    assert_eq!(by_record.ledger(), by_value.ledger());
}

/// A list that only looks like a family's is no family, however alike.
#[test]
fn metrics_that_share_their_memory_with_a_family_are_told_from_it() {
    static HTTP: [Metric<'static>; 3] = [
        Metric::new(Kind::Count, "a", Unit::NONE),
        Metric::new(Kind::Count, "b", Unit::NONE),
        Metric::new(Kind::Count, "c", Unit::NONE),
    ];

    let none = TagSet::new();
    let mut engine = Aggregator::new(AggregatorConfig::new().with_family(&HTTP)).unwrap();
    for metrics in [&HTTP[..], &HTTP[..2], &HTTP[1..]] {
        for _ in 0..2 {
            engine.record(&Record::new(metrics, &[Some(1.0), Some(10.0), Some(100.0)], &none, at(0)), |_, _| ());
        }
    }
    let mut rows: Vec<DataPointBuf> = Vec::new();
    engine.finish(&mut rows).unwrap();
    let sums: Vec<_> =
        rows.iter().map(|row| (row.as_point().name().to_owned(), row.as_point().stats().sum())).collect();
    assert_eq!(sums, [("a".into(), 4.0), ("b".into(), 42.0), ("c".into(), 220.0)]);
}

/// Up to 64 values are kept as they are; one more makes counters of them, of which values far apart need a block each.
#[test]
fn values_that_make_all_sketches_grow_at_once_stay_in_the_bound() {
    let config = AggregatorConfig::new().with_max_streams(2_000).with_max_window_bytes(4 << 20);
    let bound = config.max_memory();
    let mut engine = Aggregator::new(config).unwrap();
    let tags: Vec<TagSet> = (0..2_000).map(|n| TagSet::from_iter([("user", n.to_string())])).collect();
    let mut refused = 0;
    for value in 0..65 {
        let value = Value::plain(10_f64.powi(value * 4 - 128));
        for tags in &tags {
            let outcome = engine.observe(&Observation::measure("x", value, tags, at(0)));
            refused += usize::from(outcome == Outcome::Refused(Refusal::WindowsFull));
        }
        let _ = engine.snapshot(b""); // nothing is staged any more
        assert!(engine.memory() <= bound, "{} of {bound}", engine.memory());
    }
    assert!(refused > 1_000, "the last value does not fit: {refused}");
}
