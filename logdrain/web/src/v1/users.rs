//! `users`: who belongs to the account, and what each may do.
//!
//! ```text
//! GET  users            POST users/invite   user[email], user[read_only], user[manage_members], user[manage_billing],
//! PUT  users/ID                             user[purge_logs], user[can_access_all_groups], user[group_ids][]
//! DELETE users/ID       GET  users/invite   the same, as one old client asks: with a token in its header alone
//! ```

use super::answer::Answer;
use super::objects::{Asked, blocking, number, wrong};
use super::parameters::Method;
use super::shapes::{self, with_message};
use crate::access::{ALL_SYSTEMS, Who};
use logdrain_drain::directory::{Access, Member, NewMember, Rights};
use serde_json::Value;
use std::sync::Arc;

const OF: &str = "user";

pub(super) async fn route(asked: &Arc<Asked>) -> Result<Answer, Answer> {
    match (asked.ask.method(), asked.ask.path().get(1..).unwrap_or_default()) {
        (Method::Read, []) => Ok(list(asked)),
        (Method::Create, ["invite"] | []) => invite(asked).await,
        // A page elsewhere can let a browser ask for any address, but not with a header of its own.
        (Method::Read, ["invite"]) if matches!(asked.viewer.who, Who::Token { .. }) => invite(asked).await,
        (Method::Read, ["invite"]) => Err(Answer::forbidden("invite by POST, or with the header X-Papertrail-Token")),
        (Method::Read, [id]) => Ok(Answer::json(&shape(asked, &*member(asked, id)?))),
        (Method::Change, [id]) => set(asked, id).await,
        (Method::Remove, [id]) => remove(asked, id).await,
        _ => Err(super::nothing_here()),
    }
}

/// Whoever may not manage members sees himself.
fn is_seen(asked: &Asked, member: &Member) -> bool {
    member.account == *asked.viewer.account
        && (asked.viewer.may_manage_members() || asked.viewer.member() == Some(member.id))
}

fn list(asked: &Asked) -> Answer {
    let members = asked.directory().members(&asked.viewer.account);
    let seen: Vec<_> = members.iter().filter(|member| is_seen(asked, member)).collect();
    Answer::json(&shapes::Each(|| seen.iter().map(|member| shape(asked, member))))
}

fn member(asked: &Asked, id: &str) -> Result<Arc<Member>, Answer> {
    let member = number(id).and_then(|id| asked.directory().member(id));
    member.filter(|member| is_seen(asked, member)).ok_or_else(|| Answer::not_found("User not found"))
}

fn shape(asked: &Asked, member: &Member) -> Value {
    let Rights { read_only, manage_members, change_plans, purge, groups } = &member.rights;
    asked.links().user(&shapes::User {
        id: member.id,
        email: &member.email,
        read_only: *read_only,
        manage_members: *manage_members,
        manage_billing: *change_plans,
        purge_logs: *purge,
        groups: match groups {
            Access::All => None,
            Access::Some(groups) => Some(groups),
        },
    })
}

/// What a request says of rights, laid over what was known.
fn rights(asked: &Asked, mut rights: Rights) -> Result<Rights, Answer> {
    let ask = &asked.ask;
    let flag = |name: &str| Ok::<_, Answer>(ask.flag_nested(OF, name)?.or(ask.flag(name)?));
    for (name, right) in [
        ("read_only", &mut rights.read_only),
        ("manage_members", &mut rights.manage_members),
        ("manage_billing", &mut rights.change_plans),
        ("purge_logs", &mut rights.purge),
    ] {
        *right = flag(name)?.unwrap_or(*right);
    }
    let listed = ask.list_nested(OF, "group_ids").or_else(|| ask.list("group_ids"));
    let listed = match listed {
        Some(ids) => {
            let group = |id: &str| {
                let id = number(id.strip_suffix(".0").unwrap_or(id)).ok_or_else(|| wrong("group_ids are numbers"))?;
                if id != ALL_SYSTEMS {
                    asked.group(id)?;
                }
                Ok::<_, Answer>(id)
            };
            Some(ids.into_iter().map(group).collect::<Result<Vec<_>, _>>()?)
        }
        None => None,
    };
    match (flag("can_access_all_groups")?, listed) {
        (Some(true), _) => rights.groups = Access::All,
        // The group of all systems is all groups.
        (_, Some(ids)) if ids.contains(&ALL_SYSTEMS) => rights.groups = Access::All,
        (_, Some(ids)) if !ids.is_empty() => rights.groups = Access::Some(ids),
        (Some(false), _) if rights.groups == Access::All => rights.groups = Access::Some(Vec::new()),
        (Some(false), Some(_)) => rights.groups = Access::Some(Vec::new()),
        _ => {}
    }
    Ok(rights)
}

fn manages(asked: &Asked) -> Result<(), Answer> {
    match asked.viewer.may_manage_members() {
        true => Ok(()),
        false => Err(Answer::forbidden("only who may manage members changes them")),
    }
}

/// Nobody gives what he has not, or takes it from who has it.
fn gives(asked: &Asked, rights: &[&Rights]) -> Result<(), Answer> {
    match rights.iter().all(|rights| asked.viewer.may_give(rights)) {
        true => Ok(()),
        false => Err(Answer::forbidden("only who has a right gives or takes it")),
    }
}

async fn invite(asked: &Arc<Asked>) -> Result<Answer, Answer> {
    manages(asked)?;
    let email = asked.ask.nested(OF, "email").or_else(|| asked.ask.text("email"));
    let email = email.ok_or_else(|| wrong("user[email] is missing"))?.to_owned();
    let new = NewMember { account: asked.name(), email, rights: rights(asked, Rights::default())? };
    gives(asked, &[&new.rights])?;
    let made = blocking(asked, move |asked| {
        let member = asked.directory().add_member(new)?;
        let link = asked.directory().new_link(member.id)?;
        let mut told = with_message(shape(asked, &member), "User invited");
        // It is sent by whoever invites: it sets the password, once.
        told["link"] = format!("{}{}", asked.base(), format_args!("/invite/{}", link.reveal())).into();
        Ok::<_, Answer>(told)
    });
    Ok(Answer::json(&made.await??))
}

async fn set(asked: &Arc<Asked>, id: &str) -> Result<Answer, Answer> {
    manages(asked)?;
    let known = member(asked, id)?;
    let email = asked.ask.nested(OF, "email").or_else(|| asked.ask.text("email"));
    if email.is_some_and(|email| email.trim().to_lowercase() != known.email) {
        return Err(wrong("an address stays as it is: invite the new one, and remove this one"));
    }
    let rights = rights(asked, known.rights.clone())?;
    gives(asked, &[&known.rights, &rights])?;
    let changed = blocking(asked, move |asked| {
        asked.directory().set_rights(known.id, rights)?;
        let member = asked.directory().member(known.id).ok_or_else(|| Answer::not_found("User not found"))?;
        Ok::<_, Answer>(with_message(shape(asked, &member), "User updated"))
    });
    Ok(Answer::json(&changed.await??))
}

async fn remove(asked: &Arc<Asked>, id: &str) -> Result<Answer, Answer> {
    manages(asked)?;
    let member = member(asked, id)?;
    gives(asked, &[&member.rights])?;
    blocking(asked, move |asked| asked.directory().remove_member(member.id)).await??;
    Ok(Answer::message("User deleted"))
}
