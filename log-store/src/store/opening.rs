//! What is on the disk when a store is opened.

use super::Store;
use crate::error::StoreError;
use crate::files::Files;
use crate::folder::SHARED;
use crate::lock::Lock;
use crate::options::Options;
use crate::place::{Found, Place};
use crate::sealed::{self, Part, arrange, read};
use crate::state::{AccountState, Shared};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

impl Store {
    /// Opens a folder, which is made if it is not there, for writing. What its files hold can be searched at once. What a crash
    /// left unfinished is removed; a file that cannot be read is kept, named by [`Store::damage`], and searches say that they
    /// lack it.
    ///
    /// # Errors
    /// `Locked` if the folder has another writer, `Options`, and `Io`.
    pub fn open(root: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let place = Place::folder(root.as_ref(), options.partition());
        Self::open_at(place, options)
    }

    /// The same, with sealed files where an embedder has them. The folder holds the lock, and what is not all written yet: nothing
    /// of it is missed when it is lost. Nobody else may write files of this partition there meanwhile; the lock tells of those on
    /// the same disk only.
    ///
    /// # Errors
    /// As [`Store::open`]. `Io` also if [`Files::list`] fails, or a file without a note of use cannot be opened now; what cannot be
    /// read later on either ([`Damage::is_passing`](crate::Damage::is_passing)) is kept and named, as in a folder.
    pub fn open_with(root: impl AsRef<Path>, options: Options, files: Arc<dyn Files>) -> Result<Self, StoreError> {
        let place = Place::elsewhere(root.as_ref(), options.partition(), files);
        Self::open_at(place, options)
    }

    fn open_at(place: Place, options: Options) -> Result<Self, StoreError> {
        options.check()?;
        let root = place.root();
        fs::create_dir_all(root).map_err(|error| StoreError::io(root, "make the folder", &error))?;
        let lock = Lock::take(root, options.partition())?;
        let mut store = Self {
            place,
            shared: Arc::new(Shared::new(options.cache_bytes())),
            options,
            _lock: lock,
            heads: Vec::new(),
            by_name: BTreeMap::new(),
            last_head: 0,
            head_memory: 0,
            appended: None,
            passed_over: 0,
            files: BTreeMap::new(),
            damage: Vec::new(),
            stuck: BTreeSet::new(),
            going: Vec::new(),
            unsure: BTreeSet::new(),
        };
        store.find()?;
        Ok(store)
    }

    fn find(&mut self) -> Result<(), StoreError> {
        let mut all: BTreeMap<Box<str>, Vec<Part>> = BTreeMap::new();
        let mut through: BTreeMap<Box<str>, u64> = BTreeMap::new();
        let mut broken = Vec::new();
        for Found { folder, named, told } in self.place.list()? {
            let parts = told.as_ref().and_then(|(length, note)| sealed::told(&named, *length, note, &self.place));
            let parts = match parts {
                Some(parts) => Ok(parts),
                None => read(&named, told.map(|(length, _)| length), &self.place, &self.shared.cache),
            };
            match parts {
                Ok(parts) => {
                    for (name, part) in parts {
                        self.held(&part);
                        let through = through.entry(name.clone()).or_default();
                        *through = part.last.max(*through);
                        all.entry(name).or_default().push(part);
                    }
                }
                // It is not broken for being away.
                Err((_, damage)) if self.place.is_passing(&damage) => return Err(self.place.failed(&damage)),
                Err((part, damage)) => {
                    self.damage.push(damage);
                    if folder == SHARED {
                        // Whose lines it held is not known, so nobody's count as sealed by it: what a journal still has
                        // is written again.
                        broken.push(part);
                        continue;
                    }
                    let through = through.entry(folder.as_str().into()).or_default();
                    *through = part.last.max(*through);
                    self.held(&part);
                    all.entry(folder.as_str().into()).or_default().push(part);
                }
            }
        }
        for (name, mut parts) in all {
            for part in &broken {
                self.held(part);
                parts.push(part.clone());
            }
            let (parts, covered) = arrange(parts);
            let through = through.get(&name).copied();
            let found_to = through.map_or(0, |through| through + 1);
            let parts: Arc<[Part]> = parts.into();
            let state = AccountState { parts: Arc::clone(&parts), found_to, ..AccountState::default() };
            let at = self.add(&name, state, through);
            for part in parts.iter().filter(|part| part.is_cut) {
                self.files.entry(part.sealed.number()).and_modify(|held| held.stale.push(at));
            }
            // What was written into another file, before the crash that left it.
            covered.iter().for_each(|part| self.let_go(at, part));
        }
        Ok(())
    }
}
