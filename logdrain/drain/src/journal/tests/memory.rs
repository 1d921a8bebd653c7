//! A partition in memory, and segments: what the seam asks for, and nothing that a file has besides.

use crate::event::{Body, DeliveryKey, Entry, Event, Record};
use crate::journal::{
    Ending, Endings, Erase, Events, Kept, Leisure, Listed, Offer, Old, Partition, Segments, Step, StoreError,
    Writing as Write,
};
use crate::parts::Part;
use crate::run::Runs;
use crate::settings::Settings;
use crate::settings::change::{Misfit, Unfit};
use heroku_metrics::model::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// What is kept of it, which outlives those who use it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<Held>>);

#[derive(Clone, Debug, Default)]
struct Held {
    events: BTreeMap<u64, Arc<Event>>,
    position: u64,
    emitted: u64,
    runs: Runs,
    ids: HashSet<DeliveryKey>,
    drains: BTreeSet<Arc<str>>,
    settings: Option<Arc<Settings>>,
}

/// As the thread that writes has it.
#[derive(Debug)]
pub(super) struct Writing {
    memory: Memory,
    now: Held,
}

impl Memory {
    pub(super) fn writing(&self, part: Part) -> Writing {
        let mut now = self.held().clone();
        now.runs = Runs::of(part.number()).passed(now.runs.last());
        Writing { memory: self.clone(), now }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap()
    }
}

impl Partition for Writing {
    fn position(&self) -> u64 {
        self.now.position
    }

    fn settings(&self) -> Option<&Arc<Settings>> {
        self.now.settings.as_ref()
    }

    fn emitted(&self) -> Result<u64, StoreError> {
        Ok(self.now.emitted)
    }

    fn endings(&self) -> Vec<Ending> {
        Vec::new()
    }

    fn skip_to(&mut self, position: u64) -> Result<(), StoreError> {
        self.now.position = position;
        Ok(())
    }

    fn listed(&self) -> Vec<Listed> {
        let listed = |drain: &Arc<str>| Listed { drain: drain.clone(), heard: None, refused_until: None };
        self.now.drains.iter().map(listed).collect()
    }

    fn pass_id(&mut self, id: u64) {
        self.now.runs.pass(id);
    }

    fn append(&mut self, offers: Vec<Offer>, emitted: u64, old: &mut Old) -> Result<Vec<Kept>, StoreError> {
        let mut next = self.now.clone();
        let kept = offers.into_iter().map(|offer| next.keep(offer)).collect();
        next.emitted = emitted.min(next.position);
        next.give_back(old);
        self.memory.held().clone_from(&next);
        self.now = next;
        Ok(kept)
    }

    fn recall(&mut self) -> Result<(), StoreError> {
        self.now = self.memory.held().clone();
        Ok(())
    }

    fn give_back(&mut self, old: &mut Old) -> Result<(), StoreError> {
        self.now.give_back(old);
        self.memory.held().clone_from(&self.now);
        Ok(())
    }

    fn check_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn purge_some(&mut self, _: u64, _: &Erase, _: &Endings) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn purge_aside(&mut self, _: &Path, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    fn shrink(&self, _: Leisure) -> Result<(), StoreError> {
        Ok(())
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Held {
    fn keep(&mut self, mut offer: Offer) -> Kept {
        match &mut offer.event {
            Event::Settings(said) => match &mut self.settings {
                Some(settings) => Arc::make_mut(settings).configure(said),
                None => self.settings = Some(Arc::new((**said).clone())),
            },
            Event::Change { change, id } => {
                let Some(settings) = &mut self.settings else {
                    return Kept::Unfit(Unfit::new(Misfit::NotFound, "there are no settings yet"));
                };
                match Arc::make_mut(settings).apply(change) {
                    Ok(given) => *id = given,
                    Err(unfit) => return Kept::Unfit(unfit),
                }
            }
            Event::Dropped { drain, .. } => {
                if !self.drains.remove(drain) {
                    return Kept::Unknown;
                }
            }
            Event::Delivery(record) => {
                self.drains.insert(record.drain.clone());
                if offer.key.is_some_and(|key| !self.ids.insert(key)) {
                    return Kept::Duplicate;
                }
                record.run = self.runs.give(record.received, record.run.events);
            }
            Event::Tick(_) | Event::NotTaken { .. } => self.runs.leave_step(),
            Event::Doubt { .. } => {}
        }
        self.position += 1;
        self.events.insert(self.position, Arc::new(copy(&offer.event)));
        let is_change = matches!(offer.event, Event::Change { .. });
        let entry = Entry { seq: self.position, event: offer.event };
        if is_change { Kept::Changed(entry) } else { Kept::New(entry) }
    }

    fn give_back(&mut self, old: &mut Old) {
        let gone = self.events.range(..=old.behind).take(old.rows as usize).count();
        for _ in 0..gone {
            self.events.pop_first();
        }
        old.given += gone;
    }
}

impl Events for Memory {
    fn read(&self, seq: u64) -> Result<Step, StoreError> {
        let event = self.held().events.get(&seq).map(|event| copy(event));
        Ok(event.map_or(Step::Missing, |event| Step::Event(Entry { seq, event })))
    }

    fn next_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        Ok(self.held().events.range(seq + 1..).next().map(|(seq, _)| *seq))
    }

    fn next_time_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        Ok(self.held().events.range(seq + 1..).find(|(_, event)| is_time(event)).map(|(seq, _)| *seq))
    }

    fn last_time_before(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        Ok(self.held().events.range(..seq).rfind(|(_, event)| is_time(event)).map(|(seq, _)| *seq))
    }
}

fn is_time(event: &Event) -> bool {
    matches!(event, Event::Tick(_) | Event::Doubt { .. })
}

fn copy(event: &Event) -> Event {
    match event {
        Event::Delivery(record) => {
            let Record { drain, received, msg_count, peer, layout, run, body } = record;
            let body = Body::new(body.bytes().to_vec(), None);
            Event::Delivery(Record {
                drain: drain.clone(),
                received: *received,
                msg_count: *msg_count,
                peer: *peer,
                layout: *layout,
                run: *run,
                body,
            })
        }
        Event::Tick(time) => Event::Tick(*time),
        Event::Doubt { believed, wall } => Event::Doubt { believed: *believed, wall: *wall },
        Event::NotTaken { from, until } => Event::NotTaken { from: *from, until: *until },
        Event::Settings(settings) => Event::Settings(settings.clone()),
        Event::Change { change, id } => Event::Change { change: change.clone(), id: *id },
        Event::Dropped { drain, time } => Event::Dropped { drain: drain.clone(), time: *time },
    }
}

/// Segments in memory, which outlive those who use them.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Segments for Bytes {
    fn put(&self, name: &str, write: Write<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        self.0.lock().unwrap().insert(name.to_owned(), bytes);
        Ok(())
    }

    fn get(&self, name: &str) -> io::Result<(u64, Box<dyn Read + '_>)> {
        let bytes = self.0.lock().unwrap().get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok((bytes.len() as u64, Box::new(Cursor::new(bytes))))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(self.0.lock().unwrap().remove(name).map(drop).ok_or(io::ErrorKind::NotFound)?)
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        let mut all = self.0.lock().unwrap();
        let bytes = all.remove(name).ok_or(io::ErrorKind::NotFound)?;
        all.insert(format!("{name} damaged"), bytes);
        Ok(())
    }

    fn place(&self, name: &str) -> String {
        name.to_owned()
    }
}
