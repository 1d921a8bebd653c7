//! The page of a metric: what is asked for, the chart, its streams, its tags.

use super::look::{APART, Look, path};
use super::names::{is_there, search};
use super::{facts, gate, keep, lines, nothing, refused, shown, tags};
use crate::dashboards::{FileKind, Gate, RANGES, Range, Refused, asking, of_plot};
use crate::layout::{Frame, Tab};
use crate::pages::Built;
use axum::http::StatusCode;
use logdrain_charts::chart::{self, Kind as Drawn, Links, Plot, figure};
use logdrain_charts::dashboard::{FUNCTIONS, Kind};
use logdrain_charts::series::{Function, Line, Series};
use logdrain_drain::directory::MetricFacts;
use logdrain_drain::journal;
use logdrain_drain::minutes::Tag;
use maud::{Markup, html};

/// Streams of a page.
const STREAMS: usize = 25;
/// What its files are called, before their end.
pub(super) const CHART: &str = "chart";

pub(super) fn page(frame: &Frame, mut look: Look) -> Built {
    match built(frame, &mut look) {
        Ok(page) => page,
        Err(why) => refused(frame, &why),
    }
}

/// What is drawn of a metric.
struct Drawing {
    gate: Gate,
    facts: MetricFacts,
    function: Function,
    /// Or why there is nothing to draw.
    series: Result<Series, String>,
}

impl Drawing {
    fn of(frame: &Frame, look: &mut Look) -> Result<Self, Refused> {
        let gate = gate(frame)?;
        if !is_there(frame, &look.name)? {
            return Err(nothing(&look.name));
        }
        let facts = frame.site.directory.metric_facts(&frame.viewer.account, &look.name).unwrap_or_default();
        let now = journal::now().unix_seconds();
        if let Some(most) = gate.most {
            look.wanted.range = look.wanted.range.within(most, now);
        }
        let function = facts::function_of(frame, look, &facts);
        // Values that come every five minutes are drawn in steps of five: between two of them is no gap.
        let step = look.wanted.range.usual_step().max(facts.period);
        let span = look.wanted.range.span(now, step);
        let ask = asking(&frame.site, &frame.viewer);
        let series = ask(&look.asked(function), span, Some(step), STREAMS);
        Ok(Self { gate, facts, function, series })
    }
}

/// The chart alone, as a file.
pub(super) fn file(frame: &Frame, mut look: Look, kind: FileKind) -> Built {
    match Drawing::of(frame, &mut look) {
        Ok(Drawing { facts, function, series: Ok(series), .. }) => {
            let mut plot = plot(frame, &look, (function, &facts), &series);
            // Beside its page nothing says which metric it is.
            plot.title = format!("{}, {}", look.name, plot.title);
            of_plot(&plot, kind)
        }
        Ok(Drawing { series: Err(why), .. }) => Built::from((StatusCode::UNPROCESSABLE_ENTITY, html! { (why) "\n" })),
        Err(why) => refused(frame, &why),
    }
}

/// The files of the chart, and the lines behind it.
fn links(frame: &Frame, look: &Look) -> Links {
    let files = [("CSV", FileKind::Csv), ("SVG", FileKind::Svg)];
    let menu = files.map(|(name, kind)| (name.to_owned(), look.link_to(frame, &format!("/{CHART}.{}", kind.end()))));
    let lines = || frame.link_with("/events", &[("q", &lines::query(&look.name, &look.selectors))]);
    Links { menu: menu.to_vec(), lines: frame.has(Tab::Events).then(lines) }
}

fn built(frame: &Frame, look: &mut Look) -> Result<Built, Refused> {
    let Drawing { gate, facts, function, series: drawn } = Drawing::of(frame, look)?;
    let tags = tags::of(frame, look)?;
    let content = html! {
        main.dash.explore id="main" {
            header { h1 { (shown(&look.name)) } span.sp {} (ranges(frame, look, gate)) }
            (search(frame, "", false))
            (choices(frame, look, function, &tags))
            (tags::chosen(frame, look))
            div.split {
                div {
                    @match &drawn {
                        Ok(series) => {
                            @let plot = plot(frame, look, (function, &facts), series);
                            (figure(&plot, &links(frame, look)))
                            (streams(frame, look, &plot, series))
                        }
                        Err(why) => figure.chart { div.quiet { p role="alert" { (why) "." } } },
                    }
                    (keep::form(frame, look))
                }
                div { (tags::all(frame, look, &tags)) (facts::card(frame, look, &facts)) }
            }
        }
    };
    Ok(frame.document(&content).into())
}

fn plot(frame: &Frame, look: &Look, (function, facts): (Function, &MetricFacts), series: &Series) -> Plot {
    let kind = match look.kind {
        Kind::Stacked => Drawn::Stacked,
        Kind::Bars => Drawn::Bars,
        _ => Drawn::Line,
    };
    let word = function.to_string();
    let title =
        FUNCTIONS.iter().find(|(known, _)| *known == word).map_or(word.clone(), |(_, words)| (*words).to_owned());
    let mut plot = Plot::new("m", &title, kind, series, function, frame.zone.clone());
    if !facts.unit.is_empty() && function != Function::Count {
        let rate = if function == Function::Rate { "/min" } else { "" };
        plot.unit = format!("{}{rate}", facts.unit);
    }
    if let [curve] = plot.curves.as_mut_slice() {
        curve.class.clone_from(&facts.colour);
    }
    plot.height = 260;
    plot
}

