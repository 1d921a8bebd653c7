//! The signals of all rules in one list, and the conditions they are under.
//!
//! A point goes to those of its stream, which lie side by side; the end of a window goes over all of them, from the first to the
//! last. Conditions are numbered over all rules, rule by rule.

use super::condition::{Asked, Condition};
use super::identity::Identity;
use super::room::{Given, cost};
use super::signal::{FARTHEST, More, Signal};
use core::ops::Range;
use core::time::Duration;
use metric_model::{Kind, TagSet};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A stream under a total takes as much room as so many signals: its numbers are kept.
const ROOM_UNDER_TOTAL: usize = 4;
/// The condition of a place in the list that is free.
const NO_CONDITION: u32 = u32::MAX;

#[derive(Default, Debug)]
pub(super) struct Signals {
    pub(super) all: Vec<Signal>,
    free: Vec<u32>,
    pub(super) under: Vec<Under>,
}

/// A condition with its signals.
#[derive(Debug)]
pub(super) struct Under {
    pub(super) asked: Asked,
    /// The index of its rule.
    pub(super) rule: u32,
    /// In the order in which they came; the places of those forgotten are used again.
    pub(super) slots: Vec<Option<Slot>>,
    pub(super) free: BTreeSet<u32>,
    /// By slot; empty if the condition needs none of it.
    pub(super) more: Vec<More>,
    pub(super) whole: Option<Whole>,
    /// Whether its rule tells signals one by one.
    per_signal: bool,
    /// What its signals take.
    pub(super) bytes: u64,
    /// Of an absence: the last window in which a signal had a point that found no room.
    pub(super) left_at: Option<i64>,
    /// The bits of the windows of a total that late numbers changed since the tick, the newest judged one the lowest.
    pub(super) late: u64,
    /// The last window in which any of its signals had a point.
    pub(super) heard: i64,
}

/// Where a signal is, and its stream.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) signal: u32,
    pub(super) stream: u32,
    pub(super) who: Arc<Identity>,
}

/// The total of a condition: judged as a signal is, by one number for each window.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) who: Arc<Identity>,
    pub(super) signal: Signal,
}

/// The window at which all stands, and the bits of those nobody saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) at: i64,
    pub(super) unknown: u64,
}

impl Under {
    pub(super) fn new(condition: &Condition, (rule, per_signal): (u32, bool), step: Duration) -> Self {
        let asked = condition.asked(step);
        let whole = asked.total.map(|_| Whole::new(condition));
        Self {
            asked,
            rule,
            slots: Vec::new(),
            free: BTreeSet::new(),
            more: Vec::new(),
            whole,
            per_signal,
            bytes: 0,
            left_at: None,
            late: 0,
            heard: -FARTHEST,
        }
    }

    /// What a signal takes.
    pub(super) fn cost(&self, names: [&str; 3], tags: &TagSet) -> u64 {
        cost(&self.asked, self.per_signal, names, tags)
    }

    fn cost_of(&self, who: &Identity) -> u64 {
        self.cost([&who.drain, &who.metric, &who.unit], &who.tags)
    }

    /// A signal had a point in this window, and is not watched.
    pub(super) fn leave_out(&mut self, at: i64) {
        self.heard = self.heard.max(at);
        if self.asked.is_absent() {
            self.left_at = Some(self.left_at.map_or(at, |before| before.max(at)));
        }
    }

    /// Whether signals that are not watched had points in the last windows.
    pub(super) fn has_left_out(&self, at: i64) -> bool {
        self.left_at.is_some_and(|left| left.saturating_add(i64::from(self.asked.windows)) > at)
    }

    /// Takes the signal out of a slot, which is free then.
    fn take_out(&mut self, slot: u32) -> Option<Slot> {
        let gone = self.slots.get_mut(slot as usize)?.take()?;
        if let Some(more) = self.more.get_mut(slot as usize) {
            *more = More::default();
        }
        self.free.insert(slot);
        self.bytes = self.bytes.saturating_sub(self.cost_of(&gone.who));
        Some(gone)
    }

    /// Puts a signal, or none, at a place: one that is there, or the next one.
    pub(super) fn put(&mut self, slot: u32, held: Option<Slot>, more: Option<More>) {
        match self.slots.get_mut(slot as usize) {
            Some(free) => *free = held,
            None => self.slots.push(held),
        }
        if let Some(more) = more {
            match self.more.get_mut(slot as usize) {
                Some(old) => *old = more,
                None => self.more.push(more),
            }
        }
    }

