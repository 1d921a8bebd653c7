//! What was observed and is in no cell yet.
//!
//! Looking a row up and working on its cell are apart, so that one does not push the other's memory out of the
//! cache: records are appended to a list, and when that is full they are folded row by row, so that each cell is fetched
//! once for all of them, and the next ones are on their way meanwhile.

use super::{Batch, Instant, OpenWindow};
use crate::config::MAX_COLUMNS;
use crate::sketch::Sketch;
use crate::stream_key::{Forms, Mask};
use crate::streams::{Spot, StreamId, Streams};
use crate::sum::Sum;
use core::time::Duration;
use std::collections::BTreeMap;

/// Accepted observations, in the order in which they came.
#[derive(Clone, Default, Debug)]
pub(crate) struct Staging {
    staged: Vec<Staged>,
    /// The values of what is staged are the first so many; behind them is room, so that values are written in place.
    values: Vec<f64>,
    used: usize,
    /// How many rows were known when that was last asked.
    rows: usize,
    /// The position in the input from which those of the staged are counted.
    base: u64,
    /// The least and the greatest number of their windows.
    first: i64,
    last: i64,
    /// Window, row and index of each, in one word, while they are grouped.
    order: Vec<u64>,
    /// The same, while they are sorted.
    other: Vec<u64>,
    /// Where the keys of each digit go.
    starts: Vec<u32>,
    /// The records that go into a cell next, side by side.
    gathered: Gathered,
}

/// Some records with the same columns, copied from where they were staged, column by column.
#[derive(Clone, Default, Debug)]
struct Gathered {
    /// There is room for a batch of as many columns as there were so far.
    values: Vec<f64>,
}

/// How many records go into a cell at once, at most.
const BATCH: usize = 64;
const _: () = assert!(BATCH <= Sum::MOST);

impl Gathered {
    /// Takes what is staged under the first of these keys, as long as the columns are the same, and takes those away.
    #[inline]
    fn fill(&mut self, staging: &Staging, keys: &mut &[u64]) -> Option<Batch<'_>> {
        let staged = |key: u64| staging.staged.get((key & INDEX) as usize);
        let first = staged(*keys.first()?)?;
        let (mask, width) = (first.mask, usize::from(first.len));
        // All of the keys may have these columns.
        let stride = keys.len().min(BATCH);
        if self.values.len() < stride * width {
            self.values.resize(stride * width, 0.0);
        }
        let (mut len, mut latest, mut instant) = (0, 0, Instant::FIRST);
        for key in keys.get(..stride)? {
            let Some(next) = staged(*key).filter(|next| next.mask == mask) else { break };
            let from = next.value as usize;
            let mut at = len;
            for value in staging.values.get(from..from + width)? {
                *self.values.get_mut(at)? = *value;
                at += stride;
            }
            let seen = Instant { time: next.time, position: staging.base + u64::from(next.position) };
            // Of the same instant, the first one: the others are no later.
            if len == 0 || seen > instant {
                (latest, instant) = (len, seen);
            }
            len += 1;
        }
        *keys = keys.get(len..)?;
        Some(Batch::new((mask, width), len, (stride, &self.values), (latest, instant)))
    }
}

/// Values of one row and one instant; they stand one behind the other in the list of values.
#[derive(Clone, Copy, Debug)]
struct Staged {
    time: i64,
    row: u32,
    /// Where in the input the first of them is.
    position: u32,
    /// Where in the list.
    value: u32,
    mask: Mask,
    /// How many values there are.
    len: u16,
}

/// The more rows, the more must be gathered to have several records of one; few rows need but a small list, which
/// then stays near the core. Six records share the work on a cell; eight would be a little faster, and more than 300 streams may
/// take. Where there are as many rows as records, few meet in the list however long it is: a shorter one stays nearer.
const FEWEST: usize = 1 << 9;
const MOST: usize = 1 << INDEX_BITS;
const A_ROW: usize = 6;
/// Values for each record, at most and on average: the list of values is full then.
const VALUES: usize = 4;

/// A word has room for the index of what is staged, its row, and the window's number from the first.
const INDEX_BITS: u32 = 14;
const INDEX: u64 = (1 << INDEX_BITS) - 1;
const ROW_BITS: u32 = 32;
const WINDOW_SHIFT: u32 = INDEX_BITS + ROW_BITS;
const WINDOW_BITS: u32 = 64 - WINDOW_SHIFT;

/// Bits of a digit, at most: the starts of all digits fit into the first-level cache.
const DIGIT: u32 = 12;

/// How many cells are asked for before the first of them is worked on.
const AHEAD: usize = 16;

/// The records of one row in one window, and where they go.
#[derive(Clone, Copy)]
struct Group<'a> {
    keys: &'a [u64],
    row: u32,
    forms: Forms,
    spot: Spot,
}

