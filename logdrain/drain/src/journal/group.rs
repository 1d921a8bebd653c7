//! What goes into one step of the journal, and who waits for what becomes of it.

use super::seam::Offer;
use super::time::Timekeeper;
use super::{Answer, ChangeError, Changed, Message, now};
use crate::event::{Event, Record};
use crate::settings::Settings;
use crate::settings::change::Unfit;
use heroku_metrics::model::Timestamp;
use tokio::sync::oneshot;

/// What goes into one commit, and who waits for it.
#[derive(Default)]
pub(super) struct Group {
    pub(super) offers: Vec<Offer>,
    pub(super) answers: Vec<Waiting>,
    pub(super) bytes: usize,
    pub(super) has_deliveries: bool,
    /// Those that were asked for last, to be asked for again when the commit fails.
    pub(super) settings: Option<Box<Settings>>,
}

impl Group {
    pub(super) fn add(&mut self, message: Message, time: &mut Timekeeper) {
        match message {
            Message::Delivery { key, record, answer } => {
                self.bytes += record.body.memory();
                self.has_deliveries = true;
                self.offers.push(Offer { key, event: Event::Delivery(*record) });
                self.answers.push(Waiting::Answer(answer));
            }
            Message::Change { change, answer } => {
                self.offers.push(Offer { key: None, event: Event::Change { change, id: None } });
                self.answers.push(answer.map_or(Waiting::Nobody, Waiting::Change));
            }
            Message::Settings(settings) => {
                time.follow(&settings);
                self.settings = Some(settings.clone());
                self.offers.push(Offer { key: None, event: Event::Settings(settings) });
                self.answers.push(Waiting::Nobody);
            }
            Message::Drop { drain, answer } => {
                self.offers.push(Offer { key: None, event: Event::Dropped { drain, time: now() } });
                self.answers.push(Waiting::Answer(answer));
            }
            // These are answered without the disk.
            Message::Drains(_) => {}
        }
    }

    /// Nobody waits for these.
    pub(super) fn leave_out(&mut self, is_left_out: impl Fn(&Event) -> bool) {
        let mut answers = std::mem::take(&mut self.answers).into_iter();
        self.offers.retain(|offer| {
            let answer = answers.next();
            let stays = !is_left_out(&offer.event);
            self.answers.extend(answer.filter(|_| stays));
            stays
        });
    }

    pub(super) fn len(&self) -> usize {
        self.offers.len()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.offers.iter().filter_map(|offer| match &offer.event {
            Event::Delivery(record) => Some(record),
            _ => None,
        })
    }

    /// Puts events before all others, and says by the believed clock when deliveries came.
    pub(super) fn put_first(&mut self, events: Vec<Event>, believed: Timestamp) {
        for offer in &mut self.offers {
            match &mut offer.event {
                Event::Delivery(record) => record.received = believed,
                Event::Dropped { time, .. } => *time = believed,
                Event::Change { change, .. } => change.is_of(believed.unix_micros()),
                _ => {}
            }
        }
        self.answers.splice(0..0, events.iter().map(|_| Waiting::Nobody));
        self.offers.splice(0..0, events.into_iter().map(|event| Offer { key: None, event }));
    }
}

/// Who waits for what becomes of an offer.
#[derive(Debug)]
pub(super) enum Waiting {
    Nobody,
    Answer(oneshot::Sender<Answer>),
    Change(oneshot::Sender<Result<Changed, ChangeError>>),
}

/// What became of it.
pub(super) enum Outcome {
    Is(Answer),
    Changed(Result<Changed, Unfit>),
}

impl Waiting {
    pub(super) fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Answer(answer), Outcome::Is(what)) => drop(answer.send(what)),
            (Self::Change(answer), Outcome::Changed(what)) => drop(answer.send(what.map_err(ChangeError::Unfit))),
            (Self::Change(answer), Outcome::Is(_)) => drop(answer.send(Err(ChangeError::CannotStore))),
            (Self::Answer(answer), Outcome::Changed(_)) => drop(answer.send(Answer::CannotStore)),
            (Self::Nobody, _) => {}
        }
    }
}
