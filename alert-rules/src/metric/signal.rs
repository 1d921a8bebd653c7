//! What one stream had under one condition.
//!
//! The last 64 windows are bits, the newest the lowest: whether there was a point, and whether it violated the condition. So a
//! window more is a shift, a late revision one bit, and the longest condition, 60 windows, fits. All signals lie in one list,
//! those of a stream side by side, and each window goes over all of it: what only few conditions need is kept apart, in [`More`].

use super::condition::{Asked, Function};

/// Windows beyond are of no calendar.
pub(super) const FARTHEST: i64 = 1 << 60;
/// So many windows are remembered.
pub(super) const REMEMBERED: usize = 64;

/// A window, counted from 1970, and a number in it.
pub(super) type Value = (i64, f64);

#[derive(Clone, Debug)]
pub(super) struct Signal {
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
    /// Under which condition, counted over all rules, and in which place there.
    pub(super) condition: u32,
    pub(super) slot: u32,
    pub(super) is_count: bool,
    /// What was found last. A window that says nothing does not change it.
    pub(super) holds: bool,
    /// That it holds was found just now.
    pub(super) is_fresh: bool,
}

/// What a signal has besides if its condition is of a derivative, or of a total.
#[derive(Clone, Default, Debug)]
pub(super) struct More {
    /// Of a derivative: the numbers of the last two points.
    pub(super) raw: [Option<Value>; 2],
    /// Of a total: the number of each window that has a point, by the window's remainder; empty before the first.
    pub(super) numbers: Box<[f64]>,
    /// Whether these are kept.
    pub(super) is_of_total: bool,
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
    /// One whose first point is of the window `at`, and waits for it.
    pub(super) const fn new(at: i64, is_count: bool) -> Self {
        Self {
            // None yet.
            newest: -FARTHEST,
            points: 0,
            violating: 0,
            first: at,
            last: at,
            value: (i64::MIN, 0.0),
            condition: u32::MAX,
            slot: u32::MAX,
            is_count,
            holds: false,
            is_fresh: false,
        }
    }

    /// Its first point has been taken, and waits no more.
    pub(super) const fn has_begun(&self) -> bool {
        self.newest > -FARTHEST
    }

    #[inline]
    fn forward(&mut self, at: i64) {
        let by = u32::try_from(at.saturating_sub(self.newest)).unwrap_or(u32::MAX);
        self.points = self.points.checked_shl(by).unwrap_or_default();
        self.violating = self.violating.checked_shl(by).unwrap_or_default();
        self.newest = at;
    }

    /// The bit of a window, if it is remembered.
    #[inline]
    pub(super) fn bit(&self, at: i64) -> Option<u64> {
        u32::try_from(self.newest.saturating_sub(at)).ok().and_then(|by| 1_u64.checked_shl(by))
    }

    /// Takes the number of a window, the first or another one. Answers whether a window violates the condition that did not.
    #[inline]
    pub(super) fn take(&mut self, asked: &Asked, more: Option<&mut More>, at: i64, number: f64) -> bool {
        if at > self.newest {
            self.forward(at);
        }
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.number(asked, more, at, number)
    }

    #[inline]
    fn number(&mut self, asked: &Asked, more: Option<&mut More>, at: i64, number: f64) -> bool {
        let Some(more) = more else { return self.mark(asked, at, number) };
        let changed =
            if asked.function.is_derivative() { more.step(asked.function, at, number) } else { Some((at, number)) };
        changed.is_some_and(|(at, value)| {
            if self.bit(at).is_some() {
                more.keep(at, value);
            }
            self.mark(asked, at, value)
        })
    }

    /// Compares the number of a window.
    #[inline]
    fn mark(&mut self, asked: &Asked, at: i64, value: f64) -> bool {
        if at >= self.value.0 {
            self.value = (at, value);
        }
        let Some(bit) = self.bit(at) else { return false };
        let was = self.violating & bit != 0;
        let is = asked.violates(value);
        self.points |= bit;
        self.violating = if is { self.violating | bit } else { self.violating & !bit };
        is && !was
    }

    /// Windows up to this one are over; `unknown` has the bits of those nobody saw, this one the lowest.
    #[inline]
    pub(super) fn close(&mut self, asked: &Asked, more: Option<&mut More>, at: i64, unknown: u64) {
        if self.is_count && !asked.is_absent() {
            self.close_count(asked, more, at, unknown);
        } else if self.newest < at {
            self.forward(at);
        }
    }

    fn close_count(&mut self, asked: &Asked, mut more: Option<&mut More>, at: i64, unknown: u64) {
        if self.newest > at {
            return;
        }
        while self.newest < at {
            let left = at - self.newest;
            // What is shifted out at once need not be looked at.
            self.forward(if left > 64 { at - 63 } else { self.newest + 1 });
            self.fill(asked, more.as_deref_mut(), at, unknown);
        }
        self.fill(asked, more, at, unknown);
    }

