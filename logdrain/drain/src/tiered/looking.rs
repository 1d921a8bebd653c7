//! Files that are looked for by their names: those from one name to another, what they take, and the folders that names begin with.

use super::catalog::{Catalog, Listed};
use super::connections::of_sql;
use super::files::Files;
use super::names::wrong;
use crate::parts::Part;
use crate::sql::{Row, SqlError, values};
use std::io;
use std::ops::RangeInclusive;

/// Files of a page with notes, and without; and the most bytes of notes in it, if one is not longer.
const PAGE: usize = 1_000;
const WITH_NOTES: usize = 250;
const NOTES: i64 = 1 << 20;
/// Folders of a page.
const FOLDERS: i64 = 250;

const RANGE: &str = "SELECT name, len, written, about FROM (
        SELECT *, sum(octet_length(about)) OVER (ORDER BY name) - octet_length(about) AS before FROM (
            SELECT name, len, written, CASE WHEN CAST($6 AS BOOLEAN) THEN about ELSE CAST('' AS BYTEA) END AS about
                FROM files WHERE p = $1 AND name >= $2 AND name <= $3 AND name > $4 ORDER BY name LIMIT $5) AS page
        ) AS weighed WHERE before < $7 ORDER BY name";
const BYTES: &str =
    "SELECT CAST(coalesce(sum(len), 0) AS BIGINT) FROM files WHERE p = $1 AND name >= $2 AND name <= $3";
/// From one folder to the next one: `0` comes right behind `/`. None of the files between them is read.
const WALK: &str = "WITH RECURSIVE walk (first) AS (
        SELECT (SELECT name FROM files WHERE p = $1 AND name >= $3 AND name < $4 ORDER BY name LIMIT 1)
        UNION ALL
        SELECT (SELECT name FROM files WHERE p = $1 AND name < $4
                AND name >= CAST($2 AS TEXT) || split_part(substr(first, length(CAST($2 AS TEXT)) + 1), '/', 1) || '0'
            ORDER BY name LIMIT 1)
        FROM walk WHERE first IS NOT NULL
    )
    SELECT folder, (SELECT name FROM files WHERE p = $1 AND name >= CAST($2 AS TEXT) || folder || '/'
            AND name < CAST($2 AS TEXT) || folder || '0' ORDER BY name DESC LIMIT 1)
        FROM (SELECT split_part(substr(first, length(CAST($2 AS TEXT)) + 1), '/', 1) AS folder
            FROM walk WHERE first IS NOT NULL LIMIT $5) AS folders";
const NOTE: &str = "UPDATE files SET about = $4 WHERE p = $1 AND name = $2 AND written = $3";

/// A folder, and the last name in it; none where a file has the name.
type Folder = (String, Option<String>);

impl Catalog {
    fn range(
        &self,
        (part, epoch): (Part, i64),
        names: &RangeInclusive<String>,
        behind: &str,
        (most, notes): (i64, bool),
    ) -> io::Result<Vec<Listed>> {
        let read = |row: &Row<'_>| {
            Ok::<_, SqlError>(Listed { name: row.get(0)?, len: row.get(1)?, written: row.get(2)?, about: row.get(3)? })
        };
        let asked = self.connections.step(|step| {
            step.owns(part, epoch)?;
            let p = i32::from(part.number());
            step.rows(RANGE, values![p, names.start(), names.end(), behind, most, notes, NOTES], read)
        });
        asked.map_err(of_sql)
    }

    fn walk(&self, (part, epoch): (Part, i64), under: &str, from: &str) -> io::Result<Vec<Folder>> {
        // Whatever begins with it comes before this.
        let until = format!("{under}{}", super::names::BEHIND);
        let read = |row: &Row<'_>| Ok::<_, SqlError>((row.get(0)?, row.get(1)?));
        let asked = self.connections.step(|step| {
            step.owns(part, epoch)?;
            step.rows(WALK, values![i32::from(part.number()), under, from, &until, FOLDERS], read)
        });
        asked.map_err(of_sql)
    }
}

impl Files {
    /// Calls `take` with each file from one name to another one, both with it, in the order of their bytes: the first `most` of
    /// them, page by page. What it is called with has its note if `notes` says so, and else an empty one.
    ///
    /// # Errors
    /// As [`list`](Self::list). It was called with some then, perhaps.
    pub fn each(
        &self,
        names: &RangeInclusive<String>,
        most: usize,
        notes: bool,
        take: &mut dyn FnMut(Listed),
    ) -> io::Result<()> {
        let (mut left, mut behind) = (most, String::new());
        while left > 0 {
            let most = left.min(if notes { WITH_NOTES } else { PAGE });
            let page = self.shared().catalog.range(self.at(), names, &behind, (most as i64, notes))?;
            let Some(last) = page.last() else { break };
            behind.clone_from(&last.name);
            left = left.saturating_sub(page.len());
            // With notes a page may end for their bytes.
            let is_last = !notes && page.len() < most;
            page.into_iter().for_each(&mut *take);
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// How many bytes the files take from one name to another one, both with it.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn bytes_of(&self, names: &RangeInclusive<String>) -> io::Result<u64> {
        let (part, epoch) = self.at();
        let asked = self.shared().catalog.connections.step(|step| {
            step.owns(part, epoch)?;
            let p = i32::from(part.number());
            step.one(BYTES, values![p, names.start(), names.end()], |row| row.get::<u64>(0))
        });
        asked.map(Option::unwrap_or_default).map_err(of_sql)
    }

    /// Calls `take` with each folder below `under`, which ends with `/`, and the last name in it. It takes as long as there are
    /// folders, however many files are in them.
    ///
    /// # Errors
    /// As [`list`](Self::list). It was called with some then, perhaps.
    pub fn folders(&self, under: &str, take: &mut dyn FnMut(&str, &str)) -> io::Result<()> {
        let mut from = under.to_owned();
        loop {
            let page = self.shared().catalog.walk(self.at(), under, &from)?;
            let Some((folder, _)) = page.last() else { return Ok(()) };
            from = format!("{under}{folder}0");
            for (folder, last) in &page {
                if let Some(last) = last {
                    take(folder, last);
                }
            }
        }
    }

    /// Sets the note of a file, if it is the one that was written then. Says whether it was.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn note(&self, name: &str, written: i64, about: &[u8]) -> io::Result<bool> {
        if about.len() > Self::ABOUT {
            return Err(wrong(format!("{name}: its note is too large for the database")));
        }
        let (part, epoch) = self.at();
        let asked = self.shared().catalog.connections.step(|step| {
            step.owns(part, epoch)?;
            step.execute(NOTE, values![i32::from(part.number()), name, written, about])
        });
        asked.map(|changed| changed > 0).map_err(of_sql)
    }
}
