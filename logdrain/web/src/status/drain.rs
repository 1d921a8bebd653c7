//! One drain on the page: how its metrics went lately, its books, what costs most, its last window.

use super::{View, health, plain};
use heroku_metrics::model::Percentile;
use logdrain_drain::counting::board::{Drain, HISTORY, Line, Stream};
use logdrain_terms::number;
use maud::{Markup, html};
use std::fmt::Write as _;

/// Rows of the last window that are listed.
const ROWS: usize = 60;
/// What is shown of a row's tags.
const TAGS: usize = 300;

pub(super) fn section(id: &str, name: &str, drain: &Drain, view: &View) -> Markup {
    let heading = |letter: char, title: &str| {
        let section = format!("{}{letter}", id.get(1..).unwrap_or(id));
        let is_open = !view.shut.contains(&section);
        let (mark, link) = (if is_open { "▾" } else { "▸" }, view.turned(&section).link());
        (is_open, html! { h3 { a href={ (link) "#" (id) } { (mark) " " (plain(title)) } } })
    };
    html! {
        section.card.drain {
            h2 id=(id) { (plain(name)) }
            p.dim {
                "last delivery " (health::heard(drain)) ", "
                @match drain.quota_limit {
                    Some(limit) => { (drain.quota_used) " of " (limit) " metric streams of the quota" }
                    None => { (drain.streams) " stream families, no quota" }
                }
                ", windows open: " (drain.open_windows) ", " (number::human(drain.memory as f64, "bytes"))
            }
            @if !drain.lines.is_empty() {
                @let (is_open, heading) = heading('m', &format!("First {} metrics", drain.lines.len()));
                (heading)
                @if is_open { (lines(drain)) }
            }
            @if let Some(ledger) = &drain.ledger {
                @let (is_open, heading) = heading('b', "Books");
                (heading)
                @if is_open { pre.books tabindex="0" { (plain(&ledger.to_string())) } }
            }
            @if !drain.top.is_empty() {
                @let (is_open, heading) = heading('t', "Streams that cost most");
                (heading)
                @if is_open { (top(drain)) }
            }
            @if let Some(start) = drain.window.start {
                @let (is_open, heading) = heading('w', &format!("Last closed window: {start}"));
                (heading)
                @if is_open { (window(drain)) }
            }
        }
    }
}

fn lines(drain: &Drain) -> Markup {
    html! {
        div.scroll tabindex="0" { table {
            tr { th { "metric" } th { "last windows" } th.n { "in the last one" } }
            @for (name, line) in &drain.lines {
                tr {
                    td.t { (plain(name)) }
                    td { (trend(line)) }
                    td.n { (number::human(line.0.back().map_or(0.0, |(_, value)| *value), "")) }
                }
            }
        } }
    }
}

fn top(drain: &Drain) -> Markup {
    html! {
        div.scroll tabindex="0" { table {
            tr { th { "metric" } th { "tags" } th { "place" } th.n { "cost" } th.n { "values" } }
            @for Stream { name, tags, standing, cost, observations } in drain.top.iter() {
                tr {
                    td.t { (plain(name)) }
                    td.t { (plain(&cut(tags))) }
                    td { (standing.as_str()) }
                    td.n { (cost) }
                    td.n { (number::human(*observations as f64, "")) }
                }
            }
        } }
    }
}

fn window(drain: &Drain) -> Markup {
    let more = drain.window.more + drain.window.rows.len().saturating_sub(ROWS) as u64;
    html! {
        div.scroll tabindex="0" { table.window {
            tr { th { "metric" } th { "tags" } th.n { "n" } th.n { "sum" } th.n { "mean" } th.n { "p95" } th.n { "max" } }
            @for row in drain.window.rows.iter().take(ROWS) {
                @let point = row.as_point();
                @let stats = point.stats();
                @let tags: Vec<String> = point.tags().iter().map(|(key, value)| format!("{key}={value}")).collect();
                @let p95 = stats.percentiles().map(|all| all.get(Percentile::P95));
                tr {
                    td.t { (plain(point.name())) }
                    td.t { (plain(&cut(&tags.join(" ")))) }
                    td.n { (number::human(stats.observations() as f64, "")) }
                    @for value in [Some(stats.sum()), stats.mean(), p95, stats.max()] {
                        td.n { @if let Some(value) = value { (plain(&number::human(value, point.unit().as_str()))) } }
                    }
                }
            }
        } }
        @if more > 0 { p.dim { "and " (number::human(more as f64, "")) " more" } }
    }
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(TAGS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A line of the last windows.
fn trend(line: &Line) -> Markup {
    const WIDTH: f64 = 180.0;
    const HEIGHT: f64 = 24.0;
    let points = &line.0;
    let most = points.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let empty = HISTORY.saturating_sub(points.len());
    let mut path = String::new();
    for (index, (_, value)) in points.iter().enumerate() {
        let x = (empty + index) as f64 * WIDTH / (HISTORY - 1) as f64;
        let y = HEIGHT - 1.0 - (value / most).clamp(0.0, 1.0) * (HEIGHT - 2.0);
        let _ = write!(path, "{x:.1},{y:.1} ");
    }
    html! { svg.trend width=(WIDTH) height=(HEIGHT) role="img" aria-label="last windows" { polyline points=(path) {} } }
}
