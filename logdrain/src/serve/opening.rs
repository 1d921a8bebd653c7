//! The start: what stands on the disk, put together again.

use crate::serve::clock::Last;
use crate::serve::config::Config;
use crate::serve::counting::Pipelines;
use crate::serve::counting::snapshot::{self, Unusable};
use crate::serve::journal::{self, JournalReader, Store, StoreError};
use crate::serve::private::take_from_others;
use crate::serve::settings::Settings;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long another program is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

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
    pub(crate) lock: Lock,
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
    std::fs::create_dir_all(&snapshots).map_err(|error| unmade(&snapshots, &error))?;
    take_from_others(dir);
    if let Some(path) = [journal::path(dir), dir.join("lock")].into_iter().find(|path| path.is_dir()) {
        return Err(Closed::ForGood(format!("{}: is a folder where the store has a file", path.display())));
    }
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
    let store = Store::open(&config.store, config.limits.drains, config.journal_limit)?;
    let reader = JournalReader::open(&config.store)?;
    Ok((store, reader))
}

fn closed(dir: &Path, error: &StoreError) -> Closed {
    let text = format!("{}: {error}", dir.display());
    if error.is_final() { Closed::ForGood(text) } else { Closed::ForNow(text) }
}

fn salvage(config: &Config, snapshots: &Path) -> Result<(), Closed> {
    let dir = &config.store;
    let mut snapshots = snapshot::list(snapshots).unwrap_or_default().into_iter();
    let newest = snapshots.find_map(|(_, path)| snapshot::read(&path).ok());
    let (behind, known) = newest.as_ref().map_or((0, None), |newest| (newest.position(), Some(newest.settings())));
    let salvaged = journal::salvage(dir, config.limits.drains, behind, known)
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
        None => Pipelines::new(at_the_beginning(store, first, config)),
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

/// The settings before the first event that is kept, as far as they are known: a journal that holds all events says the
/// rest itself.
pub(crate) fn at_the_beginning(store: &Store, first: Option<u64>, config: &Config) -> Settings {
    let stored = store.settings().map_or(&config.settings, |stored| stored);
    if first.is_none_or(|first| first == 1) { stored.configuration() } else { stored.clone() }
}

/// Why the folder cannot be made. Where a file, a loop of links or a file system without folders of ours is in the way,
/// trying again does not help.
fn unmade(path: &Path, error: &io::Error) -> Closed {
    let text = format!("{}: {error}", path.display());
    // A link whose end is not there yet may be of a disk that is mounted later.
    let may_come = path.ancestors().any(|path| {
        path.is_symlink() && std::fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    });
    let is_final = match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => !may_come,
        _ => is_loop(error),
    };
    if is_final {
        Closed::ForGood(format!("{text}: no store can be made there; name another folder with --store"))
    } else {
        Closed::ForNow(text)
    }
}

#[cfg(unix)]
fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_loop(_: &io::Error) -> bool {
    false
}

/// One program for one store: what is locked is released when the process ends, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    /// What earlier versions look at.
    _file: rusqlite::Connection,
    /// The folder itself, which no one can delete by mistake without deleting the store.
    _folder: Option<File>,
}

pub(crate) fn lock(dir: &Path) -> Result<Lock, Closed> {
    let taken = || Closed::ForGood(format!("{}: another logdrain serves this store", dir.display()));
    let began = Instant::now();
    let folder = loop {
        match lock_folder(dir) {
            Folder::Locked(folder) => break Some(folder),
            Folder::Unsupported => break None,
            // `doctor` may look at it just now.
            Folder::Taken if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
            Folder::Taken => return Err(taken()),
        }
    };
    let path = dir.join("lock");
    let take = || {
        let lock = rusqlite::Connection::open(&path)?;
        lock.busy_timeout(PATIENCE)?;
        lock.execute_batch("PRAGMA journal_mode = memory; BEGIN EXCLUSIVE")?;
        Ok(lock)
    };
    let file = take().map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => taken(),
        _ => closed(dir, &StoreError::from(error)),
    })?;
    Ok(Lock { _file: file, _folder: folder })
}

enum Folder {
    Locked(File),
    Taken,
    /// On this file system folders cannot be locked.
    Unsupported,
}

#[cfg(unix)]
fn lock_folder(dir: &Path) -> Folder {
    use rustix::fs::{FlockOperation, flock};
    let Ok(folder) = File::open(dir) else { return Folder::Unsupported };
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Folder::Locked(folder),
        Err(rustix::io::Errno::WOULDBLOCK) => Folder::Taken,
        Err(_) => Folder::Unsupported,
    }
}

#[cfg(not(unix))]
fn lock_folder(_: &Path) -> Folder {
    Folder::Unsupported
}

/// Whether a server uses the store now.
pub(crate) fn is_in_use(dir: &Path) -> bool {
    if matches!(lock_folder(dir), Folder::Taken) {
        return true;
    }
    let path = dir.join("lock");
    // A disk that is full or read-only is no server.
    let is_busy = |error: &rusqlite::Error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy);
    path.exists()
        && rusqlite::Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|lock| lock.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())))
            .is_err_and(|error| is_busy(&error))
}
