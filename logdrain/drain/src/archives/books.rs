//! What happened to the lines of an hour, as it stands beside its archive.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// `….books.json`. Written before the archive gets its name, so that it is there for whoever sees an archive.
///
/// ```text
/// events = kept + filtered + over_volume + unknown + no_room
/// lines  = kept, as long as none of them were let go or damaged before the archive was written
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Books {
    /// `2026-11-28-22`.
    pub hour: String,
    /// Rows of the archive.
    pub lines: u64,
    /// Their bytes, before they were packed.
    pub bytes: u64,
    /// Blocks of kept lines that could not be read.
    #[serde(default)]
    pub damaged_blocks: u64,
    /// Files of kept lines that could not be opened, of any hour.
    #[serde(default)]
    pub damaged_files: u64,
    /// Lines that were purged since.
    #[serde(default, skip_serializing_if = "is_none")]
    pub purged: u64,
    /// What was counted while the lines came in; `None` for an hour that is too long ago, or of an older program.
    #[serde(default)]
    pub counted: Option<Counted>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The sums of an hour.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counted {
    pub events: u64,
    pub kept: u64,
    /// By the number of the filter.
    pub filtered: BTreeMap<u32, u64>,
    pub over_volume: u64,
    /// Of systems that are not taken.
    pub unknown: u64,
    pub no_room: u64,
    /// Of those kept: what was no frame that could be read.
    pub unread: u64,
}

impl Books {
    /// As they stand beside an archive.
    pub(super) fn text(&self) -> io::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// How many lines of the hour are known to be missing in the archive, or `None` if all are there as far as anybody
    /// knows. Damage of which nobody knows how much it was is a line at least.
    pub fn missing(&self) -> Option<u64> {
        let damaged = self.damaged_blocks + self.damaged_files;
        let counted = self.counted.as_ref().map_or(0, |counted| {
            let refused =
                counted.filtered.values().sum::<u64>() + counted.over_volume + counted.unknown + counted.no_room;
            refused + counted.kept.saturating_sub(self.lines + self.purged)
        });
        let missing = counted.max(damaged);
        (missing > 0).then_some(missing)
    }
}
