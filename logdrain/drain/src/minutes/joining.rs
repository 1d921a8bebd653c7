//! Small pieces become larger ones: those of an hour, and in the levels above those of a day. What an hour holds is added up
//! on the way.

use super::block::{self, Builder, FULL};
use super::file::{self, FileError, Fresh, HOUR, HOURS, MINUTES, Place, QUARTER, QUARTERS};
use super::writing::{Open, at};
use heroku_metrics::aggregator::RowState;
use rusqlite::{Connection, params};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Small pieces of an hour that is not over are put together when there are so many.
const MANY: i64 = 12;
/// An hour is put together when it has been over for so long, in milliseconds: most of it does not change any more.
pub(super) const OVER: i64 = 180_000;
/// A piece that changes an hour which was put together waits for others, so long.
const GATHERED: i64 = 900_000;
/// Days of the levels above are put together when they have been over for so long.
const DAY_OVER: i64 = 3 * HOUR;
const DAY: i64 = 24;
/// How much one step puts together.
const GROUPS: i64 = 16;
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

impl Open {
    /// Puts the pieces of some hours together, and what is over into the levels above; `true` if there are more.
    pub(super) fn put_together(&mut self, now: i64) -> Result<bool, FileError> {
        let over = (now - OVER).div_euclid(HOUR);
        // What changes an hour that was put together waits for more of that.
        let is_due = self.swept.is_none_or(|(before, at)| before != over || now - at >= GATHERED);
        let below = if is_due { over } else { i64::MIN };
        let groups: Vec<(i64, i64, i64)> = {
            let mut find = self.db.prepare_cached(
                "SELECT name, drain, hour FROM pieces WHERE fresh > 0 GROUP BY hour, name, drain
                 HAVING hour < ?1 OR sum(fresh = 2) >= ?2 LIMIT ?3",
            )?;
            let found =
                find.query_map(params![below, MANY, GROUPS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            found.collect::<Result<_, _>>()?
        };
        if groups.is_empty() && is_due {
            self.swept = Some((over, now));
        }
        if groups.is_empty() {
            return Ok(false);
        }
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = groups.iter().try_for_each(|(name, drain, hour)| {
            let group = Group { name: *name, drain: *drain, level: MINUTES, from: *hour, to: *hour + 1 };
            self.join(group, self.stored(group)?, *hour < over, &[])
        });
        self.end(done.is_ok())?;
        done.map(|()| true)
    }

    /// Puts the pieces of one metric and drain in an hour together, with rows that are newer than they are.
    pub(super) fn join(
        &self,
        group: Group,
        stored: Stored,
        is_over: bool,
        newer: &[Piece<'_>],
    ) -> Result<(), FileError> {
        let Group { name, drain, from: hour, .. } = group;
        if is_over {
            // They are made again from all that there is.
            let mut remove = self.db.prepare_cached(
                "DELETE FROM pieces WHERE name = ?1 AND level IN (1, 2) AND hour = ?2 AND drain = ?3 AND span = 1",
            )?;
            remove.execute(params![name, hour, drain])?;
        }
        self.in_parts(group, stored, newer, |pieces| {
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
                put(&self.db, place, fresh, rows.iter().copied())?;
            }
            for (level, len) in [(QUARTERS, QUARTER), (HOURS, HOUR)].into_iter().filter(|_| is_over) {
                let above = rolled(&by_len, hour, len);
                let rows = above
                    .iter()
                    .flat_map(|(key, rows)| rows.iter().map(|(index, state)| (*key, *index, state.as_slice())));
                put(&self.db, Place { name, drain, level, hour, span: 1, len }, Fresh::Not, rows)?;
            }
            Ok(())
        })
    }

    /// Puts the hours of some days together in the levels above.
    pub(super) fn put_days_together(&mut self, now: i64) -> Result<bool, FileError> {
        let over = (now - DAY_OVER).div_euclid(HOUR * DAY) * DAY;
        let mut groups: Vec<(i64, i64, i64, i64)> = Vec::new();
        for level in [QUARTERS, HOURS] {
            let mut find = self.db.prepare_cached(
                "SELECT DISTINCT name, drain, level, hour / 24 FROM pieces WHERE level = ?1 AND hour < ?2 AND span = 1 LIMIT ?3",
            )?;
            let found = find.query_map(params![level, over, GROUPS / 2], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            for group in found {
                groups.push(group?);
            }
        }
        if groups.is_empty() {
            return Ok(false);
        }
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = groups.iter().try_for_each(|(name, drain, level, day)| self.join_day(*name, *drain, *level, *day));
        self.end(done.is_ok())?;
        done.map(|()| true)
    }

    fn join_day(&self, name: i64, drain: i64, level: i64, day: i64) -> Result<(), FileError> {
        let first = day * DAY;
        let len = if level == QUARTERS { QUARTER } else { HOUR };
        let group = Group { name, drain, level, from: first, to: first + DAY };
        self.in_parts(group, self.stored(group)?, &[], |pieces| {
            let mut rows: Vec<Row<'_>> = Vec::new();
            for piece in pieces {
                let shift = u32::try_from((piece.hour - first) * HOUR / len).unwrap_or(0);
                for stream in block::streams(&piece.block) {
                    rows.extend(stream.rows().map(|(index, state)| (stream.key, index.saturating_add(shift), state)));
                }
            }
            settle(&mut rows);
            put(&self.db, Place { name, drain, level, hour: first, span: DAY, len }, Fresh::Not, rows.into_iter())
        })
    }

    /// What there is of a group.
    pub(super) fn stored(&self, group: Group) -> Result<Stored, FileError> {
        let Group { name, drain, level, from, to } = group;
        let mut read = self.db.prepare_cached(
            "SELECT coalesce(sum(length(content)), 0), coalesce(max(id), 0) FROM pieces
             WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4 AND drain = ?5",
        )?;
        let found = read.query_row(params![name, level, from, to, drain], |row| {
            Ok(Stored { bytes: row.get::<_, i64>(0)?.unsigned_abs(), last: row.get(1)? })
        })?;
        Ok(found)
    }

    /// Shows the pieces of a group in the order in which they were written, and what is newer, and removes them; what is
    /// written meanwhile stands for them. Where they are many, some streams at a time are shown, so that memory is bounded.
    fn in_parts(
        &self,
        Group { name, drain, level, from, to }: Group,
        Stored { bytes, last }: Stored,
        newer: &[Piece<'_>],
        mut show: impl FnMut(&[Piece<'_>]) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let parts = 1 + bytes / PART;
        let mut read = self.db.prepare_cached(
            "SELECT id, hour, len, content FROM pieces
             WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4 AND drain = ?5 AND id <= ?6 ORDER BY id",
        )?;
        for part in 0..parts {
            let mut pieces = Vec::new();
            let mut found = read.query(params![name, level, from, to, drain, last])?;
            while let Some(row) = found.next()? {
                let Some(block) = block::unpack(row.get_ref(3)?.as_blob().unwrap_or_default()) else {
                    let piece: i64 = row.get(0)?;
                    tracing::error!(piece, hour = from, "a piece of the minutes is damaged and left out");
                    continue;
                };
                let block = if parts > 1 { block::part(&block, part, parts) } else { block };
                pieces.push(Piece { hour: row.get(1)?, len: row.get::<_, i64>(2)?.max(1), block: Cow::Owned(block) });
            }
            drop(found);
            pieces.extend(newer.iter().map(|piece| Piece {
                block: match parts {
                    1 => Cow::Borrowed(&*piece.block),
                    _ => Cow::Owned(block::part(&piece.block, part, parts)),
                },
                ..*piece
            }));
            show(&pieces)?;
        }
        let mut remove = self.db.prepare_cached(
            "DELETE FROM pieces WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4 AND drain = ?5 AND id <= ?6",
        )?;
        remove.execute(params![name, level, from, to, drain, last])?;
        Ok(())
    }
}

/// Pieces that are put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) name: i64,
    pub(super) drain: i64,
    pub(super) level: i64,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// What there is of them on the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) bytes: u64,
    /// The number of the last one.
    last: i64,
}

pub(super) struct Piece<'a> {
    pub(super) hour: i64,
    pub(super) len: i64,
    pub(super) block: Cow<'a, [u8]>,
}

/// Writes rows, which are in order, as a piece, or as several where they are many.
pub(super) fn put<'a>(
    db: &Connection,
    place: Place,
    fresh: Fresh,
    rows: impl Iterator<Item = Row<'a>>,
) -> Result<(), FileError> {
    let mut builder = Builder::default();
    let write = |builder: &mut Builder| match block::pack(&builder.take()) {
        Some(content) => file::insert(db, place, fresh, &content),
        None => Err(FileError::Foreign("a piece could not be packed".to_owned())),
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
