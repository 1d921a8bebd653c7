//! What others have summed, as part of streams: exact in all but percentiles, which are gone, and marked so.
#![allow(missing_docs)]

use core::convert::Infallible;
use core::time::Duration;
use metric_model::{DataPointBuf, Kind, Observation, Stats, Summary, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{
    Aggregator, AggregatorConfig, EachRow, LatePolicy, MinuteSketch, Outcome, Refusal, RestoreErrorKind, Row, RowBuf,
    StreamQuota,
};
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(second)
}

fn engine(config: AggregatorConfig) -> Aggregator {
    Aggregator::new(config).unwrap()
}

fn sum_up(engine: &mut Aggregator, kind: Kind, second: i64, stats: Stats) -> Outcome {
    engine.summary(&Summary::new(kind, "x", Unit::NONE, &TagSet::new(), at(second), stats))
}

fn see(engine: &mut Aggregator, kind: Kind, second: i64, value: f64) -> Outcome {
    engine.observe(&Observation::new(kind, "x", Value::plain(value), &TagSet::new(), at(second)))
}

fn points(mut engine: Aggregator) -> Vec<DataPointBuf> {
    let mut points = Vec::new();
    engine.finish(&mut points).unwrap();
    points
}

fn stats(engine: Aggregator) -> Stats {
    *points(engine)[0].as_point().stats()
}

/// Six values between 1 and 9, 30 together, the last 5.
const SIX: Stats = Stats::sample(6, 30.0, 1.0, 9.0, 5.0);

#[test]
fn a_summary_of_each_kind_enters_its_stream() {
    let config = || AggregatorConfig::new();
    for (config, kind, expected) in [
        (config(), Kind::Count, Stats::count(7, 34.0)),
        (config(), Kind::Sample, Stats::sample(7, 34.0, 1.0, 9.0, 4.0)),
        (config().without_percentiles("x"), Kind::Measure, Stats::sample(7, 34.0, 1.0, 9.0, 4.0)),
        (config(), Kind::Measure, Stats::sample(7, 34.0, 1.0, 9.0, 4.0).with_summaries()),
    ] {
        let mut before = engine(config.clone());
        assert_eq!(sum_up(&mut before, kind, 3, SIX), Outcome::Accepted);
        assert_eq!(see(&mut before, kind, 7, 4.0), Outcome::Accepted);
        let mut behind = engine(config);
        let _ = see(&mut behind, kind, 7, 4.0);
        let _ = sum_up(&mut behind, kind, 3, SIX);
        for engine in [before, behind] {
            assert_eq!(
                (engine.ledger().observed(), engine.ledger().accepted()),
                (2, 2),
                "a summary is one observation"
            );
            assert!(engine.ledger().balances());
            assert_eq!(stats(engine), expected);
        }
    }
}

#[test]
fn a_summary_alone_has_no_percentiles_either_and_neither_has_one_among_many_values() {
    let mut alone = engine(AggregatorConfig::new());
    let _ = sum_up(&mut alone, Kind::Measure, 0, SIX);
    assert_eq!(stats(alone), SIX.with_summaries());
    for count in [1, 5, 40, 200] {
        let mut among = engine(AggregatorConfig::new());
        for n in 0..count {
            let _ = see(&mut among, Kind::Measure, n % 60, n as f64 * 1.7);
            if n == count / 2 {
                let _ = sum_up(&mut among, Kind::Measure, 0, SIX);
            }
        }
        let _ = see(&mut among, Kind::Measure, 60, 1.0);
        let points = points(among);
        let [minute, next] = [0, 1].map(|n| *points[n].as_point().stats());
        assert_eq!(minute.observations(), count as u64 + 6);
        assert!(minute.is_summed() && minute.percentiles().is_none());
        assert!(!next.is_summed() && next.percentiles().is_some(), "the mark is that of one window");
    }
}

