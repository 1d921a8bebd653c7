//! From what is observed to its row: by its text, with a guess before the second look-up.
//!
//! The row whose tag set was at the same address before is looked at first, then the row behind the last one and the first one
//! of the tag set. Guesses are verified as what a table finds is. Most tag sets have one row, which so is found with the tags.

use super::row::{FamilyId, Seen};
use super::{Admitted, NONE, StreamId, Streams};
use crate::config::AggregatorConfig;
use crate::outcome::Refusal;
use crate::stream_key::{Key, Mask, columns, tag_bytes};
use core::hash::BuildHasher;
use metric_model::{Metric, TagSet, Timestamp};

/// A row of the tag set that was found last at each address, by where the caller keeps it, and the row that was found last.
///
/// Who reads lines has few sets that are filled again and again, or many that stay: either way the set at an address is
/// mostly the one that was there before. The guess is compared as what a table finds is; it spares the hash.
#[derive(Clone, Default, Debug)]
pub(super) struct Recent {
    /// Empty until one is found.
    rows: Vec<u32>,
    row: u32,
}

/// How many addresses are remembered: as many as there are tag sets, since who has them all in place comes to each again, and a
/// set that is not guessed is hashed and looked for in memory that lies far from the core. Twice as many would be guessed
/// right more often, and take up to 16 bytes of a distribution's 256.
const FEWEST: usize = 1 << 11;
const MOST: usize = 1 << 17;

const fn addresses(sets: usize) -> usize {
    match sets {
        0..=FEWEST => FEWEST,
        MOST.. => MOST,
        wanted => wanted.next_power_of_two(),
    }
}

impl Recent {
    /// The most it takes with so many tag sets, while the list of before is still there.
    pub(super) const fn max_bytes(sets: usize) -> usize {
        addresses(sets) / 2 * 3 * size_of::<u32>()
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u32>()
    }

    /// The row that was found with the tags that were here.
    #[inline]
    fn guess(&self, tags: &TagSet) -> u32 {
        self.rows.get(self.slot(tags)).copied().unwrap_or(NONE)
    }

    /// Takes note of a row that was found with the tags that are here; there are so many tag sets. Where there are to be more
    /// addresses, those of before are forgotten, and found again as they come.
    fn remember(&mut self, tags: &TagSet, row: u32, sets: usize) {
        let wanted = addresses(sets);
        if self.rows.len() < wanted {
            self.rows = vec![NONE; wanted];
        }
        let slot = self.slot(tags);
        if let Some(known) = self.rows.get_mut(slot) {
            *known = row;
        }
    }

    #[inline]
    fn slot(&self, tags: &TagSet) -> usize {
        let address = core::ptr::from_ref(tags).addr();
        // 2^32 over the golden ratio spreads any stride. The length is a power of two.
        (address >> 3).wrapping_mul(0x9E37_79B9) >> 12 & self.rows.len().wrapping_sub(1)
    }
}

impl Streams {
    /// Where an observation in this window goes; a stream is opened when it is new and there is room.
    ///
    /// What is answered is folded later, and counted then.
    #[inline]
    pub(crate) fn resolve(
        &mut self,
        key: &Key<'_>,
        time: Timestamp,
        window: i64,
        config: &AggregatorConfig,
    ) -> Result<Admitted, Refusal> {
        match self.look_up(key) {
            Some(stream) if self.is_active(stream) => Ok(Admitted { stream, folded: false }),
            known => self.admit(known, key, time, window, config),
        }
    }

