//! Runs a program on the aggregator and on the slow, exact reference, and compares whatever can be seen of both.
//!
//! Shared by `tests/against_reference.rs`, which draws programs at random, and by the fuzz target `programs`, which
//! searches for those that reach new code.
#![allow(dead_code, unreachable_pub)]

use core::time::Duration;
use metric_model::{DataPointBuf, Kind, Observation, Percentile, TagSet, Timestamp, Unit, Value};
use minute_aggregator::{Aggregator, AggregatorConfig, LatePolicy, MinuteSketch, Outcome, StreamMemo, StreamQuota};
use std::collections::{BTreeMap, BTreeSet};
use testkit::reference::{self, Fate, Quota, Reference, Row, Rules, Seen};

/// What a program does; times in microseconds.
#[derive(Clone, Debug)]
pub enum Step {
    Observe(Seen),
    /// Through the memo that this stream has, or gets.
    ObserveAgain(Seen),
    /// Line by line: those of the time of the line's first at once, each through the memo of its stream, with fewer memos
    /// than observations if `cut` says so; the others one by one.
    ObserveEach {
        lines: Vec<Vec<Seen>>,
        cut: usize,
    },
    /// The same stream and second again and again, so that sketches leave their exact form.
    Burst(Seen, Vec<f64>),
    Advance(i64),
    /// In parts of so many points; at most so many parts where the rest may wait.
    AdvanceSome {
        now: i64,
        points: usize,
        parts: usize,
    },
    CloseOldest,
    SetQuota(Option<Quota>),
    /// A crash: the state goes to bytes and comes back.
    Restart,
    Finish,
}

/// Runs the program on both.
///
/// # Errors
/// What they do not agree on.
pub fn run(rules: Rules, steps: &[Step]) -> Result<(), String> {
    let mut both = Both::new(rules);
    for (place, step) in steps.iter().enumerate() {
        both.step(step).map_err(|error| format!("step {place}, {step:?}: {error}"))?;
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

/// Gives the aggregator what the reference understands.
pub fn observe(engine: &mut Aggregator, seen: &Seen, memo: Option<&mut StreamMemo>) -> Fate {
    let tags: TagSet = seen.key.tags.iter().collect();
    let observation = observation(seen, &tags);
    fate(match memo {
        Some(memo) => engine.observe_again(&observation, memo),
        None => engine.observe(&observation),
    })
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
    memos: BTreeMap<reference::Key, StreamMemo>,
    points: Vec<DataPointBuf>,
    /// The aggregator has points left that the reference has written; the time when they were due.
    behind: Option<i64>,
    reference: Reference,
    expected: Vec<Row>,
}

impl Both {
    fn new(rules: Rules) -> Self {
        Self {
            engine: Aggregator::new(config(&rules)).expect("the rules agree"),
            memos: BTreeMap::new(),
            points: Vec::new(),
            behind: None,
            reference: Reference::new(rules.clone()),
            expected: Vec::new(),
            rules,
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Observe(seen) => self.observe(seen, false)?,
            Step::ObserveAgain(seen) => self.observe(seen, true)?,
            Step::ObserveEach { lines, cut } => lines.iter().try_for_each(|seen| self.observe_each(seen, *cut))?,
            Step::Burst(seen, values) => {
                for value in values {
                    self.observe(&Seen { value: *value, ..seen.clone() }, false)?;
                }
            }
            Step::Advance(now) => {
                let Ok(()) = self.engine.advance(Timestamp::from_unix_micros(*now), &mut self.points);
                self.expected.extend(self.reference.advance(*now));
                self.behind = None;
            }
            Step::AdvanceSome { now, points, parts } => self.advance_some(*now, *points, *parts),
            Step::CloseOldest => {
                if let Some(now) = self.behind.take() {
                    let Ok(()) = self.engine.advance(Timestamp::from_unix_micros(now), &mut self.points);
                }
                let Ok(_) = self.engine.close_oldest(&mut self.points);
                self.expected.extend(self.reference.close_oldest());
            }
            Step::SetQuota(quota) => {
                self.engine.set_quota(quota.as_ref().map(stream_quota));
                self.reference.set_quota(quota.clone());
            }
            Step::Restart => self.restart()?,
            Step::Finish => {
                let Ok(()) = self.engine.finish(&mut self.points);
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
        if memory > bound { Err(format!("{memory} octets of {bound} promised")) } else { Ok(()) }
    }

    fn observe(&mut self, seen: &Seen, again: bool) -> Result<(), String> {
        let memo = again.then(|| self.memos.entry(seen.key.clone()).or_default());
        same("the fate", observe(&mut self.engine, seen, memo), self.reference.observe(seen))
    }

    fn observe_each(&mut self, seen: &[Seen], cut: usize) -> Result<(), String> {
        let time = seen.first().map(|seen| seen.time);
        // One memo is one stream's, so a stream that comes twice goes by itself the second time.
        let mut keys = BTreeSet::new();
        let (together, apart): (Vec<_>, Vec<_>) =
            seen.iter().partition(|seen| Some(seen.time) == time && keys.insert(seen.key.clone()));
        let tags: Vec<TagSet> = together.iter().map(|seen| seen.key.tags.iter().collect()).collect();
        let observations: Vec<_> = together.iter().zip(&tags).map(|(seen, tags)| observation(seen, tags)).collect();
        let mut memos: Vec<_> =
            together.iter().map(|seen| self.memos.get(&seen.key).copied().unwrap_or_default()).collect();
        let kept = memos.len().saturating_sub(cut);
        let mut fates = Vec::new();
        self.engine.observe_each_again(&observations, &mut memos[..kept], |_, outcome| fates.push(fate(outcome)));
        for (seen, memo) in together.iter().zip(memos) {
            self.memos.insert(seen.key.clone(), memo);
        }
        let expected: Vec<_> = together.iter().map(|seen| self.reference.observe(seen)).collect();
        same("the fates", fates, expected)?;
        apart.into_iter().try_for_each(|seen| self.observe(seen, false))
    }

    fn advance_some(&mut self, now: i64, points: usize, parts: usize) {
        self.expected.extend(self.reference.advance(now));
        // While a window may be revised, what comes between two parts shows in what is written.
        let parts = if self.rules.horizon == 0 { parts } else { usize::MAX };
        self.behind = None;
        for _ in 0..parts {
            let Ok(more) = self.engine.advance_some(Timestamp::from_unix_micros(now), points, &mut self.points);
            self.behind = more.then_some(now);
            if !more {
                break;
            }
        }
    }

    fn restart(&mut self) -> Result<(), String> {
        let bytes = self.engine.snapshot(b"position");
        let restored = Aggregator::restore(self.engine.config().clone(), &bytes);
        let (back, position) = restored.map_err(|error| error.to_string())?;
        same("the position", position.as_slice(), b"position")?;
        same("the ledger", back.ledger(), self.engine.ledger())?;
        self.engine = back;
        same("the snapshot of equal states", self.engine.snapshot(b"position"), bytes)
    }

    fn end(mut self) -> Result<(), String> {
        let Ok(()) = self.engine.finish(&mut self.points);
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

/// The point in the reference's terms.
fn row(point: &DataPointBuf) -> Row {
    let point = point.as_point();
    let stats = point.stats();
    let kind = match point.kind() {
        Kind::Count => reference::Kind::Count,
        Kind::Measure => reference::Kind::Measure,
        Kind::Sample => reference::Kind::Sample,
    };
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
