//! What a rule would have told: how often, when, and with what.

use super::seen::{count, lines, list, points, text, time};
use crate::layout::Frame;
use logdrain_terms::number;
use maud::{Markup, html};
use serde_json::Value;

pub(super) fn card(frame: &Frame, told: &Value) -> Markup {
    let fired = count(told, "fired");
    let is_whole = told.get("complete").and_then(Value::as_bool).unwrap_or(false);
    let (alerts, standing) = (list(told, "alerts"), list(told, "standing"));
    html! {
        section.card.once role="status" aria-label="Try it" {
            h2 { "What it would have told" }
            p { b { @match fired {
                    0 => "It would not have fired",
                    1 => "It would have fired once",
                    many => { "It would have fired " (number::human(many as f64, "")) " times" }
                } }
                @if fired == 1 { ", at " (time(frame, text(told, "first"))) }
                @if fired > 1 { ", first at " (time(frame, text(told, "first"))) ", last at " (time(frame, text(told, "last"))) }
                "." }
            p.dim { "Looked at: " (time(frame, text(told, "from"))) " to " (time(frame, text(told, "until"))) "." }
            @if !is_whole { p.warn { "The time for one try was over before all was looked at: what came behind " (time(frame, text(told, "until"))) " is not in it." } }
            @for unknown in list(told, "unknown") {
                p.dim { "Nothing was recorded from " (time(frame, text(unknown, "from"))) " to " (time(frame, text(unknown, "until"))) ", so no silence is told of it." }
            }
            @if fired == 0 && !standing.is_empty() {
                p.dim { "How it stands at the end:" }
                ul.said { @for standing in standing { li { (standing.as_str().unwrap_or_default()) } } }
            }
            @if !alerts.is_empty() {
                @if (alerts.len() as u64) < fired { p.dim { "The last " (alerts.len()) " of them:" } }
                ol.told {
                    @for alert in alerts.iter().rev() {
                        li {
                            p { b { (time(frame, text(alert, "at"))) } " " (said(alert)) }
                            (lines(frame, alert))
                            (points(alert))
                        }
                    }
                }
            }
        }
    }
}

/// In one sentence.
fn said(alert: &Value) -> &str {
    match text(alert, "change") {
        "cleared" => "clear again",
        "again" => "still so",
        // Points say why by themselves.
        _ if !list(alert, "readings").is_empty() => "fired",
        _ => text(alert, "why"),
    }
}
