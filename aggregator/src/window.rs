//! What one window holds: a cell for each row that was seen in it.

mod batch;
mod cell;
mod records;
pub(crate) mod staging;
mod state;
mod writing;

pub(crate) use batch::{Batch, Instant};
use cell::{Cell, Owner};
use writing::Due;
pub(crate) use writing::Writing;

use crate::gauge::Gauge;
use crate::lists::chunks::Chunks;
use crate::lists::table::{self, Table};
use crate::sketch::Sketch;
use crate::stream_key::{Forms, Mask};
use crate::streams::{Spot, StreamId};
use metric_model::Window;

/// A window that is open, or kept for revision. Its rows are sparse: a replay may hold thousands of windows that saw
/// a few rows each.
///
/// The cells stand in the order in which their rows came. Each row remembers where its cells of the newest windows are; the
/// table, for all others, is filled only when it is asked.
#[derive(Clone, Debug)]
pub(crate) struct OpenWindow<S> {
    window: Window,
    /// Tells it from every other window of the aggregator, for rows that remember their cell.
    serial: u32,
    /// Whether any cell changed since it was written, or since the writing began.
    changed: bool,
    /// Octets in use, at most.
    bytes: usize,
    cells: Chunks<Cell<S>>,
    /// How many columns all of them have.
    columns: usize,
    table: Table,
    /// How many cells are in the table.
    indexed: usize,
}

/// Where the cell of a row is to which values came, and what there was not before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) cell: u32,
    /// The cell is new.
    pub(crate) is_new: bool,
    /// The columns that are new in it.
    pub(crate) columns: Mask,
}

impl Arrival {
    /// The cell, where it is new, and in which window it is.
    pub(crate) fn new_cell(self, serial: u32) -> Option<(u32, u32)> {
        self.is_new.then_some((self.cell, serial))
    }
}

