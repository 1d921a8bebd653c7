//! What there is to ask for: names, tags and their values.

use super::MinutesError;
use super::ask::{Circumstances, drains as ids_of};
use super::block::{self, Key};
use super::levels::{HOUR, HOURS, MINUTES};
use super::open::Opened;
use super::select::fits;
use super::tables::Lookup;
use heroku_metrics::model::Kind;
use logdrain_charts::series::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

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
    db: Option<&dyn Lookup>,
    open: &Opened,
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
        let ids = seen(db, about)?;
        let mut last = String::new();
        let mut is_wanted = |name: &str| {
            // Also while nothing fits.
            about.goes_on()?;
            Ok(is_it(name) && !open.contains(name))
        };
        db.names(about.account, ids.as_deref(), &mut is_wanted, &mut |_, name| {
            // Several partitions may have it.
            if name != last {
                count += 1;
                last.clone_from(&name);
                found.insert(name);
                if found.len() > most {
                    found.pop_last();
                }
            }
            Ok(())
        })?;
    }
    let more = count - found.len();
    Ok((found.into_iter().collect(), more))
}

pub(super) fn has(
    db: Option<&dyn Lookup>,
    open: &Opened,
    name: &str,
    about: &Circumstances<'_>,
) -> Result<bool, MinutesError> {
    if !open.of(about.account, name, about.drains).is_empty() {
        return Ok(true);
    }
    let Some(db) = db else { return Ok(false) };
    db.has(about.account, name, seen(db, about)?.as_deref())
}

/// The numbers of the drains that may be seen, where these are not all.
fn seen(db: &dyn Lookup, about: &Circumstances<'_>) -> Result<Option<Vec<i64>>, MinutesError> {
    if about.drains.is_none() {
        return Ok(None);
    }
    Ok(Some(ids_of(db, about)?.into_values().collect()))
}

pub(super) fn tags(
    db: Option<&dyn Lookup>,
    open: &Opened,
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
        let names = db.called(about.account, name)?;
        let newest = about.now.div_euclid(HOUR);
        // Hours have each stream once; what they do not have yet is fresh.
        for (level, since) in [(MINUTES, newest - 1), (HOURS, newest - BACK)] {
            db.newest(&names, &[level], since, PIECES, &mut |drain, content| {
                about.goes_on()?;
                if ids.values().any(|known| *known == drain)
                    && let Some(block) = block::unpack(content)
                {
                    block::streams(&block).for_each(|stream| take(stream.key));
                }
                Ok(ControlFlow::Continue(()))
            })?;
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
    db: Option<&dyn Lookup>,
    open: &Opened,
    name: &str,
    about: &Circumstances<'_>,
) -> Result<Option<Kind>, MinutesError> {
    let of = |key: &[u8]| Key::of(key).map(|key| key.kind);
    if let Some(kind) = open.of(about.account, name, about.drains).into_iter().find_map(|row| of(&row.key)) {
        return Ok(Some(kind));
    }
    let Some(db) = db else { return Ok(None) };
    let ids = ids_of(db, about)?;
    let names = db.called(about.account, name)?;
    let since = about.now.div_euclid(HOUR) - BACK;
    let mut found = None;
    db.newest(&names, &[MINUTES, HOURS], since, 100, &mut |drain, content| {
        let block = block::unpack(content).filter(|_| ids.values().any(|known| *known == drain));
        found = block.and_then(|block| block::streams(&block).find_map(|stream| of(stream.key)));
        Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}

pub(super) fn drains(db: Option<&dyn Lookup>, open: &Opened, account: &str) -> Result<Vec<String>, MinutesError> {
    let mut found: BTreeSet<String> = open.drains(account).into_iter().map(str::to_owned).collect();
    if let Some(db) = db {
        found.extend(db.drains(account)?.into_iter().map(|(drain, _)| drain));
    }
    Ok(found.into_iter().collect())
}

pub(super) fn span(db: &dyn Lookup, account: &str) -> Result<Option<Span>, MinutesError> {
    Ok(db.hours(account)?.map(|(first, end)| Span { start: first * 3_600, end: end * 3_600 }))
}
