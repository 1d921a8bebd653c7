use crate::config::Precision;
use crate::sketch::minute::MinuteSketch;
use crate::sketch::{Persist, Sketch};
use core::fmt;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use metric_model::{Percentile, Percentiles};

/// A sketch on an HDR histogram, for those who exchange its V2 format with others.
///
/// Values are taken in thousandths (a latency in ms is recorded in µs), since an HDR histogram counts whole numbers: a
/// negative value counts as 0, one beyond 9.2e15 as that. Two significant digits, or three where the configuration
/// asks for [`Precision::ThreeDigits`]. It takes 16 KB and more a stream; [`MinuteSketch`] has the same boundaries in
/// a tenth of that, and turns into one of these when needed.
///
/// ```
/// use metric_model::Percentile;
/// use minute_aggregator::{HdrSketch, MinuteSketch, Sketch};
///
/// let mut sketch = MinuteSketch::new();
/// (1..=1_000).for_each(|value| sketch.record(f64::from(value)));
/// let bytes = HdrSketch::from(&sketch).to_v2();
///
/// let theirs = HdrSketch::from_v2(&bytes).unwrap();
/// let p50 = theirs.percentiles().unwrap().get(Percentile::P50);
/// assert!((p50 - 500.0).abs() <= 500.0 * 0.01);
/// ```
#[derive(Clone, PartialEq)]
pub struct HdrSketch(Histogram<u64>);

/// What a value is multiplied by.
const SCALE: f64 = 1_000.0;

impl HdrSketch {
    /// The histogram in the V2 format, not compressed; the unit is a thousandth.
    #[must_use]
    pub fn to_v2(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory fails only for a histogram whose array exceeds memory, which then would not be here.
        if V2Serializer::new().serialize(&self.0, &mut bytes).is_err() {
            bytes.clear();
        }
        bytes
    }

    /// A histogram in the V2 format; `None` when the bytes are none.
    ///
    /// ```
    /// assert!(minute_aggregator::HdrSketch::from_v2(b"something else").is_none());
    /// ```
    #[must_use]
    pub fn from_v2(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut histogram: Histogram<u64> = Deserializer::new().deserialize(&mut rest).ok()?;
        histogram.auto(true);
        rest.is_empty().then_some(Self(histogram))
    }

    /// How many values it took.
    #[must_use]
    pub fn count(&self) -> u64 {
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
            Precision::ThreeDigits => 3,
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
