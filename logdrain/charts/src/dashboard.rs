//! Dashboards as data: charts in their order, each with what it draws. Five are shipped; accounts and members have their
//! own beside them. They are read from TOML and JSON, by which they are kept, exported and copied, too.
//!
//! ```text
//! TOML, JSON, forms -> Dashboard -> check -> series (Asked) -> chart
//! ```

mod check;
mod shipped;
mod words;

pub use check::{CHARTS, SOURCES, THRESHOLDS, bounded, is_id, read_json, turns_text};
pub use shipped::shipped;
pub use words::{FUNCTIONS, selector, selector_word};

use crate::series::{Asked, Function, Grouping, Selector};
use serde::{Deserialize, Serialize};

/// One page of charts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    pub title: String,
    /// The app that it shows unless its reader chooses another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    #[serde(default)]
    pub charts: Vec<Chart>,
}

/// What a part of a dashboard looks like.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Line,
    Stacked,
    Bars,
    /// One big number, with what it was in the range before.
    Number,
    Table,
    /// Words above the charts that follow, up to the next heading.
    Heading,
}

impl Kind {
    pub const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Line, "line", "Lines"),
        (Self::Stacked, "stacked", "Stacked areas"),
        (Self::Bars, "bars", "Bars"),
        (Self::Number, "number", "Big number"),
        (Self::Table, "table", "Table"),
        (Self::Heading, "heading", "Heading"),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known, _)| *known == name).map(|(kind, ..)| kind)
    }
}

/// One chart, or a heading.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// `a-z 0-9 -`; no other chart of the dashboard has it. Given when it is read without.
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub kind: Kind,
    /// Of twelve columns.
    #[serde(default = "half", skip_serializing_if = "is_half")]
    pub width: u8,
    /// What its values are in, if that is not what the metric says: `%`, `/min`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where the axis begins, and ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// A sentence about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What to do when there is nothing to draw. What stands between backquotes is a command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub empty: String,
    /// Of a heading: there is one for each set of values of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Source>,
    /// Of a number: whether it is well when it grows, or when it falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<Good>,
    /// Of a table: further columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// The query for the lines behind a chart; `{code}` stands for the value of a tag, in a row of a table.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lines: String,
}

impl Default for Chart {
    fn default() -> Self {
        Self {
            id: String::new(),
            title: String::new(),
            kind: Kind::Line,
            width: half(),
            unit: None,
            min: None,
            max: None,
            note: String::new(),
            empty: String::new(),
            per: Vec::new(),
            thresholds: Vec::new(),
            series: Vec::new(),
            good: None,
            columns: Vec::new(),
            lines: String::new(),
        }
    }
}

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Good {
    Up,
    Down,
}

/// What a table tells of each row besides the values of its series.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// When there was something for the first time in the range, and for the last time.
    First,
    Last,
    /// Its part of the sum over all rows.
    Share,
    /// A small line of its course.
    Trend,
}

/// A value that ought not to be reached, or ought to be.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    pub value: f64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Values on this side of it are an alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<Side>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Above,
    Below,
}

/// What is drawn: the lines that one question has for an answer, or two of them put together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub metric: String,
    #[serde(default = "average", with = "words::functions")]
    pub function: Function,
    /// `status_category=5xx`, `dyno=web.*|worker.*`, `method!=GET`: all of them must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "words::selectors")]
    pub tags: Vec<Selector>,
    /// A line for each set of values of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_by: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// `s1` to `s6`, or by its place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub colour: String,
    /// Each value times this.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub scale: f64,
    /// By how much a counter that only grows grew a minute, whatever the function says.
    #[serde(default, skip_serializing_if = "is_false")]
    pub change: bool,
    /// Its last value is drawn as a threshold.
    #[serde(default, skip_serializing_if = "is_false")]
    pub limit: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combine: Option<Combine>,
}

impl Source {
    /// One that draws a metric as a whole.
    pub fn of(metric: &str, function: Function) -> Self {
        Self {
            metric: metric.to_owned(),
            function,
            tags: Vec::new(),
            group_by: Vec::new(),
            label: String::new(),
            colour: String::new(),
            scale: 1.0,
            change: false,
            limit: false,
            combine: None,
        }
    }

    /// The question for its first metric; `more` are selectors and groups of what surrounds it.
    pub fn asked(&self, selectors: &[Selector], groups: &[String]) -> Asked {
        let function = if self.change { Function::Derivative } else { self.function };
        ask(&self.metric, function, &[&self.tags, selectors].concat(), &[groups, &self.group_by].concat())
    }
}

/// The second of two.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Combine {
    pub operation: Operation,
    pub metric: String,
    #[serde(default = "average", with = "words::functions")]
    pub function: Function,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "words::selectors")]
    pub tags: Vec<Selector>,
    /// By the same tags as the first, or else one for all of them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub grouped: bool,
}

impl Combine {
    pub fn asked(&self, first: &Source, selectors: &[Selector], groups: &[String]) -> Asked {
        let own: &[String] = if self.grouped { &first.group_by } else { &[] };
        ask(&self.metric, self.function, &[&self.tags, selectors].concat(), &[groups, own].concat())
    }
}

/// What becomes of two.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Plus,
    Minus,
    DividedBy,
}

impl Operation {
    pub const ALL: [(Self, &'static str, &'static str); 3] =
        [(Self::Plus, "plus", "+"), (Self::Minus, "minus", "−"), (Self::DividedBy, "divided_by", "÷")];

    pub const fn sign(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "−",
            Self::DividedBy => "÷",
        }
    }
}

fn ask(metric: &str, function: Function, selectors: &[Selector], groups: &[String]) -> Asked {
    let mut tags: Vec<String> = groups.to_vec();
    tags.sort();
    tags.dedup();
    let grouping = if tags.is_empty() { Grouping::Together } else { Grouping::By(tags) };
    Asked { name: metric.to_owned(), selectors: selectors.to_vec(), grouping, function }
}

const fn half() -> u8 {
    6
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_half(width: &u8) -> bool {
    *width == half()
}

const fn average() -> Function {
    Function::Avg
}

const fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, clippy::float_cmp, reason = "serde asks for it so; it was written as 1")]
fn is_one(scale: &f64) -> bool {
    *scale == 1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}
