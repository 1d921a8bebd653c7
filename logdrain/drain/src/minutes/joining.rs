//! Small pieces become larger ones: those of an hour, and in the levels above those of a day. What an hour holds is added up
//! on the way.

use super::block::{self, Builder, FULL};
use super::levels::{HOUR, HOURS, MINUTES, QUARTER, QUARTERS};
use super::tables::{Fresh, Group, Place, Stored, TableError, Tables, unpacked};
use super::writing::{Open, at};
use heroku_metrics::aggregator::RowState;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An hour is put together when it has been over for so long, in milliseconds: most of it does not change any more.
pub(super) const OVER: i64 = 180_000;
/// A piece that changes an hour which was put together waits for others, so long.
const GATHERED: i64 = 900_000;
/// Days of the levels above are put together when they have been over for so long.
const DAY_OVER: i64 = 3 * HOUR;
const DAY: i64 = 24;
/// Bytes on the disk that are put together in one go; in memory they take some thirty times as many.
const PART: u64 = 1 << 20;
/// What that takes.
pub(super) const MEMORY: usize = 32 << 20;

/// One row of a block: of which stream, in which window, and what it holds.
pub(super) type Row<'a> = (&'a [u8], u32, &'a [u8]);

/// Puts rows in the order of a block. Of two of one window the one that came later stands.
fn settle(rows: &mut Vec<Row<'_>>) {
    // What comes from pieces is in order already, but for where one piece follows the other.
    rows.sort_by_key(|(key, index, _)| (*key, *index));
    rows.dedup_by(|later, earlier| {
        let is_one = (later.0, later.1) == (earlier.0, earlier.1);
        if is_one {
            *earlier = *later;
        }
        is_one
    });
}

impl<T: Tables> Open<T> {
    /// Puts the pieces of some hours together, and what is over into the levels above; `true` if there are more.
    pub(super) fn put_together(&mut self, now: i64) -> Result<bool, TableError> {
        let over = (now - OVER).div_euclid(HOUR);
        // What changes an hour that was put together waits for more of that.
        let is_due = self.swept.is_none_or(|(before, at)| before != over || now - at >= GATHERED);
        let below = if is_due { over } else { i64::MIN };
        let groups = self.db.fresh(below)?;
        if groups.is_empty() && is_due {
            self.swept = Some((over, now));
        }
        if groups.is_empty() {
            return Ok(false);
        }
        self.db.begin()?;
        let done = groups.iter().try_for_each(|(name, drain, hour)| {
            let group = Group { name: *name, drain: *drain, level: MINUTES, from: *hour, to: *hour + 1 };
            let stored = self.db.stored(group)?;
            join(&mut self.db, group, stored, *hour < over, &[])
        });
        self.db.end(done.is_ok())?;
        done.map(|()| true)
    }

    /// Puts the hours of some days together in the levels above.
    pub(super) fn put_days_together(&mut self, now: i64) -> Result<bool, TableError> {
        let over = (now - DAY_OVER).div_euclid(HOUR * DAY) * DAY;
        let groups = self.db.days(over)?;
        if groups.is_empty() {
            return Ok(false);
        }
        self.db.begin()?;
        let done =
            groups.iter().try_for_each(|(name, drain, level, day)| join_day(&mut self.db, *name, *drain, *level, *day));
        self.db.end(done.is_ok())?;
        done.map(|()| true)
    }
}

