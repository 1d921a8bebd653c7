//! The thread that writes, when deliveries may wait in a [spool](super::spool) for the database that has the journal.
//!
//! ```text
//!            a group                                        deliveries
//! direct     [what waits, if little][what time it is][the group] -> database; after a second without an answer -> spool
//! away       [the group] -> spool, at once;  [the oldest that wait] -> database, tried again and again
//! back       [the group] -> spool, at once;  [the oldest that wait] -> database, one step after the other, until few wait
//! ```
//!
//! One step is on its way at a time, and nothing is written beside it. A delivery goes from the spool when a step that holds
//! it is in the journal; one whose answer was lost is offered again, and its id says that it is there. Ticks are made of what
//! is offered: none passes a delivery that waits.

use super::aside::{Aside, Of};
use super::carried::{Answering, Carried, Chores, Held, Landed, Wanted};
use super::desk::Desk;
use super::failure::StoreError;
use super::group::{Group, Outcome};
use super::seam::{Kept, Offer};
use super::seats::Seats;
use super::spool::Spool;
use super::{Answer, Halt, IDS_EVERY, LOOK_AROUND, is_the_end};
use crate::event::Event;
use crate::settings::Settings;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Between two looks whether a step has been answered.
const LOOK: Duration = Duration::from_millis(5);
/// Longer than the connection waits itself.
const ANSWER: Duration = Duration::from_secs(10);
/// The thread that writes, with a spool.
#[derive(Debug)]
pub(super) struct Spooling {
    store: Carried<Held>,
    aside: Aside,
    desk: Desk,
    /// The settings that were told last.
    settings: Option<Arc<Settings>>,
    flight: Option<Flight>,
    /// What is done while nothing comes.
    chores: Option<Looking>,
    /// What the last step took, and that.
    took: Duration,
    took_chores: Duration,
    ids_given: Instant,
    has_more: bool,
    /// When it was looked after what purges left, and what is old.
    looked: Instant,
    /// The database has no room.
    is_full: bool,
}

/// A step that is on its way.
#[derive(Debug)]
struct Flight {
    answer: Answering<Landed>,
    began: Instant,
    /// Who each offer is of.
    of: Vec<Of>,
    /// The settings that are in it.
    settings: Option<Box<Settings>>,
    /// Whether it looks for old ids.
    ids: bool,
    /// Which spool the numbers are of.
    spool: u64,
}

/// What is done while nothing comes, as long as it is not done.
#[derive(Debug)]
struct Looking {
    answer: Answering<(usize, bool)>,
    began: Instant,
    /// Whether it looks for old ids.
    ids: bool,
}

impl Spooling {
    pub(super) fn new(store: Box<dyn super::Partition>, spool: Spool, mut desk: Desk) -> Result<Self, Halt> {
        let store = Carried::new(store)?;
        let settings = store.settings().within(ANSWER).and_then(Result::ok).flatten();
        let listed = store.listed().within(ANSWER).and_then(Result::ok).unwrap_or_default();
        let seats = Seats::new((spool.max_drains(), None), settings.clone(), listed);
        if let Some(newest) = spool.newest() {
            desk.time.taken_until(newest);
            tracing::info!(deliveries = spool.len(), "deliveries wait in the spool, and are offered to the database");
        }
        let progress = desk.progress.clone();
        let aside = Aside::new(Some(spool), seats, move |stand| {
            progress.spooled.tell(&stand);
            progress.storing.store(!(stand.is_away && stand.is_full), Ordering::Release);
        });
        Ok(Self {
            store,
            aside,
            desk,
            settings,
            flight: None,
            chores: None,
            took: Duration::ZERO,
            took_chores: Duration::ZERO,
            ids_given: Instant::now(),
            has_more: false,
            looked: Instant::now(),
            is_full: false,
        })
    }

    /// As [`Writer::run`](super::Writer::run).
    pub(super) fn run(mut self) -> Result<(), Halt> {
        loop {
            let wait = self.wait();
            let mut group = Group::default();
            let (store, seats) = (&self.store, &self.aside.seats);
            let over = self.desk.gather(&mut group, wait, |answer| {
                // Its memory is asked, and not the database; while that is asked, what was known before has to do.
                let listed = if store.is_busy() { None } else { store.listed().within(ANSWER) };
                drop(answer.send(listed.and_then(Result::ok).unwrap_or_else(|| seats.listed())));
            });
            self.look(Duration::ZERO)?;
            self.look_at_chores(Duration::ZERO)?;
            let times = self.desk.time.turn(group.records(), &self.desk.progress.time);
            group.put_first(times, self.desk.time.believed());
            self.step(group)?;
            self.aside.tell();
            if over {
                return self.end();
            }
        }
    }

