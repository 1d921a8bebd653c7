//! A chart on its card, or what stands there instead.

use super::lines::{Drawn, Lines};
use super::look::{Look, Undrawn, fitting, is_limit};
use super::ways::Ways;
use logdrain_charts::chart::{self, Axis, Curve, Joined, Links, Plot};
use logdrain_charts::dashboard::{Chart, Kind};
use logdrain_charts::series::Function;
use maud::{Markup, html};

/// How high a chart is, in pixels.
const HEIGHT: u32 = 168;
/// Different limits that are drawn: dynos of several sizes.
const LIMITS: usize = 3;

/// What a line is called: its label, the values of its tags.
pub(super) fn name(chart: &Chart, line: &Drawn) -> String {
    let label = chart.series.get(line.source).map(|source| source.label.as_str()).unwrap_or_default();
    let tags = line.tags.iter().map(|(key, value)| match value.as_str() {
        "" => format!("no {}", key.replace('_', " ")),
        value => value.to_owned(),
    });
    let label = (!label.is_empty()).then(|| label.to_owned());
    let names: Vec<String> = label.into_iter().chain(tags).collect();
    match names.as_slice() {
        [] => chart.series.get(line.source).map(|source| source.metric.clone()).unwrap_or_default(),
        names => names.join(" "),
    }
}

fn class(chart: &Chart, line: &Drawn) -> String {
    let own = chart.series.get(line.source).map(|source| source.colour.clone()).unwrap_or_default();
    let by_status = match line.tags.as_slice() {
        [(key, value)] if key == "status_category" => match value.as_str() {
            "1xx" | "2xx" => "c2",
            "3xx" => "c3",
            "4xx" => "c4",
            "5xx" => "c5",
            _ => "",
        },
        [(key, _)] if key.is_empty() => "c2",
        _ => "",
    };
    if own.is_empty() || !line.tags.is_empty() && !by_status.is_empty() { by_status.to_owned() } else { own }
}

/// What is drawn, in small beside the title: `heroku.router.service.response_time {p99, p95, p50}`.
pub(super) fn about(chart: &Chart) -> String {
    let mut parts: Vec<String> = Vec::new();
    for source in &chart.series {
        let mut part = match source.function {
            Function::Quantile(_) => {
                format!("{}.{}", source.metric, source.function)
            }
            _ => source.metric.clone(),
        };
        if let Some(combine) = &source.combine {
            part = format!("{part} {} {}", combine.operation.sign(), combine.metric);
        }
        if !source.group_by.is_empty() {
            part = format!("{part} by {}", source.group_by.join(", "));
        }
        parts.push(part);
    }
    parts.dedup();
    let stem = |part: &str| part.rsplit_once('.').map(|(stem, end)| (stem.to_owned(), end.to_owned()));
    let stems: Option<Vec<_>> = parts.iter().map(|part| stem(part)).collect();
    match stems {
        Some(stems) if stems.len() > 1 && stems.iter().all(|(stem, _)| *stem == stems[0].0) => {
            let by: Vec<_> = stems.iter().map(|(_, end)| end.split(" by ").next().unwrap_or(end)).collect();
            let tail = stems[0].1.split_once(" by ").map(|(_, tags)| format!(" by {tags}")).unwrap_or_default();
            format!("{}.{{{}}}{tail}", stems[0].0, by.join(","))
        }
        _ => parts.join(", "),
    }
}

