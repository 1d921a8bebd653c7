//! What it costs to keep log lines and to find them again, in one process, beside the limits and a peer.
//!
//! `cargo run --profile dist -p family-benches --features peers --bin logs -- [--bytes 64m] [--peer 16m] [--markdown] [--ask QUERY]`
//!
//! Limits are zstd and memmem over the same text. The peer is SQLite's FTS5 with trigrams, on the first bytes of the same
//! lines. It fails when the answers of two contenders differ, or when more blocks are read than may be; times are for reading.

mod peer;
mod rows;
mod tails;

use log_store::{EventId, Options, Order, Page, Query, Reader, Scope, Store, View};
use memchr::memmem;
use rows::{Goal, Rows};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// As a segment has it.
const BLOCK: usize = 256 << 10;
pub(crate) const ACCOUNT: &str = "default";
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let (mut bytes, mut peer, mut markdown, mut only) = (64 << 20, 16 << 20, false, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bytes" => bytes = size(arguments.next())?,
            "--peer" => peer = size(arguments.next())?,
            "--markdown" => markdown = true,
            "--ask" => only = Some(arguments.next().ok_or("--ask QUERY: which one")?),
            _ => return Err(format!("{argument}: not an option; there are --bytes --peer --markdown --ask")),
        }
    }
    let rows = Rows::generate(bytes)?;
    let mut goals = Vec::new();
    let folder = Folder::new()?;
    if let Some(query) = only {
        return ask_only(&rows, &folder.0.join("store"), &query);
    }
    let text = blocks(&rows);
    let (zstd, packed) = pack(&text)?;
    let mut store = keep(&rows, &folder.0, zstd, &mut goals)?;
    let reader = store.reader();
    find(&rows, &reader, unpack(&packed)?, &mut goals)?;
    drop(packed);
    newest(&rows, &reader, &mut goals)?;
    find_merged(&rows, &mut store, &mut goals)?;
    tails::goals(&rows, &folder.0.join("tails"), &mut goals)?;
    peer::goals(&rows.first(peer), &folder.0, &mut goals)?;
    println!("{} lines, {} bytes, {} of them messages", rows.events.len(), rows.raw, rows.text);
    rows::print(&goals, markdown);
    goals.iter().find_map(Goal::broken).map_or(Ok(()), Err)
}

/// One query alone, many times: for a profiler.
fn ask_only(rows: &Rows, folder: &Path, query: &str) -> Result<(), String> {
    let mut store = Store::open(folder, Options::new()).map_err(|error| error.to_string())?;
    rows.append(&mut store, &rows.events)?;
    store.flush().map_err(|error| error.to_string())?;
    let view = store.reader().view(&Scope::account(ACCOUNT));
    let parsed = Query::parse(query);
    let times = (0..20).map(|_| {
        let began = Instant::now();
        black_box(view.counts(parsed.query(), &Page::new(), 60_000_000, &mut || true));
        began.elapsed()
    });
    println!("{:.3} ms", ms(median(times)));
    Ok(())
}

fn size(text: Option<String>) -> Result<usize, String> {
    let text = text.unwrap_or_default().to_lowercase();
    let (digits, unit) = match text.strip_suffix('m').map(|digits| (digits, 20)) {
        Some(found) => found,
        None => text.strip_suffix('g').map_or((text.as_str(), 0), |digits| (digits, 30)),
    };
    digits.parse::<usize>().map(|number| number << unit).map_err(|_| format!("{text}: not a size such as 64m"))
}

/// The messages in blocks, a byte 0 behind each, as a segment has them.
fn blocks(rows: &Rows) -> Vec<Vec<u8>> {
    let mut blocks = vec![Vec::with_capacity(BLOCK)];
    for event in &rows.events {
        let message = rows.message(event);
        if blocks.last().is_some_and(|block| block.len() + message.len() >= BLOCK) {
            blocks.push(Vec::with_capacity(BLOCK));
        }
        if let Some(block) = blocks.last_mut() {
            block.extend_from_slice(message);
            block.push(0);
        }
    }
    blocks
}

/// zstd alone, level 1: how long it takes.
fn pack(blocks: &[Vec<u8>]) -> Result<(Duration, Vec<Vec<u8>>), String> {
    let mut zstd = zstd::bulk::Compressor::new(1).map_err(|error| error.to_string())?;
    let mut times = Vec::new();
    let mut packed = Vec::new();
    for _ in 0..3 {
        packed.clear();
        let began = Instant::now();
        for block in blocks {
            packed.push(zstd.compress(block).map_err(|error| error.to_string())?);
        }
        times.push(began.elapsed());
    }
    Ok((median(times), packed))
}

