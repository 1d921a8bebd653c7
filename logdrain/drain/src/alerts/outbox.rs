//! What is to be sent, kept before it is sent: `outbox.db` in the store's folder.
//!
//! ```text
//! rules -> keep -> outbox.db -> sending -> channel -> sent, later or refused
//!                      +-> heads, told -> pages
//! ```
//!
//! A message is kept once, by its id, and all of a batch or none; when [`keep`](Outbox::keep) has answered, it is on the disk.
//! It goes to each of its channels at least once, also when the program is killed between sending and noting it, and always with
//! the same id. Messages of one alert to one channel go one after the other, in the order in which they were kept.
//!
//! **Bounds.** An account may take [`OF_ACCOUNT`] bytes and [`MOST_WAITING`] deliveries, all accounts [`OF_ALL`] bytes. What was
//! sent makes room for what waits, the oldest first; what waits does so for a day at most. What finds no room is counted, and its
//! head says so. Of an alert the last [`HISTORY`] messages can be looked at; ids are remembered longer, so that what is
//! evaluated again is not sent again.

mod file;
mod looking;
mod purging;
#[cfg(test)]
mod tests;

pub use file::check;
pub use looking::{Delivery, Head, State};

use super::standing::Standings;
use super::told::{Facts, Kind, Told};
use crate::directory::now;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
/// The most bytes of a message before it is packed.
const UNPACKED: usize = 6 << 20;

/// Why nothing was kept, or is read: the file is closed, or the disk does not work. It may later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxError(String);

impl fmt::Display for OutboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OutboxError {}

impl From<rusqlite::Error> for OutboxError {
    fn from(error: rusqlite::Error) -> Self {
        Self(format!("outbox.db: {error}"))
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

/// The messages, for whoever keeps, sends and looks.
#[derive(Debug)]
pub struct Outbox {
    dir: PathBuf,
    /// What an account and all of them may take.
    room: (i64, i64),
    db: Mutex<Result<Connection, String>>,
    counts: Counts,
    /// There is something to send.
    wake: Notify,
    /// How the rules stand that have told something, and those that have not.
    standings: Standings,
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
            db: Mutex::new(Err("outbox.db is not open yet".to_owned())),
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
        let mut state = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = file::open(&self.dir);
        *state = match opened {
            Ok(db) => Ok(db),
            Err(file::Unusable::Damaged(why)) => {
                let aside = file::set_aside(&self.dir, now()).map_err(|error| OutboxError(error.to_string()))?;
                tracing::error!(
                    aside = %aside.display(), %why,
                    "outbox.db was damaged and is set aside: alerts that waited in it are not sent"
                );
                file::open(&self.dir).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = &*state {
            return Err(OutboxError(why.clone()));
        }
        drop(state);
        self.with(|db| self.look(db))?;
        self.wake.notify_one();
        Ok(())
    }

    /// What is kept from now on is refused.
    pub fn close(&self) {
        *self.db.lock().unwrap_or_else(PoisonError::into_inner) = Err("the server is stopping".to_owned());
    }

    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    pub const fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Keeps messages: all of them or none. One whose id is there already changes nothing. Waits for the disk.
    ///
    /// # Errors
    /// When they are not kept; it is tried again by whoever has them.
    pub fn keep(&self, all: &[Told]) -> Result<(), OutboxError> {
        if all.is_empty() {
            return Ok(());
        }
        let time = now();
        let Batch { kept, no_room, .. } = self.with(|db| {
            let step = db.transaction()?;
            let mut batch = Batch { room: self.room, ..Batch::default() };
            for told in all {
                keep(&step, &mut batch, told, time)?;
            }
            forget_ids(&step, time)?;
            step.commit()?;
            // As long as nobody else marks one of them.
            self.counts.waiting.fetch_add(batch.deliveries, Ordering::Relaxed);
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

    /// The lanes in which something waits, each with the number of its first message.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn waiting(&self) -> Result<Vec<(Lane, i64)>, OutboxError> {
        if self.counts.waiting.load(Ordering::Relaxed) == 0 {
            self.counts.oldest.store(0, Ordering::Relaxed);
            return Ok(Vec::new());
        }
        self.with(|db| {
            let mut select = db.prepare_cached(
                "SELECT account, alert, channel, min(seq) FROM deliveries WHERE state = 0 GROUP BY account, alert, channel",
            )?;
            let rows = select.query_map([], |row| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?)))?;
            let waiting: Vec<(Lane, i64)> = rows.collect::<Result<_, _>>()?;
            let first = waiting.iter().map(|(_, seq)| *seq).min();
            let kept = "SELECT kept FROM told WHERE seq = $1";
            let kept: Option<i64> = db.prepare_cached(kept)?.query_row([first], |row| row.get(0)).optional()?;
            self.counts.oldest.store(kept.unwrap_or(0), Ordering::Relaxed);
            Ok(waiting)
        })
    }

    /// A message that waits. `None` if it does not any more; one that cannot be read any more is refused.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sending(&self, seq: i64, channel: u32) -> Result<Option<Sending>, OutboxError> {
        self.with(|db| {
            let sql = "SELECT t.kept, t.body FROM deliveries d JOIN told t ON t.seq = d.seq \
                       WHERE d.seq = $1 AND d.channel = $2 AND d.state = 0";
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Option<Vec<u8>>>(1)?));
            let found = db.prepare_cached(sql)?.query_row(params![seq, channel], row).optional()?;
            let Some((kept, body)) = found else { return Ok(None) };
            let Some(told) = body.and_then(|body| unpack(&body)) else {
                // It would hold back those behind it.
                tracing::error!(seq, "a message in outbox.db is damaged and is not sent");
                self.mark(db, (seq, channel), State::Refused, "it is damaged")?;
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                return Ok(None);
            };
            Ok(Some(Sending { seq, channel, kept, told: Arc::new(told) }))
        })
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
        self.with(|db| self.mark(db, (sending.seq, sending.channel), state, why))
    }

