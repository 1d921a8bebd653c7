//! `/api/v2`: what is ours beside the classic API: plans, filters, usage, series, patterns, lines around a line, purge, members
//! and tokens.
//!
//! ```text
//! request -> a way of the table -> who asks -> its body (64 KiB) -> the handler -> JSON
//! ```
//!
//! The methods and paths are one table, which a test holds against `openapi.json`. A cookie opens reading alone; what
//! changes something wants the token of a form, or a token of one's own. Everything has a bound: memory is leased before
//! anything is read, and what looks through lines takes its turn with the searches.

mod accounts;
mod ask;
mod bucket;
mod dashboards;
mod filters;
mod lines;
mod measurements;
mod members;
mod plans;
mod problem;
mod purge;
mod routes;
mod scans;
mod series;
mod usage;

use super::access::{self, Denied, Viewer};
use super::pieces::{Held, in_pieces};
use super::site::Site;
use crate::serve::directory::DirectoryError;
use crate::serve::intake::connections::Peer;
use crate::serve::intake::{Intake, UNIT};
use crate::serve::journal::{ChangeError, Changed};
use crate::serve::settings::Settings;
use crate::serve::settings::change::{Change, Misfit};
use ask::Parameters;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use problem::Problem;
use routes::{Op, Way};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What begins every path.
const AT: &str = "/api/v2/";
/// Every answer is JSON, for whoever asked alone.
const KIND: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];
/// What `/api/v2` is, for programs.
pub(super) const DOCUMENT: &str = include_str!("v2/openapi.json");

/// The most bytes of an answer.
const LONGEST: usize = 2 << 20;
/// A request with its body and its answer.
const ONE: usize = LONGEST + 4 * ask::BODY;
/// Requests at a time, from their heads to their last bytes.
const AT_A_TIME: usize = 4;
/// What a search holds beside its answer: patterns take most.
const SCAN: usize = scans::PATTERNS + (9 << 20);
/// The most bytes that all of them take.
pub(crate) const MOST: usize = AT_A_TIME * ONE.next_multiple_of(UNIT) + SCAN.next_multiple_of(UNIT);
/// The longest answer that a page takes.
const TOLD: usize = 512 << 10;
/// How long one waits for others.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a search may take.
const TIME: Duration = Duration::from_secs(5);

/// What this API holds beside the site.
#[derive(Debug)]
pub(crate) struct Api {
    site: Arc<Site>,
    places: Arc<Semaphore>,
    /// One looks through many lines at a time.
    scans: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn new(site: Arc<Site>) -> Arc<Self> {
        Arc::new(Self { site, places: Arc::new(Semaphore::new(AT_A_TIME)), scans: Arc::new(Semaphore::new(1)) })
    }
}

pub(super) fn router(api: Arc<Api>) -> Router<Arc<Intake>> {
    Router::new()
        .route("/api/v2/{*path}", any(answer))
        .route("/v1/measurements/{name}", get(measurements::answer))
        .with_state(api)
}

/// Whether there is an account of this name.
pub(super) fn has_account(settings: &Settings, name: &str) -> bool {
    accounts::is_there(settings, name)
}

/// Does what a page asks for, by whoever was let in there, with the same rights and bounds as a request has.
///
/// # Errors
/// Why it was not done.
pub(super) async fn act(
    api: &Arc<Api>,
    viewer: Viewer,
    headers: &HeaderMap,
    (method, path): (Method, &str),
    body: Value,
) -> Result<Value, (StatusCode, String)> {
    let nothing = || (StatusCode::NOT_FOUND, "there is no such thing".to_owned());
    let Way::To(op, id) = routes::way(&method, path.split('?').next().unwrap_or_default()) else {
        return Err(nothing());
    };
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = Request::builder().method(method).uri(format!("{AT}{path}")).body(body);
    let mut request = request.map_err(|_| nothing())?;
    // Links begin with the name that the page was asked by.
    if let Some(host) = headers.get(header::HOST) {
        request.headers_mut().insert(header::HOST, host.clone());
    }
    let answered = done(api.clone(), viewer, op, id, request).await;
    let body = answered.map_err(|problem| (problem.status, problem.message))?.into_body();
    let too_long = |_| (StatusCode::INSUFFICIENT_STORAGE, "there is more of it than a page shows".to_owned());
    let text = to_bytes(body, TOLD).await.map_err(too_long)?;
    Ok(serde_json::from_slice(&text).unwrap_or_default())
}

