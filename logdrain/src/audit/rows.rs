//! The rows of a file, as `serve` writes them, and how they are compared.

use heroku_metrics::model::DataPoint;
use logdrain_terms::failure::Failure;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// A row is a line of some hundred bytes.
const LONGEST: u64 = 1 << 20;
/// The numbers that are compared, those behind the first four only between rows of one drain each.
const NAMES: [&str; 8] = ["count", "sum", "min", "max", "p50", "p95", "p99", "p999"];
const ADDED: usize = 4;

/// What a row is of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    /// Seconds since 1970.
    pub(super) window: i64,
    kind: String,
    name: String,
    unit: String,
    tags: BTreeMap<String, String>,
}

/// The first key of a window, and all before it.
impl From<i64> for Key {
    fn from(window: i64) -> Self {
        let none = String::new;
        Self { window, kind: none(), name: none(), unit: none(), tags: BTreeMap::new() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = jiff::Timestamp::from_second(self.window).unwrap_or_default();
        write!(f, "{window} {} {}", self.kind, self.name)?;
        for (key, value) in &self.tags {
            write!(f, " {key}={value}")?;
        }
        Ok(())
    }
}

/// What a row says, in the order of [`NAMES`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Numbers([Option<f64>; NAMES.len()]);

impl Numbers {
    /// What is different between the rows of a file and those of archives, each of a drain or a system of its own.
    pub(super) fn difference(mut rows: Vec<&Self>, mut archives: Vec<&Self>) -> Option<String> {
        let by_value = |a: &&Self, b: &&Self| {
            let pairs = a.0.iter().zip(b.0).map(|(a, b)| a.unwrap_or(f64::MIN).total_cmp(&b.unwrap_or(f64::MIN)));
            pairs.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        if rows.len() == archives.len() {
            rows.sort_by(by_value);
            archives.sort_by(by_value);
            return rows.iter().zip(&archives).find_map(|(row, archive)| Self::told(row.0, archive.0));
        }
        // Several drains of one system are one in archives: what can be added is.
        Self::told(Self::added(&rows), Self::added(&archives))
    }

    fn told(rows: [Option<f64>; NAMES.len()], archives: [Option<f64>; NAMES.len()]) -> Option<String> {
        let at = rows.iter().zip(archives).position(|(row, archive)| *row != archive)?;
        let say = |number: Option<f64>| number.map_or("none".to_owned(), |number| number.to_string());
        Some(format!("{} is {} in the rows, {} in the archives", NAMES[at], say(rows[at]), say(archives[at])))
    }

    fn added(all: &[&Self]) -> [Option<f64>; NAMES.len()] {
        let mut sum = [None; NAMES.len()];
        for numbers in all {
            for (at, (sum, number)) in sum.iter_mut().zip(numbers.0).take(ADDED).enumerate() {
                let Some(number) = number else { continue };
                *sum = Some(match (*sum, NAMES[at]) {
                    (None, _) => number,
                    (Some(sum), "min") => f64::min(sum, number),
                    (Some(sum), "max") => f64::max(sum, number),
                    (Some(sum), _) => sum + number,
                });
            }
        }
        sum
    }
}

/// Rows of windows that are compared: by what they are of, and for each drain its last revision.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) rows: BTreeMap<Key, BTreeMap<String, (u64, Numbers)>>,
    /// The apps that rows are of.
    pub(super) apps: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    id: String,
    window_unix: i64,
    kind: String,
    name: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    revision: u64,
    #[serde(flatten)]
    numbers: BTreeMap<String, Value>,
}

impl Row {
    fn read(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// `shop/drain-400e474b` of `shop/drain-400e474b/1773480360+60/0/…`.
    fn drain(&self) -> &str {
        self.id.rsplitn(4, '/').nth(3).unwrap_or_default()
    }

    fn numbers(&self) -> Numbers {
        Numbers(NAMES.map(|name| self.numbers.get(name).and_then(Value::as_f64)))
    }

    fn key(self) -> Key {
        let Self { window_unix: window, kind, name, unit, tags, .. } = self;
        Key { window, kind, name, unit, tags }
    }
}

/// Reads the rows of these drains, or of all when none is named.
pub(super) fn read(path: &Path, drains: &[String], is_compared: impl Fn(i64) -> bool) -> Result<Written, Failure> {
    let file = File::open(path).map_err(|error| Failure::open(path, error))?;
    let mut file = BufReader::with_capacity(1 << 18, file);
    let (mut written, mut line, mut number) = (Written::default(), Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        let read = file.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(|error| Failure::open(path, error))? == 0 {
            return Ok(written);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // What is being written has no end yet.
        let is_whole = line.ends_with(b"\n");
        let row = match Row::read(&line) {
            Ok(row) => row,
            Err(_) if !is_whole => return Ok(written),
            Err(error) => {
                let what = "is no row of `serve`, or of `replay --format jsonl`";
                return Err(Failure::Config(format!("{}, line {number}: {what}: {error}", path.display())));
            }
        };
        let drain = row.drain().to_owned();
        let is_of = |name: &String| {
            drain == *name || drain.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        if !is_compared(row.window_unix) || !drains.is_empty() && !drains.iter().any(is_of) {
            continue;
        }
        if let Some(app) = row.tags.get("app_name") {
            written.apps.insert(app.clone());
        }
        let (revision, numbers) = (row.revision, row.numbers());
        let last = written.rows.entry(row.key()).or_default().entry(drain).or_insert((revision, numbers));
        if revision >= last.0 {
            *last = (revision, numbers);
        }
    }
}

/// A row that was made here, as it is printed.
pub(super) fn made(point: &DataPoint<'_>, text: &mut crate::rows::RowText) -> Result<(Key, Numbers), Failure> {
    let mut line = Vec::new();
    text.line(point, &mut line)?;
    let row = Row::read(&line).map_err(|error| Failure::Config(format!("a row cannot be read again: {error}")))?;
    let numbers = row.numbers();
    Ok((row.key(), numbers))
}
