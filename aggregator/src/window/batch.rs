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
    pub(super) const fn records(&self) -> Records<'a> {
        Records { values: self.values, left: self.values(), next: 0, column: 0, width: self.width, stride: self.stride }
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

/// The values of a batch record by record.
#[derive(Clone)]
pub(super) struct Records<'a> {
    values: &'a [f64],
    /// How many there are yet.
    left: usize,
    /// The index of the next one, and in which column that is.
    next: usize,
    column: usize,
    width: usize,
    stride: usize,
}

impl Iterator for Records<'_> {
    type Item = f64;

    #[inline]
    fn next(&mut self) -> Option<f64> {
        self.left = self.left.checked_sub(1)?;
        let value = self.values.get(self.next).copied();
        (self.next, self.column) = (self.next + self.stride, self.column + 1);
        if self.column == self.width {
            // Behind the last column stands the first one of the next record.
            (self.next, self.column) = (self.next + 1 - self.width * self.stride, 0);
        }
        value
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_records_are_the_same_values() {
        // Three records of two columns, where there was room for four.
        let values = [1.0, 2.0, 3.0, 0.0, 10.0, 20.0, 30.0, 0.0];
        let instant = Instant { time: 5, position: 7 };
        let batch = Batch::new((0b101, 2), 3, (4, &values), (1, instant));
        assert_eq!((batch.column(0), batch.column(1)), (&[1.0, 2.0, 3.0][..], &[10.0, 20.0, 30.0][..]));
        assert_eq!(batch.records().collect::<Vec<_>>(), [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
        assert_eq!((batch.values(), batch.last(1)), (6, Term { value: 20.0, time: 5, position: 8 }));
        let alone = Batch::new((1, 1), 1, (1, &values[4..]), (0, instant));
        assert_eq!((alone.column(0), alone.records().collect::<Vec<_>>()), (&[10.0][..], vec![10.0]));
    }
}
