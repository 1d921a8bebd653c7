//! Why the journal cannot be written or read.

use super::schema::SCHEMA;
use std::path::PathBuf;

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Why the journal cannot be written or read.
#[derive(Debug)]
pub(crate) enum StoreError {
    Sqlite(rusqlite::Error),
    NotOurs(PathBuf),
    Newer {
        file: PathBuf,
        schema: i32,
    },
    NewerSnapshot(PathBuf, String),
    NoWal(String),
    Settings(String),
    CutOff(PathBuf),
    /// The file that is written is not the one that a start would find.
    Gone(PathBuf),
    /// The limit that was set is reached.
    LimitReached,
    /// What it holds contradicts itself.
    Broken(String),
}

impl StoreError {
    /// Whether the file itself is broken.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error) => is_damage(error),
            Self::CutOff(_) | Self::Broken(_) => true,
            _ => false,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::LimitReached => true,
            _ => false,
        }
    }

    /// Whether trying again cannot help.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::NotOurs(_) | Self::Newer { .. } | Self::NewerSnapshot(..) | Self::NoWal(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use rusqlite::ErrorCode as Code;
        match self {
            Self::Sqlite(error) => match error.sqlite_error_code() {
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
            Self::NewerSnapshot(file, why) => {
                write!(f, "{}: was written by a later version ({why}); use that one", file.display())
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
            Self::Settings(why) => write!(f, "the settings cannot be written: {why}"),
        }
    }
}