    /// Notes what became of a delivery that waits.
    fn mark(
        &self,
        db: &mut Connection,
        (seq, channel): (i64, u32),
        state: State,
        said: &str,
    ) -> Result<(), OutboxError> {
        let step = db.transaction()?;
        let said: String = said.chars().take(500).collect();
        let changed = step
            .prepare_cached(
                "UPDATE deliveries SET state = $1, tries = tries + 1, said = $2, changed = $3 \
                 WHERE seq = $4 AND channel = $5 AND state = 0",
            )?
            .execute(params![state as i64, said, now(), seq, channel])?;
        let is_over = changed > 0 && state != State::Waiting;
        if is_over {
            step.prepare_cached("UPDATE told SET open = open - 1 WHERE seq = $1")?.execute([seq])?;
        }
        step.commit()?;
        self.counts.waiting.fetch_sub(i64::from(is_over), Ordering::Relaxed);
        Ok(())
    }

    /// Everything of an account is gone: also what waits.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn end_account(&self, account: &str) -> Result<(), OutboxError> {
        self.with(|db| {
            let step = db.transaction()?;
            step.execute("DELETE FROM deliveries WHERE account = $1", [account])?;
            step.execute("DELETE FROM told WHERE account = $1", [account])?;
            step.commit()?;
            self.look(db)
        })
    }

    /// Counts what waits.
    fn look(&self, db: &Connection) -> Result<(), OutboxError> {
        let sql = "SELECT count(*) FROM deliveries WHERE state = 0";
        let count = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        self.counts.waiting.store(count, Ordering::Relaxed);
        Ok(())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, OutboxError>) -> Result<T, OutboxError> {
        let mut state: MutexGuard<'_, _> = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            Ok(db) => work(db),
            Err(why) => Err(OutboxError(why.clone())),
        }
    }
}

/// What is kept in one transaction.
#[derive(Default)]
struct Batch {
    room: (i64, i64),
    kept: u64,
    no_room: u64,
    deliveries: i64,
    /// What accounts hold, so that it is summed once: bytes, and deliveries that wait.
    held: HashMap<String, (i64, i64)>,
}

