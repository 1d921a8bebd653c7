//! Metric rules as bytes.
//!
//! ```text
//! content  = step tick:(id time)? judged? *(from until) told? refused *over *rule *pending
//! rule     = rule fingerprint *(of incident) *(*signal?)       ; by condition; a place without a signal is one that is free
//! signal   = drain metric kind unit tags newest points violating first last value raw? raw? holds
//! ```

use super::identity::{Identity, KINDS, key_of, write_identity};
use super::index::Place;
use super::rule::MetricRule;
use super::rules::{MetricRules, Pending};
use super::signal::{FARTHEST, Signal, Value};
use super::watching::{Incident, Of, Under};
use crate::codec::{Reader, Writer};
use crate::error::StateError;
use crate::tick::Tick;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

const MAGIC: &[u8] = b"ALERTM";

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
        out.count(self.over.len());
        for (rule, of, incident) in &self.over {
            out.number(*rule);
            write_incident(&mut out, of, *incident);
        }
        out.count(self.rules.len());
        for held in &self.rules {
            out.number(held.rule);
            out.number(held.fingerprint);
            out.count(held.incidents.len());
            held.incidents.iter().for_each(|(of, incident)| write_incident(&mut out, of, *incident));
            out.count(held.under.len());
            for under in &held.under {
                out.count(under.signals.len());
                for signal in &under.signals {
                    out.optional(signal.as_ref(), write_signal);
                }
            }
        }
        out.count(self.pending.len());
        for Pending { at, place, number } in &self.pending {
            out.signed(*at);
            for index in [place.rule, place.condition, place.signal] {
                out.number(u64::from(index));
            }
            out.double(*number);
        }
        out.sealed(MAGIC)
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
        let mut reader = Reader::open(MAGIC, state)?;
        read(&mut reader, &mut all).ok_or_else(|| reader.senseless())?;
        if reader.is_empty() { Ok(all) } else { Err(reader.senseless()) }
    }
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

fn write_signal(out: &mut Writer, signal: &Signal) {
    write_identity(out, &signal.who);
    out.signed(signal.newest);
    out.number(signal.points);
    out.number(signal.violating);
    out.signed(signal.first);
    out.signed(signal.last);
    let value = Some(signal.value).filter(|(at, _)| *at > i64::MIN);
    for value in [value].into_iter().chain(signal.raw) {
        out.optional(value, write_value);
    }
    out.flag(signal.holds);
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

fn signal(reader: &mut Reader<'_>) -> Option<Signal> {
    let (drain, metric) = (reader.text()?.into(), reader.text()?.into());
    let kind = *KINDS.get(usize::from(reader.byte()?))?;
    let who = Identity { drain, metric, kind, unit: reader.text()?.into(), tags: reader.tags()? };
    let mut signal = Signal::new(Arc::new(who), window(reader)?);
    signal.newest = signal.first;
    (signal.points, signal.violating) = (reader.number()?, reader.number()?);
    (signal.first, signal.last) = (window(reader)?, window(reader)?);
    if let Some(value) = reader.optional(value)? {
        signal.value = value;
    }
    signal.raw = [reader.optional(value)?, reader.optional(value)?];
    signal.holds = reader.flag()?;
    (signal.violating & !signal.points == 0 && signal.first <= signal.last).then_some(signal)
}

fn under(reader: &mut Reader<'_>) -> Option<Under> {
    let mut under = Under::default();
    for place in 0..reader.count()? {
        let held = reader.optional(signal)?;
        let place = u32::try_from(place).ok()?;
        match &held {
            Some(signal) if under.places.insert(key_of(&signal.who), place).is_some() => return None,
            Some(_) => {}
            None => _ = under.free.insert(place),
        }
        under.signals.push(held);
    }
    Some(under)
}

/// Puts what was kept into rules that are set and know nothing.
fn read(reader: &mut Reader<'_>, all: &mut MetricRules) -> Option<()> {
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
        let mut incidents = BTreeMap::new();
        for _ in 0..reader.count()? {
            let (of, incident) = incident(reader)?;
            if incidents.insert(of, incident).is_some() {
                return None;
            }
        }
        let mut unders = Vec::new();
        for _ in 0..reader.count()? {
            unders.push(under(reader)?);
        }
        let place = all.rules.binary_search_by_key(&rule, |held| held.rule).ok();
        let held = place.and_then(|place| all.rules.get_mut(place)).filter(|held| held.fingerprint == fingerprint);
        places.push(place.filter(|_| held.is_some()));
        let Some(held) = held else {
            all.over.extend(incidents.into_iter().map(|(of, incident)| (rule, of, incident)));
            continue;
        };
        if unders.len() != held.under.len() || incidents.keys().any(|of| of.is_some() != held.is.per_signal) {
            return None;
        }
        held.incidents = incidents;
        for (place, read) in held.under.iter_mut().zip(unders) {
            all.room.held += read.places.len();
            held.any_holds |= read.signals.iter().flatten().any(|signal| signal.holds);
            *place = Under { windows: place.windows, ..read };
        }
    }
    for _ in 0..reader.count()? {
        let at = window(reader)?;
        let mut index = || u32::try_from(reader.number()?).ok();
        let (rule, condition, signal) = (index()?, index()?, index()?);
        let number = reader.double()?;
        if let Some(rule) = *places.get(rule as usize)? {
            let rule = u32::try_from(rule).ok()?;
            all.pending.push(Pending { at, place: Place { rule, condition, signal }, number });
        }
    }
    Some(())
}
