//! Any node answers any request: what is about an account is passed on to the home of that account, as it came.
//!
//! ```text
//! request -> of the node itself? -> answered here
//!            about which account? -> who is home? -> this node: answered here
//!                                                -> another one: passed on, once; the answer comes back piece by piece
//!                                                -> nobody: waited for, for some seconds
//! ```
//!
//! The home sees for itself who asks and what he may. Of a node that passes something on it believes, by the secret that they
//! share, where the request came from, and that it is not to be passed on once more.
//!
//! What only reads is sent again when its home falls silent and somebody else has become it. A change is sent once: when it
//! was begun and no answer came, nobody knows whether it was done, and that is what is said.
//!
//! While the database is away nobody can say who is home. What only reads is answered by the node that was it last then, from what
//! it has, if no other one that is reached says that it is it.

mod about;
mod paths;
mod stream;

use super::fair::{Seat, Seats};
use super::layout;
use super::site::Site;
use about::About;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Body as _;
use logdrain_drain::homes::{At, Home, Homes};
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::neighbours::{LAST, Neighbour, Neighbours, PASSED};
use logdrain_drain::parts::Part;
use paths::Whose;
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use stream::End;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How long somebody waits for a home that answers.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks for it, if nothing is heard of another one meanwhile.
const AGAIN: Duration = Duration::from_millis(150);
/// When who was told 503 may come again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");
/// The most requests that are on their way to other nodes, and the fewest; beside them it is half of all connections.
const MOST: usize = 256;
const FEWEST: usize = 8;
/// Who has one on its way for so long may have to go for an account that has none.
const SURE_FOR: Duration = Duration::from_secs(5);
/// Nodes whose seats are remembered.
const KNOWN: usize = 64;
/// What is not told again sooner.
const TOLD: Duration = Duration::from_secs(60);
/// What a node says of a request that was passed to it: that it is not the home, and that it does not know who passes it.
const ELSEWHERE: HeaderValue = HeaderValue::from_static("elsewhere");
const STRANGER: HeaderValue = HeaderValue::from_static("stranger");
/// Headers that are between two who speak with each other, and no further.
const OF_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
];

/// How many requests are on their way to other nodes at a time, where there are so many connections at most.
pub fn at_a_time(connections: usize) -> usize {
    (connections / 2).clamp(FEWEST, MOST)
}

/// Passes requests on.
#[derive(Debug)]
pub struct Passing {
    site: Arc<Site>,
    homes: Arc<Homes>,
    neighbours: Arc<Neighbours>,
    most: usize,
    all: Arc<Semaphore>,
    /// Of each node: who waits for one that does not answer keeps nobody from the others.
    seats: Mutex<HashMap<Arc<str>, Arc<Seats>>>,
    told: Mutex<Option<Instant>>,
    stop: watch::Receiver<bool>,
}

/// On a node that knows no others: it takes deliveries and counts.
pub(super) async fn alone(request: Request, next: Next) -> Response {
    match paths::whose(request.uri().path(), false) {
        Whose::Node => next.run(request).await,
        Whose::Home | Whose::Missing => missing(request.method(), request.headers()),
    }
}

fn missing(method: &Method, headers: &HeaderMap) -> Response {
    let why = "This server is a node of several that share a journal and keep no lines: it counts, and has minutes, dashboards and \
               members. Whoever runs it gets the rest with logs_limit.";
    layout::refused(method, headers, StatusCode::NOT_IMPLEMENTED, "Not on a node", why)
}

/// A request on its way.
struct Sending {
    head: Parts,
    /// Taken when it is sent.
    body: Option<Body>,
    /// It changes nothing.
    is_reading: bool,
    /// It has no body: it can be sent again, if it was not done.
    is_short: bool,
    /// It goes to who was home last, since nobody is.
    is_last: bool,
}

/// What came of an attempt.
enum Tried {
    Answered(Response),
    /// The same may succeed somewhere in a moment.
    Again,
}