fn keep(db: &Transaction<'_>, batch: &mut Batch, told: &Told, now: i64) -> Result<(), OutboxError> {
    let there = "SELECT 1 FROM told WHERE id = $1";
    if db.prepare_cached(there)?.query_row([&told.id], |_| Ok(())).optional()?.is_some() {
        return Ok(());
    }
    let channels: Vec<u32> = if told.is_muted { Vec::new() } else { channels(told) };
    let body = pack(told)?;
    let (bytes, count) = (i64::try_from(body.len()).unwrap_or(i64::MAX), channels.len() as i64);
    let has_room = make_room(db, batch, &told.account, (bytes, count))?;
    let seq: i64 = db.query_row("SELECT coalesce(max(seq), 0) + 1 FROM told", [], |row| row.get(0))?;
    let (kept_body, bytes, open) = if has_room { (Some(body), bytes, count) } else { (None, 0, 0) };
    let Told { id, account, alert, name, kind, at, is_muted, why, .. } = told;
    db.prepare_cached(
        "INSERT INTO told (seq, id, account, alert, name, kind, at, is_muted, why, kept, open, bytes, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )?
    .execute(params![
        seq,
        id,
        account,
        alert,
        name,
        number(*kind),
        at,
        is_muted,
        why,
        now,
        open,
        bytes,
        kept_body
    ])?;
    let (state, said) = if has_room { (State::Waiting, "") } else { (State::Refused, NO_ROOM) };
    let mut insert = db.prepare_cached(
        "INSERT INTO deliveries (seq, channel, account, alert, state, tries, said, changed) \
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7)",
    )?;
    for channel in channels {
        insert.execute(params![seq, channel, account, alert, state as i64, said, now])?;
    }
    drop(insert);
    let freed = forget_history(db, account, *alert)?;
    let (held, waiting) = batch.held.entry(account.clone()).or_default();
    (*held, *waiting) = (*held + bytes - freed, *waiting + open);
    batch.deliveries += open;
    batch.kept += u64::from(has_room);
    batch.no_room += u64::from(!has_room);
    Ok(())
}

const NO_ROOM: &str = "too much waits to be sent: there was no room for it";

/// Each once, and not more than some.
fn channels(told: &Told) -> Vec<u32> {
    let mut channels = Vec::new();
    for channel in &told.channels {
        if channels.len() < MOST_CHANNELS && !channels.contains(channel) {
            channels.push(*channel);
        }
    }
    channels
}

/// Whether a message may be kept; what was sent goes for it, the oldest first.
fn make_room(
    db: &Transaction<'_>,
    batch: &mut Batch,
    account: &str,
    (bytes, deliveries): (i64, i64),
) -> Result<bool, OutboxError> {
    if !batch.held.contains_key(account) {
        let held = "SELECT coalesce(sum(bytes), 0) FROM told WHERE body IS NOT NULL AND account = $1";
        let held = db.prepare_cached(held)?.query_row([account], |row| row.get(0))?;
        let waiting = "SELECT count(*) FROM deliveries WHERE state = 0 AND account = $1";
        let waiting = db.prepare_cached(waiting)?.query_row([account], |row| row.get(0))?;
        batch.held.insert(account.to_owned(), (held, waiting));
    }
    let (held, waiting) = batch.held.get(account).copied().unwrap_or_default();
    let (of_account, of_all) = batch.room;
    if deliveries > 0 && waiting.saturating_add(deliveries) > MOST_WAITING {
        return Ok(false);
    }
    let over = held.saturating_add(bytes) - of_account;
    if over > 0 {
        let sent =
            "SELECT seq, bytes, account FROM told WHERE body IS NOT NULL AND open = 0 AND account = $1 ORDER BY seq";
        if !free(db, batch, sent, &[&account], over)? {
            return Ok(false);
        }
    }
    let over = in_use(db)?.saturating_add(bytes) - of_all;
    if over > 0 {
        let sent = "SELECT seq, bytes, account FROM told WHERE body IS NOT NULL AND open = 0 ORDER BY seq";
        // More than is needed, so that it is not looked for each time.
        return Ok(
            free(db, batch, sent, &[], over.saturating_add(SPARE))? || in_use(db)?.saturating_add(bytes) <= of_all
        );
    }
    Ok(true)
}

/// Lets go of messages until so many bytes are free; `false` if these were not enough.
fn free(
    db: &Transaction<'_>,
    batch: &mut Batch,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
    mut over: i64,
) -> Result<bool, OutboxError> {
    let mut select = db.prepare_cached(sql)?;
    let mut rows = select.query(values)?;
    let mut gone: Vec<(i64, i64, String)> = Vec::new();
    while let (true, Some(row)) = (over > 0, rows.next()?) {
        let one = (row.get(0)?, row.get(1)?, row.get(2)?);
        over -= one.1;
        gone.push(one);
    }
    for (seq, bytes, account) in gone {
        forget(db, seq)?;
        if let Some((held, _)) = batch.held.get_mut(&account) {
            *held -= bytes;
        }
    }
    Ok(over <= 0)
}

/// The bytes of the file that hold something.
fn in_use(db: &Connection) -> Result<i64, OutboxError> {
    let number = |what: &str| db.pragma_query_value(None, what, |row| row.get::<_, i64>(0));
    Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
}

/// Of an alert the last messages are held, and those that wait. Answers how many bytes are free by that.
fn forget_history(db: &Transaction<'_>, account: &str, alert: u32) -> Result<i64, OutboxError> {
    let sql = "SELECT seq, bytes FROM told WHERE account = $1 AND alert = $2 AND is_shown = 1 AND open = 0 \
               AND seq <= (SELECT seq FROM told WHERE account = $1 AND alert = $2 AND is_shown = 1 ORDER BY seq DESC \
               LIMIT 1 OFFSET $3)";
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map(params![account, alert, HISTORY], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let old: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
    let mut freed = 0;
    for (seq, bytes) in old {
        forget(db, seq)?;
        freed += bytes;
        db.prepare_cached("UPDATE told SET is_shown = 0 WHERE seq = $1")?.execute([seq])?;
        db.prepare_cached("DELETE FROM deliveries WHERE seq = $1")?.execute([seq])?;
    }
    Ok(freed)
}

/// Nothing but the head is left of a message.
fn forget(db: &Connection, seq: i64) -> Result<(), OutboxError> {
    db.prepare_cached("UPDATE told SET body = NULL, bytes = 0 WHERE seq = $1")?.execute([seq])?;
    Ok(())
}

/// Heads that are not shown any more are for their ids: so many, and for so long.
fn forget_ids(db: &Transaction<'_>, now: i64) -> Result<(), OutboxError> {
    db.prepare_cached("DELETE FROM told WHERE is_shown = 0 AND kept < $1")?.execute([now - IDS_FOR])?;
    // By the number, and not by the index of those that are not shown: there are few below it.
    db.prepare_cached("DELETE FROM told WHERE seq <= (SELECT max(seq) FROM told) - $1 AND +is_shown = 0")?
        .execute([IDS])?;
    Ok(())
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

fn pack(told: &Told) -> Result<Vec<u8>, OutboxError> {
    let written = |told: &Told| {
        serde_json::to_vec(told).map_err(|error| OutboxError(format!("a message cannot be written: {error}")))
    };
    let mut text = written(told)?;
    if text.len() > UNPACKED {
        let mut shorter = told.clone();
        shorter.shorten();
        text = written(&shorter)?;
        if text.len() > UNPACKED {
            // What is told is told, though nothing of what it is about.
            shorter.facts = Facts::Nothing;
            text = written(&shorter)?;
        }
    }
    zstd::bulk::compress(&text, 1).map_err(|error| OutboxError(format!("a message cannot be packed: {error}")))
}

fn unpack(body: &[u8]) -> Option<Told> {
    serde_json::from_slice(&zstd::bulk::decompress(body, UNPACKED).ok()?).ok()
}
