use crate::observation::Kind;
use crate::stats::{Percentile, Stats};
use crate::tags::TagSet;
use crate::timestamp::Window;
use crate::unit::Unit;
use alloc::string::String;
use core::fmt;

/// One window of one stream family: the joint between the aggregator and a [`Sink`](crate::Sink).
///
/// [`streams`](Self::streams) spells out the single metric streams that a quota counts: the base, and for a measure
/// one for each percentile.
///
/// ```
/// use core::time::Duration;
/// use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
///
/// let window = Window::containing(Timestamp::from_unix_seconds(1_706_933_106), Duration::from_secs(60));
/// let tags = TagSet::from_iter([("user_id", "2")]);
/// let point = DataPoint::new(window, Kind::Count, "user.clicks", Unit::NONE, &tags, Stats::count(2, 4.0));
/// assert_eq!(point.window().start().to_string(), "2024-02-03T04:05:00Z");
/// assert_eq!(point.streams().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(), ["user.clicks=4"]);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DataPoint<'a> {
    window: Window,
    kind: Kind,
    name: &'a str,
    unit: Unit<'a>,
    tags: &'a TagSet,
    stats: Stats,
    revision: u32,
}

impl<'a> DataPoint<'a> {
    /// A first point (revision 0) of a window and stream family.
    #[must_use]
    pub const fn new(
        window: Window,
        kind: Kind,
        name: &'a str,
        unit: Unit<'a>,
        tags: &'a TagSet,
        stats: Stats,
    ) -> Self {
        Self { window, kind, name, unit, tags, stats, revision: 0 }
    }

    /// The same point as a later revision: a window that was written before and has changed since.
    #[must_use]
    pub const fn with_revision(self, revision: u32) -> Self {
        Self { revision, ..self }
    }

    /// The stretch of event time.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The kind of its observations.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The metric's name, without a percentile's suffix.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The unit of sum, min, max, mean, last and percentiles.
    #[must_use]
    pub const fn unit(&self) -> Unit<'a> {
        self.unit
    }

    /// The tags.
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.tags
    }

    /// The numbers.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// 0 the first time the point is written, one more each time it is written again because late observations changed it.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// The single metric streams of the family, each with its one number for the window.
    ///
    /// The base stream has the sum of a count, the last value of a sample and the mean of a measure; a measure's
    /// percentiles follow as `.p50 .p95 .p99 .p999`.
    ///
    /// ```
    /// use metric_model::{DataPoint, Kind, Percentiles, Stats, TagSet, Timestamp, Unit, Window};
    ///
    /// let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// let none = TagSet::new();
    /// let stats = Stats::sample(1, 7.0, 7.0, 7.0, 7.0).with_percentiles(Percentiles::exact([7.0; 4]));
    /// let point = DataPoint::new(window, Kind::Measure, "query", Unit::MILLISECONDS, &none, stats);
    /// let names: Vec<_> = point.streams().map(|(name, _)| name.to_string()).collect();
    /// assert_eq!(names, ["query", "query.p50", "query.p95", "query.p99", "query.p999"]);
    /// ```
    pub fn streams(&self) -> impl Iterator<Item = (StreamName<'a>, f64)> + Clone + use<'a> {
        let (name, stats) = (self.name, self.stats);
        let base = match self.kind {
            Kind::Count => stats.sum(),
            Kind::Sample => stats.last().unwrap_or_default(),
            Kind::Measure => stats.mean().unwrap_or_default(),
        };
        let percentiles = Percentile::ALL.into_iter().filter_map(move |which| {
            let value = stats.percentiles()?.get(which);
            Some((StreamName { name, suffix: which.suffix() }, value))
        });
        core::iter::once((StreamName { name, suffix: "" }, base)).chain(percentiles)
    }

    /// Copies everything that the point borrows.
    #[must_use]
    pub fn to_buf(&self) -> DataPointBuf {
        DataPointBuf {
            window: self.window,
            kind: self.kind,
            name: self.name.into(),
            unit: self.unit.as_str().into(),
            tags: self.tags.clone(),
            stats: self.stats,
            revision: self.revision,
        }
    }
}

/// The name of one metric stream, as [`DataPoint::streams`] yields it: print it, or turn it into a `String`.
///
/// ```
/// # use metric_model::{DataPoint, Kind, Percentiles, Stats, TagSet, Timestamp, Unit, Window};
/// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
/// # let none = TagSet::new();
/// let stats = Stats::sample(1, 7.0, 7.0, 7.0, 7.0).with_percentiles(Percentiles::exact([7.0; 4]));
/// let point = DataPoint::new(window, Kind::Measure, "query", Unit::MILLISECONDS, &none, stats);
/// assert_eq!(point.streams().last().unwrap().0.to_string(), "query.p999");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamName<'a> {
    name: &'a str,
    suffix: &'static str,
}

impl fmt::Display for StreamName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        f.write_str(self.suffix)
    }
}

/// A [`DataPoint`] that owns what it holds.
///
/// ```
/// use metric_model::{DataPoint, DataPointBuf, Kind, Sink, Stats, TagSet, Timestamp, Unit, Window};
///
/// let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
/// let none = TagSet::new();
/// let mut kept: Vec<DataPointBuf> = Vec::new();
/// kept.write(&DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0)))?;
/// assert_eq!(kept[0].as_point().name(), "signups");
/// # Ok::<(), core::convert::Infallible>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct DataPointBuf {
    window: Window,
    kind: Kind,
    name: String,
    unit: String,
    tags: TagSet,
    stats: Stats,
    revision: u32,
}

impl DataPointBuf {
    /// The point as a view.
    #[must_use]
    pub fn as_point(&self) -> DataPoint<'_> {
        DataPoint {
            window: self.window,
            kind: self.kind,
            name: &self.name,
            unit: Unit::new(&self.unit),
            tags: &self.tags,
            stats: self.stats,
            revision: self.revision,
        }
    }
}
