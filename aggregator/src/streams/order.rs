//! The order of output: by name, kind and unit, then by tags. Kept from one window to the next, since streams mostly stay.

use super::{Metric, Streams, Tags};
use crate::lists::intern::Interned;
use core::cmp::Ordering;
use metric_model::TagSet;

impl Streams {
    /// Works on the order of output until about so many metrics and tag sets were looked at; answers how many were,
    /// fewer only when everything is in order.
    pub(crate) fn sort_some(&mut self, most: usize) -> usize {
        let metrics = self.metric_order.sort_some(most, by_metric(&self.metrics));
        metrics + self.tag_order.sort_some(most.saturating_sub(metrics), by_tags(&self.tags))
    }

    /// Brings the order of output up to date.
    pub(crate) fn sort(&mut self) {
        self.metric_order.rank_all(self.metrics.id_bound(), by_metric(&self.metrics));
        self.tag_order.rank_all(self.tags.id_bound(), by_tags(&self.tags));
    }

    /// Gives back what only the writing of a window needs.
    pub(crate) fn give_back(&mut self) {
        self.metric_order.give_back();
        self.tag_order.give_back();
    }

    /// Sorts as the output: by name, kind and unit, then by tags; as of the last [`sort`](Self::sort).
    #[inline]
    pub(crate) fn rank(&self, id: u32) -> u64 {
        self.streams.get(id).map_or(u64::MAX, |stream| {
            u64::from(self.metric_order.rank(stream.metric)) << 32 | u64::from(self.tag_order.rank(stream.tags))
        })
    }

    /// All streams in the order of output.
    pub(crate) fn in_order(&mut self) -> InOrder {
        self.sort();
        let mut ids: Vec<u32> = self.streams.iter().map(|(id, _)| id).collect();
        ids.sort_unstable_by_key(|id| self.rank(*id));
        let mut places = vec![u32::MAX; self.streams.id_bound()];
        for (place, id) in (0..).zip(&ids) {
            if let Some(of_id) = places.get_mut(*id as usize) {
                *of_id = place;
            }
        }
        InOrder { ids, places }
    }
}

/// The streams in the order of output, at one moment.
pub(crate) struct InOrder {
    ids: Vec<u32>,
    /// The place of each stream in `ids`.
    places: Vec<u32>,
}

impl InOrder {
    pub(crate) fn id_at(&self, place: u32) -> Option<u32> {
        self.ids.get(place as usize).copied()
    }

    pub(crate) fn place(&self, id: u32) -> u32 {
        self.places.get(id as usize).copied().unwrap_or(u32::MAX)
    }

    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }
}

pub(super) fn by_metric(metrics: &Interned<Metric>) -> impl Fn(u32, u32) -> Ordering {
    |a, b| metrics.get(a).map(Metric::key).cmp(&metrics.get(b).map(Metric::key))
}

pub(super) fn by_tags(tags: &Interned<Tags>) -> impl Fn(u32, u32) -> Ordering {
    |a, b| match (tags.get(a), tags.get(b)) {
        (Some(a), Some(b)) => compare(&a.set, &b.set),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// The order of tag sets, tag by tag, found from the first octet at which their texts differ.
///
/// All that stands before it is the same in both. So the first key or value that ends there in one of them and goes on
/// in the other decides, the one that ends being less; if there is none, the octets do.
fn compare(a: &TagSet, b: &TagSet) -> Ordering {
    let (x, y) = (a.text().as_bytes(), b.text().as_bytes());
    let same = same_octets(x, y);
    let (mut ends, mut others) = (a.ends(), b.ends());
    loop {
        let ((key, value), (other_key, other_value)) = match (ends.next(), others.next()) {
            (Some(of_a), Some(of_b)) => (of_a, of_b),
            (of_a, of_b) => return of_a.is_some().cmp(&of_b.is_some()),
        };
        for (end, other) in [(key, other_key), (value, other_value)] {
            if end > same && other > same {
                return x.get(same).cmp(&y.get(same));
            }
            if end != other {
                return end.cmp(&other);
            }
        }
    }
}

/// How many octets they have in common at the start.
fn same_octets(a: &[u8], b: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    let (words, others) = (a.as_chunks::<WORD>().0, b.as_chunks::<WORD>().0);
    let mut same = 0;
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
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_short_comparison_is_that_of_tag_sets(
            shared in "[ab]{0,20}",
            a in prop::collection::vec(("[abé]{0,3}", "[ab\\x00é]{0,12}"), 0..5),
            b in prop::collection::vec(("[abé]{0,3}", "[ab\\x00é]{0,12}"), 0..5),
            common in 0usize..5,
        ) {
            let start = || [("aa", shared.as_str())].into_iter();
            let of = |own: &[(String, String)]| -> TagSet {
                let both = a.iter().take(common).chain(own);
                start().chain(both.map(|(key, value)| (key.as_str(), value.as_str()))).collect()
            };
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(compare(&x, &y), x.cmp(&y), "{:?} {:?}", x, y);
            prop_assert_eq!(compare(&y, &x), y.cmp(&x));
            prop_assert_eq!(compare(&x, &x), Ordering::Equal);
        }
    }
}
