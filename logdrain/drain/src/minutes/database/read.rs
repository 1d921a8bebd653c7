//! The database as whoever asks has it: each question is asked by itself, and answered as it stands then.

use super::{clean, connection, list, number};
use crate::minutes::tables::{Lookup, ShowNewest, ShowPiece};
use crate::minutes::{Keeping, MinutesError};
use crate::sql::{Address, Db, Row, SqlError, Value, values};
use heroku_metrics::model::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the database has for one question: whoever asks keeps others waiting.
const WITHIN: Duration = Duration::from_millis(1_500);
/// Pieces that are read in one go, if there are no more,
const FEW: usize = 64;
/// and bytes of them otherwise, of as many drains as come to that.
const BYTES: i64 = 1 << 20;
/// Hours of drains that are read together.
const MARKS: usize = 50_000;

/// A connection that reads.
pub(in crate::minutes) struct Reader {
    db: RefCell<Db>,
    keeping: Keeping,
}

/// One more; it connects when it is asked first.
pub(in crate::minutes) fn reader(address: &Address, keeping: Keeping) -> Result<Reader, MinutesError> {
    Ok(Reader { db: RefCell::new(connection(address).map_err(unread)?), keeping })
}

fn unread(error: SqlError) -> MinutesError {
    MinutesError::Unread(error.to_string())
}

/// A piece: its drain, its hour, how long its windows are, and what it holds.
type Piece = ((i64, i64, i64), Vec<u8>);

fn piece(row: &Row<'_>) -> Result<Piece, SqlError> {
    Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?))
}

impl Reader {
    fn rows<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, MinutesError> {
        self.db.borrow_mut().step_within(WITHIN, |step| step.rows(sql, values, read)).map_err(unread)
    }
}

