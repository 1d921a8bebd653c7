//! Room that is too little for all: how rules share it, and what they give up.

use super::alert::{Clear, MetricAlert};
use super::room::{Given, fair_share};
use super::rules::MetricRules;
use super::watching::{Moment, Watching, cleared};
use crate::tick::Tick;

/// Memory of rules that a host bounds.
impl MetricRules {
    /// How much room its signals take, in bytes: a bound on what they need, with their names and what is made of them in between,
    /// which depends on nothing but the points that came.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.room.bytes
    }

    /// How much room those wanted that found none before the last tick.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.room.before.values().map(|left| left.bytes).sum()
    }

    /// How many signals of a rule had a point before the last tick, and found no room; of very many, some.
    #[must_use]
    pub fn left_out(&self, rule: u64) -> u64 {
        self.room.before.get(&rule).map_or(0, |left| left.signals)
    }

    /// How much room there is for signals that are new, whatever the [limit](Self::limit), from now on and until it is said again.
    pub const fn set_free(&mut self, bytes: u64) {
        self.room.free = bytes;
    }

    /// How many bytes may be spent on finding signals faster. What is beyond costs time.
    pub fn set_cache(&mut self, bytes: u64) {
        self.streams.set_cache(bytes);
    }

    /// How much room all its signals may take together, until it is said again: to be asked behind a tick.
    ///
    /// If that is too little for all, rules with few signals keep theirs and find room for those that they wanted, and the
    /// others share the rest equally, and so do the conditions of each. What is beyond is given up, the signals that came last
    /// first. What was told of them and is not clear is cleared, and these alerts come back. No absence is told while a signal
    /// that was left out had points.
    pub fn limit(&mut self, bytes: u64) -> Vec<MetricAlert> {
        let wanted = self.rules.iter().map(|held| {
            self.bytes_of(held).saturating_add(self.room.before.get(&held.rule).map_or(0, |left| left.bytes))
        });
        let level = fair_share(wanted, bytes).unwrap_or(u64::MAX);
        (self.room.limit, self.room.level) = (bytes, level);
        let (mut gone, mut given) = (Vec::new(), Given::default());
        let mut lessened = Vec::new();
        for (place, held) in self.rules.iter().enumerate() {
            if self.bytes_of(held) <= level {
                continue;
            }
            lessened.push(place);
            let under =
                held.conditions().filter_map(|condition| Some(self.signals.under.get(condition as usize)?.bytes));
            let each = fair_share(under, level).unwrap_or(u64::MAX);
            for condition in held.conditions() {
                let (slots, back) = self.signals.give_up(condition, each);
                gone.extend(slots);
                (given.room, given.bytes) = (given.room + back.room, given.bytes + back.bytes);
            }
        }
        if gone.is_empty() {
            return Vec::new();
        }
        self.pending.retain(|pending| self.signals.is_held(pending.signal));
        self.streams.leave(gone);
        self.room.give_back(given);
        let moment = Moment {
            tick: self.tick.map_or(0, Tick::id),
            at: self.judged.unwrap_or_default(),
            step: self.step,
            unknown: 0,
        };
        let mut alerts = Vec::new();
        for place in lessened {
            let Some(held) = self.rules.get_mut(place) else { continue };
            let over = held.not_held(&self.signals, moment);
            alerts.extend(
                over.into_iter().map(|(of, incident)| cleared(held.rule, of, incident, Clear::NoRoom, moment.end())),
            );
        }
        alerts
    }

    /// How much room the signals of a rule take.
    pub(super) fn bytes_of(&self, held: &Watching) -> u64 {
        self.signals.bytes_under(held.conditions())
    }
}
