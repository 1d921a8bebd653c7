//! The start: what stands on the disk, put together again.

use super::clock::Last;
use super::config::Config;
use super::journal::{self, JournalReader, Store, StoreError};
use super::pipeline::Pipelines;
use super::snapshot::{self, Unusable};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A store that was opened, and the pipelines as its snapshots left them.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) reader: JournalReader,
    pub(crate) pipelines: Pipelines,
    /// The last word of the journal on the time.
    pub(crate) last: Option<Last>,
    pub(crate) snapshots: PathBuf,
    /// Held as long as the store is used.
    pub(crate) lock: rusqlite::Connection,
}

/// Why a store was not opened.
#[derive(Debug)]
pub(crate) enum Closed {
    /// It may work later: a disk that is full, read-only or not there yet.
    ForNow(String),
    /// It will not.
    ForGood(String),
}

/// Opens the store. A damaged journal is set aside, and what can be read of it is taken over.
pub(crate) fn open(config: &Config) -> Result<Opened, Closed> {
    let dir = &config.store;
    let snapshots = dir.join("snapshots");
    let files = |error: io::Error| Closed::ForNow(format!("{}: {error}", snapshots.display()));
    std::fs::create_dir_all(&snapshots).map_err(files)?;
    let was_there = dir.join("lock").exists();
    let lock = lock(dir)?;
    let is_hollow = was_there && std::fs::metadata(journal::path(dir)).is_ok_and(|file| file.len() == 0);
    if is_hollow {
        tracing::error!("the journal is empty, and was not: what it held is gone");
    }
    if is_hollow || journal::marker(dir).exists() {
        salvage(config, &snapshots)?;
    }
    let opened = match parts(config, &snapshots) {
        Err(error) if error.is_damage() => {
            tracing::error!(%error, "the journal cannot be used as it is");
            salvage(config, &snapshots)?;
            parts(config, &snapshots)
        }
        opened => opened,
    };
    let Parts { store, reader, pipelines, last } = opened.map_err(|error| closed(dir, &error))?;
    Ok(Opened { store, reader, pipelines, last, snapshots, lock })
}

struct Parts {
    store: Store,
    reader: JournalReader,
    pipelines: Pipelines,
    last: Option<Last>,
}

/// Everything that a start reads, so that damage shows before anything is taken.
fn parts(config: &Config, snapshots: &Path) -> Result<Parts, StoreError> {
    let (mut store, reader) = journal(config)?;
    let pipelines = recover(snapshots, &mut store, &reader, config)?;
    let last = reader.last_time()?;
    Ok(Parts { store, reader, pipelines, last })
}

fn journal(config: &Config) -> Result<(Store, JournalReader), StoreError> {
    let store = Store::open(&config.store, config.limits.drains, config.store_limit)?;
    let reader = JournalReader::open(&config.store)?;
    Ok((store, reader))
}

fn closed(dir: &Path, error: &StoreError) -> Closed {
    let text = format!("{}: {error}", dir.display());
    if error.is_final() { Closed::ForGood(text) } else { Closed::ForNow(text) }
}

fn salvage(config: &Config, snapshots: &Path) -> Result<(), Closed> {
    let dir = &config.store;
    let sound = snapshot::list(snapshots).unwrap_or_default().into_iter();
    let behind = sound.filter(|(_, path)| snapshot::check(path).is_ok()).map(|(position, _)| position).next();
    let salvaged = journal::salvage(dir, config.limits.drains, behind.unwrap_or(0))
        .map_err(|error| Closed::ForNow(format!("{}: nothing could be salvaged: {error}", dir.display())))?;
    tracing::error!(
        aside = %salvaged.aside.display(), events = salvaged.events, missing = salvaged.missing, lost = ?salvaged.lost,
        is_end_known = salvaged.is_end_known,
        "the journal was damaged: what could be read is in a new one, and the old one is kept aside"
    );
    Ok(())
}

/// The pipelines as they were, as far as the snapshots and the journal tell.
fn recover(
    snapshots: &Path,
    store: &mut Store,
    reader: &JournalReader,
    config: &Config,
) -> Result<Pipelines, StoreError> {
    let first = reader.next_after(0)?;
    let mut usable = None;
    for (_, path) in snapshot::list(snapshots).unwrap_or_default() {
        // The newest is read, the others looked at: only sound ones count as kept.
        let read = if usable.is_none() {
            snapshot::read(&path).map(|pipelines| usable = Some(pipelines))
        } else {
            snapshot::check(&path)
        };
        let Err(error) = read else { continue };
        if let Unusable::Newer(_) = error {
            return Err(StoreError::NewerSnapshot(path, error.to_string()));
        }
        tracing::error!(
            path = %path.display(), %error,
            "a snapshot is damaged; an older one, or the journal, stands in for it"
        );
        if let Unusable::Damaged(_) = error {
            let _ = snapshot::set_aside(&path);
        }
    }
    let mut pipelines = match usable {
        Some(pipelines) => pipelines,
        None => Pipelines::new(store.settings().unwrap_or_else(|| config.settings.clone())),
    };
    if pipelines.position() > store.position() {
        tracing::error!(
            snapshot = pipelines.position(),
            journal = store.position(),
            "the journal has lost its end: deliveries behind the snapshot may be missing"
        );
        store.skip_to(pipelines.position())?;
    }
    // What is not kept any more was in a snapshot.
    let from = first.unwrap_or(store.position() + 1);
    if from > pipelines.position() + 1 {
        tracing::error!(
            from = pipelines.position() + 1,
            to = from - 1,
            "no snapshot holds these events, and the journal has them no more: their minutes will be incomplete"
        );
        pipelines.pass_over(from - 1);
    }
    Ok(pipelines)
}

/// One program for one store: the lock ends with the process, however that ends.
pub(crate) fn lock(dir: &Path) -> Result<rusqlite::Connection, Closed> {
    let path = dir.join("lock");
    let take = || {
        let lock = rusqlite::Connection::open(&path)?;
        lock.busy_timeout(Duration::from_secs(2))?;
        lock.execute_batch("PRAGMA journal_mode = memory; BEGIN EXCLUSIVE")?;
        Ok(lock)
    };
    take().map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => {
            Closed::ForGood(format!("{}: another logdrain serves this store", dir.display()))
        }
        _ => closed(dir, &StoreError::from(error)),
    })
}

/// Whether a server uses the store now.
pub(crate) fn is_in_use(dir: &Path) -> bool {
    let path = dir.join("lock");
    path.exists()
        && rusqlite::Connection::open(&path).is_ok_and(|lock| lock.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err())
}
