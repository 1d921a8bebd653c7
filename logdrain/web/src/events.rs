//! Log lines that are kept: the page at `/events`, and `/api/v2/tail`, which follows the newest lines.
//!
//! Nothing here waits on a thread that answers deliveries. A page is found and built on a thread of its own, in its turn
//! and within its time. Tails that have caught up are looked for by one thread, step by step; one that is far behind takes
//! turns with the searches until it has caught up. A tail whose reader does not read is asked for nothing more, and its
//! connection is cut as that of every slow reader is; nobody waits for it.
//!
//! Memory is counted: so many pages and so many tails at a time, each with a bound.

mod address;
mod alarm;
mod answers;
mod bars;
mod copying;
mod counting;
mod dock;
mod fields;
mod find;
mod following;
mod line;
mod links;
mod narrow;
mod page;
mod part;
mod query;
mod searches;
mod shown;
mod side;
mod span;
mod tail;
mod text;
mod zone;

#[cfg(test)]
mod tests;

use super::access::{self, Denied, Viewer, Way};
use super::fair::{Place, Places};
use super::pieces::Held;
use super::site::Site;
use super::turns::{Budget, Turns};
pub(super) use address::PAGE as PATH;
use address::{Ask, Follow, Wrong};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use hyper::body::Bytes;
use jiff::tz::TimeZone;
pub(super) use line::Told;
use line::{LINE, WHOLE_LINE};
use links::Whose;
use log_store::{Reader, Scope};
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::intake::http::unavailable;
use logdrain_drain::intake::{Intake, UNIT};
use logdrain_drain::logs::Boards;
use narrow::Nothing;
use std::sync::Arc;
use std::time::Duration;
use tail::Tails;
pub use text::LogText;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Lines of a page.
const LINES: usize = 200;
/// Pages and parts of them at a time, from their search to their last byte, and how many count at a time.
const PAGES: usize = 4;
const COUNTS: usize = 2;
/// The most bytes of a page: its lines and all else.
const PAGE: usize = LINES * LINE + WHOLE_LINE + (1 << 20);
/// What a search reads at a time: a block of one message as long as a delivery.
const READ: usize = 8 << 20;
/// The most bytes that a search holds: what it found, and what it reads.
const SEARCH: usize = find::BYTES + READ;
/// The most bytes of an answer that counts, with what it reads.
const COUNT: usize = (64 << 10) + READ;
/// How long somebody waits for the turn to search, and how long a search may take.
const PATIENCE: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(5);
/// How long lines are counted for who has them already.
const COUNTING: Duration = Duration::from_secs(1);

/// What the kept lines are asked through. It is there before they are.
#[derive(Debug)]
pub struct Events {
    logs: Boards,
    turns: Arc<Turns>,
    pages: Room,
    counts: Room,
    tails: Tails,
}

/// How many of one kind are answered at a time, one of them always for another account, and the memory of each.
#[derive(Debug)]
struct Room {
    places: Places,
    bytes: usize,
}

impl Room {
    fn new(places: usize, bytes: usize) -> Self {
        Self { places: Places::new(places, places - 1), bytes }
    }
}

/// A place, and its memory.
struct Taken {
    place: Place,
    memory: OwnedSemaphorePermit,
    bytes: usize,
}

impl Taken {
    /// The text as an answer, which holds no more memory than it needs.
    fn hold(mut self, mut text: Vec<u8>) -> Bytes {
        text.shrink_to_fit();
        // What it did not become is given back.
        drop(self.memory.split(self.bytes.saturating_sub(text.len()) / UNIT));
        Held::bytes(text, (self.memory, self.place))
    }
}

/// The most bytes that all pages and tails take at a time.
pub const MOST: usize =
    PAGES * (PAGE + SEARCH).next_multiple_of(UNIT) + COUNTS * COUNT.next_multiple_of(UNIT) + tail::MOST;

type Shared = (Arc<Site>, Arc<Events>);

impl Events {
    /// Searches take their turns with all others. Tails end when `stop` says so.
    pub fn new(stop: watch::Receiver<bool>, turns: Arc<Turns>, logs: Boards) -> Arc<Self> {
        Arc::new(Self {
            logs,
            turns,
            pages: Room::new(PAGES, PAGE + SEARCH),
            counts: Room::new(COUNTS, COUNT),
            tails: Tails::new(stop),
        })
    }

    /// Looks through kept lines, in a place with its memory, in its turn and within its time.
    async fn look<T: Send + 'static>(
        &self,
        intake: &Intake,
        account: &str,
        whose: &str,
        room: &Room,
        work: impl FnOnce(&Reader, &Budget, Taken) -> T + Send + 'static,
    ) -> Result<T, Response> {
        let reader = self.logs.reader(whose).ok_or_else(not_kept)?;
        let busy = || unavailable("others are being answered: come again\n");
        let place = room.places.take(account, 1, PATIENCE).await.ok_or_else(busy)?;
        let memory = intake.lease(room.bytes).ok_or_else(busy)?;
        let taken = Taken { place, memory, bytes: room.bytes };
        let found = self.turns.search_for(account, PATIENCE, TIME, move |budget| work(&reader, budget, taken));
        found.await.map_err(|_| busy())
    }
}

