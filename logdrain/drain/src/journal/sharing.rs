//! The thread that writes one partition of a journal that nodes share.
//!
//! Every node has one for each partition. Deliveries are kept whoever owns the partition. While this node does, it moves the
//! watermark as well, and hands what it wrote to the one who counts.

use super::desk::Desk;
use super::failure::StoreError;
use super::group::{Group, Outcome};
use super::postgres::{Owning, SharedPartition};
use super::seam::Kept;
use super::time::Timekeeper;
use super::{AGAIN, Answer, Failing, IDS_EVERY, LOOK_AROUND, Progress};
use crate::event::{Entry, Event};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the owner of a partition has besides.
#[derive(Debug)]
pub struct Ownership {
    pub epoch: i64,
    pub time: Timekeeper,
    pub progress: Arc<Progress>,
    /// Who counts.
    pub pipelines: SyncSender<Arc<Vec<Entry>>>,
    /// Who keeps lines: what he needs still stays in the journal.
    pub logs: Option<SyncSender<Arc<Vec<Entry>>>>,
}

/// Whether this node owns a partition: said by who claims it, and asked by who writes it.
#[derive(Clone, Debug, Default)]
pub struct Owned(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    /// It was not heard yet.
    next: Option<Option<Ownership>>,
    /// The epoch at which another node was found to own it.
    lost: Option<i64>,
    /// The epoch that has ended, also if it never began.
    ended: Option<i64>,
}

impl Owned {
    /// It is this node's from now on; unless that has [ended](Self::end) while it was made ready. Who counts it sees that by his
    /// side of the channel.
    pub fn begin(&self, ownership: Ownership) {
        let mut said = self.said();
        if said.ended != Some(ownership.epoch) {
            said.next = Some(Some(ownership));
        }
    }

    /// It is not any more what it was since this epoch. Who counts it sees the end by his side of the channel.
    pub fn end(&self, epoch: i64) {
        let mut said = self.said();
        said.ended = Some(epoch);
        said.next = Some(None);
    }

    /// Whether it was [ended](Self::end) at this epoch.
    pub fn has_ended(&self, epoch: i64) -> bool {
        self.said().ended == Some(epoch)
    }

    /// Whether it turned out to be another one's, at this epoch of ours.
    pub fn is_lost(&self, epoch: i64) -> bool {
        self.said().lost == Some(epoch)
    }

    fn heard(&self) -> Option<Option<Ownership>> {
        self.said().next.take()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that writes a partition.
#[derive(Debug)]
pub struct SharingWriter {
    pub store: SharedPartition,
    /// Its time tells when deliveries come; the watermark is moved by that of the owner.
    pub desk: Desk,
    pub owned: Owned,
    /// Whether the database took what came last.
    pub storing: Arc<AtomicBool>,
    /// How often what stands beside the events was written, as far as somebody has looked: what other nodes have changed is
    /// read again then.
    pub version: Arc<AtomicI64>,
}

/// As what this node owns the partition.
#[derive(Debug)]
struct Epoch(i64);

impl SharingWriter {
    /// Writes until everybody who could send has gone.
    pub fn run(mut self) {
        let mut failing = Failing::default();
        let mut epoch: Option<Epoch> = None;
        let mut ids_given = Instant::now();
        loop {
            if let Some(next) = self.owned.heard() {
                epoch = self.follow(next);
            }
            let least = if failing.since.is_some() { AGAIN } else { Duration::ZERO };
            let wait = if epoch.is_some() { self.desk.time.wait() } else { LOOK_AROUND };
            let mut group = Group::default();
            let over =
                self.desk.gather(&mut group, wait.clamp(least, LOOK_AROUND), |answer| drop(answer.send(Vec::new())));
            let before = self.store.settings().cloned();
            if failing.since.is_none() && self.store.version() < self.version.load(Ordering::Acquire) {
                // When it fails, the next step says so.
                let _ = self.store.look();
            }
            if let Some(Epoch(own)) = epoch
                && let Err(error) = self.own(own, &group, &mut ids_given)
            {
                if error.is_taken_over() {
                    epoch = None;
                    self.owned.said().lost = Some(own);
                } else {
                    failing.note(&error);
                    self.storing.store(false, Ordering::Release);
                }
            } else if group.len() == 0 && failing.since.is_some() && self.store.look().is_ok() {
                failing.over();
                self.storing.store(true, Ordering::Release);
            }
            self.desk.published(before.as_ref(), self.store.settings());
            if group.len() > 0 {
                group.put_first(Vec::new(), self.desk.time.now());
                self.commit(group, &mut failing, epoch.is_some());
            }
            if over {
                return;
            }
        }
    }

    /// Hears that this node owns the partition from now on, or does not any more.
    fn follow(&mut self, next: Option<Ownership>) -> Option<Epoch> {
        let Some(Ownership { epoch, time, progress, pipelines, logs }) = next else {
            // Whoever counts or keeps lines reads to the end and goes.
            self.desk.logs = None;
            self.desk.pipelines = std::sync::mpsc::sync_channel(0).0;
            self.desk.progress = Arc::default();
            return None;
        };
        (self.desk.time, self.desk.progress) = (time, progress);
        (self.desk.pipelines, self.desk.logs) = (pipelines, logs);
        Some(Epoch(epoch))
    }

    /// Moves the watermark if it is time, and lets go what is old.
    fn own(&mut self, epoch: i64, group: &Group, ids_given: &mut Instant) -> Result<(), StoreError> {
        let desk = &mut self.desk;
        let mut events = desk.time.turn(group.records(), &desk.progress.time);
        // Others take what comes while this node does not.
        events.retain(|event| !matches!(event, Event::NotTaken { .. }));
        if events.is_empty() {
            return Ok(());
        }
        let mut old = desk.old(group.len(), false, ids_given.elapsed() > IDS_EVERY);
        let owning = Owning { epoch, emitted: desk.progress.emitted.load(Ordering::Acquire), old: &mut old };
        let entries = self.store.own(events, owning)?;
        if old.ids && old.given == 0 {
            *ids_given = Instant::now();
        }
        let desk = &mut self.desk;
        desk.progress.head.fetch_max(self.store.position(), Ordering::AcqRel);
        entries.iter().for_each(|entry| desk.time.written(&entry.event, &desk.progress.time));
        desk.hand_on(entries);
        Ok(())
    }

    /// Commits a group and answers it, whether or not the database took it.
    fn commit(&mut self, group: Group, failing: &mut Failing, is_owner: bool) {
        let Group { offers, answers, settings, .. } = group;
        let before = self.store.settings().cloned();
        let began = Instant::now();
        let desk = &mut self.desk;
        let kept: Vec<Kept> = match self.store.append(offers) {
            Ok(kept) => kept,
            Err(error) => {
                failing.note(&error);
                self.storing.store(false, Ordering::Release);
                desk.counters.commits_failed.add(1);
                answers.into_iter().for_each(|waiting| waiting.answer(Outcome::Is(Answer::CannotStore)));
                desk.owed = settings;
                return;
            }
        };
        failing.over();
        self.storing.store(true, Ordering::Release);
        desk.counters.commits.record(began.elapsed());
        if is_owner {
            desk.progress.head.fetch_max(self.store.position(), Ordering::AcqRel);
        }
        desk.published(before.as_ref(), self.store.settings());
        let mut entries = Vec::with_capacity(kept.len());
        for (kept, waiting) in kept.into_iter().zip(answers) {
            waiting.answer(desk.outcome(kept, &mut entries));
        }
        if is_owner {
            desk.hand_on(entries);
        }
    }
}
