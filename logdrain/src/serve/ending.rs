//! What is left of accounts that are destroyed, beside what is made of the journal: members, tokens, sessions, systems,
//! usage and minutes. The journal says first that an account goes, and remembers that this is to be done until it was, also when the
//! program is killed meanwhile.

use crate::serve::directory::Directory;
use crate::serve::journal::{Ending, Progress};
use crate::serve::minutes::Minutes;
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
struct Holders {
    directory: Arc<Directory>,
    minutes: Minutes,
    progress: Arc<Progress>,
    keeps_lines: bool,
}

/// Obeys, for ever. It is done twice: at once, so that nobody comes in any more; and again when nothing can be made of the
/// account any more. `keeps_lines` says whether lines are kept.
pub(crate) async fn obey((directory, minutes): (Arc<Directory>, Minutes), progress: Arc<Progress>, keeps_lines: bool) {
    let holders = Holders { directory, minutes, progress, keeps_lines };
    loop {
        tokio::time::sleep(LOOK).await;
        if !holders.directory.is_open() {
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
pub(crate) async fn closed(progress: &Progress, seq: u64) {
    let looks = PATIENCE.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        if progress.endings.is_closed(seq) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Holders {
    async fn end(&self, ending: &Ending) -> Result<(), String> {
        let (seq, endings) = (ending.seq, &self.progress.endings);
        if !endings.is_closed(seq) {
            self.remove(ending, false).await?;
            endings.close(seq);
        }
        let kept = if self.keeps_lines { self.progress.kept_behind.load(Ordering::Acquire) } else { u64::MAX };
        let is_made = kept.min(self.progress.emitted.load(Ordering::Acquire)) < seq;
        if !is_made && endings.settled(seq, SETTLE) {
            self.remove(ending, true).await?;
            endings.end(seq);
            tracing::warn!(account = ending.account, "an account is destroyed");
        }
        Ok(())
    }

    async fn remove(&self, ending: &Ending, is_last: bool) -> Result<(), String> {
        let (directory, minutes, ending) = (self.directory.clone(), self.minutes.clone(), ending.clone());
        let work = move || {
            let is_new = directory.is_to_end(&ending.account, ending.at).map_err(|error| error.to_string())?;
            if !is_new {
                return Ok(());
            }
            directory.end_account(&ending.account).map_err(|error| error.to_string())?;
            if is_last {
                // The last rows of it are in by now.
                minutes.remove(&ending.account).map_err(|error| error.to_string())?;
                directory.has_ended(&ending.account, ending.at).map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        spawn_blocking(work).await.unwrap_or_else(|_| Err("a thread ended".to_owned()))
    }
}
