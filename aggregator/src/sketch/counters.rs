//! Counts by bucket, in blocks that exist only where values fell, as wide as their largest count asks.

mod packed;
mod ranks;

use crate::codec::{Reader, Writer};
use crate::config::Precision;
use crate::sketch::buckets::{BLOCK, Bucket};

/// The counted form of a sketch.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Counters {
    precision: Precision,
    count: u64,
    min: f64,
    max: f64,
    /// Sorted by number, which makes equal contents equal bytes.
    blocks: Vec<Block>,
    /// Octets of all counts.
    count_bytes: usize,
}

#[derive(Clone, PartialEq, Debug)]
struct Block {
    number: u32,
    /// A bit for each four counters of which one is not 0, so that a walk need not look at the others.
    filled: u32,
    counts: Counts,
}

/// Widening: a counter that would overflow moves its block to the next width, so that nothing is ever clipped.
#[derive(Clone, PartialEq, Debug)]
enum Counts {
    /// Two bits each: most blocks of a minute hold a few values.
    Pair(Box<Packed<4>>),
    Nibble(Box<Packed<8>>),
    Byte(Box<[u8; BLOCK]>),
    Short(Box<[u16; BLOCK]>),
    Word(Box<[u32; BLOCK]>),
    Long(Box<[u64; BLOCK]>),
}

/// Counters that share words, of which there are `N`.
#[derive(Clone, PartialEq, Debug)]
struct Packed<const N: usize>([u64; N]);

impl<const N: usize> Packed<N> {
    const BYTES: usize = size_of::<Self>();
    /// In a word, and bits of each.
    const A_WORD: usize = BLOCK / N;
    const BITS: usize = u64::BITS as usize / Self::A_WORD;
    const MOST: u64 = (1 << Self::BITS) - 1;

    #[inline]
    const fn get(&self, place: usize) -> u64 {
        self.0[place / Self::A_WORD] >> (place % Self::A_WORD * Self::BITS) & Self::MOST
    }

    #[inline]
    fn try_add(&mut self, place: usize, more: u64) -> bool {
        let fits = more <= Self::MOST - self.get(place);
        if fits {
            self.0[place / Self::A_WORD] += more << (place % Self::A_WORD * Self::BITS);
        }
        fits
    }
}

/// Moves the counters of half a word apart, of 2 or 4 bits each, so that each has as many again above it.
const fn apart(half: u32, bits: u32) -> u64 {
    const MASKS: [u64; 4] =
        [0x0000_ffff_0000_ffff, 0x00ff_00ff_00ff_00ff, 0x0f0f_0f0f_0f0f_0f0f, 0x3333_3333_3333_3333];
    let (mut word, mut shift, mut nth) = (half as u64, 16, 0);
    while shift >= bits {
        word = (word | word << shift) & MASKS[nth];
        (shift, nth) = (shift / 2, nth + 1);
    }
    word
}

/// Adds to a counter; `false`, and nothing is changed, when it does not fit.
#[inline]
fn put<T: Copy + TryFrom<u64> + Into<u64>>(count: &mut T, more: u64) -> bool {
    match (*count).into().checked_add(more).and_then(|sum| T::try_from(sum).ok()) {
        Some(sum) => {
            *count = sum;
            true
        }
        None => false,
    }
}

/// So many blocks are looked through one by one.
const FEW_BLOCKS: usize = 12;

impl Counts {
    fn new() -> Self {
        Self::Pair(Box::new(Packed([0; 4])))
    }

    fn get(&self, place: usize) -> u64 {
        match self {
            Self::Pair(counts) => counts.get(place),
            Self::Nibble(counts) => counts.get(place),
            Self::Byte(counts) => u64::from(counts[place]),
            Self::Short(counts) => u64::from(counts[place]),
            Self::Word(counts) => u64::from(counts[place]),
            Self::Long(counts) => counts[place],
        }
    }

