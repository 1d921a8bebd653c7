use crate::tags::TagSet;
use crate::timestamp::Timestamp;
use crate::unit::Value;
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
    #[must_use]
    pub const fn new(kind: Kind, name: &'a str, value: Value<'a>, tags: &'a TagSet, time: Timestamp) -> Self {
        Self { kind, name, value, tags, time }
    }

    /// An increment.
    #[must_use]
    pub const fn count(name: &'a str, value: Value<'a>, tags: &'a TagSet, time: Timestamp) -> Self {
        Self::new(Kind::Count, name, value, tags, time)
    }

    /// One value of a distribution.
    #[must_use]
    pub const fn measure(name: &'a str, value: Value<'a>, tags: &'a TagSet, time: Timestamp) -> Self {
        Self::new(Kind::Measure, name, value, tags, time)
    }

    /// A value computed elsewhere.
    #[must_use]
    pub const fn sample(name: &'a str, value: Value<'a>, tags: &'a TagSet, time: Timestamp) -> Self {
        Self::new(Kind::Sample, name, value, tags, time)
    }

    /// What the stream does with it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The metric's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The value and its unit.
    #[must_use]
    pub const fn value(&self) -> Value<'a> {
        self.value
    }

    /// The tags.
    #[must_use]
    pub const fn tags(&self) -> &'a TagSet {
        self.tags
    }

    /// When it happened.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }
}
