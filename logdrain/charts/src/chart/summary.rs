//! A plot in words and numbers: for screen readers, legends and tables.

use super::draw::Drawing;
use super::scale::Scale;
use super::text::shown;
use super::{Joined, Kind, Plot, curve, day};
use std::fmt::Write as _;

/// Lines that are told one by one, and holes and marks.
const TOLD: usize = 12;
const FEW: usize = 4;

/// What one line comes to.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Which curve it is of.
    pub index: usize,
    /// As people may read it.
    pub name: String,
    pub class: String,
    /// Of the steps that are over, if any is known.
    pub last: Option<f64>,
    pub least: Option<f64>,
    pub greatest: Option<f64>,
    pub mean: Option<f64>,
    pub sum: Option<f64>,
}

/// A row for each line. Steps that are not over count only where there is no other.
pub fn rows(plot: &Plot) -> Vec<Row> {
    let plot = plot.ready();
    let row = |index: usize| {
        let curve = &plot.curves[index];
        let is_closed_known = curve.values[..plot.closed].iter().any(Option::is_some);
        let of = if is_closed_known { &curve.values[..plot.closed] } else { curve.values.as_slice() };
        let join = |joined: Joined| joined.join(of.iter().copied().flatten());
        Row {
            index,
            name: shown(&curve.name, super::text::LONGEST),
            class: plot.class(index).into_owned(),
            last: join(Joined::Last),
            least: join(Joined::Least),
            greatest: join(Joined::Greatest),
            mean: join(Joined::Mean),
            sum: join(Joined::Sum),
        }
    };
    (0..plot.curves.len()).map(row).collect()
}

/// How a number of the plot is written, on its axis and in all that is said about it.
pub(super) fn scale(plot: &Plot) -> Scale<'_> {
    Drawing::new(plot).scale()
}

/// What a drawing says, in words.
pub fn describe(plot: &Plot) -> String {
    let plot = plot.ready();
    let mut text = String::new();
    if let Some(unit) = Some(scale(&plot).suffix()).filter(|unit| !unit.is_empty()) {
        let unit = if unit == " /min" { "Per minute".to_owned() } else { format!("In{}", shown(&unit, 24)) };
        let _ = write!(text, "{unit}, ");
    }
    let end = plot.time(plot.steps);
    let zone = shown(&day::name(plot.start, &plot.zone), 40);
    let kind = if plot.kind == Kind::Bars { "bar" } else { "point" };
    let _ = write!(
        text,
        "{} ({zone}), one {kind} for each {}.",
        day::stretch(plot.start, end, &plot.zone),
        length(plot.step)
    );
    if plot.curves.is_empty() {
        text.push_str(" No data.");
    }
    let scale = scale(&plot);
    let amount = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| scale.amount(value));
    for row in rows(&plot).into_iter().take(TOLD) {
        let name = if row.name.is_empty() { "All" } else { &row.name };
        match (row.last, plot.kind, plot.joined) {
            (None, ..) => {
                let _ = write!(text, " {name}: no data.");
            }
            (Some(_), Kind::Bars, Joined::Sum) => {
                let _ = write!(text, " {name}: {} in all, highest {}.", amount(row.sum), amount(row.greatest));
            }
            _ => {
                let (last, high, low) = (amount(row.last), amount(row.greatest), amount(row.least));
                let _ = write!(text, " {name}: last {last}, highest {high}, lowest {low}.");
            }
        }
    }
    let untold = plot.curves.len().saturating_sub(TOLD) + plot.more;
    if untold > 0 {
        let _ = write!(text, " And {untold} more.");
    }
    if !plot.curves.is_empty() {
        holes(&mut text, &plot);
    }
    for threshold in plot.thresholds.iter().take(FEW) {
        let _ = write!(text, " Threshold: {}.", shown(&threshold.name, 40));
    }
    for mark in plot.marks.iter().filter(|mark| mark.at >= plot.start && mark.at < end).take(FEW) {
        let time = day::zoned(mark.at, &plot.zone).strftime("%-d %b %H:%M");
        let _ = write!(text, " {time}: {}.", shown(&mark.name, 40));
    }
    let has_open = plot.curves.iter().any(|curve| curve.values[plot.closed..].iter().any(Option::is_some));
    if has_open {
        text.push_str(" What is dashed is so far: its time is not over.");
    }
    text
}

fn holes(text: &mut String, plot: &Plot) {
    let is_hole = |at: usize| plot.curves.iter().all(|curve| curve.values[at].is_none());
    let holes = curve::runs(0..plot.closed, is_hole);
    for hole in holes.iter().take(FEW) {
        let _ = write!(text, " No data {}.", day::stretch(plot.time(hole.start), plot.time(hole.end), &plot.zone));
    }
    if holes.len() > FEW {
        let _ = write!(text, " And {} more stretches without data.", holes.len() - FEW);
    }
}

/// `minute`, `15 minutes`, `hour`.
fn length(seconds: u32) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (each, name) = units.into_iter().find(|(each, _)| seconds.is_multiple_of(*each)).unwrap_or((1, "second"));
    match seconds / each {
        1 => name.to_owned(),
        count => format!("{count} {name}s"),
    }
}
