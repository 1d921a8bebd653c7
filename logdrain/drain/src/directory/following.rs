//! What other nodes change. The directory of nodes is in the database of their journal, and each has all of it in memory that
//! requests ask for.
//!
//! One number, the version, rises with each change. Whoever changes something has its row until he is done, so that versions
//! stand in the order of the commits, and writes beside it which accounts he touched and what of them. A node looks at the
//! number [twice a second](crate::people::follow), and [at once](Directory::look) for somebody whom it does not know; of what was
//! touched since, it reads what there is now.

use super::group::Group;
use super::links::Links;
use super::systems::Systems;
use super::{Digest, Member, Session, Share, Token};
use super::{
    Directory, DirectoryError, Known, Opened, State, buckets, links, members, sessions, shares, systems, tokens,
};
use crate::sql::{Db, Row, SqlError, Step, Value, values};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// Where so much was touched all of it is read again.
const MOST_TOUCHED: usize = 200;
/// How long somebody waits for a look who is not known.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes the next version: whoever else changes something waits until this step is over.
pub(super) fn raise(step: &mut Step<'_>) -> Result<i64, DirectoryError> {
    let version = step.one("UPDATE directory SET version = version + 1 RETURNING version", &[], |row| row.get(0))?;
    version.ok_or_else(|| DirectoryError::Closed("the directory has no version".to_owned()))
}

/// Says what was touched by it.
pub(super) fn tell(step: &mut Step<'_>, version: i64, touched: &[(Group, String)]) -> Result<(), DirectoryError> {
    let all: Vec<[Value<'_>; 3]> =
        touched.iter().map(|(group, account)| [group.name().into(), account.into(), version.into()]).collect();
    let sql = "INSERT INTO touched (part, account, version) VALUES ($1, $2, $3) \
               ON CONFLICT (part, account) DO UPDATE SET version = excluded.version";
    step.execute_each(sql, &all)?;
    Ok(())
}

/// What there is now of something that was touched.
enum News {
    All(Box<Known>, Systems),
    People(String, HashMap<u32, Arc<Member>>, HashMap<Digest, Arc<Token>>, Links),
    Sessions(String, HashMap<Digest, Session>),
    Shares(String, HashMap<Digest, Arc<Share>>),
    Buckets(String, buckets::Buckets),
    Systems(String, Systems),
}

/// All of it.
pub(super) fn read_all(step: &mut Step<'_>) -> Result<(Known, Systems), DirectoryError> {
    let known = Known {
        members: members::read(step, None)?,
        tokens: tokens::read(step, None)?,
        sessions: sessions::read(step, None)?,
        links: links::read(step, None)?,
        shares: shares::read(step, None)?,
        buckets: buckets::read(step, None)?,
    };
    Ok((known, systems::read(step, None)?))
}

fn version(step: &mut Step<'_>) -> Result<i64, DirectoryError> {
    let version = step.one("SELECT version FROM directory", &[], |row| row.get(0))?;
    version.ok_or_else(|| DirectoryError::Closed("the directory has no version".to_owned()))
}

/// What was touched since a version, as it is now, and the version that it is at least of.
fn news(step: &mut Step<'_>, known: i64) -> Result<Option<(i64, Vec<News>)>, DirectoryError> {
    let now = version(step)?;
    if now == known {
        return Ok(None);
    }
    let sql = "SELECT part, account FROM touched WHERE version > $1 ORDER BY version LIMIT $2";
    let most = i64::try_from(MOST_TOUCHED).unwrap_or(i64::MAX);
    let of = |row: &Row<'_>| -> Result<(String, String), SqlError> { Ok((row.get(0)?, row.get(1)?)) };
    let touched = step.rows(sql, values![known, most], of)?;
    // It is an older one than it was: a backup.
    if now < known || touched.len() >= MOST_TOUCHED {
        let (known, systems) = read_all(step)?;
        return Ok(Some((now, vec![News::All(Box::new(known), systems)])));
    }
    let mut all = Vec::new();
    for (part, account) in touched {
        let Some(group) = Group::ALL.into_iter().find(|group| group.name() == part) else { continue };
        let of = Some(account.as_str());
        all.push(match group {
            Group::People => {
                let (members, tokens) = (members::read(step, of)?, tokens::read(step, of)?);
                let links = links::read(step, of)?;
                News::People(account, members, tokens, links)
            }
            Group::Sessions => {
                let sessions = sessions::read(step, of)?;
                News::Sessions(account, sessions)
            }
            Group::Shares => {
                let shares = shares::read(step, of)?;
                News::Shares(account, shares)
            }
            Group::Buckets => {
                let buckets = buckets::read(step, of)?;
                News::Buckets(account, buckets)
            }
            Group::Systems => {
                let systems = systems::read(step, of)?;
                News::Systems(account, systems)
            }
        });
    }
    Ok(Some((now, all)))
}

/// When it was looked last, and who waits for the next time.
#[derive(Debug)]
pub(super) struct Looks {
    wake: Notify,
    begun: AtomicU64,
    /// The last look that has ended.
    ended: watch::Sender<u64>,
    /// The database did not answer.
    is_away: AtomicBool,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            wake: Notify::new(),
            begun: AtomicU64::new(0),
            ended: watch::Sender::new(0),
            is_away: AtomicBool::new(false),
        }
    }
}

