//! Metric rules as bytes.
//!
//! ```text
//! content  = step tick:(id time)? judged? *(from until) told? refused *over *rule *pending
//! rule     = rule fingerprint *(of incident) *(*signal?)       ; by condition; a place without a signal is one that is free
//! signal   = drain metric kind unit tags newest points violating first last value raw? raw? holds
//! ```
//!
//! Version 2 is written only where a rule asks of a total. There the signals of each condition have before them whether it does,
//! and its own bits if it has any; each signal of such a condition has behind it the number of each of its points, the oldest
//! first.
//!
//! ```text
//! rule     = rule fingerprint *(of incident) *(total:flag bits? *signal?)
//! signal   = … holds *number
//! bits     = newest points violating first last value holds
//! ```
//!
//! Version 3 is written only where room is bounded or was too little, or late numbers were taken before their tick. It has
//! version 2's flag and bits, and besides:
//!
//! ```text
//! content  = step tick? judged? *(from until) told? refused limit level *(rule signals bytes) *met *over *rule *pending
//! rule     = rule fingerprint late:flag *(of incident) *(total:flag bits? left? late *signal?)
//! ```

use super::identity::{Identity, KINDS, key_of, write_identity};
use super::room::{LeftOf, Room};
use super::rule::MetricRule;
use super::rules::{MetricRules, Pending};
use super::signal::{FARTHEST, More, Signal, Value};
use super::signals::{Slot, Under};
use super::watching::{Incident, Of};
use crate::codec::{Reader, VERSION, Writer};
use crate::error::StateError;
use crate::tick::Tick;
use core::time::Duration;
use metric_model::Kind;
use std::collections::{BTreeMap, HashSet};

const MAGIC: &[u8] = b"ALERTM";
/// The version of a state with totals.
const WITH_TOTALS: u8 = 2;
/// Of one in which room is bounded, or late numbers were taken.
const WITH_ROOM: u8 = 3;

impl MetricRules {
    /// All that must be known to go on, as bytes: with the same rules, what comes out is the same as if nothing had happened.
    ///
    /// Some 60 bytes and the names and tags for each signal. The rules themselves are not in it.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.step.as_micros() as u64);
        out.optional(self.tick, |out, tick| {
            out.number(tick.id());
            out.time(tick.time());
        });
        out.optional(self.judged, Writer::signed);
        out.count(self.unknown.len());
        for (from, until) in &self.unknown {
            out.signed(*from);
            out.signed(*until);
        }
        out.optional(self.told, Writer::stretch);
        out.number(self.room.refused);
        let version = self.version();
        if version == WITH_ROOM {
            write_room(&mut out, &self.room);
        }
        out.count(self.over.len());
        for (rule, of, incident) in &self.over {
            out.number(*rule);
            write_incident(&mut out, of, *incident);
        }
        out.count(self.rules.len());
        for held in &self.rules {
            out.number(held.rule);
            out.number(held.fingerprint);
            if version == WITH_ROOM {
                out.flag(held.is_late);
            }
            out.count(held.incidents.len());
            held.incidents.iter().for_each(|(of, incident)| write_incident(&mut out, of, *incident));
            out.count(held.conditions().len());
            for under in held.conditions().filter_map(|number| self.signals.under.get(number as usize)) {
                if version >= WITH_TOTALS {
                    out.flag(under.whole.is_some());
                }
                if let Some(whole) = &under.whole {
                    out.optional(Some(&whole.signal).filter(|signal| signal.has_begun()), write_bits);
                }
                if version == WITH_ROOM {
                    out.optional(under.left_at, Writer::signed);
                    out.number(under.late);
                }
                out.count(under.slots.len());
                for slot in &under.slots {
                    let signal = |slot: &Slot| Some((slot.who.clone(), self.signals.all.get(slot.signal as usize)?));
                    out.optional(slot.as_ref().and_then(signal), |out, (who, signal)| {
                        write_signal(out, &who, signal, under);
                    });
                }
            }
        }
        out.count(self.pending.len());
        for Pending { at, signal, number } in &self.pending {
            out.signed(*at);
            let place = self.signals.all.get(*signal as usize).and_then(|signal| {
                let rule = self.signals.under.get(signal.condition as usize)?.rule;
                Some([rule, signal.condition - self.rules.get(rule as usize)?.first, signal.slot])
            });
            place.into_iter().flatten().for_each(|index| out.number(u64::from(index)));
            out.double(*number);
        }
        out.sealed(MAGIC, version)
    }

    fn version(&self) -> u8 {
        let room = &self.room;
        let is_bounded = room.limit != u64::MAX || room.level != u64::MAX || !room.left.of.is_empty();
        let unders = || self.signals.under.iter();
        if is_bounded
            || self.rules.iter().any(|held| held.is_late)
            || unders().any(|under| under.left_at.is_some() || under.late != 0)
        {
            WITH_ROOM
        } else if unders().any(|under| under.whole.is_some()) {
            WITH_TOTALS
        } else {
            VERSION
        }
    }

    /// Rules that go on where [`state`](Self::state) was taken, with the rules that are in force there. One that is another than
    /// it was, or is new, begins anew; of one that is another or gone, what was told is cleared with the next tick.
    ///
    /// # Errors
    /// When the bytes are damaged, not a state of metric rules, or of windows of another length.
    pub fn restore(
        step: Duration,
        state: &[u8],
        rules: impl IntoIterator<Item = (u64, MetricRule)>,
    ) -> Result<Self, StateError> {
        let mut all = Self::new(step);
        for (rule, is) in rules {
            all.set(rule, is);
        }
        let (version, mut reader) = Reader::open(MAGIC, WITH_ROOM, state)?;
        read(&mut reader, version, &mut all).ok_or_else(|| reader.senseless())?;
        if reader.is_empty() { Ok(all) } else { Err(reader.senseless()) }
    }
}

