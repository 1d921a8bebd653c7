//! A resource is made, gets another plan, and goes.

use super::resources::{REPEATED, Resource, Resources};
use super::{House, bytes, grant, is_heroku, later, said, shown, turn};
use crate::resource::{account_of, uuid};
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use logdrain_drain::directory::Kind;
use logdrain_drain::drain_name::is_token;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::journal::ChangeError;
use logdrain_drain::seal;
use logdrain_drain::settings::DrainSettings;
use logdrain_drain::settings::account::OwnDrain;
use logdrain_drain::settings::change::{Change, Misfit};
use logdrain_drain::settings::digest::Digest;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// The longest request, and how long it may take to come.
const BODY: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(10);
/// What the token of a resource is called.
const TOKEN: &str = "Heroku";

/// The body as JSON. Members that are not known mean nothing here.
async fn json_of(body: Body) -> Result<Value, Response> {
    let read = tokio::time::timeout(PATIENCE, to_bytes(body, BODY)).await;
    let Ok(Ok(bytes)) = read else {
        return Err(said(StatusCode::PAYLOAD_TOO_LARGE, "The request is too long, or did not come in time."));
    };
    serde_json::from_slice(&bytes)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| said(StatusCode::BAD_REQUEST, "The request is no JSON object."))
}

pub(super) async fn provision(
    State(house): State<House>,
    Extension(peer): Extension<Arc<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = is_heroku(&house, &peer, &headers).await {
        return refused;
    }
    let request = match json_of(body).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let Some(uuid) = request["uuid"].as_str().and_then(uuid) else {
        return said(StatusCode::UNPROCESSABLE_ENTITY, "The request names no resource.");
    };
    let Some(mut turn) = turn(&house).await else { return later() };
    let Some(resources) = &mut *turn else { return later() };
    if let Some(known) = resources.get(&uuid) {
        return again(known, resources, house.time());
    }
    match make(&house, resources, &uuid, &request).await {
        Ok(answer) => {
            if let Some(code) = request["oauth_grant"]["code"].as_str() {
                grant::exchange(house.clone(), uuid, code.to_owned());
            }
            bytes(StatusCode::OK, answer)
        }
        Err(refused) => refused,
    }
}

/// A repeat gets the same bytes, and one that is gone is not made again.
fn again(known: &Resource, resources: &Resources, now: i64) -> Response {
    if known.gone.is_some() {
        return said(StatusCode::GONE, "This add-on has been removed.");
    }
    let is_recent = known.provisioned + REPEATED >= now;
    match known.answer.as_ref().filter(|_| is_recent).and_then(|sealed| resources.seal.unseal(&known.uuid, sealed)) {
        Some(answer) => bytes(StatusCode::OK, answer),
        None => said(StatusCode::UNPROCESSABLE_ENTITY, "This add-on was provisioned more than a day ago."),
    }
}

async fn make(house: &House, resources: &mut Resources, uuid: &str, request: &Value) -> Result<String, Response> {
    let (site, settings) = (&house.site, &house.addon.settings);
    let slug = request["plan"].as_str().unwrap_or_default();
    let Some(plan) = settings.plans.get(slug) else { return Err(no_plan()) };
    let name = request["name"].as_str().map(shown).filter(|name| !name.is_empty()).unwrap_or_else(|| uuid.to_owned());
    let token = match &request["log_drain_token"] {
        Value::Null => None,
        Value::String(token) if is_token(token) => Some(token.as_str()),
        _ => return Err(said(StatusCode::UNPROCESSABLE_ENTITY, "The drain token is none.")),
    };
    let Ok(password) = seal::password() else { return Err(later()) };
    let account = account_of(uuid);
    let drain = format!("{account}.drain");
    // What was made before a crash, and never told, goes.
    if site.settings().account(&account).drains.contains_key(&drain) {
        change(house, Change::RemoveDrain { account: account.clone(), name: drain.clone() }).await?;
    }
    // Without a token the app cannot be called by its drain's key, and its name stands here.
    let app = token.is_none().then(|| name.clone());
    let own = OwnDrain {
        read: DrainSettings { app, ..DrainSettings::default() },
        credentials: Digest::of(format!("{uuid}:{password}")),
        tokens: token.iter().map(Digest::of).collect(),
    };
    change(house, Change::AddDrain { account: account.clone(), name: drain.clone(), drain: own }).await?;
    let at = house.time().saturating_mul(1_000_000);
    change(house, Change::Plan { account: account.clone(), plan: Some(plan.clone()), at }).await?;
    let key = token.map(|token| format!("{drain}/{token}"));
    if let Some(key) = &key {
        change(house, Change::App { drain: key.clone(), app: name.clone(), instead: None }).await?;
    }
    let directory = site.directory.clone();
    let issued = spawn_blocking(move || {
        for old in directory.tokens(&account) {
            directory.remove_token(&account, old.id)?;
        }
        directory.issue_token(&account, None, Kind::Admin, TOKEN)
    });
    let (secret, _) = match issued.await {
        Ok(Ok(issued)) => issued,
        Ok(Err(error)) => {
            tracing::error!(%error, "no token could be made for a resource of the add-on");
            return Err(later());
        }
        Err(_) => return Err(later()),
    };
    let prefix = &settings.prefix;
    let (scheme, host) = settings.base.split_once("://").unwrap_or(("https", &settings.base));
    let answer = json!({
        "id": uuid,
        "message": "Logs of this app are kept from now on. heroku addons:open shows them.",
        "config": {
            format!("{prefix}_API_TOKEN"): secret.reveal(),
            format!("{prefix}_URL"): settings.base,
        },
        "log_drain_url": format!("{scheme}://{uuid}:{password}@{host}/logs"),
    })
    .to_string();
    let kept = resources.seal.seal(uuid, &answer).and_then(|sealed| {
        resources.put(Resource {
            uuid: uuid.to_owned(),
            name,
            plan: slug.to_owned(),
            provisioned: house.time(),
            gone: None,
            is_destroyed: false,
            drain: key,
            app: None,
            answer: Some(sealed),
            refresh: None,
        })
    });
    match kept {
        Ok(()) => Ok(answer),
        Err(error) => {
            tracing::error!(%error, "a resource of the add-on could not be kept");
            Err(later())
        }
    }
}

