//! Members of accounts, and what each may do.

use super::{Directory, DirectoryError, next, now};
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::sync::Arc;

/// Members of all accounts.
const ALL: usize = 10_000;
/// Groups that one is let see by name.
const GROUPS: usize = 100;
/// RFC 5321, 4.5.3.1.3.
const EMAIL: usize = 254;
/// The most bytes that they take.
pub(super) const MOST: usize = ALL * 1_024;

/// Somebody of an account. One address may be a member of several: each is somebody of its own, with a password of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) id: u32,
    pub(crate) account: String,
    /// In lower case.
    pub(crate) email: String,
    pub(crate) rights: Rights,
    /// As argon2 writes it. Nobody can sign in by a password before there is one.
    pub(super) password: Option<String>,
    /// The time zone of what is shown; UTC when there is none.
    pub(crate) zone: Option<String>,
    /// Seconds since 1970.
    pub(crate) created: i64,
}

impl Member {
    pub(crate) const fn has_password(&self) -> bool {
        self.password.is_some()
    }
}

/// What a member may do besides reading.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rights {
    /// Changes nothing, whatever else stands here.
    pub(crate) read_only: bool,
    pub(crate) manage_members: bool,
    pub(crate) change_plans: bool,
    pub(crate) purge: bool,
    pub(crate) groups: Access,
}

impl Rights {
    /// All of them.
    pub(crate) const fn all() -> Self {
        Self { read_only: false, manage_members: true, change_plans: true, purge: true, groups: Access::All }
    }
}

/// The groups whose systems may be seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Access {
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
pub(crate) struct NewMember {
    pub(crate) account: String,
    pub(crate) email: String,
    pub(crate) rights: Rights,
}

/// An address, as members are called. Whether mail reaches it is no question here.
pub(crate) fn email(text: &str) -> Result<String, DirectoryError> {
    let text = text.trim().to_lowercase();
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !"<>\"'`,;:/\\()[]{}|".contains(c);
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

pub(super) fn read(db: &Connection) -> Result<HashMap<u32, Arc<Member>>, DirectoryError> {
    let mut select = db.prepare(
        "SELECT id, account, email, read_only, manage_members, change_plans, purge, groups_allowed, password, zone, \
         created FROM members",
    )?;
    let member = |row: &Row<'_>| {
        Ok(Member {
            id: row.get(0)?,
            account: row.get(1)?,
            email: row.get(2)?,
            rights: Rights {
                read_only: row.get(3)?,
                manage_members: row.get(4)?,
                change_plans: row.get(5)?,
                purge: row.get(6)?,
                groups: Access::read(&row.get::<_, String>(7)?),
            },
            password: row.get(8)?,
            zone: row.get(9)?,
            created: row.get(10)?,
        })
    };
    let rows = select.query_map([], member)?;
    let mut members = HashMap::new();
    for row in rows {
        let member = row?;
        members.insert(member.id, Arc::new(member));
    }
    Ok(members)
}

impl Directory {
    /// Members of an account, by their numbers.
    pub(crate) fn members(&self, account: &str) -> Vec<Arc<Member>> {
        let mut all: Vec<_> =
            self.known().members.values().filter(|member| member.account == account).cloned().collect();
        all.sort_by_key(|member| member.id);
        all
    }

    pub(crate) fn member(&self, id: u32) -> Option<Arc<Member>> {
        self.known().members.get(&id).cloned()
    }

    /// The member with this address in an account.
    pub(crate) fn member_called(&self, account: &str, email: &str) -> Option<Arc<Member>> {
        let email = email.trim().to_lowercase();
        self.known().members.values().find(|member| member.account == account && member.email == email).cloned()
    }

    /// Those with this address in all accounts: the oldest first.
    pub(crate) fn members_called(&self, email: &str) -> Vec<Arc<Member>> {
        let email = email.trim().to_lowercase();
        let mut all: Vec<_> = self.known().members.values().filter(|member| member.email == email).cloned().collect();
        all.sort_by_key(|member| member.id);
        all
    }