#[test]
fn the_last_value_is_that_of_the_latest_time() {
    for (second, last) in [(3, 4.0), (9, 5.0)] {
        let mut engine = engine(AggregatorConfig::new());
        let _ = see(&mut engine, Kind::Sample, 7, 4.0);
        let _ = sum_up(&mut engine, Kind::Sample, second, SIX);
        assert_eq!(stats(engine).last(), Some(last));
    }
}

#[test]
fn summaries_that_no_values_have_are_refused_and_counted() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let mut engine = engine(AggregatorConfig::new());
    let cases = [
        (Kind::Measure, Stats::sample(0, 0.0, 0.0, 0.0, 0.0), Refusal::BadSummary),
        (Kind::Count, Stats::count(0, 0.0), Refusal::BadSummary),
        (Kind::Measure, Stats::sample(2, 3.0, 2.0, 1.0, 1.5), Refusal::BadSummary),
        (Kind::Sample, Stats::sample(2, 3.0, 1.0, 2.0, 2.5), Refusal::BadSummary),
        (Kind::Sample, Stats::sample(2, 3.0, 1.0, 2.0, 0.5), Refusal::BadSummary),
        (Kind::Measure, Stats::count(2, 3.0), Refusal::BadSummary),
        (Kind::Count, Stats::count(2, -3.0), Refusal::NegativeCount),
        (Kind::Count, Stats::count(2, nan), Refusal::NotFinite),
        (Kind::Measure, Stats::sample(2, inf, 1.0, 2.0, 2.0), Refusal::NotFinite),
        (Kind::Measure, Stats::sample(2, 3.0, nan, 2.0, 2.0), Refusal::NotFinite),
        (Kind::Measure, Stats::sample(2, 3.0, 1.0, inf, 2.0), Refusal::NotFinite),
        (Kind::Sample, Stats::sample(2, 3.0, 1.0, 2.0, -inf), Refusal::NotFinite),
    ];
    for (kind, stats, refusal) in cases {
        assert_eq!(sum_up(&mut engine, kind, 0, stats), Outcome::Refused(refusal), "{stats:?}");
    }
    let books = engine.ledger();
    assert_eq!((books.observed(), books.refused(), books.accepted()), (12, 12, 0));
    assert_eq!((books.refused_as(Refusal::BadSummary), books.refused_as(Refusal::NotFinite)), (6, 5));
    assert!(books.balances() && engine.streams() == 0 && engine.latest().is_none());
}

#[test]
fn a_summary_is_late_too_early_over_the_quota_or_too_much_as_an_observation_is() {
    let mut engine = engine(AggregatorConfig::new());
    engine.advance(at(300), &mut Vec::<DataPointBuf>::new()).unwrap();
    for second in [239, 240, 600, 601] {
        let outcome = sum_up(&mut engine, Kind::Measure, second, SIX);
        assert_eq!(outcome, see(&mut engine, Kind::Measure, second, 1.0), "second {second}");
    }
    let books = engine.ledger();
    assert_eq!((books.late(), books.future(), books.accepted()), (2, 2, 4));
    assert!(books.balances());

    let mut engine = self::engine(AggregatorConfig::new().with_quota(StreamQuota::tag_sets(1)));
    let of = |engine: &mut Aggregator, user: &str| {
        let tags = TagSet::from_iter([("user", user)]);
        engine.summary(&Summary::new(Kind::Measure, "x", Unit::NONE, &tags, at(0), SIX))
    };
    assert_eq!([of(&mut engine, "1"), of(&mut engine, "2")], [Outcome::Accepted, Outcome::Folded]);
    assert_eq!(engine.explain().used(), 1);

    let mut engine = self::engine(AggregatorConfig::new().with_max_window_bytes(100_000));
    let full = (0..10_000).find(|user| of(&mut engine, &user.to_string()) != Outcome::Accepted).unwrap();
    assert_eq!(of(&mut engine, "another"), Outcome::Refused(Refusal::WindowsFull));
    assert!(full > 100 && engine.memory() <= engine.config().max_memory());
}

