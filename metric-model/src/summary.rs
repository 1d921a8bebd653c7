use crate::observation::Kind;
use crate::stats::Stats;
use crate::tags::TagSet;
use crate::timestamp::Timestamp;
use crate::unit::Unit;

/// What others have summed: number, sum, least, greatest and last of several values of one metric, without the values.
/// The counterpart of an [`Observation`](crate::Observation), which is one value.
///
/// All numbers are in `unit`. `time` is event time: that of the last value, and it decides the window. A summary has no
/// percentiles: those that its [`Stats`] may have are ignored.
///
/// ```
/// use metric_model::{Kind, Stats, Summary, TagSet, Timestamp, Unit};
///
/// let tags = TagSet::from_iter([("source", "web.1")]);
/// let minute = Stats::sample(12, 540.0, 20.0, 110.0, 31.0); // twelve requests, 540 ms together
/// let summary = Summary::new(Kind::Measure, "request", Unit::MILLISECONDS, &tags, Timestamp::from_unix_seconds(59), minute);
/// assert_eq!((summary.name(), summary.stats().mean()), ("request", Some(45.0)));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Summary<'a> {
    kind: Kind,
    name: &'a str,
    unit: Unit<'a>,
    tags: &'a TagSet,
    time: Timestamp,
    stats: Stats,
}

impl<'a> Summary<'a> {
    /// A summary: [`Stats::count`] is enough for a count, the other kinds need [`Stats::sample`].
    #[must_use]
    pub const fn new(
        kind: Kind,
        name: &'a str,
        unit: Unit<'a>,
        tags: &'a TagSet,
        time: Timestamp,
        stats: Stats,
    ) -> Self {
        Self { kind, name, unit, tags, time, stats }
    }

    /// The kind of the values.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The metric's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The unit of all its numbers but the number of values.
    #[must_use]
    pub const fn unit(&self) -> Unit<'a> {
        self.unit
    }

    /// The tags.
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.tags
    }

    /// When the last of the values was seen.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// The numbers.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }
}
