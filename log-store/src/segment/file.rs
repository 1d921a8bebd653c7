//! A file that is read at any offset by any number of threads at once.

use crate::files::{Files, ReadAt};
use std::fs::File;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A file that is read by offset.
#[derive(Debug)]
pub(crate) struct Readable {
    from: From,
    length: u64,
}

#[derive(Debug)]
enum From {
    #[cfg(unix)]
    Disk(File),
    /// Without a read at an offset, two readers would move each other's position: they take turns.
    #[cfg(not(unix))]
    Disk(std::sync::Mutex<File>),
    Elsewhere(Elsewhere),
}

/// A file of an embedder's, which is opened when something of it is read first: one that was just written is known already.
#[derive(Debug)]
struct Elsewhere {
    // A panic leaves no more behind in the embedder's files than an error does.
    files: AssertUnwindSafe<Arc<dyn Files>>,
    name: Box<str>,
    opened: OnceLock<AssertUnwindSafe<Box<dyn ReadAt>>>,
}

impl Readable {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        #[cfg(not(unix))]
        let file = std::sync::Mutex::new(file);
        Ok(Self { from: From::Disk(file), length })
    }

    /// A file that is not in a folder of the store's.
    pub(crate) fn elsewhere(files: &Arc<dyn Files>, name: &str) -> io::Result<Self> {
        let opened = files.open(name)?;
        let length = opened.length();
        let elsewhere = Elsewhere::new(files, name);
        let _ = elsewhere.opened.set(AssertUnwindSafe(opened));
        Ok(Self { from: From::Elsewhere(elsewhere), length })
    }

    /// The same, of so many bytes, when it need not be opened yet.
    pub(super) fn later(files: &Arc<dyn Files>, name: &str, length: u64) -> Self {
        Self { from: From::Elsewhere(Elsewhere::new(files, name)), length }
    }

    /// Its length when it was opened. Segments do not change.
    pub(super) const fn len(&self) -> u64 {
        self.length
    }

    /// Whether errors of reading it may be others the next time.
    pub(super) const fn is_elsewhere(&self) -> bool {
        matches!(self.from, From::Elsewhere(_))
    }

    /// Opens it now if it is not, for its name is about to be another file's.
    pub(super) fn hold(&self) -> io::Result<()> {
        match &self.from {
            From::Disk(_) => Ok(()),
            From::Elsewhere(elsewhere) => elsewhere.opened(self.length).map(|_| ()),
        }
    }

    pub(super) fn read(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.from {
            #[cfg(unix)]
            From::Disk(file) => std::os::unix::fs::FileExt::read_exact_at(file, out, offset),
            #[cfg(not(unix))]
            From::Disk(file) => {
                use std::io::{Read as _, Seek as _, SeekFrom};
                // A thread that panicked with the lock left the position anywhere, which the next seek repairs.
                let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset))?;
                file.read_exact(out)
            }
            From::Elsewhere(elsewhere) => elsewhere.opened(self.length)?.read_exact_at(out, offset),
        }
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

impl Elsewhere {
    fn new(files: &Arc<dyn Files>, name: &str) -> Self {
        Self { files: AssertUnwindSafe(Arc::clone(files)), name: name.into(), opened: OnceLock::new() }
    }

    fn opened(&self, length: u64) -> io::Result<&dyn ReadAt> {
        if let Some(opened) = self.opened.get() {
            return Ok(&*opened.0);
        }
        // Two may open it at once: one of the two is kept, and they are the same file.
        let opened = self.files.open(&self.name)?;
        if opened.length() != length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is not as long as what was put"));
        }
        Ok(&*self.opened.get_or_init(|| AssertUnwindSafe(opened)).0)
    }
}
