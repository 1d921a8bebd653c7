//! Signing in and out, and one-time links: `/login`, `/logout`, `/invite/LINK`, `/recipients/LINK`.
//!
//! A session is a cookie that scripts do not see and other servers' pages do not send. Who signs in gets a new one. Each form
//! carries a token that only a page of ours can know: it is made from the session's cookie, or, before there is one, from a
//! cookie of the form's own. Nothing here needs a script, and none would run.

mod page;
mod recipient;

use super::access::{self, Denied, Who, by_password, is_same_origin};
use super::back::{HOME, way_back};
use super::cookies::{self, Cookie};
use super::layout;
use super::site::Site;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use logdrain_drain::directory::{Digest, DirectoryError, Member, Whose, opaque};
use logdrain_drain::drain_name::DEFAULT_ACCOUNT;
use logdrain_drain::intake::Intake;
use logdrain_drain::intake::connections::Peer;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use tokio::task::spawn_blocking;

/// The most bytes of a form, and how long it may take to come.
const FORM: usize = 4 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn router(site: Arc<Site>) -> Router<Arc<Intake>> {
    Router::new()
        .route("/login", get(ask).post(sign_in))
        .route("/logout", post(sign_out))
        .route("/invite/{link}", get(invited).post(set_password))
        .route("/recipients/{link}", get(recipient::asked).post(recipient::confirm))
        .route("/recipients/stop/{link}", get(recipient::leaving).post(recipient::leave))
        .with_state(site)
}

/// Begins a session. Answers the cookie that the browser is to keep.
///
/// Whoever calls this has seen who it is, by a password or by single sign-on.
pub async fn begin(site: &Site, account: &str, whose: Whose) -> Result<HeaderValue, DirectoryError> {
    let (directory, account) = (site.directory.clone(), account.to_owned());
    let begun = spawn_blocking(move || directory.begin_session(&account, whose)).await;
    let secret = begun.map_err(|_| DirectoryError::Closed("the server is stopping".to_owned()))??;
    Ok(cookies::set(site, Cookie::Session, secret.reveal()))
}

/// A page with a form, and the cookie that goes with it.
fn with_form(site: &Site, headers: &HeaderMap, status: StatusCode, page: impl FnOnce(&str) -> String) -> Response {
    let known = cookies::of(site, headers, Cookie::Form).filter(|secret| (20..100).contains(&secret.len()));
    let (secret, is_new) = match known {
        Some(secret) => (secret, false),
        None => match opaque() {
            Ok(secret) => (secret.reveal().to_owned(), true),
            Err(error) => return said(headers, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        },
    };
    let mut response = (status, layout::headers(), page(&cookies::form_token(&secret))).into_response();
    if is_new {
        response.headers_mut().append(header::SET_COOKIE, cookies::set(site, Cookie::Form, &secret));
    }
    response
}

fn said(headers: &HeaderMap, status: StatusCode, why: &str) -> Response {
    (status, layout::headers(), page::said(headers, why)).into_response()
}

/// What a form sent.
#[derive(Default)]
struct Form {
    token: String,
    name: String,
    password: String,
    back: Option<String>,
}

impl Form {
    async fn read(body: Body) -> Option<Self> {
        let bytes = tokio::time::timeout(PATIENCE, to_bytes(body, FORM)).await.ok()?.ok()?;
        let mut form = Self::default();
        for (key, value) in form_urlencoded::parse(&bytes) {
            let value = value.into_owned();
            match &*key {
                "form" => form.token = value,
                "name" => form.name = value,
                "password" => form.password = value,
                "return" => form.back = Some(value),
                _ => {}
            }
        }
        Some(form)
    }

    /// Whether it is of a page of ours, and this browser was given it.
    fn is_ours(&self, site: &Site, headers: &HeaderMap, cookie: Cookie) -> bool {
        let is_form = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let own = cookies::of(site, headers, cookie).map(|secret| cookies::form_token(&secret));
        let fits = own.is_some_and(|own| own.as_bytes().ct_eq(self.token.as_bytes()).into());
        is_form && is_same_origin(site, headers) && fits
    }
}

fn too_old(headers: &HeaderMap) -> Response {
    said(
        headers,
        StatusCode::BAD_REQUEST,
        "The form was too old, or your browser keeps no cookies. Go back, load it again, and try once more.",
    )
}

async fn ask(State(site): State<Arc<Site>>, query: RawQuery, headers: HeaderMap) -> Response {
    let query = query.0.unwrap_or_default();
    let back = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "return").map(|(_, path)| path);
    let back = way_back(back.as_deref());
    // Who is in already is told so, and may leave.
    if let Some(viewer) = access::signed_in(&site, &headers)
        && let Some(form) = viewer.form_token()
    {
        let who = match &viewer.who {
            Who::Member { email, .. } => email,
            Who::Operator => "the operator",
            _ => "a guest",
        };
        return (layout::headers(), page::inside(&headers, form, (who, &viewer.account), back)).into_response();
    }
    with_form(&site, &headers, StatusCode::OK, |form| page::login(&headers, form, ("", back), None))
}

