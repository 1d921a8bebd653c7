//! The tag sets of recent lines, by what names them there.
//!
//! A log says the same few hundred things again and again: this dyno, this method, this status. To make a tag set costs more
//! than to find it by the raw bytes that it was made of. So each set has a pair of slots, by a hash of those bytes, and the older
//! of a pair gives way to the next: there is nothing to grow, to clear or to count, and a sender who invents tags for each
//! line costs himself the making and others little.

use crate::classify::Class;
use metric_model::TagSet;
use std::fmt;

/// Tag sets by what names them on a line.
#[derive(Clone, Default)]
pub(super) struct Recent {
    /// None until there is the first set, then all. The newer of a pair stands first.
    slots: Vec<Option<Box<Slot>>>,
}

#[derive(Clone, Default)]
struct Slot {
    /// Those of the key.
    words: [u64; WORDS],
    /// Both texts of the key, where its words do not hold all of them.
    long: Vec<u8>,
    tags: TagSet,
}

/// An app of a hundred dynos has some thousand sets that are met often.
const SLOTS: usize = 1 << 11;
const WORDS: usize = 5;
/// Of the texts that name a set, one that is longer is not worth keeping: the line is an odd one.
const MAX_TEXT: usize = 64;

impl Recent {
    /// What all of it takes at the most, where the host's own tag has so many bytes. A list may be twice as long as it has to be.
    pub(super) const fn max_memory(host: usize) -> usize {
        const KEYS: usize = 64;
        SLOTS
            * (size_of::<Option<Box<Slot>>>()
                + size_of::<Slot>()
                + 2 * (2 * MAX_TEXT)
                + 2 * (KEYS + 3 * MAX_TEXT + host))
    }

    /// The tags that were [found](Self::find).
    #[inline]
    pub(super) fn at<'t>(&'t self, index: usize, spare: &'t TagSet) -> &'t TagSet {
        self.slots.get(index).and_then(Option::as_ref).map_or(spare, |slot| &slot.tags)
    }

    /// The tags of a key that was not found, as `make` makes them; in `spare` where they are not to be kept. Not in one with
    /// [`find`](Self::find): what it takes to make tags would be gathered for each line.
    #[inline(never)]
    pub(super) fn make<'t>(
        &'t mut self,
        key: Option<Key<'_>>,
        spare: &'t mut TagSet,
        make: impl FnOnce(&mut TagSet),
    ) -> &'t TagSet {
        // Others are refused again for each line.
        let kept = key.filter(Key::is_clean).and_then(|key| self.take(&key));
        let tags = kept.unwrap_or(spare);
        make(tags);
        tags
    }

    /// In which slot the set of this key is, when it is there. In place, so that the key stays in registers.
    #[inline(always)]
    pub(super) fn find(&self, key: &Key<'_>) -> Option<usize> {
        let first = key.slot();
        let [newer, older] = self.slots.get(first..first + 2)? else { return None };
        let is_it = |slot: &Option<Box<Slot>>| slot.as_ref().is_some_and(|slot| slot.is_of(key));
        if is_it(newer) { Some(first) } else { is_it(older).then_some(first + 1) }
    }

    /// The older slot of a key, to be filled again with its tags, and now the newer one.
    fn take(&mut self, key: &Key<'_>) -> Option<&mut TagSet> {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let first = key.slot();
        let [newer, older] = self.slots.get_mut(first..first + 2)? else { return None };
        std::mem::swap(newer, older);
        let slot = newer.get_or_insert_default();
        slot.words = key.words;
        slot.long.clear();
        if key.is_long() {
            key.texts.iter().for_each(|text| slot.long.extend_from_slice(text));
        }
        Some(&mut slot.tags)
    }
}

