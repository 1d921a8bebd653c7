//! Rules on recorded logs: the logs' own time is the clock.
//!
//! A tick comes with each minute that the lines have reached, as `serve` gives them: first the lines, then the rows of the
//! minutes that are over for another one. Of more than an hour without any line nothing is known: it was not recorded.

use super::file::{Due, Rules};
use super::told::Told;
use crate::args::alerts::CheckArgs;
use crate::failure::{Failure, say};
use crate::input::{Items, RenderedLine};
use crate::replay::{TO_THE_END, unlimited};
use crate::search::event::{Event, Names};
use alert_rules::{LogRules, MetricRules, Tick};
use heroku_metrics::aggregator::LatePolicy;
use heroku_metrics::model::{DataPoint, Timestamp};
use heroku_metrics::syslog::{Dialect, FrameParser, FramingError, RawFrame};
use heroku_metrics::{Pipeline, PipelineConfig};
use log_archive::Row;
use log_query::Fields;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MINUTE: Duration = Duration::from_secs(60);
const MINUTE_MICROS: i64 = 60_000_000;
/// Of a longer stretch without a line nothing is known.
const GAP_MINUTES: i64 = 60;
/// Minutes are closed so long after their end, as `serve` closes them.
const LATENESS: Duration = Duration::from_secs(60);
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
    config: PipelineConfig,
    rules: Rules,
    told: Told,
    /// Both begin with the first line that has a time.
    logs: LogRules,
    metrics: MetricRules,
    pipelines: HashMap<Box<[u8]>, Pipeline>,
    /// Lines that fit, by their id.
    held: BTreeMap<u64, String>,
    id: u64,
    /// The latest time of a line, in microseconds since 1970.
    clock: Option<i64>,
    /// The last minute that began, counted from 1970.
    minute: i64,
    latest: i64,
    lines: u64,
    behind: u64,
}

