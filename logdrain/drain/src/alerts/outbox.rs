//! What is to be sent, kept before it is sent: `outbox.db` in the store's folder, or the database of a journal that nodes share.
//!
//! ```text
//! rules -> keep -> outbox.db -> sending -> channel -> sent, later or refused
//!                      +-> heads, told -> pages
//! ```
//!
//! A message is kept once, by its id; when [`keep`](Outbox::keep) has answered, it is durable.
//! It goes to each of its channels at least once, also when the program is killed between sending and noting it, and always with
//! the same id. Messages of one alert to one channel go one after the other, in the order in which they were kept.
//!
//! **Bounds.** An account may take [`OF_ACCOUNT`] bytes and [`MOST_WAITING`] deliveries, all accounts [`OF_ALL`] bytes. What was
//! sent makes room for what waits, the oldest first; what waits does so for a day at most. What finds no room is counted, and its
//! head says so. Of an alert the last [`HISTORY`] messages can be looked at; ids are remembered longer, so that what is
//! evaluated again is not sent again.

mod file;
mod keeping;
mod looking;
mod nodes;
mod packing;
mod purging;
mod shared;
#[cfg(test)]
pub(crate) mod tests;

pub use file::check;
pub use looking::{Delivery, Head, State};
pub use nodes::Node;

use self::keeping::{Batch, Packed};
use self::nodes::Among;
use self::packing::unpack;
use super::standing::Standings;
use super::told::{Kind, Told};
use crate::directory;
use crate::parts::Part;
use crate::sql::{Db, SqlError, Step, values};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Notify;

/// What messages of an account and of all accounts take, packed.
pub const OF_ACCOUNT: i64 = 64 << 20;
pub const OF_ALL: i64 = 1 << 30;
/// Deliveries of an account that wait.
pub const MOST_WAITING: i64 = 20_000;
/// Messages of an alert that can be looked at.
pub const HISTORY: i64 = 50;
/// Channels of a message.
pub const MOST_CHANNELS: usize = 20;
/// Room that is made at once when all of it is taken.
const SPARE: i64 = 16 << 20;
/// Ids that are remembered, and for how many seconds.
const IDS: i64 = 500_000;
const IDS_FOR: i64 = 8 * 86_400;

/// Why nothing was kept, or is read: the file is closed, the disk does not work, the database is away, or another node has the
/// partition. It may later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxError(String);

impl OutboxError {
    fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl fmt::Display for OutboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OutboxError {}

impl From<SqlError> for OutboxError {
    fn from(error: SqlError) -> Self {
        Self(error.to_string())
    }
}

/// What is counted since the start, but for what waits.
#[derive(Default, Debug)]
pub struct Counts {
    /// Messages that were kept.
    pub kept: AtomicU64,
    /// Deliveries that arrived.
    pub sent: AtomicU64,
    /// Tries that failed and are made again.
    pub tries: AtomicU64,
    /// Deliveries that were refused, or given up.
    pub failed: AtomicU64,
    /// Messages that found no room.
    pub no_room: AtomicU64,
    /// Deliveries that wait now.
    pub waiting: AtomicI64,
    /// Since when the oldest of them waits, in seconds since 1970; 0 if none does.
    pub oldest: AtomicI64,
}

/// What is read of a row.
type Read<T> = Result<T, SqlError>;

/// The messages, for whoever keeps, sends and looks.
#[derive(Debug)]
pub struct Outbox {
    dir: PathBuf,
    /// What an account and all of them may take.
    room: (i64, i64),
    db: Mutex<Result<Db, String>>,
    /// What it knows of others, if nodes keep it together.
    among: OnceLock<Among>,
    counts: Counts,
    /// There is something to send.
    wake: Notify,
    /// How the rules stand that have told something, and those that have not.
    standings: Standings,
}

/// Who tells: the owner of a partition, since an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Teller {
    pub part: Part,
    pub epoch: i64,
}

/// A message on its way to one channel.
#[derive(Clone, PartialEq, Debug)]
pub struct Sending {
    pub seq: i64,
    pub channel: u32,
    /// When it was kept, in seconds since 1970.
    pub kept: i64,
    pub told: Arc<Told>,
}

/// Messages of one alert to one channel, which go in their order.
pub type Lane = (String, u32, u32);

impl Outbox {
    /// That of a store's folder, not opened yet.
    pub fn new(dir: &Path) -> Arc<Self> {
        Self::with_room(dir, (OF_ACCOUNT, OF_ALL))
    }

    fn with_room(dir: &Path, room: (i64, i64)) -> Arc<Self> {
        Arc::new(Self {
            dir: dir.to_owned(),
            room,
            db: Mutex::new(Err("the outbox is not open yet".to_owned())),
            among: OnceLock::new(),
            counts: Counts::default(),
            wake: Notify::new(),
            standings: Standings::default(),
        })
    }