    /// How much room a signal takes.
    pub(super) const fn room(&self) -> usize {
        if self.whole.is_some() { ROOM_UNDER_TOTAL } else { 1 }
    }

    /// Its signals that know something, or what they are together.
    pub(super) fn judged<'a>(&'a self, all: &'a [Signal]) -> impl Iterator<Item = (&'a Arc<Identity>, &'a Signal)> {
        let one_by_one = self.slots.iter().flatten().filter(|_| self.whole.is_none());
        let one_by_one = one_by_one.filter_map(|slot| Some((&slot.who, all.get(slot.signal as usize)?)));
        let whole = self.whole.iter().map(|whole| (&whole.who, &whole.signal));
        one_by_one.chain(whole).filter(|(_, signal)| signal.has_begun())
    }

    /// The numbers of all streams in a window, in the order of their places.
    fn numbers<'a>(&'a self, all: &'a [Signal], at: i64) -> impl Iterator<Item = f64> + 'a {
        self.slots.iter().zip(&self.more).filter_map(move |(slot, more)| {
            let signal = all.get(slot.as_ref()?.signal as usize)?;
            (signal.points & signal.bit(at)? != 0).then(|| more.kept(at))
        })
    }

    /// How many streams a total has in a window.
    pub(super) fn streams(&self, all: &[Signal], at: i64) -> u32 {
        u32::try_from(self.numbers(all, at).count()).unwrap_or(u32::MAX)
    }

    fn total(&self, all: &[Signal], at: i64) -> Option<f64> {
        self.asked.total?.of(self.numbers(all, at))
    }

    /// A window is over, and its signals stand at it.
    fn close_whole(&mut self, all: &[Signal], now: Now) -> bool {
        if self.whole.is_none() {
            return false;
        }
        let number = self.total(all, now.at);
        let Some(whole) = &mut self.whole else { return false };
        if let Some(number) = number {
            whole.signal.take(&self.asked, None, now.at, number);
        }
        if !whole.signal.has_begun() {
            return false;
        }
        whole.signal.close(&self.asked, None, now.at, now.unknown);
        whole.signal.judge(&self.asked, now.unknown)
    }

    /// Streams have said something else of the windows of these bits. Answers whether it holds by that.
    fn judge_whole_late(&mut self, all: &[Signal], bits: u64, now: Now) -> bool {
        let mut turned = Vec::new();
        for at in (0..64).rev().filter(|by| bits >> by & 1 != 0).map(|by| now.at.saturating_sub(by)) {
            let number = self.total(all, at);
            let Some((whole, number)) = self.whole.as_mut().zip(number) else { continue };
            if whole.signal.take(&self.asked, None, at, number) {
                turned.push(at);
            }
        }
        let Some(whole) = self.whole.as_mut().filter(|whole| whole.signal.has_begun()) else { return false };
        whole.signal.close(&self.asked, None, now.at, now.unknown);
        // What is complete by one of them is told, and so it is no matter by which: but each is judged.
        let mut holds = false;
        for at in turned {
            holds |= whole.signal.judge_late(&self.asked, at);
        }
        holds
    }
}

impl Whole {
    fn new(condition: &Condition) -> Self {
        let who = Identity {
            drain: Box::default(),
            metric: condition.metric.clone(),
            kind: Kind::Sample,
            unit: Box::default(),
            tags: TagSet::new(),
        };
        Self { who: Arc::new(who), signal: Self::nothing_yet() }
    }

    const fn nothing_yet() -> Signal {
        Signal { first: FARTHEST, last: -FARTHEST, ..Signal::new(0, false) }
    }

    const fn is_silent_since(&self, oldest: i64) -> bool {
        self.signal.has_begun() && self.signal.last < oldest
    }
}

impl Signals {
    /// Puts the conditions of a rule before those that are at their place now.
    pub(super) fn insert(&mut self, at: u32, conditions: Vec<Under>) {
        let count = u32::try_from(conditions.len()).unwrap_or(u32::MAX);
        for signal in self.all.iter_mut().filter(|signal| signal.condition >= at && signal.condition != NO_CONDITION) {
            signal.condition += count;
        }
        self.under.splice(at as usize..at as usize, conditions);
        self.under.iter_mut().skip((at + count) as usize).for_each(|under| under.rule += 1);
    }