impl Past {
    pub(super) fn new(rules: Rules, args: &CheckArgs) -> Result<Self, Failure> {
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
        let mut metrics = MetricRules::new(MINUTE);
        for (number, (_, rule)) in (0..).zip(&rules.metrics) {
            metrics.set(number, rule.clone());
        }
        let of_lines = rules.logs.iter().map(|(name, _, _)| name.clone()).collect();
        let of_metrics = rules.metrics.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self {
            names: Names::new(args.input.app.as_deref()),
            parser: FrameParser::default(),
            dialect: args.input.dialect(),
            watch: Watch {
                config,
                told: Told::new((of_lines, of_metrics), args.json),
                rules,
                logs: LogRules::new(Tick::new(0, Timestamp::MIN)),
                metrics,
                pipelines: HashMap::new(),
                held: BTreeMap::new(),
                id: 0,
                clock: None,
                minute: 0,
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
            self.reach(time)?;
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
        self.id += 1;
        if self.logs.event(self.id, Timestamp::from_unix_micros(clock), &fields) > 0 {
            if self.held.len() >= MOST_HELD {
                self.held.pop_first();
            }
            self.held.insert(self.id, shown(time.unwrap_or(clock), event));
        }
        if !self.rules.metrics.is_empty() {
            if !self.pipelines.contains_key(event.system) {
                if self.pipelines.len() >= MOST_SYSTEMS {
                    let why = format!("metric rules are checked on at most {MOST_SYSTEMS} systems at a time");
                    return Err(Failure::Config(why));
                }
                let made = Pipeline::new(self.config.clone()).map_err(|error| Failure::Config(error.to_string()))?;
                self.pipelines.insert(event.system.into(), made);
            }
            if let Some(pipeline) = self.pipelines.get_mut(event.system) {
                ingest(pipeline);
            }
        }
        Ok(())
    }

    /// A line is from this time.
    fn reach(&mut self, time: i64) -> Result<(), Failure> {
        let minute = time.div_euclid(MINUTE_MICROS);
        let Some(clock) = self.clock else {
            self.id += 1;
            self.minute = minute;
            self.logs = LogRules::new(Tick::new(self.id, start(minute)));
            for (number, (_, rule, _)) in (0..).zip(&self.rules.logs) {
                self.logs.set(number, rule.clone());
            }
            self.clock = Some(time);
            return Ok(());
        };
        self.behind += u64::from(clock - time > 3_600_000_000);
        if minute - self.minute > GAP_MINUTES {
            // Minutes that are whole are closed; then nothing is known until here.
            self.tick(self.minute + 1)?;
            self.unknown(self.minute, minute);
            self.tick(minute)?;
        }
        while self.minute < minute {
            self.tick(self.minute + 1)?;
        }
        self.clock = Some(clock.max(time));
        Ok(())
    }

    /// Of these minutes nothing is known.
    fn unknown(&mut self, from: i64, until: i64) {
        self.id += 1;
        self.logs.unknown(self.id, start(from), start(until));
        self.metrics.unknown(start(from), start(until));
    }

    /// A minute begins.
    fn tick(&mut self, minute: i64) -> Result<(), Failure> {
        self.minute = minute;
        self.id += 1;
        let tick = Tick::new(self.id, start(minute));
        let rules = &self.rules.logs;
        let next_day = |rule: u64, from| {
            let due = usize::try_from(rule).ok().and_then(|rule| rules.get(rule)).map(|(_, _, due)| due);
            due.and_then(|due| next_day(due, from)).unwrap_or(Timestamp::MIN)
        };
        let lines = self.logs.tick_with(tick, next_day);
        if !self.rules.metrics.is_empty() {
            let metrics = &mut self.metrics;
            // In the order of their names, so that the same files tell the same.
            let mut systems: Vec<_> = self.pipelines.iter_mut().collect();
            systems.sort_unstable_by_key(|(system, _)| *system);
            for (system, pipeline) in systems {
                let system = String::from_utf8_lossy(system);
                let mut points = |point: &DataPoint<'_>| {
                    metrics.point(&system, point);
                    Ok::<(), Infallible>(())
                };
                let Ok(()) = pipeline.advance(tick.time(), &mut points);
            }
        }
        let minutes = self.metrics.tick(tick, tick.time().earlier(LATENESS));
        self.told.lines(lines, &self.held)?;
        self.told.minutes(minutes)
    }

    fn end(mut self) -> Result<bool, Failure> {
        if self.clock.is_none() {
            say(format_args!("logdrain: no line of it has a time, so no rule could be asked"));
            return Ok(false);
        }
        let last = self.minute + 1;
        let mut standing: Vec<Vec<String>> =
            (0..).zip(&self.rules.logs).map(|(number, _)| self.logs.explain(number).into_iter().collect()).collect();
        self.told.ends_at(start(last));
        self.tick(last)?;
        // What would have come is not known. Windows that are open end when they are due, with what they have.
        let open = self.rules.logs.iter().map(|(_, rule, _)| rule.period().length()).max().unwrap_or_default();
        let open = i64::try_from(open.as_secs() / 60).unwrap_or_default() + GAP_MINUTES + 2;
        self.unknown(last, last + open);
        for minute in 1..=open {
            self.tick(last + minute)?;
            if minute == 1 {
                // The last minute that had lines has just been judged.
                let of = |number| self.metrics.explain(number).iter().map(ToString::to_string).collect();
                standing.extend((0..).zip(&self.rules.metrics).map(|(number, _)| of(number)));
            }
        }
        if self.behind > 0 {
            let behind = self.behind;
            say(format_args!(
                "logdrain: {behind} lines are more than an hour older than lines in front of them, and were taken as if they \
                 came then: name files in the order of their time"
            ));
        }
        if self.metrics.refused() > 0 {
            say(format_args!("logdrain: {} streams found no room and were not looked at", self.metrics.refused()));
        }
        self.told.summary(self.lines, &standing)
    }
}

/// When a minute begins.
fn start(minute: i64) -> Timestamp {
    Timestamp::from_unix_micros(minute.saturating_mul(MINUTE_MICROS))
}

/// The next time of day, by the calendar of its zone.
fn next_day(due: &Due, from: Timestamp) -> Option<Timestamp> {
    let from = jiff::Timestamp::from_microsecond(from.unix_micros()).ok()?.to_zoned_datetime(due.zone.clone());
    let mut day = from.date();
    loop {
        let at = day.to_datetime(due.at).to_zoned_datetime(due.zone.clone()).ok()?;
        if at > from {
            return Some(Timestamp::from_unix_micros(at.timestamp().as_microsecond()));
        }
        day = day.tomorrow().ok()?;
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