/// Ids of rows are given out one after the other, so that a multiplication by an odd constant (2^32 over the golden
/// ratio) and a shift down spreads any run of them; no one outside chooses an id.
fn spread(row: u32) -> u32 {
    let mixed = row.wrapping_mul(0x9E37_79B9);
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
            columns: 0,
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

    /// Bytes of a window without cells, at most: with its place among the others, the first four places of the list,
    /// and the first slots.
    const EMPTY_BYTES: usize = 3 * size_of::<Self>() + 4 * size_of::<Cell<S>>() + table::FIRST_BYTES;

    /// Bytes a stream takes at most besides what its cell leads to: the list has up to twice its length in reserve; of
    /// several columns, each may have a cell of its own besides; and its place in the order of output, while it is written.
    const CELL_BYTES: usize = 3 * size_of::<Cell<S>>() + table::BYTES_AN_ID + size_of::<Due>();

    /// The most bytes that one observation may add.
    pub(crate) fn max_growth() -> usize {
        Self::EMPTY_BYTES + Self::CELL_BYTES + Cell::<S>::max_growth()
    }

    /// Adds records of one row, whose cell the caller may know.
    #[inline]
    pub(crate) fn add(&mut self, row: u32, forms: &Forms, spot: Spot, batch: &Batch<'_>) -> Option<Arrival> {
        let known = self.known(row, spot);
        // Most batches bring nothing new to a cell whose columns tell by how much they grow, so that it is not measured.
        if let Some(at) = known
            && let Some(cell) = self.cells.get_mut(at as usize)
            && let Some(grown) = if forms.is_alone { Some(cell.add(batch, 0)) } else { cell.add_to_columns(batch) }
        {
            self.changed = true;
            self.bytes = self.bytes.saturating_add_signed(grown);
            return Some(Arrival { cell: at, columns: 0, is_new: false });
        }
        let spot = known.map_or(Spot::New, Spot::At);
        self.change(row, forms, spot, |cell| {
            if forms.is_alone {
                cell.add(batch, 0);
            } else {
                cell.add_records(forms, batch);
            }
        })
    }

    /// Adds what others have summed of one column.
    pub(crate) fn add_summary(
        &mut self,
        stream: StreamId,
        forms: &Forms,
        spot: Spot,
        summary: &Gauge,
    ) -> Option<Arrival> {
        self.change(stream.row, forms, spot, |cell| {
            if forms.is_alone {
                return cell.add_summary(summary);
            }
            cell.set_columns(forms);
            if let Some(column) = cell.column_mut(forms, stream.column) {
                column.add_summary(summary);
            }
        })
    }

    /// Changes the cell of a row, which is there from now on.
    #[inline]
    fn change(&mut self, row: u32, forms: &Forms, spot: Spot, change: impl FnOnce(&mut Cell<S>)) -> Option<Arrival> {
        self.changed = true;
        let known = self.known(row, spot);
        let at = known.unwrap_or_else(|| self.push(Self::empty_cell(row, forms)));
        let cell = self.cells.get_mut(at as usize)?;
        let (before, bytes) = if known.is_some() { (cell.mask(), cell.bytes()) } else { (0, 0) };
        change(cell);
        // The list of values is longer than the first counters that follow it.
        self.bytes = (self.bytes + cell.bytes()).saturating_sub(bytes);
        let columns = cell.mask() & !before;
        if columns != 0 {
            let count = columns.count_ones() as usize;
            self.bytes += count * Self::CELL_BYTES;
            self.columns += count;
        }
        Some(Arrival { cell: at, columns, is_new: known.is_none() })
    }

    fn empty_cell(row: u32, forms: &Forms) -> Cell<S> {
        if forms.is_alone { Cell::new(row, forms.form(0)) } else { Cell::of_row(row) }
    }

    /// Bytes that count for a cell: for each of its columns as much as if it stood alone.
    fn weight(cell: &Cell<S>) -> usize {
        cell.mask().count_ones() as usize * Self::CELL_BYTES + cell.bytes()
    }

    /// Whether any cell holds what others have summed, so that it has no percentiles.
    pub(crate) fn has_summed(&self) -> bool {
        self.cells.iter().any(Cell::has_summed)
    }

    /// Where a row's cell is, if it has one.
    #[inline]
    fn known(&mut self, row: u32, spot: Spot) -> Option<u32> {
        match spot {
            Spot::At(at) => Some(at),
            Spot::New => None,
            Spot::Unknown => self.find(row),
        }
    }

    /// Adds the cell of a row that has none.
    fn push(&mut self, cell: Cell<S>) -> u32 {
        let at = self.cells.len() as u32;
        self.cells.push(cell);
        at
    }

    /// The cell of a row that does not remember it.
    #[cold]
    fn find(&mut self, row: u32) -> Option<u32> {
        while let Some(cell) = self.cells.get(self.indexed) {
            self.table.insert(spread(cell.owner.row), self.indexed as u32);
            self.indexed += 1;
        }
        let is = |at| self.cells.get(at as usize).is_some_and(|cell| cell.owner.row == row);
        self.table.find(spread(row), is)
    }

    /// Reads a word of a cell, for nothing but that its memory is on its way when it is asked for again.
    #[inline]
    pub(crate) fn touch(&self, at: u32) -> u64 {
        self.cells.get(at as usize).map_or(0, |cell| u64::from(cell.owner.row))
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

    /// Where each cell is, and its row.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, u32)> {
        (0..).zip(self.cells.iter()).map(|(at, cell)| (at, cell.owner.row))
    }

    /// Bytes in use, at most: by the contents alone, so that equal contents are equal here.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts the bytes again.
    fn measure(&mut self) {
        self.bytes = Self::EMPTY_BYTES + self.cells.iter().map(Self::weight).sum::<usize>();
        self.columns = self.cells.iter().map(|cell| cell.mask().count_ones() as usize).sum();
    }

    /// Takes a cell out, and answers whose it was and of which columns; for a window that is no longer needed.
    pub(crate) fn pop(&mut self) -> Option<(u32, Mask)> {
        self.cells.pop().map(|cell| (cell.owner.row, cell.mask()))
    }
}
