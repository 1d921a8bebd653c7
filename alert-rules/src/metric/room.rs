//! How much room signals take, who found none, and how it is shared.
//!
//! Room is counted in bytes by a rule that depends on nothing but a signal's names, tags and condition: so whoever takes the same
//! points in the same order has the same signals, wherever it runs.

use super::condition::Asked;
use crate::codec::checksum;
use metric_model::TagSet;
use std::collections::{BTreeMap, BTreeSet};

/// A signal with its place, its stream, what waits for its minute, and its part of a state that is being written.
const SIGNAL: u64 = 1_280;
/// Its numbers, if it is under a total; in memory and in a state.
const NUMBERS: u64 = 3_328;
/// Its incident and the alert that tells it, if signals are told one by one.
const INCIDENT: u64 = 768;
/// Its names are in the stream, in what finds it, in a state, and in what the host makes of that as it writes it down.
const COPIES: u64 = 5;
/// In how many more, if signals are told one by one.
const COPIES_OF_INCIDENT: u64 = 3;
/// Of a tag, beside its text.
const TAG: u64 = 32;
/// So many signals without room are told apart between two ticks.
const MOST_APART: usize = 1_000;

/// How many bytes a signal takes.
pub(super) fn cost(asked: &Asked, per_signal: bool, names: [&str; 3], tags: &TagSet) -> u64 {
    let text: usize = names.iter().map(|name| name.len()).sum();
    let text = tags.iter().fold(text as u64, |text, (key, value)| text + (key.len() + value.len()) as u64 + TAG);
    let copies = if per_signal { COPIES + COPIES_OF_INCIDENT } else { COPIES };
    let numbers = if asked.total.is_some() { NUMBERS } else { 0 };
    SIGNAL + numbers + if per_signal { INCIDENT } else { 0 } + copies * text
}

/// How much each may have, at most, so that all of them have no more than `whole`: those who want less have what they want, and
/// the others have equally much. `None` if there is enough for all.
///
/// ```
/// use alert_rules::fair_share;
///
/// assert_eq!(fair_share([10, 500, 20, 900], 330), Some(150), "10 + 150 + 20 + 150");
/// assert_eq!(fair_share([10, 500], 510), None);
/// ```
#[must_use]
pub fn fair_share(wanted: impl IntoIterator<Item = u64>, whole: u64) -> Option<u64> {
    let mut wanted: Vec<u64> = wanted.into_iter().collect();
    wanted.sort_unstable();
    let (mut rest, mut count) = (whole, wanted.len() as u64);
    for one in wanted {
        let share = rest / count.max(1);
        if one > share {
            return Some(share);
        }
        (rest, count) = (rest - one, count - 1);
    }
    None
}

/// How many signals there may be, and are.
#[derive(Debug)]
pub(super) struct Room {
    /// Streams, each as often as it is under a condition.
    pub(super) most: usize,
    pub(super) held: usize,
    /// What they take.
    pub(super) bytes: u64,
    /// The most that they may, and those of one rule.
    pub(super) limit: u64,
    pub(super) level: u64,
    /// How much there is besides, as the host said last.
    pub(super) free: u64,
    /// Points that came for signals without room.
    pub(super) refused: u64,
    /// Which signals found none since the tick.
    pub(super) left: Left,
    /// And before it, by rule.
    pub(super) before: BTreeMap<u64, LeftOf>,
}

/// Signals that found no room.
#[derive(Default, Debug)]
pub(super) struct Left {
    /// By rule.
    pub(super) of: BTreeMap<u64, LeftOf>,
    /// What tells them apart.
    pub(super) met: BTreeSet<u64>,
}

/// Those of one rule.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct LeftOf {
    pub(super) signals: u64,
    /// How much they want.
    pub(super) bytes: u64,
}

/// What signals that are gone give back.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Given {
    pub(super) room: usize,
    pub(super) bytes: u64,
}

/// What a new signal asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) rule: u64,
    pub(super) condition: u32,
    pub(super) room: usize,
    pub(super) bytes: u64,
    /// What the signals of its rule take.
    pub(super) held: u64,
}

impl Room {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            held: 0,
            bytes: 0,
            limit: u64::MAX,
            level: u64::MAX,
            free: u64::MAX,
            refused: 0,
            left: Left { of: BTreeMap::new(), met: BTreeSet::new() },
            before: BTreeMap::new(),
        }
    }

    /// Signals that are gone give theirs back.
    pub(super) const fn give_back(&mut self, given: Given) {
        self.held = self.held.saturating_sub(given.room);
        self.bytes = self.bytes.saturating_sub(given.bytes);
    }

    /// Gives a new signal its room, if there is some; else it is noted. `key` tells its stream from all others.
    pub(super) fn take(&mut self, wish: Wish, key: &[u8]) -> bool {
        let is_one_too_many = self.held + wish.room > self.most;
        let has_bytes = wish.bytes <= self.free
            && self.bytes + wish.bytes <= self.limit
            && wish.held.saturating_add(wish.bytes) <= self.level;
        if has_bytes && !is_one_too_many {
            self.held += wish.room;
            self.bytes += wish.bytes;
            self.free -= wish.bytes;
            return true;
        }
        self.refused += 1;
        // What bytes cannot help does not ask others for theirs.
        self.left.note(wish, if is_one_too_many { 0 } else { wish.bytes }, key);
        false
    }

    /// A tick ends what was noted.
    pub(super) fn turn(&mut self) {
        self.before = core::mem::take(&mut self.left).of;
    }
}

impl Left {
    fn note(&mut self, wish: Wish, bytes: u64, key: &[u8]) {
        let of = self.of.entry(wish.rule).or_default();
        let which = checksum(key).wrapping_add(u64::from(wish.condition).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // At least one of each rule is counted.
        if (self.met.len() < MOST_APART || of.signals == 0) && self.met.insert(which) {
            of.signals += 1;
            of.bytes += bytes;
        }
    }
}
