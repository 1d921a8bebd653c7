//! Rules that are written: a new one, from nothing, a search, a chart or a template; and one that there is.

use super::draft::{Condition, Draft, Of};
use super::seen::{channels, count, list, text};
use super::{Asked, PATH, Refused, Rooms, Told, fields, trial};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use logdrain_drain::alerts::file::Rule;
use logdrain_drain::intake::connections::Peer;
use maud::html;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn new(
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
    let template = form_urlencoded::parse(asked.query().as_bytes()).find(|(name, _)| name == "template");
    let draft = match template.map(|(_, name)| name.into_owned()) {
        Some(name) => match asked.get("alerts/templates").await {
            Ok(told) => {
                list(&told, "templates").iter().find(|known| text(known, "template") == name).map(Draft::of_told)
            }
            Err(why) => return asked.refused(why).await,
        },
        None => Draft::of_address(asked.query()),
    };
    match draft {
        Some(draft) => page(&asked, None, draft, Told::Nothing).await,
        None => choose(&asked).await,
    }
}

/// What a new alert is to look at.
async fn choose(asked: &Asked) -> Response {
    asked
        .page("New alert", Told::Nothing, |frame| {
            let to = |of: &str| frame.link_with("/alerts/new", &[("of", of)]);
            html! {
                h1 { "New alert" }
                section.card { h2 { a href=(to("log")) { "On lines" } } p { "So many lines in a minute, ten, an hour or a day fit a search; or none does." } }
                section.card { h2 { a href=(to("metric")) { "On metrics" } } p { "A metric is above or below a number, or there is nothing of it any more." } }
                section.card { h2 { a href=(frame.link(PATH)) { "From a template" } } p { "Ten that most apps want, to be looked at and tried first." } }
            }
        })
        .await
}

pub(super) async fn make(
    State(rooms): State<Arc<Rooms>>,
    Extension(peer): Extension<Arc<Peer>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match Asked::of(rooms, &peer, (Method::POST, uri, headers)).await {
        Ok(asked) => take(&asked, None, body).await,
        Err(response) => response,
    }
}

pub(super) async fn edit(
    State(rooms): State<Arc<Rooms>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = match Asked::of(rooms, &peer, (method, uri, headers)).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    match asked.alert(&id, "").await {
        Ok(alert) => {
            let draft = Draft::of_told(&alert);
            let told = if is_whole(&draft, &alert) { Told::Nothing } else { Told::Refused(no_form()) };
            page(&asked, Some(id), draft, told).await
        }
        Err(why) => asked.refused(why).await,
    }
}

/// Whether the form writes the rule as it is.
fn is_whole(draft: &Draft, alert: &Value) -> bool {
    let kind = draft.of.word();
    let read = |of: Option<&Value>| of.and_then(|of| serde_json::from_value::<Rule>(json!({ kind: of })).ok());
    let written = draft.rule().map(Value::Object).unwrap_or_default();
    let (mut written, mut is) = (read(written.get(kind)), read(alert.get(kind)));
    for rule in [&mut written, &mut is].into_iter().flatten() {
        // What goes without saying may be said.
        if let Rule::Lines(rule) = rule {
            rule.period.get_or_insert_with(|| "1 minute".to_owned());
        }
    }
    written.is_some() && written == is
}

fn no_form() -> Refused {
    let why = "this rule has names or values with commas or strokes in them, which the form cannot write: change it by the API";
    (StatusCode::OK, why.to_owned())
}

pub(super) async fn change(
    State(rooms): State<Arc<Rooms>>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match Asked::of(rooms, &peer, (Method::POST, uri, headers)).await {
        Ok(asked) => take(&asked, Some(id), body).await,
        Err(response) => response,
    }
}

/// Does what a form of a rule says: keeps it, tries it, or gives it room for one more condition.
async fn take(asked: &Asked, id: Option<String>, body: Body) -> Response {
    let form = match asked.form(body).await {
        Ok(form) => form,
        Err(why) => return asked.refused(why).await,
    };
    let mut draft = Draft::of_form(&form);
    let told = match form.action().0 {
        "more" if draft.of == Of::Metrics => {
            draft.conditions.push(Condition { is: "above".to_owned(), ..Condition::default() });
            Told::Nothing
        }
        "try" => match tried(asked, &draft).await {
            Ok(told) => Told::Said(trial::card(&asked.frame(""), &told)),
            Err(why) => Told::Refused(why),
        },
        "save" => match saved(asked, id.as_deref(), &draft).await {
            Ok(saved) => {
                let done = if id.is_some() { "saved" } else { "made" };
                return asked.lead_to(&format!("{PATH}/{}", count(&saved, "id")), done);
            }
            Err(why) => Told::Refused(why),
        },
        _ => Told::Refused((StatusCode::BAD_REQUEST, "the form says nothing to do".to_owned())),
    };
    page(asked, id, draft, told).await
}

fn rule(draft: &Draft) -> Result<Value, Refused> {
    draft.rule().map(Value::Object).map_err(|why| (StatusCode::BAD_REQUEST, why))
}

async fn tried(asked: &Asked, draft: &Draft) -> Result<Value, Refused> {
    asked.v2(Method::POST, "alerts/try", rule(draft)?).await
}

async fn saved(asked: &Asked, id: Option<&str>, draft: &Draft) -> Result<Value, Refused> {
    let mut rule = rule(draft)?;
    rule["channels"] = json!(draft.channels);
    match id {
        Some(id) => asked.v2(Method::PATCH, &format!("alerts/{id}"), rule).await,
        None => asked.v2(Method::POST, "alerts", rule).await,
    }
}

async fn page(asked: &Asked, id: Option<String>, draft: Draft, told: Told) -> Response {
    let known = match asked.get("channels").await {
        Ok(known) => channels(&known),
        Err(why) => return asked.refused(why).await,
    };
    let (title, words) = if id.is_some() { ("Change alert", "Save") } else { ("New alert", "Make this alert") };
    asked
        .page(title, told, move |frame| {
            let path = id.map_or_else(|| format!("{PATH}/new"), |id| format!("{PATH}/{id}/edit"));
            html! {
                h1 { (title) @match draft.of { Of::Lines => " on lines", Of::Metrics => " on metrics" } }
                (fields::form(frame, &draft, &known, &frame.link(&path), words))
            }
        })
        .await
}
