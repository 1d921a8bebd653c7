//! Where sealed files lie: in the store's folder, or where an embedder puts them. Who seals, merges, purges and reads asks here.
//!
//! A file is known by its path. Elsewhere that is its name, `ACCOUNT/PARTITION/FIRST-LAST.seg`.

use crate::error::{StoreError, StoreErrorKind};
use crate::files::Files;
use crate::folder::{self, Named, SHARED, is_account_name, of_account};
use crate::segment::{Damage, Readable, Segment, Whole, parse_file_name, sync_folder};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where sealed files lie. Clones share one.
#[derive(Clone, Debug)]
pub(crate) struct Place(Arc<Lie>);

#[derive(Debug)]
struct Lie {
    root: PathBuf,
    partition: u8,
    // A panic leaves no more behind in the embedder's files than an error does.
    files: Option<AssertUnwindSafe<Arc<dyn Files>>>,
    /// Names that may be there and must not be: their removal failed, or a file's putting did and may have been done.
    left: Mutex<BTreeSet<PathBuf>>,
}

/// A file that is there.
pub(crate) struct Found {
    /// The account's name, or [`SHARED`].
    pub(crate) folder: String,
    pub(crate) named: Named,
    /// What is told of it without opening it: its length and its note.
    pub(crate) told: Option<(u64, Vec<u8>)>,
}

impl Place {
    pub(crate) fn folder(root: &Path, partition: u8) -> Self {
        Self::new(root, partition, None)
    }

    pub(crate) fn elsewhere(root: &Path, partition: u8, files: Arc<dyn Files>) -> Self {
        Self::new(root, partition, Some(AssertUnwindSafe(files)))
    }

    fn new(root: &Path, partition: u8, files: Option<AssertUnwindSafe<Arc<dyn Files>>>) -> Self {
        Self(Arc::new(Lie { root: root.to_owned(), partition, files, left: Mutex::default() }))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0.root
    }

    fn files(&self) -> Option<&Arc<dyn Files>> {
        self.0.files.as_ref().map(|files| &files.0)
    }

    /// The path of a file of an account, or of a shared one.
    pub(crate) fn path(&self, folder: &str, name: &str) -> PathBuf {
        match self.files() {
            None => of_account(self.root(), folder, self.0.partition).join(name),
            Some(_) => format!("{folder}/{}/{name}", self.0.partition).into(),
        }
    }

    /// The folder in which a file of an account is written, made if it is not there.
    pub(crate) fn writing(&self, folder: &str) -> Result<PathBuf, StoreError> {
        let folder = match self.files() {
            None => of_account(self.root(), folder, self.0.partition),
            Some(_) => self.unfinished(),
        };
        fs::create_dir_all(&folder).map_err(|error| StoreError::io(&folder, "write a segment", &error))?;
        Ok(folder)
    }

    /// No account has a name with a dot in it.
    fn unfinished(&self) -> PathBuf {
        self.root().join(format!("{}.unfinished", self.0.partition))
    }

    /// All files of the partition, by account and first id; the shared ones last. Removes what was being written.
    pub(crate) fn list(&self) -> Result<Vec<Found>, StoreError> {
        match self.files() {
            None => self.list_folder(),
            Some(files) => {
                folder::remove_unfinished(&self.unfinished())?;
                let listed = files.list().map_err(|error| StoreError::io(Path::new("files"), "list them", &error))?;
                let mut found: Vec<Found> = listed
                    .into_iter()
                    .filter_map(|listed| {
                        let (folder, named) = self.named(listed.name())?;
                        Some(Found { folder, named, told: Some((listed.length(), listed.about().to_owned())) })
                    })
                    .collect();
                // As a folder is listed, so that equal files give equal stores.
                found.sort_by(|left, right| {
                    let shared = (left.folder == SHARED).cmp(&(right.folder == SHARED));
                    let folder = || left.folder.cmp(&right.folder);
                    let ids = |found: &Found| (found.named.first_id, found.named.last_id);
                    shared.then_with(folder).then_with(|| ids(left).cmp(&ids(right)))
                });
                // One that is told of twice would seem to cover itself, and be removed.
                found.dedup_by(|left, right| left.named == right.named);
                Ok(found)
            }
        }
    }

