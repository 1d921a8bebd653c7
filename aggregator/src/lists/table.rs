//! A hash table of numbers: the keys stand elsewhere, and whoever asks compares them.

/// Open addressing with linear probing over 32-bit ids.
///
/// It keeps 32 bits of each hash, so that growing needs no key, and a look-up compares a key only where those agree.
#[derive(Clone, Default, Debug)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    id: u32,
}

const FREE: u32 = u32::MAX;

/// Octets an id takes at most: a third of the slots is free, twice that after growing, and while growing the old ones
/// are there, too.
pub(crate) const BYTES_AN_ID: usize = size_of::<Slot>() * 4;

/// Octets of the first slots.
pub(crate) const FIRST_BYTES: usize = size_of::<Slot>() * 8;

/// The most ids there can be; the last number marks a free slot.
pub(crate) const MAX_IDS: usize = FREE as usize;

impl Table {
    /// The id of this hash for which `is` answers yes.
    #[inline]
    pub(crate) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.id == FREE {
                return None;
            }
            if slot.hash == hash && is(slot.id) {
                return Some(slot.id);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds an id that is not there yet.
    pub(crate) fn insert(&mut self, hash: u32, id: u32) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.used += 1;
        self.place(Slot { hash, id });
    }

    /// Takes an id out. What follows it without a gap moves up where that brings it nearer to its home, so that no
    /// mark is left behind and look-ups stay as short as they were.
    pub(crate) fn remove(&mut self, hash: u32, id: u32) {
        let Some(mask) = self.slots.len().checked_sub(1) else { return };
        let mut hole = hash as usize & mask;
        while self.slots[hole].id != id {
            if self.slots[hole].id == FREE {
                return;
            }
            hole = (hole + 1) & mask;
        }
        self.used -= 1;
        let mut at = (hole + 1) & mask;
        while self.slots[at].id != FREE {
            let home = self.slots[at].hash as usize & mask;
            // Both distances are counted around the end of the table.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.slots[hole].id = FREE;
    }

    #[cold]
    fn grow(&mut self) {
        let slots = vec![Slot { hash: 0, id: FREE }; (self.slots.len() * 2).max(8)];
        for slot in std::mem::replace(&mut self.slots, slots) {
            if slot.id != FREE {
                self.place(slot);
            }
        }
    }

    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = slot.hash as usize & mask;
        while self.slots[at].id != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in() {
        let mut table = Table::default();
        assert_eq!(table.find(7, |_| true), None);
        // Three ids for each hash: equal hashes are told apart by the key.
        for id in 0..3_000_u32 {
            table.insert((id / 3).wrapping_mul(0x9E37_79B9), id);
        }
        for id in 0..3_000_u32 {
            assert_eq!(table.find((id / 3).wrapping_mul(0x9E37_79B9), |found| found == id), Some(id));
        }
        assert_eq!(table.find(0, |_| false), None);
        assert_eq!(table.find(1, |_| true), None);
    }
    #[test]
    fn removal_leaves_the_others_to_be_found() {
        // Hashes that crowd into a few homes, at the end of the table too.
        for step in [1_u32, 7, 0x9E37_79B9] {
            let hash = |id: u32| (id % 11).wrapping_mul(step).wrapping_sub(3);
            let mut table = Table::default();
            let mut there: Vec<u32> = (0..50).collect();
            there.iter().for_each(|id| table.insert(hash(*id), *id));
            for round in 0..50 {
                let id = there.remove(round * 7 % there.len());
                table.remove(hash(id), id);
                table.remove(hash(id), id);
                for id in 0..50 {
                    let found = table.find(hash(id), |found| found == id);
                    assert_eq!(found.is_some(), there.contains(&id), "{step} {round} {id}");
                }
            }
        }
    }
}
