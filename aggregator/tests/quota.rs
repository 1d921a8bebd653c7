//! Quotas: who gets a place, who loses it, what becomes of the rest, and what `explain` says about it.
#![allow(missing_docs)]

use metric_model::{DataPointBuf, Kind, Observation, TagSet, Timestamp, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, CountingRule, Outcome, Refusal, Standing, StreamQuota};

fn engine(config: AggregatorConfig) -> Aggregator {
    Aggregator::new(config).unwrap()
}

fn see(engine: &mut Aggregator, kind: Kind, name: &str, user: &str, minute: i64) -> Outcome {
    let tags = TagSet::from_iter([("user", user)]);
    engine.observe(&Observation::new(kind, name, Value::plain(1.0), &tags, Timestamp::from_unix_seconds(minute * 60)))
}

fn click(engine: &mut Aggregator, user: &str, minute: i64) -> Outcome {
    see(engine, Kind::Count, "clicks", user, minute)
}

/// Tags, standing, cost and observations of every row.
fn explained(engine: &Aggregator) -> Vec<(String, Standing, u32, u64)> {
    let explanation = engine.explain();
    let row = explanation.iter();
    row.map(|row| (format!("{}{{{}}}", row.name(), row.tags()), row.standing(), row.cost(), row.observations()))
        .collect()
}

#[test]
fn a_million_streams_against_a_quota_of_three_hundred() {
    let mut engine = engine(AggregatorConfig::new().with_quota(StreamQuota::streams(300)));
    for user in 0..1_000_000 {
        let outcome = click(&mut engine, &user.to_string(), user / 100_000);
        assert_eq!(outcome, if user < 300 { Outcome::Accepted } else { Outcome::Folded });
    }
    assert_eq!(engine.streams(), 301);
    assert_eq!(engine.explain().used(), 300);
    assert_eq!(engine.explain().iter().count(), 300 + 1 + 1_000);
    assert_eq!(engine.explain().unlisted(), 1_000_000 - 300 - 1_000);
    assert!(engine.memory() < 1 << 20, "{}", engine.memory());

    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.finish(&mut points).unwrap();
    let total: f64 = points.iter().map(|point| point.as_point().stats().sum()).sum();
    assert_eq!(total, 1_000_000.0, "totals stay right");
    assert_eq!((engine.ledger().accepted(), engine.ledger().folded()), (300, 999_700));
    assert!(engine.ledger().balances());
}

#[test]
fn a_measure_costs_five_and_a_cheaper_stream_may_still_fit() {
    let config = AggregatorConfig::new().without_percentiles("bytes").with_quota(StreamQuota::streams(7));
    let mut engine = engine(config);
    assert_eq!(see(&mut engine, Kind::Measure, "query", "a", 0), Outcome::Accepted);
    assert_eq!(see(&mut engine, Kind::Measure, "query", "b", 0), Outcome::Folded);
    assert_eq!(see(&mut engine, Kind::Measure, "bytes", "a", 0), Outcome::Accepted);
    assert_eq!(see(&mut engine, Kind::Sample, "size", "a", 0), Outcome::Accepted);
    assert_eq!(see(&mut engine, Kind::Sample, "size", "b", 0), Outcome::Folded);
    assert_eq!(
        explained(&engine),
        [
            ("bytes{user=a}".into(), Standing::Admitted, 1, 1),
            ("query{overflow=true}".into(), Standing::Overflow, 0, 1),
            ("query{user=a}".into(), Standing::Admitted, 5, 1),
            ("query{user=b}".into(), Standing::Folded, 5, 1),
            ("size{overflow=true}".into(), Standing::Overflow, 0, 1),
            ("size{user=a}".into(), Standing::Admitted, 1, 1),
            ("size{user=b}".into(), Standing::Folded, 1, 1),
        ]
    );
}

#[test]
fn exempt_metrics_take_no_place() {
    let quota = StreamQuota::streams(0).with_exempt("native.").with_overflow_streams(0);
    let mut engine = engine(AggregatorConfig::new().with_quota(quota));
    for user in ["1", "2", "3"] {
        assert_eq!(see(&mut engine, Kind::Measure, "native.latency", user, 0), Outcome::Accepted);
    }
    assert_eq!(click(&mut engine, "1", 0), Outcome::Refused(Refusal::OverQuota));
    assert_eq!(click(&mut engine, "1", 0), Outcome::Refused(Refusal::OverQuota));
    let rows = explained(&engine);
    assert_eq!(rows[0], ("clicks{user=1}".into(), Standing::Refused, 1, 2));
    assert!(rows[1..].iter().all(|row| row.1 == Standing::Exempt && row.2 == 0));
    assert_eq!(engine.ledger().refused_as(Refusal::OverQuota), 2);
}

