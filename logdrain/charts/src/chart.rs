//! Values over time as pictures and tables: SVG written here, without a library.
//!
//! ```text
//! Series (+ names, marks, zone) -> Plot -> svg     (inline, classes only, at every width)
//!                                       -> svg_file (self-contained)
//!                                       -> csv, summary, figure (the card around an inline one)
//! ```
//!
//! The curves stand in a nested `<svg>` whose view box is steps by tenths of a pixel and which is stretched to whatever room
//! there is; every label stands outside it, placed by per cent, so that no text is stretched. One drawing is right at every
//! width, and a point takes some five bytes.
//!
//! What is not known is a gap: it is hatched, and no line goes across. Minutes that are not over are drawn, but dashed. A
//! number that is none (NaN, infinite) counts as not known.

mod csv;
mod curve;
mod day;
mod draw;
mod figure;
mod file;
mod mark;
mod scale;
mod summary;
mod text;

pub use csv::csv;
pub use draw::{spark, svg};
pub use figure::{Links, figure};
pub use file::svg_file;
pub use mark::{MARKS, Mark, Sort};
pub use scale::{Scale, amount};
pub use summary::{describe, rows};

use crate::series::{Function, Series};
use jiff::tz::TimeZone;
use std::borrow::Cow;

/// The most bars that are drawn: of more, each would be thinner than three pixels.
pub const MOST_BARS: usize = 120;
/// Names at the ends of lines, and colours that are told apart by colour alone.
const FEW: usize = 4;
/// Colours of lines. Behind them lines are thin, and their colours come again.
const COLOURS: usize = 6;
/// The most marks of one chart.
const MOST_MARKS: usize = 60;

/// What a chart looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Line,
    /// Areas on one another, the first at the bottom.
    Stacked,
    /// Bars, those of one step on one another.
    Bars,
    /// One number, with a small line below it.
    Number,
    /// A row for each line, see [`rows`].
    Table,
}

/// What becomes one bar of several steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Joined {
    Sum,
    Mean,
    Least,
    Greatest,
    Last,
}

impl Joined {
    /// A quantile of several cannot be made of theirs: the greatest is what they are known to reach.
    pub const fn of(function: Function) -> Self {
        match function {
            Function::Sum | Function::Count | Function::Derivative => Self::Sum,
            Function::Avg | Function::Rate => Self::Mean,
            Function::Min => Self::Least,
            Function::Max | Function::Deviation | Function::Quantile(_) => Self::Greatest,
            Function::Last => Self::Last,
        }
    }

    fn join(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let (mut count, mut sum, mut last) = (0_u32, 0.0, None);
        for value in values {
            count += 1;
            sum += value;
            last = Some(match (self, last) {
                (Self::Least, Some(before)) => value.min(before),
                (Self::Greatest, Some(before)) => value.max(before),
                _ => value,
            });
        }
        let joined = match self {
            Self::Sum => last.map(|_| sum),
            Self::Mean => last.map(|_| sum / f64::from(count)),
            _ => last,
        };
        // The largest numbers stay numbers.
        joined.map(|value| value.clamp(f64::MIN, f64::MAX))
    }
}

/// The axis of values. It begins at 0 and ends above the highest value, unless this says more.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Axis {
    /// Where it begins, as for shares near 100 %. It begins lower if a value is lower.
    pub min: Option<f64>,
    /// Where it ends at least.
    pub max: Option<f64>,
}

/// A value that ought not to be reached, or ought to be.
#[derive(Clone, PartialEq, Debug)]
pub struct Threshold {
    pub value: f64,
    /// `quota 512 MB`
    pub name: String,
}

/// One line, area or row of bars.
#[derive(Clone, PartialEq, Debug)]
pub struct Curve {
    pub name: String,
    /// `s1` to `s6`, `c2` to `c5` (classes of status); any but letters and digits is left out. Empty: by its place.
    pub class: String,
    pub values: Vec<Option<f64>>,
}

/// All of a chart.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot {
    /// Of the elements of a page; no other chart of the page has it.
    pub id: String,
    pub title: String,
    /// Smaller, beside the title: what is drawn, as `heroku.router.service.response_time.{p50,p95,p99}`.
    pub about: String,
    pub kind: Kind,
    /// Where the first step begins, in seconds since 1970.
    pub start: i64,
    /// How long a step is, in seconds.
    pub step: u32,
    pub steps: usize,
    /// So many steps are over.
    pub closed: usize,
    /// `ms`, `bytes`, `%`, nothing, or any word; behind it `/min` when it is a rate.
    pub unit: String,
    pub joined: Joined,
    pub curves: Vec<Curve>,
    /// Lines that found no room.
    pub more: usize,
    pub axis: Axis,
    /// In pixels: 168 on a page.
    pub height: u32,
    pub thresholds: Vec<Threshold>,
    pub marks: Vec<Mark>,
    /// Whose clock the axis of time shows.
    pub zone: TimeZone,
}

impl Plot {
    /// A chart over the steps of `series`, with its lines in it.
    pub fn new(id: &str, title: &str, kind: Kind, series: &Series, function: Function, zone: TimeZone) -> Self {
        let mut plot = Self::empty(id, title, kind, series, function, zone);
        plot.add(series, "");
        plot
    }

