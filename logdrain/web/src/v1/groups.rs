//! `groups`: systems under a name, listed or by wildcard.
//!
//! ```text
//! GET    groups[?group_name=PART]    POST groups      group[name], group[system_wildcard], group[system_ids][]
//! GET    groups/ID                   PUT  groups/ID   the same
//! DELETE groups/ID
//! ```

use super::answer::Answer;
use super::objects::{ALL, Asked, alone, change, has_part, number, wrong};
use super::parameters::Method;
use super::shapes::{self, Destination, Each};
use super::systems;
use crate::turns::Budget;
use axum::http::StatusCode;
use log_store::Scope;
use logdrain_drain::directory::System;
use logdrain_drain::settings::account::Group;
use logdrain_drain::settings::change::Change;
use serde::Serialize;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long one waits for the turn to list groups, and how long that may take.
const PATIENCE: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(2);
const OF: &str = "group";

pub(super) async fn route(asked: &Arc<Asked>) -> Result<Answer, Answer> {
    match (asked.ask.method(), asked.ask.path().get(1..).unwrap_or_default()) {
        (Method::Read, []) => {
            let part = asked.ask.text("group_name").unwrap_or_default().to_owned();
            told(asked, move |asked, teller| {
                let own = asked.account().groups.iter().filter(|(id, _)| asked.viewer.sees_group(**id));
                let own = own.filter(|(_, group)| has_part(&group.name, &part));
                let own = own.map(|(id, group)| (shape_of(*id, group), group.patterns().collect::<Vec<_>>()));
                let all = has_part(ALL.name, &part).then(|| (ALL, vec!["*"]));
                let groups: Vec<_> = all.into_iter().chain(own).collect();
                Answer::json(&Each(|| groups.iter().map(|(group, patterns)| teller.group(*group, patterns))))
            })
            .await
        }
        (Method::Create, []) => create(asked).await,
        (Method::Read, [id]) => {
            let id = number(id).unwrap_or(0);
            if id != ALL.id {
                asked.group(id)?;
            }
            show(asked, id).await
        }
        (Method::Change, [id]) => set(asked, number(id).unwrap_or(0)).await,
        (Method::Remove, [id]) => remove(asked, number(id).unwrap_or(0)).await,
        _ => Err(super::nothing_here()),
    }
}

const fn shape_of(id: u32, group: &Group) -> shapes::Group<'_> {
    let wildcard = match &group.wildcard {
        Some(wildcard) => Some(wildcard.as_str()),
        None => None,
    };
    shapes::Group { id, name: group.name.as_str(), wildcard }
}

/// Tells groups with their systems, for as long as there is time.
struct Teller<'a> {
    asked: &'a Asked,
    systems: &'a [System],
    destination: &'a Destination,
    budget: &'a Budget,
    is_over: &'a Cell<bool>,
}

impl<'a> Teller<'a> {
    fn group<'b>(&'b self, group: shapes::Group<'b>, patterns: &[&str]) -> impl Serialize + use<'a, 'b> {
        let scope = Scope::account("a").with_systems(patterns);
        let systems = Each(move || {
            let scope = scope.clone();
            self.systems
                .iter()
                .take_while(|_| {
                    self.is_over.set(self.is_over.get() || !self.budget.goes_on());
                    !self.is_over.get()
                })
                .filter(move |system| scope.allows("a", system.name.as_bytes()))
                .map(|system| systems::of(self.asked, system, self.destination))
        });
        self.asked.links().group(&group, systems)
    }
}

