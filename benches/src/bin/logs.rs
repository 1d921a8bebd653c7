//! Lines kept and found again: what it costs beside compressing and searching the same bytes plainly.
//!
//! `logs [MIB]` (default 256): traffic of the benches to a store in a folder of its own, then searches. All figures are ratios of
//! this run: ingest to sealed over zstd-1 of the same text in the same blocks, bytes on the disk over raw bytes, searches over
//! memmem of the raw bytes.

use heroku_metrics::syslog::{Dialect, FrameParser, Frames};
use log_store::{Event, EventId, Options, Order, Page, Query, Scope, Store, View};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::traffic::Traffic;

/// Text of a block.
const BLOCK: usize = 256 << 10;
const ACCOUNT: &str = "default";
/// Each with whether it is in the traffic: words, pieces of ids and addresses, what is common, nothing at all.
const QUERIES: [&str; 14] = [
    "zebracrossing",
    "OutOfMemory",
    "c0ffee00-dead-beef-4000-8000deadbeef",
    "c0ffee00",
    "203.0.113.77",
    "203.0.113.",
    "/users/7777777",
    "status=511",
    "ConnectionBad",
    "\"request timeout\"",
    "h1",
    "at=info",
    "program:logplex",
    "-at=info",
];

/// What is kept of a frame, as offsets into the messages.
struct Line<'a> {
    program: usize,
    severity: u8,
    facility: u8,
    generated: i64,
    message: &'a [u8],
}

fn main() -> Result<(), Box<dyn Error>> {
    let mib: usize = std::env::args().nth(1).map_or(Ok(256), |text| text.parse())?;
    let body = Traffic::new(7).bytes(mib << 20).scale(75).generate();
    let raw = body.body();
    let (lines, programs) = lines_of(raw);
    let text: usize = lines.iter().map(|line| line.message.len() + 1).sum();
    println!("{} raw bytes, {} lines, {text} bytes of text", raw.len(), lines.len());

    let folder = std::env::temp_dir().join(format!("family-benches-logs-{}", std::process::id()));
    let mut figures = Vec::new();
    for _ in 0..3 {
        let (alone, packed) = compressed(&lines)?;
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let started = Instant::now();
        let mut store = Store::open(&folder, Options::new())?;
        ingest(&mut store, &lines, &programs)?;
        let took = started.elapsed();
        drop(store);
        let stored = bytes_of(&folder)?;
        figures.push((took.as_secs_f64() / alone.as_secs_f64(), took, alone, packed, stored));
    }
    figures.sort_by(|left, right| left.0.total_cmp(&right.0));
    for (ratio, took, alone, packed, stored) in &figures {
        println!(
            "ingest to sealed {took:.2?}, zstd-1 alone {alone:.2?}: {ratio:.2} x; stored {:.4} of raw, text alone {:.4}",
            *stored as f64 / raw.len() as f64,
            *packed as f64 / raw.len() as f64,
        );
    }
    let store = Store::open(&folder, Options::new())?;
    let view = store.reader().view(&Scope::account(ACCOUNT));
    search(&view, raw);
    drop(view);
    drop(store);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn lines_of(raw: &[u8]) -> (Vec<Line<'_>>, Vec<Vec<u8>>) {
    let (mut lines, mut programs, mut known) = (Vec::new(), Vec::new(), std::collections::HashMap::new());
    let mut parser = FrameParser::new();
    for frame in Frames::new(raw).flatten() {
        let Ok(frame) = parser.parse(frame, Dialect::Logplex) else { continue };
        let name = format!("{}/{}", frame.app_name().unwrap_or("-"), frame.proc_id().unwrap_or("-")).into_bytes();
        let program = *known.entry(name.clone()).or_insert_with(|| {
            programs.push(name);
            programs.len() - 1
        });
        let message = frame.message();
        lines.push(Line {
            program,
            severity: frame.pri().map_or(255, |pri| pri.severity()),
            facility: frame.pri().map_or(255, |pri| pri.facility()),
            generated: frame.timestamp().map_or(0, |time| time.unix_micros()),
            message: message.strip_suffix(b"\n").unwrap_or(message),
        });
    }
    (lines, programs)
}

/// The limit: zstd-1 of blocks of messages, and nothing else.
fn compressed(lines: &[Line<'_>]) -> Result<(Duration, usize), Box<dyn Error>> {
    let mut compressor = zstd::bulk::Compressor::new(1)?;
    let (mut block, mut out) = (Vec::with_capacity(BLOCK), vec![0; zstd::zstd_safe::compress_bound(BLOCK)]);
    let (mut took, mut packed) = (Duration::ZERO, 0);
    let mut lines = lines.iter().peekable();
    while let Some(line) = lines.next() {
        block.extend_from_slice(line.message);
        block.push(0);
        if lines.peek().is_none_or(|next| block.len() + next.message.len() >= BLOCK) {
            let started = Instant::now();
            packed += compressor.compress_to_buffer(&block, out.as_mut_slice())?;
            took += started.elapsed();
            block.clear();
        }
    }
    Ok((took, packed))
}

fn ingest(store: &mut Store, lines: &[Line<'_>], programs: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
    let first = EventId::at(1_773_478_800_000_000).get();
    for (at, line) in lines.iter().enumerate() {
        // Five a millisecond.
        let id = EventId::new(first + ((at as u64 / 5) << 20) + (at as u64 % 5) * EventId::STEP);
        let event = Event::new(id, ACCOUNT, line.message)
            .with_system(b"host")
            .with_program(&programs[line.program])
            .with_severity(line.severity)
            .with_facility(line.facility)
            .with_generated(line.generated)
            .with_source_ip([10, 0, 0, 1].into());
        store.append(&event)?;
        // As a consumer of deliveries does it, now and then.
        if at % 1_024 == 0 {
            store.publish(id);
            while store.seal_due(id.unix_micros())? {}
        }
    }
    store.publish(EventId::MAX);
    store.flush()?;
    Ok(())
}

fn search(view: &View, raw: &[u8]) {
    let mut plain = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        black_box(memchr::memmem::find_iter(black_box(raw), b"zebracrossing").count());
        plain = plain.min(started.elapsed());
    }
    println!("memmem of raw: {plain:.2?}");
    println!(
        "{:40} {:>9} {:>9} {:>12} {:>10} {:>12} {:>7}",
        "query", "lines", "blocks", "all", "x memmem", "newest 100", "blocks"
    );
    for text in QUERIES {
        let query = Query::parse(text).query().clone();
        let mut best = Duration::MAX;
        let (mut found, mut read, mut blocks) = (0, 0, 0);
        for _ in 0..3 {
            let started = Instant::now();
            let counts = view.counts(&query, &Page::new(), 60_000_000, &mut || true);
            best = best.min(started.elapsed());
            (found, read, blocks) = (counts.total(), counts.examined().blocks_read(), counts.examined().blocks());
        }
        let started = Instant::now();
        let page = view.search(&query, &Page::new().with_order(Order::Newest).with_limit(100), &mut || true);
        let newest = started.elapsed();
        println!(
            "{text:40} {found:>9} {:>9} {best:>12.2?} {:>10.4} {newest:>12.2?} {:>7}",
            format!("{read}/{blocks}"),
            best.as_secs_f64() / plain.as_secs_f64(),
            page.examined().blocks_read(),
        );
    }
}

fn bytes_of(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { bytes_of(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}
