//! A window in a snapshot, and the sum of two aggregators' windows.

use super::{Cells, Distribution, Gauge, OpenWindow, Owned, Owner, Term, Total};
use crate::codec::{Reader, Writer};
use crate::key::{Form, InOrder, Streams};
use crate::sum::Sum;
use crate::{Persist, Sketch};
use metric_model::Window;

impl<S: Persist> OpenWindow<S> {
    /// Writes the cells in the order of output, each with its stream's place in that order.
    pub(crate) fn encode(&self, order: &InOrder, out: &mut Writer) {
        self.totals.encode(order, out, Total::encode);
        self.gauges.encode(order, out, Gauge::encode);
        self.distributions.encode(order, out, |distribution, out| {
            distribution.gauge.encode(out);
            let mut bytes = Vec::new();
            distribution.sketch.encode(&mut bytes);
            out.bytes(&bytes);
        });
    }

    pub(crate) fn decode(
        input: &mut Reader<'_>,
        window: Window,
        serial: u64,
        order: &InOrder,
        streams: &mut Streams,
    ) -> Option<Self> {
        let mut read = Self::new(window, serial);
        let is_total = |form| form == Form::Total;
        let is_gauge = |form| form == Form::Gauge;
        let is_distribution = |form| matches!(form, Form::Distribution(_));
        read.totals.decode(input, order, streams, is_total, Total::decode)?;
        read.gauges.decode(input, order, streams, is_gauge, Gauge::decode)?;
        read.distributions.decode(input, order, streams, is_distribution, |input| {
            Some(Distribution { gauge: Gauge::decode(input)?, sketch: S::decode(input.bytes()?)? })
        })?;
        let changed = read.owners().any(|owner| owner.is_changed());
        read.changed = changed;
        read.measure();
        // No window is kept for nothing, and no cell that was neither written nor is to be.
        let sound = read.len() > 0 && read.owners().all(|owner| owner.is_changed() || owner.revision() > 0);
        sound.then_some(read)
    }
}

impl<S: Sketch> OpenWindow<S> {
    /// Adds the cells of another aggregator's window; `ids` has our id for each of its streams.
    ///
    /// A cell that both have is written again, for neither wrote the sum.
    pub(crate) fn merge(&mut self, other: &Self, ids: &[Option<u32>], streams: &mut Streams) {
        self.totals.merge(&other.totals, ids, streams, |_| Some(Total::default()), Total::merge);
        self.gauges.merge(&other.gauges, ids, streams, |_| Some(Gauge::new()), Gauge::merge);
        let new = |form| match form {
            Form::Distribution(precision) => {
                Some(Distribution { gauge: Gauge::new(), sketch: S::with_precision(precision) })
            }
            Form::Total | Form::Gauge => None,
        };
        self.distributions.merge(&other.distributions, ids, streams, new, |ours, theirs| {
            ours.gauge.merge(&theirs.gauge);
            ours.sketch.merge(&theirs.sketch);
        });
        let changed = self.owners().any(|owner| owner.is_changed());
        self.changed = changed;
        self.measure();
    }
}

impl<C> Cells<C> {
    fn encode(&self, order: &InOrder, out: &mut Writer, encode: impl Fn(&C, &mut Writer)) {
        let mut cells: Vec<_> = self.cells.iter().map(|owned| (order.place(owned.owner.stream), owned)).collect();
        cells.sort_unstable_by_key(|(place, _)| *place);
        out.count(cells.len());
        for (place, owned) in cells {
            out.number(u64::from(place));
            out.number(u64::from(owned.owner.written));
            encode(&owned.cell, out);
        }
    }

    fn decode(
        &mut self,
        input: &mut Reader<'_>,
        order: &InOrder,
        streams: &mut Streams,
        is_right: impl Fn(Form) -> bool,
        decode: impl Fn(&mut Reader<'_>) -> Option<C>,
    ) -> Option<()> {
        let mut before = None;
        for _ in 0..input.count()? {
            let place = u32::try_from(input.number()?).ok()?;
            let written = u32::try_from(input.number()?).ok()?;
            let cell = decode(input)?;
            let stream = order.id_at(place)?;
            if before.is_some_and(|before| before >= place) || !is_right(streams.form(stream)?) {
                return None;
            }
            before = Some(place);
            let (_, at, _) = self.cell(stream, None, || cell)?;
            self.owner_mut(at)?.written = written;
            streams.hold(stream);
        }
        Some(())
    }

    fn merge(
        &mut self,
        other: &Self,
        ids: &[Option<u32>],
        streams: &mut Streams,
        new: impl Fn(Form) -> Option<C>,
        merge: impl Fn(&mut C, &C),
    ) {
        for Owned { owner, cell: theirs } in other.cells.iter() {
            let Some(stream) = ids.get(owner.stream as usize).copied().flatten() else { continue };
            let Some(empty) = streams.form(stream).and_then(&new) else { continue };
            let Some((ours, at, is_new)) = self.cell(stream, None, || empty) else { continue };
            merge(ours, theirs);
            let Some(ours) = self.owner_mut(at) else { continue };
            if is_new {
                ours.written = owner.written;
                streams.hold(stream);
            } else {
                *ours = Owner::new(stream, ours.revision().max(owner.revision()), true);
            }
        }
    }
}

impl Total {
    fn merge(&mut self, other: &Self) {
        self.sum.merge(other.sum);
        self.count = self.count.saturating_add(other.count);
    }

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
    fn merge(&mut self, other: &Self) {
        if self.total.count == 0 || self.last.is_before(&other.last) {
            self.last = other.last;
        }
        self.total.merge(&other.total);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

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
