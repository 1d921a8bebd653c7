//! Where the archives of a partition lie, as those see it who list, read, write and remove them.

use log_archive::Period;
use log_store::Damage;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An hour that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Archive {
    pub hour: Period,
    pub bytes: u64,
    /// When it was written, in nanoseconds since 1970: what is written again may come to as many bytes. 0 where nobody says it.
    pub written: u64,
}

/// What lies there is changed by the owner of a partition alone, in steps that are seen whole or not at all. Lists are of his:
/// for another reason nothing is missing in them. Whoever calls waits for a disk or a network, for a time that has an end.
pub(super) trait Shelf: fmt::Debug + Send + Sync {
    /// Sees that it is there, and this owner's still.
    fn check(&self) -> io::Result<()>;

    /// Whether lines that cannot be read now will be soon, however long it takes: they lie in a bucket, as archives do here.
    fn passes(&self, _: &Damage) -> bool {
        false
    }

    /// The accounts that have archives, with the end of the newest hour of each, in microseconds since 1970; 0 if it has none.
    /// Removes what a writer that was killed left behind.
    fn look(&self) -> io::Result<BTreeMap<Box<str>, i64>>;

    /// Hours of an account, oldest first and at most so many: those that end behind one time and begin before another, in
    /// microseconds since 1970.
    fn hours(&self, account: &str, time: &Range<i64>, most: usize) -> io::Result<Vec<Archive>>;

    /// The bytes of all hours of an account, and the oldest one.
    fn held(&self, account: &str) -> io::Result<(u64, Option<Archive>)>;

    /// What an hour is called where it lies, to be told.
    fn name(&self, account: &str, hour: Period) -> String;

    /// Opens an hour.
    ///
    /// # Errors
    /// `NotFound` when there is none; else what may pass.
    fn open(&self, account: &str, hour: Period) -> io::Result<Opened>;

    /// The books of some hours: calls `take` with the index of each that has any.
    fn books(&self, account: &str, archives: &[Archive], take: &mut dyn FnMut(usize, &[u8])) -> io::Result<()>;

    /// What was noted of the uploads of some hours: calls `take` with the index of each that has a mark.
    fn marks(&self, account: &str, archives: &[Archive], take: &mut dyn FnMut(usize, &[u8])) -> io::Result<()>;

    /// A file on the disk for an hour that is to be written.
    fn begin(&self, account: &str, hour: Period) -> io::Result<(Unfinished, File)>;

    /// Puts such a file to its place when it is whole and synced, with its books, which are there for whoever sees the hour. In
    /// place of what was there. `point` is where a test may end the program before the hour is there, if the books are there before.
    fn put(
        &self,
        account: &str,
        hour: Period,
        file: Unfinished,
        books: &[u8],
        point: &'static str,
    ) -> io::Result<Archive>;

    /// Notes of an hour that it was uploaded.
    ///
    /// # Errors
    /// `NotFound` when it went meanwhile.
    fn put_mark(&self, account: &str, archive: Archive, mark: &[u8]) -> io::Result<()>;

    /// Removes hours, with all that stands beside them. Those that are not there are none.
    fn remove(&self, account: &str, hours: &[Period]) -> io::Result<()>;

    /// Removes what is left of an account that is destroyed: what stands beside hours that ended before a time, in microseconds
    /// since 1970, and the account's name when nothing is left there.
    fn remove_rest(&self, account: &str, before: i64) -> io::Result<()>;
}

/// A file that is written for a place. It is removed, if it was not renamed.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    is_renamed: bool,
}

impl Unfinished {
    pub(super) fn create(path: PathBuf) -> io::Result<(Self, File)> {
        let file = File::create(&path)?;
        Ok((Self { path, is_renamed: false }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn rename(mut self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An hour that is open: what it was then, to its end, whatever becomes of it meanwhile.
pub struct Opened {
    archive: Archive,
    bytes: Box<dyn Bytes>,
}

/// What is read from any byte on.
pub(super) trait Bytes: Read + Seek + Send {
    /// Whether what it said when it was read may be otherwise soon. Else it is damaged.
    fn passes(&self, error: io::ErrorKind) -> bool;

    /// What was read is not what was written. Says whether there is another place to read it from, which is asked from now on.
    fn doubt(&self) -> bool;
}

/// A disk that does not give a file back once does not the next time: nobody waits for it.
impl Bytes for File {
    fn passes(&self, _: io::ErrorKind) -> bool {
        false
    }

    fn doubt(&self) -> bool {
        false
    }
}

impl Opened {
    pub(super) fn new(archive: Archive, bytes: impl Bytes + 'static) -> Self {
        Self { archive, bytes: Box::new(bytes) }
    }

    pub(super) const fn archive(&self) -> Archive {
        self.archive
    }

    pub(super) fn passes(&self, error: io::ErrorKind) -> bool {
        self.bytes.passes(error)
    }

    pub(super) fn doubt(&self) -> bool {
        self.bytes.doubt()
    }
}

impl Read for Opened {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(into)
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("archive", &self.archive).finish_non_exhaustive()
    }
}
