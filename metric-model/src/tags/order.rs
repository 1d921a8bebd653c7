//! The order of tag sets: tag by tag, first the key, then the value, as the output is sorted.

use super::{Ends, TagSet};
use core::cmp::Ordering;

impl Ord for TagSet {
    /// Found from the first byte at which the texts differ.
    ///
    /// All that stands before it is the same in both. So the first key or value that ends there in one of them and goes on
    /// in the other decides, the one that ends being less; if there is none, the bytes do.
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.text.as_bytes(), other.text.as_bytes());
        let same = same_bytes(a, b) as u64;
        for (of_a, of_b) in self.ends.iter().zip(&other.ends) {
            // A tag that is the same in both decides nothing: most tags are.
            if of_a == of_b && u64::from(Ends::of(*of_a).value) <= same {
                continue;
            }
            let (of_a, of_b) = (Ends::of(*of_a), Ends::of(*of_b));
            for (end_a, end_b) in [(of_a.key, of_b.key), (of_a.value, of_b.value)] {
                if u64::from(end_a) > same && u64::from(end_b) > same {
                    return a.get(same as usize).cmp(&b.get(same as usize));
                }
                if end_a != end_b {
                    return end_a.cmp(&end_b);
                }
            }
        }
        self.len().cmp(&other.len())
    }
}

impl PartialOrd for TagSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How many bytes they have in common at the start.
fn same_bytes(a: &[u8], b: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    const WIDE: usize = 4 * WORD;
    // Sets that are compared mostly begin alike: many bytes at a time, as far as that goes.
    let wide = a.as_chunks::<WIDE>().0.iter().zip(b.as_chunks::<WIDE>().0);
    let mut same = wide.take_while(|(one, other)| one == other).count() * WIDE;
    let (rest, other) = (a.get(same..).unwrap_or_default(), b.get(same..).unwrap_or_default());
    let (words, others) = (rest.as_chunks::<WORD>().0, other.as_chunks::<WORD>().0);
    for (word, other) in words.iter().zip(others) {
        let difference = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*other);
        if difference != 0 {
            return same + difference.trailing_zeros() as usize / 8;
        }
        same += WORD;
    }
    let (rest, other) = (a.get(same..).unwrap_or_default(), b.get(same..).unwrap_or_default());
    same + rest.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn order_is_that_of_the_tags_one_by_one(
            shared in "[ab]{0,20}",
            a in prop::collection::vec(("[abé]{0,3}", "[ab\\x00é]{0,12}"), 0..5),
            b in prop::collection::vec(("[abé]{0,3}", "[ab\\x00é]{0,12}"), 0..5),
            common in 0usize..5,
        ) {
            let of = |own: &[(String, String)]| -> TagSet {
                let both = a.iter().take(common).chain(own);
                [("aa", shared.as_str())].into_iter().chain(both.map(|(key, value)| (key.as_str(), value.as_str()))).collect()
            };
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.cmp(&y), x.iter().cmp(y.iter()), "{:?} {:?}", x, y);
            prop_assert_eq!(y.cmp(&x), y.iter().cmp(x.iter()));
            prop_assert_eq!(x.cmp(&x), Ordering::Equal);
        }
    }
}
