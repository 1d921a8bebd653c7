//! A few ways to the database, and what it says in the words of files.

use crate::sql::{Address, Db, SqlError, Step};
use std::fmt;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many a tier has: who reads need not wait for who writes.
pub(super) const CONNECTIONS: usize = 2;
/// How long one waits for one.
const TURN: Duration = Duration::from_secs(10);
/// All of a step is answered by then.
const ANSWER: Duration = Duration::from_secs(15);

/// Whether an error says that another node has the partition: whoever asked is its owner no more, and trying again does not help.
pub fn is_fenced(error: &io::Error) -> bool {
    let sql = error.get_ref().and_then(|inner| inner.downcast_ref::<SqlError>());
    sql.is_some_and(|error| *error == SqlError::Fenced)
}

pub(super) fn of_sql(error: SqlError) -> io::Error {
    let kind = match &error {
        SqlError::Damaged(_) => io::ErrorKind::InvalidData,
        SqlError::Away(_) | SqlError::Words(_) | SqlError::Fenced => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

pub(super) struct Connections {
    address: Address,
    state: Mutex<State>,
    is_back: Condvar,
}

#[derive(Default)]
struct State {
    free: Vec<Db>,
    lent: usize,
}

impl Connections {
    pub(super) fn new(address: &Address) -> Self {
        Self { address: address.clone(), state: Mutex::default(), is_back: Condvar::new() }
    }

    /// One transaction, on one of them.
    pub(super) fn step<T>(&self, work: impl FnOnce(&mut Step<'_>) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let mut lent = self.lend()?;
        match &mut lent.db {
            Some(db) => db.step_within(ANSWER, work),
            None => lent.db.insert(Db::of_journal(&self.address, "logdrain")?).step_within(ANSWER, work),
        }
    }

    fn lend(&self) -> Result<Lent<'_>, SqlError> {
        let until = Instant::now() + TURN;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.lent >= CONNECTIONS {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(SqlError::Away(format!("{}: others wait for the database already", self.address)));
            }
            state = self.is_back.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.lent += 1;
        let db = state.free.pop();
        Ok(Lent { of: self, db })
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections({})", self.address)
    }
}

/// One that comes back when it is dropped.
struct Lent<'a> {
    of: &'a Connections,
    db: Option<Db>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lent -= 1;
        state.free.extend(self.db.take());
        drop(state);
        self.of.is_back.notify_one();
    }
}
