//! Who may come in, and what systems are called: `settings.db` in the store's folder, or the database of the journal that nodes
//! share. It holds members with their rights,
//! passwords, tokens, sessions and one-time links, the numbers of systems, what was used on days that are over, dashboards
//! with the links that share them, and the channels that alerts go to.
//!
//! Nothing that rows or events depend on is here: that is in the journal. What is asked with each request is answered from
//! memory; the file is written first, and read at the start alone. What nodes change they [tell each other](following).
//!
//! **A directory that is damaged or gone never costs a line.** Deliveries are taken without it. It is *closed* then, in
//! words: nobody but the operator comes in, and reading without a sign-in is not given. Whether somebody has to sign in is
//! also told by a file of its own beside it ([`asks`](Directory::asks)), so that a file that was lost opens nothing.
//!
//! The SQL is what PostgreSQL speaks, too; parameters come in the order of their numbers.

mod addon;
mod buckets;
mod channels;
mod dashboards;
#[cfg(feature = "postgres")]
mod destroyed;
mod ended;
mod file;
mod following;
mod group;
mod links;
mod lock;
mod members;
mod metrics;
mod parts;
mod passwords;
mod secrets;
mod sessions;
mod shares;
mod systems;
mod tokens;
mod usage;

#[cfg(test)]
mod tests;

pub use addon::{DUE, KeptResource};
pub use buckets::Bucket;
pub use channels::{Channel, Recipient};
pub use dashboards::DashboardHead;
#[cfg(feature = "postgres")]
pub use destroyed::{Destroyed, Erasable};
pub use file::path;
pub use members::{Access, Member, NewMember, Rights, email};
pub use metrics::MetricFacts;
pub use secrets::{Digest, Secret, opaque};
pub use sessions::{Session, Whose};
pub use shares::Share;
pub use systems::{System, SystemFacts};
pub use tokens::{Kind, Token, new_token};
pub use usage::Used;

use crate::sql::{Db, SqlError, Step, Value, values};
use following::Looks;
use group::Group;
use lock::{Guard, Lock};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use systems::Systems;

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DirectoryError {
    /// The directory is not open yet, or cannot be used: 503.
    Closed(String),
    /// What was asked for cannot be: 400.
    Invalid(String),
    /// 404.
    NotFound(String),
    /// It is there already: 400.
    Taken(String),
    /// As many as there may be: 400.
    TooMany(String),
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(why) | Self::Invalid(why) | Self::NotFound(why) | Self::Taken(why) | Self::TooMany(why) => {
                f.write_str(why)
            }
        }
    }
}

impl std::error::Error for DirectoryError {}

impl From<SqlError> for DirectoryError {
    fn from(error: SqlError) -> Self {
        Self::Closed(error.to_string())
    }
}

/// Who may come in. What changes it waits for the disk: it is called where that harms nobody.
pub struct Directory {
    dir: PathBuf,
    /// Whether the file is there that says that somebody has to sign in.
    is_marked: RwLock<bool>,
    db: Lock<State>,
    known: RwLock<Known>,
    systems: Mutex<Systems>,
    passwords: passwords::Checks,
    /// Told without waiting for whoever writes.
    is_open: AtomicBool,
    /// Other nodes change it, too.
    is_shared: bool,
    looks: Looks,
}

/// How long a database has for what somebody waits for: to be read, and to be changed.
const READ_WITHIN: Duration = Duration::from_secs(1);
const CHANGED_WITHIN: Duration = Duration::from_secs(2);

/// The file, or the database.
#[derive(Debug)]
enum State {
    /// Not opened yet, or not to be used, and why.
    Closed(String),
    Open(Box<Opened>),
}

#[derive(Debug)]
struct Opened {
    db: Db,
    /// Of what is known, where other nodes change it.
    version: i64,
}

