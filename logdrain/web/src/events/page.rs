//! The page at `/events`: lines, the oldest at the top, with the question below them, near the newest.
//!
//! It is whole without its script: every step is a link or a form. The script follows the newest lines, and makes steps
//! shorter. Texts of log lines come through [`LogText`] alone.

use super::address::{Ask, At, PAGE};
use super::bars::bars;
use super::dock::{charts, dock, help};
use super::fields::Fields;
use super::query::{added, front};
use super::shown::{Edge, Shown};
use super::side::Side;
use super::span::Span;
use super::text::LogText;
use super::zone::day_in_words;
use log_store::EventId;
use maud::{Markup, html};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// The longest front of a query that stands in the links of a line's values.
const FRONT: usize = 600;

/// What stands in the frame. `drain` is where deliveries go, as the browser calls this server.
pub(super) fn html(shown: &Shown, side: &Side, drain: &str) -> Markup {
    let ask = &shown.ask;
    // A page that begins where it was asked to begin is read from its top.
    let from_top = !matches!(ask.at, At::Newest | At::Before(_));
    let question = ask.question();
    html! {
        (side.html(ask))
        main.pane id="main" {
            section.vel aria-label="Matching lines over time" { @if let Some(counts) = &shown.counts { (bars(counts, ask)) } }
            div.log.from-top[from_top].nowrap[!ask.is_wrapped].one[ask.part.system.is_some()] tabindex="0" role="log" aria-live="off" aria-label="Log lines" data-question=(question)
                data-front=(front(&ask.query)) data-tail=(ask.tail()) data-after=[shown.live] data-zone=(ask.zone.name()) {
                div.lines { (edge(shown, true)) (lines(shown, drain)) (edge(shown, false)) }
            }
            a.pill href=(ask.at(At::Newest)) hidden {}
            (dock(shown, side))
        }
        (help())
    }
}

fn lines(shown: &Shown, drain: &str) -> Markup {
    let marked = if let At::Around(id) = shown.ask.at { Some(id) } else { None };
    let short = shown.ask.short();
    let chosen = |id: EventId| shown.ask.chosen.is_some_and(|(first, last)| (first..=last).contains(&id));
    html! {
        @if shown.lines.is_empty() { (nothing(shown, drain)) }
        @for (index, line) in shown.lines.iter().enumerate() {
            @let before = index.checked_sub(1).and_then(|before| shown.lines.get(before));
            @if before.is_none_or(|before| before.day != line.day) { div.day { (day_in_words(&line.day)) } }
            @let here = if marked == Some(line.id) { " here" } else { "" };
            @let sel = if chosen(line.id) { " sel" } else { "" };
            div class={ "l " (line.class()) (here) (sel) } id={ "e" (line.id) } data-day=(line.day) {
                @if let Some(word) = line.word() { i role="img" aria-label=(word) title=(word) {} }
                a.ts href=(short.at(At::Around(line.id))) title={ (line.day) " " (line.time) } { (line.time) } " "
                a.sy href=(context(&short, line.id, "system")) title=(line.system.text()) { (line.system) } " "
                a.pg href=(context(&short, line.id, "program")) title=(line.program.text()) { (line.program) } " "
                span.m { (line.message) }
                @if line.message.is_cut() {
                    @if marked == Some(line.id) { " " span.dim { "cut here" } }
                    @else { " " a.more href=(short.at(At::Around(line.id))) { "show more" } }
                }
            }
            @if let Some(fields) = shown.fields.as_ref().filter(|_| marked == Some(line.id)) { (details(&shown.ask, line.id, fields)) }
        }
    }
}

/// The way to what stands around a line, of its system, or of its program there.
pub(super) fn context(ask: &Ask, id: EventId, of: &str) -> String {
    let mut parts = form_urlencoded::Serializer::new(String::new());
    for (name, value) in ask.hidden().into_iter().filter(|(name, _)| matches!(*name, "account" | "tz" | "wrap")) {
        parts.append_pair(name, &value);
    }
    parts.append_pair("of", of).append_pair("id", &id.to_string());
    format!("{PAGE}/context?{}", parts.finish())
}

/// What a line says, one value at a time.
fn details(ask: &Ask, id: EventId, fields: &Fields) -> Markup {
    let front = front(&ask.query);
    let has_links = front.len() <= FRONT;
    let link = |term: &str, is_without: bool| ask.asking(added(&front, term, is_without));
    html! {
        div.det data-of=(id) {
            dl {
                @for field in &fields.all {
                    div { dt { (field.key) } dd { (field.value) }
                        @if let Some(term) = field.term.as_ref().filter(|_| has_links) {
                            span.pm {
                                a href=(link(term, false)) title="Only lines that say so" aria-label={ "Only " (term) } { "+" }
                                a href=(link(term, true)) title="Without lines that say so" aria-label={ "Without " (term) } { "−" }
                            }
                        }
                    }
                }
            }
            p.foot {
                @if let Some(request) = &fields.request { a href=(ask.asking(request.clone())) { "This request" } }
                a href=(context(ask, id, "program")) { "Around it, of this program" }
                a href=(context(ask, id, "system")) { "Around it, of this system" }
                @if let Some(charts) = charts(&Ask { at: At::Around(id), ..ask.clone() }) { a href=(charts) { "Charts of this time" } }
            }
        }
    }
}

