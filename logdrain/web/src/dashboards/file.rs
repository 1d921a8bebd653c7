//! Charts and dashboards as files: SVG, CSV, JSON.

use super::ask::now;
use super::ask::{Wanted, of_app};
use super::board::{self, Found, Gate};
use super::card;
use super::facts::Told;
use super::look::{Look, Undrawn};
use super::page::sections_of;
use super::refused::refused;
use super::seen;
use super::{marks, viewer};
use crate::layout::{Frame, Tab};
use crate::pages::Built;
use crate::site::Site;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use logdrain_charts::chart::{self, Plot};
use logdrain_charts::dashboard::{Dashboard, Kind as ChartKind};
use logdrain_drain::intake::connections::Peer;
use maud::{Markup, PreEscaped, html};
use std::sync::Arc;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Svg,
    Csv,
    Json,
}

impl Kind {
    /// The id of a chart, and what is wanted of it: `latency.svg`.
    pub(crate) fn of(file: &str) -> Option<(&str, Self)> {
        let (id, end) = file.rsplit_once('.')?;
        let kind = match end {
            "svg" => Self::Svg,
            "csv" => Self::Csv,
            _ => return None,
        };
        logdrain_charts::dashboard::is_id(id).then_some((id, kind))
    }

    pub(crate) const fn end(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// What was built as the file that it is; what went wrong stays a page.
    pub(crate) fn answer(self, mut response: Response, name: &str) -> Response {
        if response.status() != StatusCode::OK {
            return response;
        }
        let headers = response.headers_mut();
        let kind = match self {
            Self::Svg => "image/svg+xml",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        // A picture has its own style in it, and may do nothing else.
        let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        let shown = if self == Self::Svg { "inline" } else { "attachment" };
        // Names are made of ids: letters, digits and hyphens.
        if let Ok(value) = HeaderValue::try_from(format!("{shown}; filename=\"{name}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        response
    }
}

/// The text of a file, which goes out as it is: it is no HTML.
fn raw(text: String) -> Markup {
    PreEscaped(text)
}

pub(super) async fn chart(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path((key, file)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Chart");
    let Some((id, kind)) = Kind::of(&file) else {
        return site.pages.build(frame, |frame, _| refused(frame, &no_chart())).await;
    };
    let (query, id) = (uri.query().unwrap_or_default().to_owned(), id.to_owned());
    let name = format!("{key}-{id}.{}", kind.end());
    let made = site.pages.build(frame, move |frame, budget| {
        let (site, viewer) = (&frame.site, &frame.viewer);
        let gate = Gate::of(&site.settings(), &viewer.account);
        let dashboard = match board::find(&site.directory, &viewer.account, viewer.member(), &key) {
            Ok(_) if !gate.shows(&key) => return refused(frame, &gate.why()),
            Ok(Found { dashboard, .. }) => dashboard,
            Err(why) => return refused(frame, &why),
        };
        let wanted = Wanted::of(&query, &frame.zone);
        let now = now();
        let range = gate.most.map_or(wanted.range, |most| wanted.range.within(most, now));
        let app = wanted.app(dashboard.app.as_deref()).map(str::to_owned);
        let app = app.as_deref();
        let marks =
            if kind == Kind::Svg { marks::of(site, viewer, range.span(now, 60), app, budget) } else { Vec::new() };
        let (ask, selectors) = (seen::of(site, viewer), of_app(app));
        let told = Told::of(site, &viewer.account, &dashboard);
        let dashboard = told.put_into(dashboard);
        let look = Look { ask: &ask, budget, range, now, selectors, zone: frame.zone.clone(), marks, told };
        let section = super::form::Form::of(query.as_bytes()).get("section").and_then(|nth| nth.parse().ok());
        text(&look, &dashboard, (&id, section.unwrap_or(0)), kind)
    });
    kind.answer(made.await, &name)
}

fn no_chart() -> board::Refused {
    board::Refused { status: StatusCode::NOT_FOUND, why: "there is no such chart".to_owned() }
}

/// A chart of a dashboard as a file; of those that stand in several sections, one of a section.
pub(super) fn text(look: &Look<'_>, dashboard: &Dashboard, (id, section): (&str, usize), kind: Kind) -> Built {
    let said = |status: StatusCode, why: &str| Built::from((status, html! { (why) "\n" }));
    let Some(at) = dashboard.charts.iter().position(|chart| chart.id == id && chart.kind != ChartKind::Heading) else {
        return said(StatusCode::NOT_FOUND, "there is no such chart");
    };
    let chart = &dashboard.charts[at];
    let heading = dashboard.charts[..at].iter().rfind(|above| above.kind == ChartKind::Heading);
    let per = heading.map(|heading| heading.per.as_slice()).unwrap_or_default();
    let lines = match look.lines(chart, per) {
        Ok(lines) => lines,
        Err(Undrawn::Late) => return said(StatusCode::SERVICE_UNAVAILABLE, "there was no time for it: come again"),
        Err(Undrawn::Trouble(why)) => return said(StatusCode::UNPROCESSABLE_ENTITY, &why),
    };
    let lines = if per.is_empty() {
        lines
    } else {
        let all = [Ok(lines)];
        let sections = sections_of(&all);
        match (all, sections.iter().nth(section)) {
            ([Ok(lines)], Some(section)) => lines.of_section(section),
            ([Ok(lines)], None) if section == 0 => lines,
            _ => return said(StatusCode::NOT_FOUND, "there is no such section"),
        }
    };
    of_plot(&card::plot(look, chart, lines, "chart"), kind)
}

/// A drawing as a file.
pub(crate) fn of_plot(plot: &Plot, kind: Kind) -> Built {
    Built::from(raw(match kind {
        Kind::Svg => chart::svg_file(plot),
        Kind::Csv | Kind::Json => chart::csv(plot),
    }))
}

/// A dashboard as JSON, as it can be imported again.
pub(super) async fn export(
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
    let name = if logdrain_charts::dashboard::is_id(&key) {
        format!("dashboard-{key}.json")
    } else {
        "dashboard.json".to_owned()
    };
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "Export");
    let made = site.pages.build(frame, move |frame, _| {
        let (site, viewer) = (&frame.site, &frame.viewer);
        let gate = Gate::of(&site.settings(), &viewer.account);
        match board::find(&site.directory, &viewer.account, viewer.member(), &key) {
            Ok(_) if !gate.shows(&key) => refused(frame, &gate.why()),
            Ok(found) => {
                let json = serde_json::to_string_pretty(&found.dashboard).unwrap_or_default();
                Built::from(raw(json + "\n"))
            }
            Err(why) => refused(frame, &why),
        }
    });
    Kind::Json.answer(made.await, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_chart_and_what_is_wanted_of_it() {
        assert_eq!(Kind::of("response-time.svg"), Some(("response-time", Kind::Svg)));
        assert_eq!(Kind::of("a.csv"), Some(("a", Kind::Csv)));
        for file in ["", ".svg", "a", "a.json", "a.b.svg", "A.svg", "../x.csv", "a\"b.csv", "a.svg/"] {
            assert_eq!(Kind::of(file), None, "{file}");
        }
    }
}
