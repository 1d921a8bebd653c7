//! `/recipients/LINK`: somebody who is no member says that he wants an account's alerts as mail; `/recipients/stop/LINK`: that he
//! wants no more. A link that a mail program opens by itself says nothing yet; the button does.

use super::{Form, page, said, too_old, with_form};
use crate::access::{self, Denied};
use crate::cookies::Cookie;
use crate::layout;
use crate::site::Site;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use logdrain_drain::directory::{DirectoryError, Recipient};
use logdrain_drain::intake::connections::Peer;
use std::sync::Arc;
use tokio::task::spawn_blocking;

const GONE: &str = "The link was used, or is too old. Ask whoever wants to send alerts to you for another one.";

pub(super) async fn asked(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Response {
    match found(&site, &peer, &headers, &link).await {
        Ok(recipient) => with_form(&site, &headers, StatusCode::OK, |form| page::recipient(&headers, form, &recipient)),
        Err(response) => response,
    }
}

pub(super) async fn confirm(
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
    if let Err(response) = found(&site, &peer, &headers, &link).await {
        return response;
    }
    let directory = site.directory.clone();
    match spawn_blocking(move || directory.confirm_recipient(&link)).await {
        Ok(Ok(recipient)) => {
            let told = format!("Alerts of {} go to {} from now on.", recipient.account, recipient.address);
            said(&headers, StatusCode::OK, &told)
        }
        Ok(Err(DirectoryError::NotFound(_))) => said(&headers, StatusCode::NOT_FOUND, GONE),
        Ok(Err(error)) => said(&headers, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(_) => said(&headers, StatusCode::SERVICE_UNAVAILABLE, "The server is stopping."),
    }
}

/// The page of the link that is in each mail. It is sealed, so that nobody makes one.
pub(super) async fn leaving(State(site): State<Arc<Site>>, Path(link): Path<String>, headers: HeaderMap) -> Response {
    let alerts = site.alerts.clone();
    match spawn_blocking(move || alerts.stops(&link)).await {
        Ok(Some((account, address))) => {
            (StatusCode::OK, layout::headers(), page::leaving(&headers, &account, &address)).into_response()
        }
        _ => said(&headers, StatusCode::NOT_FOUND, GONE),
    }
}

/// The link itself is the secret: mail programs send this by themselves when somebody asks them to (RFC 8058).
pub(super) async fn leave(State(site): State<Arc<Site>>, Path(link): Path<String>, headers: HeaderMap) -> Response {
    let left = spawn_blocking(move || {
        let Some((account, address)) = site.alerts.stops(&link) else { return Ok(None) };
        site.directory.refuse_recipient(&account, &address).map(|()| Some((account, address)))
    });
    match left.await {
        Ok(Ok(Some((account, address)))) => {
            said(&headers, StatusCode::OK, &format!("No more alerts of {account} go to {address}."))
        }
        Ok(Ok(None)) => said(&headers, StatusCode::NOT_FOUND, GONE),
        Ok(Err(error)) => said(&headers, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(_) => said(&headers, StatusCode::SERVICE_UNAVAILABLE, "The server is stopping."),
    }
}

/// Whom a link is of. Guesses at one are slowed as those at a password.
async fn found(site: &Arc<Site>, peer: &Peer, headers: &HeaderMap, link: &str) -> Result<Recipient, Response> {
    if !site.intake.may_try(peer, link.as_bytes()) {
        return Err(Denied::Guessing.text());
    }
    let (directory, secret) = (site.directory.clone(), link.to_owned());
    match spawn_blocking(move || directory.asked_recipient(&secret)).await {
        Ok(Ok(Some(recipient))) => {
            site.intake.was_good(peer, link.as_bytes());
            return Ok(recipient);
        }
        Ok(Err(error)) => return Err(said(headers, StatusCode::SERVICE_UNAVAILABLE, &error.to_string())),
        Ok(Ok(None)) | Err(_) => {}
    }
    let _: Result<(), Denied> = access::wrong(site, peer, None).await;
    Err(said(headers, StatusCode::NOT_FOUND, GONE))
}
