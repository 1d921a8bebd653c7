//! Accounts that are destroyed where nodes share a journal: the owner of a partition does it, and whoever takes that over goes on.
//!
//! ```text
//! any node    the journal says that an account goes
//! its owner   members, tokens and what waits to be sent go at once
//!             ... all that was before is counted and kept, or came too late
//!             the same again; minutes; and it tells all nodes what its rows are called after
//! each node   erases those from its own file, also when it was away for long
//! ```
//!
//! Whatever is removed is removed in steps that name the epoch of the owner: so a node that was stopped and wakes up takes nothing
//! from an account that is called so by then.

use super::{AGAIN, Holders, LOOK, PATIENCE, SETTLE, drains, erase_rows, is_made};
use crate::alerts::outbox::Teller;
use crate::directory::{Destroyed, Directory, Erasable};
use crate::intake::Intake;
use crate::journal::{ChangeError, Ending, Progress};
use crate::parts::Part;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;

/// Between two looks at what is to be erased here.
const ERASE: Duration = Duration::from_secs(1);
/// A node that was stopped writes what it had on its way when it wakes up: so many looks later that is erased, too.
const LOOKS: u32 = 10;
/// Up to which version of the directory everything is erased here, in the store's folder.
const ERASED: &str = "erased";

/// The partitions that this node counts.
#[derive(Clone, Debug, Default)]
pub struct Owners(Arc<Mutex<BTreeMap<u8, Owner>>>);

#[derive(Clone, Debug)]
struct Owner {
    part: Part,
    epoch: i64,
    progress: Arc<Progress>,
}

impl Owners {
    pub fn begin(&self, part: Part, epoch: i64, progress: Arc<Progress>) {
        self.all().insert(part.number(), Owner { part, epoch, progress });
    }

    pub fn end(&self, part: Part, epoch: i64) {
        self.all().retain(|_, owner| (owner.part, owner.epoch) != (part, epoch));
    }

