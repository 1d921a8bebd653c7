//! What is put aside while the database does not take it: into the spool, if there is one and it has room.

use super::desk::Desk;
use super::failure::StoreError;
use super::group::{Group, Outcome, Waiting};
use super::outage::Outage;
use super::seam::Offer;
use super::seats::Seats;
use super::spool::{PIECE, Pushed, Spool, Stand};
use super::{Answer, GROUP};
use crate::event::Event;
use crate::settings::Settings;
use std::fmt;
use std::time::Duration;

/// How long the database may take for a step before what came with it goes into the spool. One that is slow and answers gets
/// twice what it took, so that not everything takes the way through the spool for ever.
const PATIENCE: Duration = Duration::from_secs(1);
/// Without a spool nothing is gained by not waiting: the connection gives up by itself.
const NO_SPOOL: Duration = Duration::from_secs(600);
/// Fewer deliveries than that go with the next group.
const FEW: u64 = (GROUP / 2) as u64;

/// Who an offer is of.
#[derive(Debug)]
pub(super) enum Of {
    /// Somebody waits for it; with the delivery once more, if it is one.
    Waiting(Waiting, Option<Offer>),
    /// It waits in the spool under this number.
    Spool(u64),
}

impl Of {
    pub(super) const fn nobody() -> Self {
        Self::Waiting(Waiting::Nobody, None)
    }
}

/// Tells others how it stands.
struct Tell(Box<dyn Fn(Stand) + Send>);

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}

/// What is put aside, and while what.
#[derive(Debug)]
pub(super) struct Aside {
    pub(super) spool: Option<Spool>,
    pub(super) seats: Seats,
    pub(super) outage: Outage,
    tell: Tell,
    /// What of the spool's losses was told.
    lost: u64,
}

impl Aside {
    pub(super) fn new(spool: Option<Spool>, seats: Seats, tell: impl Fn(Stand) + Send + 'static) -> Self {
        let mut aside = Self { spool, seats, outage: Outage::default(), tell: Tell(Box::new(tell)), lost: 0 };
        aside.tell();
        aside
    }

    pub(super) fn len(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether what waits goes with the next group.
    pub(super) fn are_few(&self) -> bool {
        self.len() < FEW && self.spool.as_ref().is_none_or(|spool| spool.bytes() < PIECE as u64 / 8)
    }

    fn is_full(&self) -> bool {
        self.spool.as_ref().is_none_or(Spool::is_full)
    }

    /// Which spool it is of those that were made one after the other: numbers are of one.
    pub(super) fn made(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::made)
    }

    /// How long something is waited for, when the same took so long before.
    pub(super) fn patience(&self, took: Duration) -> Duration {
        let most = |spool: &Spool| spool.patience.max(PATIENCE);
        self.spool.as_ref().map_or(NO_SPOOL, |spool| (took * 2).clamp(PATIENCE, most(spool)))
    }

    /// The oldest that wait, as many as one step takes.
    pub(super) fn oldest_ones(&mut self) -> Result<Vec<(u64, Offer)>, StoreError> {
        self.spool.as_mut().map_or(Ok(Vec::new()), |spool| spool.oldest_ones(GROUP, PIECE))
    }

    /// The journal has all up to this one, of the spool that it was of.
    pub(super) fn remove(&mut self, upto: Option<u64>, made: u64) -> Result<(), StoreError> {
        match (&mut self.spool, upto) {
            // After the spool was made new, others have these numbers; what is there is offered again.
            (Some(spool), Some(upto)) if spool.made() == made => spool.remove(upto),
            _ => Ok(()),
        }
    }

    /// Adds a group to what goes with it.
    pub(super) fn add(&mut self, group: &mut Group, offers: &mut Vec<Offer>, of: &mut Vec<Of>) {
        for (mut offer, waiting) in group.offers.drain(..).zip(group.answers.drain(..)) {
            if let Some(spool) = self.spool.as_mut().filter(|_| matches!(offer.event, Event::Delivery(_))) {
                offer.key.get_or_insert_with(|| spool.key());
                of.push(Of::Waiting(waiting, offer.share()));
            } else {
                of.push(Of::Waiting(waiting, None));
            }
            offers.push(offer);
        }
    }

