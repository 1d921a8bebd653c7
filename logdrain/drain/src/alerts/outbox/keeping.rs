//! Messages on their way in: each is kept once, and what was sent makes room.

use super::looking::State;
use super::packing::pack;
use super::{HISTORY, IDS, IDS_FOR, MOST_CHANNELS, MOST_WAITING, OutboxError, Read, SPARE, Teller, number, shared};
use crate::alerts::told::Told;
use crate::sql::{Row, Step, Value, values};
use std::collections::{BTreeSet, HashMap};

const NO_ROOM: &str = "too much waits to be sent: there was no room for it";

/// A message as it is kept.
pub(super) struct Packed<'a> {
    told: &'a Told,
    body: Vec<u8>,
    /// Those that it goes to.
    channels: Vec<u32>,
}

impl<'a> Packed<'a> {
    pub(super) fn of(told: &'a Told) -> Result<Self, OutboxError> {
        let channels = if told.is_muted { Vec::new() } else { channels(told) };
        Ok(Self { told, body: pack(told)?, channels })
    }

    pub(super) fn account(&self) -> &'a str {
        &self.told.account
    }

    pub(super) fn bytes(&self) -> i64 {
        i64::try_from(self.body.len()).unwrap_or(i64::MAX)
    }
}

/// What is kept in one transaction.
#[derive(Default)]
pub(super) struct Batch {
    /// What an account and all of them may take.
    room: (i64, i64),
    /// Others keep messages, too.
    is_shared: bool,
    pub(super) kept: u64,
    pub(super) no_room: u64,
    pub(super) deliveries: i64,
    /// What accounts hold, so that it is summed once: bytes, and deliveries that wait.
    held: HashMap<String, (i64, i64)>,
    /// What all of them hold, where that is no matter of a file.
    of_all: i64,
}

impl Batch {
    pub(super) fn new(room: (i64, i64), is_shared: bool) -> Self {
        Self { room, is_shared, ..Self::default() }
    }
}

