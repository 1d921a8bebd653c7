//! A partition that is asked through a thread of its own, so that nobody waits longer for it than he wants to.

use super::endings::Endings;
use super::failure::StoreError;
use super::purges::Erase;
use super::seam::{Kept, Offer, Old, Partition};
use super::{Halt, Listed};
use crate::event::Event;
use crate::settings::Settings;
use heroku_metrics::model::Timestamp;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// Something to be done with what is carried.
type Job<H> = Box<dyn FnOnce(&mut H) + Send>;

/// The partition, where its thread has it.
#[derive(Debug)]
pub(super) struct Held {
    store: Box<dyn Partition>,
    /// Nobody knows whether its last step is there.
    is_in_doubt: bool,
}

/// The way to a partition, in the form in which its thread has it.
#[derive(Debug)]
pub(super) struct Carried<H> {
    jobs: SyncSender<Job<H>>,
    /// Something was asked and not answered yet.
    is_busy: Arc<AtomicBool>,
}

/// A step that is to be written.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) offers: Vec<Offer>,
    pub(super) emitted: u64,
    /// No id at or below it is given.
    pub(super) taken_id: u64,
    pub(super) old: Old,
}

/// A step that was written.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) kept: Vec<Kept>,
    pub(super) given: usize,
    /// Where the partition stands behind it.
    pub(super) position: u64,
    pub(super) settings: Option<Arc<Settings>>,
    /// The drains that have a place, when others than those that came may have changed.
    pub(super) listed: Option<Vec<Listed>>,
    pub(super) took: Duration,
}

/// Where the answer to something comes.
#[derive(Debug)]
pub(super) struct Answering<T>(Receiver<Result<T, StoreError>>);

impl<T> Answering<T> {
    /// The answer, if it comes within so long.
    pub(super) fn within(&self, time: Duration) -> Option<Result<T, StoreError>> {
        match self.0.recv_timeout(time) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            // Its thread has ended in a panic.
            Err(RecvTimeoutError::Disconnected) => Some(Err(StoreError::Broken("its thread has ended".to_owned()))),
        }
    }
}

impl<H: Send + 'static> Carried<H> {
    /// Gives it a thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn by_thread(mut held: H) -> io::Result<Self> {
        let (jobs, wanted) = mpsc::sync_channel::<Job<H>>(1);
        let run = move || wanted.into_iter().for_each(|job| job(&mut held));
        thread::Builder::new().name("database".to_owned()).spawn(run)?;
        Ok(Self { jobs, is_busy: Arc::default() })
    }

    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
    }

    pub(super) fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut H) -> Result<T, StoreError> + Send + 'static,
    ) -> Answering<T> {
        let (answer, answers) = mpsc::sync_channel(1);
        if self.is_busy.swap(true, Ordering::AcqRel) {
            let _ = answer.send(Err(StoreError::NoAnswer));
            return Answering(answers);
        }
        let is_busy = self.is_busy.clone();
        let job: Job<H> = Box::new(move |held| {
            let outcome = what(held);
            is_busy.store(false, Ordering::Release);
            let _ = answer.send(outcome);
        });
        // Without its thread the answer's way ends, too.
        let _ = self.jobs.send(job);
        Answering(answers)
    }
}

impl Carried<Held> {
    pub(super) fn new(store: Box<dyn Partition>) -> Result<Self, Halt> {
        Self::by_thread(Held { store, is_in_doubt: false }).map_err(|error| {
            tracing::error!(%error, "no thread could be started");
            Halt::Damaged
        })
    }

    /// Writes a step. After one of which nobody knows what became, that is found out first.
    pub(super) fn append(&self, wanted: Wanted) -> Answering<Landed> {
        self.ask(move |held| {
            let Wanted { offers, emitted, taken_id, mut old } = wanted;
            let began = Instant::now();
            held.recall()?;
            held.store.pass_id(taken_id);
            let is_rare = |event: &Event| !matches!(event, Event::Delivery(_) | Event::Tick(_) | Event::Doubt { .. });
            let mut is_listed = offers.iter().any(|offer| is_rare(&offer.event));
            // Doubtful until it is known: a panic in between leaves it so.
            held.is_in_doubt = true;
            let kept = held.store.append(offers, emitted, &mut old)?;
            held.is_in_doubt = false;
            is_listed |= kept.iter().any(|kept| matches!(kept, Kept::NewInstead { .. }));
            Ok(Landed {
                kept,
                given: old.given,
                position: held.store.position(),
                settings: held.store.settings().cloned(),
                listed: is_listed.then(|| held.store.listed()),
                took: began.elapsed(),
            })
        })
    }

    pub(super) fn listed(&self) -> Answering<Vec<Listed>> {
        self.ask(|held| Ok(held.store.listed()))
    }

    pub(super) fn settings(&self) -> Answering<Option<Arc<Settings>>> {
        self.ask(|held| Ok(held.store.settings().cloned()))
    }

    /// What is done while nothing comes. Says how much was old, and whether there is more to do at once.
    pub(super) fn look_after(&self, chores: Chores) -> Answering<(usize, bool)> {
        self.ask(move |held| {
            let Chores { mut old, erase, endings, behind, dir, now } = chores;
            held.recall()?;
            let mut done = || {
                held.store.give_back(&mut old)?;
                let more = held.store.purge_some(behind, &erase, &endings)?;
                now.map_or(Ok(()), |now| held.store.purge_aside(&dir, now))?;
                Ok(more)
            };
            let more = done();
            held.is_in_doubt = more.is_err();
            more.map(|more| (old.given, more))
        })
    }

    pub(super) fn settle(&self) -> Answering<()> {
        self.ask(|held| held.store.settle())
    }
}

/// What is to be done while nothing comes.
#[derive(Debug)]
pub(super) struct Chores {
    pub(super) old: Old,
    pub(super) erase: Erase,
    pub(super) endings: Endings,
    pub(super) behind: u64,
    pub(super) dir: PathBuf,
    /// What time it is, when it is trusted.
    pub(super) now: Option<Timestamp>,
}

impl Held {
    fn recall(&mut self) -> Result<(), StoreError> {
        if self.is_in_doubt {
            self.store.recall()?;
            self.is_in_doubt = false;
        }
        Ok(())
    }
}
