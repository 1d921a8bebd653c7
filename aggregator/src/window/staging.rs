//! What was observed and is in no cell yet.
//!
//! Looking a stream up and working on its cell are apart, so that one does not push the other's memory out of the
//! cache: observations are appended to a list, and when that is full they are folded stream by stream, so that each
//! cell is fetched once for all of them, and the next ones are on their way meanwhile.

use crate::gauge::Term;
use crate::sketch::Sketch;
use crate::stream_key::Form;
use crate::streams::{Place, Streams};
use crate::window::OpenWindow;
use core::time::Duration;
use std::collections::BTreeMap;

/// Accepted observations, in the order in which they came.
#[derive(Clone, Default, Debug)]
pub(crate) struct Staging {
    staged: Vec<Staged>,
    /// The position in the input from which those of the staged are counted.
    base: u64,
    /// The least and the greatest number of their windows.
    first: i64,
    last: i64,
    /// Window, stream and place of each, in one word, while they are grouped.
    order: Vec<u64>,
    /// The same, while they are sorted.
    other: Vec<u64>,
    /// Where the keys of each digit go.
    starts: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Staged {
    value: f64,
    time: i64,
    stream: u32,
    position: u32,
}

/// The more streams, the more must be gathered to have several of one stream; few streams need but a small list, which
/// then stays in the first-level cache.
const FEWEST: usize = 1 << 10;
const MOST: usize = 1 << PLACE_BITS;
const A_STREAM: usize = 4;

/// A word has room for the place of what is staged, its stream, and the window's number from the first.
const PLACE_BITS: u32 = 15;
const PLACE: u64 = (1 << PLACE_BITS) - 1;
const STREAM_BITS: u32 = 32;
const WINDOW_SHIFT: u32 = PLACE_BITS + STREAM_BITS;
const WINDOW_BITS: u32 = 64 - WINDOW_SHIFT;

/// Bits of a digit, at most: the starts of all digits fit into the first-level cache.
const DIGIT: u32 = 12;

/// So many cells are asked for before the first of them is worked on.
const AHEAD: usize = 16;

/// The observations of one stream in one window, and where they go.
#[derive(Clone, Copy)]
struct Group<'a> {
    keys: &'a [u64],
    stream: u32,
    form: Form,
    place: Place,
}

