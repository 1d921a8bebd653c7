//! Who may see what, at which path.

use super::access::{self, Denied, Way};
use super::account;
use super::addon::{self, Addon};
use super::alerts;
use super::answers::Answers;
use super::assets;
use super::dashboards;
use super::events::{self, Events};
use super::explore;
use super::layout;
use super::passing::{self, Passing};
use super::pieces::in_pieces;
use super::session;
use super::site::Site;
use super::status;
use super::{v1, v2};
use axum::extract::Request;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use logdrain_drain::intake::Intake;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::intake::http::{self, unavailable};
use std::sync::Arc;
use std::sync::atomic::Ordering;

type Shared = (Arc<Site>, Arc<Answers>);
type Nodes = (Arc<Intake>, Option<Arc<Passing>>);

/// Everything that is answered over HTTP: what intake takes, and what watchers ask for. Nodes that share a journal do the
/// `passing` of requests to each other.
pub fn router(
    site: &Arc<Site>,
    addon: Option<Arc<Addon>>,
    answers: Arc<Answers>,
    kept: Arc<Events>,
    passing: Option<Arc<Passing>>,
) -> Router {
    let intake = site.intake.clone();
    let (v1, v2) = (v1::Api::new(site.clone()), v2::Api::new(site.clone()));
    let (board, _) = answers.parts();
    let lines = events::router(site.clone(), kept);
    let watched = Router::new()
        .route("/", get(home))
        .route("/status", get(watch))
        .route("/metrics", get(numbers))
        .with_state((site.clone(), answers));
    http::router()
        .merge(watched)
        .merge(assets::router())
        .merge(layout::router(site.clone()))
        .merge(lines)
        .merge(dashboards::router(site.clone()))
        .merge(explore::router(site.clone()))
        .merge(v1::router(v1.clone()))
        .merge(session::router(site.clone()))
        .merge(addon::router(site, addon))
        .merge(v2::router(v2.clone()))
        .merge(alerts::router(site.clone(), v2.clone()))
        .merge(account::router(site.clone(), (v1, v2), board))
        .fallback(other)
        .method_not_allowed_fallback(http::other)
        .layer(middleware::from_fn_with_state((intake.clone(), passing), of_node))
        .with_state(intake)
}

/// On a node of several that share a journal, what is about an account is for that account's home.
async fn of_node(State((intake, passing)): State<Nodes>, request: Request, next: Next) -> Response {
    match passing {
        _ if !intake.progress.nodes.are_there() => next.run(request).await,
        Some(passing) => passing.answer(request, next).await,
        None => passing::alone(request, next).await,
    }
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
        Ok(viewer) if viewer.may_read() && site.intake.progress.nodes.are_there() => {
            // What a node has: charts, and lines where they are kept.
            let keeps_lines = site.intake.progress.nodes.keeps_lines.load(Ordering::Relaxed);
            return lead_to(if keeps_lines { events::PATH } else { "/dashboards" });
        }
        // A new account sees how its first line comes.
        Ok(viewer) if viewer.may_read() && account::is_new(&site, &viewer) => return lead_to(account::FIRST),
        Ok(viewer) if viewer.may_read() => {}
        Ok(_) => return layout::denied(Denied::Forbidden, &site, &method, &uri, &headers),
        Err(why) => return layout::denied(why, &site, &method, &uri, &headers),
    }
    lead_to(events::PATH)
}

fn lead_to(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path), (header::CACHE_CONTROL, "no-store")]).into_response()
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

async fn watch(
    State((site, answers)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match access::operator(&site, &peer, &headers).await {
        Ok(viewer) => status::answer(&site, &viewer, &headers, &uri, answers.parts()).await,
        Err(why) => layout::denied(why, &site, &method, &uri, &headers),
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
