//! Members of an account with their rights, and tokens, which are what programs come in with.

use super::problem::Problem;
use super::{Asked, Done, blocking, json};
use crate::access::ALL_SYSTEMS;
use logdrain_drain::directory::{Access, Kind, Member, NewMember, Rights, Token};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct SaidRights {
    read_only: Option<bool>,
    manage_members: Option<bool>,
    change_plans: Option<bool>,
    purge: Option<bool>,
    /// Null is all groups, which is not the same as saying nothing.
    #[serde(deserialize_with = "said")]
    groups: Option<Option<Vec<u32>>>,
}

fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Vec<u32>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    email: String,
    #[serde(default)]
    rights: SaidRights,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    rights: SaidRights,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    kind: KindOf,
    member: Option<u32>,
    #[serde(default)]
    name: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindOf {
    Admin,
    Read,
    Record,
}

impl SaidRights {
    /// Laid over what was known.
    fn over(self, asked: &Asked, known: &Rights) -> Result<Rights, Problem> {
        let groups = match self.groups {
            None => known.groups.clone(),
            Some(None) => Access::All,
            Some(Some(groups)) => {
                let there = &asked.settings.account(&asked.viewer.account).groups;
                if let Some(id) = groups.iter().find(|id| **id != ALL_SYSTEMS && !there.contains_key(id)) {
                    return Err(Problem::wrong(format!("there is no group {id}")));
                }
                Access::Some(groups)
            }
        };
        Ok(Rights {
            read_only: self.read_only.unwrap_or(known.read_only),
            manage_members: self.manage_members.unwrap_or(known.manage_members),
            change_plans: self.change_plans.unwrap_or(known.change_plans),
            purge: self.purge.unwrap_or(known.purge),
            groups,
        })
    }
}

/// Nobody gives what he has not, or takes it from who has it.
fn gives(asked: &Asked, rights: &[&Rights]) -> Result<(), Problem> {
    match rights.iter().all(|rights| asked.viewer.may_give(rights)) {
        true => Ok(()),
        false => Err(Problem::forbidden("only who has a right gives or takes it")),
    }
}

fn shape(member: &Member) -> Value {
    let Rights { read_only, manage_members, change_plans, purge, groups } = &member.rights;
    let groups = match groups {
        Access::All => Value::Null,
        Access::Some(groups) => json!(groups),
    };
    json!({
        "id": member.id,
        "email": member.email,
        "rights": {
            "read_only": read_only,
            "manage_members": manage_members,
            "change_plans": change_plans,
            "purge": purge,
            "groups": groups,
        },
        "has_password": member.has_password(),
    })
}

/// Whoever may not manage members sees himself.
fn is_seen(asked: &Asked, member: &Member) -> bool {
    let sees = asked.viewer.may_manage_members() || asked.viewer.member() == Some(member.id);
    member.account == *asked.viewer.account && sees
}

fn manages(asked: &Asked) -> Result<(), Problem> {
    match asked.viewer.may_manage_members() {
        true => Ok(()),
        false => Err(Problem::forbidden("only who may manage members changes them")),
    }
}

fn found(asked: &Asked) -> Result<Arc<Member>, Problem> {
    let member = asked.site().directory.member(asked.id).filter(|member| is_seen(asked, member));
    member.ok_or_else(|| Problem::nothing("there is no such member"))
}

pub(super) fn list(asked: &Asked) -> Result<Done, Problem> {
    let members = asked.site().directory.members(&asked.viewer.account);
    let members: Vec<_> = members.iter().filter(|member| is_seen(asked, member)).map(|member| shape(member)).collect();
    Ok(Done::Json(json(&json!({ "members": members }))?))
}

