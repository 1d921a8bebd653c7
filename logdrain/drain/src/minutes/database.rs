//! The minutes in the database of a journal that nodes share.
//!
//! ```text
//! standing (p, position, removals)                     position: events of the partition up to it are in
//! names    (id, p, account, name)                      metrics
//! drains   (id, p, account, drain, bytes)              bytes: what its pieces take
//! pieces   (id, p, name, drain, level, hour, span, len, fresh, content)      as in the file
//! marks    (drain, hour, bits)
//! ```
//!
//! They are those of the [file](super::file), in a schema of their own. What has a `p` is written by the owner of that partition
//! alone, in steps that name its epoch: one that was stopped and wakes up writes nothing. A step is gathered here and written at
//! its end, on one way, so that nothing is locked while rows are added up.
//!
//! What all take is added up as it is written: the database tells the size of tables with what is free in them.

mod read;
#[cfg(all(test, unix))]
mod tests;
mod written;

pub(super) use read::reader;
pub(super) use written::{Database, Shelf};

use super::tables::TableError;
use crate::parts::Part;
use crate::sql::{Address, Db, Row, SqlError, Step, values};
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What a piece takes besides its bytes: its row and four entries of indexes.
const PIECE: u64 = 200;
/// Pieces of an account that one step removes.
const REMOVED: &str = "1000";

impl From<SqlError> for TableError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Fenced => Self::Fenced,
            SqlError::Away(why) | SqlError::Damaged(why) | SqlError::Words(why) => Self::Database(why),
        }
    }
}

/// A connection to the tables.
fn connection(address: &Address) -> Result<Db, SqlError> {
    Db::of_journal(address, "logdrain_minutes")
}

/// The connection of all keepers of a node. It is made when it is needed first.
#[derive(Debug)]
pub(super) struct Keepers {
    pub(super) address: Address,
    db: Mutex<Option<Db>>,
}

impl Keepers {
    pub(super) const fn new(address: Address) -> Self {
        Self { address, db: Mutex::new(None) }
    }

    fn step<T>(&self, work: impl FnOnce(&mut Step<'_>) -> Result<T, TableError>) -> Result<T, TableError> {
        let mut db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *db {
            Some(db) => db.step(work),
            None => db.insert(connection(&self.address)?).step(work),
        }
    }
}

fn number(row: &Row<'_>) -> Result<i64, SqlError> {
    row.get(0)
}

/// Removes all of an account, whichever partition it is in; if an `owner` does it, as long as it owns its partition. What was
/// removed when it took too long is gone.
pub(super) fn remove(
    db: &Keepers,
    account: &str,
    owner: Option<(Part, i64)>,
    until: Instant,
) -> Result<(), TableError> {
    const SOME: &str = "WITH gone AS (DELETE FROM pieces WHERE id IN (
            SELECT pieces.id FROM names JOIN pieces ON pieces.name = names.id WHERE names.account = $1
            LIMIT CAST(CAST($2 AS TEXT) AS BIGINT)) RETURNING 1)
        SELECT count(*) FROM gone";
    let account = &*clean(account);
    let may = |step: &mut Step<'_>| owner.map_or(Ok(()), |(part, epoch)| step.owns(part, epoch));
    let remove_some = |step: &mut Step<'_>| {
        may(step)?;
        Ok(step.one(SOME, values![account, REMOVED], number)?)
    };
    while db.step(remove_some)?.unwrap_or(0) > 0 {
        if Instant::now() > until {
            return Err(TableError::Database("it takes longer: come again".to_owned()));
        }
    }
    db.step(|step| {
        may(step)?;
        // Keepers that know numbers forget them; those that write just now come before this, or behind it.
        step.execute("UPDATE standing SET removals = removals + 1", values![])?;
        for sql in [
            "DELETE FROM pieces WHERE name IN (SELECT id FROM names WHERE account = $1)",
            "DELETE FROM marks WHERE drain IN (SELECT id FROM drains WHERE account = $1)",
            "DELETE FROM names WHERE account = $1",
            "DELETE FROM drains WHERE account = $1",
        ] {
            step.execute(sql, values![account])?;
        }
        Ok(())
    })
}

/// A text as the database takes it: one of its characters it does not have.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}").into() } else { text.into() }
}

/// Numbers as an array's text.
fn list(numbers: &[i64]) -> String {
    let all: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("{{{}}}", all.join(","))
}

/// Texts as an array's text.
fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<String> =
        texts.map(|text| format!("\"{}\"", clean(text).replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", all.join(","))
}
