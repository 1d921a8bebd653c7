use crate::codec::{Writer, checksum};
use crate::wildcard;
use core::fmt;
use core::time::Duration;
use log_query::Query;

/// How long the window of a [`LogRule`] is. Printed as receivers of Papertrail's hooks expect it: `1 minute`, `10 minutes`,
/// `1 hour`, `1 day`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Period {
    /// Of a minute.
    Minute,
    /// Of ten.
    TenMinutes,
    /// Of an hour, counted from when the rule was set.
    Hour,
    /// Of a day, due at a time of day that the host says: see [`tick_with`](crate::LogRules::tick_with).
    Day,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::TenMinutes, Self::Hour, Self::Day];

    /// How long it is; a day has 24 hours here.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::TenMinutes => 600,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        })
    }

    /// Counts are told by so many seconds.
    pub(super) const fn bucket(self) -> i64 {
        match self {
            Self::Minute | Self::TenMinutes => 1,
            Self::Hour | Self::Day => 60,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "1 minute",
            Self::TenMinutes => "10 minutes",
            Self::Hour => "1 hour",
            Self::Day => "1 day",
        })
    }
}

/// An alert on lines: fires when a window has at least so many that fit, or none.
///
/// ```
/// use alert_rules::{LogRule, Period};
/// use log_query::Query;
///
/// let query = Query::parse("program:router code=H12").into_query();
/// let rule = LogRule::new(query, Period::TenMinutes).with_minimum(5).with_systems(["shop-*"]);
/// assert_eq!(rule.to_string(), "at least 5 lines in 10 minutes with program:router code=H12, of shop-*");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRule {
    query: Query,
    period: Period,
    minimum: u64,
    asks: Asks,
    systems: Vec<Box<str>>,
}

/// What it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asks {
    Lines,
    Counts,
    Silence,
}

impl LogRule {
    /// Fires when a window has a line that fits.
    #[must_use]
    pub const fn new(query: Query, period: Period) -> Self {
        Self { query, period, minimum: 1, asks: Asks::Lines, systems: Vec::new() }
    }

    /// Fires when there are at least so many. With [`counts`](Self::counting) 0 is a number, too: then each window is told. Else
    /// it is 1.
    #[must_use]
    pub const fn with_minimum(mut self, lines: u64) -> Self {
        self.minimum = lines;
        self
    }

    /// Tells how many there were of each system and when, and not which.
    #[must_use]
    pub const fn counting(mut self) -> Self {
        self.asks = Asks::Counts;
        self
    }

    /// Fires when a full window has no line that fits, whatever the minimum.
    #[must_use]
    pub const fn on_inactivity(mut self) -> Self {
        self.asks = Asks::Silence;
        self
    }

    /// Only lines of these systems, in whose names `*` stands for any text.
    #[must_use]
    pub fn with_systems<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.systems = names.into_iter().map(|name| name.as_ref().into()).collect();
        self
    }

    /// What lines must fit.
    #[must_use]
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// How long its windows are.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// Whether it tells counts.
    #[must_use]
    pub fn is_counting(&self) -> bool {
        self.asks == Asks::Counts
    }

    /// Whether it is silence that it tells.
    #[must_use]
    pub fn is_on_inactivity(&self) -> bool {
        self.asks == Asks::Silence
    }

    pub(super) fn minimum(&self) -> u64 {
        if self.asks == Asks::Counts { self.minimum } else { self.minimum.max(1) }
    }

    /// Whether it looks at lines of a system.
    pub(super) fn is_of(&self, system: &[u8]) -> bool {
        self.systems.is_empty() || wildcard::fits_any(&self.systems, system)
    }

    /// The same for rules that ask the same.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut out = Writer::default();
        out.text(&self.query.to_string());
        out.byte(self.period as u8);
        out.number(self.minimum);
        out.byte(self.asks as u8);
        self.systems.iter().for_each(|name| out.text(name));
        checksum(out.as_bytes())
    }
}

impl fmt::Display for LogRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minimum() {
            _ if self.is_on_inactivity() => f.write_str("no line")?,
            0 => f.write_str("any number of lines")?,
            1 => f.write_str("a line")?,
            many => write!(f, "at least {many} lines")?,
        }
        write!(f, " in {}", self.period)?;
        if !self.query.is_empty() {
            write!(f, " with {}", self.query)?;
        }
        for (index, name) in self.systems.iter().enumerate() {
            write!(f, "{} {name}", if index == 0 { ", of" } else { " or" })?;
        }
        Ok(())
    }
}