#[test]
fn a_late_summary_revises_its_window() {
    let hour = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
    let mut engine = engine(AggregatorConfig::new().with_late_policy(hour));
    let _ = see(&mut engine, Kind::Measure, 0, 4.0);
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.advance(at(120), &mut points).unwrap();
    assert_eq!(sum_up(&mut engine, Kind::Measure, 1, SIX), Outcome::Accepted);
    engine.advance(at(120), &mut points).unwrap();
    let told: Vec<_> =
        points.iter().map(|point| (point.as_point().revision(), point.as_point().stats().is_summed())).collect();
    assert_eq!((told, engine.ledger().revising()), (vec![(0, false), (1, true)], 1));
}

#[test]
fn a_sum_beyond_what_can_be_added_is_taken_as_the_limit() {
    let mut engine = engine(AggregatorConfig::new());
    let _ = sum_up(&mut engine, Kind::Sample, 0, Stats::sample(2, f64::MAX, 1.0, f64::MAX, 1.0));
    assert_eq!(engine.ledger().clamped(), 1);
    assert!(stats(engine).sum().is_finite());
}

#[test]
fn a_snapshot_without_summaries_is_of_version_1_and_one_with_them_of_version_2() {
    let version = |engine: &mut Aggregator| engine.snapshot(b"")[6];
    let mut engine = engine(AggregatorConfig::new());
    let _ = see(&mut engine, Kind::Measure, 0, 1.0);
    // Neither of these leaves anything that version 1 could not hold.
    let _ = sum_up(&mut engine, Kind::Count, 0, Stats::count(3, 4.0));
    let _ = sum_up(&mut engine, Kind::Sample, 0, SIX);
    assert_eq!(version(&mut engine), 1);
    let mut refused = Aggregator::restore(AggregatorConfig::new(), &engine.snapshot(b"")).unwrap().0;
    let _ = sum_up(&mut refused, Kind::Count, 0, Stats::count(0, 0.0));
    let _ = sum_up(&mut engine, Kind::Measure, 60, SIX);
    for mut engine in [engine, refused] {
        assert_eq!(version(&mut engine), 2);
        let bytes = engine.snapshot(b"here");
        let (mut back, position) = Aggregator::restore(AggregatorConfig::new(), &bytes).unwrap();
        assert_eq!((position.as_slice(), back.ledger()), (&b"here"[..], engine.ledger()));
        assert_eq!(back.snapshot(b"here"), bytes);
        assert_eq!(points(back), points(engine));
        for at in 0..bytes.len() {
            assert!(Aggregator::restore(AggregatorConfig::new(), &bytes[..at]).is_err());
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let error = Aggregator::restore(AggregatorConfig::new(), &damaged).unwrap_err();
                assert_ne!(error.kind(), RestoreErrorKind::Content, "bit {bit} of byte {at}");
            }
        }
    }
}

/// A snapshot as version 2 wrote it: whoever changes the format keeps reading this one.
#[test]
fn a_snapshot_of_version_2_is_read() {
    let mut fresh = engine(AggregatorConfig::new());
    for n in 0..100 {
        let _ = see(&mut fresh, Kind::Measure, n, n as f64 * 1.7);
        if n % 40 == 7 {
            let _ = sum_up(&mut fresh, Kind::Measure, n, SIX);
        }
    }
    let _ = sum_up(&mut fresh, Kind::Count, 0, Stats::count(0, 0.0));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/snapshot-v2.bin");
    if std::env::var_os("HEROKU_METRICS_WRITE").is_some() {
        std::fs::write(path, fresh.snapshot(b"some position")).unwrap();
    }
    let bytes = std::fs::read(path).unwrap();
    let (mut read, position) = Aggregator::restore(AggregatorConfig::new(), &bytes).unwrap();
    assert_eq!((position.as_slice(), read.ledger()), (&b"some position"[..], fresh.ledger()));
    for engine in [&mut read, &mut fresh] {
        let _ = see(engine, Kind::Measure, 61, 3.0);
    }
    let points = points(read);
    assert_eq!(points, self::points(fresh));
    assert!(points.iter().all(|point| point.as_point().stats().is_summed()) && points.len() == 2);
}

