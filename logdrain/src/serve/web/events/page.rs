//! The page at `/events`: lines, the oldest at the top, with the question below them, near the newest.
//!
//! It is whole without its script: every step is a link or a form. The script follows the newest lines, and nothing else
//! needs it. Style and script stand in the page itself, and the policy names them by their digests, so that nothing else
//! is applied or run; texts of log lines come through [`LogText`] alone.

use super::address::{Ask, At, PAGE};
use super::bars::{Counts, bars};
use super::line::{Line, day_and_time};
use super::text::LogText;
use crate::number;
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use log_store::EventId;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::sync::LazyLock;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// What the query may take of the page, and what is shown of it on each side of what a note is about.
const QUERY: usize = 24 << 10;
const AROUND: usize = 32;
/// Notes that are shown.
const NOTES: usize = 6;

/// What a browser may do with the page.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        digest(SCRIPT),
        digest(STYLE)
    );
    // It is ASCII; and if it were not, nothing may be done.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What stands above the first line or below the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Edge {
    /// Nothing: there is no line beyond.
    End,
    /// Lines that were not asked for, as far as anybody looked.
    More(At),
    /// The time was over: from here on nobody has looked.
    Stopped(At, EventId),
}

/// Something that was assumed when the query was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Note {
    /// The bytes of the query that it is about.
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// All that the page shows.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) ask: Ask,
    pub(super) notes: Vec<Note>,
    /// The query in words.
    pub(super) explained: String,
    pub(super) lines: Vec<Line>,
    pub(super) counts: Option<Counts>,
    pub(super) above: Edge,
    pub(super) below: Edge,
    /// What follows these lines comes behind this id, if they end with the newest.
    pub(super) live: Option<EventId>,
    /// Blocks that are damaged, so that nobody could look into them.
    pub(super) damaged: u64,
    /// Those whose lines may be looked at, and the one that is asked for.
    pub(super) accounts: Vec<String>,
    /// Whether there is no line at all, of any text.
    pub(super) is_empty: bool,
    /// Where deliveries go, as the browser calls this server.
    pub(super) drain: String,
}

