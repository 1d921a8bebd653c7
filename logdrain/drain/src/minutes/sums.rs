//! Rows are added up: which line a stream is part of, which step a row is in, and what each step of each line holds.
//!
//! ```text
//! stretch -> piece -> stream, looked up once -> its rows -> slot of the row's window -> cell of the line
//! ```
//!
//! What is done for each row is what an answer costs, and so as little as can be: the slot of a window is looked up in a list,
//! a window that was seen is a bit, and small counts are added in two words.

use super::MinutesError;
use super::block::{self, Key};
use super::levels::{HOUR, MINUTES};
use super::select::{is_selected, line, put_group};
use super::writing::at;
use heroku_metrics::aggregator::{MinuteSketch, RowCounts, RowState};
use heroku_metrics::model::Kind;
use logdrain_charts::series::{Asked, Function, Line};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

/// Sums that are added up at a time, and those that have sketches.
const MOST_SUMS: usize = 60_000;
const MOST_SKETCHES: usize = 6_000;
/// What the sketches take at most; looked at after so many pieces.
const MOST_BYTES: usize = 8 << 20;
const LOOKED_AT: usize = 4;
/// Streams that one question goes through.
const MOST_STREAMS: usize = 40_000;
/// Windows of a millisecond in a day are more than there are; nothing is kept of what damage says.
const MOST_WINDOWS: u32 = 1 << 21;

/// Some hours of one level, whose rows are looked at together: of two rows of one window the later one stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    pub(super) level: i64,
    /// In hours since 1970; the second one is not in it.
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Rows of one metric and drain within an hour, as they are kept.
pub(super) struct Piece {
    pub(super) drain: i64,
    pub(super) hour: i64,
    pub(super) len: i64,
    pub(super) block: Vec<u8>,
}

/// The steps of an answer, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) start: i64,
    pub(super) step: i64,
    pub(super) steps: usize,
}

impl Grid {
    /// How many steps there are in so many hours at most, wherever these begin.
    fn within(self, hours: i64) -> usize {
        let seconds = hours * 3_600;
        let is_even = |a: i64, b: i64| a % b == 0 && self.start.rem_euclid(b) == 0;
        let most = if is_even(seconds, self.step) {
            seconds / self.step
        } else if is_even(self.step, seconds) {
            1
        } else {
            (seconds + self.step - 1) / self.step + 1
        };
        usize::try_from(most).unwrap_or(usize::MAX).min(self.steps.max(1))
    }

    /// The step of a time in milliseconds; `None` before the first.
    fn step_of(self, time: i64) -> Option<usize> {
        usize::try_from((time - self.start * 1_000).div_euclid(self.step * 1_000)).ok()
    }
}

/// Which windows of a stretch were met.
#[derive(Default, Debug)]
pub(super) struct Seen {
    /// Minutes of an hour, and quarters of a day.
    few: [u64; 2],
    more: Vec<u64>,
}

impl Seen {
    /// Takes note of a window; `false` when a later piece had it.
    #[inline]
    pub(super) fn is_new(&mut self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, 1_u64 << (index % 64));
        let Some(seen) = self.few.get_mut(word).or_else(|| of_more(&mut self.more, word)) else { return false };
        let is_new = *seen & bit == 0;
        *seen |= bit;
        is_new
    }

    fn clear(&mut self) {
        self.few = [0; 2];
        self.more.clear();
    }
}

#[cold]
fn of_more(more: &mut Vec<u64>, word: usize) -> Option<&mut u64> {
    if word >= MOST_WINDOWS as usize / 64 {
        return None;
    }
    let place = word.saturating_sub(2);
    if more.len() <= place {
        more.resize(place + 1, 0);
    }
    more.get_mut(place)
}

/// Streams of one drain and length of windows, by the hashes of their keys: a key is hashed once, also where it is new.
type Known = HashMap<u64, usize, BuildHasherDefault<AsItIs>>;

/// The hash of what is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A stream that was met.
struct Stream {
    key: Box<[u8]>,
    /// Another one whose key has the same hash.
    other: Option<usize>,
    line: Option<usize>,
    /// The stretch for which `seen` holds.
    of: Stretch,
    seen: Seen,
}

/// No step of an answer.
const NO_SLOT: u16 = u16::MAX;

/// Which slot each window of a stretch is in; behind it there are none.
struct Slots {
    stretch: Stretch,
    /// Of a window, in milliseconds.
    len: i64,
    known: Vec<u16>,
}

