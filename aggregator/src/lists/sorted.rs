//! Ids in the order of what they stand for, brought up to date little by little.

/// A sorted list of ids, cut into leaves of some hundred.
///
/// A new id is only put into the leaf where it belongs, behind the sorted ones there; leaves are sorted when the order
/// is asked for, one at a time if need be. So adding is cheap, sorting happens within what a cache holds, and no single
/// step is longer than the sorting of one leaf, however many ids come.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sorted {
    /// None is empty. The first id of each but the first is the least in it, and greater than all in the one before.
    leaves: Vec<Leaf>,
    /// The leaves before this one are sorted.
    clean: usize,
    /// The place of each id in the order, as of the last [`rank_all`](Self::rank_all).
    ranks: Vec<u32>,
    ranked: bool,
}

#[derive(Clone, Debug)]
struct Leaf {
    ids: Vec<u32>,
    /// So many of them are in order.
    sorted: usize,
}

/// A leaf that reaches this length is cut in two.
const FULL: usize = 512;

impl Sorted {
    /// Adds an id that is not there; `key` is what it is in order by, and so for all that is asked here.
    pub(crate) fn insert<K: Ord + Copy>(&mut self, id: u32, key: impl Fn(u32) -> K) {
        self.ranked = false;
        let at = self.leaf_of(id, &key);
        let Some(leaf) = self.leaves.get_mut(at) else {
            return self.leaves.push(Leaf { ids: vec![id], sorted: 1 });
        };
        leaf.ids.push(id);
        self.clean = self.clean.min(at);
        if leaf.ids.len() >= FULL {
            leaf.sort(&key);
            let ids = leaf.ids.split_off(FULL / 2);
            leaf.sorted = leaf.ids.len();
            self.leaves.insert(at + 1, Leaf { sorted: ids.len(), ids });
        }
    }

    /// Takes an id out; what it stands for is still known.
    pub(crate) fn remove<K: Ord + Copy>(&mut self, id: u32, key: impl Fn(u32) -> K) {
        self.ranked = false;
        let at = self.leaf_of(id, &key);
        let Some(leaf) = self.leaves.get_mut(at) else { return };
        // The least one stands in front, also when the one before it goes.
        leaf.sort(&key);
        leaf.ids.retain(|other| *other != id);
        leaf.sorted = leaf.ids.len();
        self.join(at.saturating_sub(1), &key);
        self.join(at, &key);
        if self.leaves.get(at).is_some_and(|leaf| leaf.ids.is_empty()) {
            self.leaves.remove(at);
        }
        self.clean = self.clean.min(at.saturating_sub(1));
    }

