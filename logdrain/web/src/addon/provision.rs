//! A resource is made, gets another plan, and goes.

use super::kept::{Grant, REPEATED, Resource};
use super::resources::Resources;
use super::{House, bytes, grant, is_heroku, later, said, shown, turn};
use crate::resource::{account_of, uuid};
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use logdrain_drain::directory::{DirectoryError, Kind, Secret, new_token};
use logdrain_drain::drain_name::is_token;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::journal::ChangeError;
use logdrain_drain::seal;
use logdrain_drain::settings::DrainSettings;
use logdrain_drain::settings::account::OwnDrain;
use logdrain_drain::settings::change::{Change, Misfit};
use logdrain_drain::settings::digest::Digest;
use logdrain_terms::plan::Plan;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// The longest request, and how long it may take to come.
const BODY: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(10);
/// How many seconds it is looked whether an account has the plan that was asked for last.
const LOOKED_AT: i64 = 120;
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
    let known = match resources.get(&uuid) {
        Ok(Some(known)) => Ok(known),
        Ok(None) => begin(&house, resources, &uuid, &request).map_err(|refused| *refused),
        Err(error) => Err(unkept(&error)),
    };
    let known = match known {
        Ok(known) => known,
        Err(refused) => return refused,
    };
    if known.gone.is_some() || known.secrets.is_none() {
        return again(&known, resources, house.time());
    }
    match make(&house, resources, &known).await {
        Ok(answer) => {
            if let Some(grant) = &known.grant {
                grant::exchange(house.clone(), uuid, grant.code.clone());
            }
            bytes(StatusCode::OK, answer)
        }
        Err(refused) => refused,
    }
}

/// What is known of resources cannot be read or written now.
fn unkept(error: &io::Error) -> Response {
    tracing::error!(%error, "a resource of the add-on could not be kept");
    later()
}

/// A repeat gets the same bytes, and one that is gone is not made again.
fn again(known: &Resource, resources: &Resources, now: i64) -> Response {
    if known.gone.is_some() {
        return said(StatusCode::GONE, "This add-on has been removed.");
    }
    let is_recent = known.provisioned + REPEATED >= now;
    match known.answer.as_ref().filter(|_| is_recent) {
        Some(sealed) => match resources.seal.unseal(&known.uuid, sealed) {
            Some(answer) => bytes(StatusCode::OK, answer),
            None => unkept(&io::Error::other("what was answered cannot be unsealed with this key_file")),
        },
        None => said(StatusCode::UNPROCESSABLE_ENTITY, "This add-on was provisioned more than a day ago."),
    }
}

/// What is to be made is kept first, with its secrets: whoever goes on with it, on any node, makes the same and answers the same.
fn begin(house: &House, resources: &mut Resources, uuid: &str, request: &Value) -> Result<Resource, Box<Response>> {
    let settings = &house.addon.settings;
    let slug = request["plan"].as_str().unwrap_or_default();
    if !settings.plans.contains_key(slug) {
        return Err(Box::new(no_plan()));
    }
    let name = request["name"].as_str().map(shown).filter(|name| !name.is_empty()).unwrap_or_else(|| uuid.to_owned());
    let token = match &request["log_drain_token"] {
        Value::Null => None,
        Value::String(token) if is_token(token) => Some(token.as_str()),
        _ => return Err(Box::new(said(StatusCode::UNPROCESSABLE_ENTITY, "The drain token is none."))),
    };
    let (Ok(password), Ok(secret)) = (seal::password(), new_token(Kind::Admin)) else { return Err(Box::new(later())) };
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
    let code = request["oauth_grant"]["code"].as_str().filter(|_| settings.client_secret.is_some());
    let (seal, provisioned) = (resources.seal.clone(), house.time());
    let new = || {
        let code = code.map(|code| seal.seal(uuid, code)).transpose()?;
        Ok(Resource {
            uuid: uuid.to_owned(),
            name,
            plan: slug.to_owned(),
            provisioned,
            drain: token.map(|token| format!("{}/{token}", drain_of(uuid))),
            answer: Some(seal.seal(uuid, &answer)?),
            secrets: Some(seal.seal(uuid, &format!("{password} {}", secret.reveal()))?),
            grant: code.map(|code| Grant { code, until: provisioned + grant::CLAIM }),
            ..Resource::default()
        })
    };
    new().and_then(|new| resources.keep(new)).map_err(|error: io::Error| Box::new(unkept(&error)))
}

fn drain_of(uuid: &str) -> String {
    format!("{}.drain", account_of(uuid))
}

