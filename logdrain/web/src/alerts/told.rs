//! What alerts told: each message with its lines or points, and how far it is on its way to each channel.

use super::seen::{Channel, channels, count, is, lines, list, points, text, time, words};
use super::{Asked, PATH, Rooms, Told};
use crate::layout::Frame;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use logdrain_drain::intake::connections::Peer;
use maud::{Markup, html};
use serde_json::Value;
use std::sync::Arc;

/// What all alerts of an account told.
pub(super) async fn show(
    State(rooms): State<Arc<Rooms>>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::of(rooms, &peer, (method, uri, headers)).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let all = async { Ok((asked.get("alerts/history").await?, asked.get("channels").await?)) };
    match all.await {
        Ok((told, known)) => {
            let content = move |frame: &Frame| {
                html! {
                    h1 { "What was told" }
                    (history(frame, &told, &channels(&known), true))
                }
            };
            asked.page("What was told", Told::Nothing, content).await
        }
        Err(why) => asked.refused(why).await,
    }
}

/// Messages, the newest first; with `named` each says of which alert it is.
pub(super) fn history(frame: &Frame, told: &Value, known: &[Channel], named: bool) -> Markup {
    let messages = list(told, "messages");
    html! {
        @if messages.is_empty() { section.card { p.dim { "Nothing yet." } } } @else {
            ol.told {
                @for message in messages { li.card {
                    p { (kind(message)) " " b { (time(frame, text(message, "at"))) } " "
                        @if named && count(message, "alert") > 0 {
                            a href=(frame.link(&format!("{PATH}/{}", count(message, "alert")))) { (words(text(message, "name"))) } ": " }
                        (words(text(message, "why"))) }
                    (lines(frame, message))
                    (points(message))
                    @if let Some(first) = list(message, "lines").first() {
                        p { a href=(frame.link_with("/events", &[("q", text(message, "query")), ("centered_on_id", text(first, "id"))])) { "These lines among the others" } }
                    }
                    (deliveries(frame, message, known))
                } }
            }
        }
    }
}

fn kind(message: &Value) -> Markup {
    let (class, said) = match text(message, "kind") {
        "fired" => ("bad", "fired"),
        "again" => ("bad", "still so"),
        "resolved" => ("ok", "clear"),
        "test" => ("dim", "test"),
        _ => ("warn", "notice"),
    };
    html! { span class={ "state " (class) } { (said) } }
}

fn deliveries(frame: &Frame, message: &Value, known: &[Channel]) -> Markup {
    let all = list(message, "deliveries");
    html! {
        @if is(message, "muted") { p.dim { "It was muted, and told nobody." } }
        @else if all.is_empty() { p.dim { "It told nobody: the alert had no channel." } }
        @else {
            ul.ways {
                @for delivery in all {
                    @let id = count(delivery, "channel");
                    @let name = known.iter().find(|channel| u64::from(channel.id) == id).map_or("a channel that is gone", |channel| &channel.name);
                    li { (words(name)) ": "
                        @match text(delivery, "state") {
                            "sent" => { span.ok { "sent" } " " span.dim { (time(frame, text(delivery, "at"))) } },
                            "failed" => { span.bad { "not sent" } ": " (words(text(delivery, "why"))) },
                            _ => { span.warn { "waiting" } @if count(delivery, "tries") > 0 { ", tried " (count(delivery, "tries")) @if count(delivery, "tries") == 1 { " time" } @else { " times" } ": " (words(text(delivery, "why"))) } },
                        }
                    }
                }
            }
        }
    }
}
