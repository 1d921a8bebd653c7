//! What one stream had under one condition.
//!
//! The last 64 windows are bits, the newest the lowest: whether there was a point, and whether it violated the condition. So a
//! window more is a shift, a late revision one bit, and the longest condition, 60 windows, fits.

use super::condition::Condition;
use super::identity::Identity;
use metric_model::Kind;
use std::sync::Arc;

/// Windows beyond are of no calendar.
pub(super) const FARTHEST: i64 = 1 << 60;

/// A window, counted from 1970, and a number in it.
pub(super) type Value = (i64, f64);

#[derive(Debug)]
pub(super) struct Signal {
    pub(super) who: Arc<Identity>,
    /// The window of the lowest bit.
    pub(super) newest: i64,
    pub(super) points: u64,
    pub(super) violating: u64,
    /// The first window that had a point.
    pub(super) first: i64,
    /// The last one that had one.
    pub(super) last: i64,
    /// The newest number that was compared.
    pub(super) value: Value,
    /// Of a derivative: the numbers of the last two points.
    pub(super) raw: [Option<Value>; 2],
    /// What was found last. A window that says nothing does not change it.
    pub(super) holds: bool,
    /// That it holds was found just now.
    pub(super) is_fresh: bool,
}

/// What a window says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finding {
    Holds,
    Not,
    /// There is nothing to judge by.
    Nothing,
}

/// The bits of so many windows.
fn of_windows(count: u32) -> u64 {
    u64::MAX >> (64 - count.clamp(1, 64))
}

impl Signal {
    pub(super) const fn new(who: Arc<Identity>, at: i64) -> Self {
        Self {
            who,
            // None yet.
            newest: -FARTHEST,
            points: 0,
            violating: 0,
            first: at,
            last: at,
            value: (i64::MIN, 0.0),
            raw: [None; 2],
            holds: false,
            is_fresh: false,
        }
    }

    /// Its first point has been taken, and waits no more.
    pub(super) const fn has_begun(&self) -> bool {
        self.newest > -FARTHEST
    }

    fn forward(&mut self, at: i64) {
        let by = u32::try_from(at.saturating_sub(self.newest)).unwrap_or(u32::MAX);
        self.points = self.points.checked_shl(by).unwrap_or_default();
        self.violating = self.violating.checked_shl(by).unwrap_or_default();
        self.newest = at;
    }

    /// Takes the number of a window, the first or another one. Answers whether a window violates the condition that did not.
    pub(super) fn take(&mut self, condition: &Condition, at: i64, number: f64) -> bool {
        if at > self.newest {
            self.forward(at);
        }
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.number(condition, at, number)
    }

    fn number(&mut self, condition: &Condition, at: i64, number: f64) -> bool {
        if !condition.function.is_derivative() {
            return self.mark(condition, at, number);
        }
        let step = |before: Option<Value>, value| Some(condition.function.step(before?.1, value));
        let [last, before] = &mut self.raw;
        let changed = match *last {
            Some((newest, value)) if at < newest => match *before {
                Some((older, _)) if at == older => {
                    *before = Some((at, number));
                    step(*before, value).map(|value| (newest, value))
                }
                // What was before that is not known any more.
                _ => None,
            },
            held => {
                if held.is_none_or(|(newest, _)| at > newest) {
                    *before = held;
                }
                *last = Some((at, number));
                step(*before, number).map(|value| (at, value))
            }
        };
        changed.is_some_and(|(at, value)| self.mark(condition, at, value))
    }

    /// Compares the number of a window.
    fn mark(&mut self, condition: &Condition, at: i64, value: f64) -> bool {
        if at >= self.value.0 {
            self.value = (at, value);
        }
        let Some(bit) = u32::try_from(self.newest.saturating_sub(at)).ok().and_then(|by| 1_u64.checked_shl(by)) else {
            return false;
        };
        let was = self.violating & bit != 0;
        let is = condition.violates(value);
        self.points |= bit;
        self.violating = if is { self.violating | bit } else { self.violating & !bit };
        is && !was
    }

