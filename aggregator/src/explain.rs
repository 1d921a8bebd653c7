use crate::quota::{CountingRule, StreamQuota};
use crate::stream_key::Key;
use core::cmp::Ordering;
use metric_model::{Kind, TagSet, Timestamp, Unit};

/// What is eating the quota: every stream that is known or was turned away, from
/// [`Aggregator::explain`](crate::Aggregator::explain).
///
/// Up to 1,000 streams that found no place are listed, first come; observations of further ones are counted together
/// in [`unlisted`](Self::unlisted). A stream is forgotten when it is idle.
///
/// ```
/// use metric_model::{Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, Standing, StreamQuota};
///
/// let mut engine = Aggregator::new(AggregatorConfig::new().with_quota(StreamQuota::streams(1)))?;
/// for user in ["1", "2", "2"] {
///     let tags = TagSet::from_iter([("user", user)]);
///     let _ = engine.observe(&Observation::count("clicks", Value::plain(1.0), &tags, Timestamp::from_unix_seconds(0)));
/// }
/// let explanation = engine.explain();
/// let rows: Vec<_> = explanation.iter().map(|row| (row.tags().to_string(), row.standing(), row.observations())).collect();
/// assert_eq!(rows, [
///     ("overflow=true".into(), Standing::Overflow, 2),
///     ("user=1".into(), Standing::Admitted, 1),
///     ("user=2".into(), Standing::Folded, 2),
/// ]);
/// assert_eq!((explanation.used(), explanation.limit()), (1, Some(1)));
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    rows: Vec<StreamReport<'a>>,
    used: u64,
    quota: Option<&'a StreamQuota>,
    unlisted: u64,
}

/// Where a stream stands.
///
/// ```
/// assert_eq!(minute_aggregator::Standing::Admitted.as_str(), "admitted");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Standing {
    /// It has its places; without a quota, everyone has.
    Admitted,
    /// Its metric takes no place.
    Exempt,
    /// It takes what found no place in its metric.
    Overflow,
    /// It was not seen for long and gave its place up; windows still hold values of it.
    Idle,
    /// It found no place; its observations are in the overflow stream of its metric.
    Folded,
    /// It found no place, nor was there room for another overflow stream; its observations are only counted.
    Refused,
}

impl Standing {
    /// A short name for reports: `admitted`, `exempt`, `overflow`, `idle`, `folded`, `refused`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Exempt => "exempt",
            Self::Overflow => "overflow",
            Self::Idle => "idle",
            Self::Folded => "folded",
            Self::Refused => "refused",
        }
    }
}

/// One stream of an [`Explanation`].
///
/// ```
/// use metric_model::{Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig};
///
/// let none = TagSet::new();
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// let _ = engine.observe(&Observation::count("clicks", Value::plain(1.0), &none, Timestamp::from_unix_seconds(7)));
/// let explanation = engine.explain();
/// let row = explanation.iter().next().unwrap();
/// assert_eq!((row.name(), row.first_seen().unix_seconds(), row.cost()), ("clicks", 7, 0));
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StreamReport<'a> {
    key: Key<'a>,
    standing: Standing,
    cost: u32,
    first_seen: Timestamp,
    observations: u64,
}

impl<'a> Explanation<'a> {
    pub(crate) fn new(rows: Vec<StreamReport<'a>>, used: u64, quota: Option<&'a StreamQuota>, unlisted: u64) -> Self {
        Self { rows, used, quota, unlisted }
    }

    /// The streams, sorted by name, kind, unit and tags.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &StreamReport<'a>> {
        self.rows.iter()
    }

    /// Places taken.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// The most places; `None` without a quota. A quota that was lowered may have more places taken than that.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.quota.map(StreamQuota::limit)
    }

    /// The rule by which places were counted; `None` without a quota.
    #[must_use]
    pub fn rule(&self) -> Option<CountingRule> {
        self.quota.map(StreamQuota::rule)
    }

    /// Observations of turned away streams that are not listed.
    #[must_use]
    pub const fn unlisted(&self) -> u64 {
        self.unlisted
    }
}

impl<'a> StreamReport<'a> {
    pub(crate) fn new(key: Key<'a>, standing: Standing, cost: u32, first_seen: Timestamp, observations: u64) -> Self {
        Self { key, standing, cost, first_seen, observations }
    }

    /// By key, then standing: a stream that was folded before it found a place stands there twice.
    pub(crate) fn in_order(a: &Self, b: &Self) -> Ordering {
        (a.key, a.standing).cmp(&(b.key, b.standing))
    }

    /// The metric's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.key.name
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.key.kind
    }

    /// Its unit.
    #[must_use]
    pub const fn unit(&self) -> Unit<'a> {
        self.key.unit
    }

    /// Its tags.
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.key.tags
    }

    /// Where it stands.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// Places it takes, or would have taken.
    #[must_use]
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// The event time of its first observation, in the order of the input.
    #[must_use]
    pub const fn first_seen(&self) -> Timestamp {
        self.first_seen
    }

    /// How many observations it had, in this standing.
    #[must_use]
    pub const fn observations(&self) -> u64 {
        self.observations
    }
}