impl Passing {
    /// Tails that were passed on end when `stop` says so.
    pub fn new(
        site: Arc<Site>,
        homes: Arc<Homes>,
        neighbours: Arc<Neighbours>,
        connections: usize,
        stop: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let most = at_a_time(connections);
        let all = Arc::new(Semaphore::new(most));
        Arc::new(Self { site, homes, neighbours, most, all, seats: Mutex::default(), told: Mutex::default(), stop })
    }

    /// Answers a request, here or at its home.
    pub(super) async fn answer(&self, mut request: Request, next: Next) -> Response {
        let said = request.headers_mut().remove(PASSED);
        let is_passed = said.is_some();
        let is_last = request.headers_mut().remove(LAST).is_some() && is_passed;
        let Some(mut peer) = request.extensions().get::<Arc<Peer>>().cloned() else { return next.run(request).await };
        if let Some(said) = said {
            let Some(sender) = self.neighbours.sender(&said) else { return stranger() };
            peer = Arc::new(peer.on_behalf_of(sender));
            request.extensions_mut().insert(peer.clone());
            request = request.map(stream::to_the_end);
        }
        let keeps_lines = self.site.intake.progress.nodes.keeps_lines.load(Ordering::Relaxed);
        let whose = paths::whose(request.uri().path(), keeps_lines);
        if whose == Whose::Node {
            return next.run(request).await;
        }
        let (head, body) = request.into_parts();
        let account = match about::about(&self.site, &peer, &head).await {
            About::Account(account) => account,
            About::Several => return said_of(&head, StatusCode::BAD_REQUEST, "The address names several accounts."),
            About::Nobody if whose == Whose::Missing => return missing(&head.method, &head.headers),
            About::Nobody => return next.run(Request::from_parts(head, body)).await,
        };
        let part = self.homes.part(&account);
        let is_short = body.is_end_stream();
        let is_reading = is_short && matches!(head.method, Method::GET | Method::HEAD);
        let mut sending = Sending { head, body: Some(body), is_reading, is_short, is_last: false };
        let (until, mut changes) = (Instant::now() + PATIENCE, self.homes.changes());
        loop {
            let home = self.homes.of(part);
            match &home.at {
                At::Here if whose == Whose::Missing => return missing(&sending.head.method, &sending.head.headers),
                At::Here => {
                    let request = Request::from_parts(sending.head, sending.body.unwrap_or_default());
                    return self.at_home(next.run(request).await, part, home.epoch);
                }
                _ if is_last && is_reading && self.is_last(part) => {
                    return unfollowed(next.run(Request::from_parts(sending.head, Body::empty())).await);
                }
                _ if is_passed => return elsewhere(&sending.head),
                At::There(url) => {
                    let tried = self.pass(url, (part, &home), &account, &mut sending, &peer).await;
                    if let Tried::Answered(response) = tried {
                        return response;
                    }
                }
                At::Nowhere => {}
            }
            if is_reading && self.is_away() {
                if let Some(response) = self.ask_all(part, &account, &mut sending, &peer).await {
                    return response;
                }
                if self.is_last(part) {
                    return unfollowed(next.run(Request::from_parts(sending.head, Body::empty())).await);
                }
            }
            let now = Instant::now();
            if now >= until {
                self.site.intake.progress.nodes.unanswered.fetch_add(1, Ordering::Relaxed);
                return later(
                    &sending.head,
                    "The server that answers for this account does not answer: another one is about to.",
                );
            }
            tokio::select! {
                _ = changes.changed() => (),
                () = tokio::time::sleep(AGAIN.min(until - now)) => (),
            }
        }
    }

    fn is_away(&self) -> bool {
        self.site.intake.progress.nodes.away.load(Ordering::Acquire)
    }

    /// Whether this node was home of a partition when the database went.
    fn is_last(&self, part: Part) -> bool {
        self.is_away() && self.homes.last(part).at == At::Here
    }

