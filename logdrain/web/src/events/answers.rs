//! What is answered of kept lines besides those that come now: the page, and the parts that its script asks for.
//!
//! ```text
//! /events          the page                           /events/line     what a line says, as JSON
//! /events/lines    a page's lines, as JSON            /events/text     lines as they came, to be copied
//! /events/counts   how many there are, by time        /events/context  leads to what stands around a line
//! ```

use super::address::{Ask, At, PAGE, Wrong};
use super::bars::Drawn;
use super::copying::{self, Form};
use super::counting::{self, Counting};
use super::fields::Fields;
use super::find::{self, below, scope};
use super::links::parameters;
use super::query::{added, front, term};
use super::side::Side;
use super::span::Span;
use super::{Room, Shared, Taken, Unseen, may_see, page, searches, seen, zone_of};
use crate::access::{Viewer, Way, Who};
use crate::assets::Asset;
use crate::gzip;
use crate::layout::{self, Frame, Tab};
use crate::pieces::in_pieces;
use crate::turns::Budget;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use hyper::body::Bytes;
use log_store::{Event, EventId, Page, Query, Reader};
use logdrain_drain::intake::connections::Peer;
use logdrain_terms::json;
use serde_json::json;
use std::sync::Arc;

/// Who asks, and what for.
struct Asked {
    shared: Shared,
    viewer: Viewer,
    ask: Ask,
}

impl Asked {
    async fn new(
        shared: Shared,
        peer: &Peer,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Self, Response> {
        let (site, _) = &shared;
        let mut viewer = may_see(site, peer, headers, Way::Page)
            .await
            .map_err(|why| layout::denied(why, site, method, uri, headers))?;
        let ask = Ask::of_page(uri.query().unwrap_or_default(), zone_of(site, &viewer)).map_err(|Wrong(why)| {
            layout::refused(method, headers, StatusCode::BAD_REQUEST, "Not an address of lines", &why)
        })?;
        let ask = seen(site, &mut viewer, ask).map_err(|why| match why {
            Unseen::Denied(why) => layout::denied(why, site, method, uri, headers),
            nothing @ Unseen::Nothing(_) => nothing.into_response(),
        })?;
        Ok(Self { shared, viewer, ask })
    }

    /// Looks through lines, and makes a text of what it finds.
    async fn look(
        self,
        room: impl FnOnce(&super::Events) -> &Room,
        work: impl FnOnce(&Reader, Ask, &Budget) -> Vec<u8> + Send + 'static,
    ) -> Result<Bytes, Response> {
        let Self { shared: (site, events), viewer, ask } = self;
        let (account, whose) = (viewer.counts_as().to_owned(), ask.account.clone());
        let work = move |reader: &Reader, budget: &Budget, taken: Taken| taken.hold(work(reader, ask, budget));
        events.look(&site.intake, &account, &whose, room(&events), work).await
    }
}

/// What a program reads; nothing keeps it.
fn told(kind: &'static str, text: Result<Bytes, Response>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Whoever opens it in a browser runs nothing of it.
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    match text {
        Ok(text) => (headers, in_pieces(text)).into_response(),
        Err(response) => response,
    }
}

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The page, as its address asks for it.
pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::new(shared, &peer, &method, &uri, &headers).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let Asked { shared: (site, events), viewer, mut ask } = asked;
    ask.notice = site.notice(&ask.account);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("HOST");
    let drain = match site.intake.access().is_open() {
        true => format!("http://{host}/logs"),
        false => format!("https://USER:PASSWORD@{host}/logs"),
    };
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Events, "Events");
    let frame = frame.with_class("viewer").with_script(Asset::Events).with_zone(ask.zone.zone().clone());
    let (intake, account, whose) = (site.intake.clone(), viewer.counts_as().to_owned(), ask.account.clone());
    let built = events.look(&intake, &account, &whose, &events.pages, move |reader, budget, taken| {
        let mut side = Side::of(&ask, &viewer, &site.settings(), &site.directory, counting::now() * 1_000_000);
        // Who sees some groups alone saves in one of them.
        let own = viewer.groups().and_then(|groups| groups.first().copied()).filter(|_| side.group.is_none());
        side.group = own.or(side.group);
        side.may_save = searches::may_save(&site, &viewer, side.group);
        side.may_group = viewer.may_change() || viewer.who == Who::Open && !site.open_reading;
        let shown = find::find(reader, ask, budget);
        let text = frame.document(&page::html(&shown, &side, &drain)).into_string();
        drop((shown, side));
        let packed = if frame.is_packed() { gzip::pack(text.as_bytes(), Compression::new(5)) } else { None };
        let is_packed = packed.is_some();
        (is_packed, taken.hold(packed.unwrap_or_else(|| text.into_bytes())))
    });
    match built.await {
        Ok((is_packed, text)) => {
            let mut response = (layout::headers(), in_pieces(text)).into_response();
            if is_packed {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
        Err(mut response) => {
            // Who looks with a browser need not come again himself.
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(header::REFRESH, HeaderValue::from_static("2"));
            }
            response
        }
    }
}

