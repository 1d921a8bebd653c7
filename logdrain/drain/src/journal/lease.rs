//! One program for one store: what is held is released when the process ends, however that ends.

use super::failure::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another program is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A store that nobody else may use.
#[derive(Debug)]
pub struct Lease {
    /// What earlier versions look at.
    _file: Connection,
    /// The folder itself, which no one can delete by mistake without deleting the store.
    _folder: Option<File>,
}

/// Why a store is not held.
#[derive(Debug)]
pub enum NotHeld {
    /// Another program has it.
    Taken,
    Failed(StoreError),
}

/// Takes a store, and waits a moment for who looks at it.
///
/// # Errors
/// When another program has it, or its disk does not let it be taken.
pub fn hold(dir: &Path) -> Result<Lease, NotHeld> {
    let began = Instant::now();
    let folder = loop {
        match lock_folder(dir) {
            Folder::Locked(folder) => break Some(folder),
            Folder::Unsupported => break None,
            // `doctor` may look at it just now.
            Folder::Taken if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
            Folder::Taken => return Err(NotHeld::Taken),
        }
    };
    let path = dir.join("lock");
    let take = || {
        let lock = Connection::open(&path)?;
        lock.busy_timeout(PATIENCE)?;
        lock.execute_batch("PRAGMA journal_mode = memory; BEGIN EXCLUSIVE")?;
        Ok(lock)
    };
    let file =
        take().map_err(
            |error: rusqlite::Error| {
                if is_busy(&error) { NotHeld::Taken } else { NotHeld::Failed(StoreError::from(error)) }
            },
        )?;
    Ok(Lease { _file: file, _folder: folder })
}

/// Whether a server uses the store now.
pub fn is_held(dir: &Path) -> bool {
    if matches!(lock_folder(dir), Folder::Taken) {
        return true;
    }
    let path = dir.join("lock");
    // A disk that is full or read-only is no server.
    path.exists()
        && Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|lock| lock.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())))
            .is_err_and(|error| is_busy(&error))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

enum Folder {
    Locked(File),
    Taken,
    /// On this file system folders cannot be locked.
    Unsupported,
}

#[cfg(unix)]
fn lock_folder(dir: &Path) -> Folder {
    use rustix::fs::{FlockOperation, flock};
    let Ok(folder) = File::open(dir) else { return Folder::Unsupported };
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Folder::Locked(folder),
        Err(rustix::io::Errno::WOULDBLOCK) => Folder::Taken,
        Err(_) => Folder::Unsupported,
    }
}

#[cfg(not(unix))]
fn lock_folder(_: &Path) -> Folder {
    Folder::Unsupported
}
