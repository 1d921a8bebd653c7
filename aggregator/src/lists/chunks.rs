//! A list that grows without moving what it holds.

/// A list in chunks: it has at most a chunk in reserve, where a `Vec` has as much again as it holds, and copies nothing
/// while it grows. While it is short it is one `Vec`.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    /// All but the last are full; none is empty.
    chunks: Vec<Vec<T>>,
    len: usize,
}

const CHUNK: usize = 1 << 10;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunks<T> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    pub(crate) fn push(&mut self, item: T) {
        self.len += 1;
        match self.chunks.last_mut() {
            // The first chunk grows by doubling, and has room for just a chunk in the end.
            Some(last) if last.len() < CHUNK => last.push(item),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(item);
                self.chunks.push(chunk);
            }
            None => self.chunks.push(vec![item]),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.chunks.last_mut()?;
        let item = last.pop()?;
        self.len -= 1;
        if last.is_empty() {
            self.chunks.pop();
        }
        Some(item)
    }

    /// Each item in order; the memory of a chunk goes back as soon as it is read.
    pub(crate) fn into_items(self) -> impl Iterator<Item = T> {
        self.chunks.into_iter().flatten()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list() {
        let mut list = Chunks::default();
        assert_eq!((list.pop(), list.len(), list.get(0)), (None, 0, None));
        (0..3_000_usize).for_each(|n| list.push(n));
        assert_eq!(
            (list.len(), list.get(1_023), list.get(1_024), list.get(3_000)),
            (3_000, Some(&1_023), Some(&1_024), None)
        );
        list.iter_mut().for_each(|n| *n *= 2);
        *list.get_mut(7).unwrap() = 1;
        assert_eq!(list.iter().sum::<usize>(), 2_999 * 3_000 - 14 + 1);
        for n in (1_000..3_000).rev() {
            assert_eq!(list.pop(), Some(2 * n));
        }
        assert_eq!(list.clone().into_items().collect::<Vec<_>>(), list.iter().copied().collect::<Vec<_>>());
        list.push(5);
        assert_eq!((list.len(), list.get(1_000), list.iter().count()), (1_001, Some(&5), 1_001));
    }

    #[test]
    fn a_long_list_has_little_in_reserve() {
        let mut list = Chunks::default();
        (0..10 * CHUNK + 1).for_each(|n| list.push(n));
        assert!(list.chunks.iter().all(|chunk| chunk.capacity() == CHUNK));
    }
}
