//! What one step writes, gathered to be sent at once.

use crate::event::{DeliveryKey, Event};
use crate::journal::failure::StoreError;
use crate::journal::ledger::Writes;
use crate::journal::places::Places;
use crate::journal::row::{encode, signed};
use heroku_metrics::model::Timestamp;
use std::collections::HashMap;

/// A day. Two clocks that are further apart are not of one time, and one of them is wrong.
const APART: u64 = 86_400_000_000;

/// New ids of a drain before its old ones are looked for.
const FRESH: u32 = 512;

/// What one step writes.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) rows: Rows,
    pub(super) ids: Ids,
    /// Of the ids that are offered, those that were taken before, and the number of their drain.
    known: HashMap<[u8; 16], i64>,
    /// What the clock of the database said when they were looked for, in microseconds; `None` when nothing was.
    now: Option<i64>,
    /// The number that the next new drain gets.
    pub(super) next_drain: i64,
    /// Drains that go, before all else.
    pub(super) dropped: Vec<i64>,
    /// Drains that come: number, key, since when.
    pub(super) added: Vec<(i64, String, i64)>,
    /// Who lost a place.
    pub(super) ended: Option<String>,
    pub(super) accounts: Vec<(String, Option<(String, u32)>)>,
}

/// Events, column by column.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) seqs: Vec<i64>,
    pub(super) kinds: Vec<i64>,
    pub(super) ats: Vec<i64>,
    pub(super) drains: Vec<Option<String>>,
    pub(super) counts: Vec<Option<i64>>,
    pub(super) crcs: Vec<i64>,
    pub(super) bases: Vec<Option<i64>>,
    pub(super) lines: Vec<Option<i64>>,
    pub(super) peers: Vec<Option<Vec<u8>>>,
    pub(super) layouts: Vec<Option<i64>>,
    pub(super) raws: Vec<Option<i64>>,
    pub(super) bodies: Vec<Option<Vec<u8>>>,
}

/// Ids of deliveries, column by column.
#[derive(Debug, Default)]
pub(super) struct Ids {
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) drains: Vec<i64>,
    pub(super) seqs: Vec<i64>,
}

impl Batch {
    pub(super) fn new(known: HashMap<[u8; 16], i64>, now: Option<i64>, next_drain: i64) -> Self {
        Self { known, now, next_drain, ..Self::default() }
    }

    /// Bytes of bodies.
    pub(super) fn bytes(&self) -> usize {
        self.rows.bodies.iter().flatten().map(Vec::len).sum()
    }

    /// Whether there is nothing in it but events and ids.
    pub(super) fn is_plain(&self) -> bool {
        self.dropped.is_empty() && self.added.is_empty() && self.ended.is_none() && self.accounts.is_empty()
    }
}

impl Writes for Batch {
    fn event(&mut self, seq: u64, event: &Event) -> Result<(), StoreError> {
        let row = encode(seq, event)?;
        let rows = &mut self.rows;
        rows.seqs.push(signed(seq));
        rows.kinds.push(row.kind);
        rows.ats.push(row.at);
        rows.drains.push(row.drain.map(str::to_owned));
        rows.counts.push(row.count);
        rows.crcs.push(row.crc);
        rows.bases.push(row.base);
        rows.lines.push(row.events);
        rows.peers.push(row.peer().map(<[u8]>::to_vec));
        rows.layouts.push(row.layout);
        rows.raws.push(row.raw);
        rows.bodies.push(row.body.map(|body| body.into_owned()));
        Ok(())
    }

    fn add_drain(&mut self, key: &str, since: Timestamp) -> Result<i64, StoreError> {
        let number = self.next_drain;
        self.next_drain += 1;
        self.added.push((number, key.to_owned(), since.unix_micros()));
        Ok(number)
    }

    fn drop_drain(&mut self, _: &str, number: i64, places: &Places) -> Result<(), StoreError> {
        self.ended = Some(places.ended_text()?);
        self.added.retain(|(added, ..)| *added != number);
        self.known.retain(|_, drain| *drain != number);
        let Ids { keys, drains, seqs } = &mut self.ids;
        let stays: Vec<bool> = drains.iter().map(|drain| *drain != number).collect();
        let mut of_key = stays.iter();
        keys.retain(|_| of_key.next().is_some_and(|stays| *stays));
        let mut of_seq = stays.iter();
        seqs.retain(|_| of_seq.next().is_some_and(|stays| *stays));
        drains.retain(|drain| *drain != number);
        self.dropped.push(number);
        Ok(())
    }

