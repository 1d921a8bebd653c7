//! One alert: how it stands, what can be done with it, and what it told.

use super::list::{since, state};
use super::seen::{channels, count, is, list, text, words};
use super::{Asked, PATH, Refused, Rooms, Told, told};
use crate::dashboards::Form;
use crate::layout::Frame;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use logdrain_drain::intake::connections::Peer;
use maud::{Markup, html};
use serde_json::{Value, json};
use std::sync::Arc;

/// The most of a name that a tab has.
const TITLE: usize = 80;
/// How long an alert may be muted by a click.
const MUTES: [(&str, &str); 5] =
    [("1h", "an hour"), ("4h", "four hours"), ("24h", "a day"), ("168h", "a week"), ("720h", "30 days")];

pub(super) async fn show(
    State(rooms): State<Arc<Rooms>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match Asked::of(rooms, &peer, (method, uri, headers)).await {
        Ok(asked) => page(&asked, &id, Told::Nothing).await,
        Err(response) => response,
    }
}

pub(super) async fn act(
    State(rooms): State<Arc<Rooms>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asked = match Asked::of(rooms, &peer, (Method::POST, uri, headers)).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let form = match asked.form(body).await {
        Ok(form) => form,
        Err(why) => return asked.refused(why).await,
    };
    match done(&asked, &id, &form).await {
        Ok("removed") => asked.lead_to(PATH, "removed"),
        Ok(done) => asked.lead_to(&format!("{PATH}/{id}"), done),
        Err(why) => page(&asked, &id, Told::Refused(why)).await,
    }
}

/// Does what a form says; answers what an address says of it.
async fn done(asked: &Asked, id: &str, form: &Form) -> Result<&'static str, Refused> {
    let to = |end: &str| format!("alerts/{id}{end}");
    let (method, path, body, done) = match form.action().0 {
        "on" => (Method::PATCH, to(""), json!({ "on": true }), "on"),
        "off" => (Method::PATCH, to(""), json!({ "on": false }), "off"),
        "mute" => (Method::POST, to("/mute"), json!({ "for": form.text("for").unwrap_or_default() }), "muted"),
        "unmute" => (Method::DELETE, to("/mute"), Value::Null, "unmuted"),
        "rearm" => (Method::POST, to("/rearm"), Value::Null, "rearmed"),
        "test" => (Method::POST, to("/test"), Value::Null, "tested"),
        "remove" if form.get("sure").is_some() => (Method::DELETE, to(""), Value::Null, "removed"),
        "remove" => return Err((StatusCode::BAD_REQUEST, "tick the box beside it to remove the alert".to_owned())),
        _ => return Err((StatusCode::BAD_REQUEST, "the form says nothing to do".to_owned())),
    };
    asked.v2(method, &path, body).await.map(|_| done)
}

async fn page(asked: &Asked, id: &str, said: Told) -> Response {
    let all = async {
        let alert = asked.alert(id, "").await?;
        Ok((alert, asked.alert(id, "/history").await?, asked.get("channels").await?))
    };
    match all.await {
        Ok((alert, history, known)) => {
            let title: String = words(text(&alert, "name")).chars().take(TITLE).collect();
            asked.page(title, said, move |frame| content(frame, &alert, &history, &known)).await
        }
        Err(why) => asked.refused(why).await,
    }
}

fn content(frame: &Frame, alert: &Value, history: &Value, known: &Value) -> Markup {
    let path = format!("{PATH}/{}", count(alert, "id"));
    let known = channels(known);
    let may = frame.viewer.may_change();
    let (class, stands) = state(alert);
    let of_it = list(alert, "channels").iter().filter_map(Value::as_u64);
    let of_it: Vec<_> = of_it.filter_map(|id| known.iter().find(|channel| u64::from(channel.id) == id)).collect();
    html! {
        header.head { h1 { (words(text(alert, "name"))) } span class={ "state " (class) } { (stands)
            " " (since(frame, alert)) }
            span.sp {}
            @if may { a.btn href=(frame.link(&format!("{path}/edit"))) { "Change" } }
        }
        section.card {
            p { "Fires on " b { (words(text(alert, "says"))) } "." }
            p { "Tells " @if of_it.is_empty() { span.dim { "nobody: what fires stands here" } } @else {
                @for (at, channel) in of_it.iter().enumerate() { @if at > 0 { ", " } (channel.name) " " span.dim { (channel.kind) } } } "." }
            @if alert.get("log").is_some() {
                p { a href=(frame.link_with("/events", &[("q", text(alert.get("log").unwrap_or(&Value::Null), "query"))])) { "Search for its lines" } }
            }
            @if may { (actions(frame, alert, &path, !of_it.is_empty())) }
        }
        h2.head { "What it told" }
        (told::history(frame, history, &known, false))
    }
}

fn actions(frame: &Frame, alert: &Value, path: &str, has_channels: bool) -> Markup {
    let is_on = is(alert, "on");
    let is_muted = alert.get("muted_until").is_some_and(Value::is_string);
    html! {
        form.actions method="post" action=(frame.link(path)) {
            (frame.form_token())
            @if is_muted { button.btn type="submit" name="do" value="unmute" { "Let it speak" } }
            @else if is_on {
                span.pair { label.pick { "Mute for"
                    select name="for" { @for (value, long) in MUTES { option value=(value) { (long) } } } }
                    button.btn type="submit" name="do" value="mute" { "Mute" } }
            }
            button.btn type="submit" name="do" value=(if is_on { "off" } else { "on" }) { (if is_on { "Turn off" } else { "Turn on" }) }
            @if alert.get("metric").is_some() && is_on {
                button.btn type="submit" name="do" value="rearm" title="What it has told is cleared; if it still holds, it is told at once" { "Clear" } }
            @if has_channels { button.btn type="submit" name="do" value="test" { "Send a test" } }
            span.pair { label.tick { input type="checkbox" name="sure" value="1"; " for good" }
                button.btn.danger type="submit" name="do" value="remove" { "Remove" } }
        }
    }
}
