//! Logs, counted here: rows with all that they hold, so that percentiles of several streams are those of all their values.

use super::gathered::{Cell, Gathered};
use crate::args::InputArgs;
use crate::args::chart::ChartArgs;
use crate::input::{self, Items, RenderedLine};
use crate::replay;
use heroku_metrics::aggregator::{EachRow, Row};
use heroku_metrics::model::TagSet;
use heroku_metrics::syslog::{Frame, FramingError, RawFrame};
use heroku_metrics::{Pipeline, PipelineConfig, Tap, Verdict};
use logdrain_charts::chart::Mark;
use logdrain_terms::failure::{Failure, Status};
use std::path::Path;

/// Half of what streams and windows may take.
const MEMORY: usize = 1 << 30;
/// The most marks that are remembered.
const MOST_MARKS: usize = 10_000;

/// Logs on their way into rows.
pub(super) struct Logs {
    pipeline: Pipeline,
    seen: Seen,
}

/// What platform lines say on the way.
#[derive(Default)]
struct Seen {
    marks: Vec<Mark>,
    is_bad: bool,
}

impl Tap for Seen {
    fn frame(&mut self, frame: &Frame<'_>) -> Verdict {
        let time = frame.timestamp().map(|time| time.unix_micros().div_euclid(1_000_000));
        if let (Some(time), Some(app), Some(process)) = (time, frame.app_name(), frame.proc_id())
            && self.marks.len() < MOST_MARKS
            && matches!(app, "app" | "heroku")
            && let Ok(message) = std::str::from_utf8(frame.message())
        {
            self.marks.extend(Mark::read(time, &format!("{app}/{process}"), message));
        }
        Verdict::Keep
    }

    fn bad_frame(&mut self, _: &[u8], _: &heroku_metrics::syslog::FrameError) {
        self.is_bad = true;
    }
}

impl Items for Logs {
    fn frame(&mut self, raw: RawFrame<'_>) -> Result<(), Failure> {
        self.pipeline.ingest_frame(raw, &mut self.seen);
        Ok(())
    }

    fn lost_framing(&mut self, error: &FramingError) -> Result<(), Failure> {
        self.seen.is_bad = true;
        self.pipeline.ingest_skipped(error);
        Ok(())
    }

    fn line(&mut self, line: RenderedLine<'_>) -> Result<(), Failure> {
        self.pipeline.ingest_line(line.parsed, line.bytes, line.wire_len, &mut self.seen);
        Ok(())
    }

    fn left_out(&mut self, bytes: u64, is_bad: bool) {
        self.seen.is_bad |= is_bad;
        self.separators(bytes);
    }

    fn separators(&mut self, octets: u64) {
        self.pipeline.ingest_separators(octets);
    }

    fn pause(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Logs {
    /// Counts by windows of the step's length.
    pub(super) fn new(args: &ChartArgs) -> Result<Self, Failure> {
        let aggregator = replay::unlimited(MEMORY)
            .with_window(args.step)
            .with_allowed_lateness(replay::TO_THE_END)
            .with_max_future(replay::TO_THE_END);
        let config = PipelineConfig::new()
            .with_extractor(args.input.extractor().with_websocket_latency(!args.no_websockets))
            .with_aggregator(aggregator)
            .with_dialect(args.input.dialect())
            .with_recovery(args.input.recovery());
        let pipeline = Pipeline::new(config).map_err(|error| Failure::Config(format!("--step: {error}")))?;
        Ok(Self { pipeline, seen: Seen::default() })
    }

    pub(super) fn read(&mut self, path: &Path, args: &InputArgs) -> Result<Status, Failure> {
        let end = input::read(path, args, false, self)?;
        let is_bad = end.is_bad() || args.strict && self.seen.is_bad;
        Ok(if is_bad { Status::BadInput } else { Status::Done })
    }

    /// Adds up what is drawn together, and tells what happened meanwhile.
    pub(super) fn add_to(mut self, gathered: &mut Gathered) -> Result<Vec<Mark>, Failure> {
        self.pipeline.finish(&mut EachRow(|row: &Row<'_>| {
            let row = row.to_row_buf();
            let window = row.window().start().unix_seconds();
            gathered.see(window, row.name(), false);
            if row.name() != gathered.wanted.name || !gathered.wanted.has(window) {
                return Ok(());
            }
            let Some(group) = gathered.group(row.tags().iter()) else { return Ok(()) };
            gathered.is_alike(row.kind(), row.unit().as_str())?;
            let tags = TagSet::from_iter(group.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            gathered.add(group, window, Cell::Whole(row.with_tags(tags)))
        }))?;
        Ok(Mark::joined(self.seen.marks))
    }
}
