//! What the examples beside the code do not show: the edges of small answers.
#![allow(missing_docs)]

use metric_model::{
    DataPoint, DataPointBuf, Kind, Percentile, Percentiles, Sink, Stats, TagSet, Timestamp, Unit, Value, Window,
};

#[test]
fn kinds_and_units_print_as_they_are_written() {
    assert_eq!(format!("{} {:>8}|{:<8}|", Kind::Count, Kind::Measure, Kind::Sample), "count  measure|sample  |");
    assert_eq!(format!("{}{}", Unit::MILLISECONDS, Unit::NONE), "ms");
}

#[test]
fn milliseconds_are_regular_already() {
    let value = Value::new(3.0, Unit::new("ms")).regular();
    assert_eq!((value.number(), value.unit()), (3.0, Unit::MILLISECONDS));
}

#[test]
fn percentiles_tell_which_of_them_was_observed() {
    let some = Percentiles::new([1.0, 2.0, 3.0, 4.0], [true, false, true, false]);
    assert_eq!(Percentile::ALL.map(|which| some.is_exact(which)), [true, false, true, false]);
}

#[test]
fn there_is_no_mean_of_nothing() {
    assert_eq!(Stats::count(3, 6.0).mean(), None, "a count has none");
    assert_eq!(Stats::sample(0, 0.0, 0.0, 0.0, 0.0).mean(), None, "nor have no values");
    assert_eq!(Stats::sample(4, 6.0, 1.0, 2.0, 2.0).mean(), Some(1.5));
}

#[test]
fn tags_know_how_many_are_left() {
    let tags = TagSet::from_iter([("a", "1"), ("b", "2"), ("c", "3")]);
    let mut walk = tags.iter();
    for left in (0..3).rev() {
        assert!(walk.next().is_some());
        assert_eq!((walk.len(), walk.size_hint()), (left, (left, Some(left))));
    }
}

#[test]
fn a_closure_is_a_sink_and_its_error_comes_back() {
    let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    let none = TagSet::new();
    let point = DataPoint::new(window, Kind::Count, "a", Unit::NONE, &none, Stats::count(1, 1.0));
    let mut seen = 0;
    let mut sink = |point: &DataPoint<'_>| {
        seen += point.stats().observations();
        if seen < 2 { Ok(()) } else { Err("full") }
    };
    assert_eq!(Sink::write(&mut sink, &point), Ok(()));
    assert_eq!(Sink::write(&mut sink, &point), Err("full"));
    let mut points: Vec<DataPointBuf> = Vec::new();
    Sink::write(&mut points, &point).unwrap();
    assert_eq!(points.len(), 1);
}
