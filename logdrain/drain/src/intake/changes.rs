//! Changes of the settings, as members and operators ask for them.
//!
//! Each is an event of the journal, and is kept there for a while: whoever could make them without end would fill it. So an
//! account has a number of changes and of bytes at once, and gets more of both as time goes on. Who asks for more waits a
//! moment, and is refused when that is not enough.

use super::Intake;
use crate::drain_name::DEFAULT_ACCOUNT;
use crate::journal::{ChangeError, Changed, Message};
#[cfg(feature = "postgres")]
use crate::parts::{Part, Split};
use crate::settings::change::{Change, Misfit, Unfit};
use std::collections::HashMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Changes at once, and how many more there may be each second.
const COUNT: f64 = 2_000.0;
const COUNT_A_SECOND: f64 = 5.0;
/// Bytes of them at once, and each second.
const BYTES: f64 = 8_388_608.0;
const BYTES_A_SECOND: f64 = 8_192.0;
/// How long somebody waits for his turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// Accounts that are remembered; those that have all of theirs again are forgotten.
const KNOWN: usize = 1_024;

/// How much each account has left.
#[derive(Debug, Default)]
pub(super) struct Changes {
    left: Mutex<HashMap<String, Left>>,
    /// Filters are made ready to see whether they can be: one at a time, on a thread of its own.
    filters: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    at: Instant,
    count: f64,
    bytes: f64,
}

impl Left {
    const fn all(now: Instant) -> Self {
        Self { at: now, count: COUNT, bytes: BYTES }
    }

    fn at(self, now: Instant) -> Self {
        let seconds = now.duration_since(self.at).as_secs_f64();
        let count = COUNT.min(seconds.mul_add(COUNT_A_SECOND, self.count));
        Self { at: now, count, bytes: BYTES.min(seconds.mul_add(BYTES_A_SECOND, self.bytes)) }
    }

    fn is_all(&self) -> bool {
        self.count >= COUNT && self.bytes >= BYTES
    }
}

impl Changes {
    /// Takes what a change of so many bytes needs. Answers how long to wait for it, or `None` when that is too long.
    fn take(&self, account: &str, bytes: usize, now: Instant) -> Option<Duration> {
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KNOWN {
            all.retain(|_, left| !left.at(now).is_all());
        }
        let left = all.get(account).copied().unwrap_or(Left::all(now)).at(now);
        let next = Left { count: left.count - 1.0, bytes: left.bytes - bytes as f64, ..left };
        let missing = (-next.count / COUNT_A_SECOND).max(-next.bytes / BYTES_A_SECOND).max(0.0);
        if missing > PATIENCE.as_secs_f64() {
            return None;
        }
        all.insert(account.to_owned(), next);
        Some(Duration::from_secs_f64(missing))
    }
}

impl Intake {
    /// Changes the settings. When this returns, the change is on the disk, and [`settings`](Self::settings) are with it.
    ///
    /// # Errors
    /// When it does not fit what there is, or the journal does not take it: then nothing has changed. When the server stops,
    /// it may be there all the same, as with everything that was not answered.
    pub async fn change(&self, change: Change) -> Result<Changed, ChangeError> {
        let bytes = serde_json::to_vec(&change).map_err(|_| ChangeError::CannotStore)?.len();
        match self.changes.take(change.account().unwrap_or_default(), bytes, Instant::now()) {
            Some(Duration::ZERO) => {}
            Some(wait) => tokio::time::sleep(wait).await,
            None => {
                let why = "these settings were changed too often: come again in a minute";
                return Err(ChangeError::Unfit(Unfit::new(Misfit::TooOften, why)));
            }
        }
        self.check_filter(&change).await?;
        let queue = match &change {
            Change::App { drain, .. } => self.queue_of_settings(drain),
            // It is known in one partition first, also where the account's drains are in all of them.
            Change::Destroy { account, .. } => self.queue_at(account),
            _ => self.queue_of_account(change.account().unwrap_or(DEFAULT_ACCOUNT)),
        };
        written(queue.ok_or(ChangeError::CannotStore)?, change).await
    }

