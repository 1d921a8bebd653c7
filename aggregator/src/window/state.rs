//! A window in a snapshot, and the sum of two aggregators' windows.

use super::{Cell, OpenWindow, Owner};
use crate::codec::{Reader, Writer};
use crate::gauge::{Gauge, Total};
use crate::sketch::{Persist, Sketch};
use crate::stream_key::Form;
use crate::streams::{InOrder, Streams};
use metric_model::Window;

/// A window has three lists of cells: those of counts, those without percentiles, and those with.
const LISTS: [fn(Form) -> bool; 3] =
    [|form| form == Form::Total, |form| form == Form::Gauge, |form| matches!(form, Form::Distribution(_))];

impl<S: Persist> OpenWindow<S> {
    /// Writes the cells in the order of output, each with its stream's place in that order; `marks` says whether
    /// distributions are told from what others have summed.
    pub(crate) fn encode(&self, order: &InOrder, streams: &Streams, marks: bool, out: &mut Writer) {
        for is_of_list in LISTS {
            let of_list = self.cells.iter().filter(|cell| streams.form(cell.owner.stream).is_some_and(is_of_list));
            let mut cells: Vec<_> = of_list.map(|cell| (order.place(cell.owner.stream), cell)).collect();
            cells.sort_unstable_by_key(|(place, _)| *place);
            out.count(cells.len());
            for (place, cell) in cells {
                out.number(u64::from(place));
                out.number(u64::from(cell.owner.written));
                cell.encode(marks, out);
            }
        }
    }

    pub(crate) fn decode(
        input: &mut Reader<'_>,
        window: Window,
        serial: u32,
        order: &InOrder,
        marks: bool,
        streams: &mut Streams,
    ) -> Option<Self> {
        let mut read = Self::new(window, serial);
        for is_of_list in LISTS {
            let mut before = None;
            for _ in 0..input.count()? {
                let place = u32::try_from(input.number()?).ok()?;
                let written = u32::try_from(input.number()?).ok()?;
                let stream = order.id_at(place)?;
                let form = streams.form(stream)?;
                if before.is_some_and(|before| before >= place) || !is_of_list(form) {
                    return None;
                }
                before = Some(place);
                let cell = Cell::decode(input, Owner { stream, written }, form, window, marks)?;
                // No cell is kept that was neither written nor is to be.
                if !cell.owner.is_changed() && cell.owner.revision() == 0 {
                    return None;
                }
                let at = read.push(cell);
                streams.hold(stream, at, serial);
            }
        }
        read.changed = read.cells.iter().any(|cell| cell.owner.is_changed());
        read.measure();
        // No window is kept for nothing.
        (read.cells.len() > 0).then_some(read)
    }
}

impl<S: Sketch> OpenWindow<S> {
    /// Adds the cells of another aggregator's window; `ids` has our id for each of its streams, and its positions in the
    /// input are counted on from `after`.
    ///
    /// A cell that both have is written again, for neither wrote the sum.
    pub(crate) fn merge(&mut self, other: Self, after: u64, ids: &[Option<u32>], streams: &mut Streams) {
        for mut theirs in other.cells.into_items() {
            let Some(stream) = ids.get(theirs.owner.stream as usize).copied().flatten() else { continue };
            let Some((_, place)) = streams.place(stream, self.serial) else { continue };
            theirs.owner.stream = stream;
            theirs.move_on(after);
            match self.known(stream, place).and_then(|at| self.cells.get_mut(at as usize)) {
                Some(ours) => {
                    ours.merge(&theirs);
                    ours.owner = Owner::new(stream, ours.owner.revision().max(theirs.owner.revision()), true);
                }
                None => {
                    let at = self.push(theirs);
                    streams.hold(stream, at, self.serial);
                }
            }
        }
        self.changed = self.cells.iter().any(|cell| cell.owner.is_changed());
        self.measure();
    }
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
