//! Where the logs stand, beside the journal, so that a start reads little of it.
//!
//! ```text
//! file = "LDLOGS 1 " crc LF json       ; crc: 8 hex digits over the json
//! ```
//!
//! A file is written beside, synced and then renamed; the last two are kept. It says no more than a start could find out by
//! reading the journal from its first event: what is in files already is passed over.

use super::board::{Books, Gone};
use super::tally::Tallies;
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const MAGIC: &str = "LDLOGS 1 ";
const SUFFIX: &str = "state";
const KEPT: usize = 2;
/// Settings name drains: more than that is damage.
const LONGEST: u64 = 64 << 20;

/// All events of the journal up to `position` are in files, or were let go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) position: u64,
    /// The settings that hold there.
    pub(super) settings: Settings,
    #[serde(default)]
    pub(super) books: Books,
    #[serde(default)]
    pub(super) gone: Gone,
    /// Missing in stores of older programs.
    #[serde(default, skip_serializing_if = "Tallies::is_empty")]
    pub(super) tallies: Tallies,
}

/// Writes it and forgets the oldest.
pub(super) fn write(dir: &Path, state: &State) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let text = serde_json::to_string(state)?;
    let unfinished = dir.join("unfinished");
    let mut file = File::create(&unfinished)?;
    write!(file, "{MAGIC}{:08x}\n{text}", crc32fast::hash(text.as_bytes()))?;
    file.sync_all()?;
    drop(file);
    fs::rename(&unfinished, dir.join(format!("{:020}.{SUFFIX}", state.position)))?;
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    for (_, path) in list(dir)?.iter().skip(KEPT) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The newest that can be read, not beyond a position: a journal that was restored knows nothing of what came later, and
/// gives those numbers again.
pub(super) fn read(dir: &Path, head: u64) -> Option<State> {
    for (position, path) in list(dir).ok()? {
        match read_one(&path) {
            Ok(state) if state.position == position && position <= head => return Some(state),
            Ok(_) => {
                tracing::warn!(position, head, "where the logs stood is not of this journal");
                let _ = fs::remove_file(&path);
            }
            Err(why) => tracing::warn!(
                path = %path.display(), %why,
                "where the logs stand cannot be read there; the journal stands in for it"
            ),
        }
    }
    None
}

/// The files, newest first.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let position = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(position), Some(SUFFIX)) = (position, path.extension().and_then(|suffix| suffix.to_str())) {
            found.push((position, path));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

fn read_one(path: &Path) -> Result<State, String> {
    let say = |error: io::Error| error.to_string();
    if fs::metadata(path).map_err(say)?.len() > LONGEST {
        return Err("it is too long to be one".to_owned());
    }
    let text = String::from_utf8(fs::read(path).map_err(say)?).map_err(|_| "it is no text".to_owned())?;
    let rest = text.strip_prefix(MAGIC).ok_or("it does not begin like one")?;
    let (crc, json) = rest.split_once('\n').ok_or("it is cut off")?;
    if u32::from_str_radix(crc, 16) != Ok(crc32fast::hash(json.as_bytes())) {
        return Err("its checksum does not match".to_owned());
    }
    serde_json::from_str(json).map_err(|error| error.to_string())
}
