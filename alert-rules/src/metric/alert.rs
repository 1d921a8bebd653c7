use super::condition::{Long, Total};
use super::identity::Identity;
use core::fmt;
use core::time::Duration;
use metric_model::{TagSet, Timestamp};
use std::sync::Arc;

/// What is told of a [`MetricRule`](crate::MetricRule).
#[derive(Clone, PartialEq, Debug)]
pub struct MetricAlert {
    pub(super) rule: u64,
    pub(super) change: Change,
    pub(super) incident: u64,
    pub(super) time: Timestamp,
    pub(super) signal: Option<(Box<str>, TagSet)>,
    pub(super) readings: Vec<Reading>,
    pub(super) more: usize,
    pub(super) left_out: u64,
}

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Change {
    /// It holds, and did not before.
    Fired,
    /// It still holds, and the rearm time is over.
    Again,
    /// It does not hold any more.
    Cleared(Clear),
}

/// Why something is clear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Clear {
    /// By what was measured.
    Normal,
    /// Nothing was heard of the signal for ten days.
    Auto,
    /// Somebody cleared it, or changed the rule, or took it away.
    Manual,
    /// There is no room to watch it any more ([`MetricRules::limit`](crate::MetricRules::limit)).
    NoRoom,
}

impl MetricAlert {
    /// Of which rule it is.
    #[must_use]
    pub const fn rule(&self) -> u64 {
        self.rule
    }

    /// How it stands.
    #[must_use]
    pub const fn change(&self) -> Change {
        self.change
    }

    /// The id of the tick with which it fired first: with rule and signal, what alerts of one incident have in common.
    #[must_use]
    pub const fn incident(&self) -> u64 {
        self.incident
    }

    /// The end of the window that was decisive.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// Of a rule that tells signals one by one, the drain and the tags.
    #[must_use]
    pub fn signal(&self) -> Option<(&str, &TagSet)> {
        self.signal.as_ref().map(|(drain, tags)| (&**drain, tags))
    }

    /// The signals of which a condition holds, a hundred at most; none when it is clear.
    #[must_use]
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// How many more there are.
    #[must_use]
    pub const fn more(&self) -> usize {
        self.more
    }

    /// How many signals of the rule found no room before this tick, and are not watched; of very many, some.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl fmt::Display for MetricAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.change {
            Change::Fired => "fired",
            Change::Again => "still so",
            Change::Cleared(Clear::Normal) => "clear",
            Change::Cleared(Clear::Auto) => "clear, since nothing was heard for ten days",
            Change::Cleared(Clear::Manual) => "cleared by hand",
            Change::Cleared(Clear::NoRoom) => "cleared, since there is no room to watch it",
        })?;
        for (index, reading) in self.readings.iter().enumerate() {
            write!(f, "{} {reading}", if index == 0 { ":" } else { ";" })?;
        }
        if self.more > 0 {
            write!(f, "; and {} more", self.more)?;
        }
        match self.left_out {
            0 => {}
            1 => f.write_str("; there is no room to watch 1 signal of this rule")?,
            many => write!(f, "; there is no room to watch {many} signals of this rule")?,
        }
        Ok(())
    }
}

/// How a condition stands of one signal, printed as "4 of 5 points above 1, longest run 3".
#[derive(Clone, PartialEq, Debug)]
pub struct Reading {
    pub(super) who: Arc<Identity>,
    pub(super) condition: usize,
    pub(super) asked: Box<str>,
    pub(super) value: Option<f64>,
    pub(super) time: Timestamp,
    pub(super) points: u32,
    pub(super) violating: u32,
    pub(super) longest: u32,
    pub(super) holds: bool,
    pub(super) since: Option<Duration>,
    pub(super) total: Option<(Total, u32)>,
}

impl Reading {
    /// Which of the conditions of the rule, from 0.
    #[must_use]
    pub const fn condition(&self) -> usize {
        self.condition
    }

    /// The drain of the signal; empty if it is a total.
    #[must_use]
    pub fn drain(&self) -> &str {
        &self.who.drain
    }

    /// The metric; of a total as the condition names it.
    #[must_use]
    pub fn metric(&self) -> &str {
        &self.who.metric
    }

    /// The tags of the signal.
    #[must_use]
    pub fn tags(&self) -> &TagSet {
        &self.who.tags
    }

    /// The number of its newest point; `None` if it is the point that is missed.
    #[must_use]
    pub const fn value(&self) -> Option<f64> {
        self.value
    }

    /// The beginning of the window of its newest point.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// How many points there are in the time that the condition looks at.
    #[must_use]
    pub const fn points(&self) -> u32 {
        self.points
    }

    /// How many of them violate it.
    #[must_use]
    pub const fn violating(&self) -> u32 {
        self.violating
    }

    /// How many of these come one after the other.
    #[must_use]
    pub const fn longest_run(&self) -> u32 {
        self.longest
    }

    /// Of a [total](crate::Condition::together): of how many streams its newest number is.
    #[must_use]
    pub fn streams(&self) -> Option<u32> {
        self.total.map(|(_, streams)| streams)
    }

    /// Whether the condition holds.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.holds
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((total, streams)) = self.total {
            write!(f, "{total} of {streams} {} of ", if streams == 1 { "stream" } else { "streams" })?;
        }
        write!(f, "{}", self.who.metric)?;
        if !self.who.drain.is_empty() {
            write!(f, " of {}", self.who.drain)?;
        }
        for (index, (key, value)) in self.who.tags.iter().enumerate() {
            write!(f, "{}{key}={value}", if index == 0 { " " } else { "," })?;
        }
        match (self.value, self.since) {
            (Some(value), _) => {
                let Self { points, violating, asked, longest, .. } = self;
                let many = if *points == 1 { "point" } else { "points" };
                write!(f, ": {violating} of {points} {many} {asked}, longest run {longest}, the newest {value}")
            }
            (None, Some(since)) => {
                write!(f, ": {} points in {}, the last one at {}", self.points, Long(since), self.time)
            }
            (None, None) => write!(f, ": {} points", self.points),
        }
    }
}