/// Builds an answer in its turn, on a thread of its own: many groups of many systems take long.
async fn told(
    asked: &Arc<Asked>,
    work: impl FnOnce(&Asked, &Teller<'_>) -> Answer + Send + 'static,
) -> Result<Answer, Answer> {
    let of = asked.clone();
    let built = asked.site.searches.search(PATIENCE, TIME, move |budget| {
        let (systems, destination, is_over) = (of.systems(), systems::destination(&of), Cell::new(false));
        let (systems, destination, is_over) = (&systems[..], &destination, &is_over);
        let answer = work(&of, &Teller { asked: &of, systems, destination, budget, is_over });
        (answer, is_over.get())
    });
    match built.await {
        Ok((answer, false)) => Ok(answer),
        Ok((_, true)) => Err(Answer::error(
            StatusCode::BAD_REQUEST,
            "there are too many groups and systems for one answer: ask for some with group_name, or for one",
        )),
        Err(_) => Err(Answer::busy()),
    }
}

/// One group, as the settings have it now.
async fn show(asked: &Arc<Asked>, id: u32) -> Result<Answer, Answer> {
    let settings = asked.site.intake.settings();
    told(asked, move |asked, teller| match settings.account(&asked.viewer.account).groups.get(&id) {
        Some(group) => Answer::json(&teller.group(shape_of(id, group), &group.patterns().collect::<Vec<_>>())),
        None if id == ALL.id => Answer::json(&teller.group(ALL, &["*"])),
        None => Answer::not_found("Group not found"),
    })
    .await
}

/// What a request says of a group, laid over what was known.
fn said(asked: &Asked, mut group: Group) -> Result<Group, Answer> {
    let ask = &asked.ask;
    if let Some(name) = ask.nested(OF, "name").or_else(|| ask.text("name")) {
        name.trim().clone_into(&mut group.name);
    }
    if let Some(wildcard) = ask.said_nested(OF, "system_wildcard").or_else(|| ask.said("system_wildcard")) {
        group.wildcard = Some(wildcard.trim().to_owned()).filter(|wildcard| !wildcard.is_empty());
    }
    if let Some(ids) = ask.list_nested(OF, "system_ids").or_else(|| ask.list("system_ids")) {
        let system = |id: &str| {
            let id = number(id.strip_suffix(".0").unwrap_or(id)).ok_or_else(|| wrong("system_ids are numbers"))?;
            let system = asked.directory().system(&asked.viewer.account, id).filter(|system| asked.sees(system));
            system.map(|system| system.name).ok_or_else(|| Answer::not_found(format!("System {id} not found")))
        };
        group.systems = ids.into_iter().map(system).collect::<Result<BTreeSet<_>, _>>()?;
    }
    Ok(group)
}

async fn create(asked: &Arc<Asked>) -> Result<Answer, Answer> {
    asked.changes()?;
    let group = said(asked, Group::default())?;
    if group.name.is_empty() {
        return Err(wrong("group[name] is missing"));
    }
    let _alone = alone(&asked.site).await?;
    free(asked, &group.name, None)?;
    let made = change(&asked.site, Change::AddGroup { account: asked.name(), group }).await?;
    show(asked, made.id.unwrap_or(0)).await
}

/// Clients find a group by its name, so that there is one of each.
fn free(asked: &Asked, name: &str, but: Option<u32>) -> Result<(), Answer> {
    let settings = asked.site.intake.settings();
    let mut others = settings.account(&asked.viewer.account).groups.iter().filter(|(id, _)| Some(**id) != but);
    match name == ALL.name || others.any(|(_, group)| group.name == name) {
        true => Err(wrong("a group of this name is there already")),
        false => Ok(()),
    }
}

async fn set(asked: &Arc<Asked>, id: u32) -> Result<Answer, Answer> {
    asked.changes()?;
    let _alone = alone(&asked.site).await?;
    let settings = asked.site.intake.settings();
    let known = settings.account(&asked.viewer.account).groups.get(&id).cloned();
    let Some(known) = known else { return Err(not_that(id)) };
    let group = said(asked, known.clone())?;
    free(asked, &group.name, Some(id))?;
    if group != known {
        change(&asked.site, Change::SetGroup { account: asked.name(), id, group }).await?;
    }
    show(asked, id).await
}

async fn remove(asked: &Arc<Asked>, id: u32) -> Result<Answer, Answer> {
    asked.changes()?;
    if id == ALL.id {
        return Err(not_that(id));
    }
    asked.group(id)?;
    change(&asked.site, Change::RemoveGroup { account: asked.name(), id }).await?;
    Ok(Answer::message("Group deleted"))
}

fn not_that(id: u32) -> Answer {
    if id == ALL.id { wrong("All Systems is always there, and as it is") } else { Answer::not_found("Group not found") }
}
