//! What one window holds: a cell for each stream that was seen in it.

mod state;
mod writing;

use writing::Due;
pub(crate) use writing::Writing;

use crate::Sketch;
use crate::chunks::Chunks;
use crate::key::Form;
use crate::sum::Sum;
use crate::table::{self, Table};
use metric_model::{Stats, Window};

/// A window that is open, or kept for revision. Its streams are sparse: a replay may hold thousands of windows that saw
/// a few streams each.
#[derive(Clone, Debug)]
pub(crate) struct OpenWindow<S> {
    window: Window,
    /// Tells it from every other window of the aggregator, for streams that remember their cell.
    serial: u64,
    /// Whether any cell changed since it was written, or since the writing began.
    changed: bool,
    /// Octets in use, at most.
    bytes: usize,
    totals: Cells<Total>,
    gauges: Cells<Gauge>,
    distributions: Cells<Distribution<S>>,
}

/// The cells of one form, found by the stream's id.
#[derive(Clone, Debug)]
struct Cells<C> {
    table: Table,
    cells: Chunks<Owned<C>>,
}

/// A cell, whose it is, and what was written of it.
#[derive(Clone, Debug)]
struct Owned<C> {
    owner: Owner,
    cell: C,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    stream: u32,
    /// Twice the number of times that it was written, and one more when it changed since.
    written: u32,
}

impl Owner {
    const fn new(stream: u32, written: u32, changed: bool) -> Self {
        Self { stream, written: written << 1 | changed as u32 }
    }

    const fn is_changed(self) -> bool {
        self.written & 1 == 1
    }

    /// The revision that the next point is.
    const fn revision(self) -> u32 {
        self.written >> 1
    }

    const fn set_changed(&mut self) {
        self.written |= 1;
    }

    const fn set_written(&mut self) {
        if self.is_changed() {
            self.written = self.written.saturating_add(1);
        }
    }

    /// Takes the last `set_written` back.
    const fn set_unwritten(&mut self) {
        self.written = (self.written >> 1).saturating_sub(1) << 1 | 1;
    }
}

/// One observation on its way into a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) value: f64,
    pub(crate) time: i64,
    pub(crate) position: u64,
}

#[derive(Clone, Copy, Default, Debug)]
struct Total {
    sum: Sum,
    count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Gauge {
    total: Total,
    min: f64,
    max: f64,
    last: Term,
}

#[derive(Clone, Debug)]
struct Distribution<S> {
    gauge: Gauge,
    sketch: S,
}

impl<C> Default for Cells<C> {
    fn default() -> Self {
        Self { table: Table::default(), cells: Chunks::default() }
    }
}

impl<C> Cells<C> {
    fn find(&self, stream: u32) -> Option<u32> {
        let is = |at| self.cells.get(at as usize).is_some_and(|cell: &Owned<C>| cell.owner.stream == stream);
        self.table.find(spread(stream), is)
    }

    /// The cell of a stream, its place, and whether it is new. `known` is its place if the caller remembers it.
    #[inline]
    fn cell(&mut self, stream: u32, known: Option<u32>, new: impl FnOnce() -> C) -> Option<(&mut C, u32, bool)> {
        let known = known.or_else(|| self.find(stream));
        let at = known.unwrap_or_else(|| {
            let at = self.cells.len() as u32;
            self.table.insert(spread(stream), at);
            self.cells.push(Owned { owner: Owner::new(stream, 0, true), cell: new() });
            at
        });
        let owned = self.cells.get_mut(at as usize)?;
        owned.owner.set_changed();
        Some((&mut owned.cell, at, known.is_none()))
    }

    fn owner_mut(&mut self, at: u32) -> Option<&mut Owner> {
        self.cells.get_mut(at as usize).map(|owned| &mut owned.owner)
    }

    /// Takes the last cell out, and answers whose it was.
    fn pop(&mut self) -> Option<u32> {
        self.cells.pop().map(|owned| owned.owner.stream)
    }

    /// Octets a cell takes at most: lists have up to twice their length in reserve; and its place in the order of
    /// output, while it is written.
    const CELL_BYTES: usize = 2 * size_of::<Owned<C>>() + table::BYTES_AN_ID + size_of::<Due>();

    /// Octets of the first four places of the list, and the first slots.
    const EMPTY_BYTES: usize = 4 * size_of::<Owned<C>>() + table::FIRST_BYTES;
}

/// Stream ids are given out one after the other, so that a multiplication by an odd constant (2^32 over the golden
/// ratio) and a shift down spreads any run of them; no one outside chooses an id.
fn spread(stream: u32) -> u32 {
    let mixed = stream.wrapping_mul(0x9E37_79B9);
    mixed ^ (mixed >> 15)
}

impl Total {
    fn add(&mut self, value: f64) {
        self.sum.add(value);
        self.count = self.count.saturating_add(1);
    }
}

impl Gauge {
    fn new() -> Self {
        let first = Term { value: 0.0, time: i64::MIN, position: 0 };
        Self { total: Total::default(), min: f64::INFINITY, max: f64::NEG_INFINITY, last: first }
    }

    #[inline]
    fn add(&mut self, term: &Term) {
        if term.time > self.last.time || self.total.count == 0 || self.last.is_before(term) {
            self.last = *term;
        }
        self.total.add(term.value);
        if term.value < self.min {
            self.min = term.value;
        }
        if term.value > self.max {
            self.max = term.value;
        }
    }

