//! Where views come from: the store itself, or its folder.

use crate::error::{StoreError, StoreErrorKind};
use crate::folder::{self, Named};
use crate::place::Place;
use crate::sealed::{Cache, OfAccount, Part, arrange, read};
use crate::segment::{Damage, DamageKind};
use crate::state::{AccountState, Shared};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Where views come from.
#[derive(Clone)]
pub(crate) enum Source {
    Beside(Arc<Shared>),
    Apart(Arc<Apart>),
}

/// A folder that another process may be writing.
pub(crate) struct Apart {
    place: Place,
    partition: u8,
    cache: Cache,
    /// What each file was found to hold, so that a view does not open them all again.
    known: Mutex<HashMap<PathBuf, Known>>,
}

/// What a file holds; no account if it cannot be opened.
pub(crate) type Found = (Option<Box<str>>, Part);

struct Known {
    length: u64,
    modified: Option<SystemTime>,
    parts: Vec<OfAccount>,
}

impl Source {
    pub(crate) fn cache(&self) -> &Cache {
        match self {
            Self::Beside(shared) => &shared.cache,
            Self::Apart(apart) => &apart.cache,
        }
    }

    /// Whether another process may take files away.
    pub(crate) const fn is_apart(&self) -> bool {
        matches!(self, Self::Apart(_))
    }

    /// An account as it is on the disk now. `None` beside the writer, where views hold what they see.
    pub(crate) fn look(&self, account: &str) -> Option<Result<Arc<AccountState>, Damage>> {
        let Self::Apart(apart) = self else { return None };
        Some(apart.state(account).map(Arc::new).map_err(|error| {
            let kind = match error.kind() {
                StoreErrorKind::Io(kind) => kind,
                _ => io::ErrorKind::Other,
            };
            Damage::new(error.path().unwrap_or(apart.root()), DamageKind::Read(kind), "the folder")
        }))
    }
}

/// How often a folder that changes while it is listed is listed again.
const LOOKS: usize = 32;

impl Apart {
    pub(crate) fn new(root: &Path, partition: u8, cache_bytes: usize) -> Self {
        Self {
            place: Place::folder(root, partition),
            partition,
            cache: Cache::new(cache_bytes),
            known: Mutex::default(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.place.root()
    }

    pub(crate) fn state(&self, account: &str) -> Result<AccountState, StoreError> {
        // A name that is none could lead out of the folder.
        if !folder::is_account_name(account) {
            return Ok(AccountState::default());
        }
        // Shared files first: when they are split meanwhile, what was in them is then found in the account's own folder, or in
        // both, which is put in order below.
        let mut parts = self.parts(folder::SHARED)?;
        parts.extend(self.parts(account)?);
        // A file of several accounts that cannot be opened may hold lines of this one.
        let own = parts.into_iter().filter(|(name, _)| name.as_deref().is_none_or(|name| name == account));
        let (parts, _) = arrange(own.map(|(_, part)| part).collect());
        let found_to = parts.iter().map(|part| part.last + 1).max().unwrap_or(0);
        Ok(AccountState { parts: parts.into(), found_to, ..AccountState::default() })
    }

    /// What the files of a folder hold, of which accounts; no account for a file that cannot be opened.
    pub(crate) fn parts(&self, name: &str) -> Result<Vec<Found>, StoreError> {
        let folder = folder::of_account(self.root(), name, self.partition);
        // A merge puts a new file in place and then takes the old ones away. A list that was read meanwhile may have neither:
        // it is good once it is the same before and after, and no file of it has gone.
        let mut before = folder::segments(&folder)?;
        for _ in 0..LOOKS {
            let found = self.parts_of(&folder, &before);
            let after = folder::segments(&folder)?;
            if before == after
                && let Some(found) = found
            {
                return Ok(found);
            }
            before = after;
        }
        // No list is better than one that lacks files and does not say so.
        let changing = io::Error::new(io::ErrorKind::Interrupted, "it changes all the time");
        Err(StoreError::io(&folder, "list a folder", &changing))
    }

    /// `None` if one of the files has gone.
    fn parts_of(&self, folder: &Path, named: &[Named]) -> Option<Vec<Found>> {
        let mut found = Vec::new();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|path, _| path.parent() != Some(folder) || named.iter().any(|named| named.path == *path));
        for named in named {
            let meta = named.path.metadata().ok()?;
            let modified = meta.modified().ok();
            match known.get(&named.path) {
                Some(known) if known.length == meta.len() && known.modified == modified => {
                    found.extend(known.parts.iter().map(|(name, part)| (Some(name.clone()), part.clone())));
                }
                _ => match read(named, None, &self.place, &self.cache) {
                    Ok(parts) => {
                        found.extend(parts.iter().map(|(name, part)| (Some(name.clone()), part.clone())));
                        known.insert(named.path.clone(), Known { length: meta.len(), modified, parts });
                    }
                    Err((part, _)) => found.push((None, part)),
                },
            }
        }
        Some(found)
    }
}
