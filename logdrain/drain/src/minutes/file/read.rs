//! The file as whoever asks has it.

use crate::minutes::MinutesError;
use crate::minutes::levels::{HOURS, MINUTES, QUARTERS};
use crate::minutes::tables::{Lookup, ShowNewest, ShowPiece};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeSet;

impl Lookup for Connection {
    fn drains(&self, account: &str) -> Result<Vec<(String, i64)>, MinutesError> {
        let mut read = self.prepare_cached("SELECT drain, id FROM drains WHERE account = ?1")?;
        let found = read.query_map([account], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn called(&self, account: &str, name: &str) -> Result<Vec<i64>, MinutesError> {
        let mut find = self.prepare_cached("SELECT id FROM names WHERE account = ?1 AND name = ?2")?;
        let found = find.query_row([account, name], |row| row.get(0)).optional()?;
        Ok(found.into_iter().collect())
    }

    fn names(
        &self,
        account: &str,
        drains: Option<&[i64]>,
        is_it: &mut dyn FnMut(&str) -> Result<bool, MinutesError>,
        show: &mut dyn FnMut(i64, String) -> Result<(), MinutesError>,
    ) -> Result<(), MinutesError> {
        let mut read = self.prepare_cached("SELECT id, name FROM names WHERE account = ?1 ORDER BY name")?;
        let mut is_of = self.prepare_cached("SELECT 1 FROM pieces WHERE name = ?1 AND drain = ?2 LIMIT 1")?;
        let mut rows = read.query([account])?;
        while let Some(row) = rows.next()? {
            let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
            if !is_it(&name)? {
                continue;
            }
            let mut is_seen = drains.is_none();
            for drain in drains.unwrap_or_default() {
                is_seen = is_seen || is_of.exists([id, *drain])?;
            }
            if is_seen {
                show(id, name)?;
            }
        }
        Ok(())
    }

    fn has(&self, account: &str, name: &str, drains: Option<&[i64]>) -> Result<bool, MinutesError> {
        let find =
            "SELECT 1 FROM names JOIN pieces ON pieces.name = names.id WHERE names.account = ?1 AND names.name = ?2";
        let Some(drains) = drains else {
            return Ok(self.prepare_cached(&format!("{find} LIMIT 1"))?.exists([account, name])?);
        };
        let mut find = self.prepare_cached(&format!("{find} AND pieces.drain = ?3 LIMIT 1"))?;
        for drain in drains {
            if find.exists(params![account, name, drain])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fresh_hours(&self, names: &[i64], from: i64, to: i64) -> Result<BTreeSet<i64>, MinutesError> {
        let mut read = self.prepare_cached(
            "SELECT DISTINCT hour FROM pieces WHERE name = ?1 AND fresh > 0 AND hour >= ?2 AND hour < ?3",
        )?;
        let mut hours = BTreeSet::new();
        for name in names {
            for hour in read.query_map(params![name, from, to], |row| row.get(0))? {
                hours.insert(hour?);
            }
        }
        Ok(hours)
    }

    fn pieces(
        &self,
        names: &[i64],
        level: i64,
        (from, to): (i64, i64),
        show: &mut ShowPiece<'_>,
    ) -> Result<(), MinutesError> {
        let mut read = self.prepare_cached(
            "SELECT drain, hour, len, content FROM pieces WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4
             ORDER BY id DESC",
        )?;
        for name in names {
            let mut rows = read.query(params![name, level, from, to])?;
            while let Some(row) = rows.next()? {
                let of = (row.get(0)?, row.get(1)?, row.get(2)?);
                show(of, row.get_ref(3)?.as_blob().unwrap_or_default())?;
            }
        }
        Ok(())
    }

    fn newest(
        &self,
        names: &[i64],
        levels: &[i64],
        since: i64,
        most: i64,
        show: &mut ShowNewest<'_>,
    ) -> Result<(), MinutesError> {
        let mut read = self.prepare_cached(
            "SELECT drain, content FROM pieces WHERE name = ?1 AND level IN (?2, ?3) AND hour >= ?4 ORDER BY id DESC LIMIT ?5",
        )?;
        let (Some(first), Some(last)) = (levels.first(), levels.last()) else { return Ok(()) };
        for name in names {
            let mut rows = read.query(params![name, first, last, since, most])?;
            while let Some(row) = rows.next()? {
                if show(row.get(0)?, row.get_ref(1)?.as_blob().unwrap_or_default())?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn marks(
        &self,
        drains: &[i64],
        (from, to): (i64, i64),
        show: &mut dyn FnMut(i64, i64, i64),
    ) -> Result<(), MinutesError> {
        let mut read =
            self.prepare_cached("SELECT hour, bits FROM marks WHERE drain = ?1 AND hour >= ?2 AND hour < ?3")?;
        for drain in drains {
            let mut rows = read.query(params![drain, from, to])?;
            while let Some(row) = rows.next()? {
                show(*drain, row.get(0)?, row.get(1)?);
            }
        }
        Ok(())
    }

    fn hours(&self, account: &str) -> Result<Option<(i64, i64)>, MinutesError> {
        let mut all: Option<(i64, i64)> = None;
        let mut read = self.prepare_cached(
            "SELECT min(pieces.hour), max(pieces.hour + pieces.span) FROM pieces JOIN names ON names.id = pieces.name
             WHERE names.account = ?1 AND pieces.level = ?2",
        )?;
        for level in [MINUTES, QUARTERS, HOURS] {
            let found: (Option<i64>, Option<i64>) =
                read.query_row(params![account, level], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if let (Some(first), Some(end)) = found {
                let (known_first, known_end) = all.unwrap_or((first, end));
                all = Some((first.min(known_first), end.max(known_end)));
            }
        }
        Ok(all)
    }

    fn closed(&self, _: &str) -> Result<Option<i64>, MinutesError> {
        Ok(None)
    }
}
