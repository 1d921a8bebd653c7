//! Members of accounts, and what each may do.

use super::parts::{Part, count};
use super::{Directory, DirectoryError, Group, next, now};
use crate::sql::{Row, SqlError, Step, Value, values};
use std::collections::HashMap;
use std::sync::Arc;

/// Members of all accounts, and of one.
const ALL: usize = 10_000;
const OF_ACCOUNT: i64 = 1_000;
/// Groups that one is let see by name.
const GROUPS: usize = 100;
/// RFC 5321, 4.5.3.1.3.
const EMAIL: usize = 254;
/// The most bytes that they take.
pub(super) const MOST: usize = ALL * 1_024;

/// Somebody of an account. One address may be a member of several: each is somebody of its own, with a password of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    pub id: u32,
    pub account: String,
    /// In lower case.
    pub email: String,
    pub rights: Rights,
    /// As argon2 writes it. Nobody can sign in by a password before there is one.
    pub(super) password: Option<String>,
    /// The time zone of what is shown; UTC when there is none.
    pub zone: Option<String>,
    /// Seconds since 1970.
    pub created: i64,
}

impl Member {
    pub const fn has_password(&self) -> bool {
        self.password.is_some()
    }
}

/// What a member may do besides reading.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rights {
    /// Changes nothing, whatever else stands here.
    pub read_only: bool,
    pub manage_members: bool,
    pub change_plans: bool,
    pub purge: bool,
    pub groups: Access,
}

impl Rights {
    /// All of them.
    pub const fn all() -> Self {
        Self { read_only: false, manage_members: true, change_plans: true, purge: true, groups: Access::All }
    }
}

/// The groups whose systems may be seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Access {
    #[default]
    All,
    /// By their numbers; none of them is nothing.
    Some(Vec<u32>),
}

impl Access {
    fn text(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::Some(groups) => groups.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        }
    }

    /// What cannot be read allows less, never more.
    fn read(text: &str) -> Self {
        match text {
            "*" => Self::All,
            text => Self::Some(text.split(',').filter_map(|group| group.parse().ok()).collect()),
        }
    }
}

/// What is said of a new member.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub account: String,
    pub email: String,
    pub rights: Rights,
}

/// An address, as members are called: in lower case. Whether mail reaches it is no question here.
///
/// # Errors
/// When it is none.
pub fn email(text: &str) -> Result<String, DirectoryError> {
    let text = text.trim().to_lowercase();
    // Letters that are not seen, or turn others around, would make one address look like another.
    let is_seen = |c: char| c.is_ascii_graphic() || c.is_alphanumeric();
    let is_plain = |c: char| is_seen(c) && !"<>\"'`,;:/\\()[]{}|".contains(c);
    let is_good = text.len() <= EMAIL
        && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && text.chars().all(is_plain);
    if is_good { Ok(text) } else { Err(DirectoryError::Invalid("that is no e-mail address".to_owned())) }
}

fn checked(rights: &Rights) -> Result<(), DirectoryError> {
    match &rights.groups {
        Access::Some(groups) if groups.len() > GROUPS => {
            Err(DirectoryError::TooMany(format!("a member has {GROUPS} groups at most; let a wildcard name more")))
        }
        _ => Ok(()),
    }
}

/// Those of all accounts, or of one.
pub(super) fn read(step: &mut Step<'_>, account: Option<&str>) -> Result<HashMap<u32, Arc<Member>>, DirectoryError> {
    let sql = "SELECT id, account, email, read_only, manage_members, change_plans, purge, groups_allowed, password, \
               zone, created FROM members WHERE CAST($1 AS TEXT) IS NULL OR account = $1";
    let member = |row: &Row<'_>| -> Result<_, SqlError> {
        Ok(Member {
            id: row.get(0)?,
            account: row.get(1)?,
            email: row.get(2)?,
            rights: Rights {
                read_only: row.get(3)?,
                manage_members: row.get(4)?,
                change_plans: row.get(5)?,
                purge: row.get(6)?,
                groups: Access::read(&row.get::<String>(7)?),
            },
            password: row.get(8)?,
            zone: row.get(9)?,
            created: row.get(10)?,
        })
    };
    let members: Vec<Member> = step.rows(sql, values![account], member)?;
    Ok(members.into_iter().map(|member| (member.id, Arc::new(member))).collect())
}

impl Directory {
    /// Members of an account, by their numbers.
    pub fn members(&self, account: &str) -> Vec<Arc<Member>> {
        let mut all: Vec<_> =
            self.known().members.values().filter(|member| member.account == account).cloned().collect();
        all.sort_by_key(|member| member.id);
        all
    }

    pub fn member(&self, id: u32) -> Option<Arc<Member>> {
        self.known().members.get(&id).cloned()
    }

    /// The member with this address in an account.
    pub fn member_called(&self, account: &str, email: &str) -> Option<Arc<Member>> {
        let email = email.trim().to_lowercase();
        self.known().members.values().find(|member| member.account == account && member.email == email).cloned()
    }

