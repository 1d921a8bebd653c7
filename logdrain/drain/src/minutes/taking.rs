//! Batches are taken into the file. Several that wait are taken together: rows of one metric, drain and hour go into one
//! piece, and an hour of which all has come is put together at once, with what is added up from it.

use super::block::{Builder, Cursor};
use super::gather::Batch;
use super::joining::{self, OVER, join, put};
use super::levels::{HOUR, MINUTES};
use super::tables::{Fresh, Group, Named, OfAccount, Place, TableError, Tables};
use super::writing::Open;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One row of a batch.
struct Given<'a> {
    owner: usize,
    /// In milliseconds.
    start: i64,
    len: i64,
    name: &'a [u8],
    key: &'a [u8],
    state: &'a [u8],
}

fn given(bytes: &[u8]) -> impl Iterator<Item = Given<'_>> {
    let mut rest = Cursor(bytes);
    std::iter::from_fn(move || {
        let owner = usize::try_from(rest.number()?).ok()?;
        let (start, len) = (rest.number()?.cast_signed(), rest.number()?.cast_signed());
        let mut part = || {
            let len = rest.number()?;
            rest.bytes(len)
        };
        let (name, key, state) = (part()?, part()?, part()?);
        Some(Given { owner, start: start.div_euclid(1_000), len: (len / 1_000).max(1), name, key, state })
    })
}

/// A row, and where it belongs: in this order they are written.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Row<'a> {
    drain: i64,
    name: &'a [u8],
    hour: i64,
    len: i64,
    key: &'a [u8],
    index: u32,
    /// The how manieth it is. Of rows of one window the last stands.
    nth: u32,
    state: &'a [u8],
}

impl Row<'_> {
    const fn place(&self) -> (i64, &[u8], i64) {
        (self.drain, self.name, self.hour)
    }
}

impl<T: Tables> Open<T> {
    /// Takes batches in, in one transaction; `now` is what time it is by the journal. Answers how many rows there were.
    pub(super) fn write(&mut self, batches: &[Batch], now: i64) -> Result<u64, TableError> {
        self.db.begin()?;
        let written = self.write_all(batches, now);
        self.db.end(written.is_ok())?;
        written
    }

    fn write_all(&mut self, batches: &[Batch], now: i64) -> Result<u64, TableError> {
        let mut accounts: HashMap<i64, &Arc<str>> = HashMap::new();
        let mut rows: Vec<Row<'_>> = Vec::with_capacity(batches.iter().map(|batch| batch.count).sum());
        let mut heard: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        let (mut count, mut newest) = (0, None);
        for batch in batches {
            let drains = self.numbers(Named::Drain, &batch.owners)?;
            accounts.extend(drains.iter().zip(&batch.owners).map(|(drain, (account, _))| (*drain, account)));
            for row in given(&batch.rows) {
                let Some(drain) = drains.get(row.owner) else { continue };
                let hour = row.start.div_euclid(HOUR);
                let index = u32::try_from((row.start - hour * HOUR) / row.len).unwrap_or(u32::MAX);
                let Given { len, name, key, state, .. } = row;
                let nth = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                rows.push(Row { drain: *drain, name, hour, len, key, index, nth, state });
                newest = newest.max(Some(row.start));
                count += 1;
            }
            for (owner, minute) in &batch.heard {
                let Some(drain) = drains.get(*owner) else { continue };
                *heard.entry((*drain, minute.div_euclid(60))).or_default() |= 1_i64 << minute.rem_euclid(60);
            }
        }
        rows.sort_unstable();
        rows.dedup_by(|later, earlier| {
            let is_one = (later.place(), later.len, later.key, later.index)
                == (earlier.place(), earlier.len, earlier.key, earlier.index);
            if is_one {
                std::mem::swap(later, earlier);
            }
            is_one
        });
        // Of the newest hour more may wait.
        let over = newest.map_or(i64::MIN, |newest| newest.div_euclid(HOUR).min((now - OVER).div_euclid(HOUR)));
        let (mut hours, mut names): (Vec<&[Row<'_>]>, Vec<OfAccount>) = (Vec::new(), Vec::new());
        for rows in rows.chunk_by(|one, next| one.place() == next.place()) {
            let Some(first) = rows.first() else { continue };
            let (Some(account), Ok(name)) = (accounts.get(&first.drain), std::str::from_utf8(first.name)) else {
                continue;
            };
            hours.push(rows);
            names.push((Arc::clone(account), name.into()));
        }
        let names = self.numbers(Named::Metric, &names)?;
        for (rows, name) in hours.into_iter().zip(names) {
            self.write_hour(name, rows, over)?;
        }
        self.newest = newest.or(self.newest);
        for ((drain, hour), bits) in heard {
            self.db.mark(drain, hour, bits)?;
        }
        if let Some(position) = batches.iter().filter_map(|batch| batch.position).max() {
            self.db.stand(position.cast_signed())?;
        }
        Ok(count)
    }

    /// Writes rows of one metric and drain in one hour; of the hours before `over` all have come.
    fn write_hour(&mut self, name: i64, rows: &[Row<'_>], over: i64) -> Result<(), TableError> {
        let Some(Row { drain, hour, .. }) = rows.first() else { return Ok(()) };
        let group = Group { name, drain: *drain, level: MINUTES, from: *hour, to: hour + 1 };
        let by_len = rows.chunk_by(|one, next| one.len == next.len);
        if *hour < over {
            let stored = self.db.stored(group)?;
            let newer: Vec<joining::Piece<'_>> = by_len.clone().map(|rows| piece(*hour, rows)).collect();
            // What is written again is no more than what comes: a late row waits for others to change its hour.
            if stored.bytes <= newer.iter().map(|piece| piece.block.len() as u64).sum() {
                return join(&mut self.db, group, stored, true, &newer);
            }
        }
        for rows in by_len {
            let len = rows.first().map_or(1, |row| row.len);
            let place = Place { name, drain: *drain, level: MINUTES, hour: *hour, span: 1, len };
            put(&mut self.db, place, Fresh::AsItCame, rows.iter().map(|row| (row.key, row.index, row.state)))?;
        }
        Ok(())
    }
}

/// A piece that is not on the disk.
fn piece<'a>(hour: i64, rows: &[Row<'_>]) -> joining::Piece<'a> {
    let mut builder = Builder::default();
    for rows in rows.chunk_by(|one, next| one.key == next.key) {
        rows.iter().for_each(|row| builder.row(row.index, row.state));
        rows.iter().take(1).for_each(|row| builder.stream(row.key));
    }
    joining::Piece { hour, len: rows.first().map_or(1, |row| row.len), block: Cow::Owned(builder.take()) }
}
