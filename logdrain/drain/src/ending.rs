//! What is left of accounts that are destroyed, beside what is made of the journal: members, tokens, sessions, systems,
//! usage, minutes, rows and alerts on their way. The journal says first that an account goes, and remembers that this is to be
//! done until it was, also when the program is killed meanwhile.

#[cfg(feature = "postgres")]
pub mod nodes;

use crate::alerts::outbox::Outbox;
use crate::directory::Directory;
use crate::drain_name::DrainName;
use crate::intake::Intake;
use crate::journal::{Ending, Progress};
use crate::minutes::Minutes;
use crate::outlets;
use crate::settings::Settings;
use crate::settings::change::OF;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::spawn_blocking;

const LOOK: Duration = Duration::from_millis(100);
/// Behind the moment since which nothing is made of the account any more: what was on its way by then arrives.
const SETTLE: Duration = Duration::from_secs(3);
/// Between two tries of something that fails.
const AGAIN: Duration = Duration::from_secs(5);
/// How long whoever destroys an account waits until nobody comes in by it any more.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who has something of accounts.
#[derive(Clone, Debug)]
pub struct Holders {
    pub directory: Arc<Directory>,
    pub minutes: Minutes,
    pub outbox: Arc<Outbox>,
    /// The file that rows are appended to, if they go to one.
    pub rows: Option<PathBuf>,
    /// Who knows whose the drains are.
    pub intake: Arc<Intake>,
}

/// Obeys, for ever. It is done twice: at once, so that nobody comes in any more; and again when nothing can be made of the
/// account any more. `keeps_lines` says whether lines are kept.
pub async fn obey(holders: Holders, progress: Arc<Progress>, keeps_lines: bool) {
    let holders = Obeying { holders, progress, keeps_lines };
    loop {
        tokio::time::sleep(LOOK).await;
        if !holders.holders.directory.is_open() {
            continue;
        }
        for ending in holders.progress.endings.waiting() {
            if let Err(why) = holders.end(&ending).await {
                tracing::error!(account = ending.account, %why, "an account is destroyed, and cannot be removed now");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Waits a moment until nobody comes in any more by an account that an event destroyed.
pub async fn closed(directory: &Arc<Directory>, intake: &Intake, account: &str, seq: u64) {
    let progress = &intake.progress;
    #[cfg(feature = "postgres")]
    if progress.nodes.are_there() {
        return nodes::closed(directory, intake, account, seq).await;
    }
    #[cfg(not(feature = "postgres"))]
    let _: (&Arc<Directory>, &str) = (directory, account);
    let looks = PATIENCE.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        if progress.endings.is_closed(seq) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

struct Obeying {
    holders: Holders,
    progress: Arc<Progress>,
    keeps_lines: bool,
}

impl Obeying {
    async fn end(&self, ending: &Ending) -> Result<(), String> {
        let (seq, endings) = (ending.seq, &self.progress.endings);
        if !endings.is_closed(seq) {
            self.remove(ending, false).await?;
            endings.close(seq);
        }
        if !is_made(&self.progress, self.keeps_lines, seq) && endings.settled(seq, SETTLE) {
            self.remove(ending, true).await?;
            endings.end(seq);
            tracing::warn!(account = ending.account, "an account is destroyed");
        }
        Ok(())
    }

    async fn remove(&self, ending: &Ending, is_last: bool) -> Result<(), String> {
        let (Holders { directory, minutes, outbox, rows, intake }, ending) = (self.holders.clone(), ending.clone());
        let work = move || {
            let is_new = directory.is_to_end(&ending.account, ending.at).map_err(|error| error.to_string())?;
            if !is_new {
                return Ok(());
            }
            directory.end_account(&ending.account).map_err(|error| error.to_string())?;
            outbox.end_account(&ending.account).map_err(|error| error.to_string())?;
            if is_last {
                // The last rows of it are in by now.
                let drains = drains(&minutes, &ending.account)?;
                if let Some(rows) = rows {
                    let drains = drains.into_iter().collect();
                    erase_rows(&rows, &intake.settings(), (&ending.account, ending.at), &drains)
                        .map_err(|error| format!("{}: {error}", rows.display()))?;
                }
                minutes.remove(&ending.account).map_err(|error| error.to_string())?;
                directory.has_ended(&ending.account, ending.at).map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        spawn_blocking(work).await.unwrap_or_else(|_| Err("a thread ended".to_owned()))
    }
}

/// Whether something may be made still of what was before an event.
fn is_made(progress: &Progress, keeps_lines: bool, seq: u64) -> bool {
    let kept = if keeps_lines { progress.kept_behind.load(Ordering::Acquire) } else { u64::MAX };
    kept.min(progress.emitted.load(Ordering::Acquire)) < seq
}

/// What rows of an account are called after, as far as minutes know it: also of drains that no settings name any more.
fn drains(minutes: &Minutes, account: &str) -> Result<Vec<String>, String> {
    let drains = minutes.drains(account).map_err(|error| error.to_string())?;
    Ok(drains.iter().map(|drain| DrainName::of(drain).shown().to_string()).collect())
}

/// Erases what the file of rows has of an account: of the drains that it had of its own, which are called after it, and of
/// others that had minutes in it, unless they are another account's by now. When it was destroyed is in microseconds since 1970:
/// where there is one again of its name, what is told since then is of that one.
fn erase_rows(
    rows: &Path,
    settings: &Settings,
    (account, at): (&str, i64),
    drains: &HashSet<String>,
) -> io::Result<()> {
    let is_again = settings.has_account(account);
    let is_of = |drain: &str, begins: i64| {
        if is_again && begins.saturating_mul(1_000_000) >= at {
            return false;
        }
        let name = drain.split_once('/').map_or(drain, |(name, _)| name);
        match settings.drain(name) {
            Some(_) => settings.account_of(name) == account,
            None => name.split_once(OF).is_some_and(|(of, _)| of == account) || drains.contains(drain),
        }
    };
    let erased = outlets::erase(rows, &is_of)?;
    if erased > 0 {
        tracing::info!(account, rows = erased, file = %rows.display(), "rows of an account that is destroyed are erased");
    }
    Ok(())
}
