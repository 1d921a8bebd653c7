use crate::{Kind, TagSet, Unit, Window};
use alloc::string::String;
use core::fmt;

/// The percentiles that a measure answers, as streams are named after them.
///
/// ```
/// use metric_model::Percentile;
///
/// assert_eq!(Percentile::P999.suffix(), ".p999");
/// assert_eq!(Percentile::P999.rank(1_500), 1_499);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Percentile {
    /// The median.
    P50,
    /// 95 in 100.
    P95,
    /// 99 in 100.
    P99,
    /// 999 in 1000.
    P999,
}

impl Percentile {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::P50, Self::P95, Self::P99, Self::P999];

    /// What is added to the metric's name: `.p50`, `.p95`, `.p99`, `.p999`.
    ///
    /// ```
    /// assert_eq!(metric_model::Percentile::P50.suffix(), ".p50");
    /// ```
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::P50 => ".p50",
            Self::P95 => ".p95",
            Self::P99 => ".p99",
            Self::P999 => ".p999",
        }
    }

    /// The quantile in thousandths: 500, 950, 990, 999.
    ///
    /// ```
    /// assert_eq!(metric_model::Percentile::P95.per_mille(), 950);
    /// ```
    #[must_use]
    pub const fn per_mille(self) -> u16 {
        match self {
            Self::P50 => 500,
            Self::P95 => 950,
            Self::P99 => 990,
            Self::P999 => 999,
        }
    }

    /// The rank of the value that answers, counted from 1: nearest rank, ceil(q * n). 0 when there are no values.
    ///
    /// ```
    /// assert_eq!(metric_model::Percentile::P50.rank(5), 3);
    /// ```
    #[must_use]
    pub const fn rank(self, n: u64) -> u64 {
        let (whole, rest) = (n / 1000, n % 1000);
        let q = self.per_mille() as u64;
        whole * q + (rest * q).div_ceil(1000)
    }

    const fn place(self) -> usize {
        match self {
            Self::P50 => 0,
            Self::P95 => 1,
            Self::P99 => 2,
            Self::P999 => 3,
        }
    }
}

/// The four percentiles of one window of one measure.
///
/// Each is the value at its nearest rank, ceil(q*n), of the n sorted values: an observed value as long as
/// [`is_exact`](Self::is_exact) says so, else within the error the sketch states.
///
/// ```
/// use metric_model::{Percentile, Percentiles};
///
/// let of_three = Percentiles::exact([200.0, 300.0, 300.0, 300.0]);
/// assert_eq!(of_three.get(Percentile::P50), 200.0);
/// assert!(of_three.is_exact(Percentile::P50));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Percentiles {
    values: [f64; 4],
    exact: [bool; 4],
}

impl Percentiles {
    /// Values in the order of [`Percentile::ALL`], each with whether it was observed.
    ///
    /// ```
    /// use metric_model::{Percentile, Percentiles};
    /// let known = Percentiles::new([1.0, 2.0, 3.0, 4.0], [false, false, false, true]);
    /// assert!(known.is_exact(Percentile::P999));
    /// ```
    #[must_use]
    pub const fn new(values: [f64; 4], exact: [bool; 4]) -> Self {
        Self { values, exact }
    }

    /// Values in the order of [`Percentile::ALL`], all of them observed.
    ///
    /// ```
    /// # use metric_model::{Percentile, Percentiles};
    /// assert!(Percentiles::exact([1.0; 4]).is_exact(Percentile::P99));
    /// ```
    #[must_use]
    pub const fn exact(values: [f64; 4]) -> Self {
        Self::new(values, [true; 4])
    }

    /// The value of one of them.
    ///
    /// ```
    /// # use metric_model::{Percentile, Percentiles};
    /// assert_eq!(Percentiles::exact([1.0, 2.0, 3.0, 4.0]).get(Percentile::P95), 2.0);
    /// ```
    #[must_use]
    pub const fn get(&self, which: Percentile) -> f64 {
        self.values[which.place()]
    }