#[test]
fn overflow_streams_are_bounded() {
    let mut engine = engine(AggregatorConfig::new().with_quota(StreamQuota::tag_sets(1).with_overflow_streams(2)));
    let names = ["a", "b", "c", "d"];
    let outcomes = names.map(|name| see(&mut engine, Kind::Measure, name, "1", 0));
    let refused = Outcome::Refused(Refusal::OverQuota);
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Folded, Outcome::Folded, refused]);
    assert_eq!(see(&mut engine, Kind::Measure, "a", "2", 0), refused);
    assert_eq!(see(&mut engine, Kind::Measure, "b", "2", 0), Outcome::Folded);
}

#[test]
fn a_place_is_given_up_after_idle_windows() {
    let config = AggregatorConfig::new().with_idle_after(3).with_quota(StreamQuota::streams(2));
    let mut engine = engine(config);
    for minute in 0..=3 {
        assert_eq!(click(&mut engine, "stays", minute), Outcome::Accepted);
        if minute == 0 {
            assert_eq!(click(&mut engine, "goes", 0), Outcome::Accepted);
        }
        assert_eq!(click(&mut engine, "waits", minute), Outcome::Folded);
    }
    // Minutes 1, 2 and 3 passed without it.
    assert_eq!(click(&mut engine, "waits", 4), Outcome::Accepted);
    assert_eq!(click(&mut engine, "goes", 4), Outcome::Folded);
    let rows = explained(&engine);
    assert!(rows.contains(&("clicks{user=goes}".into(), Standing::Idle, 0, 1)), "its window is still open: {rows:?}");

    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.advance(Timestamp::from_unix_seconds(300), &mut points).unwrap();
    assert!(!explained(&engine).iter().any(|row| row.1 == Standing::Idle), "its memory went with its window");
    assert_eq!(engine.streams(), 3);
}

#[test]
fn without_a_quota_idle_streams_give_their_memory_back() {
    let mut engine = engine(AggregatorConfig::new().with_max_streams(1_000));
    for minute in 0..500 {
        for user in 0..10 {
            // A restart a minute: new ids for ever.
            assert_eq!(click(&mut engine, &format!("{minute}.{user}"), minute), Outcome::Accepted);
        }
        let mut nowhere: Vec<DataPointBuf> = Vec::new();
        engine.advance(Timestamp::from_unix_seconds(minute * 60), &mut nowhere).unwrap();
        assert_eq!(nowhere.len(), if minute >= 2 { 10 } else { 0 });
    }
    assert_eq!(engine.streams(), 610);
    assert!(engine.memory() < 1 << 20, "{}", engine.memory());
}

#[test]
fn time_alone_makes_streams_idle() {
    let mut engine = engine(AggregatorConfig::new());
    assert_eq!(click(&mut engine, "1", 0), Outcome::Accepted);
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.advance(Timestamp::from_unix_seconds(61 * 60), &mut points).unwrap();
    assert_eq!((points.len(), engine.streams()), (1, 1));
    engine.advance(Timestamp::from_unix_seconds(63 * 60), &mut points).unwrap();
    assert_eq!((points.len(), engine.streams()), (1, 0));
}

#[test]
fn a_lower_quota_takes_no_place_away() {
    let mut engine = engine(AggregatorConfig::new().with_quota(StreamQuota::streams(3)));
    for user in ["1", "2", "3"] {
        assert_eq!(click(&mut engine, user, 0), Outcome::Accepted);
    }
    engine.set_quota(Some(StreamQuota::streams(1)));
    assert_eq!(click(&mut engine, "3", 0), Outcome::Accepted);
    assert_eq!(click(&mut engine, "4", 0), Outcome::Folded);
    assert_eq!((engine.explain().used(), engine.explain().limit()), (3, Some(1)));
    engine.set_quota(None);
    assert_eq!(click(&mut engine, "4", 0), Outcome::Accepted);
    assert_eq!((engine.explain().used(), engine.explain().limit()), (0, None));
}

