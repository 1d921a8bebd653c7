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

use super::carried::{Answering, Carried, Chores, Landed, Wanted};
use super::desk::Desk;
use super::failure::StoreError;
use super::group::{Group, Outcome, Waiting};
use super::outage::Outage;
use super::seam::{Kept, Offer};
use super::seats::Seats;
use super::spool::{PIECE, Pushed, Spool};
use super::{Answer, GROUP, Halt, IDS_EVERY, LOOK_AROUND, is_the_end};
use crate::event::Event;
use crate::settings::Settings;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the database may take for a step before what came with it goes into the spool. One that is slow and answers gets
/// twice what it took, so that not everything takes the way through the spool for ever.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks whether a step has been answered.
const LOOK: Duration = Duration::from_millis(5);
/// Longer than the connection waits itself.
const ANSWER: Duration = Duration::from_secs(10);
/// Fewer deliveries than that go with the next group.
const FEW: u64 = (GROUP / 2) as u64;

const WAIT_ON: &str =
    "deliveries wait in the spool of this folder, and are offered when a server is started on it again";

/// The thread that writes, with a spool.
#[derive(Debug)]
pub(super) struct Spooling {
    store: Carried,
    spool: Spool,
    desk: Desk,
    seats: Seats,
    /// The settings that were told last.
    settings: Option<Arc<Settings>>,
    flight: Option<Flight>,
    outage: Outage,
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
    /// What of the spool's losses was told.
    lost: u64,
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

/// How long something is waited for, when the same took so long before.
fn patience(took: Duration, spool: &Spool) -> Duration {
    (took * 2).clamp(PATIENCE, spool.patience.max(PATIENCE))
}

/// Who an offer is of.
#[derive(Debug)]
enum Of {
    /// Somebody waits for it; with the delivery once more, if it is one.
    Waiting(Waiting, Option<Offer>),
    /// It waits in the spool under this number.
    Spool(u64),
}

impl Spooling {
    pub(super) fn new(store: Box<dyn super::Partition>, spool: Spool, mut desk: Desk) -> Result<Self, Halt> {
        let store = Carried::new(store)?;
        let settings = store.settings().within(ANSWER).and_then(Result::ok).flatten();
        let listed = store.listed().within(ANSWER).and_then(Result::ok).unwrap_or_default();
        let seats = Seats::new(spool.max_drains(), settings.clone(), listed);
        if let Some(newest) = spool.newest() {
            desk.time.taken_until(newest);
            tracing::info!(deliveries = spool.len(), "deliveries wait in the spool, and are offered to the database");
        }
        let mut spooling = Self {
            store,
            spool,
            desk,
            seats,
            settings,
            flight: None,
            outage: Outage::default(),
            chores: None,
            took: Duration::ZERO,
            took_chores: Duration::ZERO,
            ids_given: Instant::now(),
            has_more: false,
            looked: Instant::now(),
            is_full: false,
            lost: 0,
        };
        spooling.tell();
        Ok(spooling)
    }