impl Staging {
    /// How many observations are staged.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.used
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

    /// How many records are staged.
    #[inline]
    pub(crate) fn records(&self) -> usize {
        self.staged.len()
    }

    /// How many records are staged at most, when so many rows are known, and how many observations, but for those of the
    /// last record.
    pub(crate) fn limits(rows: usize) -> (usize, usize) {
        let most = if rows > MOST / 2 { MOST / 2 } else { MOST };
        let records = rows.saturating_mul(A_ROW).clamp(FEWEST, most);
        (records, records * VALUES)
    }

    /// Whether there is no room for one more, at this position.
    pub(crate) fn is_full(&mut self, rows: usize, position: u64) -> bool {
        self.rows = rows;
        // Half of what a position has room for: the caller does not ask again before the list is full.
        let (records, values) = Self::limits(rows);
        self.staged.len() >= records
            || self.used >= values
            || (!self.is_empty() && position - self.base > u64::from(u32::MAX / 2))
    }

    /// Appends one value of a window that may not be that of the last one; there is room.
    pub(crate) fn push_one(&mut self, window: i64, value: f64, time: i64, stream: StreamId, position: u64) {
        self.reach(window, position);
        let at = position.wrapping_sub(self.base) as u32;
        // What the columns of a row say one after the other at one instant is one record.
        if let Some(last) = self.staged.last_mut()
            && (last.row, last.time) == (stream.row, time)
            && last.mask < stream.mask()
            && last.position + u32::from(last.len) == at
        {
            last.mask |= stream.mask();
            last.len += 1;
        } else {
            self.push(stream.mask(), 0, time, stream.row, position);
            if let Some(last) = self.staged.last_mut() {
                last.len = 1;
            }
        }
        if let Some([free, ..]) = self.free() {
            *free = value;
        }
        self.used += 1;
    }

    /// Appends a record of a window that may not be that of the last one; there is room.
    pub(crate) fn push_in(&mut self, window: i64, mask: Mask, values: &[f64], time: i64, row: u32, position: u64) {
        self.reach(window, position);
        self.free().into_iter().flatten().zip(values).for_each(|(free, value)| *free = *value);
        self.push(mask, values.len(), time, row, position);
    }

    fn reach(&mut self, window: i64, position: u64) {
        if self.is_empty() {
            (self.base, self.first, self.last) = (position, window, window);
        }
        (self.first, self.last) = (self.first.min(window), self.last.max(window));
    }

    /// Where the values of the next record go.
    #[inline]
    pub(crate) fn free(&mut self) -> Option<&mut [f64; MAX_COLUMNS]> {
        if self.values.len() - self.used < MAX_COLUMNS {
            self.make_room();
        }
        self.values.get_mut(self.used..)?.first_chunk_mut()
    }

    /// Appends a record of the same window as the last one, of which so many values were written where there is
    /// [room](Self::free), and the first of them has this position.
    #[inline(always)]
    pub(crate) fn push(&mut self, mask: Mask, values: usize, time: i64, row: u32, position: u64) {
        let position = position.wrapping_sub(self.base) as u32;
        if self.staged.len() == self.staged.capacity() {
            self.grow();
        }
        self.staged.push(Staged { time, row, position, value: self.used as u32, mask, len: values as u16 });
        self.used += values;
    }

    /// Makes room for the values of more records, in the same way.
    #[cold]
    fn make_room(&mut self) {
        let (_, most) = Self::limits(self.rows);
        let room = (2 * self.used).clamp(64, most.max(self.used)) + MAX_COLUMNS;
        self.values.reserve_exact(room - self.values.len());
        self.values.resize(room, 0.0);
    }

    /// Makes room for more records: twice as many, up to what may be staged.
    #[cold]
    fn grow(&mut self) {
        let (records, _) = Self::limits(self.rows);
        let len = self.staged.len();
        self.staged.reserve_exact((2 * len).clamp(64, records.max(len + 64)) - len);
    }