fn write_room(out: &mut Writer, room: &Room) {
    out.number(room.limit);
    out.number(room.level);
    out.count(room.left.of.len());
    for (rule, left) in &room.left.of {
        [*rule, left.signals, left.bytes].into_iter().for_each(|number| out.number(number));
    }
    out.count(room.left.met.len());
    room.left.met.iter().for_each(|met| out.number(*met));
}

fn read_room(reader: &mut Reader<'_>, room: &mut Room) -> Option<()> {
    (room.limit, room.level) = (reader.number()?, reader.number()?);
    for _ in 0..reader.count()? {
        let rule = reader.number()?;
        let left = LeftOf { signals: reader.number()?, bytes: reader.number()? };
        if room.left.of.insert(rule, left).is_some() {
            return None;
        }
    }
    for _ in 0..reader.count()? {
        let met = reader.number()?;
        if !room.left.met.insert(met) {
            return None;
        }
    }
    Some(())
}

fn write_incident(out: &mut Writer, of: &Of, incident: Incident) {
    out.optional(of.as_ref(), |out, (drain, tags)| {
        out.text(drain);
        out.tags(tags);
    });
    out.number(incident.opened);
    out.time(incident.told);
}

fn write_value(out: &mut Writer, (at, value): Value) {
    out.signed(at);
    out.double(value);
}

fn write_signal(out: &mut Writer, who: &Identity, signal: &Signal, under: &Under) {
    write_identity(out, who);
    out.signed(signal.newest);
    out.number(signal.points);
    out.number(signal.violating);
    out.signed(signal.first);
    out.signed(signal.last);
    let value = Some(signal.value).filter(|(at, _)| *at > i64::MIN);
    let more = under.more.get(signal.slot as usize);
    for value in [value].into_iter().chain(more.map_or([None; 2], |more| more.raw)) {
        out.optional(value, write_value);
    }
    out.flag(signal.holds);
    if let Some(more) = more.filter(|_| under.whole.is_some()) {
        windows_of(signal.newest, signal.points).for_each(|at| out.double(more.kept(at)));
    }
}

fn write_bits(out: &mut Writer, signal: &Signal) {
    out.signed(signal.newest);
    out.number(signal.points);
    out.number(signal.violating);
    out.signed(signal.first);
    out.signed(signal.last);
    write_value(out, signal.value);
    out.flag(signal.holds);
}

