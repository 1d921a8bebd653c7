//! What the keeper and whoever asks need of the place where minutes lie, whichever it is: the file of a single server, or the
//! database that nodes share.
//!
//! Pieces of one metric and drain are written by one keeper alone, and each gets a higher number than those before it.

use super::MinutesError;
use super::{Keeping, block};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Small pieces of an hour that is not over are put together when there are so many.
pub(super) const MANY: i64 = 12;
/// How much one step puts together.
pub(super) const GROUPS: i64 = 16;
/// Pieces that one step deletes.
pub(super) const SOME: i64 = 256;

/// Why the minutes cannot be read or written.
#[derive(Debug)]
pub enum TableError {
    Sqlite(rusqlite::Error),
    /// No file of ours is left without a byte, but by who was killed while he made it.
    Empty,
    /// It is of a later version, or somebody else's.
    Foreign(String),
    /// The database does not do it now.
    Database(String),
    /// Another node has the partition.
    Fenced,
}

impl From<rusqlite::Error> for TableError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Empty => f.write_str("it is empty"),
            Self::Foreign(why) | Self::Database(why) => f.write_str(why),
            Self::Fenced => f.write_str("another node has the partition now"),
        }
    }
}

impl TableError {
    /// What was written is not what is read: waiting does not help.
    pub(super) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Sqlite(error) => matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)),
            Self::Empty => true,
            Self::Foreign(_) | Self::Database(_) | Self::Fenced => false,
        }
    }

    /// Somebody else writes them now, and whatever is tried again is refused.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::Fenced)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Named {
    Metric,
    Drain,
}

/// Whether the levels above have what is in a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fresh {
    Not = 0,
    /// It was put together from others, and is not to be for its own sake.
    Joined = 1,
    AsItCame = 2,
}

/// Where a piece belongs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    pub name: i64,
    pub drain: i64,
    pub level: i64,
    pub hour: i64,
    pub span: i64,
    pub len: i64,
}

/// Pieces that are put together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub name: i64,
    pub drain: i64,
    pub level: i64,
    pub from: i64,
    pub to: i64,
}

/// What there is of them on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    pub bytes: u64,
    pub count: u64,
    /// The number of the last one.
    pub last: i64,
}

/// What was done about what is kept no longer.
#[derive(Clone, Copy, Default, Debug)]
pub struct Forgot {
    /// There is more of it.
    pub is_more: bool,
    /// Numbers may not be there any more.
    pub names: bool,
}

/// A name, and the account that it is of.
pub(super) type OfAccount = (Arc<str>, Arc<str>);

/// Shown a piece: its number, its hour, how long its windows are, and what it holds.
pub(super) type ShowStored<'a> = dyn FnMut((i64, i64, i64), &[u8]) + 'a;
/// Shown a piece: its drain, its hour, how long its windows are, and what it holds.
pub(super) type ShowPiece<'a> = dyn FnMut((i64, i64, i64), &[u8]) -> Result<(), MinutesError> + 'a;
/// Shown the drain of a piece, and what it holds; whoever has seen enough says so.
pub(super) type ShowNewest<'a> = dyn FnMut(i64, &[u8]) -> Result<ControlFlow<()>, MinutesError> + 'a;

/// Where minutes are written. What is between `begin` and `end` is done as a whole or not at all.
pub trait Tables: Sized {
    /// Where they are.
    type At: fmt::Debug;

    fn open(at: &Self::At) -> Result<Self, TableError>;

    /// Puts what is damaged out of the way; answers where it is now.
    fn set_aside(at: &Self::At, second: i64) -> std::io::Result<String>;

    fn begin(&mut self) -> Result<(), TableError>;

    /// Makes the step durable, or takes it back.
    fn end(&mut self, is_well: bool) -> Result<(), TableError>;

    /// The numbers of metrics or drains, made where there are none.
    fn number(&mut self, of: Named, all: &[OfAccount]) -> Result<Vec<i64>, TableError>;

    fn insert(&mut self, place: Place, fresh: Fresh, content: Vec<u8>) -> Result<(), TableError>;

    /// A drain was heard in these minutes of an hour.
    fn mark(&mut self, drain: i64, hour: i64, bits: i64) -> Result<(), TableError>;

    /// Everything up to this event is there.
    fn stand(&mut self, position: i64) -> Result<(), TableError>;

