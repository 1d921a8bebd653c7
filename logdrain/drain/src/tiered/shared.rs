//! What all files of a node share.

use super::cache::{self, Cache, PIECE};
use super::catalog::Catalog;
use super::connections::CONNECTIONS;
use super::fetching::{self, Fetching};
use super::owners::Owners;
use super::registry::{GOING, Registry};
use super::turns::Turns;
use crate::journal::{Objects, SnapshotPlace};
use crate::sql::Address;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How the bucket is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// How long a request may take that reads a piece, and how long one that fails for a moment is tried again: somebody looks at
    /// a page meanwhile.
    pub(super) reading: Duration,
    /// The same of one that puts, lists or removes something.
    pub(super) others: Duration,
    /// Objects that are listed in one go.
    pub(super) page: usize,
}

impl Manner {
    /// S3 lists no more at once.
    pub(super) const USUAL: Self =
        Self { reading: Duration::from_secs(5), others: Duration::from_secs(60), page: 1_000 };
}

/// Files that are put at a time, and those of one partition.
const PUTS: usize = 2;
const PUTS_OF_ONE: usize = 1;
/// The most bytes of a note: a page has one more than it may be large.
pub(super) const NOTE: usize = 2 << 20;
/// What one that waits to go takes.
const KEY: usize = 256;
/// What files of the database that are open take together, in bytes.
const CONTENTS: usize = 8 << 20;
/// The most bytes that one change brings to the database, or that one page of a list brings from there.
pub(super) const STEP: usize = 4 << 20;

/// The most memory of all of it, whatever is open.
pub(super) const fn memory(cache_bytes: u64) -> usize {
    fetching::MEMORY
        + PUTS * (Objects::PUTTING + PIECE)
        // It is held by who asks, on its way to the thread that speaks to the database, and there.
        + CONNECTIONS * 3 * (STEP + NOTE)
        + CONTENTS
        + GOING * KEY
        + cache::memory(cache_bytes)
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) catalog: Catalog,
    /// For all that is not read in pieces.
    pub(super) objects: Objects,
    pub(super) fetching: Fetching,
    pub(super) cache: Cache,
    pub(super) registry: Registry,
    pub(super) owners: Owners,
    pub(super) puts: Turns,
    pub(super) page: usize,
    contents: AtomicUsize,
}

impl Shared {
    pub(super) fn new(
        address: &Address,
        place: &SnapshotPlace,
        journal: &str,
        (cache, cache_bytes): (&Path, u64),
        manner: Manner,
    ) -> io::Result<Self> {
        // Two journals may share a bucket, and the prefix in it.
        let folder = format!("files/{journal}");
        let is_name = !journal.is_empty() && journal.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let objects = |patience| match place.objects(&folder, patience) {
            Some(objects) if is_name => objects,
            Some(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "a journal has a name of letters and digits")),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{place}: is no bucket"))),
        };
        Ok(Self {
            catalog: Catalog::new(address),
            objects: objects(manner.others)?,
            fetching: Fetching::new(objects(manner.reading)?),
            cache: Cache::new(cache, cache_bytes)?,
            registry: Registry::default(),
            owners: Owners::new(),
            puts: Turns::new(PUTS, PUTS_OF_ONE),
            page: manner.page,
            contents: AtomicUsize::new(0),
        })
    }

    /// So many bytes more are held by who has a file of the database open.
    pub(super) fn hold(&self, bytes: usize) -> io::Result<()> {
        if self.contents.fetch_add(bytes, Ordering::AcqRel) + bytes <= CONTENTS {
            return Ok(());
        }
        self.let_go(bytes);
        Err(io::Error::other("too many small files are open just now: come again"))
    }

    pub(super) fn let_go(&self, bytes: usize) {
        self.contents.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// What is in no row any more leaves the node, too.
    pub(super) fn forget(&self, key: &str) {
        self.fetching.forget(key, None);
        self.cache.remove(key);
    }
}
