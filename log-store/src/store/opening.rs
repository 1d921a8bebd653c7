//! What is on the disk when a store is opened.

use super::{Held, Store};
use crate::error::StoreError;
use crate::folder::{self, SHARED, of_account};
use crate::lock::Lock;
use crate::options::Options;
use crate::sealed::{Part, arrange, read};
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
        options.check()?;
        let root = root.as_ref();
        fs::create_dir_all(root).map_err(|error| StoreError::io(root, "make the folder", &error))?;
        let lock = Lock::take(root, options.partition())?;
        let mut store = Self {
            root: root.to_owned(),
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
        };
        store.find()?;
        Ok(store)
    }

    fn find(&mut self) -> Result<(), StoreError> {
        let mut all: BTreeMap<Box<str>, Vec<Part>> = BTreeMap::new();
        let mut through: BTreeMap<Box<str>, u64> = BTreeMap::new();
        let mut broken = Vec::new();
        let mut names = folder::accounts(&self.root)?;
        names.push(SHARED.to_owned());
        for folder_name in names {
            let folder = of_account(&self.root, &folder_name, self.options.partition());
            folder::remove_unfinished(&folder)?;
            for named in folder::segments(&folder)? {
                let shared = folder_name == SHARED;
                match read(&named, &self.shared.cache) {
                    Ok(parts) => {
                        for (name, part) in parts {
                            self.held(&part);
                            let through = through.entry(name.clone()).or_default();
                            *through = part.last.max(*through);
                            all.entry(name).or_default().push(part);
                        }
                    }
                    Err((part, damage)) => {
                        self.damage.push(damage);
                        if shared {
                            // Whose lines it held is not known, so nobody's count as sealed by it: what a journal still has
                            // is written again.
                            broken.push(part);
                            continue;
                        }
                        let through = through.entry(folder_name.as_str().into()).or_default();
                        *through = part.last.max(*through);
                        self.held(&part);
                        all.entry(folder_name.as_str().into()).or_default().push(part);
                    }
                }
            }
        }
        for (name, mut parts) in all {
            for part in &broken {
                self.held(part);
                parts.push(part.clone());
            }
            let (parts, covered) = arrange(parts);
            // What was written into another file, before the crash that left it.
            covered.iter().for_each(|part| self.let_go(part));
            let through = through.get(&name).copied();
            let found_to = through.map_or(0, |through| through + 1);
            self.add(&name, AccountState { parts: parts.into(), found_to, ..AccountState::default() }, through);
        }
        Ok(())
    }

    fn held(&mut self, part: &Part) {
        let new = || Held { sealed: Arc::clone(&part.sealed), accounts: 0, last_id: 0 };
        let held = self.files.entry(part.sealed.number()).or_insert_with(new);
        held.accounts += 1;
        held.last_id = held.last_id.max(part.last);
        if part.broken {
            self.stuck.insert(part.sealed.number());
        }
    }

    /// An account has nothing in a file any more. The last one to say so has it removed.
    pub(super) fn let_go(&mut self, part: &Part) {
        let number = part.sealed.number();
        let Some(held) = self.files.get_mut(&number) else { return };
        held.accounts = held.accounts.saturating_sub(1);
        if held.accounts == 0 {
            part.sealed.doom();
            self.shared.cache.forget(&part.sealed);
            self.files.remove(&number);
            self.stuck.remove(&number);
        }
    }

    /// The same, of a file whose name another one has now.
    pub(super) fn forget(&mut self, part: &Part) {
        let number = part.sealed.number();
        let Some(held) = self.files.get_mut(&number) else { return };
        held.accounts = held.accounts.saturating_sub(1);
        if held.accounts == 0 {
            self.shared.cache.forget(&part.sealed);
            self.files.remove(&number);
            self.stuck.remove(&number);
        }
    }
}