/// Keeps messages, and lets go of what is forgotten. Who tells them has to be who may.
pub(super) fn keep(
    step: &mut Step<'_>,
    mut batch: Batch,
    all: &[Packed<'_>],
    teller: Option<Teller>,
    now: i64,
) -> Result<Batch, OutboxError> {
    if batch.is_shared {
        let accounts: BTreeSet<&str> = all.iter().map(Packed::account).collect();
        accounts.into_iter().try_for_each(|account| shared::lock(step, account))?;
        batch.of_all = shared::held(step)?;
    }
    for one in all {
        keep_one(step, &mut batch, one, now)?;
    }
    if batch.is_shared {
        for (account, (held, _)) in &batch.held {
            shared::hold(step, account, *held)?;
        }
    } else {
        forget_ids(step, now)?;
    }
    // Last, so that whoever takes the partition over waits no longer than he has to.
    if let Some(Teller { part, epoch }) = teller {
        step.owns(part, epoch)?;
    }
    Ok(batch)
}

fn keep_one(step: &mut Step<'_>, batch: &mut Batch, packed: &Packed<'_>, now: i64) -> Result<(), OutboxError> {
    let Packed { told, body, channels } = packed;
    let Told { id, account, alert, name, kind, at, is_muted, why, .. } = *told;
    let there = "SELECT 1 FROM told WHERE id = $1";
    if step.one(there, values![id], |_| -> Read<()> { Ok(()) })?.is_some() {
        return Ok(());
    }
    let (bytes, count) = (packed.bytes(), i64::try_from(channels.len()).unwrap_or(i64::MAX));
    let has_room = make_room(step, batch, account, (bytes, count))?;
    let seq = if batch.is_shared {
        shared::next(step)?
    } else {
        let next = "SELECT coalesce(max(seq), 0) + 1 FROM told";
        step.one(next, &[], |row| row.get(0))?.unwrap_or(1)
    };
    let (kept_body, bytes, open) = if has_room { (Some(body), bytes, count) } else { (None, 0, 0) };
    step.execute(
        "INSERT INTO told (seq, id, account, alert, name, kind, at, is_muted, why, kept, open, bytes, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        values![seq, id, account, *alert, name, number(*kind), *at, *is_muted, why, now, open, bytes, kept_body],
    )?;
    let (state, said) = if has_room { (State::Waiting, "") } else { (State::Refused, NO_ROOM) };
    let all: Vec<[Value<'_>; 7]> = channels
        .iter()
        .map(|channel| {
            [
                seq.into(),
                (*channel).into(),
                account.into(),
                (*alert).into(),
                (state as i64).into(),
                said.into(),
                now.into(),
            ]
        })
        .collect();
    step.execute_each(
        "INSERT INTO deliveries (seq, channel, account, alert, state, tries, said, changed) \
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7)",
        &all,
    )?;
    let freed = forget_history(step, account, *alert)?;
    let (held, waiting) = batch.held.entry(account.clone()).or_default();
    (*held, *waiting) = (*held + bytes - freed, *waiting + open);
    batch.of_all += bytes - freed;
    batch.deliveries += open;
    batch.kept += u64::from(has_room);
    batch.no_room += u64::from(!has_room);
    Ok(())
}

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
    step: &mut Step<'_>,
    batch: &mut Batch,
    account: &str,
    (bytes, deliveries): (i64, i64),
) -> Result<bool, OutboxError> {
    if !batch.held.contains_key(account) {
        let held = "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM told WHERE body IS NOT NULL AND account = $1";
        let held = step.one(held, values![account], |row| row.get(0))?.unwrap_or(0);
        let waiting = "SELECT count(*) FROM deliveries WHERE state = 0 AND account = $1";
        let waiting = step.one(waiting, values![account], |row| row.get(0))?.unwrap_or(0);
        batch.held.insert(account.to_owned(), (held, waiting));
    }
    let (held, waiting) = batch.held.get(account).copied().unwrap_or_default();
    let (of_account, of_all) = batch.room;
    if deliveries > 0 && waiting.saturating_add(deliveries) > MOST_WAITING {
        return Ok(false);
    }
    let over = held.saturating_add(bytes) - of_account;
    if over > 0 && !free(step, batch, Some(account), over)? {
        return Ok(false);
    }
    let over = in_use(step, batch)?.saturating_add(bytes) - of_all;
    if over > 0 {
        // What others have sent goes before, where it is not for one transaction to let go of it.
        let whose = batch.is_shared.then_some(account);
        // More than is needed, so that it is not looked for each time.
        return Ok(free(step, batch, whose, over.saturating_add(SPARE))?
            || in_use(step, batch)?.saturating_add(bytes) <= of_all);
    }
    Ok(true)
}

/// Lets go of messages that were sent, of an account or of all, until so many bytes are free; `false` if these were not enough.
fn free(step: &mut Step<'_>, batch: &mut Batch, account: Option<&str>, mut over: i64) -> Result<bool, OutboxError> {
    const OF_ACCOUNT: &str = "SELECT seq, bytes, account FROM told \
        WHERE body IS NOT NULL AND open = 0 AND account = $1 ORDER BY seq LIMIT 100";
    const OF_ALL: &str =
        "SELECT seq, bytes, account FROM told WHERE body IS NOT NULL AND open = 0 ORDER BY seq LIMIT 100";
    while over > 0 {
        let read = |row: &Row<'_>| -> Read<_> { Ok((row.get(0)?, row.get(1)?, row.get(2)?)) };
        let some: Vec<(i64, i64, String)> = match account {
            Some(account) => step.rows(OF_ACCOUNT, values![account], read)?,
            None => step.rows(OF_ALL, &[], read)?,
        };
        if some.is_empty() {
            return Ok(false);
        }
        for (seq, bytes, account) in some {
            if over <= 0 {
                break;
            }
            forget(step, seq)?;
            over -= bytes;
            batch.of_all -= bytes;
            if let Some((held, _)) = batch.held.get_mut(&account) {
                *held -= bytes;
            }
        }
    }
    Ok(true)
}

/// The bytes that hold something: of the file, or of what nodes keep together.
fn in_use(step: &mut Step<'_>, batch: &Batch) -> Result<i64, OutboxError> {
    const OF_FILE: &str = "SELECT (page_count - freelist_count) * page_size \
        FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    if batch.is_shared {
        return Ok(batch.of_all);
    }
    Ok(step.one(OF_FILE, &[], |row| row.get(0))?.unwrap_or(0))
}

/// Of an alert the last messages are held, and those that wait. Answers how many bytes are free by that.
fn forget_history(step: &mut Step<'_>, account: &str, alert: u32) -> Result<i64, OutboxError> {
    let sql = "SELECT seq, bytes FROM told WHERE account = $1 AND alert = $2 AND is_shown = 1 AND open = 0 \
               AND seq <= (SELECT seq FROM told WHERE account = $1 AND alert = $2 AND is_shown = 1 ORDER BY seq DESC \
               LIMIT 1 OFFSET $3)";
    let old: Vec<(i64, i64)> =
        step.rows(sql, values![account, alert, HISTORY], |row| -> Read<_> { Ok((row.get(0)?, row.get(1)?)) })?;
    let mut freed = 0;
    for (seq, bytes) in old {
        step.execute("UPDATE told SET is_shown = 0, body = NULL, bytes = 0 WHERE seq = $1", values![seq])?;
        step.execute("DELETE FROM deliveries WHERE seq = $1", values![seq])?;
        freed += bytes;
    }
    Ok(freed)
}

/// Nothing but the head is left of a message.
fn forget(step: &mut Step<'_>, seq: i64) -> Result<(), OutboxError> {
    step.execute("UPDATE told SET body = NULL, bytes = 0 WHERE seq = $1", values![seq])?;
    Ok(())
}

/// Heads that are not shown any more are for their ids: so many, and for so long.
pub(super) fn forget_ids(step: &mut Step<'_>, now: i64) -> Result<(), OutboxError> {
    step.execute("DELETE FROM told WHERE is_shown = 0 AND kept < $1", values![now - IDS_FOR])?;
    // By the number, and not by the index of those that are not shown: there are few below it.
    step.execute("DELETE FROM told WHERE seq <= (SELECT max(seq) FROM told) - $1 AND +is_shown = 0", values![IDS])?;
    Ok(())
}
