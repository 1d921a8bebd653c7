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
mod alert_history;
mod alert_past;
mod alerts;
mod ask;
mod bucket;
mod channels;
mod compose;
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
mod trials;
mod usage;

use super::access::{self, Denied, Viewer};
use super::bodies::{self, Sent};
use super::fair::{Place, Places};
use super::pieces::{Held, in_pieces};
use super::site::Site;
use ask::Parameters;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use logdrain_drain::archives::TRIALS;
use logdrain_drain::directory::DirectoryError;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::intake::{Intake, UNIT};
use logdrain_drain::journal::{ChangeError, Changed};
use logdrain_drain::settings::Settings;
use logdrain_drain::settings::change::{Change, Misfit};
use problem::Problem;
use routes::{Op, Way};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use trials::Trials;

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
pub const MOST: usize = AT_A_TIME * ONE.next_multiple_of(UNIT) + SCAN.next_multiple_of(UNIT);
/// The longest answer that a page takes.
const TOLD: usize = 512 << 10;
/// How long one waits for others.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a search may take.
const TIME: Duration = Duration::from_secs(5);

/// What this API holds beside the site.
#[derive(Debug)]
pub struct Api {
    site: Arc<Site>,
    places: Places,
    /// One looks through many lines at a time, and one of each account waits for that.
    scans: Places,
    /// Accounts whose buckets are tried.
    tries: Places,
    /// Messages that try channels.
    trials: Trials,
}

impl Api {
    pub fn new(site: Arc<Site>) -> Arc<Self> {
        Arc::new(Self {
            site,
            places: Places::new(AT_A_TIME, AT_A_TIME - 1),
            scans: Places::new(1, 1),
            tries: Places::new(TRIALS, 1),
            trials: Trials::default(),
        })
    }
}

pub(super) fn router(api: Arc<Api>) -> Router<Arc<Intake>> {
    Router::new()
        .route("/api/v2/{*path}", any(answer))
        .route("/v1/measurements", post(measurements::take))
        .route("/v1/metrics", post(measurements::take))
        .route("/v1/measurements/{name}", get(measurements::answer))
        .with_state(api)
}

/// Whether there is an account of this name.
pub(super) fn has_account(settings: &Settings, name: &str) -> bool {
    settings.has_account(name)
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
    let sent = if body.is_null() { Sent::default() } else { Sent::from(Bytes::from(body.to_string())) };
    let query = path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    // Links begin with the name that the page was asked by.
    let asked = asked(api.clone(), viewer, id, query, headers).map_err(|problem| (problem.status, problem.message))?;
    let answered = done(asked, op, sent).await;
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
    if is_change && bodies::is_coded(request.headers()) {
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, bodies::CODED).into_response();
    }
    let (head, body) = request.into_parts();
    let answered = async {
        let asked = asked(api, viewer, id, head.uri.query().unwrap_or_default(), &head.headers)?;
        // Whoever sends slowly holds nothing that others wait for. What is sent with other methods says nothing.
        let sent = match head.method {
            Method::POST | Method::PUT | Method::PATCH => {
                ask::sent(asked.site(), asked.viewer.counts_as(), body).await?
            }
            _ => Sent::default(),
        };
        done(asked, op, sent).await
    };
    answered.await.unwrap_or_else(Problem::into_response)
}

/// Who asks for what.
fn asked(api: Arc<Api>, viewer: Viewer, id: u32, query: &str, headers: &HeaderMap) -> Result<Arc<Asked>, Problem> {
    let settings = api.site.intake.settings();
    let viewer = accounts::chosen(viewer, &settings, &Parameters(query))?;
    let base = api.site.base(headers);
    Ok(Arc::new(Asked { api, viewer, settings, query: query.to_owned(), base, id }))
}

