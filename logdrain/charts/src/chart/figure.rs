//! The card around a drawing: title, menu, legend, and all that `chart.js` and a screen reader ask for.

use super::summary::{Row, describe, rows, scale};
use super::text::{id, shown};
use super::{Joined, Kind, Plot, day, svg};
use maud::{Markup, PreEscaped, html};

/// Lines that a legend shows at once.
const SHOWN: usize = 6;

/// Where a chart leads.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Links {
    /// Of its menu: names and addresses.
    pub menu: Vec<(String, String)>,
    /// The lines behind it: `/events` with a query, or none. A time is added to it.
    pub lines: Option<String>,
}

/// A chart with all about it.
pub fn figure(plot: &Plot, links: &Links) -> Markup {
    let plot = plot.ready();
    let plot = plot.as_ref();
    let id = id(&plot.id);
    let mut class = "chart".to_owned();
    if plot.has_ends() {
        class.push_str(" has-ends");
    }
    if plot.is_many() {
        class.push_str(" many");
    }
    let kind = if plot.kind == Kind::Line { "line" } else { "stack" };
    let offset = day::zoned(plot.start, &plot.zone).offset().seconds();
    let unit = shown(scale(plot).suffix().trim_start(), 24);
    html! {
        figure class=(class) id=(id) data-start=(plot.start) data-step=(plot.step) data-closed=(plot.closed)
            data-zone=[plot.zone.iana_name()] data-offset=(offset) data-unit=(unit) data-kind=(kind)
            data-lines=[links.lines.as_deref()] {
            figcaption {
                h3 id={ (id) "-t" } { (shown(&plot.title, 80)) }
                span.metric { (shown(&plot.about, 200)) }
                @if !links.menu.is_empty() {
                    details.menu {
                        summary aria-label={ "Menu of " (shown(&plot.title, 80)) } { "⋯" }
                        ul { @for (name, address) in &links.menu { li { a href=(address) { (name) } } } }
                    }
                }
            }
            p.vh id={ (id) "-d" } { (describe(plot)) }
            div.box {
                (PreEscaped(svg(plot)))
                div.tip hidden {}
            }
            p.vh.said aria-live="polite" {}
            (legend(plot))
        }
    }
}

/// The lines with what they come to: bars their sum, all else their last value.
fn legend(plot: &Plot) -> Markup {
    let mut rows = rows(plot);
    let sums = plot.kind == Kind::Bars && plot.joined == Joined::Sum;
    let of = |row: &Row| if sums { row.sum } else { row.last };
    if rows.len() > SHOWN {
        rows.sort_by(|a, b| of(b).unwrap_or(f64::MIN).total_cmp(&of(a).unwrap_or(f64::MIN)));
    }
    let scale = scale(plot);
    let entry = |row: &Row| {
        html! {
            li {
                button type="button" aria-pressed="true" data-k=(row.index) {
                    i class={ "sw " (row.class) } {}
                    span { @if row.name.is_empty() { "all" } @else { (row.name) } }
                    b { (of(row).map_or_else(|| "–".to_owned(), |value| scale.amount(value))) }
                }
            }
        }
    };
    let (shown, rest) = rows.split_at(rows.len().min(SHOWN));
    html! {
        ul.legend {
            @for row in shown { (entry(row)) }
            @if !rest.is_empty() {
                li { details.rest { summary { "and " (rest.len()) " more" } ul { @for row in rest { (entry(row)) } } } }
            }
            @if plot.more > 0 { li { span.rest { (plot.more) " more found no room" } } }
        }
    }
}
