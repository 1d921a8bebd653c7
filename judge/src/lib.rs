//! Runs a program on the aggregator and on the slow, exact reference, and compares whatever can be seen of both.
//!
//! Shared by `aggregator/tests/against_reference.rs`, which draws programs at random, and by the fuzz target `programs`,
//! which searches for those that reach new code.
#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs)]

use core::time::Duration;
use metric_model::{DataPointBuf, Kind, Metric, Observation, Percentile, Record, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, LatePolicy, MinuteSketch, Outcome, StreamQuota};
use std::collections::BTreeMap;
use testkit::reference::{self, Fate, Quota, Reference, Row, Rules, Seen};

/// What a program does; times in microseconds.
#[derive(Clone, Debug)]
pub enum Step {
    /// One value.
    Observe(Seen),
    /// What lines say, each of one of the [`FAMILIES`].
    Record(Vec<Line>),
    /// The same stream and second again and again, so that sketches leave their exact form.
    Burst(Seen, Vec<f64>),
    /// The host says what time it is.
    Advance(i64),
    /// In parts of so many points; at most so many parts where the rest may wait.
    AdvanceSome {
        /// What time it is.
        now: i64,
        /// The most points of a part.
        points: usize,
        /// The most parts.
        parts: usize,
    },
    /// The oldest window closes.
    CloseOldest,
    /// Another quota holds from here on.
    SetQuota(Option<Quota>),
    /// A crash: the state goes to bytes and comes back.
    Restart,
    /// Everything closes.
    Finish,
}

/// What one line says.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which of the [`FAMILIES`].
    pub family: usize,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Column by column; there may be too few, or too many.
    pub values: Vec<Option<f64>>,
    /// Its time.
    pub time: i64,
    /// By another list of the same metrics, which the aggregator does not know.
    pub is_copy: bool,
}

const fn metric(kind: Kind, name: &'static str, unit: &'static str) -> Metric<'static> {
    Metric::new(kind, name, Unit::new(unit))
}

