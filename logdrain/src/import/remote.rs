//! What an export becomes on a server: dashboards, groups and saved searches that it has not yet.

use super::Plan;
use super::rules::Rule;
use super::sets::{Group, Search};
use super::told::{Fate, Told};
use crate::args::import::ImportArgs;
use crate::server::Server;
use hyper::{Method, StatusCode};
use logdrain_drain::alerts::file;
use logdrain_terms::client::{Ask, ClientError};
use logdrain_terms::failure::Failure;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The most bytes of an answer.
const ANSWER: usize = 64 << 20;

/// Has a server make what it has not yet.
///
/// # Errors
/// When it cannot be asked. What it refuses of one object is told, and the others go on.
pub(super) fn apply(plan: &Plan, server: &Server, args: &ImportArgs, told: &mut Told) -> Result<(), Failure> {
    let to = To { server, args };
    let groups = to.groups(&plan.groups, told)?;
    to.searches(&plan.searches, &groups, told)?;
    to.dashboards(plan, told)?;
    to.alerts(&plan.rules, told)
}

struct To<'a> {
    server: &'a Server,
    args: &'a ImportArgs,
}

impl To<'_> {
    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let mut ask = Ask::new(method, self.server.path(path, &[]));
        if let Some(body) = body {
            ask = ask.with_body("application/json", body.to_string());
        }
        self.server.ask(&ask, async |answer| {
            let bytes = answer.bytes(ANSWER).await?;
            Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
        })
    }

    fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, None).map_err(|error| self.server.failure(&error))
    }

    /// Sends one object, unless this is a dry run. `None` when the server does not take it, which is told.
    fn put(
        &self,
        (kind, name): (&str, &str),
        (method, path): (Method, &str),
        body: &Value,
        told: &mut Told,
    ) -> Result<Option<Value>, Failure> {
        if self.args.dry_run {
            return Ok(Some(Value::Null));
        }
        match self.ask(method, path, Some(body)) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.status().is_some_and(is_of_one) => {
                told.lost(kind, name, &error.to_string())?;
                Ok(None)
            }
            Err(error) => Err(self.server.failure(&error)),
        }
    }

    /// What becomes of something that is there, or is not.
    fn fate(&self, is_same: Option<bool>) -> Fate {
        match is_same {
            None => Fate::Made,
            Some(true) => Fate::There,
            Some(false) if self.args.replace => Fate::Replaced,
            Some(false) => Fate::Left,
        }
    }

    /// Makes groups. Answers the numbers of all, by name.
    fn groups(&self, groups: &[Group], told: &mut Told) -> Result<BTreeMap<String, u64>, Failure> {
        let there = self.get("/api/v1/groups.json")?;
        let there = there.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut numbers: BTreeMap<String, u64> = there
            .iter()
            .filter_map(|group| Some((group["name"].as_str()?.to_owned(), group["id"].as_u64()?)))
            .collect();
        for group in groups {
            let Group { name, wildcard } = group;
            let known = there.iter().find(|known| known["name"] == **name);
            let fate = self.fate(known.map(|known| known["system_wildcard"] == **wildcard));
            let body = json!({ "group": { "name": name, "system_wildcard": wildcard } });
            let way = match (fate, known) {
                (Fate::Made, _) => Some((Method::POST, "/api/v1/groups.json".to_owned())),
                (Fate::Replaced, Some(known)) => Some((Method::PUT, format!("/api/v1/groups/{}.json", known["id"]))),
                _ => None,
            };
            if let Some((method, path)) = way {
                let Some(made) = self.put(("group", name), (method, &path), &body, told)? else { continue };
                if let Some(id) = made["id"].as_u64() {
                    numbers.insert(name.clone(), id);
                }
            }
            told.fate("group", name, fate)?;
        }
        Ok(numbers)
    }

    fn searches(&self, searches: &[Search], groups: &BTreeMap<String, u64>, told: &mut Told) -> Result<(), Failure> {
        let there = self.get("/api/v1/searches.json")?;
        let there = there.as_array().map(Vec::as_slice).unwrap_or_default();
        for search in searches {
            let Search { name, query, group } = search;
            let number = group.as_ref().and_then(|group| groups.get(group));
            if let (Some(group), None, false) = (group, number, self.args.dry_run) {
                told.lost("search", name, &format!("its group {group:?} is not there, and all systems would be more"))?;
                continue;
            }
            let mut said = json!({ "name": name, "query": query });
            if let Some(number) = number {
                said["group_id"] = (*number).into();
            }
            let known = there.iter().find(|known| known["name"] == **name);
            let is_same = |known: &Value| {
                let is_of = known["group"]["name"].as_str().filter(|name| *name != "All Systems") == group.as_deref();
                known["query"] == **query && is_of
            };
            let fate = self.fate(known.map(is_same));
            let way = match (fate, known) {
                (Fate::Made, _) => Some((Method::POST, "/api/v1/searches.json".to_owned())),
                (Fate::Replaced, Some(known)) => Some((Method::PUT, format!("/api/v1/searches/{}.json", known["id"]))),
                _ => None,
            };
            if let Some((method, path)) = way
                && self.put(("search", name), (method, &path), &json!({ "search": said }), told)?.is_none()
            {
                continue;
            }
            told.fate("search", name, fate)?;
        }
        Ok(())
    }

    fn alerts(&self, rules: &[Rule], told: &mut Told) -> Result<(), Failure> {
        if rules.is_empty() {
            return Ok(());
        }
        let mut there: Vec<Value> = Vec::new();
        loop {
            let after = there.last().and_then(|alert| alert["id"].as_u64()).unwrap_or(0);
            let mut page = match self.ask(Method::GET, &format!("/api/v2/alerts?after={after}"), None) {
                Ok(page) => page,
                // One of an older program.
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                    let why = "this server has no alerts by its API: --out FOLDER writes them as a file of rules";
                    return rules.iter().try_for_each(|rule| told.lost("alert", &rule.name, why));
                }
                Err(error) => return Err(self.server.failure(&error)),
            };
            let (alerts, has_more) = (page["alerts"].take(), page["more"] == true);
            match alerts {
                Value::Array(alerts) if !alerts.is_empty() => there.extend(alerts),
                _ => break,
            }
            if !has_more {
                break;
            }
        }
        for Rule { name, toml } in rules {
            let said = file::parse(toml).ok().and_then(|rules| serde_json::to_value(rules.into_iter().next()?).ok());
            let Some(Value::Object(said)) = said else { continue };
            let known = there.iter().find(|known| known["name"] == **name);
            let fate = self.fate(known.map(|known| said.iter().all(|(kind, rule)| known.get(kind) == Some(rule))));
            let way = match (fate, known) {
                (Fate::Made, _) => Some((Method::POST, "/api/v2/alerts".to_owned())),
                (Fate::Replaced, Some(known)) => Some((Method::PATCH, format!("/api/v2/alerts/{}", known["id"]))),
                _ => None,
            };
            if let Some((method, path)) = way
                && self.put(("alert", name), (method, &path), &Value::Object(said), told)?.is_none()
            {
                continue;
            }
            told.fate("alert", name, fate)?;
        }
        Ok(())
    }

    fn dashboards(&self, plan: &Plan, told: &mut Told) -> Result<(), Failure> {
        if plan.dashboards.is_empty() {
            return Ok(());
        }
        let there = self.get("/api/v2/dashboards")?;
        let there = there["dashboards"].as_array().map(Vec::as_slice).unwrap_or_default();
        for dashboard in &plan.dashboards {
            let said = serde_json::to_value(dashboard).unwrap_or_default();
            let title = dashboard.title.as_str();
            let known = there.iter().find(|known| known["title"] == title);
            let is_same = match known {
                Some(known) => {
                    let known = self.get(&format!("/api/v2/dashboards/{}", known["id"]))?;
                    Some(known["dashboard"] == said)
                }
                None => None,
            };
            let fate = self.fate(is_same);
            let way = match (fate, known) {
                (Fate::Made, _) => Some((Method::POST, "/api/v2/dashboards".to_owned())),
                (Fate::Replaced, Some(known)) => Some((Method::PUT, format!("/api/v2/dashboards/{}", known["id"]))),
                _ => None,
            };
            if let Some((method, path)) = way
                && self.put(("dashboard", title), (method, &path), &json!({ "dashboard": said }), told)?.is_none()
            {
                continue;
            }
            told.fate("dashboard", title, fate)?;
        }
        Ok(())
    }
}

/// Whether a refusal is of what was sent, and not of who sent it.
fn is_of_one(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY
    )
}
