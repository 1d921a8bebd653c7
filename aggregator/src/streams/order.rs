//! The order of output: by name, kind and unit, then by tags. Kept from one window to the next, since streams mostly stay.

use super::find::Recent;
use super::{Metric, StreamId, Streams, Tags};
use crate::lists::intern::Interned;
use crate::stream_key::{Mask, before};
use metric_model::{Kind, TagSet, Unit};

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

    /// Gives back what is of no use while no window is open.
    pub(crate) fn give_back(&mut self) {
        self.metric_order.give_back();
        self.tag_order.give_back();
        self.recent = Recent::default();
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

pub(super) fn by_metric<'a>(metrics: &'a Interned<Metric>) -> impl Fn(u32) -> Option<(&'a str, Kind, Unit<'a>)> {
    |id| metrics.get(id).map(Metric::key)
}

pub(super) fn by_tags<'a>(tags: &'a Interned<Tags>) -> impl Fn(u32) -> Option<&'a TagSet> {
    |id| tags.get(id).map(|known| &known.set)
}
