//! Summaries of the values of a window that answer percentiles: what one must be able to do, and the one there is.

mod buckets;
mod counters;
pub(crate) mod minute;
pub(crate) mod own;

use crate::config::Precision;
use metric_model::Percentiles;

/// A mergeable summary of the values of one measure in one window, which answers percentiles.
///
/// [`MinuteSketch`](crate::MinuteSketch) is the one that is used unless told otherwise; bring another through
/// [`Aggregator::with_sketch`](crate::Aggregator::with_sketch). Values are finite, and -0 arrives as 0. For equal
/// output in any order of input, `record` and `merge` must not depend on order.
///
/// ```
/// use metric_model::Percentiles;
/// use minute_aggregator::{Aggregator, AggregatorConfig, Sketch};
///
/// /// Keeps every value.
/// #[derive(Default)]
/// struct Everything(Vec<f64>);
///
/// impl Sketch for Everything {
///     fn record(&mut self, value: f64) {
///         self.0.push(value);
///     }
///
///     fn merge(&mut self, other: &Self) {
///         self.0.extend(&other.0);
///     }
///
///     fn percentiles(&self) -> Option<Percentiles> {
///         let mut sorted = self.0.clone();
///         sorted.sort_unstable_by(f64::total_cmp);
///         let last = sorted.len().checked_sub(1)?;
///         Some(Percentiles::exact([500, 950, 990, 999].map(|mille| sorted[last * mille / 1000])))
///     }
/// }
///
/// let engine = Aggregator::<Everything>::with_sketch(AggregatorConfig::new())?;
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
pub trait Sketch: Default + 'static {
    /// Takes one value.
    fn record(&mut self, value: f64);

    /// Takes everything that another sketch took.
    fn merge(&mut self, other: &Self);

    /// The four percentiles of all values taken; `None` when there are none, or none can be told.
    fn percentiles(&self) -> Option<Percentiles>;

    /// An empty sketch of the precision that the configuration asks for. By default the precision is not regarded.
    #[must_use]
    fn with_precision(precision: Precision) -> Self {
        let _ = precision;
        Self::default()
    }

    /// Bytes on the heap, which count towards [`AggregatorConfig::with_max_window_bytes`]; by what it holds alone, so that
    /// equal input is refused or taken equally. By default 0: then the bound on memory does not cover it.
    ///
    /// [`AggregatorConfig::with_max_window_bytes`]: crate::AggregatorConfig::with_max_window_bytes
    #[must_use]
    fn heap_bytes(&self) -> usize {
        0
    }

    /// The most bytes by which one `record` lets `heap_bytes` grow. By default 0.
    #[must_use]
    fn max_growth() -> usize {
        0
    }
}

/// A sketch that can be part of a [snapshot](crate::Aggregator::snapshot).
///
/// For equal output after a restart, `decode(encode(x))` must answer as `x` does, whatever comes after; for equal
/// snapshots of equal states, equal contents must give equal bytes.
///
/// ```
/// use minute_aggregator::{MinuteSketch, Persist, Sketch};
///
/// let mut sketch = MinuteSketch::new();
/// sketch.record(20.5);
/// let mut bytes = Vec::new();
/// sketch.encode(&mut bytes);
/// assert_eq!(MinuteSketch::decode(&bytes), Some(sketch));
/// assert_eq!(MinuteSketch::decode(b"something else"), None);
/// ```
pub trait Persist: Sketch {
    /// Appends the sketch to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads what `encode` wrote; `None` for anything else. The bytes are untrusted.
    #[must_use]
    fn decode(bytes: &[u8]) -> Option<Self>;
}
