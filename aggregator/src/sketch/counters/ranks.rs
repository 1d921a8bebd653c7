//! Counters in the order of their values: which value is at a rank.

use super::{Block, Counters, Counts, Packed, filled};
use crate::config::Precision;
use crate::sketch::buckets::{BLOCK, Bucket};

impl Counters {
    /// The filled buckets in the order of their values, without a copy.
    ///
    /// Whole numbers and octaves stand apart, those below zero behind the others and by magnitude: four runs, merged
    /// two by two, the negative ones from their ends.
    pub(super) fn ascending(&self) -> impl Iterator<Item = (Bucket, u64)> {
        let (positive, negative) = self.blocks.split_at(self.blocks.partition_point(|block| !block.is_negative()));
        let halves = |blocks: &'_ [Block]| blocks.partition_point(|block| !block.is_octave());
        let (whole_above, octaves_above) = positive.split_at(halves(positive));
        let (whole_below, octaves_below) = negative.split_at(halves(negative));
        let below = merged(filled(whole_below).rev(), filled(octaves_below).rev(), self.precision);
        below.chain(merged(filled(whole_above), filled(octaves_above), self.precision))
    }

    /// The values at some ranks, in ascending order of rank, each with whether it was observed.
    pub(crate) fn at_ranks<const N: usize>(&self, ranks: [u64; N]) -> [(f64, bool); N] {
        let (positive, negative) = self.blocks.split_at(self.blocks.partition_point(|block| !block.is_negative()));
        // Where none is below zero, whole blocks are passed over.
        match negative {
            [] => self.found(ranks, &mut Heaps::of(positive, self.precision)),
            _ => self.found(ranks, &mut All(self.ascending())),
        }
    }

    fn found<const N: usize>(&self, ranks: [u64; N], walk: &mut impl Walk) -> [(f64, bool); N] {
        let mut below = 0_u64;
        let mut answer = (self.min, true);
        ranks.map(|rank| {
            while below < rank {
                let Some((bucket, count)) = walk.next(rank, &mut below) else { break };
                below = below.saturating_add(count);
                answer = (bucket.answer(self.precision).clamp(self.min, self.max), bucket.is_exact());
            }
            if rank <= 1 {
                (self.min, true)
            } else if rank >= self.count {
                (self.max, true)
            } else {
                answer
            }
        })
    }
}

/// A way through the filled buckets.
trait Walk {
    /// The next bucket, and its count. Those may be passed over behind which this rank is still to come: their counts are
    /// added to `below`.
    fn next(&mut self, rank: u64, below: &mut u64) -> Option<(Bucket, u64)>;
}

/// One bucket after the other.
struct All<I>(I);

impl<I: Iterator<Item = (Bucket, u64)>> Walk for All<I> {
    fn next(&mut self, _rank: u64, _below: &mut u64) -> Option<(Bucket, u64)> {
        self.0.next()
    }
}

/// Blocks in ascending order, whole numbers and octaves. Those whose values lie among each other are one heap, and heaps
/// follow each other.
struct Heaps<'a> {
    whole: &'a [Block],
    octaves: &'a [Block],
    precision: Precision,
    /// What is left of the heap that the last bucket was in.
    now: Heap<'a>,
}

/// Buckets of one heap: first those of the whole numbers, then those of the octaves, merged.
struct Heap<'a> {
    whole: Places<'a>,
    octaves: Places<'a>,
}

/// The filled buckets of some blocks.
struct Places<'a> {
    blocks: &'a [Block],
    place: usize,
}

