//! The catalog: which files a partition has, and where their bytes are.
//!
//! ```text
//! files    (p, name, key | content, len, written, about)
//! files_of (p, count, bytes)        what they take together; its row is locked by each change
//! ```

use super::connections::{Connections, of_sql};
use super::names::BEHIND;
use crate::parts::Part;
use crate::sql::{Address, Row, SqlError, Step, Value, values};
use std::collections::{BTreeMap, HashSet};
use std::io;

/// Files that are listed in one go, and the most bytes of notes beside them, if one is not longer.
const PAGE: i64 = 1_000;
const NOTES: i64 = 4 << 20;

const LIST: &str = "SELECT name, len, written, about FROM (
        SELECT *, sum(octet_length(about)) OVER (ORDER BY name) - octet_length(about) AS before FROM (
            SELECT name, len, written, about FROM files 
                WHERE p = $1 AND name > $2 AND name >= $6 AND name < $3 ORDER BY name LIMIT $4) AS page
        ) AS weighed WHERE before < $5 ORDER BY name";
const FIND: &str = "SELECT key, len, written, content FROM files WHERE p = $1 AND name = $2";
const MAKE_ROOM: &str = "INSERT INTO files_of (p) VALUES ($1) ON CONFLICT DO NOTHING";
/// Whoever changes something, and did not hear whether it was done, has this until it is.
const LOCK: &str = "SELECT puts FROM files_of WHERE p = $1 FOR UPDATE";
const NEXT: &str = "UPDATE files_of SET puts = puts + 1 WHERE p = $1 RETURNING puts";
const REMOVE: &str = "DELETE FROM files WHERE p = $1 AND name = ANY(CAST(CAST($2 AS TEXT) AS TEXT[])) RETURNING key";
const INSERT: &str = "INSERT INTO files (p, name, key, len, about, content, written)
    VALUES ($1, $2, $3, $4, $5, $6, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT))";
const NAMED: &str = "SELECT key FROM files WHERE key = ANY(CAST(CAST($1 AS TEXT) AS TEXT[]))";

/// A file that a partition has.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Listed {
    pub name: String,
    /// In bytes.
    pub len: u64,
    /// In microseconds since 1970, by the database's clock.
    pub written: i64,
    /// What was said of it when it was put.
    pub about: Vec<u8>,
}

/// Where the bytes of a file are.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) len: u64,
    pub(super) written: i64,
}

#[derive(Debug)]
pub(super) enum Place {
    /// An object of the bucket.
    Object(String),
    /// Here they are.
    Row(Vec<u8>),
}

