//! Values over time: what is asked of kept minutes, and what a chart draws.
//!
//! ```text
//! Asked + Span -> serve::minutes -> Series -> chart
//! ```

/// What becomes one number of all that a step holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Function {
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
    /// A quantile, 0 to 1, of the union of all values.
    Quantile(f64),
}

impl Function {
    /// By its name: `avg`, `sum`, or a percentile as `p95` or `p99.9`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "avg" | "mean" | "average" => Self::Avg,
            "count" => Self::Count,
            "last" => Self::Last,
            "max" => Self::Max,
            "min" => Self::Min,
            "sum" => Self::Sum,
            "rate" => Self::Rate,
            "derivative" => Self::Derivative,
            "p999" => Self::Quantile(0.999),
            _ => {
                let digits = name.strip_prefix('p').filter(|digits| digits.len() <= 8)?;
                let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let percent = is_number.then(|| digits.parse::<f64>().ok())??;
                return (0.0..=100.0).contains(&percent).then(|| Self::Quantile(percent / 100.0));
            }
        })
    }
}

/// What a tag must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Selector {
    pub(crate) key: String,
    /// Any of these; `*` in one stands for any text.
    pub(crate) values: Vec<String>,
    /// None of them, then.
    pub(crate) is_negated: bool,
}

/// Which streams are drawn together.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) enum Grouping {
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
pub(crate) struct Asked {
    /// The metric, without `.p95` and the like.
    pub(crate) name: String,
    /// All of them must hold.
    pub(crate) selectors: Vec<Selector>,
    pub(crate) grouping: Grouping,
    pub(crate) function: Function,
}

/// A stretch of time, half-open, in seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// The answer: lines over the same steps.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Series {
    /// Where the first step begins, in seconds since 1970.
    pub(crate) start: i64,
    /// How long a step is, in seconds.
    pub(crate) step: u32,
    /// How many there are; each line has so many values.
    pub(crate) steps: usize,
    /// So many of them, from the first on, are over; values behind them are *so far*.
    pub(crate) closed: usize,
    /// As on the lines, in its regular form: `ms`, `bytes`, or empty.
    pub(crate) unit: String,
    /// By their tags.
    pub(crate) lines: Vec<Line>,
    /// Lines that found no room.
    pub(crate) more: usize,
}

/// One line of a chart.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Line {
    /// The tags that it was grouped by, sorted.
    pub(crate) tags: Vec<(String, String)>,
    /// `None` where nothing is known: a gap, never a zero.
    pub(crate) values: Vec<Option<f64>>,
}