    /// How long there is nothing to do but to wait for who comes.
    fn wait(&mut self) -> Duration {
        if self.flight.is_some() || self.store.is_busy() {
            return LOOK;
        }
        if let Some(wait) = self.aside.outage.until_next() {
            return wait;
        }
        if self.has_more || !self.aside.is_empty() {
            return Duration::ZERO;
        }
        self.desk.time.wait().min(LOOK_AROUND)
    }

    fn step(&mut self, group: Group) -> Result<(), Halt> {
        let can_ask = self.flight.is_none() && !self.store.is_busy() && self.aside.outage.may_try();
        if !can_ask {
            self.aside.put(group, &mut self.desk);
            return Ok(());
        }
        let are_few = self.aside.are_few();
        if self.is_full {
            self.look_after()?;
        }
        if self.aside.outage.is_away || !are_few {
            self.aside.put(group, &mut self.desk);
            return if self.store.is_busy() { Ok(()) } else { self.offer_oldest() };
        }
        let is_idle = group.len() == 0 && self.aside.is_empty();
        if !is_idle {
            self.direct(group)?;
        }
        // Under load now and then.
        let is_due = is_idle || self.has_more || self.looked.elapsed() > LOOK_AROUND;
        if is_due && self.flight.is_none() && !self.aside.outage.is_away { self.look_after() } else { Ok(()) }
    }

    /// Writes a group, behind the few that wait.
    fn direct(&mut self, mut group: Group) -> Result<(), Halt> {
        let oldest = match self.aside.oldest_ones() {
            Ok(oldest) if oldest.len() as u64 == self.aside.len() => oldest,
            // They are more than was thought, or cannot be read now.
            _ => {
                self.aside.put(group, &mut self.desk);
                return self.offer_oldest();
            }
        };
        let (mut offers, mut of) = self.offered(oldest);
        // Who has told already of a time when nothing was taken does so once.
        let is_told = offers.iter().any(|offer| matches!(offer.event, Event::NotTaken { .. }));
        if is_told {
            group.leave_out(|event| matches!(event, Event::NotTaken { .. }));
        }
        self.aside.add(&mut group, &mut offers, &mut of);
        let settings = group.settings.take();
        self.send(offers, of, settings);
        self.look(self.aside.patience(self.took))?;
        if let Some(mut flight) = self.flight.take() {
            self.aside.begin_outage(&StoreError::NoAnswer);
            self.aside.leave(&mut flight.of, flight.settings.take(), &mut self.desk);
            self.flight = Some(flight);
        }
        Ok(())
    }

    /// Offers the oldest that wait, and does not wait for the answer. If there are none it is asked whether it is there.
    fn offer_oldest(&mut self) -> Result<(), Halt> {
        self.aside.outage.tried = Some(Instant::now());
        let oldest = match self.aside.oldest_ones() {
            Ok(oldest) => oldest,
            Err(error) => {
                self.aside.begin_outage(&error);
                return Ok(());
            }
        };
        let (offers, of) = self.offered(oldest);
        self.send(offers, of, None);
        self.look(Duration::ZERO)
    }

    /// What waits, with the ticks that there would have been between.
    fn offered(&self, oldest: Vec<(u64, Offer)>) -> (Vec<Offer>, Vec<Of>) {
        let (numbers, oldest): (Vec<u64>, Vec<Offer>) = oldest.into_iter().unzip();
        let offers = self.desk.time.between(oldest);
        let mut numbers = numbers.into_iter();
        let of = offers.iter().map(|offer| match &offer.event {
            Event::Delivery(_) => numbers.next().map_or(Of::nobody(), Of::Spool),
            _ => Of::nobody(),
        });
        let of = of.collect();
        (offers, of)
    }

    fn send(&mut self, offers: Vec<Offer>, of: Vec<Of>, settings: Option<Box<Settings>>) {
        let progress = &self.desk.progress;
        let ids = self.ids_given.elapsed() > IDS_EVERY;
        let wanted = Wanted {
            old: self.desk.old(offers.len(), self.is_full, ids),
            offers,
            emitted: progress.emitted.load(Ordering::Acquire),
            taken_id: progress.taken_id.load(Ordering::Acquire),
        };
        let answer = self.store.append(wanted);
        let spool = self.aside.made();
        self.flight = Some(Flight { answer, began: Instant::now(), of, settings, ids, spool });
    }

    /// Looks whether the step that is on its way has been answered, and waits for it so long.
    fn look(&mut self, time: Duration) -> Result<(), Halt> {
        let Some(answer) = self.flight.as_ref().and_then(|flight| flight.answer.within(time)) else { return Ok(()) };
        let Some(flight) = self.flight.take() else { return Ok(()) };
        match answer {
            Ok(landed) => {
                self.landed(landed, flight);
                Ok(())
            }
            Err(error) => self.failed(&error, flight),
        }
    }

