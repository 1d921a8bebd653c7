//! Rows: what a window holds leaves the aggregator whole, is kept as bytes, and is added up again.
#![allow(missing_docs)]

use core::convert::Infallible;
use core::time::Duration;
use metric_model::{
    DataPoint, DataPointBuf, Kind, Observation, Percentile, Percentiles, Stats, Summary, TagSet, Timestamp, Unit,
    Value, Window,
};
use minute_aggregator::{
    Aggregator, AggregatorConfig, EachRow, LatePolicy, MinuteSketch, Persist, Precision, Row, RowBuf, RowErrorKind,
    RowMergeError, RowSink, Sketch,
};
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(second)
}

/// All rows of all windows.
fn rows<S: Sketch + Clone>(mut engine: Aggregator<S>) -> Vec<RowBuf<S>> {
    let mut rows = Vec::new();
    let Ok(()) = engine.finish(&mut EachRow(|row: &Row<'_, S>| {
        rows.push(row.to_row_buf());
        Ok::<(), Infallible>(())
    }));
    rows
}

fn engine() -> Aggregator {
    Aggregator::new(AggregatorConfig::new().without_percentiles("size").with_precision("fine", Precision::ThreeDigits))
        .unwrap()
}

/// One row of a measure of these values, the n-th at the n-th second.
fn row_of(values: &[f64]) -> RowBuf {
    let (mut engine, none) = (engine(), TagSet::new());
    for (n, value) in values.iter().enumerate() {
        let time = Timestamp::from_unix_micros(n as i64 % 60_000_000);
        let _ = engine.observe(&Observation::measure("query", Value::new(*value, Unit::MILLISECONDS), &none, time));
    }
    rows(engine).remove(0)
}

/// One thing that is observed: a value, or what others have summed.
#[derive(Clone, Debug)]
struct Seen {
    kind: Kind,
    name: &'static str,
    tag: &'static str,
    micros: i64,
    value: f64,
    summary: Option<(u64, f64)>,
}

fn take(engine: &mut Aggregator, seen: &Seen) {
    let tags = TagSet::from_iter([("dyno", seen.tag)]);
    let time = Timestamp::from_unix_micros(seen.micros);
    let value = if seen.kind == Kind::Count { seen.value.abs() } else { seen.value };
    let _ = match seen.summary {
        None => engine.observe(&Observation::new(seen.kind, seen.name, Value::plain(value), &tags, time)),
        Some((count, wide)) => {
            let stats = Stats::sample(count, value * count as f64, value, value + wide, value);
            engine.summary(&Summary::new(seen.kind, seen.name, Unit::NONE, &tags, time, stats))
        }
    };
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (0..3_000_i32).prop_map(f64::from),
        2 => (-100_000..100_000_i32).prop_map(|value| f64::from(value) / 100.0),
        1 => any::<f64>().prop_filter("finite", |value| value.is_finite()),
        1 => Just(0.1 + 0.2),
    ]
}

/// Of a few streams in three minutes; each at an instant of its own, so that the last value is the same whatever the order.
fn program(summaries: bool) -> impl Strategy<Value = Vec<Seen>> {
    let kinds = prop_oneof![Just(Kind::Count), Just(Kind::Measure), Just(Kind::Sample), Just(Kind::Measure)];
    let names = prop_oneof![Just("query"), Just("size"), Just("fine")];
    let tags = prop_oneof![Just("web.1"), Just("web.2")];
    let summary =
        prop_oneof![7 => Just(None), 1 => (1..50_u64, 0.0..10.0_f64).prop_map(move |s| summaries.then_some(s))];
    prop::collection::vec((kinds, names, tags, 0..180_i64, value(), summary), 1..300).prop_map(|seen| {
        let numbered = seen.into_iter().enumerate();
        let each = numbered.map(|(n, (kind, name, tag, second, value, summary))| Seen {
            kind,
            name,
            tag,
            micros: second * 1_000_000 + n as i64,
            value,
            summary,
        });
        each.collect()
    })
}

/// A row without what each aggregator counts for itself: where in the input its last value was.
fn point(row: &RowBuf) -> DataPointBuf {
    row.point().to_buf()
}

fn merged(parts: impl IntoIterator<Item = RowBuf>) -> RowBuf {
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap();
    parts.for_each(|part| all.merge(&part).unwrap());
    all
}

