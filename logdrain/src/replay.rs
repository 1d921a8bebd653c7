//! `logdrain replay`: the main job. Recorded logs in, minute streams out.

use crate::args::{Format, LedgerFormat, ReplayArgs};
use crate::input::{self, End, Items, RenderedLine};
use crate::rows::{Output, RowText};
use crate::{interrupt, report, table};
use heroku_metrics::aggregator::AggregatorConfig;
use heroku_metrics::model::{DataPoint, DataPointBuf, Sink, Timestamp};
use heroku_metrics::syslog::{Frame, FramingError, RawFrame};
use heroku_metrics::{Pipeline, PipelineConfig, Tap, Verdict};
use logdrain_terms::failure::{Failure, Status, say};
use logdrain_terms::{json, number, plan};
use serde::Serialize;
use serde_json::json;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longer than any log: windows stay open until the end of the input.
pub(crate) const TO_THE_END: Duration = Duration::from_secs(400 * 366 * 86_400);
/// A frame this far ahead of our clock is not let near the watermark.
const MAX_FUTURE: Duration = Duration::from_secs(300);

pub(crate) fn run(args: &ReplayArgs) -> Result<Status, Failure> {
    let lateness = args.lateness.or(args.follow.then_some(Duration::from_secs(60)));
    let memory = usize::try_from(args.max_memory).unwrap_or(usize::MAX);
    let aggregator = unlimited(memory)
        .with_window(args.window)
        .with_allowed_lateness(lateness.unwrap_or(TO_THE_END))
        .with_max_future(TO_THE_END);
    let config = PipelineConfig::new()
        .with_extractor(args.input.extractor().with_websocket_latency(!args.no_websockets))
        .with_aggregator(aggregator)
        .with_dialect(args.input.dialect())
        .with_recovery(args.input.recovery());
    let config = match &args.plan {
        Some(word) => config.with_plan(plan::load(word)?.metrics),
        None => config,
    };
    let mut replay = Replay {
        pipeline: Pipeline::new(config).map_err(|error| Failure::Config(format!("--window: {error}")))?,
        rows: Rows::new(args),
        gate: Gate { bound: None, bad: false },
        lateness,
        follow: args.follow,
        max_memory: memory,
        closed_early: 0,
        passed: Timestamp::MIN,
        heard: Instant::now(),
    };
    if args.follow {
        // Without it Ctrl-C ends the program as ever, and the open minutes are lost.
        interrupt::listen().map_err(|error| Failure::Config(format!("signals cannot be caught: {error}")))?;
    }
    let mut status = Status::Done;
    for path in &args.input.files {
        match input::read(path, &args.input, args.follow, &mut replay)? {
            End::Complete => {}
            End::BrokeOff | End::Unread => status = Status::BadInput,
            End::Asked => break,
        }
    }
    if interrupt::is_asked() {
        // Minutes that are over are whole; those still open are not.
        replay.pause()?;
        replay.rows.partial = true;
        if args.ledger == LedgerFormat::Text {
            say(format_args!("logdrain: ended by a signal; minutes that were open are marked as partial"));
        }
    }
    replay.pipeline.finish(&mut replay.rows)?;
    replay.rows.end()?;
    let ledger = replay.pipeline.ledger();
    if args.ledger == LedgerFormat::Text && ledger.total().bytes() == 0 && status == Status::Done {
        say(format_args!("logdrain: the input is empty"));
    }
    report::ledger(&ledger, args.ledger);
    if args.ledger == LedgerFormat::Text && args.plan.is_some() {
        report::turned_away(&replay.pipeline.aggregator().explain());
    }
    if replay.closed_early > 0 {
        say(format_args!(
            "logdrain: {} windows were closed early to stay within --max-memory; lines for them that came later count as late",
            replay.closed_early
        ));
    }
    if args.input.strict && replay.gate.bad {
        status = Status::BadInput;
    }
    Ok(status)
}

/// An aggregator that refuses nothing for want of room before windows are closed to make some, which is looked after
/// once a chunk of input.
pub(crate) fn unlimited(memory: usize) -> AggregatorConfig {
    let room = memory.saturating_mul(2);
    AggregatorConfig::new().with_max_streams(1 << 26).with_max_key_bytes(room).with_max_window_bytes(room)
}

struct Replay {
    pipeline: Pipeline,
    rows: Rows,
    gate: Gate,
    lateness: Option<Duration>,
    follow: bool,
    max_memory: usize,
    closed_early: u64,
    /// The input's own time, as far as the windows have been told.
    passed: Timestamp,
    /// When the line that moved it came in.
    heard: Instant,
}

impl Items for Replay {
    fn frame(&mut self, raw: RawFrame<'_>) -> Result<(), Failure> {
        self.pipeline.ingest_frame(raw, &mut self.gate);
        self.pass()
    }

    fn lost_framing(&mut self, error: &FramingError) -> Result<(), Failure> {
        self.gate.bad = true;
        self.pipeline.ingest_skipped(error);
        Ok(())
    }

