//! How a store works, and what it may cost.

use crate::error::{StoreError, StoreErrorKind};
use std::time::Duration;

const MIB: usize = 1 << 20;
/// What writing a file takes: the grams of its blocks, its rows before they are written, its dictionary and its index, and the
/// segment when it is opened.
const WRITING: usize = 96 * MIB;
/// What is remembered of files.
const LISTS: usize = 16 * MIB;
/// An account without events.
const AN_ACCOUNT: usize = 1 << 10;

/// How a store works, and what it may cost. The defaults suit a service that takes some ten thousand lines a second.
///
/// ```
/// use log_store::Options;
///
/// let options = Options::new().with_head_bytes(16 << 20).with_cache_bytes(8 << 20);
/// assert!(options.max_memory() < 300 << 20);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    partition: u8,
    head_bytes: usize,
    seal_bytes: usize,
    seal_age: Duration,
    cache_bytes: usize,
    accounts: usize,
}

impl Options {
    /// The defaults, as they stand at each method.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            partition: 0,
            head_bytes: 192 * MIB,
            seal_bytes: 64 * MIB,
            seal_age: Duration::from_secs(3_600),
            cache_bytes: 64 * MIB,
            accounts: 4_096,
        }
    }

    /// Which partition's files these are: a folder may hold stores of several writers beside each other. Default 0.
    #[must_use]
    pub const fn with_partition(mut self, partition: u8) -> Self {
        self.partition = partition;
        self
    }

    /// Memory for events that are in no file yet, in bytes, of all accounts together. When it is full, `append` seals.
    /// Default 192 MiB, at least 8 MiB.
    #[must_use]
    pub const fn with_head_bytes(mut self, bytes: usize) -> Self {
        self.head_bytes = bytes;
        self
    }

    /// Bytes of messages of one account that are worth a segment. Default and most 64 MiB.
    #[must_use]
    pub const fn with_seal_bytes(mut self, bytes: usize) -> Self {
        self.seal_bytes = bytes;
        self
    }

    /// How old the oldest event that is in no file may become. Default one hour.
    #[must_use]
    pub const fn with_seal_age(mut self, age: Duration) -> Self {
        self.seal_age = age;
        self
    }

    /// Memory for what is known of segments (their indexes and dictionaries), in bytes. Default 64 MiB. With less than the
    /// segments of a search need, they are opened again and again.
    #[must_use]
    pub const fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// How many accounts there may be. Default 4,096.
    #[must_use]
    pub const fn with_accounts(mut self, accounts: usize) -> Self {
        self.accounts = accounts;
        self
    }

    /// Memory that a store takes at most, in bytes, whatever is appended: the head, the cache, what sealing and merging need
    /// while they write a file, the accounts, and a list of some ten thousand files. Beside it each search takes up to 16 MiB,
    /// and what its page says.
    #[must_use]
    pub const fn max_memory(&self) -> usize {
        self.head_bytes + self.cache_bytes + WRITING + LISTS + self.accounts * AN_ACCOUNT
    }

    pub(crate) const fn partition(&self) -> u8 {
        self.partition
    }

    pub(crate) const fn head_bytes(&self) -> usize {
        self.head_bytes
    }

    pub(crate) const fn seal_bytes(&self) -> usize {
        self.seal_bytes
    }

    pub(crate) const fn seal_age(&self) -> Duration {
        self.seal_age
    }

    pub(crate) const fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    pub(crate) const fn accounts(&self) -> usize {
        self.accounts
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let wrong = |said: &str| Err(StoreError::new(StoreErrorKind::Options, said));
        if self.head_bytes < 8 * MIB {
            return wrong("head_bytes is below 8 MiB: raise it");
        }
        if self.seal_bytes == 0 || self.seal_bytes > 64 * MIB {
            return wrong("seal_bytes is not in 1 byte to 64 MiB");
        }
        if self.accounts == 0 {
            return wrong("accounts is 0: allow at least one");
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
