//! Where sealed files lie, when it is not the store's folder.

use std::fmt;
use std::io;
use std::path::Path;

/// Where the sealed files of a store lie when it is not its folder: objects of a bucket, say, with a cache on the disk. For
/// [`Store::open_with`](crate::Store::open_with).
///
/// Names are `ACCOUNT/PARTITION/FIRST-LAST.seg` (`FORMAT.md`), at most 102 bytes of `[a-z0-9-./]`. Content never changes, but
/// a name may come to be another file's: a purge writes a file again under the name that it had. All methods may be called by
/// several threads at once, and each may take as long as the embedder's caller is to wait; none is called under a lock that
/// others need.
///
/// # Errors
/// `NotFound`, `InvalidData` and `UnexpectedEof` say that a file is not as it should be, and will not be later: it is named as
/// damaged and left alone. Any other kind says that it cannot be had now: what was asked of the store fails with
/// [`StoreErrorKind::Io`](crate::StoreErrorKind::Io) and may be asked again, and a search names what it lacks
/// ([`Damage::is_passing`](crate::Damage::is_passing)).
///
/// ```
/// use log_store::{Event, EventId, Files, Listed, Options, Page, Query, ReadAt, Scope, Store};
/// use std::collections::BTreeMap;
/// use std::io;
/// use std::path::Path;
/// use std::sync::{Arc, Mutex, PoisonError};
///
/// #[derive(Debug)]
/// struct Bytes(Arc<[u8]>); // what is opened stays, whatever becomes of the name
///
/// impl ReadAt for Bytes {
///     fn length(&self) -> u64 {
///         self.0.len() as u64
///     }
///     fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
///         let from = self.0.get(offset as usize..).unwrap_or_default();
///         out.copy_from_slice(from.get(..out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
///         Ok(())
///     }
/// }
///
/// #[derive(Debug, Default)]
/// struct Memory(Mutex<BTreeMap<String, (Arc<[u8]>, Vec<u8>)>>);
///
/// impl Files for Memory {
///     fn list(&self) -> io::Result<Vec<Listed>> {
///         let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         let listed = |(name, (bytes, about)): (&String, &(Arc<[u8]>, Vec<u8>))| {
///             Listed::new(name.clone(), bytes.len() as u64).with_about(about.clone())
///         };
///         Ok(files.iter().map(listed).collect())
///     }
///     fn open(&self, name: &str) -> io::Result<Box<dyn ReadAt>> {
///         let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         let (bytes, _) = files.get(name).ok_or(io::ErrorKind::NotFound)?;
///         Ok(Box::new(Bytes(Arc::clone(bytes))))
///     }
///     fn put(&self, name: &str, file: &Path, about: &[u8]) -> io::Result<()> {
///         let bytes = std::fs::read(file)?;
///         let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         files.insert(name.to_owned(), (bytes.into(), about.to_owned()));
///         Ok(())
///     }
///     fn remove(&self, name: &str) -> io::Result<()> {
///         self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
///         Ok(())
///     }
/// }
///
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-files-{}", std::process::id()));
/// let files = Arc::new(Memory::default());
/// let mut store = Store::open_with(&folder, Options::new(), files.clone())?;
/// store.append(&Event::new(EventId::new(256), "shop", b"GET /cart 500"))?;
/// store.flush()?;
/// assert_eq!(files.list()?[0].name(), "shop/0/0000000000000100-0000000000000100.seg");
/// drop(store);
///
/// // Another node, with an empty disk:
/// # std::fs::remove_dir_all(&folder)?;
/// let store = Store::open_with(&folder, Options::new(), files)?;
/// let view = store.reader().view(&Scope::account("shop"));
/// assert_eq!(view.search(Query::parse("cart").query(), &Page::new(), &mut || true).events().len(), 1);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Files: fmt::Debug + Send + Sync {
    /// All files that there are, each once, in any order. Files of other partitions are passed over, and so is what has no name of
    /// a segment. Asked once, when the store is opened.
    ///
    /// # Errors
    /// Of any kind: the store is not opened then.
    fn list(&self) -> io::Result<Vec<Listed>>;

    /// Opens a file. What is opened stays readable when the name is removed, or comes to be another file's.
    ///
    /// # Errors
    /// `NotFound` if there is none; see above.
    fn open(&self, name: &str) -> io::Result<Box<dyn ReadAt>>;

    /// Makes the bytes of a file of the disk last under a name, in place of what had it: whole or not at all, whatever happens. The
    /// file need not be synced, and may be taken away. `about` is a note of the store's own (`FORMAT.md`), mostly below 200 bytes and
    /// always below 2 MiB, that [`Files::list`] gives back: with it a store is opened without a file being read.
    ///
    /// # Errors
    /// Of any kind; the events stay where they are, and the store tries again, under this name or another one. It may have been
    /// done all the same, but it must not be done later than a call that follows, above all not behind a removal.
    fn put(&self, name: &str, file: &Path, about: &[u8]) -> io::Result<()>;

    /// Removes a file. Whoever drops the last view that holds it calls this, so it is not to wait for long. A removal that the
    /// embedder puts off must not take what is put under the name meanwhile.
    ///
    /// # Errors
    /// `NotFound` is as good as none. After any other one the store tries again with what it writes next; until that is done
    /// [`Store::purge`](crate::Store::purge) fails, for the file may hold what was to go.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A file of [`Files`] that is open, read at any offset by several threads at once.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Bytes of the file.
    fn length(&self) -> u64;

    /// Fills `out` with the bytes that begin at `offset`; it never asks for more than there are.
    ///
    /// # Errors
    /// As of [`Files`]: `UnexpectedEof` if there are not so many.
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;
}

/// A file as [`Files::list`] tells of it.
///
/// ```
/// let listed = log_store::Listed::new("shop/0/0000000000000100-0000000000000200.seg", 4_711).with_about(b"note");
/// assert_eq!((listed.length(), listed.about()), (4_711, &b"note"[..]));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    name: String,
    length: u64,
    about: Vec<u8>,
}

impl Listed {
    /// A file of a name, and its bytes; without a note, so that the store opens it to see what it holds.
    #[must_use]
    pub fn new(name: impl Into<String>, length: u64) -> Self {
        Self { name: name.into(), length, about: Vec::new() }
    }

    /// With the note that was put with it. One that is damaged, or that another version wrote, is as good as none.
    #[must_use]
    pub fn with_about(mut self, about: impl Into<Vec<u8>>) -> Self {
        self.about = about.into();
        self
    }

    /// The name that it was put under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The note that was put with it.
    #[must_use]
    pub fn about(&self) -> &[u8] {
        &self.about
    }
}
