use crate::{Kind, Stats, TagSet, Timestamp, Unit};

/// What others have summed: number, sum, least, greatest and last of some values of one metric that are not there
/// themselves. The counterpart of an [`Observation`](crate::Observation), which is one value.
///
/// All numbers are in `unit`. `time` is event time: that of the last of the values, and it decides the window. Percentiles
/// cannot be told from it: those that the [`Stats`] may have are not looked at.
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
    ///
    /// ```
    /// use metric_model::{Kind, Stats, Summary, TagSet, Timestamp, Unit};
    /// let none = TagSet::new();
    /// let clicks = Summary::new(Kind::Count, "clicks", Unit::NONE, &none, Timestamp::from_unix_seconds(0), Stats::count(3, 5.0));
    /// assert_eq!(clicks.stats().sum(), 5.0);
    /// ```
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
    ///
    /// ```
    /// # use metric_model::{Kind, Stats, Summary, TagSet, Timestamp, Unit};
    /// # let none = TagSet::new();
    /// # let clicks = Summary::new(Kind::Count, "clicks", Unit::NONE, &none, Timestamp::from_unix_seconds(7), Stats::count(3, 5.0));
    /// assert_eq!(clicks.kind(), Kind::Count);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The metric's name.
    ///
    /// ```
    /// # use metric_model::{Kind, Stats, Summary, TagSet, Timestamp, Unit};
    /// # let none = TagSet::new();
    /// # let clicks = Summary::new(Kind::Count, "clicks", Unit::NONE, &none, Timestamp::from_unix_seconds(7), Stats::count(3, 5.0));
    /// assert_eq!(clicks.name(), "clicks");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The unit of all its numbers but the number of values.
    ///
    /// ```
    /// # use metric_model::{Kind, Stats, Summary, TagSet, Timestamp, Unit};
    /// # let none = TagSet::new();
    /// # let clicks = Summary::new(Kind::Count, "clicks", Unit::NONE, &none, Timestamp::from_unix_seconds(7), Stats::count(3, 5.0));
    /// assert!(clicks.unit().is_none());
    /// ```
    #[must_use]
    pub const fn unit(&self) -> Unit<'a> {
        self.unit
    }

    /// The tags.
    ///
    /// ```
    /// # use metric_model::{Kind, Stats, Summary, TagSet, Timestamp, Unit};
    /// # let none = TagSet::new();
    /// # let clicks = Summary::new(Kind::Count, "clicks", Unit::NONE, &none, Timestamp::from_unix_seconds(7), Stats::count(3, 5.0));
    /// assert!(clicks.tags().is_empty());
    /// ```
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.tags
    }

    /// When the last of the values was seen.
    ///
    /// ```
    /// # use metric_model::{Kind, Stats, Summary, TagSet, Timestamp, Unit};
    /// # let none = TagSet::new();
    /// # let clicks = Summary::new(Kind::Count, "clicks", Unit::NONE, &none, Timestamp::from_unix_seconds(7), Stats::count(3, 5.0));
    /// assert_eq!(clicks.time().unix_seconds(), 7);
    /// ```
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// The numbers.
    ///
    /// ```
    /// # use metric_model::{Kind, Stats, Summary, TagSet, Timestamp, Unit};
    /// # let none = TagSet::new();
    /// # let clicks = Summary::new(Kind::Count, "clicks", Unit::NONE, &none, Timestamp::from_unix_seconds(7), Stats::count(3, 5.0));
    /// assert_eq!(clicks.stats().observations(), 3);
    /// ```
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }
}
