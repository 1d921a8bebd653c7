use core::fmt;
use core::time::Duration;

/// What became of one observation. Each is counted in the [`ObservationLedger`](crate::ObservationLedger).
///
/// ```
/// use metric_model::{Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, Outcome, Refusal};
///
/// let none = TagSet::new();
/// let mut engine = Aggregator::new(AggregatorConfig::new())?;
/// let nan = Observation::sample("queue.depth", Value::plain(f64::NAN), &none, Timestamp::from_unix_seconds(0));
/// assert_eq!(engine.observe(&nan), Outcome::Refused(Refusal::NotFinite));
/// # Ok::<(), minute_aggregator::ConfigError>(())
/// ```
#[must_use]
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Counted in its window and stream.
    Accepted,
    /// Counted in its window, in the overflow stream of its metric: the stream is new and the quota is used up.
    Folded,
    /// Its window is closed, and no longer kept.
    Late {
        /// How far behind the watermark it is.
        by: Duration,
    },
    /// It lies too far ahead of what the host says the time is.
    Future {
        /// How far beyond that time plus `max_future` it is.
        by: Duration,
    },
    /// Not counted for what it is.
    Refused(Refusal),
}

/// Why an observation was refused, whatever its time.
///
/// ```
/// use minute_aggregator::Refusal;
/// assert_eq!(Refusal::NegativeCount.to_string(), "negative count");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The value is NaN or infinite.
    NotFinite,
    /// A count below zero: increments only grow.
    NegativeCount,
    /// Name, unit and tags together are longer than `max_key_len`.
    KeyTooLong,
    /// The stream is new, and `max_streams` are known already or their keys fill `max_key_bytes`.
    TooManyStreams,
    /// The quota is used up, and its overflow streams are, too.
    OverQuota,
    /// The windows hold `max_window_bytes` already: one must close first.
    WindowsFull,
    /// A summary that no values have: none of them, no range where there should be one, or the last outside of it.
    BadSummary,
}

impl Refusal {
    /// All of them, in the order of the ledger.
    pub const ALL: [Self; 7] = [
        Self::NotFinite,
        Self::NegativeCount,
        Self::KeyTooLong,
        Self::TooManyStreams,
        Self::OverQuota,
        Self::WindowsFull,
        Self::BadSummary,
    ];

    /// A short name for reports: `not_finite`, `negative_count`, `key_too_long`, `too_many_streams`,
    /// `over_quota`, `windows_full`, `bad_summary`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFinite => "not_finite",
            Self::NegativeCount => "negative_count",
            Self::KeyTooLong => "key_too_long",
            Self::TooManyStreams => "too_many_streams",
            Self::OverQuota => "over_quota",
            Self::WindowsFull => "windows_full",
            Self::BadSummary => "bad_summary",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotFinite => "value is not finite",
            Self::NegativeCount => "negative count",
            Self::KeyTooLong => "name, unit and tags are too long",
            Self::TooManyStreams => "too many streams",
            Self::OverQuota => "quota used up, overflow streams too",
            Self::WindowsFull => "open windows fill their memory",
            Self::BadSummary => "summary that no values have",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_texts_of_the_ledger() {
        let names = Refusal::ALL.map(Refusal::as_str);
        let expected = [
            "not_finite",
            "negative_count",
            "key_too_long",
            "too_many_streams",
            "over_quota",
            "windows_full",
            "bad_summary",
        ];
        assert_eq!(names, expected);
        let texts = Refusal::ALL.map(|refusal| refusal.to_string());
        assert_eq!(
            texts,
            [
                "value is not finite",
                "negative count",
                "name, unit and tags are too long",
                "too many streams",
                "quota used up, overflow streams too",
                "open windows fill their memory",
                "summary that no values have"
            ]
        );
    }
}
