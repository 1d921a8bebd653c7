//! Single sign-on from Heroku's pages, and links that lead there and back.
//!
//! ```text
//! token                      = SHA-1   of ID:SALT:TIMESTAMP
//! resource_token             = SHA-1   of UUID:SALT:TIMESTAMP
//! user_scoped_resource_token = SHA-256 of UUID:SALT:TIMESTAMP:USER-ID:EMAIL
//! ```
//!
//! Only the third one vouches for who comes. With the other two alone somebody may look and change nothing, and no address
//! is believed. The first is the second, since a resource's id is its UUID. Each is good once, within five minutes.

use super::{House, grant, later, said, shown, turn};
use crate::access::{Way, viewer};
use crate::back;
use crate::cookies;
use crate::resource::{account_of, uuid};
use crate::session;
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use logdrain_drain::directory::Whose;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::seal::hex;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use tokio::task::spawn_blocking;

/// How old a sign-on may be, and how far ahead of this clock.
const AGE: i64 = 300;
/// The longest form.
const FORM: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(10);
/// The way back is kept in a cookie while Heroku is asked.
const BACK: &str = "logdrain-return";
const BACK_SECONDS: u32 = 600;

/// What a form of Heroku says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignOn {
    pub(super) uuid: String,
    pub(super) is_read_only: bool,
    /// Only when it is vouched for.
    pub(super) app: Option<String>,
    /// What is good no more from now on; the first is what let in.
    pub(super) tokens: Vec<String>,
    pub(super) until: i64,
}

/// Whether a form is good: `None` when it is not, and nobody learns why.
pub(super) fn judge(form: &HashMap<String, String>, salt: &str, now: i64) -> Option<SignOn> {
    let text = |key: &str| form.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let uuid = uuid(text("resource_id").or_else(|| text("id"))?)?;
    let timestamp = text("timestamp")?;
    let at: i64 = timestamp.parse().ok()?;
    let of_resource = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{uuid}:{salt}:{timestamp}").as_bytes()).as_ref());
    let is = |given: &str, wanted: &str| bool::from(given.to_ascii_lowercase().as_bytes().ct_eq(wanted.as_bytes()));
    let resource = format!("r:{uuid}:{timestamp}");
    let (is_good, is_read_only, tokens) = match text("user_scoped_resource_token") {
        // It is there, and so it counts: taking it away must not help, and does not give more.
        Some(given) => {
            let (user, email) = (text("user_id").unwrap_or_default(), text("email").unwrap_or_default());
            let wanted = format!("{uuid}:{salt}:{timestamp}:{user}:{email}");
            let wanted = hex(digest(&SHA256, wanted.as_bytes()).as_ref());
            (is(given, &wanted), false, vec![format!("u:{wanted}"), resource])
        }
        None => {
            let given = text("resource_token").or_else(|| text("token")).unwrap_or_default();
            (is(given, &of_resource), true, vec![resource])
        }
    };
    let is_fresh = now.checked_sub(at).is_some_and(|age| (-AGE..=AGE).contains(&age));
    let app = text("app").filter(|_| !is_read_only).map(str::to_owned);
    (is_good && is_fresh).then_some(SignOn { uuid, is_read_only, app, tokens, until: at.saturating_add(AGE + 1) })
}

