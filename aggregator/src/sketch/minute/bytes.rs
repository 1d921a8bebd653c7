//! The sketch as bytes: in snapshots, and shorter in rows.

use super::{Form, MinuteSketch};
use crate::codec::{Reader, Writer};
use crate::config::Precision;
use crate::sketch::counters::Counters;
use crate::sketch::{Persist, Sketch};
use metric_model::Stats;

/// Two bytes for the form and the precision; then the values, sorted, or the counts. 10,000 latencies take about 1 KB.
impl Persist for MinuteSketch {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::default();
        writer.byte(self.precision.to_byte());
        match &self.form {
            Form::Counters(counters) => {
                writer.flag(true);
                counters.encode(&mut writer);
            }
            Form::Few { .. } | Form::List(_) => {
                writer.flag(false);
                self.sorted_values().into_iter().for_each(|value| writer.double(value));
            }
        }
        out.append(&mut writer.into_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::new(bytes, 0);
        let mut sketch = Self::with_precision(Precision::from_byte(input.byte()?)?);
        if input.flag()? {
            let counters = Counters::decode(&mut input, sketch.precision)?;
            return sketch.with_counters(counters).filter(|_| input.is_empty());
        }
        let mut before = f64::NEG_INFINITY;
        while !input.is_empty() {
            // As `encode` writes them: ascending, and 0 in one spelling.
            let value = input.double()?;
            if value < before || value.to_bits() == (-0.0_f64).to_bits() {
                return None;
            }
            sketch.record(value);
            before = value;
        }
        (sketch.count() <= Self::EXACT as u64).then_some(sketch)
    }
}

impl MinuteSketch {
    /// For a row: one byte for the form and the precision; then the values, sorted, or the counts, each as short as it can be.
    pub(in crate::sketch) fn pack(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::default();
        match &self.form {
            Form::Counters(counters) => {
                writer.byte(self.precision.to_byte() << 1 | 1);
                counters.pack(&mut writer);
            }
            Form::Few { .. } | Form::List(_) => {
                writer.byte(self.precision.to_byte() << 1);
                let mut before = None;
                for value in self.sorted_values() {
                    writer.short(value, before.as_slice());
                    before = Some(value);
                }
            }
        }
        out.append(&mut writer.into_bytes());
    }

    /// Reads what [`pack`](Self::pack) wrote; `None` for anything else. The bytes are untrusted.
    pub(in crate::sketch) fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::new(bytes, 0);
        let first = input.byte()?;
        let mut sketch = Self::with_precision(Precision::from_byte(first >> 1)?);
        if first & 1 == 1 {
            let counters = Counters::unpack(&mut input, sketch.precision)?;
            return sketch.with_counters(counters).filter(|_| input.is_empty());
        }
        let mut before = None;
        while !input.is_empty() {
            let value = input.short(before.as_slice())?;
            if before.is_some_and(|before| value < before) || sketch.count() == Self::EXACT as u64 {
                return None;
            }
            sketch.record(value);
            before = Some(value);
        }
        Some(sketch)
    }

    /// Adds what [`pack`](Self::pack) wrote of another one; `None` when it is not that. The bytes were checked as a whole.
    pub(in crate::sketch) fn add_packed(&mut self, bytes: &[u8]) -> Option<()> {
        let mut input = Reader::new(bytes, 0);
        let first = input.byte()?;
        let precision = Precision::from_byte(first >> 1)?;
        if first & 1 == 1 {
            if precision < self.precision {
                self.coarsen(precision);
            }
            self.counted()?.add_packed(&mut input, precision)?;
            return input.is_empty().then_some(());
        }
        if precision < self.precision {
            self.coarsen(precision);
        }
        let mut before = None;
        while !input.is_empty() {
            if let Form::Counters(counters) = &mut self.form {
                before = counters.record_wholes(&mut input)?.or(before);
            }
            if input.is_empty() {
                break;
            }
            let value = input.any_short(before.as_slice())?;
            self.record(value);
            before = Some(value);
        }
        Some(())
    }

    /// Whether it can be the sketch of what is kept beside it.
    pub(in crate::sketch) fn is_of(&self, precision: Precision, stats: &Stats) -> bool {
        let own = (self.precision, self.count(), self.min(), self.max());
        own == (precision, stats.observations(), stats.min(), stats.max())
    }

    /// An empty sketch with these counters, when there are enough of them.
    fn with_counters(mut self, counters: Counters) -> Option<Self> {
        // Which form answers depends on the number of values alone.
        if counters.count() <= Self::EXACT as u64 {
            return None;
        }
        self.form = Form::Counters(Box::new(counters));
        Some(self)
    }
}
