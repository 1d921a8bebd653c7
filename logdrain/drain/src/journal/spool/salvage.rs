//! What can be read of a spool that is damaged, page by page, as of a journal.
//!
//! Pages that are used no more hold deliveries that the journal has: each row says which was the first that waited when it
//! came, and what is before the last of these is passed over. What went after that is offered once more, and known there.

use super::{Open, in_file, insert, offer};
use crate::event::Event;
use crate::journal::carve::{Found, Pages, Value, sizes};
use crate::journal::failure::StoreError;
use crate::journal::row::{signed, unsigned};
use crate::journal::salvage::{COLUMNS, aside, columns, with_suffix};
use crate::journal::seam::Offer;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How it went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Salvaged {
    pub(super) found: u64,
    pub(super) lost: u64,
}

/// Takes the file out of the way. Answers where it is then.
pub(super) fn set_aside(file: &Path) -> Result<PathBuf, StoreError> {
    let to = aside(file.parent().unwrap_or(Path::new("")), "spool");
    fs::rename(file, &to).map_err(|error| in_file(file, &error))?;
    // A step that was broken off belongs to that file, and SQLite would do it to the new one.
    let beside = with_suffix(file, "-journal");
    let moved = match fs::metadata(&beside) {
        Ok(meta) if meta.len() > 0 => fs::rename(&beside, with_suffix(&to, "-journal")),
        Ok(_) => fs::remove_file(&beside),
        Err(_) => Ok(()),
    };
    moved.map_err(|error| in_file(&beside, &error))?;
    Ok(to)
}

/// Enters what can be read of a file into a new one, under new numbers.
pub(super) fn take_over(from: &Path, into: &mut Open) -> Result<Salvaged, StoreError> {
    let (likely, _) = sizes(from);
    let (mut low, mut last, mut best, mut found) = (1, 0, None, BTreeMap::new());
    // By a size that is not the file's, some are found too, and fewer.
    for size in likely {
        let mut of_size = BTreeMap::new();
        each(from, size, |row| {
            match row {
                Row::Delivery { seq, low: its, .. } => {
                    (low, last) = (its.max(low), seq.max(last));
                    of_size.insert(seq, 0);
                }
                Row::Last(seq) => last = seq.max(last),
            }
            Ok(())
        })?;
        if of_size.len() > found.len() {
            (best, found) = (Some(size), of_size);
        }
    }
    let Some(size) = best else { return Ok(Salvaged { found: 0, lost: (last + 1).saturating_sub(low) }) };
    found.retain(|seq, _| *seq >= low);
    for (number, new) in (1..).zip(found.values_mut()) {
        *new = number;
    }
    let step = into.db.unchecked_transaction()?;
    each(from, size, |row| {
        if let Row::Delivery { seq, mut offer, .. } = row
            && let (Some(new), Some(key)) = (found.get(&seq), offer.key)
        {
            if let Event::Delivery(record) = &mut offer.event {
                record.run.base = super::NO_BASE;
                record.body.pack(None);
            }
            insert(&step, *new, key, 1, &offer.event)?;
        }
        Ok(())
    })?;
    let count = found.len() as u64;
    step.execute("INSERT OR REPLACE INTO meta VALUES ('last', ?1)", [signed(count)])?;
    step.commit()?;
    into.read_all(&into.file())?;
    Ok(Salvaged { found: count, lost: (last + 1).saturating_sub(low).saturating_sub(count) })
}

/// Something that is as it was written.
enum Row {
    Delivery {
        seq: u64,
        low: u64,
        offer: Offer,
    },
    /// The last number that was given.
    Last(u64),
}

fn each(from: &Path, size: usize, mut take: impl FnMut(Row) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut pages = Pages::open(from, Path::new(""), size).map_err(|error| in_file(from, &error))?;
    pages.each(|found| match found {
        Found::Row(seq, values) => read(unsigned(seq), values).map_or(Ok(()), &mut take),
        Found::Entry(_) => Ok(()),
    })
}

fn read(seq: u64, mut values: Vec<Value>) -> Option<Row> {
    if let [Value::Text(key), Value::Integer(last)] = &values[..] {
        return (key == b"last").then(|| Row::Last(unsigned(*last)));
    }
    let (Some(Value::Integer(low)), Some(Value::Blob(id))) = (values.pop(), values.pop()) else { return None };
    let columns = columns(<[Value; COLUMNS]>::try_from(values).ok()?)?;
    let (offer, _) = offer(columns, seq, &id, unsigned(low)).ok()?;
    Some(Row::Delivery { seq, low: unsigned(low), offer })
}