#[test]
fn a_hard_limit_refuses() {
    let mut engine = engine(AggregatorConfig::new().with_max_streams(1).with_max_key_len(12));
    assert_eq!(click(&mut engine, "123", 0), Outcome::Refused(Refusal::KeyTooLong));
    assert_eq!(click(&mut engine, "12", 0), Outcome::Accepted);
    assert_eq!(click(&mut engine, "1", 0), Outcome::Refused(Refusal::TooManyStreams));
    assert_eq!(engine.open_windows(), 1);
}

#[test]
fn the_text_of_all_keys_is_bounded_and_given_back() {
    // The name once; each tag set its five octets of text and eight for where the tag ends. There must be room for all of
    // a new key, also where a part of it is known.
    let config = |octets| AggregatorConfig::new().with_idle_after(2).with_max_key_bytes(octets);
    let mut engine = engine(config("clicks".len() + 3 * (5 + 8) + "clicks".len()));
    for user in ["a", "b", "c", "a"] {
        assert_eq!(click(&mut engine, user, 0), Outcome::Accepted);
    }
    let full = Outcome::Refused(Refusal::TooManyStreams);
    assert_eq!(click(&mut engine, "d", 0), full);
    assert_eq!(see(&mut engine, Kind::Sample, "c", "a", 0), full, "a name more");

    let mut points: Vec<DataPointBuf> = Vec::new();
    assert_eq!(click(&mut engine, "a", 5), Outcome::Accepted);
    engine.advance(Timestamp::from_unix_seconds(6 * 60), &mut points).unwrap();
    assert_eq!((points.len(), engine.streams()), (3, 1), "those of minute 0 are forgotten");
    for user in ["d", "e"] {
        assert_eq!(click(&mut engine, user, 6), Outcome::Accepted);
    }
    assert_eq!(click(&mut engine, "f", 6), full);

    engine.advance(Timestamp::from_unix_seconds(20 * 60), &mut points).unwrap();
    assert_eq!(engine.streams(), 0);
    assert_eq!(see(&mut engine, Kind::Sample, "a.name.of.19.octets", "g", 20), Outcome::Accepted);
    assert_eq!(click(&mut engine, "g", 20), Outcome::Accepted, "six octets more: the tags are the same");
    assert_eq!(see(&mut engine, Kind::Measure, "c", "g", 20), full);
}

#[test]
fn what_is_remembered_of_the_turned_away_is_bounded() {
    let mut engine = engine(AggregatorConfig::new().with_quota(StreamQuota::streams(0).with_overflow_streams(0)));
    let long = "x".repeat(10_000);
    for user in 100..300 {
        assert_eq!(click(&mut engine, &format!("{user}{long}"), 0), Outcome::Refused(Refusal::OverQuota));
    }
    // A mebibyte, of which each takes its name, its tag, and eight octets for where that ends.
    let listed = (1 << 20) / ("clicks".len() + "user100".len() + long.len() + 8);
    assert_eq!(engine.explain().iter().len(), listed);
    assert_eq!(engine.explain().unlisted(), 200 - listed as u64);
}

#[test]
fn an_explanation_tells_by_which_rule() {
    for (quota, rule) in
        [(StreamQuota::streams(3), CountingRule::Streams), (StreamQuota::tag_sets(3), CountingRule::TagSets)]
    {
        let mut engine = engine(AggregatorConfig::new().with_quota(quota));
        assert_eq!((engine.explain().limit(), engine.explain().rule()), (Some(3), Some(rule)));
        engine.set_quota(None);
        assert_eq!((engine.explain().limit(), engine.explain().rule()), (None, None));
    }
}

#[test]
fn an_app_that_writes_the_overflow_tag_itself_shares_the_stream() {
    let mut engine = engine(AggregatorConfig::new().with_quota(StreamQuota::streams(1)));
    let tags = TagSet::from_iter([("overflow", "true")]);
    let seen = Observation::count("clicks", Value::plain(5.0), &tags, Timestamp::from_unix_seconds(0));
    assert_eq!(engine.observe(&seen), Outcome::Accepted);
    assert_eq!(click(&mut engine, "1", 0), Outcome::Folded);
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.finish(&mut points).unwrap();
    assert_eq!((points.len(), points[0].as_point().stats().sum()), (1, 6.0));
}
