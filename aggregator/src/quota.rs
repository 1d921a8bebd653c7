use metric_model::Kind;

/// The most streams a plan allows, how they count, and what becomes of the rest. Data, not code.
///
/// A stream takes its place when it is first seen, first come, first served, in the order of the input, and keeps it
/// until it has not been seen for [`idle_after`](crate::AggregatorConfig::with_idle_after) windows of event time. An
/// observation of a new stream that finds no place is folded into its metric's overflow stream: the same name, kind
/// and unit with the one tag `overflow=true`, so that totals stay right. Overflow streams take no place, but there are
/// at most [`overflow_streams`](Self::with_overflow_streams) of them; beyond, observations are refused and counted.
///
/// ```
/// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome, StreamQuota};
///
/// let mut engine = Aggregator::new(AggregatorConfig::new().with_quota(StreamQuota::streams(2)))?;
/// for (user, outcome) in [("1", Outcome::Accepted), ("2", Outcome::Accepted), ("3", Outcome::Folded), ("4", Outcome::Folded)] {
///     let tags = TagSet::from_iter([("user", user)]);
///     let seen = Observation::count("clicks", Value::plain(1.0), &tags, Timestamp::from_unix_seconds(0));
///     assert_eq!(engine.observe(&seen), outcome);
/// }
/// let mut points: Vec<DataPointBuf> = Vec::new();
/// let _ = engine.finish(&mut points);
/// let rows: Vec<_> = points.iter().map(|p| (p.as_point().tags().to_string(), p.as_point().stats().sum())).collect();
/// assert_eq!(rows, [("overflow=true".into(), 2.0), ("user=1".into(), 1.0), ("user=2".into(), 1.0)]);
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamQuota {
    limit: u32,
    rule: CountingRule,
    exempt: Vec<String>,
    overflow: u32,
}

/// How many places a stream takes.
///
/// ```
/// use minute_aggregator::{Aggregator, AggregatorConfig, CountingRule, StreamQuota};
/// let engine = Aggregator::new(AggregatorConfig::new().with_quota(StreamQuota::tag_sets(300)))?;
/// assert_eq!(engine.explain().rule(), Some(CountingRule::TagSets));
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CountingRule {
    /// Every metric stream: a measure takes five (its base and four percentiles), anything else one.
    #[default]
    Streams,
    /// Every combination of metric and tags: one each.
    TagSets,
}

impl CountingRule {
    /// The places a stream of this kind takes; `percentiles` says whether it has them.
    const fn cost(self, kind: Kind, percentiles: bool) -> u32 {
        match (self, kind) {
            (Self::Streams, Kind::Measure) if percentiles => 5,
            _ => 1,
        }
    }

    /// `streams` or `tag_sets`, for reports and plan files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Streams => "streams",
            Self::TagSets => "tag_sets",
        }
    }
}

impl StreamQuota {
    /// At most `limit` places, counted by [`CountingRule::Streams`]; nothing exempt, 100 overflow streams.
    #[must_use]
    pub const fn streams(limit: u32) -> Self {
        Self { limit, rule: CountingRule::Streams, exempt: Vec::new(), overflow: 100 }
    }

    /// At most `limit` places, counted by [`CountingRule::TagSets`].
    #[must_use]
    pub const fn tag_sets(limit: u32) -> Self {
        let mut quota = Self::streams(limit);
        quota.rule = CountingRule::TagSets;
        quota
    }

    /// Metrics whose names start like this take no place.
    ///
    /// ```
    /// let quota = minute_aggregator::StreamQuota::streams(300).with_exempt("heroku.router.");
    /// assert!(quota.is_exempt("heroku.router.bytes"));
    /// ```
    #[must_use]
    pub fn with_exempt(mut self, prefix: impl Into<String>) -> Self {
        self.exempt.push(prefix.into());
        self
    }

    /// The most overflow streams; 0 turns folding off, so that what finds no place is refused. Default: 100.
    #[must_use]
    pub const fn with_overflow_streams(mut self, most: u32) -> Self {
        self.overflow = most;
        self
    }

    /// The most places.
    #[must_use]
    pub(crate) const fn limit(&self) -> u32 {
        self.limit
    }

    /// How streams count.
    #[must_use]
    pub(crate) const fn rule(&self) -> CountingRule {
        self.rule
    }

    /// The most overflow streams.
    #[must_use]
    pub(crate) const fn overflow_streams(&self) -> u32 {
        self.overflow
    }

    /// The prefixes of metrics that take no place.
    #[cfg(feature = "serde")]
    pub(crate) fn exempt(&self) -> &[String] {
        &self.exempt
    }

    /// Whether a metric takes no place.
    #[must_use]
    pub fn is_exempt(&self, metric: &str) -> bool {
        self.exempt.iter().any(|prefix| metric.starts_with(prefix.as_str()))
    }

    /// The places that one stream of this metric takes: 0 when it is exempt.
    pub(crate) fn cost(&self, metric: &str, kind: Kind, percentiles: bool) -> u32 {
        if self.is_exempt(metric) { 0 } else { self.rule.cost(kind, percentiles) }
    }
}