    /// Adds a member, who has no password yet.
    ///
    /// # Errors
    /// When the address is none, or a member of the account.
    pub(crate) fn add_member(&self, new: NewMember) -> Result<Arc<Member>, DirectoryError> {
        let NewMember { account, email: given, rights } = new;
        let email = email(&given)?;
        checked(&rights)?;
        if self.member_called(&account, &email).is_some() {
            return Err(DirectoryError::Taken(format!("{email} is a member of {account} already")));
        }
        if self.known().members.len() >= ALL {
            return Err(DirectoryError::TooMany(format!("there are {ALL} members, and may not be more")));
        }
        self.will_ask()?;
        let created = now();
        let id = self.change(|db| {
            let id = next(db, "member")?;
            let groups = rights.groups.text();
            let Rights { read_only, manage_members, change_plans, purge, .. } = rights;
            db.execute(
                "INSERT INTO members (id, account, email, read_only, manage_members, change_plans, purge, \
                 groups_allowed, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                (id, &account, &email, read_only, manage_members, change_plans, purge, groups, created),
            )?;
            Ok(id)
        });
        let id = match id {
            Ok(id) => id,
            Err(error) => {
                self.mark()?;
                return Err(error);
            }
        };
        let member = Arc::new(Member { id, account, email, rights, password: None, zone: None, created });
        self.write().members.insert(id, member.clone());
        Ok(member)
    }

    /// Gives a member other rights.
    pub(crate) fn set_rights(&self, id: u32, rights: Rights) -> Result<(), DirectoryError> {
        checked(&rights)?;
        let groups = rights.groups.text();
        let Rights { read_only, manage_members, change_plans, purge, .. } = rights;
        self.change_member(
            id,
            "UPDATE members SET read_only = $1, manage_members = $2, change_plans = $3, purge = $4, \
             groups_allowed = $5 WHERE id = $6",
            (read_only, manage_members, change_plans, purge, groups, id),
            |member| member.rights = rights,
        )
    }

    /// Sets the time zone of what a member is shown.
    pub(crate) fn set_zone(&self, id: u32, zone: Option<String>) -> Result<(), DirectoryError> {
        self.change_member(id, "UPDATE members SET zone = $1 WHERE id = $2", (&zone, id), |member| {
            member.zone.clone_from(&zone);
        })
    }

    /// Removes a member with his tokens, sessions and links.
    pub(crate) fn remove_member(&self, id: u32) -> Result<(), DirectoryError> {
        if self.member(id).is_none() {
            return Err(unknown());
        }
        self.change(|db| {
            for table in ["tokens", "sessions", "links", "shares", "dashboards"] {
                db.execute(&format!("DELETE FROM {table} WHERE member = $1"), [id])?;
            }
            db.execute("DELETE FROM members WHERE id = $1", [id])?;
            Ok(())
        })?;
        let mut known = self.write();
        known.members.remove(&id);
        known.tokens.retain(|_, token| token.member != Some(id));
        known.sessions.retain(|_, session| session.member() != Some(id));
        known.links.retain(|_, (member, _)| *member != id);
        known.shares.retain(|_, share| share.member != Some(id));
        drop(known);
        self.passwords.forget(id);
        self.mark()
    }

    fn change_member(
        &self,
        id: u32,
        sql: &str,
        values: impl rusqlite::Params,
        change: impl FnOnce(&mut Member),
    ) -> Result<(), DirectoryError> {
        if self.change(|db| Ok(db.execute(sql, values)?))? == 0 {
            return Err(unknown());
        }
        if let Some(member) = self.write().members.get_mut(&id) {
            change(Arc::make_mut(member));
        }
        Ok(())
    }
}

fn unknown() -> DirectoryError {
    DirectoryError::NotFound("there is no such member".to_owned())
}
