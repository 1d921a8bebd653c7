//! Who found no place: the memory behind `explain`.

use crate::codec::{Reader, Writer};
use crate::config::AggregatorConfig;
use crate::explain::{Standing, StreamReport};
use crate::lists::table::{self, Table};
use crate::stream_key::{Key, kind_byte, kind_of};
use metric_model::{Kind, TagSet, Timestamp, Unit};
use std::collections::BTreeMap;

/// The first streams that found no place, each with how often it was seen since; forgotten when idle.
#[derive(Clone, Default, Debug)]
pub(crate) struct TurnedAway {
    entries: Vec<Entry>,
    table: Table,
    text_bytes: usize,
    unlisted: u64,
}

/// Most streams that are remembered, and bytes of their keys. Beyond, observations are counted together.
const REMEMBERED: usize = 1_000;
const REMEMBERED_BYTES: usize = 1 << 20;

#[derive(Clone, Debug)]
struct Entry {
    hash: u32,
    name: Box<str>,
    kind: Kind,
    unit: Box<str>,
    tags: TagSet,
    first_seen: Timestamp,
    last: i64,
    observations: u64,
    folded: bool,
}

type EntryKey = (Box<str>, Kind, Box<str>, TagSet);

impl Entry {
    fn merge(&mut self, other: &Self) {
        self.first_seen = self.first_seen.min(other.first_seen);
        self.observations = self.observations.saturating_add(other.observations);
        self.folded |= other.folded;
        self.last = self.last.max(other.last);
    }

    fn key(&self) -> Key<'_> {
        Key { name: &self.name, kind: self.kind, unit: Unit::new(&self.unit), tags: &self.tags }
    }
}

impl TurnedAway {
    pub(crate) fn enter(&mut self, hash: u32, key: &Key<'_>, time: Timestamp, window: i64, folded: bool) {
        let known = self.table.find(hash, |at| self.entries.get(at as usize).is_some_and(|entry| entry.key() == *key));
        if let Some(entry) = known.and_then(|at| self.entries.get_mut(at as usize)) {
            entry.last = entry.last.max(window);
            entry.observations = entry.observations.saturating_add(1);
            entry.folded = folded;
            return;
        }
        if self.entries.len() >= REMEMBERED || self.text_bytes + key.bytes() > REMEMBERED_BYTES {
            self.unlisted = self.unlisted.saturating_add(1);
            return;
        }
        self.text_bytes += key.bytes();
        self.table.insert(hash, self.entries.len() as u32);
        self.entries.push(Entry {
            hash,
            name: key.name.into(),
            kind: key.kind,
            unit: key.unit.as_str().into(),
            tags: key.tags.clone(),
            first_seen: time,
            last: window,
            observations: 1,
            folded,
        });
    }

    /// Forgets the streams that were last seen before a window.
    pub(crate) fn forget_below(&mut self, window: i64) {
        if self.entries.iter().all(|entry| entry.last >= window) {
            return;
        }
        self.entries.retain(|entry| entry.last >= window);
        self.index();
    }

    /// Takes in those of another aggregator. Of too many, the first seen are kept.
    pub(crate) fn merge(&mut self, other: &Self, hash: impl Fn(&Key<'_>) -> u32) {
        let mut entries: BTreeMap<EntryKey, Entry> = BTreeMap::new();
        for entry in self.entries.drain(..).chain(other.entries.iter().cloned()) {
            let key = (entry.name.clone(), entry.kind, entry.unit.clone(), entry.tags.clone());
            match entries.get_mut(&key) {
                Some(known) => known.merge(&entry),
                None => {
                    entries.insert(key, entry);
                }
            }
        }
        let mut entries: Vec<Entry> = entries.into_values().collect();
        entries.sort_by_key(|entry| entry.first_seen); // stable: by key where that is equal
        let more: u64 = entries.iter().skip(REMEMBERED).map(|entry| entry.observations).sum();
        entries.truncate(REMEMBERED);
        self.unlisted = self.unlisted.saturating_add(other.unlisted).saturating_add(more);
        self.set(entries, hash);
    }

    fn set(&mut self, entries: Vec<Entry>, hash: impl Fn(&Key<'_>) -> u32) {
        self.entries = entries;
        for entry in &mut self.entries {
            entry.hash = hash(&entry.key());
        }
        self.index();
    }

    fn index(&mut self) {
        self.text_bytes = self.entries.iter().map(|entry| entry.key().bytes()).sum();
        self.table = Table::default();
        for (at, entry) in (0..).zip(&self.entries) {
            self.table.insert(entry.hash, at);
        }
    }

    /// Writes them by key: the order in which they came makes no difference.
    pub(crate) fn encode(&self, out: &mut Writer) {
        out.number(self.unlisted);
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.key());
        out.count(entries.len());
        for entry in entries {
            out.text(&entry.name);
            out.byte(kind_byte(entry.kind));
            out.text(&entry.unit);
            out.tags(&entry.tags);
            out.time(entry.first_seen);
            out.signed(entry.last);
            out.number(entry.observations);
            out.flag(entry.folded);
        }
    }

    pub(crate) fn decode(input: &mut Reader<'_>, hash: impl Fn(&Key<'_>) -> u32) -> Option<Self> {
        let mut read = Self { unlisted: input.number()?, ..Self::default() };
        let count = input.count()?;
        if count > REMEMBERED {
            return None;
        }
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..count {
            let entry = Entry {
                hash: 0,
                name: input.text()?.into(),
                kind: kind_of(input.byte()?)?,
                unit: input.text()?.into(),
                tags: input.tags()?,
                first_seen: input.time()?,
                last: input.signed()?,
                observations: input.number()?,
                folded: input.flag()?,
            };
            if entries.last().is_some_and(|before| before.key() >= entry.key()) {
                return None;
            }
            entries.push(entry);
        }
        read.set(entries, hash);
        Some(read)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn unlisted(&self) -> u64 {
        self.unlisted
    }

    pub(crate) fn reports<'a>(&'a self, config: &'a AggregatorConfig) -> impl Iterator<Item = StreamReport<'a>> {
        self.entries.iter().map(move |entry| {
            let standing = if entry.folded { Standing::Folded } else { Standing::Refused };
            let cost = config.cost_of(&entry.name, entry.kind);
            StreamReport::new(entry.key(), standing, cost, entry.first_seen, entry.observations)
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() * ENTRY_BYTES + self.text_bytes
    }

    /// Octets it takes at most.
    pub(crate) const MAX_BYTES: usize = (REMEMBERED + 8) * ENTRY_BYTES + REMEMBERED_BYTES;
}

/// Octets an entry takes at most besides its text, while the list grows.
const ENTRY_BYTES: usize = 3 * size_of::<Entry>() + table::BYTES_AN_ID;
