//! One SQL for two engines: a file of SQLite, which a single server has, and the database of the journal, which nodes share.
//!
//! What is asked is what both speak, with its values as `$1`, `$2`. Everything is asked in a [step](Db::step), which is a
//! transaction: all of it is done or nothing. Calls wait, for the disk or for the database, and may be made on any thread.
//!
//! Between the statements of a step nothing may take long: a step that says nothing for a second is over at the database, since
//! others may wait for what it has locked.

#[cfg(feature = "postgres")]
mod address;
#[cfg(feature = "postgres")]
mod database;
#[cfg(feature = "postgres")]
mod failure;
mod file;
#[cfg(feature = "postgres")]
mod link;
mod row;
#[cfg(feature = "postgres")]
mod tls;
mod value;

#[cfg(test)]
mod tests;

#[cfg(feature = "postgres")]
pub use address::Address;
#[cfg(feature = "postgres")]
pub use failure::Elsewhere;
#[cfg(feature = "postgres")]
pub(crate) use failure::LinkError;
#[cfg(feature = "postgres")]
pub(crate) use link::{Link, Open};
pub use row::Row;
pub use value::{FromRow, Value};

use crate::parts::Part;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::fmt;
use std::time::{Duration, Instant};

#[cfg(feature = "postgres")]
use database::Database;

/// Whoever owns a partition may go on saying so meanwhile; who wants to take it waits.
const OWNED: &str = "SELECT epoch FROM logdrain.leases WHERE p = $1 FOR KEY SHARE";

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SqlError {
    /// It cannot be asked now, or did not answer: trying again may help. When that happened at the end of a step, nobody can say
    /// whether it was done.
    Away(String),
    /// What it holds is not what was written.
    Damaged(String),
    /// It refuses what is asked, and why.
    Words(String),
    /// Another node owns the partition.
    Fenced,
}

/// In words that hold no password.
impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) | Self::Damaged(why) | Self::Words(why) => f.write_str(why),
            Self::Fenced => f.write_str("another node has the partition now"),
        }
    }
}

impl std::error::Error for SqlError {}

/// A statement's values, `$1` first.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::Value::from($value)),*] };
}
pub(crate) use values;

/// One connection.
pub struct Db(Engine);

enum Engine {
    File(Connection),
    #[cfg(feature = "postgres")]
    Journal(Database),
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Engine::File(db) => f.debug_tuple("File").field(&db.path()).finish(),
            #[cfg(feature = "postgres")]
            Engine::Journal(db) => db.fmt(f),
        }
    }
}

impl Db {
    /// A file of SQLite that was opened.
    pub const fn of_file(db: Connection) -> Self {
        Self(Engine::File(db))
    }

    /// The database of the journal, whose tables are there. Tables that are named without
    /// a schema are those of this one. It is not connected yet.
    ///
    /// # Errors
    /// When no connection can be made at all.
    #[cfg(feature = "postgres")]
    pub fn of_journal(address: &Address, schema: &'static str) -> Result<Self, SqlError> {
        Database::new(address, schema).map(|db| Self(Engine::Journal(db)))
    }

    /// One transaction. What `work` did is durable when this returns; when it fails, nothing of it is there.
    ///
    /// # Errors
    /// Those of `work`, and when it cannot be made durable.
    pub fn step<T, E: From<SqlError>>(&mut self, work: impl FnOnce(&mut Step<'_>) -> Result<T, E>) -> Result<T, E> {
        self.step_until(None, work)
    }

    /// The same, for whoever cannot wait: a database that has not answered after so long is as one that is away. A file has no
    /// such bound.
    ///
    /// # Errors
    /// Those of `work`, and when it cannot be made durable, or not in time.
    pub fn step_within<T, E: From<SqlError>>(
        &mut self,
        time: Duration,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.step_until(Some(Instant::now() + time), work)
    }

    fn step_until<T, E: From<SqlError>>(
        &mut self,
        until: Option<Instant>,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match &mut self.0 {
            Engine::File(db) => {
                // There is nobody on another machine to wait for.
                let _: Option<Instant> = until;
                let transaction = Transaction::new_unchecked(db, TransactionBehavior::Deferred);
                let transaction = transaction.map_err(|error| file::said(db, &error))?;
                let done = work(&mut Step(Doing::File(&transaction)))?;
                transaction.commit().map_err(|error| file::said(db, &error))?;
                Ok(done)
            }
            #[cfg(feature = "postgres")]
            Engine::Journal(db) => {
                let mut step = Step(Doing::Journal(db.begin(until)));
                let done = work(&mut step)?;
                if let Doing::Journal(step) = step.0 {
                    step.commit()?;
                }
                Ok(done)
            }
        }
    }
}

/// A transaction that is not at its end. Behind a statement that failed there is nothing more to be asked in it.
#[derive(Debug)]
pub struct Step<'a>(Doing<'a>);

#[derive(Debug)]
enum Doing<'a> {
    File(&'a Transaction<'a>),
    #[cfg(feature = "postgres")]
    Journal(database::Step<'a>),
}

impl Step<'_> {
    /// Changes something; answers how many rows were.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, SqlError> {
        self.execute_each(sql, &[values])
    }

    /// The same statement for each of these values, one after the other, on one way to the database.
    ///
    /// # Errors
    /// When one of them cannot be done.
    pub fn execute_each<'v>(&mut self, sql: &'static str, all: &[impl AsRef<[Value<'v>]>]) -> Result<u64, SqlError> {
        match &mut self.0 {
            Doing::File(db) => file::execute(db, sql, all),
            #[cfg(feature = "postgres")]
            Doing::Journal(db) => db.execute(sql, all),
        }
    }

    /// All rows of an answer: whoever asks says how many there may be.
    ///
    /// # Errors
    /// When it cannot be asked, and those of `read`.
    pub fn rows<T, E: From<SqlError>>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        match &mut self.0 {
            Doing::File(db) => file::rows(db, sql, values, read),
            #[cfg(feature = "postgres")]
            Doing::Journal(db) => db.rows(sql, values, read),
        }
    }

    /// The first row of an answer, or the only one; `None` if there is none.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn one<T, E: From<SqlError>>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        Ok(self.rows(sql, values, read)?.into_iter().next())
    }

    /// Goes on only for the node that took a partition at this epoch: until the step is over nobody else takes it. A file has
    /// one server, and nothing to be looked at.
    ///
    /// # Errors
    /// [`SqlError::Fenced`] when it was taken since, and when it cannot be asked.
    pub fn owns(&mut self, part: Part, epoch: i64) -> Result<(), SqlError> {
        let has_owners = match &self.0 {
            Doing::File(_) => false,
            #[cfg(feature = "postgres")]
            Doing::Journal(_) => true,
        };
        let is_its = |owned: Option<i64>| owned == Some(epoch);
        match !has_owners || is_its(self.one(OWNED, values![i32::from(part.number())], |row| row.get(0))?) {
            true => Ok(()),
            false => Err(SqlError::Fenced),
        }
    }
}
