//! Dashboards and the links that share them. Their rights and bounds are those of the pages.

use super::problem::Problem;
use super::{Asked, Done, blocking, json};
use crate::dashboards::{self, Gate, Opens, Refused};
use heroku_metrics::model::Timestamp;
use logdrain_charts::dashboard::{Dashboard, bounded, shipped};
use logdrain_drain::directory::{DashboardHead, Share};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    dashboard: Option<Dashboard>,
    /// Name or number of one that is copied.
    copy: Option<String>,
    title: Option<String>,
    app: Option<String>,
    #[serde(default)]
    own: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    dashboard: Dashboard,
    /// The version that was read; without one, whatever is there is replaced.
    version: Option<u32>,
    own: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewShare {
    dashboard: String,
    chart: Option<String>,
    app_name: Option<String>,
    range: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    #[serde(default)]
    name: String,
    #[serde(default = "month")]
    days: u32,
}

const fn month() -> u32 {
    30
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(refused.status, refused.why)
    }
}

fn time(seconds: i64) -> String {
    Timestamp::from_unix_micros(seconds.saturating_mul(1_000_000)).to_string()
}

fn brief(head: &DashboardHead) -> Value {
    json!({
        "id": head.id,
        "title": head.title,
        "own": head.member.is_some(),
        "version": head.version,
        "changed_at": time(head.changed),
    })
}

fn shape(head: &DashboardHead, dashboard: &Dashboard) -> Value {
    let mut told = brief(head);
    told["dashboard"] = serde_json::to_value(dashboard).unwrap_or_default();
    told
}

/// Who sees settings sees dashboards, as far as the plan shows them.
fn gate(asked: &Asked) -> Result<Gate, Problem> {
    if !asked.viewer.may_read() {
        return Err(Problem::forbidden("whoever asks may not see that"));
    }
    Ok(Gate::of(&asked.settings, &asked.viewer.account))
}

fn open_gate(asked: &Asked) -> Result<(), Problem> {
    let gate = gate(asked)?;
    if gate.overview_only { Err(gate.why().into()) } else { Ok(()) }
}

pub(super) async fn list(asked: &Arc<Asked>) -> Result<Done, Problem> {
    let gate = gate(asked)?;
    blocking(asked, move |asked| {
        let kept = match gate.overview_only {
            true => Vec::new(),
            false => asked.site().directory.dashboards(&asked.viewer.account, asked.viewer.member())?,
        };
        let shipped: Vec<_> = shipped()
            .iter()
            .filter(|shipped| gate.shows(shipped.name))
            .map(|shipped| json!({ "name": shipped.name, "dashboard": shipped.dashboard }))
            .collect();
        let kept: Vec<_> = kept.iter().map(brief).collect();
        Ok(Done::Json(json(&json!({ "dashboards": kept, "shipped": shipped }))?))
    })
    .await
}

fn found(asked: &Asked, key: &str) -> Result<(Option<DashboardHead>, Dashboard), Problem> {
    let viewer = &asked.viewer;
    let found = dashboards::find(&asked.site().directory, &viewer.account, viewer.member(), key)?;
    Ok((found.head, found.dashboard))
}

fn own(asked: &Asked) -> Result<(DashboardHead, Dashboard), Problem> {
    let (head, dashboard) = found(asked, &asked.id.to_string())?;
    Ok((head.ok_or_else(|| Problem::nothing("there is no such dashboard"))?, dashboard))
}

pub(super) async fn show(asked: &Arc<Asked>) -> Result<Done, Problem> {
    open_gate(asked)?;
    blocking(asked, |asked| {
        let (head, dashboard) = own(asked)?;
        Ok(Done::Json(json(&shape(&head, &dashboard))?))
    })
    .await
}

/// Whose a new one is.
fn whose(asked: &Asked, is_own: bool) -> Result<Option<u32>, Problem> {
    match (is_own, asked.viewer.member()) {
        (true, None) => Err(Problem::wrong("own is for members: whoever asks is none")),
        (true, member) => Ok(member),
        (false, _) => Ok(None),
    }
}

