//! Counters as the bytes of a row, and adding such up by the thousand.

use super::{Counters, Counts, Packed, put};
use crate::codec::{Reader, Writer, whole_short};
use crate::config::Precision;
use crate::sketch::buckets::BLOCK;

impl Counters {
    /// Least and greatest value; then how many counters are filled, and each of them in the order of the blocks: how many
    /// come between, with a bit for a count of more than 1, and that.
    pub(crate) fn pack(&self, out: &mut Writer) {
        out.short(self.min, &[]);
        out.short(self.max, &[self.min]);
        out.count(self.filled().count());
        let mut next = 0;
        for (bucket, count) in self.filled() {
            let (number, place) = bucket.block();
            let at = u64::from(number) * BLOCK as u64 + place as u64;
            out.number((at - next) << 1 | u64::from(count > 1));
            if count > 1 {
                out.number(count - 2);
            }
            next = at + 1;
        }
    }

    pub(crate) fn unpack(input: &mut Reader<'_>, precision: Precision) -> Option<Self> {
        let min = input.short(&[])?;
        let mut read = Self { min, max: input.short(&[min])?, ..Self::new(precision) };
        let mut next = 0_u64;
        for _ in 0..input.count()? {
            let gap = input.number()?;
            let at = next.checked_add(gap >> 1)?;
            let more = if gap & 1 == 1 { input.number()?.checked_add(1)? } else { 0 };
            let (number, place) = (u32::try_from(at / BLOCK as u64).ok()?, (at % BLOCK as u64) as usize);
            read.take(number, place, more.checked_add(1)?)?;
            next = at + 1;
        }
        read.checked()
    }

    /// Adds what [`pack`](Self::pack) wrote, without making another one of it first: of bytes that were checked as a whole.
    pub(crate) fn add_packed(&mut self, input: &mut Reader<'_>, precision: Precision) -> Option<()> {
        if precision != self.precision {
            let other = Self::unpack(input, precision)?;
            self.merge(&other);
            return Some(());
        }
        let min = input.any_short(&[])?;
        let max = input.any_short(&[min])?;
        (self.min, self.max) = (self.min.min(min), self.max.max(max));
        let left = input.count()?;
        let bytes = input.clone().rest();
        let mut buckets = Buckets { bytes, left, after: 0 };
        let (mut next, mut index) = (buckets.next()?, 0);
        while let Some((at, _)) = next {
            let number = u32::try_from(at / BLOCK as u64).ok()?;
            let first = at - at % BLOCK as u64;
            index = self.block_from(index, number);
            let block = self.blocks.get_mut(index)?;
            // Buckets come in order, so that most are of the block of the one before.
            while let Some((at, count)) = next
                && at.wrapping_sub(first) < BLOCK as u64
            {
                let (filled, all) = (&mut block.filled, &mut self.count);
                let rest = match &mut block.counts {
                    Counts::Pair(counts) => add_run(&mut **counts, first, (at, count), &mut buckets, filled, all)?,
                    Counts::Nibble(counts) => add_run(&mut **counts, first, (at, count), &mut buckets, filled, all)?,
                    Counts::Byte(counts) => add_run(&mut **counts, first, (at, count), &mut buckets, filled, all)?,
                    Counts::Short(counts) => add_run(&mut **counts, first, (at, count), &mut buckets, filled, all)?,
                    Counts::Word(counts) => add_run(&mut **counts, first, (at, count), &mut buckets, filled, all)?,
                    Counts::Long(_) => Rest::Wide(at, count),
                };
                next = match rest {
                    Rest::Wide(at, count) => {
                        let place = (at - first) as usize;
                        block.filled |= 1 << (place / 4);
                        self.count_bytes += block.counts.add(place, count);
                        self.count = self.count.saturating_add(count);
                        buckets.next()?
                    }
                    Rest::Behind(next) => next,
                };
            }
        }
        input.raw(bytes.len() - buckets.bytes.len())?;
        Some(())
    }