#[test]
fn a_row_is_its_point_and_more() {
    let mut engine = engine();
    let tags = TagSet::from_iter([("dyno", "web.1")]);
    for (second, took) in [(61, 0.1), (70, 0.2), (65, 9.0)] {
        let value = Value::new(took, Unit::MILLISECONDS);
        let _ = engine.observe(&Observation::measure("query", value, &tags, at(second)));
    }
    let row = rows(engine).remove(0);
    let minute = Window::containing(at(60), Duration::from_secs(60));
    assert_eq!(
        (row.window(), row.kind(), row.name(), row.unit()),
        (minute, Kind::Measure, "query", Unit::MILLISECONDS)
    );
    assert_eq!((row.tags(), row.revision(), row.precision()), (&tags, 0, Some(Precision::TwoDigits)));
    assert_eq!((row.last_time(), row.sketch().map(MinuteSketch::count)), (Some(at(70)), Some(3)));
    let stats = Stats::sample(3, 9.3, 0.1, 9.0, 0.2).with_percentiles(Percentiles::exact([0.2, 9.0, 9.0, 9.0]));
    assert_eq!(row.point(), DataPoint::new(minute, Kind::Measure, "query", Unit::MILLISECONDS, &tags, stats));
}

#[test]
fn a_sum_stays_exact_over_many_rows() {
    // Ten thousand minutes of 0.1: as doubles they would not add up to 1,000.
    let minute = row_of(&[0.1]);
    let year = Window::containing(at(0), Duration::from_secs(86_400));
    let minute = minute.with_window(year).unwrap();
    let all = merged((0..10_000).map(|_| minute.clone()));
    assert_eq!((all.point().stats().sum(), all.point().stats().observations()), (1_000.0, 10_000));
    let back: RowBuf = RowBuf::from_bytes(&all.to_bytes()).unwrap();
    assert_eq!(back, all);
}

#[test]
fn a_roll_up_is_the_row_of_the_longer_window() {
    let config = AggregatorConfig::new();
    let mut minutes = Aggregator::new(config.clone()).unwrap();
    let mut hours = Aggregator::new(config.with_window(Duration::from_secs(3_600))).unwrap();
    let none = TagSet::new();
    for n in 0..5_000_i64 {
        let value = Value::plain((n * 7_919 % 10_007) as f64 / 8.0);
        for kind in [Kind::Count, Kind::Measure, Kind::Sample] {
            let seen = Observation::new(kind, "x", value, &none, at(n * 36 / 50));
            let _ = minutes.observe(&seen);
            let _ = hours.observe(&seen);
        }
    }
    let hour = Window::containing(at(0), Duration::from_secs(3_600));
    let minutes = rows(minutes);
    assert_eq!(minutes.len(), 3 * 60);
    for (kind, expected) in [Kind::Count, Kind::Measure, Kind::Sample].into_iter().zip(rows(hours)) {
        let of_kind = minutes.iter().filter(|row| row.kind() == kind).cloned();
        assert_eq!(merged(of_kind.map(|row| row.with_window(hour).unwrap())), expected);
    }
}

#[test]
fn what_is_written_again_is_a_row_of_the_next_revision() {
    let hour = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
    let mut engine = Aggregator::new(AggregatorConfig::new().with_late_policy(hour)).unwrap();
    let none = TagSet::new();
    let mut rows: Vec<RowBuf> = Vec::new();
    for now in [120, 180] {
        let _ = engine.observe(&Observation::count("clicks", Value::plain(1.0), &none, at(0)));
        let mut keep = EachRow(|row: &Row<'_>| {
            rows.push(row.to_row_buf());
            Ok::<(), Infallible>(())
        });
        engine.advance_some(at(now), 10, &mut keep).unwrap();
    }
    let [first, again] = [&rows[0], &rows[1]];
    assert_eq!([first, again].map(|row| (row.revision(), row.point().stats().sum())), [(0, 1.0), (1, 2.0)]);
    assert_eq!(RowBuf::<MinuteSketch>::from_bytes(&again.to_bytes()).unwrap().revision(), 1);
    assert_eq!(merged([first.clone(), again.clone()]), merged([again.clone(), first.clone()]));
}

/// Takes two rows, and then no more.
#[derive(Default)]
struct Short(Vec<String>);

impl RowSink for Short {
    type Error = &'static str;

