//! An outbox that nodes keep together, in the database of their journal.
//!
//! ```text
//! the owner of a partition -> keep (at its epoch) -> told, deliveries -> the home of each account -> claim -> its channel
//! ```
//!
//! Messages of an account are kept one transaction after the other, by a lock of the account: so their numbers rise in the order
//! of the commits, and its bounds hold. Who tells for a partition that another node has by now keeps nothing.
//!
//! The *home* of an account is the node that owns its partition, and sends what the account has to send. Before each request it
//! claims the message, at its epoch: so a node that was stopped and wakes up finds out before it sends, and whoever took over
//! waits until what may be on its way has arrived or was given up.

use super::keeping::{self, Packed};
use super::shared;
use super::{Outbox, OutboxError, Read, SPARE, Sending, Teller};
use crate::clock::Ahead;
use crate::parts::{Part, Parts};
use crate::sql::{Db, values};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Messages that are kept in one transaction: others of the account wait for it.
pub(super) const AT_ONCE: usize = 100;
/// From a claim to the request.
const BEGUN_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks for what is forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// For so long a message is on its way, by the clock of the database: whoever sends it begins within a third of that, and is done
/// within two thirds.
const CLAIM: &str = "UPDATE deliveries SET claimed_by = $1, \
    claimed_until = CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) + 30000 \
    WHERE seq = $2 AND channel = $3 AND state = 0 AND (claimed_by = $1 \
    OR claimed_until < extract(epoch FROM clock_timestamp()) * 1000 \
    OR claimed_until > extract(epoch FROM clock_timestamp()) * 1000 + 60000)";

/// A node, as the outbox knows it.
#[derive(Debug)]
pub struct Node {
    /// What no other node goes by.
    pub name: String,
    pub parts: Parts,
    /// The clock of the database.
    pub clock: Ahead,
}

/// What an outbox knows that nodes keep together.
#[derive(Debug)]
pub(super) struct Among {
    node: Node,
    /// The partitions that this node owns, and since which epoch.
    homes: Mutex<BTreeMap<u8, i64>>,
    tidied: Mutex<Option<Instant>>,
}

impl Among {
    pub(super) const fn new(node: Node) -> Self {
        Self { node, homes: Mutex::new(BTreeMap::new()), tidied: Mutex::new(None) }
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.node.clock.now() / 1_000_000
    }

    fn homes(&self) -> MutexGuard<'_, BTreeMap<u8, i64>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As whom this node sends what an account has to send; `None` if another one does.
    pub(super) fn teller(&self, account: &str) -> Option<Teller> {
        let part = self.node.parts.of(account);
        let epoch = *self.homes().get(&part.number())?;
        Some(Teller { part, epoch })
    }

    /// Lets go of what is forgotten, now and then.
    pub(super) fn tidy(&self, db: &mut Db, now: i64) {
        let mut tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner);
        if tidied.is_some_and(|at| at.elapsed() < TIDY_EVERY) {
            return;
        }
        *tidied = Some(Instant::now());
        // Another node may do the same, and is waited for by nobody.
        if let Err(error) = db.step(|step| keeping::forget_ids(step, now)) {
            tracing::debug!(%error, "what is forgotten of alerts stays for a while");
        }
    }

    /// If there is no room for these, what any account has sent goes for them, the oldest first: one account after the other, so
    /// that nobody waits for two.
    pub(super) fn make_room(&self, db: &mut Db, of_all: i64, all: &[Packed<'_>]) -> Result<(), OutboxError> {
        const OLD: &str =
            "SELECT seq, bytes, account FROM told WHERE body IS NOT NULL AND open = 0 ORDER BY seq LIMIT 10000";
        let bytes: i64 = all.iter().map(Packed::bytes).sum();
        let over = db.step(shared::held)?.saturating_add(bytes) - of_all;
        if over <= 0 {
            return Ok(());
        }
        let mut over = over.saturating_add(SPARE);
        let old: Vec<(i64, i64, String)> =
            db.step(|step| step.rows(OLD, &[], |row| -> Read<_> { Ok((row.get(0)?, row.get(1)?, row.get(2)?)) }))?;
        let mut going: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (seq, bytes, account) in old {
            if over <= 0 {
                break;
            }
            over -= bytes;
            going.entry(account).or_default().push(seq);
        }
        for (account, seqs) in going {
            db.step(|step| shared::let_go(step, &account, &seqs))?;
        }
        Ok(())
    }
}

impl Outbox {
    /// From now on it is one that nodes keep together; `db` is a connection to their database.
    pub fn join(&self, db: Db, node: Node) {
        let _ = self.among.set(Among::new(node));
        *self.db() = Ok(db);
        self.wake.notify_one();
    }

    /// The partitions that this node owns, each since an epoch: it sends what their accounts have to send.
    pub fn own(&self, owned: impl Iterator<Item = (Part, i64)>) {
        let Some(among) = self.among.get() else { return };
        let owned: BTreeMap<u8, i64> = owned.map(|(part, epoch)| (part.number(), epoch)).collect();
        let parts = owned.keys().copied().collect();
        if *among.homes() == owned {
            return;
        }
        *among.homes() = owned;
        self.standings.keep(&parts, |account| among.teller(account).is_some());
        self.wake.notify_one();
    }

    /// Takes a message for this node just before it is sent. `false` if another node may be sending it, or is to; or if it took so
    /// long that another one may be soon.
    ///
    /// # Errors
    /// When the database does not say it.
    pub fn claim(&self, sending: &Sending) -> Result<bool, OutboxError> {
        let Some(among) = self.among.get() else { return Ok(true) };
        let Some(Teller { part, epoch }) = among.teller(&sending.told.account) else { return Ok(false) };
        self.with(|db| {
            let began = Instant::now();
            let claimed = db.step(|step| {
                let claimed = step.execute(CLAIM, values![&among.node.name, sending.seq, sending.channel])?;
                step.owns(part, epoch)?;
                Ok::<_, OutboxError>(claimed > 0)
            });
            Ok(claimed? && began.elapsed() < BEGUN_WITHIN)
        })
    }
}
