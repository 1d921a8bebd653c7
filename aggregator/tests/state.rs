//! Snapshots: resumed output is the uninterrupted output, and damage is refused.
#![allow(missing_docs)]

use core::time::Duration;
use metric_model::{DataPointBuf, Kind, Observation, TagSet, Timestamp, Value};
use minute_aggregator::{
    Aggregator, AggregatorConfig, LatePolicy, MergeErrorKind, Outcome, Precision, Refusal, RestoreErrorKind,
    StreamQuota,
};

const HOUR: usize = 3_600;

fn config() -> AggregatorConfig {
    AggregatorConfig::new()
        .with_late_policy(LatePolicy::Revise { horizon: Duration::from_secs(600) })
        .with_idle_after(5)
        .with_precision("latency", Precision::ThreeDigits)
        .with_quota(StreamQuota::streams(60).with_exempt("native."))
}

/// The n-th event of a made-up hour: a value, sometimes late, of one of some hundred streams that come and go.
fn event(n: usize) -> (Kind, &'static str, f64, TagSet, i64) {
    let mut random = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = |below: u64| {
        random ^= random >> 29;
        random = random.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (random >> 33) % below
    };
    let (kind, name) = match next(6) {
        0 => (Kind::Count, "signups"),
        1 => (Kind::Sample, "depth"),
        2 => (Kind::Count, "native.requests"),
        _ => (Kind::Measure, "latency"),
    };
    let value = (next(1_000_000) as f64 / 1_000.0).powi(2) / 1_000.0;
    let tags = TagSet::from_iter([("user", (next(20) + n as u64 / 500).to_string())]);
    let late = if next(10) == 0 { next(900) } else { next(20) };
    (kind, name, value, tags, n as i64 - late as i64)
}

fn play(engine: &mut Aggregator, events: std::ops::Range<usize>, points: &mut Vec<DataPointBuf>) {
    for n in events {
        let (kind, name, value, tags, second) = event(n);
        let time = Timestamp::from_unix_seconds(second);
        let _ = engine.observe(&Observation::new(kind, name, Value::plain(value), &tags, time));
        if n % 10 == 0 {
            engine.advance(Timestamp::from_unix_seconds(n as i64), points).unwrap();
        }
    }
}

fn uninterrupted() -> (Vec<DataPointBuf>, Aggregator) {
    let mut engine = Aggregator::new(config()).unwrap();
    let mut points = Vec::new();
    play(&mut engine, 0..HOUR, &mut points);
    engine.finish(&mut points).unwrap();
    (points, engine)
}

#[test]
fn a_crash_at_any_position_does_not_show() {
    let (expected, whole) = uninterrupted();
    assert!(whole.ledger().folded() > 100 && whole.ledger().late() > 10 && whole.ledger().revising() > 100);
    assert!(expected.iter().any(|point| point.as_point().revision() > 1));
    let step = if std::env::var_os("HEROKU_METRICS_LONG").is_some() { 1 } else { 173 };
    for crash in (0..=HOUR).step_by(step) {
        let mut points = Vec::new();
        let mut engine = Aggregator::new(config()).unwrap();
        play(&mut engine, 0..crash, &mut points);
        let bytes = engine.snapshot(&crash.to_le_bytes());
        let (mut engine, position) = Aggregator::restore(config(), &bytes).unwrap();
        assert_eq!(position, crash.to_le_bytes());
        play(&mut engine, crash..HOUR, &mut points);
        engine.finish(&mut points).unwrap();
        assert!(points == expected, "crash after {crash}");
        assert_eq!(engine.ledger(), whole.ledger());
    }
}

#[test]
fn a_crash_after_every_event_does_not_show() {
    let (expected, _) = uninterrupted();
    let mut points = Vec::new();
    let mut engine = Aggregator::new(config()).unwrap();
    let events = if std::env::var_os("HEROKU_METRICS_LONG").is_some() { HOUR } else { HOUR / 6 };
    for n in 0..events {
        play(&mut engine, n..n + 1, &mut points);
        let bytes = engine.snapshot(b"");
        engine = Aggregator::restore(config(), &bytes).unwrap().0;
    }
    play(&mut engine, events..HOUR, &mut points);
    engine.finish(&mut points).unwrap();
    assert!(points == expected);
}

