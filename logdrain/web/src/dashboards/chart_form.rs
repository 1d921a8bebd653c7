//! The form of one chart: what it draws, in fields. Nobody writes JSON.

use super::ask::Wanted;
use super::ask::now;
use super::board::Refused;
use super::edit::{of_form, own};
use super::facts::Told;
use super::fields;
use super::form::Form;
use super::look::Look;
use super::refused::refused;
use super::seen;
use super::ways::Ways;
use super::{card, change, lead_to, number, table, viewer};
use crate::assets::Asset;
use crate::layout::{Frame, Tab};
use crate::pages::Built;
use crate::site::Site;
use crate::turns::Budget;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use logdrain_charts::dashboard::{CHARTS, Chart, Dashboard, Kind, bounded};
use logdrain_drain::directory::DashboardHead;
use logdrain_drain::intake::connections::Peer;
use maud::{Markup, html};
use std::sync::{Arc, OnceLock};

/// Names of metrics that are offered.
const NAMES: usize = 500;

/// The chart that a form is about, and where it stands.
fn chart_of(dashboard: &Dashboard, id: &str) -> Result<Option<usize>, Refused> {
    if id == "new" {
        return match dashboard.charts.len() {
            0..CHARTS => Ok(None),
            _ => Err(Refused::wrong(format!("a dashboard has {CHARTS} charts at most"))),
        };
    }
    let at = dashboard.charts.iter().position(|chart| chart.id == id);
    at.map(Some).ok_or_else(|| Refused { status: StatusCode::NOT_FOUND, why: "there is no such chart".to_owned() })
}

pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path((key, id)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let query = uri.query().unwrap_or_default().to_owned();
    let frame =
        Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Change a chart").with_script(Asset::Charts);
    site.pages
        .build(frame, move |frame, budget| {
            let found = own(frame, &key).and_then(|(found, head)| Ok((chart_of(&found.dashboard, &id)?, found, head)));
            let (at, found, head) = match found {
                Ok(found) => found,
                Err(why) => return refused(frame, &why),
            };
            let chart = match at.and_then(|at| found.dashboard.charts.get(at)) {
                Some(chart) => chart.clone(),
                None => fields::begun(&query),
            };
            let drawn = at.is_some() || !chart.series.is_empty();
            let said = Said { why: None, is_drawn: drawn };
            page(frame, &found.dashboard, (&key, &id), &head, &chart, &said, budget)
        })
        .await
}

/// What is said above a form.
struct Said {
    why: Option<String>,
    /// Whether the chart is shown as it would be.
    is_drawn: bool,
}

fn page(
    frame: &Frame,
    dashboard: &Dashboard,
    (key, id): (&str, &str),
    head: &DashboardHead,
    chart: &Chart,
    said: &Said,
    budget: &Budget,
) -> Built {
    let here = frame.link(&format!("/dashboards/{key}/charts/{id}"));
    let names = super::seen::metrics(&frame.site, &frame.viewer, NAMES);
    let content = html! {
        p { a href=(frame.link(&format!("/dashboards/{key}/edit"))) { "Back to " (dashboard.title) } }
        @if let Some(why) = &said.why { p.bad role="alert" { (why) } }
        form.chartform method="post" action=(here) { (frame.form_token())
            input type="hidden" name="version" value=(head.version);
            (fields::markup(chart))
            datalist id="metrics" { @for name in &names { option value=(name) {} } }
            p.buttons {
                button.btn.primary type="submit" name="do" value="save" { @if id == "new" { "Add it" } @else { "Save" } }
                @if chart.kind != Kind::Heading { button.btn type="submit" name="do" value="preview" { "Look at it first" } }
                a.btn href=(frame.link(&format!("/dashboards/{key}/edit"))) { "Leave it as it was" }
            }
        }
        @if said.is_drawn && said.why.is_none() && chart.kind != Kind::Heading {
            h2.sect { "As it would be, over 6 hours" }
            (preview(frame, dashboard, chart, budget))
        }
    };
    let status = if said.why.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Built::from((status, frame.page(&content)))
}

fn preview(frame: &Frame, dashboard: &Dashboard, chart: &Chart, budget: &Budget) -> Markup {
    let ask = seen::of(&frame.site, &frame.viewer);
    let gate = super::Gate::of(&frame.site.settings(), &frame.viewer.account);
    let wanted = Wanted::default();
    let now = now();
    let range = gate.most.map_or(wanted.range, |most| wanted.range.within(most, now));
    let selectors = super::ask::of_app(dashboard.app.as_deref());
    let alone = Dashboard { charts: vec![chart.clone()], ..dashboard.clone() };
    let told = Told::of(&frame.site, &frame.viewer.account, &alone);
    let alone = told.put_into(alone);
    let chart = alone.charts.first().unwrap_or(chart);
    let (zone, marks) = (frame.zone.clone(), Vec::new());
    let look = Look { ask: &ask, budget, range, now, selectors, zone, marks, told };
    let ways = Ways { frame: None, key: "", wanted: &wanted, may_change: false, may_share: false, files: None };
    html! {
        @match chart.kind {
            Kind::Heading => {},
            Kind::Number => section.kpis.k1 { (number::card(&look, chart, &ways)) },
            Kind::Table => (table::card(&look, chart, (&[], &[]), &ways)),
            _ => (card::drawn(&look, chart, look.lines(chart, &[]), ("preview", 0), &ways)),
        }
    }
}

pub(super) async fn change(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path((key, id)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let frame =
        Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Change a chart").with_script(Asset::Charts);
    let form = match Form::read(&site, &viewer, &headers, body).await {
        Ok(form) => form,
        Err(why) => return site.pages.build(frame, move |frame, _| refused(frame, &why)).await,
    };
    let to = Arc::new(OnceLock::new());
    let told = to.clone();
    let page = site.pages.build(frame, move |frame, budget| {
        let found =
            of_form(frame, &key, &form).and_then(|(found, head)| Ok((chart_of(&found.dashboard, &id)?, found, head)));
        let (at, found, head) = match found {
            Ok(found) => found,
            Err(why) => return refused(frame, &why),
        };
        let known = at.and_then(|at| found.dashboard.charts.get(at)).cloned().unwrap_or_default();
        let (chart, why) = fields::read(&form, &known);
        let mut dashboard = found.dashboard;
        let at = at.unwrap_or(dashboard.charts.len());
        match dashboard.charts.get_mut(at) {
            Some(place) => *place = chart.clone(),
            None => dashboard.charts.push(chart.clone()),
        }
        let checked = match why {
            None => bounded(dashboard.clone()).map_err(Refused::wrong),
            Some(why) => Err(why),
        };
        // What else is wrong with it is said where it is kept.
        let is_save = form.action().0 == "save";
        let why = match checked {
            Ok(checked) if is_save => {
                let id = checked.charts.get(at).map(|chart| chart.id.clone()).unwrap_or_default();
                match change::set(&frame.site.directory, &frame.viewer, &head, head.member, checked) {
                    Ok(_) => {
                        let _ = told.set(format!("{}#at-{id}", frame.link(&format!("/dashboards/{key}/edit"))));
                        return Built::from(html! {});
                    }
                    Err(why) => Some(why.why),
                }
            }
            Ok(_) => None,
            Err(why) => Some(why.why),
        };
        let is_drawn = form.action().0 == "preview";
        page(frame, &dashboard, (&key, &id), &head, &chart, &Said { why, is_drawn }, budget)
    });
    let page = page.await;
    match to.get() {
        Some(path) => lead_to(path),
        None => page,
    }
}