impl Lookup for Reader {
    fn drains(&self, account: &str) -> Result<Vec<(String, i64)>, MinutesError> {
        let sql = "SELECT drain, id FROM drains WHERE account = $1";
        self.rows(sql, values![&*clean(account)], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn called(&self, account: &str, name: &str) -> Result<Vec<i64>, MinutesError> {
        let sql = "SELECT id FROM names WHERE account = $1 AND name = $2 ORDER BY id";
        self.rows(sql, values![&*clean(account), &*clean(name)], number)
    }

    fn names(
        &self,
        account: &str,
        drains: Option<&[i64]>,
        is_it: &mut dyn FnMut(&str) -> Result<bool, MinutesError>,
        show: &mut dyn FnMut(i64, String) -> Result<(), MinutesError>,
    ) -> Result<(), MinutesError> {
        let sql = "SELECT id, name, CAST($3 AS TEXT) IS NULL OR EXISTS (
                SELECT FROM pieces WHERE pieces.name = names.id
                    AND pieces.drain = ANY(CAST(CAST($3 AS TEXT) AS BIGINT[])))
            FROM names WHERE account = $1 AND name > $2 ORDER BY name FETCH FIRST 1000 ROWS WITH TIES";
        let drains = drains.map(list);
        let mut behind = String::new();
        loop {
            let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<bool>(2)?));
            let page = self.rows(sql, values![&*clean(account), &behind, &drains], read)?;
            let Some((_, last, _)) = page.last() else { return Ok(()) };
            behind.clone_from(last);
            for (id, name, is_seen) in page {
                if is_it(&name)? && is_seen {
                    show(id, name)?;
                }
            }
        }
    }

    fn has(&self, account: &str, name: &str, drains: Option<&[i64]>) -> Result<bool, MinutesError> {
        let sql = "SELECT id FROM names WHERE account = $1 AND name = $2 AND EXISTS (
            SELECT FROM pieces WHERE pieces.name = names.id
                AND (CAST($3 AS TEXT) IS NULL OR pieces.drain = ANY(CAST(CAST($3 AS TEXT) AS BIGINT[])))) LIMIT 1";
        let found = self.rows(sql, values![&*clean(account), &*clean(name), &drains.map(list)], number)?;
        Ok(!found.is_empty())
    }

    fn fresh_hours(&self, names: &[i64], from: i64, to: i64) -> Result<BTreeSet<i64>, MinutesError> {
        let sql = "SELECT DISTINCT hour FROM pieces
            WHERE p IN (SELECT p FROM names WHERE id = ANY(CAST(CAST($1 AS TEXT) AS BIGINT[])))
                AND name = ANY(CAST(CAST($1 AS TEXT) AS BIGINT[])) AND fresh > 0 AND hour >= $2 AND hour < $3";
        Ok(self.rows(sql, values![&list(names), from, to], number)?.into_iter().collect())
    }

    /// All that a drain has in these hours is read at once: what is put together meanwhile is there as it was, or as it is.
    fn pieces(
        &self,
        names: &[i64],
        level: i64,
        (from, to): (i64, i64),
        show: &mut ShowPiece<'_>,
    ) -> Result<(), MinutesError> {
        if names.is_empty() {
            return Ok(());
        }
        let names = list(names);
        let sql = "SELECT drain, hour, len, content FROM pieces
            WHERE name = ANY(CAST(CAST($1 AS TEXT) AS BIGINT[])) AND level = $2 AND hour >= $3 AND hour < $4
            ORDER BY id DESC LIMIT $5";
        let few = i64::try_from(FEW).unwrap_or(0);
        let found: Vec<Piece> = self.rows(sql, values![&names, level, from, to, few], piece)?;
        if found.len() < FEW {
            return found.into_iter().try_for_each(|(of, content)| show(of, &content));
        }
        drop(found);
        let sql = "SELECT drain, CAST(sum(octet_length(content)) AS BIGINT) FROM pieces
            WHERE name = ANY(CAST(CAST($1 AS TEXT) AS BIGINT[])) AND level = $2 AND hour >= $3 AND hour < $4
            GROUP BY drain ORDER BY drain";
        let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?));
        let drains: Vec<(i64, i64)> = self.rows(sql, values![&names, level, from, to], read)?;
        let sql = "SELECT drain, hour, len, content FROM pieces
            WHERE name = ANY(CAST(CAST($1 AS TEXT) AS BIGINT[])) AND level = $2 AND hour >= $3 AND hour < $4
                AND drain = ANY(CAST(CAST($5 AS TEXT) AS BIGINT[])) ORDER BY id DESC";
        let mut rest = drains.into_iter().peekable();
        while let Some((drain, mut bytes)) = rest.next() {
            let mut some = vec![drain];
            while let Some((drain, more)) = rest.next_if(|(_, more)| bytes + more <= BYTES) {
                some.push(drain);
                bytes += more;
            }
            let found: Vec<Piece> = self.rows(sql, values![&names, level, from, to, &list(&some)], piece)?;
            found.into_iter().try_for_each(|(of, content)| show(of, &content))?;
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
        if names.is_empty() {
            return Ok(());
        }
        let sql = "SELECT id, octet_length(content) FROM pieces
            WHERE name = ANY(CAST(CAST($1 AS TEXT) AS BIGINT[])) AND level = ANY(CAST(CAST($2 AS TEXT) AS BIGINT[]))
                AND hour >= $3 ORDER BY id DESC LIMIT $4";
        let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?));
        let found: Vec<(i64, i64)> = self.rows(sql, values![&list(names), &list(levels), since, most], read)?;
        let sql =
            "SELECT drain, content FROM pieces WHERE id = ANY(CAST(CAST($1 AS TEXT) AS BIGINT[])) ORDER BY id DESC";
        let mut rest = found.into_iter().peekable();
        while let Some((id, mut bytes)) = rest.next() {
            let mut some = vec![id];
            while let Some((id, more)) = rest.next_if(|(_, more)| bytes + more <= BYTES) {
                some.push(id);
                bytes += more;
            }
            let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?));
            for (drain, content) in self.rows(sql, values![&list(&some)], read)? {
                if show(drain, &content)?.is_break() {
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
        let sql = "SELECT drain, hour, bits FROM marks
            WHERE drain = ANY(CAST(CAST($1 AS TEXT) AS BIGINT[])) AND hour >= $2 AND hour < $3";
        let hours = usize::try_from(to.saturating_sub(from)).unwrap_or(1).max(1);
        for drains in drains.chunks((MARKS / hours).max(1)) {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let found: Vec<(i64, i64, i64)> = self.rows(sql, values![&list(drains), from, to], read)?;
            found.into_iter().for_each(|(drain, hour, bits)| show(drain, hour, bits));
        }
        Ok(())
    }

    fn hours(&self, account: &str) -> Result<Option<(i64, i64)>, MinutesError> {
        let sql = "SELECT min(first.hour), max(last.hour + last.span) FROM names
            CROSS JOIN (VALUES (0), (1), (2)) AS of (level)
            CROSS JOIN LATERAL (SELECT hour FROM pieces WHERE pieces.name = names.id AND pieces.level = of.level
                ORDER BY hour LIMIT 1) AS first
            CROSS JOIN LATERAL (SELECT hour, span FROM pieces WHERE pieces.name = names.id AND pieces.level = of.level
                ORDER BY hour DESC LIMIT 1) AS last
            WHERE names.account = $1";
        let read = |row: &Row<'_>| Ok((row.get::<Option<i64>>(0)?, row.get::<Option<i64>>(1)?));
        let found = self.rows(sql, values![&*clean(account)], read)?.pop();
        Ok(found.and_then(|(first, end)| Some((first?, end?))))
    }

    /// By the partitions that have anything of it.
    fn closed(&self, account: &str) -> Result<Option<i64>, MinutesError> {
        let sql = "SELECT min(ticked) FROM logdrain.part WHERE p IN (SELECT p FROM drains WHERE account = $1)";
        let ticked = self.rows(sql, values![&*clean(account)], |row| row.get::<Option<i64>>(0))?.pop().flatten();
        let settings = self.keeping.settings();
        Ok(ticked.map(|time| crate::minutes::closed(Timestamp::from_unix_micros(time), &settings)))
    }
}
