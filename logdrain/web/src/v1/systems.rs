//! `systems`: who sends. They are found by themselves, by the name under which they send; to register one says how it is
//! called before it does, and keeps it where unknown systems are not taken.
//!
//! ```text
//! GET    systems[?system_name=PART]        POST systems   system[name], [hostname], [ip_address], [description], [auto_delete]
//! GET    systems/ID-or-name                PUT  systems/ID-or-name
//! DELETE systems/ID-or-name                POST systems/ID-or-name/join, /leave   group_id
//! ```

use super::answer::Answer;
use super::objects::{Asked, alone, blocking, change, has_part, last_event, wrong};
use super::parameters::Method;
use super::shapes::{self, Destination, Each, with_message};
use logdrain_drain::directory::{System, SystemFacts};
use logdrain_drain::settings::change::Change;
use serde_json::Value;
use std::sync::Arc;

/// Who asks for it has a system in a form or JSON: `system[name]`.
const OF: &str = "system";

pub(super) async fn route(asked: &Arc<Asked>) -> Result<Answer, Answer> {
    match (asked.ask.method(), asked.ask.path().get(1..).unwrap_or_default()) {
        (Method::Read, []) => blocking(asked, list).await,
        (Method::Create, []) => create(asked).await,
        (Method::Read, [system]) => {
            let system = (*system).to_owned();
            blocking(asked, move |asked| asked.system(&system).map(|system| Answer::json(&shape(asked, &system))))
                .await?
        }
        (Method::Change, [system]) => set(asked, system).await,
        (Method::Remove, [system]) => remove(asked, system).await,
        (Method::Create, [system, "join"]) => join(asked, system, true).await,
        (Method::Create, [system, "leave"]) => join(asked, system, false).await,
        _ => Err(super::nothing_here()),
    }
}

fn list(asked: &Asked) -> Answer {
    let part = asked.ask.text("system_name").unwrap_or_default();
    let systems = asked.systems();
    let destination = destination(asked);
    let found = || systems.iter().filter(|system| has_part(system.shown(), part) || has_part(&system.name, part));
    Answer::json(&Each(|| found().map(|system| of(asked, system, &destination))))
}

/// The destination that a system has when nothing else is said.
pub(super) fn destination(asked: &Asked) -> Destination {
    super::destinations::of_drains(asked)
}

/// A system as it is told.
pub(super) fn of(asked: &Asked, system: &System, destination: &Destination) -> Value {
    let facts = &system.facts;
    let told = shapes::System {
        id: system.id,
        name: system.shown(),
        hostname: facts.hostname.as_deref().unwrap_or(&system.name),
        last_event: last_event(system),
        ip_address: facts.ip.as_deref(),
        description: facts.description.as_deref(),
        auto_delete: facts.auto_delete,
    };
    asked.links().system(&told, destination)
}

fn shape(asked: &Asked, system: &System) -> Value {
    of(asked, system, &destination(asked))
}

/// What a request says of a system, laid over what was known.
fn facts(asked: &Asked, known: SystemFacts) -> Result<SystemFacts, Answer> {
    let ask = &asked.ask;
    // What is there and empty takes away what was there.
    let said = |name: &str| {
        let text = ask.said_nested(OF, name).or_else(|| ask.said(name));
        text.map(|text| Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    };
    let ip = said("ip_address").unwrap_or(known.ip);
    if ip.as_deref().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_err()) {
        return Err(wrong("ip_address is no address"));
    }
    let auto_delete = ask.flag_nested(OF, "auto_delete")?.or(ask.flag("auto_delete")?).unwrap_or(known.auto_delete);
    // Which destination it is, is no matter here; that it is one, is.
    for name in ["destination_id", "destination_port"] {
        ask.number_nested(OF, name)?;
        ask.number(name)?;
    }
    Ok(SystemFacts { ip, auto_delete, description: said("description").unwrap_or(known.description), ..known })
}

/// The name of a system in a request, if there is one.
fn name_in<'a>(asked: &'a Asked, key: &str) -> Option<&'a str> {
    let text = asked.ask.nested(OF, key).or_else(|| asked.ask.text(key));
    text.map(str::trim).filter(|text| !text.is_empty())
}