    /// Metrics, drains and hours whose pieces are to be put together: of hours before this one, or as there are many.
    fn fresh(&mut self, below: i64) -> Result<Vec<(i64, i64, i64)>, TableError>;

    /// Metrics, drains, levels and days before this hour whose pieces are of hours still.
    fn days(&mut self, over: i64) -> Result<Vec<(i64, i64, i64, i64)>, TableError>;

    fn stored(&mut self, group: Group) -> Result<Stored, TableError>;

    /// Shows the pieces of a group in the order in which they were written.
    fn pieces(&mut self, group: Group, stored: Stored, show: &mut ShowStored<'_>) -> Result<(), TableError>;

    /// Removes what there was of a group.
    fn remove_stored(&mut self, group: Group, stored: Stored) -> Result<(), TableError>;

    /// Removes what was added up of an hour.
    fn remove_above(&mut self, name: i64, hour: i64, drain: i64) -> Result<(), TableError>;

    /// Deletes some of what is kept no longer.
    fn forget(&mut self, now: i64, keeping: &Keeping) -> Result<Forgot, TableError>;

    /// What all minutes take.
    fn bytes(&mut self) -> Result<u64, TableError>;

    /// Whose minutes take most.
    fn largest(&mut self) -> Result<Option<String>, TableError>;

    /// Deletes some of an account: minutes while there are any, then quarters, then hours. `false` when there was nothing.
    fn shorten(&mut self, account: &str) -> Result<bool, TableError>;

    /// Deletes all that is kept of an account.
    fn remove(&mut self, account: &str) -> Result<(), TableError>;

    /// Nothing more comes.
    fn close(&mut self);
}

/// Where minutes are read.
pub(super) trait Lookup {
    /// The drains of an account, and their numbers.
    fn drains(&self, account: &str) -> Result<Vec<(String, i64)>, MinutesError>;

    /// The numbers of a metric: each partition has its own.
    fn called(&self, account: &str, name: &str) -> Result<Vec<i64>, MinutesError>;

    /// Shows metrics of an account by their names, with a number of each, if they are wanted, and are seen by who sees these
    /// drains; `None` is all of them.
    fn names(
        &self,
        account: &str,
        drains: Option<&[i64]>,
        is_it: &mut dyn FnMut(&str) -> Result<bool, MinutesError>,
        show: &mut dyn FnMut(i64, String) -> Result<(), MinutesError>,
    ) -> Result<(), MinutesError>;

    /// Whether there is anything of a metric, in these drains.
    fn has(&self, account: &str, name: &str, drains: Option<&[i64]>) -> Result<bool, MinutesError>;

    /// Every hour that has something fresh.
    fn fresh_hours(&self, names: &[i64], from: i64, to: i64) -> Result<BTreeSet<i64>, MinutesError>;

    /// Shows the pieces of some hours, of each metric the last written first.
    fn pieces(
        &self,
        names: &[i64],
        level: i64,
        hours: (i64, i64),
        show: &mut ShowPiece<'_>,
    ) -> Result<(), MinutesError>;

    /// Shows the pieces of some levels since an hour, of each metric the last written first, and so many of them at most.
    fn newest(
        &self,
        names: &[i64],
        levels: &[i64],
        since: i64,
        most: i64,
        show: &mut ShowNewest<'_>,
    ) -> Result<(), MinutesError>;

    /// Shows the minutes of each hour in which drains were heard, as bits.
    fn marks(&self, drains: &[i64], hours: (i64, i64), show: &mut dyn FnMut(i64, i64, i64))
    -> Result<(), MinutesError>;

    /// The oldest hour, and the end of the newest.
    fn hours(&self, account: &str) -> Result<Option<(i64, i64)>, MinutesError>;

    /// Before which time, in microseconds, all windows of an account are closed, where the place knows it better than this
    /// server.
    fn closed(&self, account: &str) -> Result<Option<i64>, MinutesError>;
}

/// A block again; what is damaged is told, and left out.
pub(super) fn unpacked(piece: i64, hour: i64, content: &[u8]) -> Option<Vec<u8>> {
    let block = block::unpack(content);
    if block.is_none() {
        tracing::error!(piece, hour, "a piece of the minutes is damaged and left out");
    }
    block
}
