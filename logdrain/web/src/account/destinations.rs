//! How a drain is attached, what sends here, and when its first line came.

use crate::access::Viewer;
use crate::events::LogText;
use crate::layout::Frame;
use crate::site::Site;
use crate::turns::Budget;
use log_store::{EventId, Order, Page, Query};
use logdrain_drain::directory::System;
use logdrain_drain::journal;
use logdrain_drain::logs::retention::floor;
use maud::{Markup, html};

/// Systems that are listed.
const LISTED: usize = 500;
/// The most bytes of a name.
const NAME: usize = 300;

/// Whether an address asks that the page stays as it is.
pub(super) fn is_still(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "still")
}

/// Whether nothing was ever heard: the page looks again by itself then.
pub(super) fn waits(site: &Site, viewer: &Viewer) -> bool {
    site.directory.systems_of(&viewer.account).is_empty()
}

pub(super) fn content(frame: &Frame, (query, base): (&str, &str), budget: &Budget) -> Markup {
    let settings = frame.site.settings();
    let scope = frame.viewer.scope(&settings);
    let mut systems = frame.site.directory.systems_of(&frame.viewer.account);
    systems.retain(|system| scope.allows(&frame.viewer.account, system.name.as_bytes()));
    systems.sort_by(|a, b| b.last_event.cmp(&a.last_event).then_with(|| a.shown().cmp(b.shown())));
    let first = if systems.is_empty() { None } else { oldest(frame, budget) };
    html! {
        section.card {
            @if systems.is_empty() {
                h2 { "Waiting for the first line" }
                p { "Attach a drain to an app, and its lines are here within seconds. "
                    @if is_still(query) { "This page stays as it is: " a href=(frame.link("/account/destinations")) { "look again by itself" } }
                    @else { "This page looks again by itself: " a href=(frame.link_with("/account/destinations", &[("still", "1")])) { "stop" } } "." }
            } @else {
                h2 { "Attach a drain" }
                @if let Some(first) = first {
                    p { "The first line that is kept came " b { (ago(first)) } ". " a href=(frame.link("/events")) { "See the newest" } }
                }
            }
            (attach(frame, base))
        }
        @if !systems.is_empty() { (list(frame, &systems)) }
        @if frame.viewer.may_change() { (unknown(frame, settings.account(&frame.viewer.account).takes_unknown)) }
    }
}

/// The line to type.
fn attach(frame: &Frame, base: &str) -> Markup {
    let host = base.split_once("://").map_or("NAME-OF-THIS-SERVER", |(_, host)| host);
    let is_open = frame.site.intake.access().is_open();
    let ports = frame.site.ports();
    html! {
        @if is_open {
            p.cmd { code { "heroku drains:add " (base) "/logs -a APP" } }
            p.dim { "Anybody may send here, so that it is for trying. For Heroku this server needs a public name, TLS and a "
                code { "[[drain]]" } " in its configuration. From this machine: " code { "logdrain send --to " (base) "/logs" } }
        } @else {
            p.cmd { code { "heroku drains:add https://USER:PASSWORD@" (host) "/logs -a APP" } }
            p.dim { "USER and PASSWORD are those of a " code { "[[drain]]" } " of this account in the server's configuration. "
                "For dyno metrics: " code { "heroku labs:enable log-runtime-metrics -a APP" } ", and restart the app." }
        }
        @if !ports.is_empty() {
            p.dim { "Syslog is taken, too: " @for (port, what) in &ports { code { "port " (port) } " (" (what) ") " } }
        }
    }
}

fn list(frame: &Frame, systems: &[System]) -> Markup {
    html! {
        section.card {
            h2 { "What sends here" }
            div.scroll tabindex="0" { table {
                tr { th { "system" } th { "last line" } }
                @for system in systems.iter().take(LISTED) {
                    @let name = LogText::plain(system.shown().as_bytes(), NAME);
                    tr {
                        td.t { a href=(frame.link_with("/events", &[("system", &system.id.to_string())])) { (name) } }
                        td { (system.last_event.map_or_else(|| "none yet".to_owned(), |id| ago(EventId::new(id).unix_micros()))) }
                    }
                }
            } }
            @if systems.len() > LISTED { p.dim { "and " (systems.len() - LISTED) " more" } }
        }
    }
}

fn unknown(frame: &Frame, takes: bool) -> Markup {
    html! {
        section.card {
            h2 { "Unknown systems" }
            form.line method="post" action=(frame.link("/account/destinations")) {
                (frame.form_token())
                label.tick { input type="checkbox" name="takes" checked[takes]; "keep lines of systems that nobody registered" }
                button.btn type="submit" name="do" value="unknown" { "Save" }
            }
        }
    }
}

/// When the oldest line came that may be seen, in microseconds since 1970.
fn oldest(frame: &Frame, budget: &Budget) -> Option<i64> {
    let settings = frame.site.settings();
    let floor = floor(settings.account(&frame.viewer.account), journal::now().unix_micros());
    let page = Page::new().with_order(Order::Oldest).with_limit(1).with_after(floor);
    let reader = frame.site.logs.reader(&frame.viewer.account)?;
    let found = reader
        .view(&frame.viewer.scope(&settings))
        .search(&Query::parse("").into_query(), &page, &mut || budget.goes_on());
    found.events().first().map(|event| event.id().unix_micros())
}

/// How long ago.
fn ago(unix_micros: i64) -> String {
    let seconds = (journal::now().unix_micros() - unix_micros).max(0) / 1_000_000;
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