/// A file that is to be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct New<'a> {
    pub(super) name: &'a str,
    pub(super) place: Laid<'a>,
    pub(super) about: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Laid<'a> {
    Object { key: &'a str, len: u64 },
    Row(&'a [u8]),
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Changed {
    /// It is done: no file has these keys any more.
    Done(Vec<String>),
    /// Nothing of it is done.
    Not(SqlError),
    /// Nobody heard. If it was done, no file has these keys any more.
    Unheard(Vec<String>, SqlError),
}

#[derive(Debug)]
pub(super) struct Catalog {
    pub(super) connections: Connections,
}

impl Catalog {
    pub(super) fn new(address: &Address) -> Self {
        Self { connections: Connections::new(address) }
    }

    /// Files whose names begin with `under` and come behind another one, for the owner of the partition: the next ones, none
    /// at the end.
    pub(super) fn list(&self, (part, epoch): (Part, i64), under: &str, behind: &str) -> io::Result<Vec<Listed>> {
        // Whatever begins with it comes behind it, or is it.
        let until = format!("{under}{BEHIND}");
        let read = |row: &Row<'_>| {
            Ok::<_, SqlError>(Listed { name: row.get(0)?, len: row.get(1)?, written: row.get(2)?, about: row.get(3)? })
        };
        let asked = self.connections.step(|step| {
            step.owns(part, epoch)?;
            step.rows(LIST, values![i32::from(part.number()), behind, &until, PAGE, NOTES, under], read)
        });
        asked.map_err(of_sql)
    }

    pub(super) fn find(&self, part: Part, name: &str) -> io::Result<Option<Found>> {
        let read = |row: &Row<'_>| {
            let place = match (row.get::<Option<String>>(0)?, row.get::<Option<Vec<u8>>>(3)?) {
                (Some(key), None) => Place::Object(key),
                (None, Some(content)) => Place::Row(content),
                _ => return Err(SqlError::Damaged(format!("{name}: the catalog does not say where it is"))),
            };
            Ok(Found { place, len: row.get(1)?, written: row.get(2)? })
        };
        let asked = self.connections.step(|step| step.one(FIND, values![i32::from(part.number()), name], read));
        asked.map_err(of_sql)
    }

    /// Puts files in place of what has their names, and removes others, all in one step of the owner's.
    pub(super) fn change(&self, (part, epoch): (Part, i64), puts: &[New<'_>], removes: &[&str]) -> Changed {
        let p = i32::from(part.number());
        let names = array(puts.iter().map(|put| put.name).chain(removes.iter().copied()));
        let rows: Vec<_> = puts.iter().map(|put| row_of(p, put)).collect();
        let (mut old, mut is_asked) = (Vec::new(), false);
        let done = self.connections.step(|step| {
            step.owns(part, epoch)?;
            lock(step, p)?;
            let keys = step.rows(REMOVE, values![p, &names], |row| row.get::<Option<String>>(0))?;
            old = keys.into_iter().flatten().collect();
            step.execute_each(INSERT, &rows)?;
            // What fails behind this may have been done.
            is_asked = true;
            Ok(())
        });
        match done {
            Ok(()) => Changed::Done(old),
            Err(error) if is_asked => Changed::Unheard(old, error),
            Err(error) => Changed::Not(error),
        }
    }

    /// The number of an object that is about to be put, for the owner.
    pub(super) fn next(&self, (part, epoch): (Part, i64)) -> io::Result<u64> {
        let p = i32::from(part.number());
        let asked = self.connections.step(|step| {
            step.owns(part, epoch)?;
            lock(step, p)?;
            step.one(NEXT, values![p], |row| row.get::<u64>(0))
        });
        Ok(asked.map_err(of_sql)?.unwrap_or(0))
    }

    /// Which of these keys, all of one partition, files have, and how many objects were begun for it. A change that nobody heard
    /// of is over by then. If an owner asks, as long as the partition is his.
    pub(super) fn named(&self, p: u8, owner: Option<(Part, i64)>, keys: &[&str]) -> io::Result<(HashSet<String>, u64)> {
        let keys = array(keys.iter().copied());
        let asked = self.connections.step(|step| {
            if let Some((part, epoch)) = owner {
                step.owns(part, epoch)?;
            }
            let puts = lock(step, i32::from(p))?;
            Ok((step.rows::<_, SqlError>(NAMED, values![&keys], |row| row.get(0))?, puts))
        });
        asked.map(|(keys, puts)| (keys.into_iter().collect(), puts)).map_err(of_sql)
    }

    /// Which of these keys files have, of whichever partition.
    pub(super) fn named_anywhere(&self, keys: &[&str]) -> io::Result<HashSet<String>> {
        let keys = array(keys.iter().copied());
        let asked = self.connections.step(|step| step.rows(NAMED, values![&keys], |row| row.get(0)));
        asked.map(|keys: Vec<String>| keys.into_iter().collect()).map_err(of_sql)
    }

    /// What the files of each partition take.
    pub(super) fn bytes_of_all(&self) -> io::Result<BTreeMap<u8, u64>> {
        let read = |row: &Row<'_>| Ok::<_, SqlError>((row.get(0)?, row.get(1)?));
        let asked = self.connections.step(|step| step.rows("SELECT p, bytes FROM files_of", values![], read));
        asked.map(|all| all.into_iter().collect()).map_err(of_sql)
    }

    pub(super) fn check(&self, (part, epoch): (Part, i64)) -> io::Result<()> {
        self.connections.step(|step| step.owns(part, epoch)).map_err(of_sql)
    }
}

/// Answers how many objects were begun for the partition.
fn lock(step: &mut Step<'_>, p: i32) -> Result<u64, SqlError> {
    let locked = |step: &mut Step<'_>| step.one(LOCK, values![p], |row| row.get::<u64>(0));
    if let Some(puts) = locked(step)? {
        return Ok(puts);
    }
    step.execute(MAKE_ROOM, values![p])?;
    Ok(locked(step)?.unwrap_or(0))
}

fn row_of<'a>(p: i32, put: &New<'a>) -> Vec<Value<'a>> {
    let New { name, place, about } = *put;
    let len = |len: u64| i64::try_from(len).unwrap_or(i64::MAX);
    match place {
        Laid::Object { key, len: bytes } => values![p, name, key, len(bytes), about, Value::Null].to_vec(),
        Laid::Row(content) => values![p, name, Value::Null, len(content.len() as u64), about, content].to_vec(),
    }
}

/// Texts as an array's text.
fn array<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<_> = texts.map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", all.join(","))
}
