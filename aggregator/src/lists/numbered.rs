//! Things that are known by a number.

use crate::lists::chunks::Chunks;
use crate::lists::table::MAX_IDS;

/// Items by id; the id of an item that is removed is given to the next one.
#[derive(Clone, Debug)]
pub(crate) struct Numbered<T> {
    /// `None` between removal and reuse.
    items: Chunks<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { items: Chunks::default(), free: Vec::new() }
    }
}

impl<T> Numbered<T> {
    pub(crate) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    /// One more than the greatest id.
    pub(crate) fn id_bound(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free.is_empty() && self.items.len() >= MAX_IDS
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        self.items.get(id as usize)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.items.get_mut(id as usize)?.as_mut()
    }

    /// Adds an item; the caller has asked whether it [`is_full`](Self::is_full).
    pub(crate) fn add(&mut self, item: T) -> u32 {
        let free = self.free.pop();
        let id = free.unwrap_or(self.items.len() as u32);
        match self.items.get_mut(id as usize) {
            Some(place) => *place = Some(item),
            None => self.items.push(Some(item)),
        }
        id
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        let item = self.items.get_mut(id as usize)?.take()?;
        self.free.push(id);
        Some(item)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.items.iter()).filter_map(|(id, item)| Some((id, item.as_ref()?)))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().flatten()
    }

    /// Bytes that an item takes at most, its own heap aside: lists have twice their length in reserve, and while they
    /// grow half of that is there again.
    pub(crate) const BYTES_AN_ITEM: usize = 3 * (size_of::<Option<T>>() + size_of::<u32>());
}