impl Directory {
    /// That of a node, not opened yet. Somebody has to sign in until it is known that there is nobody.
    pub fn of_nodes(dir: &std::path::Path) -> Arc<Self> {
        Arc::new(Self { is_shared: true, ..Self::closed_at(dir) })
    }

    /// Opens that of nodes, in a database that has its tables.
    ///
    /// # Errors
    /// When it cannot be read. It stays as it was then.
    pub fn open_on(&self, mut db: Db) -> Result<(), DirectoryError> {
        let mut state = self.state();
        let read = |step: &mut Step<'_>| -> Result<_, DirectoryError> { Ok((version(step)?, read_all(step)?)) };
        let (version, (known, systems)) = db.step(read)?;
        let is_marked = *self.is_marked.read().unwrap_or_else(PoisonError::into_inner);
        let is_empty = known.members.is_empty() && known.tokens.is_empty();
        if is_marked && is_empty {
            tracing::error!(
                "the directory of the nodes holds no member and no token any more, and there were some: nobody but the \
                 operator comes in until a member is added (logdrain account member add)"
            );
        }
        *self.write() = known;
        *self.systems() = systems;
        *state = State::Open(Box::new(Opened { db, version }));
        drop(state);
        self.is_open.store(true, Ordering::Release);
        if is_empty { Ok(()) } else { self.will_ask() }
    }

    /// Reads what other nodes have changed; answers whether there was anything.
    ///
    /// # Errors
    /// When the database does not answer: what is known holds on.
    pub fn follow(&self) -> Result<bool, DirectoryError> {
        let mut state = self.state_soon()?;
        let opened = match &mut *state {
            State::Closed(why) => return Err(DirectoryError::Closed(why.clone())),
            State::Open(opened) => opened,
        };
        let known = opened.version;
        let Some((version, news)) = opened.db.step(|step| news(step, known))? else { return Ok(false) };
        opened.version = version;
        for news in news {
            self.learn(news);
        }
        drop(state);
        self.will_ask_if_any()?;
        Ok(true)
    }

    /// Deletes what is over by the clock of the database, which all nodes go by.
    ///
    /// # Errors
    /// When that cannot be written: then all of it is there still.
    pub fn forget_ended_of_nodes(&self) -> Result<(), DirectoryError> {
        let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) AS BIGINT)";
        match self.read(|step| Ok(step.one(sql, &[], |row| row.get(0))?))? {
            Some(now) => self.forget_ended(now),
            None => Ok(()),
        }
    }

    fn learn(&self, news: News) {
        match news {
            News::All(now, systems) => {
                let before = std::mem::replace(&mut *self.write(), *now);
                self.forget_passwords(before.members.values());
                *self.systems() = systems;
            }
            News::People(account, members, tokens, links) => {
                let mut known = self.write();
                let before: Vec<_> =
                    known.members.values().filter(|member| member.account == account).cloned().collect();
                known.links.retain(|_, (member, _)| before.iter().all(|before| before.id != *member));
                known.members.retain(|_, member| member.account != account);
                known.tokens.retain(|_, token| token.account != account);
                known.members.extend(members);
                known.tokens.extend(tokens);
                known.links.extend(links);
                drop(known);
                self.forget_passwords(before.iter());
            }
            News::Sessions(account, mut sessions) => {
                let mut known = self.write();
                known.sessions.retain(|digest, here| {
                    if here.account == account
                        && let Some(session) = sessions.get_mut(digest)
                    {
                        session.noted(here);
                    }
                    here.account != account
                });
                known.sessions.extend(sessions);
            }
            News::Shares(account, shares) => {
                let mut known = self.write();
                known.shares.retain(|_, share| share.account != account);
                known.shares.extend(shares);
            }
            News::Buckets(account, buckets) => {
                let mut known = self.write();
                known.buckets.forget(&account);
                known.buckets.extend(buckets);
            }
            News::Systems(account, systems) => self.systems().replace_account(&account, systems),
        }
    }

    /// Passwords that are remembered are those that members have now.
    fn forget_passwords<'a>(&self, before: impl Iterator<Item = &'a Arc<Member>>) {
        for before in before {
            if self.member(before.id).is_none_or(|now| now.password != before.password) {
                self.passwords.forget(before.id);
            }
        }
    }

    /// Somebody came who is not known: waits until it was looked whether another node knows him, and answers whether there was
    /// a look. However many come, it is looked no more often than [`people::follow`](crate::people::follow) does at most.
    pub async fn look(&self) -> bool {
        let looks = &self.looks;
        if !self.is_shared || !self.is_open() || looks.is_away.load(Ordering::Acquire) {
            return false;
        }
        let mut ended = looks.ended.subscribe();
        // One that has begun already may not see what was changed just now.
        let wanted = looks.begun.load(Ordering::Acquire) + 1;
        looks.wake.notify_one();
        let looked = timeout(PATIENCE, ended.wait_for(|ended| *ended >= wanted)).await;
        matches!(looked, Ok(Ok(_))) && !looks.is_away.load(Ordering::Acquire)
    }

    /// Whoever is waited for begins a look; he says how it [ended](Self::end_look).
    pub(crate) fn begin_look(&self) -> u64 {
        self.looks.begun.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(crate) fn end_look(&self, number: u64, is_away: bool) {
        self.looks.is_away.store(is_away, Ordering::Release);
        self.looks.ended.send_replace(number);
    }

    /// Until somebody waits for a look.
    pub(crate) async fn wanted(&self) {
        self.looks.wake.notified().await;
    }
}
