//! What stands below the lines, near the newest: what is looked at, the query, the time, what can be saved, and whether the
//! page follows.

use super::address::{Ask, At, PAGE};
use super::shown::{Note, Shown};
use super::side::Side;
use super::span::Span;
use super::text::LogText;
use logdrain_terms::number;
use maud::{Markup, html};
use std::ops::Range;

/// What the query may take of the page, and what is shown of it on each side of what a note is about.
const QUERY: usize = 24 << 10;
const AROUND: usize = 32;
/// Notes that are shown.
const NOTES: usize = 6;
/// Charts of a moment, and how much of the time before it and behind it they show, in seconds.
const CHARTS: &str = "/dashboards/overview";
const NEAR: i64 = 1_800;

pub(super) fn dock(shown: &Shown, side: &Side) -> Markup {
    let ask = &shown.ask;
    let when = match ask.at {
        At::From(second) => ask.zone.field(second),
        _ => String::new(),
    };
    html! {
        footer.dock {
            div.words aria-live="polite" { (chosen(ask)) (range(ask)) (moment(ask)) (trouble(shown)) (notes(shown)) }
            form id="ask" action=(PAGE) method="get" role="search" {
                @for (name, value) in ask.hidden() { input type="hidden" name=(name) value=(value); }
                (side.select(ask))
                label.field.q {
                    span.vh { "Query" }
                    input type="search" name="q" value=(ask.query) placeholder="Search: words, \"a phrase\", a OR b, -without, program:web"
                        autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="search" title=(shown.explained);
                    a.hint href="#help" { "/ to search, ? for help" }
                }
                label.field.time {
                    span.vh { "Go to time" }
                    input type="text" name="time" value=(when) placeholder="3 hours ago" autocomplete="off" spellcheck="false"
                        title="From this time on: 3 hours ago, yesterday at 5:30pm, 2026-11-28 21:08";
                }
                button.btn.go type="submit" { "Search" }
            }
            @if side.may_save { (save(ask, side)) }
            a.btn.live.past href=(ask.at(At::Newest)) { "Go live" }
        }
    }
}

/// The way to an alert on these lines.
fn alert(ask: &Ask) -> String {
    let mut parts = form_urlencoded::Serializer::new(String::new());
    for (name, value) in ask.hidden().into_iter().filter(|(name, _)| *name == "account") {
        parts.append_pair(name, &value);
    }
    parts.append_pair("q", &ask.query);
    if let Some(system) = &ask.part.system {
        parts.append_pair("system", system);
    }
    format!("/alerts/new?{}", parts.finish())
}

/// The query gets a name, or goes in place of one that has one.
fn save(ask: &Ask, side: &Side) -> Markup {
    html! {
        details.save {
            summary.btn.used[side.is_used()] title=(if side.is_used() { "A saved search is in use" } else { "Save this search" }) { span.star aria-hidden="true" { "☆" } span.word { "Save" } }
            form action="/searches" method="post" {
                @if let Some(token) = &side.form { input type="hidden" name="form" value=(token); }
                @for (name, value) in ask.hidden().into_iter().filter(|(name, _)| *name == "account") {
                    input type="hidden" name=(name) value=(value);
                }
                input type="hidden" name="q" value=(ask.query);
                @if let Some(group) = side.group { input type="hidden" name="group" value=(group); }
                label { "Name" input name="name" value=[side.used_name()] maxlength="200" autocomplete="off" required; }
                label { "Save" select name="replace" { (side.replaceable()) } }
                @if ask.part.system.is_some() { p.dim { "A saved search is of a group, not of one system: it keeps the query." } }
                button.btn type="submit" { "Save search" }
                @if side.makes_alerts { p { a href=(alert(ask)) { "Make an alert of it" } } }
            }
        }
    }
}

/// Which lines are chosen, and what can be done with them.
fn chosen(ask: &Ask) -> Markup {
    let Some((first, last)) = ask.chosen else { return html! {} };
    let time = |id: log_store::EventId| ask.zone.day_and_time(id.unix_micros());
    let ((day, from), (other, to)) = (time(first), time(last));
    let text = |form: &str| {
        let mut parts = form_urlencoded::Serializer::new(ask.question());
        parts.append_pair("r", &format!("{first}-{last}")).append_pair("form", form);
        format!("{PAGE}/text?{}", parts.finish())
    };
    html! {
        p.chosen {
            span { "Chosen: " (day) " " (from) @if first != last { " to " @if day != other { (other) " " } (to) } }
            a.btn.text href=(text("text")) { "Text" }
            a.btn.json href=(text("json")) { "JSON" }
            a.btn.none href=(Ask { chosen: None, ..ask.clone() }) { "Clear" }
        }
    }
}

/// The range that no line outside of is shown.
fn range(ask: &Ask) -> Markup {
    if ask.span.is_all() {
        return html! {};
    }
    html! {
        p.info {
            @match (ask.span.range, ask.span.from, ask.span.to) {
                (Some(range), ..) => { "The last " (range) " alone." }
                (None, Some(from), Some(to)) => { "From " (ask.zone.field(from)) " to " (ask.zone.field(to)) " alone." }
                (None, Some(from), None) => { "From " (ask.zone.field(from)) " on." }
                (None, None, Some(to)) => { "Until " (ask.zone.field(to)) "." }
                (None, None, None) => {}
            }
            " " a.out href=(ask.within(Span::default())) { "All times" }
        }
    }
}