impl Staging {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.staged.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }

    /// Gives its memory back, when it holds nothing.
    pub(crate) fn give_back(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// How many are staged at most, when so many streams are known.
    pub(crate) fn limit(&self, streams: usize) -> usize {
        streams.saturating_mul(A_STREAM).next_power_of_two().clamp(FEWEST, MOST)
    }

    /// Whether there is no room for one more, at this position.
    pub(crate) fn is_full(&self, streams: usize, position: u64) -> bool {
        // Half of what a position has room for: the caller does not ask again before the list is full.
        self.len() >= self.limit(streams) || (!self.is_empty() && position - self.base > u64::from(u32::MAX / 2))
    }

    /// Appends an observation of a window that may not be that of the last one; there is room.
    pub(crate) fn push_in(&mut self, window: i64, value: f64, time: i64, stream: u32, position: u64) {
        if self.is_empty() {
            (self.base, self.first, self.last) = (position, window, window);
        }
        (self.first, self.last) = (self.first.min(window), self.last.max(window));
        self.push(value, time, stream, position);
    }

    /// Appends an observation of the same window as the last one; there is room.
    #[inline]
    pub(crate) fn push(&mut self, value: f64, time: i64, stream: u32, position: u64) {
        self.push_each([(value, stream)], time, position);
    }

    /// Appends several observations of one time and of the same window as the last one, the first at this position; there
    /// is room.
    #[inline]
    pub(crate) fn push_each(&mut self, each: impl IntoIterator<Item = (f64, u32)>, time: i64, position: u64) {
        let first = position.wrapping_sub(self.base) as u32;
        let numbered = each.into_iter().zip(first..);
        self.staged.extend(numbered.map(|((value, stream), position)| Staged { value, time, stream, position }));
    }

    /// The stream of each.
    pub(crate) fn streams(&self) -> impl Iterator<Item = u32> {
        self.staged.iter().map(|staged| staged.stream)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.staged.capacity() * size_of::<Staged>()
            + (self.order.capacity() + self.other.capacity()) * size_of::<u64>()
            + self.starts.capacity() * size_of::<u32>()
    }

    /// Octets at most, when there may be so many streams: lists of up to twice their length, and one of them growing.
    pub(crate) fn max_bytes(streams: u32) -> usize {
        let most = (streams as usize).saturating_mul(A_STREAM).clamp(FEWEST, MOST);
        3 * most * (size_of::<Staged>() + 2 * size_of::<u64>()) + 3 * (size_of::<u32>() << DIGIT)
    }

    /// Moves everything into the cells of its windows, which are all there; adds what they grow to `bytes`.
    pub(crate) fn fold<S: Sketch>(
        &mut self,
        length: Duration,
        streams: &mut Streams,
        windows: &mut BTreeMap<i64, OpenWindow<S>>,
        bytes: &mut usize,
    ) {
        let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX).max(1);
        self.group(length, streams.id_bound());
        for keys in self.order.chunk_by(|a, b| a >> WINDOW_SHIFT == b >> WINDOW_SHIFT) {
            let first = keys.first().and_then(|key| self.staged.get((key & PLACE) as usize));
            let number = first.map_or(0, |staged| staged.time.div_euclid(length));
            let Some(window) = windows.get_mut(&number) else { continue };
            let before = window.bytes();
            self.fold_window(keys, number, window, streams);
            *bytes = (*bytes + window.bytes()).saturating_sub(before);
        }
        self.staged.clear();
    }

    fn fold_window<S: Sketch>(&self, keys: &[u64], number: i64, window: &mut OpenWindow<S>, streams: &mut Streams) {
        let mut groups = keys.chunk_by(|a, b| a >> PLACE_BITS == b >> PLACE_BITS).peekable();
        while groups.peek().is_some() {
            let mut ahead: [Option<Group<'_>>; AHEAD] = [None; AHEAD];
            for (place, keys) in ahead.iter_mut().zip(groups.by_ref()) {
                let stream = keys.first().map_or(0, |key| (key >> PLACE_BITS) as u32);
                let found = streams.enter(stream, keys.len() as u64, window.serial());
                *place = found.map(|(form, place)| Group { keys, stream, form, place });
            }
            // First the cells alone, then what they lead to, so that nothing is waited for while more could be asked for.
            let known = || ahead.iter().flatten().filter_map(|group| group.place.known());
            core::hint::black_box(known().fold(0, |word, at| word ^ window.touch(at)));
            core::hint::black_box(known().fold(0, |word, at| word ^ window.touch_rest(at)));
            for Group { keys, stream, form, place } in ahead.iter().flatten() {
                let staged = keys.iter().filter_map(|key| self.staged.get((key & PLACE) as usize));
                let terms = staged.map(|staged| Term {
                    value: staged.value,
                    time: staged.time,
                    position: self.base + u64::from(staged.position),
                });
                if let Some(at) = window.add(*stream, *form, *place, terms) {
                    streams.see(*stream, number);
                    streams.hold(*stream, at, window.serial());
                }
            }
        }
    }

    /// Puts the places of what is staged in order, by window and stream: one word for each, which sorts faster than
    /// what it stands for.
    fn group(&mut self, length: i64, streams: usize) {
        self.order.clear();
        let places = || 0_u64..;
        if self.first == self.last {
            let key = |(place, staged): (u64, &Staged)| u64::from(staged.stream) << PLACE_BITS | place;
            self.order.extend(places().zip(&self.staged).map(key));
        } else if self.last.checked_sub(self.first).is_some_and(|span| span < 1 << WINDOW_BITS) {
            let key = |(place, staged): (u64, &Staged)| {
                let window = (staged.time.div_euclid(length) - self.first) as u64;
                window << WINDOW_SHIFT | u64::from(staged.stream) << PLACE_BITS | place
            };
            self.order.extend(places().zip(&self.staged).map(key));
        } else {
            // Windows too far apart for a key are sorted the plain way, and numbered.
            self.staged.sort_unstable_by_key(|staged| (staged.time.div_euclid(length), staged.stream));
            let (mut number, mut window) = (0, self.first);
            for (place, staged) in places().zip(&self.staged) {
                let of_staged = staged.time.div_euclid(length);
                number += u64::from(of_staged != window);
                window = of_staged;
                self.order.push(number << WINDOW_SHIFT | u64::from(staged.stream) << PLACE_BITS | place);
            }
            return;
        }
        let windows = (self.last - self.first) as u64;
        if self.order.len() < 256 {
            return self.order.sort_unstable();
        }
        self.sort_by_bits(PLACE_BITS, bits_of(streams as u64));
        self.sort_by_bits(WINDOW_SHIFT, bits_of(windows));
    }

    /// Sorts by some bits from `from` on, a few at a time, the lowest first: equal ones stay in order.
    fn sort_by_bits(&mut self, from: u32, bits: u32) {
        if bits == 0 {
            return;
        }
        let digits = bits.div_ceil(DIGIT);
        let digit = bits.div_ceil(digits);
        let mask = (1_usize << digit) - 1;
        for shift in (0..digits).map(|number| from + number * digit) {
            self.starts.clear();
            self.starts.resize(mask + 1, 0);
            let starts = self.starts.as_mut_slice();
            let of = |key: u64| (key >> shift) as usize & mask;
            self.order.iter().for_each(|key| starts[of(*key)] += 1);
            let mut next = 0;
            for start in starts.iter_mut() {
                next += core::mem::replace(start, next);
            }
            self.other.resize(self.order.len(), 0);
            let other = self.other.as_mut_slice();
            for key in &self.order {
                let start = &mut starts[of(*key)];
                if let Some(place) = other.get_mut(*start as usize) {
                    *place = *key;
                }
                *start += 1;
            }
            core::mem::swap(&mut self.order, &mut self.other);
        }
    }
}

/// Bits that the numbers up to and with this one have.
fn bits_of(greatest: u64) -> u32 {
    u64::BITS - greatest.leading_zeros()
}