    /// Adds to one counter; `false`, and nothing is changed, when it does not fit.
    fn try_add(&mut self, place: usize, more: u64) -> bool {
        match self {
            Self::Pair(counts) => counts.try_add(place, more),
            Self::Nibble(counts) => counts.try_add(place, more),
            Self::Byte(counts) => put(&mut counts[place], more),
            Self::Short(counts) => put(&mut counts[place], more),
            Self::Word(counts) => put(&mut counts[place], more),
            Self::Long(counts) => {
                counts[place] = counts[place].saturating_add(more);
                true
            }
        }
    }

    fn widened(&self) -> Self {
        match self {
            Self::Pair(counts) => {
                let mut wider = [0; 8];
                let halves = counts.0.iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]);
                wider.iter_mut().zip(halves).for_each(|(word, half)| *word = apart(half, 2));
                Self::Nibble(Box::new(Packed(wider)))
            }
            Self::Nibble(counts) => {
                let mut wider = [0; BLOCK];
                let halves = counts.0.iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]);
                let bytes = wider.as_chunks_mut::<8>().0.iter_mut();
                bytes.zip(halves).for_each(|(bytes, half)| *bytes = apart(half, 4).to_le_bytes());
                Self::Byte(Box::new(wider))
            }
            Self::Byte(counts) => Self::Short(Box::new(counts.map(u16::from))),
            Self::Short(counts) => Self::Word(Box::new(counts.map(u32::from))),
            Self::Word(counts) => Self::Long(Box::new(counts.map(u64::from))),
            Self::Long(counts) => Self::Long(counts.clone()),
        }
    }

    /// Adds to one counter; answers by how many bytes the block grew.
    #[inline]
    fn add(&mut self, place: usize, more: u64) -> usize {
        // By far the most common cases.
        let is_done = match self {
            Self::Pair(counts) => counts.try_add(place, more),
            Self::Nibble(counts) => counts.try_add(place, more),
            Self::Byte(counts) if more == 1 && counts[place] < u8::MAX => {
                counts[place] += 1;
                true
            }
            Self::Byte(counts) => put(&mut counts[place], more),
            Self::Short(counts) => put(&mut counts[place], more),
            Self::Word(counts) => put(&mut counts[place], more),
            Self::Long(_) => self.try_add(place, more),
        };
        if is_done { 0 } else { self.widen_and_add(place, more) }
    }

    #[cold]
    fn widen_and_add(&mut self, place: usize, more: u64) -> usize {
        let before = self.heap_bytes();
        while !self.try_add(place, more) {
            *self = self.widened();
        }
        self.heap_bytes() - before
    }

    /// Of a block that begins.
    const FIRST_BYTES: usize = Packed::<4>::BYTES;

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Pair(_) => Packed::<4>::BYTES,
            Self::Nibble(_) => Packed::<8>::BYTES,
            Self::Byte(_) => BLOCK,
            Self::Short(_) => 2 * BLOCK,
            Self::Word(_) => 4 * BLOCK,
            Self::Long(_) => 8 * BLOCK,
        }
    }
}

impl Counters {
    pub(crate) fn new(precision: Precision) -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { precision, count: 0, min, max, blocks: Vec::new(), count_bytes: 0 }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn min(&self) -> f64 {
        self.min
    }

    pub(crate) fn max(&self) -> f64 {
        self.max
    }