    /// The row of each record, and the columns that have a value.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, Mask)> {
        self.staged.iter().map(|staged| (staged.row, staged.mask))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.staged.capacity() * size_of::<Staged>()
            + (self.order.capacity() + self.other.capacity() + self.values.capacity()) * size_of::<u64>()
            + self.starts.capacity() * size_of::<u32>()
            + self.gathered.values.capacity() * size_of::<f64>()
    }

    /// Bytes at most, when there may be so many streams: lists of up to twice their length, and one of them growing.
    pub(crate) fn max_bytes(streams: u32) -> usize {
        let most = (streams as usize).saturating_mul(A_ROW).clamp(FEWEST, MOST);
        let values = (most * VALUES + MAX_COLUMNS) * size_of::<f64>();
        let gathered = BATCH * MAX_COLUMNS * size_of::<f64>();
        3 * (most * (size_of::<Staged>() + 2 * size_of::<u64>()) + values + gathered + (size_of::<u32>() << DIGIT))
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
        let mut gathered = core::mem::take(&mut self.gathered);
        self.group(length, streams.row_bound());
        for keys in self.order.chunk_by(|a, b| a >> WINDOW_SHIFT == b >> WINDOW_SHIFT) {
            let first = keys.first().and_then(|key| self.staged.get((key & INDEX) as usize));
            let number = first.map_or(0, |staged| staged.time.div_euclid(length));
            let Some(window) = windows.get_mut(&number) else { continue };
            let before = window.bytes();
            self.fold_window(keys, number, window, streams, &mut gathered);
            *bytes = (*bytes + window.bytes()).saturating_sub(before);
        }
        self.gathered = gathered;
        self.staged.clear();
        self.used = 0;
    }

    fn fold_window<S: Sketch>(
        &self,
        keys: &[u64],
        number: i64,
        window: &mut OpenWindow<S>,
        streams: &mut Streams,
        gathered: &mut Gathered,
    ) {
        let mut groups = keys.chunk_by(|a, b| a >> INDEX_BITS == b >> INDEX_BITS).peekable();
        while groups.peek().is_some() {
            let mut ahead: [Option<Group<'_>>; AHEAD] = [None; AHEAD];
            for (slot, keys) in ahead.iter_mut().zip(groups.by_ref()) {
                let row = keys.first().map_or(0, |key| (key >> INDEX_BITS) as u32);
                *slot = streams.spot(row, window.serial()).map(|(forms, spot)| Group { keys, row, forms, spot });
            }
            // First the cells alone, then what they lead to, so that nothing is waited for while more could be asked for.
            let known = || ahead.iter().flatten().filter_map(|group| group.spot.known());
            core::hint::black_box(known().fold(0, |word, at| word ^ window.touch(at)));
            core::hint::black_box(known().fold(0, |word, at| word ^ window.touch_rest(at)));
            for Group { keys, row, forms, mut spot } in ahead.iter().flatten().copied() {
                let mut rest = keys;
                while !rest.is_empty() {
                    // What is in the order was staged; were it not, this would not end.
                    let Some(batch) = gathered.fill(self, &mut rest) else { break };
                    streams.count(row, batch.mask, batch.len as u64);
                    let Some(arrival) = window.add(row, &forms, spot, &batch) else { break };
                    if arrival.columns != 0 {
                        streams.hold(row, arrival.columns, number, arrival.new_cell(window.serial()));
                    }
                    spot = Spot::At(arrival.cell);
                }
            }
        }
    }

    /// Puts the indexes of what is staged in order, by window and row: one word for each, which sorts faster than
    /// what it stands for.
    fn group(&mut self, length: i64, rows: usize) {
        self.order.clear();
        self.order.reserve_exact(self.staged.len());
        let indexes = || 0_u64..;
        if self.first == self.last {
            let key = |(index, staged): (u64, &Staged)| u64::from(staged.row) << INDEX_BITS | index;
            self.order.extend(indexes().zip(&self.staged).map(key));
        } else if self.last.checked_sub(self.first).is_some_and(|span| span < 1 << WINDOW_BITS) {
            let key = |(index, staged): (u64, &Staged)| {
                let window = (staged.time.div_euclid(length) - self.first) as u64;
                window << WINDOW_SHIFT | u64::from(staged.row) << INDEX_BITS | index
            };
            self.order.extend(indexes().zip(&self.staged).map(key));
        } else {
            // Windows too far apart for a key are sorted the plain way, and numbered.
            self.staged.sort_unstable_by_key(|staged| (staged.time.div_euclid(length), staged.row));
            let (mut number, mut window) = (0, self.first);
            for (index, staged) in indexes().zip(&self.staged) {
                let of_staged = staged.time.div_euclid(length);
                number += u64::from(of_staged != window);
                window = of_staged;
                self.order.push(number << WINDOW_SHIFT | u64::from(staged.row) << INDEX_BITS | index);
            }
            return;
        }
        let windows = (self.last - self.first) as u64;
        if self.order.len() < 256 {
            return self.order.sort_unstable();
        }
        self.sort_by_bits(INDEX_BITS, bits_of(rows as u64));
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
            self.other.reserve_exact(self.order.len().saturating_sub(self.other.len()));
            self.other.resize(self.order.len(), 0);
            let other = self.other.as_mut_slice();
            for key in &self.order {
                let start = &mut starts[of(*key)];
                if let Some(slot) = other.get_mut(*start as usize) {
                    *slot = *key;
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