    /// A step is in the journal.
    fn landed(&mut self, landed: Landed, flight: Flight) {
        let Landed { kept, given, position, settings, listed, took } = landed;
        self.took = took;
        self.desk.counters.commits.record(flight.began.elapsed());
        if flight.ids && given == 0 {
            self.ids_given = Instant::now();
        }
        self.desk.settled(position, self.settings.as_ref(), settings.as_ref());
        if settings.as_ref().map(Arc::as_ptr) != self.settings.as_ref().map(Arc::as_ptr) {
            self.aside.seats.follow(settings.as_ref());
            self.settings = settings;
        }
        let mut entries = Vec::with_capacity(kept.len());
        let (mut upto, mut refused) = (None, 0_u64);
        for (kept, of) in kept.into_iter().zip(flight.of) {
            if let Kept::New(entry) = &kept
                && let Event::Delivery(record) = &entry.event
            {
                self.aside.seats.has(record);
            }
            let outcome = self.desk.outcome(kept, &mut entries);
            match of {
                Of::Waiting(waiting, _) => waiting.answer(outcome),
                Of::Spool(seq) => {
                    refused += u64::from(matches!(outcome, Outcome::Is(Answer::TooManyDrains)));
                    upto = Some(seq);
                }
            }
        }
        self.desk.hand_on(entries);
        if let Some(listed) = listed {
            self.aside.seats.are(listed);
        }
        if refused > 0 {
            tracing::warn!(
                deliveries = refused,
                "deliveries that were taken while the database was away are of drains that have no place, and are not counted"
            );
            self.desk.progress.spooled.refused.fetch_add(refused, Ordering::AcqRel);
        }
        self.is_full = false;
        self.desk.progress.full.store(false, Ordering::Release);
        self.aside.outage.is_away = false;
        if let Err(error) = self.aside.remove(upto, flight.spool) {
            self.aside.begin_outage(&error);
        } else if self.aside.is_empty() {
            self.aside.outage.over();
        }
    }

    /// Nobody knows whether a step is in the journal.
    fn failed(&mut self, error: &StoreError, mut flight: Flight) -> Result<(), Halt> {
        self.desk.counters.commits_failed.add(1);
        self.is_full = error.is_full();
        self.desk.progress.full.store(self.is_full, Ordering::Release);
        self.aside.begin_outage(error);
        self.aside.leave(&mut flight.of, flight.settings.take(), &mut self.desk);
        if !is_the_end(error) {
            return Ok(());
        }
        self.aside.wait_on();
        Err(self.desk.halt(error))
    }

    /// With nothing to write.
    fn look_after(&mut self) -> Result<(), Halt> {
        let ids = self.ids_given.elapsed() > IDS_EVERY;
        let desk = &self.desk;
        let chores = Chores {
            old: desk.old(0, self.is_full, ids),
            erase: desk.erase.clone(),
            endings: desk.progress.endings.clone(),
            behind: desk.behind(),
            dir: desk.dir.clone(),
            now: desk.time.older_than(Duration::ZERO),
        };
        self.has_more = false;
        self.looked = Instant::now();
        self.chores = Some(Looking { answer: self.store.look_after(chores), began: Instant::now(), ids });
        self.look_at_chores(self.aside.patience(self.took_chores))
    }

    /// Looks whether that is done, and waits for it so long.
    fn look_at_chores(&mut self, time: Duration) -> Result<(), Halt> {
        let Some(answer) = self.chores.as_ref().and_then(|chores| chores.answer.within(time)) else { return Ok(()) };
        let Some(Looking { began, ids, .. }) = self.chores.take() else { return Ok(()) };
        match answer {
            Ok((given, more)) => {
                self.took_chores = began.elapsed();
                if ids && given == 0 {
                    self.ids_given = Instant::now();
                }
                self.has_more = more;
                self.aside.outage.is_away = false;
                if self.aside.is_empty() {
                    self.aside.outage.over();
                }
            }
            Err(error) if is_the_end(&error) => return Err(self.desk.halt(&error)),
            Err(error) => self.aside.begin_outage(&error),
        }
        Ok(())
    }

    /// Nothing comes any more. What waits is offered at the next start, if the database is away.
    fn end(mut self) -> Result<(), Halt> {
        let began = Instant::now();
        while self.flight.is_some() || (!self.aside.outage.is_away && !self.aside.is_empty()) {
            if began.elapsed() > ANSWER {
                break;
            }
            if self.flight.is_none() {
                self.offer_oldest()?;
            }
            self.look(LOOK)?;
        }
        if let Some(mut flight) = self.flight.take() {
            self.aside.leave(&mut flight.of, flight.settings.take(), &mut self.desk);
        }
        self.aside.wait_on();
        if !self.store.is_busy()
            && let Some(Err(error)) = self.store.settle().within(ANSWER)
        {
            tracing::warn!(%error, "the lease could not be given back: it ends by itself");
        }
        Ok(())
    }
}
