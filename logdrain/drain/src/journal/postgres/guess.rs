//! A step that asks nothing before it writes: one way there and back, and not two.
//!
//! Before it writes, who writes the journal alone has to know two things that the database knows: which of the ids that are offered
//! were taken before, and what time it is there. Nearly always none was, and the time is what it was plus what has passed. So both
//! are guessed. That an id is there twice the database does not take, nor anything of the step then: it is made again with what the
//! database says. Who sends again and again what was taken costs others no more than one such step in a while.

use super::batch::Batch;
use crate::clock::steady;
use crate::event::Event;
use crate::journal::ledger::Ledger;
use crate::journal::seam::Offer;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// For so long it is asked first, after a guess was wrong.
const ASKED_FIRST: Duration = Duration::from_secs(10);
/// A reading of the database's clock that is older is none.
const READ: Duration = Duration::from_secs(10);

/// What is guessed, and how it went.
#[derive(Debug, Default)]
pub(super) struct Guess {
    /// How far the database's clock is ahead of the steady one, in microseconds, and when that was read. No answer comes before it
    /// was given: it may be ahead by more, by what an answer takes.
    ahead: Option<(Instant, i64)>,
    wrong: Option<Instant>,
}

impl Guess {
    /// What the database's clock said, just now or a while ago.
    pub(super) fn tell(&mut self, now: i64) {
        let ahead = now.saturating_sub(steady());
        let is_better = |(read, known): &(Instant, i64)| read.elapsed() > READ / 2 || ahead >= *known;
        if self.ahead.as_ref().is_none_or(is_better) {
            self.ahead = Some((Instant::now(), ahead));
        }
    }

    /// It is another database maybe, or the same one at another time.
    pub(super) fn forget(&mut self) {
        self.ahead = None;
    }

    /// An id was there.
    pub(super) fn was_wrong(&mut self) {
        self.wrong = Some(Instant::now());
    }

    /// What a step may go by without asking, and its offers once more, if it turns out to be wrong. Only what leaves the ledger as it
    /// is may be taken twice: deliveries of drains that have their place, and what time it is.
    pub(super) fn of(&self, offers: &[Offer], ledger: &Ledger, next_drain: i64) -> Option<(Batch, Vec<Offer>)> {
        if self.wrong.is_some_and(|wrong| wrong.elapsed() < ASKED_FIRST) {
            return None;
        }
        let (_, ahead) = self.ahead.filter(|(read, _)| read.elapsed() < READ)?;
        let again: Option<Vec<Offer>> = offers.iter().map(|offer| again(offer, ledger)).collect();
        let now = steady().saturating_add(ahead);
        Some((Batch::new(HashMap::new(), Some(now), next_drain), again?))
    }
}

/// The same once more, if it changes nothing but the journal.
fn again(offer: &Offer, ledger: &Ledger) -> Option<Offer> {
    let event = match &offer.event {
        Event::Delivery(record) if !record.layout.has_place() || ledger.drains.contains_key(&record.drain) => {
            return offer.share();
        }
        Event::Tick(time) => Event::Tick(*time),
        Event::Doubt { believed, wall } => Event::Doubt { believed: *believed, wall: *wall },
        Event::NotTaken { from, until } => Event::NotTaken { from: *from, until: *until },
        _ => return None,
    };
    Some(Offer { key: None, event })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, DeliveryKey, Record};
    use crate::parts::Part;
    use heroku_metrics::model::Timestamp;

    fn delivery(drain: &str) -> Offer {
        let time = Timestamp::from_unix_micros(7);
        let record = Record::new(drain.into(), time, Body::new(b"12 <190>1 - a b".to_vec(), None));
        Offer { key: Some(DeliveryKey([3; 16])), event: Event::Delivery(record) }
    }

    #[test]
    fn only_what_may_be_taken_twice_is_guessed_and_only_while_guesses_are_good() {
        let mut ledger = Ledger::new(Part::WHOLE, 4);
        ledger.drains.insert("d.1".into(), 1);
        let time = Timestamp::from_unix_micros(9);
        let tick = || Offer { key: None, event: Event::Tick(time) };
        let mut guess = Guess::default();
        let may = |guess: &Guess, offers: &[Offer]| guess.of(offers, &ledger, 2).map(|(_, again)| again.len());
        assert_eq!(may(&guess, &[delivery("d.1")]), None, "nobody knows what time it is");
        guess.tell(1_000_000);
        assert_eq!(may(&guess, &[tick(), delivery("d.1"), delivery("d.1")]), Some(3));
        assert_eq!(may(&guess, &[delivery("d.1"), delivery("d.2")]), None, "it needs a place");
        let dropped = Offer { key: None, event: Event::Dropped { drain: "d.1".into(), time } };
        assert_eq!(may(&guess, &[dropped]), None);
        guess.was_wrong();
        assert_eq!(may(&guess, &[delivery("d.1")]), None);
        guess.wrong = None;
        guess.forget();
        assert_eq!(may(&guess, &[delivery("d.1")]), None);
    }

    #[test]
    fn an_answer_that_was_late_sets_no_clock_back() {
        let mut guess = Guess::default();
        let now = steady();
        guess.tell(now + 5_000_000);
        guess.tell(now - 60_000_000);
        let ahead = guess.ahead.unwrap().1;
        assert!((4_000_000..=5_000_000).contains(&ahead), "{ahead}");
        guess.tell(now + 9_000_000);
        assert!(guess.ahead.unwrap().1 > 8_000_000);
    }
}
