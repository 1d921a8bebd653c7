//! Where the snapshots of partitions are kept, as the configuration says it: one place for all servers that share them.

#[cfg(not(feature = "s3"))]
use super::no_bucket::Bucket;
#[cfg(feature = "s3")]
use super::objects::Bucket;
#[cfg(all(feature = "s3", feature = "postgres"))]
use super::objects::Objects;
use super::segments::{Folder, sync_folder};
use super::snapshots::Named;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(all(feature = "s3", feature = "postgres"))]
use std::time::Duration;

/// The file in the folder that says which journal it is of.
const JOURNAL: &str = "journal";
/// What is noted of lines that lie in one.
#[cfg(feature = "postgres")]
pub(super) const FOLDER: &str = "a folder";

/// A folder that all servers share, or a bucket that speaks S3. Partition 3 has its snapshots below `p3/` there.
///
/// Snapshots of a bucket are asked for by threads that may wait: none of these calls may be made by a task of a runtime. A
/// request is given up when it has no answer after a minute.
#[derive(Clone, PartialEq, Eq)]
pub struct SnapshotPlace(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Bucket(Bucket),
}

impl SnapshotPlace {
    /// Reads the absolute path of a folder, or `s3://BUCKET/PREFIX?region=REGION&endpoint=URL`.
    ///
    /// Prefix and endpoint may be left out; without an endpoint it is Amazon's. Values are percent-encoded where they hold `&`,
    /// `%` or `+`. What a bucket needs besides comes from variables, as programs have it that speak to Amazon:
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, with `AWS_SESSION_TOKEN` where the keys are lent; `AWS_REGION` or
    /// `AWS_DEFAULT_REGION` when there is no `region`. `variable` answers one that is set and not empty.
    ///
    /// # Errors
    /// What is wrong, and what to do, to be said behind the name of what was read. It repeats nothing of the text but what
    /// cannot be a secret.
    pub fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("s3://") {
            return Ok(Self(Place::Bucket(Bucket::parse(rest, variable)?)));
        }
        let path = Path::new(text);
        if !path.is_absolute() {
            return Err("is the absolute path of a folder that all servers share, or s3://BUCKET/PREFIX?region=REGION"
                .to_owned());
        }
        Ok(Self(Place::Folder(path.to_owned())))
    }

    /// The snapshots of a partition. A folder makes room for it; a bucket is not asked yet.
    ///
    /// # Errors
    /// When the folder is not there, or no room can be made in it.
    pub fn partition(&self, number: u8) -> io::Result<Named> {
        let own = format!("p{number}");
        match &self.0 {
            Place::Folder(dir) => Ok(Named::new(Arc::new(folder(dir, &own)?))),
            Place::Bucket(bucket) => bucket.snapshots(&own),
        }
    }

    /// Sees that it is the place of this journal. A folder says so in a file, which is made when the journal `is_new`, or what
    /// is there is of a program that made none: one where a disk is not mounted is empty, and whoever took that for the place
    /// would begin anew. Of a bucket nothing is asked.
    ///
    /// # Errors
    /// [`InvalidData`](io::ErrorKind::InvalidData) when it is another journal's, others when nothing of this one is there.
    pub fn is_of(&self, journal: &str, is_new: bool) -> io::Result<()> {
        let Place::Folder(dir) = &self.0 else { return Ok(()) };
        let (path, shown) = (dir.join(JOURNAL), dir.display());
        match fs::read_to_string(&path) {
            Ok(said) if said.trim() == journal => Ok(()),
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{shown}: is of another journal: name a folder of this one's own"),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound && (is_new || is_used(dir)) => {
                let unfinished = dir.join(format!("{JOURNAL}.unfinished"));
                fs::write(&unfinished, journal)?;
                fs::File::open(&unfinished)?.sync_all()?;
                fs::rename(&unfinished, &path)?;
                sync_folder(dir)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(io::Error::new(
                error.kind(),
                format!(
                    "{shown}: nothing of this journal is there: mount what all servers share. If that is lost, write \
                     {journal} to {}, and they begin with what the journal has still",
                    path.display()
                ),
            )),
            Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        }
    }

    /// The folder of a partition; `None` in a bucket. [`partition`](Self::partition) makes it.
    pub fn folder(&self, number: u8) -> Option<PathBuf> {
        match &self.0 {
            Place::Folder(dir) => Some(dir.join(format!("p{number}"))),
            Place::Bucket(_) => None,
        }
    }

    /// What lies in a folder of the bucket; `None` where the place is no bucket. A request is given up after so long.
    #[cfg(all(feature = "s3", feature = "postgres"))]
    pub(crate) fn objects(&self, folder: &str, patience: Duration) -> Option<io::Result<Objects>> {
        match &self.0 {
            Place::Folder(_) => None,
            Place::Bucket(bucket) => Some(bucket.objects(folder, patience)),
        }
    }

    /// What is noted of where lines lie.
    #[cfg(feature = "postgres")]
    pub(super) fn of_lines(&self) -> String {
        match &self.0 {
            // Machines may have it at different paths.
            Place::Folder(_) => FOLDER.to_owned(),
            Place::Bucket(bucket) => bucket.with_server(),
        }
    }

    /// Whether others can read along on the way.
    pub fn is_plain(&self) -> bool {
        match &self.0 {
            Place::Folder(_) => false,
            Place::Bucket(bucket) => bucket.is_plain(),
        }
    }

    /// The most bytes of memory that one partition takes while a snapshot is written or read.
    pub const fn memory(&self) -> usize {
        match &self.0 {
            Place::Folder(_) => 0,
            Place::Bucket(_) => Bucket::MEMORY,
        }
    }
}

/// Without keys.
impl fmt::Display for SnapshotPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Folder(dir) => write!(f, "{}", dir.display()),
            Place::Bucket(bucket) => write!(f, "{bucket}"),
        }
    }
}

impl fmt::Debug for SnapshotPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotPlace({self})")
    }
}

/// Whether a partition has left something there.
fn is_used(dir: &Path) -> bool {
    let has_files = |own: fs::DirEntry| fs::read_dir(own.path()).is_ok_and(|mut files| files.next().is_some());
    fs::read_dir(dir).is_ok_and(|mut all| all.any(|own| own.is_ok_and(has_files)))
}

/// The folder of a partition. The one around it is never made: it may be a disk that is not mounted here, and what is kept
/// under it then no other server finds.
fn folder(dir: &Path, own: &str) -> io::Result<Folder> {
    let own = dir.join(own);
    match fs::create_dir(&own) {
        Ok(()) => sync_folder(dir)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && own.is_dir() => {}
        Err(error) => {
            let what = match error.kind() {
                io::ErrorKind::NotFound => "there is no such folder: make it, or mount it, the same for all servers",
                io::ErrorKind::NotADirectory => "is no folder: name one that all servers share",
                _ => return Err(io::Error::new(error.kind(), format!("{}: {error}", own.display()))),
            };
            return Err(io::Error::new(error.kind(), format!("{}: {what}", dir.display())));
        }
    }
    Ok(Folder::new(&own))
}
