//! The tags of a metric: what there is to filter and to draw apart by, each with a click.

use super::look::{APART, Look};
use super::names::trouble;
use super::shown;
use crate::dashboards::Refused;
use crate::layout::Frame;
use logdrain_charts::series::Selector;
use logdrain_drain::minutes::Tag;
use maud::{Markup, html};

/// Values of a tag that are asked for, and those that are seen at once.
pub(super) const VALUES: usize = 100;
const FEW: usize = 10;

/// What is chosen, each with the way to take it back.
pub(super) fn chosen(frame: &Frame, look: &Look) -> Markup {
    let without = |nth: usize| look.with(|look| drop(look.selectors.remove(nth))).link(frame);
    html! {
        @if !look.selectors.is_empty() {
            ul.chips aria-label="Filters" {
                @for (nth, selector) in look.selectors.iter().enumerate() {
                    li { span { (words(selector)) } a href=(without(nth)) aria-label={ "Take back " (words(selector)) } { "×" } }
                }
                @if look.selectors.len() > 1 { li { a.all href=(look.with(|look| look.selectors.clear()).link(frame)) { "Take all back" } } }
            }
        }
    }
}

pub(super) fn words(selector: &Selector) -> String {
    let sign = if selector.is_negated { "is not" } else { "is" };
    let values: Vec<_> = selector.values.iter().map(|value| shown(value)).collect();
    format!("{} {sign} {}", shown(&selector.key), values.join(" or "))
}

/// All of them.
pub(super) fn all(frame: &Frame, look: &Look, tags: &[Tag]) -> Markup {
    html! {
        section.card.tags aria-label="Tags" {
            h2 { "Tags" }
            @if tags.is_empty() { p.dim { "This metric has no tags." } }
            @for tag in tags { (one(frame, look, tag)) }
            @if !tags.is_empty() {
                form.fields.add method="get" action=(super::look::path(&look.name)) {
                    (kept(frame, look, "tag"))
                    label { "Filter by pattern" input name="tag" maxlength="255" autocomplete="off" spellcheck="false" placeholder="dyno=web.*|worker.*"; }
                    button.btn type="submit" { "Add" }
                }
            }
        }
    }
}

fn one(frame: &Frame, look: &Look, tag: &Tag) -> Markup {
    let is_grouped = look.groups.contains(&tag.key);
    let grouped = look.with(|look| {
        look.groups.retain(|group| group != APART && *group != tag.key);
        if !is_grouped {
            look.groups.push(tag.key.clone());
        }
    });
    let (few, rest) = tag.values.split_at(tag.values.len().min(FEW));
    let value = |value: &String| {
        html! {
            li {
                @if value.is_empty() {
                    span.dim { "none" }
                } @else {
                    a href=(look.with(|look| look.select(&tag.key, value, false)).link(frame)) { (shown(value)) }
                    a.not href=(look.with(|look| look.select(&tag.key, value, true)).link(frame))
                        aria-label={ "Without " (shown(value)) } title={ "Without " (shown(value)) } { "≠" }
                }
            }
        }
    };
    html! {
        div.tag {
            h3 { (shown(&tag.key)) " "
                a.group href=(grouped.link(frame)) aria-current=[is_grouped.then_some("true")] {
                    @if is_grouped { "together again" } @else { "draw apart" } } }
            ul { @for text in few { (value(text)) } }
            @if !rest.is_empty() || tag.more > 0 {
                details { summary { "and " (rest.len() + tag.more) " more" }
                    ul { @for text in rest { (value(text)) } }
                    @if tag.more > 0 { p.dim { (tag.more) " are not listed: use a pattern" } } }
            }
        }
    }
}

/// What a form that is got carries on, but for the fields that it has itself.
pub(super) fn kept(frame: &Frame, look: &Look, but: &str) -> Markup {
    html! {
        @if let Some(account) = frame.account() { input type="hidden" name="account" value=(account); }
        @for (key, value) in look.parameters() {
            @if key != but { input type="hidden" name=(key) value=(value); }
        }
    }
}

/// The tags that the metric has, of what whoever asks may see.
pub(super) fn of(frame: &Frame, look: &Look) -> Result<Vec<Tag>, Refused> {
    let (site, viewer) = (&frame.site, &frame.viewer);
    let found = viewer.drains(site);
    let found = found.and_then(|drains| site.minutes.tags(&viewer.account, drains.as_deref(), &look.name, VALUES));
    found.map_err(|error| trouble(&error))
}