    fn stats(&self) -> Stats {
        Stats::sample(self.total.count, self.total.sum.value(), self.min, self.max, self.last.value)
    }
}

impl Term {
    /// By event time, then position in the input; two nodes may have given one position twice, so that the value
    /// decides last.
    fn is_before(&self, other: &Self) -> bool {
        let times = (self.time, self.position).cmp(&(other.time, other.position));
        times.then(self.value.total_cmp(&other.value)).is_lt()
    }
}

impl<S: Sketch> OpenWindow<S> {
    /// An empty window; no other has its serial number, which is not 0.
    pub(crate) fn new(window: Window, serial: u64) -> Self {
        Self {
            window,
            serial,
            changed: false,
            bytes: Self::EMPTY_BYTES,
            totals: Cells::default(),
            gauges: Cells::default(),
            distributions: Cells::default(),
        }
    }

    pub(crate) fn window(&self) -> Window {
        self.window
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// Octets of a window without cells, at most, with its place among the others.
    const EMPTY_BYTES: usize = 3 * size_of::<Self>()
        + Cells::<Total>::EMPTY_BYTES
        + Cells::<Gauge>::EMPTY_BYTES
        + Cells::<Distribution<S>>::EMPTY_BYTES;

    /// The most octets that one observation may add.
    pub(crate) fn max_growth() -> usize {
        Self::EMPTY_BYTES + Cells::<Distribution<S>>::CELL_BYTES + S::max_growth()
    }

    /// Adds the terms of one stream, whose cell the caller may remember; answers the place of the cell, and whether it
    /// is new.
    #[inline]
    pub(crate) fn add(
        &mut self,
        stream: u32,
        form: Form,
        known: Option<u32>,
        terms: impl Iterator<Item = Term>,
    ) -> Option<(u32, bool)> {
        self.changed = true;
        match form {
            Form::Total => {
                let (total, at, is_new) = self.totals.cell(stream, known, Total::default)?;
                terms.for_each(|term| total.add(term.value));
                self.bytes += if is_new { Cells::<Total>::CELL_BYTES } else { 0 };
                Some((at, is_new))
            }
            Form::Gauge => {
                let (gauge, at, is_new) = self.gauges.cell(stream, known, Gauge::new)?;
                terms.for_each(|term| gauge.add(&term));
                self.bytes += if is_new { Cells::<Gauge>::CELL_BYTES } else { 0 };
                Some((at, is_new))
            }
            Form::Distribution(precision) => {
                let empty = || Distribution { gauge: Gauge::new(), sketch: S::with_precision(precision) };
                let (cell, at, is_new) = self.distributions.cell(stream, known, empty)?;
                let before = if is_new { 0 } else { cell.sketch.heap_bytes() };
                terms.for_each(|term| {
                    cell.gauge.add(&term);
                    cell.sketch.record(term.value);
                });
                // The list of values is longer than the first counters that follow it.
                self.bytes = (self.bytes + cell.sketch.heap_bytes()).saturating_sub(before);
                self.bytes += if is_new { Cells::<Distribution<S>>::CELL_BYTES } else { 0 };
                Some((at, is_new))
            }
        }
    }

    /// Reads a word of a cell, for nothing but that its memory is on its way when it is asked for again.
    #[inline]
    pub(crate) fn touch(&self, form: Form, at: u32) -> u64 {
        let at = at as usize;
        match form {
            Form::Total => self.totals.cells.get(at).map(|owned| owned.cell.count),
            Form::Gauge => self.gauges.cells.get(at).map(|owned| owned.cell.total.count),
            Form::Distribution(_) => self
                .distributions
                .cells
                .get(at)
                .map(|owned| owned.cell.gauge.total.count ^ owned.cell.sketch.heap_bytes() as u64),
        }
        .unwrap_or_default()
    }

    /// Whether there is anything to write.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    fn owners(&self) -> impl Iterator<Item = Owner> {
        let totals = self.totals.cells.iter().map(|owned| owned.owner);
        let gauges = self.gauges.cells.iter().map(|owned| owned.owner);
        totals.chain(gauges).chain(self.distributions.cells.iter().map(|owned| owned.owner))
    }

    /// How many streams it saw.
    pub(crate) fn len(&self) -> usize {
        self.totals.cells.len() + self.gauges.cells.len() + self.distributions.cells.len()
    }

    /// Octets in use, at most: by the contents alone, so that equal contents are equal here.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts the octets anew.
    fn measure(&mut self) {
        let sketches: usize = self.distributions.cells.iter().map(|owned| owned.cell.sketch.heap_bytes()).sum();
        self.bytes = Self::EMPTY_BYTES
            + self.totals.cells.len() * Cells::<Total>::CELL_BYTES
            + self.gauges.cells.len() * Cells::<Gauge>::CELL_BYTES
            + self.distributions.cells.len() * Cells::<Distribution<S>>::CELL_BYTES
            + sketches;
    }

    /// Takes a cell out, and answers whose it was; for a window that is no longer needed.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        self.distributions.pop().or_else(|| self.gauges.pop()).or_else(|| self.totals.pop())
    }
}

impl Total {
    fn stats(&self) -> Stats {
        Stats::count(self.count, self.sum.value())
    }
}

impl<S: Sketch> Distribution<S> {
    fn stats(&self) -> Stats {
        match self.sketch.percentiles() {
            Some(percentiles) => self.gauge.stats().with_percentiles(percentiles),
            None => self.gauge.stats(),
        }
    }
}
