//! What writer and readers share: for each account its files and its head, swapped whole, and how far readers may see.

use crate::chunk::Chunk;
use crate::sealed::{Cache, Part};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// An account at one moment. A reader takes it whole, so a seal moves events without anyone seeing them twice or not at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountState {
    /// Files, rising by id.
    pub(crate) parts: Arc<[Part]>,
    /// The head, rising by id, above all files.
    pub(crate) chunks: Vec<Arc<Chunk>>,
    /// Events below this are gone, even where a file still holds them.
    pub(crate) floor: u64,
    /// Events below this are there, and are seen by who asks for hidden ones only.
    pub(crate) hidden: u64,
    /// The first id above what was in files when the store was opened. That much may be seen before anything is published:
    /// of this account nothing below it can be missing.
    pub(crate) found_to: u64,
}

/// An account.
#[derive(Debug)]
pub(crate) struct Account {
    name: Arc<str>,
    state: Mutex<Arc<AccountState>>,
}

impl Account {
    pub(crate) fn new(name: Arc<str>, state: AccountState) -> Self {
        Self { name, state: Mutex::new(Arc::new(state)) }
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn state(&self) -> Arc<AccountState> {
        Arc::clone(&lock(&self.state))
    }

    /// Puts another state in its place. Only the writer does, so nothing comes between.
    pub(crate) fn swap(&self, state: AccountState) {
        let before = std::mem::replace(&mut *lock(&self.state), Arc::new(state));
        // Not under the lock: this may remove files.
        drop(before);
    }
}

/// All accounts of a store.
#[derive(Debug)]
pub(crate) struct Shared {
    accounts: RwLock<BTreeMap<Arc<str>, Arc<Account>>>,
    /// The first id that may not be seen yet.
    visible: Mutex<u64>,
    risen: Condvar,
    pub(crate) cache: Cache,
}

impl Shared {
    pub(crate) fn new(cache_bytes: usize) -> Self {
        Self {
            accounts: RwLock::default(),
            visible: Mutex::new(0),
            risen: Condvar::new(),
            cache: Cache::new(cache_bytes),
        }
    }

    pub(crate) fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All accounts, by name.
    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn add(&self, account: Account) -> Arc<Account> {
        let account = Arc::new(account);
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.insert(Arc::clone(account.name()), Arc::clone(&account));
        account
    }

    /// The first id that may not be seen yet.
    pub(crate) fn visible(&self) -> u64 {
        *lock(&self.visible)
    }

    /// Lets readers see events below this, and wakes those who wait. It never sinks.
    pub(crate) fn publish(&self, below: u64) {
        let mut visible = lock(&self.visible);
        if below > *visible {
            *visible = below;
            self.risen.notify_all();
        }
    }

    /// Waits until more than this may be seen, or for so long.
    pub(crate) fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let visible = lock(&self.visible);
        let waited = self.risen.wait_timeout_while(visible, timeout, |visible| *visible <= seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What these locks guard is replaced in one step, so one that a panic poisoned guards nothing broken.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
