//! The streams of one tag set in one family: which there are, who has a place, and where their cells are.

use crate::stream_key::{Mask, columns};
use core::num::NonZeroU32;
use metric_model::Timestamp;

/// Which family a row is of: one of the configuration's, or that of a metric alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FamilyId(NonZeroU32);

const ALONE: u32 = 1 << 31;

impl FamilyId {
    pub(super) fn declared(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index as u32))
    }

    /// Ids of metrics are far below the bit that tells the two apart: each has a stream, and each stream a row.
    pub(super) fn alone(metric: u32) -> Self {
        Self(NonZeroU32::new(ALONE | metric).unwrap_or(NonZeroU32::MIN))
    }

    pub(super) fn number(self) -> u32 {
        self.0.get()
    }

    /// The index among those of the configuration, or the metric.
    #[inline]
    pub(super) fn which(self) -> Result<usize, u32> {
        let number = self.0.get();
        if number & ALONE == 0 { Ok(number as usize - 1) } else { Err(number & !ALONE) }
    }
}

/// A row of streams. All that the columns have in common stands once; a column whose past is another one's has its own.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) family: FamilyId,
    pub(super) tags: u32,
    /// The columns that are streams.
    pub(super) open: Mask,
    /// Those of them that have their places, or need none; and those that take what found none. The rest is idle: they
    /// gave their places up, and windows may still hold values of them.
    pub(super) placed: Mask,
    pub(super) overflow: Mask,
    /// The columns that `seen` tells of; what is open besides is in `apart`.
    together: Mask,
    seen: Seen,
    apart: Option<Box<Apart>>,
    /// Its cells in the two newest windows that have one.
    pub(super) cells: [CellOf; 2],
}

type Apart = Vec<(u8, Seen)>;

/// What is known of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// The greatest window in which it was seen.
    pub(super) last: i64,
    pub(super) first: Timestamp,
    /// Those that are folded.
    pub(super) observations: u64,
    /// Windows that hold values of it.
    pub(super) windows: u32,
}

/// The cell of a row in the window of a serial number; 0 is that of no window.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct CellOf {
    pub(super) serial: u32,
    pub(super) cell: u32,
}

/// Where a row's cell is in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spot {
    At(u32),
    /// It has none yet.
    New,
    /// The window has to be asked.
    Unknown,
}

impl Spot {
    pub(crate) fn known(self) -> Option<u32> {
        match self {
            Self::At(at) => Some(at),
            Self::New | Self::Unknown => None,
        }
    }
}

impl Seen {
    pub(super) const fn new(first: Timestamp) -> Self {
        Self { last: i64::MIN, first, observations: 0, windows: 0 }
    }
}

impl Row {
    /// Bytes on the heap that a column takes at most when it has a past of its own; there are two of them at least.
    pub(super) const APART_BYTES: usize = size_of::<(u8, Seen)>() + size_of::<Apart>();

    pub(super) fn new(family: FamilyId, tags: u32) -> Self {
        let seen = Seen::new(Timestamp::MIN);
        let cells = [CellOf::default(); 2];
        Self { family, tags, open: 0, placed: 0, overflow: 0, together: 0, seen, apart: None, cells }
    }

    /// The columns that are not idle.
    pub(super) const fn active(&self) -> Mask {
        self.placed | self.overflow
    }

    /// Opens columns that have no stream yet.
    pub(super) fn add(&mut self, mask: Mask, seen: Seen) {
        self.open |= mask;
        if self.together == 0 || self.seen == seen {
            (self.together, self.seen) = (self.together | mask, seen);
        } else {
            let apart = self.apart.get_or_insert_default();
            apart.reserve_exact(mask.count_ones() as usize);
            apart.extend(columns(mask).map(|column| (column, seen)));
        }
    }

    pub(super) fn remove(&mut self, column: u8) {
        let others = !(1 << column);
        self.open &= others;
        self.placed &= others;
        self.overflow &= others;
        self.together &= others;
        if let Some(apart) = &mut self.apart {
            apart.retain(|(of, _)| *of != column);
            if apart.is_empty() {
                self.apart = None;
            }
        }
    }

    /// What is known of a column.
    pub(super) fn seen(&self, column: u8) -> Option<Seen> {
        if self.together & 1 << column != 0 {
            return Some(self.seen);
        }
        self.apart.as_ref()?.iter().find(|(of, _)| *of == column).map(|(_, seen)| *seen)
    }

    /// Changes what is known of some columns, in the same way.
    #[inline]
    pub(super) fn change(&mut self, mask: Mask, mut change: impl FnMut(&mut Seen)) {
        let inside = self.together & mask;
        if inside != self.together && inside != 0 {
            self.part(inside);
        }
        if inside != 0 {
            change(&mut self.seen);
        }
        if mask != inside
            && let Some(apart) = &mut self.apart
        {
            let of_mask = apart.iter_mut().filter(|(column, _)| mask & 1 << column != 0);
            of_mask.for_each(|(_, seen)| change(seen));
        }
    }

    /// Gives all columns but these a past of their own.
    #[cold]
    fn part(&mut self, together: Mask) {
        let (seen, others) = (self.seen, self.together & !together);
        let apart = self.apart.get_or_insert_default();
        apart.reserve_exact(others.count_ones() as usize);
        apart.extend(columns(others).map(|column| (column, seen)));
        self.together = together;
    }

    /// The two newest windows are remembered, so that a newer one than the first has no cell of the row, and neither has
    /// one between the two. Only of older ones nothing is known.
    #[inline]
    pub(super) fn spot(&self, serial: u32) -> Spot {
        for known in self.cells {
            if serial == known.serial {
                return Spot::At(known.cell);
            }
            if serial > known.serial {
                return Spot::New;
            }
        }
        Spot::Unknown
    }

    /// Takes note of the cell in a window, if that is one of the two newest.
    pub(super) fn remember(&mut self, cell: u32, serial: u32) {
        let [newest, other] = self.cells;
        let new = CellOf { serial, cell };
        if serial > newest.serial {
            self.cells = [new, newest];
        } else if serial > other.serial && serial != newest.serial {
            self.cells = [newest, new];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_with_one_past_share_it_until_they_differ() {
        let mut row = Row::new(FamilyId::declared(0), 0);
        let new = Seen::new(Timestamp::from_unix_seconds(5));
        (0..4).for_each(|column| row.add(1 << column, new));
        assert_eq!((row.together, row.apart.is_none()), (0b1111, true));
        row.change(0b1111, |seen| seen.observations += 3);
        row.change(0b0101, |seen| seen.observations += 1);
        assert_eq!([0, 1, 2, 3].map(|column| row.seen(column).unwrap().observations), [4, 3, 4, 3]);
        row.change(0b0011, |seen| seen.windows += 1);
        assert_eq!([0, 1, 2, 3].map(|column| row.seen(column).unwrap().windows), [1, 1, 0, 0]);
        row.remove(2);
        assert_eq!((row.seen(2), row.open), (None, 0b1011));
        row.add(1 << 2, new);
        assert_eq!(row.seen(2), Some(new));
    }

    #[test]
    fn families_keep_what_they_are_made_of() {
        for number in [0, 1, 77, 1 << 20] {
            assert_eq!(FamilyId::declared(number).which(), Ok(number));
            assert_eq!(FamilyId::alone(number as u32).which(), Err(number as u32));
        }
    }
}