/// The families of the configuration. Their metrics, and others, are observed one by one, too.
pub static FAMILIES: [&[Metric<'static>]; 3] = [
    &[
        metric(Kind::Count, "bytes", ""),
        metric(Kind::Measure, "query", "ms"),
        metric(Kind::Sample, "query", "ms"),
        metric(Kind::Measure, "bytes", "ms"),
        metric(Kind::Measure, "query", ""),
    ],
    &[metric(Kind::Measure, "a.very.long.name", ""), metric(Kind::Count, "query", "")],
    &[metric(Kind::Sample, "a.very.long.name", "ms")],
];

/// Runs the program on both.
///
/// # Errors
/// What they do not agree on.
pub fn run(rules: Rules, steps: &[Step]) -> Result<(), String> {
    let mut both = Both::new(rules);
    for (index, step) in steps.iter().enumerate() {
        both.step(step).map_err(|error| format!("step {index}, {step:?}: {error}"))?;
    }
    both.end()
}

/// The configuration that these rules describe.
pub fn config(rules: &Rules) -> AggregatorConfig {
    let micros = |micros: i64| Duration::from_micros(micros as u64);
    let config = AggregatorConfig::new()
        .with_window(micros(rules.window))
        .with_allowed_lateness(micros(rules.lateness))
        .with_max_future(micros(rules.future))
        .with_idle_after(rules.idle_after as u32);
    let config = match rules.horizon {
        0 => config,
        horizon => config.with_late_policy(LatePolicy::Revise { horizon: micros(horizon) }),
    };
    let config = rules.quota.iter().fold(config, |config, quota| config.with_quota(stream_quota(quota)));
    rules.without_percentiles.iter().fold(config, |config, name| config.without_percentiles(name))
}

/// The same, with the families.
pub fn config_with_families(rules: &Rules) -> AggregatorConfig {
    FAMILIES.iter().fold(config(rules), |config, family| config.with_family(family))
}

/// Gives the aggregator what the reference understands.
pub fn observe(engine: &mut Aggregator, seen: &Seen) -> Fate {
    let tags: TagSet = seen.key.tags.iter().collect();
    fate(engine.observe(&observation(seen, &tags)))
}

fn observation<'a>(seen: &'a Seen, tags: &'a TagSet) -> Observation<'a> {
    let kind = match seen.key.kind {
        reference::Kind::Count => Kind::Count,
        reference::Kind::Measure => Kind::Measure,
        reference::Kind::Sample => Kind::Sample,
    };
    let value = Value::new(seen.value, Unit::new(&seen.key.unit));
    Observation::new(kind, &seen.key.name, value, tags, Timestamp::from_unix_micros(seen.time))
}

fn fate(outcome: Outcome) -> Fate {
    match outcome {
        Outcome::Accepted => Fate::Accepted,
        Outcome::Folded => Fate::Folded,
        Outcome::Late { by } => Fate::Late(by.as_micros() as i64),
        Outcome::Future { by } => Fate::Future(by.as_micros() as i64),
        Outcome::Refused(reason) => Fate::Refused(reason.as_str()),
        other => panic!("{other:?}"),
    }
}

struct Both {
    rules: Rules,
    engine: Aggregator,
    /// One that has no families, and is told everything value by value.
    plain: Aggregator,
    plain_points: Vec<DataPointBuf>,
    points: Vec<DataPointBuf>,
    /// The aggregator has points left that the reference has written; the time when they were due.
    behind: Option<i64>,
    /// Whether it has been since the last restart. What was seen while a window was half written finds an idle stream
    /// there that the other one had forgotten: when it was first seen, and how often, then differs.
    has_been_behind: bool,
    reference: Reference,
    expected: Vec<Row>,
}

impl Both {
    fn new(rules: Rules) -> Self {
        Self {
            engine: Aggregator::new(config_with_families(&rules)).expect("the rules agree"),
            plain: Aggregator::new(config(&rules)).expect("the rules agree"),
            plain_points: Vec::new(),
            points: Vec::new(),
            behind: None,
            has_been_behind: false,
            reference: Reference::new(rules.clone()),
            expected: Vec::new(),
            rules,
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Observe(seen) => self.observe(seen)?,
            Step::Record(lines) => lines.iter().try_for_each(|line| self.record(line))?,
            Step::Burst(seen, values) => {
                for value in values {
                    self.observe(&Seen { value: *value, ..seen.clone() })?;
                }
            }
            Step::Advance(now) => {
                let Ok(()) = self.engine.advance(Timestamp::from_unix_micros(*now), &mut self.points);
                let Ok(()) = self.plain.advance(Timestamp::from_unix_micros(*now), &mut self.plain_points);
                self.expected.extend(self.reference.advance(*now));
                self.behind = None;
            }
            Step::AdvanceSome { now, points, parts } => self.advance_some(*now, *points, *parts),
            Step::CloseOldest => {
                if let Some(now) = self.behind.take() {
                    let Ok(()) = self.engine.advance(Timestamp::from_unix_micros(now), &mut self.points);
                }
                let Ok(_) = self.engine.close_oldest(&mut self.points);
                let Ok(_) = self.plain.close_oldest(&mut self.plain_points);
                self.expected.extend(self.reference.close_oldest());
            }
            Step::SetQuota(quota) => {
                self.engine.set_quota(quota.as_ref().map(stream_quota));
                self.plain.set_quota(quota.as_ref().map(stream_quota));
                self.reference.set_quota(quota.clone());
            }
            Step::Restart => self.restart()?,
            Step::Finish => {
                let Ok(()) = self.engine.finish(&mut self.points);
                let Ok(()) = self.plain.finish(&mut self.plain_points);
                self.expected.extend(self.reference.finish());
                self.behind = None;
            }
        }
        same("the books", self.engine.ledger().balances(), true)?;
        same("places taken", self.engine.explain().used(), self.reference.used())?;
        if self.behind.is_none() {
            same("windows held", self.engine.open_windows(), self.reference.windows())?;
        }
        let (memory, bound) = (self.engine.memory(), self.engine.config().max_memory());
        if memory > bound { Err(format!("{memory} bytes of {bound} promised")) } else { Ok(()) }
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        let fate = observe(&mut self.engine, seen);
        same("the fate without families", fate, observe(&mut self.plain, seen))?;
        same("the fate", fate, self.reference.observe(seen))
    }

    fn record(&mut self, line: &Line) -> Result<(), String> {
        let family = FAMILIES[line.family % FAMILIES.len()];
        let (tags, copy): (TagSet, Vec<_>) = (line.tags.iter().collect(), family.to_vec());
        let metrics = if line.is_copy { &copy } else { family };
        let record = Record::new(metrics, &line.values, &tags, Timestamp::from_unix_micros(line.time));
        let mut fates = Vec::new();
        self.engine.record(&record, |column, outcome| fates.push((column, fate(outcome))));
        let mut expected = Vec::new();
        for (column, seen) in (0..line.values.len()).filter_map(|column| Some((column, record.observation(column)?))) {
            expected.push((column, fate(self.plain.observe(&seen))));
        }
        same("the fates without families", &fates, &expected)?;
        let seen = record.observations().map(|seen| Seen {
            key: reference::Key {
                name: seen.name().into(),
                kind: kind_of(seen.kind()),
                unit: seen.value().unit().as_str().into(),
                tags: line.tags.clone(),
            },
            value: seen.value().number(),
            time: line.time,
        });
        let of_reference: Vec<_> = seen.map(|seen| self.reference.observe(&seen)).collect();
        same("the fates", fates.into_iter().map(|(_, fate)| fate).collect(), of_reference)
    }

    fn advance_some(&mut self, now: i64, points: usize, parts: usize) {
        self.expected.extend(self.reference.advance(now));
        // While a window may be revised, what comes between two parts shows in what is written.
        let parts = if self.rules.horizon == 0 { parts } else { usize::MAX };
        self.behind = None;
        let Ok(()) = self.plain.advance(Timestamp::from_unix_micros(now), &mut self.plain_points);
        for _ in 0..parts {
            let Ok(more) = self.engine.advance_some(Timestamp::from_unix_micros(now), points, &mut self.points);
            self.behind = more.then_some(now);
            self.has_been_behind |= more;
            if !more {
                break;
            }
        }
    }

    fn restart(&mut self) -> Result<(), String> {
        let bytes = self.engine.snapshot(b"position");
        // While windows are half written the other one is ahead.
        if self.behind.is_none() {
            let are_equal = self.has_been_behind || self.plain.snapshot(b"position") == bytes;
            same("the snapshot without families", are_equal, true)?;
            self.has_been_behind = false;
            let restored = |config| Aggregator::restore(config, &bytes).map_err(|error| error.to_string());
            let (back, _) = restored(self.plain.config().clone())?;
            self.plain = back;
            let (back, _) = restored(self.engine.config().clone())?;
            same("the memory without families", self.plain.memory(), back.memory())?;
        }
        let restored = Aggregator::restore(self.engine.config().clone(), &bytes);
        let (back, position) = restored.map_err(|error| error.to_string())?;
        same("the position", position.as_slice(), b"position")?;
        same("the ledger", back.ledger(), self.engine.ledger())?;
        self.engine = back;
        same("the snapshot of equal states", self.engine.snapshot(b"position"), bytes)
    }

    fn end(mut self) -> Result<(), String> {
        let Ok(()) = self.engine.finish(&mut self.points);
        let Ok(()) = self.plain.finish(&mut self.plain_points);
        same("the points without families", self.points == self.plain_points, true)?;
        self.expected.extend(self.reference.finish());
        let written: Vec<Row> = self.points.iter().map(row).collect();
        agree(&written, &self.expected)?;
        // The last word on each point counts every observation once.
        let last: BTreeMap<_, _> = written.iter().map(|row| ((row.window, &row.key), row.count)).collect();
        let ledger = self.engine.ledger();
        same("observations in points", last.values().sum::<u64>(), ledger.accepted() + ledger.folded())
    }
}

fn stream_quota(quota: &Quota) -> StreamQuota {
    let limit = quota.limit as u32;
    let empty = if quota.tag_sets { StreamQuota::tag_sets(limit) } else { StreamQuota::streams(limit) };
    quota
        .exempt
        .iter()
        .fold(empty, |quota, prefix| quota.with_exempt(prefix))
        .with_overflow_streams(quota.overflow as u32)
}

fn kind_of(kind: Kind) -> reference::Kind {
    match kind {
        Kind::Count => reference::Kind::Count,
        Kind::Measure => reference::Kind::Measure,
        Kind::Sample => reference::Kind::Sample,
    }
}

/// The point in the reference's terms.
fn row(point: &DataPointBuf) -> Row {
    let point = point.as_point();
    let stats = point.stats();
    let kind = kind_of(point.kind());
    let tags: BTreeMap<_, _> = point.tags().iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let key = reference::Key { name: point.name().into(), kind, unit: point.unit().as_str().into(), tags };
    Row {
        window: point.window().start().unix_micros(),
        key,
        revision: point.revision(),
        count: stats.observations(),
        sum: stats.sum(),
        range: stats.min().zip(stats.max()).zip(stats.last()).map(|((min, max), last)| [min, max, last]),
        percentiles: stats.percentiles().map(|found| Percentile::ALL.map(|which| found.get(which))),
    }
}

/// Equal, but for percentiles of many values: those within the stated half per cent.
fn agree(written: &[Row], expected: &[Row]) -> Result<(), String> {
    same("points written", written.len(), expected.len())?;
    for (got, want) in written.iter().zip(expected) {
        if want.count <= MinuteSketch::EXACT as u64 || got.percentiles.is_none() {
            same("a point", got, want)?;
            continue;
        }
        let plain = |row: &Row| Row { percentiles: None, ..row.clone() };
        same("a point but for its percentiles", plain(got), plain(want))?;
        for (a, b) in got.percentiles.into_iter().flatten().zip(want.percentiles.into_iter().flatten()) {
            // The bound leaves subnormal numbers out.
            if (a - b).abs() > b.abs() * 0.005 && (b == 0.0 || b.abs() >= f64::MIN_POSITIVE) {
                return Err(format!("percentile {a} is not {b} in {want:?}"));
            }
        }
    }
    Ok(())
}

fn same<T: PartialEq + core::fmt::Debug>(what: &str, got: T, want: T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("{what}: {got:?}, and the reference says {want:?}")) }
}
