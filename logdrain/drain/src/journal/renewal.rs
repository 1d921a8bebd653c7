//! Deliveries of an older program get what this one keeps of each: ids for their events, a packed body.
//!
//! It is done when the store is opened, a few deliveries a transaction, and goes on where it was broken off. Ids follow from
//! the order of the journal and from when each delivery came, so that the same store gets the same ones.

use super::failure::{StoreError, is_damage};
use super::meta::{Meta, Stands};
use super::row::{Columns, find, insert, signed, unsigned};
use super::schema::SCHEMA;
use crate::event::Event;
use crate::parts::Part;
use crate::run::Runs;
use rusqlite::{Connection, OptionalExtension as _};
use std::time::{Duration, Instant};

/// Bytes of bodies in one transaction; the write-ahead file holds them once more.
const AT_ONCE: usize = 8 << 20;
/// It is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Marks what there is to be done: for a journal that was put together from what another one held.
pub(super) fn mark(db: &Connection) -> Result<(), StoreError> {
    db.execute("DELETE FROM meta WHERE key IN ('old', 'renewed')", [])?;
    let sql =
        "INSERT INTO meta SELECT 'old', max(seq) FROM journal WHERE kind = 0 AND base IS NULL HAVING max(seq) > 0";
    db.execute(sql, [])?;
    Ok(())
}

/// Renews all that is marked.
pub(super) fn run(db: &mut Connection, runs: &mut Runs, standing: &Standing<'_>) -> Result<(), StoreError> {
    run_some(db, runs, standing, AT_ONCE, u32::MAX)
}

/// What of the journal's standing does not change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) part: Part,
    pub(super) position: u64,
    pub(super) emitted: u64,
    pub(super) settings: Option<&'a str>,
    pub(super) accounts: u64,
}

/// So many transactions, each of so many bytes.
pub(super) fn run_some(
    db: &mut Connection,
    runs: &mut Runs,
    standing: &Standing<'_>,
    at_once: usize,
    most: u32,
) -> Result<(), StoreError> {
    let Standing { part, position, emitted, settings, accounts } = *standing;
    let Some(last) = number(db, "old")? else { return Ok(()) };
    let mut done = number(db, "renewed")?.unwrap_or(0);
    let mut count = 0_u64;
    let mut told = Instant::now();
    for _ in 0..most {
        if done >= last {
            break;
        }
        let step = db.transaction()?;
        // What fails from here on is not there, and neither are the ids that it gave.
        let mut given = *runs;
        let mut bytes = 0;
        while done < last && bytes < at_once {
            let Some(seq) = next(&step, done, last)? else {
                done = last;
                break;
            };
            bytes += renew(&step, seq, &mut given)?;
            count += 1;
            done = seq;
        }
        step.execute("INSERT OR REPLACE INTO meta VALUES ('renewed', ?1)", [signed(done)])?;
        if done >= last {
            step.execute("DELETE FROM meta WHERE key IN ('old', 'renewed')", [])?;
        }
        Meta::write(&step, &Stands { part, position, emitted, last_id: given.last(), settings, accounts })?;
        step.commit()?;
        *runs = given;
        if told.elapsed() > TOLD_EVERY {
            told = Instant::now();
            tracing::info!(done, last, "deliveries of an earlier version are being brought up to date");
        }
    }
    if done < last {
        return Ok(());
    }
    tracing::info!(deliveries = count, "the deliveries of an earlier version were brought up to date");
    Ok(())
}

fn number(db: &Connection, key: &str) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = ?1 AND typeof(value) = 'integer'";
    let found: Option<i64> = db.query_row(sql, [key], |row| row.get(0)).optional()?;
    Ok(found.map(unsigned))
}

fn next(step: &Connection, behind: u64, last: u64) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT seq FROM journal WHERE seq > ?1 AND seq <= ?2 AND kind = 0 ORDER BY seq LIMIT 1";
    let next: Option<i64> =
        step.prepare_cached(sql)?.query_row([signed(behind), signed(last)], |row| row.get(0)).optional()?;
    Ok(next.map(unsigned))
}

/// Answers how many bytes it was. What is damaged stays as it is: whoever reads it says so.
fn renew(step: &Connection, seq: u64, runs: &mut Runs) -> Result<usize, StoreError> {
    let columns = |row: &rusqlite::Row<'_>| Ok(Columns::of(row));
    let columns = match step.prepare_cached(find(SCHEMA))?.query_row([signed(seq)], columns) {
        Ok(Ok(columns)) if columns.is_old() => columns,
        Ok(_) => return Ok(0),
        Err(error) if is_damage(&error) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let Ok(mut entry) = columns.entry(seq) else { return Ok(0) };
    let Event::Delivery(record) = &mut entry.event else { return Ok(0) };
    record.run = runs.give(record.received, record.run.events);
    record.body.pack(None);
    let bytes = record.body.memory();
    step.prepare_cached("DELETE FROM journal WHERE seq = ?1")?.execute([signed(seq)])?;
    insert(step, seq, &entry.event)?;
    Ok(bytes)
}
