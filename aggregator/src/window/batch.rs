//! Records of one row, on their way into its cell.

use crate::gauge::Term;
use crate::stream_key::Mask;

/// Records of one row that have the same columns, on their way into its cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    pub(super) mask: Mask,
    /// How many columns there are.
    pub(super) width: usize,
    instants: &'a [Instant],
    /// Record by record.
    pub(super) values: &'a [f64],
    /// The index of the last record.
    latest: usize,
}

/// When a record is, and where in the input its first value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) struct Instant {
    pub(crate) time: i64,
    pub(crate) position: u64,
}

impl<'a> Batch<'a> {
    /// There is a record, and each has a value of each column; at most [`Sum::MOST`](crate::sum::Sum::MOST).
    #[inline]
    pub(crate) fn new(mask: Mask, instants: &'a [Instant], values: &'a [f64]) -> Self {
        let later = |latest: usize, index: usize| if instants[index] > instants[latest] { index } else { latest };
        let latest = (1..instants.len()).fold(0, later);
        Self { mask, width: values.len() / instants.len().max(1), instants, values, latest }
    }

    /// How many records there are.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.instants.len()
    }

    #[inline]
    pub(super) const fn latest(&self) -> usize {
        self.latest
    }

    /// The values of the column at this index.
    #[inline]
    pub(super) fn column(&self, index: usize) -> impl ExactSizeIterator<Item = f64> + Clone + use<'a> {
        // There is a value of each column: none is made up.
        self.values.chunks_exact(self.width.max(1)).map(move |record| record.get(index).copied().unwrap_or_default())
    }

    /// A value with its instant.
    #[inline]
    pub(super) fn term(&self, record: usize, column: usize) -> Term {
        let Instant { time, position } = self.instants.get(record).copied().unwrap_or_default();
        let value = self.values.get(record * self.width + column).copied().unwrap_or_default();
        Term { value, time, position: position.saturating_add(column as u64) }
    }

    /// The last value of a column.
    #[inline]
    pub(super) fn last(&self, column: usize) -> Term {
        self.term(self.latest, column)
    }

    pub(super) fn instant(&self) -> Instant {
        self.instants.get(self.latest).copied().unwrap_or_default()
    }
}
