//! A dashboard as a page: what is chosen above, the other dashboards, key figures, charts and tables in their sections.

use super::ask::{RANGES, Range};
use super::card;
use super::lines::Lines;
use super::look::{Look, Undrawn};
use super::number;
use super::table;
use super::ways::Ways;
use jiff::{Timestamp, ZonedDateTime};
use logdrain_charts::dashboard::{Chart, Dashboard, Kind};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Sections that one heading has: databases of an account.
const SECTIONS: usize = 8;
/// Figures in one row.
const FIGURES: usize = 5;

/// A heading with what stands below it.
struct Part<'a> {
    heading: Option<&'a Chart>,
    charts: Vec<&'a Chart>,
}

fn parts(dashboard: &Dashboard) -> Vec<Part<'_>> {
    let mut parts = vec![Part { heading: None, charts: Vec::new() }];
    for chart in &dashboard.charts {
        match (chart.kind, parts.last_mut()) {
            (Kind::Heading, _) => parts.push(Part { heading: Some(chart), charts: Vec::new() }),
            (_, Some(part)) => part.charts.push(chart),
            (_, None) => {}
        }
    }
    parts
}

/// All charts of a dashboard.
pub(super) fn charts(look: &Look<'_>, dashboard: &Dashboard, ways: &Ways<'_>) -> Markup {
    html! {
        @for part in &parts(dashboard) {
            @match part.heading {
                Some(heading) if !heading.per.is_empty() => (sections(look, heading, &part.charts, ways)),
                heading => {
                    @if let Some(heading) = heading { h2.sect { (heading.title) } }
                    (together(look, &part.charts, ways))
                }
            }
        }
    }
}

/// Charts one after another: figures that follow one another in a row, all else in twelve columns.
fn together(look: &Look<'_>, charts: &[&Chart], ways: &Ways<'_>) -> Markup {
    let runs = charts.chunk_by(|a, b| (a.kind == Kind::Number) == (b.kind == Kind::Number));
    html! {
        @for run in runs {
            @if run.first().is_some_and(|chart| chart.kind == Kind::Number) {
                @for row in run.chunks(FIGURES) {
                    section class={ "kpis k" (row.len()) } aria-label={ "Key figures, " (look.range.words()) } {
                        @for chart in row { (number::card(look, chart, ways)) }
                    }
                }
            } @else {
                div.grid12 {
                    @for chart in run {
                        div class={ "c" (chart.width) } {
                            @if chart.kind == Kind::Table { (table::card(look, chart, (&[], &[]), ways)) }
                            @else { (card::drawn(look, chart, look.lines(chart, &[]), (&chart.id, 0), ways)) }
                        }
                    }
                }
            }
        }
    }
}

/// The charts once for each set of values of the heading's tags.
fn sections(look: &Look<'_>, heading: &Chart, charts: &[&Chart], ways: &Ways<'_>) -> Markup {
    let is_asked = |chart: &Chart| !matches!(chart.kind, Kind::Table | Kind::Number);
    let all: Vec<Result<Lines, Undrawn>> = charts
        .iter()
        .map(|chart| if is_asked(chart) { look.lines(chart, &heading.per) } else { Ok(Lines::default()) })
        .collect();
    let known: BTreeSet<Vec<String>> = sections_of(&all);
    let is_late = all.contains(&Err(Undrawn::Late));
    html! {
        @if known.is_empty() {
            h2.sect { (heading.title) }
            div.grid12 { div.c12 {
                @match charts.first() {
                    Some(first) if is_late => (card::undrawn(first, &Undrawn::Late, ways)),
                    Some(first) => figure.chart { div.quiet { div { (card::words(&first.empty)) } } },
                    None => figure.chart { div.quiet { p { "There are no charts below this heading." } } },
                }
            } }
        }
        @for (nth, section) in known.iter().take(SECTIONS).enumerate() {
            h2.sect { (heading.title) " " span { (section.iter().filter(|value| !value.is_empty()).cloned().collect::<Vec<_>>().join(" · ")) } }
            div.grid12 {
                @for (chart, lines) in charts.iter().zip(&all) {
                    div class={ "c" (chart.width) } {
                        @match chart.kind {
                            Kind::Table => (table::card(look, chart, (&heading.per, section), ways)),
                            Kind::Number => (number::card(look, chart, ways)),
                            _ => {
                                @let lines = lines.as_ref().map(|lines| lines.of_section(section)).map_err(Clone::clone);
                                (card::drawn(look, chart, lines, (&format!("{}-{nth}", chart.id), nth), ways))
                            }
                        }
                    }
                }
            }
        }
        @if known.len() > SECTIONS { p.dim { "and " (known.len() - SECTIONS) " more: choose an app above" } }
    }
}

