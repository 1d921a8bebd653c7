//! A chart of the explorer that is kept: put into a dashboard of the account's or one's own, or into a new one.

use super::facts::function_of;
use super::lines;
use super::look::{APART, Look};
use super::tags::{of, words};
use crate::dashboards::{Form, Refused, add, find, may_change, set};
use crate::layout::{Frame, Tab};
use logdrain_charts::dashboard::{Chart, Dashboard, Source, turns_text};
use logdrain_drain::directory::MetricFacts;
use maud::{Markup, html};

/// Dashboards that may be chosen.
const MOST: usize = 100;

/// Those that whoever looks may change: key, title, whether it is his alone.
fn own(frame: &Frame) -> Vec<(u32, String, bool)> {
    let viewer = &frame.viewer;
    let all = frame.site.directory.dashboards(&viewer.account, viewer.member()).unwrap_or_default();
    let may = all.into_iter().filter(|head| may_change(viewer, head.member));
    may.map(|head| (head.id, head.title, head.member.is_some())).take(MOST).collect()
}

/// The form that keeps what is drawn.
pub(super) fn form(frame: &Frame, look: &Look) -> Markup {
    let viewer = &frame.viewer;
    let may = viewer.may_change() || viewer.may_keep_own();
    html! {
        @if may {
            section.card aria-label="Keep as chart" {
                h2 { "Keep as chart" }
                form.fields method="post" action=(look.link(frame)) { (frame.form_token())
                    label { "Title" input name="title" maxlength="100" value=(title(look)) autocomplete="off"; }
                    label { "Dashboard"
                        select name="board" {
                            @for (id, title, is_own) in own(frame) {
                                option value=(id) { (super::shown(&title)) @if is_own { " (yours alone)" } }
                            }
                            @if viewer.may_change() { option value="new" { "a new one, for the account" } }
                            @if viewer.may_keep_own() { option value="own" { "a new one, for you alone" } }
                        }
                    }
                    button.btn.primary type="submit" name="do" value="keep" { "Keep" }
                }
                @if viewer.sees_all_groups() && frame.has(Tab::Alerts) { p { a href=(alert(frame, look)) { "Make an alert of it" } } }
            }
        }
    }
}

/// The way to an alert on what is drawn.
fn alert(frame: &Frame, look: &Look) -> String {
    let word = look.function.map(|function| function.to_string());
    let tags = look.selectors.iter().flat_map(|selector| {
        let kind = if selector.is_negated { "not" } else { "tag" };
        selector.values.iter().map(move |value| (format!("{kind}[{}]", selector.key), value.as_str()))
    });
    let tags: Vec<(String, &str)> = tags.collect();
    let mut all = vec![("metric", look.name.as_str())];
    all.extend(word.as_deref().map(|word| ("summary", word)));
    all.extend(tags.iter().map(|(key, value)| (key.as_str(), *value)));
    frame.link_with("/alerts/new", &all)
}

/// What the chart is called unless somebody says otherwise.
fn title(look: &Look) -> String {
    let filters: Vec<_> = look.selectors.iter().map(words).collect();
    let title = if filters.is_empty() { look.name.clone() } else { format!("{}, {}", look.name, filters.join(", ")) };
    super::shown(&title).chars().take(100).collect()
}

/// Keeps the chart; answers where it is to be seen.
pub(super) fn keep(frame: &Frame, look: &Look, form: &Form) -> Result<String, Refused> {
    let (directory, viewer) = (&frame.site.directory, &frame.viewer);
    let facts = directory.metric_facts(&viewer.account, &look.name).unwrap_or_default();
    let chart = chart(frame, look, form, &facts)?;
    let member = match form.get("board").unwrap_or_default() {
        "new" => None,
        "own" => viewer.member(),
        key => {
            let found = find(directory, &viewer.account, viewer.member(), key)?;
            let Some(head) = found.head else {
                return Err(Refused::forbidden("the five that everybody has stay as they are: copy one first"));
            };
            let mut dashboard = found.dashboard;
            dashboard.charts.push(chart);
            set(directory, viewer, &head, head.member, dashboard)?;
            return Ok(frame.link(&format!("/dashboards/{}", head.id)));
        }
    };
    let title = form.text("title").unwrap_or_else(|| title(look));
    let (id, _) = add(directory, viewer, member, Dashboard { title, app: None, charts: vec![chart] })?;
    Ok(frame.link(&format!("/dashboards/{id}")))
}

fn chart(frame: &Frame, look: &Look, form: &Form, facts: &MetricFacts) -> Result<Chart, Refused> {
    let function = function_of(frame, look, facts);
    let mut source = Source::of(&look.name, function);
    source.tags.clone_from(&look.selectors);
    source.colour.clone_from(&facts.colour);
    source.group_by = match look.groups.as_slice() {
        // Each stream by itself: by all tags that there are.
        [apart] if apart == APART => of(frame, look)?.into_iter().map(|tag| tag.key).collect(),
        groups => groups.to_vec(),
    };
    Ok(Chart {
        title: form.text("title").unwrap_or_else(|| title(look)),
        kind: look.kind,
        unit: Some(facts.unit.clone()).filter(|unit| !unit.is_empty()),
        note: facts
            .description
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|c| !turns_text(*c))
            .take(200)
            .collect(),
        series: vec![source],
        lines: lines::query(&look.name, &look.selectors),
        ..Chart::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use logdrain_charts::dashboard::selector_word;

    #[test]
    fn a_chart_is_called_by_what_it_draws() {
        let look = Look::of("shop.orders", "tag[market]=de&tag[market]=fr&not[plan]=free", &TimeZone::UTC);
        assert_eq!(title(&look), "shop.orders, market is de or fr, plan is not free");
        assert_eq!(look.selectors.iter().map(selector_word).collect::<Vec<_>>(), ["market=de|fr", "plan!=free"]);
        let long = Look::of(&"n".repeat(200), "", &TimeZone::UTC);
        assert_eq!(title(&long).chars().count(), 100);
    }
}