/// What each request asks for.
#[derive(Debug, Default)]
struct Known {
    members: HashMap<u32, Arc<Member>>,
    tokens: HashMap<Digest, Arc<Token>>,
    sessions: HashMap<Digest, Session>,
    links: links::Links,
    shares: HashMap<Digest, Arc<Share>>,
    buckets: buckets::Buckets,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// The most bytes that it holds in memory besides passwords that are being checked.
pub const MOST: usize = systems::MOST + members::MOST + tokens::MOST + sessions::MOST + shares::MOST + buckets::MOST;
/// Checks of passwords: how many at a time, and what each takes.
pub use passwords::{AT_A_TIME as CHECKS, MEMORY as CHECK};

impl Directory {
    /// That of a store's folder, not opened yet. The folder need not be there.
    pub fn new(dir: &Path) -> Arc<Self> {
        Arc::new(Self::closed_at(dir))
    }

    fn closed_at(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            is_marked: RwLock::new(file::marker(dir).exists()),
            db: Lock::new(State::Closed("the store is not open yet".to_owned())),
            known: RwLock::default(),
            systems: Mutex::default(),
            passwords: passwords::Checks::default(),
            is_open: AtomicBool::new(false),
            is_shared: false,
            looks: Looks::default(),
        }
    }

    /// Opens the file, or makes it. Whoever calls this holds the store's lock.
    ///
    /// # Errors
    /// In words, when it is damaged, of a newer program or not ours. It stays closed then, and nothing else is harmed.
    pub fn open(&self) -> Result<(), DirectoryError> {
        let mut state = self.state();
        let is_marked = file::marker(&self.dir).exists();
        *self.is_marked.write().unwrap_or_else(PoisonError::into_inner) = is_marked;
        let was_there = path(&self.dir).exists();
        let read = |mut db: Db| Ok((db.step(following::read_all)?, db));
        match file::open(&self.dir).map(Db::of_file).and_then(read) {
            Ok(((known, systems), db)) => {
                if is_marked && known.members.is_empty() && known.tokens.is_empty() {
                    let how = if was_there { "holds no member and no token any more" } else { "is gone" };
                    tracing::error!(
                        path = %path(&self.dir).display(),
                        "settings.db {how}, and there were some: nobody but the operator comes in until a member is \
                         added (logdrain account member add)"
                    );
                }
                *self.write() = known;
                *self.systems() = systems;
                *state = State::Open(Box::new(Opened { db, version: 0 }));
                self.is_open.store(true, Ordering::Release);
                Ok(())
            }
            Err(error) => {
                *state = State::Closed(error.to_string());
                Err(error)
            }
        }
    }

    /// Writes what is only in memory, and closes the file.
    pub fn close(&self) {
        let _ = self.save(true);
        let mut state = self.state();
        self.is_open.store(false, Ordering::Release);
        *state = State::Closed("the server is stopping".to_owned());
    }

    /// Writes what was only noted in memory: when systems and sessions were last heard. Other nodes hear of it when they are
    /// `told`, which has them read it.
    pub fn save(&self, told: bool) -> Result<(), DirectoryError> {
        self.save_systems(told)?;
        self.save_sessions()
    }

    /// Whether somebody has to sign in, or send a token: a member or token exists, or existed when the file was lost.
    pub fn asks(&self) -> bool {
        // One after the other: whoever changes both holds the first while he waits for the second.
        let is_marked = *self.is_marked.read().unwrap_or_else(PoisonError::into_inner);
        let known = self.known();
        let is_unknown = self.is_shared && !self.is_open();
        is_unknown || is_marked || !known.members.is_empty() || !known.tokens.is_empty()
    }

    /// Whether members and tokens are known.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Whether somebody could sign in, but for the operator.
    pub fn has_members(&self) -> bool {
        !self.known().members.is_empty()
    }

    /// Why it cannot be used now; `None` when it can.
    #[cfg(test)]
    fn closed(&self) -> Option<String> {
        match &*self.state() {
            State::Closed(why) => Some(why.clone()),
            State::Open(_) => None,
        }
    }

    /// Everything of an account is gone: members, tokens, sessions, systems, usage.
    pub fn end_account(&self, account: &str) -> Result<(), DirectoryError> {
        self.change_all(
            &[(&Group::ALL, account)],
            |step| delete_account(step, account),
            |known, ()| self.forget_account(known, account),
        )?;
        self.mark()
    }

