//! A window in a snapshot, and the sum of two aggregators' windows.

use super::{Cell, OpenWindow, Owner};
use crate::codec::{Reader, Writer};
use crate::gauge::{Gauge, Total};
use crate::sketch::own::Keeps;
use crate::sketch::{Persist, Sketch};
use crate::stream_key::{Form, columns};
use crate::streams::{InOrder, Places, StreamId, Streams};
use metric_model::Window;
use std::collections::BTreeMap;

/// A window has three lists of cells: those of counts, those without percentiles, and those with.
const LISTS: [fn(Form) -> bool; 3] =
    [|form| form == Form::Total, |form| form == Form::Gauge, |form| matches!(form, Form::Distribution(_))];

impl<S: Persist> OpenWindow<S> {
    /// Writes what the streams hold, in the order of output, each with its rank in it; `marks` says whether
    /// distributions are told from what others have summed.
    pub(crate) fn encode(&self, order: &InOrder, streams: &Streams, marks: bool, out: &mut Writer) {
        for is_of_list in LISTS {
            let of_cell = |cell| {
                columns(Cell::mask(cell)).filter_map(move |column| {
                    let stream = StreamId { row: cell.owner.row, column };
                    let form = streams.form(stream).filter(|form| is_of_list(*form))?;
                    Some((order.rank(stream), cell, column, form))
                })
            };
            let mut cells: Vec<_> = self.cells.iter().flat_map(of_cell).collect();
            cells.sort_unstable_by_key(|(rank, ..)| *rank);
            out.count(cells.len());
            for (rank, cell, column, form) in cells {
                out.number(u64::from(rank));
                cell.with_column(column, form, |cell| {
                    out.number(u64::from(cell.owner.written));
                    cell.encode(marks, out);
                });
            }
        }
    }

    pub(crate) fn decode(
        input: &mut Reader<'_>,
        (window, number): (Window, i64),
        serial: u32,
        order: &InOrder,
        marks: bool,
        streams: &mut Streams,
    ) -> Option<Self> {
        let mut read = Self::new(window, serial);
        let mut cells: BTreeMap<u32, u32> = BTreeMap::new();
        for is_of_list in LISTS {
            let mut before = None;
            for _ in 0..input.count()? {
                let rank = u32::try_from(input.number()?).ok()?;
                let written = u32::try_from(input.number()?).ok()?;
                let stream = order.at(rank)?;
                let form = streams.form(stream)?;
                if before.is_some_and(|before| before >= rank) || !is_of_list(form) {
                    return None;
                }
                before = Some(rank);
                let forms = streams.forms(stream.row)?;
                let row = if forms.is_alone { stream.row } else { u32::from(stream.column) };
                let cell = Cell::decode(input, Owner { row, written }, form, window, marks)?;
                // No cell is kept that was neither written nor is to be.
                if !cell.owner.is_changed() && cell.owner.revision() == 0 {
                    return None;
                }
                if forms.is_alone {
                    read.push(cell);
                    continue;
                }
                let at = *cells.entry(stream.row).or_insert_with(|| read.push(Cell::of_row(stream.row)));
                read.cells.get_mut(at as usize)?.insert_column(stream.column, cell);
            }
        }
        for (at, cell) in (0..).zip(read.cells.iter()) {
            streams.hold(cell.owner.row, cell.mask(), number, Some((at, serial)));
        }
        read.changed = read.cells.iter().any(|cell| cell.changed() != 0);
        read.measure();
        // No window is kept for nothing.
        (read.cells.len() > 0).then_some(read)
    }
}

