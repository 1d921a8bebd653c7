//! What a partition knows of itself, and what becomes of what is offered to it: the same whatever keeps it.
//!
//! A step is reckoned here and written by whoever keeps the partition ([`Writes`]). What a drain has is changed at once, and
//! is read again from what was kept when a step fails; all else holds when the step is durable ([`Ledger::passed`]).

use super::Listed;
use super::accounts::Accounts;
use super::failure::StoreError;
use super::gone::is_nobodys;
use super::meta::Stands;
use super::places::{Places, Verdict};
use super::purges::{Pending, Purges};
use super::seam::{Kept, Offer};
use crate::event::{DeliveryKey, Entry, Event};
use crate::parts::Part;
use crate::run::Runs;
use crate::settings::Settings;
use crate::settings::change::{Change, Misfit, Unfit};
use heroku_metrics::model::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The number of no drain.
const NOBODY: i64 = 0;

/// Writes one step.
pub(super) trait Writes {
    /// Under a number that no other event has.
    fn event(&mut self, seq: u64, event: &Event) -> Result<(), StoreError>;
    /// A drain has a place from now on; answers its number.
    fn add_drain(&mut self, key: &str, since: Timestamp) -> Result<i64, StoreError>;
    /// Forgets a drain with its ids; whoever lost a place is written with it.
    fn drop_drain(&mut self, key: &str, number: i64, places: &Places) -> Result<(), StoreError>;
    /// `false` when it is there already.
    fn enter_id(&mut self, key: DeliveryKey, drain: i64, seq: u64) -> Result<bool, StoreError>;
    /// What an account has said, with its checksum; `None` if there is no such account any more.
    fn account(&mut self, name: &str, value: Option<(&str, u32)>) -> Result<(), StoreError>;
    /// The time that the ids of a delivery tell: if there is no other clock for them, when it came.
    fn time_of_ids(&self, received: Timestamp) -> Timestamp {
        received
    }
}

/// What a partition knows of itself at its end.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Which partition it is.
    pub(super) part: Part,
    /// The drains that have a place, and their numbers.
    pub(super) drains: HashMap<Arc<str>, i64>,
    pub(super) places: Places,
    pub(super) position: u64,
    /// Gives the events of deliveries their ids.
    pub(super) runs: Runs,
    /// The settings at the end,
    pub(super) settings: Option<Arc<Settings>>,
    /// as they are kept without those of accounts,
    pub(super) text: Option<String>,
    /// and those.
    pub(super) accounts: Accounts,
    /// What purges left to do.
    pub(super) purges: Purges,
}

/// What holds when a step is durable.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) position: u64,
    runs: Runs,
    settings: Option<Arc<Settings>>,
    /// What of them is to be written.
    pub(super) text: Option<String>,
    accounts: Option<Accounts>,
    pub(super) purges: Option<Purges>,
}

impl Ledger {
    pub(super) fn new(part: Part, max_drains: usize) -> Self {
        Self {
            part,
            drains: HashMap::new(),
            places: Places::new(max_drains),
            position: 0,
            runs: Runs::of(part.number()),
            settings: None,
            text: None,
            accounts: Accounts::default(),
            purges: Purges::default(),
        }
    }

    pub(super) fn listed(&self) -> Vec<Listed> {
        let here = self.drains.keys().map(|drain| Listed {
            drain: drain.clone(),
            heard: self.places.heard(drain),
            refused_until: None,
        });
        let mut all: Vec<_> = here.collect();
        all.sort_by(|a, b| a.drain.cmp(&b.drain));
        all.extend(self.places.ended().iter().map(|(drain, until)| Listed {
            drain: drain.clone(),
            heard: None,
            refused_until: Some(*until),
        }));
        all
    }

    /// Settings as they are kept, with what accounts have said.
    pub(super) fn know(&mut self, text: Option<String>) {
        let read = text.as_deref().and_then(|text| serde_json::from_str::<Settings>(text).ok());
        self.settings = read.map(|read| Arc::new(Settings { accounts: self.accounts.all.clone(), ..read }));
        self.text = text;
        if let Some(settings) = &self.settings {
            self.places.follow(settings);
        }
    }

