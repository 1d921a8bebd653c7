//! Rules on recorded logs: the logs' own time is the clock.
//!
//! The files' lines are handed over one by one, and rows are made of them as `serve` makes them.

use super::told::Told;
use crate::args::alerts::CheckArgs;
use crate::input::{Items, RenderedLine};
use crate::replay::{TO_THE_END, unlimited};
use crate::search::event::{Event, Names};
use alert_rules::{LogAlert, MetricAlert, MetricRules, Verdict};
use heroku_metrics::aggregator::LatePolicy;
use heroku_metrics::model::{DataPoint, Timestamp};
use heroku_metrics::syslog::{Dialect, FrameParser, FramingError, RawFrame};
use heroku_metrics::{Pipeline, PipelineConfig};
use log_archive::Row;
use log_query::Fields;
use logdrain_drain::alerts::file::Rules;
use logdrain_drain::alerts::past::{self, LATENESS, Looks};
use logdrain_terms::failure::{Failure, say};
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MINUTE: Duration = Duration::from_secs(60);
/// Late lines make revisions for so long.
const HORIZON: Duration = Duration::from_secs(3_600);
/// A line that claims to be from later than this is none that tells the time.
const MOST_AHEAD: i64 = 300_000_000;
/// Lines that fit are held to be shown: so many, and so much of each.
const MOST_HELD: usize = 100_000;
const SHOWN: usize = 240;
/// Each has minutes of its own.
const MOST_SYSTEMS: usize = 1_000;
const MEMORY: usize = 1 << 30;

/// Reads the files.
pub(super) struct Past {
    names: Names,
    parser: FrameParser,
    dialect: Dialect,
    watch: Watch,
}

struct Watch {
    past: past::Past,
    looks: Heard,
    /// The latest time of a line, in microseconds since 1970.
    clock: Option<i64>,
    latest: i64,
    lines: u64,
    behind: u64,
}

/// Who is told, and hands over the rows.
struct Heard {
    config: PipelineConfig,
    told: Told,
    pipelines: HashMap<Box<[u8]>, Pipeline>,
    /// Lines that fit, by their id.
    held: BTreeMap<u64, String>,
    has_metrics: bool,
}

impl Past {
    pub(super) fn new(rules: &Rules, args: &CheckArgs) -> Result<Self, Failure> {
        let aggregator = unlimited(MEMORY)
            .with_window(MINUTE)
            .with_allowed_lateness(LATENESS)
            .with_late_policy(LatePolicy::Revise { horizon: HORIZON })
            .with_max_future(TO_THE_END);
        let config = PipelineConfig::new()
            .with_extractor(args.input.extractor())
            .with_aggregator(aggregator)
            .with_dialect(args.input.dialect())
            .with_recovery(args.input.recovery());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let of_lines = rules.logs.iter().map(|(name, _, _)| name.clone()).collect();
        let of_metrics = rules.metrics.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self {
            names: Names::new(args.input.app.as_deref()),
            parser: FrameParser::default(),
            dialect: args.input.dialect(),
            watch: Watch {
                past: past::Past::new(rules, MINUTE),
                looks: Heard {
                    config,
                    told: Told::new((of_lines, of_metrics), args.json),
                    pipelines: HashMap::new(),
                    held: BTreeMap::new(),
                    has_metrics: !rules.metrics.is_empty(),
                },
                clock: None,
                latest: i64::try_from(now).unwrap_or(i64::MAX).saturating_add(MOST_AHEAD),
                lines: 0,
                behind: 0,
            },
        })
    }

    /// The files are at their end. Answers whether anything fired.
    pub(super) fn end(self) -> Result<bool, Failure> {
        self.watch.end()
    }
}

impl Items for Past {
    fn frame(&mut self, raw: RawFrame<'_>) -> Result<(), Failure> {
        let event = match self.parser.parse(raw, self.dialect) {
            Ok(frame) => self.names.event(&frame),
            Err(_) => self.names.unread(raw.bytes()),
        };
        self.watch.take(&event, |pipeline| _ = pipeline.ingest_frame(raw, &mut ()))
    }

    fn lost_framing(&mut self, error: &FramingError) -> Result<(), Failure> {
        self.skipped(error, &[])
    }

    fn skipped(&mut self, _: &FramingError, bytes: &[u8]) -> Result<(), Failure> {
        let event = self.names.unread(bytes);
        self.watch.take(&event, |_| ())
    }

    fn line(&mut self, line: RenderedLine<'_>) -> Result<(), Failure> {
        let event = match &line.parsed {
            Ok(frame) => self.names.event(frame),
            Err(_) => self.names.unread(line.bytes),
        };
        let (parsed, bytes, wire_len) = (line.parsed, line.bytes, line.wire_len);
        self.watch.take(&event, |pipeline| _ = pipeline.ingest_line(parsed, bytes, wire_len, &mut ()))
    }

