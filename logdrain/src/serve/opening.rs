//! The start: what stands on the disk, put together again.

use crate::serve::config::Config;
use crate::serve::private::take_from_others;
use crate::serve::special;
use logdrain_drain::clock::Last;
use logdrain_drain::counting::Pipelines;
use logdrain_drain::counting::snapshot::{self, Unusable};
use logdrain_drain::journal::{
    self, Events, JournalReader, Lease, Named, NotHeld, Partition, Snapshots, Spool, Store, StoreError,
};
use logdrain_drain::settings::Settings;
use std::io;
use std::path::Path;

/// A store that was opened, and the pipelines as its snapshots left them.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Box<dyn Partition>,
    /// Where deliveries wait while the store is away, if it is in a database.
    pub(crate) spool: Option<Spool>,
    /// For who counts and for who keeps lines.
    pub(crate) readers: [Box<dyn Events>; 2],
    pub(crate) pipelines: Pipelines,
    /// The last word of the journal on the time.
    pub(crate) last: Option<Last>,
    pub(crate) snapshots: Named,
    /// Held as long as the store is used.
    pub(crate) lock: Lease,
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
    let folder = dir.join("snapshots");
    std::fs::create_dir_all(&folder).map_err(|error| unmade(&folder, &error))?;
    let snapshots = Named::in_folder(&folder);
    if let Some(path) = special::found(dir) {
        return Err(Closed::ForGood(special::words(&path)));
    }
    take_from_others(dir);
    if let Some(path) = [journal::path(dir), dir.join("lock")].into_iter().find(|path| path.is_dir()) {
        return Err(Closed::ForGood(format!("{}: is a folder where the store has a file", path.display())));
    }
    let was_there = dir.join("lock").exists();
    let lock = hold(dir)?;
    snapshots.remove_unfinished();
    if config.journal.is_some() {
        // What is not as it was written there is left out, and nothing that could be salvaged.
        let _ = std::fs::remove_file(journal::marker(dir));
        let Parts { store, readers, pipelines, last } =
            parts(config, &snapshots).map_err(|error| closed(dir, &error))?;
        let spool = spool(config).map_err(|error| closed(dir, &error))?;
        return Ok(Opened { store, spool, readers, pipelines, last, snapshots, lock });
    }
    if journal::elsewhere(dir).exists() {
        return Err(Closed::ForGood(format!(
            "{}: its journal is in PostgreSQL: name it in the configuration (journal = \"postgres://...\"), or another folder",
            dir.display()
        )));
    }
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
    let Parts { store, readers, pipelines, last } = opened.map_err(|error| closed(dir, &error))?;
    Ok(Opened { store, spool: None, readers, pipelines, last, snapshots, lock })
}

/// The spool of a journal in a database. One that is not wanted any more is emptied.
fn spool(config: &Config) -> Result<Option<Spool>, StoreError> {
    let (dir, limit) = (&config.store, config.spool_limit);
    let Some(address) = config.journal.as_ref().filter(|_| limit > 0 || Spool::path(dir).exists()) else {
        return Ok(None);
    };
    // An answer may wait for the database for half of the time that it has.
    let patience = config.limits.answer_within / 2;
    Spool::open(dir, journal::owner(dir, address)?, limit, patience, config.limits.drains).map(Some)
}

struct Parts {
    store: Box<dyn Partition>,
    readers: [Box<dyn Events>; 2],
    pipelines: Pipelines,
    last: Option<Last>,
}

/// Everything that a start reads, so that damage shows before anything is taken.
fn parts(config: &Config, snapshots: &dyn Snapshots) -> Result<Parts, StoreError> {
    let (mut store, readers) = match &config.journal {
        Some(address) => journal::open_database(address, &config.store, config.limits.drains)?,
        None => journal(config)?,
    };
    let [reader, _] = &readers;
    let (position, settings) = (store.position(), store.settings().cloned());
    let pipelines = recover((snapshots, &Kept::Here), (position, settings.as_deref()), &**reader, config)?;
    if pipelines.position() > position {
        store.skip_to(pipelines.position())?;
    }
    let last = reader.last_time()?;
    Ok(Parts { store, readers, pipelines, last })
}

/// Who writes the journal, and two who read beside that.
type Journal = (Box<dyn Partition>, [Box<dyn Events>; 2]);

/// The journal in the folder's own file.
fn journal(config: &Config) -> Result<Journal, StoreError> {
    let store = Store::open(&config.store, config.limits.drains, config.journal_limit)?;
    let reader = || JournalReader::open(&config.store).map(|reader| Box::new(reader) as Box<dyn Events>);
    Ok((Box::new(store), [reader()?, reader()?]))
}

