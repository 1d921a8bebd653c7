//! What there is to ask for: names, tags and their values.

use super::MinutesError;
use super::ask::{Circumstances, drains as ids_of};
use super::block::{self, Key};
use super::file::{HOUR, HOURS, MINUTES, QUARTERS};
use super::open::OpenRows;
use super::select::fits;
use heroku_metrics::model::Kind;
use logdrain_charts::series::Span;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::{BTreeMap, BTreeSet};

/// How far back tags are looked for, in hours.
const BACK: i64 = 24;
/// Pieces that are looked through.
const PIECES: i64 = 2_000;
/// Bytes of values that are gathered.
const MOST_BYTES: usize = 4 << 20;

/// A tag of a metric, and the values that it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    pub key: String,
    /// Sorted.
    pub values: Vec<String>,
    /// Values that found no room.
    pub more: usize,
}

pub(super) fn names(
    db: Option<&Connection>,
    open: &OpenRows,
    text: &str,
    most: usize,
    about: &Circumstances<'_>,
) -> Result<(Vec<String>, usize), MinutesError> {
    let is_pattern = text.contains('*');
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let is_it = |name: &str| {
        let lower = name.to_lowercase();
        words.iter().all(|word| if is_pattern { fits(word, &lower) } else { lower.contains(word.as_str()) })
    };
    let open: BTreeSet<&str> = open.names(about.account, about.drains).into_iter().filter(|name| is_it(name)).collect();
    // The first ones are told, and the others counted: an account may have had millions.
    let mut found: BTreeSet<String> = open.iter().take(most).map(|name| (*name).to_owned()).collect();
    let mut count = open.len();
    if let Some(db) = db {
        let ids = ids_of(db, about)?;
        let mut read = db.prepare_cached("SELECT id, name FROM names WHERE account = ?1 ORDER BY name")?;
        let mut is_of = db.prepare_cached("SELECT 1 FROM pieces WHERE name = ?1 AND drain = ?2 LIMIT 1")?;
        let mut rows = read.query([about.account])?;
        while let Some(row) = rows.next()? {
            let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
            // Also while nothing fits.
            about.goes_on()?;
            if !is_it(&name) || open.contains(name.as_str()) {
                continue;
            }
            let mut is_seen = about.drains.is_none();
            for drain in ids.values().filter(|_| about.drains.is_some()) {
                is_seen = is_seen || is_of.exists([id, *drain])?;
            }
            if is_seen {
                count += 1;
                found.insert(name);
                if found.len() > most {
                    found.pop_last();
                }
            }
        }
    }
    let more = count - found.len();
    Ok((found.into_iter().collect(), more))
}