#[test]
fn the_mark_goes_through_rows_and_their_bytes() {
    let row = |fill: fn(&mut Aggregator)| {
        let mut engine = engine(AggregatorConfig::new());
        fill(&mut engine);
        let mut rows: Vec<RowBuf> = Vec::new();
        engine
            .finish(&mut EachRow(|row: &Row<'_>| {
                rows.push(row.to_row_buf());
                Ok::<(), Infallible>(())
            }))
            .unwrap();
        rows.remove(0)
    };
    let summed = row(|engine| {
        let _ = sum_up(engine, Kind::Measure, 3, SIX);
    });
    let values = row(|engine| {
        let _ = see(engine, Kind::Measure, 7, 4.0);
    });
    assert!(summed.point().stats().is_summed() && summed.sketch().is_none() && summed.precision().is_some());
    assert_eq!(RowBuf::<MinuteSketch>::from_bytes(&summed.to_bytes()), Ok(summed.clone()));
    for (mut one, other) in [(summed.clone(), values.clone()), (values, summed)] {
        one.merge(&other).unwrap();
        assert_eq!(*one.point().stats(), Stats::sample(7, 34.0, 1.0, 9.0, 4.0).with_summaries());
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    See(i64, f64),
    SumUp(i64, u64, f64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..120_i64, -50.0..50.0_f64).prop_map(|(second, value)| Step::See(second, value)),
        2 => (0..120_i64, 1..9_u64, -5.0..5.0_f64).prop_map(|(second, count, value)| Step::SumUp(second, count, value)),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..150)
}

fn play(engine: &mut Aggregator, steps: &[Step]) {
    for step in steps {
        match *step {
            Step::See(second, value) => {
                let _ = see(engine, Kind::Measure, second, value);
            }
            Step::SumUp(second, count, value) => {
                let stats = Stats::sample(count, value * count as f64, value - 1.0, value + 1.0, value);
                let _ = sum_up(engine, Kind::Measure, second, stats);
            }
            Step::Restart => {
                let bytes = engine.snapshot(b"");
                let mut back = Aggregator::restore(engine.config().clone(), &bytes).unwrap().0;
                assert_eq!(back.snapshot(b""), bytes);
                *engine = back;
            }
        }
        assert!(engine.memory() <= engine.config().max_memory());
    }
}

proptest! {
    #[test]
    fn a_restart_does_not_show(steps in steps()) {
        let config = AggregatorConfig::new().with_max_window_bytes(200_000);
        let (mut stopping, mut steady) = (engine(config.clone()), engine(config));
        play(&mut stopping, &steps);
        let without: Vec<Step> = steps.iter().copied().filter(|step| !matches!(step, Step::Restart)).collect();
        play(&mut steady, &without);
        prop_assert_eq!(stopping.ledger(), steady.ledger());
        prop_assert_eq!(stopping.snapshot(b""), steady.snapshot(b""));
    }

    #[test]
    fn nodes_add_up_in_any_order(steps in steps(), cut in 0..150_usize) {
        // One thing to an instant: which of two is the last, each node decides by its own positions.
        let mut taken = std::collections::BTreeSet::new();
        let steps: Vec<Step> = steps
            .into_iter()
            .filter(|step| match step {
                Step::See(second, _) | Step::SumUp(second, ..) => taken.insert(*second),
                Step::Restart => false,
            })
            .collect();
        let (left, right) = steps.split_at(cut.min(steps.len()));
        let node = |steps: &[Step]| {
            let mut node = engine(AggregatorConfig::new());
            play(&mut node, steps);
            node
        };
        let (mut there, mut back) = (node(left), node(right));
        there.merge(node(right)).unwrap();
        back.merge(node(left)).unwrap();
        let whole = node(&steps);
        prop_assert_eq!(there.ledger(), whole.ledger());
        prop_assert_eq!(points(back), points(there));
        let mut there = node(left);
        there.merge(node(right)).unwrap();
        prop_assert_eq!(points(there), points(whole));
    }
}