/// Decompression alone.
fn unpack(packed: &[Vec<u8>]) -> Result<Duration, String> {
    let mut zstd = zstd::bulk::Decompressor::new().map_err(|error| error.to_string())?;
    let mut text = vec![0; 2 * BLOCK];
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for block in packed {
            let length = zstd.decompress_to_buffer(block, &mut text[..]).map_err(|error| error.to_string())?;
            black_box(&text[..length]);
        }
        times.push(began.elapsed());
    }
    Ok(median(times))
}

/// Appends everything and seals it.
fn keep(rows: &Rows, folder: &Path, zstd: Duration, goals: &mut Vec<Goal>) -> Result<Store, String> {
    let mut times = Vec::new();
    let mut store = None;
    for round in 0..3 {
        drop(store.take());
        let folder = folder.join(format!("store{round}"));
        let began = Instant::now();
        let mut made = Store::open(&folder, Options::new()).map_err(|error| error.to_string())?;
        rows.append(&mut made, &rows.events)?;
        made.flush().map_err(|error| error.to_string())?;
        times.push(began.elapsed());
        store = Some(made);
    }
    let took = median(times);
    let store = store.ok_or("no round")?;
    goals.push(Goal::at_most("K1", "append and seal, time over zstd-1 of the same text", ratio(took, zstd), 2.4, 1.8));
    let kept = store.bytes() as f64 / rows.raw as f64;
    goals.push(Goal::at_most("K2", "bytes on the disk, of the raw ones", kept, 0.25, 0.22));
    println!("kept at {:.0} MB/s of raw bytes in {} files", rows.raw as f64 / took.as_secs_f64() / 1e6, store.files());
    Ok(store)
}

/// A store that is asked, and what its answers are compared with.
struct Asked<'a> {
    rows: &'a Rows,
    view: View,
    memmem: Duration,
}

impl<'a> Asked<'a> {
    fn new(rows: &'a Rows, reader: &Reader) -> Self {
        let memmem = median((0..ROUNDS).map(|_| {
            let began = Instant::now();
            black_box(memmem::find(rows.bytes(), b"no line has this"));
            began.elapsed()
        }));
        println!("memmem of the raw bytes {:.1} ms", ms(memmem));
        Self { rows, view: reader.view(&Scope::account(ACCOUNT)), memmem }
    }

    /// How long it takes to count a query's lines, and which part of the blocks is read.
    fn count(&self, text: &str) -> Result<(Duration, f64), String> {
        let parsed = Query::parse(text);
        let mut times = Vec::new();
        let mut read = 0.0;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let counts = self.view.counts(parsed.query(), &Page::new(), 60_000_000, &mut || true);
            times.push(began.elapsed());
            let truth = self.rows.truth(text);
            if counts.total() != truth {
                return Err(format!("{text}: {} lines instead of {truth}", counts.total()));
            }
            let examined = counts.examined();
            read = examined.blocks_read() as f64 / (examined.blocks().max(1)) as f64;
        }
        println!("{text}: {:.2} ms, {:.2} % of the blocks", ms(median(times.iter().copied())), read * 100.0);
        Ok((median(times), read))
    }

    /// What is nowhere, and what is once.
    fn rare(&self, row: &'static str, when: &str, goals: &mut Vec<Goal>) -> Result<(), String> {
        let (mut slowest, mut most) = (Duration::ZERO, 0.0_f64);
        for absent in ["OutOfMemory", "javax.ws.rs", "7b3f0c9e-5a41-4d27-9be8-0123456789ab", "zebra crossings"] {
            let (took, read) = self.count(absent)?;
            (slowest, most) = (slowest.max(took), most.max(read));
        }
        let mut extra = 0.0_f64;
        for unique in [self.rows.unique.as_str(), "zebra crossing"] {
            let (took, read) = self.count(unique)?;
            slowest = slowest.max(took);
            extra = extra.max(read - 1.0 / self.rows.text.div_ceil(BLOCK) as f64);
        }
        goals.push(Goal::bound("B1", "blocks read for what is nowhere, of all", most, 0.01));
        goals.push(Goal::bound("B2", "blocks read for what is once, of all, beyond that one", extra, 0.01));
        let what = format!("what is nowhere or once, over everything {when}, time over memmem of the raw bytes");
        goals.push(Goal::at_most(row, what, ratio(slowest, self.memmem), 1.0 / 40.0, 1.0 / 150.0));
        Ok(())
    }
}

