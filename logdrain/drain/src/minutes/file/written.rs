//! The file as the keeper has it.

use super::{stand, standing};
use crate::minutes::Keeping;
use crate::minutes::levels::{HOUR, HOURS, MINUTES, QUARTERS};
use crate::minutes::tables::{
    Forgot, Fresh, GROUPS, Group, MANY, Named, OfAccount, Place, SOME, ShowStored, Stored, TableError, Tables,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::path::PathBuf;

impl Tables for Connection {
    type At = PathBuf;

    fn open(at: &PathBuf) -> Result<Self, TableError> {
        super::open(at)
    }

    fn set_aside(at: &PathBuf, second: i64) -> std::io::Result<String> {
        super::set_aside(at, second).map(|to| to.display().to_string())
    }

    fn begin(&mut self) -> Result<(), TableError> {
        Ok(self.execute_batch("BEGIN IMMEDIATE")?)
    }

    fn end(&mut self, is_well: bool) -> Result<(), TableError> {
        match is_well {
            true => self.execute_batch("COMMIT").map_err(|error| {
                let _ = self.execute_batch("ROLLBACK");
                error.into()
            }),
            false => {
                let _ = self.execute_batch("ROLLBACK");
                Ok(())
            }
        }
    }

    fn number(&mut self, of: Named, all: &[OfAccount]) -> Result<Vec<i64>, TableError> {
        let (find, make) = match of {
            Named::Metric => (
                "SELECT id FROM names WHERE account = ?1 AND name = ?2",
                "INSERT INTO names (account, name) VALUES (?1, ?2)",
            ),
            Named::Drain => (
                "SELECT id FROM drains WHERE account = ?1 AND drain = ?2",
                "INSERT INTO drains (account, drain) VALUES (?1, ?2)",
            ),
        };
        let number = |(account, name): &OfAccount| {
            let known = self.prepare_cached(find)?.query_row([account, name], |row| row.get(0)).optional()?;
            if let Some(id) = known {
                return Ok(id);
            }
            self.prepare_cached(make)?.execute([account, name])?;
            Ok(self.last_insert_rowid())
        };
        all.iter().map(number).collect()
    }

    fn insert(&mut self, place: Place, fresh: Fresh, content: Vec<u8>) -> Result<(), TableError> {
        let Place { name, drain, level, hour, span, len } = place;
        let mut write = self.prepare_cached(
            "INSERT INTO pieces (name, drain, level, hour, span, len, fresh, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        write.execute(params![name, drain, level, hour, span, len, fresh as i64, content])?;
        Ok(())
    }

    fn mark(&mut self, drain: i64, hour: i64, bits: i64) -> Result<(), TableError> {
        let mut mark = self.prepare_cached(
            "INSERT INTO marks (drain, hour, bits) VALUES (?1, ?2, ?3)
             ON CONFLICT (drain, hour) DO UPDATE SET bits = marks.bits | excluded.bits",
        )?;
        mark.execute(params![drain, hour, bits])?;
        Ok(())
    }

    fn stand(&mut self, position: i64) -> Result<(), TableError> {
        stand(self, "position", position)
    }

    fn fresh(&mut self, below: i64) -> Result<Vec<(i64, i64, i64)>, TableError> {
        let mut find = self.prepare_cached(
            "SELECT name, drain, hour FROM pieces WHERE fresh > 0 GROUP BY hour, name, drain
             HAVING hour < ?1 OR sum(fresh = 2) >= ?2 LIMIT ?3",
        )?;
        let found = find.query_map(params![below, MANY, GROUPS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn days(&mut self, over: i64) -> Result<Vec<(i64, i64, i64, i64)>, TableError> {
        let mut groups = Vec::new();
        for level in [QUARTERS, HOURS] {
            let mut find = self.prepare_cached(
                "SELECT DISTINCT name, drain, level, hour / 24 FROM pieces WHERE level = ?1 AND hour < ?2 AND span = 1 LIMIT ?3",
            )?;
            let found = find.query_map(params![level, over, GROUPS / 2], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            for group in found {
                groups.push(group?);
            }
        }
        Ok(groups)
    }

    fn stored(&mut self, group: Group) -> Result<Stored, TableError> {
        let Group { name, drain, level, from, to } = group;
        let mut read = self.prepare_cached(
            "SELECT coalesce(sum(length(content)), 0), coalesce(max(id), 0), count(*) FROM pieces
             WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4 AND drain = ?5",
        )?;
        let found = read.query_row(params![name, level, from, to, drain], |row| {
            let (bytes, last, count): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Stored { bytes: bytes.unsigned_abs(), count: count.unsigned_abs(), last })
        })?;
        Ok(found)
    }

    fn pieces(&mut self, group: Group, stored: Stored, show: &mut ShowStored<'_>) -> Result<(), TableError> {
        let Group { name, drain, level, from, to } = group;
        let mut read = self.prepare_cached(
            "SELECT id, hour, len, content FROM pieces
             WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4 AND drain = ?5 AND id <= ?6 ORDER BY id",
        )?;
        let mut found = read.query(params![name, level, from, to, drain, stored.last])?;
        while let Some(row) = found.next()? {
            let of = (row.get(0)?, row.get(1)?, row.get(2)?);
            show(of, row.get_ref(3)?.as_blob().unwrap_or_default());
        }
        Ok(())
    }

    fn remove_stored(&mut self, group: Group, stored: Stored) -> Result<(), TableError> {
        let Group { name, drain, level, from, to } = group;
        let mut remove = self.prepare_cached(
            "DELETE FROM pieces WHERE name = ?1 AND level = ?2 AND hour >= ?3 AND hour < ?4 AND drain = ?5 AND id <= ?6",
        )?;
        remove.execute(params![name, level, from, to, drain, stored.last])?;
        Ok(())
    }

    fn remove_above(&mut self, name: i64, hour: i64, drain: i64) -> Result<(), TableError> {
        let mut remove = self.prepare_cached(
            "DELETE FROM pieces WHERE name = ?1 AND level IN (1, 2) AND hour = ?2 AND drain = ?3 AND span = 1",
        )?;
        remove.execute(params![name, hour, drain])?;
        Ok(())
    }

    fn forget(&mut self, now: i64, keeping: &Keeping) -> Result<Forgot, TableError> {
        let hour = now.div_euclid(HOUR);
        let accounts: Vec<String> = {
            let mut read = self.prepare_cached("SELECT DISTINCT account FROM drains")?;
            let found = read.query_map([], |row| row.get(0))?;
            found.collect::<Result<_, _>>()?
        };
        let mut gone = 0_usize;
        self.begin()?;
        let done = accounts.iter().try_for_each(|account| -> Result<(), TableError> {
            for (level, hours) in [MINUTES, QUARTERS, HOURS].into_iter().zip(keeping.hours(account, now)) {
                let mut remove = self.prepare_cached(
                    "DELETE FROM pieces WHERE id IN (SELECT pieces.id FROM pieces JOIN drains ON drains.id = pieces.drain
                     WHERE pieces.level = ?1 AND pieces.hour < ?2 AND pieces.hour + pieces.span <= ?2 AND drains.account = ?3
                     LIMIT ?4)",
                )?;
                gone += remove.execute(params![level, hour - hours, account, SOME])?;
            }
            let oldest = hour - keeping.hours(account, now).into_iter().max().unwrap_or_default();
            let mut remove = self.prepare_cached(
                "DELETE FROM marks WHERE hour < ?1 AND drain IN (SELECT id FROM drains WHERE account = ?2)",
            )?;
            remove.execute(params![oldest, account])?;
            Ok(())
        });
        self.end(done.is_ok())?;
        done?;
        let names = gone == 0 && are_names_due(self, hour)?;
        if names {
            self.execute_batch(
                "DELETE FROM names WHERE NOT EXISTS (SELECT 1 FROM pieces WHERE pieces.name = names.id);
                 DELETE FROM drains WHERE NOT EXISTS (SELECT 1 FROM marks WHERE marks.drain = drains.id)
                    AND id NOT IN (SELECT drain FROM pieces);
                 PRAGMA incremental_vacuum(1000);",
            )?;
        }
        Ok(Forgot { is_more: gone >= SOME.unsigned_abs() as usize, names })
    }

    /// What the file takes.
    fn bytes(&mut self) -> Result<u64, TableError> {
        let number = |what: &str| self.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i64>(0)).optional();
        let pages = number("page_count")?.unwrap_or(0) - number("freelist_count")?.unwrap_or(0);
        Ok((pages * number("page_size")?.unwrap_or(0)).max(0).unsigned_abs())
    }

    fn largest(&mut self) -> Result<Option<String>, TableError> {
        let account = self.query_row(
            "SELECT drains.account FROM pieces JOIN drains ON drains.id = pieces.drain
             GROUP BY drains.account ORDER BY sum(length(pieces.content)) DESC LIMIT 1",
            [],
            |row| row.get(0),
        );
        Ok(account.optional()?)
    }

    fn shorten(&mut self, account: &str) -> Result<bool, TableError> {
        for level in [MINUTES, QUARTERS, HOURS] {
            let gone = self.execute(
                "DELETE FROM pieces WHERE id IN (SELECT pieces.id FROM pieces JOIN drains ON drains.id = pieces.drain
                 WHERE pieces.level = ?1 AND drains.account = ?2 ORDER BY pieces.hour, pieces.id LIMIT ?3)",
                params![level, account, SOME],
            )?;
            if gone > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// No byte of it is left in the file.
    fn remove(&mut self, account: &str) -> Result<(), TableError> {
        self.execute_batch("PRAGMA secure_delete = on; BEGIN IMMEDIATE")?;
        let sql = [
            "DELETE FROM pieces WHERE drain IN (SELECT id FROM drains WHERE account = ?1)",
            "DELETE FROM marks WHERE drain IN (SELECT id FROM drains WHERE account = ?1)",
            "DELETE FROM names WHERE account = ?1",
            "DELETE FROM drains WHERE account = ?1",
        ];
        let done = sql.iter().try_for_each(|sql| self.execute(sql, [account]).map(drop));
        self.end(done.is_ok())?;
        done?;
        self.execute_batch("PRAGMA secure_delete = off; PRAGMA wal_checkpoint(truncate)")?;
        Ok(())
    }

    fn close(&mut self) {
        let _ = self.execute_batch("PRAGMA wal_checkpoint(truncate)");
    }
}

/// Names that nothing is kept of any more are looked for once in an hour.
fn are_names_due(db: &Connection, hour: i64) -> Result<bool, TableError> {
    let is_due = standing(db, "names")?.is_none_or(|last| last != hour);
    if is_due {
        stand(db, "names", hour)?;
    }
    Ok(is_due)
}