async fn create(asked: &Arc<Asked>) -> Result<Answer, Answer> {
    asked.changes()?;
    let Some(name) = name_in(asked, "name").or_else(|| name_in(asked, "hostname")) else {
        return Err(wrong("system[name] is missing"));
    };
    // It sends under its host's name; what it is called is another matter.
    let sends = name_in(asked, "hostname").unwrap_or(name).to_owned();
    let shown = (sends != name).then(|| name.to_owned());
    let facts = SystemFacts { shown, ..facts(asked, SystemFacts::default())? };
    let _alone = alone(&asked.site).await?;
    // What was read before it was this one's turn may have changed.
    let is_registered = asked.site.intake.settings().account(&asked.viewer.account).registered.contains(&sends);
    let name = sends.clone();
    let system = blocking(asked, move |asked| {
        let directory = asked.directory();
        match directory.system_called(&asked.viewer.account, &name).filter(|system| system.name == name) {
            // It sends already, or the other half of this was lost.
            Some(known) if !is_registered => directory.set_system(&asked.viewer.account, known.id, facts),
            _ => directory.add_system(&asked.viewer.account, &name, facts),
        }
    });
    let system = system.await??;
    if !is_registered {
        change(&asked.site, Change::Register { account: asked.name(), system: sends }).await?;
    }
    blocking(asked, move |asked| Answer::json(&shape(asked, &system))).await
}

async fn set(asked: &Arc<Asked>, system: &str) -> Result<Answer, Answer> {
    asked.changes()?;
    let found = asked.system(system)?;
    // The name under which it will send: what comes under that is taken from now on, also where others are not. What came stays
    // under the other.
    let hostname = match name_in(asked, "hostname") {
        Some(hostname) => Some(hostname.to_owned()).filter(|hostname| *hostname != found.name),
        None => found.facts.hostname.clone(),
    };
    let _alone = alone(&asked.site).await?;
    if let Some(hostname) = &hostname
        && !asked.site.intake.settings().account(&asked.viewer.account).takes(hostname)
    {
        change(&asked.site, Change::Register { account: asked.name(), system: hostname.clone() }).await?;
    }
    let shown = match name_in(asked, "name") {
        Some(name) => Some(name.to_owned()).filter(|name| *name != found.name),
        None => found.facts.shown.clone(),
    };
    let facts = SystemFacts { shown, hostname, ..facts(asked, found.facts.clone())? };
    let changed = blocking(asked, move |asked| {
        let system = asked.directory().set_system(&asked.viewer.account, found.id, facts)?;
        Ok::<_, Answer>(with_message(shape(asked, &system), "System updated"))
    });
    Ok(Answer::json(&changed.await??))
}

async fn remove(asked: &Arc<Asked>, system: &str) -> Result<Answer, Answer> {
    asked.changes()?;
    let _alone = alone(&asked.site).await?;
    let found = asked.system(system)?;
    let account = asked.site.intake.settings();
    let account = account.account(&asked.viewer.account);
    let is_listed = account.groups.values().any(|group| group.systems.contains(&found.name));
    if is_listed || account.registered.contains(&found.name) {
        change(&asked.site, Change::Unregister { account: asked.name(), system: found.name.clone() }).await?;
    }
    let removed = blocking(asked, move |asked| asked.directory().remove_system(&asked.viewer.account, found.id));
    removed.await??;
    Ok(Answer::message("System deleted"))
}

async fn join(asked: &Arc<Asked>, system: &str, joins: bool) -> Result<Answer, Answer> {
    asked.changes()?;
    let Some(id) = asked.ask.number("group_id")?.or(asked.ask.number_nested("group", "id")?) else {
        return Err(wrong("group_id is missing"));
    };
    let id = u32::try_from(id).unwrap_or(0);
    let found = asked.system(system)?;
    if id == super::objects::ALL.id {
        return match joins {
            true => Ok(Answer::message("System updated")),
            false => Err(wrong("every system is in All Systems")),
        };
    }
    let _alone = alone(&asked.site).await?;
    let settings = asked.site.intake.settings();
    let groups = &settings.account(&asked.viewer.account).groups;
    let mut group = groups.get(&id).cloned().ok_or_else(|| Answer::not_found("Group not found"))?;
    let is_changed = match joins {
        true => group.systems.insert(found.name),
        false => group.systems.remove(&found.name),
    };
    if is_changed {
        change(&asked.site, Change::SetGroup { account: asked.name(), id, group }).await?;
    }
    Ok(Answer::message("System updated"))
}
