//! What an operator asks of members and tokens, and what he is told: over the door of the running server, or on the store
//! itself.

use crate::directory::{Access, Directory, DirectoryError, Kind, Member, NewMember, Rights};
use crate::logs::Boards;
use crate::settings::Settings;
use crate::sql::{Db, SqlError};
use log_store::is_account_name;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is asked for, of one account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    pub account: String,
    pub what: What,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    AddMember {
        email: String,
        read_only: bool,
        manage_members: bool,
        change_plans: bool,
        purge: bool,
        /// Numbers or names of groups; none is all systems.
        groups: Vec<String>,
    },
    /// A new one-time link, for who lost the password.
    Link {
        email: String,
    },
    Members,
    RemoveMember {
        email: String,
    },
    AddToken {
        member: Option<String>,
        kind: String,
        name: String,
    },
    Tokens,
    RemoveToken {
        id: u32,
    },
}

/// What is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A one-time link: all of it, or its path alone where nobody said what it begins with.
    Link {
        email: String,
        link: String,
    },
    Members(Vec<MemberLine>),
    Token {
        secret: String,
    },
    Tokens(Vec<TokenLine>),
    Done,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MemberLine {
    pub email: String,
    pub has_password: bool,
    /// In words.
    pub rights: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenLine {
    pub id: u32,
    pub kind: String,
    /// Its first letters.
    pub shown: String,
    /// Whose it is; the account's own when nobody's.
    pub member: Option<String>,
    pub name: String,
}

/// Who is asked.
#[derive(Clone, Debug)]
pub struct People {
    pub directory: Arc<Directory>,
    /// What links begin with.
    pub base: Option<String>,
}

impl People {
    /// Does what is asked for; it waits for the disk.
    pub fn answer(&self, ask: Ask, settings: &Settings) -> Result<Told, DirectoryError> {
        let (directory, account) = (&self.directory, ask.account);
        if !is_account_name(&account) {
            let why = "an account's name has 1 to 63 letters a-z, digits and hyphens";
            return Err(DirectoryError::Invalid(why.to_owned()));
        }
        match ask.what {
            What::AddMember { email, read_only, manage_members, change_plans, purge, groups } => {
                let groups = seen(&groups, &account, settings)?;
                let rights = Rights { read_only, manage_members, change_plans, purge, groups };
                let member = directory.add_member(NewMember { account, email, rights })?;
                self.link(&member)
            }
            What::Link { email } => self.link(&*self.meant(&account, &email)?),
            What::Members => {
                let line = |member: Arc<Member>| MemberLine {
                    email: member.email.clone(),
                    has_password: member.has_password(),
                    rights: in_words(&member.rights, &account, settings),
                };
                Ok(Told::Members(directory.members(&account).into_iter().map(line).collect()))
            }
            What::RemoveMember { email } => {
                directory.remove_member(self.meant(&account, &email)?.id)?;
                Ok(Told::Done)
            }
            What::AddToken { member, kind, name } => {
                let kind = Kind::named(&kind)
                    .ok_or_else(|| DirectoryError::Invalid("a token's kind is admin, read or record".to_owned()))?;
                let member = member.map(|email| self.meant(&account, &email)).transpose()?;
                let (secret, _) = directory.issue_token(&account, member.map(|member| member.id), kind, &name)?;
                Ok(Told::Token { secret: secret.reveal().to_owned() })
            }
            What::Tokens => {
                let tokens = directory.tokens(&account).into_iter().map(|token| TokenLine {
                    id: token.id,
                    kind: token.kind.name().to_owned(),
                    shown: token.shown.clone(),
                    member: token.member.and_then(|id| directory.member(id)).map(|member| member.email.clone()),
                    name: token.name.clone(),
                });
                Ok(Told::Tokens(tokens.collect()))
            }
            What::RemoveToken { id } => directory.remove_token(&account, id).map(|()| Told::Done),
        }
    }

    fn meant(&self, account: &str, email: &str) -> Result<Arc<Member>, DirectoryError> {
        self.directory
            .member_called(account, email)
            .ok_or_else(|| DirectoryError::NotFound(format!("nobody of that address is a member of {account}")))
    }

    fn link(&self, member: &Member) -> Result<Told, DirectoryError> {
        let secret = self.directory.new_link(member.id)?;
        let base = self.base.as_deref().unwrap_or_default();
        Ok(Told::Link { email: member.email.clone(), link: format!("{base}/invite/{}", secret.reveal()) })
    }
}

/// Between two looks at what was heard, and looks between two of what is only noted.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: u32 = 60;
/// So many times it is only written; then other nodes are told.
const TOLD: u32 = 10;

/// Between two looks at what other nodes change, and the least when somebody waits for one.
const FOLLOW: Duration = Duration::from_millis(500);
const AT_ONCE: Duration = Duration::from_millis(100);
/// Between two times that a node deletes what is over.
const FORGET: Duration = Duration::from_secs(3_600);

/// Gives numbers to systems that were heard, for ever.
pub async fn hear(directory: Arc<Directory>, logs: Boards) {
    let mut said = String::new();
    for look in (0..LOOKS * TOLD).cycle() {
        tokio::time::sleep(LOOK).await;
        let heard = logs.heard();
        if !directory.is_open() || (heard.is_empty() && look % LOOKS != 0) {
            continue;
        }
        let directory = directory.clone();
        let work = move || {
            directory.heard(&heard)?;
            if look % LOOKS == 0 { directory.save(look == 0) } else { Ok(()) }
        };
        match tokio::task::spawn_blocking(work).await {
            // What is not written is heard again with the next line.
            Ok(Err(why)) if why.to_string() != said => {
                tracing::warn!("systems that were heard get no numbers now: {why}");
                said = why.to_string();
            }
            Ok(Ok(())) => said.clear(),
            _ => {}
        }
    }
}

/// Follows what other nodes change in the directory, for ever: twice a second, and at once when somebody comes whom this one does
/// not know, but no more than ten times a second. It is opened by what `connect` answers, as soon as there is something.
pub async fn follow(directory: Arc<Directory>, connect: impl Fn() -> Result<Db, SqlError> + Clone + Send + 'static) {
    let mut said = String::new();
    let mut forgot = Instant::now();
    loop {
        if directory.is_open() && forgot.elapsed() > FORGET {
            forgot = Instant::now();
            let here = directory.clone();
            // What cannot be written now is there at the next time.
            let _ = tokio::task::spawn_blocking(move || here.forget_ended_of_nodes()).await;
        }
        let (here, connect) = (directory.clone(), connect.clone());
        let number = directory.begin_look();
        let work = move || match here.is_open() {
            true => here.follow().map(drop),
            false => connect().map_err(DirectoryError::from).and_then(|db| here.open_on(db)),
        };
        let looked = tokio::task::spawn_blocking(work).await;
        directory.end_look(number, !matches!(looked, Ok(Ok(()))));
        match looked {
            Ok(Err(why)) if why.to_string() != said => {
                tracing::warn!("what other nodes change of members and tokens is not heard now: {why}");
                said = why.to_string();
            }
            Ok(Ok(())) => said.clear(),
            _ => {}
        }
        tokio::time::sleep(AT_ONCE).await;
        let _ = tokio::time::timeout(FOLLOW.saturating_sub(AT_ONCE), directory.wanted()).await;
    }
}

/// The groups that are named, by number or name.
fn seen(groups: &[String], account: &str, settings: &Settings) -> Result<Access, DirectoryError> {
    if groups.is_empty() {
        return Ok(Access::All);
    }
    let all = &settings.account(account).groups;
    let number = |name: &String| {
        let of_number = name.parse().ok().filter(|id| all.contains_key(id));
        let of_name = || all.iter().find(|(_, group)| group.name == *name).map(|(id, _)| *id);
        let unknown = || DirectoryError::NotFound(format!("the account has no group {name:?}"));
        of_number.or_else(of_name).ok_or_else(unknown)
    };
    Ok(Access::Some(groups.iter().map(number).collect::<Result<_, _>>()?))
}

fn in_words(rights: &Rights, account: &str, settings: &Settings) -> Vec<String> {
    let Rights { read_only, manage_members, change_plans, purge, groups } = rights;
    let mut words = Vec::new();
    for (has, word) in [
        (*read_only, "reads only"),
        (*manage_members, "manages members"),
        (*change_plans, "changes plans"),
        (*purge, "purges lines"),
    ] {
        words.extend(has.then(|| word.to_owned()));
    }
    if let Access::Some(groups) = groups {
        let all = &settings.account(account).groups;
        let name = |id: &u32| all.get(id).map_or_else(|| id.to_string(), |group| group.name.clone());
        words.push(format!("sees {}", groups.iter().map(name).collect::<Vec<_>>().join(", ")));
    }
    words
}
