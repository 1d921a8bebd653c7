//! What can go wrong in a store.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A store could not do what it was asked: what, with which file, and why.
pub struct StoreError {
    kind: StoreErrorKind,
    path: Option<PathBuf>,
    said: String,
}

/// In which way a store failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The folder has another writer.
    Locked,
    /// A file or folder cannot be read or written.
    Io(io::ErrorKind),
    /// The options contradict each other.
    Options,
    /// The account's name is none: `[a-z0-9-]`, 1 to 63 bytes, and not `shared`.
    Account,
    /// There are as many accounts as the options allow.
    Accounts,
    /// The id is not above the last one of its account, or not above what was published.
    Order,
    /// The message is longer than 1 MiB.
    Length,
    /// A segment that was to be merged is damaged; it stays as it is.
    Damage,
}

impl StoreError {
    pub(crate) fn new(kind: StoreErrorKind, said: impl Into<String>) -> Self {
        Self { kind, path: None, said: said.into() }
    }

    pub(crate) fn io(path: &Path, doing: &str, error: &io::Error) -> Self {
        Self { kind: StoreErrorKind::Io(error.kind()), path: Some(path.to_owned()), said: format!("{doing}: {error}") }
    }

    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// In which way.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.said)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreError({:?}: {self})", self.kind)
    }
}

impl std::error::Error for StoreError {}