pub(crate) fn closed(dir: &Path, error: &StoreError) -> Closed {
    let text = format!("{}: {error}", dir.display());
    if error.is_final() { Closed::ForGood(text) } else { Closed::ForNow(text) }
}

fn salvage(config: &Config, snapshots: &dyn Snapshots) -> Result<(), Closed> {
    let dir = &config.store;
    let mut positions = snapshots.positions().unwrap_or_default().into_iter();
    let newest = positions.find_map(|position| snapshot::read(snapshots, position).ok());
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

/// Where snapshots are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// On this machine's disk: what it does not give now it may never give, and an older one stands in. A journal that ends before
    /// it goes on behind it.
    Here,
    /// Where others find them, too, and where they are again when that place can be reached. These were there before it was read
    /// where the journal ends: one behind that is of events that are no more, and others may have their numbers.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only nodes have them there"))]
    Elsewhere(Vec<u64>),
}

/// The pipelines as they were, as far as the snapshots and the journal tell, which ends there with these settings.
pub(crate) fn recover(
    (snapshots, kept): (&dyn Snapshots, &Kept),
    (end, settings): (u64, Option<&Settings>),
    reader: &dyn Events,
    config: &Config,
) -> Result<Pipelines, StoreError> {
    let first = reader.next_after(0)?;
    let mut usable = None;
    let away = |error: &io::Error| StoreError::SnapshotsAway(error.to_string());
    let (is_here, positions) = match kept {
        Kept::Here => (true, snapshots.positions().map_err(|error| away(&error))?),
        Kept::Elsewhere(positions) => (false, positions.clone()),
    };
    for position in positions {
        if position > end && !is_here {
            put_away(snapshots, position)?;
            continue;
        }
        // The newest is read, the others looked at: only sound ones count as kept.
        let read = if usable.is_none() {
            snapshot::read(snapshots, position).map(Some)
        } else {
            snapshot::check(snapshots, position).map(|()| None)
        };
        let error = match read {
            Ok(Some(found)) if snapshot::is_of(&found, reader)? => {
                usable = Some(found);
                continue;
            }
            Ok(Some(_)) => {
                put_away(snapshots, position)?;
                continue;
            }
            Ok(None) => continue,
            Err(error) => error,
        };
        if let Unusable::Unread(error) = &error
            && !is_here
        {
            // Another node has taken newer ones meanwhile, and lets this one go.
            if error.kind() == io::ErrorKind::NotFound && usable.is_some() {
                continue;
            }
            return Err(away(error));
        }
        if let Unusable::Newer(_) = error {
            return Err(StoreError::NewerSnapshot(snapshots.place(position), error.to_string()));
        }
        tracing::error!(
            path = %snapshots.place(position), %error,
            "a snapshot is damaged; an older one, or the journal, stands in for it"
        );
        if let Unusable::Damaged(_) = error {
            let _ = snapshots.set_aside(position);
        }
    }
    let mut pipelines = match usable {
        Some(pipelines) => pipelines,
        None => Pipelines::new(at_the_beginning(settings, first, config)),
    };
    if pipelines.position() > end {
        tracing::error!(
            snapshot = pipelines.position(),
            journal = end,
            "the journal has lost its end: deliveries behind the snapshot may be missing"
        );
    }
    // What is not kept any more was in a snapshot.
    let from = first.unwrap_or(end.max(pipelines.position()) + 1);
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

/// Sets a snapshot aside that is of another history of the journal, so that it is not taken for one of this.
fn put_away(snapshots: &dyn Snapshots, position: u64) -> Result<(), StoreError> {
    tracing::error!(
        path = %snapshots.place(position),
        "a snapshot is of events that the journal has no more: it was put back to an earlier time, or has lost its end; \
         an older one, or the journal, stands in for it"
    );
    match snapshots.set_aside(position) {
        // Somebody else has done so.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::SnapshotsAway(error.to_string())),
        _ => Ok(()),
    }
}

/// The settings before the first event that is kept, as far as they are known: a journal that holds all events says the
/// rest itself.
pub(crate) fn at_the_beginning(settings: Option<&Settings>, first: Option<u64>, config: &Config) -> Settings {
    let stored = settings.unwrap_or(&config.settings);
    if first.is_none_or(|first| first == 1) { stored.configuration() } else { stored.clone() }
}

/// Why the folder cannot be made. Where a file, a loop of links or a file system without folders of ours is in the way,
/// trying again does not help.
pub(crate) fn unmade(path: &Path, error: &io::Error) -> Closed {
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

/// Takes the store for this program.
pub(crate) fn hold(dir: &Path) -> Result<Lease, Closed> {
    journal::hold(dir).map_err(|not_held| match not_held {
        NotHeld::Taken => Closed::ForGood(format!("{}: another logdrain serves this store", dir.display())),
        NotHeld::Failed(error) => closed(dir, &error),
    })
}
