//! Filters: lines that are counted and not kept, with a look at what one would drop before it is there.

use super::sent::{Outcome, Refused, Sent};
use super::shown;
use crate::events::LogText;
use crate::layout::Frame;
use axum::http::Method;
use form_urlencoded::Serializer;
use logdrain_drain::journal;
use logdrain_terms::number;
use maud::{Markup, html};
use serde_json::{Value, json};

/// Filters and programs that are listed.
const LISTED: usize = 100;
/// The most bytes of a filter's text that are shown.
const TEXT: usize = 2_000;

pub(super) async fn preview(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let (text, kind, name) = (sent.form.typed("text"), sent.form.typed("kind"), sent.form.typed("name"));
    let query = Serializer::new(String::new()).append_pair("text", text).append_pair("kind", kind).finish();
    let told = sent.v2(Method::GET, &format!("filters/preview?{query}"), Value::Null).await?;
    let count = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
    let programs: Vec<&Value> = told.get("programs").and_then(Value::as_array).into_iter().flatten().collect();
    let hit: Vec<&&Value> = programs.iter().filter(|program| count(program, "dropped_lines") > 0).collect();
    let is_whole = told.get("complete").and_then(Value::as_bool).unwrap_or(false);
    Ok(Outcome::Told(html! {
        section.card.once role="status" {
            h2 { "What it would have dropped" }
            p { b { (lines(count(&told, "dropped_lines"))) } " of " (lines(count(&told, "lines"))) " lines of the last hour, "
                (number::human(count(&told, "dropped_bytes") as f64, "bytes")) "."
                @if !is_whole { " The time was over before all were looked at: it is more." } }
            @if !hit.is_empty() {
                div.scroll tabindex="0" { table {
                    tr { th { "program" } th.n { "dropped" } th.n { "of" } }
                    @for program in hit.iter().take(LISTED) {
                        tr { td.t { (LogText::plain(program.get("program").and_then(Value::as_str).unwrap_or_default().as_bytes(), 300)) }
                            td.n { (lines(count(program, "dropped_lines"))) } td.n { (lines(count(program, "lines"))) } }
                    }
                } }
            }
            p.dim { "Metrics of these lines go on: they are counted before filters." }
            @if sent.viewer.may_change() {
                form method="post" {
                    @if let Some(token) = sent.viewer.form_token() { input type="hidden" name="form" value=(token); }
                    input type="hidden" name="text" value=(text);
                    input type="hidden" name="kind" value=(kind);
                    input type="hidden" name="name" value=(name);
                    button.btn.first type="submit" name="do" value="add" { "Add this filter" }
                }
            }
        }
    }))
}

fn lines(number: u64) -> String {
    number::human(number as f64, "")
}

pub(super) async fn add(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let new = json!({
        "text": sent.form.typed("text"), "kind": sent.form.typed("kind"), "name": sent.form.typed("name"),
    });
    sent.v2(Method::POST, "filters", new).await?;
    Ok(Outcome::Done("filter-added"))
}

/// On or off.
pub(super) async fn turn(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let id = sent.number("id")?;
    let on = sent.form.text("on") == Some("1");
    sent.v2(Method::PATCH, &format!("filters/{id}"), json!({ "on": on })).await?;
    Ok(Outcome::Done("filter-saved"))
}

pub(super) async fn remove(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let id = sent.number("id")?;
    sent.v2(Method::DELETE, &format!("filters/{id}"), Value::Null).await?;
    Ok(Outcome::Done("filter-removed"))
}

pub(super) fn content(frame: &Frame) -> Markup {
    let settings = frame.site.settings();
    let filters = &settings.account(&frame.viewer.account).filters;
    let dropped = frame.site.logs.usage(&frame.viewer.account, journal::now().unix_micros()).day.filtered;
    let may = frame.viewer.may_change();
    let to = frame.link("/account/filters");
    html! {
        section.card {
            h2 { "Lines that are not kept" }
            p.dim { "A filter looks at " code { "program: message" } ". What it drops is counted, and metrics are taken before it." }
            @if filters.is_empty() { p { "There is no filter: every line is kept." } } @else {
                div.scroll tabindex="0" { table {
                    tr { th { "name" } th { "text" } th { "kind" } th.n { "dropped today" } th { "state" } @if may { th { span.vh { "change" } } } }
                    @for (id, filter) in filters.iter().take(LISTED) {
                        tr {
                            td.t { (shown(&filter.name)) }
                            td.t { code { (LogText::plain(filter.text.as_bytes(), TEXT)) } }
                            td { (if filter.is_regex { "regex" } else { "string" }) }
                            td.n { (lines(dropped.of(*id))) }
                            td { (if filter.is_on { "on" } else { "off" }) }
                            @if may {
                                td.n { form method="post" action=(to) {
                                    (frame.form_token())
                                    input type="hidden" name="id" value=(id);
                                    input type="hidden" name="on" value=(if filter.is_on { "0" } else { "1" });
                                    button.btn type="submit" name="do" value="turn" aria-label={ "Turn " (shown(&filter.name)) (if filter.is_on { " off" } else { " on" }) } {
                                        (if filter.is_on { "Off" } else { "On" }) } " "
                                    button.btn.danger type="submit" name="do" value="remove" aria-label={ "Remove " (shown(&filter.name)) } { "Remove" }
                                } }
                            }
                        }
                    }
                } }
                @if filters.len() > LISTED { p.dim { "and " (filters.len() - LISTED) " more: " code { "logdrain account filter list" } } }
            }
        }
        section.card {
            h2 { "Try a filter" }
            form method="post" action=(to) {
                (frame.form_token())
                label { "Lines with this text" input type="text" name="text" required autocomplete="off" spellcheck="false"; }
                label { "Read as" select name="kind" { option value="string" { "a piece of text, in any case" } option value="regex" { "a regular expression" } } }
                label { "Name" input type="text" name="name" maxlength="60" autocomplete="off" placeholder="the text, if left empty"; }
                button.btn.first type="submit" name="do" value="preview" { "See what it would drop" }
            }
        }
    }
}
