//! Minute streams for people: one block a window, aligned, sorted, with units.

use crate::escape::Escaped;
use crate::number::human;
use comfy_table::{Cell, CellAlignment, Table, presets};
use heroku_metrics::model::{DataPoint, DataPointBuf, Kind, Percentile, TagSet};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How the table is dressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) colours: bool,
    /// Columns of the terminal; tags are cut to fit. `None` cuts nothing.
    pub(crate) width: Option<usize>,
}

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[31m";
const OFF: &str = "\u{1b}[0m";

impl Style {
    fn paint(self, colour: &str, text: &str) -> String {
        if self.colours { format!("{colour}{text}{OFF}") } else { text.to_owned() }
    }
}

/// All points, in the order they were written, and a summary line; `partial` when their windows were not closed.
pub(crate) fn render(points: &[DataPointBuf], style: Style, partial: bool) -> String {
    let mut out = String::new();
    for window in points.chunk_by(|a, b| a.as_point().window() == b.as_point().window()) {
        let Some(first) = window.first() else { continue };
        let mark = if partial { " (partial)" } else { "" };
        let _ = writeln!(out, "{}", style.paint(BOLD, &format!("{}{mark}", first.as_point().window().start())));
        let mut errors = false;
        for line in block(window, style.width).lines() {
            let line = line.trim_end();
            // A row without a name goes on with the metric above it.
            if !line.starts_with("  ") {
                errors = line.trim_start().starts_with("heroku.errors.");
            }
            let dressed = if line.trim_start().starts_with("metric ") {
                style.paint(DIM, line)
            } else if errors {
                style.paint(RED, line)
            } else {
                line.to_owned()
            };
            let _ = writeln!(out, "{dressed}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{}", style.paint(BOLD, &summary(points)));
    out
}

fn block(points: &[DataPointBuf], width: Option<usize>) -> String {
    let measured = points.iter().any(|point| point.as_point().stats().percentiles().is_some());
    let whole = assemble(points, measured, usize::MAX);
    let widest = whole.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    match width {
        // Tags are what grows; the rest of the row keeps its place.
        Some(width) if widest > width => {
            let tags =
                points.iter().map(|point| shown_tags(point.as_point().tags()).chars().count()).max().unwrap_or(0);
            assemble(points, measured, tags.saturating_sub(widest - width).max(LEAST_TAGS))
        }
        _ => whole,
    }
}

/// Tags are not cut below this, however narrow the terminal.
const LEAST_TAGS: usize = 24;

fn assemble(points: &[DataPointBuf], measured: bool, tags: usize) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let mut header = vec!["metric", "tags", "n", "value", "", "min", "p50", "p95", "p99", "p999", "max"];
    if !measured {
        header.retain(|name| !name.starts_with('p'));
    }
    table.set_header(header);
    let mut above = "";
    for point in points {
        let name = point.name();
        table.add_row(row(&point.as_point(), if name == above { "" } else { name }, measured, tags));
        above = name;
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        if place == 2 || place == 3 || place > 4 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// `key=value key=value`, safe to show.
pub(crate) fn shown_tags(tags: &TagSet) -> String {
    let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Escaped(&tags.join(" ")).to_string()
}

/// `text` in at most `most` characters, with an ellipsis where it was cut.
fn cut(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// `value` is what the base stream holds: the sum of a count, the last of a sample, the mean of a measure.
fn row(point: &DataPoint<'_>, name: &str, measured: bool, tags: usize) -> Vec<Cell> {
    let stats = point.stats();
    let show = |number: Option<f64>| number.map_or_else(String::new, |number| human(number, point.unit().as_str()));
    let (value, which) = match point.kind() {
        Kind::Count => (show(Some(stats.sum())), "total"),
        Kind::Sample => (show(stats.last()), "last"),
        Kind::Measure => (show(stats.mean()), "mean"),
    };
    let mut cells = vec![
        Escaped(name).to_string(),
        cut(shown_tags(point.tags()), tags),
        human(stats.observations() as f64, ""),
        value,
        which.to_owned(),
        show(stats.min()),
    ];
    if measured {
        cells.extend(Percentile::ALL.map(|which| show(stats.percentiles().map(|all| all.get(which)))));
    }
    cells.push(show(stats.max()));
    cells.into_iter().map(Cell::new).collect()
}

/// `3 windows, 41 metrics, 210 metric streams, 1,032 observations`
fn summary(points: &[DataPointBuf]) -> String {
    let views = || points.iter().map(DataPointBuf::as_point);
    let windows: BTreeSet<_> = views().map(|point| point.window()).collect();
    let names: BTreeSet<_> = views().map(|point| point.name()).collect();
    let streams: BTreeSet<_> = views()
        .flat_map(|point| point.streams().map(move |(name, _)| (name.to_string(), point.unit(), point.tags())))
        .collect();
    let observations: u64 = views().map(|point| point.stats().observations()).sum();
    let count =
        |number: usize, one: &str| format!("{} {one}{}", human(number as f64, ""), if number == 1 { "" } else { "s" });
    format!(
        "{}, {}, {}, {}",
        count(windows.len(), "window"),
        count(names.len(), "metric"),
        count(streams.len(), "metric stream"),
        count(usize::try_from(observations).unwrap_or(usize::MAX), "observation"),
    )
}
