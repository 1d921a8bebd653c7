//! The sketch against hdrhistogram, which has the same boundaries, and the V2 format there and back.
#![allow(missing_docs)]
#![cfg(feature = "hdrhistogram")]

use metric_model::{DataPointBuf, Observation, Percentile, TagSet, Timestamp, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, HdrSketch, MinuteSketch, Persist, Precision, Sketch};
use proptest::prelude::*;

proptest! {
    #[test]
    fn both_put_whole_numbers_into_the_same_buckets(
        values in prop::collection::vec((0u32..60, 1u64..1_000).prop_map(|(shift, v)| (v << shift) % (1 << 50)), 65..400),
    ) {
        for (precision, digits) in [(Precision::TwoDigits, 2), (Precision::ThreeDigits, 3)] {
            let mut ours = MinuteSketch::with_precision(precision);
            let mut theirs = hdrhistogram::Histogram::<u64>::new(digits).unwrap();
            for value in &values {
                ours.record(*value as f64);
                theirs.record(*value).unwrap();
            }
            let mut there = theirs.iter_recorded();
            let (min, max) = (ours.min().unwrap(), ours.max().unwrap());
            for (answer, count) in ours.counts() {
                let step = there.next().unwrap();
                prop_assert_eq!(step.count_at_value(), count);
                let (low, high) = (theirs.lowest_equivalent(answer as u64), theirs.highest_equivalent(answer as u64));
                prop_assert_eq!(high, step.value_iterated_to(), "{} in {}..={}", answer, low, high);
                prop_assert!(answer == min || answer == max || (low as f64 <= answer && answer <= high as f64 + 1.0));
            }
            prop_assert!(there.next().is_none());
        }
    }

    #[test]
    fn a_sketch_goes_through_v2_and_keeps_its_percentiles(
        values in prop::collection::vec(0.5..100_000.0_f64, 1..300),
    ) {
        let mut sketch = MinuteSketch::new();
        values.iter().for_each(|value| sketch.record(*value));
        let hdr = HdrSketch::from(&sketch);
        let back = HdrSketch::from_v2(&hdr.to_v2()).unwrap();
        prop_assert_eq!(back.count(), values.len() as u64);
        let (ours, theirs) = (sketch.percentiles().unwrap(), back.percentiles().unwrap());
        for which in Percentile::ALL {
            let (a, b) = (ours.get(which), theirs.get(which));
            prop_assert!((a - b).abs() <= a * 0.01 + 0.001, "{} {}", a, b);
        }
    }

    #[test]
    fn damaged_v2_is_not_a_panic(at in 0usize..4_000, to: u8) {
        let mut hdr = HdrSketch::default();
        (0..200).for_each(|value| hdr.record(f64::from(value)));
        let mut bytes = hdr.to_v2();
        // The first 40 octets are the header: the digits and the range in it decide how much memory is asked for.
        let place = 40 + at % (bytes.len() - 40);
        bytes[place] = to;
        if let Some(read) = HdrSketch::from_v2(&bytes) {
            prop_assert!(read.percentiles().is_some());
        }
    }
}

#[test]
fn odd_values_find_a_place() {
    let mut hdr = HdrSketch::default();
    assert!(hdr.percentiles().is_none());
    [-5.0, 0.0, 1e300, 0.001].into_iter().for_each(|value| hdr.record(value));
    assert_eq!(hdr.count(), 4);
    let percentiles = hdr.percentiles().unwrap();
    assert_eq!(percentiles.get(Percentile::P50), 0.0);
    assert!(percentiles.get(Percentile::P999) > 9e15);
    let mut more = HdrSketch::with_precision(Precision::ThreeDigits);
    more.merge(&hdr);
    assert_eq!(more.count(), 4);
    let mut bytes = Vec::new();
    more.encode(&mut bytes);
    assert_eq!(HdrSketch::decode(&bytes).map(|read| read.count()), Some(4));
}

#[test]
fn an_aggregator_runs_on_it() {
    let mut engine = Aggregator::<HdrSketch>::with_sketch(AggregatorConfig::new()).unwrap();
    let none = TagSet::new();
    for value in 1..=1_000 {
        let seen =
            Observation::measure("query", Value::plain(f64::from(value)), &none, Timestamp::from_unix_seconds(0));
        let _ = engine.observe(&seen);
    }
    let bytes = engine.snapshot(b"");
    let (mut engine, _) = Aggregator::<HdrSketch>::restore_with_sketch(AggregatorConfig::new(), &bytes).unwrap();
    let mut points: Vec<DataPointBuf> = Vec::new();
    engine.finish(&mut points).unwrap();
    let point = points[0].as_point();
    let p95 = point.stats().percentiles().unwrap().get(Percentile::P95);
    assert!((p95 - 950.0).abs() <= 950.0 * 0.005, "{p95}");
    assert_eq!(point.stats().max(), Some(1_000.0));
}