    /// As [`Writer::run`](super::Writer::run).
    pub(super) fn run(mut self) -> Result<(), Halt> {
        loop {
            let wait = self.wait();
            let mut group = Group::default();
            let (store, seats) = (&self.store, &self.seats);
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
            self.tell();
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
        if let Some(wait) = self.outage.until_next() {
            return wait;
        }
        if self.has_more || !self.spool.is_empty() {
            return Duration::ZERO;
        }
        self.desk.time.wait().min(LOOK_AROUND)
    }

    fn step(&mut self, group: Group) -> Result<(), Halt> {
        let can_ask = self.flight.is_none() && !self.store.is_busy() && self.outage.may_try();
        if !can_ask {
            self.put_aside(group);
            return Ok(());
        }
        let are_few = self.spool.len() < FEW && self.spool.bytes() < PIECE as u64 / 8;
        if self.is_full {
            self.look_after()?;
        }
        if self.outage.is_away || !are_few {
            self.put_aside(group);
            return if self.store.is_busy() { Ok(()) } else { self.offer_oldest() };
        }
        let is_idle = group.len() == 0 && self.spool.is_empty();
        if !is_idle {
            self.direct(group)?;
        }
        // Under load now and then.
        let is_due = is_idle || self.has_more || self.looked.elapsed() > LOOK_AROUND;
        if is_due && self.flight.is_none() && !self.outage.is_away { self.look_after() } else { Ok(()) }
    }

    /// Writes a group, behind the few that wait.
    fn direct(&mut self, mut group: Group) -> Result<(), Halt> {
        let oldest = match self.spool.oldest_ones(GROUP, PIECE) {
            Ok(oldest) if oldest.len() as u64 == self.spool.len() => oldest,
            // They are more than was thought, or cannot be read now.
            _ => {
                self.put_aside(group);
                return self.offer_oldest();
            }
        };
        let (mut offers, mut of) = self.offered(oldest);
        // Who has told already of a time when nothing was taken does so once.
        let is_told = offers.iter().any(|offer| matches!(offer.event, Event::NotTaken { .. }));
        for (mut offer, waiting) in group.offers.into_iter().zip(group.answers) {
            if is_told && matches!(offer.event, Event::NotTaken { .. }) {
                continue;
            }
            if matches!(offer.event, Event::Delivery(_)) {
                offer.key.get_or_insert_with(|| self.spool.key());
            }
            of.push(Of::Waiting(waiting, offer.share()));
            offers.push(offer);
        }
        let settings = group.settings.take();
        self.send(offers, of, settings);
        self.look(patience(self.took, &self.spool))?;
        if let Some(mut flight) = self.flight.take() {
            self.begin_outage(&StoreError::NoAnswer);
            self.leave(&mut flight);
            self.flight = Some(flight);
        }
        Ok(())
    }

    /// Offers the oldest that wait, and does not wait for the answer. If there are none it is asked whether it is there.
    fn offer_oldest(&mut self) -> Result<(), Halt> {
        self.outage.tried = Some(Instant::now());
        let oldest = match self.spool.oldest_ones(GROUP, PIECE) {
            Ok(oldest) => oldest,
            Err(error) => {
                self.begin_outage(&error);
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
            Event::Delivery(_) => numbers.next().map_or(Of::Waiting(Waiting::Nobody, None), Of::Spool),
            _ => Of::Waiting(Waiting::Nobody, None),
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
        let spool = self.spool.made();
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
            self.seats.follow(settings.as_ref());
            self.settings = settings;
        }
        let mut entries = Vec::with_capacity(kept.len());
        let (mut upto, mut refused) = (None, 0_u64);
        for (kept, of) in kept.into_iter().zip(flight.of) {
            if let Kept::New(entry) = &kept
                && let Event::Delivery(record) = &entry.event
            {
                self.seats.has(record);
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
            self.seats.are(listed);
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
        self.outage.is_away = false;
        // After the spool was made new, others have these numbers; what is there is offered again.
        if let Some(upto) = upto.filter(|_| flight.spool == self.spool.made())
            && let Err(error) = self.spool.remove(upto)
        {
            self.begin_outage(&error);
        } else if self.spool.is_empty() {
            self.outage.over();
        }
    }

    /// Nobody knows whether a step is in the journal.
    fn failed(&mut self, error: &StoreError, mut flight: Flight) -> Result<(), Halt> {
        self.desk.counters.commits_failed.add(1);
        self.is_full = error.is_full();
        self.desk.progress.full.store(self.is_full, Ordering::Release);
        self.begin_outage(error);
        self.leave(&mut flight);
        if !is_the_end(error) {
            return Ok(());
        }
        self.tell();
        if !self.spool.is_empty() {
            tracing::warn!(deliveries = self.spool.len(), "{WAIT_ON}");
        }
        Err(self.desk.halt(error))
    }

    /// Answers who waits for a step that is not waited for any more: deliveries go into the spool.
    fn leave(&mut self, flight: &mut Flight) {
        let (mut offers, mut waiting, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (place, of) in flight.of.iter_mut().enumerate() {
            let Of::Waiting(who, copy) = of else { continue };
            let who = std::mem::replace(who, Waiting::Nobody);
            let Some(offer) = copy.take() else {
                who.answer(Outcome::Is(Answer::CannotStore));
                continue;
            };
            if !self.would_take(&offer) {
                who.answer(Outcome::Is(Answer::TooManyDrains));
                continue;
            }
            offers.push(offer);
            waiting.push(who);
            places.push(place);
        }
        if let Some(settings) = flight.settings.take() {
            self.desk.owed = Some(settings);
        }
        for (pushed, place) in self.push(offers, waiting).into_iter().zip(places) {
            if let Pushed::In(seq) = pushed {
                flight.of[place] = Of::Spool(seq);
            }
        }
    }

    /// Puts the deliveries of a group into the spool; all else is refused.
    fn put_aside(&mut self, group: Group) {
        let Group { offers, answers, settings, has_deliveries, .. } = group;
        if settings.is_some() {
            self.desk.owed = settings;
        }
        if has_deliveries && self.outage.since.is_none() && self.spool.is_empty() {
            self.begin_outage(&StoreError::NoAnswer);
        }
        let (mut taken, mut waiting) = (Vec::new(), Vec::new());
        for (mut offer, who) in offers.into_iter().zip(answers) {
            if !matches!(offer.event, Event::Delivery(_)) {
                who.answer(Outcome::Is(Answer::CannotStore));
                continue;
            }
            if !self.would_take(&offer) {
                who.answer(Outcome::Is(Answer::TooManyDrains));
                continue;
            }
            offer.key.get_or_insert_with(|| self.spool.key());
            taken.push(offer);
            waiting.push(who);
        }
        self.push(taken, waiting);
    }

    /// Whether the journal would take a delivery, as far as is known here.
    fn would_take(&mut self, offer: &Offer) -> bool {
        match &offer.event {
            Event::Delivery(record) => self.seats.would_take(record, self.desk.time.believed()),
            _ => false,
        }
    }

    /// Puts deliveries into the spool, and answers who sent them.
    fn push(&mut self, mut offers: Vec<Offer>, waiting: Vec<Waiting>) -> Vec<Pushed> {
        if offers.is_empty() {
            return Vec::new();
        }
        let was_full = self.spool.is_full();
        let pushed = self.spool.push(&mut offers).unwrap_or_else(|error| {
            tracing::error!(%error, "deliveries cannot be put into the spool, and are answered with 503");
            vec![Pushed::NoRoom; offers.len()]
        });
        // Who is answered sees how it stands.
        self.tell();
        let mut is_refused = false;
        for (pushed, who) in pushed.iter().zip(waiting) {
            who.answer(Outcome::Is(match pushed {
                Pushed::In(_) => Answer::Kept,
                Pushed::Before => Answer::Duplicate,
                Pushed::NoRoom => {
                    is_refused = true;
                    Answer::CannotStore
                }
            }));
        }
        self.outage.spooled += pushed.iter().filter(|pushed| matches!(pushed, Pushed::In(_))).count() as u64;
        if is_refused {
            self.desk.time.not_taken_from_now();
            if self.spool.is_full() && !was_full {
                tracing::error!(
                    deliveries = self.spool.len(),
                    "the spool is full: deliveries are answered with 503 until the database takes what waits"
                );
            }
        }
        pushed
    }

    fn begin_outage(&mut self, error: &StoreError) {
        self.outage.begin(error, self.spool.is_full());
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
        self.look_at_chores(patience(self.took_chores, &self.spool))
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
                self.outage.is_away = false;
                if self.spool.is_empty() {
                    self.outage.over();
                }
            }
            Err(error) if is_the_end(&error) => return Err(self.desk.halt(&error)),
            Err(error) => self.begin_outage(&error),
        }
        Ok(())
    }

    /// Tells others how it stands.
    fn tell(&mut self) {
        let (progress, spool) = (&self.desk.progress, &self.spool);
        spool.tell(&progress.spooled);
        let is_away = self.outage.since.is_some();
        progress.spooled.is_away.store(is_away, Ordering::Release);
        progress.storing.store(!(is_away && spool.is_full()), Ordering::Release);
        let lost = spool.lost();
        progress.spooled.lost.fetch_add(lost.saturating_sub(self.lost), Ordering::AcqRel);
        self.lost = lost;
    }

    /// Nothing comes any more. What waits is offered at the next start, if the database is away.
    fn end(mut self) -> Result<(), Halt> {
        let began = Instant::now();
        while self.flight.is_some() || (!self.outage.is_away && !self.spool.is_empty()) {
            if began.elapsed() > ANSWER {
                break;
            }
            if self.flight.is_none() {
                self.offer_oldest()?;
            }
            self.look(LOOK)?;
        }
        if let Some(mut flight) = self.flight.take() {
            self.leave(&mut flight);
        }
        self.tell();
        if !self.spool.is_empty() {
            tracing::warn!(deliveries = self.spool.len(), "{WAIT_ON}");
        }
        if !self.store.is_busy()
            && let Some(Err(error)) = self.store.settle().within(ANSWER)
        {
            tracing::warn!(%error, "the lease could not be given back: it ends by itself");
        }
        Ok(())
    }
}
