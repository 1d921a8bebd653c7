//! Paths: whole numbers, relative, some five bytes a point.

use super::Plot;
use super::scale::Range;
use std::fmt::Write as _;
use std::ops::Range as Steps;

/// Where steps stand from left to right, in units of the view box: a step is one unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Across {
    /// Where step 0 stands.
    pub(super) first: usize,
    pub(super) width: usize,
    /// Whether a step is as wide as a unit, as bars are, or a point.
    pub(super) is_wide: bool,
}

impl Across {
    pub(super) fn new(plot: &Plot) -> Self {
        let is_wide = plot.kind == super::Kind::Bars;
        match plot.steps {
            0 => Self { first: 0, width: 1, is_wide },
            // One point stands in the middle.
            1 if !is_wide => Self { first: 1, width: 2, is_wide },
            steps => Self { first: 0, width: if is_wide { steps } else { steps - 1 }, is_wide },
        }
    }

    /// Per cent from the left for a place in units of steps.
    pub(super) fn percent(self, steps: f64) -> f64 {
        (steps + self.first as f64) * 100.0 / self.width as f64
    }

    /// Where a time stands, in per cent from the left.
    pub(super) fn of_time(self, plot: &Plot, at: i64) -> f64 {
        self.percent(at.saturating_sub(plot.start) as f64 / f64::from(plot.step.max(1)))
    }

    /// The times at both ends.
    pub(super) fn ends(self, plot: &Plot) -> (i64, i64) {
        let steps = |count: usize| i64::from(plot.step).saturating_mul(count as i64);
        let start = plot.start.saturating_sub(steps(self.first));
        (start, start.saturating_add(steps(self.width)))
    }
}

/// Runs of steps for which something holds.
pub(super) fn runs(steps: Steps<usize>, holds: impl Fn(usize) -> bool) -> Vec<Steps<usize>> {
    let mut runs: Vec<Steps<usize>> = Vec::new();
    for index in steps.filter(|index| holds(*index)) {
        match runs.last_mut() {
            Some(run) if run.end == index => run.end += 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

/// Two numbers behind others: a blank stands between two of them unless a minus does.
fn pair(d: &mut String, x: i64, y: i64) {
    let blank = |number: i64| if number < 0 { "" } else { " " };
    let _ = write!(d, "{}{x}{}{y}", blank(x), blank(y));
}

/// A line through what is known of `steps`. A point by itself is a dot, as ends of lines are round.
pub(super) fn line(values: &[Option<f64>], steps: Steps<usize>, across: Across, range: &Range, height: u32) -> String {
    let y = |index: usize| range.tenths(values[index].unwrap_or_default(), height);
    let mut d = String::with_capacity(steps.len() * 5);
    for run in runs(steps, |index| values[index].is_some()) {
        let mut last = y(run.start);
        let _ = write!(d, "M{} {last}l0 0", run.start + across.first);
        for index in run.skip(1) {
            let next = y(index);
            pair(&mut d, 1, next - last);
            last = next;
        }
    }
    d
}

/// An area from `below` up by what is known of `steps`.
pub(super) fn area(
    (values, below): (&[Option<f64>], &[f64]),
    steps: Steps<usize>,
    across: Across,
    range: &Range,
    height: u32,
) -> String {
    let top = |index: usize| range.tenths(below[index] + values[index].unwrap_or_default(), height);
    let bottom = |index: usize| range.tenths(below[index], height);
    let mut d = String::with_capacity(steps.len() * 10);
    for run in runs(steps, |index| values[index].is_some()) {
        let (first, last) = (run.start, run.end - 1);
        if first == last {
            // A step by itself is as wide as a step.
            let left = (2 * (first + across.first)) as f64 / 2.0 - 0.5;
            let _ = write!(d, "M{left} {}h1V{}h-1z", top(first), bottom(first));
            continue;
        }
        let _ = write!(d, "M{} {}l", first + across.first, top(first));
        for index in first..last {
            pair(&mut d, 1, top(index + 1) - top(index));
        }
        let _ = write!(d, "V{}l", bottom(last));
        for index in (first..last).rev() {
            pair(&mut d, -1, bottom(index) - bottom(index + 1));
        }
        d.push('z');
    }
    d
}

/// Bars from `below` up by what is known of `steps`; there is none where that is nothing.
pub(super) fn bars(
    (values, below): (&[Option<f64>], &[f64]),
    steps: Steps<usize>,
    range: &Range,
    height: u32,
) -> String {
    let mut d = String::new();
    for index in steps {
        let Some(value) = values[index].filter(|value| *value != 0.0) else { continue };
        let (from, to) = (range.tenths(below[index], height), range.tenths(below[index] + value, height));
        let _ = write!(d, "M{index} {from}V{to}h.86V{from}z");
    }
    d
}

/// The numbers themselves for whoever points at one: four digits of the unit shown, `-` if nothing is known.
pub(super) fn numbers(values: &[Option<f64>], divisor: f64) -> String {
    let mut text = String::with_capacity(values.len() * 5);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        match value.map(|value| value / divisor) {
            None => text.push('-'),
            Some(value) => short(&mut text, value),
        }
    }
    text
}

/// Four digits, or all before the point.
fn short(text: &mut String, value: f64) {
    let size = value.abs();
    if size == 0.0 {
        text.push('0');
    } else if (1e-6..1e15).contains(&size) {
        let places = (3 - size.log10().floor() as i32).clamp(0, 9) as usize;
        let start = text.len();
        let _ = write!(text, "{value:.places$}");
        if text[start..].contains('.') {
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
    } else {
        let _ = write!(text, "{value:.3e}");
    }
}