/// Who asks for what, of which account.
struct Asked {
    api: Arc<Api>,
    viewer: Viewer,
    settings: Arc<Settings>,
    query: String,
    /// What absolute addresses begin with.
    base: String,
    /// The number in the path.
    id: u32,
}

/// What came of it.
enum Done {
    Json(Vec<u8>),
    /// Something was made, at this path.
    Made(Vec<u8>, String),
    Gone,
}

async fn answer(State(api): State<Arc<Api>>, Extension(peer): Extension<Arc<Peer>>, request: Request) -> Response {
    let path = request.uri().path().strip_prefix(AT).unwrap_or_default().to_owned();
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let (op, id) = match routes::way(request.method(), &path) {
        Way::To(Op::Document, _) => return (KIND, DOCUMENT).into_response(),
        Way::To(op, id) => (op, id),
        Way::Nowhere => return Problem::nothing("there is no such path").into_response(),
        Way::NotSo(methods) => {
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this is done by {methods}"));
            let mut response = problem.into_response();
            if let Ok(methods) = HeaderValue::try_from(methods) {
                response.headers_mut().insert(header::ALLOW, methods);
            }
            return response;
        }
    };
    let viewer = match access::viewer(&api.site, &peer, request.headers(), access::Way::ApiV2 { is_change }).await {
        Ok(viewer) => viewer,
        Err(denied) => return Problem::from(denied).into_response(),
    };
    // A page elsewhere can make a browser send the password that it knows; a token it would have to know itself.
    let has_token = matches!(viewer.who, access::Who::Token { .. });
    if is_change && !has_token && !access::is_same_origin(&api.site, request.headers()) {
        return Problem::forbidden("pages of other servers change nothing here without a token").into_response();
    }
    match done(api, viewer, op, id, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn done(api: Arc<Api>, viewer: Viewer, op: Op, id: u32, request: Request) -> Result<Response, Problem> {
    let place = tokio::time::timeout(PATIENCE, api.places.clone().acquire_owned()).await;
    let place = place.map_err(|_| Problem::busy())?.map_err(|_| Problem::busy())?;
    // Before anything of it is read.
    let memory = api.site.intake.lease(ONE).ok_or_else(Problem::busy)?;
    let query = request.uri().query().unwrap_or_default().to_owned();
    let settings = api.site.intake.settings();
    let viewer = accounts::chosen(viewer, &settings, &Parameters(&query))?;
    let base = api.site.base(request.headers());
    let asked = Arc::new(Asked { api, viewer, settings, query, base, id });
    let body = request.into_body();
    let done = match op {
        Op::Document => Err(Problem::nothing("there is no such path")),
        Op::Accounts => accounts::list(&asked),
        Op::AddAccount => accounts::add(&asked, ask::body(body).await?).await,
        Op::Account => accounts::show(&asked),
        Op::ChangeAccount => accounts::set(&asked, ask::body(body).await?).await,
        Op::Destroy => accounts::destroy(&asked, ask::body(body).await?).await,
        Op::Bucket => bucket::show(&asked),
        Op::SetBucket => bucket::set(&asked, ask::body(body).await?).await,
        Op::RemoveBucket => bucket::remove(&asked).await,
        Op::TestBucket => bucket::test(&asked).await,
        Op::Archives => bucket::archives(&asked).await,
        Op::Plans => plans::list(),
        Op::Plan => plans::show(&asked),
        Op::ChangePlan => plans::set(&asked, ask::body(body).await?).await,
        Op::Filters => filters::list(&asked),
        Op::AddFilter => filters::add(&asked, ask::body(body).await?).await,
        Op::Preview => filters::preview(&asked).await,
        Op::Filter => filters::show(&asked),
        Op::ChangeFilter => filters::set(&asked, ask::body(body).await?).await,
        Op::RemoveFilter => filters::remove(&asked).await,
        Op::Usage => usage::show(&asked).await,
        Op::Series => series::show(&asked).await,
        Op::Metrics => series::metrics(&asked).await,
        Op::Patterns => lines::patterns(&asked).await,
        Op::Context => lines::context(&asked).await,
        Op::Purge => purge::purge(&asked, ask::body(body).await?).await,
        Op::Members => members::list(&asked),
        Op::AddMember => members::add(&asked, ask::body(body).await?).await,
        Op::ChangeMember => members::set(&asked, ask::body(body).await?).await,
        Op::RemoveMember => members::remove(&asked).await,
        Op::Tokens => members::tokens(&asked),
        Op::AddToken => members::add_token(&asked, ask::body(body).await?).await,
        Op::RemoveToken => members::remove_token(&asked).await,
        Op::Dashboards => dashboards::list(&asked).await,
        Op::AddDashboard => dashboards::add(&asked, ask::body(body).await?).await,
        Op::Dashboard => dashboards::show(&asked).await,
        Op::SetDashboard => dashboards::set(&asked, ask::body(body).await?).await,
        Op::RemoveDashboard => dashboards::remove(&asked).await,
        Op::Shares => dashboards::shares(&asked),
        Op::AddShare => dashboards::add_share(&asked, ask::body(body).await?).await,
        Op::RemoveShare => dashboards::remove_share(&asked).await,
    }?;
    Ok(done.into_response(memory, place))
}

impl Done {
    fn into_response(self, mut memory: OwnedSemaphorePermit, place: OwnedSemaphorePermit) -> Response {
        let (status, text, at) = match self {
            Self::Json(text) => (StatusCode::OK, text, None),
            Self::Made(text, at) => (StatusCode::CREATED, text, HeaderValue::try_from(at).ok()),
            Self::Gone => return (StatusCode::NO_CONTENT, KIND).into_response(),
        };
        // What it did not become is given back.
        drop(memory.split(ONE.saturating_sub(text.capacity()) / UNIT));
        let mut response = (status, KIND, in_pieces(Held::bytes(text, memory, place))).into_response();
        if let Some(at) = at {
            response.headers_mut().insert(header::LOCATION, at);
        }
        response
    }
}

/// A value as the text of an answer.
fn json(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    let too_long = |_| Problem::wrong(format!("the answer would be longer than {} MB", LONGEST >> 20));
    let mut text = crate::json::bounded(value, LONGEST).map_err(too_long)?;
    text.shrink_to_fit();
    Ok(text)
}

impl Asked {
    fn site(&self) -> &Site {
        &self.api.site
    }

    fn account(&self) -> String {
        self.viewer.account.clone()
    }

    fn parameters(&self) -> Parameters<'_> {
        Parameters(&self.query)
    }

    /// Who may change settings of the whole account.
    fn changes(&self) -> Result<(), Problem> {
        match self.viewer.may_change() {
            true => Ok(()),
            false => Err(Problem::forbidden("whoever asks may not change that")),
        }
    }

    /// Usage, patterns and the like tell of systems that some do not see.
    fn sees_all(&self) -> Result<(), Problem> {
        match self.viewer.sees_all_groups() {
            true => Ok(()),
            false => Err(Problem::forbidden("that is for who has access to all groups")),
        }
    }

    /// A change that is on the disk when this answers.
    async fn change(&self, change: Change) -> Result<Changed, Problem> {
        self.site().intake.change(change).await.map_err(|error| match error {
            ChangeError::Unfit(unfit) if unfit.kind == Misfit::NotFound => Problem::nothing(unfit.why),
            ChangeError::Unfit(unfit) if unfit.kind == Misfit::TooOften => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, unfit.why)
            }
            ChangeError::Unfit(unfit) => Problem::wrong(unfit.why),
            ChangeError::CannotStore => Problem::later("changes cannot be stored now: come again"),
        })
    }

    /// Holds others off who read something to write it back changed.
    async fn alone(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Problem> {
        tokio::time::timeout(PATIENCE, self.site().changing.lock()).await.map_err(|_| Problem::busy())
    }
}

/// Something that waits for the disk, off the threads that answer deliveries.
async fn blocking<T: Send + 'static>(
    asked: &Arc<Asked>,
    work: impl FnOnce(&Asked) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let asked = asked.clone();
    tokio::task::spawn_blocking(move || work(&asked)).await.map_err(|_| Problem::busy())?
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(denied.status(), denied.why())
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Closed(why) => {
                // What it says of files is for the log.
                tracing::warn!(%why, "a change of members was not stored");
                Self::later("members cannot be read or changed now")
            }
            DirectoryError::NotFound(why) => Self::nothing(why),
            DirectoryError::Invalid(why) | DirectoryError::Taken(why) | DirectoryError::TooMany(why) => {
                Self::wrong(why)
            }
        }
    }
}

#[cfg(test)]
mod tests;