    /// Those with this address in all accounts: the oldest first.
    pub fn members_called(&self, email: &str) -> Vec<Arc<Member>> {
        let email = email.trim().to_lowercase();
        let mut all: Vec<_> = self.known().members.values().filter(|member| member.email == email).cloned().collect();
        all.sort_by_key(|member| member.id);
        all
    }

    /// Adds a member, who has no password yet.
    ///
    /// # Errors
    /// When the address is none, or a member of the account.
    pub fn add_member(&self, new: NewMember) -> Result<Arc<Member>, DirectoryError> {
        let NewMember { account, email: given, rights } = new;
        let email = email(&given)?;
        checked(&rights)?;
        if self.member_called(&account, &email).is_some() {
            return Err(taken(&account, &email));
        }
        let known = self.known();
        let own = known.members.values().filter(|member| member.account == account).count();
        let part = Part { own: count(own), of_account: OF_ACCOUNT, taken: count(known.members.len()), all: count(ALL) };
        drop(known);
        part.one_more("members")?;
        self.will_ask()?;
        let created = now();
        let added = self.change(
            (&[Group::People], &account),
            |step| {
                let id = next(step, "member")?;
                let groups = rights.groups.text();
                let Rights { read_only, manage_members, change_plans, purge, .. } = rights;
                let is_new = step.execute(
                    "INSERT INTO members (id, account, email, read_only, manage_members, change_plans, purge, \
                     groups_allowed, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
                    values![id, &account, &email, read_only, manage_members, change_plans, purge, &groups, created],
                )?;
                // Another node was told so at the same time.
                if is_new == 0 {
                    return Err(taken(&account, &email));
                }
                let (account, email, rights) = (account.clone(), email.clone(), rights.clone());
                Ok(Arc::new(Member { id, account, email, rights, password: None, zone: None, created }))
            },
            |known, member: &Arc<Member>| drop(known.members.insert(member.id, member.clone())),
        );
        if added.is_err() {
            self.mark()?;
        }
        added
    }

    /// Gives a member other rights.
    pub fn set_rights(&self, id: u32, rights: Rights) -> Result<(), DirectoryError> {
        checked(&rights)?;
        let groups = rights.groups.text();
        let Rights { read_only, manage_members, change_plans, purge, .. } = rights;
        self.change_member(
            id,
            "UPDATE members SET read_only = $1, manage_members = $2, change_plans = $3, purge = $4, \
             groups_allowed = $5 WHERE id = $6",
            values![read_only, manage_members, change_plans, purge, &groups, id],
            |member| member.rights = rights,
        )
    }

    /// Sets the time zone of what a member is shown.
    pub fn set_zone(&self, id: u32, zone: Option<String>) -> Result<(), DirectoryError> {
        self.change_member(id, "UPDATE members SET zone = $1 WHERE id = $2", values![&zone, id], |member| {
            member.zone.clone_from(&zone);
        })
    }

    /// Removes a member with his tokens, sessions and links.
    pub fn remove_member(&self, id: u32) -> Result<(), DirectoryError> {
        let account = self.member(id).ok_or_else(unknown)?.account.clone();
        self.change(
            (&[Group::People, Group::Sessions, Group::Shares], &account),
            |step| {
                for sql in [
                    "DELETE FROM tokens WHERE member = $1",
                    "DELETE FROM sessions WHERE member = $1",
                    "DELETE FROM links WHERE member = $1",
                    "DELETE FROM shares WHERE member = $1",
                    "DELETE FROM dashboards WHERE member = $1",
                    "DELETE FROM members WHERE id = $1",
                ] {
                    step.execute(sql, values![id])?;
                }
                Ok(())
            },
            |known, ()| {
                known.members.remove(&id);
                known.tokens.retain(|_, token| token.member != Some(id));
                known.sessions.retain(|_, session| session.member() != Some(id));
                known.links.retain(|_, (member, _)| *member != id);
                known.shares.retain(|_, share| share.member != Some(id));
            },
        )?;
        self.passwords.forget(id);
        self.mark()
    }

    fn change_member(
        &self,
        id: u32,
        sql: &'static str,
        values: &[Value<'_>],
        change: impl FnOnce(&mut Member),
    ) -> Result<(), DirectoryError> {
        let account = self.member(id).ok_or_else(unknown)?.account.clone();
        let changed = self.change(
            (&[Group::People], &account),
            |step| Ok(step.execute(sql, values)?),
            |known, _| {
                if let Some(member) = known.members.get_mut(&id) {
                    change(Arc::make_mut(member));
                }
            },
        )?;
        if changed == 0 { Err(unknown()) } else { Ok(()) }
    }
}

fn taken(account: &str, email: &str) -> DirectoryError {
    DirectoryError::Taken(format!("{email} is a member of {account} already"))
}

fn unknown() -> DirectoryError {
    DirectoryError::NotFound("there is no such member".to_owned())
}