    /// The row of a family with these tags, in which these columns have their places from now on: as [`resolve`] would have
    /// it for each of them, looked up once. `None`, and nothing is changed, where one of them might be folded or refused.
    ///
    /// [`resolve`]: Self::resolve
    pub(crate) fn resolve_row(
        &mut self,
        family: usize,
        tags: &TagSet,
        mask: Mask,
        (time, window): (Timestamp, i64),
        config: &AggregatorConfig,
        of_tags: Option<u32>,
    ) -> Option<u32> {
        let (known, of_tags) = match of_tags {
            Some(hash) => (self.find_tags(hash, tags), hash),
            None => self.recent_tags(tags),
        };
        let row = known.and_then(|known| self.row_of(FamilyId::declared(family), known, of_tags));
        let of_row = row.and_then(|row| self.rows.get(row));
        let (open, active) = of_row.map_or((0, 0), |row| (row.open, row.active()));
        let missing = mask & !active;
        let of_family = self.families.get(family)?;
        let metrics = of_family.metrics;
        let key_of = |column: u8| {
            let metric = metrics.get(usize::from(column))?;
            Some(Key { name: metric.name(), kind: metric.kind(), unit: metric.unit(), tags })
        };
        // Each of them would be asked in its turn, when those before it have taken their part.
        let (mut cost, mut bytes) = (0, self.text_bytes.saturating_add(tag_bytes(tags)));
        let mut unknown = 0;
        for column in columns(missing) {
            let key = key_of(column)?;
            if key.text_len() > config.max_key_len() as usize {
                return None;
            }
            let metric = of_family.ids.get(usize::from(column)).copied().flatten().and_then(|id| self.metrics.get(id));
            cost += metric.map_or_else(
                || {
                    unknown |= 1 << column;
                    config.cost_of(key.name, key.kind)
                },
                |metric| metric.cost,
            );
            bytes = bytes.saturating_add(key.bytes());
        }
        let new = (missing & !open).count_ones() as usize;
        let free = config.quota().map_or(u64::MAX, |quota| u64::from(quota.limit()).saturating_sub(self.places_used));
        if u64::from(cost) > free
            || self.len + new > config.max_streams() as usize
            || bytes > config.max_key_bytes()
            || self.rows.is_full()
        {
            return None;
        }
        let row = row.unwrap_or_else(|| {
            let tags = known.unwrap_or_else(|| self.add_tags(tags, of_tags));
            self.add_row(FamilyId::declared(family), tags, of_tags)
        });
        self.recent.remember(tags, row, self.tags.id_bound());
        for key in columns(unknown).filter_map(key_of) {
            self.metric_for(&key, config.form_of(key.name, key.kind), config);
        }
        if missing & !open != 0 {
            self.add_columns(family, row, missing & !open, Seen { last: window, ..Seen::new(time) });
        }
        if missing != 0 {
            self.give_places(row, missing, u64::from(cost), window);
        }
        Some(row)
    }

    /// The stream of a key, if it is known and not idle.
    #[inline]
    pub(crate) fn find_active(&mut self, key: &Key<'_>) -> Option<StreamId> {
        self.look_up(key).filter(|stream| self.is_active(*stream))
    }

