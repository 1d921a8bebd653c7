//! A set of blocks.

/// Which blocks of a segment: one bit each. Bits behind the last block are never set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
    length: usize,
}

impl Bitmap {
    /// None of `length` blocks.
    pub(crate) fn none(length: usize) -> Self {
        Self { words: vec![0; length.div_ceil(64)], length }
    }

    /// All of `length` blocks.
    pub(crate) fn all(length: usize) -> Self {
        let mut all = Self { words: vec![u64::MAX; length.div_ceil(64)], length };
        all.cut();
        all
    }

    /// How many blocks there are, in the set or not.
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// True if no block is in the set.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// How many are in the set.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether a block is in the set. One that does not exist is not.
    pub(crate) fn get(&self, block: usize) -> bool {
        block < self.length && self.words.get(block / 64).is_some_and(|word| word >> (block % 64) & 1 == 1)
    }

    /// Puts a block into the set. One that does not exist is left alone.
    pub(crate) fn set(&mut self, block: usize) {
        if block < self.length
            && let Some(word) = self.words.get_mut(block / 64)
        {
            *word |= 1 << (block % 64);
        }
    }

    /// Takes a block out.
    pub(crate) fn clear(&mut self, block: usize) {
        if let Some(word) = self.words.get_mut(block / 64) {
            *word &= !(1 << (block % 64));
        }
    }

    /// Takes all out.
    pub(crate) fn clear_all(&mut self) {
        self.words.fill(0);
    }

    /// Keeps what is in the other, too.
    pub(crate) fn and(&mut self, other: &Self) {
        for (at, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(at).copied().unwrap_or(0);
        }
    }

    /// Adds what is in the other.
    pub(crate) fn or(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
        self.cut();
    }

    /// Takes out what is in the other.
    pub(crate) fn and_not(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// The blocks in the set, rising. `rev()` gives them falling.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.words.len()).flat_map(move |at| {
            let word = self.words.get(at).copied().unwrap_or(0);
            let first = if word == 0 { 64 } else { word.trailing_zeros() };
            (first..64 - word.leading_zeros().min(64 - first))
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| at * 64 + bit as usize)
        })
    }

    fn cut(&mut self) {
        if !self.length.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.length % 64)) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_what_was_put_into_it() {
        for length in [0, 1, 63, 64, 65, 200] {
            let (all, mut some) = (Bitmap::all(length), Bitmap::none(length));
            assert_eq!((all.count(), some.count(), all.len()), (length, 0, length));
            assert!(some.is_empty() && all.iter().eq(0..length) && all.iter().rev().eq((0..length).rev()));
            (0..length + 70).step_by(3).for_each(|block| some.set(block));
            assert!(some.iter().eq((0..length).step_by(3)));
            assert!((0..length + 70).all(|block| some.get(block) == (block < length && block % 3 == 0)));
            let mut rest = all.clone();
            rest.and_not(&some);
            assert_eq!(rest.count() + some.count(), length);
            rest.or(&some);
            assert_eq!(rest, all);
            rest.and(&some);
            assert_eq!(rest, some);
            rest.iter().collect::<Vec<_>>().into_iter().for_each(|block| rest.clear(block));
            assert!(rest.is_empty());
            some.clear_all();
            assert!(some.is_empty());
        }
    }
}
