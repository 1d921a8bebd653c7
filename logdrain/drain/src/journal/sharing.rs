//! The thread that writes one partition of a journal that nodes share.
//!
//! Every node has one for each partition. Deliveries are kept whoever owns the partition. While this node does, it moves the
//! watermark as well, and hands what it wrote to the one who counts.
//!
//! The database is asked as [`spooling`](super::spooling) asks it: one step at a time, by a thread of its own; what it does not
//! take within a second waits in the spool of the partition, if there is one. Minutes are closed by the owner, which may be
//! another node: so every node tells what it has that the journal does not have ([`Told`]), and no tick passes that.

mod told;

pub use told::Told;

use super::aside::{Aside, Of};
use super::carried::{Answering, Carried, Landed};
use super::desk::Desk;
use super::failure::StoreError;
use super::group::{Group, Outcome};
use super::postgres::{Moved, Owning, SharedPartition};
use super::remembered::{Memory, Past};
use super::seam::{Kept, Offer};
use super::seats::Seats;
use super::spool::Spool;
use super::time::Timekeeper;
use super::{Answer, IDS_EVERY, LOOK_AROUND, Progress};
use crate::event::{Entry, Event};
use crate::fail_point;
use crate::parts::Part;
use crate::settings::Settings;
use heroku_metrics::model::Timestamp;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks whether a step has been answered that is not waited for.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks whether there is something to purge.
const PURGE_EVERY: Duration = Duration::from_secs(1);
/// Between two tries of a tick that waits for what nodes have: they tell as often.
const HELD: Duration = Duration::from_millis(200);
/// Between two times that it is told what the next life may need.
const KNOWN: Duration = Duration::from_secs(1);
/// How long the end waits for what is on its way, or in the spool.
const ANSWER: Duration = Duration::from_secs(10);

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
    store: Carried<SharedPartition>,
    /// Its time tells when deliveries come; the watermark is moved by that of the owner.
    desk: Desk,
    owned: Owned,
    told: Told,
    aside: Aside,
    /// The settings that were told last, and of how new a reading they are.
    settings: Option<Arc<Settings>>,
    version: i64,
    /// At which epoch this node owns the partition.
    epoch: Option<i64>,
    flight: Option<Flight>,
    /// What the last step took.
    took: Duration,
    ids_given: Instant,
    /// When a tick was held back last.
    held: Option<Instant>,
    /// When purges had nothing more to do last.
    purged: Option<Instant>,
    /// The database takes what comes, and the watermark is too far behind it.
    is_early: bool,
    /// Nobody was heard of yet in this life.
    remembers: bool,
    memory: Option<Remembering>,
}

/// Who writes down what the next life may need, and when he was told.
#[derive(Debug)]
struct Remembering {
    part: Part,
    memory: Memory,
    told: Option<Instant>,
}

/// Something that was asked of the database and is not answered yet.
#[derive(Debug)]
enum Flight {
    Deliveries(Deliveries),
    /// The owner's, at an epoch; and whether it looks for old ids.
    Own(i64, bool, Answering<Moved>),
    /// Some of what purges left to do, by the owner at an epoch; answered with whether there is more.
    Purge(i64, Answering<bool>),
}

#[derive(Debug)]
struct Deliveries {
    /// With how often what stands beside the events was written.
    answer: Answering<(Landed, i64)>,
    began: Instant,
    /// Who each offer is of.
    of: Vec<Of>,
    /// When the oldest of them came.
    oldest: Option<Timestamp>,
    /// The settings that are in it.
    settings: Option<Box<Settings>>,
    /// Which spool the numbers are of.
    spool: u64,
}