fn bytes_of(events: usize) -> Vec<u8> {
    let mut engine = Aggregator::new(config()).unwrap();
    play(&mut engine, 0..events, &mut Vec::new());
    engine.snapshot(b"some position")
}

#[test]
fn every_damage_and_every_cut_is_refused() {
    let bytes = bytes_of(300);
    assert!(Aggregator::restore(config(), &bytes).is_ok());
    for at in 0..bytes.len() {
        let cut = Aggregator::restore(config(), &bytes[..at]).unwrap_err();
        let named = if at < 6 { RestoreErrorKind::NotASnapshot } else { RestoreErrorKind::Truncated };
        assert_eq!(cut.kind(), named);
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let error = Aggregator::restore(config(), &damaged).unwrap_err();
            let named = match at {
                0..6 => error.kind() == RestoreErrorKind::NotASnapshot,
                6..8 => error.kind() == RestoreErrorKind::Version,
                8..16 => matches!(error.kind(), RestoreErrorKind::Truncated | RestoreErrorKind::Trailing),
                _ => error.kind() == RestoreErrorKind::Checksum,
            };
            assert!(named, "bit {bit} of byte {at}: {error}");
        }
    }
    let longer = [bytes.as_slice(), b"\0"].concat();
    let error = Aggregator::restore(config(), &longer).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (RestoreErrorKind::Trailing, bytes.len()));
}

/// A snapshot as version 1 wrote it (`HEROKU_METRICS_WRITE=1` writes it anew, which no release may need): whoever
/// changes the format keeps reading this one.
#[test]
fn a_snapshot_of_version_1_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/snapshot-v1.bin");
    if std::env::var_os("HEROKU_METRICS_WRITE").is_some() {
        std::fs::write(path, bytes_of(1_000)).unwrap();
    }
    let (mut engine, position) = Aggregator::restore(config(), &std::fs::read(path).unwrap()).unwrap();
    assert_eq!(position, b"some position");
    let (mut points, mut expected) = (Vec::new(), Vec::new());
    let mut fresh = Aggregator::new(config()).unwrap();
    play(&mut fresh, 0..1_000, &mut Vec::new());
    play(&mut engine, 1_000..1_200, &mut points);
    play(&mut fresh, 1_000..1_200, &mut expected);
    engine.finish(&mut points).unwrap();
    fresh.finish(&mut expected).unwrap();
    assert!(points == expected && points.len() > 100);
}

#[test]
fn the_configuration_may_change_but_for_the_window() {
    let bytes = bytes_of(300);
    let seconds = config().with_window(Duration::from_secs(10));
    assert_eq!(Aggregator::restore(seconds, &bytes).unwrap_err().kind(), RestoreErrorKind::WindowLength);
    let broken = config().with_max_streams(0);
    let error = Aggregator::restore(broken, &bytes).unwrap_err();
    assert!(matches!(error.kind(), RestoreErrorKind::Config(_)));
    assert_eq!(error.to_string(), "max_streams is zero");

    // A metric that is known keeps its percentiles until it is forgotten.
    let changed = AggregatorConfig::new().without_percentiles("latency");
    let (mut engine, _) = Aggregator::restore(changed, &bytes).unwrap();
    let mut points = Vec::new();
    engine.finish(&mut points).unwrap();
    let latency = |point: &DataPointBuf| point.as_point().name() == "latency";
    assert!(points.iter().any(latency));
    assert!(points.iter().filter(|point| latency(point)).all(|point| point.as_point().stats().percentiles().is_some()));
}