    fn forget_account(&self, known: &mut Known, account: &str) {
        known.members.retain(|_, member| member.account != account);
        known.tokens.retain(|_, token| token.account != account);
        known.sessions.retain(|_, session| session.account != account);
        known.shares.retain(|_, share| share.account != account);
        known.buckets.forget(account);
        self.systems().forget_account(account);
    }

    /// Whether an account that was destroyed then is to be ended still: a new one may be called so since.
    pub fn is_to_end(&self, account: &str, at: i64) -> Result<bool, DirectoryError> {
        let sql = "SELECT last FROM numbers WHERE kind = $1";
        let kind = format!("destroyed:{account}");
        let told: Option<i64> = self.read(|step| Ok(step.one(sql, values![&kind], |row| row.get(0))?))?;
        Ok(told != Some(at))
    }

    /// Nothing is left of an account that was destroyed then.
    pub fn has_ended(&self, account: &str, at: i64) -> Result<(), DirectoryError> {
        let sql = "INSERT INTO numbers (kind, last) VALUES ($1, $2) ON CONFLICT (kind) DO UPDATE SET last = $2";
        let kind = format!("destroyed:{account}");
        self.step(|step| Ok(step.execute(sql, values![&kind, at]).map(drop)?))
    }

    fn state(&self) -> Guard<'_, State> {
        self.db.take()
    }

    /// The same for whoever asks: a file is waited for, and a database that hangs is not.
    fn state_soon(&self) -> Result<Guard<'_, State>, DirectoryError> {
        if !self.is_shared {
            return Ok(self.state());
        }
        let long = || DirectoryError::Closed("the database does not answer, or many wait for it".to_owned());
        self.db.take_soon().ok_or_else(long)
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn systems(&self) -> MutexGuard<'_, Systems> {
        self.systems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step, of what no memory holds: all of it or nothing.
    fn step<T>(&self, work: impl FnOnce(&mut Step<'_>) -> Result<T, DirectoryError>) -> Result<T, DirectoryError> {
        self.step_within(CHANGED_WITHIN, work)
    }

    /// The same, which changes nothing.
    fn read<T>(&self, work: impl FnOnce(&mut Step<'_>) -> Result<T, DirectoryError>) -> Result<T, DirectoryError> {
        self.step_within(READ_WITHIN, work)
    }

    fn step_within<T>(
        &self,
        time: Duration,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        match &mut *self.state_soon()? {
            State::Closed(why) => Err(DirectoryError::Closed(why.clone())),
            State::Open(opened) => opened.db.step_within(time, work),
        }
    }

    /// Changes this of an account, all of it or nothing, and then what is in memory.
    fn change<T>(
        &self,
        touched: (&[Group], &str),
        change: impl FnOnce(&mut Step<'_>) -> Result<T, DirectoryError>,
        remember: impl FnOnce(&mut Known, &T),
    ) -> Result<T, DirectoryError> {
        self.change_within(Some(CHANGED_WITHIN), &[touched], change, remember)
    }

    /// The same of several accounts, and however long it takes: nobody waits for it.
    fn change_all<T>(
        &self,
        touched: &[(&[Group], &str)],
        change: impl FnOnce(&mut Step<'_>) -> Result<T, DirectoryError>,
        remember: impl FnOnce(&mut Known, &T),
    ) -> Result<T, DirectoryError> {
        self.change_within(None, touched, change, remember)
    }

    fn change_within<T>(
        &self,
        time: Option<Duration>,
        touched: &[(&[Group], &str)],
        change: impl FnOnce(&mut Step<'_>) -> Result<T, DirectoryError>,
        remember: impl FnOnce(&mut Known, &T),
    ) -> Result<T, DirectoryError> {
        let each = |(groups, account): &(&[Group], &str)| -> Vec<(Group, String)> {
            groups.iter().map(|group| (*group, (*account).to_owned())).collect()
        };
        let touched = touched.iter().flat_map(each).collect();
        self.change_by(
            time,
            |step| Ok((change(step)?, touched)),
            |done| {
                remember(&mut self.write(), &done);
                done
            },
        )
    }

    /// The same, of what is known at its end. Nobody else changes anything meanwhile, and nobody reads what others have changed.
    fn change_by<D, T>(
        &self,
        time: Option<Duration>,
        change: impl FnOnce(&mut Step<'_>) -> Result<(D, Vec<(Group, String)>), DirectoryError>,
        remember: impl FnOnce(D) -> T,
    ) -> Result<T, DirectoryError> {
        match &mut *self.state_soon()? {
            State::Closed(why) => Err(DirectoryError::Closed(why.clone())),
            State::Open(opened) => {
                let work = |step: &mut Step<'_>| {
                    if !self.is_shared {
                        return Ok(change(step)?.0);
                    }
                    let version = following::raise(step)?;
                    let (done, touched) = change(step)?;
                    following::tell(step, version, &touched)?;
                    Ok::<_, DirectoryError>(done)
                };
                let done = match time {
                    Some(time) => opened.db.step_within(time, work),
                    None => opened.db.step(work),
                };
                Ok(remember(done?))
            }
        }
    }

    /// Makes the file that says that somebody has to sign in, before there is anybody.
    fn will_ask(&self) -> Result<(), DirectoryError> {
        let mut is_marked = self.is_marked.write().unwrap_or_else(PoisonError::into_inner);
        if !*is_marked {
            file::mark(&self.dir).map_err(|error| DirectoryError::Closed(format!("settings.asks: {error}")))?;
            *is_marked = true;
        }
        Ok(())
    }

    /// The same when another node has added somebody, or has removed whoever was left.
    fn will_ask_if_any(&self) -> Result<(), DirectoryError> {
        let known = self.known();
        let is_empty = known.members.is_empty() && known.tokens.is_empty();
        drop(known);
        if is_empty { self.mark() } else { self.will_ask() }
    }

    /// Takes that file away when nobody is left.
    fn mark(&self) -> Result<(), DirectoryError> {
        let mut is_marked = self.is_marked.write().unwrap_or_else(PoisonError::into_inner);
        let known = self.known();
        if *is_marked && known.members.is_empty() && known.tokens.is_empty() {
            file::unmark(&self.dir).map_err(|error| DirectoryError::Closed(format!("settings.asks: {error}")))?;
            *is_marked = false;
        }
        Ok(())
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

fn delete_account(step: &mut Step<'_>, account: &str) -> Result<(), DirectoryError> {
    for sql in [
        "DELETE FROM shares WHERE account = $1",
        "DELETE FROM dashboards WHERE account = $1",
        "DELETE FROM metrics WHERE account = $1",
        "DELETE FROM tokens WHERE account = $1",
        "DELETE FROM sessions WHERE account = $1",
        "DELETE FROM members WHERE account = $1",
        "DELETE FROM systems WHERE account = $1",
        "DELETE FROM used WHERE account = $1",
        "DELETE FROM buckets WHERE account = $1",
        "DELETE FROM channels WHERE account = $1",
        "DELETE FROM recipients WHERE account = $1",
    ] {
        step.execute(sql, values![account])?;
    }
    Ok(())
}

/// How many there are.
fn counted(step: &mut Step<'_>, sql: &'static str, values: &[Value<'_>]) -> Result<i64, DirectoryError> {
    Ok(step.one(sql, values, |row| row.get(0))?.unwrap_or(0))
}

/// The next number of a kind, which is never given twice.
fn next(step: &mut Step<'_>, kind: &str) -> Result<u32, DirectoryError> {
    let sql = "INSERT INTO numbers (kind, last) VALUES ($1, 1) ON CONFLICT (kind) DO UPDATE SET last = numbers.last + 1 \
               RETURNING last";
    let number: Option<i64> = step.one(sql, values![kind], |row| row.get(0))?;
    number
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number < 1 << 31)
        .ok_or_else(|| DirectoryError::TooMany("all numbers are given".to_owned()))
}