impl<S: Sketch> OpenWindow<S> {
    /// Adds the cells of another aggregator's window; `theirs` are its streams, `ours` has our stream for each of them, and
    /// its positions in the input are counted on from `after`.
    ///
    /// A stream that both have is written again, for neither wrote the sum.
    pub(crate) fn merge(
        &mut self,
        other: Self,
        after: u64,
        number: i64,
        (theirs, ours): (&Streams, &Places<Option<StreamId>>),
        streams: &mut Streams,
    ) {
        for mut cell in other.cells.into_items() {
            cell.move_on(after);
            let row = cell.owner.row;
            let Some(forms) = theirs.forms(row) else { continue };
            if let Some(ours) = same_row(&cell, ours)
                && let Some((of_ours, spot)) = streams.spot(ours, self.serial)
                && of_ours.is_alone == forms.is_alone
                && self.known(ours, spot).is_none()
            {
                cell.owner.row = ours;
                let mask = cell.mask();
                let at = self.push(cell);
                streams.hold(ours, mask, number, Some((at, self.serial)));
                continue;
            }
            if !forms.is_alone {
                cell.set_columns(&forms);
            }
            for (column, cell) in cell.into_columns() {
                if let Some(stream) = ours.get(StreamId { row, column }).flatten() {
                    self.merge_stream(stream, cell, number, streams);
                }
            }
        }
        self.changed = self.cells.iter().any(|cell| cell.changed() != 0);
        self.measure();
    }

    /// Adds what another aggregator holds of one stream.
    fn merge_stream(&mut self, stream: StreamId, theirs: Cell<S>, number: i64, streams: &mut Streams) {
        let Some((forms, spot)) = streams.spot(stream.row, self.serial) else { return };
        let known = self.known(stream.row, spot);
        let at = known.unwrap_or_else(|| self.push(Self::empty_cell(stream.row, &forms)));
        let Some(cell) = self.cells.get_mut(at as usize) else { return };
        let before = if known.is_some() { cell.mask() } else { 0 };
        if !forms.is_alone {
            cell.set_columns(&forms);
        }
        if before & stream.mask() == 0 {
            if forms.is_alone {
                *cell = Cell { owner: Owner { row: stream.row, ..theirs.owner }, ..theirs };
            } else {
                let owner = Owner { row: u32::from(stream.column), ..theirs.owner };
                cell.insert_column(stream.column, Cell { owner, ..theirs });
            }
        } else if let Some(ours) = if forms.is_alone { Some(cell) } else { cell.column_mut(&forms, stream.column) } {
            ours.merge(&theirs);
            ours.owner = Owner::new(ours.owner.row, ours.owner.revision().max(theirs.owner.revision()), true);
        }
        streams.hold(stream.row, stream.mask() & !before, number, known.is_none().then_some((at, self.serial)));
    }
}

/// Our row for a cell of theirs whose columns are the same ones in it.
fn same_row<S: Sketch>(cell: &Cell<S>, ours: &Places<Option<StreamId>>) -> Option<u32> {
    let ours_of = |column| ours.get(StreamId { row: cell.owner.row, column }).flatten();
    let mut all = columns(cell.mask());
    let first = all.next().and_then(|column| ours_of(column).filter(|ours| ours.column == column))?;
    all.all(|column| ours_of(column) == Some(StreamId { row: first.row, column })).then_some(first.row)
}

impl<S: Persist> Cell<S> {
    fn encode(&self, marks: bool, out: &mut Writer) {
        if let Some(total) = self.total() {
            return total.encode(out);
        }
        if let Some(gauge) = self.gauge() {
            return gauge.encode(out);
        }
        let summed = self.summed();
        if marks {
            out.flag(summed.is_some());
        }
        if let Some(gauge) = summed {
            return gauge.encode(out);
        }
        self.with_distribution(|gauge, sketch| {
            gauge.encode(out);
            let mut bytes = Vec::new();
            sketch.encode(&mut bytes);
            out.bytes(&bytes);
        });
    }

    fn decode(input: &mut Reader<'_>, owner: Owner, form: Form, window: Window, marks: bool) -> Option<Self> {
        let gauge = |input: &mut Reader<'_>| Gauge::decode(input).filter(|gauge| gauge.ends_in(window));
        match form {
            Form::Total => Some(Self::of_total(owner, Total::decode(input)?)),
            Form::Gauge => Some(Self::of_gauge(owner, gauge(input)?)),
            Form::Distribution(_) if marks && input.flag()? => Some(Self::of_summed(owner, gauge(input)?)),
            Form::Distribution(precision) => {
                let gauge = gauge(input)?;
                let sketch = S::decode(input.bytes()?)?;
                // What is restored must make rows that can be read again.
                let is_its_own = sketch.is_of(precision, &gauge.stats());
                if is_its_own { Self::of_distribution(owner, form, gauge, sketch) } else { None }
            }
        }
    }
}