impl Slot {
    #[inline]
    fn is_of(&self, key: &Key<'_>) -> bool {
        // Word by word: arrays of this size would be compared by a call.
        let differ = self.words.iter().zip(&key.words).fold(0, |bits, (a, b)| bits | (a ^ b)) != 0;
        !differ && (!key.is_long() || key.is_of(&self.long))
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

/// What names a tag set on a line: the kind of line, a number, and two texts, each of which may be missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    /// Kind, number and lengths, then the first and the last eight bytes of each text.
    words: [u64; WORDS],
    texts: [&'a [u8]; 2],
}

impl<'a> Key<'a> {
    /// `None` when a text is too long to be kept.
    #[inline]
    pub(super) fn new(class: Class, number: u16, texts: [Option<&'a [u8]>; 2]) -> Option<Self> {
        // A missing text and an empty one differ.
        let [len, other_len] = texts.map(|text| text.map_or(0, |text| text.len() + 1));
        if len > MAX_TEXT || other_len > MAX_TEXT {
            return None;
        }
        let head = (class as u64) << 32 | u64::from(number) << 16 | (len as u64) << 8 | other_len as u64;
        let texts = texts.map(Option::unwrap_or_default);
        let [[a, b], [c, d]] = texts.map(ends);
        Some(Self { words: [head, a, b, c, d], texts })
    }

    /// Whether its texts are surely such.
    fn is_clean(&self) -> bool {
        self.texts.iter().all(|text| text.is_ascii())
    }

    /// Whether its words do not hold all of it.
    #[inline]
    fn is_long(&self) -> bool {
        self.texts.iter().any(|text| text.len() > 16)
    }

    /// The first slot of its pair. Whoever finds three keys of one pair makes their tags for each line, and that is all.
    #[inline]
    fn slot(&self) -> usize {
        const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
        let hash = self.words.iter().fold(0_u64, |hash, word| (hash.rotate_left(23) ^ word).wrapping_mul(MIX));
        (hash >> (u64::BITS - SLOTS.trailing_zeros())) as usize & !1
    }

    /// Whether these are its texts, one behind the other; their lengths are in the words.
    #[cold]
    fn is_of(&self, texts: &[u8]) -> bool {
        texts.split_at_checked(self.texts[0].len()).is_some_and(|(first, second)| [first, second] == self.texts)
    }
}

/// The first and the last bytes of a text. Of texts of one length up to 16, no two have the same.
#[inline]
fn ends(text: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32, 0];
    }
    let (Some(first), Some(middle), Some(last)) = (text.first(), text.get(text.len() / 2), text.last()) else {
        return [0; 2];
    };
    [u64::from(u32::from_le_bytes([*first, *middle, *last, 0])), 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key<'_> {
        Key::new(Class::Router, 200, [Some(b"GET"), Some(text.as_bytes())]).unwrap()
    }

    fn keep(recent: &mut Recent, key: &Key<'_>, name: &str) {
        let tags = recent.take(key).unwrap();
        tags.clear();
        tags.insert("n", name);
    }

    #[test]
    fn a_set_is_found_until_another_takes_its_slot() {
        let mut recent = Recent::default();
        assert_eq!(recent.find(&key("web.1")), None);
        let names: Vec<String> = (0..5_000_usize).map(|n| format!("{n}{}", "x".repeat(n % 40))).collect();
        for name in &names {
            keep(&mut recent, &key(name), name);
        }
        let found =
            |name: &String| recent.find(&key(name)).map(|index| recent.slots[index].as_ref().unwrap().tags.get("n"));
        let kept = names.iter().filter(|name| found(name).is_some_and(|kept| kept == Some(name.as_str()))).count();
        assert_eq!(kept, names.iter().filter(|name| found(name).is_some()).count(), "none is taken for another");
        assert!((SLOTS * 9 / 10..=SLOTS).contains(&kept), "{kept}");
    }

    #[test]
    fn memory_stays_in_its_bounds() {
        let mut recent = Recent::default();
        let host = "h".repeat(100);
        for n in 0..20_000 {
            let text = format!("{n:063}");
            let long = Key::new(Class::Router, 200, [Some(text.as_bytes()), Some(text.as_bytes())]).unwrap();
            let tags = recent.take(&long).unwrap();
            tags.clear();
            for (name, value) in [("app_name", &host), ("dyno", &text), ("method", &text), ("source", &text)] {
                tags.insert(name, value);
            }
        }
        let bytes = |slot: &Slot| size_of::<Slot>() + slot.long.capacity() + slot.tags.text_len();
        let slots: usize = recent.slots.iter().flatten().map(|slot| bytes(slot)).sum();
        let bound = Recent::max_memory(host.len());
        assert!(recent.slots.len() * size_of::<Option<Box<Slot>>>() + slots <= bound && slots * 2 > bound);
    }

    #[test]
    fn different_texts_are_different_keys() {
        let long = [
            "a-name-of-20-bytes--",
            "b-name-of-20-bytes--",
            "a-name-of-20-bytes2-",
            "a-name-0f-20-bytes--",
            // Between its first eight bytes and its last eight.
            "a-name-of-30-bytes--",
        ];
        let texts =
            ["", "a", "b", "ab", "ba", "aab", "aba", "abb", "abab", "abbb", "abcdefg", "abcdefgh", "abcdefghijklmnop"];
        let all: Vec<Option<&[u8]>> =
            [None].into_iter().chain(texts.into_iter().chain(long).map(|text| Some(text.as_bytes()))).collect();
        let pairs = || all.iter().flat_map(|a| all.iter().map(move |b| [*a, *b]));
        let keys = || pairs().flat_map(|pair| [0, 200].map(|number| Key::new(Class::Router, number, pair).unwrap()));
        let mut recent = Recent::default();
        for (nth, key) in keys().enumerate() {
            keep(&mut recent, &key, "");
            assert!(keys().enumerate().all(|(other, key)| recent.find(&key).is_none() || other <= nth), "{key:?}");
            assert!(recent.find(&key).is_some());
        }
        assert!(Key::new(Class::Router, 0, [Some(&[b'x'; MAX_TEXT]), None]).is_none());
    }
}
