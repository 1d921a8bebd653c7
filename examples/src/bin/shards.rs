//! Several cores: a body is cut into runs of frames, one for each thread with a pipeline of its own, and the parts are
//! appended in the order of the input. The rows are those of one thread, to the last byte.
//!
//! `cargo run -p examples --bin shards testdata/demo.logplex`
//!
//! Where the cuts are does not matter, so they are made where each thread gets as many bytes, whatever is in them: a
//! router's lines all have one PROCID, and would keep one thread busy. Nothing is copied. A service that gets many
//! deliveries gives each thread some of them as they come, and merges when a minute closes. A plan's quota is one
//! account: give it to the pipeline that the others are appended to.

use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::{Delivery, Dialect, Frames};
use heroku_metrics::{Pipeline, PipelineConfig};
use std::thread;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn read(part: &[u8]) -> Result<Pipeline, Error> {
    let mut pipeline = Pipeline::new(PipelineConfig::new().with_dialect(Dialect::ByHostname))?;
    pipeline.ingest(&Delivery::new(part));
    Ok(pipeline)
}

/// A body in runs of whole frames, one for each thread, of about the same length.
fn cut(body: &[u8], threads: usize) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut from, mut frames) = (0, Frames::new(body));
    for part in 1..threads {
        // The end of the first frame behind the place where the part should end.
        let near = body.len() * part / threads;
        let mut ends = frames.by_ref().flatten().map(|raw| (raw.offset() + raw.wire_len()) as usize);
        let end = ends.find(|end| *end >= near).unwrap_or(body.len());
        parts.push(&body[from..end]);
        from = end;
    }
    parts.push(&body[from..]);
    parts
}

fn read_by_many(body: &[u8], threads: usize) -> Result<Pipeline, Error> {
    thread::scope(|scope| {
        let running: Vec<_> = cut(body, threads).into_iter().map(|part| scope.spawn(|| read(part))).collect();
        let mut parts = running.into_iter().map(|part| part.join().map_err(|_| "a thread panicked")?);
        let mut whole = parts.next().ok_or("no thread")??;
        for part in parts {
            whole.append(part?)?;
        }
        Ok(whole)
    })
}

fn main() -> Result<(), Error> {
    let body = std::fs::read(std::env::args().nth(1).ok_or("usage: shards BODY")?)?;
    let threads = thread::available_parallelism()?.get().max(2);

    let (mut many, mut alone) = (read_by_many(&body, threads)?, read(&body)?);
    let (mut by_many, mut by_one): (Vec<DataPointBuf>, Vec<DataPointBuf>) = (Vec::new(), Vec::new());
    many.finish(&mut by_many)?;
    alone.finish(&mut by_one)?;
    assert!(by_many == by_one, "the rows of {threads} threads are those of one");
    let observations: u64 = by_many.iter().map(|row| row.as_point().stats().observations()).sum();
    println!("{threads} threads, {} rows, {observations} observations: as by one thread", by_many.len());
    println!("{}", many.ledger());
    Ok(())
}
