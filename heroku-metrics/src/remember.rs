//! Tag sets that were met before, and the streams they led to.
//!
//! A log says the same few thousand things again and again: this dyno, this method, this status. Sorting its tags and
//! looking the stream up by its text costs more than reading the line, so the tags are made once, kept under the raw
//! octets they come from, and handed to the aggregator together with memos of their streams.
//!
//! What a look-up reads lies close together: a slot, five words that hold the names (those of up to 16 octets whole), and
//! the memos. Tags and longer names lie elsewhere.
//!
//! The table forgets everything when it is full: what is met often is back at once, and whoever invents new tags for
//! each line only costs himself the look-up. It has room for as many groups as the aggregator may have streams for, so
//! that traffic that fits there does not fill it.

use foldhash::fast::FixedState;
use metric_model::TagSet;
use minute_aggregator::StreamMemo;
use std::hash::{BuildHasher as _, Hasher as _};

/// Groups of streams with the same tags, by what names them on a line.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    hasher: FixedState,
    /// Upper half of the hash, and the number of the group plus one; 0 for a free slot. A power of two, at least twice as
    /// many as there are groups, so that a look-up ends.
    slots: Vec<u64>,
    groups: Vec<Group>,
    memos: Vec<StreamMemo>,
    sets: Vec<Named>,
    octets: usize,
    /// The most groups that are remembered at a time.
    most: usize,
}

#[derive(Clone, Debug)]
struct Group {
    words: [u64; WORDS],
    first_memo: u32,
    memos: u32,
}

/// What a look-up seldom reads.
#[derive(Clone, Debug)]
struct Named {
    tags: TagSet,
    /// Both texts of the key, where one is long.
    texts: Box<[u8]>,
}

/// What a group may take on average, besides its place in the lists. Tags and texts of a router line have about 200
/// octets; a memo may count three times, while the list of them grows.
const GROUP_OCTETS: usize = 448;
const MEMO: usize = 3 * size_of::<StreamMemo>();
/// Few have to find room however small the aggregator is, and nobody has more.
const FEWEST: usize = 1 << 10;
const MOST: usize = 1 << 18;
/// A router line has four streams.
const STREAMS: usize = 4;
/// Beyond this a text is not worth remembering: the line is an odd one.
const MAX_TEXT: usize = 128;
const WORDS: usize = 5;

impl Groups {
    /// Room for the groups of so many streams.
    pub(crate) fn new(seed: u64, streams: usize) -> Self {
        Self {
            hasher: FixedState::with_seed(seed),
            slots: Vec::new(),
            groups: Vec::new(),
            memos: Vec::new(),
            sets: Vec::new(),
            octets: 0,
            most: Self::most(streams),
        }
    }

    fn most(streams: usize) -> usize {
        (streams / STREAMS).clamp(FEWEST, MOST)
    }

    /// What a table takes at the most, with slots and lists while they grow.
    pub(crate) fn max_memory(streams: usize) -> usize {
        let most = Self::most(streams);
        let lists = 3 * (size_of::<Group>() + size_of::<Named>());
        most * (GROUP_OCTETS + lists) + 6 * most.next_power_of_two() * size_of::<u64>()
    }