    #[inline]
    pub(crate) fn record(&mut self, value: f64) {
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
        self.count = self.count.saturating_add(1);
        self.add(Bucket::of(value, self.precision), 1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.coarsen(other.precision);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        for (bucket, count) in other.filled() {
            let bucket = if other.precision == self.precision {
                bucket
            } else {
                Bucket::of(bucket.answer(other.precision), self.precision)
            };
            self.add(bucket, count);
        }
    }

    /// Moves the counts to coarser boundaries. Fine buckets nest in coarse ones, so this is what recording the values
    /// there would have given.
    pub(crate) fn coarsen(&mut self, precision: Precision) {
        if precision >= self.precision {
            return;
        }
        let mut coarse = Self { precision, blocks: Vec::new(), count_bytes: 0, ..*self };
        for (bucket, count) in self.filled() {
            coarse.add(Bucket::of(bucket.answer(self.precision), precision), count);
        }
        *self = coarse;
    }

    #[inline]
    fn add(&mut self, bucket: Bucket, more: u64) {
        let (number, place) = bucket.block();
        // Most sketches have a few blocks, one for each octave that was met: they are passed sooner than halved.
        let at = if self.blocks.len() <= FEW_BLOCKS {
            self.blocks.iter().position(|block| block.number >= number).unwrap_or(self.blocks.len())
        } else {
            self.blocks.partition_point(|block| block.number < number)
        };
        if self.blocks.get(at).is_none_or(|block| block.number != number) {
            self.insert(at, number);
        }
        if let Some(block) = self.blocks.get_mut(at) {
            block.filled |= 1 << (place / 4);
            self.count_bytes += block.counts.add(place, more);
        }
    }

    #[cold]
    fn insert(&mut self, at: usize, number: u32) {
        self.blocks.insert(at, Block { number, filled: 0, counts: Counts::new() });
        self.count_bytes += Counts::FIRST_BYTES;
    }

    fn filled(&self) -> impl DoubleEndedIterator<Item = (Bucket, u64)> {
        filled(&self.blocks)
    }

    /// Every filled bucket's answer with its count, ascending.
    pub(crate) fn counts(&self) -> Vec<(f64, u64)> {
        let answer = |bucket: Bucket| bucket.answer(self.precision).clamp(self.min, self.max);
        self.ascending().map(|(bucket, count)| (answer(bucket), count)).collect()
    }

    /// Least and greatest value, then the filled counters of each block: the distance to the one before, and the count.
    pub(crate) fn encode(&self, out: &mut Writer) {
        out.double(self.min);
        out.double(self.max);
        out.count(self.blocks.len());
        for block in &self.blocks {
            out.number(u64::from(block.number));
            out.count(block.filled().count());
            let mut next = 0;
            for (place, count) in block.filled() {
                out.count(place - next);
                out.number(count);
                next = place + 1;
            }
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>, precision: Precision) -> Option<Self> {
        let mut read = Self { min: input.double()?, max: input.double()?, ..Self::new(precision) };
        for _ in 0..input.count()? {
            let number = u32::try_from(input.number()?).ok()?;
            if read.blocks.last().is_some_and(|block| block.number >= number) {
                return None;
            }
            let mut next = 0;
            let filled = input.count().filter(|filled| *filled > 0)?;
            for _ in 0..filled {
                let place = usize::try_from(input.number()?).ok()?.checked_add(next).filter(|place| *place < BLOCK)?;
                let count = input.number()?;
                read.count.checked_add(count)?;
                read.take(number, place, count)?;
                next = place + 1;
            }
        }
        read.checked()
    }

    /// Takes in a counter that was read, when there can be such a one.
    fn take(&mut self, number: u32, place: usize, count: u64) -> Option<()> {
        let bucket = Bucket::from_block(number, place);
        let answer = bucket.answer(self.precision);
        // A bucket must be the one of its own answer, else no value can have fallen into it; and its block that of this
        // number, of which bits may be too high for any bucket.
        let is_sound = answer.is_finite() && Bucket::of(answer, self.precision) == bucket;
        if count == 0 || !is_sound || bucket.block() != (number, place) {
            return None;
        }
        // Sums of counts stop at the greatest number.
        self.count = self.count.saturating_add(count);
        self.add(bucket, count);
        Some(())
    }

    /// All that was read, when the least and the greatest value fit it.
    fn checked(self) -> Option<Self> {
        let (precision, min, max) = (self.precision, self.min, self.max);
        // The least and the greatest value are in the outer buckets; an answer between them is in order then.
        let mut buckets = self.ascending().map(|(bucket, _)| bucket);
        let least = buckets.next()?;
        let greatest = buckets.last().unwrap_or(least);
        let is_end = |(value, bucket): (f64, Bucket)| {
            Bucket::of(value, precision) == bucket && value.to_bits() != (-0.0_f64).to_bits()
        };
        (min <= max && [(min, least), (max, greatest)].into_iter().all(is_end)).then_some(self)
    }

    /// Octets on the heap, at most. By the contents alone and not by what a list has in reserve, so that equal
    /// contents are equal here, too.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.count_bytes + self.blocks.len().max(2) * 2 * size_of::<Block>()
    }

    /// The most by which `heap_bytes` of so many records can exceed that of none: a block for each. A block doubles its bytes
    /// when one of its counters has four times as many, so that those never pay for more.
    pub(crate) const fn max_heap_bytes(records: usize) -> usize {
        records * (Counts::FIRST_BYTES + 2 * size_of::<Block>()) + 2 * size_of::<Block>()
    }
}

impl Block {
    /// The counters that are not 0, each with its place.
    fn filled(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> + Clone {
        let places = Bits(self.filled).flat_map(|four| 4 * four..4 * four + 4);
        places.map(|place| (place, self.counts.get(place))).filter(|(_, count)| *count > 0)
    }

    fn is_negative(&self) -> bool {
        Bucket::from_block(self.number, 0).is_negative()
    }

    fn is_octave(&self) -> bool {
        !Bucket::from_block(self.number, 0).is_exact()
    }
}

fn filled(blocks: &[Block]) -> impl DoubleEndedIterator<Item = (Bucket, u64)> {
    blocks
        .iter()
        .flat_map(|block| block.filled().map(|(place, count)| (Bucket::from_block(block.number, place), count)))
}

/// The numbers of the bits that are set, from both ends.
#[derive(Clone)]
struct Bits(u32);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bit = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (bit < u32::BITS).then_some(bit as usize)
    }
}

