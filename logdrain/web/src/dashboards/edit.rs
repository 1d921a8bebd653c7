//! The page by which a dashboard is changed: its title, its app, whose it is, and its charts in their order. Each step is a
//! button of a form.

use super::board::{self, Found, Gate, Refused};
use super::change;
use super::form::Form;
use super::new::{chosen, whose};
use super::refused::refused;
use super::{change_on, viewer};
use crate::layout::{Frame, Tab};
use crate::pages::Built;
use crate::site::Site;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use logdrain_charts::dashboard::{CHARTS, Chart, Kind};
use logdrain_drain::directory::DashboardHead;
use logdrain_drain::intake::connections::Peer;
use maud::{Markup, html};
use std::sync::Arc;

/// A dashboard that whoever asks may change.
pub(super) fn own(frame: &Frame, key: &str) -> Result<(Found, DashboardHead), Refused> {
    let (site, viewer) = (&frame.site, &frame.viewer);
    let gate = Gate::of(&site.settings(), &viewer.account);
    if !gate.shows(key) {
        return Err(gate.why());
    }
    let found = board::find(&site.directory, &viewer.account, viewer.member(), key)?;
    let Some(head) = found.head.clone() else {
        return Err(Refused::wrong("this dashboard is there for everybody and stays as it is: make a copy of it"));
    };
    if !change::may_change(viewer, head.member) {
        return Err(Refused::forbidden("this member or token has not the right to change this dashboard"));
    }
    Ok((found, head))
}

/// The one of the version that a form was made for.
pub(super) fn of_form(frame: &Frame, key: &str, form: &Form) -> Result<(Found, DashboardHead), Refused> {
    let (found, mut head) = own(frame, key)?;
    let version = form.get("version").and_then(|version| version.parse().ok());
    // If it is another by now, the change is refused where it is written.
    head.version = version.ok_or_else(|| Refused::wrong("the form says nothing of the version that it changes"))?;
    Ok((found, head))
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
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Change a dashboard");
    site.pages
        .build(frame, move |frame, _| match own(frame, &key) {
            Ok((found, head)) => page(frame, &found, &head),
            Err(why) => refused(frame, &why),
        })
        .await
}

/// What a chart is, in few words.
fn told(chart: &Chart) -> String {
    let kind = Kind::ALL.into_iter().find(|(kind, ..)| *kind == chart.kind).map_or("", |(_, _, name)| name);
    match chart.kind {
        Kind::Heading if chart.per.is_empty() => kind.to_owned(),
        Kind::Heading => format!("{kind}, one for each {}", chart.per.join(", ")),
        _ => format!("{kind}: {}", super::card::about(chart)),
    }
}

fn page(frame: &Frame, found: &Found, head: &DashboardHead) -> Built {
    let key = &found.key;
    let dashboard = &found.dashboard;
    let here = frame.link(&format!("/dashboards/{key}/edit"));
    let apps = super::seen::apps(&frame.site, &frame.viewer, 200);
    let hidden = html! { (frame.form_token()) input type="hidden" name="version" value=(head.version); };
    let last = dashboard.charts.len().saturating_sub(1);
    let content = html! {
        p { a href=(frame.link(&format!("/dashboards/{key}"))) { "Look at it" } " · "
            a href=(frame.link(&format!("/dashboards/{key}/export"))) download { "Export as JSON" } }
        div.card {
            form.fields method="post" action=(here) { (hidden)
                label { "Title" input name="title" value=(dashboard.title) required maxlength="100" autocomplete="off"; }
                label { "App that it shows" input name="app" value=(dashboard.app.as_deref().unwrap_or_default()) maxlength="255" list="apps" autocomplete="off" placeholder="all"; }
                datalist id="apps" { @for app in &apps { option value=(app) {} } }
                (whose(&frame.viewer, head.member.is_some()))
                button.btn.primary type="submit" name="do" value="save" { "Save" }
            }
        }
        div.card {
            h2 { "Charts" }
            @if dashboard.charts.is_empty() { p.dim { "There are none yet." } }
            form method="post" action=(here) { (hidden)
                ol.charts {
                    @for (index, chart) in dashboard.charts.iter().enumerate() {
                        (entry(frame, key, chart, index, last))
                    }
                }
            }
            @if dashboard.charts.len() < CHARTS {
                p { a.btn.primary href=(frame.link(&format!("/dashboards/{key}/charts/new"))) { "Add a chart" } " "
                    a.btn href=(frame.link_with(&format!("/dashboards/{key}/charts/new"), &[("kind", "heading")])) { "Add a heading" } }
            } @else {
                p.dim { "A dashboard has " (CHARTS) " charts at most." }
            }
        }
        details.card {
            summary { "Remove this dashboard" }
            form method="post" action=(here) { (hidden)
                p { "It is gone for everybody who sees it, with the links that share it. Export it first if you may want it back." }
                button.btn.danger type="submit" name="do" value="delete" { "Remove “" (dashboard.title) "”" }
            }
        }
    };
    frame.page(&content).into()
}

