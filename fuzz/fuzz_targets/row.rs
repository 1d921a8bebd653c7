//! Rows: bytes from anywhere are refused or are a row in its one spelling, which answers and adds up; rows of several nodes
//! add up to the row of one that saw everything, in any order; and what a row writes is read as itself.
#![no_main]

use core::convert::Infallible;
use core::time::Duration;
use family_fuzz::{Draw, sealed_row};
use libfuzzer_sys::fuzz_target;
use metric_model::{Kind, Observation, Percentile, Stats, Summary, TagSet, Timestamp, Unit, Value, Window};
use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Precision, Row, RowBuf, RowErrorKind};
use std::collections::{BTreeMap, BTreeSet};

fuzz_target!(|input: &[u8]| {
    if let Err(error) = read(input) {
        assert!(error.offset() <= input.len(), "{error}");
    }
    let sealed = sealed_row(input);
    match read(&sealed) {
        Ok(row) => {
            assert!(row.to_bytes() == sealed, "one row, one spelling");
            alone(&row);
        }
        Err(error) => {
            assert_eq!(error.kind(), RowErrorKind::Content, "{error}");
            assert!(error.offset() <= sealed.len(), "{error}");
        }
    }
    nodes(&mut Draw::new(input));
});

fn read(bytes: &[u8]) -> Result<RowBuf, minute_aggregator::RowError> {
    RowBuf::from_bytes(bytes)
}

/// A row that may be forged: it answers, comes back as itself, and adds up.
fn alone(row: &RowBuf) {
    sound(row);
    let mut two = row.clone();
    two.merge(row).expect("a row of the same stream");
    sound(&two);
    let (mut left, mut right) = (two.clone(), row.clone());
    left.merge(row).expect("a row of the same stream");
    right.merge(&two).expect("a row of the same stream");
    assert_eq!(left, right);
    sound(&left);
    let all = Window::between(Timestamp::MIN, Timestamp::MAX).expect("in order");
    let year = left.with_window(all).expect("all of time").with_tags(TagSet::new());
    sound(&year);
}

fn sound(row: &RowBuf) {
    let point = row.point();
    let stats = point.stats();
    assert!(stats.sum().is_finite() && stats.observations() > 0, "{point:?}");
    if let (Some(min), Some(last), Some(max)) = (stats.min(), stats.last(), stats.max()) {
        assert!(min <= last && last <= max, "{point:?}");
        assert!(row.last_time().is_some());
        if let Some(found) = stats.percentiles() {
            let answers = Percentile::ALL.map(|which| found.get(which));
            assert!(answers.is_sorted() && min <= answers[0] && answers[3] <= max, "{point:?}");
        }
    }
    assert_eq!(row.sketch().is_some(), stats.percentiles().is_some(), "{point:?}");
    let bytes = row.to_bytes();
    let back = read(&bytes).expect("our own row");
    assert!(back == *row && back.to_bytes() == bytes, "{row:?}");
}

/// Three nodes and one that sees everything.
fn nodes(draw: &mut Draw<'_>) {
    let config = AggregatorConfig::new().without_percentiles("bytes").with_precision("fine", Precision::ThreeDigits);
    let node = || Aggregator::new(config.clone()).expect("it does not contradict itself");
    let mut nodes = [(); 3].map(|()| node());
    let mut whole = node();
    // One value to an instant and stream: else the position in the input decides which is last, and each node counts its own.
    let mut taken = BTreeSet::new();
    while !draw.is_empty() && taken.len() < 400 {
        let kind = draw.pick(&[Kind::Count, Kind::Measure, Kind::Sample, Kind::Measure]);
        let name = draw.pick(&["bytes", "query", "fine"]);
        let tags = TagSet::from_iter([("tag", draw.pick(&["x", "y"]))]);
        let (value, part) = (draw.double(), draw.below(3));
        // Bursts, since nobody writes 65 values by hand.
        let (times, summed) = (draw.pick(&[1, 1, 1, 70]), draw.below(16) == 0);
        for n in 0..times {
            let time = Timestamp::from_unix_micros(i64::from(draw.octet()) * 500_000 + n);
            if !taken.insert((kind, name, tags.clone(), time)) {
                continue;
            }
            let value = value + n as f64 * 1.5;
            for engine in [&mut nodes[part], &mut whole] {
                let _ = if summed {
                    let stats = Stats::sample(n as u64 % 5 + 1, value, value - 1.0, value + 1.0, value);
                    engine.summary(&Summary::new(kind, name, Unit::NONE, &tags, time, stats))
                } else {
                    engine.observe(&Observation::new(kind, name, Value::plain(value), &tags, time))
                };
            }
        }
    }
    let hours = Window::containing(Timestamp::from_unix_seconds(0), Duration::from_secs(3_600));
    let mut parts: BTreeMap<(Kind, Box<str>, TagSet), Vec<RowBuf>> = BTreeMap::new();
    for row in nodes.into_iter().flat_map(rows) {
        sound(&row);
        let key = (row.kind(), row.name().into(), row.tags().clone());
        parts.entry(key).or_default().push(row.with_window(hours).expect("the minutes of one hour"));
    }
    let mut expected: BTreeMap<_, RowBuf> = BTreeMap::new();
    for row in rows(whole) {
        let key = (row.kind(), row.name().into(), row.tags().clone());
        let row = row.with_window(hours).expect("the minutes of one hour");
        match expected.get_mut(&key) {
            Some(all) => all.merge(&row).expect("a row of the same stream"),
            None => drop(expected.insert(key, row)),
        }
    }
    assert!(parts.keys().eq(expected.keys()));
    for (mut parts, expected) in parts.into_values().zip(expected.into_values()) {
        let one = sum(&parts);
        let middle = parts.len() / 2;
        parts.rotate_left(middle);
        assert_eq!(sum(&parts), one);
        parts.reverse();
        assert_eq!(sum(&parts), one);
        if middle > 0 {
            let mut halves = sum(&parts[..middle]);
            halves.merge(&sum(&parts[middle..])).expect("a row of the same stream");
            assert_eq!(halves, one);
        }
        assert_eq!(one.point(), expected.point());
        assert_eq!((one.sketch(), one.last_time()), (expected.sketch(), expected.last_time()));
        sound(&one);
    }
}

fn sum(parts: &[RowBuf]) -> RowBuf {
    let mut all = parts[0].clone();
    parts[1..].iter().for_each(|part| all.merge(part).expect("a row of the same stream"));
    all
}

fn rows(mut engine: Aggregator) -> Vec<RowBuf> {
    let mut rows = Vec::new();
    let Ok(()) = engine.finish(&mut EachRow(|row: &Row<'_>| {
        rows.push(row.to_row_buf());
        assert_eq!(row.point(), rows[rows.len() - 1].point());
        Ok::<(), Infallible>(())
    }));
    rows
}