/// The lines of a page, and what is beyond them.
pub(super) async fn lines(
    State(shared): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::new(shared, &peer, &method, &uri, &headers).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let text = asked.look(
        |events| &events.pages,
        |reader, ask, budget| {
            let shown = find::lines(reader, ask, budget);
            let mut text = Vec::new();
            // Writing to memory does not fail.
            let _ = json::line(&mut text, &page::Around(&shown));
            for line in &shown.lines {
                let _ = json::line(&mut text, line);
            }
            text
        },
    );
    told(LINES, text.await)
}

/// How many lines there are: by time, or, of those behind an id, in all.
pub(super) async fn counts(
    State(shared): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::new(shared, &peer, &method, &uri, &headers).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    // The lines that are shown, whose hour it is: in seconds.
    let second = |wanted: &str| {
        let all = parameters(uri.query().unwrap_or_default());
        all.filter(|(name, _)| name == wanted).last().and_then(|(_, value)| value.parse::<i64>().ok())
    };
    let around = (second("first"), second("last"));
    let text = asked.look(
        |events| &events.counts,
        move |reader, ask, budget| {
            let view = reader.view(&scope(&ask));
            let mut text = Vec::new();
            // Whoever follows asks for them again and again, and others search meanwhile.
            let budget = budget.within(super::COUNTING);
            let goes_on = &mut || budget.goes_on();
            let _ = if let At::After(id) = ask.at {
                let (lines, is_partial) = counting::newer(&ask, id, &view, goes_on);
                json::write(&mut text, &json!({ "lines": lines, "partial": is_partial }))
            } else {
                let counts = Counting::new(&ask, around).count(&view, goes_on);
                json::write(&mut text, &Drawn(&counts, &ask.zone))
            };
            text
        },
    );
    told(JSON, text.await)
}

/// The line that an address names, by its `id`.
fn id_of(uri: &Uri) -> Result<EventId, Wrong> {
    let all = parameters(uri.query().unwrap_or_default());
    let id = all.filter(|(name, _)| name == "id").last().and_then(|(_, id)| id.parse::<u64>().ok());
    let id = id.filter(|id| *id <= EventId::MAX.get()).map(EventId::new);
    id.ok_or_else(|| Wrong("id names no line: it is a number".to_owned()))
}

/// Looks at one line, if it is there for whoever asks.
fn at<T>(reader: &Reader, ask: &Ask, id: EventId, budget: &Budget, look: impl FnOnce(&Event<'_>) -> T) -> Option<T> {
    let page = Page::new().with_after(below(id)).with_before(EventId::new(id.get().saturating_add(1))).with_limit(1);
    let found = reader.view(&scope(ask)).search(&Query::default(), &page, &mut || budget.goes_on());
    found.events().first().filter(|event| event.id() == id).map(|event| look(&event.as_event()))
}

fn not_there() -> Response {
    (StatusCode::NOT_FOUND, "that line is not there, or not any more\n").into_response()
}

/// What a line says.
pub(super) async fn line(
    State(shared): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::new(shared, &peer, &method, &uri, &headers).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let id = match id_of(&uri) {
        Ok(id) => id,
        Err(wrong) => return wrong.into_response(),
    };
    let text = asked.look(
        |events| &events.pages,
        move |reader, ask, budget| {
            let mut text = Vec::new();
            at(reader, &ask, id, budget, |event| {
                let _ = json::write(&mut text, &Fields::of(event, &ask.zone));
            });
            text
        },
    );
    match text.await {
        Ok(text) if text.is_empty() => not_there(),
        text => told(JSON, text),
    }
}

/// Lines as they came.
pub(super) async fn text(
    State(shared): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::new(shared, &peer, &method, &uri, &headers).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let is_json = parameters(uri.query().unwrap_or_default()).any(|(name, value)| name == "form" && value == "json");
    let Some(chosen) = asked.ask.chosen else {
        return Wrong("r names the lines: the first and the last id, as in r=1-2".to_owned()).into_response();
    };
    let (form, kind) = if is_json { (Form::Json, LINES) } else { (Form::Text, TEXT) };
    told(
        kind,
        asked
            .look(|events| &events.pages, move |reader, ask, budget| copying::copy(reader, &ask, chosen, form, budget))
            .await,
    )
}

/// Leads to what stands around a line, of its system, or of its program there; with the query, if it is to be kept.
pub(super) async fn context(
    State(shared): State<Shared>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::new(shared, &peer, &method, &uri, &headers).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let id = match id_of(&uri) {
        Ok(id) => id,
        Err(wrong) => return wrong.into_response(),
    };
    let of_program =
        parameters(uri.query().unwrap_or_default()).any(|(name, value)| name == "of" && value == "program");
    let found = asked.look(
        |events| &events.pages,
        move |reader, mut ask, budget| {
            let names = at(reader, &ask, id, budget, |event| {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                (text(event.system()), text(event.program()))
            });
            let Some((system, program)) = names else { return Vec::new() };
            (ask.part.group, ask.part.system) = (None, Some(system).filter(|name| !name.is_empty()));
            if of_program && !program.is_empty() {
                ask.query = added(&front(&ask.query), &format!("program:{}", term(&program)), false);
            }
            ask.span = Span::default();
            ask.at(At::Around(id)).to_string().into_bytes()
        },
    );
    let to = match found.await {
        Ok(to) => HeaderValue::from_bytes(&to).unwrap_or(HeaderValue::from_static(PAGE)),
        Err(response) => return response,
    };
    if to.is_empty() {
        return not_there();
    }
    (StatusCode::FOUND, [(header::LOCATION, to), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}
