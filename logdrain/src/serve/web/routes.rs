//! Who may see what, at which path.

use super::access::{self, Denied};
use super::addon::{self, Addon};
use super::answers::Answers;
use super::events::{self, Events};
use super::page;
use super::pieces::in_pieces;
use super::session;
use super::site::Site;
use super::{v1, v2};
use crate::serve::intake::connections::Peer;
use crate::serve::intake::http::{self, unavailable};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use std::sync::Arc;

type Shared = (Arc<Site>, Arc<Answers>);

/// Everything that is answered over HTTP: what intake takes, and what watchers ask for.
pub(crate) fn router(site: &Arc<Site>, addon: Option<Arc<Addon>>, answers: Arc<Answers>, kept: Arc<Events>) -> Router {
    let intake = site.intake.clone();
    let v1 = v1::router(site.clone());
    let lines = events::router(site.clone(), kept);
    let watched =
        Router::new().route("/metrics", get(numbers)).route("/", get(status)).with_state((site.clone(), answers));
    http::router()
        .merge(watched)
        .merge(lines)
        .merge(v1)
        .merge(session::router(site.clone()))
        .merge(addon::router(site, addon))
        .merge(v2::router(site.clone()))
        .fallback(http::other)
        .method_not_allowed_fallback(http::other)
        .with_state(intake)
}

async fn status(
    State((site, answers)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match access::operator(&site, &peer, &headers).await {
        Ok(_) => {}
        // What there is to see for him is elsewhere.
        Err(Denied::NotOperator) => return Redirect::to(events::PATH).into_response(),
        Err(why) => return why.page(&site, &method, &uri, &headers),
    }
    let kind = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page::POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    match answers.page(&site.intake, uri.query().unwrap_or_default().to_owned()).await {
        Some(page) => (kind, in_pieces(page)).into_response(),
        None => unavailable("others are being answered: come again\n"),
    }
}

async fn numbers(
    State((site, answers)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    headers: HeaderMap,
) -> Response {
    if let Err(why) = access::operator(&site, &peer, &headers).await {
        return why.text();
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    match answers.metrics(&site.intake).await {
        Some(text) => (kind, in_pieces(text)).into_response(),
        None => unavailable("others are being answered: come again\n"),
    }
}