    /// Records whole numbers that have a bucket of their own, as they are packed one by one, up to the first of another kind;
    /// answers the last of them. Most values are such, and need not be looked at as doubles to be counted.
    pub(crate) fn record_wholes(&mut self, input: &mut Reader<'_>) -> Option<Option<f64>> {
        let all = input.clone().rest();
        let most = 2_u64 << self.precision.bits();
        let (mut bytes, mut index, mut count) = (all, 0, 0);
        let mut ends: Option<(u64, u64)> = None;
        loop {
            let (number, rest) = match bytes {
                [byte @ ..0x80, rest @ ..] => (u64::from(*byte), rest),
                [low, high @ 1..0x80, rest @ ..] => (u64::from(low & 0x7F) | u64::from(*high) << 7, rest),
                _ => break,
            };
            let Some(whole) = whole_short(number).filter(|whole| *whole < most) else { break };
            // They come in order, or else this one waits for the next round.
            let Some(least) = ends.map_or(Some(whole), |(least, last)| (last <= whole).then_some(least)) else { break };
            let (number, place) = ((whole / BLOCK as u64) as u32, (whole % BLOCK as u64) as usize);
            index = self.block_from(index, number);
            let block = self.blocks.get_mut(index)?;
            block.filled |= 1 << (place / 4);
            let is_added = match &mut block.counts {
                Counts::Pair(counts) => counts.add_few(place, 1),
                Counts::Nibble(counts) => counts.add_few(place, 1),
                Counts::Byte(counts) => counts.add_few(place, 1),
                Counts::Short(counts) => counts.add_few(place, 1),
                Counts::Word(counts) => counts.add_few(place, 1),
                Counts::Long(_) => false,
            };
            if !is_added {
                self.count_bytes += block.counts.add(place, 1);
            }
            (ends, bytes, count) = (Some((least, whole)), rest, count + 1);
        }
        input.raw(all.len() - bytes.len())?;
        let Some((least, last)) = ends.map(|(least, last)| (least as f64, last as f64)) else { return Some(None) };
        (self.min, self.max) = (self.min.min(least), self.max.max(last));
        self.count = self.count.saturating_add(count);
        Some(Some(last))
    }

    /// Where a block is, made if it is not there; it is not in front of this one.
    #[inline]
    fn block_from(&mut self, mut at: usize, number: u32) -> usize {
        while self.blocks.get(at).is_some_and(|block| block.number < number) {
            at += 1;
        }
        if self.blocks.get(at).is_none_or(|block| block.number != number) {
            self.insert(at, number);
        }
        at
    }
}

/// The filled buckets as they were packed, in order.
#[derive(Clone, Copy)]
struct Buckets<'a> {
    bytes: &'a [u8],
    left: usize,
    /// The number that would leave no gap.
    after: u64,
}

impl Buckets<'_> {
    /// The number of the next one, and its count; `None` within when there are no more.
    #[inline(never)]
    fn next(&mut self) -> Option<Option<(u64, u64)>> {
        if self.left == 0 {
            return Some(None);
        }
        self.left -= 1;
        let mut input = Reader::new(self.bytes, 0);
        let gap = input.number()?;
        let at = self.after.checked_add(gap >> 1)?;
        let more = if gap & 1 == 1 { input.number()?.checked_add(1)? } else { 0 };
        self.after = at.checked_add(1)?;
        self.bytes = input.rest();
        Some(Some((at, more.checked_add(1)?)))
    }
}

/// So many are read from a word: each takes two bytes at most.
const AT_A_TIME: usize = 4;
/// The bit of each byte of a word that says that a number goes on.
const LONG: u64 = 0x8080_8080_8080_8080;

/// Where a run of one block ended.
enum Rest {
    /// This one asks for wider counters.
    Wide(u64, u64),
    /// The first of another block, if there is one.
    Behind(Option<(u64, u64)>),
}

/// The counters of a block, in one width.
trait Cells {
    /// Adds to a counter; `false`, and nothing is changed, when it does not fit.
    fn add(&mut self, place: usize, more: u64) -> bool;

    /// The same of a few.
    fn add_few(&mut self, place: usize, more: u8) -> bool;
}

macro_rules! cells {
    ($($of:ty)*) => {$(
        impl Cells for [$of; BLOCK] {
            #[inline]
            fn add(&mut self, place: usize, more: u64) -> bool {
                self.get_mut(place).is_some_and(|counter| put(counter, more))
            }

            #[inline]
            fn add_few(&mut self, place: usize, more: u8) -> bool {
                let Some(counter) = self.get_mut(place) else { return false };
                let Some(sum) = counter.checked_add(more.into()) else { return false };
                *counter = sum;
                true
            }
        }
    )*};
}

cells!(u8 u16 u32);

impl<const N: usize> Cells for Packed<N> {
    #[inline]
    fn add(&mut self, place: usize, more: u64) -> bool {
        self.try_add(place, more)
    }

    #[inline]
    fn add_few(&mut self, place: usize, more: u8) -> bool {
        self.try_add(place, more.into())
    }
}

