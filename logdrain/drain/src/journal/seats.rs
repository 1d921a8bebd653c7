//! Which drains the journal would take, as far as the node knows while the journal is away.

use super::Listed;
use super::places::{Places, Verdict};
use crate::event::Record;
use crate::parts::Part;
use crate::settings::Settings;
use heroku_metrics::model::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;

/// Which drains have a place in the journal, or would have one.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    /// As [`Places`] have it.
    accounts_of: Option<Part>,
    known: HashSet<Arc<str>>,
    /// As they were when they were asked for last.
    listed: Vec<Listed>,
    settings: Option<Arc<Settings>>,
    /// Made when it is needed.
    places: Option<Places>,
    /// The journal said something since it was asked for what is new.
    is_new: bool,
}

impl Seats {
    pub(super) fn new(
        (most, accounts_of): (usize, Option<Part>),
        settings: Option<Arc<Settings>>,
        listed: Vec<Listed>,
    ) -> Self {
        let (known, listed_before) = (HashSet::new(), Vec::new());
        let mut seats = Self { most, accounts_of, known, listed: listed_before, settings, places: None, is_new: true };
        seats.are(listed);
        seats
    }

    /// What the journal says of its drains.
    pub(super) fn are(&mut self, listed: Vec<Listed>) {
        self.known = listed.iter().filter(|one| one.refused_until.is_none()).map(|one| one.drain.clone()).collect();
        self.listed = listed;
        (self.places, self.is_new) = (None, true);
    }

    pub(super) fn follow(&mut self, settings: Option<&Arc<Settings>>) {
        self.settings = settings.cloned();
        (self.places, self.is_new) = (None, true);
    }

    /// The journal took a delivery.
    pub(super) fn has(&mut self, record: &Record) {
        if record.layout.has_place() && !self.known.contains(&record.drain) {
            self.known.insert(record.drain.clone());
            self.listed.push(Listed { drain: record.drain.clone(), heard: Some(record.received), refused_until: None });
            (self.places, self.is_new) = (None, true);
        }
    }

    /// Whether the journal would take a delivery that came now. What it does all the same, it says when it is back.
    pub(super) fn would_take(&mut self, record: &Record, now: Timestamp) -> bool {
        if !record.layout.has_place() || self.known.contains(&record.drain) {
            return true;
        }
        let (most, accounts_of, settings, listed) = (self.most, self.accounts_of, &self.settings, &self.listed);
        let places = self.places.get_or_insert_with(|| {
            let mut places = Places::new(most).of_accounts(accounts_of);
            if let Some(settings) = settings {
                places.follow(settings);
            }
            places.know(listed);
            places
        });
        match places.for_new(&record.drain, now, self.known.iter()) {
            Verdict::Full => return false,
            Verdict::Free => {}
            Verdict::InsteadOf(other) => {
                self.known.remove(&other);
                places.end(&other, now);
            }
        }
        places.hear(&record.drain, now);
        self.known.insert(record.drain.clone());
        true
    }

    /// What the journal has said, if that is new since this was asked for last.
    #[cfg(feature = "postgres")]
    pub(super) fn news(&mut self) -> Option<(Arc<Settings>, Vec<Listed>)> {
        let settings = self.settings.as_ref().filter(|_| self.is_new)?;
        self.is_new = false;
        Some((settings.clone(), self.listed.clone()))
    }

    /// The drains, as they were when they were known last.
    pub(super) fn listed(&self) -> Vec<Listed> {
        self.listed.clone()
    }
}
