//! A window in a snapshot, and the sum of two aggregators' windows.

use super::cell::{Gauge, Total};
use super::{Cell, OpenWindow, Owner, Term};
use crate::codec::{Reader, Writer};
use crate::key::{Form, InOrder, Streams};
use crate::sum::Sum;
use crate::{Persist, Sketch};
use metric_model::Window;

/// A window has three lists of cells: those of counts, those without percentiles, and those with.
const LISTS: [fn(Form) -> bool; 3] =
    [|form| form == Form::Total, |form| form == Form::Gauge, |form| matches!(form, Form::Distribution(_))];

impl<S: Persist> OpenWindow<S> {
    /// Writes the cells in the order of output, each with its stream's place in that order.
    pub(crate) fn encode(&self, order: &InOrder, streams: &Streams, out: &mut Writer) {
        for is_of_list in LISTS {
            let of_list = self.cells.iter().filter(|cell| streams.form(cell.owner.stream).is_some_and(is_of_list));
            let mut cells: Vec<_> = of_list.map(|cell| (order.place(cell.owner.stream), cell)).collect();
            cells.sort_unstable_by_key(|(place, _)| *place);
            out.count(cells.len());
            for (place, cell) in cells {
                out.number(u64::from(place));
                out.number(u64::from(cell.owner.written));
                cell.encode(out);
            }
        }
    }

    pub(crate) fn decode(
        input: &mut Reader<'_>,
        window: Window,
        serial: u32,
        order: &InOrder,
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
                let cell = Cell::decode(input, Owner { stream, written }, form)?;
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
    fn encode(&self, out: &mut Writer) {
        if let Some(total) = self.total() {
            total.encode(out);
        } else if let Some(gauge) = self.gauge() {
            gauge.encode(out);
        } else {
            self.with_distribution(|gauge, sketch| {
                gauge.encode(out);
                let mut bytes = Vec::new();
                sketch.encode(&mut bytes);
                out.bytes(&bytes);
            });
        }
    }

    fn decode(input: &mut Reader<'_>, owner: Owner, form: Form) -> Option<Self> {
        match form {
            Form::Total => Some(Self::of_total(owner, Total::decode(input)?)),
            Form::Gauge => Some(Self::of_gauge(owner, Gauge::decode(input)?)),
            Form::Distribution(_) => {
                let gauge = Gauge::decode(input)?;
                Self::of_distribution(owner, form, gauge, S::decode(input.bytes()?)?)
            }
        }
    }
}

impl Total {
    fn encode(&self, out: &mut Writer) {
        out.number(self.count);
        let [low, high, carry] = self.sum.to_words();
        // Nearly all sums fit into 128 bits: the carry is then the sign.
        let sign = (high as i64 >> 63) as u64;
        out.flag(carry != sign);
        out.raw(&low.to_le_bytes());
        out.signed(high as i64);
        if carry != sign {
            out.signed(carry as i64);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Option<Self> {
        let count = input.number()?;
        let wide = input.flag()?;
        let low = u64::from_le_bytes(input.raw(8)?.try_into().ok()?);
        let high = input.signed()?;
        let carry = if wide { input.signed()? } else { high >> 63 };
        let told = !wide || carry != high >> 63;
        (count > 0 && told).then_some(Self { sum: Sum::from_words([low, high as u64, carry as u64]), count })
    }
}

impl Gauge {
    fn encode(&self, out: &mut Writer) {
        self.total.encode(out);
        out.double(self.min);
        out.double(self.max);
        out.double(self.last.value);
        out.signed(self.last.time);
        out.number(self.last.position);
    }

    fn decode(input: &mut Reader<'_>) -> Option<Self> {
        let total = Total::decode(input)?;
        let (min, max) = (input.double()?, input.double()?);
        let last = Term { value: input.double()?, time: input.signed()?, position: input.number()? };
        (min <= last.value && last.value <= max).then_some(Self { total, min, max, last })
    }
}
