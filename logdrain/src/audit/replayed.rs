//! Minutes made of archives: a pipeline for each system, as a server has one for each drain.

use super::rows::{Key, Numbers, Written, made};
use crate::args::audit::AuditArgs;
use crate::input;
use crate::replay::unlimited;
use crate::rows::RowText;
use flate2::bufread::MultiGzDecoder;
use heroku_metrics::model::{DataPoint, Sink, Timestamp};
use heroku_metrics::syslog::Dialect;
use heroku_metrics::{ExtractorConfig, NativeSet, Pipeline, PipelineConfig, Plan};
use log_archive::{Reader, Row};
use logdrain_terms::failure::{Failure, say};
use logdrain_terms::plan;
use logdrain_terms::reading::Reading;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

/// A server revises rows for an hour; how late a line may be to be surely among them, in microseconds.
const LATE: i64 = 50 * 60 * 1_000_000;
/// So far ahead of its arrival a line is surely taken.
const AHEAD: i64 = 30 * 1_000_000;
/// Windows stay open for all lines that are taken.
const OPEN: Duration = Duration::from_secs(70 * 60);
/// Between two looks at what may be closed, in rows.
const EVERY: u64 = 4_096;
/// Each has its own pipeline.
const MOST_SYSTEMS: usize = 10_000;
const MEMORY: usize = 1 << 30;
/// What `serve` writes of what it could not read as a frame.
const UNREAD: &[u8] = b"logdrain/unread";

pub(super) struct Replayed<'a> {
    args: &'a AuditArgs,
    plan: Option<Plan>,
    written: &'a Written,
    systems: HashMap<Box<[u8]>, Pipeline>,
    frame: input::row::RowFrame,
    points: Points,
    /// Windows with a line that came too late or too early to be sure of, in seconds since 1970.
    odd: BTreeSet<i64>,
    rows: u64,
    /// An archive broke off, or held what is no row.
    pub(super) broken: bool,
}

/// Rows that were made, by what they are of: one of each system.
pub(super) type Made = BTreeMap<Key, Vec<Numbers>>;

/// The rows of windows that are compared.
struct Points {
    first: i64,
    end: i64,
    text: RowText,
    made: Made,
}

impl Sink for Points {
    type Error = Failure;

    fn write(&mut self, point: &DataPoint<'_>) -> Result<(), Failure> {
        let window = point.window();
        if window.start().unix_micros() >= self.first && window.end().unix_micros() <= self.end {
            let (key, numbers) = made(point, &mut self.text)?;
            self.made.entry(key).or_default().push(numbers);
        }
        Ok(())
    }
}

impl<'a> Replayed<'a> {
    /// For windows from the first to the end, in microseconds since 1970.
    pub(super) fn new(args: &'a AuditArgs, written: &'a Written, (first, end): (i64, i64)) -> Result<Self, Failure> {
        let plan = args.plan.as_deref().map(plan::load).transpose()?.map(|plan| plan.metrics);
        let points = Points { first, end, text: RowText::default(), made: BTreeMap::new() };
        Ok(Self {
            args,
            plan,
            written,
            systems: HashMap::new(),
            frame: input::row::RowFrame::default(),
            points,
            odd: BTreeSet::new(),
            rows: 0,
            broken: false,
        })
    }

    /// Reads an archive, packed or not.
    pub(super) fn read(&mut self, path: &Path) -> Result<(), Failure> {
        let file = File::open(path).map_err(|error| Failure::open(path, error))?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let head = file.fill_buf().map_err(|error| Failure::open(path, error))?;
        if head.starts_with(&[0x1f, 0x8b]) {
            self.rows_of(path, BufReader::with_capacity(1 << 18, MultiGzDecoder::new(file)))
        } else {
            self.rows_of(path, file)
        }
    }

    fn rows_of(&mut self, path: &Path, source: impl BufRead) -> Result<(), Failure> {
        // A line of `serve` has a MiB at most, and some more in front of it.
        let mut reader = Reader::new(source).with_max_row_len(2 << 20);
        loop {
            match reader.read() {
                Ok(Some(row)) => self.take(&row)?,
                Ok(None) => break,
                Err(error) => {
                    self.broken = true;
                    say(format_args!("logdrain: {}: {error}", path.display()));
                    if error.kind() == log_archive::ReadErrorKind::Input {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        if row.program() == UNREAD {
            return Ok(());
        }
        let (generated, received) = (row.generated_at(), row.received_at());
        if received - generated > LATE || generated - received > AHEAD {
            self.odd.insert(self.window_of(generated));
        }
        if !self.systems.contains_key(row.source_name()) {
            if self.systems.len() >= MOST_SYSTEMS {
                return Err(Failure::Config(format!("more than {MOST_SYSTEMS} systems cannot be compared at a time")));
            }
            let pipeline = self.pipeline(row.source_name())?;
            self.systems.insert(row.source_name().into(), pipeline);
        }
        let Some(pipeline) = self.systems.get_mut(row.source_name()) else { return Ok(()) };
        let frame = self.frame.of(row);
        pipeline.ingest_line(frame, row.message(), row.message().len() as u64, &mut ());
        self.rows += 1;
        if self.rows.is_multiple_of(EVERY) {
            let now = Timestamp::from_unix_micros(received);
            for pipeline in self.systems.values_mut() {
                pipeline.advance(now, &mut self.points)?;
            }
        }
        Ok(())
    }

    /// The second in which the window of a time begins.
    fn window_of(&self, micros: i64) -> i64 {
        let length = i64::try_from(self.args.window.as_micros()).unwrap_or(i64::MAX).max(1);
        micros.div_euclid(length) * length / 1_000_000
    }

    fn pipeline(&self, system: &[u8]) -> Result<Pipeline, Failure> {
        let set = if self.args.extended { NativeSet::Extended } else { NativeSet::Standard };
        let extractor = ExtractorConfig::new().with_native_set(set).with_websocket_latency(!self.args.no_websockets);
        let extractor = self.args.reading.over(Reading::default()).apply(extractor);
        // A system is called by its app, where that is known; then the app is in the rows, too.
        let app = std::str::from_utf8(system).ok().filter(|app| self.written.apps.contains(*app));
        let extractor = match app {
            Some(app) => extractor.with_app_name(app),
            None => extractor,
        };
        let aggregator = unlimited(MEMORY).with_window(self.args.window).with_allowed_lateness(OPEN);
        let config = PipelineConfig::new()
            .with_extractor(extractor)
            .with_aggregator(aggregator.with_max_future(OPEN))
            .with_dialect(Dialect::ByHostname);
        let config = match &self.plan {
            Some(plan) => config.with_plan(plan.clone()),
            None => config,
        };
        Pipeline::new(config).map_err(|error| Failure::Config(format!("--window: {error}")))
    }

    /// The rows of all windows, and the windows that nobody can be sure of.
    pub(super) fn finish(mut self) -> Result<(Made, BTreeSet<i64>), Failure> {
        for pipeline in self.systems.values_mut() {
            pipeline.finish(&mut self.points)?;
        }
        Ok((self.points.made, self.odd))
    }
}
