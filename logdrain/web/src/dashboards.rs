//! Dashboards: five that are there for everybody, those that accounts and members make, links that share one, and charts as
//! files.
//!
//! ```text
//! address -> who asks -> which dashboard -> series of its charts (minutes) -> chart -> page
//! ```
//!
//! A page is built on a thread of its own, in its turn, in memory that is counted: so many charts, series and points, and
//! no more time than a page has; a chart that finds none says so. The address is all that a page knows: each look can be
//! handed on as a link. Changes come by forms with the token of the session, and by `/api/v2`.

mod ask;
mod board;
mod card;
mod change;
mod chart_form;
mod edit;
mod facts;
mod fields;
mod file;
mod form;
mod lines;
mod look;
mod marks;
mod new;
mod number;
mod page;
mod refused;
mod seen;
mod share;
mod shared;
mod show;
mod table;
mod ways;

pub(super) use ask::{RANGES, Range, Wanted};
pub(super) use board::{Gate, Refused, find};
pub(super) use change::{add, may_change, remove, set};
pub(super) use file::{Kind as FileKind, of_plot};
pub(super) use form::Form;
pub(super) use new::{copied, copied_as};
pub(super) use seen::of as asking;
pub(super) use share::{Opens, make as make_share, may_share, remove as remove_share};

use super::access::{self, Denied, Viewer, Way, Who};
use super::layout::{self, Frame};
use super::pages::Built;
use super::site::Site;
use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use logdrain_drain::intake::Intake;
use logdrain_drain::intake::connections::Peer;
use maud::html;
use std::sync::{Arc, OnceLock};

/// The first of them.
pub(super) const PATH: &str = "/dashboards/overview";

pub(super) fn router(site: Arc<Site>) -> Router<Arc<Intake>> {
    Router::new()
        .route("/dashboards", get(show::first).post(new::make))
        .route("/dashboards/new", get(new::ask))
        .route("/dashboards/{id}", get(show::show))
        .route("/dashboards/{id}/edit", get(edit::show).post(edit::change))
        .route("/dashboards/{id}/charts/{chart}", get(chart_form::show).post(chart_form::change))
        .route("/dashboards/{id}/share", get(share::show).post(share::change))
        .route("/dashboards/{id}/export", get(file::export))
        .route("/charts/{board}/{file}", get(file::chart))
        .route("/shared/{link}", get(shared::show))
        .route("/shared/{link}/{file}", get(shared::file))
        .with_state(site)
}

/// Whoever asks for a page, looking at the account that the address names.
pub(super) async fn viewer(
    site: &Arc<Site>,
    peer: &Peer,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Viewer, Response> {
    let denied = |why: Denied| layout::denied(why, site, method, uri, headers);
    let mut viewer = access::viewer(site, peer, headers, Way::Page).await.map_err(denied)?;
    let query = uri.query().unwrap_or_default();
    let account = form_urlencoded::parse(query.as_bytes()).find(|(key, value)| key == "account" && !value.is_empty());
    if let Some((_, account)) = account {
        let is_name = logdrain_drain::settings::account::is_account_name(&account);
        let chosen = if is_name { viewer.choose(&account) } else { Err(Denied::OtherAccount) };
        chosen.map_err(denied)?;
    }
    // Where nobody has to sign in, an address that was typed shows the forms, too; what they send is judged by itself.
    if viewer.who == Who::Open && *method == Method::GET && !site.open_reading {
        viewer.rights.read_only = false;
    }
    if viewer.may_read() { Ok(viewer) } else { Err(denied(Denied::Forbidden)) }
}

/// Leads to another page.
fn lead_to(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned()), (header::CACHE_CONTROL, "no-store".to_owned())])
        .into_response()
}

/// Does what a form says, where it may wait for the disk, and leads on; what cannot be done is said, and changes nothing.
pub(super) async fn change_on(
    site: &Arc<Site>,
    frame: Frame,
    form: Result<Form, Refused>,
    change: impl FnOnce(&Frame, &Form) -> Result<String, Refused> + Send + 'static,
) -> Response {
    let form = match form {
        Ok(form) => form,
        Err(why) => return site.pages.build(frame, move |frame, _| refused::refused(frame, &why)).await,
    };
    let to = Arc::new(OnceLock::new());
    let told = to.clone();
    let page = site.pages.build(frame, move |frame, _| match change(frame, &form) {
        Ok(path) => {
            let _ = told.set(path);
            Built::from(html! {})
        }
        Err(why) => refused::refused(frame, &why),
    });
    let page = page.await;
    match to.get() {
        Some(path) => lead_to(path),
        None => page,
    }
}
