//! A table: a row for each set of tags, a column for each series, and what else is told of it.

use super::card;
use super::lines::{Lines, Scene};
use super::look::{Look, Undrawn};
use super::ways::Ways;
use jiff::{Timestamp, ZonedDateTime};
use logdrain_charts::chart;
use logdrain_charts::dashboard::{Chart, Column};
use logdrain_charts::series::{Function, Span};
use maud::{Markup, PreEscaped, html};
use std::collections::BTreeMap;

/// Rows that are shown, and that are asked for.
const ROWS: usize = 50;
const ASKED: usize = 400;
/// Steps of the small lines.
const STEPS: i64 = 60;

/// The tags of a row.
type Tags = Vec<(String, String)>;

/// One row.
#[derive(Clone, PartialEq, Default, Debug)]
struct Row {
    values: Vec<Option<f64>>,
    first: Option<i64>,
    last: Option<i64>,
    course: Vec<Option<f64>>,
}

/// What a table shows.
struct Table {
    /// Names of the columns of values, with their units.
    columns: Vec<(String, String)>,
    rows: Vec<(Tags, Row)>,
    more: usize,
}

/// The range as one step.
fn once(look: &Look<'_>) -> (Span, u32) {
    let seconds = look.range.seconds();
    let grain = match seconds {
        ..86_400 => 60_u32,
        86_400..259_200 => 900,
        _ => 3_600,
    };
    let span = look.range.span(look.now, grain);
    (span, u32::try_from(span.end - span.start).unwrap_or(u32::MAX))
}

fn gathered(look: &Look<'_>, chart: &Chart, per: &[String], section: &[String]) -> Result<Table, Undrawn> {
    let (span, step) = once(look);
    let scene = |step, span| Scene { selectors: look.selectors.clone(), per, span, step, most: ASKED };
    // A column that is drawn as what a counter grew by has no one step before it: its last step is asked for.
    let lines = look.lines_at(chart, &scene(step, span))?.of_section(section);
    // Series of the same label share a column.
    let mut columns: Vec<(String, String)> = Vec::new();
    let mut of_source = Vec::new();
    for (index, source) in chart.series.iter().enumerate() {
        let name = match source.label.as_str() {
            "" => format!("{} {}", source.function, source.metric),
            label => label.to_owned(),
        };
        let is_share = source.combine.is_some() && (source.scale - 100.0).abs() < 1e-9;
        let unit = if is_share { "%".to_owned() } else { lines.units.get(index).cloned().unwrap_or_default() };
        of_source.push(columns.iter().position(|(known, _)| *known == name).unwrap_or(columns.len()));
        if !columns.iter().any(|(known, _)| *known == name) {
            columns.push((name, unit));
        }
    }
    let mut rows: BTreeMap<Tags, Row> = BTreeMap::new();
    for line in &lines.drawn {
        let value = line.values.iter().rev().flatten().next().copied();
        let row = rows.entry(line.tags.clone()).or_default();
        row.values.resize(columns.len(), None);
        if let Some(place) = of_source.get(line.source).and_then(|at| row.values.get_mut(*at)) {
            *place = match (*place, value) {
                (Some(sum), Some(value)) => Some(sum + value),
                (known, other) => known.or(other),
            };
        }
    }
    rows.retain(|_, row| row.values.iter().any(Option::is_some));
    if !chart.columns.iter().all(|column| *column == Column::Share) {
        let small = look.range.step(STEPS);
        let course = look.lines_at(chart, &scene(small, look.range.span(look.now, small)))?.of_section(section);
        told(&mut rows, &course);
    }
    let sums =
        chart.series.first().is_some_and(|of| matches!(of.function, Function::Sum | Function::Count | Function::Rate));
    let mut rows: Vec<(Tags, Row)> = rows.into_iter().collect();
    if sums {
        // Nothing that did not come.
        rows.retain(|(_, row)| row.values.iter().flatten().any(|value| *value != 0.0));
        let first = |row: &Row| row.values.first().copied().flatten().unwrap_or(f64::MIN);
        rows.sort_by(|a, b| first(&b.1).total_cmp(&first(&a.1)));
    } else {
        rows.sort_by_key(|(tags, _)| tags.iter().map(|(_, value)| natural(value)).collect::<Vec<_>>());
    }
    let more = rows.len().saturating_sub(ROWS) + lines.more;
    rows.truncate(ROWS);
    Ok(Table { columns, rows, more })
}

/// `web.2` comes before `web.10`.
fn natural(text: &str) -> (String, u64) {
    let digits = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (name, number) = text.split_at(text.len() - digits);
    (name.to_owned(), number.parse().unwrap_or(0))
}

