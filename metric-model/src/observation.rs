use crate::{TagSet, Timestamp, Value};
use core::fmt;

/// What a stream does with its values.
///
/// Exhaustive on purpose: the three kinds are the format (`count#`, `measure#`, `sample#`), and a fourth would change
/// what every sink has to handle.
///
/// ```
/// use metric_model::Kind;
/// assert_eq!(Kind::Measure.as_str(), "measure");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(clippy::exhaustive_enums)]
pub enum Kind {
    /// Increments, added up in the window.
    Count,
    /// Observations of a distribution; the window answers percentiles.
    Measure,
    /// A value that was computed elsewhere; the last in the window stands.
    Sample,
}

impl Kind {
    /// The word before the `#`: `count`, `measure`, `sample`.
    ///
    /// ```
    /// assert_eq!(metric_model::Kind::Count.as_str(), "count");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Measure => "measure",
            Self::Sample => "sample",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One value of one metric, with tags, at one instant.
///
/// A borrowed view: it is `Copy` and costs nothing to pass on. The joint between parsers and the aggregator, and where
/// a host adds observations of its own.
///
/// ```
/// use metric_model::{Kind, Observation, TagSet, Timestamp, Value};
///
/// let tags = TagSet::from_iter([("user_id", "2")]);
/// let click = Observation::count("user.clicks", Value::plain(3.0), &tags, Timestamp::from_unix_micros(0));
/// assert_eq!(click.kind(), Kind::Count);
/// assert_eq!(click.tags().get("user_id"), Some("2"));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Observation<'a> {
    kind: Kind,
    name: &'a str,
    value: Value<'a>,
    tags: &'a TagSet,
    time: Timestamp,
}

impl<'a> Observation<'a> {
    /// An observation of any kind. `time` is event time: when it happened, not when it arrived.
    ///
    /// ```
    /// use metric_model::{Kind, Observation, TagSet, Timestamp, Value};
    /// let none = TagSet::new();
    /// let seen = Observation::new(Kind::Sample, "queue.depth", Value::plain(7.0), &none, Timestamp::from_unix_micros(0));
    /// assert_eq!(seen.name(), "queue.depth");
    /// ```
    #[must_use]
    pub const fn new(kind: Kind, name: &'a str, value: Value<'a>, tags: &'a TagSet, time: Timestamp) -> Self {
        Self { kind, name, value, tags, time }
    }

    /// An increment.
    ///
    /// ```
    /// use metric_model::{Kind, Observation, TagSet, Timestamp, Value};
    /// let none = TagSet::new();
    /// let seen = Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_micros(0));
    /// assert_eq!(seen.kind(), Kind::Count);
    /// ```
    #[must_use]
    pub const fn count(name: &'a str, value: Value<'a>, tags: &'a TagSet, time: Timestamp) -> Self {
        Self::new(Kind::Count, name, value, tags, time)
    }

    /// One value of a distribution.
    ///
    /// ```
    /// use metric_model::{Kind, Observation, TagSet, Timestamp, Unit, Value};
    /// let none = TagSet::new();
    /// let value = Value::new(200.0, Unit::MILLISECONDS);
    /// let seen = Observation::measure("database.query", value, &none, Timestamp::from_unix_micros(0));
    /// assert_eq!(seen.kind(), Kind::Measure);
    /// ```
    #[must_use]
    pub const fn measure(name: &'a str, value: Value<'a>, tags: &'a TagSet, time: Timestamp) -> Self {
        Self::new(Kind::Measure, name, value, tags, time)
    }

    /// A value computed elsewhere.
    ///
    /// ```
    /// use metric_model::{Kind, Observation, TagSet, Timestamp, Unit, Value};
    /// let none = TagSet::new();
    /// let value = Value::new(40.9, Unit::new("MB")).regular();
    /// let seen = Observation::sample("database.size", value, &none, Timestamp::from_unix_micros(0));
    /// assert_eq!(seen.value().unit(), Unit::BYTES);
    /// ```
    #[must_use]
    pub const fn sample(name: &'a str, value: Value<'a>, tags: &'a TagSet, time: Timestamp) -> Self {
        Self::new(Kind::Sample, name, value, tags, time)
    }

    /// What the stream does with it.
    ///
    /// ```
    /// # use metric_model::{Kind, Observation, TagSet, Timestamp, Value};
    /// # let none = TagSet::new();
    /// let seen = Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_micros(0));
    /// assert_eq!(seen.kind(), Kind::Count);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The metric's name.
    ///
    /// ```
    /// # use metric_model::{Observation, TagSet, Timestamp, Value};
    /// # let none = TagSet::new();
    /// let seen = Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_micros(0));
    /// assert_eq!(seen.name(), "signups");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The value and its unit.
    ///
    /// ```
    /// # use metric_model::{Observation, TagSet, Timestamp, Value};
    /// # let none = TagSet::new();
    /// let seen = Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_micros(0));
    /// assert_eq!(seen.value().number(), 1.0);
    /// ```
    #[must_use]
    pub const fn value(&self) -> Value<'a> {
        self.value
    }

    /// The tags.
    ///
    /// ```
    /// # use metric_model::{Observation, TagSet, Timestamp, Value};
    /// # let none = TagSet::new();
    /// let seen = Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_micros(0));
    /// assert!(seen.tags().is_empty());
    /// ```
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.tags
    }

    /// When it happened.
    ///
    /// ```
    /// # use metric_model::{Observation, TagSet, Timestamp, Value};
    /// # let none = TagSet::new();
    /// let seen = Observation::count("signups", Value::plain(1.0), &none, Timestamp::from_unix_micros(5));
    /// assert_eq!(seen.time().unix_micros(), 5);
    /// ```
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }
}
