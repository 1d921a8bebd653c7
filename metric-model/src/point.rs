use crate::{Kind, Percentile, Stats, TagSet, Unit, Window};
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
    ///
    /// ```
    /// use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.revision(), 0);
    /// ```
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
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.with_revision(1).revision(), 1);
    /// ```
    #[must_use]
    pub const fn with_revision(self, revision: u32) -> Self {
        Self { revision, ..self }
    }

    /// The stretch of event time.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.window(), window);
    /// ```
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The kind of its observations.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.kind(), Kind::Count);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The metric's name, without a percentile's suffix.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.name(), "signups");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The unit of sum, min, max, mean, last and percentiles.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Sample, "size", Unit::BYTES, &none, Stats::sample(1, 1.0, 1.0, 1.0, 1.0));
    /// assert_eq!(point.unit(), Unit::BYTES);
    /// ```
    #[must_use]
    pub const fn unit(&self) -> Unit<'a> {
        self.unit
    }

    /// The tags.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert!(point.tags().is_empty());
    /// ```
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.tags
    }

    /// The numbers.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.stats().sum(), 1.0);
    /// ```
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// 0 the first time the point is written, one more each time it is written again because late observations changed it.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.revision(), 0);
    /// ```
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
    #[must_use]
    pub const fn streams(&self) -> Streams<'a> {
        Streams { point: *self, next: 0 }
    }

    /// The one visible copy of everything the point borrows.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.to_buf().as_point(), point);
    /// ```
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

/// The metric streams of a [`DataPoint`], from [`DataPoint::streams`].
///
/// ```
/// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
/// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
/// # let none = TagSet::new();
/// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
/// assert_eq!(point.streams().count(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Streams<'a> {
    point: DataPoint<'a>,
    next: usize,
}

impl<'a> Iterator for Streams<'a> {
    type Item = (StreamName<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let stats = &self.point.stats;
        let (suffix, value) = if self.next == 0 {
            let value = match self.point.kind {
                Kind::Count => stats.sum(),
                Kind::Sample => stats.last().unwrap_or_default(),
                Kind::Measure => stats.mean().unwrap_or_default(),
            };
            ("", value)
        } else {
            let which = *Percentile::ALL.get(self.next - 1)?;
            (which.suffix(), stats.percentiles()?.get(which))
        };
        self.next += 1;
        Some((StreamName { name: self.point.name, suffix }, value))
    }
}

/// The name of one metric stream, as [`Streams`] yields it: print it, or turn it into a `String`.
///
/// ```
/// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
/// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
/// # let none = TagSet::new();
/// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
/// assert_eq!(point.streams().next().unwrap().0.to_string(), "signups");
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
    /// The metric's name, as [`DataPoint::name`].
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.to_buf().name(), "signups");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The point as a view.
    ///
    /// ```
    /// # use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
    /// # let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
    /// # let none = TagSet::new();
    /// let point = DataPoint::new(window, Kind::Count, "signups", Unit::NONE, &none, Stats::count(1, 1.0));
    /// assert_eq!(point.to_buf().as_point().stats().sum(), 1.0);
    /// ```
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