/// `POST /sso/login`
pub(super) async fn login(
    State(house): State<House>,
    Extension(peer): Extension<Arc<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let intake = &house.site.intake;
    // Anybody may send one, as large as it may be.
    let Some(_lease) = intake.lease(FORM) else { return later() };
    let Ok(Ok(bytes)) = tokio::time::timeout(PATIENCE, to_bytes(body, FORM)).await else {
        return said(StatusCode::PAYLOAD_TOO_LARGE, "The form is too long, or did not come in time.");
    };
    let form: HashMap<_, _> = form_urlencoded::parse(&bytes).into_owned().collect();
    let now = house.clock();
    let Some(sign_on) = judge(&form, &house.addon.settings.sso_salt, now) else {
        // One that is good is never refused for those that others tried; each is another one, and none can be guessed.
        if !intake.may_try(&peer, &bytes) {
            return said(StatusCode::TOO_MANY_REQUESTS, "Too many sign-ons that were not good.");
        }
        intake.was_wrong(&peer, Some(b"/sso/login")).await;
        return said(
            StatusCode::FORBIDDEN,
            "This sign-on is not good, or not any more. Open the add-on from Heroku again.",
        );
    };
    let Some(mut turn) = turn(&house).await else { return later() };
    let Some(resources) = &mut *turn else { return later() };
    match resources.get(&sign_on.uuid) {
        Ok(None) => return said(StatusCode::NOT_FOUND, "There is no such add-on."),
        Ok(Some(known)) if known.gone.is_some() => return removed(),
        Ok(Some(_)) => {}
        Err(error) => {
            tracing::error!(%error, "a resource of the add-on cannot be read");
            return later();
        }
    }
    match resources.use_once(&sign_on.tokens, sign_on.until, now) {
        Ok(true) => {}
        Ok(false) => {
            return said(StatusCode::FORBIDDEN, "This sign-on was used before. Open the add-on from Heroku again.");
        }
        Err(error) => {
            tracing::error!(%error, "a sign-on could not be noted, and is not let in");
            return later();
        }
    }
    intake.was_good(&peer, &bytes);
    // Who signs on again gets a new session, and the old one is over.
    if let Some(old) = cookies::session(&house.site, &headers) {
        let directory = house.site.directory.clone();
        let _ = spawn_blocking(move || directory.end_session(&old)).await;
    }
    let whose = Whose::Account { read_only: sign_on.is_read_only };
    let account = account_of(&sign_on.uuid);
    let Ok(cookie) = session::begin(&house.site, &account, whose).await else { return later() };
    // Until here, so that whoever removes the resource ends this session as well; and another node may have done so meanwhile.
    match resources.get(&sign_on.uuid) {
        Ok(Some(known)) if known.gone.is_none() => {}
        _ => {
            let directory = house.site.directory.clone();
            let _ = spawn_blocking(move || directory.end_account(&account)).await;
            return removed();
        }
    }
    drop(turn);
    if let Some(app) = sign_on.app {
        let (house, uuid) = (house.clone(), sign_on.uuid);
        let app = shown(&app);
        if !app.is_empty() {
            tokio::spawn(async move { grant::call(&house, &uuid, &app, None).await });
        }
    }
    let back = way_back(&headers);
    let mut response = redirect(back::way_back(back.as_deref()));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response.headers_mut().append(header::SET_COOKIE, back_cookie(&house, ""));
    response
}

fn removed() -> Response {
    said(StatusCode::GONE, "This add-on has been removed.")
}

/// `GET /apps/APP/addons/NAME[?return=PATH]`: to the page, if one is signed on to this very resource; else to Heroku, and
/// from there to the page.
pub(super) async fn link(
    State(house): State<House>,
    Extension(peer): Extension<Arc<Peer>>,
    Path((app, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    // Names of apps and add-ons are letters, digits and dashes: nothing else leads anywhere.
    let is_name =
        |name: &str| (1..=200).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_name(&app) || !is_name(&name) {
        return said(StatusCode::NOT_FOUND, "There is no such add-on.");
    }
    let query = query.unwrap_or_default();
    let wanted = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "return").map(|(_, path)| path);
    let path = back::way_back(wanted.as_deref()).to_owned();
    if cookies::session(&house.site, &headers).is_some()
        && let Ok(viewer) = viewer(&house.site, &peer, &headers, Way::Page).await
    {
        let Some(turn) = turn(&house).await else { return later() };
        let Some(Ok(named)) = turn.as_ref().map(|resources| resources.named(&name)) else { return later() };
        if named.is_some_and(|resource| viewer.account == account_of(&resource.uuid)) {
            return redirect(&path);
        }
    }
    let mut response = redirect(&format!("{}/apps/{app}/addons/{name}", house.addon.settings.sso));
    response.headers_mut().append(header::SET_COOKIE, back_cookie(&house, &path));
    response
}

fn redirect(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    let headers = [(header::LOCATION, to), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Heroku's form comes from a page of another site: browsers send nothing with it but what says `None`.
fn back_cookie(house: &House, path: &str) -> HeaderValue {
    let age = if path.is_empty() { 0 } else { BACK_SECONDS };
    let site = if house.site.is_secure() { "None; Secure" } else { "Lax" };
    // A path may hold what ends a cookie.
    let path = hex(path.as_bytes());
    HeaderValue::from_str(&format!("{BACK}={path}; Path=/sso; Max-Age={age}; HttpOnly; SameSite={site}"))
        .unwrap_or(HeaderValue::from_static("logdrain-return=; Path=/sso; Max-Age=0"))
}

fn way_back(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, digits) = pairs.find(|(key, _)| *key == BACK)?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    String::from_utf8(digits.as_bytes().chunks(2).map(byte).collect::<Option<Vec<_>>>()?).ok()
}
