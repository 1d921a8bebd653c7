//! Records of one row, on their way into its cell.

use crate::gauge::Term;
use crate::stream_key::Mask;

/// Records of one row that have the same columns, on their way into its cell.
///
/// The values stand column by column, since that is how most of them are worked on: a run of numbers, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    pub(super) mask: Mask,
    /// How many columns there are.
    pub(super) width: usize,
    /// How many records.
    pub(super) len: usize,
    /// From the first value of a column to the first of the next one.
    stride: usize,
    values: &'a [f64],
    /// The index of the last record, and when and where that was.
    pub(super) latest: usize,
    pub(super) instant: Instant,
}

/// When a record is, and where in the input its first value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Instant {
    pub(crate) time: i64,
    pub(crate) position: u64,
}

impl Instant {
    /// Before all others.
    pub(crate) const FIRST: Self = Self { time: i64::MIN, position: 0 };
}

impl<'a> Batch<'a> {
    /// Of these columns, `width` of them, so many records, at most [`Sum::MOST`](crate::sum::Sum::MOST); the one at the index
    /// `latest` is the last. Each has a value of each column; those of a column begin `stride` behind those of the one before.
    #[inline]
    pub(super) fn new(
        (mask, width): (Mask, usize),
        len: usize,
        (stride, values): (usize, &'a [f64]),
        (latest, instant): (usize, Instant),
    ) -> Self {
        Self { mask, width, len, stride, values, latest, instant }
    }

    /// The values of the column at this index.
    #[inline]
    pub(super) fn column(&self, index: usize) -> &'a [f64] {
        let first = index * self.stride;
        self.values.get(first..first + self.len).unwrap_or_default()
    }

    /// The values record by record.
    #[inline]
    pub(super) fn records(&self) -> impl Iterator<Item = f64> + Clone + use<'a> {
        let Self { width, len, stride, values, .. } = *self;
        // There is a value of each column: none is made up.
        let value = move |at: usize| values.get(at).copied().unwrap_or_default();
        (0..len).flat_map(move |record| (0..width).map(move |column| value(column * stride + record)))
    }

    /// How many values there are.
    #[inline]
    pub(super) const fn values(&self) -> usize {
        self.len * self.width
    }

    /// The last value of a column.
    #[inline]
    pub(super) fn last(&self, column: usize) -> Term {
        let Instant { time, position } = self.instant;
        let value = self.values.get(column * self.stride + self.latest).copied().unwrap_or_default();
        Term { value, time, position: position.saturating_add(column as u64) }
    }
}
