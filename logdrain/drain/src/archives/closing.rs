//! When all lines below an id are in, and none can come any more.

use crate::journal::Progress;
#[cfg(feature = "postgres")]
use crate::parts::Part;
#[cfg(feature = "postgres")]
use crate::sql::{Db, SqlError, values};
use log_store::EventId;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
#[cfg(feature = "postgres")]
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sees to it that lines get no id below one any more.
pub trait Closing: fmt::Debug + Send {
    /// From now on none gets an id below this one. Answers the last event of the journal that may have one; `None` as long as
    /// that is not known.
    ///
    /// # Errors
    /// Why it cannot be seen to now.
    fn close(&mut self, below: EventId) -> Result<Option<u64>, String>;
}

/// Between the moment since which no id below the hour's end is given, and the look at how far the journal is: for a commit
/// that was on its way.
const SETTLE: Duration = Duration::from_secs(2);

/// Of a server that writes the journal itself.
#[derive(Debug)]
pub struct Own {
    progress: Arc<Progress>,
    /// No id below this one is given any more,
    below: EventId,
    /// since then.
    since: Option<Instant>,
    /// Where the journal stood when that was sure.
    head: Option<u64>,
}

impl Own {
    pub fn new(progress: Arc<Progress>) -> Self {
        Self { progress, below: EventId::new(0), since: None, head: None }
    }
}

impl Closing for Own {
    fn close(&mut self, below: EventId) -> Result<Option<u64>, String> {
        if self.below < below {
            // From here on the journal gives higher ids alone, whatever its clock does.
            self.progress.taken_id.fetch_max(below.get().saturating_sub(1), Ordering::AcqRel);
            (self.below, self.since, self.head) = (below, Some(Instant::now()), None);
        }
        if self.since.is_none_or(|since| since.elapsed() < SETTLE) {
            return Ok(None);
        }
        Ok(Some(*self.head.get_or_insert_with(|| self.progress.head.load(Ordering::Acquire))))
    }
}

/// Of nodes, any of which may give the next id: the database keeps the last one of each partition.
#[cfg(feature = "postgres")]
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<Db>>);

#[cfg(feature = "postgres")]
impl Shared {
    /// By a connection to the database, which all partitions of a node have in common.
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Mutex::new(db)))
    }

    /// Of a partition. Who was its owner and does not know yet may close ids, too: their hours are over all the same.
    pub fn of(&self, part: Part) -> OfPart {
        OfPart { db: self.clone(), part }
    }
}

#[cfg(feature = "postgres")]
#[derive(Debug)]
pub struct OfPart {
    db: Shared,
    part: Part,
}

#[cfg(feature = "postgres")]
impl Closing for OfPart {
    fn close(&mut self, below: EventId) -> Result<Option<u64>, String> {
        let (p, last) =
            (i32::from(self.part.number()), i64::try_from(below.get().saturating_sub(1)).unwrap_or(i64::MAX));
        let mut db = self.db.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever appends holds the row, reads the last id in it, and gives those behind: what was appended before is seen here.
        let head = db.step(|step| {
            step.execute("UPDATE part SET last_id = $2 WHERE p = $1 AND last_id < $2", values![p, last])?;
            step.one::<u64, SqlError>("SELECT head FROM part WHERE p = $1", values![p], |row| row.get(0))
        });
        head.map_err(|error| format!("no end of an hour can be told to the journal: {error}"))
    }
}
