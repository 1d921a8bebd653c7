//! How rules stand now: said by whoever asks them, with each tick, for the pages, the API and `/metrics`.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a rule is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    #[default]
    Ok,
    /// A rule on minutes has told something that is not clear; the last window of a rule on lines was told.
    Firing,
    /// A rule on minutes has heard of none of its metrics for a while.
    NoData,
}

impl Is {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Firing => "firing",
            Self::NoData => "no_data",
        }
    }
}

/// How one rule stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stand {
    pub is: Is,
    /// Since when, in microseconds since 1970; of one without data when it had some last. `None` if it never did.
    pub since: Option<i64>,
    /// The end of the last window that was told, of a rule on lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<i64>,
    /// The end of the last window with a number for it, of a rule on minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<i64>,
    /// How many signals found no room with that, and are not watched.
    #[serde(default)]
    pub left_out: u64,
    /// When it was told that some do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out_told: Option<i64>,
}

/// Those of an account, by alert.
pub type Stands = BTreeMap<u32, Stand>;

/// Who says it: two that do not wait for each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    Lines,
    Minutes,
}

/// What rules of one kind say of themselves.
#[derive(Default, Debug)]
struct Said {
    accounts: BTreeMap<String, Stands>,
    /// What those of each partition remember, and may.
    bytes: BTreeMap<u8, (u64, u64)>,
}

/// How all rules stand.
#[derive(Default, Debug)]
pub struct Standings {
    lines: Mutex<Said>,
    minutes: Mutex<Said>,
}

/// What rules of all accounts remember.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// What signals take, in bytes, and how much they may.
    pub bytes: u64,
    pub most_bytes: u64,
    /// Signals that find no room.
    pub left_out: u64,
    /// Rules of which some do not.
    pub rules: u64,
}

impl Standings {
    fn of(&self, of: Of) -> MutexGuard<'_, Said> {
        let said = match of {
            Of::Lines => &self.lines,
            Of::Minutes => &self.minutes,
        };
        said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How those of an account stand from now on; none, if it has none.
    pub fn say(&self, of: Of, account: &str, stands: &Stands) {
        let mut said = self.of(of);
        if stands.is_empty() {
            said.accounts.remove(account);
        } else if said.accounts.get(account) != Some(stands) {
            said.accounts.insert(account.to_owned(), stands.clone());
        }
    }

    /// What those on minutes remember of a partition.
    pub fn take(&self, part: u8, bytes: u64, most_bytes: u64) {
        self.of(Of::Minutes).bytes.insert(part, (bytes, most_bytes));
    }

    /// Nothing is said any more of other partitions, nor of accounts that are of none of these.
    pub fn keep(&self, parts: &BTreeSet<u8>, is_here: impl Fn(&str) -> bool) {
        for of in [Of::Lines, Of::Minutes] {
            let mut said = self.of(of);
            said.bytes.retain(|part, _| parts.contains(part));
            said.accounts.retain(|account, _| is_here(account));
        }
    }

    /// How those of an account stand.
    pub fn get(&self, account: &str) -> Stands {
        let mut all = self.of(Of::Lines).accounts.get(account).cloned().unwrap_or_default();
        all.extend(self.of(Of::Minutes).accounts.get(account).into_iter().flatten());
        all
    }

    pub fn memory(&self) -> Memory {
        let said = self.of(Of::Minutes);
        let mut memory = Memory::default();
        for (bytes, most) in said.bytes.values() {
            (memory.bytes, memory.most_bytes) = (memory.bytes + bytes, memory.most_bytes + most);
        }
        for stand in said.accounts.values().flat_map(BTreeMap::values).filter(|stand| stand.left_out > 0) {
            memory.rules += 1;
            memory.left_out += stand.left_out;
        }
        memory
    }
}