    fn line(&mut self, line: RenderedLine<'_>) -> Result<(), Failure> {
        self.pipeline.ingest_line(line.parsed, line.bytes, line.wire_len, &mut self.gate);
        self.pass()
    }

    fn left_out(&mut self, bytes: u64, is_bad: bool) {
        self.gate.bad |= is_bad;
        self.separators(bytes);
    }

    fn separators(&mut self, octets: u64) {
        self.pipeline.ingest_separators(octets);
    }

    fn pause(&mut self) -> Result<(), Failure> {
        if self.follow {
            // A silent pipe must not hold a minute open: time goes on from the last line at the pace of our clock.
            if self.passed > Timestamp::MIN {
                self.pipeline.advance(self.passed.later(self.heard.elapsed()), &mut self.rows)?;
            }
            self.gate.bound = Some(clock().later(MAX_FUTURE));
            self.rows.flush()?;
        }
        while self.pipeline.aggregator().memory() > self.max_memory && self.pipeline.aggregator().open_windows() > 0 {
            self.pipeline.aggregator_mut().close_oldest(&mut self.rows)?;
            self.closed_early += 1;
        }
        Ok(())
    }
}

impl Replay {
    /// Lets the input's own time pass.
    fn pass(&mut self) -> Result<(), Failure> {
        if self.lateness.is_none() {
            return Ok(());
        }
        if self.gate.bound.is_none() {
            self.gate.bound = Some(clock().later(MAX_FUTURE));
        }
        if let Some(latest) = self.pipeline.aggregator().latest().filter(|latest| *latest > self.passed) {
            self.passed = latest;
            self.heard = Instant::now();
            self.pipeline.advance(latest, &mut self.rows)?;
        }
        Ok(())
    }
}

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Keeps frames from the far future away from the input's own clock, and remembers whether anything was bad.
struct Gate {
    bound: Option<Timestamp>,
    bad: bool,
}

impl Tap for Gate {
    fn frame(&mut self, frame: &Frame<'_>) -> Verdict {
        let Some(bound) = self.bound else { return Verdict::Keep };
        match frame.timestamp().map(|time| Timestamp::from_unix_micros(time.unix_micros())) {
            Some(time) if time > bound => Verdict::Drop,
            _ => Verdict::Keep,
        }
    }

    fn bad_frame(&mut self, _: &[u8], _: &heroku_metrics::syslog::FrameError) {
        self.bad = true;
    }
}

/// Where the rows go.
struct Rows {
    out: Output,
    text: RowText,
    shape: Shape,
    kept: Vec<DataPointBuf>,
    /// The windows that come now were open when a signal ended the input.
    partial: bool,
}

/// A row of a window that was not closed.
#[derive(Serialize)]
struct Partial<'a> {
    #[serde(flatten)]
    row: &'a DataPoint<'a>,
    partial: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Table,
    Jsonl,
    Flat,
}

impl Rows {
    fn new(args: &ReplayArgs) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let shape = match args.format {
            _ if args.flat => Shape::Flat,
            Some(Format::Jsonl) => Shape::Jsonl,
            Some(Format::Table) => Shape::Table,
            None if terminal => Shape::Table,
            None => Shape::Jsonl,
        };
        Self { out: Output::new(args.follow), text: RowText::default(), shape, kept: Vec::new(), partial: false }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.shape == Shape::Table && !self.kept.is_empty() {
            self.table()?;
        }
        Ok(self.out.flush()?)
    }

    fn end(&mut self) -> Result<(), Failure> {
        if self.shape == Shape::Table {
            self.table()?;
        }
        Ok(self.out.flush()?)
    }

    fn table(&mut self) -> Result<(), Failure> {
        let terminal = std::io::stdout().is_terminal();
        let style = table::Style {
            colours: terminal && std::env::var_os("NO_COLOR").is_none(),
            width: table::terminal_width(),
        };
        let text = table::render(&self.kept, style, self.partial);
        self.kept.clear();
        self.out.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Sink for Rows {
    type Error = Failure;

    fn write(&mut self, point: &DataPoint<'_>) -> Result<(), Failure> {
        match self.shape {
            Shape::Table => self.kept.push(point.to_buf()),
            Shape::Jsonl if self.partial => json::line(&mut self.out.bytes, &Partial { row: point, partial: true })?,
            Shape::Jsonl => self.text.line(point, &mut self.out.bytes)?,
            Shape::Flat => {
                for (name, value) in point.streams() {
                    let mut row = json!({
                        "window_unix": point.window().start().unix_seconds(), "name": name.to_string(),
                        "tags": point.tags(), "value": number::json(value),
                    });
                    if self.partial {
                        row["partial"] = true.into();
                    }
                    json::line(&mut self.out.bytes, &row)?;
                }
            }
        }
        Ok(self.out.row_ends()?)
    }
}
