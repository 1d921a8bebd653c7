//! What a cell does for a row of several columns.
//!
//! A line brings a value for each column at once. While there are few lines, and all of them bring the same columns, the cell
//! holds the records as they came, one after the other: to take one in is to copy it. What the columns make of their values
//! is worked out when the cell is written, or when one of the records is unlike the others, or there are too many: from then
//! on each column has a cell of its own.

use super::batch::{Batch, Instant};
use super::cell::{Body, Cell, FEW, LIST, Last, Owner, Shape};
use crate::gauge::{Gauge, Total};
use crate::lists::values::{Numbers, Values};
use crate::row::State;
use crate::sketch::Sketch;
use crate::sketch::own::Keeps;
use crate::stream_key::{Form, Forms, Mask, before, columns};

/// So many records are kept as they came. A sketch that keeps fewer values has its cell from the first one on.
const MOST: usize = LIST;

/// The records of a cell.
#[derive(Clone, Copy)]
struct Kept<'a> {
    shape: Shape,
    latest: u8,
    last: Last,
    values: Numbers<'a>,
}

impl Shape {
    fn of(mask: Mask, forms: &Forms) -> Self {
        let count = |of: Mask| (mask & of).count_ones() as u8;
        Self { mask, gauges: count(forms.gauges), distributions: count(forms.distributions()) }
    }

    pub(super) fn columns(self) -> usize {
        (self.mask.count_ones() as usize).max(1)
    }

    /// Bytes that the columns count besides their cells, with so many values each: as many as in cells of their own, so that
    /// it does not show which way they came.
    pub(super) fn bytes<S: Sketch>(self, values: usize) -> usize {
        let list = if values > FEW { LIST.min(S::most_kept()) * size_of::<f64>() } else { 0 };
        usize::from(self.gauges) * size_of::<Gauge>() + usize::from(self.distributions) * list
    }
}

impl Kept<'_> {
    /// The values of one column, in the order in which they came.
    fn column(&self, index: usize) -> impl Iterator<Item = f64> + Clone {
        self.values.every(index, self.shape.columns())
    }

    /// The same into a list; answers how many there are.
    #[inline]
    fn copy_column(&self, index: usize, into: &mut [f64]) -> usize {
        self.values.copy_every(index, self.shape.columns(), into)
    }

    /// When and where the last value of the column at this index was.
    const fn last(&self, index: usize) -> Last {
        Last { time: self.last.time, position: self.last.position.saturating_add(index as u64) }
    }
}

impl<S: Sketch> Cell<S> {
    /// An empty cell of a row of several columns.
    pub(super) const fn of_row(row: u32) -> Self {
        Self { owner: Owner::new(row, 0, false), body: Body::Columns { mask: 0, cells: Vec::new() } }
    }

    /// The columns that it has values of.
    pub(super) fn mask(&self) -> Mask {
        match &self.body {
            Body::Records { shape, .. } | Body::RecordList { shape, .. } => shape.mask,
            Body::Columns { mask, .. } => *mask,
            _ => 1,
        }
    }

    /// Takes records in.
    #[inline]
    pub(super) fn add_records(&mut self, forms: &Forms, batch: &Batch<'_>) {
        if self.keep(forms, batch) {
            return;
        }
        self.set_columns(forms);
        for (index, column) in columns(batch.mask).enumerate() {
            if let Some(cell) = self.column_mut(forms, column) {
                cell.add(batch, index);
            }
        }
    }

    /// Takes records in where all of their columns have their cells, and answers by how much [`bytes`](Self::bytes) grew;
    /// `None`, and nothing is changed, where they do not.
    #[inline]
    pub(super) fn add_to_columns(&mut self, batch: &Batch<'_>) -> Option<isize> {
        let Body::Columns { mask, cells } = &mut self.body else { return None };
        let mut grown = 0;
        if *mask == batch.mask {
            cells.iter_mut().enumerate().for_each(|(index, cell)| grown += cell.add(batch, index));
        } else if batch.mask & !*mask == 0 {
            let filled = columns(*mask).zip(cells).filter(|(column, _)| batch.mask & 1 << column != 0);
            filled.enumerate().for_each(|(index, (_, cell))| grown += cell.add(batch, index));
        } else {
            return None;
        }
        Some(grown)
    }