/// The sections that there are lines of.
pub(super) fn sections_of(all: &[Result<Lines, Undrawn>]) -> BTreeSet<Vec<String>> {
    let lines = all.iter().flatten().flat_map(|lines| &lines.drawn);
    let known = lines.filter(|line| line.values.iter().any(Option::is_some));
    known.map(|line| line.section.clone()).filter(|section| section.iter().any(|value| !value.is_empty())).collect()
}

/// What a page says besides its charts.
pub(super) struct Around<'a> {
    pub(super) title: &'a str,
    /// Key and name of each dashboard that there is.
    pub(super) tabs: Vec<(String, String)>,
    /// Apps to choose from.
    pub(super) apps: Vec<String>,
    /// The one that is shown.
    pub(super) app: Option<&'a str>,
    /// How many seconds a plan shows.
    pub(super) most: Option<i64>,
    pub(super) is_kept: bool,
    pub(super) notes: Vec<Markup>,
}

/// What stands above the charts.
pub(super) fn head(look: &Look<'_>, around: &Around<'_>, ways: &Ways<'_>) -> Markup {
    html! {
        header {
            h1 { (around.title) }
            (apps(around, ways))
            span.sp {}
            (ranges(look, around, ways))
            a.btn href=(ways.again()) title="Load it again now" { "Refresh" }
            @match ways.wanted.every {
                Some(_) => a.btn href=(ways.every(None)) title="It is loaded again each minute" { "Stop reloading" },
                None => a.btn.wide href=(ways.every(Some(60))) title="Load it again each minute" { "Each minute" },
            }
            @if ways.may_share { a.btn href=(ways.of_board("share")) { "Share" } }
            @if ways.may_change { a.btn href=(ways.of_board("edit")) { "Change" } }
            @else if !around.is_kept { a.btn.wide href=(ways.copy()) title="Make one of your own from it" { "Copy" } }
        }
        nav.tabs aria-label="Dashboards" {
            @for (key, name) in &around.tabs {
                a href=(ways.board(key)) aria-current=[(key == ways.key).then_some("page")] { (name) }
            }
            a href=(ways.new_one()) { "+ New" }
        }
        @for note in &around.notes { (note) }
    }
}

fn apps(around: &Around<'_>, ways: &Ways<'_>) -> Markup {
    if around.apps.is_empty() && around.app.is_none() {
        return html! {};
    }
    let is_other = around.app.is_some_and(|app| !around.apps.iter().any(|known| known == app));
    html! {
        form.row method="get" role="search" {
            label.pick { "app_name"
                select name="app_name" {
                    option value="" selected[around.app.is_none()] { "All apps" }
                    @if let Some(app) = around.app.filter(|_| is_other) { option value=(app) selected { (app) } }
                    @for app in &around.apps { option value=(app) selected[around.app == Some(app)] { (app) } }
                }
            }
            @if let Some(account) = ways.frame.and_then(|frame| frame.account()) { input type="hidden" name="account" value=(account); }
            @for (name, value) in ways.wanted.parameters().iter().filter(|(name, _)| *name != "app_name") {
                input type="hidden" name=(name) value=(value);
            }
            button.btn type="submit" { "Show" }
        }
    }
}

fn ranges(look: &Look<'_>, around: &Around<'_>, ways: &Ways<'_>) -> Markup {
    let time = |at: i64| {
        let at = ZonedDateTime::new(Timestamp::from_second(at).unwrap_or_default(), look.zone.clone());
        at.strftime("%-d %b %H:%M").to_string()
    };
    html! {
        @if let Range::Fixed(span) = look.range {
            @let length = span.end - span.start;
            nav.seg aria-label="Times" {
                a href=(ways.range(Range::Fixed(logdrain_charts::series::Span { start: span.start - length, end: span.start }))) rel="prev" title="The time before" { "‹" }
                a href=(ways.range(look.range)) aria-current="true" { (time(span.start)) " – " (time(span.end)) }
                @if span.end < look.now {
                    a href=(ways.range(Range::Fixed(logdrain_charts::series::Span { start: span.end, end: span.end + length }))) rel="next" title="The time after" { "›" }
                }
            }
        }
        nav.seg aria-label="Time range" {
            @for (at, (name, seconds, _)) in RANGES.iter().enumerate().filter(|(_, (_, seconds, _))| around.most.is_none_or(|most| *seconds <= most)) {
                @let is_here = look.range == Range::Last(at);
                a.opt[!is_here && !matches!(*seconds, 3_600 | 21_600 | 86_400 | 604_800)] href=(ways.range(Range::Last(at)))
                    aria-current=[is_here.then_some("true")] { (name) }
            }
        }
    }
}
