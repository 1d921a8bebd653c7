//! All alerts, with how they stand.

use super::seen::{channels, count, is, list, text, time, words};
use super::{Asked, PATH, Place, Refused, Told};
use crate::dashboards::Form;
use crate::layout::Frame;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Value, json};

/// Alerts that are listed.
const LISTED: usize = 200;

/// All alerts.
pub(super) struct Alerts;

impl Place for Alerts {
    /// One click makes an alert of a template.
    async fn done(asked: &Asked, form: &Form) -> Result<(String, &'static str), Refused> {
        match form.action() {
            ("template", name) => {
                let made = asked.v2(Method::POST, "alerts", json!({ "template": name })).await?;
                Ok((format!("{PATH}/{}", count(&made, "id")), "made"))
            }
            _ => Err((StatusCode::BAD_REQUEST, "the form says nothing to do".to_owned())),
        }
    }

    async fn page(asked: &Asked, told: Told) -> Response {
        let all = async {
            let alerts = format!("alerts?brief=true&limit={LISTED}&after={}", after(asked.query()));
            Ok((asked.get(&alerts).await?, asked.get("channels").await?, asked.get("alerts/templates").await?))
        };
        match all.await {
            Ok((alerts, channels, templates)) => {
                asked.page("Alerts", told, move |frame| content(frame, (&alerts, &channels, &templates))).await
            }
            Err(why) => asked.refused(why).await,
        }
    }
}

/// The alert that the list begins behind, as the address says.
fn after(query: &str) -> u32 {
    let named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "after");
    named.last().and_then(|(_, id)| id.parse().ok()).unwrap_or(0)
}

/// The ways to the other pages of alerts.
pub(super) fn tabs(frame: &Frame, here: &str) -> Markup {
    let all = [(PATH, "Alerts"), ("/alerts/history", "What was told"), ("/alerts/channels", "Channels")];
    html! {
        nav.tabs aria-label="Alerts" {
            @for (path, name) in all { a href=(frame.link(path)) aria-current=[(path == here).then_some("page")] { (name) } }
        }
    }
}

/// How an alert stands: a class and words.
pub(super) fn state(alert: &Value) -> (&'static str, &'static str) {
    match text(alert, "state") {
        "firing" => ("bad", "firing"),
        "muted" => ("dim", "muted"),
        "off" => ("dim", "off"),
        "no_data" => ("warn", "no data"),
        _ => ("ok", "ok"),
    }
}

/// Since when it stands so, and what it does not see.
pub(super) fn since(frame: &Frame, alert: &Value) -> Markup {
    let (since, left_out) = (text(alert, "since"), count(alert, "left_out"));
    html! {
        @if text(alert, "state") == "muted" { "until " (time(frame, text(alert, "muted_until"))) }
        @else if !since.is_empty() { "since " (time(frame, since)) }
        @if left_out > 0 { " " b { "not watched: " (left_out) @if left_out == 1 { " signal" } @else { " signals" } } ", for want of room" }
    }
}

fn content(frame: &Frame, (alerts, known, templates): (&Value, &Value, &Value)) -> Markup {
    let (all, known) = (list(alerts, "alerts"), channels(known));
    let may = frame.viewer.may_change();
    let names = |alert: &Value| {
        let ids = list(alert, "channels").iter().filter_map(Value::as_u64);
        let names = ids.filter_map(|id| known.iter().find(|channel| u64::from(channel.id) == id));
        names.map(|channel| channel.name.clone()).collect::<Vec<_>>().join(", ")
    };
    html! {
        header.head { h1 { "Alerts" } span.sp {} @if may { a.btn.first href=(frame.link("/alerts/new")) { "New alert" } } }
        @if all.is_empty() {
            section.card { p { "There is no alert yet." @if may { " Begin with one of the templates below, or from a search: " a href=(frame.link("/events")) { "search the lines" } ", then Save." } } }
        } @else {
            section.card { div.scroll.list tabindex="0" { table {
                thead { tr { th { "state" } th { "alert" } th { "fires on" } th { "told last" } th { "tells" } } }
                tbody {
                    @for alert in all {
                        @let (class, stands) = state(alert);
                        tr {
                            td { span class={ "state " (class) } { (stands) }
                                br; small.dim { (since(frame, alert)) } }
                            td.t { a href=(frame.link(&format!("{PATH}/{}", count(alert, "id")))) { (words(text(alert, "name"))) } }
                            td.t { (words(text(alert, "says"))) }
                            td data-is="told last: " { @if alert.get("last").is_some_and(Value::is_string) { (time(frame, text(alert, "last"))) } @else { span.dim { "never" } } }
                            td.t data-is="tells " { @let names = names(alert); @if names.is_empty() { span.dim { "nobody" } } @else { (names) } }
                        }
                    }
                }
            } }
            @if let Some(last) = all.last().filter(|_| is(alerts, "more")) {
                p { a href=(frame.link_with(PATH, &[("after", &count(last, "id").to_string())])) { "More alerts" } }
            } }
        }
        @if may { (of_templates(frame, list(templates, "templates"), all.is_empty())) }
    }
}

fn of_templates(frame: &Frame, templates: &[Value], is_open: bool) -> Markup {
    html! {
        details.card open[is_open] {
            summary { "Templates" }
            p.dim { "Their thresholds are guesses about somebody else's app: each can be tried on the last seven days first." }
            form method="post" action=(frame.link(PATH)) {
                (frame.form_token())
                ul.templates {
                    @for template in templates {
                        @let name = text(template, "template");
                        li {
                            span { b { (text(template.get("log").or(template.get("metric")).unwrap_or(&Value::Null), "name")) } br; span.dim { (text(template, "for")) } }
                            span.tools {
                                a.btn href=(frame.link_with("/alerts/new", &[("template", name)])) aria-label={ "Look, try: " (name) } { "Look, try" } " "
                                button.btn type="submit" name="do" value={ "template:" (name) } aria-label={ "Make it: an alert of " (name) } { "Make it" }
                            }
                        }
                    }
                }
            }
        }
    }
}
