//! Channels: whom alerts tell.

use super::seen::{count, is, list, text, words};
use super::{Asked, Place, Refused, Told};
use crate::dashboards::Form;
use crate::layout::Frame;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Value, json};

const PATH: &str = "/alerts/channels";

/// A field of a channel: its name, what is said of it, and whether what stands in it is shown to nobody.
type Field = (&'static str, &'static str, bool);

/// The kinds that there are, what people call them, what is said of them, and their fields.
const KINDS: [(&str, &str, &str, &[Field]); 5] = [
    (
        "mail",
        "Mail",
        "Members of the account get it at once; whoever else is to get it is asked by a mail first.",
        &[("to", "Addresses, with commas between them", false)],
    ),
    (
        "slack",
        "Slack",
        "An incoming hook of Slack, or of what takes the same: Mattermost, Discord with /slack.",
        &[("url", "URL of the hook", true)],
    ),
    (
        "pagerduty",
        "PagerDuty",
        "The integration key of a service, Events API v2.",
        &[("routing_key", "Integration key", true)],
    ),
    (
        "webhook",
        "Webhook as of Papertrail",
        "A form with one field, payload, in the shapes of Papertrail and AppOptics.",
        &[("url", "URL", true), ("secret", "Secret that requests are signed with", true)],
    ),
    (
        "json",
        "Webhook with JSON",
        "JSON under the names of our API.",
        &[("url", "URL", true), ("secret", "Secret that requests are signed with", true)],
    ),
];

/// Whom alerts tell.
pub(super) struct Channels;

impl Place for Channels {
    async fn done(asked: &Asked, form: &Form) -> Result<(String, &'static str), Refused> {
        done(asked, form).await.map(|done| (PATH.to_owned(), done))
    }

    async fn page(asked: &Asked, told: Told) -> Response {
        match asked.get("channels").await {
            Ok(known) => asked.page("Channels", told, move |frame| content(frame, &known)).await,
            Err(why) => asked.refused(why).await,
        }
    }
}

/// Does what a form says; answers what an address says of it.
async fn done(asked: &Asked, form: &Form) -> Result<&'static str, Refused> {
    let (action, of) = form.action();
    match action {
        "add" => {
            asked.v2(Method::POST, "channels", said(form, of)).await?;
            Ok("channel")
        }
        "set" => {
            let kind = form.get("kind").unwrap_or_default();
            asked.v2(Method::PATCH, &format!("channels/{of}"), said(form, kind)).await?;
            Ok("channel-saved")
        }
        "test" => asked.v2(Method::POST, &format!("channels/{of}/test"), Value::Null).await.map(|_| "channel-tested"),
        "remove" => asked.v2(Method::DELETE, &format!("channels/{of}"), Value::Null).await.map(|_| "channel-removed"),
        _ => Err((StatusCode::BAD_REQUEST, "the form says nothing to do".to_owned())),
    }
}

/// What a form says of a channel. A field that is left empty says nothing.
fn said(form: &Form, kind: &str) -> Value {
    let mut said = json!({ "kind": kind });
    if let Some(name) = form.text("name") {
        said["name"] = json!(name);
    }
    let fields = KINDS.iter().find(|(known, ..)| *known == kind).map(|(.., fields)| *fields).unwrap_or_default();
    for (name, ..) in fields {
        match *name {
            "to" if form.text("to").is_some() => said["to"] = json!(form.words("to")),
            name => {
                if let Some(text) = form.text(name) {
                    said[name] = json!(text);
                }
            }
        }
    }
    said["notices"] = json!(form.get("notices").is_some());
    if kind == "slack" {
        said["hides_lines"] = json!(form.get("hides_lines").is_some());
    }
    said
}

fn content(frame: &Frame, known: &Value) -> Markup {
    let all = list(known, "channels");
    let may = frame.viewer.may_change();
    html! {
        h1 { "Channels" }
        section.card {
            p.dim { "What an alert tells, it tells by the channels that are ticked in it. What is sent is tried again for a day." }
            @if all.is_empty() { p { "There is no channel yet." } } @else {
                ul.channels { @for channel in all { li {
                    span { b { (words(text(channel, "name"))) } " " span.dim { (called(text(channel, "kind"))) } br;
                        (words(text(channel, "leads_to"))) @if is(channel, "notices") { span.dim { ", with notices of the plan" } }
                        @for address in list(channel, "unconfirmed") {
                            br; span.warn { (words(address.as_str().unwrap_or_default())) " has not said yet that mail is welcome" }
                        } }
                    @if may { (tools(frame, channel)) }
                } } }
            }
        }
        @if may {
            h2.head { "New channel" }
            @for (kind, name, about, fields) in KINDS {
                details.card {
                    summary { (name) }
                    p.dim { (about) }
                    form.fields method="post" action=(frame.link(PATH)) {
                        (frame.form_token())
                        label { "Name" input name="name" required maxlength="100" autocomplete="off"; }
                        (of_kind(kind, fields, None))
                        button.btn.first type="submit" name="do" value={ "add:" (kind) } { "Make it" }
                    }
                }
            }
        }
    }
}

/// What people call a kind.
fn called(kind: &str) -> &str {
    KINDS.iter().find(|(known, ..)| *known == kind).map_or(kind, |(_, name, ..)| name)
}

/// The fields of a channel; of one that there is, what is secret is left as it is if nothing is typed.
fn of_kind(kind: &str, fields: &[Field], channel: Option<&Value>) -> Markup {
    html! {
        @for (name, about, is_secret) in fields {
            label { (about)
                @match (is_secret, channel) {
                    (true, Some(_)) => input name=(name) maxlength="2048" autocomplete="off" spellcheck="false" placeholder="as it is";,
                    (false, Some(channel)) => input name=(name) maxlength="2048" autocomplete="off" spellcheck="false" value=(text(channel, "leads_to"));,
                    (_, None) => input name=(name) maxlength="2048" autocomplete="off" spellcheck="false" required[*name != "secret"];,
                }
            }
        }
        label.tick { input type="checkbox" name="notices" value="1" checked[channel.is_some_and(|channel| is(channel, "notices"))]; " Notices of the plan, too" }
        @if kind == "slack" {
            label.tick { input type="checkbox" name="hides_lines" value="1" checked[channel.is_some_and(|channel| is(channel, "hides_lines"))]; " Only how many lines, and a link to them" }
        }
    }
}

fn tools(frame: &Frame, channel: &Value) -> Markup {
    let (id, kind) = (count(channel, "id"), text(channel, "kind"));
    let fields = KINDS.iter().find(|(known, ..)| *known == kind).map(|(.., fields)| *fields).unwrap_or_default();
    html! {
        form.tools method="post" action=(frame.link(PATH)) {
            (frame.form_token())
            button.btn type="submit" name="do" value={ "test:" (id) } aria-label={ "Test " (words(text(channel, "name"))) } { "Test" } " "
            button.btn.danger type="submit" name="do" value={ "remove:" (id) } aria-label={ "Remove " (words(text(channel, "name"))) } { "Remove" }
        }
        details {
            summary aria-label={ "Change " (words(text(channel, "name"))) } { "Change" }
            form.fields method="post" action=(frame.link(PATH)) {
                (frame.form_token())
                input type="hidden" name="kind" value=(kind);
                label { "Name" input name="name" required maxlength="100" autocomplete="off" value=(text(channel, "name")); }
                (of_kind(kind, fields, Some(channel)))
                button.btn type="submit" name="do" value={ "set:" (id) } { "Save" }
            }
        }
    }
}
