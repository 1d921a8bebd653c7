//! The way of a node to files in the bucket.

use super::alive::Alive;
use super::files::Files;
use super::removing;
use super::shared::{self, Manner, Shared};
use super::sweeping;
use crate::journal::SnapshotPlace;
use crate::parts::Part;
use crate::sql::Address;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// What the files of all partitions share on a node: the bucket, the database, and the cache. Cheap to clone, and for any thread
/// that may wait. Its two threads end when nothing of it is left but files that are open.
#[derive(Clone, Debug)]
pub struct Tier(Arc<Alive>);

impl Tier {
    /// What a file takes that is open, in bytes of memory.
    pub const OPEN: usize = 1_024;

    /// Files of a journal, which is named as its nodes know it, in the bucket in which its snapshots are. The folder of the cache is
    /// made and looked through; `cache_bytes` is the most that it takes of the disk. It belongs to one tier alone. Bucket and
    /// database are not asked yet.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the place is no bucket; others when the cache can have no folder, or no
    /// thread can be started.
    pub fn new(
        address: &Address,
        place: &SnapshotPlace,
        journal: &str,
        cache: &Path,
        cache_bytes: u64,
    ) -> io::Result<Self> {
        Self::with(address, place, journal, (cache, cache_bytes), Manner::USUAL)
    }

    pub(super) fn with(
        address: &Address,
        place: &SnapshotPlace,
        journal: &str,
        cache: (&Path, u64),
        manner: Manner,
    ) -> io::Result<Self> {
        let alive = Alive::new(Shared::new(address, place, journal, cache, manner)?);
        for (name, serve) in [("files-gone", removing::serve as fn(&Arc<Shared>)), ("files-sweep", sweeping::serve)] {
            let shared = alive.shared().clone();
            thread::Builder::new().name(name.to_owned()).spawn(move || serve(&shared))?;
        }
        Ok(Self(Arc::new(alive)))
    }

    /// The files of a partition, for who owns it at this epoch. As long as somebody has them, objects that no file has go
    /// from the bucket: at once, and every hour.
    pub fn files(&self, part: Part, epoch: i64) -> Files {
        Files::new(&self.0, part, epoch)
    }

    /// What the files of each partition take, in bytes, by its number. A partition without any may be missing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn bytes_of_all(&self) -> io::Result<BTreeMap<u8, u64>> {
        self.0.shared().catalog.bytes_of_all()
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.0.shared()
    }

    /// The most memory it takes, in bytes, beside [that](Self::OPEN) of each open file.
    pub const fn memory(cache_bytes: u64) -> usize {
        shared::memory(cache_bytes)
    }
}
