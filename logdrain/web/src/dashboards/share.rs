//! Links that share a dashboard, or one chart: made, listed and taken back by who may change settings of the account.

use super::ask::Wanted;
use super::ask::now;
use super::board::{self, Gate, Refused};
use super::form::Form;
use super::refused::refused;
use super::viewer;
use crate::access::Viewer;
use crate::layout::{Frame, Tab};
use crate::pages::Built;
use crate::site::Site;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use form_urlencoded::Serializer;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use logdrain_drain::directory::{Secret, Share};
use logdrain_drain::intake::connections::Peer;
use logdrain_terms::escape::Escaped;
use maud::{Markup, html};
use std::sync::Arc;

/// How many days a link may be good, and is unless somebody says otherwise.
const DAYS: [u32; 5] = [1, 7, 30, 90, 365];
const USUAL: u32 = 30;
const DAY: i64 = 86_400;

/// What a new link is to open.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Opens {
    /// Key of a dashboard.
    pub board: String,
    pub chart: Option<String>,
    /// The app and the range, as parameters of an address.
    pub wanted: String,
    pub name: String,
    /// How long it is good.
    pub days: u32,
}

/// What is shared is seen by anybody: by who could also give others all of it.
pub(crate) fn may_share(viewer: &Viewer) -> bool {
    viewer.may_change()
}

fn check(viewer: &Viewer) -> Result<(), Refused> {
    match may_share(viewer) {
        true => Ok(()),
        false => Err(Refused::forbidden("links are made and taken back by who may change settings of the account")),
    }
}

/// Makes a link. The secret is not to be had again.
///
/// # Errors
/// When it may not be, or opens nothing.
pub(crate) fn make(site: &Site, viewer: &Viewer, opens: Opens) -> Result<(Secret, Arc<Share>), Refused> {
    check(viewer)?;
    let gate = Gate::of(&site.settings(), &viewer.account);
    let found = board::find(&site.directory, &viewer.account, viewer.member(), &opens.board)?;
    if !gate.shows(&found.key) {
        return Err(gate.why());
    }
    if let Some(chart) = &opens.chart
        && !found.dashboard.charts.iter().any(|known| known.id == *chart)
    {
        return Err(Refused {
            status: StatusCode::NOT_FOUND,
            why: "there is no such chart on that dashboard".to_owned(),
        });
    }
    if !(1..=DAYS[DAYS.len() - 1]).contains(&opens.days) {
        return Err(Refused::wrong("a link is good for 1 to 365 days"));
    }
    // As it is read: nothing else is kept of it.
    let wanted = Wanted { every: None, ..Wanted::of(&opens.wanted, &TimeZone::UTC) };
    let mut parameters = Serializer::new(String::new());
    parameters.extend_pairs(wanted.parameters());
    let share = Share {
        id: 0,
        account: viewer.account.clone(),
        member: viewer.member(),
        name: opens.name.trim().to_owned(),
        board: found.key,
        chart: opens.chart,
        wanted: parameters.finish(),
        created: 0,
        ends: now() + i64::from(opens.days) * DAY,
    };
    Ok(site.directory.new_share(share)?)
}

/// Takes a link back.
///
/// # Errors
/// When it is not there, or not for whoever asks.
pub(crate) fn remove(site: &Site, viewer: &Viewer, id: u32) -> Result<(), Refused> {
    check(viewer)?;
    Ok(site.directory.remove_share(&viewer.account, id)?)
}

pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(key): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let query = uri.query().unwrap_or_default().to_owned();
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Share");
    site.pages.build(frame, move |frame, _| page(frame, &key, &query, None)).await
}

