//! Which signals a point belongs to: found once for each stream, and then remembered.
//!
//! Points mostly come in the order of the minute before, so a stream knows which one came after it, and a point is compared
//! with that one first. Only one that comes out of turn is looked up.

use super::identity::{Identity, key_of, write_key};
use super::room::{Room, Wish};
use super::signal::{More, Signal};
use super::signals::{Signals, Slot};
use super::watching::Watching;
use crate::codec::Writer;
use metric_model::{DataPoint, Kind};
use std::collections::HashMap;
use std::sync::Arc;

/// So many names are remembered; those beyond are looked up each time.
const MOST_NAMES: usize = 10_000;
/// What a name takes that is remembered, besides its letters, and what one condition of it does.
const NAME: u64 = 96;
const CONDITION: u64 = 4;
/// What a stream takes that is under no condition, and is remembered for that, besides its key.
const IDLE: u64 = 512;

#[derive(Debug)]
pub(super) struct Streams {
    held: Vec<Option<Stream>>,
    free: Vec<u32>,
    by_key: HashMap<Box<[u8]>, u32>,
    /// The conditions that a name concerns.
    names: HashMap<Box<str>, Arc<[u32]>>,
    /// Another one when rules change, or signals are forgotten: then streams are matched again.
    generation: u64,
    /// The stream of the point before.
    before: u32,
    key: Writer,
    /// The most bytes of names, and as many of streams without signals; and how many there are.
    cache: u64,
    names_take: u64,
    idle_take: u64,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            names: HashMap::new(),
            generation: 0,
            before: 0,
            key: Writer::default(),
            cache: u64::MAX,
            names_take: 0,
            idle_take: 0,
        }
    }
}

#[derive(Debug)]
struct Stream {
    who: Arc<Identity>,
    /// Its signals, in the order of their conditions.
    places: Vec<u32>,
    /// In which generation it was matched.
    matched: u64,
    /// Which stream came after it.
    next: u32,
}

impl Streams {
    #[inline]
    fn get(&self, stream: u32) -> Option<&Stream> {
        self.held.get(stream as usize)?.as_ref()
    }

    fn get_mut(&mut self, stream: u32) -> Option<&mut Stream> {
        self.held.get_mut(stream as usize)?.as_mut()
    }

    /// How much may be remembered only to be found faster.
    pub(super) fn set_cache(&mut self, bytes: u64) {
        self.cache = bytes / 2;
        if self.names_take > self.cache || self.idle_take > self.cache {
            self.changed();
        }
    }

    /// All streams are matched again; those without a signal as if they had not been met.
    pub(super) fn changed(&mut self) {
        self.generation += 1;
        self.names.clear();
        (self.names_take, self.idle_take) = (0, 0);
        for (place, held) in (0..).zip(&mut self.held) {
            if let Some(stream) = held.take_if(|stream| stream.places.is_empty()) {
                self.by_key.remove(&key_of(&stream.who));
                self.free.push(place);
            }
        }
    }

    /// These signals are gone.
    pub(super) fn leave(&mut self, gone: Vec<Slot>) {
        for slot in gone {
            if let Some(stream) = self.get_mut(slot.stream) {
                stream.places.retain(|place| *place != slot.signal);
            }
        }
        self.changed();
    }

    /// The signals of a stream that stand in a state, one by one, in the order of their conditions. `None` if it has this one
    /// already.
    pub(super) fn join(
        &mut self,
        who: Identity,
        signals: &mut Signals,
        condition: u32,
        is: (Signal, Option<More>),
    ) -> Option<()> {
        let key = key_of(&who);
        let stream = match self.by_key.get(&key) {
            Some(stream) => *stream,
            None => self.add(key, Arc::new(who)),
        };
        let held = self.get_mut(stream)?;
        if held.places.last().is_some_and(|place| signals.condition(*place) == Some(condition)) {
            return None;
        }
        held.places.push(signals.add(condition, (stream, held.who.clone()), is)?);
        Some(())
    }

