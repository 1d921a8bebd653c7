//! Where rows go. Every row has an id, the same one each time it is written; a consumer that keeps the ids of the last
//! hour or so drops what comes twice.
//!
//! One of your own is an [`Outlet`]: `write` takes a row, `commit` says that all rows so far must be safe before the
//! journal forgets that they are owed.

mod erasing;
mod jsonl;
pub mod otlp;
mod shared;

pub use erasing::erase;
pub use jsonl::{JsonLines, NOWHERE};
pub use shared::Shared;

use crate::drain_name::{DrainName, Shown};
use heroku_metrics::aggregator;
use heroku_metrics::model::{DataPoint, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;

/// One row: a window of a stream family, and the drain it is of, by its key in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub drain: &'a str,
    pub point: &'a DataPoint<'a>,
}

impl<'a> Row<'a> {
    /// How the drain is called outside: never by its token.
    pub fn shown(&self) -> Shown<'a> {
        DrainName::of(self.drain).shown()
    }
}

/// Whose rows they are: the account, and the drain by its key in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub account: &'a str,
    pub drain: &'a str,
}

/// Rows cannot go out, and the program is to end; whatever was not committed comes again at the next start.
#[derive(Debug)]
pub struct Stopped;

pub trait Outlet {
    /// Takes one row. An outlet that cannot take it now waits.
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped>;

    /// Takes the same row with all that it holds: for who adds rows up later.
    fn keep(&mut self, _: Owner<'_>, _: &aggregator::Row<'_>) -> Result<(), Stopped> {
        Ok(())
    }

    /// A delivery came from a drain: what it does not speak of did not happen then.
    fn heard(&mut self, _: Owner<'_>, _: Timestamp) {}

    /// Makes all rows so far safe; `false` when they are owed still.
    fn commit(&mut self) -> Result<bool, Stopped>;
}

/// `DRAIN/START+LENGTH/REVISION/DIGEST`: unique for a drain's (window, name, kind, unit, tags, revision), and the same
/// whenever the row is made again. START is where the window begins in Unix time and LENGTH how long it is, both in
/// seconds: windows of another length are other windows.
#[derive(Clone, Copy, Debug)]
pub struct RowId<'a>(pub Row<'a>);

impl fmt::Display for RowId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { drain, point } = self.0;
        // Each text with its length in front, so that no two sets of texts read the same.
        let mut digest = Sha256::new();
        let mut add = |text: &str| {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        };
        add(drain);
        add(point.name());
        add(point.kind().as_str());
        add(point.unit().as_str());
        for (key, value) in point.tags().iter() {
            add(key);
            add(value);
        }
        let digest = digest.finalize();
        let window = point.window();
        let length = window.end().unix_micros() - window.start().unix_micros();
        let drain = self.0.shown();
        write!(f, "{drain}/{}+{}/{}/", Seconds(window.start().unix_micros()), Seconds(length), point.revision())?;
        digest.iter().take(12).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Microseconds as seconds, with as many decimals as they need.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        write!(f, "{seconds}")?;
        match micros {
            0 => Ok(()),
            micros => write!(f, ".{}", format!("{micros:06}").trim_end_matches('0')),
        }
    }
}

impl Serialize for RowId<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Shows every row to both.
impl<A: Outlet, B: Outlet> Outlet for (A, B) {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        self.0.write(row)?;
        self.1.write(row)
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        Ok(self.0.commit()? & self.1.commit()?)
    }
}

/// An outlet that may not be there.
impl<S: Outlet> Outlet for Option<S> {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        self.as_mut().map_or(Ok(()), |outlet| outlet.write(row))
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        self.as_mut().map_or(Ok(true), Outlet::commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heroku_metrics::aggregator::AggregatorConfig;
    use heroku_metrics::model::DataPointBuf;
    use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};

    /// What comes of some lines of an application, in one minute.
    pub(super) fn points(lines: &[&str]) -> Vec<DataPointBuf> {
        let frames = lines.iter().map(|line| format!("<190>1 2026-03-14T09:26:53Z host app web.1 - {line}\n"));
        let body: String = frames.map(|frame| format!("{} {frame}", frame.len())).collect();
        let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
        pipeline.ingest(&Delivery::new(body.as_bytes()));
        let mut points = Vec::new();
        pipeline.finish(&mut points).unwrap();
        points
    }

    #[test]
    fn the_id_of_a_row_names_the_length_of_its_window() {
        let line = "<190>1 2026-03-14T09:26:30.5Z host app web.1 - count#n=1";
        let body = format!("{} {line}", line.len());
        let id = |millis| {
            let window = AggregatorConfig::new().with_window(std::time::Duration::from_millis(millis));
            let mut pipeline = Pipeline::new(PipelineConfig::new().with_aggregator(window)).unwrap();
            pipeline.ingest(&Delivery::new(body.as_bytes()));
            let mut points: Vec<DataPointBuf> = Vec::new();
            pipeline.finish(&mut points).unwrap();
            RowId(Row { drain: "d", point: &points[0].as_point() }).to_string()
        };
        assert!(id(60_000).starts_with("drain-18ac3e73/1773480360+60/0/"), "{}", id(60_000));
        assert!(id(30_000).starts_with("drain-18ac3e73/1773480390+30/0/"), "{}", id(30_000));
        assert!(id(500).starts_with("drain-18ac3e73/1773480390.5+0.5/0/"), "{}", id(500));
    }
}
