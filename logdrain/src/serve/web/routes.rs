//! Who may see what, at which path.

use super::access::{self, Denied, Way};
use super::addon::{self, Addon};
use super::answers::Answers;
use super::assets;
use super::dashboards;
use super::events::{self, Events};
use super::explore;
use super::layout;
use super::page;
use super::pieces::in_pieces;
use super::session;
use super::site::Site;
use super::{v1, v2};
use crate::serve::intake::Intake;
use crate::serve::intake::connections::Peer;
use crate::serve::intake::http::{self, unavailable};
use axum::extract::Request;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use std::sync::Arc;

type Shared = (Arc<Site>, Arc<Answers>);

/// Everything that is answered over HTTP: what intake takes, and what watchers ask for.
pub(crate) fn router(site: &Arc<Site>, addon: Option<Arc<Addon>>, answers: Arc<Answers>, kept: Arc<Events>) -> Router {
    let intake = site.intake.clone();
    let v1 = v1::router(site.clone());
    let lines = events::router(site.clone(), kept);
    let watched = Router::new()
        .route("/", get(home))
        .route("/status", get(status))
        .route("/metrics", get(numbers))
        .with_state((site.clone(), answers));
    http::router()
        .merge(watched)
        .merge(assets::router())
        .merge(layout::router(site.clone()))
        .merge(lines)
        .merge(dashboards::router(site.clone()))
        .merge(explore::router(site.clone()))
        .merge(v1)
        .merge(session::router(site.clone()))
        .merge(addon::router(site, addon))
        .merge(v2::router(site.clone()))
        .fallback(other)
        .method_not_allowed_fallback(http::other)
        .with_state(intake)
}

/// The first page that there is for whoever comes.
async fn home(
    State((site, _)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match access::viewer(&site, &peer, &headers, Way::Page).await {
        Ok(viewer) if viewer.may_read() => {}
        Ok(_) => return layout::denied(Denied::Forbidden, &site, &method, &uri, &headers),
        Err(why) => return layout::denied(why, &site, &method, &uri, &headers),
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, events::PATH), (header::CACHE_CONTROL, "no-store")]).into_response()
}

/// What is at no path of ours: to people a page with a way back.
async fn other(intake: State<Arc<Intake>>, peer: Extension<Arc<Peer>>, request: Request) -> Response {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let response = http::other(intake, peer, request).await;
    match response.status() {
        StatusCode::NOT_FOUND if method == Method::GET => {
            let why = "There is no page at this address. Drains send their deliveries to /logs.";
            layout::refused(&method, &headers, StatusCode::NOT_FOUND, "No such page", why)
        }
        _ => response,
    }
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
        Err(why) => return layout::denied(why, &site, &method, &uri, &headers),
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
