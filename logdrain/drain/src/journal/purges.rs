//! Purges, in the journal's own file: of deliveries that it keeps longer than anybody needs them, the lines that a purge
//! found are erased. Their ids, their number and their order stay.
//!
//! It is done some deliveries at a time, when snapshots and the files of lines hold all that was before the purge, and goes
//! on where it was broken off. Then the purge itself forgets what it looked for, pages that are not used any more are given
//! back, and the write-ahead file is folded in: nothing of the text is left. What was set aside as damaged is removed a day
//! later.
//!
//! ```text
//! meta  purges -> {"pending":[{"seq":7,"done":3}],"is_dirty":false,"aside":[1800000000000000]}
//! ```

use super::endings::Ending;
use super::failure::StoreError;
use super::gone::Gone;
use crate::event::Record;
use crate::settings::Settings;
use crate::settings::purge::Purge;
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Makes of a delivery the body that it has without the lines that a purge of an account found; `None` if there are none.
#[derive(Clone)]
pub struct Erase(pub(super) Arc<Eraser>);

pub(super) type Eraser = dyn Fn(&Settings, &str, &Purge, &Record) -> Option<Vec<u8>> + Send + Sync;

impl Erase {
    pub fn by(erase: impl Fn(&Settings, &str, &Purge, &Record) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(erase))
    }
}

impl std::fmt::Debug for Erase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Erase")
    }
}

/// What there is to do.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Purges {
    pub(super) pending: Vec<Pending>,
    /// Pages that are used no more may hold what was erased.
    pub(super) is_dirty: bool,
    /// When there was a purge behind which damaged files may lie aside, in microseconds since 1970.
    pub(super) aside: Vec<i64>,
    /// What of accounts that are destroyed is not kept, if it comes still.
    #[serde(skip_serializing_if = "Gone::is_empty")]
    pub(super) gone: Gone,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The purge's number in the journal.
    pub(super) seq: u64,
    /// Looked through up to here.
    pub(super) done: u64,
    /// When it was written down, in microseconds since 1970. Missing in stores of older programs, as the next is.
    #[serde(default)]
    pub(super) at: i64,
    /// The account that is destroyed by it: then others beside the journal have something to do, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
}

impl Purges {
    pub(super) fn read(db: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = 'purges' AND typeof(value) = 'text'";
        let text: Option<String> = db.query_row(sql, [], |row| row.get(0)).optional()?;
        Ok(Self::read_text(text.as_deref()))
    }

    pub(super) fn read_text(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// As it is kept.
    pub(super) fn text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Settings(error.to_string()))
    }

    pub(super) fn write(&self, db: &Connection) -> Result<(), StoreError> {
        db.execute("INSERT OR REPLACE INTO meta VALUES ('purges', ?1)", [self.text()?])?;
        Ok(())
    }

    /// A purge is written down.
    pub(super) fn add(&mut self, pending: Pending) {
        self.aside.push(pending.at);
        self.pending.push(pending);
    }

    /// Whether there may be something left of an account that is destroyed: what one of the same name had would go with it.
    pub(super) fn is_ending(&self, account: &str) -> bool {
        self.pending.iter().any(|pending| pending.account.as_deref() == Some(account))
    }

    /// The accounts that are destroyed, and of which there may be something left beside the journal.
    pub(super) fn endings(&self) -> impl Iterator<Item = Ending> {
        self.pending.iter().filter_map(|pending| {
            let Pending { seq, at, account, .. } = pending.clone();
            Some(Ending { seq, at, account: account? })
        })
    }
}