    /// Takes the conditions of a rule out, with their signals. Answers which these are, and how much room that gives back.
    pub(super) fn remove(&mut self, conditions: Range<u32>) -> (Vec<Slot>, Given) {
        let mut gone = Vec::new();
        let mut given = Given::default();
        let from = conditions.start as usize;
        for under in self.under.drain(from..conditions.end as usize) {
            let takes = under.room();
            given.bytes += under.bytes;
            for slot in under.slots.into_iter().flatten() {
                given.room += takes;
                if let Some(signal) = self.all.get_mut(slot.signal as usize) {
                    signal.condition = NO_CONDITION;
                }
                self.free.push(slot.signal);
                gone.push(slot);
            }
        }
        let count = conditions.end - conditions.start;
        for signal in &mut self.all {
            if signal.condition >= conditions.end && signal.condition != NO_CONDITION {
                signal.condition -= count;
            }
        }
        self.under.iter_mut().skip(from).for_each(|under| under.rule -= 1);
        (gone, given)
    }

    /// How much room the signals of these conditions take.
    pub(super) fn bytes_under(&self, conditions: Range<u32>) -> u64 {
        conditions.filter_map(|condition| self.under.get(condition as usize)).map(|under| under.bytes).sum()
    }

    /// Whether there is a signal in this place.
    pub(super) fn is_held(&self, signal: u32) -> bool {
        self.condition(signal).is_some_and(|condition| condition != NO_CONDITION)
    }

    /// Gives up signals of a condition, those that came last first, until the others take no more than that. Answers which these
    /// are, and how much room that gives back.
    pub(super) fn give_up(&mut self, condition: u32, keep: u64) -> (Vec<Slot>, Given) {
        let (mut gone, mut given) = (Vec::new(), Given::default());
        let Some(under) = self.under.get_mut(condition as usize) else { return (gone, given) };
        let before = under.bytes;
        for slot in (0..u32::try_from(under.slots.len()).unwrap_or(u32::MAX)).rev() {
            if under.bytes <= keep {
                break;
            }
            let Some(slot) = under.take_out(slot) else { continue };
            if let Some(signal) = self.all.get_mut(slot.signal as usize) {
                under.leave_out(signal.last);
                signal.condition = NO_CONDITION;
            }
            given.room += under.room();
            self.free.push(slot.signal);
            gone.push(slot);
        }
        given.bytes = before - under.bytes;
        (gone, given)
    }

    /// Whether a signal is under one of these conditions.
    pub(super) fn is_under(&self, signal: u32, conditions: &Range<u32>) -> bool {
        self.condition(signal).is_some_and(|condition| conditions.contains(&condition))
    }

    pub(super) fn condition(&self, signal: u32) -> Option<u32> {
        self.all.get(signal as usize).map(|signal| signal.condition)
    }

    pub(super) fn asked(&self, signal: u32) -> Option<&Asked> {
        self.under.get(self.condition(signal)? as usize).map(|under| &under.asked)
    }

    /// Puts a signal of a stream in the first place of its condition that is free.
    pub(super) fn add(
        &mut self,
        condition: u32,
        (stream, who): (u32, Arc<Identity>),
        (signal, more): (Signal, Option<More>),
    ) -> Option<u32> {
        let under = self.under.get_mut(condition as usize)?;
        let place = self.free.pop().unwrap_or(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let slot = under.free.pop_first().unwrap_or(u32::try_from(under.slots.len()).unwrap_or(u32::MAX));
        under.bytes += under.cost_of(&who);
        under.heard = under.heard.max(signal.last);
        under.put(slot, Some(Slot { signal: place, stream, who }), more);
        let signal = Signal { condition, slot, ..signal };
        match self.all.get_mut(place as usize) {
            Some(free) => *free = signal,
            None => self.all.push(signal),
        }
        Some(place)
    }

    /// Lays signals in the order of these places, which are all that there are, and says where they are then.
    pub(super) fn arrange<'a>(&mut self, places: impl Iterator<Item = &'a mut u32>) {
        let mut all = Vec::with_capacity(self.all.len());
        for place in places {
            let Some(signal) = self.all.get(*place as usize) else { continue };
            *place = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let slots = self.under.get_mut(signal.condition as usize).map(|under| &mut under.slots);
            if let Some(Some(slot)) = slots.and_then(|slots| slots.get_mut(signal.slot as usize)) {
                slot.signal = *place;
            }
            all.push(signal.clone());
        }
        self.all = all;
        self.free.clear();
    }

