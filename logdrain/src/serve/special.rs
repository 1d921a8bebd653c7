//! Pipes, sockets and devices where the store has files: opening one may wait for ever.

use std::fs;
use std::path::{Path, PathBuf};

/// Files of a store begin like that.
const FILES: [&str; 6] = ["journal.", "lock", "minutes.", "outbox.", "settings.", "spool."];
/// Folders in which every file is the store's.
const FOLDERS: [&str; 4] = ["snapshots", "logs", "logs-state", "rules-state"];

/// The first of a store's files that is none. Nothing is opened; what a link leads to counts, and what cannot be looked at is
/// told by whoever opens it.
pub(crate) fn found(dir: &Path) -> Option<PathBuf> {
    let is_special = |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    let entries = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten();
    let ours = entries(dir.to_owned())
        .filter(|entry| FILES.iter().any(|begin| entry.file_name().to_string_lossy().starts_with(begin)));
    ours.chain(FOLDERS.iter().flat_map(|folder| entries(dir.join(folder))))
        .map(|entry| entry.path())
        .find(|path| is_special(path))
}

/// What is said of one.
pub(crate) fn words(path: &Path) -> String {
    format!("{}: is a pipe, a socket or a device where the store has a file; move it away", path.display())
}
