//! The archives of all partitions: one board each. An account's are of one partition.

use super::board::{Board, Shown};
#[cfg(all(feature = "s3", feature = "postgres"))]
use super::catalog::sweep;
use crate::parts::{Part, Parts};
#[cfg(all(feature = "s3", feature = "postgres"))]
use std::io;
use std::path::Path;
#[cfg(all(feature = "s3", feature = "postgres"))]
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Boards {
    parts: Parts,
    all: Arc<[Board]>,
}

impl Boards {
    /// Of partitions that nodes share: a node has those of which it takes the archives over.
    pub fn new(parts: Parts) -> Self {
        Self { parts, all: parts.each().map(|_| Board::default()).collect() }
    }

    /// Of a single server, below its store.
    pub fn of_store(store: &Path) -> Self {
        Self { parts: Parts::ONE, all: Arc::new([Board::new(store)]) }
    }

    /// Removes what a node that ended left on its own disk of hours that never were whole, where they are files in a bucket. `of`
    /// says where the folder of a partition is.
    ///
    /// # Errors
    /// When something cannot be removed.
    #[cfg(all(feature = "s3", feature = "postgres"))]
    pub fn sweep(&self, of: impl Fn(Part) -> PathBuf) -> io::Result<()> {
        self.parts.each().try_for_each(|part| sweep(&of(part)))
    }

    /// That of a partition.
    pub fn of(&self, part: Part) -> &Board {
        // There is one for each.
        &self.all[usize::from(part.number())]
    }

    pub fn of_account(&self, account: &str) -> &Board {
        self.of(self.parts.of(account))
    }

    /// Bytes of all that are here.
    pub fn bytes(&self) -> u64 {
        self.all.iter().map(Board::bytes).sum()
    }

    /// All of them together; a trouble is that of one of them.
    pub fn shown(&self) -> Shown {
        let shown = self.all.iter().map(Board::shown);
        shown.fold(Shown::default(), |all, one| Shown {
            written: all.written + one.written,
            lines: all.lines + one.lines,
            expired: all.expired + one.expired,
            removed: all.removed + one.removed,
            trouble: all.trouble.or(one.trouble),
        })
    }
}
