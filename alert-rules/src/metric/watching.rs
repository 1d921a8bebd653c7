//! A rule with the signals of its conditions and what it has told.

use super::alert::{Change, Clear, MetricAlert, Reading};
use super::condition::Condition;
use super::identity::{Identity, key_of};
use super::rule::MetricRule;
use super::signal::{Finding, Signal};
use core::time::Duration;
use metric_model::{DataPoint, TagSet, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// So many signals are told with an alert.
const MOST_READINGS: usize = 100;
/// After so long without a point a signal is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10 * 86_400);

/// Which signal an incident is of; `None` if the rule does not tell them one by one.
pub(super) type Of = Option<(Box<str>, TagSet)>;

/// What was told and is not clear.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Incident {
    /// The tick that opened it.
    pub(super) opened: u64,
    /// The window that was told last.
    pub(super) told: Timestamp,
}

#[derive(Debug)]
pub(super) struct Watching {
    pub(super) rule: u64,
    pub(super) is: MetricRule,
    pub(super) fingerprint: u64,
    pub(super) under: Vec<Under>,
    pub(super) incidents: BTreeMap<Of, Incident>,
    /// Whether any condition holds of any signal.
    pub(super) any_holds: bool,
}

/// The signals of one condition.
#[derive(Default, Debug)]
pub(super) struct Under {
    /// In how many windows it is asked.
    pub(super) windows: u32,
    /// In the order in which they came; the places of those forgotten are used again.
    pub(super) signals: Vec<Option<Signal>>,
    /// Their places by what tells them apart.
    pub(super) places: HashMap<Box<[u8]>, u32>,
    pub(super) free: BTreeSet<u32>,
}

/// How many signals there may be, and are.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) most: usize,
    pub(super) held: usize,
    /// Points that came for signals without one.
    pub(super) refused: u64,
}

/// The moment of a judgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) tick: u64,
    /// The window.
    pub(super) at: i64,
    pub(super) step: Duration,
    /// Bits of the windows that nobody saw.
    pub(super) unknown: u64,
}

impl Moment {
    /// When the window ends.
    pub(super) fn end(self) -> Timestamp {
        start_of(self.at.saturating_add(1), self.step)
    }
}

/// When a window begins.
pub(super) fn start_of(at: i64, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(at.saturating_mul(step))
}

impl Watching {
    pub(super) fn new(rule: u64, is: MetricRule, step: Duration) -> Self {
        let under =
            is.conditions.iter().map(|condition| Under { windows: condition.windows(step), ..Under::default() });
        Self {
            under: under.collect(),
            fingerprint: is.fingerprint(),
            rule,
            is,
            incidents: BTreeMap::new(),
            any_holds: false,
        }
    }

    /// The conditions that a name concerns.
    pub(super) fn concerned(&self, name: &str) -> impl Iterator<Item = u32> {
        (0..)
            .zip(&self.is.conditions)
            .filter(move |(_, condition)| condition.selects_name(name))
            .map(|(index, _)| index)
    }

    pub(super) fn selects(&self, condition: u32, drain: &str, point: &DataPoint<'_>) -> bool {
        let condition = self.is.conditions.get(condition as usize);
        condition.is_some_and(|is| is.selects(point.tags()) && self.is.selects_drain(drain))
    }

    /// The place of a signal, which is made if it is new and there is room.
    pub(super) fn signal(
        &mut self,
        condition: u32,
        key: &[u8],
        who: &Arc<Identity>,
        at: i64,
        room: &mut Room,
    ) -> Option<u32> {
        let under = self.under.get_mut(condition as usize)?;
        if let Some(place) = under.places.get(key) {
            return Some(*place);
        }
        if room.held >= room.most {
            return None;
        }
        room.held += 1;
        Some(under.add(key.into(), Some(Signal::new(who.clone(), at))))
    }

    pub(super) fn is_absent(&self) -> bool {
        self.is.conditions.iter().any(Condition::is_absent)
    }

    /// A number of a window that is judged as it closes.
    pub(super) fn take(&mut self, condition: u32, signal: u32, at: i64, number: f64) {
        if let Some((is, _, signal)) = self.one(condition, signal) {
            signal.take(is, at, number);
        }
    }

    /// A number of a window that was judged already. It may fire, and never takes back. Answers whether it may.
    pub(super) fn take_late(&mut self, condition: u32, signal: u32, at: i64, number: f64, moment: Moment) -> bool {
        let Some((is, windows, signal)) = self.one(condition, signal) else { return false };
        let first = signal.first;
        let turned = signal.take(is, at, number);
        signal.close(is, moment.at, moment.unknown);
        signal.fill_behind(is, at, first, (moment.at, moment.unknown));
        let holds = turned && signal.late_finding(is, windows, at);
        signal.holds |= holds;
        signal.is_fresh |= holds;
        self.any_holds |= holds;
        holds
    }

    fn one(&mut self, condition: u32, signal: u32) -> Option<(&Condition, u32, &mut Signal)> {
        let under = self.under.get_mut(condition as usize)?;
        let signal = under.signals.get_mut(signal as usize)?.as_mut()?;
        Some((self.is.conditions.get(condition as usize)?, under.windows, signal))
    }

