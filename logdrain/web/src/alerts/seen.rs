//! What the API tells, as it is shown: times, lines, points, channels.

use crate::events::LogText;
use crate::explore::is_plain;
use crate::layout::Frame;
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

/// The most bytes that a line takes of the page.
const LINE: usize = 3_000;
/// The most letters of a name or a sentence.
const WORDS: usize = 1_000;

pub(super) fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn count(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or(0)
}

pub(super) fn is(of: &Value, name: &str) -> bool {
    of.get(name).and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A channel to choose, under its name as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Channel {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) kind: String,
}

pub(super) fn channels(told: &Value) -> Vec<Channel> {
    let all = list(told, "channels").iter().map(|channel| Channel {
        id: u32::try_from(count(channel, "id")).unwrap_or(0),
        name: words(text(channel, "name")),
        kind: text(channel, "kind").to_owned(),
    });
    all.collect()
}

/// A time of the API in the zone of whoever looks.
pub(super) fn time(frame: &Frame, told: &str) -> Markup {
    let Ok(at) = told.parse::<Timestamp>() else { return html! { "–" } };
    let there = at.to_zoned_datetime(frame.zone.clone());
    html! { time datetime=(told) { (there.strftime("%-d %b %H:%M:%S").to_string()) } }
}

/// The first lines of an alert, each with the way to it.
pub(super) fn lines(frame: &Frame, alert: &Value) -> Markup {
    let (lines, counts) = (list(alert, "lines"), list(alert, "counts"));
    let more = count(alert, "count").saturating_sub(lines.len() as u64);
    html! {
        @if !lines.is_empty() {
            ul.lines {
                @for line in lines {
                    li { a href=(frame.link_with("/events", &[("centered_on_id", text(line, "id"))])) { (time(frame, text(line, "received_at"))) } " "
                        span.dim { (words(text(line, "system"))) " " (words(text(line, "program"))) } " " (plain(text(line, "message"))) }
                }
                @if more > 0 { li.dim { "and " (more) " more" } }
            }
        }
        @if !counts.is_empty() {
            ul.lines { @for one in counts { li { (words(text(one, "system"))) ": " (count(one, "lines")) } } }
        }
    }
}

/// Why conditions hold.
pub(super) fn points(alert: &Value) -> Markup {
    let (readings, more) = (list(alert, "readings"), count(alert, "more_readings"));
    html! {
        @if !readings.is_empty() {
            ul.lines {
                @for reading in readings { li { (words(text(reading, "why"))) } }
                @if more > 0 { li.dim { "and " (more) " more" } }
            }
        }
    }
}

/// A name or a sentence with somebody's words in it: nothing that a screen hides or obeys.
pub(super) fn words(text: &str) -> String {
    text.chars().take(WORDS).map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect()
}

/// What somebody's program wrote.
fn plain(text: &str) -> LogText {
    LogText::plain(text.as_bytes(), LINE)
}
