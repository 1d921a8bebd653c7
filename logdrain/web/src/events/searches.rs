//! Saved searches by forms: saved from the page of lines, changed and removed on a page of their own.
//!
//! What changes something is a POST with the form's token, of a page of this server.

use super::Shared;
use super::address::{Ask, QUERY};
use super::text::LogText;
use crate::access::{self, ALL_SYSTEMS, Denied, Viewer, Way, Who};
use crate::layout::{self, Frame, Tab};
use crate::site::Site;
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use jiff::tz::TimeZone;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::journal::ChangeError;
use logdrain_drain::settings::account::Search;
use logdrain_drain::settings::change::{Change, Misfit};
use maud::{Markup, html};
use std::sync::Arc;
use std::time::Duration;

/// The most bytes of a form, and how long it may take to come.
const FORM: usize = 3 * QUERY + (8 << 10);
const PATIENCE: Duration = Duration::from_secs(10);
/// Groups that are offered.
const GROUPS: usize = 500;
const NAME: usize = 256;

/// Whether whoever asks is shown the way to save: a page that a link leads to does not tell whose browser it is that will
/// send the form.
pub(super) fn may_save(site: &Site, viewer: &Viewer, group: Option<u32>) -> bool {
    viewer.may_save_search(group) || viewer.who == Who::Open && !site.open_reading
}

/// What a form sent.
#[derive(Debug, Default)]
struct Form {
    token: String,
    account: Option<String>,
    name: String,
    query: String,
    group: Option<u32>,
    replace: Option<u32>,
}

impl Form {
    async fn read(body: Body) -> Option<Self> {
        let bytes = tokio::time::timeout(PATIENCE, to_bytes(body, FORM)).await.ok()?.ok()?;
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(&bytes) {
            match &*name {
                "form" => form.token = value.into_owned(),
                "account" => form.account = Some(value.into_owned()),
                "name" => value.trim().clone_into(&mut form.name),
                "q" => form.query = value.into_owned(),
                "group" => form.group = value.parse().ok().filter(|id| *id != ALL_SYSTEMS),
                "replace" => form.replace = value.parse().ok(),
                _ => {}
            }
        }
        Some(form)
    }
}

/// Why nothing was changed.
enum Refused {
    Denied(Denied),
    Said(StatusCode, String),
}

impl From<Denied> for Refused {
    fn from(why: Denied) -> Self {
        Self::Denied(why)
    }
}

impl Refused {
    fn answer(self, asked: &Asked) -> Response {
        match self {
            Self::Denied(why) => layout::denied(why, &asked.site, &asked.method, &asked.uri, &asked.headers),
            Self::Said(status, why) => match &asked.frame {
                Some(frame) => {
                    let page = frame.page(&html! { div.card { p { (LogText::plain(why.as_bytes(), 1_000)) } p { a href="/events" { "Back to the lines" } } } });
                    (status, layout::headers(), page.into_string()).into_response()
                }
                None => (status, format!("{why}\n")).into_response(),
            },
        }
    }

    fn said(status: StatusCode, why: impl Into<String>) -> Self {
        Self::Said(status, why.into())
    }

    fn nothing() -> Self {
        Self::said(StatusCode::NOT_FOUND, "There is no such saved search.")
    }
}

/// A request, with whoever sent it.
struct Asked {
    site: Arc<Site>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    frame: Option<Frame>,
}

impl Asked {
    fn new(site: Arc<Site>, method: Method, uri: Uri, headers: HeaderMap) -> Self {
        Self { site, method, uri, headers, frame: None }
    }

    /// Who asks, at the account that he names.
    async fn viewer(&mut self, peer: &Peer, account: Option<&str>) -> Result<Viewer, Refused> {
        let mut viewer = access::viewer(&self.site, peer, &self.headers, Way::Page).await?;
        if !viewer.may_read() {
            return Err(Denied::Forbidden.into());
        }
        if let Some(account) = account {
            viewer.choose(account)?;
        }
        self.frame = Some(Frame::new(&self.site, &viewer, &self.headers, &self.uri, Tab::Events, "Saved search"));
        Ok(viewer)
    }