fn entry(frame: &Frame, key: &str, chart: &Chart, index: usize, last: usize) -> Markup {
    let title = if chart.title.is_empty() { "without a title" } else { &chart.title };
    let way = frame.link(&format!("/dashboards/{key}/charts/{}", chart.id));
    let button = |what: &str, sign: &str, said: &str, is_off: bool| {
        html! {
            button.btn type="submit" name="do" value={ (what) ":" (chart.id) } disabled[is_off]
                aria-label={ (said) " " (title) } title=(said) { (sign) }
        }
    };
    html! {
        li id={ "at-" (chart.id) } {
            span { a href=(way) { b { (title) } } " " span.dim { (told(chart)) } }
            span.tools {
                (button("up", "↑", "Move up", index == 0))
                (button("down", "↓", "Move down", index == last))
                (button("again", "Copy", "Copy", false))
                (button("remove", "Remove", "Remove", false))
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
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Change a dashboard");
    let form = Form::read(&site, &viewer, &headers, body).await;
    change_on(&site, frame, form, move |frame, form| {
        let (found, head) = of_form(frame, &key, form)?;
        let (directory, viewer) = (&frame.site.directory, &frame.viewer);
        let mut dashboard = found.dashboard;
        let mut member = head.member;
        let mut anchor = String::new();
        match form.action() {
            ("delete", _) => {
                change::remove(directory, viewer, &head)?;
                return Ok(frame.link(super::PATH));
            }
            ("save", _) => {
                dashboard.title = form.text("title").unwrap_or_default();
                dashboard.app = form.text("app");
                if form.get("whose").is_some() {
                    member = chosen(viewer, form);
                }
            }
            (what, id) => anchor = moved(&mut dashboard.charts, what, id)?,
        }
        change::set(directory, viewer, &head, member, dashboard)?;
        Ok(format!("{}{anchor}", frame.link(&format!("/dashboards/{key}/edit"))))
    })
    .await
}

/// Moves, copies or removes a chart; answers where the page is looked at then.
fn moved(charts: &mut Vec<Chart>, what: &str, id: &str) -> Result<String, Refused> {
    let at = charts.iter().position(|chart| chart.id == id);
    let at = at.ok_or_else(|| Refused {
        status: axum::http::StatusCode::NOT_FOUND,
        why: "there is no such chart any more".to_owned(),
    })?;
    match what {
        "up" if at > 0 => charts.swap(at, at - 1),
        "down" if at + 1 < charts.len() => charts.swap(at, at + 1),
        "up" | "down" => {}
        "again" => {
            // It is given an id of its own where it is kept.
            charts.insert(at + 1, charts[at].clone());
        }
        "remove" => {
            charts.remove(at);
            return Ok(String::new());
        }
        _ => return Err(Refused::wrong("the form says nothing to do")),
    }
    Ok(format!("#at-{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_moved_within_their_list() {
        let chart = |id: &str| Chart { id: id.to_owned(), ..Chart::default() };
        let ids = |charts: &[Chart]| charts.iter().map(|chart| chart.id.clone()).collect::<Vec<_>>().join(" ");
        let mut charts = vec![chart("a"), chart("b"), chart("c")];
        for (what, id, expected) in [
            ("up", "c", "a c b"),
            ("up", "a", "a c b"),
            ("down", "a", "c a b"),
            ("down", "b", "c a b"),
            ("again", "a", "c a a b"),
            ("remove", "c", "a a b"),
        ] {
            moved(&mut charts, what, id).unwrap();
            assert_eq!(ids(&charts), expected, "{what} {id}");
        }
        assert!(moved(&mut charts, "up", "none").is_err() && moved(&mut charts, "burn", "a").is_err());
    }
}
