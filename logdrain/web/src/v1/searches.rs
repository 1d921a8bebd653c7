//! `searches`: queries under a name, each in a group.
//!
//! ```text
//! GET    searches[?search_name=PART]    POST searches      search[name], search[query], search[group_id]
//! GET    searches/ID                    PUT  searches/ID   the same
//! DELETE searches/ID
//! ```

use super::answer::Answer;
use super::objects::{ALL, Asked, alone, change, has_part, number, wrong};
use super::parameters::Method;
use super::shapes::{self, Each, with_message};
use logdrain_drain::settings::Settings;
use logdrain_drain::settings::account::Search;
use logdrain_drain::settings::change::Change;
use serde_json::Value;
use std::sync::Arc;

const OF: &str = "search";

pub(super) async fn route(asked: &Arc<Asked>) -> Result<Answer, Answer> {
    match (asked.ask.method(), asked.ask.path().get(1..).unwrap_or_default()) {
        (Method::Read, []) => Ok(list(asked)),
        (Method::Create, []) => create(asked).await,
        (Method::Read, [id]) => {
            let (id, search) = found(asked, &asked.settings, id)?;
            Ok(Answer::json(&shape(asked, id, search)))
        }
        (Method::Change, [id]) => set(asked, id).await,
        (Method::Remove, [id]) => {
            let (id, search) = found(asked, &asked.settings, id)?;
            saves(asked, search.group)?;
            change(&asked.site, Change::RemoveSearch { account: asked.name(), id }).await?;
            Ok(Answer::message("Search deleted"))
        }
        _ => Err(super::nothing_here()),
    }
}

/// Whoever sees some groups only sees the searches in them, and those in all systems, which look in his groups for him.
fn sees(asked: &Asked, search: &Search) -> bool {
    asked.viewer.sees_group(search.group.unwrap_or(ALL.id)) || search.group.is_none() && asked.viewer.may_read()
}

fn found<'a>(asked: &Asked, settings: &'a Settings, id: &str) -> Result<(u32, &'a Search), Answer> {
    let searches = &settings.account(&asked.viewer.account).searches;
    let search = number(id).and_then(|id| Some((id, searches.get(&id)?)));
    search.filter(|(_, search)| sees(asked, search)).ok_or_else(|| Answer::not_found("Search not found"))
}

fn list(asked: &Asked) -> Answer {
    let part = asked.ask.text("search_name").unwrap_or_default();
    let all = || asked.account().searches.iter().filter(|(_, search)| sees(asked, search));
    let found = || all().filter(|(_, search)| has_part(&search.name, part));
    Answer::json(&Each(|| found().map(|(id, search)| shape(asked, *id, search))))
}

fn shape(asked: &Asked, id: u32, search: &Search) -> Value {
    let Search { name, query, group } = search;
    asked.links().search(&shapes::Search { id, name, query, group: asked.group_of(*group) })
}

/// What a request says of a search, laid over what was known.
fn said(asked: &Asked, mut search: Search) -> Result<Search, Answer> {
    let ask = &asked.ask;
    if let Some(name) = ask.nested(OF, "name").or_else(|| ask.text("name")) {
        name.trim().clone_into(&mut search.name);
    }
    if let Some(query) = ask.said_nested(OF, "query").or_else(|| ask.said("query")) {
        query.clone_into(&mut search.query);
    }
    let group = match ask.number_nested(OF, "group_id")? {
        Some(group) => Some(group),
        None => ask.number("group_id")?,
    };
    if let Some(group) = group {
        let id = u32::try_from(group).unwrap_or(0);
        search.group = (id != ALL.id).then_some(id);
        if let Some(id) = search.group {
            asked.group(id)?;
        }
    }
    Ok(search)
}

fn saves(asked: &Asked, group: Option<u32>) -> Result<(), Answer> {
    match asked.viewer.may_save_search(group) {
        true => Ok(()),
        false => Err(Answer::forbidden("whoever asks may not change searches of that group")),
    }
}

async fn create(asked: &Arc<Asked>) -> Result<Answer, Answer> {
    let search = said(asked, Search::default())?;
    if search.name.is_empty() {
        return Err(wrong("search[name] is missing"));
    }
    saves(asked, search.group)?;
    let made = change(&asked.site, Change::AddSearch { account: asked.name(), search: search.clone() }).await?;
    Ok(Answer::json(&shape(asked, made.id.unwrap_or(0), &search)))
}

async fn set(asked: &Arc<Asked>, id: &str) -> Result<Answer, Answer> {
    let _alone = alone(&asked.site).await?;
    let settings = asked.site.intake.settings();
    let (id, known) = found(asked, &settings, id)?;
    saves(asked, known.group)?;
    let search = said(asked, known.clone())?;
    saves(asked, search.group)?;
    if search != *known {
        change(&asked.site, Change::SetSearch { account: asked.name(), id, search: search.clone() }).await?;
    }
    Ok(Answer::json(&with_message(shape(asked, id, &search), "Search updated")))
}