fn page(frame: &Frame, key: &str, query: &str, made: Option<&str>) -> Built {
    let (site, viewer) = (&frame.site, &frame.viewer);
    let found = check(viewer).and_then(|()| board::find(&site.directory, &viewer.account, viewer.member(), key));
    let found = match found {
        Ok(found) => found,
        Err(why) => return refused(frame, &why),
    };
    let wanted = Wanted { every: None, ..Wanted::of(query, &frame.zone) };
    let fields = Form::of(query.as_bytes());
    let chosen = fields.get("chart");
    let pairs = wanted.parameters();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let here = frame.link_with(&format!("/dashboards/{key}/share"), &pairs);
    let app = wanted.app(found.dashboard.app.as_deref());
    let content = html! {
        p { a href=(frame.link_with(&format!("/dashboards/{key}"), &pairs)) { "Back to " (found.dashboard.title) } }
        @if let Some(link) = made {
            div.card role="status" {
                h2 { "The link" }
                p { "Copy it now: it is not kept here and cannot be shown again." }
                p { input.link readonly value=(link) aria-label="The link" autofocus; }
                p { a href=(link) { "Open it" } }
            }
        }
        div.card {
            h2 { "Share " (found.dashboard.title) }
            p { "Whoever has the link sees this dashboard, or the one chart, without signing in: "
                b { @match app { Some(app) => { "of the app " (app) }, None => "of all apps" } } ", over "
                b { @match wanted.range { super::ask::Range::Last(_) => { "the last " (wanted.range.words()) " at the time" }, super::ask::Range::Fixed(_) => "the times that you looked at" } }
                ". Nothing else opens by it." }
            form.fields method="post" action=(here) { (frame.form_token())
                label { "What"
                    select name="chart" {
                        option value="" selected[chosen.is_none()] { "the whole dashboard" }
                        @for chart in found.dashboard.charts.iter().filter(|chart| !chart.series.is_empty()) {
                            option value=(chart.id) selected[chosen == Some(chart.id.as_str())] { (chart.title) }
                        }
                    }
                }
                label { "For"
                    select name="days" {
                        @for days in DAYS { option value=(days) selected[days == USUAL] { @if days == 1 { "a day" } @else { (days) " days" } } }
                    }
                }
                label { "For whom (to know it again)" input name="name" maxlength="100" autocomplete="off"; }
                button.btn.primary type="submit" name="do" value="make" { "Make the link" }
            }
        }
        (known(frame, &here))
    };
    frame.page(&content).into()
}

fn known(frame: &Frame, here: &str) -> Markup {
    let shares = frame.site.directory.shares(&frame.viewer.account);
    let day = |at: i64| {
        let at = ZonedDateTime::new(Timestamp::from_second(at).unwrap_or_default(), frame.zone.clone());
        at.strftime("%-d %b %Y %H:%M").to_string()
    };
    html! {
        @if !shares.is_empty() {
            div.card {
                h2 { "Links that are good now" }
                form method="post" action=(here) { (frame.form_token())
                    div.scroll { table {
                        thead { tr { th { "for" } th { "opens" } th { "made" } th { "ends" } th { span.vh { "remove" } } } }
                        tbody {
                            @for share in &shares {
                                tr {
                                    td { @if share.name.is_empty() { "–" } @else { (Escaped(&share.name).to_string()) } }
                                    td { (share.board) @if let Some(chart) = &share.chart { ": " (chart) } " " span.dim { (Escaped(&share.wanted).to_string()) } }
                                    td { (day(share.created)) }
                                    td { (day(share.ends)) }
                                    td { button.btn type="submit" name="do" value={ "remove:" (share.id) } aria-label={ "Take back " (Escaped(&share.name).to_string()) } { "Take back" } }
                                }
                            }
                        }
                    } }
                }
            }
        }
    }
}

pub(super) async fn change(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(key): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let query = uri.query().unwrap_or_default().to_owned();
    let base = site.base(&headers);
    let form = Form::read(&site, &viewer, &headers, body).await;
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Share");
    site.pages
        .build(frame, move |frame, _| {
            let (site, viewer) = (&frame.site, &frame.viewer);
            let done = form.and_then(|form| match form.action() {
                ("make", _) => {
                    let days = form.get("days").and_then(|days| days.parse().ok()).unwrap_or(USUAL);
                    let (board, chart) = (key.clone(), form.text("chart"));
                    let name = form.text("name").unwrap_or_default();
                    let (secret, _) = make(site, viewer, Opens { board, chart, wanted: query.clone(), name, days })?;
                    Ok(Some(format!("{base}/shared/{}", secret.reveal())))
                }
                ("remove", id) => {
                    let id = id.parse().map_err(|_| Refused::wrong("the form says nothing to do"))?;
                    remove(site, viewer, id).map(|()| None)
                }
                _ => Err(Refused::wrong("the form says nothing to do")),
            });
            match done {
                Ok(link) => page(frame, &key, &query, link.as_deref()),
                Err(why) => refused(frame, &why),
            }
        })
        .await
}