fn ranges(frame: &Frame, look: &Look, gate: Gate) -> Markup {
    let to = |range: Range| look.with(|look| look.wanted.range = range).link(frame);
    html! {
        nav.seg aria-label="Range" {
            @for (at, (_, seconds, words)) in RANGES.iter().enumerate() {
                @if gate.most.is_none_or(|most| *seconds <= most) {
                    a href=(to(Range::Last(at))) aria-current=[(look.wanted.range == Range::Last(at)).then_some("true")] { (words) }
                }
            }
            @if let Range::Fixed(_) = look.wanted.range { a href=(look.link(frame)) aria-current="true" { (look.wanted.range.words()) } }
        }
    }
}

/// Function, grouping and kind, as fields of one form.
fn choices(frame: &Frame, look: &Look, function: Function, known: &[Tag]) -> Markup {
    let word = function.to_string();
    // Several tags at once are chosen by click; the field keeps them.
    let several = look.groups.len() > 1;
    let rest = look.with(|look| {
        look.function = None;
        look.kind = Kind::Line;
        if !several {
            look.groups.clear();
        }
    });
    let is = |group: &str| look.groups.len() == 1 && look.groups[0] == group;
    html! {
        form.choices method="get" action=(path(&look.name)) {
            (tags::kept(frame, &rest, ""))
            label.pick { "Function"
                select name="summary" {
                    @for (known, words) in FUNCTIONS { option value=(known) selected[known == word] { (words) } }
                    @if !FUNCTIONS.iter().any(|(known, _)| *known == word) { option value=(word) selected { (word) } }
                } }
            @if several {
                span.pick { "Apart by " b { (look.groups.iter().map(|tag| shown(tag)).collect::<Vec<_>>().join(", ")) }
                    a href=(look.with(|look| look.groups.clear()).link(frame)) aria-label="Draw together again" { "×" } }
            } @else {
                label.pick { "Apart by"
                    select name="group_by" {
                        option value="" { "nothing" }
                        @for tag in known { option value=(tag.key) selected[is(&tag.key)] { (shown(&tag.key)) } }
                        option value=(APART) selected[is(APART)] { "all tags" }
                    } }
            }
            label.pick { "As"
                select name="kind" {
                    @for (kind, name, words) in Kind::ALL {
                        @if matches!(kind, Kind::Line | Kind::Stacked | Kind::Bars) { option value=(name) selected[kind == look.kind] { (words) } }
                    }
                } }
            button.btn type="submit" { "Show" }
        }
    }
}

/// What each line comes to, with the way to it alone.
fn streams(frame: &Frame, look: &Look, plot: &Plot, series: &Series) -> Markup {
    let amount = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| chart::amount(value, &plot.unit));
    let rows = chart::rows(plot);
    // A sum of means would say nothing.
    let is_added = plot.joined == chart::Joined::Sum;
    let alone = |line: &Line| {
        let only = look.with(|look| {
            for (key, value) in line.tags.iter().filter(|(_, value)| !value.is_empty()) {
                look.selectors.retain(|selector| selector.key != *key || selector.is_negated);
                look.select(key, value, false);
            }
        });
        only.link(frame)
    };
    html! {
        @if rows.is_empty() {
            div.card.quiet { p { "There is no value of it in this range" @if !look.selectors.is_empty() { " with these tags" } "." } }
        } @else {
            section.card aria-label="Streams" {
                div.wide {
                    table {
                        thead { tr { th { @if look.groups.is_empty() { "All together" } @else { "Streams" } }
                            @for name in ["last", "mean", "lowest", "highest"] { th.n { (name) } }
                            @if is_added { th.n { "sum" } } } }
                        tbody {
                            @for row in &rows {
                                @let line = series.lines.get(row.index);
                                tr {
                                    td { i class={ "sw " (row.class) } {} " "
                                        @match line.filter(|line| !line.tags.is_empty()) {
                                            Some(line) => a href=(alone(line)) { (named(line)) },
                                            None => "all",
                                        } }
                                    @for value in [row.last, row.mean, row.least, row.greatest] { td.n { (amount(value)) } }
                                    @if is_added { td.n { (amount(row.sum)) } }
                                }
                            }
                        }
                    }
                }
                @if series.more > 0 { p.dim { "The first " (rows.len()) " are shown, and there are " (series.more) " more: filter by tags." } }
            }
        }
    }
}

fn named(line: &Line) -> String {
    let tags = line.tags.iter().map(|(key, value)| match value.as_str() {
        "" => format!("no {}", shown(key)),
        value => format!("{}={}", shown(key), shown(value)),
    });
    tags.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_named_by_its_tags() {
        let tags = [("dyno", "web.1"), ("host", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        assert_eq!(named(&Line { tags, values: Vec::new() }), "dyno=web.1 no host");
    }
}
