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
#[cfg(all(feature = "s3", feature = "postgres"))]
use crate::tiered::Files;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
#[cfg(all(feature = "s3", feature = "postgres"))]
use std::io::Read as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const MAGIC: &str = "LDLOGS 1 ";
const SUFFIX: &str = "state";
const KEPT: usize = 2;
/// Before their names in a bucket.
#[cfg(all(feature = "s3", feature = "postgres"))]
const STATES: &str = "logs-state/";
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
    let unfinished = dir.join("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(encode(state)?.as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs::rename(&unfinished, dir.join(file_name(state.position)))?;
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

/// What was found in a bucket, newest first.
#[cfg(all(feature = "s3", feature = "postgres"))]
pub(super) type Found = Vec<(u64, Vec<u8>)>;

/// The last ones that a bucket has.
#[cfg(all(feature = "s3", feature = "postgres"))]
pub(super) fn find(files: &Files) -> io::Result<Found> {
    let mut found = Found::new();
    for (position, name) in in_bucket(files)?.into_iter().take(KEPT) {
        let file = files.open(&name)?;
        let mut bytes = Vec::new();
        file.reader(0..file.len().min(LONGEST)).read_to_end(&mut bytes)?;
        found.push((position, bytes));
    }
    Ok(found)
}

/// The newest of these that is sound, not beyond a position.
#[cfg(all(feature = "s3", feature = "postgres"))]
pub(super) fn of_found(found: &Found, head: u64) -> Option<State> {
    for (position, bytes) in found {
        match decode(bytes.clone()) {
            Ok(state) if state.position == *position && *position <= head => return Some(state),
            Ok(_) => tracing::warn!(position, head, "where the logs stood is not of this journal"),
            Err(why) => {
                tracing::warn!(position, %why, "where the lines stand is damaged; the journal stands in for it")
            }
        }
    }
    None
}

/// Puts it into a bucket, by a folder of this machine if it is a long one, and lets the oldest go.
#[cfg(all(feature = "s3", feature = "postgres"))]
pub(super) fn put(files: &Files, dir: &Path, state: &State) -> io::Result<()> {
    let (name, text) = (format!("{STATES}{}", file_name(state.position)), encode(state)?);
    if text.len() <= Files::SMALL {
        files.write(&name, text.as_bytes())?;
    } else {
        fs::create_dir_all(dir)?;
        let unfinished = dir.join("unfinished");
        fs::write(&unfinished, text)?;
        files.put(&name, &unfinished, &[])?;
        // What is put may have been taken away.
        let _ = fs::remove_file(unfinished);
    }
    let all = in_bucket(files)?;
    // What says that it is of later is of a journal that is no more.
    let (later, others): (Vec<_>, Vec<_>) = all.iter().partition(|(position, _)| *position > state.position);
    let old: Vec<&str> =
        later.into_iter().chain(others.into_iter().skip(KEPT)).map(|(_, name)| name.as_str()).collect();
    if old.is_empty() { Ok(()) } else { files.remove(&old) }
}

/// Those of a bucket, newest first, with their names.
#[cfg(all(feature = "s3", feature = "postgres"))]
fn in_bucket(files: &Files) -> io::Result<Vec<(u64, String)>> {
    let listed = files.list(STATES)?.into_iter();
    let mut all: Vec<(u64, String)> =
        listed.filter_map(|listed| Some((position_of(listed.name.strip_prefix(STATES)?)?, listed.name))).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    Ok(all)
}

/// The files, newest first.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(position) = path.file_name().and_then(|name| position_of(name.to_str()?)) {
            found.push((position, path));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

fn file_name(position: u64) -> String {
    format!("{position:020}.{SUFFIX}")
}

/// The position that a file's name says.
fn position_of(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.strip_suffix('.')?.parse().ok()
}

fn read_one(path: &Path) -> Result<State, String> {
    let say = |error: io::Error| error.to_string();
    if fs::metadata(path).map_err(say)?.len() > LONGEST {
        return Err("it is too long to be one".to_owned());
    }
    decode(fs::read(path).map_err(say)?)
}

fn encode(state: &State) -> io::Result<String> {
    let text = serde_json::to_string(state)?;
    Ok(format!("{MAGIC}{:08x}\n{text}", crc32fast::hash(text.as_bytes())))
}

fn decode(bytes: Vec<u8>) -> Result<State, String> {
    let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let rest = text.strip_prefix(MAGIC).ok_or("it does not begin like one")?;
    let (crc, json) = rest.split_once('\n').ok_or("it is cut off")?;
    if u32::from_str_radix(crc, 16) != Ok(crc32fast::hash(json.as_bytes())) {
        return Err("its checksum does not match".to_owned());
    }
    serde_json::from_str(json).map_err(|error| error.to_string())
}
