use super::rule::{LogRule, Period};
use crate::tick::Tick;
use core::fmt;
use metric_model::Timestamp;
use std::collections::BTreeMap;

/// How many there were, by system and time: seconds since 1970, rising.
pub(super) type Counts = BTreeMap<Box<[u8]>, Vec<(i64, u64)>>;

/// What a window of a [`LogRule`] had, and that this is worth telling.
///
/// Its window is the events behind [`after`](Self::after) up to [`until`](Self::until), so the windows of a rule lie side by
/// side. Printed, it says why it fired.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogAlert {
    pub(super) rule: u64,
    pub(super) start: Tick,
    pub(super) end: Tick,
    pub(super) period: Period,
    pub(super) minimum: u64,
    pub(super) silence: bool,
    pub(super) count: u64,
    pub(super) ids: Vec<u64>,
    pub(super) counts: Counts,
    pub(super) reached_limit: bool,
    pub(super) unknown: Option<(Timestamp, Timestamp)>,
}

impl LogAlert {
    /// Of which rule it is.
    #[must_use]
    pub const fn rule(&self) -> u64 {
        self.rule
    }

    /// The last id in front of the window.
    #[must_use]
    pub const fn after(&self) -> u64 {
        self.start.id()
    }

    /// The last id of the window: that of the tick that ended it.
    #[must_use]
    pub const fn until(&self) -> u64 {
        self.end.id()
    }

    /// When the window began.
    #[must_use]
    pub const fn started_at(&self) -> Timestamp {
        self.start.time()
    }

    /// When it ended.
    #[must_use]
    pub const fn ended_at(&self) -> Timestamp {
        self.end.time()
    }

    /// How long the windows of the rule are meant to be.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// Whether it is silence that is told.
    #[must_use]
    pub const fn is_inactivity(&self) -> bool {
        self.silence
    }

    /// How many lines there were, recorded or not.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The ids of the first of them; none of a rule that tells counts.
    #[must_use]
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Of a rule that tells counts: each system with how many lines it had, by seconds since 1970. They are told by the second
    /// in windows of up to ten minutes, else by the minute.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = (&[u8], &[(i64, u64)])> {
        self.counts.iter().map(|(system, counts)| (&**system, &**counts))
    }

    /// Whether there were more than could be [recorded](crate::MOST_RECORDS).
    #[must_use]
    pub const fn reached_limit(&self) -> bool {
        self.reached_limit
    }

    /// The stretch of the window of which nothing is known, so that there may have been more.
    #[must_use]
    pub const fn unknown(&self) -> Option<(Timestamp, Timestamp)> {
        self.unknown
    }

    pub(super) fn why(
        f: &mut fmt::Formatter<'_>,
        (count, minimum): (u64, u64),
        period: Period,
        unknown: Option<(Timestamp, Timestamp)>,
    ) -> fmt::Result {
        match count {
            0 => write!(f, "no line in {period}")?,
            1 => write!(f, "1 line in {period}")?,
            many => write!(f, "{many} lines in {period}")?,
        }
        if minimum > 1 {
            write!(f, ", at least {minimum} asked for")?;
        }
        if let Some((from, until)) = unknown {
            write!(f, "; nothing is known from {from} to {until}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LogAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minimum = if self.silence { 0 } else { self.minimum };
        Self::why(f, (self.count, minimum), self.period, self.unknown)?;
        if self.reached_limit {
            f.write_str("; not all of them are recorded")?;
        }
        Ok(())
    }
}

/// How an open window stands, in words.
pub(super) struct Standing<'a> {
    pub(super) rule: &'a LogRule,
    pub(super) start: Timestamp,
    pub(super) due: Option<Timestamp>,
    pub(super) count: u64,
    pub(super) is_full: bool,
    pub(super) unknown: Option<(Timestamp, Timestamp)>,
}

impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minimum = if self.rule.is_on_inactivity() { 0 } else { self.rule.minimum() };
        write!(f, "since {}: ", self.start)?;
        LogAlert::why(f, (self.count, minimum), self.rule.period(), self.unknown)?;
        if self.rule.is_on_inactivity() && !self.is_full {
            f.write_str("; the window is not a full one, so its silence would not be told")?;
        }
        match self.due {
            Some(due) => write!(f, "; it ends with the first tick from {due} on"),
            None => f.write_str("; when it ends is asked with the next tick"),
        }
    }
}