pub(super) fn has(
    db: Option<&Connection>,
    open: &OpenRows,
    name: &str,
    about: &Circumstances<'_>,
) -> Result<bool, MinutesError> {
    if !open.of(about.account, name, about.drains).is_empty() {
        return Ok(true);
    }
    let Some(db) = db else { return Ok(false) };
    let find = "SELECT 1 FROM names JOIN pieces ON pieces.name = names.id WHERE names.account = ?1 AND names.name = ?2";
    if about.drains.is_none() {
        return Ok(db.prepare_cached(&format!("{find} LIMIT 1"))?.exists([about.account, name])?);
    }
    let mut find = db.prepare_cached(&format!("{find} AND pieces.drain = ?3 LIMIT 1"))?;
    for drain in ids_of(db, about)?.values() {
        if find.exists(params![about.account, name, drain])? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn tags(
    db: Option<&Connection>,
    open: &OpenRows,
    name: &str,
    most: usize,
    about: &Circumstances<'_>,
) -> Result<Vec<Tag>, MinutesError> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut bytes = 0;
    let mut take = |key: &[u8]| {
        for (key, value) in Key::of(key).map(|key| key.tags).unwrap_or_default() {
            let values = found.entry(key.to_owned()).or_default();
            if bytes < MOST_BYTES && !values.contains(value) {
                bytes += value.len() + 64;
                values.insert(value.to_owned());
            }
        }
    };
    for row in open.of(about.account, name, about.drains) {
        take(&row.key);
    }
    if let Some(db) = db {
        let ids = ids_of(db, about)?;
        let id = db
            .prepare_cached("SELECT id FROM names WHERE account = ?1 AND name = ?2")?
            .query_row([about.account, name], |row| row.get::<_, i64>(0))
            .optional()?;
        let newest = about.now.div_euclid(HOUR);
        // Hours have each stream once; what they do not have yet is fresh.
        for (level, since) in [(MINUTES, newest - 1), (HOURS, newest - BACK)] {
            let mut read = db.prepare_cached(
                "SELECT drain, content FROM pieces WHERE name = ?1 AND level = ?2 AND hour >= ?3 ORDER BY id DESC LIMIT ?4",
            )?;
            let mut rows = read.query(params![id, level, since, PIECES])?;
            while let Some(row) = rows.next()? {
                let drain: i64 = row.get(0)?;
                let content: Vec<u8> = row.get(1)?;
                about.goes_on()?;
                if ids.values().any(|known| *known == drain)
                    && let Some(block) = block::unpack(&content)
                {
                    block::streams(&block).for_each(|stream| take(stream.key));
                }
            }
        }
    }
    let tag = |(key, values): (String, BTreeSet<String>)| {
        let more = values.len().saturating_sub(most);
        Tag { key, values: values.into_iter().take(most).collect(), more }
    };
    Ok(found.into_iter().map(tag).collect())
}

/// The kind of the newest stream of a metric.
pub(super) fn kind(
    db: Option<&Connection>,
    open: &OpenRows,
    name: &str,
    about: &Circumstances<'_>,
) -> Result<Option<Kind>, MinutesError> {
    let of = |key: &[u8]| Key::of(key).map(|key| key.kind);
    if let Some(kind) = open.of(about.account, name, about.drains).into_iter().find_map(|row| of(&row.key)) {
        return Ok(Some(kind));
    }
    let Some(db) = db else { return Ok(None) };
    let ids = ids_of(db, about)?;
    let mut read = db.prepare_cached(
        "SELECT pieces.drain, pieces.content FROM pieces JOIN names ON names.id = pieces.name
         WHERE names.account = ?1 AND names.name = ?2 AND pieces.level IN (?3, ?4) AND pieces.hour >= ?5
         ORDER BY pieces.id DESC LIMIT 100",
    )?;
    let since = about.now.div_euclid(HOUR) - BACK;
    let mut rows = read.query(params![about.account, name, MINUTES, HOURS, since])?;
    while let Some(row) = rows.next()? {
        let (drain, content): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let block = block::unpack(&content).filter(|_| ids.values().any(|known| *known == drain));
        let kind = block.and_then(|block| block::streams(&block).find_map(|stream| of(stream.key)));
        if kind.is_some() {
            return Ok(kind);
        }
    }
    Ok(None)
}

pub(super) fn drains(db: Option<&Connection>, open: &OpenRows, account: &str) -> Result<Vec<String>, MinutesError> {
    let mut found: BTreeSet<String> = open.drains(account).into_iter().map(str::to_owned).collect();
    if let Some(db) = db {
        let mut read = db.prepare_cached("SELECT drain FROM drains WHERE account = ?1")?;
        let mut rows = read.query([account])?;
        while let Some(row) = rows.next()? {
            found.insert(row.get(0)?);
        }
    }
    Ok(found.into_iter().collect())
}

pub(super) fn span(db: &Connection, account: &str) -> Result<Option<Span>, MinutesError> {
    let mut all: Option<(i64, i64)> = None;
    let mut read = db.prepare_cached(
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
    Ok(all.map(|(first, end)| Span { start: first * 3_600, end: end * 3_600 }))
}
