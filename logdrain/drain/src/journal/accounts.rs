//! What accounts have said, a row each: a change writes one of them again, and not all settings.
//!
//! ```text
//! accounts  name -> value (JSON), crc       ; crc over name and value
//! meta      accounts                        ; the checksums of all rows, one over the other by exclusive or
//! ```

use super::failure::StoreError;
use crate::settings::account::Account;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Writes a row, with its checksum, or removes it.
pub(super) type WriteRow<'a> = dyn FnMut(&str, Option<(&str, u32)>) -> Result<(), StoreError> + 'a;

/// All accounts, and the checksum of each one's row.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) all: BTreeMap<String, Arc<Account>>,
    sums: BTreeMap<String, u32>,
}

impl Accounts {
    /// Reads all rows.
    pub(super) fn read(db: &Connection) -> Result<Self, StoreError> {
        let mut found = Self::default();
        let mut rows = db.prepare_cached("SELECT name, value, crc FROM accounts")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            // A flipped bit may have changed the type of any value.
            let columns = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))();
            let columns: rusqlite::Result<(String, String, i64)> = columns;
            let is_taken = columns.is_ok_and(|(name, value, crc)| found.take(name, &value, crc));
            if !is_taken {
                return Err(StoreError::Broken("the settings of an account are not what they were".to_owned()));
            }
        }
        Ok(found)
    }

    /// Takes a row over; `false` when it is not as it was written.
    pub(super) fn take(&mut self, name: String, value: &str, crc: i64) -> bool {
        let Ok(account) = serde_json::from_str(value) else { return false };
        let sum = sum(&name, value);
        if i64::from(sum) != crc {
            return false;
        }
        self.sums.insert(name.clone(), sum);
        self.all.insert(name, Arc::new(account));
        true
    }

    /// The checksums of all rows, as one number.
    pub(super) fn sum(&self) -> u64 {
        self.sums.values().fold(0, |all, sum| all ^ u64::from(*sum))
    }

    /// Writes those that are not as they were, each with its checksum, and those that are gone as nothing; answers what holds
    /// when that is durable.
    pub(super) fn change(
        &self,
        next: &BTreeMap<String, Arc<Account>>,
        write: &mut WriteRow<'_>,
    ) -> Result<Option<Self>, StoreError> {
        let is_same =
            |name: &String, account: &Arc<Account>| self.all.get(name).is_some_and(|old| Arc::ptr_eq(old, account));
        if self.all.len() == next.len() && next.iter().all(|(name, account)| is_same(name, account)) {
            return Ok(None);
        }
        let mut sums = self.sums.clone();
        for name in self.all.keys().filter(|name| !next.contains_key(*name)) {
            write(name, None)?;
            sums.remove(name);
        }
        for (name, account) in next.iter().filter(|(name, account)| !is_same(name, account)) {
            let value = serde_json::to_string(&**account).map_err(|error| StoreError::Settings(error.to_string()))?;
            let sum = sum(name, &value);
            write(name, Some((&value, sum)))?;
            sums.insert(name.clone(), sum);
        }
        Ok(Some(Self { all: next.clone(), sums }))
    }
}

/// Writes or removes a row.
pub(super) fn write(step: &Connection, name: &str, value: Option<(&str, u32)>) -> Result<(), StoreError> {
    match value {
        Some((value, sum)) => step
            .prepare_cached("INSERT OR REPLACE INTO accounts VALUES (?1, ?2, ?3)")?
            .execute(params![name, value, i64::from(sum)])?,
        None => step.prepare_cached("DELETE FROM accounts WHERE name = ?1")?.execute([name])?,
    };
    Ok(())
}

fn sum(name: &str, value: &str) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&(name.len() as u64).to_le_bytes());
    crc.update(name.as_bytes());
    crc.update(value.as_bytes());
    crc.finalize()
}