    fn enter_id(&mut self, key: DeliveryKey, drain: i64, seq: u64) -> Result<bool, StoreError> {
        if self.known.insert(key.0, drain).is_some() {
            return Ok(false);
        }
        self.ids.keys.push(key.0.to_vec());
        self.ids.drains.push(drain);
        self.ids.seqs.push(signed(seq));
        Ok(true)
    }

    fn account(&mut self, name: &str, value: Option<(&str, u32)>) -> Result<(), StoreError> {
        self.accounts.push((name.to_owned(), value.map(|(value, sum)| (value.to_owned(), sum))));
        Ok(())
    }

    /// By the clock of the database, which is the same for whoever takes over. When it and ours are more than a day apart, by
    /// the one that is behind: ids that are far ahead stay so until time has passed them, and those that would be behind only
    /// count on.
    fn time_of_ids(&self, received: Timestamp) -> Timestamp {
        let ours = received.unix_micros();
        match self.now {
            Some(now) if now.abs_diff(ours) <= APART => Timestamp::from_unix_micros(now),
            Some(now) => Timestamp::from_unix_micros(now.min(ours)),
            None => received,
        }
    }
}

/// The drains whose old ids are to be looked for, with what this step brings.
pub(super) fn overfull(fresh: &mut HashMap<i64, u32>, ids: &Ids, wanted: bool) -> Vec<i64> {
    for drain in &ids.drains {
        *fresh.entry(*drain).or_insert(FRESH) += 1;
    }
    if !wanted {
        return Vec::new();
    }
    let full: Vec<i64> = fresh.iter().filter(|(_, count)| **count >= FRESH).map(|(drain, _)| *drain).collect();
    for drain in &full {
        fresh.insert(*drain, 0);
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_that_goes_takes_its_ids_with_it_and_one_that_comes_then_begins_anew() {
        let mut batch = Batch::new(HashMap::from([([1; 16], 7), ([2; 16], 8)]), None, 9);
        let places = Places::default();
        assert!(!batch.enter_id(DeliveryKey([1; 16]), 7, 1).unwrap(), "it was taken before");
        assert!(batch.enter_id(DeliveryKey([3; 16]), 7, 1).unwrap());
        assert!(batch.enter_id(DeliveryKey([4; 16]), 8, 2).unwrap());
        assert!(!batch.enter_id(DeliveryKey([4; 16]), 8, 3).unwrap(), "it was taken in the same step");
        batch.drop_drain("d.shop", 7, &places).unwrap();
        assert_eq!((&batch.ids.drains, &batch.ids.seqs, batch.ids.keys.len()), (&vec![8], &vec![2], 1));
        let number = batch.add_drain("d.shop", Timestamp::from_unix_micros(5)).unwrap();
        assert_eq!(number, 9);
        assert!(batch.enter_id(DeliveryKey([1; 16]), number, 4).unwrap(), "nobody knows it any more");
        assert!(!batch.enter_id(DeliveryKey([2; 16]), 8, 4).unwrap());
        assert_eq!(batch.dropped, [7]);
    }

    #[test]
    fn ids_tell_the_time_of_the_database_and_of_two_clocks_that_have_nothing_in_common_the_one_behind() {
        let noon = 1_773_480_413_518_134;
        let time = |now, received| {
            let batch = Batch::new(HashMap::new(), now, 1);
            batch.time_of_ids(Timestamp::from_unix_micros(received)).unix_micros()
        };
        let (hour, years) = (3_600_000_000, 2 * 365 * 24 * 3_600_000_000);
        assert_eq!(time(None, noon), noon);
        for apart in [hour, -hour] {
            assert_eq!(time(Some(noon), noon + apart), noon);
        }
        assert_eq!(time(Some(noon), noon + years), noon, "ours is wrong");
        assert_eq!(time(Some(noon + years), noon), noon, "the other one is");
        assert_eq!(time(Some(i64::MIN), i64::MAX), i64::MIN);
    }
}