    /// A window is over: what each signal says. With `forget`, signals that were silent for long are forgotten, and it answers
    /// how many.
    pub(super) fn close(&mut self, moment: Moment, forget: bool) -> usize {
        let long = FORGOTTEN_AFTER.as_micros() / moment.step.as_micros().max(1);
        let oldest = moment.at.saturating_sub(i64::try_from(long).unwrap_or(i64::MAX));
        let mut forgotten = 0;
        self.any_holds = false;
        for (condition, under) in self.is.conditions.iter().zip(&mut self.under) {
            for (place, held) in (0..).zip(&mut under.signals) {
                let Some(signal) = held.as_mut().filter(|signal| signal.first <= moment.at) else { continue };
                signal.close(condition, moment.at, moment.unknown);
                let finding = signal.finding(condition, under.windows, 0, moment.unknown);
                signal.is_fresh = finding == Finding::Holds;
                signal.holds = signal.is_fresh || signal.holds && finding == Finding::Nothing;
                self.any_holds |= signal.holds;
                if forget && signal.last < oldest {
                    under.places.remove(&key_of(&signal.who));
                    under.free.insert(place);
                    *held = None;
                    forgotten += 1;
                }
            }
        }
        forgotten
    }

    /// What is to be told. Behind a late number (`clears` is `None`) nothing is cleared.
    pub(super) fn judge(&mut self, moment: Moment, clears: Option<Clear>, out: &mut Vec<MetricAlert>) {
        if self.incidents.is_empty() && !self.any_holds {
            return;
        }
        let time = moment.end();
        let now = self.holding();
        if let Some(clear) = clears {
            let over: Vec<Of> = self.incidents.keys().filter(|of| !now.contains_key(*of)).cloned().collect();
            for of in over {
                if let Some(incident) = self.incidents.remove(&of) {
                    out.push(cleared(self.rule, of, incident, clear, time));
                }
            }
        }
        for (of, is_fresh) in now {
            let (change, opened) = match self.incidents.get_mut(&of) {
                None => {
                    self.incidents.insert(of.clone(), Incident { opened: moment.tick, told: time });
                    (Change::Fired, moment.tick)
                }
                Some(incident) if is_fresh && clears.is_some() && time.since(incident.told) >= self.is.rearm => {
                    incident.told = time;
                    (Change::Again, incident.opened)
                }
                Some(_) => continue,
            };
            let (readings, more) = self.readings(moment, &of);
            out.push(MetricAlert { rule: self.rule, change, incident: opened, time, signal: of, readings, more });
        }
    }

    /// The signals of which it holds, or that it does; and whether that was found just now.
    fn holding(&self) -> BTreeMap<Of, bool> {
        let holds = |(condition, under): (&Condition, &Under)| {
            let mut signals = under.signals.iter().flatten().filter(|signal| signal.has_begun()).peekable();
            if condition.is_absent() && !self.is.per_signal {
                // Points of any of them would do.
                signals.peek().is_some() && signals.all(|signal| signal.holds)
            } else {
                signals.any(|signal| signal.holds)
            }
        };
        let mut conditions = self.is.conditions.iter().zip(&self.under);
        let mut held = BTreeMap::new();
        if if self.is.any { conditions.any(holds) } else { conditions.all(holds) } {
            for (of, is_fresh) in self.signals().map(|signal| (self.of(&signal.who), signal.is_fresh)) {
                *held.entry(of).or_insert(false) |= is_fresh;
            }
        }
        held
    }

    fn signals(&self) -> impl Iterator<Item = &Signal> {
        self.under.iter().flat_map(|under| under.signals.iter().flatten()).filter(|signal| signal.holds)
    }

    fn of(&self, who: &Identity) -> Of {
        self.is.per_signal.then(|| (who.drain.clone(), who.tags.clone()))
    }

    fn readings(&self, moment: Moment, of: &Of) -> (Vec<Reading>, usize) {
        let all = self.all_readings(moment).filter(|reading| {
            let fits = |(drain, tags): &(Box<str>, TagSet)| *drain == reading.who.drain && *tags == reading.who.tags;
            reading.holds && of.as_ref().is_none_or(fits)
        });
        let mut readings: Vec<Reading> = Vec::new();
        let mut more = 0;
        for reading in all {
            if readings.len() < MOST_READINGS { readings.push(reading) } else { more += 1 }
        }
        (readings, more)
    }

    /// How its signals stand, some of them.
    pub(super) fn explain(&self, moment: Moment) -> Vec<Reading> {
        self.all_readings(moment).take(MOST_READINGS).collect()
    }

    fn all_readings(&self, moment: Moment) -> impl Iterator<Item = Reading> {
        self.is.conditions.iter().zip(&self.under).enumerate().flat_map(move |(index, (condition, under))| {
            under.signals.iter().flatten().filter(|signal| signal.has_begun()).map(move |signal| {
                let [points, violating, longest] = signal.tally(under.windows);
                let absent = condition.is_absent();
                let has_value = !absent && signal.value.0 > i64::MIN;
                Reading {
                    who: signal.who.clone(),
                    condition: index,
                    asked: condition.asked().into(),
                    value: has_value.then_some(signal.value.1),
                    time: start_of(if has_value { signal.value.0 } else { signal.last }, moment.step),
                    points,
                    violating,
                    longest,
                    holds: signal.holds,
                    since: condition.duration.filter(|_| absent),
                }
            })
        })
    }
}

impl Under {
    /// Puts a signal in the first place that is free.
    pub(super) fn add(&mut self, key: Box<[u8]>, signal: Option<Signal>) -> u32 {
        let place = self.free.pop_first().unwrap_or(u32::try_from(self.signals.len()).unwrap_or(u32::MAX));
        match self.signals.get_mut(place as usize) {
            Some(held) => *held = signal,
            None => self.signals.push(signal),
        }
        self.places.insert(key, place);
        place
    }
}

pub(super) fn cleared(rule: u64, of: Of, incident: Incident, clear: Clear, time: Timestamp) -> MetricAlert {
    MetricAlert {
        rule,
        change: Change::Cleared(clear),
        incident: incident.opened,
        time,
        signal: of,
        readings: Vec::new(),
        more: 0,
    }
}