/// Adds buckets of the block that begins at `first`, from this one on: how wide its counters are is asked once and not for
/// each.
#[inline]
fn add_run(
    counts: &mut impl Cells,
    first: u64,
    (mut at, mut count): (u64, u64),
    buckets: &mut Buckets<'_>,
    filled: &mut u32,
    all: &mut u64,
) -> Option<Rest> {
    let Buckets { mut bytes, mut left, mut after } = *buckets;
    let mut bits = *filled;
    let rest = 'run: loop {
        let place = at.wrapping_sub(first);
        if place >= BLOCK as u64 {
            break Rest::Behind(Some((at, count)));
        }
        if !counts.add(place as usize, count) {
            break Rest::Wide(at, count);
        }
        bits |= 1 << (place / 4);
        *all = all.saturating_add(count);
        // Four at a time are in a word, if none of them is long: there it is known sooner than in memory where the next one
        // begins. Whether a count follows cannot be foreseen, and so nothing branches on that.
        let mut next = (after - first) as usize;
        let mut sum = 0_u64;
        while left >= AT_A_TIME
            && let Some(word) = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
            && word & LONG == 0
        {
            let (mut word, mut taken) = (word, 0);
            for nth in 1..=AT_A_TIME {
                let is_more = word as u8 & 1;
                let more = ((word >> 8) as u8 + 1) & is_more.wrapping_neg();
                let (place, count) = (next + usize::from(word as u8 >> 1), 1 + more);
                taken += 1 + usize::from(is_more);
                word >>= 8 << is_more;
                next = place + 1;
                let is_behind = place >= BLOCK;
                if is_behind || !counts.add_few(place, count) {
                    *all = all.saturating_add(sum);
                    (bytes, left, after) = (bytes.get(taken..)?, left - nth, first + next as u64);
                    let of = (first + place as u64, u64::from(count));
                    break 'run if is_behind { Rest::Behind(Some(of)) } else { Rest::Wide(of.0, of.1) };
                }
                bits |= 1 << (place / 4);
                sum += u64::from(count);
            }
            (bytes, left) = (bytes.get(taken..)?, left - AT_A_TIME);
        }
        *all = all.saturating_add(sum);
        let mut others = Buckets { bytes, left, after: first + next as u64 };
        let one = others.next()?;
        Buckets { bytes, left, after } = others;
        match one {
            Some(next) => (at, count) = next,
            None => break Rest::Behind(None),
        }
    };
    *buckets = Buckets { bytes, left, after };
    *filled = bits;
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::buckets::Bucket;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_recorded_as_any_others() {
        for precision in [Precision::TwoDigits, Precision::ThreeDigits] {
            let (mut ours, mut theirs) = (Counters::new(precision), Counters::new(precision));
            let values = [0.0, 0.0, 3.0, 127.0, 128.0, 255.0, 256.0, 2_047.0, 2_048.0, 0.5, 7.0, -7.0, 1e12, 1.0];
            let mut packed = Writer::default();
            values.iter().for_each(|value| packed.short(*value, &[]));
            let packed = packed.into_bytes();
            let mut input = Reader::new(&packed, 0);
            while !input.is_empty() {
                let last = ours.record_wholes(&mut input).unwrap();
                assert!(last.is_none_or(|last| values.contains(&last)));
                if last.is_none() {
                    ours.record(input.any_short(&[]).unwrap());
                }
            }
            values.iter().for_each(|value| theirs.record(*value));
            assert_eq!(ours, theirs);
        }
    }

    proptest! {
        #[test]
        fn packed_counters_add_up_to_what_merging_gives(
            parts in prop::collection::vec(
                prop::collection::vec((0.5..90_000.0_f64, prop_oneof![1..5_u64, 100..300_u64, 60_000..70_000_u64, 2_000_000_000..9_000_000_000_u64]), 1..60),
                1..8,
            ),
            times in 1..5_usize,
        ) {
            let (mut ours, mut theirs) = (Counters::new(Precision::TwoDigits), Counters::new(Precision::TwoDigits));
            for part in (0..times).flat_map(|_| &parts) {
                let mut one = Counters::new(Precision::TwoDigits);
                for (value, count) in part {
                    // Whole numbers have buckets of their own, side by side.
                    let value = if count % 2 == 0 { value.sqrt().round() } else { *value };
                    one.record(value);
                    one.add(Bucket::of(value, Precision::TwoDigits), count - 1);
                    one.count += count - 1;
                }
                let mut packed = Writer::default();
                one.pack(&mut packed);
                let packed = packed.into_bytes();
                let mut input = Reader::new(&packed, 0);
                prop_assert_eq!(ours.add_packed(&mut input, Precision::TwoDigits), Some(()));
                prop_assert!(input.is_empty());
                theirs.merge(&one);
                prop_assert_eq!(&ours, &theirs);
                for cut in 0..packed.len() {
                    let mut some = Counters::new(Precision::TwoDigits);
                    prop_assert_eq!(some.add_packed(&mut Reader::new(&packed[..cut], 0), Precision::TwoDigits), None);
                }
            }
        }
    }
}
