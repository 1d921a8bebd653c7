//! The order of output: by name, kind and unit, then by tags. Kept from one window to the next, since streams mostly stay.

use super::{Metric, StreamId, Streams, Tags};
use crate::lists::intern::Interned;
use crate::stream_key::{Mask, before};
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
    pub(crate) fn rank(&self, stream: StreamId) -> u64 {
        let (Some(metric), Some(row)) = (self.metric_id(stream), self.rows.get(stream.row)) else { return u64::MAX };
        u64::from(self.metric_order.rank(metric)) << 32 | u64::from(self.tag_order.rank(row.tags))
    }

    /// All streams in the order of output.
    pub(crate) fn in_order(&mut self) -> InOrder {
        self.sort();
        let mut streams: Vec<StreamId> = self.iter().collect();
        streams.sort_unstable_by_key(|stream| self.rank(*stream));
        let mut places = self.places(u32::MAX);
        for (rank, stream) in (0..).zip(&streams) {
            places.set(*stream, rank);
        }
        InOrder { streams, places }
    }

    /// A list of something of each stream, all alike at first.
    pub(super) fn places<T: Copy>(&self, item: T) -> Places<T> {
        let mut starts = vec![(0, 0); self.rows.id_bound()];
        let mut start = 0;
        for (id, row) in self.rows.iter() {
            if let Some(place) = starts.get_mut(id as usize) {
                *place = (start, row.open);
            }
            start += row.open.count_ones();
        }
        Places { starts, items: vec![item; start as usize] }
    }
}

/// Something of each stream, at one moment.
pub(crate) struct Places<T> {
    /// Where the streams of a row begin in the list, and which there are.
    starts: Vec<(u32, Mask)>,
    items: Vec<T>,
}

impl<T: Copy> Places<T> {
    fn index(&self, stream: StreamId) -> Option<usize> {
        let (start, open) = *self.starts.get(stream.row as usize)?;
        (open & stream.mask() != 0).then(|| start as usize + before(open, stream.column))
    }

    pub(super) fn set(&mut self, stream: StreamId, item: T) {
        if let Some(place) = self.index(stream).and_then(|index| self.items.get_mut(index)) {
            *place = item;
        }
    }

    pub(crate) fn get(&self, stream: StreamId) -> Option<T> {
        self.items.get(self.index(stream)?).copied()
    }
}

/// The streams in the order of output, at one moment.
pub(crate) struct InOrder {
    streams: Vec<StreamId>,
    /// The rank of each in it.
    places: Places<u32>,
}

impl InOrder {
    pub(crate) fn at(&self, rank: u32) -> Option<StreamId> {
        self.streams.get(rank as usize).copied()
    }

    pub(crate) fn rank(&self, stream: StreamId) -> u32 {
        self.places.get(stream).unwrap_or(u32::MAX)
    }

    pub(crate) fn streams(&self) -> &[StreamId] {
        &self.streams
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

/// The order of tag sets, tag by tag, found from the first byte at which their texts differ.
///
/// All that stands before it is the same in both. So the first key or value that ends there in one of them and goes on
/// in the other decides, the one that ends being less; if there is none, the bytes do.
fn compare(a: &TagSet, b: &TagSet) -> Ordering {
    let (x, y) = (a.text().as_bytes(), b.text().as_bytes());
    let same = same_bytes(x, y);
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

/// How many bytes they have in common at the start.
fn same_bytes(a: &[u8], b: &[u8]) -> usize {
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