impl DoubleEndedIterator for Bits {
    #[inline]
    fn next_back(&mut self) -> Option<usize> {
        let bit = self.0.checked_ilog2()?;
        self.0 &= !(1 << bit);
        Some(bit as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_widen_and_never_clip() {
        let mut counts = Counts::new();
        for (more, total, bytes) in [
            (3, 3, BLOCK / 4),
            (1, 4, BLOCK / 2),
            (11, 15, BLOCK / 2),
            (240, 255, BLOCK),
            (1, 256, 2 * BLOCK),
            (65_279, 65_535, 2 * BLOCK),
            (1, 65_536, 4 * BLOCK),
            (u64::from(u32::MAX), 65_536 + u64::from(u32::MAX), 8 * BLOCK),
            (u64::MAX, u64::MAX, 8 * BLOCK),
        ] {
            counts.add(5, more);
            assert_eq!((counts.get(5), counts.heap_bytes()), (total, bytes));
            assert_eq!((counts.get(4), counts.get(6)), (0, 0));
        }
    }

    #[test]
    fn counters_that_share_a_word_are_their_own() {
        let mut counts = Counts::new();
        let expected = |place: usize, round: u64| round * (place as u64 * 7 % 5 / 2);
        for round in 1..=40 {
            (0..BLOCK).for_each(|place| {
                counts.add(place, expected(place, 1));
            });
            assert!((0..BLOCK).all(|place| counts.get(place) == expected(place, round)), "{round}");
        }
    }

    #[test]
    fn a_jump_widens_as_far_as_needed() {
        let mut counts = Counts::new();
        counts.add(0, 1);
        counts.add(127, u64::from(u32::MAX) + 1);
        assert_eq!((counts.get(0), counts.get(127)), (1, u64::from(u32::MAX) + 1));
    }
}
