//! Alerts: which there are and how they stand, each with what it told, forms that make, change, try and mute them, and the
//! channels that they tell.
//!
//! ```text
//! GET  /alerts...   who asks -> what /api/v2 tells -> the page
//! POST /alerts...   who asks -> the form, its token -> what /api/v2 does -> the page again, or what came of it
//! ```
//!
//! A form changes nothing by itself: it is handed to `/api/v2` as a request is, with the same checks of rights and bounds.
//! Nothing here needs a script.

mod channels;
mod draft;
mod fields;
mod list;
mod one;
mod seen;
mod told;
mod trial;
mod write;

use super::access::{Denied, Viewer};
use super::dashboards::{Form, viewer};
use super::layout::{self, Frame, Tab};
use super::site::Site;
use super::v2;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use logdrain_drain::intake::Intake;
use logdrain_drain::intake::connections::Peer;
use maud::{Markup, html};
use serde_json::Value;
use std::sync::Arc;

pub(super) const PATH: &str = "/alerts";

/// What these pages ask.
#[derive(Debug)]
pub(super) struct Rooms {
    site: Arc<Site>,
    v2: Arc<v2::Api>,
}

pub(super) fn router(site: Arc<Site>, v2: Arc<v2::Api>) -> Router<Arc<Intake>> {
    Router::new()
        .route("/alerts", get(show::<list::Alerts>).post(act::<list::Alerts>))
        .route("/alerts/channels", get(show::<channels::Channels>).post(act::<channels::Channels>))
        .route("/alerts/history", get(told::show))
        .route("/alerts/new", get(write::new).post(write::make))
        .route("/alerts/{id}", get(one::show).post(one::act))
        .route("/alerts/{id}/edit", get(write::edit).post(write::change))
        .with_state(Arc::new(Rooms { site, v2 }))
}

/// A page of an address of its own, with the forms on it.
trait Place {
    /// Does what a form says; answers where that leads, and what is said there of it.
    fn done(asked: &Asked, form: &Form) -> impl Future<Output = Result<(String, &'static str), Refused>> + Send;
    /// The page; `told` is what came of a form.
    fn page(asked: &Asked, told: Told) -> impl Future<Output = Response> + Send;
}

async fn show<P: Place>(
    State(rooms): State<Arc<Rooms>>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match Asked::of(rooms, &peer, (method, uri, headers)).await {
        Ok(asked) => P::page(&asked, Told::Nothing).await,
        Err(response) => response,
    }
}

async fn act<P: Place>(
    State(rooms): State<Arc<Rooms>>,
    Extension(peer): Extension<Arc<Peer>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asked = match Asked::of(rooms, &peer, (Method::POST, uri, headers)).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let done = match asked.form(body).await {
        Ok(form) => P::done(&asked, &form).await,
        Err(why) => Err(why),
    };
    match done {
        Ok((path, done)) => asked.lead_to(&path, done),
        Err(why) => P::page(&asked, Told::Refused(why)).await,
    }
}

/// Why something was not done.
type Refused = (StatusCode, String);

/// A request of somebody who may see alerts.
struct Asked {
    rooms: Arc<Rooms>,
    viewer: Viewer,
    uri: Uri,
    headers: HeaderMap,
}

impl Asked {
    /// Lets somebody in, for the account that the address names.
    async fn of(
        rooms: Arc<Rooms>,
        peer: &Peer,
        (method, uri, headers): (Method, Uri, HeaderMap),
    ) -> Result<Self, Response> {
        let viewer = viewer(&rooms.site, peer, &method, &uri, &headers).await?;
        if !viewer.sees_all_groups() {
            return Err(layout::denied(Denied::Forbidden, &rooms.site, &method, &uri, &headers));
        }
        Ok(Self { rooms, viewer, uri, headers })
    }

    fn frame(&self, title: impl Into<String>) -> Frame {
        Frame::new(&self.rooms.site, &self.viewer, &self.headers, &self.uri, Tab::Alerts, title)
    }

    fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// Asks `/api/v2`, by a path behind it.
    async fn v2(&self, method: Method, path: &str, body: Value) -> Result<Value, Refused> {
        v2::act(&self.rooms.v2, self.viewer.clone(), &self.headers, (method, path), body).await
    }

    async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.v2(Method::GET, path, Value::Null).await
    }

    /// The alert that a path names, or what there is of it behind that.
    async fn alert(&self, id: &str, end: &str) -> Result<Value, Refused> {
        let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Err((StatusCode::NOT_FOUND, "there is no such alert".to_owned()));
        }
        self.get(&format!("alerts/{id}{end}")).await
    }

    /// Reads a form that was made for whoever sends it.
    async fn form(&self, body: Body) -> Result<Form, Refused> {
        let form = Form::read(&self.rooms.site, &self.viewer, &self.headers, body).await;
        form.map_err(|refused| (refused.status, refused.why))
    }

    /// A page; `told` is what came of a form.
    async fn page(
        &self,
        title: impl Into<String>,
        told: Told,
        content: impl FnOnce(&Frame) -> Markup + Send + 'static,
    ) -> Response {
        let frame = self.frame(title);
        let here = self.uri.path().to_owned();
        let done = done(self.query());
        let status = told.status();
        let build = move |frame: &Frame, _: &super::turns::Budget| {
            let page = html! {
                main.page.alerts id="main" {
                    (list::tabs(frame, &here))
                    @match &told {
                        Told::Nothing => @if let Some(said) = done { p.banner.info role="status" { (said) } },
                        Told::Refused((_, why)) => (wrong(why)),
                        Told::Said(said) => (said),
                    }
                    (content(frame))
                }
            };
            (status, frame.document(&page))
        };
        self.rooms.site.pages.build(frame, build).await
    }

    /// The page that says why there is no other.
    async fn refused(&self, why: Refused) -> Response {
        let back = |frame: &Frame| html! { p { a href=(frame.link(PATH)) { "To all alerts" } } };
        self.page("Alerts", Told::Refused(why), back).await
    }

    /// Leads to another page, which says what was done.
    fn lead_to(&self, path: &str, done: &str) -> Response {
        let to = self.frame("").link_with(path, &[("done", done)]);
        (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())])
            .into_response()
    }
}

/// What stands above a page.
enum Told {
    Nothing,
    Refused(Refused),
    Said(Markup),
}

impl Told {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Refused((status, _)) => *status,
            _ => StatusCode::OK,
        }
    }
}

/// Something that did not work, and why.
fn wrong(why: &str) -> Markup {
    let mut letters = why.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let rest = letters.as_str();
    html! { p.banner.bad role="alert" { (first) (rest) @if !rest.ends_with('.') { "." } } }
}

/// What an address may say that was done.
const DONE: [(&str, &str); 13] = [
    ("made", "The alert is on. It looks at what comes from now on."),
    ("saved", "The alert is changed. If it asks something else, it begins anew."),
    ("removed", "The alert is gone."),
    ("on", "The alert is on again. It looks at what comes from now on."),
    ("off", "The alert is off."),
    ("muted", "The alert is muted. Nothing of the time until then is ever told."),
    ("unmuted", "The alert speaks again."),
    ("rearmed", "What it has told is cleared. If it still holds, it is told at once."),
    ("tested", "A test message is on its way to its channels."),
    ("channel", "The channel is there. Tick it in the alerts that it is to tell."),
    ("channel-saved", "The channel is changed."),
    ("channel-tested", "A test message is on its way. What came of it stands under what was told."),
    ("channel-removed", "The channel is gone. What waited for it is not sent."),
];

fn done(query: &str) -> Option<&'static str> {
    let key = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done").map(|(_, key)| key)?;
    DONE.iter().find(|(known, _)| *known == key).map(|(_, said)| *said)
}