/// The chart as it is drawn, on the page and in a file.
pub(super) fn plot(look: &Look<'_>, chart: &Chart, lines: Lines, id: &str) -> Plot {
    let lines = fitting(chart, lines);
    let unit = chart.unit.clone().or_else(|| lines.units.first().cloned()).unwrap_or_default();
    let function = chart.series.first().map_or(Function::Avg, |source| source.function);
    let mut thresholds: Vec<chart::Threshold> = chart
        .thresholds
        .iter()
        .map(|threshold| chart::Threshold {
            value: threshold.value,
            name: match threshold.label.as_str() {
                "" => chart::amount(threshold.value, &unit),
                label => label.to_owned(),
            },
        })
        .collect();
    let mut limits: Vec<(f64, String)> = Vec::new();
    let mut curves = Vec::new();
    for line in lines.drawn {
        if is_limit(chart, line.source) {
            let label = chart.series.get(line.source).map(|source| source.label.clone()).unwrap_or_default();
            if let Some(last) = line.values.iter().rev().flatten().next()
                && !limits.iter().any(|(value, known)| (value - last).abs() < f64::EPSILON && *known == label)
            {
                limits.push((*last, label));
            }
            continue;
        }
        curves.push(Curve { name: name(chart, &line), class: class(chart, &line), values: line.values });
    }
    limits.sort_by(|a, b| a.0.total_cmp(&b.0));
    let limit = |(value, label): (f64, String)| {
        let name = format!("{label} {}", chart::amount(value, &unit)).trim().to_owned();
        chart::Threshold { value, name }
    };
    thresholds.extend(limits.into_iter().take(LIMITS).map(limit));
    let end = lines.start + i64::from(lines.step) * lines.steps as i64;
    Plot {
        id: id.to_owned(),
        title: chart.title.clone(),
        about: if chart.note.is_empty() { about(chart) } else { chart.note.clone() },
        kind: match chart.kind {
            Kind::Stacked => chart::Kind::Stacked,
            Kind::Bars => chart::Kind::Bars,
            Kind::Number => chart::Kind::Number,
            Kind::Table => chart::Kind::Table,
            Kind::Line | Kind::Heading => chart::Kind::Line,
        },
        start: lines.start,
        step: lines.step.max(1),
        steps: lines.steps,
        closed: lines.closed,
        unit,
        joined: Joined::of(function),
        curves,
        more: lines.more,
        axis: Axis { min: chart.min, max: chart.max },
        height: HEIGHT,
        thresholds,
        marks: look.marks.iter().filter(|mark| (lines.start..end).contains(&mark.at)).cloned().collect(),
        zone: look.zone.clone(),
    }
}

/// A chart of lines, areas or bars, on its card.
pub(super) fn drawn(
    look: &Look<'_>,
    chart: &Chart,
    lines: Result<Lines, Undrawn>,
    (id, section): (&str, usize),
    ways: &Ways<'_>,
) -> Markup {
    match lines {
        Ok(lines) if lines.is_empty() => empty(chart, ways),
        Ok(lines) => {
            let plot = plot(look, chart, lines, id);
            let lines = (!chart.lines.is_empty()).then(|| ways.lines(&chart.lines, None)).flatten();
            chart::figure(&plot, &Links { menu: ways.menu(chart, section), lines })
        }
        Err(why) => undrawn(chart, &why, ways),
    }
}

fn quiet(chart: &Chart, ways: &Ways<'_>, content: &Markup) -> Markup {
    let menu = ways.menu(chart, 0);
    html! {
        figure.chart {
            figcaption {
                h3 { (chart.title) }
                span.metric { (about(chart)) }
                @if !menu.is_empty() {
                    details.menu {
                        summary aria-label={ "Menu of " (chart.title) } { "⋯" }
                        ul { @for (name, address) in &menu { li { a href=(address) { (name) } } } }
                    }
                }
            }
            div.quiet { div { (content) } }
        }
    }
}

/// What stands where there is nothing to draw, and what to do about it.
pub(super) fn empty(chart: &Chart, ways: &Ways<'_>) -> Markup {
    quiet(chart, ways, &words(&chart.empty))
}

/// A sentence; what stands between backquotes is a command.
pub(super) fn words(text: &str) -> Markup {
    let text = if text.is_empty() { "Nothing came in this range." } else { text };
    html! {
        p {
            @for (index, part) in text.split('`').enumerate() {
                @if index % 2 == 1 { code { (part) } } @else { (part) }
            }
        }
    }
}

pub(super) fn undrawn(chart: &Chart, why: &Undrawn, ways: &Ways<'_>) -> Markup {
    let content = html! {
        @match why {
            Undrawn::Late => p { "The charts above took all the time that a page has." },
            Undrawn::Trouble(why) => p { "This chart cannot be drawn: " (why) "." },
        }
        a.btn href=(ways.again()) { "Try again" }
    };
    quiet(chart, ways, &content)
}
