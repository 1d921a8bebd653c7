//! A file that is read at any offset by any number of threads at once.

use std::fs::File;
use std::io;
use std::path::Path;

/// A file that is read by offset.
#[derive(Debug)]
pub(super) struct ReadAt {
    #[cfg(unix)]
    file: File,
    /// Without a read at an offset, two readers would move each other's position: they take turns.
    #[cfg(not(unix))]
    file: std::sync::Mutex<File>,
    length: u64,
}

impl ReadAt {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        #[cfg(not(unix))]
        let file = std::sync::Mutex::new(file);
        Ok(Self { file, length })
    }

    /// Its length when it was opened. Segments do not change.
    pub(super) const fn len(&self) -> u64 {
        self.length
    }

    #[cfg(unix)]
    pub(super) fn read(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, out, offset)
    }

    #[cfg(not(unix))]
    pub(super) fn read(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        // A thread that panicked with the lock left the position anywhere, which the next seek repairs.
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(out)
    }

    /// Reads `length` bytes into `out`, in place of what it held. Memory is taken only for what the file can hold.
    pub(super) fn read_into(&self, out: &mut Vec<u8>, offset: u64, length: usize) -> io::Result<()> {
        if offset.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // What is left in it is read over: only what it grows by is zeroed.
        out.resize(length, 0);
        self.read(out, offset)
    }
}