    /// Where it stands, with rows out up to this event.
    pub(super) fn stands(&self, emitted: u64) -> Stands<'_> {
        Stands {
            part: self.part,
            position: self.position,
            emitted,
            last_id: self.runs.last(),
            settings: self.text.as_deref(),
            accounts: self.accounts.sum(),
        }
    }

    /// Where it stands after a step.
    pub(super) fn stands_after<'a>(&'a self, next: &'a Next, emitted: u64) -> Stands<'a> {
        Stands {
            part: self.part,
            position: next.position,
            emitted: emitted.min(next.position),
            last_id: next.runs.last(),
            settings: next.text.as_deref().or(self.text.as_deref()),
            accounts: next.accounts.as_ref().unwrap_or(&self.accounts).sum(),
        }
    }

    /// A step is durable.
    pub(super) fn passed(&mut self, next: Next) {
        let Next { position, runs, settings, text, accounts, purges } = next;
        self.position = position;
        self.runs = runs;
        self.settings = settings;
        if let Some(purges) = purges {
            self.purges = purges;
        }
        self.text = text.or_else(|| self.text.take());
        if let Some(accounts) = accounts {
            self.accounts = accounts;
        }
    }

    /// Reckons what becomes of these offers, and writes it.
    pub(super) fn take(
        &mut self,
        offers: Vec<Offer>,
        writes: &mut impl Writes,
    ) -> Result<(Vec<Kept>, Next), StoreError> {
        let mut kept = Vec::with_capacity(offers.len());
        let mut position = self.position;
        let mut runs = self.runs;
        let mut settings = self.settings.clone();
        let mut purges = None;
        for mut offer in offers {
            let mut seq = position + 1;
            let mut instead = None;
            match &mut offer.event {
                Event::Tick(time) => {
                    self.places.tick(*time);
                    runs.leave_step();
                }
                Event::NotTaken { .. } => runs.leave_step(),
                Event::Doubt { .. } => self.places.doubt(),
                Event::Settings(new) => {
                    let next = match settings.take() {
                        Some(before) => {
                            let mut next = Settings::clone(&before);
                            next.configure(new);
                            let known = &purges.as_ref().unwrap_or(&self.purges).gone;
                            if let Some(gone) = known.configured(&before, &next) {
                                purges.get_or_insert_with(|| self.purges.clone()).gone = gone;
                            }
                            Arc::new(next)
                        }
                        None => Arc::new(Settings::clone(new)),
                    };
                    self.places.follow(&next);
                    settings = Some(next);
                }
                Event::Change { change, id } => {
                    let Some(known) = &mut settings else {
                        kept.push(Kept::Unfit(Unfit::new(Misfit::NotFound, "there are no settings yet")));
                        continue;
                    };
                    if purges.as_ref().unwrap_or(&self.purges).gone.forbids(change, known) {
                        let why = "the account was destroyed: what was asked for before comes too late";
                        kept.push(Kept::Unfit(Unfit::new(Misfit::NotFound, why)));
                        continue;
                    }
                    if let Change::Account { account } = &**change
                        && purges.as_ref().unwrap_or(&self.purges).is_ending(account)
                    {
                        let why = "the account of this name is being destroyed: in some minutes it may be made again";
                        kept.push(Kept::Unfit(Unfit::new(Misfit::Taken, why)));
                        continue;
                    }
                    // What comes later stays.
                    match &mut **change {
                        Change::Purge { purge, .. } => (purge.upto, purge.is_done) = (runs.last(), false),
                        Change::Destroy { upto, .. } => *upto = runs.last(),
                        _ => {}
                    }
                    let before = known.clone();
                    match changed(known, change, &self.places) {
                        Ok(given) => *id = given,
                        Err(unfit) => {
                            kept.push(Kept::Unfit(unfit));
                            continue;
                        }
                    }
                    if change.is_of_drains() || matches!(**change, Change::Destroy { .. }) {
                        self.places.follow(known);
                    }
                    let mut to_do = |at, account: Option<&String>| {
                        let purges = purges.get_or_insert_with(|| self.purges.clone());
                        account.into_iter().for_each(|account| purges.gone.destroy(account, at));
                        purges.add(Pending { seq, done: 0, at, account: account.cloned() });
                    };
                    match &**change {
                        Change::Purge { at, .. } => to_do(*at, None),
                        Change::Destroy { account, at, .. } => {
                            to_do(*at, Some(account));
                            let is_of = |drain: &&Arc<str>| before.is_of(drain, account) == Some(true);
                            let gone: Vec<_> = self.drains.keys().filter(is_of).cloned().collect();
                            for drain in gone {
                                // What fails from here on is read again from the disk before the next transaction.
                                let Some(number) = self.drains.remove(&drain) else { continue };
                                self.places.end(&drain, Timestamp::from_unix_micros(*at));
                                writes.drop_drain(&drain, number, &self.places)?;
                            }
                        }
                        _ => {}
                    }
                }
                Event::Dropped { drain, time } => {
                    let Some(number) = self.drains.remove(drain) else {
                        kept.push(Kept::Unknown);
                        continue;
                    };
                    self.places.end(drain, *time);
                    writes.drop_drain(drain, number, &self.places)?;
                }
                _ => {}
            }
            if let (Event::Delivery(record), Some(settings)) = (&offer.event, &settings) {
                let is_new = record.layout.has_place() && !self.drains.contains_key(&record.drain);
                let gone = &purges.as_ref().unwrap_or(&self.purges).gone;
                if gone.has(record, settings) || (is_new && is_nobodys(&record.drain, settings)) {
                    kept.push(Kept::TooManyDrains);
                    continue;
                }
            }
            if let Event::Delivery(record) = &offer.event
                && record.layout.has_place()
            {
                let drain = match self.drains.get(&record.drain).copied() {
                    Some(drain) => drain,
                    None => {
                        // What fails from here on is read again from the disk before the next transaction.
                        match self.places.for_new(&record.drain, record.received, self.drains.keys()) {
                            Verdict::Free => {}
                            Verdict::InsteadOf(other) => {
                                let number = self.drains.remove(&other);
                                self.places.end(&other, record.received);
                                let event = Event::Dropped { drain: other.clone(), time: record.received };
                                writes.event(seq, &event)?;
                                if let Some(number) = number {
                                    writes.drop_drain(&other, number, &self.places)?;
                                }
                                instead = Some(Entry { seq, event });
                                position = seq;
                                seq += 1;
                            }
                            Verdict::Full => {
                                kept.push(Kept::TooManyDrains);
                                continue;
                            }
                        }
                        let drain = writes.add_drain(&record.drain, record.received)?;
                        self.drains.insert(record.drain.clone(), drain);
                        drain
                    }
                };
                self.places.hear(&record.drain, record.received);
                if let Some(key) = offer.key
                    && !writes.enter_id(key, drain, seq)?
                {
                    kept.push(Kept::Duplicate);
                    continue;
                }
            } else if let (Event::Delivery(_), Some(key)) = (&offer.event, offer.key)
                // What has no place has an id if it may be offered again.
                && !writes.enter_id(key, NOBODY, seq)?
            {
                kept.push(Kept::Duplicate);
                continue;
            }
            if let Event::Delivery(record) = &mut offer.event {
                record.run = runs.give(writes.time_of_ids(record.received), record.run.events);
            }
            writes.event(seq, &offer.event)?;
            if let Event::Delivery(record) = &mut offer.event {
                record.body.is_stored();
            }
            position = seq;
            let entry = Entry { seq, event: offer.event };
            kept.push(match (instead, &entry.event) {
                (Some(dropped), _) => Kept::NewInstead { dropped, entry },
                (None, Event::Change { .. }) => Kept::Changed(entry),
                (None, _) => Kept::New(entry),
            });
        }
        let (mut text, mut accounts) = (None, None);
        if let Some(next) =
            settings.as_ref().filter(|next| self.settings.as_ref().is_none_or(|old| !Arc::ptr_eq(old, next)))
        {
            text = Some(text_of(next)?);
            accounts = self.accounts.change(&next.accounts, &mut |name, value| writes.account(name, value))?;
        }
        Ok((kept, Next { position, runs, settings, text, accounts, purges }))
    }
}

/// What of settings is kept as one text.
pub(super) fn text_of(settings: &Settings) -> Result<String, StoreError> {
    let settings = Settings { accounts: BTreeMap::new(), ..settings.clone() };
    serde_json::to_string(&settings).map_err(|error| StoreError::Settings(error.to_string()))
}

/// Makes a change, as far as there is room for what it brings.
fn changed(settings: &mut Arc<Settings>, change: &Change, places: &Places) -> Result<Option<u32>, Unfit> {
    match change {
        Change::App { drain, app, .. } if settings.apps.get(drain) == Some(app) => {
            return Err(Unfit::new(Misfit::Taken, "it is called so already"));
        }
        Change::App { drain, instead, .. } => {
            let goes = instead.as_ref().is_some_and(|other| settings.apps.contains_key(other));
            if !goes && !settings.apps.contains_key(drain) && !places.room_for_app(settings, drain) {
                return Err(Unfit::new(Misfit::TooMany, "there is no room for the name of one more app"));
            }
        }
        Change::AddDrain { drain, .. } => places.room_for(settings, drain.read.places())?,
        _ => {}
    }
    Arc::make_mut(settings).apply(change)
}