    /// While this node does not hear the database: whoever is home by what others hear, and then whoever was it last.
    async fn ask_all(&self, part: Part, account: &str, sending: &mut Sending, peer: &Peer) -> Option<Response> {
        let last = self.homes.last(part);
        let others = self.homes.others().into_iter().map(|url| (url, false));
        let before = if let At::There(url) = &last.at { Some((url.clone(), true)) } else { None };
        for (url, is_last) in others.chain(before) {
            sending.is_last = is_last;
            sending.body = Some(Body::empty());
            if let Tried::Answered(response) = self.pass(&url, (part, &last), account, sending, peer).await {
                return Some(response);
            }
        }
        (sending.is_last, sending.body) = (false, Some(Body::empty()));
        None
    }

    /// Who follows lines here goes when they are another node's.
    fn at_home(&self, response: Response, part: Part, epoch: i64) -> Response {
        if !stream::is_followed(response.headers()) {
            return response;
        }
        let homes = self.homes.clone();
        let end = async move {
            homes.left(part, epoch).await;
            End::InOrder
        };
        response.map(|body| stream::until(body, end))
    }

    /// Sends a request to another node.
    async fn pass(
        &self,
        url: &Arc<str>,
        (part, home): (Part, &Home),
        account: &str,
        sending: &mut Sending,
        peer: &Peer,
    ) -> Tried {
        let nodes = &self.site.intake.progress.nodes;
        let Some(neighbour) = self.neighbours.at(url) else { return Tried::Again };
        let busy = || Tried::Answered(later(&sending.head, "Others are being answered: come again."));
        let Some(seat) = self.seats(url).take(account).await else { return busy() };
        let Ok(place) = self.all.clone().try_acquire_owned() else { return busy() };
        // Nothing of a change may be lost on a connection that was about to be closed.
        let open = match neighbour.open(!sending.is_reading).await {
            Ok(open) => open,
            Err(why) => {
                self.tell(url, &why);
                return Tried::Again;
            }
        };
        let Some(request) = sending.request(&neighbour, peer) else { return Tried::Again };
        // A change that was begun is waited for: nobody else could do it.
        let borne = if sending.is_reading { Duration::ZERO } else { PATIENCE };
        let answered = tokio::select! {
            answered = neighbour.send(open, request, borne) => answered,
            () = seat.has_to_go() => return busy_or_unknown(sending),
            // Another one is home by now.
            () = self.homes.moved(part, home.epoch), if sending.is_reading => {
                sending.body = Some(Body::empty());
                return Tried::Again;
            }
        };
        match answered {
            Ok(response) if response.headers().get(PASSED) == Some(&STRANGER) => {
                self.tell(
                    url,
                    &"it does not know this node: their [cluster] secret_file differ, or its url leads elsewhere",
                );
                Tried::Answered(later(
                    &sending.head,
                    "The nodes of this server do not know each other: its operator has to look.",
                ))
            }
            Ok(response) if response.headers().get(PASSED) == Some(&ELSEWHERE) => {
                if sending.is_short {
                    sending.body = Some(Body::empty());
                    return Tried::Again;
                }
                Tried::Answered(later(
                    &sending.head,
                    "Nothing was done: the account moves to another server. Come again.",
                ))
            }
            Ok(response) => {
                nodes.passed.fetch_add(1, Ordering::Relaxed);
                Tried::Answered(self.back(response, (part, home.epoch), (seat, place)))
            }
            Err(why) => {
                self.tell(url, &why);
                if sending.is_reading {
                    sending.body = Some(Body::empty());
                    return Tried::Again;
                }
                nodes.unanswered.fetch_add(1, Ordering::Relaxed);
                Tried::Answered(unknown(&sending.head))
            }
        }
    }