    /// Answers who waits for a step that is not waited for any more: deliveries go into the spool.
    pub(super) fn leave(&mut self, of: &mut [Of], settings: Option<Box<Settings>>, desk: &mut Desk) {
        let (mut offers, mut waiting, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (place, of) in of.iter_mut().enumerate() {
            let Of::Waiting(who, copy) = of else { continue };
            let who = std::mem::replace(who, Waiting::Nobody);
            let Some(offer) = copy.take() else {
                who.answer(Outcome::Is(Answer::CannotStore));
                continue;
            };
            if !self.would_take(&offer, desk) {
                who.answer(Outcome::Is(Answer::TooManyDrains));
                continue;
            }
            offers.push(offer);
            waiting.push(who);
            places.push(place);
        }
        if settings.is_some() {
            desk.owed = settings;
        }
        for (pushed, place) in self.push(offers, waiting, desk).into_iter().zip(places) {
            if let Pushed::In(seq) = pushed
                && let Some(of) = of.get_mut(place)
            {
                *of = Of::Spool(seq);
            }
        }
    }

    /// Puts the deliveries of a group into the spool; all else is refused.
    pub(super) fn put(&mut self, group: Group, desk: &mut Desk) {
        let Group { offers, answers, settings, has_deliveries, .. } = group;
        if settings.is_some() {
            desk.owed = settings;
        }
        if has_deliveries && self.outage.since.is_none() && self.is_empty() {
            self.begin_outage(&StoreError::NoAnswer);
        }
        let (mut taken, mut waiting) = (Vec::new(), Vec::new());
        for (mut offer, who) in offers.into_iter().zip(answers) {
            let Some(spool) = self.spool.as_mut().filter(|_| matches!(offer.event, Event::Delivery(_))) else {
                who.answer(Outcome::Is(Answer::CannotStore));
                continue;
            };
            offer.key.get_or_insert_with(|| spool.key());
            if !self.would_take(&offer, desk) {
                who.answer(Outcome::Is(Answer::TooManyDrains));
                continue;
            }
            taken.push(offer);
            waiting.push(who);
        }
        self.push(taken, waiting, desk);
    }

    /// Whether the journal would take a delivery, as far as is known here.
    fn would_take(&mut self, offer: &Offer, desk: &Desk) -> bool {
        match &offer.event {
            Event::Delivery(record) => self.seats.would_take(record, desk.time.believed()),
            _ => false,
        }
    }

    /// Puts deliveries into the spool, and answers who sent them.
    pub(super) fn push(&mut self, mut offers: Vec<Offer>, waiting: Vec<Waiting>, desk: &mut Desk) -> Vec<Pushed> {
        if offers.is_empty() {
            return Vec::new();
        }
        let was_full = self.is_full();
        let no_room = vec![Pushed::NoRoom; offers.len()];
        let pushed = match &mut self.spool {
            None => no_room,
            Some(spool) => spool.push(&mut offers).unwrap_or_else(|error| {
                tracing::error!(%error, "deliveries cannot be put into the spool, and are answered with 503");
                no_room
            }),
        };
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
            desk.time.not_taken_from_now();
            if self.is_full() && !was_full {
                tracing::error!(
                    deliveries = self.len(),
                    "the spool is full: deliveries are answered with 503 until the database takes what waits"
                );
            }
        }
        pushed
    }

    pub(super) fn begin_outage(&mut self, error: &StoreError) {
        self.outage.begin(error, self.is_full());
    }

    /// Tells others how it stands.
    pub(super) fn tell(&mut self) {
        let lost = self.spool.as_ref().map_or(0, Spool::lost);
        let is_away = self.outage.since.is_some();
        let nothing = Stand { deliveries: 0, bytes: 0, oldest: None, is_full: true, is_away, lost: 0 };
        let stand = self.spool.as_ref().map_or(nothing, |spool| spool.stand(is_away));
        (self.tell.0)(Stand { lost: lost.saturating_sub(self.lost), ..stand });
        self.lost = lost;
    }

    /// At the end: what waits is offered when a server is started on this folder again.
    pub(super) fn wait_on(&mut self) {
        self.tell();
        if !self.is_empty() {
            tracing::warn!(
                deliveries = self.len(),
                "deliveries wait in the spool of this folder, and are offered when a server is started on it again"
            );
        }
    }
}