    /// A number of a window that is judged as it closes.
    #[inline]
    pub(super) fn take(&mut self, signal: u32, at: i64, number: f64) {
        if let Some(signal) = self.all.get_mut(signal as usize)
            && let Some(under) = self.under.get_mut(signal.condition as usize)
        {
            under.heard = under.heard.max(at);
            signal.take(&under.asked, under.more.get_mut(signal.slot as usize), at, number);
        }
    }

    /// A number of a window that was judged already. It may fire, and never takes back. Answers the rule that it may fire; what
    /// it changes of a total is noted there.
    pub(super) fn take_late(&mut self, place: u32, (at, number): (i64, f64), now: Now) -> Option<u32> {
        let signal = self.all.get_mut(place as usize)?;
        let under = self.under.get_mut(signal.condition as usize)?;
        under.heard = under.heard.max(at);
        let asked = &under.asked;
        let mut more = under.more.get_mut(signal.slot as usize);
        let first = signal.first;
        let points = if signal.newest == now.at { signal.points } else { 0 };
        let turned = signal.take(asked, more.as_deref_mut(), at, number);
        signal.close(asked, more.as_deref_mut(), now.at, now.unknown);
        signal.fill_behind(asked, more, at, first, (now.at, now.unknown));
        if under.whole.is_some() {
            let bit = signal.bit(at).unwrap_or_default();
            // A derivative has another step behind it, too.
            let behind = if asked.function.is_derivative() { bit.saturating_sub(1) } else { 0 };
            under.late |= (points ^ signal.points) | bit | behind;
            return None;
        }
        (turned && signal.judge_late(asked, at)).then_some(under.rule)
    }

    /// What late numbers changed of totals. Tells the rules that it may fire.
    pub(super) fn judge_totals_late(&mut self, now: Now, mut may_fire: impl FnMut(u32)) {
        for under in self.under.iter_mut().filter(|under| under.late != 0) {
            let bits = core::mem::take(&mut under.late);
            if under.judge_whole_late(&self.all, bits, now) {
                may_fire(under.rule);
            }
        }
    }

    /// A window is over: what each signal says. Tells the rules of which a condition holds of any, and answers whether the last
    /// point of any signal is older than that.
    pub(super) fn close(&mut self, now: Now, oldest: i64, mut holds: impl FnMut(u32)) -> bool {
        let mut is_old = false;
        for signal in self.all.iter_mut().filter(|signal| signal.first <= now.at) {
            let Some(under) = self.under.get_mut(signal.condition as usize) else { continue };
            let more = under.more.get_mut(signal.slot as usize);
            signal.close(&under.asked, more, now.at, now.unknown);
            is_old |= signal.last < oldest;
            if under.asked.total.is_none() && signal.judge(&under.asked, now.unknown) {
                holds(under.rule);
            }
        }
        for under in &mut self.under {
            if under.close_whole(&self.all, now) {
                holds(under.rule);
            }
            is_old |= under.whole.as_ref().is_some_and(|whole| whole.is_silent_since(oldest));
        }
        is_old
    }

    /// Forgets the signals whose last point is older than that. Tells their rules, and answers which these are, and how much room
    /// that gives back.
    pub(super) fn forget(&mut self, oldest: i64, mut of_rule: impl FnMut(u32)) -> (Vec<Slot>, Given) {
        let mut gone = Vec::new();
        let mut given = Given::default();
        for (place, signal) in (0..).zip(&mut self.all).filter(|(_, signal)| signal.last < oldest) {
            let Some(under) = self.under.get_mut(signal.condition as usize) else { continue };
            let before = under.bytes;
            given.room += under.room();
            of_rule(under.rule);
            gone.extend(under.take_out(signal.slot));
            given.bytes += before - under.bytes;
            signal.condition = NO_CONDITION;
            self.free.push(place);
        }
        for under in &mut self.under {
            if let Some(whole) = under.whole.as_mut().filter(|whole| whole.is_silent_since(oldest)) {
                whole.signal = Whole::nothing_yet();
                of_rule(under.rule);
            }
        }
        (gone, given)
    }
}
