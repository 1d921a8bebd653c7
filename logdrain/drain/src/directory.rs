//! Who may come in, and what systems are called: `settings.db` in the store's folder. It holds members with their rights,
//! passwords, tokens, sessions and one-time links, the numbers of systems, what was used on days that are over, dashboards
//! with the links that share them, and the channels that alerts go to.
//!
//! Nothing that rows or events depend on is here: that is in the journal. What is asked with each request is answered from
//! memory; the file is written first, and read at the start alone.
//!
//! **A directory that is damaged or gone never costs a line.** Deliveries are taken without it. It is *closed* then, in
//! words: nobody but the operator comes in, and reading without a sign-in is not given. Whether somebody has to sign in is
//! also told by a file of its own beside it ([`asks`](Directory::asks)), so that a file that was lost opens nothing.
//!
//! The SQL is what PostgreSQL speaks, too; parameters come in the order of their numbers.

mod buckets;
mod channels;
mod dashboards;
mod ended;
mod file;
mod links;
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

pub use buckets::Bucket;
pub use channels::{Channel, Recipient};
pub use dashboards::DashboardHead;
pub use file::path;
pub use members::{Access, Member, NewMember, Rights, email};
pub use metrics::MetricFacts;
pub use secrets::{Digest, Secret, opaque};
pub use sessions::{Session, Whose};
pub use shares::Share;
pub use systems::{System, SystemFacts};
pub use tokens::{Kind, Token};
pub use usage::Used;

use crate::sql::{Db, SqlError, Step, Value};
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};
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

impl From<rusqlite::Error> for DirectoryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Closed(format!("settings.db: {error}"))
    }
}

/// Who may come in. What changes it waits for the disk: it is called where that harms nobody.
pub struct Directory {
    dir: PathBuf,
    /// Whether the file is there that says that somebody has to sign in.
    is_marked: RwLock<bool>,
    db: Mutex<State>,
    known: RwLock<Known>,
    systems: Mutex<Systems>,
    passwords: passwords::Checks,
    /// Told without waiting for whoever writes.
    is_open: AtomicBool,
}

/// The file.
#[derive(Debug)]
enum State {
    /// Not opened yet, or not to be used, and why.
    Closed(String),
    Open(Box<Db>),
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
        Arc::new(Self {
            dir: dir.to_owned(),
            is_marked: RwLock::new(file::marker(dir).exists()),
            db: Mutex::new(State::Closed("the store is not open yet".to_owned())),
            known: RwLock::default(),
            systems: Mutex::default(),
            passwords: passwords::Checks::default(),
            is_open: AtomicBool::new(false),
        })
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
        match file::open(&self.dir).and_then(|db| Ok((self.read(&db)?, db))) {
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
                *state = State::Open(Box::new(Db::of_file(db)));
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
        let _ = self.save();
        let mut state = self.state();
        self.is_open.store(false, Ordering::Release);
        *state = State::Closed("the server is stopping".to_owned());
    }

    /// Writes what was only noted in memory: when systems and sessions were last heard.
    pub fn save(&self) -> Result<(), DirectoryError> {
        self.save_systems()?;
        self.save_sessions()
    }

    /// Whether somebody has to sign in, or send a token: a member or token exists, or existed when the file was lost.
    pub fn asks(&self) -> bool {
        let known = self.known();
        let is_marked = *self.is_marked.read().unwrap_or_else(PoisonError::into_inner);
        is_marked || !known.members.is_empty() || !known.tokens.is_empty()
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
        self.change(|db| {
            let tables = [
                "shares",
                "dashboards",
                "metrics",
                "members",
                "tokens",
                "sessions",
                "systems",
                "used",
                "buckets",
                "channels",
                "recipients",
            ];
            for table in tables {
                db.execute(&format!("DELETE FROM {table} WHERE account = $1"), [account])?;
            }
            Ok(())
        })?;
        let mut known = self.write();
        known.members.retain(|_, member| member.account != account);
        known.tokens.retain(|_, token| token.account != account);
        known.sessions.retain(|_, session| session.account != account);
        known.shares.retain(|_, share| share.account != account);
        known.buckets.forget(account);
        drop(known);
        self.systems().forget_account(account);
        self.mark()
    }

    /// Whether an account that was destroyed then is to be ended still: a new one may be called so since.
    pub fn is_to_end(&self, account: &str, at: i64) -> Result<bool, DirectoryError> {
        let sql = "SELECT last FROM numbers WHERE kind = $1";
        let kind = format!("destroyed:{account}");
        let told: Option<i64> = self.change(|db| Ok(db.query_row(sql, [&kind], |row| row.get(0)).optional()?))?;
        Ok(told != Some(at))
    }

    /// Nothing is left of an account that was destroyed then.
    pub fn has_ended(&self, account: &str, at: i64) -> Result<(), DirectoryError> {
        let sql = "INSERT INTO numbers (kind, last) VALUES ($1, $2) ON CONFLICT (kind) DO UPDATE SET last = $2";
        self.change(|db| Ok(db.execute(sql, (format!("destroyed:{account}"), at)).map(drop)?))
    }

    fn read(&self, db: &Connection) -> Result<(Known, Systems), DirectoryError> {
        let members = members::read(db)?;
        let known = Known {
            tokens: tokens::read(db)?,
            sessions: sessions::read(db)?,
            links: links::read(db)?,
            shares: shares::read(db)?,
            buckets: buckets::read(db)?,
            members,
        };
        Ok((known, systems::read(db)?))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// One step: all of it or nothing.
    fn step<T>(&self, work: impl FnOnce(&mut Step<'_>) -> Result<T, DirectoryError>) -> Result<T, DirectoryError> {
        match &mut *self.state() {
            State::Closed(why) => Err(DirectoryError::Closed(why.clone())),
            State::Open(db) => db.step(work),
        }
    }

    /// Reads what is only in the file.
    fn read_file<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, DirectoryError> {
        match &mut *self.state() {
            State::Closed(why) => Err(DirectoryError::Closed(why.clone())),
            State::Open(db) => Ok(read(file_of(db)?)?),
        }
    }

    /// Changes the file: all of it or nothing.
    fn change<T>(
        &self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        match &mut *self.state() {
            State::Closed(why) => Err(DirectoryError::Closed(why.clone())),
            State::Open(db) => {
                let transaction = file_of(db)?.transaction()?;
                let changed = change(&transaction)?;
                transaction.commit()?;
                Ok(changed)
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

fn file_of(db: &mut Db) -> Result<&mut Connection, DirectoryError> {
    db.file().ok_or_else(|| DirectoryError::Closed("it is in no file".to_owned()))
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// How many there are.
fn counted(step: &mut Step<'_>, sql: &'static str, values: &[Value<'_>]) -> Result<i64, DirectoryError> {
    Ok(step.one(sql, values, |row| row.get(0))?.unwrap_or(0))
}

/// The next number of a kind, which is never given twice.
fn next(db: &Connection, kind: &str) -> Result<u32, DirectoryError> {
    let number: i64 = db.query_row(
        "INSERT INTO numbers (kind, last) VALUES ($1, 1) ON CONFLICT (kind) DO UPDATE SET last = numbers.last + 1 \
         RETURNING last",
        [kind],
        |row| row.get(0),
    )?;
    u32::try_from(number)
        .ok()
        .filter(|number| *number < 1 << 31)
        .ok_or_else(|| DirectoryError::TooMany("all numbers are given".to_owned()))
}
