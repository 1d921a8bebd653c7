//! `/api/v1`: what clients of Papertrail speak, unchanged.
//!
//! ```text
//! request -> who asks -> his rate (a wait) -> parameters of query and body -> the handler of the path -> an answer
//! ```
//!
//! The rules that all paths share are here; what one path does is in a module of its own. Every answer is JSON (but for
//! archives) with rate headers, and 200 when all went well; errors say why in `message`. There is no redirect, no cookie
//! and no `WWW-Authenticate`: clients of this API know none of them.

mod accounts;
mod answer;
mod archives;
mod cors;
mod destinations;
mod groups;
mod kinds;
mod lines;
mod memory;
mod objects;
mod parameters;
mod rate;
mod search;
mod searches;
mod shapes;
mod systems;
mod users;
mod viewer;

pub use answer::Answer;
pub use memory::MOST;
pub use parameters::{Ask, Method, Wrong};

use super::access::{self, Denied};
use super::bodies;
use super::site::Site;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Extension, Router};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as _;
use logdrain_drain::archives::Archive;
use logdrain_drain::intake::Intake;
use logdrain_drain::intake::connections::Peer;
use memory::Memory;
use rate::{Rates, Standing};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use viewer::{Viewer, viewer};

/// How long a body may take to come.
const FOR_BODY: Duration = Duration::from_secs(5);
/// What a request takes for each byte of its body: as it comes, as its values, and what stands around them.
const FOR_A_BYTE: usize = 4;
/// Answers that are longer are compressed on a thread of their own.
const SHORT: usize = 64 << 10;

/// What the paths of the API share.
#[derive(Debug)]
pub struct Api {
    pub site: Arc<Site>,
    rates: Rates,
    memory: Arc<Memory>,
    downloads: archives::Downloads,
}

/// The paths below `/api/v1`.
pub(super) fn router(api: Arc<Api>) -> Router<Arc<Intake>> {
    let root = any(answer);
    Router::new()
        .route("/api/v1", root.clone())
        .route("/api/v1/", root)
        .route("/api/v1/{*path}", any(answer))
        .with_state(api)
}

/// What is done at which path. Each module looks at the rest of its paths by itself.
async fn route(api: &Arc<Api>, ask: &Ask, viewer: &Viewer) -> Result<Answer, Answer> {
    match (ask.method(), ask.path().as_slice()) {
        (Method::Read, ["events", "search"]) => search::search(api, ask, viewer).await,
        (_, ["archives", path @ ..]) => archives::answer(api, ask, path, viewer).await,
        (_, ["systems" | "groups" | "searches" | "destinations" | "users" | "accounts", ..]) => {
            kinds::route(&api.site, ask, viewer).await
        }
        _ => Err(nothing_here()),
    }
}

/// There is no such path, or nothing is done there by such a method.
pub fn nothing_here() -> Answer {
    Answer::not_found("there is nothing at this path, or not by this method")
}

