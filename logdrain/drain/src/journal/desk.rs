//! What the thread that writes has beside the journal itself: who comes to it, and who is told.

use super::endings::Ending;
use super::failure::StoreError;
use super::group::{Group, Outcome};
use super::purges::Erase;
use super::salvage::marker;
use super::seam::{Kept, Old};
use super::time::Timekeeper;
use super::{AT_ONCE, Answer, Changed, GROUP, Halt, Listed, Message, Progress, Publish};
use crate::counters::Counters;
use crate::drain_name::DrainName;
use crate::event::{Entry, Event};
use crate::settings::Settings;
use crate::settings::change::Change;
use heroku_metrics::model::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;
use tokio::sync::oneshot;

/// What the thread that writes has beside the journal.
#[derive(Debug)]
pub struct Desk {
    pub dir: PathBuf,
    pub queue: Receiver<Message>,
    pub pipelines: SyncSender<Arc<Vec<Entry>>>,
    /// Where lines are kept.
    pub logs: Option<SyncSender<Arc<Vec<Entry>>>>,
    pub progress: Arc<Progress>,
    pub counters: Arc<Counters>,
    pub retention: Duration,
    /// The most bytes of a commit.
    pub group_bytes: usize,
    pub time: Timekeeper,
    /// Who goes by the settings.
    pub publish: Publish,
    /// What is left of a delivery without lines that were purged.
    pub erase: Erase,
    /// What the configuration says, as long as the disk did not take it.
    pub owed: Option<Box<Settings>>,
}

impl Desk {
    /// Gathers what came, and waits for it so long. Says whether nothing comes any more.
    pub(super) fn gather(
        &mut self,
        group: &mut Group,
        wait: Duration,
        list: impl Fn(oneshot::Sender<Vec<Listed>>),
    ) -> bool {
        if let Some(settings) = self.owed.take() {
            group.add(Message::Settings(settings), &mut self.time);
        }
        let mut add = |message, group: &mut Group| match message {
            // It is answered without the disk.
            Message::Drains(answer) => list(answer),
            message => group.add(message, &mut self.time),
        };
        match self.queue.recv_timeout(wait) {
            Ok(message) => {
                add(message, group);
                while group.len() < GROUP && group.bytes < self.group_bytes {
                    let Ok(message) = self.queue.try_recv() else { break };
                    add(message, group);
                }
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        }
    }

    /// Up to which event everybody has what they need of the journal.
    pub(super) fn behind(&self) -> u64 {
        let kept = if self.logs.is_some() { self.progress.kept_behind.load(Ordering::Acquire) } else { u64::MAX };
        self.progress.behind.load(Ordering::Acquire).min(kept)
    }

    /// What may go with a commit of so many: deliveries that are in two snapshots, and twice as many as come, so that the
    /// file does not grow. When there is no room, those that are only kept for later use go, too.
    pub(super) fn old(&self, offers: usize, is_full: bool, ids: bool) -> Old {
        let retention = if is_full { Duration::ZERO } else { self.retention };
        let before = match self.time.older_than(retention) {
            // With none, age does not matter, and so the clock does not.
            _ if retention.is_zero() => Timestamp::from_unix_micros(i64::MAX),
            Some(before) => before,
            None => Timestamp::from_unix_micros(i64::MIN),
        };
        // What anybody still needs stays.
        Old { behind: self.behind(), before, ids, rows: AT_ONCE.max(2 * offers as u64), given: 0 }
    }

    /// The journal ends there now, and these settings hold. Whoever is answered finds what he asked for.
    pub(super) fn settled(&self, position: u64, before: Option<&Arc<Settings>>, now: Option<&Arc<Settings>>) {
        self.progress.head.store(position, Ordering::Release);
        self.published(before, now);
    }

    /// These settings hold now.
    pub(super) fn published(&self, before: Option<&Arc<Settings>>, now: Option<&Arc<Settings>>) {
        if let Some(now) = now.filter(|now| before.is_none_or(|before| !Arc::ptr_eq(before, now))) {
            (self.publish.0)(now);
        }
    }

    /// What became of an offer, for who waits for it; its events go to `entries`.
    pub(super) fn outcome(&mut self, kept: Kept, entries: &mut Vec<Entry>) -> Outcome {
        match kept {
            Kept::New(entry) => {
                self.time.written(&entry.event, &self.progress.time);
                entries.push(entry);
                Outcome::Is(Answer::Kept)
            }
            Kept::Changed(entry) => {
                let position = entry.seq;
                if let Event::Change { change, .. } = &entry.event
                    && let Change::Destroy { account, at, .. } = &**change
                {
                    let ending = Ending { seq: position, at: *at, account: account.clone() };
                    self.progress.endings.begin(ending);
                }
                let id = if let Event::Change { id, .. } = &entry.event { *id } else { None };
                entries.push(entry);
                Outcome::Changed(Ok(Changed { id, position }))
            }
            Kept::Unfit(unfit) => Outcome::Changed(Err(unfit)),
            Kept::NewInstead { dropped, entry } => {
                told(&dropped, &entry);
                entries.extend([dropped, entry]);
                Outcome::Is(Answer::Kept)
            }
            Kept::Early => Outcome::Is(Answer::CannotStore),
            Kept::Unknown => Outcome::Is(Answer::Unknown),
            Kept::Duplicate => Outcome::Is(Answer::Duplicate),
            Kept::TooManyDrains => Outcome::Is(Answer::TooManyDrains),
        }
    }

    /// Hands on what was written. Who is behind reads the journal itself; intake waits for nobody.
    pub(super) fn hand_on(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let entries = Arc::new(entries);
        if let Some(logs) = &self.logs {
            let _ = logs.try_send(entries.clone());
        }
        let _ = self.pipelines.try_send(entries);
    }

    /// Of damage, leaves word for the next start.
    pub(super) fn halt(&self, error: &StoreError) -> Halt {
        tracing::error!(%error, "the journal cannot be used on");
        if error.is_taken_over() {
            return Halt::TakenOver;
        }
        let _ = std::fs::write(marker(&self.dir), format!("{error}\n"));
        Halt::Damaged
    }
}

/// Says whose place went to whom.
fn told(dropped: &Entry, entry: &Entry) {
    if let (Event::Dropped { drain: old, .. }, Event::Delivery(record)) = (&dropped.event, &entry.event) {
        tracing::warn!(
            old = %DrainName::of(old).shown(), new = %DrainName::of(&record.drain).shown(),
            "a new drain took the place of another one, which is refused until its windows are past their horizon; if \
             both are meant, raise max_tokens of their [[drain]], or max_drains"
        );
    }
}