impl Slots {
    const NONE: Self = Self { stretch: NO_STRETCH, len: 1, known: Vec::new() };

    fn of(stretch: Stretch, len: i64, (grid, width): (Grid, usize), fresh: &BTreeSet<i64>) -> Self {
        let mut slots = Self { stretch, len, known: Vec::new() };
        let windows = ((stretch.to - stretch.from) * HOUR + len - 1) / len;
        let windows = u32::try_from(windows).unwrap_or(u32::MAX).min(MOST_WINDOWS);
        let slot_of = |index| {
            let start = slots.start(index);
            let is_left_out = stretch.level != MINUTES && fresh.contains(&start.div_euclid(HOUR));
            let step = grid.step_of(start).filter(|step| *step < grid.steps && !is_left_out);
            step.and_then(|step| u16::try_from(step % width).ok()).unwrap_or(NO_SLOT)
        };
        slots.known = (0..windows).map(slot_of).collect();
        slots
    }

    /// When a window begins, in milliseconds.
    #[inline]
    fn start(&self, index: u32) -> i64 {
        self.stretch.from * HOUR + i64::from(index) * self.len
    }
}

const NO_STRETCH: Stretch = Stretch { level: MINUTES, from: i64::MIN, to: i64::MIN };

/// What the steps of a line hold that are not over: a slot for each.
struct Cells {
    /// Small counts, which are added to the others in the end. There are none of what is no count.
    counts: Box<[RowCounts]>,
    /// None of them before the first that is not small.
    sums: Box<[Option<RowState>]>,
}

impl Cells {
    fn new(kind: Kind, width: usize) -> Self {
        let width = if kind == Kind::Count { width } else { 0 };
        Self { counts: vec![RowCounts::default(); width].into(), sums: Box::default() }
    }

    /// Adds a row to a slot.
    #[inline]
    fn add(&mut self, (slot, width): (usize, usize), start: i64, state: &[u8], with_sketch: bool) {
        if self.counts.get_mut(slot).is_some_and(|sum| sum.add_packed(state)) {
            return;
        }
        if self.sums.is_empty() {
            self.sums = std::iter::repeat_with(|| None).take(width).collect();
        }
        if let Some(sum) = self.sums.get_mut(slot) {
            let _ = RowState::add_packed(sum, at(start), state, with_sketch);
        }
    }

    /// What a slot holds, which is empty then.
    fn take(&mut self, slot: usize) -> Option<RowState> {
        let mut sum = self.sums.get_mut(slot).and_then(Option::take);
        if let Some(count) = self.counts.get_mut(slot) {
            count.add_to(&mut sum);
        }
        sum
    }
}

/// Where rows are added up.
pub(super) struct Sums<'a> {
    asked: &'a Asked,
    grid: Grid,
    /// Hours of which the levels above do not have all.
    fresh: &'a BTreeSet<i64>,
    most: usize,
    with_sketch: bool,
    /// Pieces that were gone through.
    pieces: usize,
    /// What is drawn: the kind and the unit of the first stream.
    pub(super) leading: Option<(Kind, String)>,
    /// Streams by drain and length of windows.
    known: HashMap<(i64, i64), Known>,
    hasher: RandomState,
    streams: Vec<Stream>,
    pub(super) lines: Vec<Line>,
    /// Of each line.
    pub(super) drains: Vec<BTreeSet<i64>>,
    cells: Vec<Cells>,
    by_group: HashMap<Box<[u8]>, usize>,
    /// That of the stream that was met last.
    group: Vec<u8>,
    /// Lines that found no room.
    more: HashSet<Box<[u8]>>,
    /// Slots of a line: step `n` is in slot `n % width` until it is over.
    width: usize,
    /// Steps from this one on are over: they were told.
    open: usize,
    slots: Slots,
}

impl<'a> Sums<'a> {
    /// `hours` are those of a stretch.
    pub(super) fn new(asked: &'a Asked, grid: Grid, hours: i64, most_lines: usize, fresh: &'a BTreeSet<i64>) -> Self {
        let with_sketch = matches!(asked.function, Function::Quantile(_) | Function::Deviation);
        let width = grid.within(hours);
        let most = if with_sketch { MOST_SKETCHES } else { MOST_SUMS } / width;
        Self {
            asked,
            grid,
            fresh,
            most: most_lines.min(most).max(1),
            with_sketch,
            pieces: 0,
            leading: None,
            known: HashMap::new(),
            hasher: RandomState::new(),
            streams: Vec::new(),
            lines: Vec::new(),
            drains: Vec::new(),
            cells: Vec::new(),
            by_group: HashMap::new(),
            group: Vec::new(),
            more: HashSet::new(),
            width,
            open: grid.steps,
            slots: Slots::NONE,
        }
    }