    fn row(&mut self, row: &Row<'_>, line: RenderedLine<'_>) -> Result<(), Failure> {
        let event = self.names.row(row);
        let (parsed, bytes, wire_len) = (line.parsed, line.bytes, line.wire_len);
        self.watch.take(&event, |pipeline| _ = pipeline.ingest_line(parsed, bytes, wire_len, &mut ()))
    }

    fn separators(&mut self, _: u64) {}

    fn pause(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Watch {
    fn take(&mut self, event: &Event<'_>, ingest: impl FnOnce(&mut Pipeline)) -> Result<(), Failure> {
        let time = event.received.or(event.generated).filter(|time| *time <= self.latest);
        if let Some(time) = time {
            self.behind += u64::from(self.clock.is_some_and(|clock| clock - time > 3_600_000_000));
            self.past.reach(time, &mut self.looks)?;
            self.clock = Some(self.clock.map_or(time, |clock| clock.max(time)));
        }
        // What stands in front of the first time is of no time.
        let Some(clock) = self.clock else { return Ok(()) };
        self.lines += 1;
        let mut fields = Fields::new(event.system, event.program, event.message);
        if let Some(severity) = event.severity {
            fields = fields.with_severity(severity);
        }
        if let Some(facility) = event.facility {
            fields = fields.with_facility(facility);
        }
        if let Some(address) = event.source_ip {
            fields = fields.with_source_ip(address);
        }
        let Heard { config, pipelines, held, has_metrics, .. } = &mut self.looks;
        if let Some(id) = self.past.line(clock, &fields) {
            if held.len() >= MOST_HELD {
                held.pop_first();
            }
            held.insert(id, shown(time.unwrap_or(clock), event));
        }
        if *has_metrics {
            if !pipelines.contains_key(event.system) {
                if pipelines.len() >= MOST_SYSTEMS {
                    let why = format!("metric rules are checked on at most {MOST_SYSTEMS} systems at a time");
                    return Err(Failure::Config(why));
                }
                let made = Pipeline::new(config.clone()).map_err(|error| Failure::Config(error.to_string()))?;
                pipelines.insert(event.system.into(), made);
            }
            if let Some(pipeline) = pipelines.get_mut(event.system) {
                ingest(pipeline);
            }
        }
        Ok(())
    }

    fn end(mut self) -> Result<bool, Failure> {
        if self.clock.is_none() {
            say(format_args!("logdrain: no line of it has a time, so no rule could be asked"));
            return Ok(false);
        }
        let ended = self.past.end(&mut self.looks)?;
        if self.behind > 0 {
            let behind = self.behind;
            say(format_args!(
                "logdrain: {behind} lines are more than an hour older than lines in front of them, and were taken as if they \
                 came then: name files in the order of their time"
            ));
        }
        if ended.refused > 0 {
            say(format_args!("logdrain: {} streams found no room and were not looked at", ended.refused));
        }
        self.looks.told.summary(self.lines, &ended.standing)
    }
}

impl Looks for Heard {
    type Error = Failure;

    fn rows(&mut self, now: Timestamp, metrics: &mut MetricRules) -> Result<(), Failure> {
        // In the order of their names, so that the same files tell the same.
        let mut systems: Vec<_> = self.pipelines.iter_mut().collect();
        systems.sort_unstable_by_key(|(system, _)| *system);
        for (system, pipeline) in systems {
            let system = String::from_utf8_lossy(system);
            let mut points = |point: &DataPoint<'_>| {
                metrics.point(&system, point);
                Ok::<(), Infallible>(())
            };
            let Ok(()) = pipeline.advance(now, &mut points);
        }
        Ok(())
    }

    fn told(&mut self, lines: Vec<Verdict<LogAlert>>, minutes: Vec<Verdict<MetricAlert>>) -> Result<(), Failure> {
        self.told.lines(lines, &self.held)?;
        self.told.minutes(minutes)
    }

    fn ends_at(&mut self, end: Timestamp) {
        self.told.ends_at(end);
    }
}

/// A line as it is shown: its time, who wrote it, and its beginning.
fn shown(time: i64, event: &Event<'_>) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes)).into_owned();
    let time = Timestamp::from_unix_micros(time);
    let dots = if event.message.len() > SHOWN { " …" } else { "" };
    let parts = [part(event.system), part(event.program)].into_iter().filter(|part| !part.is_empty());
    let who: Vec<String> = parts.collect();
    format!("{time} {}: {}{dots}", who.join(" "), part(event.message))
}