async fn answer(State(api): State<Arc<Api>>, Extension(peer): Extension<Arc<Peer>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let has_body = !body.is_end_stream();
    if head.method == HttpMethod::OPTIONS {
        return before(&api);
    }
    let viewer = match viewer(&api.site, &peer, headers, head.uri.query()).await {
        Ok(viewer) => viewer,
        Err(why) => {
            let mut response = refused(why).into_response(false, Into::into);
            Standing::NOBODY.put_into(response.headers_mut());
            if has_body {
                // It is not read, so nothing can follow it.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            return response;
        }
    };
    let (standing, answered) = match api.rates.ask(viewer.asker()) {
        Ok(turn) => {
            let standing = turn.standing;
            tokio::time::sleep(turn.wait).await;
            drop(turn);
            (standing, api.answer(&head, body, &viewer).await)
        }
        Err(refused) => {
            let message = "too many requests of one token wait for their answer";
            (refused.standing, Answer::later(StatusCode::TOO_MANY_REQUESTS, refused.again, message))
        }
    };
    let mut response = api.respond(answered, headers, &viewer).await;
    standing.put_into(response.headers_mut());
    if viewer.has_token() {
        cors::allow(response.headers_mut());
    }
    response
}

/// What a browser asks before a page of another server may ask.
fn before(api: &Api) -> Response {
    if access::is_open(&api.site) {
        return Answer::not_found("pages of other servers are not answered here").into_response(false, Into::into);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    cors::before(response.headers_mut());
    response
}

impl Api {
    pub fn new(site: Arc<Site>) -> Arc<Self> {
        let downloads = archives::Downloads::default();
        Arc::new(Self { site, rates: Rates::default(), memory: Arc::default(), downloads })
    }

    /// Reads what is asked for, and does it.
    async fn answer(
        self: &Arc<Self>,
        head: &axum::http::request::Parts,
        body: axum::body::Body,
        viewer: &Viewer,
    ) -> Answer {
        let asked = async {
            let method = Method::of(&head.method).ok_or_else(nothing_here)?;
            // A page elsewhere can make a browser send the password that it knows; a token it would have to know itself.
            if method != Method::Read && !viewer.has_token() && !access::is_same_origin(&self.site, &head.headers) {
                return Err(Answer::forbidden("pages of other servers change nothing here without a token"));
            }
            let path = head.uri.path().strip_prefix("/api/v1").unwrap_or_default();
            let ask = Ask::new(method, path, head.uri.query().unwrap_or_default())?
                .with_way(self.site.base(&head.headers), answer::takes_gzip(&head.headers))
                .with_range(head.headers.get(header::RANGE), head.headers.get(header::IF_RANGE));
            let (ask, held) = self.with_body(ask, &head.headers, body, viewer).await?;
            let answer = route(self, &ask, viewer).await;
            drop(held);
            answer
        };
        asked.await.unwrap_or_else(|error: Answer| error)
    }

    /// Reads a body, in memory that is counted.
    async fn with_body(
        &self,
        ask: Ask,
        headers: &HeaderMap,
        body: axum::body::Body,
        viewer: &Viewer,
    ) -> Result<(Ask, Option<memory::Share>), Answer> {
        if body.is_end_stream() {
            return Ok((ask, None));
        }
        if bodies::is_coded(headers) {
            return Err(Answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, bodies::CODED).closing());
        }
        let too_long = || Answer::from(Wrong(format!("the body is longer than {} bytes", parameters::BODY))).closing();
        let announced = body.size_hint().exact().unwrap_or(parameters::BODY as u64);
        let len = usize::try_from(announced).ok().filter(|len| *len <= parameters::BODY).ok_or_else(too_long)?;
        let share = self
            .memory
            .take(&self.site.intake, &viewer.account, len * FOR_A_BYTE + 1)
            .ok_or_else(|| Answer::busy().closing())?;
        let read = tokio::time::timeout(FOR_BODY, Limited::new(body, len).collect()).await;
        let slow = || Answer::from(Wrong("the body did not come in time".to_owned())).closing();
        let body = read.map_err(|_| slow())?.map_err(|_| too_long())?.to_bytes();
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        Ok((ask.with_body(kind, &body)?, Some(share)))
    }

    /// Counts the memory of an answer, and compresses it for who wants that.
    async fn respond(&self, answer: Answer, headers: &HeaderMap, viewer: &Viewer) -> Response {
        let takes_gzip = answer::takes_gzip(headers);
        let len = answer.len();
        if len <= SHORT {
            return answer.into_response(takes_gzip, Into::into);
        }
        // Compressed or not: for a moment there are both.
        let Some(share) = self.memory.take(&self.site.intake, &viewer.account, len * 2) else {
            return Answer::busy().into_response(false, Into::into);
        };
        let respond = move || answer.into_response(takes_gzip, |text| share.body(vec![text.into()]));
        let response = tokio::task::spawn_blocking(respond).await;
        response.unwrap_or_else(|_| Answer::busy().into_response(false, Into::into))
    }
}

/// Does what a form of a page asks for, by whoever was let in there: its fields are parameters.
///
/// # Errors
/// Why it was not done.
pub(super) async fn act(
    site: &Arc<Site>,
    viewer: &access::Viewer,
    (method, path): (Method, &str),
    form: &[u8],
) -> Result<(), (StatusCode, String)> {
    let asked = async {
        let ask = Ask::new(method, path, "")?.with_body(Some("application/x-www-form-urlencoded"), form)?;
        kinds::route(site, &ask, viewer).await
    };
    let done: Result<Answer, Answer> = asked.await;
    done.map(|_| ()).map_err(|answer| answer.reason())
}

/// An archive, or those of a day, for a page that has seen who asks.
///
/// # Errors
/// Why there is none.
pub(super) async fn archive(
    api: &Arc<Api>,
    viewer: &access::Viewer,
    period: &str,
) -> Result<Response, (StatusCode, String)> {
    let found = archives::download(api, None, period, &viewer.account.as_str().into()).await;
    found.map(|answer| answer.into_response(false, Into::into)).map_err(|answer| answer.reason())
}

/// The archives of an account that are shown, oldest first. It looks at the disk.
pub(super) fn archives_of(site: &Site, account: &str) -> io::Result<Vec<Archive>> {
    archives::listed(site, account)
}

/// Why somebody is told nothing, as this API says it.
fn refused(why: Denied) -> Answer {
    match why {
        Denied::Missing | Denied::Wrong => Answer::error(
            StatusCode::UNAUTHORIZED,
            "the token or the password is wrong: send a token of this server as X-Papertrail-Token",
        ),
        Denied::Guessing | Denied::Busy | Denied::Closed => Answer::later(why.status(), 1, why.why()),
        Denied::Host | Denied::NotHere | Denied::Elsewhere => Answer::forbidden(
            "without credentials this server answers programs of this machine alone: ask it by a loopback name, or name a \
             [watcher] or a member",
        ),
        // As if it were not there.
        Denied::OtherAccount => Answer::not_found(why.why()),
        Denied::Form | Denied::NotOperator | Denied::Forbidden => Answer::forbidden(why.why()),
    }
}
