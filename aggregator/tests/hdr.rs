//! The sketch against hdrhistogram, which has the same boundaries; and a sketch on one, written with what is public
//! alone: the V2 format there and back, and an aggregator on it.
#![allow(missing_docs)]

use core::fmt;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use metric_model::{DataPointBuf, Observation, Percentile, Percentiles, TagSet, Timestamp, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, MinuteSketch, Persist, Precision, Sketch};
use proptest::prelude::*;

/// A sketch on an HDR histogram, as an embedder writes one who exchanges its V2 format with others.
///
/// Values are taken in thousandths (a latency in ms is recorded in µs), since an HDR histogram counts whole numbers: a
/// negative value counts as 0, one beyond 9.2e15 as that.
#[derive(Clone, PartialEq)]
struct HdrSketch(Histogram<u64>);

/// What a value is multiplied by.
const SCALE: f64 = 1_000.0;

impl HdrSketch {
    /// The histogram in the V2 format, not compressed; the unit is a thousandth.
    fn to_v2(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory fails only for a histogram whose array exceeds memory, which then would not be here.
        if V2Serializer::new().serialize(&self.0, &mut bytes).is_err() {
            bytes.clear();
        }
        bytes
    }

    /// A histogram in the V2 format; `None` when the bytes are none.
    fn from_v2(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut histogram: Histogram<u64> = Deserializer::new().deserialize(&mut rest).ok()?;
        histogram.auto(true);
        rest.is_empty().then_some(Self(histogram))
    }

    /// How many values it took.
    fn count(&self) -> u64 {
        self.0.len()
    }

    fn record_n(&mut self, value: f64, count: u64) {
        let scaled = (value * SCALE).round().clamp(0.0, i64::MAX as f64);
        // It resizes itself, so that there is nothing to fail but memory.
        let _ = self.0.record_n(scaled as u64, count);
    }

    fn at_rank(&self, rank: u64) -> f64 {
        let mut below = 0_u64;
        for step in self.0.iter_recorded() {
            below = below.saturating_add(step.count_at_value());
            if below >= rank {
                return self.0.median_equivalent(step.value_iterated_to()) as f64 / SCALE;
            }
        }
        self.0.max() as f64 / SCALE
    }
}

impl Sketch for HdrSketch {
    fn record(&mut self, value: f64) {
        self.record_n(value, 1);
    }

    fn merge(&mut self, other: &Self) {
        let _ = self.0.add(&other.0);
    }

    /// The middle of the bucket at each rank; none of them counts as observed.
    fn percentiles(&self) -> Option<Percentiles> {
        if self.0.is_empty() {
            return None;
        }
        let values = Percentile::ALL.map(|which| self.at_rank(which.rank(self.0.len())));
        Some(Percentiles::new(values, [false; 4]))
    }

    fn with_precision(precision: Precision) -> Self {
        let digits = match precision {
            Precision::TwoDigits => 2,
            _ => 3,
        };
        // Not from input: `new` refuses more than five digits and nothing else.
        Self(Histogram::new(digits).expect("two or three digits"))
    }

    fn heap_bytes(&self) -> usize {
        self.0.distinct_values() * size_of::<u64>()
    }
}

impl Persist for HdrSketch {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.to_v2());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_v2(bytes)
    }
}

impl From<&MinuteSketch> for HdrSketch {
    fn from(sketch: &MinuteSketch) -> Self {
        let mut histogram = Self::with_precision(sketch.precision());
        sketch.counts().into_iter().for_each(|(value, count)| histogram.record_n(value, count));
        histogram
    }
}

impl Default for HdrSketch {
    fn default() -> Self {
        Self::with_precision(Precision::TwoDigits)
    }
}

impl fmt::Debug for HdrSketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HdrSketch").field("count", &self.count()).finish_non_exhaustive()
    }
}

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
            let (min, max) = (ours.at_rank(1).unwrap(), ours.at_rank(ours.count()).unwrap());
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
        // The first 40 bytes are the header: the digits and the range in it decide how much memory is asked for.
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