/// The windows of these bits, the oldest first.
fn windows_of(newest: i64, bits: u64) -> impl Iterator<Item = i64> {
    (0..64).rev().filter(move |by| bits >> by & 1 != 0).map(move |by| newest.saturating_sub(by))
}

fn window(reader: &mut Reader<'_>) -> Option<i64> {
    reader.signed().filter(|at| (-FARTHEST..=FARTHEST).contains(at))
}

fn incident(reader: &mut Reader<'_>) -> Option<(Of, Incident)> {
    let of = reader.optional(|reader| Some((reader.text()?.into(), reader.tags()?)))?;
    Some((of, Incident { opened: reader.number()?, told: reader.time()? }))
}

fn value(reader: &mut Reader<'_>) -> Option<Value> {
    Some((window(reader)?, reader.double()?))
}

/// A signal as it stands in a state.
struct Kept {
    who: Identity,
    signal: Signal,
    raw: [Option<Value>; 2],
    /// By window.
    numbers: Vec<Value>,
}

fn signal(reader: &mut Reader<'_>, is_of_total: bool) -> Option<Kept> {
    let (drain, metric) = (reader.text()?.into(), reader.text()?.into());
    let kind = *KINDS.get(usize::from(reader.byte()?))?;
    let who = Identity { drain, metric, kind, unit: reader.text()?.into(), tags: reader.tags()? };
    let mut signal = Signal::new(0, kind == Kind::Count);
    signal.newest = window(reader)?;
    (signal.points, signal.violating) = (reader.number()?, reader.number()?);
    (signal.first, signal.last) = (window(reader)?, window(reader)?);
    if let Some(value) = reader.optional(value)? {
        signal.value = value;
    }
    let raw = [reader.optional(value)?, reader.optional(value)?];
    signal.holds = reader.flag()?;
    let mut numbers = Vec::new();
    if is_of_total {
        for at in windows_of(signal.newest, signal.points) {
            numbers.push((at, reader.double()?));
        }
    }
    makes_sense(&signal).then_some(Kept { who, signal, raw, numbers })
}

fn bits(reader: &mut Reader<'_>) -> Option<Signal> {
    let mut signal = Signal::new(0, false);
    signal.newest = window(reader)?;
    (signal.points, signal.violating) = (reader.number()?, reader.number()?);
    (signal.first, signal.last) = (window(reader)?, window(reader)?);
    signal.value = value(reader)?;
    signal.holds = reader.flag()?;
    (makes_sense(&signal) && signal.has_begun()).then_some(signal)
}

const fn makes_sense(signal: &Signal) -> bool {
    signal.violating & !signal.points == 0 && signal.first <= signal.last
}

/// A condition as it stands in a state.
struct KeptUnder {
    is_total: bool,
    whole: Option<Signal>,
    left_at: Option<i64>,
    late: u64,
    slots: Vec<Option<Kept>>,
}

fn under(reader: &mut Reader<'_>, version: u8) -> Option<KeptUnder> {
    let is_total = version >= WITH_TOTALS && reader.flag()?;
    let whole = if is_total { reader.optional(bits)? } else { None };
    let (left_at, late) = if version == WITH_ROOM { (reader.optional(window)?, reader.number()?) } else { (None, 0) };
    let mut slots = Vec::new();
    let mut seen = HashSet::new();
    for _ in 0..reader.count()? {
        let held = reader.optional(|reader| signal(reader, is_total))?;
        if held.as_ref().is_some_and(|held| !seen.insert(key_of(&held.who))) {
            return None;
        }
        slots.push(held);
    }
    Some(KeptUnder { is_total, whole, left_at, late, slots })
}

