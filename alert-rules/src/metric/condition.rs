use crate::codec::Writer;
use crate::wildcard;
use core::fmt;
use core::time::Duration;
use metric_model::{DataPoint, Kind, Percentile, Stats, TagSet};

/// What becomes one number of all that a point has.
///
/// A count has one number a minute, its sum: average, min, max, last and sum of it are that. A percentile is there of a measure
/// only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Function {
    /// The mean. What is asked unless something else is said.
    Average,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The sum.
    Sum,
    /// How many there were.
    Count,
    /// The latest.
    Last,
    /// A percentile.
    Percentile(Percentile),
    /// The average less that of the point before; a first point has none.
    Derivative {
        /// What falls was reset, and has not changed: its derivative is 0.
        detect_reset: bool,
    },
}

impl Function {
    /// The number of a point, before any is taken from it.
    pub(super) fn of(self, stats: &Stats, kind: Kind) -> Option<f64> {
        let is_count = kind == Kind::Count;
        match self {
            Self::Count => Some(stats.observations() as f64),
            Self::Percentile(which) => stats.percentiles().map(|percentiles| percentiles.get(which)),
            Self::Sum => Some(stats.sum()),
            _ if is_count => Some(stats.sum()),
            Self::Average | Self::Derivative { .. } => stats.mean(),
            Self::Min => stats.min(),
            Self::Max => stats.max(),
            Self::Last => stats.last(),
        }
    }

    /// From one number to the next, of a derivative.
    pub(super) fn step(self, before: f64, value: f64) -> f64 {
        let change = value - before;
        if matches!(self, Self::Derivative { detect_reset: true }) && change < 0.0 { 0.0 } else { change }
    }

    pub(super) const fn is_derivative(self) -> bool {
        matches!(self, Self::Derivative { .. })
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Average => f.write_str("average"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Sum => f.write_str("sum"),
            Self::Count => f.write_str("count"),
            Self::Last => f.write_str("last"),
            Self::Percentile(which) => f.write_str(which.suffix().trim_start_matches('.')),
            Self::Derivative { detect_reset: true } => f.write_str("derivative with resets"),
            Self::Derivative { detect_reset: false } => f.write_str("derivative"),
        }
    }
}

/// What becomes one number of those of all streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Total {
    /// The sum.
    Sum,
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// The mean.
    Mean,
}

impl Total {
    /// Of the numbers of one window, in their order; `None` if there are none.
    pub(super) fn of(self, numbers: impl Iterator<Item = f64>) -> Option<f64> {
        let mut count = 0_u32;
        let whole = numbers.inspect(|_| count += 1).reduce(|whole, number| match self {
            Self::Sum | Self::Mean => whole + number,
            Self::Max => whole.max(number),
            Self::Min => whole.min(number),
        })?;
        Some(if self == Self::Mean { whole / f64::from(count) } else { whole })
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "sum",
            Self::Max => "max",
            Self::Min => "min",
            Self::Mean => "mean",
        })
    }
}

/// What must hold of a metric: that its points lie above or below a threshold, or that there are none.
///
/// A condition is asked of each signal by itself, a stream of one drain with its tags, or of all of them
/// [together](Self::together).
///
/// ```
/// use alert_rules::{Condition, Function};
/// use core::time::Duration;
///
/// let high = Condition::above("heroku.dyno.load.load1", 1.0)
///     .with_function(Function::Max)
///     .with_duration(Duration::from_secs(300))
///     .with_tag("dyno", ["web.*"]);
/// assert_eq!(high.to_string(), "max of heroku.dyno.load.load1 above 1 for 5 minutes, dyno web.*");
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    pub(super) metric: Box<str>,
    pub(super) asks: Asks,
    pub(super) function: Function,
    pub(super) duration: Option<Duration>,
    pub(super) total: Option<Total>,
    tags: Vec<Selector>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Asks {
    Above(f64),
    Below(f64),
    Absent,
}

/// A condition as each number meets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) asks: Asks,
    pub(super) function: Function,
    pub(super) total: Option<Total>,
    /// Over how many windows.
    pub(super) windows: u32,
}

impl Asked {
    #[inline]
    pub(super) fn is_absent(&self) -> bool {
        matches!(self.asks, Asks::Absent)
    }

    #[inline]
    pub(super) fn violates(&self, value: f64) -> bool {
        match self.asks {
            Asks::Above(threshold) => value > threshold,
            Asks::Below(threshold) => value < threshold,
            Asks::Absent => false,
        }
    }

