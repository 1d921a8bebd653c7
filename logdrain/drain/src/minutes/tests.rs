//! Series against an oracle that keeps all values.

use super::gather::Batch;
use super::tables::Tables;
use super::writing::Open;
use super::{Gather, Keeper, Keeping, Minutes, OpenRows};
use crate::outlets::Owner;
use crate::settings::Settings;
use heroku_metrics::aggregator::{Aggregator, AggregatorConfig, EachRow, LatePolicy, Outcome, Row};
use heroku_metrics::model::{Observation, TagSet, Timestamp, Unit, Value};
use logdrain_charts::series::{Asked, Function, Grouping, Selector, Series, Span};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A Saturday, at noon.
pub(super) const START: i64 = 1_773_489_600;

pub(super) fn settings() -> Settings {
    crate::logs::tests::settings()
}

/// Minutes whose thread is the test's own.
pub(super) struct Kept<T: Tables = Connection> {
    pub(super) minutes: Minutes,
    pub(super) gather: Gather,
    pub(super) keeper: Keeper<T>,
    pub(super) open: Open<T>,
    pub(super) dir: PathBuf,
    pub(super) seq: u64,
}

impl Kept {
    pub(super) fn new(name: &str) -> Self {
        Self::with(name, settings())
    }

    pub(super) fn with(name: &str, settings: Settings) -> Self {
        let dir = std::env::temp_dir().join(format!("logdrain-minutes-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let settings = Arc::new(settings);
        let minutes = Minutes::new(&dir, Keeping::by(move || settings.clone()), 4 << 30);
        let (gather, keeper) = minutes.start((0, u64::MAX), Arc::default());
        let open = keeper.opened().unwrap();
        Self { minutes, gather, keeper, open, dir, seq: 0 }
    }
}

impl<T: Tables> Kept<T> {
    /// What a commit of the counting is: rows go to the disk, and time moves on.
    pub(super) fn commit(&mut self, second: i64) {
        self.seq += 1;
        let time = Timestamp::from_unix_seconds(second);
        self.minutes.moved(time, &settings());
        #[cfg(feature = "postgres")]
        self.minutes.tell(time);
        let is_kept = self.gather.commit(self.seq).unwrap();
        if !is_kept {
            self.write();
        }
        assert_eq!(self.gather.position(), self.seq);
    }

    pub(super) fn write(&mut self) {
        let batches: Vec<Batch> = self.keeper.batches.try_iter().collect();
        self.keeper.write(&mut self.open, &batches).unwrap();
    }

    pub(super) fn tidy(&mut self) {
        while self.keeper.tidy(&mut self.open).unwrap() {}
    }

    pub(super) fn ask(&self, asked: &Asked, span: Span, step: u32) -> Series {
        self.minutes.series("default", None, asked, span, Some(step), 1_000).unwrap()
    }
}

impl<T: Tables> Drop for Kept<T> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub(super) fn owner(drain: &str) -> Owner<'_> {
    Owner { account: "default", drain }
}

/// Numbers that look random, the same each time.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

pub(super) fn engine() -> Aggregator {
    let late = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
    let config = AggregatorConfig::new().with_allowed_lateness(Duration::from_secs(60)).with_late_policy(late);
    Aggregator::new(config).unwrap()
}

pub(super) fn asked(name: &str, function: Function, grouping: Grouping) -> Asked {
    Asked { name: name.to_owned(), selectors: Vec::new(), grouping, function }
}

#[derive(Clone)]
struct Seen {
    drain: usize,
    tags: Vec<(String, String)>,
    second: i64,
    /// No two are of one instant, so that the last is known.
    micros: i64,
    value: f64,
}

/// Every value of one metric.
#[derive(Default)]
struct Oracle(Vec<Seen>);

type Lines = BTreeMap<Vec<(String, String)>, Vec<Option<f64>>>;

impl Oracle {
    fn series(&self, asked: &Asked, (start, step, steps): (i64, i64, usize), drains: &[usize]) -> Lines {
        let mut groups: BTreeMap<Vec<(String, String)>, Vec<Vec<&Seen>>> = BTreeMap::new();
        for seen in self.0.iter().filter(|seen| drains.contains(&seen.drain)) {
            let place = (seen.second - start).div_euclid(step);
            if place < 0 || place >= steps as i64 {
                continue;
            }
            let is_in = |(key, _): &&(String, String)| match &asked.grouping {
                Grouping::Together => false,
                Grouping::Apart => true,
                Grouping::By(keys) => keys.contains(key),
            };
            let tags: Vec<_> = seen.tags.iter().filter(is_in).cloned().collect();
            groups.entry(tags).or_insert_with(|| vec![Vec::new(); steps])[place as usize].push(seen);
        }
        let value = |seen: &Vec<&Seen>| {
            let count = seen.len();
            if count == 0 {
                return None;
            }
            let sum: f64 = seen.iter().map(|seen| seen.value).sum();
            let mut sorted: Vec<f64> = seen.iter().map(|seen| seen.value).collect();
            sorted.sort_by(f64::total_cmp);
            Some(match asked.function {
                Function::Count => count as f64,
                Function::Sum => sum,
                Function::Rate => sum * 60.0 / step as f64,
                Function::Derivative => return None,
                Function::Avg => sum / count as f64,
                Function::Max => *sorted.last().unwrap(),
                Function::Min => sorted[0],
                Function::Last => seen.iter().max_by_key(|seen| (seen.second, seen.micros)).unwrap().value,
                Function::Deviation => {
                    let mean = sum / count as f64;
                    (sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64).sqrt()
                }
                Function::Quantile(q) => sorted[((q * count as f64).ceil() as usize).max(1) - 1],
            })
        };
        groups.into_iter().map(|(tags, steps)| (tags, steps.iter().map(value).collect())).collect()
    }
}

fn compare(series: &Series, oracle: &Lines, function: Function, what: &str) {
    let tags: Vec<_> = series.lines.iter().map(|line| &line.tags).collect();
    assert_eq!(tags, oracle.keys().collect::<Vec<_>>(), "{what}");
    for (line, expected) in series.lines.iter().zip(oracle.values()) {
        assert_eq!(line.values.len(), expected.len(), "{what}");
        for (place, (ours, theirs)) in line.values.iter().zip(expected).enumerate() {
            let is_well = match (function, ours, theirs) {
                (_, None, None) => true,
                // A drain was heard in that minute, and nothing of this was there.
                (Function::Count | Function::Sum | Function::Rate, Some(ours), None) => *ours == 0.0,
                (Function::Quantile(_), Some(ours), Some(theirs)) => (ours - theirs).abs() <= theirs.abs() * 0.005,
                // Each value within the bound of a percentile, of values that are no more than twice as far from 0 as apart.
                (Function::Deviation, Some(ours), Some(theirs)) => (ours - theirs).abs() <= theirs * 0.01 + 1e-6,
                (_, Some(ours), Some(theirs)) => ours == theirs,
                _ => false,
            };
            assert!(is_well, "{what}: {:?} at {place}: {ours:?}, and should be {theirs:?}", line.tags);
        }
    }
}

#[test]
fn series_are_those_of_all_values_at_every_step_and_grouping() {
    series_are_those_of_all_values(Kept::new("oracle"), 40);
}

/// More than 20 hours.
pub(super) fn series_are_those_of_all_values<T: Tables>(mut kept: Kept<T>, hours: i64) {
    let mut random = Random(7);
    let mut oracle = Oracle::default();
    let drains = ["d.1", "shop/d.2"];
    let mut engines = [engine(), engine()];
    let mut late: Vec<(usize, Seen)> = Vec::new();
    let mut unique = 0;
    for minute in 0..hours * 60 {
        for (drain, engine) in engines.iter_mut().enumerate() {
            let mut now: Vec<Seen> = Vec::new();
            let many = if minute % 240 == 7 { 300 } else { random.below(8) };
            for _ in 0..many {
                unique = (unique + 1) % 1_000_000;
                let dyno = format!("web.{}", random.below(3));
                let code = ["200", "404", "500"][random.below(3) as usize].to_owned();
                now.push(Seen {
                    drain,
                    tags: vec![("code".to_owned(), code), ("dyno".to_owned(), dyno)],
                    second: START + minute * 60 + now.len() as i64 % 60,
                    micros: unique,
                    value: random.below(40_000) as f64 / 4.0 + 0.25,
                });
            }
            // Some come later than their windows close, and some much later.
            if let Some(seen) = now.pop() {
                late.push((random.below(3) as usize * 20, seen));
            }
            late.iter_mut().for_each(|(wait, _)| *wait = wait.saturating_sub(1));
            let is_due = |(wait, seen): &(usize, Seen)| *wait == 0 && seen.drain == drain;
            now.extend(late.iter().filter(|late| is_due(late)).map(|(_, seen)| seen.clone()));
            late.retain(|late| !is_due(late));
            for seen in now {
                let tags: TagSet = seen.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
                let value = Value::new(seen.value, Unit::MILLISECONDS);
                let time = Timestamp::from_unix_micros(seen.second * 1_000_000 + seen.micros);
                let outcome = engine.observe(&Observation::measure("took", value, &tags, time));
                assert!(matches!(outcome, Outcome::Accepted), "{outcome:?}");
                oracle.0.push(seen);
            }
            let of = owner(drains[drain]);
            let mut keep = EachRow(|row: &Row<'_>| kept.gather.keep(of, row));
            engine.advance(Timestamp::from_unix_seconds(START + minute * 60 + 60), &mut keep).unwrap();
        }
        kept.commit(START + minute * 60 + 60);
        if minute % 7 == 0 {
            kept.tidy();
        }
    }
    // What is open is seen, too; and the rest is still to come.
    let mut open = OpenRows::default();
    for (engine, drain) in engines.iter_mut().zip(drains) {
        let mut take = EachRow(|row: &Row<'_>| if open.take(owner(drain), row) { Ok(()) } else { Err(()) });
        engine.each_open(&mut take).unwrap();
    }
    kept.minutes.show_open(open);
    let end = START + hours * 3_600;
    for (from, to, step) in [
        (START, end, 60),
        (end - 5 * 3_600, end, 60),
        (end - 10 * 3_600, end, 300),
        (START, end, 900),
        (START + 1_000, end - 5_000, 900),
        (START, end, 3_600),
        (START, end, 7_200),
        (START - 86_400, end + 86_400, 86_400),
        (START + 20 * 3_600, end, 120),
    ] {
        for function in [
            Function::Count,
            Function::Sum,
            Function::Rate,
            Function::Avg,
            Function::Max,
            Function::Min,
            Function::Last,
            Function::Deviation,
            Function::Quantile(0.5),
            Function::Quantile(0.95),
            Function::Quantile(0.999),
            Function::Quantile(0.0),
        ] {
            for grouping in [Grouping::Together, Grouping::By(vec!["code".to_owned()]), Grouping::Apart] {
                let what = format!("{from} to {to} by {step}, {function:?} {grouping:?}");
                let asked = asked("took", function, grouping);
                let series = kept.ask(&asked, Span { start: from, end: to }, step);
                assert!(i64::from(series.step) >= i64::from(step) && series.steps <= super::MOST_STEPS, "{what}");
                let grid = (series.start, i64::from(series.step), series.steps);
                compare(&series, &oracle.series(&asked, grid, &[0, 1]), function, &what);
                assert_eq!(series.unit, "ms");
            }
        }
    }
    // Of one drain alone, and of some streams.
    let one = [drains[1].to_owned()];
    let mut asked = asked("took", Function::Sum, Grouping::By(vec!["dyno".to_owned()]));
    let span = Span { start: START, end };
    let series = kept.minutes.series("default", Some(&one), &asked, span, Some(900), 1_000).unwrap();
    compare(&series, &oracle.series(&asked, (series.start, 900, series.steps), &[1]), Function::Sum, "of one drain");
    asked.selectors = vec![
        Selector { key: "dyno".to_owned(), values: vec!["web.1".to_owned(), "web.2*".to_owned()], is_negated: false },
        Selector { key: "code".to_owned(), values: vec!["5*".to_owned()], is_negated: true },
    ];
    let series = kept.ask(&asked, span, 3_600);
    let some =
        Oracle(oracle.0.iter().filter(|seen| seen.tags[1].1 != "web.0" && seen.tags[0].1 != "500").cloned().collect());
    compare(&series, &some.series(&asked, (series.start, 3_600, series.steps), &[0, 1]), Function::Sum, "of some");
    // Nothing of another account, and of no metric.
    assert!(kept.minutes.series("other", None, &asked, span, None, 10).unwrap().lines.is_empty());
    assert_eq!(kept.minutes.names("default", None, "oo", 10).unwrap(), (vec!["took".to_owned()], 0));
    let tags = kept.minutes.tags("default", None, "took", 2).unwrap();
    assert_eq!(
        tags.iter().map(|tag| (&*tag.key, tag.values.len(), tag.more)).collect::<Vec<_>>(),
        [("code", 2, 1), ("dyno", 2, 1)]
    );
}

#[test]
fn a_counter_grows_and_begins_again() {
    let mut kept = Kept::new("growth");
    let mut engine = engine();
    let tags = |dyno: &str| TagSet::from_iter([("dyno", dyno)]);
    let none = None;
    let values = [
        ("web.1", [Some(100.0), Some(130.0), none, Some(150.0), Some(20.0)]),
        ("web.2", [none, Some(7.0), Some(7.0), Some(9.0), Some(10.0)]),
    ];
    for (dyno, values) in &values {
        for (minute, value) in (0..).zip(values).filter_map(|(minute, value)| Some((minute, (*value)?))) {
            let time = Timestamp::from_unix_seconds(START + minute * 60 + 5);
            let _ = engine.observe(&Observation::sample("pgin", Value::new(value, Unit::PAGES), &tags(dyno), time));
        }
    }
    engine.finish(&mut EachRow(|row: &Row<'_>| kept.gather.keep(owner("d.1"), row))).unwrap();
    kept.commit(START + 600);
    let span = Span { start: START, end: START + 300 };
    let series = kept.ask(&asked("pgin", Function::Derivative, Grouping::Together), span, 60);
    assert_eq!(series.lines.len(), 1);
    assert_eq!(series.lines[0].values, [none, Some(30.0), Some(0.0), Some(22.0), Some(21.0)]);
    let apart = kept.ask(&asked("pgin", Function::Derivative, Grouping::Apart), span, 60);
    assert_eq!(apart.lines[0].values, [none, Some(30.0), none, Some(20.0), Some(20.0)]);
    assert_eq!(apart.unit, "pages");
}
