//! Sessions: who has signed in in a browser. They outlive a restart.

use super::secrets::{Digest, Secret, digest_of};
use super::{Directory, DirectoryError, Group, Known, now};
use crate::sql::{Row, SqlError, Step, Value, values};
use std::collections::HashMap;

/// Sessions of all, and of one.
const ALL: usize = 20_000;
const OF_ONE: usize = 50;
/// One that nobody uses ends after a week,
pub(super) const IDLE: i64 = 7 * 86_400;
/// and any after 30 days.
const LONGEST: i64 = 30 * 86_400;
/// What is noted of its use: no more often than this.
const NOTED: i64 = 60;
/// Others need not know it sooner than that, but well before it would be idle to them.
const TOLD: i64 = 86_400;
/// The most bytes that they take.
pub(super) const MOST: usize = ALL * 256;

/// Who has signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    Member(u32),
    /// Somebody who was let in for an account without being a member of it, as single sign-on does.
    Account {
        read_only: bool,
    },
    /// With these credentials of the configuration: when they change, the session ends.
    Operator(Digest),
}

impl Whose {
    fn text(&self) -> String {
        match self {
            Self::Member(_) => "member".to_owned(),
            Self::Account { read_only: false } => "account".to_owned(),
            Self::Account { read_only: true } => "account, reads".to_owned(),
            Self::Operator(digest) => format!("operator {}", digest.hex()),
        }
    }

    fn read(text: &str, member: Option<u32>) -> Option<Self> {
        match (text, member) {
            ("member", Some(member)) => Some(Self::Member(member)),
            ("account", None) => Some(Self::Account { read_only: false }),
            ("account, reads", None) => Some(Self::Account { read_only: true }),
            (text, None) => Digest::from_hex(text.strip_prefix("operator ")?).map(Self::Operator),
            _ => None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    pub account: String,
    pub whose: Whose,
    seen: i64,
    /// What is kept of that.
    saved: i64,
    ends: i64,
}

impl Session {
    pub(super) const fn member(&self) -> Option<u32> {
        match self.whose {
            Whose::Member(member) => Some(member),
            _ => None,
        }
    }

    /// The same as another node knows it, with what was noted here.
    pub(super) fn noted(&mut self, here: &Self) {
        self.seen = self.seen.max(here.seen);
    }

    pub(super) const fn is_over(&self, now: i64) -> bool {
        now >= self.ends || now >= self.seen + IDLE
    }
}

/// Those of all accounts, or of one; those that are over open nothing.
pub(super) fn read(step: &mut Step<'_>, account: Option<&str>) -> Result<HashMap<Digest, Session>, DirectoryError> {
    let sql = "SELECT digest, account, member, whose, seen, ends FROM sessions \
               WHERE CAST($1 AS TEXT) IS NULL OR account = $1";
    let session = |row: &Row<'_>| -> Result<_, SqlError> {
        let digest = Digest::from_hex(&row.get::<String>(0)?);
        let whose = Whose::read(&row.get::<String>(3)?, row.get(2)?);
        let (account, seen, ends) = (row.get(1)?, row.get(4)?, row.get(5)?);
        Ok(digest.zip(whose).map(|(digest, whose)| (digest, Session { account, whose, seen, saved: seen, ends })))
    };
    Ok(step.rows(sql, values![account], session)?.into_iter().flatten().collect())
}

impl Directory {
    /// Begins a session; the secret is for the cookie.
    pub fn begin_session(&self, account: &str, whose: Whose) -> Result<Secret, DirectoryError> {
        let secret = Secret::opaque()?;
        let (digest, now) = (secret.digest(), now());
        let session = Session { account: account.to_owned(), whose, seen: now, saved: now, ends: now + LONGEST };
        let gone = self.in_the_way(&session);
        let member = session.member();
        self.change(
            (&[Group::Sessions], account),
            |step| {
                if let Some(digest) = &gone {
                    step.execute("DELETE FROM sessions WHERE digest = $1", values![&digest.hex()])?;
                }
                step.execute(
                    "INSERT INTO sessions (digest, account, member, whose, seen, ends) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    values![&digest.hex(), account, member, &session.whose.text(), session.seen, session.ends],
                )?;
                Ok(())
            },
            |known, ()| {
                if let Some(digest) = &gone {
                    known.sessions.remove(digest);
                }
                known.sessions.insert(digest, session.clone());
            },
        )?;
        Ok(secret)
    }

