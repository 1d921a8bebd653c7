//! What is kept of values that are not kept themselves: number, exact sum, least, greatest and last.

use crate::codec::{Reader, Writer};
use crate::sum::{Parts, Sum};
use metric_model::{Stats, Timestamp, Window};

/// One observation on its way into a cell.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Term {
    pub(crate) value: f64,
    pub(crate) time: i64,
    pub(crate) position: u64,
}

/// Of a count.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Total {
    pub(crate) sum: Sum,
    pub(crate) count: u64,
}

/// Of anything else.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Gauge {
    pub(crate) total: Total,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) last: Term,
}

impl Term {
    /// By event time, then position in the input; two nodes may have given one position twice, so that the value
    /// decides last.
    #[inline]
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        // Most are of another time.
        if self.time != other.time {
            return self.time < other.time;
        }
        self.position.cmp(&other.position).then(self.value.total_cmp(&other.value)).is_lt()
    }
}

impl Total {
    pub(crate) fn add(&mut self, value: f64) {
        self.sum.add(value);
        self.count = self.count.saturating_add(1);
    }

    /// Adds some values, at most [`Sum::MOST`].
    #[inline]
    pub(crate) fn add_all(&mut self, values: impl Iterator<Item = f64>) {
        let mut count = 0;
        self.sum.add_all(values.inspect(|_| count += 1));
        self.count = self.count.saturating_add(count);
    }

    #[inline]
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum.merge(other.sum);
        self.count = self.count.saturating_add(other.count);
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::count(self.count, self.sum.value())
    }
}

impl Gauge {
    pub(crate) fn new() -> Self {
        let first = Term { value: 0.0, time: i64::MIN, position: 0 };
        Self { total: Total::default(), min: f64::INFINITY, max: f64::NEG_INFINITY, last: first }
    }

    /// Of these values, of which one is the last; of none where there is none.
    pub(crate) fn of(values: impl Iterator<Item = f64>, last: Option<Term>) -> Self {
        let mut gauge = Self::new();
        values.for_each(|value| gauge.add_value(value));
        gauge.last = last.unwrap_or(gauge.last);
        gauge
    }

    /// Adds some values, at most [`Sum::MOST`], of which this is the last.
    #[inline]
    pub(crate) fn add_all(&mut self, values: &[f64], last: &Term) {
        self.come_to(last);
        // Not in memory between two values.
        let (mut min, mut max, mut parts) = (self.min, self.max, Parts::default());
        for value in values.iter().copied() {
            if !parts.take(value) {
                self.total.sum.add(value);
            }
        }
        // Apart: together the compiler makes a vector of the two, which takes longer.
        values.iter().for_each(|value| min = if *value < min { *value } else { min });
        values.iter().for_each(|value| max = if *value > max { *value } else { max });
        (self.min, self.max) = (min, max);
        self.total.sum.add_taken(parts);
        self.total.count = self.total.count.saturating_add(values.len() as u64);
    }

    /// Takes note of a term that is added besides, where it is the last one.
    #[inline]
    pub(crate) fn come_to(&mut self, last: &Term) {
        if self.total.count == 0 || self.last.is_before(last) {
            self.last = *last;
        }
    }

    #[inline]
    pub(crate) fn add_value(&mut self, value: f64) {
        self.total.add(value);
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
    }

    #[inline]
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.total.count == 0 || self.last.is_before(&other.last) {
            self.last = other.last;
        }
        self.total.merge(&other.total);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Whether the last value is of this window.
    pub(crate) fn ends_in(&self, window: Window) -> bool {
        let (time, [start, end]) = (self.last.time, [window.start(), window.end()].map(Timestamp::unix_micros));
        // The window of the end of time has no end.
        start <= time && (time < end || end == i64::MAX)
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::sample(self.total.count, self.total.sum.value(), self.min, self.max, self.last.value)
    }
}

impl Total {
    pub(crate) fn encode(&self, out: &mut Writer) {
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

    pub(crate) fn decode(input: &mut Reader<'_>) -> Option<Self> {
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
    pub(crate) fn encode(&self, out: &mut Writer) {
        self.total.encode(out);
        out.double(self.min);
        out.double(self.max);
        out.double(self.last.value);
        out.signed(self.last.time);
        out.number(self.last.position);
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Option<Self> {
        let total = Total::decode(input)?;
        // -0 counts as 0 when it is observed, so that only a forged one comes here.
        let mut double = || input.double().map(|value| value + 0.0);
        let (min, max, value) = (double()?, double()?, double()?);
        let last = Term { value, time: input.signed()?, position: input.number()? };
        (min <= last.value && last.value <= max).then_some(Self { total, min, max, last })
    }
}
