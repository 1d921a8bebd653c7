//! A snapshot from anywhere: refused with a reason, or an aggregator that works, whose own snapshot comes back as itself.
//!
//! The checksum is made right, so that what is tested is the decoder and not the checksum.
#![no_main]

use core::convert::Infallible;
use core::time::Duration;
use family_fuzz::sealed;
use libfuzzer_sys::fuzz_target;
use metric_model::{DataPointBuf, Kind, Observation, TagSet, Timestamp, Value};
use minute_aggregator::{
    Aggregator, AggregatorConfig, EachRow, LatePolicy, RestoreErrorKind, Row, RowBuf, StreamQuota,
};

fuzz_target!(|content: &[u8]| {
    let plain = AggregatorConfig::new();
    let strict = AggregatorConfig::new()
        .with_quota(StreamQuota::streams(7).with_exempt("by").with_overflow_streams(1))
        .with_late_policy(LatePolicy::Revise { horizon: Duration::from_secs(300) })
        .with_idle_after(2)
        .with_max_streams(8);
    for config in [plain, strict] {
        if let Err(error) = Aggregator::restore(config.clone(), content) {
            assert!(error.offset() <= content.len(), "{error}");
        }
        for version in [1, 2] {
            match Aggregator::restore(config.clone(), &sealed(version, content)) {
                Ok((engine, position)) => works(config.clone(), engine, &position),
                Err(error) => {
                    let named = matches!(error.kind(), RestoreErrorKind::Content | RestoreErrorKind::WindowLength);
                    assert!(named, "{error}");
                    assert!(error.offset() <= 16 + content.len(), "{error}");
                }
            }
        }
    }
});

fn works(config: AggregatorConfig, mut engine: Aggregator, position: &[u8]) {
    assert!(engine.ledger().balances());
    // A forged snapshot may have been written in a way in which we would not; our own comes back as it is.
    let bytes = engine.snapshot(position);
    let (mut again, same) = Aggregator::restore(config, &bytes).expect("our own snapshot");
    assert_eq!(same, position);
    assert!(again.snapshot(position) == bytes, "what was restored is what was written");
    assert_eq!(work(&mut engine), work(&mut again));
    assert_eq!(engine.ledger(), again.ledger());
}

fn work(engine: &mut Aggregator) -> Vec<DataPointBuf> {
    let mut points = Vec::new();
    let tags = [TagSet::new(), TagSet::from_iter([("a", "x")])];
    for (n, kind) in [Kind::Count, Kind::Measure, Kind::Sample].into_iter().cycle().take(12).enumerate() {
        let time = latest(engine).later(Duration::from_secs(7 * n as u64));
        let _ = engine.observe(&Observation::new(kind, "query", Value::plain(n as f64), &tags[n % 2], time));
    }
    let now = latest(engine);
    let Ok(()) = engine.advance(now, &mut points);
    let explanation = engine.explain();
    assert!(explanation.iter().is_sorted_by_key(|row| (row.name(), row.kind(), row.unit(), row.tags())));
    drop(explanation);
    // What was forged makes rows that come back as themselves, too.
    let mut keep = EachRow(|row: &Row<'_>| {
        points.push(row.point().to_buf());
        let row = row.to_row_buf();
        assert_eq!(RowBuf::from_bytes(&row.to_bytes()), Ok(row));
        Ok::<(), Infallible>(())
    });
    let Ok(()) = engine.finish(&mut keep);
    let Ok(()) = engine.advance(Timestamp::from_unix_micros(i64::MAX), &mut points);
    assert_eq!(engine.open_windows(), 0);
    for point in &points {
        let point = point.as_point();
        let stats = point.stats();
        assert!(stats.sum().is_finite() && stats.min().is_none_or(f64::is_finite), "{point:?}");
        assert!(stats.min().zip(stats.max()).is_none_or(|(min, max)| min <= max), "{point:?}");
    }
    points
}

fn latest(engine: &Aggregator) -> Timestamp {
    engine.latest().unwrap_or(Timestamp::from_unix_micros(0))
}
