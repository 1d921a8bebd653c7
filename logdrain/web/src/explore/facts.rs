//! What an account says of a metric: the form, and what becomes of it.

use super::look::{Look, path};
use crate::dashboards::{Form, Refused};
use crate::layout::Frame;
use heroku_metrics::model::Kind as Values;
use logdrain_charts::dashboard::FUNCTIONS;
use logdrain_charts::series::Function;
use logdrain_drain::directory::MetricFacts;
use maud::{Markup, html};

/// How often values come; 0 is each minute.
const PERIODS: [(u32, &str); 9] = [
    (0, "each minute"),
    (120, "every 2 minutes"),
    (300, "every 5 minutes"),
    (600, "every 10 minutes"),
    (900, "every 15 minutes"),
    (1_800, "every 30 minutes"),
    (3_600, "each hour"),
    (21_600, "every 6 hours"),
    (86_400, "each day"),
];
const COLOURS: [(&str, &str); 7] = [
    ("", "as usual"),
    ("s1", "blue"),
    ("s2", "orange"),
    ("s3", "plum"),
    ("s4", "green"),
    ("s5", "steel"),
    ("s6", "violet"),
];

/// What is known of a metric, and what may be said of it.
pub(super) fn card(frame: &Frame, look: &Look, facts: &MetricFacts) -> Markup {
    let may = frame.viewer.may_change();
    let period = PERIODS.iter().find(|(seconds, _)| *seconds == facts.period).map_or("", |(_, words)| words);
    html! {
        section.card.facts aria-label="About this metric" {
            h2 { "About this metric" }
            @if !facts.description.is_empty() { p.said { (shown_lines(&facts.description)) } }
            @if facts.period > 0 { p.dim { "Values come " (period) ": what is shorter is no gap." } }
            @if may {
                details {
                    summary { "Change" }
                    form.fields method="post" action=(look.link(frame)) { (frame.form_token())
                        label { "Values come"
                            select name="period" {
                                @for (seconds, words) in PERIODS { option value=(seconds) selected[seconds == facts.period] { (words) } }
                            } }
                        label { "Unit" input name="unit" maxlength="24" value=(facts.unit) placeholder="as the lines say" autocomplete="off"; }
                        label { "Drawn by"
                            select name="summary" {
                                option value="" { "as usual" }
                                @for (word, words) in FUNCTIONS { option value=(word) selected[word == facts.summary] { (words) } }
                            } }
                        label { "Colour"
                            select name="colour" {
                                @for (class, words) in COLOURS { option value=(class) selected[class == facts.colour] { (words) } }
                            } }
                        label.full { "Description" textarea name="description" rows="3" maxlength="2000" { (facts.description) } }
                        button.btn.primary type="submit" name="do" value="facts" { "Save" }
                    }
                }
            } @else if facts.description.is_empty() { p.dim { "Nothing was said of it." } }
        }
    }
}

/// A text of several lines, as people may read it.
fn shown_lines(text: &str) -> String {
    let line = |line: &str| line.chars().map(|c| if super::is_plain(c) { c } else { '\u{fffd}' }).collect::<String>();
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Says what the form says; answers where to go on.
pub(super) fn set(frame: &Frame, look: &Look, form: &Form) -> Result<String, Refused> {
    if !frame.viewer.may_change() {
        return Err(Refused::forbidden("what is said of metrics is changed by who may change the account's settings"));
    }
    let period: u32 = form.get("period").and_then(|period| period.parse().ok()).unwrap_or_default();
    let colour = form.get("colour").unwrap_or_default();
    let summary = form.get("summary").unwrap_or_default();
    let is_known = PERIODS.iter().any(|(known, _)| *known == period)
        && COLOURS.iter().any(|(known, _)| *known == colour)
        && (summary.is_empty() || summary.parse::<Function>().is_ok());
    if !is_known {
        return Err(Refused::wrong("the form names a period, a colour or a function that is none"));
    }
    let facts = MetricFacts {
        period,
        unit: form.text("unit").unwrap_or_default(),
        description: form.text("description").unwrap_or_default().replace("\r\n", "\n"),
        colour: colour.to_owned(),
        summary: summary.to_owned(),
    };
    frame.site.directory.set_metric_facts(&frame.viewer.account, &look.name, &facts)?;
    // As it is drawn from now on, unless the address says otherwise.
    let look = look.with(|look| look.function = None);
    Ok(if look.parameters().is_empty() { frame.link(&path(&look.name)) } else { look.link(frame) })
}

/// The function by which it is drawn: as asked for, as the account says, or as its values are.
pub(super) fn function_of(frame: &Frame, look: &Look, facts: &MetricFacts) -> Function {
    let (site, viewer) = (&frame.site, &frame.viewer);
    let kind = || {
        let drains = viewer.drains(site).ok()?;
        site.minutes.kind(&viewer.account, drains.as_deref(), &look.name).ok()?
    };
    look.function.or_else(|| facts.summary.parse().ok()).unwrap_or_else(|| usual(kind()))
}

/// Counts are added up; of all else the mean is drawn.
fn usual(kind: Option<Values>) -> Function {
    match kind {
        Some(Values::Count) => Function::Sum,
        _ => Function::Avg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_up_and_all_else_is_averaged() {
        assert_eq!(usual(Some(Values::Count)), Function::Sum);
        assert_eq!((usual(Some(Values::Sample)), usual(None)), (Function::Avg, Function::Avg));
    }
}