pub(super) async fn add(asked: &Arc<Asked>, new: New) -> Result<Done, Problem> {
    manages(asked)?;
    let rights = new.rights.over(asked, &Rights::default())?;
    gives(asked, &[&rights])?;
    let new = NewMember { account: asked.account(), email: new.email, rights };
    let (member, link) = blocking(asked, move |asked| {
        let member = asked.site().directory.add_member(new)?;
        let link = asked.site().directory.new_link(member.id)?;
        Ok((member, link))
    })
    .await?;
    let told = json!({ "member": shape(&member), "link": format!("{}/invite/{}", asked.base, link.reveal()) });
    Ok(Done::Made(json(&told)?, format!("/api/v2/members/{}", member.id)))
}

pub(super) async fn set(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    manages(asked)?;
    let known = found(asked)?;
    let rights = said.rights.over(asked, &known.rights)?;
    gives(asked, &[&known.rights, &rights])?;
    let told = blocking(asked, move |asked| {
        asked.site().directory.set_rights(known.id, rights)?;
        json(&shape(&*found(asked)?))
    });
    Ok(Done::Json(told.await?))
}

pub(super) async fn remove(asked: &Arc<Asked>) -> Result<Done, Problem> {
    manages(asked)?;
    let member = found(asked)?;
    gives(asked, &[&member.rights])?;
    blocking(asked, move |asked| Ok(asked.site().directory.remove_member(member.id)?)).await?;
    Ok(Done::Gone)
}

/// Whose tokens one sees: one's own, and with the right to it all.
fn is_own(asked: &Asked, token: &Token) -> bool {
    let own = asked.viewer.member();
    token.account == *asked.viewer.account
        && (asked.viewer.may_manage_members() || own.is_some() && token.member == own)
}

pub(super) fn tokens(asked: &Asked) -> Result<Done, Problem> {
    let tokens = asked.site().directory.tokens(&asked.viewer.account);
    let tokens: Vec<_> = tokens
        .iter()
        .filter(|token| is_own(asked, token))
        .map(|token| {
            json!({
                "id": token.id, "member": token.member, "kind": token.kind.name(), "name": token.name,
                "begins": token.shown,
            })
        })
        .collect();
    Ok(Done::Json(json(&json!({ "tokens": tokens }))?))
}

pub(super) async fn add_token(asked: &Arc<Asked>, new: NewToken) -> Result<Done, Problem> {
    if !asked.viewer.may_change() {
        return Err(Problem::forbidden("whoever asks may read, and change nothing"));
    }
    let own = asked.viewer.member();
    let member = new.member.or(own);
    // A token of the account itself may everything.
    if member.is_none() && !asked.viewer.is_operator() {
        return Err(Problem::wrong("member is missing: whose token it is"));
    }
    if member != own || own.is_none() {
        manages(asked)?;
        if let Some(id) = member {
            let of = asked.site().directory.member(id).filter(|member| is_seen(asked, member));
            let of = of.ok_or_else(|| Problem::nothing("there is no such member"))?;
            // It does what that member may.
            gives(asked, &[&of.rights])?;
        }
    }
    let kind = match new.kind {
        KindOf::Admin => Kind::Admin,
        KindOf::Read => Kind::Read,
        KindOf::Record => Kind::Record,
    };
    let (secret, token) = blocking(asked, move |asked| {
        Ok(asked.site().directory.issue_token(&asked.viewer.account, member, kind, &new.name)?)
    })
    .await?;
    let told = json!({ "id": token.id, "token": secret.reveal() });
    Ok(Done::Made(json(&told)?, format!("/api/v2/tokens/{}", token.id)))
}

pub(super) async fn remove_token(asked: &Arc<Asked>) -> Result<Done, Problem> {
    if !asked.viewer.may_change() {
        return Err(Problem::forbidden("whoever asks may read, and change nothing"));
    }
    let tokens = asked.site().directory.tokens(&asked.viewer.account);
    if !tokens.iter().any(|token| token.id == asked.id && is_own(asked, token)) {
        return Err(Problem::nothing("there is no such token"));
    }
    blocking(asked, move |asked| Ok(asked.site().directory.remove_token(&asked.viewer.account, asked.id)?)).await?;
    Ok(Done::Gone)
}
