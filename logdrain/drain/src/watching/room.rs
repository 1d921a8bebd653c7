//! What the rules of all accounts may remember: the configuration says it (`alert_memory`), the journal has it, and accounts
//! share it. So what finds no room depends on the journal alone, and is the same in each run over it.
//!
//! ```text
//! alert_memory = signals (a half) + lines that windows record (a quarter) + what finds rules faster (the rest)
//! ```
//!
//! Signals take room as they come, whoever asks first. When it is all taken and somebody wants more, it is shared with each tick:
//! accounts that want little have it, the others have equally much and give up what is beyond. Windows of lines have equal parts
//! at all times; what they do not record they count. Caches have equal parts, and change nothing but time.

use crate::settings::Settings;

/// A line that is recorded, its place in a state and in what is written.
const RECORD: usize = 24;
/// An account has no more, whatever there is.
const MOST_RECORDS: usize = 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) const fn of(settings: &Settings) -> Self {
        Self(settings.limits.alert_bytes)
    }

    pub(super) const fn of_bytes(bytes: usize) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(self) -> usize {
        self.0
    }

    /// Bytes of the signals of all accounts.
    pub(super) const fn signals(self) -> u64 {
        (self.0 / 2) as u64
    }

    /// Bytes of what each of so many accounts may spend to find signals faster.
    pub(super) fn signals_cache(self, accounts: usize) -> u64 {
        (self.0 / 16 / accounts.max(1)) as u64
    }

    /// Lines that windows of each of so many accounts record.
    pub(super) fn records(self, accounts: usize) -> usize {
        (self.0 / 4 / RECORD / accounts.max(1)).min(MOST_RECORDS)
    }

    /// Bytes of what each of so many accounts may spend to find the rules of a line faster.
    pub(super) fn lines_cache(self, accounts: usize) -> usize {
        self.0 / 16 * 3 / accounts.max(1)
    }
}