pub(super) async fn add(asked: &Arc<Asked>, new: New) -> Result<Done, Problem> {
    open_gate(asked)?;
    blocking(asked, move |asked| {
        let member = whose(asked, new.own)?;
        let dashboard = match (new.dashboard, new.copy) {
            (Some(dashboard), None) => dashboards::copied_as(dashboard, new.title, new.app),
            (None, Some(key)) => dashboards::copied(found(asked, &key)?.1, new.title, new.app),
            _ => return Err(Problem::wrong("send a dashboard, or copy with the name or number of one")),
        };
        let directory = &asked.site().directory;
        let (id, _) = dashboards::add(directory, &asked.viewer, member, dashboard)?;
        let (head, dashboard) = found(asked, &id.to_string())?;
        let head = head.ok_or_else(|| Problem::later("it is gone again"))?;
        Ok(Done::Made(json(&shape(&head, &dashboard))?, format!("/api/v2/dashboards/{id}")))
    })
    .await
}

pub(super) async fn set(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    open_gate(asked)?;
    blocking(asked, move |asked| {
        let (mut head, _) = own(asked)?;
        head.version = said.version.unwrap_or(head.version);
        let member = match said.own {
            Some(is_own) => whose(asked, is_own)?,
            None => head.member,
        };
        let dashboard = bounded(said.dashboard).map_err(Problem::wrong)?;
        let (head, dashboard) = dashboards::set(&asked.site().directory, &asked.viewer, &head, member, dashboard)?;
        Ok(Done::Json(json(&shape(&head, &dashboard))?))
    })
    .await
}

pub(super) async fn remove(asked: &Arc<Asked>) -> Result<Done, Problem> {
    open_gate(asked)?;
    blocking(asked, |asked| {
        let (head, _) = own(asked)?;
        dashboards::remove(&asked.site().directory, &asked.viewer, &head)?;
        Ok(Done::Gone)
    })
    .await
}

fn share(share: &Share) -> Value {
    json!({
        "id": share.id,
        "name": share.name,
        "dashboard": share.board,
        "chart": share.chart,
        "shows": share.wanted,
        "created_at": time(share.created),
        "ends_at": time(share.ends),
    })
}

/// What is shared is told to who may share.
fn shares_seen(asked: &Asked) -> Result<(), Problem> {
    match dashboards::may_share(&asked.viewer) || asked.viewer.sees_all_groups() {
        true => Ok(()),
        false => Err(Problem::forbidden("that is for who has access to all groups")),
    }
}

pub(super) fn shares(asked: &Asked) -> Result<Done, Problem> {
    shares_seen(asked)?;
    let shares: Vec<_> = asked.site().directory.shares(&asked.viewer.account).iter().map(|one| share(one)).collect();
    Ok(Done::Json(json(&json!({ "shares": shares }))?))
}

pub(super) async fn add_share(asked: &Arc<Asked>, new: NewShare) -> Result<Done, Problem> {
    gate(asked)?;
    blocking(asked, move |asked| {
        let mut wanted = form_urlencoded::Serializer::new(String::new());
        let pairs = [("app_name", new.app_name), ("range", new.range)];
        for (name, value) in pairs {
            if let Some(value) = value {
                wanted.append_pair(name, &value);
            }
        }
        for (name, value) in [("from", new.from), ("to", new.to)] {
            if let Some(value) = value {
                wanted.append_pair(name, &value.to_string());
            }
        }
        let wanted = wanted.finish();
        let opens = Opens { board: new.dashboard, chart: new.chart, wanted, name: new.name, days: new.days };
        let (secret, made) = dashboards::make_share(asked.site(), &asked.viewer, opens)?;
        let mut told = share(&made);
        told["link"] = format!("{}/shared/{}", asked.base, secret.reveal()).into();
        Ok(Done::Made(json(&told)?, format!("/api/v2/shares/{}", made.id)))
    })
    .await
}

pub(super) async fn remove_share(asked: &Arc<Asked>) -> Result<Done, Problem> {
    blocking(asked, |asked| {
        dashboards::remove_share(asked.site(), &asked.viewer, asked.id)?;
        Ok(Done::Gone)
    })
    .await
}