/// Why there are no lines, and what can be done.
fn nothing(shown: &Shown, drain: &str) -> Markup {
    let ask = &shown.ask;
    let stopped = matches!(shown.above, Edge::Stopped(..)) || matches!(shown.below, Edge::Stopped(..));
    let place = LogText::plain(drain.as_bytes(), 600);
    html! {
        div.quiet {
            @if shown.is_empty {
                h2 { "No line yet" }
                @if drain.contains('@') {
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
                p { "Nothing is kept of that time" @if !ask.part.shown.is_empty() { ", of " (LogText::plain(ask.part.shown.as_bytes(), 300)) } "." }
                p { a href=(ask.within(Span::default())) { "The newest lines" } }
            } @else {
                h2 { "No line matches" }
                p { "All lines " (place_of(ask)) @if !ask.part.shown.is_empty() { ", of " (LogText::plain(ask.part.shown.as_bytes(), 300)) ", " }
                    " were looked at for " (LogText::plain(shown.explained.as_bytes(), 2_000)) "." }
                p { a href=(ask.without_query()) { "Without the query" }
                    @if ask.at != At::Newest || !ask.span.is_all() { " · " a href=(ask.within(Span::default())) { "From the newest on" } } }
            }
        }
    }
}

const fn place_of(ask: &Ask) -> &'static str {
    match ask.at {
        At::Newest => "that are kept",
        At::Before(_) => "before that one",
        At::After(_) => "behind that one",
        At::From(_) => "from that time on",
        At::Around(_) => "around that one",
    }
}

/// What is said at an edge, and the way on from there.
struct Beyond {
    class: &'static str,
    said: String,
    way: Option<(String, &'static str)>,
}

impl Beyond {
    fn of(shown: &Shown, is_above: bool) -> Option<Self> {
        let ask = &shown.ask;
        Some(match if is_above { shown.above } else { shown.below } {
            Edge::End if is_above && !shown.lines.is_empty() => {
                let said = if ask.query.is_empty() {
                    "This is the oldest line that is kept."
                } else {
                    "No older line that is kept matches."
                };
                Self { class: "end", said: said.to_owned(), way: None }
            }
            Edge::End => return None,
            Edge::More(at) => {
                let word = if is_above { "↑ older" } else { "↓ newer" };
                Self { class: "more", said: String::new(), way: Some((ask.at(at).to_string(), word)) }
            }
            Edge::Stopped(at, id) => {
                let (day, time) = ask.zone.day_and_time(id.unix_micros());
                let to = if is_above { "back" } else { "forward" };
                let said = format!("Looked {to} to {day} {time}, then the time for one answer was over.");
                Self { class: "stopped", said, way: Some((ask.at(at).to_string(), "Go on")) }
            }
            Edge::Border(id) => {
                let all = ask.within(Span::default());
                let (said, at, word) = if is_above {
                    ("The range begins here.", At::Before(id), "Older lines")
                } else {
                    ("The range ends here.", At::After(super::find::below(id)), "Newer lines")
                };
                Self { class: "border", said: said.to_owned(), way: Some((all.at(at).to_string(), word)) }
            }
        })
    }
}

impl Serialize for Beyond {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("Edge", 3)?;
        all.serialize_field("class", self.class)?;
        all.serialize_field("said", &self.said)?;
        all.serialize_field("way", &self.way)?;
        all.end()
    }
}

/// What is beyond the lines, above or below.
fn edge(shown: &Shown, is_above: bool) -> Markup {
    let Some(Beyond { class, said, way }) = Beyond::of(shown, is_above) else { return html! {} };
    html! {
        p.edge.above[is_above].below[!is_above].(class) {
            @if !said.is_empty() { span { (said) } }
            @if let Some((href, word)) = way { " " a rel=(if is_above { "prev" } else { "next" }) href=(href) { (word) } }
        }
    }
}

/// What the script gets with lines: what is beyond them. Each line follows in a line of its own.
pub(super) struct Around<'a>(pub(super) &'a Shown);

impl Serialize for Around<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("Around", 4)?;
        all.serialize_field("above", &Beyond::of(self.0, true))?;
        all.serialize_field("below", &Beyond::of(self.0, false))?;
        all.serialize_field("live", &self.0.live.map(|id| id.to_string()))?;
        all.serialize_field("damaged", &self.0.damaged)?;
        all.end()
    }
}