/// Makes all that is not made yet, and answers what Heroku is answered.
async fn make(house: &House, resources: &mut Resources, known: &Resource) -> Result<String, Response> {
    let (site, uuid) = (&house.site, known.uuid.as_str());
    let unsealed = |sealed: &Option<String>| sealed.as_ref().and_then(|sealed| resources.seal.unseal(uuid, sealed));
    let (answer, secrets) = (unsealed(&known.answer), unsealed(&known.secrets));
    let secrets = secrets.as_deref().and_then(|secrets| secrets.split_once(' '));
    let (Some(answer), Some((password, secret))) = (answer, secrets) else {
        return Err(unkept(&io::Error::other("what is to be made cannot be unsealed with this key_file")));
    };
    let Some(plan) = house.addon.settings.plans.get(&known.plan) else { return Err(no_plan()) };
    let (account, drain) = (account_of(uuid), drain_of(uuid));
    let token = known.drain.as_deref().and_then(|key| key.split_once('/')).map(|(_, token)| token);
    // Without a token the app cannot be called by its drain's key, and its name stands here.
    let app = token.is_none().then(|| known.name.clone());
    let own = OwnDrain {
        read: DrainSettings { app, ..DrainSettings::default() },
        credentials: Digest::of(format!("{uuid}:{password}")),
        tokens: token.iter().map(Digest::of).collect(),
    };
    let there = site.settings().account(&account).drains.get(&drain).cloned();
    let is_there =
        there.as_ref().is_some_and(|there| there.credentials == own.credentials && there.tokens == own.tokens);
    if !is_there {
        // What an older program made before a crash, and never told, goes.
        if there.is_some() {
            change(house, Change::RemoveDrain { account: account.clone(), name: drain.clone() }).await?;
        }
        change(house, Change::AddDrain { account: account.clone(), name: drain, drain: own }).await?;
    }
    has_plan(house, uuid, plan).await?;
    if let Some(key) = &known.drain {
        change(house, Change::App { drain: key.clone(), app: known.name.clone(), instead: None }).await?;
    }
    let (directory, secret) = (site.directory.clone(), Secret::of(secret));
    let kept = spawn_blocking(move || directory.keep_token(&account, &secret, Kind::Admin, TOKEN));
    if let Err(error) = kept.await.unwrap_or_else(|_| Err(DirectoryError::Closed("a thread ended".to_owned()))) {
        tracing::error!(%error, "no token could be made for a resource of the add-on");
        return Err(later());
    }
    let until = house.time() + LOOKED_AT;
    let made = resources.change(uuid, |resource| resource.made(&known.plan, until)).map_err(|error| unkept(&error))?;
    if made.is_none_or(|made| made.gone.is_some()) {
        // It was removed meanwhile.
        clean(house, uuid).await?;
        return Err(said(StatusCode::GONE, "This add-on has been removed."));
    }
    Ok(answer)
}

fn no_plan() -> Response {
    said(StatusCode::UNPROCESSABLE_ENTITY, "This plan is not offered here.")
}

/// Makes a change, or says why not in a sentence for whoever uses Heroku. What is so already is no change.
async fn change(house: &House, change: Change) -> Result<(), Response> {
    match house.site.intake.change(change).await {
        Ok(_) => Ok(()),
        Err(ChangeError::Unfit(unfit)) if unfit.kind == Misfit::Taken => Ok(()),
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

/// The account of a resource has this plan from now on.
pub(super) async fn has_plan(house: &House, uuid: &str, plan: &Plan) -> Result<(), Response> {
    let account = account_of(uuid);
    if house.site.settings().account(&account).plan.as_ref() == Some(plan) {
        return Ok(());
    }
    let at = house.time().saturating_mul(1_000_000);
    change(house, Change::Plan { account, plan: Some(plan.clone()), at }).await
}

/// Nothing comes in any more by a resource, and then nobody.
pub(super) async fn clean(house: &House, uuid: &str) -> Result<(), Response> {
    let (account, name) = (account_of(uuid), drain_of(uuid));
    if house.site.settings().account(&account).drains.contains_key(&name) {
        match house.site.intake.change(Change::RemoveDrain { account: account.clone(), name }).await {
            Ok(_) => {}
            Err(ChangeError::Unfit(unfit)) if unfit.kind == Misfit::NotFound => {}
            Err(error) => {
                tracing::error!(?error, "the drain of a resource that was removed could not be removed");
                return Err(later());
            }
        }
    }
    let directory = house.site.directory.clone();
    match spawn_blocking(move || directory.end_account(&account)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(later()),
    }
}

/// Whether something comes in still by a resource, or somebody does.
pub(super) fn is_open(house: &House, uuid: &str) -> bool {
    let (site, account) = (&house.site, account_of(uuid));
    !site.settings().account(&account).drains.is_empty() || !site.directory.tokens(&account).is_empty()
}

async fn change_plan(house: &House, resources: &mut Resources, id: &str, slug: &str) -> Response {
    let known = match resources.get(id) {
        Ok(Some(known)) => known,
        Ok(None) => return said(StatusCode::NOT_FOUND, "There is no such add-on."),
        Err(error) => return unkept(&error),
    };
    if known.gone.is_some() {
        return said(StatusCode::GONE, "This add-on has been removed.");
    }
    let Some(plan) = house.addon.settings.plans.get(slug) else { return no_plan() };
    let answer = said(StatusCode::OK, &format!("The plan is {slug} now."));
    // While another node is at it, it may be taken back there.
    if known.plan == slug
        && known.changed.is_none()
        && house.site.settings().account(&account_of(id)).plan.as_ref() == Some(plan)
    {
        return answer;
    }
    // Whoever looks later sees to it that the account has what was said last.
    let until = house.time() + LOOKED_AT;
    let asked = match resources.change(id, |resource| resource.ask(slug, until)) {
        Ok(said) => said.map_or(0, |said| said.asked),
        Err(error) => return unkept(&error),
    };
    if let Err(refused) = has_plan(house, id, plan).await {
        return resources
            .change(id, |resource| resource.take_back(asked))
            .map_or_else(|error| unkept(&error), |_| refused);
    }
    match resources.change(id, |resource| resource.done(asked, slug, until)) {
        Ok(_) => answer,
        Err(error) => unkept(&error),
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
    let known = match resources.get(&id) {
        Ok(Some(known)) => known,
        Ok(None) => return said(StatusCode::NOT_FOUND, "There is no such add-on."),
        Err(error) => return unkept(&error),
    };
    if known.gone.is_some() && !is_open(&house, &id) {
        return said(StatusCode::GONE, "This add-on has been removed.");
    }
    // It is gone whatever comes now: whoever dies in the middle of it is asked again, or another one looks after it.
    if let Err(error) = resources.change(&id, |resource| resource.go(house.time())) {
        return unkept(&error);
    }
    match clean(&house, &id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refused,
    }
}
