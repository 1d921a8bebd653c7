//! A rule with what it has told, and how it is judged by the signals of its conditions.

use super::alert::{Change, Clear, MetricAlert, Reading};
use super::condition::Condition;
use super::identity::Identity;
use super::rule::MetricRule;
use super::signals::{Now, Signals, Under};
use core::ops::Range;
use core::time::Duration;
use metric_model::{DataPoint, TagSet, Timestamp};
use std::collections::BTreeMap;

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
    /// Its first condition, counted over all rules; the others follow it.
    pub(super) first: u32,
    pub(super) incidents: BTreeMap<Of, Incident>,
    /// Whether any condition holds of any signal.
    pub(super) any_holds: bool,
    /// Whether late numbers may fire it, with the next tick.
    pub(super) is_late: bool,
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

    pub(super) const fn now(self) -> Now {
        Now { at: self.at, unknown: self.unknown }
    }

    /// Signals whose last point is of an older window are forgotten.
    pub(super) fn oldest(self) -> i64 {
        let long = FORGOTTEN_AFTER.as_micros() / self.step.as_micros().max(1);
        self.at.saturating_sub(i64::try_from(long).unwrap_or(i64::MAX))
    }
}

/// When a window begins.
pub(super) fn start_of(at: i64, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(at.saturating_mul(step))
}

impl Watching {
    pub(super) fn new(rule: u64, is: MetricRule) -> Self {
        let fingerprint = is.fingerprint();
        Self { rule, is, fingerprint, first: 0, incidents: BTreeMap::new(), any_holds: false, is_late: false }
    }

    /// Its conditions, counted over all rules.
    pub(super) fn conditions(&self) -> Range<u32> {
        self.first..self.first + u32::try_from(self.is.conditions.len()).unwrap_or(u32::MAX)
    }

    /// The conditions that a name concerns, counted over all rules.
    pub(super) fn concerned(&self, name: &str) -> impl Iterator<Item = u32> {
        let conditions = (self.first..).zip(&self.is.conditions);
        conditions.filter(move |(_, condition)| condition.selects_name(name)).map(|(number, _)| number)
    }

    pub(super) fn selects(&self, condition: u32, drain: &str, point: &DataPoint<'_>) -> bool {
        let condition = condition.checked_sub(self.first).and_then(|place| self.is.conditions.get(place as usize));
        condition.is_some_and(|condition| condition.selects(point.tags()) && self.is.selects_drain(drain))
    }

    pub(super) fn is_absent(&self) -> bool {
        self.is.conditions.iter().any(Condition::is_absent)
    }

    /// What is to be told. Behind a late number (`clears` is `None`) nothing is cleared.
    pub(super) fn judge(
        &mut self,
        signals: &Signals,
        moment: Moment,
        clears: Option<Clear>,
        out: &mut Vec<MetricAlert>,
    ) {
        if self.incidents.is_empty() && !self.any_holds {
            return;
        }
        let time = moment.end();
        let now = self.holding(signals, moment.at);
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
            let (readings, more) = self.readings(signals, moment, &of);
            let rule = self.rule;
            out.push(MetricAlert { rule, change, incident: opened, time, signal: of, readings, more, left_out: 0 });
        }
    }

    /// Takes the incidents of which nothing holds any more.
    pub(super) fn not_held(&mut self, signals: &Signals, moment: Moment) -> BTreeMap<Of, Incident> {
        let now = if self.incidents.is_empty() { BTreeMap::new() } else { self.holding(signals, moment.at) };
        let (held, over) = core::mem::take(&mut self.incidents).into_iter().partition(|(of, _)| now.contains_key(of));
        self.incidents = held;
        over
    }

    /// Its conditions with their signals.
    fn under<'a>(&'a self, signals: &'a Signals) -> impl Iterator<Item = (&'a Condition, &'a Under)> + Clone {
        self.is.conditions.iter().zip(signals.under.iter().skip(self.first as usize))
    }

    /// The signals of which it holds, or that it does; and whether that was found just now.
    fn holding(&self, signals: &Signals, at: i64) -> BTreeMap<Of, bool> {
        let holds = |(condition, under): (&Condition, &Under)| {
            let is_together = !self.is.per_signal || condition.total.is_some();
            if condition.is_absent() && is_together && under.has_left_out(at) {
                // What nobody watches has spoken.
                return false;
            }
            let mut ones = under.judged(&signals.all).map(|(_, signal)| signal).peekable();
            if condition.is_absent() && !self.is.per_signal {
                // Points of any of them would do.
                ones.peek().is_some() && ones.all(|signal| signal.holds)
            } else {
                ones.any(|signal| signal.holds)
            }
        };
        let mut conditions = self.under(signals);
        let mut held = BTreeMap::new();
        if if self.is.any { conditions.any(holds) } else { conditions.all(holds) } {
            let all = self.under(signals).flat_map(|(_, under)| under.judged(&signals.all));
            for (who, signal) in all.filter(|(_, signal)| signal.holds) {
                *held.entry(self.of(who)).or_insert(false) |= signal.is_fresh;
            }
        }
        held
    }

    fn of(&self, who: &Identity) -> Of {
        self.is.per_signal.then(|| (who.drain.clone(), who.tags.clone()))
    }

    fn readings(&self, signals: &Signals, moment: Moment, of: &Of) -> (Vec<Reading>, usize) {
        let all = self.all_readings(signals, moment).filter(|reading| {
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
    pub(super) fn explain(&self, signals: &Signals, moment: Moment) -> Vec<Reading> {
        self.all_readings(signals, moment).take(MOST_READINGS).collect()
    }

    fn all_readings<'a>(&'a self, signals: &'a Signals, moment: Moment) -> impl Iterator<Item = Reading> + 'a {
        self.under(signals).enumerate().flat_map(move |(index, (condition, under))| {
            under.judged(&signals.all).map(move |(who, signal)| {
                let [points, violating, longest] = signal.tally(under.asked.windows);
                let absent = condition.is_absent();
                let has_value = !absent && signal.value.0 > i64::MIN;
                let at = if has_value { signal.value.0 } else { signal.last };
                Reading {
                    who: who.clone(),
                    condition: index,
                    asked: condition.in_words().into(),
                    value: has_value.then_some(signal.value.1),
                    time: start_of(at, moment.step),
                    points,
                    violating,
                    longest,
                    holds: signal.holds,
                    since: condition.duration.filter(|_| absent),
                    total: condition.total.map(|total| (total, under.streams(&signals.all, at))),
                }
            })
        })
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
        left_out: 0,
    }
}
