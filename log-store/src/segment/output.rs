//! A file that is being written: beside its name first, and under it when all of it is on the disk.

use super::footer::Part;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The ending of files that are being written. Whoever owns a folder removes what a crash left of them.
pub(crate) const UNFINISHED: &str = "tmp";
/// Pages of the index have about a kilobyte: each by itself would be a call of the system's.
const BUFFER: usize = 64 << 10;

/// A file with an ending that says it is not whole; gone when this is dropped before it was renamed, and when
/// its bytes went elsewhere.
#[derive(Debug)]
pub(super) struct Output {
    file: BufWriter<File>,
    path: PathBuf,
    folder: PathBuf,
    offset: u64,
    renamed: bool,
}

impl Output {
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        // Counted, so that two writers of one process never share a file. A name that a crash left is written over.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = folder.join(format!("{:016x}.{UNFINISHED}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let file = BufWriter::with_capacity(BUFFER, File::create(&path)?);
        Ok(Self { file, path, folder: folder.to_owned(), offset: 0, renamed: false })
    }

    /// How many bytes were written.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn part(&mut self, bytes: &[u8]) -> io::Result<Part> {
        let part = Part { offset: self.offset, length: bytes.len() as u64, crc: crc32fast::hash(bytes) };
        self.write(bytes)?;
        Ok(part)
    }

    /// Where its bytes are until it has its name, all of them.
    pub(super) fn whole(&mut self) -> io::Result<&Path> {
        self.file.flush()?;
        Ok(&self.path)
    }

    /// Makes the bytes sure before the name, and then the name: so a file with a segment's name is whole, whatever happens.
    pub(super) fn rename(mut self, name: &str) -> io::Result<PathBuf> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let path = self.folder.join(name);
        fs::rename(&self.path, &path)?;
        self.renamed = true;
        sync_folder(&self.folder)?;
        Ok(path)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.renamed {
            // What cannot be removed is left to whoever opens the folder next.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes names in a folder sure.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only unix opens a folder as a file; elsewhere names are the system's own business.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