#[test]
fn full_windows_are_full_after_a_restart_and_a_merge() {
    let config = AggregatorConfig::new().with_max_window_bytes(1 << 20);
    let see = |engine: &mut Aggregator, user: usize| {
        let tags = TagSet::from_iter([("user", user.to_string())]);
        // Enough values to be counted, and that is where most of the memory is.
        (0..100).try_for_each(|n| {
            let value = Value::plain(f64::from(n) * 1.37 + 5.0);
            let seen = Observation::measure("latency", value, &tags, Timestamp::from_unix_seconds(0));
            match engine.observe(&seen) {
                Outcome::Accepted => Ok(()),
                other => Err(other),
            }
        })
    };
    let full = Err(Outcome::Refused(Refusal::WindowsFull));
    let mut engine = Aggregator::new(config.clone()).unwrap();
    let users = (0..).find(|user| see(&mut engine, *user) == full).unwrap();
    assert!(users > 100, "{users}");

    let (mut restored, _) = Aggregator::restore(config.clone(), &engine.snapshot(b"")).unwrap();
    assert_eq!(see(&mut restored, users + 1), full);

    let mut half = Aggregator::new(config.clone()).unwrap();
    let mut rest = Aggregator::new(config).unwrap();
    (0..users / 2).try_for_each(|user| see(&mut half, user)).unwrap();
    (users / 2..users + 1).try_for_each(|user| see(&mut rest, user)).unwrap();
    half.merge(rest).unwrap();
    assert_eq!(see(&mut half, users + 1), full);
}

#[test]
fn what_cannot_be_added_up_is_not_merged() {
    let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
    let mut other = Aggregator::new(AggregatorConfig::new().without_percentiles("x")).unwrap();
    let none = TagSet::new();
    let seen = Observation::measure("x", Value::plain(1.0), &none, Timestamp::from_unix_seconds(0));
    let _ = engine.observe(&seen);
    let _ = other.observe(&seen);
    assert_eq!(engine.merge(other).unwrap_err().kind(), MergeErrorKind::Precision);
    let hours = AggregatorConfig::new().with_window(Duration::from_secs(3_600));
    assert_eq!(engine.merge(Aggregator::new(hours).unwrap()).unwrap_err().kind(), MergeErrorKind::WindowLength);
    assert_eq!((engine.ledger().observed(), engine.streams()), (1, 1));
}

#[test]
fn places_and_reports_merge() {
    let node = |users: std::ops::Range<u32>, minute: i64| {
        let mut engine = Aggregator::new(AggregatorConfig::new().with_quota(StreamQuota::streams(2))).unwrap();
        for user in users {
            let tags = TagSet::from_iter([("user", user.to_string())]);
            let time = Timestamp::from_unix_seconds(minute * 60);
            let _ = engine.observe(&Observation::count("clicks", Value::plain(1.0), &tags, time));
        }
        engine
    };
    let rows = |engine: &Aggregator| {
        let explanation = engine.explain();
        let rows = explanation.iter().map(|row| {
            let seen = row.first_seen().unix_seconds();
            format!("{} {} {} {seen}", row.tags(), row.standing().as_str(), row.observations())
        });
        (rows.collect::<Vec<_>>(), explanation.used())
    };
    let mut ab = node(0..4, 0);
    ab.merge(node(1..5, 1)).unwrap();
    let mut ba = node(1..5, 1);
    ba.merge(node(0..4, 0)).unwrap();
    assert_eq!(rows(&ab), rows(&ba));
    assert_eq!(ab.snapshot(b""), ba.snapshot(b""));
    let expected = [
        "overflow=true overflow 4 0",
        "user=0 admitted 1 0",
        "user=1 admitted 2 0",
        "user=2 admitted 1 60",
        "user=2 folded 1 0",
        "user=3 folded 2 0",
        "user=4 folded 1 60",
    ];
    assert_eq!(rows(&ab), (expected.map(String::from).to_vec(), 3));
}

#[test]
fn points_that_both_have_written_are_written_again() {
    let node = |users: &[&str]| {
        let revise = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
        let mut engine = Aggregator::new(AggregatorConfig::new().with_late_policy(revise)).unwrap();
        for user in users {
            let tags = TagSet::from_iter([("user", *user)]);
            let _ = engine.observe(&Observation::count(
                "clicks",
                Value::plain(1.0),
                &tags,
                Timestamp::from_unix_seconds(0),
            ));
        }
        engine.advance(Timestamp::from_unix_seconds(120), &mut Vec::new()).unwrap();
        engine
    };
    let mut both = node(&["1", "2"]);
    both.merge(node(&["2", "3"])).unwrap();
    let mut points: Vec<DataPointBuf> = Vec::new();
    both.advance(Timestamp::from_unix_seconds(120), &mut points).unwrap();
    let rows: Vec<_> =
        points.iter().map(|point| (point.as_point().revision(), point.as_point().stats().sum())).collect();
    assert_eq!(rows, [(1, 2.0)], "user 2; both others were written already");
}