impl Places<'_> {
    const NONE: Self = Self { blocks: &[], place: 0 };

    /// The first filled bucket that was not passed; it stays the first.
    fn first(&mut self) -> Option<(Bucket, u64)> {
        loop {
            let block = self.blocks.first()?;
            // Four at a time are known to be empty.
            let fours = block.filled.checked_shr(self.place as u32 / 4).unwrap_or(0);
            if fours == 0 {
                (self.blocks, self.place) = (self.blocks.get(1..)?, 0);
                continue;
            }
            if fours & 1 == 0 {
                self.place = (self.place / 4 + fours.trailing_zeros() as usize) * 4;
            }
            let count = block.counts.get(self.place);
            if count > 0 {
                return Some((Bucket::from_block(block.number, self.place), count));
            }
            self.place += 1;
        }
    }

    const fn pass(&mut self) {
        self.place += 1;
    }
}

impl<'a> Heaps<'a> {
    fn of(blocks: &'a [Block], precision: Precision) -> Self {
        let (whole, octaves) = blocks.split_at(blocks.partition_point(|block| !block.is_octave()));
        Self { whole, octaves, precision, now: Heap { whole: Places::NONE, octaves: Places::NONE } }
    }

    /// The next heap; `None` when there is none. It is taken from what there is.
    fn heap(&mut self) -> Option<(&'a [Block], &'a [Block])> {
        let key = |block: &Block, place| Bucket::from_block(block.number, place).key(self.precision);
        let ends = |blocks: &[Block], nth: usize| blocks.get(nth).map(|block| (key(block, 0), key(block, BLOCK - 1)));
        let (first, other) = (ends(self.whole, 0), ends(self.octaves, 0));
        // Up to here the values of the heap go, and so many blocks of each it has.
        let (_, mut end) = first.into_iter().chain(other).min()?;
        let (mut whole, mut octaves) = (0, 0);
        loop {
            match (ends(self.whole, whole), ends(self.octaves, octaves)) {
                (Some((from, to)), _) if from <= end => (whole, end) = (whole + 1, end.max(to)),
                (_, Some((from, to))) if from <= end => (octaves, end) = (octaves + 1, end.max(to)),
                _ => break,
            }
        }
        let (heap, rest) = (self.whole.split_at(whole), self.octaves.split_at(octaves));
        (self.whole, self.octaves) = (heap.1, rest.1);
        Some((heap.0, rest.0))
    }
}

impl Walk for Heaps<'_> {
    fn next(&mut self, rank: u64, below: &mut u64) -> Option<(Bucket, u64)> {
        loop {
            let Heap { whole, octaves } = &mut self.now;
            // Where a block is alone, its places are in order.
            let alone = match (whole.blocks, octaves.blocks) {
                ([block], []) => Some((block, &mut *whole)),
                ([], [block]) => Some((block, &mut *octaves)),
                _ => None,
            };
            if let Some((block, places)) = alone {
                if let Some((place, count)) = block.counts.find(places.place, rank, below) {
                    places.place = place + 1;
                    return Some((Bucket::from_block(block.number, place), count));
                }
                *places = Places::NONE;
            }
            let Heap { whole, octaves } = &mut self.now;
            match (whole.first(), octaves.first()) {
                (Some(one), Some(other)) if one.0.key(self.precision) > other.0.key(self.precision) => {
                    octaves.pass();
                    return Some(other);
                }
                (Some(one), _) => {
                    whole.pass();
                    return Some(one);
                }
                (None, Some(other)) => {
                    octaves.pass();
                    return Some(other);
                }
                (None, None) => {}
            }
            let (whole, octaves) = self.heap()?;
            let all = whole.iter().chain(octaves).fold(0_u64, |all, block| all.saturating_add(block.counts.total()));
            if below.saturating_add(all) < rank {
                *below = below.saturating_add(all);
            } else {
                let of = |blocks| Places { blocks, place: 0 };
                self.now = Heap { whole: of(whole), octaves: of(octaves) };
            }
        }
    }
}

/// The first place from this one on at which a rank is; what is passed over is added to `below`, which is less than that.
fn find(counts: impl Iterator<Item = u64>, from: usize, rank: u64, below: &mut u64) -> Option<(usize, u64)> {
    for (place, count) in counts.enumerate().skip(from) {
        let all = below.saturating_add(count);
        if all >= rank {
            return Some((place, count));
        }
        *below = all;
    }
    None
}

