mod mark;
mod order;

use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use mark::Mark;
use smallvec::SmallVec;

/// Sorted, unique tags. The first value of a repeated key wins.
///
/// The text of all keys and values stands in one buffer, in order, so that a set can be cleared and filled again
/// without a heap call, and be hashed and compared as bytes.
///
/// ```
/// use metric_model::TagSet;
///
/// let mut tags = TagSet::new();
/// assert!(tags.insert("user_id", "2"));
/// assert!(tags.insert("geo", "earth"));
/// assert!(!tags.insert("geo", "mars"), "the first one stands");
/// assert_eq!(tags.iter().collect::<Vec<_>>(), [("geo", "earth"), ("user_id", "2")]);
/// assert_eq!(tags.to_string(), "geo=earth,user_id=2");
/// ```
#[derive(Default)]
pub struct TagSet {
    text: String,
    /// Of each tag, where it ends: [`Ends`] as one word, so that sets are compared as bytes. In place for as many as the lines of
    /// a router or a dyno have, and one more.
    ends: SmallVec<[u64; 7]>,
    /// Another one after each change, so that sets that are copies of each other are known to be equal.
    mark: Mark,
}

/// Where a key and its value end in the buffer.
#[derive(Clone, Copy)]
struct Ends {
    key: u32,
    value: u32,
}

impl Ends {
    #[inline]
    const fn of(word: u64) -> Self {
        Self { key: (word >> 32) as u32, value: word as u32 }
    }

    #[inline]
    const fn word(self) -> u64 {
        (self.key as u64) << 32 | self.value as u64
    }
}

impl TagSet {
    /// No tags.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tag; `false`, and nothing is changed, when the key is there already or the set's text would reach 4 GiB.
    ///
    /// Linear in the size of the set.
    ///
    /// ```
    /// let mut tags = metric_model::TagSet::new();
    /// assert!(tags.insert("source", "web.1"));
    /// assert!(!tags.insert("source", "web.2"));
    /// ```
    #[inline]
    pub fn insert(&mut self, key: &str, value: &str) -> bool {
        let grown = key.len().checked_add(value.len()).and_then(|more| more.checked_add(self.text.len()));
        if grown.is_none_or(|len| u32::try_from(len).is_err()) {
            return false;
        }
        // Keys mostly arrive in order, and then nothing has to be moved.
        if !self.is_behind_all(key) {
            return self.insert_between(key, value);
        }
        self.mark.renew();
        let key_end = self.text.len() + key.len();
        self.text.reserve(key.len() + value.len());
        self.text.push_str(key);
        self.text.push_str(value);
        self.ends.push(Ends { key: key_end as u32, value: (key_end + value.len()) as u32 }.word());
        true
    }

    /// Whether a key sorts behind all that are there.
    #[inline]
    fn is_behind_all(&self, key: &str) -> bool {
        let (start, end) = match *self.ends.as_slice() {
            [] => return true,
            [last] => (0, Ends::of(last).key),
            [.., before, last] => (Ends::of(before).value, Ends::of(last).key),
        };
        let last = self.text.as_bytes().get(start as usize..end as usize).unwrap_or_default();
        match (last.first(), key.as_bytes().first()) {
            // Spares the call that compares the rest.
            (Some(one), Some(other)) if one != other => one < other,
            _ => last < key.as_bytes(),
        }
    }

    fn insert_between(&mut self, key: &str, value: &str) -> bool {
        let mut index = self.ends.len();
        while index > 0 {
            match self.key(index - 1).cmp(key) {
                Ordering::Less => break,
                Ordering::Equal => return false,
                Ordering::Greater => index -= 1,
            }
        }
        self.mark.renew();
        let start = self.start(index);
        self.text.insert_str(start, value);
        self.text.insert_str(start, key);
        // The sum fits: the whole text was measured before.
        let (key_len, value_len) = (key.len() as u32, value.len() as u32);
        for ends in &mut self.ends[index..] {
            let Ends { key, value } = Ends::of(*ends);
            *ends = Ends { key: key + key_len + value_len, value: value + key_len + value_len }.word();
        }
        let key_end = start as u32 + key_len;
        self.ends.insert(index, Ends { key: key_end, value: key_end + value_len }.word());
        true
    }

