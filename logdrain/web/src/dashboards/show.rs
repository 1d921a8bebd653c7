//! The page of a dashboard.

use super::ask::{Wanted, now, of_app};
use super::board::{self, Found, Gate};
use super::change::may_change;
use super::facts::Told;
use super::look::Look;
use super::marks;
use super::page::{self, Around};
use super::refused::refused;
use super::seen;
use super::share::may_share;
use super::ways::Ways;
use super::{PATH, lead_to, viewer};
use crate::assets::Asset;
use crate::layout::{Frame, Tab};
use crate::pages::Built;
use crate::site::Site;
use crate::turns::Budget;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use logdrain_drain::intake::connections::Peer;
use maud::{Markup, html};
use std::sync::Arc;

/// Apps that are offered.
const APPS: usize = 200;

pub(super) async fn first(uri: Uri) -> Response {
    lead_to(&uri.query().map_or_else(|| PATH.to_owned(), |query| format!("{PATH}?{query}")))
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
    let mut frame =
        Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Dashboards").with_script(Asset::Charts);
    if let Some(every) = Wanted::of(&query, &frame.zone).every {
        frame = frame.with_refresh(every);
    }
    site.pages.build(frame, move |frame, budget| built(frame, &key, &query, budget)).await
}

fn built(frame: &Frame, key: &str, query: &str, budget: &Budget) -> Built {
    let (site, viewer) = (&frame.site, &frame.viewer);
    let gate = Gate::of(&site.settings(), &viewer.account);
    let found = board::find(&site.directory, &viewer.account, viewer.member(), key);
    let Found { dashboard, head, .. } = match found {
        Ok(_) if !gate.shows(key) => return refused(frame, &gate.why()),
        Ok(found) => found,
        Err(why) => return refused(frame, &why),
    };
    let mut wanted = Wanted::of(query, &frame.zone);
    let now = now();
    let mut notes: Vec<Markup> = Vec::new();
    if let Some(most) = gate.most {
        let within = wanted.range.within(most, now);
        if within != wanted.range {
            notes.push(html! { p.note { "The plan of this account shows the last " (hours(most)) ". What is older is kept and hidden, as far as it is there: another plan shows it." } });
            wanted.range = within;
        }
    }
    let ask = seen::of(site, viewer);
    let app = wanted.app(dashboard.app.as_deref()).map(str::to_owned);
    let selectors = of_app(app.as_deref());
    let marks = marks::of(site, viewer, wanted.range.span(now, 60), app.as_deref(), budget);
    let told = Told::of(site, &viewer.account, &dashboard);
    let dashboard = told.put_into(dashboard);
    let look = Look { ask: &ask, budget, range: wanted.range, now, selectors, zone: frame.zone.clone(), marks, told };
    let ways = Ways {
        frame: Some(frame),
        key,
        wanted: &wanted,
        may_change: head.as_ref().is_some_and(|head| may_change(viewer, head.member)),
        may_share: may_share(viewer),
        files: None,
    };
    if matches!(site.minutes.span_of(&viewer.account), Ok(None)) {
        notes.push(nothing_yet(frame));
    }
    let around = Around {
        title: &dashboard.title,
        tabs: board::visible(&site.directory, viewer, gate),
        apps: super::seen::apps(site, viewer, APPS),
        app: app.as_deref(),
        most: gate.most,
        is_kept: head.is_some(),
        notes,
    };
    let content = html! {
        main.dash id="main" {
            (page::head(&look, &around, &ways))
            (page::charts(&look, &dashboard, &ways))
        }
    };
    frame.titled(&dashboard.title, &content).into()
}

fn hours(seconds: i64) -> String {
    match seconds {
        3_600 => "hour".to_owned(),
        seconds if seconds % 86_400 == 0 => format!("{} days", seconds / 86_400),
        seconds => format!("{} hours", seconds / 3_600),
    }
}

/// Nothing was ever counted of this account.
fn nothing_yet(frame: &Frame) -> Markup {
    html! {
        div.card {
            h2 { "Waiting for the first line" }
            p { "Nothing has been counted for this account yet. Lines come as soon as an app has this server as a drain; the first minute is on the charts while it runs." }
            p { code { "heroku drains:add https://USER:PASSWORD@HOST/logs --app APP" } }
            @if frame.has(Tab::Events) { p { a href=(frame.link("/events")) { "See whether lines have come" } } }
        }
    }
}