impl Counts {
    fn find(&self, from: usize, rank: u64, below: &mut u64) -> Option<(usize, u64)> {
        match self {
            Self::Pair(_) | Self::Nibble(_) | Self::Long(_) => {
                find((0..BLOCK).map(|place| self.get(place)), from, rank, below)
            }
            Self::Byte(counts) => find(counts.iter().copied().map(u64::from), from, rank, below),
            Self::Short(counts) => find(counts.iter().copied().map(u64::from), from, rank, below),
            Self::Word(counts) => find(counts.iter().copied().map(u64::from), from, rank, below),
        }
    }

    /// All of a block.
    fn total(&self) -> u64 {
        match self {
            Self::Pair(counts) => counts.total(),
            Self::Nibble(counts) => counts.total(),
            Self::Byte(counts) => counts.iter().copied().map(u64::from).sum(),
            Self::Short(counts) => counts.iter().copied().map(u64::from).sum(),
            Self::Word(counts) => counts.iter().copied().map(u64::from).sum(),
            Self::Long(counts) => counts.iter().fold(0, |all, count| all.saturating_add(*count)),
        }
    }
}

impl<const N: usize> Packed<N> {
    fn total(&self) -> u64 {
        /// The lower half of each byte, and of each of those.
        const HALVES: u64 = 0x0F0F_0F0F_0F0F_0F0F;
        const QUARTERS: u64 = 0x3333_3333_3333_3333;
        let of_word = |word: u64| {
            let fours = if Self::BITS == 2 { (word & QUARTERS) + (word >> 2 & QUARTERS) } else { word };
            let bytes = (fours & HALVES) + (fours >> 4 & HALVES);
            // Of the bytes' sum no more than a byte is filled.
            bytes.wrapping_mul(0x0101_0101_0101_0101) >> 56
        };
        self.0.iter().copied().map(of_word).sum()
    }
}

/// Two runs in ascending order as one.
fn merged(
    a: impl Iterator<Item = (Bucket, u64)>,
    b: impl Iterator<Item = (Bucket, u64)>,
    precision: Precision,
) -> impl Iterator<Item = (Bucket, u64)> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    core::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some((x, _)), Some((y, _))) if x.key(precision) > y.key(precision) => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fast_is_plain(
            values in prop::collection::vec(
                (
                    prop_oneof![0.0..300.0_f64, 0.0..40_000.0_f64, 1e-3..2.0_f64, (0..3_000_u32).prop_map(f64::from)],
                    prop_oneof![1..4_u64, 1..40_u64, 200..400_u64, 60_000..70_000_u64, 5_000_000_000..6_000_000_000_u64],
                ),
                1..200,
            ),
            is_fine: bool,
            below in prop::collection::vec(-500.0..0.0_f64, 0..2),
            parts in prop::collection::vec(0.0..=1.0_f64, 4),
        ) {
            let precision = if is_fine { Precision::ThreeDigits } else { Precision::TwoDigits };
            let mut counters = Counters::new(precision);
            for (value, count) in values.into_iter().chain(below.into_iter().map(|value| (value, 1))) {
                counters.record(value);
                counters.add(Bucket::of(value, precision), count - 1);
                counters.count += count - 1;
            }
            let mut ranks = [0, 1, 0, 0, 0, 0, counters.count()];
            ranks.iter_mut().skip(2).zip(parts).for_each(|(rank, part)| *rank = (part * counters.count() as f64) as u64);
            ranks.sort_unstable();
            let plain = counters.found(ranks, &mut All(counters.ascending()));
            prop_assert_eq!(counters.at_ranks(ranks), plain);
            for rank in ranks {
                prop_assert_eq!(counters.at_ranks([rank]), counters.found([rank], &mut All(counters.ascending())));
            }
            let all: u64 = counters.blocks.iter().map(|block| block.counts.total()).sum();
            prop_assert_eq!(all, counters.count());
        }
    }
}
