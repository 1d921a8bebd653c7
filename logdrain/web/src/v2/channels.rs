//! Channels: whom alerts tell. What a channel was told to be (URLs, keys) is kept sealed, and never shown again.

use super::problem::Problem;
use super::{Asked, Done, blocking, json};
use axum::http::StatusCode;
use logdrain_drain::alerts::channel::Settings;
use logdrain_drain::alerts::told::Told;
use logdrain_drain::directory::{Channel, DirectoryError};
use logdrain_drain::journal;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A channel as it is told: where it leads, and nothing that lets somebody in there.
fn shape(asked: &Asked, channel: &Channel) -> Result<Value, DirectoryError> {
    let (site, account) = (asked.site(), &asked.viewer.account);
    let notices = site.directory.channels_with_notices()?;
    let mut told = json!({
        "id": channel.id, "name": channel.name, "kind": channel.kind, "leads_to": channel.shown,
        "notices": notices.get(account).is_some_and(|wanted| wanted.contains(&channel.id)),
    });
    match site.alerts.settings(account, channel) {
        Some(Settings::Mail { to }) => {
            let mut unconfirmed = Vec::new();
            for address in &to {
                if !site.directory.may_get_mail(account, address)? {
                    unconfirmed.push(address);
                }
            }
            told["to"] = json!(to);
            told["unconfirmed"] = json!(unconfirmed);
        }
        Some(Settings::Slack { hides_lines, .. }) => told["hides_lines"] = json!(hides_lines),
        Some(_) => {}
        None => told["trouble"] = json!("its settings were sealed with another key: set it again"),
    }
    Ok(told)
}

pub(super) async fn list(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    let told = blocking(asked, |asked| {
        let channels = asked.site().directory.channels(&asked.viewer.account)?;
        let channels: Vec<Value> = channels.iter().map(|channel| shape(asked, channel)).collect::<Result<_, _>>()?;
        json(&json!({ "channels": channels }))
    });
    Ok(Done::Json(told.await?))
}

pub(super) async fn show(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    Ok(Done::Json(one(asked, asked.id).await?))
}

/// The channel of this number, as an answer.
async fn one(asked: &Arc<Asked>, id: u32) -> Result<Vec<u8>, Problem> {
    blocking(asked, move |asked| {
        let channel = asked.site().directory.channel(&asked.viewer.account, id)?;
        json(&shape(asked, &channel)?)
    })
    .await
}

/// What was said of a channel, laid over what it is. `None` is a new one.
fn over(mut said: Map<String, Value>, known: Option<Map<String, Value>>) -> Result<Settings, Problem> {
    said.retain(|_, value| !value.is_null());
    if let Some(Value::String(kind)) = said.get_mut("kind")
        && kind == "pagerduty"
    {
        "pager_duty".clone_into(kind);
    }
    let mut all = known.unwrap_or_default();
    if let (Some(is), Some(kind)) = (all.get("kind"), said.get("kind"))
        && is != kind
    {
        return Err(Problem::wrong("kind: a channel stays of its kind: make another one"));
    }
    // What requests to one place are signed with is for no other place.
    if said.get("url").is_some_and(|url| all.get("url") != Some(url)) {
        all.remove("secret");
    }
    let names: Vec<String> = said.keys().cloned().collect();
    all.extend(said);
    let kinds = "webhook, json, slack, pagerduty or mail";
    let settings: Settings = serde_json::from_value(Value::Object(all)).map_err(|error| match error.to_string() {
        why if why.contains("kind") || why.contains("variant") => Problem::wrong(format!("kind is one of {kinds}")),
        why => Problem::wrong(why),
    })?;
    let read = serde_json::to_value(&settings).unwrap_or_default();
    match names.iter().find(|name| read.get(name.as_str()).is_none()) {
        Some(name) => Err(Problem::wrong(format!("{name}: a channel of this kind has no such field"))),
        None => Ok(settings),
    }
}

/// What was said of a channel of any kind: its name, and whether it is told of the plan.
struct Common {
    name: Option<String>,
    notices: Option<bool>,
}

/// That, and the rest.
fn common(mut said: Map<String, Value>) -> Result<(Common, Map<String, Value>), Problem> {
    let name = match said.remove("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err(Problem::wrong("name: it is a text")),
    };
    let notices = match said.remove("notices") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(wants)) => Some(wants),
        Some(_) => return Err(Problem::wrong("notices: it is true or false")),
    };
    Ok((Common { name, notices }, said))
}

/// Notes whether a channel is told of the plan.
async fn note(asked: &Arc<Asked>, id: u32, notices: Option<bool>) -> Result<(), Problem> {
    let Some(wants) = notices else { return Ok(()) };
    blocking(asked, move |asked| Ok(asked.site().directory.set_notices(&asked.viewer.account, id, wants)?)).await
}

pub(super) async fn add(asked: &Arc<Asked>, said: Map<String, Value>) -> Result<Done, Problem> {
    asked.changes()?;
    let (Common { name, notices }, said) = common(said)?;
    let settings = over(said, None)?;
    let account = asked.account();
    let (id, _) = asked.site().alerts.keep_channel(&account, None, &name.unwrap_or_default(), settings).await?;
    note(asked, id, notices).await?;
    Ok(Done::Made(one(asked, id).await?, format!("/api/v2/channels/{id}")))
}

pub(super) async fn set(asked: &Arc<Asked>, said: Map<String, Value>) -> Result<Done, Problem> {
    asked.changes()?;
    let _alone = asked.alone().await?;
    let known = blocking(asked, |asked| {
        let channel = asked.site().directory.channel(&asked.viewer.account, asked.id)?;
        let settings = asked.site().alerts.settings(&asked.viewer.account, &channel);
        Ok((channel.name, settings.and_then(|settings| serde_json::to_value(settings).ok())))
    });
    let (known_name, known) = known.await?;
    let known = match known {
        Some(Value::Object(known)) => Some(known),
        _ => None,
    };
    let (Common { name, notices }, said) = common(said)?;
    let settings = over(said, known)?;
    let account = asked.account();
    let name = name.unwrap_or(known_name);
    asked.site().alerts.keep_channel(&account, Some(asked.id), &name, settings).await?;
    note(asked, asked.id, notices).await?;
    Ok(Done::Json(one(asked, asked.id).await?))
}

pub(super) async fn remove(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.changes()?;
    blocking(asked, |asked| Ok(asked.site().directory.remove_channel(&asked.viewer.account, asked.id)?)).await?;
    Ok(Done::Gone)
}

/// Sends a message that says that it is a test.
pub(super) async fn test(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.changes()?;
    let id = asked.id;
    blocking(asked, move |asked| Ok(asked.site().directory.channel(&asked.viewer.account, id)?)).await?;
    tell(asked, Told::sample(&asked.account(), id, journal::now().unix_micros())).await
}

/// Keeps a message that tries channels: it is sent as any other.
pub(super) async fn tell(asked: &Arc<Asked>, told: Told) -> Result<Done, Problem> {
    if !asked.api.trials.take(&asked.viewer.account, told.channels.len()) {
        let message = "many messages were sent to try channels just now: come again in some seconds";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, message));
    }
    let answer = json(&json!({ "message": told.id, "channels": told.channels }))?;
    blocking(asked, move |asked| asked.site().alerts.outbox().keep(&[told]).map_err(Problem::from)).await?;
    Ok(Done::Json(answer))
}