    fn row(&mut self, row: &Row<'_>) -> Result<(), Self::Error> {
        if self.0.len() == 2 {
            return Err("full");
        }
        self.0.push(row.name().to_owned());
        Ok(())
    }
}

#[test]
fn a_window_whose_row_is_refused_is_written_again() {
    let (mut engine, none) = (engine(), TagSet::new());
    for name in ["a", "b", "c"] {
        let _ = engine.observe(&Observation::count(name, Value::plain(1.0), &none, at(0)));
    }
    let mut short = Short::default();
    assert_eq!(engine.close_oldest(&mut short), Err("full"));
    assert_eq!(short.0, ["a", "b"]);
    assert_eq!(rows(engine).iter().map(RowBuf::name).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn every_sink_of_points_takes_rows() {
    let filled = || {
        let (mut engine, none) = (engine(), TagSet::new());
        let _ = engine.observe(&Observation::sample("size", Value::plain(3.0), &none, at(0)));
        engine
    };
    let mut points: Vec<DataPointBuf> = Vec::new();
    filled().finish(&mut points).unwrap();
    let mut names = Vec::new();
    let mut closure = |point: &DataPoint<'_>| {
        names.push(point.name().to_owned());
        Ok::<(), Infallible>(())
    };
    filled().finish(&mut closure).unwrap();
    let mut dynamic: Box<dyn RowSink<Error = Infallible>> = Box::new(|_: &DataPoint<'_>| Ok::<(), Infallible>(()));
    filled()
        .finish(&mut EachRow(|row: &Row<'_>| {
            assert_eq!(row.point(), points[0].as_point());
            dynamic.row(row)
        }))
        .unwrap();
    assert_eq!(names, ["size"]);
}

#[test]
fn rows_that_do_not_belong_together_are_not_merged() {
    let one = |kind, name, unit, tag, second, fine| {
        let config = AggregatorConfig::new();
        let config = if fine { config.with_precision("a", Precision::ThreeDigits) } else { config };
        let mut engine = Aggregator::new(config).unwrap();
        let tags = TagSet::from_iter([("t", tag)]);
        let _ = engine.observe(&Observation::new(kind, name, Value::new(1.0, Unit::new(unit)), &tags, at(second)));
        rows(engine).remove(0)
    };
    let plain = one(Kind::Measure, "a", "", "x", 0, false);
    for (other, error) in [
        (one(Kind::Measure, "b", "", "x", 0, false), RowMergeError::Name),
        (one(Kind::Sample, "a", "", "x", 0, false), RowMergeError::Kind),
        (one(Kind::Measure, "a", "ms", "x", 0, false), RowMergeError::Unit),
        (one(Kind::Measure, "a", "", "y", 0, false), RowMergeError::Tags),
        (one(Kind::Measure, "a", "", "x", 60, false), RowMergeError::Window),
        (one(Kind::Measure, "a", "", "x", 0, true), RowMergeError::Precision),
    ] {
        let (mut here, mut there) = (plain.clone(), other.clone());
        assert_eq!((here.merge(&other), there.merge(&plain)), (Err(error), Err(error)));
        assert_eq!((here, there), (plain.clone(), other), "nothing is changed");
    }
    let second = Window::containing(at(0), Duration::from_secs(1));
    assert_eq!(plain.clone().with_window(second), Err(RowMergeError::WindowTooShort));
    let other = one(Kind::Measure, "a", "", "y", 0, false);
    assert_eq!(merged([plain, other.with_tags(TagSet::from_iter([("t", "x")]))]).point().stats().observations(), 2);
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let from = RowBuf::<MinuteSketch>::from_bytes;
    for values in [&[7.0][..], &[0.1, 0.2, 1e300], &(0..100).map(|n| f64::from(n) * 1.37).collect::<Vec<_>>()] {
        let row = row_of(values);
        let bytes = row.to_bytes();
        assert_eq!(from(&bytes), Ok(row));
        for at in 0..bytes.len() {
            let cut = from(&bytes[..at]).unwrap_err();
            assert_eq!(cut.kind(), if at < 2 { RowErrorKind::NotARow } else { RowErrorKind::Truncated });
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let kind = from(&damaged).unwrap_err().kind();
                let is_named = match at {
                    0 | 1 => kind == RowErrorKind::NotARow,
                    2 => kind == RowErrorKind::Version,
                    // The length, of one byte or two.
                    3 | 4 => matches!(kind, RowErrorKind::Truncated | RowErrorKind::Trailing | RowErrorKind::Checksum),
                    _ => kind == RowErrorKind::Checksum,
                };
                assert!(is_named, "bit {bit} of byte {at}: {kind:?}");
            }
        }
        let error = from(&[&bytes[..], b"\0"].concat()).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (RowErrorKind::Trailing, bytes.len()));
    }
}

