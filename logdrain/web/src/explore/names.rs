//! Metrics found by their names, the part before their last dot together.

use super::look::path;
use super::{PATH, gate, refused, shown};
use crate::dashboards::Refused;
use crate::layout::{Frame, Tab};
use crate::pages::Built;
use axum::http::StatusCode;
use logdrain_drain::minutes::MinutesError;
use maud::{Markup, html};

/// The longest text that names are looked for by.
pub(super) const WORDS: usize = 255;
/// Names on a page.
const NAMES: usize = 400;

pub(super) fn page(frame: &Frame, words: String) -> Built {
    if let Err(why) = gate(frame) {
        return refused(frame, &why);
    }
    let (site, viewer) = (&frame.site, &frame.viewer);
    let found = viewer.drains(site);
    let found = found.and_then(|drains| site.minutes.names(&viewer.account, drains.as_deref(), &words, NAMES));
    match found {
        Ok((names, more)) => frame.page(&list(frame, &words, &names, more)).into(),
        Err(error) => refused(frame, &trouble(&error)),
    }
}

pub(super) fn trouble(error: &MinutesError) -> Refused {
    let mut refused = Refused::wrong(error.to_string());
    refused.status = StatusCode::SERVICE_UNAVAILABLE;
    refused
}

/// Whether a metric is there for whoever asks.
pub(super) fn is_there(frame: &Frame, name: &str) -> Result<bool, Refused> {
    let (site, viewer) = (&frame.site, &frame.viewer);
    let found = viewer.drains(site);
    let found = found.and_then(|drains| site.minutes.has(&viewer.account, drains.as_deref(), name));
    found.map_err(|error| trouble(&error))
}

/// The field that finds, here and on the page of a metric.
pub(super) fn search(frame: &Frame, words: &str, is_first: bool) -> Markup {
    html! {
        form.find method="get" action=(PATH) role="search" {
            @if let Some(account) = frame.account() { input type="hidden" name="account" value=(account); }
            label.vh for="names" { "Find metrics" }
            input.wide id="names" type="search" name="q" value=(words) maxlength=(WORDS) autocomplete="off"
                spellcheck="false" autofocus[is_first] placeholder="words, or a pattern as heroku.*.rss"
                data-names=(frame.link("/api/v2/metrics")) data-page=(PATH);
            button.btn type="submit" { "Find" }
        }
    }
}

fn list(frame: &Frame, words: &str, names: &[String], more: usize) -> Markup {
    let before = |name: &String| name.rsplit_once('.').map_or("", |(before, _)| before).to_owned();
    let groups: Vec<&[String]> = names.chunk_by(|a, b| before(a) == before(b)).collect();
    html! {
        (search(frame, words, true))
        @if names.is_empty() {
            div.card.quiet { div {
                @if words.is_empty() {
                    h2 { "No metrics yet" }
                    p { "A metric is here as soon as a line has told a value of it: requests, dynos and databases by themselves, \
                        your own by lines with " code { "count#" } ", " code { "measure#" } " or " code { "sample#" } "." }
                    @if frame.has(Tab::Events) { p { a href=(frame.link("/events")) { "See whether lines have come" } } }
                } @else {
                    h2 { "No metric fits" }
                    p { "Words stand anywhere in a name; a star stands for any text." }
                    p { a href=(frame.link(PATH)) { "All metrics" } }
                }
            } }
        } @else {
            p.dim.count { (count(names.len() + more)) @if !words.is_empty() { " that fit" } }
            div.names {
                @for group in &groups {
                    @let start = group.first().map(&before).unwrap_or_default();
                    section.card {
                        h2 { @if start.is_empty() { "Without a dot" } @else { (shown(&start)) } }
                        ul {
                            @for name in *group {
                                li { a href=(frame.link(&path(name))) title=(shown(name)) {
                                    (shown(name.strip_prefix(&*start).unwrap_or(name).trim_start_matches('.'))) } }
                            }
                        }
                    }
                }
            }
            @if more > 0 { p.dim { "and " (more) " more: narrow it down by a word" } }
        }
    }
}

fn count(all: usize) -> String {
    if all == 1 { "1 metric".to_owned() } else { format!("{all} metrics") }
}
