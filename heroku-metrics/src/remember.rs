//! Tag sets that were met before, and the streams they led to.
//!
//! A log says the same few thousand things again and again: this dyno, this method, this status. Sorting its tags and
//! looking the stream up by its text costs more than reading the line, so the tags are made once, kept under the raw
//! octets they come from, and handed to the aggregator together with a memo of the stream.
//!
//! The table forgets everything when it is full: what is met often is back at once, and whoever invents new tags for
//! each line only costs himself the look-up.

use foldhash::fast::FixedState;
use metric_model::TagSet;
use minute_aggregator::StreamMemo;
use std::hash::BuildHasher as _;

/// A tag set with one memo for each metric that may come with it.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    key: Box<[u8]>,
    hash: u64,
    pub(crate) tags: TagSet,
    pub(crate) memos: Box<[StreamMemo]>,
}

/// Groups by the octets that name them.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    hasher: FixedState,
    /// Numbers of groups plus one, 0 for a free slot; twice as many as there may be groups.
    slots: Vec<u32>,
    groups: Vec<Group>,
    octets: usize,
}

/// The most groups that are remembered at a time.
const MOST: usize = 1 << 14;
/// What they may take together. A group of a router line has about 400 octets.
const MOST_OCTETS: usize = 8 << 20;
/// Beyond this a key is not worth remembering: the line is an odd one.
pub(crate) const MAX_KEY: usize = 160;

impl Groups {
    pub(crate) fn new(seed: u64) -> Self {
        Self { hasher: FixedState::with_seed(seed), slots: Vec::new(), groups: Vec::new(), octets: 0 }
    }

    /// What a table takes at the most: groups, slots, and the list of groups while it grows.
    pub(crate) const fn max_memory() -> usize {
        MOST_OCTETS + 2 * MOST * size_of::<u32>() + 3 * MOST * size_of::<Group>()
    }

    /// The group of this key, made by `make` (tags, and how many memos) when it is not known.
    #[inline]
    pub(crate) fn of(&mut self, key: &[u8], make: impl FnOnce() -> (TagSet, usize)) -> &mut Group {
        let hash = self.hasher.hash_one(key);
        let place = match self.find(key, hash) {
            Some(place) => place,
            None => self.add(key, hash, make()),
        };
        &mut self.groups[place]
    }

    #[inline]
    fn find(&self, key: &[u8], hash: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash as usize & mask;
        loop {
            let place = self.slots[slot].checked_sub(1)? as usize;
            let group = &self.groups[place];
            if group.hash == hash && *group.key == *key {
                return Some(place);
            }
            slot = (slot + 1) & mask;
        }
    }

    #[cold]
    fn add(&mut self, key: &[u8], hash: u64, (tags, memos): (TagSet, usize)) -> usize {
        let octets = key.len() + tags.text_len() + 16 * tags.len() + memos * size_of::<StreamMemo>();
        if self.slots.is_empty() || self.groups.len() == MOST || self.octets + octets > MOST_OCTETS {
            // Half of the slots stay free, so that a look-up ends.
            self.slots.clear();
            self.slots.resize(2 * MOST, 0);
            self.groups.clear();
            self.octets = 0;
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        let memos = vec![StreamMemo::new(); memos].into_boxed_slice();
        self.groups.push(Group { key: key.into(), hash, tags, memos });
        self.slots[slot] = self.groups.len() as u32;
        self.octets += octets;
        self.groups.len() - 1
    }
}

/// A key put together on the stack: parts with their lengths, so that `("ab", "c")` is not `("a", "bc")`.
#[derive(Debug)]
pub(crate) struct Key {
    octets: [u8; MAX_KEY],
    len: usize,
}

impl Key {
    pub(crate) const fn new(kind: u8) -> Self {
        let mut octets = [0; MAX_KEY];
        octets[0] = kind;
        Self { octets, len: 1 }
    }

    /// Adds a part; `None` when it does not fit.
    #[inline]
    pub(crate) fn with(mut self, part: Option<&[u8]>) -> Option<Self> {
        // An absent part and an empty one differ.
        let (len, part) = part.map_or((0xff, &[][..]), |part| (part.len(), part));
        let end = self.len + 1 + part.len();
        if part.len() >= 0xff || end > MAX_KEY {
            return None;
        }
        self.octets[self.len] = len as u8;
        self.octets[self.len + 1..end].copy_from_slice(part);
        self.len = end;
        Some(self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_made_once_and_found_again() {
        let mut groups = Groups::new(7);
        for round in 0..3 {
            for n in 0..1_000_u32 {
                let key = n.to_string();
                let group = groups.of(key.as_bytes(), || {
                    assert_eq!(round, 0, "{n} was forgotten");
                    (TagSet::from_iter([("n", key.as_str())]), 4)
                });
                assert_eq!((group.tags.get("n"), group.memos.len()), (Some(key.as_str()), 4));
            }
        }
    }

    #[test]
    fn a_full_table_starts_again_and_stays_in_its_bounds() {
        let mut groups = Groups::new(7);
        for n in 0..3 * MOST {
            let key = n.to_string();
            let long = "x".repeat(n % 3_000);
            let group = groups.of(key.as_bytes(), || (TagSet::from_iter([("n", key.as_str()), ("t", &long)]), 4));
            assert_eq!(group.tags.get("n"), Some(key.as_str()));
            assert!(groups.groups.len() <= MOST && groups.octets <= MOST_OCTETS);
        }
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        let key = |parts: &[Option<&[u8]>]| {
            parts.iter().try_fold(Key::new(b'r'), |key, part| key.with(*part)).map(|key| key.as_bytes().to_vec())
        };
        let keys = [
            key(&[Some(b"ab"), Some(b"c")]),
            key(&[Some(b"a"), Some(b"bc")]),
            key(&[Some(b"abc"), Some(b"")]),
            key(&[Some(b"abc"), None]),
        ];
        for (place, one) in keys.iter().enumerate() {
            assert!(one.is_some());
            assert!(keys[..place].iter().all(|other| other != one));
        }
        assert_eq!(key(&[Some(&[b'x'; MAX_KEY])]), None);
    }
}