    /// How many lines found no room.
    pub(super) fn more(&self) -> usize {
        self.more.len()
    }

    /// Adds what a piece has, but for the hours of which others have all.
    pub(super) fn piece(&mut self, piece: &Piece, stretch: Stretch) -> Result<(), MinutesError> {
        let base = u32::try_from((piece.hour - stretch.from) * HOUR / piece.len).unwrap_or(0);
        let mut known = self.known.remove(&(piece.drain, piece.len)).unwrap_or_default();
        if (self.slots.stretch, self.slots.len) != (stretch, piece.len) {
            self.slots = Slots::of(stretch, piece.len, (self.grid, self.width), self.fresh);
        }
        let mut key = Key::NONE;
        for run in block::streams(&piece.block) {
            let hash = self.hasher.hash_one(run.key);
            let number = match self.find(&known, hash, run.key) {
                Some(number) => number,
                None => self.stream(&mut known, (piece.drain, hash), run.key, &mut key)?,
            };
            let Some((line, seen)) = self.streams.get_mut(number).and_then(|stream| stream.begin(stretch)) else {
                continue;
            };
            let (Some(cells), slots) = (self.cells.get_mut(line), &self.slots) else { continue };
            for (index, state) in run.rows() {
                let index = index.saturating_add(base);
                let Some(slot) = slots.known.get(index as usize).copied() else { continue };
                if slot != NO_SLOT && seen.is_new(index) {
                    cells.add((usize::from(slot), self.width), slots.start(index), state, self.with_sketch);
                }
            }
        }
        self.known.insert((piece.drain, piece.len), known);
        self.pieces += 1;
        if self.with_sketch && self.pieces.is_multiple_of(LOOKED_AT) {
            let sums = self.cells.iter().flat_map(|cells| &cells.sums).flatten();
            if sums.map(RowState::heap_bytes).sum::<usize>() > MOST_BYTES {
                return Err(MinutesError::TooMuch(
                    "so many percentiles at a time would take too much memory: ask for fewer lines",
                ));
            }
        }
        Ok(())
    }

    /// Adds a row that is open, when no piece of the stretch has it; `start` is in milliseconds.
    pub(super) fn open_row(
        &mut self,
        (drain, len): (i64, i64),
        key: &[u8],
        (start, state): (i64, &[u8]),
        stretch: Stretch,
    ) -> Result<(), MinutesError> {
        let mut known = self.known.remove(&(drain, len)).unwrap_or_default();
        let hash = self.hasher.hash_one(key);
        let number = match self.find(&known, hash, key) {
            Some(number) => number,
            None => {
                let mut read = Key::NONE;
                self.stream(&mut known, (drain, hash), key, &mut read)?
            }
        };
        self.known.insert((drain, len), known);
        let index = u32::try_from((start - stretch.from * HOUR) / len).unwrap_or(u32::MAX);
        let step = self.grid.step_of(start).filter(|step| *step < self.open);
        if let Some((line, seen)) = self.streams.get_mut(number).and_then(|stream| stream.begin(stretch))
            && seen.is_new(index)
            && let (Some(cells), Some(step)) = (self.cells.get_mut(line), step)
        {
            cells.add((step % self.width, self.width), start, state, self.with_sketch);
        }
        Ok(())
    }

    /// A stream that was met before.
    fn find(&self, known: &Known, hash: u64, key: &[u8]) -> Option<usize> {
        let mut number = *known.get(&hash)?;
        loop {
            let stream = self.streams.get(number)?;
            if *stream.key == *key {
                return Some(number);
            }
            number = stream.other?;
        }
    }