    /// Keeps records as they are; `false`, and nothing is changed, where each column goes its own way.
    #[inline]
    fn keep(&mut self, forms: &Forms, batch: &Batch<'_>) -> bool {
        // What was written is not told from what was not, once there is more.
        if self.owner.written != 0 {
            return false;
        }
        match &mut self.body {
            Body::Columns { mask: 0, .. } => self.begin(forms, batch),
            Body::Records { shape, count, latest, last, values } if shape.mask == batch.mask => {
                let (before, from) = (usize::from(*count), usize::from(*count) * batch.width);
                match values.get_mut(from..from + batch.values()) {
                    Some(free) if !last.is_at(batch) => {
                        free.iter_mut().zip(batch.records()).for_each(|(free, value)| *free = value);
                        last.next_records(latest, before, batch);
                        *count += batch.len as u8;
                        true
                    }
                    _ => self.keep_in_list(batch),
                }
            }
            Body::RecordList { shape, latest, last, values } if shape.mask == batch.mask && !last.is_at(batch) => {
                let before = values.len() / batch.width.max(1);
                if before + batch.len > MOST {
                    return false;
                }
                if values.room() - values.len() < batch.values() {
                    values.make_room(room(before + batch.len) * batch.width);
                }
                values.extend(batch.records());
                last.next_records(latest, before, batch);
                true
            }
            _ => false,
        }
    }

    /// The first records of a cell.
    fn begin(&mut self, forms: &Forms, batch: &Batch<'_>) -> bool {
        let shape = Shape::of(batch.mask, forms);
        if batch.len > MOST || (shape.distributions > 0 && S::most_kept() < MOST) {
            return false;
        }
        let Instant { time, position } = batch.instant;
        let (latest, last) = (batch.latest as u8, Last { time, position });
        self.body = if batch.values() <= FEW {
            let mut values = [0.0; FEW];
            values.iter_mut().zip(batch.records()).for_each(|(free, value)| *free = value);
            Body::Records { shape, count: batch.len as u8, latest, last, values }
        } else {
            let mut values = Values::with_room(room(batch.len) * batch.width);
            values.extend(batch.records());
            Body::RecordList { shape, latest, last, values }
        };
        true
    }

    /// Moves the records into a list, with the next ones behind them.
    #[cold]
    fn keep_in_list(&mut self, batch: &Batch<'_>) -> bool {
        let Body::Records { shape, count, latest, last, values } = &self.body else { return false };
        let (shape, before, mut latest, mut last) = (*shape, usize::from(*count), *latest, *last);
        if before + batch.len > MOST || last.is_at(batch) {
            return false;
        }
        let mut list = Values::with_room(room(before + batch.len) * batch.width);
        list.extend(values.get(..before * batch.width).unwrap_or_default().iter().copied());
        list.extend(batch.records());
        last.next_records(&mut latest, before, batch);
        self.body = Body::RecordList { shape, latest, last, values: list };
        true
    }

