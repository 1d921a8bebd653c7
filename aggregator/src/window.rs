//! What one window holds: a cell for each stream that was seen in it.

mod state;

use crate::Sketch;
use crate::key::{Form, Key, Streams};
use crate::sum::Sum;
use crate::table::{self, Table};
use metric_model::{DataPoint, Sink, Stats, Window};

/// A window that is open, or kept for revision. Its streams are sparse: a replay may hold thousands of windows that saw a few streams each.
#[derive(Clone, Debug)]
pub(crate) struct OpenWindow<S> {
    window: Window,
    /// Whether any cell changed since it was written.
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
    owners: Vec<Owner>,
    cells: Vec<C>,
}

/// Whose cell it is and what was written of it, beside the cell rather than in it, which would pad every cell.
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
        Self { table: Table::default(), owners: Vec::new(), cells: Vec::new() }
    }
}

impl<C> Cells<C> {
    fn find(&self, stream: u32) -> Option<u32> {
        let is = |at| self.owners.get(at as usize).is_some_and(|owner: &Owner| owner.stream == stream);
        self.table.find(spread(stream), is)
    }

    /// The cell of a stream, and whether it is new.
    fn cell(&mut self, stream: u32, new: impl FnOnce() -> C) -> Option<(&mut C, bool)> {
        let known = self.find(stream);
        let at = known.unwrap_or_else(|| {
            let at = self.cells.len() as u32;
            self.table.insert(spread(stream), at);
            self.owners.push(Owner::new(stream, 0, true));
            self.cells.push(new());
            at
        });
        self.owners.get_mut(at as usize)?.set_changed();
        Some((self.cells.get_mut(at as usize)?, known.is_none()))
    }

    fn changed(&self) -> impl Iterator<Item = (Owner, &C)> {
        self.owners.iter().copied().zip(&self.cells).filter(|(owner, _)| owner.is_changed())
    }

    fn set_written(&mut self) {
        self.owners.iter_mut().for_each(Owner::set_written);
    }

    /// Octets a cell takes at most: lists have up to twice their length in reserve.
    const CELL_BYTES: usize = 2 * (size_of::<Owner>() + size_of::<C>()) + table::BYTES_AN_ID;

    /// Octets of the first four places of each list, and the first slots.
    const EMPTY_BYTES: usize = 4 * (size_of::<Owner>() + size_of::<C>()) + table::FIRST_BYTES;
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

    fn add(&mut self, term: &Term) {
        if self.total.count == 0 || self.last.is_before(term) {
            self.last = *term;
        }
        self.total.add(term.value);
        self.min = self.min.min(term.value);
        self.max = self.max.max(term.value);
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
    pub(crate) fn new(window: Window) -> Self {
        Self {
            window,
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

    /// Octets of a window without cells, at most, with its place among the others.
    const EMPTY_BYTES: usize = 3 * size_of::<Self>()
        + Cells::<Total>::EMPTY_BYTES
        + Cells::<Gauge>::EMPTY_BYTES
        + Cells::<Distribution<S>>::EMPTY_BYTES;

    /// The most octets that one observation may add.
    pub(crate) fn max_growth() -> usize {
        Self::EMPTY_BYTES + Cells::<Distribution<S>>::CELL_BYTES + S::max_growth()
    }

    /// Adds the terms of one stream; answers whether the stream is new here.
    pub(crate) fn add<'t>(&mut self, stream: u32, form: Form, terms: impl Iterator<Item = &'t Term>) -> bool {
        self.changed = true;
        match form {
            Form::Total => self.totals.cell(stream, Total::default).is_some_and(|(total, new)| {
                terms.for_each(|term| total.add(term.value));
                self.bytes += if new { Cells::<Total>::CELL_BYTES } else { 0 };
                new
            }),
            Form::Gauge => self.gauges.cell(stream, Gauge::new).is_some_and(|(gauge, new)| {
                terms.for_each(|term| gauge.add(term));
                self.bytes += if new { Cells::<Gauge>::CELL_BYTES } else { 0 };
                new
            }),
            Form::Distribution(precision) => {
                let empty = || Distribution { gauge: Gauge::new(), sketch: S::with_precision(precision) };
                self.distributions.cell(stream, empty).is_some_and(|(cell, new)| {
                    let before = if new { 0 } else { cell.sketch.heap_bytes() };
                    terms.for_each(|term| {
                        cell.gauge.add(term);
                        cell.sketch.record(term.value);
                    });
                    // The list of values is longer than the first counters that follow it.
                    self.bytes = (self.bytes + cell.sketch.heap_bytes()).saturating_sub(before);
                    self.bytes += if new { Cells::<Distribution<S>>::CELL_BYTES } else { 0 };
                    new
                })
            }
        }
    }

    /// Writes what changed since the last time, in the order of the output, until a point is refused: then nothing
    /// counts as written.
    pub(crate) fn write<K: Sink>(&mut self, streams: &Streams, sink: &mut K) -> Result<(), K::Error> {
        if !self.changed {
            return Ok(());
        }
        let mut order: Vec<(u32, Owner, Cell<'_, S>)> = Vec::with_capacity(self.len());
        let rank = |owner: Owner| streams.rank(owner.stream);
        order.extend(self.totals.changed().map(|(owner, cell)| (rank(owner), owner, Cell::Total(cell))));
        order.extend(self.gauges.changed().map(|(owner, cell)| (rank(owner), owner, Cell::Gauge(cell))));
        order.extend(self.distributions.changed().map(|(owner, cell)| (rank(owner), owner, Cell::Distribution(cell))));
        order.sort_unstable_by_key(|(rank, ..)| *rank);
        for (_, owner, cell) in order {
            if let Some(Key { name, kind, unit, tags }) = streams.key(owner.stream) {
                let point = DataPoint::new(self.window, kind, name, unit, tags, cell.stats());
                sink.write(&point.with_revision(owner.revision()))?;
            }
        }
        self.changed = false;
        self.totals.set_written();
        self.gauges.set_written();
        self.distributions.set_written();
        Ok(())
    }

    /// Whether there is anything to write.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    /// All streams that it holds a cell of.
    pub(crate) fn streams(&self) -> impl Iterator<Item = u32> {
        self.owners().map(|owner| owner.stream)
    }

    fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.totals.owners.iter().chain(&self.gauges.owners).chain(&self.distributions.owners)
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
        let sketches: usize = self.distributions.cells.iter().map(|cell| cell.sketch.heap_bytes()).sum();
        self.bytes = Self::EMPTY_BYTES
            + self.totals.cells.len() * Cells::<Total>::CELL_BYTES
            + self.gauges.cells.len() * Cells::<Gauge>::CELL_BYTES
            + self.distributions.cells.len() * Cells::<Distribution<S>>::CELL_BYTES
            + sketches;
    }
}

enum Cell<'a, S> {
    Total(&'a Total),
    Gauge(&'a Gauge),
    Distribution(&'a Distribution<S>),
}

impl<S: Sketch> Cell<'_, S> {
    fn stats(&self) -> Stats {
        match self {
            Self::Total(total) => Stats::count(total.count, total.sum.value()),
            Self::Gauge(gauge) => gauge.stats(),
            Self::Distribution(cell) => match cell.sketch.percentiles() {
                Some(percentiles) => cell.gauge.stats().with_percentiles(percentiles),
                None => cell.gauge.stats(),
            },
        }
    }
}
