//! Where lines lie, and where they stand: in a folder; or in a bucket, with a folder for what is being written.

use super::state::{self, State};
#[cfg(all(feature = "s3", feature = "postgres"))]
use crate::tiered::{Files, Segments};
use log_store::{Options, Store, StoreError};
use std::io;
use std::path::{Path, PathBuf};
#[cfg(all(feature = "s3", feature = "postgres"))]
use std::sync::Arc;

/// Where the lines of a journal or a partition lie.
#[derive(Clone, Debug)]
pub struct Place {
    dir: PathBuf,
    #[cfg(all(feature = "s3", feature = "postgres"))]
    tier: Option<InBucket>,
}

/// Files of a bucket, and the states that were found there.
#[cfg(all(feature = "s3", feature = "postgres"))]
#[derive(Clone, Debug)]
struct InBucket {
    files: Files,
    found: Arc<state::Found>,
}

impl Place {
    pub fn folder(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            #[cfg(all(feature = "s3", feature = "postgres"))]
            tier: None,
        }
    }

    /// In a bucket, for the owner of a partition. `dir` is a folder of this machine for what is being written.
    ///
    /// # Errors
    /// When it cannot be read where they stand.
    #[cfg(all(feature = "s3", feature = "postgres"))]
    pub fn in_bucket(dir: &Path, files: Files) -> io::Result<Self> {
        let found = Arc::new(state::find(&files)?);
        Ok(Self { dir: dir.to_owned(), tier: Some(InBucket { files, found }) })
    }

    /// What belongs to this machine alone.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn store(&self, options: Options) -> Result<Store, StoreError> {
        let folder = lines(&self.dir);
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(tier) = &self.tier {
            return Store::open_with(&folder, options, Arc::new(Segments::new(&tier.files, "logs/")));
        }
        Store::open(&folder, options)
    }

    /// Where the lines stand, not beyond a position.
    pub(super) fn state(&self, head: u64) -> Option<State> {
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(tier) = &self.tier {
            return state::of_found(&tier.found, head);
        }
        state::read(&states(&self.dir), head)
    }

    pub(super) fn set_state(&self, state: &State) -> io::Result<()> {
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(tier) = &self.tier {
            return state::put(&tier.files, &self.dir, state);
        }
        state::write(&states(&self.dir), state)
    }
}

/// Where the store of a folder lies.
pub(super) fn lines(dir: &Path) -> PathBuf {
    dir.join("logs")
}

/// Where its state does.
pub(super) fn states(dir: &Path) -> PathBuf {
    dir.join("logs-state")
}