/// Everything is asked, counts are compared with memmem over the lines.
fn find(rows: &Rows, reader: &Reader, unpack: Duration, goals: &mut Vec<Goal>) -> Result<(), String> {
    println!("decompression alone {:.1} ms", ms(unpack));
    let asked = Asked::new(rows, reader);
    asked.rare("S1", "as it was sealed", goals)?;
    let mut slowest = Duration::ZERO;
    for piece in ["203.0.113.77", &rows.unique[..8]] {
        slowest = slowest.max(asked.count(piece)?.0);
    }
    let what = "an address, 8 hex digits, time over memmem of the raw bytes";
    goals.push(Goal::at_most("S2", what, ratio(slowest, asked.memmem), 1.0, 1.0 / 3.0));
    let mut slowest = Duration::ZERO;
    for common in ["at=info", "h1"] {
        slowest = slowest.max(asked.count(common)?.0);
    }
    let what = "what is everywhere, over everything, time over decompressing alone";
    goals.push(Goal::at_most("S3", what, ratio(slowest, unpack), 1.4, 1.2));
    let all = asked.view.counts(&Query::default(), &Page::new(), 60_000_000, &mut || true);
    if all.total() != rows.events.len() as u64 {
        return Err(format!("{} lines of {}", all.total(), rows.events.len()));
    }
    goals.push(Goal::bound("B3", "blocks read to count every line a minute", all.examined().blocks_read() as f64, 0.0));
    Ok(())
}

/// The same, when the hour is over: a store of some gigabytes has most of its lines in such files.
fn find_merged(rows: &Rows, store: &mut Store, goals: &mut Vec<Goal>) -> Result<(), String> {
    let sealed = store.files();
    let last = rows.events.last().map_or(0, |event| event.id().unix_micros());
    let began = Instant::now();
    while store.merge_due(last + 3_600_000_000).map_err(|error| error.to_string())? {}
    if store.files() == sealed {
        println!("{sealed} files are not worth merging: S1m is left out");
        return Ok(());
    }
    println!("merged {sealed} files into {} in {:.0} ms", store.files(), ms(began.elapsed()));
    Asked::new(rows, &store.reader()).rare("S1m", "when the hour is over", goals)
}

/// The newest 100 of what is in one line of ten, and in one of a thousand: how many blocks are read.
fn newest(rows: &Rows, reader: &Reader, goals: &mut Vec<Goal>) -> Result<(), String> {
    let view = reader.view(&Scope::account(ACCOUNT));
    let read = |text: &str| -> Result<(f64, EventId), String> {
        let parsed = Query::parse(text);
        let found = view.search(parsed.query(), &Page::new().with_limit(100).with_order(Order::Newest), &mut || true);
        let oldest = found.events().first().map(|event| event.as_event().id());
        let began = Instant::now();
        black_box(view.search(parsed.query(), &Page::new().with_limit(100), &mut || true));
        println!("newest 100 of {text}: {:.2} ms, {} blocks", ms(began.elapsed()), found.examined().blocks_read());
        Ok((found.examined().blocks_read() as f64, oldest.ok_or(format!("{text}: nothing"))?))
    };
    let (blocks, _) = read("status=50")?;
    goals.push(Goal::bound("B4", "blocks read for the newest 100 of one line in some ten", blocks, 3.0));
    let (blocks, oldest) = read("PG::ConnectionBad")?;
    // How many blocks hold these lines, as the store cuts them.
    let mut truth = 0_u64;
    let (mut text, mut holds) = (0, false);
    for event in rows.events.iter().rev().take_while(|event| event.id() >= oldest) {
        let message = rows.message(event);
        text += message.len() + 1;
        holds |= memmem::find(message, b"PG::ConnectionBad").is_some();
        if text >= BLOCK {
            truth += u64::from(holds);
            (text, holds) = (0, false);
        }
    }
    truth += u64::from(holds);
    let over = (blocks - 2.0).max(0.0) / truth.max(1) as f64;
    goals.push(Goal::bound(
        "B5",
        "blocks read for the newest 100 of one line in 1,000, over those that hold them",
        over,
        1.1,
    ));
    Ok(())
}

pub(crate) fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub(crate) fn ratio(time: Duration, limit: Duration) -> f64 {
    time.as_secs_f64() / limit.as_secs_f64()
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("family-benches-logs-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