    fn list_folder(&self) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        let mut names = folder::accounts(self.root())?;
        names.push(SHARED.to_owned());
        for name in names {
            let folder = of_account(self.root(), &name, self.0.partition);
            folder::remove_unfinished(&folder)?;
            let named = folder::segments(&folder)?;
            found.extend(named.into_iter().map(|named| Found { folder: name.clone(), named, told: None }));
        }
        Ok(found)
    }

    /// What a name says, if it is one of this partition's.
    fn named(&self, name: &str) -> Option<(String, Named)> {
        let (folder, rest) = name.split_once('/')?;
        let (partition, file) = rest.split_once('/')?;
        let (first_id, last_id) = parse_file_name(file)?;
        let is_ours = (is_account_name(folder) || folder == SHARED) && partition == self.0.partition.to_string();
        is_ours.then(|| (folder.to_owned(), Named { path: name.into(), first_id, last_id }))
    }

    /// Whether a path has a file, if it is to be asked for: what lies elsewhere is known.
    pub(crate) fn is_there(&self, path: &Path) -> Option<bool> {
        self.files().is_none().then(|| path.exists())
    }

    pub(crate) fn open(&self, path: &Path) -> Result<Segment, Damage> {
        match self.files() {
            None => Segment::open(path),
            Some(files) => Segment::read(path, Readable::elsewhere(files, name(path))),
        }
    }

    /// Gives a file that is all written its name, in place of what had it.
    pub(crate) fn put(&self, folder: &str, whole: Whole) -> io::Result<Segment> {
        match self.files() {
            None => whole.rename(),
            Some(files) => {
                let path = self.path(folder, whole.name());
                whole.put(files, &path, name(&path))
            }
        }
    }

    /// Removes a file that nobody needs any more. If that cannot be now it is tried again, see [`Self::clear`].
    pub(crate) fn let_go(&self, path: &Path) {
        if self.try_remove(path).is_err() {
            self.leave(path);
        }
    }

    /// Removes a file for good; it is none that is not there.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.try_remove(path)?;
        match (self.files(), path.parent()) {
            // Of a folder that is not there, no name is.
            (None, Some(folder)) if folder.exists() => sync_folder(folder),
            _ => Ok(()),
        }
    }

    fn try_remove(&self, path: &Path) -> io::Result<()> {
        let removed = match self.files() {
            None => fs::remove_file(path),
            Some(files) => files.remove(name(path)),
        };
        removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
    }

    /// A name that may be there and must not be.
    pub(crate) fn leave(&self, path: &Path) {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }

    /// A name that is there and is to be.
    pub(crate) fn is_put(&self, path: &Path) {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }

    /// Removes what was left. The lock is not held meanwhile: whoever lets go of a file does not wait.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        let left = || self.0.left.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
        while let Some(path) = left() {
            self.remove(&path).map_err(|error| StoreError::io(&path, "remove a file", &error))?;
            self.is_put(&path);
        }
        Ok(())
    }

    /// Whether a file that cannot be read may be readable the next time. What is wrong with a disk stays.
    pub(crate) fn is_passing(&self, damage: &Damage) -> bool {
        self.files().is_some() && damage.is_passing()
    }

    /// What damage is to who merges or purges.
    pub(crate) fn failed(&self, damage: &Damage) -> StoreError {
        use crate::segment::DamageKind::Read;
        let kind = match damage.kind() {
            Read(kind) if self.is_passing(damage) => StoreErrorKind::Io(kind),
            _ => StoreErrorKind::Damage,
        };
        StoreError::new(kind, damage.to_string()).at(damage.file())
    }
}

/// The name of a file that is elsewhere: its path was made of it.
fn name(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