    /// The value of a key.
    ///
    /// ```
    /// let tags = metric_model::TagSet::from_iter([("a", "1")]);
    /// assert_eq!((tags.get("a"), tags.get("b")), (Some("1"), None));
    /// ```
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The tags, sorted by key.
    ///
    /// ```
    /// let tags = metric_model::TagSet::from_iter([("b", "2"), ("a", "1")]);
    /// assert_eq!(tags.iter().next(), Some(("a", "1")));
    /// ```
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.ends.iter().enumerate().map(|(index, ends)| {
            let ends = Ends::of(*ends);
            let value = &self.text[ends.key as usize..ends.value as usize];
            (self.key(index), value)
        })
    }

    /// How many tags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes all tags out and keeps the memory.
    ///
    /// ```
    /// let mut tags = metric_model::TagSet::from_iter([("a", "1")]);
    /// tags.clear();
    /// assert!(tags.is_empty());
    /// ```
    pub fn clear(&mut self) {
        self.mark.renew();
        self.text.clear();
        self.ends.clear();
    }

    /// Bytes of all keys and values together.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    #[inline(never)]
    fn has_text_of(&self, other: &Self) -> bool {
        self.text == other.text && self.ends == other.ends
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { Ends::of(self.ends[index - 1]).value as usize }
    }

    fn key(&self, index: usize) -> &str {
        &self.text[self.start(index)..Ends::of(self.ends[index]).key as usize]
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for TagSet {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(tags: I) -> Self {
        let mut set = Self::new();
        for (key, value) in tags {
            set.insert(key.as_ref(), value.as_ref());
        }
        set
    }
}

impl Clone for TagSet {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), ends: self.ends.clone(), mark: self.mark.clone() }
    }

    /// In the memory that is there. A set that is cloned from an equal one is then compared with it, and with the clones of
    /// both, without looking at the text.
    fn clone_from(&mut self, other: &Self) {
        self.text.clone_from(&other.text);
        self.ends.clone_from(&other.ends);
        self.mark = other.mark.clone();
    }
}

impl PartialEq for TagSet {
    /// Who reads lines keeps the sets that come again, and who counts them keeps clones of those: their marks are the same.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.mark.is(&other.mark) || self.has_text_of(other)
    }
}

impl Eq for TagSet {}

impl Hash for TagSet {
    /// The text, and where each tag ends: else there would be many sets of one hash, all of one text.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.text.as_bytes());
        self.ends.iter().for_each(|ends| state.write_u64(*ends));
    }
}

impl fmt::Debug for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn order_of_arrival_makes_no_difference() {
        let tags = [("b", "2"), ("a", ""), ("", "empty"), ("ab", "x"), ("c", "3")];
        let sorted = TagSet::from_iter(tags);
        let mut turned = tags;
        for _ in 0..turned.len() {
            turned.rotate_left(1);
            assert_eq!(TagSet::from_iter(turned), sorted);
        }
        let keys: Vec<_> = sorted.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["", "a", "ab", "b", "c"]);
    }

    #[test]
    fn sets_with_one_text_and_other_borders_differ() {
        assert_ne!(TagSet::from_iter([("ab", "c")]), TagSet::from_iter([("a", "bc")]));
        assert_ne!(TagSet::from_iter([("a", "b"), ("c", "d")]), TagSet::from_iter([("a", "bcd")]));
    }

    #[test]
    fn clones_are_equal_until_one_of_them_changes() {
        let mut one = TagSet::from_iter([("a", "1")]);
        let mut other = one.clone();
        assert!(one == other && one.mark.is(&other.mark));
        // Both go on from the same text, to different ones.
        other.insert("b", "2");
        one.insert("b", "3");
        assert!(one != other && !one.mark.is(&other.mark));
        one.clear();
        other.clear();
        assert!(one == other && !one.mark.is(&other.mark), "by what they hold");
        other.clone_from(&one);
        assert!(one == other && one.mark.is(&other.mark));
        assert!(!one.insert("", "") || one != other);
        assert!(one.clone() != TagSet::new() && TagSet::new() == TagSet::new());
    }

    #[test]
    fn order_is_tag_by_tag() {
        let short = TagSet::from_iter([("a", "1")]);
        let long = TagSet::from_iter([("a", "1"), ("b", "0")]);
        let other = TagSet::from_iter([("a", "10")]);
        assert!(TagSet::new() < short && short < long && long < other);
    }
}
