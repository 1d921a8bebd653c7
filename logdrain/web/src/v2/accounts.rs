//! Accounts: which there are, and what one has.

use super::ask::Parameters;
use super::problem::Problem;
use super::{Asked, Done, json};
use crate::access::Viewer;
use logdrain_drain::drain_name::DEFAULT_ACCOUNT;
use logdrain_drain::ending;
use logdrain_drain::settings::Settings;
use logdrain_drain::settings::account::is_account_name;
use logdrain_drain::settings::change::Change;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    takes_unknown_systems: bool,
}

/// The operator says whose account it is; everybody else has one.
pub(super) fn chosen(mut viewer: Viewer, settings: &Settings, parameters: &Parameters<'_>) -> Result<Viewer, Problem> {
    let Some(name) = parameters.text("account") else { return Ok(viewer) };
    if *name == *viewer.account {
        return Ok(viewer);
    }
    // An account of another is as good as none.
    let none = || Problem::nothing("there is no such account, or not for whoever asks");
    if !is_account_name(&name) || !settings.has_account(&name) {
        return Err(none());
    }
    viewer.choose(&name).map_err(|_| none())?;
    Ok(viewer)
}

fn names(settings: &Settings) -> impl Iterator<Item = &str> {
    let of_drains = settings.drains.values().filter_map(|drain| drain.account.as_deref());
    settings.accounts.keys().map(String::as_str).chain(of_drains).chain([DEFAULT_ACCOUNT])
}

fn brief(settings: &Settings, name: &str) -> Value {
    json!({ "name": name, "plan": settings.account(name).plan.as_ref().map(|plan| plan.name()) })
}

pub(super) fn list(asked: &Asked) -> Result<Done, Problem> {
    let mut all: Vec<&str> = match asked.viewer.sees_all_accounts() {
        true => names(&asked.settings).collect(),
        false => vec![&asked.viewer.account],
    };
    all.sort_unstable();
    all.dedup();
    let accounts: Vec<_> = all.into_iter().map(|name| brief(&asked.settings, name)).collect();
    Ok(Done::Json(json(&json!({ "accounts": accounts }))?))
}

pub(super) async fn add(asked: &Asked, new: New) -> Result<Done, Problem> {
    asked.changes()?;
    if !asked.viewer.is_operator() {
        return Err(Problem::forbidden("accounts are made by the operator"));
    }
    if asked.settings.has_account(&new.name) {
        return Err(Problem::wrong("an account of this name is there already"));
    }
    asked.change(Change::Account { account: new.name.clone() }).await?;
    let settings = asked.site().intake.settings();
    Ok(Done::Made(json(&brief(&settings, &new.name))?, format!("/api/v2/account?account={}", new.name)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// Once more, so that nobody does it by chance.
    name: String,
}

/// All of an account goes for good.
pub(super) async fn destroy(asked: &Asked, said: Named) -> Result<Done, Problem> {
    if !asked.viewer.is_operator() {
        return Err(Problem::forbidden("accounts are destroyed by the operator"));
    }
    let account = asked.account();
    if asked.parameters().text("account").is_none() || said.name != account {
        return Err(Problem::wrong("say account=NAME in the query, and its name once more in the body"));
    }
    let bucket = asked.site().directory.bucket(&account);
    let changed = asked.change(Change::Destroy { account: account.clone(), at: 0, upto: 0 }).await?;
    ending::closed(&asked.site().directory, &asked.site().intake, &account, changed.position).await;
    let told = json!({
        "destroyed": account,
        "position": changed.position,
        "bucket": bucket.map(|bucket| bucket.name.clone()),
        "notes": [
            "Lines, archives, minutes, settings, members, tokens and usage go from every file of the store within minutes.",
            "What left this server, in a bucket, by a hook, or as rows in files and at collectors, is not reached.",
        ],
    });
    Ok(Done::Json(json(&told)?))
}

pub(super) fn show(asked: &Asked) -> Result<Done, Problem> {
    told(asked, &asked.settings)
}

fn told(asked: &Asked, settings: &Settings) -> Result<Done, Problem> {
    asked.sees_all()?;
    let name = &*asked.viewer.account;
    let account = settings.account(name);
    // Each drain has the plan's streams.
    let (used, allowed) = asked.site().counting.streams(|key| settings.is_of(key, name) == Some(true));
    let of_plan = || account.plan.as_ref().and_then(|plan| plan.metrics.streams()).map(u64::from);
    Ok(Done::Json(json(&json!({
        "name": name,
        "plan": account.plan.as_ref().map(|plan| plan.name()),
        "takes_unknown_systems": account.takes_unknown,
        "streams": { "used": used, "allowed": allowed.or_else(of_plan) },
        "systems": asked.site().directory.systems_of(name).len(),
        "groups": account.groups.len(),
        "searches": account.searches.len(),
        "filters": account.filters.len(),
    }))?))
}

pub(super) async fn set(asked: &Asked, said: Said) -> Result<Done, Problem> {
    asked.changes()?;
    let takes = said.takes_unknown_systems;
    if asked.settings.account(&asked.viewer.account).takes_unknown != takes {
        asked.change(Change::TakesUnknown { account: asked.account(), takes }).await?;
    }
    told(asked, &asked.site().intake.settings())
}
