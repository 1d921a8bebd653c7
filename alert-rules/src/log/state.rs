//! Log rules as bytes.
//!
//! ```text
//! content = tick:(id time) last told? 1*watch
//! watch   = rule fingerprint start:(id time) due? full count limit unknown? *id *(system *(second count))
//! ```
//!
//! Ids are written as what they are above the one before: first that of the start.

use super::rule::LogRule;
use super::rules::LogRules;
use super::window::Found;
use crate::codec::{Reader, VERSION, Writer};
use crate::error::StateError;
use crate::tick::Tick;
use std::collections::BTreeMap;

const MAGIC: &[u8] = b"ALERTL";

impl LogRules {
    /// All that must be known to go on, as bytes: with the same rules, what comes out is the same as if nothing had happened.
    ///
    /// Some 40 bytes a rule and 2 to 4 a recorded line. The rules themselves are not in it.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        let mut out = Writer::default();
        write_tick(&mut out, self.tick);
        out.number(self.last);
        out.optional(self.told, Writer::stretch);
        out.count(self.watches.len());
        for watch in &self.watches {
            out.number(watch.rule);
            out.number(watch.fingerprint);
            write_tick(&mut out, watch.start);
            out.optional(watch.due, Writer::time);
            out.flag(watch.is_full);
            out.number(watch.found.count);
            out.flag(watch.found.reached_limit);
            out.optional(watch.unknown, Writer::stretch);
            out.count(watch.found.ids.len());
            let mut before = watch.start.id();
            for id in &watch.found.ids {
                out.number(id.wrapping_sub(before));
                before = *id;
            }
            out.count(watch.found.counts.len());
            for (system, counts) in &watch.found.counts {
                out.bytes(system);
                out.count(counts.len());
                for (second, count) in counts {
                    out.signed(*second);
                    out.number(*count);
                }
            }
        }
        out.sealed(MAGIC, VERSION)
    }

    /// Rules that go on where [`state`](Self::state) was taken, with the rules that are in force there. One that is another than
    /// it was, or is new, begins anew behind the last id; one that is not among them is gone.
    ///
    /// # Errors
    /// When the bytes are damaged, or not a state of log rules.
    pub fn restore(state: &[u8], rules: impl IntoIterator<Item = (u64, LogRule)>) -> Result<Self, StateError> {
        let (_, mut reader) = Reader::open(MAGIC, VERSION, state)?;
        let mut restored = read(&mut reader).ok_or_else(|| reader.senseless())?;
        if !reader.is_empty() {
            return Err(reader.senseless());
        }
        let mut held = BTreeMap::new();
        for (rule, fingerprint, start) in restored.open.drain(..) {
            held.insert(rule, (fingerprint, start));
        }
        let mut all = LogRules::from_parts(Vec::new(), restored.tick, restored.last, restored.told);
        for (rule, is) in rules {
            all.set(rule, is);
        }
        for watch in &mut all.watches {
            if let Some((fingerprint, open)) = held.remove(&watch.rule)
                && fingerprint == watch.fingerprint
            {
                (watch.start, watch.due, watch.is_full) = (open.start, open.due, open.is_full);
                (watch.found, watch.unknown) = (open.found, open.unknown);
            }
        }
        Ok(all)
    }
}

struct Restored {
    tick: Tick,
    last: u64,
    told: Option<(metric_model::Timestamp, metric_model::Timestamp)>,
    open: Vec<(u64, u64, Open)>,
}

/// The window of a rule, without the rule.
struct Open {
    start: Tick,
    due: Option<metric_model::Timestamp>,
    is_full: bool,
    found: Found,
    unknown: Option<(metric_model::Timestamp, metric_model::Timestamp)>,
}

fn write_tick(out: &mut Writer, tick: Tick) {
    out.number(tick.id());
    out.time(tick.time());
}

fn read_tick(reader: &mut Reader<'_>) -> Option<Tick> {
    Some(Tick::new(reader.number()?, reader.time()?))
}

fn read(reader: &mut Reader<'_>) -> Option<Restored> {
    let tick = read_tick(reader)?;
    let last = reader.number()?;
    let told = reader.optional(Reader::stretch)?;
    let mut open: Vec<(u64, u64, Open)> = Vec::new();
    for _ in 0..reader.count()? {
        let (rule, fingerprint) = (reader.number()?, reader.number()?);
        let window = read_window(reader)?;
        let is_rising = open.last().is_none_or(|(before, _, _)| *before < rule);
        if !is_rising || window.start.id() > last || window.found.ids.last().is_some_and(|id| *id > last) {
            return None;
        }
        open.push((rule, fingerprint, window));
    }
    (tick.id() <= last).then_some(Restored { tick, last, told, open })
}

fn read_window(reader: &mut Reader<'_>) -> Option<Open> {
    let start = read_tick(reader)?;
    let due = reader.optional(Reader::time)?;
    let is_full = reader.flag()?;
    let mut found = Found { count: reader.number()?, reached_limit: reader.flag()?, ..Found::default() };
    let unknown = reader.optional(Reader::stretch)?;
    let mut before = start.id();
    for _ in 0..reader.count()? {
        before = before.checked_add(reader.number().filter(|step| *step > 0)?)?;
        found.ids.push(before);
    }
    for _ in 0..reader.count()? {
        let system = reader.bytes()?;
        let mut counts: Vec<(i64, u64)> = Vec::new();
        for _ in 0..reader.count()? {
            let (second, count) = (reader.signed()?, reader.number()?);
            if counts.last().is_some_and(|(before, _)| *before >= second) {
                return None;
            }
            counts.push((second, count));
        }
        found.told += counts.len() + Found::room_of(system);
        if found.counts.last_key_value().is_some_and(|(before, _)| **before >= *system) {
            return None;
        }
        found.counts.insert(system.into(), counts);
    }
    Some(Open { start, due, is_full, found, unknown })
}
