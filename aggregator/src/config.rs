use crate::error::{ConfigError, ConfigErrorKind};
use crate::quota::StreamQuota;
use core::time::Duration;
use metric_model::{Kind, Metric};
use std::collections::BTreeSet;

const DAY_MICROS: u128 = 86_400_000_000;

/// Columns of a family, at most: a set of them is a word of 16 bits.
pub(crate) const MAX_COLUMNS: usize = 16;

/// How an [`Aggregator`](crate::Aggregator) works: one value, checked once, by `Aggregator::new`.
///
/// ```
/// use core::time::Duration;
/// use minute_aggregator::{Aggregator, AggregatorConfig, Precision};
///
/// let config = AggregatorConfig::new()
///     .with_allowed_lateness(Duration::from_secs(30))
///     .with_precision("checkout.duration", Precision::ThreeDigits)
///     .without_percentiles("response.bytes");
/// let engine = Aggregator::new(config)?;
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AggregatorConfig {
    window: Duration,
    allowed_lateness: Duration,
    late_policy: LatePolicy,
    max_future: Duration,
    idle_after: u32,
    quota: Option<StreamQuota>,
    max_streams: u32,
    max_key_len: u32,
    max_key_bytes: usize,
    max_window_bytes: usize,
    precision: Precision,
    metrics: Vec<(String, Distribution)>,
    families: Vec<&'static [Metric<'static>]>,
}

/// What becomes of an observation whose window is closed.
///
/// ```
/// use core::time::Duration;
/// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, LatePolicy, Outcome};
///
/// let hour = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
/// let mut engine = Aggregator::new(AggregatorConfig::new().with_late_policy(hour))?;
/// let none = TagSet::new();
/// let signup = Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_seconds(0));
/// let mut points: Vec<DataPointBuf> = Vec::new();
/// for now in [120, 180] {
///     assert_eq!(engine.observe(&signup), Outcome::Accepted);
///     let _ = engine.advance(Timestamp::from_unix_seconds(now), &mut points);
/// }
/// let written: Vec<_> = points.iter().map(|p| (p.as_point().revision(), p.as_point().stats().sum())).collect();
/// assert_eq!(written, [(0, 1.0), (1, 2.0)]);
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum LatePolicy {
    /// It is [`Outcome::Late`](crate::Outcome::Late), and only counted.
    #[default]
    Drop,
    /// It is still counted in its window: the points that changed are written again by the next call that closes, each
    /// with its next revision.
    Revise {
        /// How long after it closed a window is kept for that; later than this, an observation is late.
        horizon: Duration,
    },
}

/// How far the percentile of a measure may be from the value at its rank once a window holds more than 64 values.
///
/// Up to 64 values, every percentile is an observed value.
///
/// ```
/// use minute_aggregator::Precision;
/// assert_eq!(Precision::TwoDigits.relative_error(), 0.005);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[non_exhaustive]
pub enum Precision {
    /// Within 0.5% (0.39% in fact: buckets of 1/128 octave, the middle reported); integers below 256 exact.
    #[default]
    TwoDigits,
    /// Within 0.05% (1/1024 octave); integers below 2,048 exact; about eight times the memory.
    ThreeDigits,
}

impl Precision {
    /// The stated bound on the relative error: 0.005 or 0.0005.
    #[must_use]
    pub const fn relative_error(self) -> f64 {
        match self {
            Self::TwoDigits => 0.005,
            Self::ThreeDigits => 0.0005,
        }
    }

    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::TwoDigits => 0,
            Self::ThreeDigits => 1,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::TwoDigits),
            1 => Some(Self::ThreeDigits),
            _ => None,
        }
    }

    /// Buckets in an octave are 2 to this power.
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::TwoDigits => 7,
            Self::ThreeDigits => 10,
        }
    }
}

/// What a measure keeps besides count, sum, min, max and last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Distribution {
    None,
    Sketch(Precision),
}

