//! Values over time: what is asked of kept minutes, and what a chart draws.
//!
//! ```text
//! Asked + Span -> kept minutes -> Series -> chart
//! ```

use std::fmt;
use std::str::FromStr;

/// What becomes one number of all that a step holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Function {
    Avg,
    Count,
    /// The newest value; over several streams, the newest of them all.
    Last,
    Max,
    Min,
    Sum,
    /// The sum a minute.
    Rate,
    /// How much a counter grew since the step before; one that is less than it was began again from zero. Of several streams
    /// it is the sum of what each grew.
    Derivative,
    /// How far values stand from their mean: the standard deviation of all of them, where there is a sketch.
    Deviation,
    /// A quantile, 0 to 1, of the union of all values.
    Quantile(f64),
}

/// The names of functions that are no percentiles.
const NAMES: [(&str, Function); 9] = [
    ("avg", Function::Avg),
    ("count", Function::Count),
    ("last", Function::Last),
    ("max", Function::Max),
    ("min", Function::Min),
    ("sum", Function::Sum),
    ("rate", Function::Rate),
    ("derivative", Function::Derivative),
    ("stddev", Function::Deviation),
];

/// A text that names no function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownFunction;

impl fmt::Display for UnknownFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no function: there are avg, sum, rate, count, last, max, min, derivative, stddev, and p95 and the like",
        )
    }
}

impl std::error::Error for UnknownFunction {}

impl FromStr for Function {
    type Err = UnknownFunction;

    /// By its name: `avg` (also `mean` and `average`), `sum`, or a percentile as `p95`, `p99.9` or `p999`, which is the same.
    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        if let Some((_, function)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*function);
        }
        let digits = match name {
            "mean" | "average" => return Ok(Self::Avg),
            "p999" => "99.9",
            _ => name.strip_prefix('p').filter(|digits| digits.len() <= 6).ok_or(UnknownFunction)?,
        };
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent: f64 =
            if is_number { digits.parse().map_err(|_| UnknownFunction)? } else { return Err(UnknownFunction) };
        // Of whole thousandths, so that p99.9 is the number that 0.999 is.
        let share = (percent * 1_000.0).round() / 100_000.0;
        (0.0..=100.0).contains(&percent).then_some(Self::Quantile(share)).ok_or(UnknownFunction)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMES.iter().find(|(_, known)| known == self) {
            return f.pad(name);
        }
        let Self::Quantile(share) = self else { return Ok(()) };
        match (share * 100_000.0).round() / 1_000.0 {
            percent if (percent - 99.9).abs() < 1e-9 => f.pad("p999"),
            percent => f.pad(&format!("p{percent}")),
        }
    }
}

/// What a tag must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    pub key: String,
    /// Any of these; `*` in one stands for any text.
    pub values: Vec<String>,
    /// None of them, then.
    pub is_negated: bool,
}

/// Which streams are drawn together.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Grouping {
    /// All of them as one line.
    #[default]
    Together,
    /// Those with the same values of these tags.
    By(Vec<String>),
    /// Each by itself.
    Apart,
}

/// One question to the kept minutes.
#[derive(Clone, PartialEq, Debug)]
pub struct Asked {
    /// The metric, without `.p95` and the like.
    pub name: String,
    /// All of them must hold.
    pub selectors: Vec<Selector>,
    pub grouping: Grouping,
    pub function: Function,
}

/// A stretch of time, half-open, in seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub start: i64,
    pub end: i64,
}

/// The answer: lines over the same steps.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// Where the first step begins, in seconds since 1970.
    pub start: i64,
    /// How long a step is, in seconds.
    pub step: u32,
    /// How many there are; each line has so many values.
    pub steps: usize,
    /// So many of them, from the first on, are over; values behind them are *so far*.
    pub closed: usize,
    /// As on the lines, in its regular form: `ms`, `bytes`, or empty.
    pub unit: String,
    /// By their tags.
    pub lines: Vec<Line>,
    /// Lines that found no room.
    pub more: usize,
}

/// One line of a chart.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// The tags that it was grouped by, sorted.
    pub tags: Vec<(String, String)>,
    /// `None` where nothing is known: a gap, never a zero.
    pub values: Vec<Option<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_read_as_they_are_written() {
        for name in [
            "avg",
            "count",
            "last",
            "max",
            "min",
            "sum",
            "rate",
            "derivative",
            "stddev",
            "p0",
            "p5",
            "p50",
            "p95",
            "p999",
            "p99.99",
            "p100",
        ] {
            assert_eq!(name.parse::<Function>().map(|function| function.to_string()).as_deref(), Ok(name));
        }
        assert_eq!("p99.9".parse::<Function>(), "p999".parse());
        assert_eq!("p99.9".parse(), Ok(Function::Quantile(0.999)));
        assert_eq!("mean".parse(), Ok(Function::Avg));
        for name in ["", "p", "p101", "p-1", "p1e1", "pNaN", "pinf", "median", "p99.99999", "AVG", "p.", "p9.9.9"] {
            assert_eq!(name.parse::<Function>(), Err(UnknownFunction), "{name}");
        }
        assert_eq!(format!("{:>6}|{:<5}|", Function::Avg, Function::Quantile(0.5)), "   avg|p50  |");
    }
}
