//! What there is to see of messages, for pages.

use super::packing::unpack;
use super::{Outbox, OutboxError, Read, kind, number};
use crate::alerts::told::{Kind, Told};
use crate::sql::{Row, Step, values};
use std::collections::BTreeMap;

/// How far a message is on its way to a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Waiting = 0,
    Sent = 1,
    /// It will not arrive.
    Refused = 2,
}

/// A message on its way to one channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub channel: u32,
    pub state: State,
    pub tries: u32,
    /// Why it was refused, or did not arrive the last time.
    pub said: String,
    /// Seconds since 1970.
    pub changed: i64,
}

/// A message, but for its facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    pub id: String,
    pub alert: u32,
    pub name: String,
    pub kind: Kind,
    /// Microseconds since 1970.
    pub at: i64,
    pub is_muted: bool,
    pub why: String,
    /// Whether its facts are still there.
    pub is_whole: bool,
    /// In the order of the channels' numbers; none of one that was muted.
    pub deliveries: Vec<Delivery>,
}

impl Outbox {
    /// The last messages of an account, or of one of its alerts, the newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn heads(&self, account: &str, alert: Option<u32>, most: usize) -> Result<Vec<Head>, OutboxError> {
        const OF_ACCOUNT: &str = "SELECT seq, id, alert, name, kind, at, is_muted, why, body IS NOT NULL FROM told \
            WHERE account = $1 AND is_shown = 1 ORDER BY seq DESC LIMIT $2";
        const OF_ALERT: &str = "SELECT seq, id, alert, name, kind, at, is_muted, why, body IS NOT NULL FROM told \
            WHERE account = $1 AND is_shown = 1 AND alert = $3 ORDER BY seq DESC LIMIT $2";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.step(|step| {
            let read = |row: &Row<'_>| -> Read<_> {
                let head = Head {
                    id: row.get(1)?,
                    alert: row.get(2)?,
                    name: row.get(3)?,
                    kind: kind(row.get(4)?),
                    at: row.get(5)?,
                    is_muted: row.get(6)?,
                    why: row.get(7)?,
                    is_whole: row.get(8)?,
                    deliveries: Vec::new(),
                };
                Ok((row.get(0)?, head))
            };
            let found: Vec<(i64, Head)> = match alert {
                Some(alert) => step.rows(OF_ALERT, values![account, most, alert], read)?,
                None => step.rows(OF_ACCOUNT, values![account, most], read)?,
            };
            found.into_iter().map(|(seq, head)| Ok(Head { deliveries: deliveries(step, seq)?, ..head })).collect()
        })
    }

    /// What each alert of an account told last, and when, in microseconds since 1970: that it fired, or that it is over.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn last_of_each(&self, account: &str) -> Result<BTreeMap<u32, (Kind, i64)>, OutboxError> {
        self.step(|step| {
            let sql = "SELECT alert, kind, at FROM told WHERE seq IN \
                (SELECT max(seq) FROM told WHERE account = $1 AND is_shown = 1 AND kind IN ($2, $3) GROUP BY alert)";
            let each = values![account, number(Kind::Fired), number(Kind::Resolved)];
            let rows: Vec<(u32, (Kind, i64))> =
                step.rows(sql, each, |row| -> Read<_> { Ok((row.get(0)?, (kind(row.get(1)?), row.get(2)?))) })?;
            Ok(rows.into_iter().collect())
        })
    }

    /// A message of an account, whole; `None` if there is none, or none of it but its head.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn told(&self, account: &str, id: &str) -> Result<Option<Told>, OutboxError> {
        self.step(|step| {
            let sql = "SELECT body FROM told WHERE account = $1 AND id = $2 AND body IS NOT NULL";
            let body: Option<Vec<u8>> = step.one(sql, values![account, id], |row| row.get(0))?;
            Ok(body.and_then(|body| unpack(&body)))
        })
    }
}

fn deliveries(step: &mut Step<'_>, seq: i64) -> Result<Vec<Delivery>, OutboxError> {
    let sql = "SELECT channel, state, tries, said, changed FROM deliveries WHERE seq = $1 ORDER BY channel";
    let read = |row: &Row<'_>| -> Read<_> {
        let state = match row.get::<i64>(1)? {
            0 => State::Waiting,
            1 => State::Sent,
            _ => State::Refused,
        };
        Ok(Delivery { channel: row.get(0)?, state, tries: row.get(2)?, said: row.get(3)?, changed: row.get(4)? })
    };
    Ok(step.rows(sql, values![seq], read)?)
}