    /// A stream that was not met before.
    fn stream<'k>(
        &mut self,
        known: &mut Known,
        (drain, hash): (i64, u64),
        bytes: &'k [u8],
        key: &mut Key<'k>,
    ) -> Result<usize, MinutesError> {
        if self.streams.len() >= MOST_STREAMS {
            return Err(MinutesError::TooMuch("more streams than one question can go through: narrow it down by tags"));
        }
        let is_wanted = key.read(bytes).is_some() && is_selected(key, &self.asked.selectors);
        let line = if is_wanted { self.line(key) } else { None };
        if let Some(drains) = line.and_then(|line| self.drains.get_mut(line)) {
            drains.insert(drain);
        }
        let other = known.insert(hash, self.streams.len());
        self.streams.push(Stream { key: bytes.into(), other, line, of: NO_STRETCH, seen: Seen::default() });
        Ok(self.streams.len() - 1)
    }

    fn line(&mut self, key: &Key<'_>) -> Option<usize> {
        let group = &mut self.group;
        put_group(key, &self.asked.grouping, group);
        let leading = self.leading.get_or_insert_with(|| (key.kind, key.unit.to_owned()));
        let is_alike = leading.0 == key.kind && leading.1 == key.unit;
        // What grew is known of each stream alone.
        let known = self.by_group.get(group.as_slice()).filter(|_| self.asked.function != Function::Derivative);
        match known {
            Some(line) if is_alike => Some(*line),
            None if is_alike && self.lines.len() < self.most => {
                self.by_group.insert(group.as_slice().into(), self.lines.len());
                self.lines.push(Line { tags: line(key, &self.asked.grouping), values: vec![None; self.grid.steps] });
                self.drains.push(BTreeSet::new());
                self.cells.push(Cells::new(key.kind, self.width));
                Some(self.lines.len() - 1)
            }
            _ => {
                if !self.more.contains(group.as_slice()) {
                    self.more.insert(group.as_slice().into());
                }
                None
            }
        }
    }

    /// Steps from this hour on get nothing more; in those from `to` on there is nothing but what was told before.
    pub(super) fn finish(&mut self, from: i64, to: i64) {
        let Grid { start, step, .. } = self.grid;
        let at_or_after = |hour: i64| {
            let step = (hour.saturating_mul(3_600).saturating_sub(start).saturating_add(step - 1)).div_euclid(step);
            usize::try_from(step.max(0)).unwrap_or(usize::MAX)
        };
        let end = at_or_after(to).min(self.open);
        let first = at_or_after(from).min(end);
        // There are no more than there are slots.
        let held = first.max(end.saturating_sub(self.width))..end;
        for (cells, line) in self.cells.iter_mut().zip(&mut self.lines) {
            for nth in held.clone() {
                if let (Some(sum), Some(value)) = (cells.take(nth % self.width), line.values.get_mut(nth)) {
                    *value = value_of(self.asked.function, &sum, step);
                }
            }
        }
        self.open = first;
    }
}

impl Stream {
    /// Its line, when its rows are wanted, and which of them were seen; forgets those where another stretch begins.
    fn begin(&mut self, stretch: Stretch) -> Option<(usize, &mut Seen)> {
        let line = self.line?;
        if self.of != stretch {
            self.of = stretch;
            self.seen.clear();
        }
        Some((line, &mut self.seen))
    }
}

fn value_of(function: Function, sum: &RowState<MinuteSketch>, step: i64) -> Option<f64> {
    let (count, total) = sum.count_and_sum();
    match function {
        Function::Count => Some(count as f64),
        Function::Sum => Some(total),
        Function::Rate => Some(total * 60.0 / step as f64),
        Function::Avg => (count > 0).then(|| total / count as f64),
        Function::Max => sum.stats().max(),
        Function::Min => sum.stats().min(),
        Function::Last | Function::Derivative => sum.stats().last(),
        Function::Deviation => deviation(&sum.sketch()?.counts()),
        Function::Quantile(quantile) => {
            let sketch = sum.sketch()?;
            let rank = (quantile.clamp(0.0, 1.0) * sketch.count() as f64).ceil();
            sketch.at_rank((rank as u64).max(1))
        }
    }
}

/// The standard deviation of values, each with how often it was counted.
fn deviation(counts: &[(f64, u64)]) -> Option<f64> {
    let all: f64 = counts.iter().map(|(_, count)| *count as f64).sum();
    let mean = counts.iter().map(|(value, count)| value * *count as f64).sum::<f64>() / all;
    let squares: f64 = counts.iter().map(|(value, count)| (value - mean).powi(2) * *count as f64).sum();
    (all > 0.0).then(|| (squares / all).sqrt())
}

#[cfg(test)]
mod tests;
