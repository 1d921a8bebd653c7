//! Whether the files that are written are those that the next start will find.
//!
//! A file that was deleted, or whose folder was moved away, can be written on: what is acknowledged then is gone with the
//! process. So each commit looks at the files' numbers, before it and before it is answered.

use super::failure::StoreError;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Files {
    files: [PathBuf; 2],
    numbers: [Option<(u64, u64)>; 2],
}

impl Files {
    /// Of a journal that is open; its write-ahead file is there from the first read on.
    pub(super) fn of(journal: &Path) -> Self {
        let mut wal = journal.as_os_str().to_owned();
        wal.push("-wal");
        let files = [journal.to_owned(), wal.into()];
        let numbers = [number(&files[0]), number(&files[1])];
        Self { files, numbers }
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        for (file, known) in self.files.iter().zip(&self.numbers) {
            if known.is_some() && number(file) != *known {
                return Err(StoreError::Gone(file.clone()));
            }
        }
        Ok(())
    }

    /// How long the write-ahead file is.
    pub(super) fn wal(&self) -> u64 {
        std::fs::metadata(&self.files[1]).map_or(0, |meta| meta.len())
    }
}

#[cfg(unix)]
fn number(file: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(file).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Elsewhere an open file cannot be deleted.
#[cfg(not(unix))]
fn number(_: &Path) -> Option<(u64, u64)> {
    None
}
