//! What fills the log: lines that are alike, the most first.

use super::Rooms;
use super::sent::Refused;
use crate::access::Viewer;
use crate::events::LogText;
use crate::layout::Frame;
use crate::v2;
use axum::http::{HeaderMap, Method, Uri};
use form_urlencoded::{Serializer, parse};
use logdrain_terms::number;
use maud::{Markup, html};
use serde_json::Value;

/// Patterns that are shown.
const SHOWN: &str = "100";
/// The most bytes of one.
const TEXT: usize = 1_000;
/// Times to look at, and what they are called.
const TIMES: [(&str, &str); 4] =
    [("15 minutes ago", "15 min"), ("1 hour ago", "1 h"), ("6 hours ago", "6 h"), ("1 day ago", "24 h")];

/// What an address asks for: a query, and since when.
fn asked(query: &str) -> (String, &'static str) {
    let text =
        |wanted: &str| parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, text)| text.into_owned());
    let from = text("from").unwrap_or_default();
    let from = TIMES.iter().find(|(time, _)| *time == from).map_or("1 hour ago", |(time, _)| *time);
    (text("q").unwrap_or_default(), from)
}

/// Looks through the lines.
pub(super) async fn look(rooms: &Rooms, viewer: &Viewer, uri: &Uri) -> Result<Option<Markup>, Refused> {
    let (query, from) = asked(uri.query().unwrap_or_default());
    let parameters =
        Serializer::new(String::new()).extend_pairs([("q", query.as_str()), ("from", from), ("limit", SHOWN)]).finish();
    let path = format!("patterns?{parameters}");
    let told = v2::act(&rooms.v2, viewer.clone(), &HeaderMap::new(), (Method::GET, &path), Value::Null).await?;
    let count = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
    let all = count(&told, "bytes").max(1);
    let patterns: Vec<&Value> = told.get("patterns").and_then(Value::as_array).into_iter().flatten().collect();
    let text = |of: &Value, name: &str| {
        LogText::plain(of.get(name).and_then(Value::as_str).unwrap_or_default().as_bytes(), TEXT)
    };
    let is_whole = told.get("complete").and_then(Value::as_bool).unwrap_or(false);
    let at_least = told.get("at_least").and_then(Value::as_bool).unwrap_or(false);
    Ok(Some(html! {
        section.card {
            p { b { (number::human(count(&told, "lines") as f64, "")) } " lines, " (number::human(count(&told, "bytes") as f64, "bytes"))
                @if at_least { ". There are more kinds than are counted: these are at least so many" }
                @if !is_whole { ". The time was over before all were looked at" } "." }
            @if patterns.is_empty() { p { "There are no lines of that time." } } @else {
                div.scroll tabindex="0" { table {
                    tr { th.n { "lines" } th.n { "size" } th.n { "share" } th { "program" } th { "lines like" } }
                    @for pattern in patterns {
                        tr { td.n { (number::human(count(pattern, "lines") as f64, "")) }
                            td.n { (number::human(count(pattern, "bytes") as f64, "bytes")) }
                            td.n { (format!("{:.1} %", count(pattern, "bytes") as f64 * 100.0 / all as f64)) }
                            td.t { (text(pattern, "program")) }
                            td.t.wide { code { (text(pattern, "text")) } } }
                    }
                } }
            }
        }
    }))
}

pub(super) fn content(frame: &Frame, query: &str) -> Markup {
    let (query, from) = asked(query);
    html! {
        section.card {
            form.line method="get" action="/account/patterns" {
                @if let Some(account) = frame.account() { input type="hidden" name="account" value=(account); }
                label { "Of lines that match" input type="search" name="q" value=(query) placeholder="all lines" autocomplete="off" spellcheck="false"; }
                label { "of the last" select name="from" { @for (time, name) in TIMES { option value=(time) selected[time == from] { (name) } } } }
                button.btn type="submit" { "Look" }
            }
            p.dim { "Numbers, ids, addresses and quoted texts are left out, so that lines that are alike count as one. "
                "What fills the log and nobody reads can go: " a href=(frame.link("/account/filters")) { "add a filter" } "." }
        }
    }
}