    /// The index of the family with this very list of metrics, and its columns that are counts.
    #[inline]
    pub(crate) fn family(&self, metrics: &[Metric<'_>]) -> Option<(usize, Mask)> {
        // What lives as long as the program and lies at one place is one thing, so that nothing else need be compared.
        let mut families = self.families.iter().enumerate();
        families
            .find(|(_, family)| core::ptr::eq(family.metrics, metrics))
            .map(|(index, family)| (index, family.counts))
    }

    /// The row of a family with these tags, and which of its streams have their places; where there is none, the hash of the
    /// tags.
    #[inline]
    pub(crate) fn row(&mut self, family: usize, tags: &TagSet) -> Result<(u32, Mask), u32> {
        let (family, guess) = (FamilyId::declared(family), self.recent.guess(tags));
        if let Some(row) = self.rows.get(guess)
            && row.family == family
            && self.tags.get(row.tags).is_some_and(|known| known.set == *tags)
        {
            return Ok((guess, row.active()));
        }
        self.another_row(family, tags)
    }

    /// The same where another set was at the address of this one.
    #[inline(never)]
    fn another_row(&mut self, family: FamilyId, tags: &TagSet) -> Result<(u32, Mask), u32> {
        let (known, of_tags) = self.recent_tags(tags);
        let row = known.and_then(|known| Some((known, self.row_of(family, known, of_tags)?)));
        let Some((known, id)) = row else { return Err(of_tags) };
        self.recent.remember(tags, id, self.tags.id_bound());
        // They come again, and are then known at a glance for what they are.
        if let Some(known) = self.tags.get_mut(known) {
            known.set.clone_from(tags);
        }
        self.rows.get(id).map(|row| (id, row.active())).ok_or(of_tags)
    }

    /// The id of a tag set, if it is known, and its hash: by a guess, else by the table.
    #[inline]
    fn recent_tags(&mut self, tags: &TagSet) -> (Option<u32>, u32) {
        let guess = self.rows.get(self.recent.guess(tags)).map_or(NONE, |row| row.tags);
        if self.tags.get(guess).is_some_and(|known| known.set == *tags) {
            return (Some(guess), self.tags.hash(guess));
        }
        let of_tags = self.hash_tags(tags);
        let found = self.find_tags(of_tags, tags);
        if let Some(first) = found.and_then(|found| self.tags.get(found)).map(|known| known.first) {
            self.recent.remember(tags, first, self.tags.id_bound());
        }
        (found, of_tags)
    }

    /// The row of a family with the tags of this id and hash.
    #[inline]
    pub(super) fn row_of(&self, family: FamilyId, tags: u32, of_tags: u32) -> Option<u32> {
        let is_it = |id: u32| self.rows.get(id).is_some_and(|row| row.family == family && row.tags == tags);
        let first = self.tags.get(tags)?.first;
        if is_it(first) { Some(first) } else { self.more_rows.find(hash_row(family, of_tags), is_it) }
    }

    /// The stream of a key, if it is known; it may be idle.
    #[inline]
    pub(super) fn look_up(&mut self, key: &Key<'_>) -> Option<StreamId> {
        let (tags, of_tags) = self.recent_tags(key.tags);
        let tags = tags?;
        let guess = self.recent.row.wrapping_add(1);
        let stream = match [guess, self.tags.get(tags)?.first].into_iter().find(|row| self.is_alone(*row, key, tags)) {
            Some(row) => StreamId { row, column: 0 },
            None => self.stream_of(key, tags, of_tags)?,
        };
        self.recent.row = stream.row;
        Some(stream)
    }

    /// As [`look_up`](Self::look_up), without a guess.
    pub(super) fn find(&self, key: &Key<'_>) -> Option<StreamId> {
        let of_tags = self.hash_tags(key.tags);
        self.stream_of(key, self.find_tags(of_tags, key.tags)?, of_tags)
    }

    /// The stream of a key whose tags are known.
    fn stream_of(&self, key: &Key<'_>, tags: u32, of_tags: u32) -> Option<StreamId> {
        let metric = self.metrics.get(self.find_metric(self.hash_metric(key), key)?)?;
        let stream = StreamId { row: self.row_of(metric.family, tags, of_tags)?, column: metric.column };
        (self.rows.get(stream.row)?.open & stream.mask() != 0).then_some(stream)
    }

    /// Whether this is the row of the tags of this id and of the metric of the key, which is in no family.
    #[inline]
    fn is_alone(&self, id: u32, key: &Key<'_>, tags: u32) -> bool {
        self.rows.get(id).is_some_and(|row| {
            row.tags == tags
                && row.family.which().is_err_and(|metric| {
                    self.metrics.get(metric).is_some_and(|metric| metric.is(key.name, key.kind, key.unit))
                })
        })
    }

    pub(super) fn find_metric(&self, hash: u32, key: &Key<'_>) -> Option<u32> {
        self.metrics.find(hash, |metric| metric.is(key.name, key.kind, key.unit))
    }

    #[inline]
    pub(super) fn find_tags(&self, hash: u32, tags: &TagSet) -> Option<u32> {
        self.tags.find(hash, |known| known.set == *tags)
    }

    #[inline]
    pub(super) fn is_active(&self, stream: StreamId) -> bool {
        self.rows.get(stream.row).is_some_and(|row| row.active() & stream.mask() != 0)
    }

    /// The hash of a whole key: of name, kind and unit, and of the tags.
    pub(super) fn hash_of(&self, key: &Key<'_>) -> u32 {
        together(self.hash_metric(key), self.hash_tags(key.tags))
    }

    #[inline]
    pub(super) fn hash_metric(&self, key: &Key<'_>) -> u32 {
        folded(self.seed.hash_one((key.name, key.kind, key.unit)))
    }

    #[inline]
    pub(super) fn hash_tags(&self, tags: &TagSet) -> u32 {
        folded(self.seed.hash_one(tags))
    }
}

/// The hash of a row. No one outside chooses the number of a family; the hash of the tags is keyed.
#[inline]
pub(super) fn hash_row(family: FamilyId, of_tags: u32) -> u32 {
    together(family.number(), of_tags)
}

#[inline]
fn folded(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// A hash from those of two parts. The product with an odd number keeps them from being exchanged, or from cancelling
/// each other out.
#[inline]
fn together(a: u32, b: u32) -> u32 {
    folded((u64::from(a) << 32 | u64::from(b)).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_grow_with_the_tag_sets_and_stay_in_their_bound() {
        let (mut recent, tags) = (Recent::default(), [(); 3].map(|()| TagSet::new()));
        assert_eq!(recent.guess(&tags[0]), NONE);
        for (sets, addresses) in [(1, FEWEST), (5_000, 1 << 13), (100, 1 << 13), (usize::MAX, MOST)] {
            for (row, tags) in (7..).zip(&tags) {
                recent.remember(tags, row, sets);
                assert_eq!(recent.guess(tags), row);
            }
            assert_eq!(recent.rows.len(), addresses);
        }
        assert!(recent.bytes() <= Recent::max_bytes(usize::MAX));
    }
}
