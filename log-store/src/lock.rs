//! One writer a folder and partition.

use crate::error::{StoreError, StoreErrorKind};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// The lock on a folder's partition. It ends with this value, and with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(root: &Path, partition: u8) -> Result<Self, StoreError> {
        let path = root.join(format!("{partition}.lock"));
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|error| StoreError::io(&path, "open the lock", &error))?;
        lock(&file, &path)?;
        Ok(Self { _file: file })
    }
}

/// `flock`: the kernel's, so that no process can leave it behind; and of the opened file, so that a second store of the same
/// process is refused, too.
#[cfg(unix)]
fn lock(file: &File, path: &Path) -> Result<(), StoreError> {
    use rustix::fs::{FlockOperation, flock};
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::new(
            StoreErrorKind::Locked,
            "the folder has another writer; end it, or look on with a Reader",
        )
        .at(path)),
        Err(error) => Err(StoreError::io(path, "take the lock", &error.into())),
    }
}

/// Elsewhere whoever embeds the store sees to it that there is one writer: the standard library's lock needs Rust 1.89.
#[cfg(not(unix))]
fn lock(_: &File, _: &Path) -> Result<(), StoreError> {
    let _ = StoreErrorKind::Locked;
    Ok(())
}