/// When there was something, and the course of it.
fn told(rows: &mut BTreeMap<Tags, Row>, course: &Lines) {
    for line in &course.drawn {
        let Some(row) = rows.get_mut(&line.tags) else { continue };
        if row.course.is_empty() {
            row.course.clone_from(&line.values);
        }
        let time = |step: usize| course.start + i64::from(course.step) * step as i64;
        let there = |value: &Option<f64>| value.is_some_and(|value| value != 0.0);
        if let Some(first) = line.values.iter().position(there).map(time) {
            row.first = Some(row.first.map_or(first, |known| known.min(first)));
        }
        if let Some(last) = line.values.iter().rposition(there).map(time) {
            row.last = Some(row.last.map_or(last, |known| known.max(last)));
        }
    }
}

/// A table on its card.
pub(super) fn card(look: &Look<'_>, chart: &Chart, (per, section): (&[String], &[String]), ways: &Ways<'_>) -> Markup {
    let table = match gathered(look, chart, per, section) {
        Ok(table) if table.rows.is_empty() => return card::empty(chart, ways),
        Ok(table) => table,
        Err(why) => return card::undrawn(chart, &why, ways),
    };
    let tags: Vec<&str> =
        table.rows.first().map(|(tags, _)| tags.iter().map(|(key, _)| key.as_str()).collect()).unwrap_or_default();
    let whole: f64 = table.rows.iter().filter_map(|(_, row)| row.values.first().copied().flatten()).sum();
    let has = |column| chart.columns.contains(&column);
    let time = |at: Option<i64>| {
        let zoned =
            at.and_then(|at| Timestamp::from_second(at).ok()).map(|at| ZonedDateTime::new(at, look.zone.clone()));
        zoned.map_or_else(|| "–".to_owned(), |at| at.strftime("%-d %b %H:%M").to_string())
    };
    let share = |row: &Row| {
        let value = row.values.first().copied().flatten().filter(|_| whole > 0.0);
        value.map_or_else(|| "–".to_owned(), |value| chart::amount(100.0 * value / whole, "%"))
    };
    let line_of = |tags: &Tags, row: &Row| {
        let tags: BTreeMap<&str, &str> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        (!chart.lines.is_empty()).then(|| ways.lines_of(&chart.lines, &tags, row.last)).flatten()
    };
    let menu = ways.menu(chart, 0);
    html! {
        figure.chart.tabled id=(chart.id) {
            figcaption {
                h3 { (chart.title) }
                span.metric { (if chart.note.is_empty() { card::about(chart) } else { chart.note.clone() }) }
                @if !menu.is_empty() {
                    details.menu {
                        summary aria-label={ "Menu of " (chart.title) } { "⋯" }
                        ul { @for (name, address) in &menu { li { a href=(address) { (name) } } } }
                    }
                }
            }
            div.scroll tabindex="0" role="region" aria-label=(chart.title) {
                table {
                    thead { tr {
                        @for tag in &tags { th { (tag.replace('_', " ")) } }
                        @for (name, _) in &table.columns { th.n { (name) } }
                        @if has(Column::Share) { th.n { "share" } }
                        @if has(Column::First) { th { "first" } }
                        @if has(Column::Last) { th { "last" } }
                        @if has(Column::Trend) { th { "trend" } }
                        @if !chart.lines.is_empty() && ways.frame.is_some() { th { span.vh { "lines" } } }
                    } }
                    tbody {
                        @for (tags, row) in &table.rows {
                            tr {
                                @for (_, value) in tags { td { @if value.is_empty() { "–" } @else { (value) } } }
                                @for (index, (_, unit)) in table.columns.iter().enumerate() {
                                    td.n { (row.values.get(index).copied().flatten().map_or_else(|| "–".to_owned(), |value| chart::amount(value, unit))) }
                                }
                                @if has(Column::Share) { td.n { (share(row)) } }
                                @if has(Column::First) { td { (time(row.first)) } }
                                @if has(Column::Last) { td { (time(row.last)) } }
                                @if has(Column::Trend) { td.trend { (PreEscaped(chart::spark(&row.course, "s1"))) } }
                                @if let Some(way) = line_of(tags, row) { td { a href=(way) { "lines" } } }
                            }
                        }
                    }
                }
            }
            @if table.more > 0 { p.dim { "and " (table.more) " more" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_numbers_are_in_the_order_that_people_count_in() {
        let mut names = vec!["web.10", "web.2", "worker.1", "web.1", "api"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["api", "web.1", "web.2", "web.10", "worker.1"]);
        assert_eq!(natural("99999999999999999999999").1, 0);
    }
}