    /// What goes for a new session: the longest idle of who has too many; when there are too many of all, that of the account
    /// that has most.
    fn in_the_way(&self, new: &Session) -> Option<Digest> {
        let known = self.known();
        let longest_idle = |those: &dyn Fn(&Session) -> bool, most: usize| {
            let those = || known.sessions.iter().filter(|(_, session)| those(session));
            let oldest = those().min_by_key(|(_, session)| session.seen).map(|(digest, _)| *digest);
            oldest.filter(|_| those().count() >= most)
        };
        let is_of_one = |session: &Session| session.account == new.account && session.whose == new.whose;
        let of_most = || {
            let mut counts: HashMap<&str, usize> = HashMap::new();
            known.sessions.values().for_each(|session| *counts.entry(&session.account).or_default() += 1);
            let (most, _) =
                counts.into_iter().filter(|_| known.sessions.len() >= ALL).max_by_key(|(_, count)| *count)?;
            longest_idle(&|session| session.account == most, 1)
        };
        longest_idle(&is_of_one, OF_ONE).or_else(of_most)
    }

    /// The session of a cookie, and what it is looked up by.
    pub fn session(&self, secret: &str) -> Option<(Digest, Session)> {
        let digest = digest_of(secret);
        self.session_of(&digest).map(|session| (digest, session))
    }

    pub fn session_of(&self, digest: &Digest) -> Option<Session> {
        let now = now();
        let session = self.known().sessions.get(digest).filter(|session| !session.is_over(now)).cloned()?;
        if now > session.seen + NOTED
            && let Some(session) = self.write().sessions.get_mut(digest)
        {
            session.seen = now;
        }
        Some(session)
    }

    /// Ends a session.
    pub fn end_session(&self, secret: &str) -> Result<(), DirectoryError> {
        let digest = digest_of(secret);
        // First in memory: it is over even if the disk does not hear of it now.
        let Some(session) = self.write().sessions.remove(&digest) else { return Ok(()) };
        let sql = "DELETE FROM sessions WHERE digest = $1";
        let forget = |known: &mut Known, _: &u64| drop(known.sessions.remove(&digest));
        let touched = (&[Group::Sessions][..], session.account.as_str());
        self.change(touched, |step| Ok(step.execute(sql, values![&digest.hex()])?), forget).map(drop)
    }

    /// Writes when each was used last. Other nodes hear of it when it makes a difference to them.
    pub(super) fn save_sessions(&self) -> Result<(), DirectoryError> {
        let known = self.known();
        let used = known.sessions.iter().filter(|(_, session)| session.seen > session.saved);
        let mut accounts: HashMap<String, Vec<(Digest, i64, bool)>> = HashMap::new();
        for (digest, session) in used {
            let is_late = session.seen - session.saved > TOLD;
            accounts.entry(session.account.clone()).or_default().push((*digest, session.seen, is_late));
        }
        drop(known);
        for (account, used) in accounts {
            let is_late = used.iter().any(|(_, _, is_late)| *is_late);
            let digests: Vec<(String, i64)> = used.iter().map(|(digest, seen, _)| (digest.hex(), *seen)).collect();
            let all: Vec<_> = digests.iter().map(|(digest, seen)| [Value::from(*seen), Value::from(digest)]).collect();
            let sql = "UPDATE sessions SET seen = $1 WHERE digest = $2 AND seen < $1";
            let groups: &[Group] = if is_late { &[Group::Sessions] } else { &[] };
            let saved = |known: &mut Known, _: &u64| {
                for (digest, seen, _) in &used {
                    if let Some(session) = known.sessions.get_mut(digest) {
                        session.saved = *seen;
                    }
                }
            };
            self.change_all(&[(groups, &account)], |step| Ok(step.execute_each(sql, &all)?), saved)?;
        }
        Ok(())
    }
}
