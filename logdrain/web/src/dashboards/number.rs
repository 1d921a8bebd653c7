//! A big number: what a range comes to, how that is beside the range before, and its course in small.

use super::lines::{Lines, Scene, reduced};
use super::look::{Look, Undrawn};
use super::ways::Ways;
use logdrain_charts::chart::{self, Scale};
use logdrain_charts::dashboard::{Chart, Good, Side, Source};
use logdrain_charts::series::Span;
use maud::{Markup, PreEscaped, html};

/// Steps of the small line.
const STEPS: i64 = 90;
/// What is less than this part of it is no change to speak of.
const CALM: f64 = 0.005;
/// From this part of it on, a change for the worse is marked.
const LOUD: f64 = 0.05;

/// A number as it is shown.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Figure {
    pub(super) value: Option<f64>,
    before: Option<f64>,
    /// Of a second series: `0 waiting`.
    second: Option<(f64, String)>,
    unit: String,
    course: Vec<Option<f64>>,
    class: String,
}

/// The range and the one before it, as two steps.
fn twice(look: &Look<'_>) -> (Span, u32) {
    let seconds = look.range.seconds();
    // As exact as rows of such a time are kept.
    let grain = match seconds {
        ..86_400 => 60,
        86_400..259_200 => 900,
        _ => 3_600,
    };
    let length = (seconds / grain).max(1) * grain;
    let end = match look.range {
        super::ask::Range::Last(_) => look.now,
        super::ask::Range::Fixed(span) => span.end,
    };
    let end = end.div_euclid(grain) * grain;
    (Span { start: end - 2 * length, end }, u32::try_from(length).unwrap_or(u32::MAX))
}

/// What becomes one of all lines of a step.
fn of_step(lines: &Lines, source: usize, of: &Source, step: usize) -> Option<f64> {
    let lines = lines.drawn.iter().filter(|line| line.source == source);
    reduced(lines.filter_map(|line| line.values.get(step).copied().flatten()), of)
}

/// Asks for a number.
///
/// # Errors
/// Why it cannot be had.
pub(super) fn figure(look: &Look<'_>, chart: &Chart) -> Result<Figure, Undrawn> {
    let (span, step) = twice(look);
    let scene = Scene { selectors: look.selectors.clone(), per: &[], span, step, most: 200 };
    let mut lines = look.lines_at(chart, &scene)?;
    // A plan may hide the range before.
    let has_before = (lines.start, lines.steps) == (span.start, 2);
    if !has_before {
        let span = Span { start: span.end - i64::from(step), end: span.end };
        lines = look.lines_at(chart, &Scene { span, ..scene })?;
    }
    let last = lines.steps.saturating_sub(1);
    let small = look.range.step(STEPS).max(look.told.period(chart));
    let first = Chart { series: chart.series.iter().take(1).cloned().collect(), ..chart.clone() };
    let course = look.lines_at(&first, &look.scene(&[], small))?;
    let Some(source) = chart.series.first() else { return Err(Undrawn::Trouble("it has no series".to_owned())) };
    let second = chart.series.get(1).and_then(|of| {
        let value = of_step(&lines, 1, of, last)?;
        Some((value, if of.label.is_empty() { of.metric.clone() } else { of.label.clone() }))
    });
    let unit = chart.unit.clone().or_else(|| lines.units.first().cloned()).unwrap_or_default();
    let unit = match (&chart.unit, source.label.as_str()) {
        (None, label) if unit.is_empty() => label.to_owned(),
        _ => unit,
    };
    Ok(Figure {
        value: of_step(&lines, 0, source, last),
        before: of_step(&lines, 0, source, 0).filter(|_| has_before),
        second,
        unit,
        course: (0..course.closed.max(1).min(course.steps)).map(|step| of_step(&course, 0, source, step)).collect(),
        class: source.colour.clone(),
    })
}

