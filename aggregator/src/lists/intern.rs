//! Things that are kept once and known by a number.

use crate::lists::numbered::Numbered;
use crate::lists::table::{self, Table};

/// Items by id, found by hash; the id of an item that is removed is given to the next one.
#[derive(Clone, Debug)]
pub(crate) struct Interned<T> {
    items: Numbered<Item<T>>,
    table: Table,
}

#[derive(Clone, Debug)]
struct Item<T> {
    value: T,
    hash: u32,
    /// How many others refer to it.
    users: u32,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { items: Numbered::default(), table: Table::default() }
    }
}

impl<T> Interned<T> {
    /// One more than the greatest id.
    pub(crate) fn id_bound(&self) -> usize {
        self.items.id_bound()
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        Some(&self.items.get(id)?.value)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        Some(&mut self.items.get_mut(id)?.value)
    }

    #[inline]
    pub(crate) fn find(&self, hash: u32, mut is: impl FnMut(&T) -> bool) -> Option<u32> {
        self.table.find(hash, |id| self.get(id).is_some_and(&mut is))
    }

    /// The hash that an item was added with.
    #[inline]
    pub(crate) fn hash(&self, id: u32) -> u32 {
        self.items.get(id).map_or(0, |item| item.hash)
    }

    /// Adds an item that was looked for and not found, with no users. There are no more items than others that refer to
    /// them, of which the caller has asked whether there is room for one more.
    pub(crate) fn add(&mut self, hash: u32, value: T) -> u32 {
        let id = self.items.add(Item { value, hash, users: 0 });
        self.table.insert(hash, id);
        id
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        let Item { value, hash, .. } = self.items.remove(id)?;
        self.table.remove(hash, id);
        Some(value)
    }

    pub(crate) fn add_user(&mut self, id: u32) {
        if let Some(item) = self.items.get_mut(id) {
            item.users = item.users.saturating_add(1);
        }
    }

    /// Takes a user away; answers the number that are left.
    pub(crate) fn drop_user(&mut self, id: u32) -> u32 {
        self.items.get_mut(id).map_or(0, |item| {
            item.users = item.users.saturating_sub(1);
            item.users
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.items.iter().map(|(id, item)| (id, &item.value))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.values_mut().map(|item| &mut item.value)
    }

    /// Bytes that an item takes at most, its own heap aside.
    pub(crate) const BYTES_AN_ITEM: usize = Numbered::<Item<T>>::BYTES_AN_ITEM + table::BYTES_AN_ID;
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
        assert_eq!((items.find(1, |n| *n == 7), items.iter().count()), (Some(7), 9));
        assert_eq!(items.add(5, 50), 4);
        assert_eq!((items.find(5, |_| true), items.get(4)), (Some(4), Some(&50)));
        assert_eq!(items.drop_user(4), 0, "users are counted anew");
        assert_eq!(items.iter().count(), 10);
    }
}