/// The rows as version 1 of their bytes has them: whoever changes the format keeps reading these.
#[test]
fn rows_of_version_1_are_read() {
    let mut engine = engine();
    for n in 0..400 {
        let (kind, name) = [(Kind::Count, "clicks"), (Kind::Measure, "query"), (Kind::Sample, "depth")][n % 3];
        let summary = (n == 300).then_some((5, 2.0));
        let name = if summary.is_some() { "summed" } else { name };
        let kind = if summary.is_some() { Kind::Measure } else { kind };
        let value = (n * 7_919 % 1_009) as f64 / 8.0;
        take(&mut engine, &Seen { kind, name, tag: "web.1", micros: 1_000_000 * n as i64 / 8, value, summary });
    }
    let rows = rows(engine);
    let bytes: Vec<u8> = rows.iter().flat_map(RowBuf::to_bytes).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rows-v1.bin");
    if std::env::var_os("HEROKU_METRICS_WRITE").is_some() {
        std::fs::write(path, &bytes).unwrap();
    }
    let kept = std::fs::read(path).unwrap();
    let mut rest = kept.as_slice();
    for row in &rows {
        let (one, more) = rest.split_at(row.to_bytes().len());
        assert_eq!(RowBuf::from_bytes(one).as_ref(), Ok(row));
        rest = more;
    }
    assert!(rest.is_empty() && rows.len() == 4 && kept == bytes);
}

/// What the bytes take besides window, name, unit and tags; these are measured apart, by the bytes of the same row without.
fn besides_key(row: &RowBuf) -> usize {
    let number = |value: u64| (70 - u64::from(value.leading_zeros()).min(63)) as usize / 7;
    let text = |text: &str| number(text.len() as u64) + text.len();
    let (start, end) = (row.window().start().unix_micros(), row.window().end().unix_micros());
    let window = number((start << 1 ^ start >> 63) as u64) + number((end - start) as u64);
    let tags: usize = row.tags().iter().map(|(key, value)| text(key) + text(value)).sum();
    let key = window + text(row.name()) + text(row.unit().as_str()) + number(row.tags().len() as u64) + tags;
    row.to_bytes().len() - key
}

/// What a program prints of a value.
type Print = fn(f64) -> f64;

#[test]
fn a_hundred_values_take_250_bytes_at_most() {
    let mut random = testkit::random::Random::new(7);
    let mut unit = || (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
    // A log-normal by twelve uniform numbers, as latencies are; with all their decimals, and as programs print them.
    let mut latency = |median: f64, spread: f64| {
        let normal = (0..12).map(|_| unit()).sum::<f64>() - 6.0;
        median * (normal * spread).exp()
    };
    let made: [(&str, f64, f64, Print); 4] = [
        ("all decimals", 20.0, 0.7, |value| value),
        ("wide", 200.0, 1.5, |value| value),
        ("whole", 40.0, 0.9, f64::ceil),
        ("hundredths", 5.0, 1.0, |value| (value * 100.0).round() / 100.0),
    ];
    let mut all = 0;
    for (name, median, spread, printed) in made {
        let mut values = || (0..100).map(|_| printed(latency(median, spread))).collect::<Vec<_>>();
        let bytes = (0..50).map(|_| besides_key(&row_of(&values()))).sum::<usize>() / 50;
        println!("{name}: {bytes} bytes besides the key for 100 values");
        assert!(bytes <= 250, "{name}: {bytes}");
        all += bytes;
    }
    assert!(all / 4 >= 50, "100 values do not fit into {}", all / 4);
}

/// A sketch of one's own, as bytes too, and no more than must be.
#[derive(Clone, Default, PartialEq, Debug)]
struct Greatest(Option<f64>);

impl Sketch for Greatest {
    fn record(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |most| most.max(value)));
    }

    fn merge(&mut self, other: &Self) {
        other.0.into_iter().for_each(|value| self.record(value));
    }

    fn percentiles(&self) -> Option<Percentiles> {
        self.0.map(|value| Percentiles::new([value; 4], [false; 4]))
    }
}