async fn sign_in(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(form) = Form::read(body).await else { return too_old(&headers) };
    if !form.is_ours(&site, &headers, Cookie::Form) {
        return too_old(&headers);
    }
    let back = way_back(form.back.as_deref());
    let again = |why: Denied| {
        let why = match why {
            Denied::Wrong => "That e-mail address and password do not belong together.",
            Denied::Guessing => "Too many wrong passwords come from your address. Wait a moment.",
            Denied::Closed => "Nobody but the operator can sign in now: members and passwords cannot be read.",
            _ => "Many sign in just now. Wait a moment.",
        };
        let page = |token: &str| page::login(&headers, token, (&form.name, back), Some(why));
        with_form(&site, &headers, StatusCode::UNPROCESSABLE_ENTITY, page)
    };
    match who_signs_in(&site, &peer, form.name.trim(), &form.password).await {
        Ok((account, whose)) => enter(&site, &headers, &account, whose, back).await,
        Err(why) => again(why),
    }
}

/// A member, or who watches.
async fn who_signs_in(site: &Site, peer: &Peer, name: &str, password: &str) -> Result<(String, Whose), Denied> {
    let access = site.intake.access();
    let pair = format!("{name}:{password}");
    if !site.intake.may_try(peer, pair.as_bytes()) {
        return Err(Denied::Guessing);
    }
    if access.is_watcher(pair.as_bytes())
        && let Some(mark) = access.watcher_mark()
    {
        site.intake.was_good(peer, pair.as_bytes());
        return Ok((DEFAULT_ACCOUNT.to_owned(), Whose::Operator(Digest::of(mark))));
    }
    match by_password(site, peer, name, password).await? {
        Some(member) => {
            site.intake.was_good(peer, pair.as_bytes());
            Ok((member.account.clone(), Whose::Member(member.id)))
        }
        None => access::wrong(site, peer, Some(name)).await,
    }
}

/// Begins a session, ends the one that this browser had, and leads on.
async fn enter(site: &Site, headers: &HeaderMap, account: &str, whose: Whose, back: &str) -> Response {
    if let Some(old) = cookies::of(site, headers, Cookie::Session) {
        let directory = site.directory.clone();
        let _ = spawn_blocking(move || directory.end_session(&old)).await;
    }
    match begin(site, account, whose).await {
        Ok(cookie) => {
            let end = cookies::set(site, Cookie::Form, "");
            let mut response = lead_to(back);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response.headers_mut().append(header::SET_COOKIE, end);
            response
        }
        Err(error) => said(headers, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

fn lead_to(path: &str) -> Response {
    let to = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static(HOME));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}

async fn sign_out(State(site): State<Arc<Site>>, headers: HeaderMap, body: Body) -> Response {
    let Some(form) = Form::read(body).await else { return too_old(&headers) };
    if !form.is_ours(&site, &headers, Cookie::Session) {
        return too_old(&headers);
    }
    if let Some(secret) = cookies::of(&site, &headers, Cookie::Session) {
        let directory = site.directory.clone();
        let _ = spawn_blocking(move || directory.end_session(&secret)).await;
    }
    let mut response = lead_to("/login");
    response.headers_mut().append(header::SET_COOKIE, cookies::set(&site, Cookie::Session, ""));
    response
}

/// Whose password a link sets. A link is a secret: guesses at one are slowed as those at a password.
async fn linked(site: &Site, peer: &Peer, headers: &HeaderMap, link: &str) -> Result<Arc<Member>, Response> {
    if !site.intake.may_try(peer, link.as_bytes()) {
        return Err(Denied::Guessing.text());
    }
    let found = match site.directory.linked(link) {
        None if site.directory.look().await => site.directory.linked(link),
        found => found,
    };
    if let Some(member) = found {
        site.intake.was_good(peer, link.as_bytes());
        return Ok(member);
    }
    let _: Result<(), Denied> = access::wrong(site, peer, None).await;
    Err(said(headers, StatusCode::NOT_FOUND, "The link was used, or is too old. Ask whoever sent it for another one."))
}

async fn invited(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Response {
    match linked(&site, &peer, &headers, &link).await {
        Ok(member) => with_form(&site, &headers, StatusCode::OK, |form| page::invited(&headers, form, &member, None)),
        Err(response) => response,
    }
}

async fn set_password(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(link): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(form) = Form::read(body).await else { return too_old(&headers) };
    if !form.is_ours(&site, &headers, Cookie::Form) {
        return too_old(&headers);
    }
    let member = match linked(&site, &peer, &headers, &link).await {
        Ok(member) => member,
        Err(response) => return response,
    };
    let (directory, password) = (site.directory.clone(), form.password);
    match site.checks.run(move || directory.set_password_by(&link, &password)).await {
        Some(Ok(member)) => enter(&site, &headers, &member.account, Whose::Member(member.id), HOME).await,
        Some(Err(DirectoryError::Invalid(why))) => {
            let page = |form: &str| page::invited(&headers, form, &member, Some(&why));
            with_form(&site, &headers, StatusCode::UNPROCESSABLE_ENTITY, page)
        }
        Some(Err(error)) => said(&headers, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        None => said(&headers, StatusCode::SERVICE_UNAVAILABLE, "Many sign in just now. Wait a moment, and try again."),
    }
}