    /// Windows up to this one are over; `unknown` has the bits of those nobody saw, this one the lowest.
    pub(super) fn close(&mut self, condition: &Condition, at: i64, unknown: u64) {
        if self.newest > at {
            return;
        }
        let is_count = self.who.kind == Kind::Count && !condition.is_absent();
        while self.newest < at {
            let left = at - self.newest;
            // What is shifted out at once need not be looked at.
            self.forward(if left > 64 { at - 63 } else { self.newest + 1 });
            self.fill(condition, at, unknown, is_count);
        }
        self.fill(condition, at, unknown, is_count);
    }

    /// A count without a point is 0, if anybody looked.
    fn fill(&mut self, condition: &Condition, at: i64, unknown: u64, is_count: bool) {
        let back = u32::try_from(at - self.newest).unwrap_or(u32::MAX);
        let is_unknown = unknown.checked_shr(back).unwrap_or_default() & 1 != 0;
        // The first point of a derivative has no step, and is one all the same.
        let has_number = self.points & 1 != 0 || self.raw[0].is_some_and(|(at, _)| at == self.newest);
        if is_count && !has_number && !is_unknown {
            self.number(condition, self.newest, 0.0);
        }
    }

    /// The first point was not the first: a count was 0 between it and what was taken for that, if anybody looked.
    pub(super) fn fill_behind(&mut self, condition: &Condition, at: i64, first: i64, (now, unknown): (i64, u64)) {
        if self.who.kind != Kind::Count || condition.is_absent() || condition.function.is_derivative() {
            return;
        }
        for window in at.saturating_add(1).max(self.newest.saturating_sub(63))..first.min(self.newest) {
            let bit = |bits: u64, newest: i64| {
                let back = u32::try_from(newest - window).unwrap_or(u32::MAX);
                bits.checked_shr(back).unwrap_or_default() & 1 != 0
            };
            if !bit(self.points, self.newest) && !bit(unknown, now) {
                self.mark(condition, window, 0.0);
            }
        }
    }

    /// What the windows say that end `back` windows before the newest. `unknown` has the bits of those nobody saw.
    pub(super) fn finding(&self, condition: &Condition, windows: u32, back: u32, unknown: u64) -> Finding {
        let range = of_windows(windows);
        let points = self.points >> back & range;
        if condition.is_absent() {
            return match points {
                0 if unknown >> back & range == 0 => Finding::Holds,
                0 => Finding::Nothing,
                _ => Finding::Not,
            };
        }
        let start = self.newest.saturating_sub(i64::from(back)).saturating_sub(i64::from(windows) - 1);
        if points == 0 {
            Finding::Nothing
        } else if points == self.violating >> back & range && self.first <= start {
            Finding::Holds
        } else {
            Finding::Not
        }
    }

    /// Whether a window that was said again makes any stretch complete that holds it.
    pub(super) fn late_finding(&self, condition: &Condition, windows: u32, at: i64) -> bool {
        let Ok(back) = u32::try_from(self.newest.saturating_sub(at)) else { return false };
        let back = back.min(63);
        (back.saturating_sub(windows - 1)..=back)
            .any(|back| self.finding(condition, windows, back, 0) == Finding::Holds)
    }

    /// Points, those of them that violate, and the longest run of these, in the last windows. A window without a point does
    /// not end a run.
    pub(super) fn tally(&self, windows: u32) -> [u32; 3] {
        let range = of_windows(windows);
        let (points, violating) = (self.points & range, self.violating & range);
        let (mut longest, mut run) = (0, 0);
        for bit in (0..windows).map(|by| 1_u64 << by).filter(|bit| points & bit != 0) {
            run = if violating & bit == 0 { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        [points.count_ones(), violating.count_ones(), longest]
    }
}
