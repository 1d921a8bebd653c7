//! Files that come, files that go, and names that pass from one to the other.

use super::{Held, Store};
use crate::error::StoreError;
use crate::sealed::{Fate, Part, Sealed};
use crate::segment::{Segment, Whole};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// A file that goes when the last view that holds it ends.
#[derive(Debug)]
pub(super) struct Going {
    path: PathBuf,
    sealed: Weak<Sealed>,
    fate: Arc<Fate>,
}

impl Store {
    /// Gives a file that is all written its name, in place of what had it.
    ///
    /// If that fails it may have been done all the same. A name that nobody had is then removed before the next file is written,
    /// or before the next purge at the latest: what is found in it later would be believed. Of one that was a file's,
    /// [`Self::unsure`] is said by who wrote other lines into it.
    pub(super) fn keep(&mut self, folder: &str, whole: Whole, doing: &str) -> Result<Segment, StoreError> {
        // What cannot be removed now does not keep lines from being written.
        let _ = self.place.clear();
        let path = self.place.path(folder, whole.name());
        self.claim(&path)?;
        match self.place.put(folder, whole) {
            Ok(segment) => {
                self.place.is_put(&path);
                Ok(segment)
            }
            Err(error) => {
                if self.number_at(&path).is_none() {
                    self.place.leave(&path);
                }
                Err(StoreError::io(&path, doing, &error))
            }
        }
    }

    /// The file that has a path.
    pub(super) fn number_at(&self, path: &Path) -> Option<u64> {
        self.files.iter().find(|(_, held)| held.sealed.path() == path).map(|(&number, _)| number)
    }

    /// Whether a file of this name would take that of another one.
    pub(super) fn is_taken(&self, path: &Path) -> bool {
        self.place.is_there(path).unwrap_or_else(|| self.number_at(path).is_some())
    }

    /// A name is about to be another file's: views that hold the one that goes by it keep that open, and remove nothing when they
    /// end.
    fn claim(&mut self, path: &Path) -> Result<(), StoreError> {
        for going in self.going.iter().filter(|going| going.path == path) {
            self.take_name(going)?;
        }
        Ok(())
    }

    /// Whether the name is there still.
    fn take_name(&self, going: &Going) -> Result<bool, StoreError> {
        if let Some(sealed) = going.sealed.upgrade() {
            let pinned = self.shared.cache.open(&sealed).and_then(|segment| sealed.pin(&segment));
            // One that is damaged anyway has nothing to be kept for.
            if let Err(damage) = pinned
                && self.place.is_passing(&damage)
            {
                return Err(self.place.failed(&damage));
            }
        }
        // If it has ended, and is being removed at this moment, this waits for that.
        Ok(going.fate.is_gone())
    }

    /// Makes sure that no file holds lines of an account that do not count, and would be found if those that do were not there: files
    /// that others need, or that may have been written over, are written again, and what was to be removed is, also what views
    /// hold still. Answers what is damaged and stays as it is.
    pub(super) fn settle(&mut self, at: Option<usize>) -> Result<Vec<PathBuf>, StoreError> {
        let is_stale = |held: &Held| at.is_some_and(|at| held.stale.contains(&at));
        let again = self.files.iter().filter(|(number, held)| is_stale(held) || self.unsure.contains(number));
        let again: Vec<(u64, PathBuf)> = again.map(|(&number, held)| (number, held.sealed.path().to_owned())).collect();
        let mut unread = Vec::new();
        for (number, path) in again {
            // What was read of one that may be another by now is open still.
            self.merge(&[number])?;
            if self.files.contains_key(&number) {
                unread.push(path);
            }
        }
        while let Some(going) = self.going.pop() {
            match self.take_name(&going) {
                Ok(true) => self.place.leave(&going.path),
                Ok(false) => {}
                Err(error) => {
                    self.going.push(going);
                    return Err(error);
                }
            }
        }
        self.place.clear()?;
        Ok(unread)
    }

    /// An account has nothing in a file any more. The last one to say so has it removed.
    pub(super) fn let_go(&mut self, at: usize, part: &Part) {
        if !self.is_last(at, part) {
            return;
        }
        part.sealed.doom();
        if self.going.len().is_multiple_of(64) {
            self.going.retain(|going| Arc::strong_count(&going.fate) > 1);
        }
        let (path, fate) = (part.sealed.path().to_owned(), Arc::clone(part.sealed.fate()));
        self.going.push(Going { path, sealed: Arc::downgrade(&part.sealed), fate });
    }

    /// The same, of a file whose name another one has now, or nobody.
    pub(super) fn forget(&mut self, at: usize, part: &Part) {
        self.is_last(at, part);
    }

    fn is_last(&mut self, at: usize, part: &Part) -> bool {
        let number = part.sealed.number();
        let Some(held) = self.files.get_mut(&number) else { return false };
        held.accounts = held.accounts.saturating_sub(1);
        let is_last = held.accounts == 0;
        if !is_last {
            held.stale.push(at);
        } else {
            self.shared.cache.forget(&part.sealed);
            self.files.remove(&number);
            self.stuck.remove(&number);
            self.unsure.remove(&number);
        }
        is_last
    }

    pub(super) fn held(&mut self, part: &Part) {
        let new = || Held { sealed: Arc::clone(&part.sealed), accounts: 0, last_id: 0, stale: Vec::new() };
        let held = self.files.entry(part.sealed.number()).or_insert_with(new);
        held.accounts += 1;
        held.last_id = held.last_id.max(part.last);
        if part.broken {
            self.stuck.insert(part.sealed.number());
        }
    }
}
