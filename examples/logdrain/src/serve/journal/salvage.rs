//! A damaged journal is set aside, and what can still be read of it goes into a new one.

use super::store::{self, JournalReader, Step, Store, StoreError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Left by a server that met damage, for the next start.
pub(crate) fn marker(dir: &Path) -> PathBuf {
    dir.join("damaged")
}

/// What became of a damaged journal.
#[derive(Debug)]
pub(crate) struct Salvaged {
    pub(crate) aside: PathBuf,
    pub(crate) events: u64,
    /// Numbers that could not be read, first and last of each stretch.
    pub(crate) lost: Vec<(u64, u64)>,
}

/// Events that fail one after the other before the rest is given up.
const PATIENCE: u32 = 100_000;
/// What SQLite keeps beside a file.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

/// Makes a new journal of what can be read, and moves the old one out of the way. Nothing is deleted.
pub(crate) fn salvage(dir: &Path, max_drains: usize) -> Result<Salvaged, Failed> {
    let fresh = dir.join("salvage");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    fs::create_dir(&fresh)?;
    let mut salvaged = Salvaged { aside: aside(dir), events: 0, lost: Vec::new() };
    let mut store = Store::open(&fresh, max_drains, None)?;
    // A file whose very head is damaged opens, but nothing can be read from it.
    if let Ok(reader) = JournalReader::open(dir) {
        copy(&reader, &mut store, &mut salvaged)?;
    }
    store.settle()?;
    drop(store);
    for suffix in BESIDE {
        let from = with_suffix(&store::path(dir), suffix);
        if from.exists() {
            fs::rename(from, with_suffix(&salvaged.aside, suffix))?;
        }
    }
    fs::rename(store::path(&fresh), store::path(dir))?;
    fs::remove_dir_all(&fresh)?;
    let marker = marker(dir);
    if marker.exists() {
        fs::remove_file(marker)?;
    }
    Ok(salvaged)
}

fn copy(reader: &JournalReader, store: &mut Store, salvaged: &mut Salvaged) -> Result<(), StoreError> {
    let mut at = 0;
    let mut failed = 0;
    while failed < PATIENCE {
        let next = match reader.next_after(at) {
            Ok(Some(next)) => next,
            Ok(None) => break,
            // The way to the next number is damaged; it may be found by its own.
            Err(_) => at + 1,
        };
        at = next;
        match reader.read(next) {
            Ok(Step::Event(entry)) => {
                failed = 0;
                store.take_over(&entry)?;
                salvaged.events += 1;
            }
            Ok(Step::Damaged { .. }) | Err(_) => {
                failed += 1;
                match salvaged.lost.last_mut() {
                    Some((_, last)) if *last + 1 == next => *last = next,
                    _ => salvaged.lost.push((next, next)),
                }
            }
        }
    }
    // A stretch that nothing follows was never there.
    if failed >= PATIENCE
        && let Some((first, last)) = salvaged.lost.last_mut()
    {
        *last = *first;
    }
    reader.ids(|key, drain, seq| store.take_over_id(key, drain, seq))?;
    store.finish_taking_over()
}

fn aside(dir: &Path) -> PathBuf {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    dir.join(format!("journal.damaged-{seconds}.db"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Why nothing could be salvaged.
#[derive(Debug)]
pub(crate) enum Failed {
    Store(StoreError),
    Files(io::Error),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Files(error)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Files(error) => error.fmt(f),
        }
    }
}