/// The page.
pub(super) fn html(shown: &Shown) -> String {
    let ask = &shown.ask;
    let newest = ask.at(At::Newest);
    // A page that begins where it was asked to begin is read from its top.
    let from_top = !matches!(ask.at, At::Newest | At::Before(_));
    let tail = shown.live.map(|after| (ask.tail(), after));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { "Events – logdrain" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    a.brand href="/" { "logdrain" }
                    nav {
                        a href=(PAGE) aria-current="page" { "Events" }
                        @if ask.has_others { a href="/status" { "Status" } }
                        @if ask.is_signed_in { a href="/login" { "Sign out" } }
                    }
                    span.sp {}
                    @if !ask.is_usual() { span.dim { "account " b { (ask.account) } } }
                    @if !ask.part.shown.is_empty() { span.dim { (LogText::plain(ask.part.shown.as_bytes(), 300)) } }
                    span.dim { "UTC" }
                }
                @if let Some(counts) = &shown.counts { (bars(counts, ask)) } @else { div {} }
                main.log.from-top[from_top] tabindex="0" aria-label="log lines" data-tail=[tail.as_ref().map(|(tail, _)| tail)]
                    data-after=[tail.as_ref().map(|(_, after)| after)] {
                    div.lines { (edge(shown, shown.above, true)) (lines(shown)) (edge(shown, shown.below, false)) }
                }
                footer.dock {
                    div.words { (damage(shown)) (notes(shown)) }
                    form.of-many[shown.accounts.len() > 1] action=(PAGE) method="get" role="search" {
                        @if shown.accounts.len() > 1 {
                            select name="account" aria-label="account" {
                                @for name in &shown.accounts { option value=(name) selected[*name == ask.account] { (name) } }
                            }
                        } @else if !ask.is_usual() { input type="hidden" name="account" value=(ask.account); }
                        @if let Some(group) = ask.part.group { input type="hidden" name="group" value=(group); }
                        @if let Some(system) = &ask.part.system { input type="hidden" name="system" value=(system); }
                        input.q type="search" name="q" value=(ask.query) placeholder="Search: words, \"a phrase\", a OR b, -without, program:web" aria-label="query"
                            autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="search" title=(shown.explained);
                        input.time type="text" name="time" placeholder="time" aria-label="from this time on" autocomplete="off";
                        button.btn type="submit" { "Search" }
                        a.btn.live href=(newest) { span { "Newest" } }
                    }
                }
                button.pill type="button" hidden {}
                script type="module" { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn lines(shown: &Shown) -> Markup {
    let marked = if let At::Around(id) = shown.ask.at { Some(id) } else { None };
    let short = shown.ask.short();
    html! {
        @if shown.lines.is_empty() { (nothing(shown)) }
        @for (index, line) in shown.lines.iter().enumerate() {
            @let (day, time) = line.time();
            @let before = index.checked_sub(1).and_then(|before| shown.lines.get(before));
            @if before.is_none_or(|before| before.time().0 != day) { div.day { (day) } }
            @let alarm = line.alarm();
            @let here = if marked == Some(line.id) { " here" } else { "" };
            div class={ "l " (alarm.map_or("", |(class, _)| class)) (here) } id={ "e" (line.id) } {
                @if let Some((_, word)) = alarm { i role="img" aria-label=(word) title=(word) {} }
                a.ts href=(short.at(At::Around(line.id))) title={ (day) " " (time) " UTC" } { (time) } " "
                span.sy title=(line.system.text()) { (line.system) } " "
                span.pg title=(line.program.text()) { (line.program) } " "
                span.m { (line.message) }
                @if line.message.is_cut() {
                    @if marked == Some(line.id) { " " span.dim { "cut here" } }
                    @else { " " a.more href=(short.at(At::Around(line.id))) { "show more" } }
                }
            }
        }
    }
}

/// Why there are no lines, and what can be done.
fn nothing(shown: &Shown) -> Markup {
    let ask = &shown.ask;
    let stopped = matches!(shown.above, Edge::Stopped(..)) || matches!(shown.below, Edge::Stopped(..));
    let place = LogText::plain(shown.drain.as_bytes(), 600);
    html! {
        div.quiet {
            @if shown.is_empty {
                h2 { "No line yet" }
                @if shown.drain.contains('@') {
                    p { "Attach a drain to an app, and its lines stand here as they come:" }
                    p { code { "heroku drains:add " (place) " -a APP" } }
                    p.dim { "USER and PASSWORD are those of a [[drain]] in the configuration." }
                } @else {
                    p { "Lines stand here as they come. To see some from this machine:" }
                    p { code { "logdrain send --to " (place) } }
                    p.dim { "An app sends its own with " code { "heroku drains:add https://USER:PASSWORD@NAME/logs -a APP" }
                        " when this server has a name that Heroku reaches, TLS, and a [[drain]] in its configuration." }
                }
                p.dim { "Lines that came before this server kept logs, or that were too old to keep, are not here." }
            } @else if stopped {
                h2 { "Nothing found yet" }
                p { "The time for one answer was over before all lines were looked at. Go on, or say more in the query." }
            } @else if ask.query.is_empty() {
                h2 { "No line here" }
                p { "Nothing is kept of that time." }
                p { a href=(ask.at(At::Newest)) { "The newest lines" } }
            } @else {
                h2 { "No line matches" }
                p { "All lines " (place_of(ask.at)) " were looked at for " (shown.explained) "." }
                p { a href=(ask.without_query()) { "Without the query" }
                    @if ask.at != At::Newest { " · " a href=(ask.at(At::Newest)) { "From the newest on" } } }
            }
        }
    }
}

const fn place_of(at: At) -> &'static str {
    match at {
        At::Newest => "that are kept",
        At::Before(_) => "before that one",
        At::After(_) => "behind that one",
        At::From(_) => "from that time on",
        At::Around(_) => "around that one",
    }
}

/// What is beyond the lines, above or below.
fn edge(shown: &Shown, edge: Edge, is_above: bool) -> Markup {
    let ask = &shown.ask;
    html! {
        @match edge {
            Edge::End if is_above && !shown.lines.is_empty() => {
                p.edge.dim { @if ask.query.is_empty() { "This is the oldest line that is kept." }
                    @else { "No older line that is kept matches." } }
            }
            Edge::End => {}
            Edge::More(at) => {
                p.edge { a rel=(if is_above { "prev" } else { "next" }) href=(ask.at(at)) {
                    @if is_above { "↑ older" } @else { "↓ newer" } } }
            }
            Edge::Stopped(at, id) => {
                @let (day, time) = day_and_time(id.unix_micros());
                p.note { span { "Looked " @if is_above { "back" } @else { "forward" } " to " (day) " " (time) ", then the time "
                    "for one answer was over." } a href=(ask.at(at)) { "Go on" } }
            }
        }
    }
}

fn damage(shown: &Shown) -> Markup {
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
fn around(text: &str, part: &Range<usize>) -> [usize; 4] {
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
        @for note in shown.notes.iter().take(NOTES) {
            // What is about much of a long query shows where it begins.
            @let [from, start, end, to] = around(query, &note.range);
            p.warn { code { @if from > 0 { "…" } (shows(query.get(from..start))) mark { (shows(query.get(start..end))) }
                (shows(query.get(end..to))) @if to < query.len() { "…" } } " " (note.text) }
        }
        @if shown.notes.len() > NOTES { p.warn { "and " (shown.notes.len() - NOTES) " more" } }
    }
}
