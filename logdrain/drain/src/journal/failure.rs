//! Why the journal cannot be written or read.

use super::schema::SCHEMA;
use crate::parts::Part;
#[cfg(feature = "postgres")]
use crate::sql::{Elsewhere, LinkError};
use std::path::PathBuf;

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// What SQLite says.
#[derive(Debug)]
pub struct SqliteError(rusqlite::Error);

/// Why the journal cannot be written or read.
#[derive(Debug)]
pub enum StoreError {
    Sqlite(SqliteError),
    NotOurs(PathBuf),
    Newer {
        file: PathBuf,
        schema: i32,
    },
    /// Where it is, and why.
    NewerSnapshot(String, String),
    /// Snapshots cannot be looked at now, and why.
    SnapshotsAway(String),
    NoWal(String),
    Settings(String),
    CutOff(PathBuf),
    /// The file that is written is not the one that a start would find.
    Gone(PathBuf),
    /// The limit that was set is reached.
    LimitReached,
    /// What it holds contradicts itself.
    Broken(String),
    /// It is not the partition that is asked for, or one of another number of partitions.
    OtherPart {
        made: Part,
        asked: Part,
    },
    /// The spool holds deliveries of another journal.
    OtherSpool {
        file: PathBuf,
        deliveries: u64,
        place: String,
    },
    /// Something is wrong with the spool's file, and what.
    Spool(String),
    /// What was asked of the database before has not been answered.
    NoAnswer,
    /// The watermark is far behind what comes.
    #[cfg(feature = "postgres")]
    Early,
    /// It is in a database.
    #[cfg(feature = "postgres")]
    Elsewhere(Elsewhere),
    /// Another node writes it now, and this is what that one is called.
    #[cfg(feature = "postgres")]
    TakenOver(String),
}

impl StoreError {
    /// Whether the file itself is broken.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error) => is_damage(&error.0),
            Self::CutOff(_) | Self::Broken(_) => true,
            _ => false,
        }
    }

    /// Whether it is another one's now.
    pub const fn is_taken_over(&self) -> bool {
        #[cfg(feature = "postgres")]
        let is_it = matches!(self, Self::TakenOver(_));
        #[cfg(not(feature = "postgres"))]
        let is_it = false;
        is_it
    }

    pub fn is_full(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Elsewhere(error) => error.is_full,
            Self::Sqlite(SqliteError(error)) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::LimitReached => true,
            _ => false,
        }
    }

    /// Whether somebody else has the file for a moment.
    pub(super) fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        match self {
            Self::Sqlite(SqliteError(error)) => {
                matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
            }
            _ => false,
        }
    }

    /// Whether trying again cannot help.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::NotOurs(_)
            | Self::Newer { .. }
            | Self::NewerSnapshot(..)
            | Self::NoWal(_)
            | Self::OtherSpool { .. }
            | Self::OtherPart { .. } => true,
            #[cfg(feature = "postgres")]
            Self::Elsewhere(error) => error.is_final,
            _ => false,
        }
    }
}

#[cfg(feature = "postgres")]
impl StoreError {
    pub(super) const fn elsewhere(why: String) -> Self {
        Self::Elsewhere(Elsewhere::new(why))
    }
}

#[cfg(feature = "postgres")]
impl From<LinkError> for StoreError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Elsewhere(error) => Self::Elsewhere(error),
            LinkError::TakenOver(by) => Self::TakenOver(by),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(SqliteError(error))
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use rusqlite::ErrorCode as Code;
        match self {
            Self::Sqlite(SqliteError(error)) => match error.sqlite_error_code() {
                Some(Code::DiskFull) => f.write_str("the disk is full: make room, or lower the retention"),
                Some(Code::ReadOnly) => {
                    f.write_str("the store cannot be written: its disk or its files are read-only, or of another user")
                }
                Some(Code::SystemIoFailure) => {
                    write!(f, "the disk reports an error ({error}): look at the system's log")
                }
                Some(Code::CannotOpen) => write!(f, "the store cannot be opened ({error}): look at its folder"),
                Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                    write!(f, "the store is damaged ({error}): `logdrain doctor` says where")
                }
                _ => write!(f, "{error}"),
            },
            Self::NotOurs(file) => write!(f, "{}: is a database of something else", file.display()),
            Self::Newer { file, schema } => write!(
                f,
                "{}: was written by a later version (schema {schema}, this one knows {SCHEMA}); use that one",
                file.display()
            ),
            Self::NewerSnapshot(place, why) => {
                write!(f, "{place}: was written by a later version ({why}); use that one")
            }
            Self::SnapshotsAway(why) => {
                write!(f, "snapshots cannot be read ({why}), and without them minutes would be incomplete")
            }
            Self::NoWal(mode) => {
                write!(f, "the store cannot keep a write-ahead log here (it offers {mode}): use a local disk")
            }
            Self::CutOff(file) => write!(f, "{}: is cut off: it is shorter than it says", file.display()),
            Self::Gone(file) => write!(
                f,
                "{}: was deleted or replaced while it was in use, and what is kept in it now would be lost: put it back, or \
                 start again",
                file.display()
            ),
            Self::LimitReached => f.write_str(
                "journal_limit is reached by the write-ahead file, which somebody's long look at the store keeps from being \
                 folded in: end that, or raise the limit",
            ),
            Self::Broken(why) => write!(f, "the store is damaged ({why}): `logdrain doctor` says where"),
            Self::OtherPart { made, asked } => write!(
                f,
                "the journal was made as {made} and cannot be {asked}: drains stay where they are, and so the number of \
                 partitions is fixed when a store is made"
            ),
            Self::OtherSpool { file, deliveries, place } => write!(
                f,
                "{}: holds {deliveries} deliveries that wait for the journal at {place}, which is another one than this: name \
                 that one until they are in it, or move the file away",
                file.display()
            ),
            Self::Spool(why) => f.write_str(why),
            Self::NoAnswer => f.write_str("the database has not answered for a second"),
            #[cfg(feature = "postgres")]
            Self::Early => f.write_str(
                "minutes of a partition are not closed, since no node counts it or one has older deliveries: what comes now \
                 is too far ahead",
            ),
            #[cfg(feature = "postgres")]
            Self::Elsewhere(error) => f.write_str(error.why()),
            #[cfg(feature = "postgres")]
            Self::TakenOver(by) => write!(f, "another logdrain writes this journal now ({by})"),
            Self::Settings(why) => write!(f, "the settings cannot be written: {why}"),
        }
    }
}