impl MetricRules {
    /// Gives a condition that knows nothing what was kept of it.
    fn put(&mut self, condition: u32, kept: KeptUnder) -> Option<()> {
        let under = self.signals.under.get_mut(condition as usize)?;
        if under.whole.is_some() != kept.is_total || kept.late != 0 && !kept.is_total {
            return None;
        }
        (under.left_at, under.late) = (kept.left_at, kept.late);
        let (asked, room, rule) = (under.asked, under.room(), under.rule as usize);
        let mut holds = kept.whole.as_ref().is_some_and(|whole| whole.holds);
        if let Some((whole, kept)) = under.whole.as_mut().zip(kept.whole) {
            whole.signal = kept;
        }
        let mut free = Vec::new();
        for (slot, held) in (0..).zip(kept.slots) {
            let mut more = More::of(&asked);
            let Some(Kept { who, signal, raw, numbers }) = held else {
                self.signals.under.get_mut(condition as usize)?.put(slot, None, more);
                free.push(slot);
                continue;
            };
            match &mut more {
                Some(more) => {
                    more.raw = raw;
                    numbers.into_iter().for_each(|(at, number)| more.keep(at, number));
                }
                None if raw != [None; 2] => return None,
                None => {}
            }
            holds |= signal.holds;
            self.room.held += room;
            self.streams.join(who, &mut self.signals, condition, (signal, more))?;
        }
        let under = self.signals.under.get_mut(condition as usize)?;
        under.free.extend(free);
        self.room.bytes = self.room.bytes.checked_add(under.bytes)?;
        if holds {
            self.rules.get_mut(rule)?.any_holds = true;
        }
        Some(())
    }
}

/// Puts what was kept into rules that are set and know nothing.
fn read(reader: &mut Reader<'_>, version: u8, all: &mut MetricRules) -> Option<()> {
    if u128::from(reader.number()?) != all.step.as_micros() {
        return None;
    }
    all.tick = reader.optional(|reader| Some(Tick::new(reader.number()?, reader.time()?)))?;
    all.judged = reader.optional(window)?;
    for _ in 0..reader.count()? {
        let (from, until) = (window(reader)?, window(reader)?);
        if from >= until || all.unknown.last().is_some_and(|(_, before)| *before >= from) {
            return None;
        }
        all.unknown.push((from, until));
    }
    all.told = reader.optional(Reader::stretch)?;
    all.room.refused = reader.number()?;
    if version == WITH_ROOM {
        read_room(reader, &mut all.room)?;
    }
    for _ in 0..reader.count()? {
        let rule = reader.number()?;
        let (of, incident) = incident(reader)?;
        all.over.push((rule, of, incident));
    }
    // Where the rules of the state are now.
    let mut places = Vec::new();
    let mut before = None;
    for _ in 0..reader.count()? {
        let (rule, fingerprint) = (reader.number()?, reader.number()?);
        if before.replace(rule).is_some_and(|before| before >= rule) {
            return None;
        }
        let is_late = version == WITH_ROOM && reader.flag()?;
        let mut incidents = BTreeMap::new();
        for _ in 0..reader.count()? {
            let (of, incident) = incident(reader)?;
            if incidents.insert(of, incident).is_some() {
                return None;
            }
        }
        let mut unders = Vec::new();
        for _ in 0..reader.count()? {
            unders.push(under(reader, version)?);
        }
        let place = all.rules.binary_search_by_key(&rule, |held| held.rule).ok();
        let held = place.and_then(|place| all.rules.get_mut(place)).filter(|held| held.fingerprint == fingerprint);
        places.push(place.filter(|_| held.is_some()));
        let Some(held) = held else {
            all.over.extend(incidents.into_iter().map(|(of, incident)| (rule, of, incident)));
            continue;
        };
        let conditions = held.conditions();
        if unders.len() != conditions.len() || incidents.keys().any(|of| of.is_some() != held.is.per_signal) {
            return None;
        }
        (held.incidents, held.is_late) = (incidents, is_late);
        for (condition, kept) in conditions.zip(unders) {
            all.put(condition, kept)?;
        }
    }
    all.signals.arrange(all.streams.places_mut());
    for _ in 0..reader.count()? {
        let at = window(reader)?;
        let mut index = || u32::try_from(reader.number()?).ok();
        let (rule, condition, signal) = (index()?, index()?, index()?);
        let number = reader.double()?;
        if let Some(rule) = *places.get(rule as usize)? {
            let held = all.rules.get(rule)?;
            let condition = held.conditions().nth(condition as usize)?;
            let signal = all.signals.under.get(condition as usize)?.slots.get(signal as usize)?.as_ref()?.signal;
            all.pending.push(Pending { at, signal, number });
        }
    }
    Some(())
}