    /// A form of a page of ours, and who sent it.
    async fn form(&mut self, peer: &Peer, body: Body) -> Result<(Viewer, Form), Refused> {
        let says = |name, value: &[u8]| self.headers.get(name).is_some_and(|found| found.as_bytes().starts_with(value));
        let is_form = says(header::CONTENT_TYPE.as_str(), b"application/x-www-form-urlencoded");
        let is_elsewhere = says("sec-fetch-site", b"cross-site") || says("sec-fetch-site", b"same-site");
        if is_elsewhere || !access::is_same_origin(&self.site, &self.headers) {
            return Err(Denied::Elsewhere.into());
        }
        // Who asks first: nobody else's bytes are read.
        let viewer = self.viewer(peer, None).await?;
        let form = if is_form { Form::read(body).await } else { None };
        let form = form.ok_or(Refused::Said(
            StatusCode::BAD_REQUEST,
            "The form is too long, or it did not come whole.".to_owned(),
        ))?;
        if !viewer.is_form(Some(&form.token)) {
            return Err(Denied::Form.into());
        }
        let viewer = match &form.account {
            Some(account) => self.viewer(peer, Some(account)).await?,
            None => viewer,
        };
        Ok((viewer, form))
    }

    /// A search that is there for whoever asks.
    fn found(&self, viewer: &Viewer, id: &str) -> Result<(u32, Search), Refused> {
        let id: u32 = id
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| id.parse().ok())
            .flatten()
            .ok_or_else(Refused::nothing)?;
        let settings = self.site.settings();
        let search = settings.account(&viewer.account).searches.get(&id);
        let search = search.filter(|search| search.group.is_none_or(|group| viewer.sees_group(group)));
        search.cloned().map(|search| (id, search)).ok_or_else(Refused::nothing)
    }

    /// The search that a form describes, as far as whoever sent it may save it.
    fn said(&self, viewer: &Viewer, form: Form) -> Result<Search, Refused> {
        let Form { name, query, group, .. } = form;
        if name.is_empty() || name.len() > NAME {
            return Err(Refused::said(
                StatusCode::BAD_REQUEST,
                format!("A saved search has a name of 1 to {NAME} bytes."),
            ));
        }
        if query.len() > QUERY {
            return Err(Refused::said(StatusCode::BAD_REQUEST, format!("A query has {QUERY} bytes at most.")));
        }
        let is_there =
            |id| self.site.settings().account(&viewer.account).groups.contains_key(&id) && viewer.sees_group(id);
        if group.is_some_and(|id| !is_there(id)) {
            return Err(Refused::said(StatusCode::BAD_REQUEST, "There is no such group."));
        }
        saves(viewer, group)?;
        Ok(Search { name, query, group })
    }

    async fn change(&self, change: Change) -> Result<Option<u32>, Refused> {
        match self.site.intake.change(change).await {
            Ok(changed) => Ok(changed.id),
            Err(ChangeError::Unfit(unfit)) if unfit.kind == Misfit::NotFound => Err(Refused::nothing()),
            Err(ChangeError::Unfit(unfit)) => {
                Err(Refused::said(StatusCode::BAD_REQUEST, format!("It was not saved: {}.", unfit.why)))
            }
            Err(ChangeError::CannotStore) => Err(Refused::said(
                StatusCode::SERVICE_UNAVAILABLE,
                "Changes cannot be stored now. Try again in a moment.",
            )),
        }
    }

    /// Holds others off who read a search to write it back changed.
    async fn alone(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Refused> {
        let busy =
            |_| Refused::said(StatusCode::SERVICE_UNAVAILABLE, "Others are changing settings. Try again in a moment.");
        tokio::time::timeout(PATIENCE, self.site.changing.lock()).await.map_err(busy)
    }

    fn lead_to(&self, path: &str, parameters: &[(&str, &str)]) -> Response {
        let to = self.frame.as_ref().map_or_else(|| path.to_owned(), |frame| frame.link_with(path, parameters));
        (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())])
            .into_response()
    }
}

fn saves(viewer: &Viewer, group: Option<u32>) -> Result<(), Refused> {
    if viewer.may_save_search(group) { Ok(()) } else { Err(Denied::Forbidden.into()) }
}