impl AggregatorConfig {
    /// Windows of 60 s, 60 s of lateness and then late data dropped, 5 minutes of future, streams idle after 60 windows,
    /// no quota, a million streams, keys of 16 KiB and 256 MiB together, windows of 1 GiB together, two digits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            window: Duration::from_secs(60),
            allowed_lateness: Duration::from_secs(60),
            late_policy: LatePolicy::Drop,
            max_future: Duration::from_secs(300),
            idle_after: 60,
            quota: None,
            max_streams: 1_000_000,
            max_key_len: 16 * 1024,
            max_key_bytes: 256 << 20,
            max_window_bytes: 1 << 30,
            precision: Precision::TwoDigits,
            metrics: Vec::new(),
            families: Vec::new(),
        }
    }

    /// The length of a window; it must divide a day. Default: 60 s.
    #[must_use]
    pub const fn with_window(mut self, length: Duration) -> Self {
        self.window = length;
        self
    }

    /// How long after its end a window stays open. Default: 60 s.
    #[must_use]
    pub const fn with_allowed_lateness(mut self, lateness: Duration) -> Self {
        self.allowed_lateness = lateness;
        self
    }

    /// What becomes of an observation whose window is closed. Default: [`LatePolicy::Drop`].
    #[must_use]
    pub const fn with_late_policy(mut self, policy: LatePolicy) -> Self {
        self.late_policy = policy;
        self
    }

    /// The windows of event time after which a stream that was not seen gives up its place in the quota, and, when no
    /// window holds a value of it, its memory. Default: 60.
    ///
    /// Event time is the latest that was observed or closed.
    #[must_use]
    pub const fn with_idle_after(mut self, windows: u32) -> Self {
        self.idle_after = windows;
        self
    }

    /// The most streams by a plan. Default: none but [`max_streams`](Self::with_max_streams).
    #[must_use]
    pub fn with_quota(mut self, quota: StreamQuota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// How far ahead of the host's time an observation may be. Default: 5 minutes.
    ///
    /// The bound holds from the first [`advance`](crate::Aggregator::advance) on: before, no time is known.
    #[must_use]
    pub const fn with_max_future(mut self, ahead: Duration) -> Self {
        self.max_future = ahead;
        self
    }

    /// The most streams that are known at a time; a new one beyond is refused. Default: 1,000,000.
    #[must_use]
    pub const fn with_max_streams(mut self, streams: u32) -> Self {
        self.max_streams = streams;
        self
    }

    /// The most bytes of name, unit and tags together; a longer key is refused. Default: 16,384, which holds 50 tags
    /// of 64 and 255 bytes.
    #[must_use]
    pub const fn with_max_key_len(mut self, bytes: u32) -> Self {
        self.max_key_len = bytes;
        self
    }

    /// The most bytes of the names, units and tags of all known streams together; a new one beyond is refused. Each
    /// counts its text once and 8 bytes for each tag. Default: 256 MiB.
    #[must_use]
    pub const fn with_max_key_bytes(mut self, bytes: usize) -> Self {
        self.max_key_bytes = bytes;
        self
    }

    /// The most bytes that all windows hold together; observations beyond are refused until a window closes.
    /// Default: 1 GiB.
    ///
    /// A window takes about 2 KB, a count in it 0.1 KB, a sample 0.2 KB, a measure 0.3 KB and its sketch up to 12 KB
    /// for latencies; a measure whose values are spread over all orders of magnitude up to 4 MB. What is left must
    /// hold the largest step of one observation, some 12 KB.
    #[must_use]
    pub const fn with_max_window_bytes(mut self, bytes: usize) -> Self {
        self.max_window_bytes = bytes;
        self
    }

    /// The precision of all measures that have none of their own. Default: two digits.
    #[must_use]
    pub const fn with_default_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// The precision of one metric, by its exact name. The last word on a name stands.
    #[must_use]
    pub fn with_precision(self, metric: impl Into<String>, precision: Precision) -> Self {
        self.distribution(metric.into(), Distribution::Sketch(precision))
    }

    /// Turns percentiles off for one measure, by its exact name: count, sum, min, max, mean and last remain.
    #[must_use]
    pub fn without_percentiles(self, metric: impl Into<String>) -> Self {
        self.distribution(metric.into(), Distribution::None)
    }

    fn distribution(mut self, metric: String, distribution: Distribution) -> Self {
        match self.metrics.iter_mut().find(|(name, _)| *name == metric) {
            Some((_, known)) => *known = distribution,
            None => self.metrics.push((metric, distribution)),
        }
        self
    }

    /// The length of a window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// How long after its end a window stays open.
    #[must_use]
    pub(crate) const fn allowed_lateness(&self) -> Duration {
        self.allowed_lateness
    }

    /// How long a closed window is kept.
    pub(crate) const fn horizon(&self) -> Duration {
        match self.late_policy {
            LatePolicy::Drop => Duration::ZERO,
            LatePolicy::Revise { horizon } => horizon,
        }
    }

    /// The windows after which a stream is idle.
    #[must_use]
    pub(crate) const fn idle_after(&self) -> u32 {
        self.idle_after
    }

    /// The quota.
    #[must_use]
    pub(crate) const fn quota(&self) -> Option<&StreamQuota> {
        self.quota.as_ref()
    }

    pub(crate) fn set_quota(&mut self, quota: Option<StreamQuota>) {
        self.quota = quota;
    }

    /// The places that a stream of this metric takes.
    pub(crate) fn cost_of(&self, metric: &str, kind: Kind) -> u32 {
        let percentiles = kind == Kind::Measure && self.precision(metric).is_some();
        self.quota.as_ref().map_or(0, |quota| quota.cost(metric, kind, percentiles))
    }

    /// How far ahead of the host's time an observation may be.
    #[must_use]
    pub(crate) const fn max_future(&self) -> Duration {
        self.max_future
    }

    /// The most streams that are known at a time.
    #[must_use]
    pub(crate) const fn max_streams(&self) -> u32 {
        self.max_streams
    }

    /// The most bytes of name, unit and tags together.
    #[must_use]
    pub(crate) const fn max_key_len(&self) -> u32 {
        self.max_key_len
    }

    /// The most bytes of all keys together.
    #[must_use]
    pub(crate) const fn max_key_bytes(&self) -> usize {
        self.max_key_bytes
    }

    /// The most bytes of all windows together.
    #[must_use]
    pub(crate) const fn max_window_bytes(&self) -> usize {
        self.max_window_bytes
    }

    /// The precision of a measure's percentiles; `None` where they are turned off.
    #[must_use]
    pub(crate) fn precision(&self, metric: &str) -> Option<Precision> {
        match self.distribution_of(metric) {
            Distribution::Sketch(precision) => Some(precision),
            Distribution::None => None,
        }
    }

    /// A family more: metrics that come together, as the columns of [records](metric_model::Record). They are kept as rows of
    /// one tag set, which is found once for a record made of the very same list. Nothing but speed and memory depends on it.
    /// Default: none.
    ///
    /// A family has 1 to 16 metrics, and no metric stands twice in all families.
    ///
    /// ```
    /// use metric_model::{Kind, Metric, Record, TagSet, Timestamp, Unit};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// static REQUEST: [Metric<'static>; 2] = [
    ///     Metric::new(Kind::Count, "requests", Unit::NONE),
    ///     Metric::new(Kind::Measure, "latency", Unit::MILLISECONDS),
    /// ];
    ///
    /// let mut engine = Aggregator::new(AggregatorConfig::new().with_family(&REQUEST))?;
    /// let tags = TagSet::from_iter([("route", "/cart")]);
    /// engine.record(&Record::new(&REQUEST, &[Some(1.0), Some(84.0)], &tags, Timestamp::from_unix_seconds(7)), |_, _| ());
    /// assert_eq!(engine.ledger().accepted(), 2);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_family(mut self, metrics: &'static [Metric<'static>]) -> Self {
        self.families.push(metrics);
        self
    }

    /// The families of metrics.
    #[must_use]
    pub fn families(&self) -> &[&'static [Metric<'static>]] {
        &self.families
    }

    pub(crate) fn distribution_of(&self, metric: &str) -> Distribution {
        let named = self.metrics.iter().find(|(name, _)| name == metric);
        named.map_or(Distribution::Sketch(self.precision), |(_, distribution)| *distribution)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let micros = self.window.as_micros();
        let whole = self.window.subsec_nanos().is_multiple_of(1_000);
        if !whole || micros == 0 || !DAY_MICROS.is_multiple_of(micros) {
            return Err(ConfigError::new(ConfigErrorKind::WindowLength));
        }
        if self.max_streams == 0 {
            return Err(ConfigError::new(ConfigErrorKind::NoStreams));
        }
        let mut seen = BTreeSet::new();
        let fits = |family: &&[Metric<'static>]| (1..=MAX_COLUMNS).contains(&family.len());
        if !self.families.iter().all(fits) || !self.families.iter().copied().flatten().all(|metric| seen.insert(metric))
        {
            return Err(ConfigError::new(ConfigErrorKind::Families));
        }
        Ok(())
    }
}

impl Default for AggregatorConfig {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_divides_a_day() {
        for (length, fits) in [
            (Duration::from_secs(60), true),
            (Duration::from_secs(1), true),
            (Duration::from_micros(1), true),
            (Duration::from_millis(250), true),
            (Duration::from_secs(86_400), true),
            (Duration::ZERO, false),
            (Duration::from_nanos(1_500), false),
            (Duration::from_secs(7), false),
            (Duration::from_secs(86_401), false),
            (Duration::from_secs(172_800), false),
            (Duration::MAX, false),
        ] {
            assert_eq!(AggregatorConfig::new().with_window(length).check().is_ok(), fits, "{length:?}");
        }
    }

    #[test]
    fn the_last_word_on_a_metric_stands() {
        let config = AggregatorConfig::new().without_percentiles("a").with_precision("a", Precision::ThreeDigits);
        assert_eq!(config.precision("a"), Some(Precision::ThreeDigits));
        assert_eq!(config.without_percentiles("a").precision("a"), None);
    }
}