impl Persist for Greatest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.into_iter().for_each(|value| out.extend(value.to_le_bytes()));
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() { Some(Self(None)) } else { Some(Self(Some(f64::from_le_bytes(bytes.try_into().ok()?)))) }
    }
}

#[test]
fn rows_have_the_sketch_of_the_aggregator() {
    let none = TagSet::new();
    let of = |value: f64| {
        let mut engine = Aggregator::<Greatest>::with_sketch(AggregatorConfig::new()).unwrap();
        let _ = engine.observe(&Observation::measure("query", Value::plain(value), &none, at(0)));
        rows(engine).remove(0)
    };
    let mut row = of(3.0);
    row.merge(&of(8.0)).unwrap();
    assert_eq!(row.point().stats().percentiles().map(|all| all.get(Percentile::P50)), Some(8.0));
    assert_eq!(RowBuf::from_bytes(&row.to_bytes()), Ok(row));
}

proptest! {
    #[test]
    fn a_row_and_its_bytes_say_what_its_point_says(program in program(true)) {
        let (mut engine, mut other) = (engine(), engine());
        program.iter().for_each(|seen| take(&mut engine, seen));
        program.iter().for_each(|seen| take(&mut other, seen));
        let mut points: Vec<DataPointBuf> = Vec::new();
        other.finish(&mut points).unwrap();
        let rows = rows(engine);
        prop_assert_eq!(rows.iter().map(point).collect::<Vec<_>>(), points);
        for row in rows {
            let bytes = row.to_bytes();
            let back = RowBuf::from_bytes(&bytes);
            prop_assert_eq!(back.as_ref().map(RowBuf::to_bytes), Ok(bytes));
            prop_assert_eq!(back, Ok(row));
        }
    }

    #[test]
    fn rows_of_parts_add_up_to_the_row_of_the_whole_in_any_order(
        program in program(true),
        parts in prop::collection::vec(0..3_usize, 300),
        turn in 0..3_usize,
    ) {
        let mut nodes = [(); 3].map(|()| engine());
        let mut whole = engine();
        for (seen, part) in program.iter().zip(&parts) {
            take(&mut nodes[*part], seen);
            take(&mut whole, seen);
        }
        let nodes = nodes.map(rows);
        for expected in rows(whole) {
            let key = |row: &&RowBuf| {
                let of = |row: &RowBuf| (row.window(), row.kind(), row.name().to_owned(), row.tags().clone());
                of(row) == of(&expected)
            };
            let mut found: Vec<RowBuf> = nodes.iter().flatten().filter(key).cloned().collect();
            let one = merged(found.clone());
            let count = found.len();
            found.rotate_left(turn % count);
            prop_assert_eq!(&merged(found.clone()), &one);
            found.reverse();
            prop_assert_eq!(&merged(found.clone()), &one);
            // The right ones first.
            if let [first, rest @ ..] = found.as_slice() && !rest.is_empty() {
                prop_assert_eq!(&merged([first.clone(), merged(rest.iter().cloned())]), &one);
            }
            // Positions in the input are each node's own; all else is exact, percentiles included.
            prop_assert_eq!(point(&one), point(&expected));
            prop_assert_eq!(one.sketch(), expected.sketch());
            prop_assert_eq!(one.last_time(), expected.last_time());
            prop_assert_eq!(RowBuf::from_bytes(&one.to_bytes()), Ok(one));
        }
    }

    #[test]
    fn percentiles_of_merged_rows_are_within_the_stated_error(
        minutes in prop::collection::vec(prop::collection::vec(0.01..1e6_f64, 1..60), 1..12),
    ) {
        let mut values = minutes.concat();
        let row = merged(minutes.iter().map(|minute| row_of(minute)));
        values.sort_unstable_by(f64::total_cmp);
        let found = *row.point().stats().percentiles().unwrap();
        for which in Percentile::ALL {
            let expected = values[which.rank(values.len() as u64) as usize - 1];
            let bound = if values.len() <= MinuteSketch::EXACT { 0.0 } else { expected * 0.005 };
            prop_assert!((found.get(which) - expected).abs() <= bound, "{which:?}");
        }
    }

    #[test]
    fn bytes_from_anywhere_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), start: bool) {
        if start {
            bytes.splice(0..0, *b"MR\x01");
        }
        prop_assert!(RowBuf::<MinuteSketch>::from_bytes(&bytes).is_err());
    }
}