    /// A count without a point is 0, if anybody looked.
    fn fill(&mut self, asked: &Asked, more: Option<&mut More>, at: i64, unknown: u64) {
        let back = u32::try_from(at - self.newest).unwrap_or(u32::MAX);
        let is_unknown = unknown.checked_shr(back).unwrap_or_default() & 1 != 0;
        // The first point of a derivative has no step, and is one all the same.
        let raw = more.as_ref().and_then(|more| more.raw[0]);
        let has_number = self.points & 1 != 0 || raw.is_some_and(|(at, _)| at == self.newest);
        if !has_number && !is_unknown {
            self.number(asked, more, self.newest, 0.0);
        }
    }

    /// The first point was not the first: a count was 0 between it and what was taken for that, if anybody looked.
    pub(super) fn fill_behind(
        &mut self,
        asked: &Asked,
        mut more: Option<&mut More>,
        at: i64,
        first: i64,
        (now, unknown): (i64, u64),
    ) {
        if !self.is_count || asked.is_absent() || asked.function.is_derivative() {
            return;
        }
        for window in at.saturating_add(1).max(self.newest.saturating_sub(63))..first.min(self.newest) {
            let bit = |bits: u64, newest: i64| {
                let back = u32::try_from(newest - window).unwrap_or(u32::MAX);
                bits.checked_shr(back).unwrap_or_default() & 1 != 0
            };
            if !bit(self.points, self.newest) && !bit(unknown, now) {
                self.number(asked, more.as_deref_mut(), window, 0.0);
            }
        }
    }

    /// What the windows say that end `back` windows before the newest. `unknown` has the bits of those nobody saw.
    #[inline]
    pub(super) fn finding(&self, asked: &Asked, back: u32, unknown: u64) -> Finding {
        let range = of_windows(asked.windows);
        let points = self.points >> back & range;
        if asked.is_absent() {
            return match points {
                0 if unknown >> back & range == 0 => Finding::Holds,
                0 => Finding::Nothing,
                _ => Finding::Not,
            };
        }
        let start = self.newest.saturating_sub(i64::from(back)).saturating_sub(i64::from(asked.windows) - 1);
        if points == 0 {
            Finding::Nothing
        } else if points == self.violating >> back & range && self.first <= start {
            Finding::Holds
        } else {
            Finding::Not
        }
    }

    /// A window is over, and all of it was taken: how it stands now.
    #[inline]
    pub(super) fn judge(&mut self, asked: &Asked, unknown: u64) -> bool {
        let finding = self.finding(asked, 0, unknown);
        self.is_fresh = finding == Finding::Holds;
        self.holds = self.is_fresh || self.holds && finding == Finding::Nothing;
        self.holds
    }

    /// A window that was judged was said again and violates now. If that makes any stretch complete that holds it, it holds.
    pub(super) fn judge_late(&mut self, asked: &Asked, at: i64) -> bool {
        let Ok(back) = u32::try_from(self.newest.saturating_sub(at)) else { return false };
        let back = back.min(63);
        let from = back.saturating_sub(asked.windows - 1);
        let holds = (from..=back).any(|back| self.finding(asked, back, 0) == Finding::Holds);
        self.holds |= holds;
        self.is_fresh |= holds;
        holds
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

impl More {
    /// What this condition needs besides; `None` if it needs nothing.
    pub(super) fn of(asked: &Asked) -> Option<Self> {
        let is_of_total = asked.total.is_some();
        (is_of_total || asked.function.is_derivative()).then(|| Self { is_of_total, ..Self::default() })
    }

    /// The step that a number makes, and of which window it is.
    fn step(&mut self, function: Function, at: i64, number: f64) -> Option<Value> {
        let step = |before: Option<Value>, value| Some(function.step(before?.1, value));
        let [last, before] = &mut self.raw;
        match *last {
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
        }
    }

    /// Keeps the number of a window that is remembered.
    pub(super) fn keep(&mut self, at: i64, number: f64) {
        if !self.is_of_total {
            return;
        }
        if self.numbers.is_empty() {
            self.numbers = vec![0.0; REMEMBERED].into();
        }
        if let Some(kept) = self.numbers.get_mut(Self::place(at)) {
            *kept = number;
        }
    }

    /// The number of a window, if it has a point.
    pub(super) fn kept(&self, at: i64) -> f64 {
        self.numbers.get(Self::place(at)).copied().unwrap_or_default()
    }

    const fn place(at: i64) -> usize {
        at.rem_euclid(REMEMBERED as i64) as usize
    }
}