    /// The records, where it holds some.
    fn records(&self) -> Option<Kept<'_>> {
        match &self.body {
            Body::Records { shape, count, latest, last, values } => {
                let values = values.get(..usize::from(*count) * shape.columns())?;
                Some(Kept { shape: *shape, latest: *latest, last: *last, values: Numbers::Long(values) })
            }
            Body::RecordList { shape, latest, last, values } => {
                Some(Kept { shape: *shape, latest: *latest, last: *last, values: values.numbers() })
            }
            _ => None,
        }
    }

    /// From here on each column has a cell of its own.
    pub(super) fn set_columns(&mut self, forms: &Forms) {
        if let Some(kept) = self.records() {
            let mask = kept.shape.mask;
            let cells = columns(mask).map(|column| self.of_column(column, forms.form(column))).collect();
            self.body = Body::Columns { mask, cells };
            self.owner.written = 0;
        }
    }

    /// The cell that a column would have, were it on its own.
    fn of_column(&self, column: u8, form: Form) -> Self {
        let Some(kept) = self.records() else { return Self::new(u32::from(column), form) };
        let is_written = self.owner.written & 1 << column != 0;
        let owner = Owner::new(u32::from(column), u32::from(is_written), !is_written);
        let (mut values, index) = ([0.0; MOST], before(kept.shape.mask, column));
        let count = kept.copy_column(index, &mut values);
        Self::of_values(owner, form, values.get(..count).unwrap_or_default(), kept.latest, kept.last(index))
    }

    /// The cell of a column, which is there from now on; of a cell that holds no records.
    pub(super) fn column_mut(&mut self, forms: &Forms, column: u8) -> Option<&mut Self> {
        let Body::Columns { mask, cells } = &mut self.body else { return None };
        let index = before(*mask, column);
        if *mask & 1 << column == 0 {
            *mask |= 1 << column;
            cells.reserve_exact(1);
            cells.insert(index, Self::new(u32::from(column), forms.form(column)));
        }
        cells.get_mut(index)
    }

    /// Looks at what a column holds as at a cell of its own.
    pub(super) fn with_column<T>(&self, column: u8, form: Form, look: impl FnOnce(&Self) -> T) -> Option<T> {
        if self.records().is_some() {
            return Some(look(&self.of_column(column, form)));
        }
        self.column(column).map(look)
    }

    /// The cells of its columns; of a cell that holds no records.
    pub(super) fn into_columns(self) -> impl Iterator<Item = (u8, Self)> {
        let (mask, cells) = match self.body {
            Body::Columns { mask, cells } => (mask, cells),
            body => (1, vec![Self { owner: self.owner, body }]),
        };
        columns(mask).zip(cells)
    }

    /// Puts a cell in the place of a column that has none.
    pub(super) fn insert_column(&mut self, column: u8, cell: Self) {
        if let Body::Columns { mask, cells } = &mut self.body
            && *mask & 1 << column == 0
        {
            let index = before(*mask, column);
            *mask |= 1 << column;
            cells.reserve_exact(1);
            cells.insert(index, cell);
        }
    }

    /// The cell of a column that has one.
    fn column(&self, column: u8) -> Option<&Self> {
        match &self.body {
            Body::Columns { mask, cells } if *mask & 1 << column != 0 => cells.get(before(*mask, column)),
            Body::Columns { .. } | Body::Records { .. } | Body::RecordList { .. } => None,
            _ => Some(self),
        }
    }

    /// What a column holds.
    #[inline]
    pub(super) fn look_at<T>(&self, column: u8, form: Form, look: impl FnOnce(State<'_, S>) -> T) -> Option<T> {
        let Some(kept) = self.records() else { return self.column(column).map(|cell| cell.with_state(look)) };
        let index = before(kept.shape.mask, column);
        if form == Form::Total {
            let mut total = Total::default();
            total.add_all(kept.column(index));
            return Some(look(State::Total(&total)));
        }
        let mut values = [0.0; MOST];
        let count = kept.copy_column(index, &mut values);
        let last = values.get(usize::from(kept.latest)).map(|value| kept.last(index).term(*value));
        Some(look(State::Values(values.get(..count).unwrap_or_default(), last)))
    }

    /// The columns that changed since they were written.
    #[inline]
    pub(super) fn changed(&self) -> Mask {
        match &self.body {
            Body::Records { shape, .. } | Body::RecordList { shape, .. } => shape.mask & !(self.owner.written as Mask),
            Body::Columns { mask, cells } => {
                let changed = columns(*mask).zip(cells).filter(|(_, cell)| cell.owner.is_changed());
                changed.fold(0, |all, (column, _)| all | 1 << column)
            }
            _ => Mask::from(self.owner.is_changed()),
        }
    }

    /// The revision that the next point of a column is.
    pub(super) fn revision(&self, column: u8) -> u32 {
        match &self.body {
            Body::Records { .. } | Body::RecordList { .. } => self.owner.written >> column & 1,
            _ => self.column(column).map_or(0, |cell| cell.owner.revision()),
        }
    }

    /// A column was written, or that is taken back.
    pub(super) fn set_written(&mut self, column: u8, is_written: bool) {
        let owner = match &mut self.body {
            Body::Records { .. } | Body::RecordList { .. } => {
                let others = self.owner.written & !(1 << column);
                self.owner.written = others | u32::from(is_written) << column;
                return;
            }
            Body::Columns { mask, cells } => match cells.get_mut(before(*mask, column)) {
                Some(cell) => &mut cell.owner,
                None => return,
            },
            _ => &mut self.owner,
        };
        if is_written { owner.set_written() } else { owner.set_unwritten() }
    }

    /// Whether any column holds what others have summed.
    pub(super) fn has_summed(&self) -> bool {
        match &self.body {
            Body::Columns { cells, .. } => cells.iter().any(|cell| cell.summed().is_some()),
            _ => self.summed().is_some(),
        }
    }
}

/// For how many records a list has room that takes so many.
fn room(records: usize) -> usize {
    records.next_multiple_of(4).min(MOST)
}

impl Last {
    /// Whether records end at the same time and position, as those of another node may: then the greater value of each
    /// column is the last.
    #[inline]
    fn is_at(&self, batch: &Batch<'_>) -> bool {
        Instant { time: self.time, position: self.position } == batch.instant
    }

    /// Takes note of records that are about to be the next ones, behind so many.
    #[inline]
    fn next_records(&mut self, latest: &mut u8, before: usize, batch: &Batch<'_>) {
        let Instant { time, position } = batch.instant;
        if (time, position) > (self.time, self.position) {
            *latest = (before + batch.latest) as u8;
            *self = Self { time, position };
        }
    }
}