/// What a number is beside the one before: in words, and whether that is well.
fn change(figure: &Figure, good: Option<Good>, words: &str) -> Option<(String, Option<bool>)> {
    let (value, before) = figure.value.zip(figure.before)?;
    let by = value - before;
    let scale = before.abs().max(if figure.unit == "%" { 100.0 } else { 0.0 });
    let sign = if by > 0.0 { "▲" } else { "▼" };
    if by == 0.0 || by.abs() < scale * CALM.min(if figure.unit == "%" { 0.000_05 } else { CALM }) {
        return Some((format!("as in the {words} before"), None));
    }
    let said = if figure.unit == "%" {
        format!("{sign} {} points against {words} before", chart::amount(by.abs(), ""))
    } else if before == 0.0 || by.abs() > 10.0 * before.abs() {
        // A percentage of next to nothing says nothing.
        let of = Scale::new(&figure.unit, by);
        format!("{sign} {} against {words} before", of.number(by.abs()))
    } else {
        format!("{sign} {} % against {words} before", chart::amount((100.0 * by / before).abs().round().max(1.0), ""))
    };
    let is_well = good.map(|good| (by > 0.0) == (good == Good::Up));
    let is_loud = if figure.unit == "%" { by.abs() >= 0.1 } else { by.abs() >= before.abs() * LOUD };
    Some((said, is_well.filter(|_| is_loud)))
}

fn is_alarm(chart: &Chart, value: f64) -> bool {
    chart.thresholds.iter().any(|threshold| match threshold.alarm {
        Some(Side::Above) => value > threshold.value,
        Some(Side::Below) => value < threshold.value,
        None => false,
    })
}

/// A number on its card.
pub(super) fn card(look: &Look<'_>, chart: &Chart, ways: &Ways<'_>) -> Markup {
    let found = figure(look, chart);
    let words = look.range.words();
    let shown = found.as_ref().ok().filter(|figure| figure.value.is_some());
    let alarm = shown.and_then(|figure| figure.value).is_some_and(|value| is_alarm(chart, value));
    let change = shown.and_then(|figure| change(figure, chart.good, &words));
    let way = match ways.frame {
        Some(_) if !chart.lines.is_empty() => ways.lines(&chart.lines, None),
        _ => None,
    };
    let edit = ways.menu(chart, 0).into_iter().find(|(name, _)| name == "Change");
    html! {
        div.kpi.alarm[alarm] id=(chart.id) {
            h2 { @if let Some(way) = &way { a href=(way) { (chart.title) } } @else { (chart.title) } }
            @match (&found, shown) {
                (_, Some(figure)) => {
                    @let value = figure.value.unwrap_or_default();
                    @let scale = Scale::new(&figure.unit, value);
                    div.v { (scale.number(value)) small { (scale.suffix().trim_start()) } }
                    @match (&figure.second, &change) {
                        (Some((value, label)), _) => div.d { (chart::amount(*value, "")) " " (label) },
                        (None, Some((said, well))) => div class=(match well { Some(false) => "d up", Some(true) => "d dn", None => "d" }) { (said) },
                        (None, None) => div.d { "nothing is known of the " (words) " before" },
                    }
                    (PreEscaped(chart::spark(&figure.course, if figure.class.is_empty() { "s1" } else { &figure.class })))
                }
                (Err(Undrawn::Late), _) => { div.v { "–" } div.d { "there was no time for it" } }
                (Err(Undrawn::Trouble(why)), _) => { div.v { "–" } div.d title=(why) { (why) } }
                (Ok(_), None) => { div.v { "–" } div.d { "nothing in this range" } }
            }
            @if let Some((name, address)) = edit { a.d href=(address) aria-label={ (name) " " (chart.title) } { (name) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, before: f64, unit: &str) -> Figure {
        Figure {
            value: Some(value),
            before: Some(before),
            second: None,
            unit: unit.to_owned(),
            course: Vec::new(),
            class: String::new(),
        }
    }

    #[test]
    fn a_number_is_told_beside_the_one_before() {
        for (value, before, unit, good, said, well) in [
            (1_030.0, 1_000.0, "/min", None, "▲ 3 % against 6 h before", None),
            (146.0, 120.0, "ms", Some(Good::Down), "▲ 22 % against 6 h before", Some(false)),
            (100.0, 146.0, "ms", Some(Good::Down), "▼ 32 % against 6 h before", Some(true)),
            (121.0, 120.0, "ms", Some(Good::Down), "▲ 1 % against 6 h before", None),
            (99.38, 99.95, "%", Some(Good::Up), "▼ 0.57 points against 6 h before", Some(false)),
            (1_872.0, 0.0, "5xx", Some(Good::Down), "▲ 1\u{202f}872 against 6 h before", Some(false)),
            (0.0, 0.0, "", Some(Good::Down), "as in the 6 h before", None),
            (7.0, 7.0, "", None, "as in the 6 h before", None),
        ] {
            assert_eq!(change(&figure(value, before, unit), good, "6 h"), Some((said.to_owned(), well)));
        }
        assert_eq!(change(&Figure { before: None, ..figure(1.0, 1.0, "") }, None, "6 h"), None);
    }
}
