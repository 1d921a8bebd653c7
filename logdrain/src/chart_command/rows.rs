//! Rows as `replay` and `serve` print them, one JSON line each.

use super::asked::Group;
use super::gathered::{Cell, Gathered, Printed, printed_names};
use heroku_metrics::model::Kind;
use logdrain_terms::failure::Failure;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::path::Path;

/// A row is a line of some hundred bytes.
const LONGEST: u64 = 1 << 20;
/// Seconds from 1970 to the end of the year 9999: no row is of another time.
const TIMES: RangeInclusive<i64> = 0..=253_402_300_799;
/// The most rows of the metric.
const MOST: usize = 4_000_000;

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    id: String,
    window_unix: i64,
    #[serde(default)]
    kind: String,
    name: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    count: Option<u64>,
    #[serde(default)]
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
    last: Option<f64>,
    #[serde(default)]
    revision: u64,
    #[serde(default)]
    partial: bool,
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
}

/// A drain, a window, and the tags of a stream.
type Of = (String, i64, BTreeMap<String, String>);

/// Rows of the metric, the last revision of each: of a drain, a window and a stream there is one.
#[derive(Default)]
pub(super) struct Kept(HashMap<Of, (u64, Group, Printed)>);

/// Whether a source begins as rows do.
pub(super) fn are_rows(path: &Path) -> Result<bool, Failure> {
    // What standard input has in its buffer is not lost to whoever reads it next.
    if path.as_os_str() == "-" {
        let mut source = io::stdin().lock();
        let head = source.fill_buf().map_err(|error| Failure::open(path, error))?;
        return Ok(begins(head));
    }
    let mut head = Vec::new();
    open(path)?.take(4_096).read_to_end(&mut head).map_err(|error| Failure::open(path, error))?;
    Ok(begins(&head))
}

fn begins(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    head.starts_with(b"{\"window") || head.starts_with(b"{\"id\":") || head.starts_with(b"{\"window_unix\"")
}

/// A file, gzip read through.
fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|error| Failure::open(path, error))?;
    let mut file = BufReader::with_capacity(1 << 18, file);
    let head = file.fill_buf().map_err(|error| Failure::open(path, error))?;
    if head.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(1 << 18, flate2::bufread::MultiGzDecoder::new(file))));
    }
    Ok(Box::new(file))
}

/// Reads the rows of a file.
pub(super) fn read(path: &Path, gathered: &mut Gathered, kept: &mut Kept) -> Result<(), Failure> {
    let mut source = open(path)?;
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        let read = source.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(|error| Failure::open(path, error))? == 0 {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let row: Row = match serde_json::from_slice(&line) {
            Ok(row) => row,
            // What is being written has no end yet.
            Err(_) if !line.ends_with(b"\n") => return Ok(()),
            Err(error) => {
                let what = "is no row of `serve`, or of `replay --format jsonl`";
                return Err(Failure::Config(format!("{}, line {number}: {what}: {error}", path.display())));
            }
        };
        if !TIMES.contains(&row.window_unix) {
            let why = format!("window_unix is no time in seconds since 1970: {}", row.window_unix);
            return Err(Failure::Config(format!("{}, line {number}: {why}", path.display())));
        }
        let Some(count) = row.count else {
            return Err(Failure::Config(format!(
                "{}, line {number}: is a row of `replay --flat`, which has one number and not its metric's count and sum; write \
                 them with --format jsonl",
                path.display()
            )));
        };
        keep(row, count, gathered, kept)?;
    }
}

fn keep(row: Row, count: u64, gathered: &mut Gathered, kept: &mut Kept) -> Result<(), Failure> {
    gathered.see(row.window_unix, &row.name, row.partial);
    if row.name != gathered.wanted.name || !gathered.wanted.has(row.window_unix) {
        return Ok(());
    }
    let tags = row.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let Some(group) = gathered.group(tags) else { return Ok(()) };
    let kind = match row.kind.as_str() {
        "count" => Kind::Count,
        "sample" => Kind::Sample,
        _ => Kind::Measure,
    };
    gathered.is_alike(kind, &row.unit)?;
    // `shop/drain-400e474b` of `shop/drain-400e474b/1773480360+60/0/…`.
    let drain = row.id.rsplitn(4, '/').nth(3).unwrap_or_default().to_owned();
    let numbers = Printed {
        rows: 1,
        count,
        sum: row.sum,
        min: row.min,
        max: row.max,
        last: row.last,
        percentiles: printed_names().map(|name| row.more.get(name).and_then(serde_json::Value::as_f64)),
        last_window: row.window_unix,
        is_last_one_of_several: false,
    };
    let of = kept.0.entry((drain, row.window_unix, row.tags));
    let before = of.or_insert_with(|| (row.revision, group.clone(), numbers.clone()));
    if row.revision > before.0 {
        *before = (row.revision, group, numbers);
    }
    if kept.0.len() > MOST {
        return Err(Failure::Config(format!(
            "more than {MOST} rows of {}; choose with --tag, --from and --to",
            gathered.wanted.name
        )));
    }
    Ok(())
}

impl Kept {
    /// Adds up what is drawn together.
    pub(super) fn add_to(self, gathered: &mut Gathered) -> Result<(), Failure> {
        let mut rows: Vec<_> = self.0.into_iter().collect();
        // Sums of doubles depend on their order.
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        for ((_, window, _), (_, group, numbers)) in rows {
            gathered.add(group, window, Cell::Printed(numbers))?;
        }
        Ok(())
    }
}