    /// An account is destroyed in the partition that is its own: the same is to be done in all others where its drains may be in
    /// any. They may be told so more than once.
    ///
    /// # Errors
    /// When one of them does not take it: then it is told again.
    #[cfg(feature = "postgres")]
    pub async fn destroy_elsewhere(&self, account: &str, part: Part) -> Result<(), ChangeError> {
        let queues = self.queues().ok_or(ChangeError::CannotStore)?;
        if queues.split == Split::ByAccount || queues.parts.of(account) != part {
            return Ok(());
        }
        for (other, queue) in queues.parts.each().zip(queues.all.iter()).filter(|(other, _)| *other != part) {
            let destroy = Change::Destroy { account: account.to_owned(), at: 0, upto: 0 };
            match written(queue.clone(), destroy).await {
                Ok(_) => {}
                // The configuration has it again.
                Err(ChangeError::Unfit(unfit)) => {
                    tracing::warn!(account, partition = other.number(), why = unfit.why, "what is left of it stays");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn check_filter(&self, change: &Change) -> Result<(), ChangeError> {
        let (name, filter, instead) = match change {
            Change::AddFilter { account, filter } => (account, filter.clone(), None),
            Change::SetFilter { account, id, filter } => (account, filter.clone(), Some(*id)),
            _ => return Ok(()),
        };
        let (settings, name) = (self.settings(), name.clone());
        let turn = self.changes.filters.clone().lock_owned().await;
        let checked = tokio::task::spawn_blocking(move || {
            let checked = settings.account(&name).check_filter(&filter, instead);
            drop(turn);
            checked
        });
        match checked.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(ChangeError::Unfit(Unfit::new(Misfit::Invalid, why))),
            Err(_) => Err(ChangeError::CannotStore),
        }
    }
}

/// Has a change written down.
async fn written(queue: SyncSender<Message>, change: Change) -> Result<Changed, ChangeError> {
    let (answer, answered) = oneshot::channel();
    let message = Message::Change { change: Box::new(change), answer: Some(answer) };
    queue.try_send(message).map_err(|_| ChangeError::CannotStore)?;
    drop(queue);
    answered.await.unwrap_or(Err(ChangeError::CannotStore))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changes_without_end_is_slowed_and_refused_and_others_are_not() {
        let (changes, began) = (Changes::default(), Instant::now());
        let at = |seconds: f64| began + Duration::from_secs_f64(seconds);
        for _ in 0..COUNT as usize {
            assert_eq!(changes.take("shop", 100, began), Some(Duration::ZERO));
        }
        assert_eq!(changes.take("shop", 100, began), Some(Duration::from_secs_f64(0.2)), "a moment");
        let more = (0..100).filter(|_| changes.take("shop", 100, began).is_some()).count();
        assert_eq!(more, 9, "no more than there is patience for");
        assert_eq!(changes.take("blog", 100, began), Some(Duration::ZERO));
        assert_eq!(changes.take("shop", 100, at(60.0)), Some(Duration::ZERO), "it comes again");
        // By bytes, whatever their number: in an hour no more than what there is at once, and what comes.
        let mut bytes = 0;
        for second in 0..3_600 {
            while changes.take("big", 1 << 20, at(f64::from(second))).is_some() {
                bytes += 1 << 20;
            }
        }
        assert!(bytes as f64 <= BYTES + 3_602.0 * BYTES_A_SECOND, "{bytes}");
        // Who has waited long enough is forgotten.
        for number in 0..3 * KNOWN {
            let _ = changes.take(&format!("a{number}"), 1, at(number as f64));
        }
        assert!(changes.left.lock().unwrap().len() <= KNOWN);
    }
}