    /// What a point says to it. A point is what is missed, whatever its numbers.
    #[inline]
    pub(super) fn number(&self, point: &DataPoint<'_>) -> Option<f64> {
        if self.is_absent() { Some(0.0) } else { self.function.of(point.stats(), point.kind()) }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Selector {
    key: Box<str>,
    values: Vec<Box<str>>,
    is_negated: bool,
}

impl Condition {
    const fn new(metric: Box<str>, asks: Asks, duration: Option<Duration>) -> Self {
        Self { metric, asks, function: Function::Average, duration, total: None, tags: Vec::new() }
    }

    /// Holds while a number is greater than `threshold`. In the name of the metric, as in the values of tags, `*` stands for any
    /// text.
    #[must_use]
    pub fn above(metric: &str, threshold: f64) -> Self {
        Self::new(metric.into(), Asks::Above(threshold), None)
    }

    /// Holds while a number is smaller than `threshold`.
    #[must_use]
    pub fn below(metric: &str, threshold: f64) -> Self {
        Self::new(metric.into(), Asks::Below(threshold), None)
    }

    /// Holds when there has been no point for so long, of a signal that had one before; if signals are not told one by one
    /// ([`MetricRule::per_signal`](crate::MetricRule::per_signal)), when there has been none of any of them.
    #[must_use]
    pub fn absent(metric: &str, duration: Duration) -> Self {
        Self::new(metric.into(), Asks::Absent, Some(duration))
    }

    /// What of the points is looked at, if not the average.
    #[must_use]
    pub const fn with_function(mut self, function: Function) -> Self {
        self.function = function;
        self
    }

    /// Asks it of one number for each window: the total of what the function says of all streams that the condition selects,
    /// whatever their drains. In a window in which none of them has a point there is none. An
    /// [absence](Self::absent) together is one of all of them, also if signals are told one by one.
    ///
    /// The total is a signal of no drain and without tags.
    ///
    /// ```
    /// use alert_rules::{Condition, Function, Total};
    ///
    /// let requests = Condition::above("heroku.router.requests", 6e4).with_function(Function::Sum).together(Total::Sum);
    /// assert_eq!(requests.to_string(), "sum over streams of sum of heroku.router.requests above 60000");
    /// ```
    #[must_use]
    pub const fn together(mut self, total: Total) -> Self {
        self.total = Some(total);
        self
    }

    /// For how long it must be so: every point in that time, and the signal must be known for as long. Without it one point is
    /// enough. It is rounded up to whole windows of the metrics, from 1 to 60.
    #[must_use]
    pub const fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Only signals with this tag, of one of these values.
    #[must_use]
    pub fn with_tag<S: AsRef<str>>(self, key: &str, values: impl IntoIterator<Item = S>) -> Self {
        self.select(key, values, false)
    }

    /// Only signals without this tag, or of none of these values.
    #[must_use]
    pub fn without_tag<S: AsRef<str>>(self, key: &str, values: impl IntoIterator<Item = S>) -> Self {
        self.select(key, values, true)
    }

    fn select<S: AsRef<str>>(mut self, key: &str, values: impl IntoIterator<Item = S>, is_negated: bool) -> Self {
        let values = values.into_iter().map(|value| value.as_ref().into()).collect();
        self.tags.push(Selector { key: key.into(), values, is_negated });
        self
    }

    /// The name of the metric, perhaps with `*`.
    #[must_use]
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// What is asked of a number, in words.
    pub(super) fn in_words(&self) -> String {
        match self.asks {
            Asks::Above(threshold) => format!("above {threshold}"),
            Asks::Below(threshold) => format!("below {threshold}"),
            Asks::Absent => String::new(),
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        self.asks == Asks::Absent
    }

    /// The same, as each number meets it.
    pub(super) fn asked(&self, step: Duration) -> Asked {
        Asked { asks: self.asks, function: self.function, total: self.total, windows: self.windows(step) }
    }

    /// Over how many windows it is asked.
    fn windows(&self, step: Duration) -> u32 {
        let windows = self.duration.map_or(1, |duration| duration.as_micros().div_ceil(step.as_micros().max(1)));
        u32::try_from(windows).unwrap_or(u32::MAX).clamp(1, 60)
    }

    pub(super) fn selects_name(&self, name: &str) -> bool {
        wildcard::fits(self.metric.as_bytes(), name.as_bytes())
    }

    pub(super) fn selects(&self, tags: &TagSet) -> bool {
        self.tags.iter().all(|selector| {
            let fits =
                tags.get(&selector.key).is_some_and(|value| wildcard::fits_any(&selector.values, value.as_bytes()));
            fits != selector.is_negated
        })
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.text(&self.metric);
        match self.asks {
            Asks::Above(threshold) => {
                out.byte(0);
                out.double(threshold);
            }
            Asks::Below(threshold) => {
                out.byte(1);
                out.double(threshold);
            }
            Asks::Absent => out.byte(2),
        }
        out.text(&match self.total {
            None => self.function.to_string(),
            Some(total) => format!("{total} of {}", self.function),
        });
        out.optional(self.duration, |out, duration| out.number(duration.as_micros() as u64));
        out.count(self.tags.len());
        for selector in &self.tags {
            out.text(&selector.key);
            out.flag(selector.is_negated);
            out.count(selector.values.len());
            selector.values.iter().for_each(|value| out.text(value));
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.asks {
            Asks::Absent if self.total.is_some() => write!(f, "no point of any stream of {}", self.metric)?,
            Asks::Absent => write!(f, "no point of {}", self.metric)?,
            _ => {
                if let Some(total) = self.total {
                    write!(f, "{total} over streams of ")?;
                }
                write!(f, "{} of {} {}", self.function, self.metric, self.in_words())?;
            }
        }
        if let Some(duration) = self.duration {
            write!(f, " for {}", Long(duration))?;
        }
        for selector in &self.tags {
            write!(f, ", {}{}", selector.key, if selector.is_negated { " not" } else { "" })?;
            for (index, value) in selector.values.iter().enumerate() {
                write!(f, "{} {value}", if index == 0 { "" } else { " or" })?;
            }
        }
        Ok(())
    }
}

/// A length of time in words.
pub(super) struct Long(pub(super) Duration);

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match self.0.as_secs() {
            seconds if seconds > 0 && seconds.is_multiple_of(60) => (seconds / 60, "minute"),
            seconds => (seconds, "second"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}
