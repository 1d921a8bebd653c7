//! SQLite's full text search with trigrams, on the same rows.

use crate::rows::{Goal, Rows};
use crate::{ACCOUNT, median, ratio};
use log_store::{Options, Page, Query, Reader, Scope, Store};
use rusqlite::{Connection, params};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;

pub(crate) fn goals(rows: &Rows, folder: &Path, goals: &mut Vec<Goal>) -> Result<(), String> {
    let file = folder.join("peer.db");
    let (peer, peer_took) = fill(rows, &file).map_err(|error| format!("SQLite: {error}"))?;
    let began = Instant::now();
    let mut store = Store::open(folder.join("beside"), Options::new()).map_err(|error| error.to_string())?;
    rows.append(&mut store, &rows.events)?;
    store.flush().map_err(|error| error.to_string())?;
    let ours_took = began.elapsed();
    goals.push(Goal::at_least(
        "P1",
        "append and seal against FTS5 trigram, times as fast",
        ratio(peer_took, ours_took),
        15.0,
        25.0,
    ));
    let bytes = fs::metadata(&file).map_err(|error| error.to_string())?.len() as f64 / store.bytes() as f64;
    goals.push(Goal::at_least("P2", "bytes against FTS5 trigram, times as few", bytes, 6.0, 8.0));
    let reader = store.reader();
    let (unique, common) = (rows.unique.as_str(), "status=50");
    let (ours, theirs) = (newest(&reader, unique, 1)?, like(&peer, unique, 1)?);
    goals.push(Goal::at_least("P3", "what is once, over everything, times as fast", ratio(theirs, ours), 4.0, 10.0));
    let (ours, theirs) = (newest(&reader, common, 100)?, like(&peer, common, 100)?);
    goals.push(Goal::at_least("P4", "newest 100 of `status=50`, times as fast", ratio(theirs, ours), 1.0, 3.0));
    Ok(())
}

/// Without syncing, in one transaction: as fast as it gets. `detail=none` is its smallest index.
fn fill(rows: &Rows, file: &Path) -> rusqlite::Result<(Connection, Duration)> {
    let began = Instant::now();
    let mut db = Connection::open(file)?;
    db.pragma_update(None, "journal_mode", "OFF")?;
    db.pragma_update(None, "synchronous", "OFF")?;
    db.execute_batch("CREATE VIRTUAL TABLE events USING fts5(program, message, tokenize='trigram', detail=none)")?;
    let step = db.transaction()?;
    {
        let mut insert = step.prepare("INSERT INTO events (rowid, program, message) VALUES (?1, ?2, ?3)")?;
        let mut program = Vec::new();
        for row in &rows.events {
            rows.program(row, &mut program);
            let message = String::from_utf8_lossy(rows.message(row));
            insert.execute(params![row.id().get() as i64, String::from_utf8_lossy(&program), message])?;
        }
    }
    step.commit()?;
    Ok((db, began.elapsed()))
}

fn like(db: &Connection, text: &str, wanted: usize) -> Result<Duration, String> {
    let ask = || -> rusqlite::Result<usize> {
        let sql = "SELECT rowid, program, message FROM events WHERE message LIKE ?1 ORDER BY rowid DESC LIMIT 100";
        let mut select = db.prepare_cached(sql)?;
        let rows = select.query_map([format!("%{text}%")], |row| row.get::<_, String>(2))?;
        rows.map(|message| message.map(|message| black_box(message).len().min(1))).sum()
    };
    timed(text, wanted, || ask().map_err(|error| format!("SQLite: {error}")))
}

fn newest(reader: &Reader, text: &str, wanted: usize) -> Result<Duration, String> {
    let parsed = Query::parse(text);
    let view = reader.view(&Scope::account(ACCOUNT));
    let page = Page::new().with_limit(100);
    timed(text, wanted, || Ok(black_box(view.search(parsed.query(), &page, &mut || true)).events().len()))
}

fn timed(text: &str, wanted: usize, mut ask: impl FnMut() -> Result<usize, String>) -> Result<Duration, String> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let found = ask()?;
        times.push(began.elapsed());
        if found != wanted {
            return Err(format!("{text}: {found} lines instead of {wanted}"));
        }
    }
    Ok(median(times))
}
