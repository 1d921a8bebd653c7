//! Many who follow the same lines, each with a query of his own: what one of them takes.

use crate::rows::{Goal, Rows};
use crate::{ACCOUNT, ms};
use log_store::{EventId, Options, Query, Scope, Store};
use std::path::Path;
use std::time::{Duration, Instant};

const TAILS: usize = 32;
/// Lines that come between two looks.
const STEP: usize = 4_000;
const LINES_A_SECOND: f64 = 400_000.0;

pub(crate) fn goals(rows: &Rows, folder: &Path, goals: &mut Vec<Goal>) -> Result<(), String> {
    let mut store = Store::open(folder, Options::new()).map_err(|error| error.to_string())?;
    let queries = ["\"zebra crossing\"", "PG::ConnectionBad", "OutOfMemory"];
    let scope = Scope::account(ACCOUNT);
    let mut tails = Vec::new();
    for number in 0..TAILS {
        let query = Query::parse(queries[number % queries.len()]);
        tails.push((store.reader().tail(&scope, query.query(), EventId::MIN), 0_u64));
    }
    let (mut took, mut events) = (Duration::ZERO, Vec::new());
    let lines = rows.events.len().min(1_000_000);
    for step in rows.events[..lines].chunks(STEP) {
        rows.append(&mut store, step)?;
        let began = Instant::now();
        for (tail, count) in &mut tails {
            events.clear();
            tail.next_batch(10_000, &mut events, &mut || true);
            *count += events.len() as u64;
        }
        took += began.elapsed();
    }
    // Each has had each of its lines, once.
    for (number, (_, count)) in tails.iter().enumerate() {
        let first = &tails[number % queries.len()].1;
        if count != first || (number % queries.len() == 1) != (*count > 1) {
            return Err(format!("tail {number} had {count} lines, another of the same query {first}"));
        }
    }
    println!("{TAILS} tails over {lines} lines: {:.1} ms each", ms(took) / TAILS as f64);
    let share = took.as_secs_f64() / TAILS as f64 / lines as f64 * LINES_A_SECOND;
    let what = "share of a core of one of 32 tails, at 400,000 lines a second";
    goals.push(Goal::at_most("T1", what, share, 0.02, 0.01));
    Ok(())
}