impl SharingWriter {
    /// What the partition does not take waits in `spool`, and of a drain that is not known as `places` are to be had. What is
    /// known of it is told to `memory`; of one that was not looked at it is `past`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(
        store: SharedPartition,
        desk: Desk,
        owned: Owned,
        told: Told,
        (spool, places): (Option<Spool>, usize),
        (past, memory): (Option<Past>, Option<Memory>),
    ) -> io::Result<Self> {
        let remembers = past.is_some();
        let known = past.map(|Past { settings, listed }| (Some(settings), listed));
        let (settings, listed) = known.unwrap_or_else(|| (store.settings().cloned(), store.listed()));
        let version = store.version();
        let seats = Seats::new((places, store.accounts_of()), settings.clone(), listed);
        let memory = memory.map(|memory| Remembering { part: store.part(), memory, told: None });
        if let Some(spool) = spool.as_ref().filter(|spool| !spool.is_empty()) {
            tracing::info!(deliveries = spool.len(), "deliveries wait in the spool, and are offered to the database");
        }
        let telling = told.clone();
        let mut aside = Aside::new(spool, seats, move |stand| telling.tell(&stand));
        if remembers {
            aside.outage.goes_on();
            aside.tell();
        }
        Ok(Self {
            store: Carried::by_thread(store)?,
            desk,
            owned,
            told,
            aside,
            settings,
            version,
            epoch: None,
            flight: None,
            took: Duration::ZERO,
            ids_given: Instant::now(),
            held: None,
            purged: None,
            is_early: false,
            remembers,
            memory,
        })
    }

    /// Writes until everybody who could send has gone.
    pub fn run(mut self) {
        loop {
            if let Some(next) = self.owned.heard() {
                self.epoch = self.follow(next);
            }
            if self.remembers && !self.told.remembers() {
                // What time it is has been told before that was.
                self.desk.time.believe();
                self.remembers = false;
            }
            self.tell();
            self.remember();
            let wait = self.wait();
            let mut group = Group::default();
            let over = self.desk.gather(&mut group, wait, |answer| drop(answer.send(Vec::new())));
            self.look(Duration::ZERO);
            self.own(&group);
            let mut now = self.desk.time.now();
            if group.has_deliveries {
                now = self.told.stamp(now);
            }
            group.put_first(Vec::new(), now);
            self.step(group);
            self.purge();
            if over {
                return self.end();
            }
        }
    }

    /// How long there is nothing to do but to wait for who comes.
    fn wait(&mut self) -> Duration {
        if self.remembers || self.flight.is_some() || self.store.is_busy() {
            return LOOK;
        }
        if let Some(wait) = self.aside.outage.until_next() {
            return wait;
        }
        if !self.aside.is_empty() {
            return Duration::ZERO;
        }
        if self.epoch.is_none() {
            return LOOK_AROUND;
        }
        if self.purged.is_none() {
            return Duration::ZERO;
        }
        let held = self.held.map_or(Duration::ZERO, |held| HELD.saturating_sub(held.elapsed()));
        self.desk.time.wait().clamp(held, LOOK_AROUND)
    }

    /// Hears that this node owns the partition from now on, or does not any more.
    fn follow(&mut self, next: Option<Ownership>) -> Option<i64> {
        self.held = None;
        let Some(Ownership { epoch, time, progress, pipelines, logs }) = next else {
            // Whoever counts or keeps lines reads to the end and goes.
            self.desk.logs = None;
            self.desk.pipelines = std::sync::mpsc::sync_channel(0).0;
            self.desk.progress = Arc::default();
            return None;
        };
        (self.desk.time, self.desk.progress) = (time, progress);
        (self.desk.pipelines, self.desk.logs) = (pipelines, logs);
        Some(epoch)
    }

    /// Whether something may be asked now.
    fn can_ask(&self) -> bool {
        !self.remembers && self.flight.is_none() && !self.store.is_busy() && self.aside.outage.may_try()
    }

    /// Moves the watermark if it is time and this node owns the partition, and lets go what is old.
    fn own(&mut self, group: &Group) {
        let Some(epoch) = self.epoch else { return };
        let desk = &mut self.desk;
        let mut events = desk.time.turn(group.records(), &desk.progress.time);
        // Others take what comes while this node does not.
        events.retain(|event| !matches!(event, Event::NotTaken { .. }));
        let is_held = self.held.is_some_and(|held| held.elapsed() < HELD);
        if events.is_empty() || is_held || !self.can_ask() {
            return;
        }
        let desk = &self.desk;
        let ids = self.ids_given.elapsed() > IDS_EVERY;
        let owning = Owning {
            epoch,
            emitted: desk.progress.emitted.load(Ordering::Acquire),
            old: desk.old(group.len(), false, ids),
            windows: desk.time.windows().clone(),
            oldest: self.aside.spool.as_ref().and_then(Spool::oldest),
        };
        self.flight = Some(Flight::Own(epoch, ids, self.store.ask(move |store| store.own(events, owning))));
        // Nobody who sends waits for a database that is away.
        let is_away = self.aside.outage.is_away;
        self.look(if is_away { Duration::ZERO } else { self.aside.patience(self.took) });
    }

    /// Does some of what purges left to do, if this node owns the partition and nothing else is to be asked.
    fn purge(&mut self) {
        let Some(epoch) = self.epoch else { return };
        let was_done = self.purged.is_some_and(|at| at.elapsed() < PURGE_EVERY);
        if was_done || self.aside.outage.is_away || !self.aside.is_empty() || !self.can_ask() {
            return;
        }
        let (behind, erase, endings) =
            (self.desk.behind(), self.desk.erase.clone(), self.desk.progress.endings.clone());
        let asked = self.store.ask(move |store| store.purge_some(epoch, behind, &erase, &endings));
        self.flight = Some(Flight::Purge(epoch, asked));
        self.look(self.aside.patience(self.took));
    }

    fn step(&mut self, mut group: Group) {
        if !self.can_ask() {
            return self.aside.put(group, &mut self.desk);
        }
        let is_away = self.aside.outage.is_away;
        // What other nodes have changed is read again.
        let is_old = self.version < self.told.version();
        if self.aside.spool.is_some() && (is_away || !self.aside.are_few()) {
            self.aside.put(group, &mut self.desk);
        } else if group.len() > 0 || !self.aside.is_empty() || is_away || is_old {
            return self.offer(&mut group, true);
        }
        if is_away || !self.aside.is_empty() {
            self.offer(&mut Group::default(), false);
        }
    }

    /// Offers the oldest that wait, with a group behind them when they are few; waits for the answer, or comes back for it. With
    /// nothing to be offered the database is asked whether it is there.
    fn offer(&mut self, group: &mut Group, is_waited_for: bool) {
        self.aside.outage.tried = Some(Instant::now());
        let oldest = match self.aside.oldest_ones() {
            Ok(oldest) => oldest,
            Err(error) => {
                self.aside.begin_outage(&error);
                return self.aside.put(std::mem::take(group), &mut self.desk);
            }
        };
        let is_all = oldest.len() as u64 == self.aside.len();
        let (numbers, mut offers): (Vec<u64>, Vec<Offer>) = oldest.into_iter().unzip();
        let mut of: Vec<Of> = numbers.into_iter().map(Of::Spool).collect();
        let mut settings = None;
        if is_all {
            self.aside.add(group, &mut offers, &mut of);
            settings = group.settings.take();
        } else if group.len() > 0 {
            self.aside.put(std::mem::take(group), &mut self.desk);
        }
        let times = offers.iter().filter_map(|offer| match &offer.event {
            Event::Delivery(record) => Some(record.received),
            _ => None,
        });
        let oldest = times.min();
        let answer = self.store.ask(move |store| {
            let began = Instant::now();
            let kept = store.append(offers)?;
            let (position, settings) = (store.position(), store.settings().cloned());
            let listed = store.changed();
            let landed = Landed { kept, given: 0, position, settings, listed, took: began.elapsed() };
            Ok((landed, store.version()))
        });
        let (began, spool) = (Instant::now(), self.aside.made());
        self.flight = Some(Flight::Deliveries(Deliveries { answer, began, of, oldest, settings, spool }));
        self.look(if is_waited_for { self.aside.patience(self.took) } else { Duration::ZERO });
        if let Some(Flight::Deliveries(mut flight)) = self.flight.take_if(|_| is_waited_for) {
            self.fails(&StoreError::NoAnswer);
            self.aside.leave(&mut flight.of, flight.settings.take(), &mut self.desk);
            self.flight = Some(Flight::Deliveries(flight));
        }
    }

    /// Looks whether what is on its way has been answered, and waits for it so long.
    fn look(&mut self, time: Duration) {
        match self.flight.take() {
            Some(Flight::Deliveries(flight)) => match flight.answer.within(time) {
                None => self.flight = Some(Flight::Deliveries(flight)),
                Some(Ok((landed, version))) => {
                    self.version = version;
                    self.landed(landed, flight);
                }
                Some(Err(error)) => self.failed(&error, flight),
            },
            Some(Flight::Own(epoch, ids, answer)) => match answer.within(time) {
                None => self.flight = Some(Flight::Own(epoch, ids, answer)),
                Some(Ok(moved)) => self.moved(epoch, ids, moved),
                Some(Err(error)) if error.is_taken_over() => self.lose(epoch),
                Some(Err(error)) => {
                    // What waits is offered first.
                    self.held = Some(Instant::now() + HELD);
                    self.fails(&error);
                }
            },
            Some(Flight::Purge(epoch, answer)) => match answer.within(time) {
                None => self.flight = Some(Flight::Purge(epoch, answer)),
                Some(Ok(has_more)) => self.purged = (!has_more).then(Instant::now),
                Some(Err(error)) if error.is_taken_over() => self.lose(epoch),
                Some(Err(error)) => {
                    self.purged = Some(Instant::now());
                    self.fails(&error);
                }
            },
            None => {}
        }
    }

    /// Another node owns what this one did at an epoch.
    fn lose(&mut self, epoch: i64) {
        self.owned.said().lost = Some(epoch);
        self.epoch = self.epoch.filter(|now| *now != epoch);
    }

    /// What the owner wrote is in the journal.
    fn moved(&mut self, epoch: i64, ids: bool, moved: Moved) {
        let Moved { entries, given, is_held } = moved;
        if !entries.is_empty() {
            fail_point("tick");
        }
        // Nor is one tried in vain all the time when the clock has to come to the watermark first.
        self.held = (is_held || entries.is_empty()).then(Instant::now);
        if self.epoch != Some(epoch) || is_held {
            return;
        }
        if ids && given == 0 {
            self.ids_given = Instant::now();
        }
        let desk = &mut self.desk;
        for Entry { seq, event } in &entries {
            desk.progress.head.fetch_max(*seq, Ordering::AcqRel);
            desk.time.written(event, &desk.progress.time);
        }
        desk.hand_on(entries);
    }

    /// A step is in the journal, but for what came too far ahead of the watermark.
    fn landed(&mut self, landed: Landed, flight: Deliveries) {
        let Landed { kept, position, settings, listed, took, .. } = landed;
        fail_point("append");
        self.took = took;
        self.desk.counters.commits.record(flight.began.elapsed());
        if self.epoch.is_some() {
            self.desk.progress.head.fetch_max(position, Ordering::AcqRel);
        }
        self.desk.published(self.settings.as_ref(), settings.as_ref());
        if settings.as_ref().map(Arc::as_ptr) != self.settings.as_ref().map(Arc::as_ptr) {
            self.aside.seats.follow(settings.as_ref());
            self.settings = settings;
        }
        let mut entries = Vec::with_capacity(kept.len());
        let (mut upto, mut refused, mut is_early) = (None, 0_u64, false);
        let (mut early, mut waiting) = (Vec::new(), Vec::new());
        for (kept, of) in kept.into_iter().zip(flight.of) {
            is_early |= matches!(kept, Kept::Early);
            match (kept, of) {
                (Kept::Early, Of::Waiting(who, Some(offer))) => {
                    early.push(offer);
                    waiting.push(who);
                }
                (Kept::Early, Of::Spool(_)) => {}
                (kept, of) => {
                    if let Kept::New(Entry { event: Event::Delivery(record), .. }) = &kept {
                        self.aside.seats.has(record);
                    }
                    let outcome = self.desk.outcome(kept, &mut entries);
                    match of {
                        Of::Waiting(who, _) => who.answer(outcome),
                        Of::Spool(seq) => {
                            refused += u64::from(matches!(outcome, Outcome::Is(Answer::TooManyDrains)));
                            upto = Some(seq);
                        }
                    }
                }
            }
        }
        if self.epoch.is_some() {
            self.desk.hand_on(entries);
        }
        if let Some(listed) = listed {
            self.aside.seats.are(listed);
        }
        if refused > 0 {
            tracing::warn!(
                deliveries = refused,
                "deliveries that were taken while the database was away are of drains that have no place, and are not counted"
            );
            self.told.refused(refused);
        }
        let removed = self.aside.remove(upto, flight.spool);
        self.is_early = is_early;
        if is_early {
            self.aside.begin_outage(&StoreError::Early);
            self.aside.push(early, waiting, &mut self.desk);
        } else if let Err(error) = removed {
            self.aside.begin_outage(&error);
        } else {
            self.aside.outage.is_away = false;
            if self.aside.is_empty() {
                self.aside.outage.over();
            }
        }
    }

    /// Nobody knows whether a step is in the journal.
    fn failed(&mut self, error: &StoreError, mut flight: Deliveries) {
        self.desk.counters.commits_failed.add(1);
        self.fails(error);
        self.aside.leave(&mut flight.of, flight.settings.take(), &mut self.desk);
    }

    fn fails(&mut self, error: &StoreError) {
        self.is_early = false;
        self.aside.begin_outage(error);
    }

    /// Tells others how it stands, and what of it the journal does not have.
    fn tell(&mut self) {
        self.aside.tell();
        self.told.fails(self.aside.outage.is_away && !self.is_early);
        let on_its_way = match &self.flight {
            Some(Flight::Deliveries(Deliveries { oldest, .. })) => *oldest,
            _ => None,
        };
        let waiting = self.aside.spool.as_ref().and_then(Spool::oldest);
        self.told.lack(on_its_way.into_iter().chain(waiting).min(), self.desk.time.now());
    }

    /// Tells what the next life may need, if it is new.
    fn remember(&mut self) {
        let Some(own) = &mut self.memory else { return };
        if !self.remembers
            && own.told.is_none_or(|told| told.elapsed() >= KNOWN)
            && let Some((settings, listed)) = self.aside.seats.news()
        {
            own.memory.tell(own.part, Past { settings, listed });
            own.told = Some(Instant::now());
        }
    }

    /// Nothing comes any more. What waits is offered at the next start, if the database is away.
    fn end(mut self) {
        let began = Instant::now();
        while began.elapsed() < ANSWER && (self.flight.is_some() || self.store.is_busy() || self.has_more()) {
            if self.can_ask() {
                self.offer(&mut Group::default(), false);
            }
            self.look(LOOK);
            self.tell();
        }
        if let Some(Flight::Deliveries(mut flight)) = self.flight.take() {
            self.aside.leave(&mut flight.of, flight.settings.take(), &mut self.desk);
        }
        self.aside.wait_on();
    }

    fn has_more(&self) -> bool {
        !self.aside.is_empty() && !self.aside.outage.is_away
    }
}
