//! Partitions: which of them a drain's deliveries are in.
//!
//! All of a drain is in one partition, in the order in which it came; so each drain is counted by one pipeline, and whoever
//! counts a partition needs no other. Where lines are kept, all drains of an account are in one partition: whoever has it has all
//! lines of the account, in one order. Which partition it is follows from the key (the drain's, or the account's name) and the
//! number of partitions alone, on any machine and for ever: a store is made with a number of partitions, and keeps it.
//!
//! ```text
//! partition = the first 8 bytes of SHA-256(key), the highest first, modulo the number of partitions
//! ```

use sha2::{Digest, Sha256};
use std::fmt;

/// The most partitions: an id has a byte for them.
pub const MOST: u16 = 256;

/// How many partitions there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts(u16);

/// What is in one partition as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Split {
    /// Each drain.
    ByDrain,
    /// Each account, with all its drains.
    ByAccount,
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    number: u8,
    all: Parts,
}

impl Parts {
    pub const ONE: Self = Self(1);

    /// So many; `None` if there are none, or more than [`MOST`].
    pub const fn new(count: u16) -> Option<Self> {
        if count == 0 || count > MOST { None } else { Some(Self(count)) }
    }

    pub const fn count(self) -> u16 {
        self.0
    }

    /// Each, by its number.
    pub fn each(self) -> impl Iterator<Item = Part> {
        (0..=u8::MAX).take(usize::from(self.0)).map(move |number| Part { number, all: self })
    }

    /// Where the deliveries of a drain are, by its key, or those of an account, by its name.
    pub fn of(self, key: &str) -> Part {
        if self == Self::ONE {
            return Part::WHOLE;
        }
        let digest = Sha256::digest(key);
        let first = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Part { number: u8::try_from(first % u64::from(self.0)).unwrap_or(0), all: self }
    }
}

impl Part {
    /// The only one.
    pub const WHOLE: Self = Self { number: 0, all: Parts::ONE };

    /// Counted from 0: the lowest byte of the ids of its events.
    pub const fn number(self) -> u8 {
        self.number
    }

    /// Of how many it is one.
    pub const fn all(self) -> Parts {
        self.all
    }

    /// As a journal keeps it; the only one needs no word.
    pub(crate) fn code(self) -> Option<u64> {
        (self != Self::WHOLE).then(|| u64::from(self.all.0) << 8 | u64::from(self.number))
    }

    /// What a journal says that it is; `None` when that cannot be.
    pub(crate) fn of_code(code: Option<u64>) -> Option<Self> {
        let Some(code) = code else { return Some(Self::WHOLE) };
        let [.., all_high, all_low, number] = code.to_be_bytes();
        let all = Parts::new(u16::from_be_bytes([all_high, all_low]))?;
        let part = Self { number, all };
        (u16::from(number) < all.0 && part.code() == Some(code)).then_some(part)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {} of {}", self.number, self.all.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_is_where_it_was_whatever_program_asks() {
        let of = |count, drain: &str| Parts::new(count).unwrap().of(drain).number();
        // Reckoned with `printf %s KEY | sha256sum`.
        assert_eq!([of(3, "d.a"), of(16, "d.a"), of(256, "d.a")], [2, 13, 141]);
        assert_eq!([of(3, "shop/d.b"), of(16, "shop/d.b"), of(256, "shop/d.b")], [1, 12, 44]);
        assert_eq!([of(1, "d.a"), of(1, "")], [0, 0]);
        // Those of 256 are those of 64, parted in four.
        for n in 0..1_000 {
            let drain = format!("d.{n}");
            assert_eq!(of(256, &drain) % 64, of(64, &drain));
        }
    }

    #[test]
    fn every_partition_gets_its_share_of_drains() {
        for count in [2, 3, 16, 100] {
            let parts = Parts::new(count).unwrap();
            let mut drains = vec![0_u32; usize::from(count)];
            for n in 0..u32::from(count) * 1_000 {
                drains[usize::from(parts.of(&format!("d.{n:08x}-0000-4000-8000-000000000000")).number())] += 1;
            }
            assert!(drains.iter().all(|drains| (850..1_150).contains(drains)), "{drains:?}");
            assert_eq!(parts.each().map(Part::number).collect::<Vec<_>>(), (0..count as u8).collect::<Vec<_>>());
        }
        assert_eq!((Parts::new(0), Parts::new(257)), (None, None));
        assert_eq!(Parts::new(256).unwrap().each().count(), 256);
    }

    #[test]
    fn what_a_journal_says_that_it_is_is_read_back_and_nothing_else() {
        for count in 1..=MOST {
            for part in Parts::new(count).unwrap().each() {
                assert_eq!(Part::of_code(part.code()), Some(part));
            }
        }
        let wrong = [0, 1, 1 << 8, 2 << 8 | 2, 257 << 8, 1 << 24 | 3 << 8, u64::MAX];
        assert!(wrong.into_iter().all(|code| Part::of_code(Some(code)).is_none()));
    }
}