fn not_kept() -> Response {
    unavailable("log lines are not kept here, or not to be had yet\n")
}

/// The paths of kept lines.
pub(super) fn router(site: Arc<Site>, events: Arc<Events>) -> Router<Arc<Intake>> {
    Router::new()
        .route(address::PAGE, get(answers::page))
        .route("/events/lines", get(answers::lines))
        .route("/events/line", get(answers::line))
        .route("/events/counts", get(answers::counts))
        .route("/events/text", get(answers::text))
        .route("/events/context", get(answers::context))
        .route(address::TAIL, get(follow))
        .route("/groups/{id}", get(elsewhere))
        .route("/groups/{id}/events", get(elsewhere))
        .route("/systems/{name}", get(elsewhere))
        .route("/systems/{name}/events", get(elsewhere))
        .route("/searches", post(searches::save))
        .route("/searches/{id}", get(elsewhere))
        .route("/searches/{id}/edit", get(searches::edit).post(searches::set))
        .route("/searches/{id}/delete", post(searches::remove))
        .with_state((site, events))
}

/// Addresses of other pages lead to this one. Whoever comes by them is asked there who he is.
async fn elsewhere(Path(of): Path<String>, uri: Uri) -> Response {
    let whose = match uri.path().split('/').nth(1) {
        Some("groups") => Whose::Group(of),
        Some("systems") => Whose::System(of),
        _ => Whose::Search(of),
    };
    let to = links::address(address::PAGE, &whose, uri.query().unwrap_or_default());
    (StatusCode::FOUND, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())]).into_response()
}

async fn follow(
    State((site, events)): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    let viewer = match may_see(&site, &peer, &headers, Way::ApiV2 { is_change: false }).await {
        Ok(viewer) => viewer,
        Err(why) => return why.text(),
    };
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("not text"));
    let mut follow = match Follow::of(&query.0.unwrap_or_default(), last) {
        Ok(follow) => follow,
        Err(wrong) => return wrong.into_response(),
    };
    let asked = follow.ask.clone();
    follow.ask = match seen(&site, &mut viewer.clone(), follow.ask) {
        Ok(ask) => ask,
        Err(why) => return why.into_response(),
    };
    let whose = follow.ask.account.clone();
    let (number, Some(reader)) = events.logs.numbered_reader(&whose) else { return not_kept() };
    let account = viewer.counts_as().to_owned();
    let still = still(site.clone(), viewer, asked, follow.ask.scope.clone());
    let logs = events.logs.clone();
    let still = Box::new(move || logs.numbered_reader(&whose).0 == number && still());
    match tail::begin(&site.intake, (&events, &account), reader, follow, still).await {
        Some(body) => {
            let kind = [
                (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::CACHE_CONTROL, "no-store"),
                // What stands in front hands each line on.
                (header::HeaderName::from_static("x-accel-buffering"), "no"),
            ];
            (kind, body).into_response()
        }
        None => unavailable("as many follow the newest lines as may: come again\n"),
    }
}

/// Whether the same lines may still be seen.
fn still(site: Arc<Site>, viewer: Viewer, asked: Ask, scope: Arc<Scope>) -> tail::Still {
    Box::new(move || {
        let now = || seen(&site, &mut viewer.clone(), asked.clone());
        viewer.still(&site) && now().is_ok_and(|now| now.scope == scope)
    })
}

/// Why somebody sees nothing of what he asks for.
#[derive(Clone, Copy, Debug)]
enum Unseen {
    Denied(Denied),
    Nothing(Nothing),
}

impl IntoResponse for Unseen {
    fn into_response(self) -> Response {
        match self {
            Self::Denied(why) => why.text(),
            Self::Nothing(Nothing(why)) => (StatusCode::NOT_FOUND, format!("{why}\n")).into_response(),
        }
    }
}

/// What is asked for, as far as whoever asks may see it.
fn seen(site: &Site, viewer: &mut Viewer, ask: Ask) -> Result<Ask, Unseen> {
    let settings = site.settings();
    let ask = ask.seen_by(viewer, &settings).map_err(Unseen::Denied)?;
    ask.narrowed(viewer, &settings, &site.directory).map_err(Unseen::Nothing)
}

/// The zone of a member's profile.
fn zone_of(site: &Site, viewer: &Viewer) -> TimeZone {
    let member = viewer.member().and_then(|id| site.directory.member(id));
    let name = member.and_then(|member| member.zone.clone());
    name.and_then(|name| TimeZone::get(&name).ok()).unwrap_or(TimeZone::UTC)
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{}\n", self.0)).into_response()
    }
}

/// Who may see lines of an account. A token that is there for sending alone sees none.
async fn may_see(site: &Site, peer: &Peer, headers: &HeaderMap, way: Way) -> Result<Viewer, Denied> {
    let viewer = access::viewer(site, peer, headers, way).await?;
    if viewer.may_read() { Ok(viewer) } else { Err(Denied::Forbidden) }
}
