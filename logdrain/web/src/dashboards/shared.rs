//! What somebody sees who comes by a shared link: that dashboard or chart, of that app, over that time. Nothing in the
//! address but the link itself is read, and there is no way on from there.

use super::ask::now;
use super::ask::{Wanted, of_app};
use super::board::{self, Found, Gate};
use super::card;
use super::facts::Told;
use super::file::{self, Kind as FileKind};
use super::look::Look;
use super::page;
use super::ways::Ways;
use super::{number, table};
use crate::access;
use crate::assets::Asset;
use crate::layout::{self, Frame, Tab};
use crate::pages::Built;
use crate::site::Site;
use crate::turns::Budget;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use logdrain_charts::dashboard::{Chart, Dashboard, Kind};
use logdrain_drain::directory::Share;
use maud::{Markup, html};
use std::sync::Arc;

/// What a link opens now; `None` when it opens nothing, or nothing any more.
async fn opened(site: &Site, link: &str) -> Option<Arc<Share>> {
    let share = site.directory.shared(link).await?;
    let gate = Gate::of(&site.settings(), &share.account);
    // Whoever made it has to be somebody who may make it still.
    let is_lawful = share.member.is_none_or(|member| access::may_change_as(site, &share.account, member));
    (is_lawful && gate.shows(&share.board)).then_some(share)
}

fn nothing(headers: &HeaderMap) -> Response {
    let why = "The link is not good, or not any more. Ask whoever sent it for another one.";
    secret(layout::refused(&Method::GET, headers, StatusCode::NOT_FOUND, "Nothing here", why))
}

/// Its address is a secret: nobody is told of it, and no search engine keeps it.
fn secret(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    response
}

pub(super) async fn show(State(site): State<Arc<Site>>, Path(link): Path<String>, headers: HeaderMap) -> Response {
    let Some(share) = opened(&site, &link).await else { return nothing(&headers) };
    let viewer = access::of_link(&share.account);
    let frame = Frame::new(&site, &viewer, &headers, &Uri::from_static("/"), Tab::Dashboards, "Shared")
        .with_script(Asset::Charts)
        .with_zone(TimeZone::UTC);
    let page = site.pages.build(frame, move |frame, budget| built(frame, &share, &link, budget));
    secret(page.await)
}

pub(super) async fn file(
    State(site): State<Arc<Site>>,
    Path((link, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let (Some(share), Some((id, kind))) = (opened(&site, &link).await, FileKind::of(&file)) else {
        return nothing(&headers);
    };
    if share.chart.as_ref().is_some_and(|only| only != id) {
        return nothing(&headers);
    }
    let id = id.to_owned();
    let viewer = access::of_link(&share.account);
    let frame = Frame::new(&site, &viewer, &headers, &Uri::from_static("/"), Tab::Dashboards, "Shared")
        .with_zone(TimeZone::UTC);
    let made = site.pages.build(frame, move |frame, budget| {
        let found = board::find(&frame.site.directory, &share.account, share.member, &share.board);
        match found {
            Ok(found) => look(frame, &share, &found.dashboard, budget, |look, dashboard| {
                file::text(look, dashboard, (&id, 0), kind)
            }),
            Err(_) => Built::from((StatusCode::NOT_FOUND, html! { "there is no such chart\n" })),
        }
    });
    secret(kind.answer(made.await, &format!("chart.{}", kind.end())))
}

/// What the link's maker chose, and nothing else.
fn look<T>(
    frame: &Frame,
    share: &Share,
    dashboard: &Dashboard,
    budget: &Budget,
    work: impl FnOnce(&Look<'_>, &Dashboard) -> T,
) -> T {
    let wanted = Wanted::of(&share.wanted, &TimeZone::UTC);
    let gate = Gate::of(&frame.site.settings(), &share.account);
    let now = now();
    let range = gate.most.map_or(wanted.range, |most| wanted.range.within(most, now));
    let ask = super::seen::all_of(&frame.site, &share.account);
    let selectors = of_app(wanted.app(dashboard.app.as_deref()));
    // Marks are made of lines, which are not shared.
    let (zone, marks) = (frame.zone.clone(), Vec::new());
    let told = Told::of(&frame.site, &share.account, dashboard);
    let dashboard = told.put_into(dashboard.clone());
    work(&Look { ask: &ask, budget, range, now, selectors, zone, marks, told }, &dashboard)
}

fn built(frame: &Frame, share: &Share, link: &str, budget: &Budget) -> Built {
    let found = board::find(&frame.site.directory, &share.account, share.member, &share.board);
    let Ok(Found { dashboard, .. }) = found else {
        return Built::from((
            StatusCode::NOT_FOUND,
            document(frame, "Nothing here", &html! { p { "What this link opened is there no more." } }),
        ));
    };
    let wanted = Wanted::of(&share.wanted, &TimeZone::UTC);
    let files = Some(format!("/shared/{link}"));
    let ways = Ways { frame: None, key: &share.board, wanted: &wanted, may_change: false, may_share: false, files };
    let charts = look(frame, share, &dashboard, budget, |look, dashboard| match &share.chart {
        None => page::charts(look, dashboard, &ways),
        Some(id) => match dashboard.charts.iter().find(|chart| chart.id == *id) {
            Some(chart) => one(look, chart, dashboard, &ways),
            None => html! { p { "The chart that this link opened is there no more." } },
        },
    });
    let day = Timestamp::from_second(share.ends).unwrap_or_default().strftime("%-d %b %Y").to_string();
    let content = html! {
        header {
            h1 { (dashboard.title) }
            @if let Some(app) = wanted.app(dashboard.app.as_deref()) { span.dim { "app_name " b { (app) } } }
            span.sp {}
            span.dim { "Times are in UTC. The link is good until " (day) "." }
        }
        (charts)
    };
    document(frame, &dashboard.title, &content).into()
}

/// A chart alone, as it stands on its dashboard.
fn one(look: &Look<'_>, chart: &Chart, dashboard: &Dashboard, ways: &Ways<'_>) -> Markup {
    let at = dashboard.charts.iter().position(|known| known.id == chart.id).unwrap_or_default();
    let heading = dashboard.charts[..at].iter().rfind(|above| above.kind == Kind::Heading);
    match (chart.kind, heading) {
        (Kind::Number, _) => html! { section.kpis.k1 { (number::card(look, chart, ways)) } },
        (_, Some(heading)) if !heading.per.is_empty() => {
            let only = Dashboard { charts: vec![heading.clone(), chart.clone()], ..dashboard.clone() };
            page::charts(look, &only, ways)
        }
        (Kind::Table, _) => table::card(look, chart, (&[], &[]), ways),
        _ => card::drawn(look, chart, look.lines(chart, &[]), (&chart.id, 0), ways),
    }
}

/// A page without ways to others.
fn document(frame: &Frame, title: &str, content: &Markup) -> Markup {
    frame.alone(title, &html! { main.dash id="main" { (content) } })
}