    fn each(&self) -> Vec<Owner> {
        self.all().values().cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u8, Owner>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Obeys, for ever, what was said in the partitions that this node counts. `keeps_lines` says whether lines are kept.
pub async fn obey(holders: Holders, owners: Owners, keeps_lines: bool) {
    loop {
        tokio::time::sleep(LOOK).await;
        if !holders.directory.is_open() {
            continue;
        }
        for owner in owners.each() {
            for ending in owner.progress.endings.waiting() {
                if let Err(why) = end(&holders, &owner, &ending, keeps_lines).await {
                    let partition = owner.part.number();
                    tracing::warn!(account = ending.account, partition, %why, "an account is destroyed, and cannot be removed now");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

async fn end(holders: &Holders, owner: &Owner, ending: &Ending, keeps_lines: bool) -> Result<(), String> {
    let (seq, endings) = (ending.seq, &owner.progress.endings);
    if !endings.is_closed(seq) {
        let told = holders.intake.destroy_elsewhere(&ending.account, owner.part).await;
        told.map_err(|error| match error {
            ChangeError::Unfit(unfit) => unfit.why,
            ChangeError::CannotStore => "the journal does not take it now".to_owned(),
        })?;
        remove(holders, owner, ending, false).await?;
        endings.close(seq);
    }
    // Rows that are out are in the kept minutes, too.
    if !is_made(&owner.progress, keeps_lines, seq) && endings.settled(seq, SETTLE) {
        remove(holders, owner, ending, true).await?;
        endings.end(seq);
        tracing::warn!(account = ending.account, partition = owner.part.number(), "an account is destroyed");
    }
    Ok(())
}

async fn remove(holders: &Holders, owner: &Owner, ending: &Ending, is_last: bool) -> Result<(), String> {
    let Holders { directory, minutes, outbox, .. } = holders.clone();
    let (Owner { part, epoch, .. }, Ending { seq, at, account }) = (owner.clone(), ending.clone());
    let destroyed = Destroyed { part, epoch, seq, at, account };
    let work = move || {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let account = &destroyed.account;
        if !directory.remove_destroyed(&destroyed).map_err(|error| text(&error))? {
            return Ok(());
        }
        outbox.end_account_of(Some(Teller { part, epoch }), account).map_err(|error| text(&error))?;
        if is_last {
            let drains = drains(&minutes, account)?;
            directory.tell_destroyed(&destroyed, &drains).map_err(|error| text(&error))?;
            minutes.remove_by((part, epoch), account).map_err(|error| text(&error))?;
            directory.end_destroyed(&destroyed).map_err(|error| text(&error))?;
        }
        Ok(())
    };
    spawn_blocking(work).await.unwrap_or_else(|_| Err("a thread ended".to_owned()))
}

/// Waits a moment until nobody comes in any more by an account that an event destroyed, on any node or on this one at least.
pub async fn closed(directory: &Arc<Directory>, intake: &Intake, account: &str, seq: u64) {
    let Some(part) = intake.part_of(account) else { return };
    for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
        let directory = directory.clone();
        let look = move || Ok(directory.has_removed(part, seq)? && directory.follow().map(|_| true)?);
        if let Ok(Ok::<_, crate::directory::DirectoryError>(true)) = spawn_blocking(look).await {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Erases, for ever, what this node has in files of its own of accounts that were destroyed, whichever node did it.
pub async fn erase(holders: Holders, store: PathBuf) {
    let note = store.join(ERASED);
    let (mut done, mut said) = (noted(&note), String::new());
    loop {
        tokio::time::sleep(ERASE).await;
        if !holders.directory.is_open() {
            continue;
        }
        match erase_since(&holders, done, &note).await {
            Ok(version) => {
                done = version;
                said.clear();
            }
            Err(why) if why != said => {
                tracing::warn!(%why, "rows of accounts that are destroyed cannot be erased now");
                said = why;
            }
            Err(_) => {}
        }
    }
}

async fn erase_since(holders: &Holders, done: i64, note: &Path) -> Result<i64, String> {
    let directory = holders.directory.clone();
    let told = blocking(move || directory.destroyed_since(done).map_err(|error| error.to_string())).await?;
    let Some(last) = told.last().map(|told| told.version) else { return Ok(done) };
    let told: Arc<[Erasable]> = told.into();
    erase_all(holders, &told).await?;
    // Not by a clock: it goes on while nothing else of this node does.
    for _ in 0..LOOKS {
        tokio::time::sleep(ERASE).await;
    }
    erase_all(holders, &told).await?;
    let note = note.to_owned();
    blocking(move || write(&note, last).map_err(|error| format!("{}: {error}", note.display()))).await?;
    Ok(last)
}

async fn erase_all(holders: &Holders, told: &Arc<[Erasable]>) -> Result<(), String> {
    let (holders, told) = (holders.clone(), told.clone());
    blocking(move || {
        let Holders { directory, outbox, rows, intake, .. } = &holders;
        for Erasable { account, at, drains, .. } in &*told {
            let settings = intake.settings();
            if let Some(rows) = rows {
                let drains: HashSet<String> = drains.iter().cloned().collect();
                erase_rows(rows, &settings, (account, *at), &drains)
                    .map_err(|error| format!("{}: {error}", rows.display()))?;
            }
            // What this node noted of it while it was stopped, unless there is another one of this name.
            if !settings.has_account(account) {
                directory.remove_noted(account).map_err(|error| error.to_string())?;
                outbox.end_account(account).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err("a thread ended".to_owned()))
}

/// Up to where it was done; without a word from the beginning.
fn noted(note: &Path) -> i64 {
    fs::read_to_string(note).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn write(note: &Path, version: i64) -> io::Result<()> {
    let beside = note.with_extension("unfinished");
    fs::write(&beside, version.to_string())?;
    fs::rename(beside, note)
}