/// Puts the pieces of one metric and drain in an hour together, with rows that are newer than they are.
pub(super) fn join<T: Tables>(
    db: &mut T,
    group: Group,
    stored: Stored,
    is_over: bool,
    newer: &[Piece<'_>],
) -> Result<(), TableError> {
    let Group { name, drain, from: hour, .. } = group;
    if is_over {
        // They are made again from all that there is.
        db.remove_above(name, hour, drain)?;
    }
    in_parts(db, group, stored, newer, |db, pieces| {
        let mut by_len: BTreeMap<i64, Vec<Row<'_>>> = BTreeMap::new();
        for piece in pieces {
            let rows = by_len.entry(piece.len).or_default();
            for stream in block::streams(&piece.block) {
                rows.extend(stream.rows().map(|(index, state)| (stream.key, index, state)));
            }
        }
        by_len.values_mut().for_each(settle);
        let fresh = if is_over { Fresh::Not } else { Fresh::Joined };
        for (len, rows) in &by_len {
            let place = Place { name, drain, level: MINUTES, hour, span: 1, len: *len };
            put(db, place, fresh, rows.iter().copied())?;
        }
        for (level, len) in [(QUARTERS, QUARTER), (HOURS, HOUR)].into_iter().filter(|_| is_over) {
            let above = rolled(&by_len, hour, len);
            let rows =
                above.iter().flat_map(|(key, rows)| rows.iter().map(|(index, state)| (*key, *index, state.as_slice())));
            put(db, Place { name, drain, level, hour, span: 1, len }, Fresh::Not, rows)?;
        }
        Ok(())
    })
}

fn join_day<T: Tables>(db: &mut T, name: i64, drain: i64, level: i64, day: i64) -> Result<(), TableError> {
    let first = day * DAY;
    let len = if level == QUARTERS { QUARTER } else { HOUR };
    let group = Group { name, drain, level, from: first, to: first + DAY };
    let stored = db.stored(group)?;
    in_parts(db, group, stored, &[], |db, pieces| {
        let mut rows: Vec<Row<'_>> = Vec::new();
        for piece in pieces {
            let shift = u32::try_from((piece.hour - first) * HOUR / len).unwrap_or(0);
            for stream in block::streams(&piece.block) {
                rows.extend(stream.rows().map(|(index, state)| (stream.key, index.saturating_add(shift), state)));
            }
        }
        settle(&mut rows);
        put(db, Place { name, drain, level, hour: first, span: DAY, len }, Fresh::Not, rows.into_iter())
    })
}

/// Shows the pieces of a group in the order in which they were written, and what is newer, and removes them; what is
/// written meanwhile stands for them. Where they are many, some streams at a time are shown, so that memory is bounded.
fn in_parts<T: Tables>(
    db: &mut T,
    group: Group,
    stored: Stored,
    newer: &[Piece<'_>],
    mut show: impl FnMut(&mut T, &[Piece<'_>]) -> Result<(), TableError>,
) -> Result<(), TableError> {
    let parts = 1 + stored.bytes / PART;
    for part in 0..parts {
        let mut pieces = Vec::new();
        db.pieces(group, stored, &mut |(id, hour, len), content| {
            let Some(block) = unpacked(id, group.from, content) else { return };
            let block = if parts > 1 { block::part(&block, part, parts) } else { block };
            pieces.push(Piece { hour, len: len.max(1), block: Cow::Owned(block) });
        })?;
        pieces.extend(newer.iter().map(|piece| Piece {
            block: match parts {
                1 => Cow::Borrowed(&*piece.block),
                _ => Cow::Owned(block::part(&piece.block, part, parts)),
            },
            ..*piece
        }));
        show(db, &pieces)?;
    }
    db.remove_stored(group, stored)
}

pub(super) struct Piece<'a> {
    pub(super) hour: i64,
    pub(super) len: i64,
    pub(super) block: Cow<'a, [u8]>,
}

/// Writes rows, which are in order, as a piece, or as several where they are many.
pub(super) fn put<'a, T: Tables>(
    db: &mut T,
    place: Place,
    fresh: Fresh,
    rows: impl Iterator<Item = Row<'a>>,
) -> Result<(), TableError> {
    let mut builder = Builder::default();
    let mut write = |builder: &mut Builder| match block::pack(&builder.take()) {
        Some(content) => db.insert(place, fresh, content),
        None => Err(TableError::Foreign("a piece could not be packed".to_owned())),
    };
    let mut last: Option<&[u8]> = None;
    for (key, index, state) in rows {
        if let Some(last) = last.filter(|last| *last != key) {
            builder.stream(last);
            if builder.len() >= FULL {
                write(&mut builder)?;
            }
        }
        last = Some(key);
        builder.row(index, state);
    }
    last.into_iter().for_each(|key| builder.stream(key));
    if builder.is_empty() { Ok(()) } else { write(&mut builder) }
}

/// The rows of an hour, added up in longer windows.
fn rolled<'a>(by_len: &BTreeMap<i64, Vec<Row<'a>>>, hour: i64, to: i64) -> BTreeMap<&'a [u8], BTreeMap<u32, Vec<u8>>> {
    let mut sums: BTreeMap<&[u8], BTreeMap<u32, Option<RowState>>> = BTreeMap::new();
    for (len, rows) in by_len {
        for rows in rows.chunk_by(|one, next| one.0 == next.0) {
            let Some((key, ..)) = rows.first() else { continue };
            let sums = sums.entry(key).or_default();
            for (_, index, state) in rows {
                let start = hour * HOUR + i64::from(*index) * len;
                let sum = sums.entry(u32::try_from((start - hour * HOUR) / to).unwrap_or(0)).or_default();
                let _ = RowState::add_packed(sum, at(start), state, true);
            }
        }
    }
    let packed = |(index, sum): (u32, Option<RowState>)| {
        let mut bytes = Vec::new();
        sum?.pack(at(hour * HOUR + i64::from(index) * to), &mut bytes);
        Some((index, bytes))
    };
    sums.into_iter().map(|(key, sums)| (key, sums.into_iter().filter_map(packed).collect())).collect()
}