    /// Opens the file, or makes it. A damaged one is set aside, which is said. Whoever calls this holds the store's lock.
    ///
    /// # Errors
    /// In words, when the disk does not let it, or the file is of a newer program or not ours.
    pub fn open(&self) -> Result<(), OutboxError> {
        let mut state = self.db();
        let opened = file::open(&self.dir);
        *state = match opened {
            Ok(db) => Ok(Db::of_file(db)),
            Err(file::Unusable::Damaged(why)) => {
                let aside =
                    file::set_aside(&self.dir, directory::now()).map_err(|error| OutboxError(error.to_string()))?;
                tracing::error!(
                    aside = %aside.display(), %why,
                    "outbox.db was damaged and is set aside: alerts that waited in it are not sent"
                );
                file::open(&self.dir).map(Db::of_file).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = &*state {
            return Err(OutboxError(why.clone()));
        }
        drop(state);
        self.look()?;
        self.wake.notify_one();
        Ok(())
    }

    /// What is kept from now on is refused.
    pub fn close(&self) {
        *self.db() = Err("the server is stopping".to_owned());
    }

    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    pub const fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Seconds since 1970, by the clock that all have who keep this outbox.
    pub fn now(&self) -> i64 {
        self.among.get().map_or_else(directory::now, Among::now)
    }

    /// Keeps messages: all of them or none; where nodes keep them together, some may be kept when it fails. One whose id is there
    /// already changes nothing. Waits for the disk.
    ///
    /// # Errors
    /// When they are not kept; it is tried again by whoever has them.
    pub fn keep(&self, all: &[Told]) -> Result<(), OutboxError> {
        self.keep_of(None, all)
    }

    /// The same, of what the owner of a partition tells: as long as it is the owner.
    ///
    /// # Errors
    /// When they are not kept; it is tried again by whoever has them.
    pub fn keep_of(&self, teller: Option<Teller>, all: &[Told]) -> Result<(), OutboxError> {
        let mut packed = all.iter().map(Packed::of).collect::<Result<Vec<_>, _>>()?;
        let mut most = all.len().max(1);
        if self.among.get().is_some() {
            // Accounts are locked in this order, so that of two who keep one waits for the other.
            packed.sort_by_key(Packed::account);
            most = nodes::AT_ONCE;
        }
        packed.chunks(most).try_for_each(|some| self.keep_some(teller, some))
    }

    fn keep_some(&self, teller: Option<Teller>, some: &[Packed<'_>]) -> Result<(), OutboxError> {
        let (time, among) = (self.now(), self.among.get());
        let Batch { kept, no_room, .. } = self.with(|db| {
            if let Some(among) = among {
                among.make_room(db, self.room.1, some)?;
            }
            let batch = Batch::new(self.room, among.is_some());
            let batch = db.step(|step| keeping::keep(step, batch, some, teller, time))?;
            // As long as nobody else marks one of them.
            self.counts.waiting.fetch_add(batch.deliveries, Ordering::Relaxed);
            if let Some(among) = among {
                among.tidy(db, time);
            }
            Ok(batch)
        })?;
        let _ = self.counts.oldest.compare_exchange(0, time, Ordering::Relaxed, Ordering::Relaxed);
        self.counts.kept.fetch_add(kept, Ordering::Relaxed);
        self.counts.no_room.fetch_add(no_room, Ordering::Relaxed);
        if no_room > 0 {
            tracing::warn!(messages = no_room, "alerts found no room in the outbox and are not sent");
        }
        if kept > 0 {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Waits until something may be there to send.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The lanes in which something waits that is to be sent from here, each with the number of its first message.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn waiting(&self) -> Result<Vec<(Lane, i64)>, OutboxError> {
        let among = self.among.get();
        if among.is_none() && self.counts.waiting.load(Ordering::Relaxed) == 0 {
            self.counts.oldest.store(0, Ordering::Relaxed);
            return Ok(Vec::new());
        }
        self.step(|step| {
            let sql = "SELECT account, alert, channel, min(seq), count(*) FROM deliveries WHERE state = 0 \
                       GROUP BY account, alert, channel";
            let mut lanes: Vec<(Lane, i64, i64)> = step.rows(sql, &[], |row| -> Read<_> {
                Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?, row.get(4)?))
            })?;
            if let Some(among) = among {
                lanes.retain(|((account, ..), ..)| among.teller(account).is_some());
                self.counts.waiting.store(lanes.iter().map(|(.., count)| count).sum(), Ordering::Relaxed);
            }
            let waiting: Vec<(Lane, i64)> = lanes.into_iter().map(|(lane, first, _)| (lane, first)).collect();
            let first = waiting.iter().map(|(_, seq)| *seq).min();
            let kept = "SELECT kept FROM told WHERE seq = $1";
            let kept: Option<i64> = step.one(kept, values![first], |row| row.get(0))?;
            self.counts.oldest.store(kept.unwrap_or(0), Ordering::Relaxed);
            Ok(waiting)
        })
    }

    /// A message that waits. `None` if it does not any more; one that cannot be read any more is refused.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sending(&self, seq: i64, channel: u32) -> Result<Option<Sending>, OutboxError> {
        let found: Option<(i64, String, Option<Vec<u8>>)> = self.step(|step| {
            let sql = "SELECT t.kept, t.account, t.body FROM deliveries d JOIN told t ON t.seq = d.seq \
                       WHERE d.seq = $1 AND d.channel = $2 AND d.state = 0";
            step.one(sql, values![seq, channel], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })?;
        let Some((kept, account, body)) = found else { return Ok(None) };
        let Some(told) = body.and_then(|body| unpack(&body)) else {
            // It would hold back those behind it.
            tracing::error!(seq, "a message of the outbox is damaged and is not sent");
            self.mark((seq, channel), &account, State::Refused, "it is damaged")?;
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        };
        Ok(Some(Sending { seq, channel, kept, told: Arc::new(told) }))
    }

    /// It arrived.
    ///
    /// # Errors
    /// When it cannot be noted: it is sent again then.
    pub fn sent(&self, sending: &Sending) -> Result<(), OutboxError> {
        self.end(sending, State::Sent, "")?;
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// It will not arrive, and why.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub fn refused(&self, sending: &Sending, why: &str) -> Result<(), OutboxError> {
        self.end(sending, State::Refused, why)?;
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// It did not arrive, and is tried again.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub fn later(&self, sending: &Sending, why: &str) -> Result<(), OutboxError> {
        self.end(sending, State::Waiting, why)?;
        self.counts.tries.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn end(&self, sending: &Sending, state: State, why: &str) -> Result<(), OutboxError> {
        self.mark((sending.seq, sending.channel), &sending.told.account, state, why)
    }

    /// Notes what became of a delivery that waits.
    fn mark(&self, (seq, channel): (i64, u32), account: &str, state: State, said: &str) -> Result<(), OutboxError> {
        const MARK: &str = "UPDATE deliveries SET state = $1, tries = tries + 1, said = $2, changed = $3 \
            WHERE seq = $4 AND channel = $5 AND state = 0";
        const UNCLAIM: &str = "UPDATE deliveries SET claimed_until = 0 WHERE seq = $1 AND channel = $2";
        let said: String = said.chars().take(500).collect();
        let (now, among) = (self.now(), self.among.get());
        let is_over = self.step(|step| {
            let changed = step.execute(MARK, values![state as i64, &said, now, seq, channel])?;
            let is_over = changed > 0 && state != State::Waiting;
            if is_over {
                step.execute("UPDATE told SET open = open - 1 WHERE seq = $1", values![seq])?;
            }
            // What has arrived has arrived; the rest is for whoever sends it by now to say.
            if let Some(among) = among.filter(|_| state != State::Sent) {
                let Some(Teller { part, epoch }) = among.teller(account) else {
                    return Err(OutboxError::new("another node sends it"));
                };
                step.execute(UNCLAIM, values![seq, channel])?;
                step.owns(part, epoch)?;
            }
            Ok(is_over)
        })?;
        if among.is_none_or(|among| among.teller(account).is_some()) {
            self.counts.waiting.fetch_sub(i64::from(is_over), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Everything of an account is gone: also what waits.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_account(&self, account: &str) -> Result<(), OutboxError> {
        self.end_account_of(None, account)
    }

    /// The same, by the owner of a partition: as long as it is the owner.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_account_of(&self, owner: Option<Teller>, account: &str) -> Result<(), OutboxError> {
        self.step(|step| {
            if self.among.get().is_some() {
                shared::lock(step, account)?;
                step.execute("DELETE FROM held WHERE account = $1", values![account])?;
            }
            step.execute("DELETE FROM deliveries WHERE account = $1", values![account])?;
            step.execute("DELETE FROM told WHERE account = $1", values![account])?;
            if let Some(Teller { part, epoch }) = owner {
                step.owns(part, epoch)?;
            }
            Ok(())
        })?;
        self.look()
    }

    /// Counts what waits.
    fn look(&self) -> Result<(), OutboxError> {
        self.step(|step| {
            let sql = "SELECT count(*) FROM deliveries WHERE state = 0";
            let count = step.one(sql, &[], |row| row.get(0))?;
            self.counts.waiting.store(count.unwrap_or(0), Ordering::Relaxed);
            Ok(())
        })
    }

    fn db(&self) -> MutexGuard<'_, Result<Db, String>> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Db) -> Result<T, OutboxError>) -> Result<T, OutboxError> {
        match &mut *self.db() {
            Ok(db) => work(db),
            Err(why) => Err(OutboxError(why.clone())),
        }
    }

    /// One transaction.
    fn step<T>(&self, work: impl FnOnce(&mut Step<'_>) -> Result<T, OutboxError>) -> Result<T, OutboxError> {
        self.with(|db| db.step(work))
    }
}

const fn number(kind: Kind) -> i64 {
    match kind {
        Kind::Fired => 0,
        Kind::Resolved => 1,
        Kind::Notice => 2,
        Kind::Test => 3,
    }
}

const fn kind(number: i64) -> Kind {
    match number {
        1 => Kind::Resolved,
        2 => Kind::Notice,
        3 => Kind::Test,
        _ => Kind::Fired,
    }
}
