//! Pages of an account: its members, plan, filters and the rest, each with the forms that change it; and its archives.
//!
//! ```text
//! GET  /account/PART   who asks -> what he may see of it -> the page
//! POST /account/PART   who asks -> the form, its token -> what the API does -> the page again, or what came of it
//! ```
//!
//! A form changes nothing by itself: it is handed to `/api/v2`, `/api/v1` or the directory as a request is, with the same
//! checks of rights and bounds. Nothing here needs a script.

mod actions;
mod archives;
mod destinations;
mod filters;
mod fitting;
mod form;
mod members;
mod part;
mod patterns;
mod plan;
mod profile;
mod searches;
mod sent;
mod tokens;

use super::access::{self, Denied, Viewer, Way};
use super::layout::{self, Frame, Tab};
use super::site::Site;
use super::turns::Budget;
use super::{v1, v2};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use form::Form;
use logdrain_drain::counting::board::Board;
use logdrain_drain::intake::Intake;
use logdrain_drain::intake::connections::Peer;
use logdrain_terms::escape::Escaped;
use maud::Markup;
use part::Part;
use sent::Outcome;
use std::sync::Arc;

/// What these pages ask.
#[derive(Debug)]
pub(super) struct Rooms {
    site: Arc<Site>,
    v1: Arc<v1::Api>,
    v2: Arc<v2::Api>,
    /// What came of each drain.
    board: Board,
}

/// Where a new account sees what to do.
pub(super) const FIRST: &str = Part::Destinations.path();

/// Whether nothing was ever heard of an account.
pub(super) fn is_new(site: &Site, viewer: &Viewer) -> bool {
    viewer.sees_all_groups() && destinations::waits(site, viewer)
}

type Shared = State<Arc<Rooms>>;

pub(super) fn router(site: Arc<Site>, (v1, v2): (Arc<v1::Api>, Arc<v2::Api>), board: Board) -> Router<Arc<Intake>> {
    Router::new()
        .route("/account", get(first))
        .route("/account/{part}", get(show).post(act))
        .route("/archives", get(archives::list))
        .route("/archives/{period}", get(archives::download))
        .with_state(Arc::new(Rooms { site, v1, v2, board }))
}

/// Whoever looks at pages, and the account that he names.
async fn enter(site: &Site, peer: &Peer, headers: &HeaderMap, uri: &Uri) -> Result<Viewer, Denied> {
    let mut viewer = access::viewer(site, peer, headers, Way::Page).await?;
    if !viewer.may_read() {
        return Err(Denied::Forbidden);
    }
    let named =
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).filter(|(name, _)| name == "account");
    if let Some((_, account)) = named.last().filter(|(_, account)| !account.is_empty()) {
        if !v2::has_account(&site.settings(), &account) {
            return Err(Denied::OtherAccount);
        }
        viewer.choose(&account)?;
    }
    Ok(viewer)
}

/// The part that is for everybody.
async fn first(
    State(rooms): Shared,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match enter(&rooms.site, &peer, &headers, &uri).await {
        Ok(viewer) => {
            let frame = Frame::new(&rooms.site, &viewer, &headers, &uri, Tab::Account, "Account");
            lead_to(&frame.link(Part::Profile.path()))
        }
        Err(why) => layout::denied(why, &rooms.site, &method, &uri, &headers),
    }
}

async fn show(
    State(rooms): Shared,
    Extension(peer): Extension<Arc<Peer>>,
    Path(part): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some(part) = Part::called(&part) else { return no_such_page(&method, &headers) };
    let viewer = match enter(&rooms.site, &peer, &headers, &uri).await {
        Ok(viewer) => viewer,
        Err(why) => return layout::denied(why, &rooms.site, &method, &uri, &headers),
    };
    if !part.is_for(&viewer) {
        return layout::denied(Denied::Forbidden, &rooms.site, &method, &uri, &headers);
    }
    let told = match part {
        Part::Patterns => patterns::look(&rooms, &viewer, &uri).await,
        _ => Ok(None),
    };
    match told {
        Ok(told) => page(&rooms, part, &viewer, &headers, &uri, (StatusCode::OK, told)).await,
        Err((status, why)) => page(&rooms, part, &viewer, &headers, &uri, (status, Some(part::wrong(&why)))).await,
    }
}

async fn act(
    State(rooms): Shared,
    Extension(peer): Extension<Arc<Peer>>,
    Path(part): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let method = Method::POST;
    let site = &rooms.site;
    let Some(part) = Part::called(&part) else { return no_such_page(&method, &headers) };
    let viewer = match enter(site, &peer, &headers, &uri).await {
        Ok(viewer) => viewer,
        Err(why) => return layout::denied(why, site, &method, &uri, &headers),
    };
    // A password that the browser knows comes with forms of other pages, too.
    let is_elsewhere = headers.get("sec-fetch-site").is_some_and(|from| from == "cross-site" || from == "same-site");
    if is_elsewhere || !access::is_same_origin(site, &headers) {
        return layout::denied(Denied::Elsewhere, site, &method, &uri, &headers);
    }
    let form = match Form::read(site, &viewer, &headers, body).await {
        Ok(Some(form)) if viewer.is_form(form.text("form")) => form,
        Ok(_) => return layout::denied(Denied::Form, site, &method, &uri, &headers),
        Err((status, why)) => return layout::refused(&method, &headers, status, "Come again", &why),
    };
    if !part.is_for(&viewer) {
        return layout::denied(Denied::Forbidden, site, &method, &uri, &headers);
    }
    match actions::act(&rooms, &viewer, &headers, part, &form).await {
        Ok(Outcome::Done(key)) => {
            let frame = Frame::new(site, &viewer, &headers, &uri, Tab::Account, "");
            lead_to(&frame.link_with(part.path(), &[("done", key)]))
        }
        Ok(Outcome::Told(told)) => page(&rooms, part, &viewer, &headers, &uri, (StatusCode::OK, Some(told))).await,
        Err((status, why)) => page(&rooms, part, &viewer, &headers, &uri, (status, Some(part::wrong(&why)))).await,
    }
}

async fn page(
    rooms: &Arc<Rooms>,
    part: Part,
    viewer: &Viewer,
    headers: &HeaderMap,
    uri: &Uri,
    (status, told): (StatusCode, Option<Markup>),
) -> Response {
    let frame = Frame::new(&rooms.site, viewer, headers, uri, Tab::Account, part.title());
    let base = rooms.site.base(headers);
    let is_still = destinations::is_still(uri.query().unwrap_or_default());
    let waits = part == Part::Destinations && !is_still && destinations::waits(&rooms.site, viewer);
    let frame = if waits { frame.with_refresh(5) } else { frame };
    let (of, query) = (rooms.clone(), uri.query().unwrap_or_default().to_owned());
    let build = move |frame: &Frame, budget: &Budget| {
        let content = part::content(&of, frame, part, (&query, &base), budget);
        (status, part::document(frame, part, &query, told.as_ref(), &content))
    };
    rooms.site.pages.build(frame, build).await
}

fn no_such_page(method: &Method, headers: &HeaderMap) -> Response {
    let why = "There is no page at this address.";
    layout::refused(method, headers, StatusCode::NOT_FOUND, "No such page", why)
}

fn lead_to(path: &str) -> Response {
    let to = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}

/// A name that somebody gave, with nothing in it that a screen hides or obeys.
fn shown(name: &str) -> String {
    Escaped(name).to_string()
}
