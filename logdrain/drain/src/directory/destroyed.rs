//! Accounts that are destroyed, where nodes share the directory: the owner of a partition says here how far he is with each, and
//! changes nothing once another one has the partition.

use super::group::Group;
use super::{Directory, DirectoryError, delete_account};
use crate::parts::Part;
use crate::sql::{Row, SqlError, Step, values};

/// An account that is destroyed by an event of a partition, for who owns that since an epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destroyed {
    pub part: Part,
    pub epoch: i64,
    pub seq: u64,
    /// The event's time, in microseconds since 1970.
    pub at: i64,
    pub account: String,
}

/// What each node is to erase from its own files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Erasable {
    /// The version of the directory at which it was told.
    pub version: i64,
    pub account: String,
    /// When it was destroyed, in microseconds since 1970.
    pub at: i64,
    /// What its rows are called after.
    pub drains: Vec<String>,
}

impl Destroyed {
    fn seq(&self) -> i64 {
        i64::try_from(self.seq).unwrap_or(i64::MAX)
    }

    /// Whether it is to be done still. Whoever owned the partition before does nothing from here on.
    fn is_due(&self, step: &mut Step<'_>) -> Result<bool, DirectoryError> {
        step.owns(self.part, self.epoch)?;
        let sql = "SELECT is_over FROM destroyed WHERE p = $1 AND seq = $2";
        let is_over: Option<bool> = step.one(sql, values![self.part.number(), self.seq()], |row| row.get(0))?;
        Ok(is_over != Some(true))
    }
}

impl Directory {
    /// Everything of an account that is destroyed is gone from here. `false` when it has been done with: a new one may be called
    /// so since.
    ///
    /// # Errors
    /// When it cannot be written, or another node owns the partition.
    pub fn remove_destroyed(&self, ending: &Destroyed) -> Result<bool, DirectoryError> {
        let Destroyed { part, at, account, .. } = ending;
        // Members and tokens are the matter of its own partition: others may be done much later, with another one of this name.
        let is_own = part.all().of(account) == *part;
        let is_due = self.change_all(
            &[(&Group::ALL, account)],
            |step| {
                if !ending.is_due(step)? {
                    return Ok(false);
                }
                if is_own {
                    delete_account(step, account)?;
                }
                let sql = "INSERT INTO destroyed (p, seq, account, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
                step.execute(sql, values![part.number(), ending.seq(), account, *at])?;
                Ok(true)
            },
            |known, is_due| {
                if *is_due && is_own {
                    self.forget_account(known, account);
                }
            },
        )?;
        if is_due {
            self.mark()?;
        }
        Ok(is_due)
    }

    /// Has every node erase the rows of these drains from its own file. What was told first holds.
    ///
    /// # Errors
    /// When it cannot be written, or another node owns the partition.
    pub fn tell_destroyed(&self, ending: &Destroyed, drains: &[String]) -> Result<(), DirectoryError> {
        let text = serde_json::to_string(drains).map_err(|error| DirectoryError::Closed(error.to_string()))?;
        self.change(
            (&[], &ending.account),
            |step| {
                if ending.is_due(step)? {
                    let sql = "UPDATE destroyed SET drains = $3, version = (SELECT version FROM directory) \
                               WHERE p = $1 AND seq = $2 AND drains IS NULL";
                    step.execute(sql, values![ending.part.number(), ending.seq(), &text])?;
                }
                Ok(())
            },
            |_, ()| (),
        )
    }

    /// Nothing is left of it.
    ///
    /// # Errors
    /// When it cannot be written, or another node owns the partition.
    pub fn end_destroyed(&self, ending: &Destroyed) -> Result<(), DirectoryError> {
        self.step(|step| {
            step.owns(ending.part, ending.epoch)?;
            let sql = "UPDATE destroyed SET is_over = true WHERE p = $1 AND seq = $2";
            step.execute(sql, values![ending.part.number(), ending.seq()])?;
            Ok(())
        })
    }

    /// Whether nobody comes in any more by the account that an event destroyed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn has_removed(&self, part: Part, seq: u64) -> Result<bool, DirectoryError> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let sql = "SELECT 1 FROM destroyed WHERE p = $1 AND seq = $2";
        let there = |_: &Row<'_>| -> Result<(), SqlError> { Ok(()) };
        self.read(|step| Ok(step.one(sql, values![part.number(), seq], there)?.is_some()))
    }

    /// What was told behind a version, in its order. Behind one that is newer than the directory, which is a backup then, all of it
    /// was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn destroyed_since(&self, version: i64) -> Result<Vec<Erasable>, DirectoryError> {
        let sql = "SELECT version, account, drains, at FROM destroyed WHERE drains IS NOT NULL AND (version > $1 \
                   OR $1 > (SELECT version FROM directory)) ORDER BY version, p, seq";
        let read = |row: &Row<'_>| -> Result<Erasable, SqlError> {
            let drains: String = row.get(2)?;
            let drains = serde_json::from_str(&drains).unwrap_or_default();
            Ok(Erasable { version: row.get(0)?, account: row.get(1)?, at: row.get(3)?, drains })
        };
        self.read(|step| Ok(step.rows(sql, values![version], read)?))
    }

    /// What a node that was stopped may have noted of an account since that was destroyed: when it was heard, and what it used.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remove_noted(&self, account: &str) -> Result<(), DirectoryError> {
        self.change(
            (&[Group::Systems], account),
            |step| {
                for sql in ["DELETE FROM systems WHERE account = $1", "DELETE FROM used WHERE account = $1"] {
                    step.execute(sql, values![account])?;
                }
                Ok(())
            },
            |_, ()| self.systems().forget_account(account),
        )
    }
}