    /// The places of the signals of all streams, one after the other.
    pub(super) fn places_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        self.held.iter_mut().flatten().flat_map(|stream| &mut stream.places)
    }

    /// Adds a stream that matches nothing yet.
    fn add(&mut self, key: Box<[u8]>, who: Arc<Identity>) -> u32 {
        // No generation is 0 when a stream is matched.
        let stream = Some(Stream { who, places: Vec::new(), matched: 0, next: 0 });
        let place = self.free.pop().unwrap_or(u32::try_from(self.held.len()).unwrap_or(u32::MAX));
        match self.held.get_mut(place as usize) {
            Some(held) => *held = stream,
            None => self.held.push(stream),
        }
        self.by_key.insert(key, place);
        place
    }

    /// The signals of a point's stream. Those that are not there yet are made in the window `at`, while `room` lasts.
    #[inline]
    pub(super) fn places(
        &mut self,
        (drain, point): (&str, &DataPoint<'_>),
        at: i64,
        rules: &[Watching],
        signals: &mut Signals,
        room: &mut Room,
    ) -> &[u32] {
        let next = self.get(self.before).map_or(0, |stream| stream.next);
        let is_next = |stream: &Stream| stream.matched == self.generation && stream.who.is_of(drain, point);
        if self.get(next).is_some_and(is_next) {
            self.before = next;
        } else {
            match self.look_up((drain, point), at, rules, signals, room) {
                None => return &[],
                Some(stream) => {
                    let before = self.before;
                    if let Some(before) = self.get_mut(before) {
                        before.next = stream;
                    }
                    self.before = stream;
                }
            }
        }
        self.get(self.before).map_or(&[], |stream| &stream.places)
    }

    fn look_up(
        &mut self,
        (drain, point): (&str, &DataPoint<'_>),
        at: i64,
        rules: &[Watching],
        signals: &mut Signals,
        room: &mut Room,
    ) -> Option<u32> {
        let conditions = self.conditions(point.name(), rules)?;
        self.key.clear();
        write_key(&mut self.key, drain, point);
        let known = self.by_key.get(self.key.as_bytes()).copied();
        if let Some(stream) = known
            && self.get(stream).is_some_and(|stream| stream.matched == self.generation)
        {
            return Some(stream);
        }
        let idle = IDLE + 2 * self.key.as_bytes().len() as u64;
        let is_full = self.by_key.len() >= room.most || self.idle_take.saturating_add(idle) > self.cache;
        let mut stream = known;
        let mut places = Vec::new();
        let mut has_left_out = false;
        let mut old = known.and_then(|stream| self.get_mut(stream)).map(|stream| core::mem::take(&mut stream.places));
        for &condition in conditions.iter() {
            let has = |place: &&u32| signals.condition(**place) == Some(condition);
            if let Some(place) = old.iter_mut().flatten().find(|place| has(&&**place)) {
                places.push(*place);
                continue;
            }
            let Some(under) = signals.under.get(condition as usize) else { continue };
            let rule = rules.get(under.rule as usize).filter(|held| held.selects(condition, drain, point));
            let Some(rule) = rule else { continue };
            let wish = Wish {
                rule: rule.rule,
                condition: condition - rule.first,
                room: under.room(),
                bytes: under.cost([drain, point.name(), point.unit().as_str()], point.tags()),
                held: signals.bytes_under(rule.conditions()),
            };
            if !room.take(wish, self.key.as_bytes()) {
                has_left_out = true;
                if let Some(under) = signals.under.get_mut(condition as usize) {
                    under.leave_out(at);
                }
                continue;
            }
            let stream = *stream
                .get_or_insert_with(|| self.add(self.key.as_bytes().into(), Arc::new(Identity::of(drain, point))));
            let who = self.get(stream)?.who.clone();
            let more = signals.under.get(condition as usize).and_then(|under| More::of(&under.asked));
            let is = (Signal::new(at, point.kind() == Kind::Count), more);
            places.extend(signals.add(condition, (stream, who), is));
        }
        if stream.is_none() && !is_full {
            self.idle_take += idle;
            stream = Some(self.add(self.key.as_bytes().into(), Arc::new(Identity::of(drain, point))));
        }
        // One that finds room later is asked for with each point.
        let generation = if has_left_out { 0 } else { self.generation };
        let held = self.get_mut(stream?)?;
        (held.places, held.matched) = (places, generation);
        stream
    }

    /// The conditions that a name concerns; `None` if there are none.
    fn conditions(&mut self, name: &str, rules: &[Watching]) -> Option<Arc<[u32]>> {
        if let Some(known) = self.names.get(name) {
            return (!known.is_empty()).then(|| known.clone());
        }
        let found: Arc<[u32]> = rules.iter().flat_map(|held| held.concerned(name)).collect();
        let takes = NAME + name.len() as u64 + CONDITION * found.len() as u64;
        if self.names.len() < MOST_NAMES && self.names_take.saturating_add(takes) <= self.cache {
            self.names_take += takes;
            self.names.insert(name.into(), found.clone());
        }
        (!found.is_empty()).then_some(found)
    }
}
