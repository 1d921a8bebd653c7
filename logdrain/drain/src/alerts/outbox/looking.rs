//! What there is to see of messages, for pages.

use super::{Outbox, OutboxError, kind, number, unpack};
use crate::alerts::told::{Kind, Told};
use rusqlite::{Connection, OptionalExtension as _, params};
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
    /// When the file cannot be read.
    pub fn heads(&self, account: &str, alert: Option<u32>, most: usize) -> Result<Vec<Head>, OutboxError> {
        self.with(|db| {
            // Parameters come in the order of their numbers.
            let (which, limit) = if alert.is_some() { (" AND alert = $2", "$3") } else { ("", "$2") };
            let sql = format!(
                "SELECT seq, id, alert, name, kind, at, is_muted, why, body IS NOT NULL FROM told \
                 WHERE account = $1 AND is_shown = 1{which} ORDER BY seq DESC LIMIT {limit}"
            );
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let mut select = db.prepare_cached(&sql)?;
            let row = |row: &rusqlite::Row<'_>| {
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
                Some(alert) => select.query_map(params![account, alert, most], row)?.collect::<Result<_, _>>()?,
                None => select.query_map(params![account, most], row)?.collect::<Result<_, _>>()?,
            };
            found.into_iter().map(|(seq, head)| Ok(Head { deliveries: deliveries(db, seq)?, ..head })).collect()
        })
    }

    /// What each alert of an account told last, and when, in microseconds since 1970: that it fired, or that it is over.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_of_each(&self, account: &str) -> Result<BTreeMap<u32, (Kind, i64)>, OutboxError> {
        self.with(|db| {
            let sql = "SELECT alert, kind, at FROM told WHERE seq IN \
                (SELECT max(seq) FROM told WHERE account = $1 AND is_shown = 1 AND kind IN ($2, $3) GROUP BY alert)";
            let mut select = db.prepare_cached(sql)?;
            let rows = select.query_map(params![account, number(Kind::Fired), number(Kind::Resolved)], |row| {
                Ok((row.get(0)?, (kind(row.get(1)?), row.get(2)?)))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// A message of an account, whole; `None` if there is none, or none of it but its head.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn told(&self, account: &str, id: &str) -> Result<Option<Told>, OutboxError> {
        self.with(|db| {
            let sql = "SELECT body FROM told WHERE account = $1 AND id = $2 AND body IS NOT NULL";
            let body: Option<Vec<u8>> =
                db.prepare_cached(sql)?.query_row([account, id], |row| row.get(0)).optional()?;
            Ok(body.and_then(|body| unpack(&body)))
        })
    }
}

fn deliveries(db: &Connection, seq: i64) -> Result<Vec<Delivery>, OutboxError> {
    let sql = "SELECT channel, state, tries, said, changed FROM deliveries WHERE seq = $1 ORDER BY channel";
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([seq], |row| {
        let state = match row.get::<_, i64>(1)? {
            0 => State::Waiting,
            1 => State::Sent,
            _ => State::Refused,
        };
        Ok(Delivery { channel: row.get(0)?, state, tries: row.get(2)?, said: row.get(3)?, changed: row.get(4)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
