//! Where rules stand, as it is written down.
//!
//! ```text
//! file = "LDRULES 1 " crc LF head LF *state      ; crc: 8 hex digits over all behind the first LF; head is JSON
//! ```
//!
//! A file is written beside, synced and then renamed; the one before it is kept.

use crate::alerts::standing::Stands;
use crate::settings::ALERT_BYTES;
use crate::settings::account::Alert;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const MAGIC: &str = "LDRULES 1 ";
/// More than that is damage.
pub(super) const LONGEST: u64 = 2 << 30;

/// As it was in files of older programs.
const fn alert_bytes() -> usize {
    ALERT_BYTES
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Standing {
    /// Everything of the journal up to here was asked of the rules.
    pub(super) position: u64,
    /// The last id of an event or a tick.
    pub(super) last: u64,
    /// The last tick: its id, and its time in microseconds since 1970.
    pub(super) tick: Option<(u64, i64)>,
    /// How long windows of metrics are.
    #[serde(default)]
    pub(super) window_ms: u64,
    /// The alerts of each account, as the settings have them here.
    pub(super) accounts: BTreeMap<String, BTreeMap<u32, Alert>>,
    /// Those that were taken out since the tick, and may have something to clear.
    #[serde(default)]
    pub(super) gone: BTreeMap<String, BTreeMap<u32, Alert>>,
    /// How the rules of each account stand.
    #[serde(default)]
    pub(super) stands: BTreeMap<String, Stands>,
    /// What all rules may remember, and whether that was too little with the last tick.
    #[serde(default = "alert_bytes")]
    pub(super) alert_bytes: usize,
    #[serde(default)]
    pub(super) is_short: bool,
    /// How long the state of each of these is.
    pub(super) lengths: Vec<usize>,
}

/// The file of a kind of rules.
#[derive(Debug)]
pub(super) struct StandingFile {
    dir: PathBuf,
    name: &'static str,
}

impl StandingFile {
    pub(super) fn new(store: &Path, name: &'static str) -> Self {
        Self { dir: store.join("rules-state"), name }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.dir.join(format!("{}.{suffix}", self.name))
    }

    /// Writes it, with the state of each account in the order of their names.
    pub(super) fn write(&self, standing: Standing, states: &[Vec<u8>]) -> io::Result<()> {
        let content = content(standing, states)?;
        fs::create_dir_all(&self.dir)?;
        let unfinished = self.path("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&first_line(&content))?;
        file.write_all(&content)?;
        file.sync_all()?;
        drop(file);
        let state = self.path("state");
        if state.exists() {
            fs::rename(&state, self.path("before"))?;
        }
        fs::rename(&unfinished, &state)?;
        if cfg!(unix) {
            File::open(&self.dir)?.sync_all()?;
        }
        Ok(())
    }

    /// The newest that can be read, not beyond a position: a journal that was put back knows nothing of what came later.
    pub(super) fn read(&self, head: u64) -> Option<(Standing, Vec<Vec<u8>>)> {
        for path in [self.path("state"), self.path("before")].into_iter().filter(|path| path.exists()) {
            match read_one(&path) {
                Ok((standing, _)) if standing.position > head => {
                    tracing::warn!(position = standing.position, head, "where rules stood is not of this journal");
                }
                Ok(read) => return Some(read),
                Err(why) => tracing::error!(path = %path.display(), %why, "where rules stand cannot be read there"),
            }
        }
        None
    }
}

/// What stands behind the first line.
pub(super) fn content(mut standing: Standing, states: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    standing.lengths = states.iter().map(Vec::len).collect();
    let mut content = serde_json::to_vec(&standing)?;
    content.push(b'\n');
    content.reserve_exact(standing.lengths.iter().sum());
    states.iter().for_each(|state| content.extend_from_slice(state));
    Ok(content)
}

pub(super) fn first_line(content: &[u8]) -> Vec<u8> {
    format!("{MAGIC}{:08x}\n", crc32fast::hash(content)).into_bytes()
}

fn read_one(path: &Path) -> Result<(Standing, Vec<Vec<u8>>), String> {
    let say = |error: io::Error| error.to_string();
    if fs::metadata(path).map_err(say)?.len() > LONGEST {
        return Err("it is too long to be one".to_owned());
    }
    parse(&fs::read(path).map_err(say)?)
}

/// Reads what was written: how all stand, and the state of each account.
pub(super) fn parse(bytes: &[u8]) -> Result<(Standing, Vec<Vec<u8>>), String> {
    let cut = || "it is cut off".to_owned();
    let rest = bytes.strip_prefix(MAGIC.as_bytes()).ok_or("it does not begin like one")?;
    let (crc, content) = (rest.get(..8).ok_or_else(cut)?, rest.get(9..).ok_or_else(cut)?);
    if rest.get(8) != Some(&b'\n') {
        return Err("it does not begin like one".to_owned());
    }
    let crc = std::str::from_utf8(crc).ok().and_then(|crc| u32::from_str_radix(crc, 16).ok());
    if crc != Some(crc32fast::hash(content)) {
        return Err("its checksum does not match".to_owned());
    }
    let end = content.iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
    let (head, mut states) = (content.get(..end).ok_or_else(cut)?, content.get(end + 1..).ok_or_else(cut)?);
    let standing: Standing = serde_json::from_slice(head).map_err(|error| error.to_string())?;
    let mut read = Vec::new();
    for length in &standing.lengths {
        let (state, rest) = states.split_at_checked(*length).ok_or_else(cut)?;
        read.push(state.to_vec());
        states = rest;
    }
    if read.len() == standing.accounts.len() { Ok((standing, read)) } else { Err(cut()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u64) -> Standing {
        let accounts = BTreeMap::from([("shop".to_owned(), BTreeMap::new())]);
        Standing { position, last: 7, tick: Some((3, 60_000_000)), accounts, ..Standing::default() }
    }

    #[test]
    fn what_is_damaged_gives_way_to_the_one_before_and_what_is_ahead_of_the_journal_is_not_believed() {
        let dir = crate::scratch::Scratch::new("rules-state");
        let file = StandingFile::new(&dir, "lines");
        assert!(file.read(9).is_none());
        file.write(at(5), &[b"five\n".to_vec()]).unwrap();
        file.write(at(6), &[b"six".to_vec()]).unwrap();
        let position = |head| file.read(head).map(|(standing, states)| (standing.position, states));
        assert_eq!(position(9), Some((6, vec![b"six".to_vec()])));
        assert_eq!(position(5), Some((5, vec![b"five\n".to_vec()])));
        assert_eq!(position(4), None);
        let (state, whole) = (file.path("state"), fs::read(file.path("state")).unwrap());
        for end in 0..whole.len() {
            fs::write(&state, &whole[..end]).unwrap();
            assert_eq!(position(9).unwrap().0, 5, "cut at {end}");
        }
        for place in 0..whole.len() {
            let mut other = whole.clone();
            other[place] ^= 1;
            fs::write(&state, &other).unwrap();
            assert_eq!(position(9).unwrap().0, 5, "byte {place}");
        }
    }
}
