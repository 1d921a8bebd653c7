//! What one window holds: a cell for each stream that was seen in it.

mod cell;
pub(crate) mod staging;
mod state;
mod writing;

use cell::{Cell, Owner};
use writing::Due;
pub(crate) use writing::Writing;

use crate::gauge::{Gauge, Term};
use crate::lists::chunks::Chunks;
use crate::lists::table::{self, Table};
use crate::sketch::Sketch;
use crate::stream_key::Form;
use crate::streams::Place;
use metric_model::Window;

/// A window that is open, or kept for revision. Its streams are sparse: a replay may hold thousands of windows that saw
/// a few streams each.
///
/// The cells stand in the order in which their streams came, so that those of one line are neighbours. Each stream
/// remembers where its cells of the newest windows are; the table, for all others, is filled only when it is asked.
#[derive(Clone, Debug)]
pub(crate) struct OpenWindow<S> {
    window: Window,
    /// Tells it from every other window of the aggregator, for streams that remember their cell.
    serial: u32,
    /// Whether any cell changed since it was written, or since the writing began.
    changed: bool,
    /// Octets in use, at most.
    bytes: usize,
    cells: Chunks<Cell<S>>,
    table: Table,
    /// So many cells are in the table.
    indexed: usize,
}

/// Stream ids are given out one after the other, so that a multiplication by an odd constant (2^32 over the golden
/// ratio) and a shift down spreads any run of them; no one outside chooses an id.
fn spread(stream: u32) -> u32 {
    let mixed = stream.wrapping_mul(0x9E37_79B9);
    mixed ^ (mixed >> 15)
}

impl<S: Sketch> OpenWindow<S> {
    /// An empty window; no other has its serial number, which is not 0.
    pub(crate) fn new(window: Window, serial: u32) -> Self {
        Self {
            window,
            serial,
            changed: false,
            bytes: Self::EMPTY_BYTES,
            cells: Chunks::default(),
            table: Table::default(),
            indexed: 0,
        }
    }

    pub(crate) fn window(&self) -> Window {
        self.window
    }

    pub(crate) fn serial(&self) -> u32 {
        self.serial
    }

    /// Gives it another serial number.
    pub(crate) fn set_serial(&mut self, serial: u32) {
        self.serial = serial;
    }

    /// Octets of a window without cells, at most: with its place among the others, the first four places of the list,
    /// and the first slots.
    const EMPTY_BYTES: usize = 3 * size_of::<Self>() + 4 * size_of::<Cell<S>>() + table::FIRST_BYTES;

    /// Octets a cell takes at most: lists have up to twice their length in reserve; and its place in the order of
    /// output, while it is written.
    const CELL_BYTES: usize = 2 * size_of::<Cell<S>>() + table::BYTES_AN_ID + size_of::<Due>();

    /// The most octets that one observation may add.
    pub(crate) fn max_growth() -> usize {
        Self::EMPTY_BYTES + Self::CELL_BYTES + Cell::<S>::max_growth()
    }

    /// Adds the terms of one stream, whose cell the caller may know; answers the place of the cell when it is new.
    #[inline]
    pub(crate) fn add(
        &mut self,
        stream: u32,
        form: Form,
        place: Place,
        terms: impl Iterator<Item = Term>,
    ) -> Option<u32> {
        self.changed = true;
        let known = self.known(stream, place);
        let (at, is_new) = known.map_or_else(|| (self.push(Cell::new(stream, form)), true), |at| (at, false));
        let cell = self.cells.get_mut(at as usize)?;
        // The list of values is longer than the first counters that follow it.
        let before = if is_new { 0 } else { cell.bytes() };
        cell.add(terms);
        self.bytes = (self.bytes + cell.bytes()).saturating_sub(before);
        is_new.then_some(at)
    }

    /// Adds what others have summed of one stream; else as [`add`](Self::add).
    pub(crate) fn add_summary(&mut self, stream: u32, form: Form, place: Place, summary: &Gauge) -> Option<u32> {
        self.changed = true;
        let known = self.known(stream, place);
        let (at, is_new) = known.map_or_else(|| (self.push(Cell::new(stream, form)), true), |at| (at, false));
        let cell = self.cells.get_mut(at as usize)?;
        let before = if is_new { 0 } else { cell.bytes() };
        cell.add_summary(summary);
        self.bytes = (self.bytes + cell.bytes()).saturating_sub(before);
        is_new.then_some(at)
    }

    /// Whether any cell holds what others have summed, so that it has no percentiles.
    pub(crate) fn has_summed(&self) -> bool {
        self.cells.iter().any(|cell| cell.summed().is_some())
    }

    /// The place of a stream's cell, if it has one.
    #[inline]
    fn known(&mut self, stream: u32, place: Place) -> Option<u32> {
        match place {
            Place::At(at) => Some(at),
            Place::New => None,
            Place::Unknown => self.find(stream),
        }
    }

    /// Adds the cell of a stream that has none.
    fn push(&mut self, cell: Cell<S>) -> u32 {
        let at = self.cells.len() as u32;
        self.cells.push(cell);
        self.bytes += Self::CELL_BYTES;
        at
    }

    /// The cell of a stream that does not remember it.
    #[cold]
    fn find(&mut self, stream: u32) -> Option<u32> {
        while let Some(cell) = self.cells.get(self.indexed) {
            self.table.insert(spread(cell.owner.stream), self.indexed as u32);
            self.indexed += 1;
        }
        let is = |at| self.cells.get(at as usize).is_some_and(|cell| cell.owner.stream == stream);
        self.table.find(spread(stream), is)
    }

    /// Reads a word of a cell, for nothing but that its memory is on its way when it is asked for again.
    #[inline]
    pub(crate) fn touch(&self, at: u32) -> u64 {
        self.cells.get(at as usize).map_or(0, |cell| u64::from(cell.owner.stream))
    }

    /// The same for what stands apart from it.
    #[inline]
    pub(crate) fn touch_rest(&self, at: u32) -> u64 {
        self.cells.get(at as usize).map_or(0, Cell::touch)
    }

    /// Whether there is anything to write.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    /// Each cell's place and stream.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (u32, u32)> {
        (0..).zip(self.cells.iter()).map(|(at, cell)| (at, cell.owner.stream))
    }

    /// Octets in use, at most: by the contents alone, so that equal contents are equal here.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts the octets anew.
    fn measure(&mut self) {
        let besides: usize = self.cells.iter().map(Cell::bytes).sum();
        self.bytes = Self::EMPTY_BYTES + self.cells.len() * Self::CELL_BYTES + besides;
    }

    /// Takes a cell out, and answers whose it was; for a window that is no longer needed.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        self.cells.pop().map(|cell| cell.owner.stream)
    }
}