/// The way to the charts of the time that is looked at; of the newest lines there is nothing to say.
fn moment(ask: &Ask) -> Markup {
    html! { @if let Some(charts) = charts(ask) { p.info { a.charts href=(charts) { "Charts of this time" } } } }
}

/// The Overview of the time that is looked at, of the system if it is one that is looked at.
pub(super) fn charts(ask: &Ask) -> Option<String> {
    let (from, to) = match (ask.at, ask.span.from, ask.span.to) {
        (At::From(second), ..) => (second - NEAR, second + NEAR),
        (At::Around(id), ..) => {
            let second = id.unix_micros().div_euclid(1_000_000);
            (second - NEAR, second + NEAR)
        }
        (_, Some(from), Some(to)) => (from, to),
        (_, Some(from), None) => (from, from + 2 * NEAR),
        (_, None, Some(to)) => (to - 2 * NEAR, to),
        (_, None, None) => return None,
    };
    let mut parts = form_urlencoded::Serializer::new(String::new());
    parts.append_pair("from", &from.max(0).to_string()).append_pair("to", &to.max(0).to_string());
    if let Some(system) = &ask.part.system {
        parts.append_pair("app_name", system);
    }
    for (name, value) in ask.hidden().into_iter().filter(|(name, _)| *name == "account") {
        parts.append_pair(name, &value);
    }
    Some(format!("{CHARTS}?{}", parts.finish()))
}

fn trouble(shown: &Shown) -> Markup {
    html! {
        @if shown.damaged > 0 {
            p.bad { (number::human(shown.damaged as f64, "")) @if shown.damaged == 1 { " damaged block" } @else { " damaged blocks" }
                " not searched: lines may be missing. " code { "logdrain doctor" } " names them." }
        }
        @if let Some(notice) = &shown.ask.notice { p.warn { (notice) } }
        @if let Some(why) = &shown.ask.wrong_time { p.warn { "Time: " (why) } }
    }
}

/// A part of a text, or the beginning of a long one, with some of what is around it: four offsets between characters.
pub(super) fn around(text: &str, part: &Range<usize>) -> [usize; 4] {
    let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = boundary(part.start);
    let end = boundary(part.end.min(start + 2 * AROUND)).max(start);
    [boundary(start.saturating_sub(AROUND)), start, end, boundary(end + AROUND)]
}

/// What was assumed of the query, with the part that it is about.
fn notes(shown: &Shown) -> Markup {
    let query = shown.ask.query.as_str();
    let shows = |part: Option<&str>| LogText::plain(part.unwrap_or_default().as_bytes(), QUERY);
    html! {
        @for Note { range, text } in shown.notes.iter().take(NOTES) {
            // What is about much of a long query shows where it begins.
            @let [from, start, end, to] = around(query, range);
            p.warn { code { @if from > 0 { "…" } (shows(query.get(from..start))) mark { (shows(query.get(start..end))) }
                (shows(query.get(end..to))) @if to < query.len() { "…" } } " " (text) }
        }
        @if shown.notes.len() > NOTES { p.warn { "and " (shown.notes.len() - NOTES) " more" } }
    }
}

/// Keys, and how queries are written. It is there without scripts, by its address.
pub(super) fn help() -> Markup {
    const KEYS: [(&str, &str); 20] = [
        ("/", "search"),
        ("t", "go to a time"),
        ("Space", "follow the newest lines, or pause"),
        ("G End", "the newest line, and follow"),
        ("g Home", "the oldest line"),
        ("j k", "next, previous line"),
        ("n N", "next, previous error"),
        ("Enter", "what the line says, value by value"),
        ("c", "what stands around it, of its program"),
        ("C", "the same of its system; Alt and a click keep the query"),
        ("y", "copy a link to the line, or to the chosen ones"),
        ("Y", "copy the line, or the chosen ones"),
        ("x", "choose from here on, then j or k; so does Shift and a click"),
        ("w", "break long lines, or not"),
        ("s", "save this search"),
        ("d 1-5", "dashboard by number"),
        ("[ ]", "the range before, behind"),
        ("+ -", "a shorter, a longer range"),
        ("r", "load again"),
        ("Esc", "close, choose nothing, leave the field"),
    ];
    const QUERIES: [(&str, &str); 8] = [
        ("timeout 10.1.2", "both, as pieces of words"),
        ("\"reset by peer\"", "this phrase"),
        ("a OR b", "one of them; brackets group"),
        ("-health", "without it"),
        ("program:web", "in the program; also sender:, message:"),
        ("severity:error", "exactly this one"),
        ("status=50", "as it stands in the line"),
        ("ip:10.1.", "from addresses that begin so"),
    ];
    html! {
        dialog.help id="help" aria-label="Help" {
            form method="dialog" { a.btn href="#main" { "Close" } }
            h2 { "Queries" }
            dl.keys { @for (query, says) in QUERIES { div { dt { code { (query) } } dd { (says) } } } }
            h2 { "Keys" }
            dl.keys { @for (keys, says) in KEYS { div { dt { @for key in keys.split(' ') { kbd { (key) } " " } } dd { (says) } } } }
            label.single hidden { input type="checkbox"; " Single keys do something" }
        }
    }
}
