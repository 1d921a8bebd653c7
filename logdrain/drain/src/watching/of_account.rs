//! The rules of one kind that an account has: those of its settings that are on and not muted are in force.

use crate::alerts::file::{Asked, Rule};
use crate::alerts::standing::{Stand, Stands};
use crate::settings::account::Alert;
use std::collections::BTreeMap;

/// What asks rules of one kind.
pub(super) trait Engine {
    fn is_of(rule: &Rule) -> bool;
    /// Adds a rule, or puts it in the place of the one of its number; the same one again changes nothing.
    fn put(&mut self, alert: u64, asked: Asked);
    fn take_out(&mut self, alert: u64);
}

#[derive(Debug)]
pub(super) struct OfAccount<E> {
    /// All that the account has, as the settings have them: a notice goes to rules of both kinds.
    pub(super) alerts: BTreeMap<u32, Alert>,
    pub(super) engine: E,
    /// Those that were taken out since the tick.
    pub(super) gone: BTreeMap<u32, Alert>,
    /// When the first one that is muted speaks again, in microseconds.
    wakes: Option<i64>,
    /// How those of this kind stand that speak.
    pub(super) stands: Stands,
}

impl<E: Engine> OfAccount<E> {
    pub(super) const fn new(engine: E) -> Self {
        Self { alerts: BTreeMap::new(), engine, gone: BTreeMap::new(), wakes: None, stands: Stands::new() }
    }

    /// With an engine in which those alerts are in force that speak now.
    pub(super) fn with(engine: E, alerts: BTreeMap<u32, Alert>, stands: Stands, now: i64) -> Self {
        let mut all = Self { alerts, engine, gone: BTreeMap::new(), wakes: None, stands };
        all.wakes = all.next_to_wake(now);
        all
    }

    /// Whether an account has any of this kind.
    pub(super) fn has_any(alerts: &BTreeMap<u32, Alert>) -> bool {
        alerts.values().any(|alert| E::is_of(&alert.rule))
    }

    /// Those that the settings have from now on; `now` is the time of the last tick.
    pub(super) fn follow(&mut self, alerts: &BTreeMap<u32, Alert>, now: i64) {
        let before = std::mem::replace(&mut self.alerts, alerts.clone());
        for (id, alert) in self.alerts.iter().filter(|(id, alert)| before.get(*id) != Some(*alert)) {
            ask(&mut self.engine, *id, alert, now);
            if before.get(id).is_none_or(|before| before.rule != alert.rule) {
                self.stands.remove(id);
            }
        }
        for (id, alert) in before {
            if !self.alerts.contains_key(&id) {
                self.engine.take_out(u64::from(id));
                self.gone.insert(id, alert);
            }
        }
        self.wakes = self.next_to_wake(now);
    }

    /// Those that were muted until now speak again, and know nothing of the time between.
    pub(super) fn wake(&mut self, now: i64) {
        if self.wakes.is_none_or(|at| at > now) {
            return;
        }
        for (id, alert) in self.alerts.iter().filter(|(_, alert)| alert.muted_until.is_some()) {
            ask(&mut self.engine, *id, alert, now);
        }
        self.wakes = self.next_to_wake(now);
    }

    /// How many there are of this kind.
    pub(super) fn count(&self) -> usize {
        self.alerts.values().filter(|alert| E::is_of(&alert.rule)).count()
    }

    /// How those stand that speak now; `find` says it of one that stood so before.
    pub(super) fn stand(&mut self, now: i64, find: impl Fn(&E, u32, Stand) -> Stand) {
        let before = std::mem::take(&mut self.stands);
        let speaking = self.alerts.iter().filter(|(_, alert)| E::is_of(&alert.rule) && alert.speaks_at(now));
        self.stands = speaking
            .map(|(id, _)| {
                let new = Stand { since: (now > i64::MIN).then_some(now), ..Stand::default() };
                (*id, find(&self.engine, *id, before.get(id).copied().unwrap_or(new)))
            })
            .collect();
    }

    fn next_to_wake(&self, now: i64) -> Option<i64> {
        self.alerts
            .values()
            .filter(|alert| alert.is_on)
            .filter_map(|alert| alert.muted_until)
            .filter(|at| *at > now)
            .min()
    }
}

/// The rules that are in force at a time.
pub(super) fn in_force(alerts: &BTreeMap<u32, Alert>, now: i64) -> impl Iterator<Item = (u64, Asked)> {
    let speaking = alerts.iter().filter(move |(_, alert)| alert.speaks_at(now));
    // What cannot be asked is refused before it is in the settings.
    speaking.filter_map(|(id, alert)| Some((u64::from(*id), alert.rule.asked().ok()?)))
}

fn ask<E: Engine>(engine: &mut E, id: u32, alert: &Alert, now: i64) {
    match alert.rule.asked() {
        Ok(asked) if alert.speaks_at(now) && E::is_of(&alert.rule) => engine.put(u64::from(id), asked),
        _ => engine.take_out(u64::from(id)),
    }
}