fn no_plan() -> Response {
    said(StatusCode::UNPROCESSABLE_ENTITY, "This plan is not offered here.")
}

/// Makes a change, or says why not in a sentence for whoever uses Heroku.
async fn change(house: &House, change: Change) -> Result<(), Response> {
    match house.site.intake.change(change).await {
        Ok(_) => Ok(()),
        Err(ChangeError::Unfit(unfit)) if unfit.kind == Misfit::TooMany => Err(said(
            StatusCode::UNPROCESSABLE_ENTITY,
            "There is no room for another app on this service now. Please try again later, or ask its operator.",
        )),
        Err(error) => {
            tracing::error!(?error, "a change that the add-on asked for was not made");
            Err(later())
        }
    }
}

async fn change_plan(house: &House, resources: &mut Resources, id: &str, slug: &str) -> Response {
    let Some(known) = resources.get(id).cloned() else {
        return said(StatusCode::NOT_FOUND, "There is no such add-on.");
    };
    if known.gone.is_some() {
        return said(StatusCode::GONE, "This add-on has been removed.");
    }
    let Some(plan) = house.addon.settings.plans.get(slug) else { return no_plan() };
    let answer = said(StatusCode::OK, &format!("The plan is {slug} now."));
    let there = house.site.settings();
    if known.plan == slug && there.account(&account_of(id)).plan.as_ref() == Some(plan) {
        return answer;
    }
    let at = house.time().saturating_mul(1_000_000);
    let wanted = Change::Plan { account: account_of(id), plan: Some(plan.clone()), at };
    if let Err(refused) = change(house, wanted).await {
        return refused;
    }
    match resources.put(Resource { plan: slug.to_owned(), ..known }) {
        Ok(()) => answer,
        Err(error) => {
            tracing::error!(%error, "a resource of the add-on could not be kept");
            later()
        }
    }
}

/// Another plan.
pub(super) async fn upgrade(
    State(house): State<House>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = is_heroku(&house, &peer, &headers).await {
        return refused;
    }
    let request = match json_of(body).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let Some(mut turn) = turn(&house).await else { return later() };
    let Some(resources) = &mut *turn else { return later() };
    let slug = request["plan"].as_str().unwrap_or_default();
    change_plan(&house, resources, &id.to_ascii_lowercase(), slug).await
}

pub(super) async fn deprovision(
    State(house): State<House>,
    Extension(peer): Extension<Arc<Peer>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = is_heroku(&house, &peer, &headers).await {
        return refused;
    }
    let Some(mut turn) = turn(&house).await else { return later() };
    let Some(resources) = &mut *turn else { return later() };
    let id = id.to_ascii_lowercase();
    let Some(known) = resources.get(&id).cloned() else {
        return said(StatusCode::NOT_FOUND, "There is no such add-on.");
    };
    if known.gone.is_some() {
        return said(StatusCode::GONE, "This add-on has been removed.");
    }
    let account = account_of(&id);
    let name = format!("{account}.drain");
    // First nothing comes in any more, then nobody, and then it is told.
    if house.site.settings().account(&account).drains.contains_key(&name)
        && let Err(refused) = change(&house, Change::RemoveDrain { account: account.clone(), name }).await
    {
        return refused;
    }
    let directory = house.site.directory.clone();
    match spawn_blocking(move || directory.end_account(&account)).await {
        Ok(Ok(())) => {}
        _ => return later(),
    }
    let gone = Resource { gone: Some(house.time()), answer: None, refresh: None, ..known };
    match resources.put(gone) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::error!(%error, "a resource of the add-on could not be kept");
            later()
        }
    }
}
