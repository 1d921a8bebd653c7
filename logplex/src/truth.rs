//! The truth: what the generator knows to be in the deliveries that were taken, added up by the plain reference.

use crate::error::Error;
use crate::streams::{self, Observed};
use metric_model::{DataPoint, Kind, Percentiles, Stats, TagSet, Timestamp, Unit, Window};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::time::Duration;
use testkit::reference::{self, Key, Row};

const MINUTE: i64 = 60_000_000;

/// Writes a data point as the receiver under test writes its rows, escapes and all: the truth is compared with those byte
/// by byte.
pub type WriteRow<'a> = dyn Fn(&mut dyn Write, &DataPoint<'_>) -> io::Result<()> + 'a;

/// All values that count, by window and stream: 8 bytes each.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    windows: BTreeMap<i64, HashMap<u32, Values>>,
}

#[derive(Debug, Default)]
struct Values {
    all: Vec<f64>,
    /// The latest by event time; no stream has two at one instant.
    last: f64,
    last_time: i64,
}

impl Truth {
    pub(crate) fn add(&mut self, observed: &[Observed]) {
        for seen in observed {
            let window = self.windows.entry(seen.time.div_euclid(MINUTE) * MINUTE).or_default();
            let values = window.entry(seen.stream).or_default();
            if values.all.is_empty() || seen.time >= values.last_time {
                (values.last, values.last_time) = (seen.value, seen.time);
            }
            values.all.push(seen.value);
        }
    }

    /// Writes the rows of `logdrain replay --format jsonl`, sorted as these are.
    pub(crate) fn write(self, keys: &[Key], out: &mut dyn Write, write_row: &WriteRow<'_>) -> Result<(), Error> {
        for (window, streams) in self.windows {
            let mut streams: Vec<(&Key, Values)> =
                streams.into_iter().map(|(stream, values)| (&keys[stream as usize], values)).collect();
            streams.sort_by_key(|(key, _)| *key);
            for (key, values) in streams {
                let row = Row::of(window, key, values.all, values.last, streams::has_percentiles(key)).sketched();
                with_point(&row, |point| write_row(out, point))?;
            }
        }
        Ok(())
    }
}

fn with_point(row: &Row, write: impl FnOnce(&DataPoint<'_>) -> io::Result<()>) -> io::Result<()> {
    let kind = match row.key.kind {
        reference::Kind::Count => Kind::Count,
        reference::Kind::Measure => Kind::Measure,
        reference::Kind::Sample => Kind::Sample,
    };
    let stats = match row.range {
        None => Stats::count(row.count, row.sum),
        Some([min, max, last]) => Stats::sample(row.count, row.sum, min, max, last),
    };
    let stats = match row.percentiles {
        None => stats,
        Some(values) => stats.with_percentiles(Percentiles::exact(values)),
    };
    let window = Window::containing(Timestamp::from_unix_micros(row.window), Duration::from_micros(MINUTE as u64));
    let tags: TagSet = row.key.tags.iter().collect();
    write(&DataPoint::new(window, kind, &row.key.name, Unit::new(&row.key.unit), &tags, stats))
}