/// `POST /searches`: a new search, or another one in place of one.
pub(super) async fn save(
    State((site, _)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut asked = Asked::new(site, method, uri, headers);
    let saved: Result<Response, Refused> = async {
        let (viewer, form) = asked.form(&peer, body).await?;
        let account = viewer.account.clone();
        let replace = form.replace;
        let search = asked.said(&viewer, form)?;
        let id = match replace {
            None => asked.change(Change::AddSearch { account, search }).await?.unwrap_or(0),
            Some(id) => {
                let _alone = asked.alone().await?;
                let (id, old) = asked.found(&viewer, &id.to_string())?;
                saves(&viewer, old.group)?;
                asked.change(Change::SetSearch { account, id, search }).await?;
                id
            }
        };
        Ok(asked.lead_to("/events", &[("search", &id.to_string())]))
    }
    .await;
    saved.unwrap_or_else(|why| why.answer(&asked))
}

/// `GET /searches/ID/edit`: the page on which one is changed.
pub(super) async fn edit(
    State((site, _)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let ask = Ask::of_page(uri.query().unwrap_or_default(), TimeZone::UTC);
    let mut asked = Asked::new(site, method, uri, headers);
    let shown: Result<Response, Refused> = async {
        let ask = ask.map_err(|wrong| Refused::said(StatusCode::BAD_REQUEST, wrong.0))?;
        // Who may look at any account looks at the one that is named.
        let first = asked.viewer(&peer, None).await?;
        let viewer = match first.sees_all_accounts() {
            true => asked.viewer(&peer, Some(&ask.account)).await?,
            false => first,
        };
        let (id, search) = asked.found(&viewer, &id)?;
        if !may_save(&asked.site, &viewer, search.group) {
            return Err(Denied::Forbidden.into());
        }
        let frame = asked.frame.as_ref().ok_or_else(Refused::nothing)?;
        let page = frame.page(&form(frame, &viewer, id, &search));
        Ok((StatusCode::OK, layout::headers(), page.into_string()).into_response())
    }
    .await;
    shown.unwrap_or_else(|why| why.answer(&asked))
}

fn form(frame: &Frame, viewer: &Viewer, id: u32, search: &Search) -> Markup {
    let settings = frame.site.settings();
    let groups = settings.account(&viewer.account).groups.iter().filter(|(id, _)| viewer.sees_group(**id)).take(GROUPS);
    let account = frame.account();
    html! {
        div.card {
            form.named action=(format!("/searches/{id}/edit")) method="post" {
                (frame.form_token())
                @if let Some(account) = account { input type="hidden" name="account" value=(account); }
                label { "Name" input name="name" value=(search.name) maxlength="200" autocomplete="off" required; }
                label { "Query" textarea name="q" rows="3" spellcheck="false" { (search.query) } }
                label { "Group"
                    select name="group" {
                        option value="" { "All systems" }
                        @for (id, group) in groups { option value=(id) selected[search.group == Some(*id)] { (LogText::plain(group.name.as_bytes(), 300).text()) } }
                    }
                }
                button.btn.primary type="submit" { "Save" }
            }
        }
        div.card {
            form.named action=(format!("/searches/{id}/delete")) method="post" {
                (frame.form_token())
                @if let Some(account) = account { input type="hidden" name="account" value=(account); }
                p { "Lines stay; the name and its query go." }
                button.btn.danger type="submit" { "Delete this saved search" }
            }
        }
        p { a href=(frame.link_with("/events", &[("search", &id.to_string())])) { "Back to its lines" } }
    }
}

/// `POST /searches/ID/edit`
pub(super) async fn set(
    State((site, _)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut asked = Asked::new(site, method, uri, headers);
    let saved: Result<Response, Refused> = async {
        let (viewer, form) = asked.form(&peer, body).await?;
        let _alone = asked.alone().await?;
        let (id, old) = asked.found(&viewer, &id)?;
        saves(&viewer, old.group)?;
        let search = asked.said(&viewer, form)?;
        if search != old {
            asked.change(Change::SetSearch { account: viewer.account.clone(), id, search }).await?;
        }
        Ok(asked.lead_to("/events", &[("search", &id.to_string())]))
    }
    .await;
    saved.unwrap_or_else(|why| why.answer(&asked))
}

/// `POST /searches/ID/delete`
pub(super) async fn remove(
    State((site, _)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut asked = Asked::new(site, method, uri, headers);
    let removed: Result<Response, Refused> = async {
        let (viewer, _) = asked.form(&peer, body).await?;
        let (id, search) = asked.found(&viewer, &id)?;
        saves(&viewer, search.group)?;
        asked.change(Change::RemoveSearch { account: viewer.account.clone(), id }).await?;
        Ok(asked.lead_to("/events", &[]))
    }
    .await;
    removed.unwrap_or_else(|why| why.answer(&asked))
}