    /// Whether that value was observed, rather than the middle of a bucket.
    ///
    /// ```
    /// # use metric_model::{Percentile, Percentiles};
    /// assert!(Percentiles::exact([1.0; 4]).is_exact(Percentile::P50));
    /// ```
    #[must_use]
    pub const fn is_exact(&self, which: Percentile) -> bool {
        self.exact[which.place()]
    }
}

/// What one stream family has to say for one window.
///
/// A count has a sum and its number of increments; a sample has last, min, max and mean besides; a measure also has
/// percentiles, unless they are turned off for it.
///
/// ```
/// use metric_model::Stats;
///
/// let clicks = Stats::count(3, 5.0);
/// assert_eq!((clicks.observations(), clicks.sum(), clicks.min()), (3, 5.0, None));
/// let sizes = Stats::sample(2, 30.0, 10.0, 20.0, 20.0);
/// assert_eq!((sizes.mean(), sizes.last()), (Some(15.0), Some(20.0)));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stats {
    observations: u64,
    sum: f64,
    range: Option<Range>,
    percentiles: Option<Percentiles>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Range {
    min: f64,
    max: f64,
    last: f64,
}

impl Stats {
    /// Of a count: the number of increments and their total.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::count(1, 2.0).sum(), 2.0);
    /// ```
    #[must_use]
    pub const fn count(observations: u64, sum: f64) -> Self {
        Self { observations, sum, range: None, percentiles: None }
    }

    /// Of a sample.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::sample(1, 2.0, 2.0, 2.0, 2.0).last(), Some(2.0));
    /// ```
    #[must_use]
    pub const fn sample(observations: u64, sum: f64, min: f64, max: f64, last: f64) -> Self {
        Self { observations, sum, range: Some(Range { min, max, last }), percentiles: None }
    }

    /// The same with percentiles.
    ///
    /// ```
    /// use metric_model::{Percentile, Percentiles, Stats};
    /// let one = Stats::sample(1, 2.0, 2.0, 2.0, 2.0).with_percentiles(Percentiles::exact([2.0; 4]));
    /// assert_eq!(one.percentiles().map(|p| p.get(Percentile::P99)), Some(2.0));
    /// ```
    #[must_use]
    pub const fn with_percentiles(self, percentiles: Percentiles) -> Self {
        Self { percentiles: Some(percentiles), ..self }
    }

    /// How many observations the window holds.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::count(3, 5.0).observations(), 3);
    /// ```
    #[must_use]
    pub const fn observations(&self) -> u64 {
        self.observations
    }

    /// Their sum.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::count(3, 5.0).sum(), 5.0);
    /// ```
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// The smallest value; `None` for a count.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::sample(2, 3.0, 1.0, 2.0, 2.0).min(), Some(1.0));
    /// ```
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.range.map(|range| range.min)
    }

    /// The largest value; `None` for a count.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::sample(2, 3.0, 1.0, 2.0, 2.0).max(), Some(2.0));
    /// ```
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.range.map(|range| range.max)
    }

    /// Sum over number; `None` for a count or without values.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::sample(2, 3.0, 1.0, 2.0, 2.0).mean(), Some(1.5));
    /// ```
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.range.is_some() && self.observations > 0).then(|| self.sum / self.observations as f64)
    }

    /// The latest value by event time, then by position in the input; `None` for a count.
    ///
    /// ```
    /// assert_eq!(metric_model::Stats::sample(2, 3.0, 1.0, 2.0, 2.0).last(), Some(2.0));
    /// ```
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.range.map(|range| range.last)
    }

    /// The percentiles of a measure.
    ///
    /// ```
    /// assert!(metric_model::Stats::count(3, 5.0).percentiles().is_none());
    /// ```
    #[must_use]
    pub const fn percentiles(&self) -> Option<&Percentiles> {
        self.percentiles.as_ref()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_ceilings() {
        for n in 1..3_000_u64 {
            for which in Percentile::ALL {
                let exact = (u128::from(n) * u128::from(which.per_mille())).div_ceil(1000) as u64;
                assert_eq!(which.rank(n), exact);
            }
        }
        assert_eq!(Percentile::P999.rank(u64::MAX), 18_428_297_329_635_842_064);
        assert_eq!(Percentile::P50.rank(0), 0);
    }
}