    /// Makes one leaf of two that are nearly empty, so that many ids share what a leaf costs.
    fn join<K: Ord + Copy>(&mut self, at: usize, key: impl Fn(u32) -> K) {
        let Some([one, next]) = self.leaves.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) else { return };
        if one.ids.len() + next.ids.len() > FULL / 2 {
            return;
        }
        next.sort(&key);
        one.sort(&key);
        one.ids.append(&mut next.ids);
        one.sorted = one.ids.len();
        self.leaves.remove(at + 1);
    }

    /// The leaf that an id belongs into.
    fn leaf_of<K: Ord + Copy>(&self, id: u32, key: impl Fn(u32) -> K) -> usize {
        let wanted = key(id);
        let starts_before = |leaf: &Leaf| leaf.ids.first().is_some_and(|first| key(*first) <= wanted);
        self.leaves.partition_point(starts_before).saturating_sub(1)
    }

    /// Sorts leaves until `most` ids were looked at; answers how many were, fewer only when all is in order.
    pub(crate) fn sort_some<K: Ord + Copy>(&mut self, most: usize, key: impl Fn(u32) -> K) -> usize {
        let mut looked_at = 0;
        while looked_at < most
            && let Some(leaf) = self.leaves.get_mut(self.clean)
        {
            looked_at += leaf.sort(&key);
            self.clean += 1;
        }
        looked_at
    }

    /// Puts everything in order, and numbers it.
    pub(crate) fn rank_all<K: Ord + Copy>(&mut self, id_bound: usize, key: impl Fn(u32) -> K) {
        if self.ranked {
            return;
        }
        self.sort_some(usize::MAX, key);
        self.ranks.resize(id_bound, u32::MAX);
        for (rank, id) in (0..).zip(self.leaves.iter().flat_map(|leaf| &leaf.ids)) {
            if let Some(place) = self.ranks.get_mut(*id as usize) {
                *place = rank;
            }
        }
        self.ranked = true;
    }

    /// Forgets the places, which the next [`rank_all`](Self::rank_all) finds again.
    pub(crate) fn give_back(&mut self) {
        (self.ranks, self.ranked) = (Vec::new(), false);
    }

    /// The place of an id in the order, as of the last [`rank_all`](Self::rank_all).
    #[inline]
    pub(crate) fn rank(&self, id: u32) -> u32 {
        self.ranks.get(id as usize).copied().unwrap_or(u32::MAX)
    }

    /// All ids in order, as of the last [`rank_all`](Self::rank_all).
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.leaves.iter().flat_map(|leaf| leaf.ids.iter().copied())
    }

    /// Octets an id takes at most: two leaves side by side hold more than half of what one has room for, their list may
    /// be growing, and so may the list of ranks.
    pub(crate) const BYTES_AN_ID: usize =
        4 * size_of::<u32>() + 4 * 3 * size_of::<Leaf>() / FULL + 1 + 3 * size_of::<u32>();
}

impl Leaf {
    /// Answers how many ids were looked at.
    fn sort<K: Ord + Copy>(&mut self, key: impl Fn(u32) -> K) -> usize {
        if self.sorted == self.ids.len() {
            return 1;
        }
        // With what they are in order by at hand: each is compared some ten times. A stable sort finds the part that is in
        // order already, and merges.
        let mut keyed: Vec<(K, u32)> = self.ids.iter().map(|id| (key(*id), *id)).collect();
        keyed.sort_by_key(|(key, _)| *key);
        self.ids.iter_mut().zip(keyed).for_each(|(place, (_, id))| *place = id);
        self.sorted = self.ids.len();
        self.sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scrambled, so that ids are no order.
    fn key(id: u32) -> u32 {
        id.wrapping_mul(0x9E37_79B9) >> 7
    }

    #[test]
    fn whatever_comes_and_goes_it_is_in_order() {
        let mut list = Sorted::default();
        let mut there: Vec<u32> = Vec::new();
        let mut next = 0;
        for round in 0..60_u32 {
            for _ in 0..(round * 37) % 400 {
                list.insert(next, key);
                there.push(next);
                next += 1;
            }
            for _ in 0..(round * 53) % 300 {
                if !there.is_empty() {
                    let id = there.swap_remove((round as usize * 7_919) % there.len());
                    list.remove(id, key);
                }
            }
            if round % 3 == 0 {
                list.sort_some(700, key);
            }
            if round % 4 == 0 {
                list.rank_all(next as usize, key);
                there.sort_by_key(|id| key(*id));
                assert_eq!(list.iter().collect::<Vec<_>>(), there, "{round}");
                assert!(there.iter().enumerate().all(|(rank, id)| list.rank(*id) as usize == rank));
            }
        }
        assert!(list.leaves.len() > 5 && list.leaves.iter().all(|leaf| leaf.ids.len() < FULL));
        there.drain(..).for_each(|id| list.remove(id, key));
        assert_eq!(list.iter().count(), 0);
    }

    #[test]
    fn a_step_is_short() {
        let mut list = Sorted::default();
        (0..20_000).for_each(|id| list.insert(id, key));
        let mut steps = 0;
        while list.sort_some(1_000, key) >= 1_000 {
            steps += 1;
        }
        assert!(steps > 3, "{steps}");
        assert!(list.leaves.iter().all(|leaf| leaf.sorted == leaf.ids.len()));
        list.rank_all(20_000, key);
        assert_eq!(list.iter().count(), 20_000);
    }
}
