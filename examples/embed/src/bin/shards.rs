//! Several cores: frames are dealt out over threads, each with a pipeline of its own, and the parts are merged. The rows
//! are those of one thread, to the last byte.
//!
//! `cargo run -p embed --bin shards testdata/demo.logplex`
//!
//! Which frame goes to which thread does not matter, since merging is exact in any order; only of two samples of one
//! stream at one instant the last could differ, so frames of one PROCID stay on one thread. A plan's quota is one
//! account: give it to the merged pipeline, not to the parts.

use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::{Delivery, Frames};
use heroku_metrics::{DialectPolicy, Pipeline, PipelineConfig};
use std::collections::HashMap;
use std::thread;

fn config() -> PipelineConfig {
    PipelineConfig::new().dialect(DialectPolicy::ByHostname)
}

/// A body in parts, one for each thread, by PROCID.
fn deal(body: &[u8], threads: usize) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new(); threads];
    let mut places: HashMap<&str, usize> = HashMap::new();
    for raw in Frames::new(body).flatten() {
        let proc_id = DialectPolicy::ByHostname.read(raw).ok().and_then(|frame| frame.proc_id()).unwrap_or_default();
        let next = places.len() % threads;
        let part = &mut parts[*places.entry(proc_id).or_insert(next)];
        part.extend_from_slice(format!("{} ", raw.bytes().len()).as_bytes());
        part.extend_from_slice(raw.bytes());
    }
    parts
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let body = std::fs::read(std::env::args().nth(1).ok_or("usage: shards BODY")?)?;
    let threads = thread::available_parallelism()?.get().max(2);

    let parts = deal(&body, threads);
    let mut merged = Pipeline::new(config())?;
    thread::scope(|scope| {
        let running: Vec<_> = parts
            .iter()
            .map(|part| {
                scope.spawn(move || {
                    let mut pipeline = Pipeline::new(config())?;
                    pipeline.ingest(&Delivery::new(part));
                    Ok::<_, Box<dyn std::error::Error + Send + Sync>>(pipeline)
                })
            })
            .collect();
        for part in running {
            merged.merge(part.join().map_err(|_| "a thread panicked")??)?;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })?;

    let mut alone = Pipeline::new(config())?;
    alone.ingest(&Delivery::new(&body));
    let (mut by_many, mut by_one): (Vec<DataPointBuf>, Vec<DataPointBuf>) = (Vec::new(), Vec::new());
    merged.finish(&mut by_many)?;
    alone.finish(&mut by_one)?;
    assert!(by_many == by_one, "the rows of {threads} threads are those of one");
    let observations: u64 = by_many.iter().map(|row| row.as_point().stats().observations()).sum();
    println!("{threads} threads, {} rows, {observations} observations: as by one thread", by_many.len());
    println!("{}", merged.ledger());
    Ok(())
}
