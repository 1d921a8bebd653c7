//! Things that are kept once and known by a number.

use crate::lists::chunks::Chunks;
use crate::lists::table::{self, MAX_IDS, Table};

/// Items by id, found by hash; the id of an item that is removed is given to the next one.
#[derive(Clone, Debug)]
pub(crate) struct Interned<T> {
    items: Chunks<Item<T>>,
    free: Vec<u32>,
    table: Table,
}

#[derive(Clone, Debug)]
struct Item<T> {
    /// `None` between removal and reuse.
    value: Option<T>,
    hash: u32,
    /// How many others refer to it.
    users: u32,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { items: Chunks::default(), free: Vec::new(), table: Table::default() }
    }
}

impl<T> Interned<T> {
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
        self.items.get(id as usize)?.value.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.items.get_mut(id as usize)?.value.as_mut()
    }

    #[inline]
    pub(crate) fn find(&self, hash: u32, mut is: impl FnMut(&T) -> bool) -> Option<u32> {
        self.table.find(hash, |id| self.get(id).is_some_and(&mut is))
    }

    /// Like `find`, for callers that compare by id.
    #[inline]
    pub(crate) fn find_id(&self, hash: u32, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.table.find(hash, is)
    }

    /// The hash that an item was added with.
    #[inline]
    pub(crate) fn hash(&self, id: u32) -> u32 {
        self.items.get(id as usize).map_or(0, |item| item.hash)
    }

    /// Adds an item that was looked for and not found, with no users; the caller has asked whether it [`is_full`].
    ///
    /// [`is_full`]: Self::is_full
    pub(crate) fn add(&mut self, hash: u32, value: T) -> u32 {
        let id = self.add_apart(hash, value);
        self.table.insert(hash, id);
        id
    }

    /// As [`add`](Self::add) for an item that will not be looked for by its hash.
    pub(crate) fn add_apart(&mut self, hash: u32, value: T) -> u32 {
        let item = Item { value: Some(value), hash, users: 0 };
        let free = self.free.pop();
        let id = free.unwrap_or(self.items.len() as u32);
        match self.items.get_mut(id as usize) {
            Some(place) => *place = item,
            None => self.items.push(item),
        }
        id
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        let item = self.items.get_mut(id as usize)?;
        let value = item.value.take()?;
        self.table.remove(item.hash, id);
        self.free.push(id);
        Some(value)
    }

    pub(crate) fn add_user(&mut self, id: u32) {
        if let Some(item) = self.items.get_mut(id as usize) {
            item.users = item.users.saturating_add(1);
        }
    }

    /// Takes a user away; answers the number that are left.
    pub(crate) fn drop_user(&mut self, id: u32) -> u32 {
        self.items.get_mut(id as usize).map_or(0, |item| {
            item.users = item.users.saturating_sub(1);
            item.users
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.items.iter()).filter_map(|(id, item)| Some((id, item.value.as_ref()?)))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().filter_map(|item| item.value.as_mut())
    }

    /// Octets that an item takes at most, its own heap aside: lists have twice their length in reserve, and while they
    /// grow half of that is there again.
    pub(crate) const BYTES_AN_ITEM: usize = 3 * (size_of::<Item<T>>() + size_of::<u32>()) + table::BYTES_AN_ID;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_given_again() {
        let mut items = Interned::default();
        let ids: Vec<u32> = (0..10).map(|n| items.add(n % 3, n)).collect();
        assert_eq!(ids, (0..10).collect::<Vec<_>>());
        items.add_user(4);
        items.add_user(4);
        assert_eq!((items.drop_user(4), items.drop_user(4), items.drop_user(4)), (1, 0, 0));
        assert_eq!(items.remove(4), Some(4));
        assert_eq!((items.remove(4), items.get(4), items.find(1, |n| *n == 4)), (None, None, None));
        assert_eq!((items.find(1, |n| *n == 7), items.len()), (Some(7), 9));
        assert_eq!(items.add(5, 50), 4);
        assert_eq!((items.find(5, |_| true), items.get(4)), (Some(4), Some(&50)));
        assert_eq!(items.drop_user(4), 0, "users are counted anew");
        assert_eq!(items.iter().count(), 10);
    }
}