async fn done(asked: Arc<Asked>, op: Op, body: Sent) -> Result<Response, Problem> {
    // Somebody else's server may take its time: nobody waits for that one.
    let tried = if op == Op::TestBucket { Some(bucket::test(&asked).await?) } else { None };
    let place = asked.api.places.take(asked.viewer.counts_as(), 1, PATIENCE).await.ok_or_else(Problem::busy)?;
    // Before anything of it is read.
    let memory = asked.site().intake.lease(ONE).ok_or_else(Problem::busy)?;
    let done = match op {
        Op::Document => Err(Problem::nothing("there is no such path")),
        Op::Accounts => accounts::list(&asked),
        Op::AddAccount => accounts::add(&asked, ask::body(&body)?).await,
        Op::Account => accounts::show(&asked),
        Op::ChangeAccount => accounts::set(&asked, ask::body(&body)?).await,
        Op::Destroy => accounts::destroy(&asked, ask::body(&body)?).await,
        Op::Bucket => bucket::show(&asked),
        Op::SetBucket => bucket::set(&asked, ask::body(&body)?).await,
        Op::RemoveBucket => bucket::remove(&asked).await,
        Op::TestBucket => tried.ok_or_else(Problem::busy),
        Op::Archives => bucket::archives(&asked).await,
        Op::Plans => plans::list(),
        Op::Plan => plans::show(&asked),
        Op::ChangePlan => plans::set(&asked, ask::body(&body)?).await,
        Op::Filters => filters::list(&asked),
        Op::AddFilter => filters::add(&asked, ask::body(&body)?).await,
        Op::Preview => filters::preview(&asked).await,
        Op::Filter => filters::show(&asked),
        Op::ChangeFilter => filters::set(&asked, ask::body(&body)?).await,
        Op::RemoveFilter => filters::remove(&asked).await,
        Op::Usage => usage::show(&asked).await,
        Op::Series => series::show(&asked).await,
        Op::Metrics => series::metrics(&asked).await,
        Op::Patterns => lines::patterns(&asked).await,
        Op::Context => lines::context(&asked).await,
        Op::Purge => purge::purge(&asked, ask::body(&body)?).await,
        Op::Members => members::list(&asked),
        Op::AddMember => members::add(&asked, ask::body(&body)?).await,
        Op::ChangeMember => members::set(&asked, ask::body(&body)?).await,
        Op::RemoveMember => members::remove(&asked).await,
        Op::Tokens => members::tokens(&asked),
        Op::AddToken => members::add_token(&asked, ask::body(&body)?).await,
        Op::RemoveToken => members::remove_token(&asked).await,
        Op::Alerts => alerts::list(&asked).await,
        Op::AddAlert => alerts::add(&asked, ask::body(&body)?).await,
        Op::AlertTemplates => alerts::all_templates(),
        Op::TryAlert => alert_past::show(&asked, ask::body(&body)?).await,
        Op::AllHistory => alert_history::all(&asked).await,
        Op::Alert => alerts::show(&asked).await,
        Op::ChangeAlert => alerts::set(&asked, ask::body(&body)?).await,
        Op::RemoveAlert => alerts::remove(&asked).await,
        Op::MuteAlert => alerts::mute(&asked, ask::body(&body)?).await,
        Op::UnmuteAlert => alerts::unmute(&asked).await,
        Op::RearmAlert => alerts::rearm(&asked).await,
        Op::TestAlert => alerts::test(&asked).await,
        Op::History => alert_history::of_one(&asked).await,
        Op::Channels => channels::list(&asked).await,
        Op::AddChannel => channels::add(&asked, ask::body(&body)?).await,
        Op::Channel => channels::show(&asked).await,
        Op::ChangeChannel => channels::set(&asked, ask::body(&body)?).await,
        Op::RemoveChannel => channels::remove(&asked).await,
        Op::TestChannel => channels::test(&asked).await,
        Op::Dashboards => dashboards::list(&asked).await,
        Op::AddDashboard => dashboards::add(&asked, ask::body(&body)?).await,
        Op::Dashboard => dashboards::show(&asked).await,
        Op::SetDashboard => dashboards::set(&asked, ask::body(&body)?).await,
        Op::RemoveDashboard => dashboards::remove(&asked).await,
        Op::Shares => dashboards::shares(&asked),
        Op::AddShare => dashboards::add_share(&asked, ask::body(&body)?).await,
        Op::RemoveShare => dashboards::remove_share(&asked).await,
    }?;
    Ok(done.into_response(memory, place))
}

impl Done {
    fn into_response(self, mut memory: OwnedSemaphorePermit, place: Place) -> Response {
        let (status, text, at) = match self {
            Self::Json(text) => (StatusCode::OK, text, None),
            Self::Made(text, at) => (StatusCode::CREATED, text, HeaderValue::try_from(at).ok()),
            Self::Gone => return (StatusCode::NO_CONTENT, KIND).into_response(),
        };
        // What it did not become is given back.
        drop(memory.split(ONE.saturating_sub(text.capacity()) / UNIT));
        let mut response = (status, KIND, in_pieces(Held::bytes(text, (memory, place)))).into_response();
        if let Some(at) = at {
            response.headers_mut().insert(header::LOCATION, at);
        }
        response
    }
}

/// A value as the text of an answer.
fn json(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    let too_long = |_| Problem::wrong(format!("the answer would be longer than {} MB", LONGEST >> 20));
    let mut text = logdrain_terms::json::bounded(value, LONGEST).map_err(too_long)?;
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