    /// An answer of another node, which holds its seat until it has ended.
    fn back(&self, mut response: Response, (part, epoch): (Part, i64), held: (Seat, OwnedSemaphorePermit)) -> Response {
        strip(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        let (homes, mut stop) = (self.homes.clone(), self.stop.clone());
        let is_followed = stream::is_followed(response.headers());
        let end = async move {
            let (seat, _place) = held;
            let ends = async {
                tokio::select! {
                    () = homes.moved(part, epoch) => (),
                    _ = stop.wait_for(|stop| *stop) => (),
                }
            };
            tokio::select! {
                () = ends, if is_followed => End::InOrder,
                () = seat.has_to_go() => if is_followed { End::InOrder } else { End::Broken },
            }
        };
        response.map(|body| stream::until(body, end))
    }

    fn seats(&self, url: &Arc<str>) -> Arc<Seats> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.len() >= KNOWN && !seats.contains_key(url) {
            seats.retain(|_, seats| Arc::strong_count(seats) > 1);
        }
        let of_one = self.most / 2;
        let new = || Seats::new(of_one, (of_one * 3 / 4).max(1), Some(SURE_FOR));
        seats.entry(url.clone()).or_insert_with(new).clone()
    }

    /// Says what is wrong with another node, now and then.
    fn tell(&self, url: &str, why: &dyn std::fmt::Display) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TOLD) {
            *told = Some(Instant::now());
            tracing::warn!(node = %url, %why, "a request could not be passed on to another node");
        }
    }
}

impl Sending {
    /// What is sent to another node; `None` if it was sent already.
    fn request(&mut self, neighbour: &Neighbour, peer: &Peer) -> Option<Request> {
        let mut request = Request::new(self.body.take()?);
        *request.method_mut() = self.head.method.clone();
        let path = self.head.uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>().ok()?;
        *request.headers_mut() = self.head.headers.clone();
        strip(request.headers_mut());
        neighbour.introduce(request.headers_mut(), peer.address());
        if self.is_last {
            request.headers_mut().insert(LAST, HeaderValue::from_static("true"));
        }
        Some(request)
    }
}

/// Takes away what is of one connection alone.
fn strip(headers: &mut HeaderMap) {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<_> = named.flat_map(|names| names.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    for name in named {
        headers.remove(name.as_str());
    }
    for name in OF_CONNECTION {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", PASSED.as_str(), LAST.as_str()] {
        headers.remove(name);
    }
}

/// Who says that he passes a request on, and is none who may.
fn stranger() -> Response {
    let why = "this node does not know who passed the request on\n";
    (StatusCode::FORBIDDEN, [(PASSED, STRANGER)], why).into_response()
}

/// What this node answers without knowing whether it is the home still. Nothing comes of following it.
fn unfollowed(response: Response) -> Response {
    if !stream::is_followed(response.headers()) {
        return response;
    }
    let why = "Nobody answers for this account while the database is away: come again.";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER)], why).into_response()
}

/// A node took this one for the home.
fn elsewhere(head: &Parts) -> Response {
    let mut response = later(head, "The account moves to another server. Come again.");
    response.headers_mut().insert(PASSED, ELSEWHERE);
    response
}

fn busy_or_unknown(sending: &Sending) -> Tried {
    Tried::Answered(if sending.is_reading {
        later(&sending.head, "Others are being answered: come again.")
    } else {
        unknown(&sending.head)
    })
}

fn later(head: &Parts, why: &str) -> Response {
    let mut response = said_of(head, StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

fn unknown(head: &Parts) -> Response {
    let why = "The server that answers for this account broke off: nobody knows whether it was done. Look before you do it again.";
    said_of(head, StatusCode::BAD_GATEWAY, why)
}

/// A sentence, in the shape in which whoever asks reads it.
fn said_of(head: &Parts, status: StatusCode, why: &str) -> Response {
    let path = head.uri.path();
    if ["/api/", "/v1/", "/heroku/"].iter().any(|apis| path.starts_with(apis)) && path != "/api/v2/tail" {
        let is_later = status == StatusCode::SERVICE_UNAVAILABLE;
        let text = json!({ "message": why, "retry": is_later }).to_string();
        let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        return (status, kind, text).into_response();
    }
    layout::refused(&head.method, &head.headers, status, "Not now", why)
}
