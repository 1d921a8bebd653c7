//! From an observation to its stream: by a memo, by a guess, by its text.
//!
//! A line says several things about one tag set, and its streams got their ids one after the other when it was first
//! met. So the set of the last observation is looked at first, and in it the stream behind the last one's; of another
//! set, once found, the first stream. Guesses are verified as what a table finds is. When they are right, as they
//! mostly are, three of four look-ups of a router line neither hash the tags nor wait for a slot of the table.

use super::{Admitted, Role, StreamMemo, Streams};
use crate::config::AggregatorConfig;
use crate::outcome::Refusal;
use crate::stream_key::Key;
use core::hash::{BuildHasher, Hasher};
use metric_model::{Observation, TagSet, Timestamp};

/// The tag set and the stream that were found last.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Recent {
    tags: u32,
    stream: u32,
}

impl Streams {
    /// Where an observation in this window goes; a stream is opened when it is new and there is room.
    ///
    /// What is answered is folded later by [`enter`](Self::enter), which counts it.
    #[inline]
    pub(crate) fn resolve(
        &mut self,
        seen: &Observation<'_>,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        self.resolve_key(&Key::of(seen), seen.time(), window, config)
    }

    /// The same, of a key at an instant.
    #[inline]
    pub(crate) fn resolve_key(
        &mut self,
        key: &Key<'_>,
        time: Timestamp,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        match self.look_up(key) {
            Some(stream) if self.has_place(stream) => Ok(Admitted { stream, folded: false }),
            known => self.admit(known, key, time, window, config),
        }
    }

    /// The stream that a memo remembers, when it has been in its place ever since.
    #[inline]
    pub(crate) fn recall(&self, memo: &StreamMemo) -> Option<u32> {
        (memo.stamp == self.stamp).then_some(memo.id)
    }

    /// As [`resolve`](Self::resolve), but looks into `memo` first, and keeps a stream that has its place there.
    pub(crate) fn resolve_again(
        &mut self,
        seen: &Observation<'_>,
        memo: &mut StreamMemo,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        if memo.stamp == self.stamp {
            return Ok(Admitted { stream: memo.id, folded: false });
        }
        // Some stream lost its place since, mostly another one.
        if memo.stamp >> 32 == self.stamp >> 32
            && let Some(stream) = self.streams.get(memo.id)
            && stream.serial == memo.serial
            && stream.role != Role::Idle
        {
            memo.stamp = self.stamp;
            return Ok(Admitted { stream: memo.id, folded: false });
        }
        let admitted = self.resolve(seen, window, config)?;
        if !admitted.folded
            && let Some(stream) = self.streams.get(admitted.stream)
        {
            *memo = StreamMemo { stamp: self.stamp, id: admitted.stream, serial: stream.serial };
        }
        Ok(admitted)
    }

    /// The id of a stream, if it is known; it may be idle.
    #[inline]
    pub(super) fn look_up(&mut self, key: &Key<'_>) -> Option<u32> {
        let Recent { tags, stream } = self.recent;
        let (of_tags, tags, guess) = match self.tags.get(tags).filter(|known| known.set == *key.tags) {
            Some(_) => (self.tags.hash(tags), tags, stream.wrapping_add(1)),
            None => {
                let of_tags = self.hash_tags(key.tags);
                let tags = self.find_tags(of_tags, key.tags)?;
                (of_tags, tags, self.tags.get(tags)?.first)
            }
        };
        let stream = if self.is(guess, key, tags) {
            guess
        } else {
            self.streams.find_id(together(self.hash_metric(key), of_tags), |id| self.is(id, key, tags))?
        };
        self.recent = Recent { tags, stream };
        Some(stream)
    }

    /// As [`look_up`](Self::look_up), without a guess.
    pub(super) fn find(&self, key: &Key<'_>) -> Option<u32> {
        let of_tags = self.hash_tags(key.tags);
        let tags = self.find_tags(of_tags, key.tags)?;
        self.streams.find_id(together(self.hash_metric(key), of_tags), |id| self.is(id, key, tags))
    }

    /// Whether this is the id of the stream with this name, kind and unit, and the tag set of this id.
    #[inline]
    fn is(&self, id: u32, key: &Key<'_>, tags: u32) -> bool {
        self.streams.get(id).is_some_and(|stream| {
            stream.tags == tags
                && self.metrics.get(stream.metric).is_some_and(|metric| metric.is(key.name, key.kind, key.unit))
        })
    }

    pub(super) fn find_metric(&self, hash: u32, key: &Key<'_>) -> Option<u32> {
        self.metrics.find(hash, |metric| metric.is(key.name, key.kind, key.unit))
    }

    #[inline]
    pub(super) fn find_tags(&self, hash: u32, tags: &TagSet) -> Option<u32> {
        self.tags.find(hash, |known| known.set == *tags)
    }

    #[inline]
    pub(super) fn has_place(&self, stream: u32) -> bool {
        self.streams.get(stream).is_some_and(|stream| stream.role != Role::Idle)
    }

    /// The hash of a whole key: of name, kind and unit, and of the tags.
    pub(super) fn hash_of(&self, key: &Key<'_>) -> u32 {
        together(self.hash_metric(key), self.hash_tags(key.tags))
    }

    #[inline]
    pub(super) fn hash_metric(&self, key: &Key<'_>) -> u32 {
        folded(self.seed.hash_one((key.name, key.kind, key.unit)))
    }

    /// The text, and where each tag ends: else there would be many sets of one hash, all of one text.
    #[inline]
    pub(super) fn hash_tags(&self, tags: &TagSet) -> u32 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(tags.text().as_bytes());
        tags.ends().for_each(|(key, value)| hasher.write_u64((key as u64) << 32 | value as u64));
        folded(hasher.finish())
    }
}

#[inline]
fn folded(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// The hash of a stream from those of its parts. The product with an odd number keeps them from being exchanged, or from cancelling
/// each other out.
#[inline]
pub(super) fn together(of_metric: u32, of_tags: u32) -> u32 {
    let mixed = (u64::from(of_metric) << 32 | u64::from(of_tags)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    folded(mixed)
}
