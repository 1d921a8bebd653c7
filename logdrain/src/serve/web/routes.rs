//! Who may see what, at which path.

use super::answers::Answers;
use super::events::{self, Events};
use super::page;
use super::pieces::in_pieces;
use super::site::Site;
use super::v1;
use crate::serve::intake::Intake;
use crate::serve::intake::connections::Peer;
use crate::serve::intake::http::{self, may_read, refusal, unavailable};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use std::sync::Arc;

type Shared = (Arc<Intake>, Arc<Answers>);

/// Everything that is answered over HTTP: what intake takes, and what watchers ask for.
pub(crate) fn router(site: &Arc<Site>, answers: Arc<Answers>, kept: Arc<Events>) -> Router {
    let intake = site.intake.clone();
    let v1 = v1::router(site.clone());
    let lines = events::router(intake.clone(), kept);
    let watched =
        Router::new().route("/metrics", get(numbers)).route("/", get(status)).with_state((intake.clone(), answers));
    http::router()
        .merge(watched)
        .merge(lines)
        .merge(v1)
        .fallback(http::other)
        .method_not_allowed_fallback(http::other)
        .with_state(intake)
}

async fn status(
    State((intake, answers)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Err(why) = may_read(&intake, &peer, &headers).await {
        return refusal(why);
    }
    let kind = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page::POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    match answers.page(&intake, query.0.unwrap_or_default()).await {
        Some(page) => (kind, in_pieces(page)).into_response(),
        None => unavailable("others are being answered: come again\n"),
    }
}

async fn numbers(
    State((intake, answers)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    headers: HeaderMap,
) -> Response {
    if let Err(why) = may_read(&intake, &peer, &headers).await {
        return refusal(why);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    match answers.metrics(&intake).await {
        Some(text) => (kind, in_pieces(text)).into_response(),
        None => unavailable("others are being answered: come again\n"),
    }
}