    /// A chart over the steps of `series` without a line: for lines with names, see [`Plot::add`].
    pub fn empty(id: &str, title: &str, kind: Kind, series: &Series, function: Function, zone: TimeZone) -> Self {
        let rate = if matches!(function, Function::Rate) { "/min" } else { "" };
        let unit = if matches!(function, Function::Count) { "" } else { series.unit.as_str() };
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            about: String::new(),
            kind,
            start: series.start,
            step: series.step.max(1),
            steps: series.steps,
            closed: series.closed.min(series.steps),
            unit: format!("{unit}{rate}"),
            joined: Joined::of(function),
            curves: Vec::new(),
            more: 0,
            axis: Axis::default(),
            height: 168,
            thresholds: Vec::new(),
            marks: Vec::new(),
            zone,
        }
    }

    /// Adds the lines of another answer. A line is named by the values of its tags; `name` stands before them, or alone if
    /// it has none. What lies outside the chart's steps is left out.
    pub fn add(&mut self, series: &Series, name: &str) {
        self.more += series.more;
        for line in &series.lines {
            let tags = line.tags.iter().map(|(_, value)| if value.is_empty() { "-" } else { value.as_str() });
            let names: Vec<_> = Some(name).filter(|name| !name.is_empty()).into_iter().chain(tags).collect();
            let class = match line.tags.as_slice() {
                [(key, value)] if key == "status_category" || key == "status_code" => of_status(value),
                _ => "",
            };
            let mut values = vec![None; self.steps];
            for (index, value) in line.values.iter().enumerate() {
                let begins = series.start.saturating_add(i64::from(series.step).saturating_mul(index as i64));
                let at = begins.saturating_sub(self.start).div_euclid(i64::from(self.step));
                if let Some(slot) = usize::try_from(at).ok().and_then(|at| values.get_mut(at)) {
                    *slot = value.filter(|value| value.is_finite()).or(*slot);
                }
            }
            self.curves.push(Curve { name: names.join(" "), class: class.to_owned(), values });
        }
    }

    /// How many lines there are to tell apart.
    fn is_many(&self) -> bool {
        self.kind == Kind::Line && self.curves.len() > COLOURS
    }

    /// The class of a curve: its own, or one by its place. Of many lines, those of one group (`web` of `web.1`) share one.
    fn class(&self, index: usize) -> Cow<'_, str> {
        let own = &self.curves[index].class;
        if !own.is_empty() {
            return Cow::Owned(own.chars().filter(char::is_ascii_alphanumeric).take(8).collect());
        }
        let group = |index: usize| self.curves[index].name.split(['.', ' ']).next().unwrap_or_default();
        let place = if self.is_many() {
            let mut before: Vec<_> = (0..index).map(group).collect();
            before.sort_unstable();
            before.dedup();
            let seen = before.len();
            match (0..index).find(|other| group(*other) == group(index)) {
                // The first of a group has its colour by how many groups were before it.
                Some(first) => return self.class(first),
                None => seen,
            }
        } else {
            index
        };
        Cow::Owned(format!("s{}", place % COLOURS + 1))
    }

    /// Whether names stand at the right ends of the lines.
    fn has_ends(&self) -> bool {
        const LONGEST: usize = 7;
        self.kind == Kind::Line
            && (1..=FEW).contains(&self.curves.len())
            && self.curves.iter().all(|curve| curve.name.chars().count() <= LONGEST && !curve.name.is_empty())
    }

    /// Where step `index` begins, in seconds since 1970.
    fn time(&self, index: usize) -> i64 {
        self.start.saturating_add(i64::from(self.step).saturating_mul(index as i64))
    }

    /// What is drawn: every curve as long as the chart, nothing in it that is no number, and no more bars than are seen.
    pub fn ready(&self) -> Cow<'_, Self> {
        let is_whole = |curve: &Curve| {
            curve.values.len() == self.steps && curve.values.iter().flatten().all(|value| value.is_finite())
        };
        let bars = self.kind == Kind::Bars && self.steps > MOST_BARS;
        if !bars && self.step > 0 && self.closed <= self.steps && self.curves.iter().all(is_whole) {
            return Cow::Borrowed(self);
        }
        let mut plot = self.clone();
        plot.step = plot.step.max(1);
        plot.closed = plot.closed.min(plot.steps);
        for curve in &mut plot.curves {
            curve.values.resize(plot.steps, None);
            for value in &mut curve.values {
                *value = value.filter(|value| value.is_finite());
            }
        }
        if bars {
            plot.widen();
        }
        Cow::Owned(plot)
    }

    /// Joins steps until there are few enough bars, into equal ones if that can be.
    fn widen(&mut self) {
        let least = self.steps.div_ceil(MOST_BARS);
        let each = (least..=2 * least).find(|each| self.steps.is_multiple_of(*each)).unwrap_or(least);
        for curve in &mut self.curves {
            let join = |values: &[Option<f64>]| self.joined.join(values.iter().copied().flatten());
            curve.values = curve.values.chunks(each).map(join).collect();
        }
        self.closed /= each;
        self.steps = self.steps.div_ceil(each);
        self.step = self.step.saturating_mul(u32::try_from(each).unwrap_or(u32::MAX));
    }
}

/// The class of a status or of a class of statuses: success is quiet, errors are loud.
fn of_status(value: &str) -> &'static str {
    match value.as_bytes() {
        b"1xx" => "s5",
        b"2xx" => "c2",
        b"3xx" => "c3",
        b"4xx" => "c4",
        b"5xx" => "c5",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
