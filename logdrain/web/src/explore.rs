//! The explorer: metrics found by their names, one drawn by its tags, and what an account says of it.
//!
//! ```text
//! /explore?q=words          names that fit
//! /explore/{name}?...       a chart of it, its tags, its streams; all that is asked for stands in the address
//! /explore/{name}/{file}    the chart as `chart.svg` or `chart.csv`
//! ```
//!
//! Each choice is a link or a form that is got, so that all of it works without scripts and can be handed on. What changes
//! something is a form with the session's token.

mod facts;
mod keep;
mod lines;
mod look;
mod metric;
mod names;
mod tags;

use super::assets::Asset;
use super::dashboards::{FileKind, Form, Gate, Refused, change_on, viewer};
use super::layout::{Frame, Tab};
use super::pages::Built;
use super::site::Site;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use logdrain_drain::intake::Intake;
use logdrain_drain::intake::connections::Peer;
use look::Look;
use maud::html;
use std::sync::Arc;

pub(super) const PATH: &str = "/explore";

pub(super) fn router(site: Arc<Site>) -> Router<Arc<Intake>> {
    Router::new()
        .route("/explore", get(find))
        .route("/explore/{name}", get(show).post(change))
        .route("/explore/{name}/{file}", get(file))
        .with_state(site)
}

/// Whether the account's plan has an explorer, or why not.
fn gate(frame: &Frame) -> Result<Gate, Refused> {
    let gate = Gate::of(&frame.site.settings(), &frame.viewer.account);
    if gate.overview_only { Err(gate.why()) } else { Ok(gate) }
}

async fn find(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let query = uri.query().unwrap_or_default();
    let words = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "q");
    let words = words.map(|(_, words)| words.chars().take(names::WORDS).collect()).unwrap_or_default();
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Explore, "Explore").with_script(Asset::Explore);
    site.pages.build(frame, move |frame, _| names::page(frame, words)).await
}

async fn show(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(name): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Explore, &*shown(&name))
        .with_script(Asset::Charts)
        .with_script(Asset::Explore);
    let query = uri.query().unwrap_or_default().to_owned();
    site.pages
        .build(frame, move |frame, _| {
            let look = Look::of(&name, &query, &frame.zone);
            metric::page(frame, look)
        })
        .await
}

/// What is drawn, as a file.
async fn file(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path((name, file)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Explore, &*shown(&name));
    let kind = FileKind::of(&file).filter(|(name, _)| *name == metric::CHART).map(|(_, kind)| kind);
    let Some(kind) = kind else {
        return site.pages.build(frame, move |frame, _| refused(frame, &nothing(&file))).await;
    };
    let query = uri.query().unwrap_or_default().to_owned();
    let made = site.pages.build(frame, move |frame, _| {
        let look = Look::of(&name, &query, &frame.zone);
        metric::file(frame, look, kind)
    });
    kind.answer(made.await, &format!("{}.{}", metric::CHART, kind.end()))
}

/// What the forms of a metric's page say: keep the chart, or say something of the metric.
async fn change(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(name): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Explore, &*shown(&name));
    let query = uri.query().unwrap_or_default().to_owned();
    let form = Form::read(&site, &viewer, &headers, body).await;
    change_on(&site, frame, form, move |frame, form| {
        let look = Look::of(&name, &query, &frame.zone);
        gate(frame)?;
        if !names::is_there(frame, &look.name)? {
            return Err(nothing(&look.name));
        }
        match form.action() {
            ("keep", _) => keep::keep(frame, &look, form),
            ("facts", _) => facts::set(frame, &look, form),
            _ => Err(Refused::wrong("the form says nothing to do")),
        }
    })
    .await
}

fn nothing(name: &str) -> Refused {
    let mut refused = Refused::nothing();
    refused.why = format!("no metric is called {}, or you do not see its systems", shown(name));
    refused
}

/// Why there is no page of it.
fn refused(frame: &Frame, why: &Refused) -> Built {
    let mut letters = why.why.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let content = html! {
        div.card role="alert" {
            p { (first) (letters.as_str()) "." }
            p { a href=(frame.link(PATH)) { "To all metrics" } }
        }
    };
    Built::from((why.status, frame.page(&content)))
}

/// A text of somebody's as people may read it: nothing that a screen hides or obeys, and no more than fits.
fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut shown: String = text.chars().take(LONGEST).map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a letter is what it looks like: no control, and nothing that turns, joins or hides what stands beside it.
pub(super) fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_what_they_are() {
        assert_eq!(shown("heroku.dyno.mem.rss"), "heroku.dyno.mem.rss");
        assert_eq!(shown("a\u{202e}b\u{200b}\u{7}c"), "a\u{fffd}b\u{fffd}\u{fffd}c");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), 121);
    }
}