    /// Where the group of this key is, when it is known.
    #[inline]
    pub(crate) fn find(&self, key: &Key<'_>) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = key.hash(&self.hasher);
        let mut slot = hash as usize & mask;
        loop {
            let found = *self.slots.get(slot)?;
            let place = (found as u32).checked_sub(1)? as usize;
            if (found ^ hash) >> 32 == 0 && self.is(place, key) {
                return Some(place);
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline]
    fn is(&self, place: usize, key: &Key<'_>) -> bool {
        // Word by word: arrays of this size would be compared by a call.
        let differ = |words: &[u64; WORDS]| words.iter().zip(&key.words).fold(0, |bits, (a, b)| bits | (a ^ b));
        self.groups.get(place).is_some_and(|group| differ(&group.words) == 0)
            && (!key.is_long() || self.sets.get(place).is_some_and(|set| key.is_of(&set.texts)))
    }

    /// A group of these tags with so many memos, under a key that is not known; and where it is.
    #[cold]
    pub(crate) fn add(&mut self, key: &Key<'_>, tags: TagSet, memos: usize) -> usize {
        let texts: Box<[u8]> = if key.is_long() { key.texts.concat().into() } else { Box::default() };
        let octets = texts.len() + tags.text_len() + 16 * tags.len() + memos * MEMO;
        if self.groups.len() == self.most || self.octets + octets > self.most * GROUP_OCTETS {
            self.slots.fill(0);
            self.groups.clear();
            self.memos.clear();
            self.sets.clear();
            self.octets = 0;
        }
        if 2 * (self.groups.len() + 1) > self.slots.len() {
            self.grow();
        }
        let place = self.groups.len();
        enter(&mut self.slots, key.hash(&self.hasher), place);
        self.groups.push(Group { words: key.words, first_memo: self.memos.len() as u32, memos: memos as u32 });
        self.memos.resize(self.memos.len() + memos, StreamMemo::new());
        // A copy has just the room that it needs.
        self.sets.push(Named { tags: tags.clone(), texts });
        self.octets += octets;
        place
    }

    /// Twice as many slots.
    fn grow(&mut self) {
        let slots = (2 * self.slots.len()).max(2 * FEWEST);
        self.slots.clear();
        self.slots.resize(slots, 0);
        for (place, (group, set)) in self.groups.iter().zip(&self.sets).enumerate() {
            enter(&mut self.slots, hash(&self.hasher, &group.words, [&set.texts]), place);
        }
    }

    /// The tags of a group and the memos of its streams.
    #[inline]
    pub(crate) fn at(&mut self, place: usize) -> (&TagSet, &mut [StreamMemo]) {
        let Group { first_memo, memos, .. } = self.groups[place];
        let first = first_memo as usize;
        (&self.sets[place].tags, &mut self.memos[first..first + memos as usize])
    }
}

/// Gives a group that has none a slot.
fn enter(slots: &mut [u64], hash: u64, place: usize) {
    let mask = slots.len() - 1;
    let mut slot = hash as usize & mask;
    while slots[slot] != 0 {
        slot = (slot + 1) & mask;
    }
    slots[slot] = hash >> 32 << 32 | (place as u64 + 1);
}

/// `texts` are those that the words do not hold.
#[inline]
fn hash<const N: usize>(hasher: &FixedState, words: &[u64; WORDS], texts: [&[u8]; N]) -> u64 {
    let mut hasher = hasher.build_hasher();
    words.iter().for_each(|word| hasher.write_u64(*word));
    texts.iter().filter(|text| !text.is_empty()).for_each(|text| hasher.write(text));
    hasher.finish()
}

/// What names a group: the kind of line, a number, and two texts of it, each of which may be missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    /// Kind, number and lengths, then the first and the last eight octets of each text.
    words: [u64; WORDS],
    texts: [&'a [u8]; 2],
}

impl<'a> Key<'a> {
    /// `None` when a text is too long to be remembered.
    #[inline]
    pub(crate) fn new(kind: u8, number: u16, texts: [Option<&'a [u8]>; 2]) -> Option<Self> {
        // A missing text and an empty one differ.
        let [len, other_len] = texts.map(|text| text.map_or(0, |text| text.len() + 1));
        if len > MAX_TEXT || other_len > MAX_TEXT {
            return None;
        }
        let head = u64::from(kind) << 32 | u64::from(number) << 16 | (len as u64) << 8 | other_len as u64;
        let texts = texts.map(Option::unwrap_or_default);
        let [[a, b], [c, d]] = texts.map(ends);
        Some(Self { words: [head, a, b, c, d], texts })
    }

    /// Whether its words do not hold all of it.
    #[inline]
    fn is_long(&self) -> bool {
        self.texts.iter().any(|text| text.len() > 16)
    }

    #[inline]
    fn hash(&self, hasher: &FixedState) -> u64 {
        if self.is_long() { self.long_hash(hasher) } else { hash(hasher, &self.words, []) }
    }

    /// The texts as they are kept, one behind the other.
    fn long_hash(&self, hasher: &FixedState) -> u64 {
        let (mut octets, mut len) = ([0; 2 * MAX_TEXT], 0);
        for text in self.texts {
            if let Some(place) = octets.get_mut(len..len + text.len()) {
                place.copy_from_slice(text);
                len += text.len();
            }
        }
        hash(hasher, &self.words, [octets.get(..len).unwrap_or_default()])
    }

    /// Whether these are its texts, one behind the other; their lengths are in the words.
    fn is_of(&self, texts: &[u8]) -> bool {
        texts.split_at_checked(self.texts[0].len()).is_some_and(|(first, second)| [first, second] == self.texts)
    }
}

/// The first and the last octets of a text. Of texts of one length up to 16, no two have the same.
#[inline]
fn ends(text: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32, 0];
    }
    let [first, middle, last] = match *text {
        [first, middle, last] => [first, middle, last],
        [first, last] => [first, 0, last],
        [only] => [only, 0, 0],
        _ => [0; 3],
    };
    [u64::from(u32::from_le_bytes([first, middle, last, 0])), 0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn key(text: &str) -> Key<'_> {
        Key::new(b'r', 200, [Some(b"GET"), Some(text.as_bytes())]).unwrap()
    }

    #[test]
    fn a_group_is_made_once_and_found_again() {
        let mut groups = Groups::new(7, 100_000);
        let names: Vec<String> = (0..1_000_usize).map(|n| format!("{n}{}", "x".repeat(n % 40))).collect();
        for (n, name) in names.iter().enumerate() {
            assert_eq!(groups.find(&key(name)), None);
            let place = groups.add(&key(name), TagSet::from_iter([("n", name.as_str())]), 1 + n % 4);
            assert_eq!(groups.find(&key(name)), Some(place));
        }
        for (n, name) in names.iter().enumerate() {
            let place = groups.find(&key(name)).unwrap();
            let (tags, memos) = groups.at(place);
            assert_eq!((tags.get("n"), memos.len()), (Some(name.as_str()), 1 + n % 4));
        }
    }

    #[test]
    fn a_full_table_starts_again_and_stays_in_its_bounds() {
        let mut groups = Groups::new(7, 20_000);
        for n in 0..3 * groups.most {
            let (name, long) = (n.to_string(), "x".repeat(n % 3_000));
            let tags = TagSet::from_iter([("n", name.as_str()), ("t", &long)]);
            let place = groups.add(&key(&name), tags, n % 30);
            assert_eq!(groups.at(place).0.get("n"), Some(name.as_str()));
            assert!(groups.groups.len() <= 5_000 && groups.octets <= 5_000 * GROUP_OCTETS);
            assert!(groups.octets >= groups.memos.len() * MEMO, "memos count as what they take");
        }
        let texts: usize = groups.sets.iter().map(|set| set.tags.text_len() + set.texts.len()).sum();
        assert!(groups.octets >= texts + groups.memos.len() * MEMO, "and so do texts");
    }

    #[test]
    fn different_texts_are_different_keys() {
        let long = [
            "a-name-of-20-octets-",
            "b-name-of-20-octets-",
            "a-name-of-20-octet2-",
            "a-name-0f-20-octets-",
            // Between its first eight octets and its last eight.
            "a-name-of-30-octets-",
        ];
        let texts =
            ["", "a", "b", "ab", "ba", "aab", "aba", "abb", "abab", "abbb", "abcdefg", "abcdefgh", "abcdefghijklmnop"];
        let all: Vec<Option<&[u8]>> =
            [None].into_iter().chain(texts.into_iter().chain(long).map(|text| Some(text.as_bytes()))).collect();
        let mut groups = Groups::new(7, 20_000);
        let mut places = HashSet::new();
        let pairs = || all.iter().flat_map(|a| all.iter().map(move |b| [*a, *b]));
        let keys = || pairs().flat_map(|pair| [0, 200].map(|number| Key::new(b'r', number, pair).unwrap()));
        for key in keys() {
            assert_eq!(groups.find(&key), None, "{key:?}");
            groups.add(&key, TagSet::new(), 1);
        }
        places.extend(keys().filter_map(|key| groups.find(&key)));
        assert_eq!(places.len(), 2 * all.len() * all.len());
        assert!(Key::new(b'r', 0, [Some(&[b'x'; MAX_TEXT]), None]).is_none());
    }
}
