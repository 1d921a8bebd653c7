//! What is kept over time, over kills, and over a removal.

use super::tables::Tables;
use super::tests::{Kept, Random, START, asked, engine, owner, settings};
use super::{Gather, Keeper, Keeping, Minutes};
use crate::outlets::Owner;
use crate::settings::account::Account;
use heroku_metrics::aggregator::{Aggregator, AggregatorConfig, EachRow, LatePolicy, Row};
use heroku_metrics::model::{Observation, TagSet, Timestamp, Unit, Value};
use logdrain_charts::series::{Function, Grouping, Series, Span};
use logdrain_terms::plan::Plan;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// One count a minute, of as many as the minute's number says, and a measure.
pub(super) fn write<T: Tables>(kept: &mut Kept<T>, owner: Owner<'_>, minutes: std::ops::Range<i64>) {
    let mut engine = engine();
    for minute in minutes {
        let time = Timestamp::from_unix_seconds(START + minute * 60 + 30);
        let tags = TagSet::from_iter([("dyno", "web.1")]);
        let count = Value::plain((minute % 7) as f64);
        let _ = engine.observe(&Observation::count("paid", count, &tags, time));
        for value in 0..10 {
            let value = Value::new((minute * 10 + value) as f64, Unit::MILLISECONDS);
            let _ = engine.observe(&Observation::measure("took", value, &tags, time));
        }
        let now = Timestamp::from_unix_seconds(START + minute * 60 + 120);
        engine.advance(now, &mut EachRow(|row: &Row<'_>| kept.gather.keep(owner, row))).unwrap();
        kept.gather.heard(owner, time);
    }
    engine.finish(&mut EachRow(|row: &Row<'_>| kept.gather.keep(owner, row))).unwrap();
}

pub(super) fn sum(series: &Series) -> f64 {
    series.lines.iter().flat_map(|line| &line.values).flatten().sum()
}

#[test]
fn what_is_too_old_is_answered_by_longer_steps_and_then_not_at_all() {
    what_is_too_old_goes(&mut Kept::new("retention"));
}

pub(super) fn what_is_too_old_goes<T: Tables>(kept: &mut Kept<T>) {
    write(kept, owner("d.1"), 0..180);
    kept.commit(START + 4 * HOUR);
    kept.tidy();
    let all: f64 = (0..180).map(|minute| (minute % 7) as f64).sum();
    let span = |days: i64| Span { start: START, end: START + (days * DAY).max(3 * HOUR) };
    let paid = asked("paid", Function::Sum, Grouping::Together);
    let p50 = asked("took", Function::Quantile(0.5), Grouping::Together);
    for (days, asked_for, step) in [
        (0, 60, 60),
        (1, 60, 60),
        (7, 900, 900),
        (9, 60, 900),
        (31, 1_800, 1_800),
        (33, 60, 3_600),
        (364, 3_600, 21_600),
    ] {
        kept.commit(START + days * DAY + 4 * HOUR);
        kept.tidy();
        let series = kept.ask(&paid, Span { start: START, end: START + 3 * HOUR }, asked_for.max(60));
        assert_eq!(sum(&series), all, "after {days} days");
        if days > 8 {
            assert!(series.step >= 900, "after {days} days minutes are gone: {}", series.step);
        }
        let series = kept.ask(&paid, span(days), asked_for);
        assert_eq!(sum(&series), all, "after {days} days");
        assert!(series.step >= step && series.steps <= super::MOST_STEPS, "after {days} days: {}", series.step);
        let series = kept.ask(&p50, Span { start: START, end: START + 3 * HOUR }, 3 * 3_600);
        let middle = series.lines[0].values[0].unwrap();
        assert!((middle - 900.0).abs() <= 900.0 * 0.005, "after {days} days: {middle}");
    }
    kept.commit(START + 368 * DAY);
    kept.tidy();
    assert!(kept.ask(&paid, span(368), 3_600).lines.is_empty());
    kept.tidy();
    assert_eq!(kept.minutes.names("default", None, "", 10).unwrap(), (vec![], 0), "names go with what they name");
    assert_eq!(kept.minutes.drains("default").unwrap(), Vec::<String>::new());
}

#[test]
fn a_plan_hides_at_once_and_deletes_a_week_later() {
    let mut of_plan = settings();
    let plan = Plan::shipped("development").unwrap();
    let account = Account { plan: Some(plan), plan_since: START * 1_000_000, ..Account::NONE };
    of_plan.accounts.insert("default".to_owned(), Arc::new(account));
    let mut kept = Kept::with("plan", of_plan);
    write(&mut kept, owner("d.1"), 0..180);
    kept.commit(START + 3 * HOUR);
    kept.tidy();
    let paid = asked("paid", Function::Count, Grouping::Together);
    let span = Span { start: START, end: START + 3 * HOUR };
    let shown = kept.ask(&paid, span, 60);
    assert_eq!((shown.start, shown.steps), (START + 2 * HOUR, 60), "one hour");
    assert_eq!(sum(&shown), 60.0);
    let rows = |kept: &Kept| {
        let db = super::file::reader(&kept.dir).unwrap().unwrap();
        db.query_row("SELECT count(*) FROM pieces WHERE level = 0", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    kept.commit(START + 6 * DAY);
    kept.tidy();
    assert!(rows(&kept) > 0, "there for whoever takes a larger plan again");
    kept.commit(START + 7 * DAY + 5 * HOUR);
    kept.tidy();
    assert_eq!(rows(&kept), 0);
}

#[test]
fn a_removed_account_is_gone_from_every_byte() {
    let mut kept = Kept::new("removal");
    for (account, drain) in [("shop", "marmalade/d.1"), ("blog", "blog/d.2")] {
        write(&mut kept, Owner { account, drain }, 0..70);
        kept.commit(START + 2 * HOUR);
    }
    kept.tidy();
    let paid = asked("paid", Function::Sum, Grouping::Together);
    let span = Span { start: START, end: START + 2 * HOUR };
    let of = |kept: &Kept, account: &str| kept.minutes.series(account, None, &paid, span, Some(60), 10).unwrap();
    assert_eq!(sum(&of(&kept, "shop")), sum(&of(&kept, "blog")));
    kept.open.remove("shop").unwrap();
    assert!(of(&kept, "shop").lines.is_empty() && !of(&kept, "blog").lines.is_empty());
    for file in std::fs::read_dir(&kept.dir).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap();
        let found = bytes.windows(9).any(|bytes| bytes == b"marmalade");
        assert!(!found, "{}", file.path().display());
    }
}

#[test]
fn who_has_most_loses_his_oldest_when_there_is_no_room() {
    let mut kept = Kept::new("room");
    write(&mut kept, Owner { account: "small", drain: "d.1" }, 0..10);
    for drain in ["d.2", "d.3", "d.4", "d.5", "d.6", "d.7", "d.8", "d.9"] {
        write(&mut kept, Owner { account: "large", drain }, 0..600);
    }
    // More than one batch holds.
    kept.write();
    kept.commit(START + 12 * HOUR);
    kept.tidy();
    let paid = asked("paid", Function::Count, Grouping::Together);
    let of = |kept: &Kept, account: &str| {
        let span = Span { start: START, end: START + 10 * HOUR };
        sum(&kept.minutes.series(account, None, &paid, span, Some(60), 10).unwrap())
    };
    let (small, large) = (of(&kept, "small"), of(&kept, "large"));
    assert_eq!((small, large), (10.0, 8.0 * 600.0));
    kept.keeper.most_bytes = kept.minutes.counts().bytes.load(Ordering::Relaxed) / 2;
    kept.tidy();
    assert!(kept.minutes.counts().bytes.load(Ordering::Relaxed) <= kept.keeper.most_bytes);
    assert_eq!(of(&kept, "small"), small);
    assert!(of(&kept, "large") < large);
}

#[test]
fn ten_thousand_streams_are_added_up_and_lines_without_room_are_counted() {
    let mut kept = Kept::new("many");
    let mut engine = engine();
    for stream in 0..10_000 {
        let tags = TagSet::from_iter([("user", format!("u{stream}")), ("half", (stream % 2).to_string())]);
        for minute in [0, 1, 59] {
            let time = Timestamp::from_unix_seconds(START + minute * 60);
            let _ = engine.observe(&Observation::count("clicks", Value::plain(1.0), &tags, time));
        }
    }
    engine.finish(&mut EachRow(|row: &Row<'_>| kept.gather.keep(owner("d.1"), row))).unwrap();
    // More than one batch holds.
    assert!(kept.keeper.batches.try_iter().map(|batch| kept.open.write(&[batch], 0).unwrap()).sum::<u64>() > 0);
    kept.commit(START + 2 * HOUR);
    for tidied in [false, true] {
        if tidied {
            kept.tidy();
        }
        let span = Span { start: START, end: START + HOUR };
        let all = kept.ask(&asked("clicks", Function::Sum, Grouping::Together), span, 60);
        assert_eq!(
            (all.lines[0].values[0], all.lines[0].values[1], all.lines[0].values[2]),
            (Some(1e4), Some(1e4), None)
        );
        assert_eq!(sum(&all), 30_000.0);
        let halves = kept.ask(&asked("clicks", Function::Sum, Grouping::By(vec!["half".to_owned()])), span, 60);
        assert_eq!(halves.lines.iter().map(|line| line.values[59]).collect::<Vec<_>>(), [Some(5e3), Some(5e3)]);
        let apart = asked("clicks", Function::Sum, Grouping::Apart);
        let apart = kept.minutes.series("default", None, &apart, span, Some(60), 100).unwrap();
        assert_eq!((apart.lines.len(), apart.more), (100, 9_900));
    }
}

/// A counting that can be killed: its engine with a snapshot, and what keeps its minutes.
pub(super) struct Counting<T: Tables = Connection> {
    pub(super) minutes: Minutes,
    pub(super) gather: Gather,
    pub(super) keeper: Keeper<T>,
    pub(super) open: super::writing::Open<T>,
    pub(super) engine: Aggregator,
    pub(super) seq: u64,
}

fn config() -> AggregatorConfig {
    let late = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
    AggregatorConfig::new().with_allowed_lateness(Duration::from_secs(60)).with_late_policy(late)
}

impl Counting {
    pub(super) fn start(dir: &Path, snapshot: &(u64, Vec<u8>)) -> Self {
        let settings = Arc::new(settings());
        let minutes = Minutes::new(dir, Keeping::by(move || settings.clone()), 4 << 30);
        let (gather, keeper) = minutes.start((snapshot.0, u64::MAX), Arc::default());
        Self::of((minutes, gather, keeper), snapshot)
    }
}

impl<T: Tables> Counting<T> {
    pub(super) fn of(
        (minutes, gather, keeper): (Minutes, Gather, Keeper<T>),
        (seq, snapshot): &(u64, Vec<u8>),
    ) -> Self {
        let open = keeper.opened().unwrap();
        let engine = match snapshot.is_empty() {
            true => engine(),
            false => Aggregator::restore(config(), snapshot).unwrap().0,
        };
        Self { minutes, gather, keeper, open, engine, seq: *seq }
    }

    pub(super) fn write(&mut self) {
        let batches: Vec<_> = self.keeper.batches.try_iter().collect();
        self.keeper.write(&mut self.open, &batches).unwrap();
    }

    /// The next event: a minute of values, the same each time it comes.
    pub(super) fn step(&mut self) {
        self.seq += 1;
        self.gather.begin(self.seq);
        let mut random = Random(self.seq * 7_919);
        let now = START + self.seq.cast_signed() * 60;
        for _ in 0..20 {
            // Some are late, and revise what was written.
            let within = if random.below(9) == 0 { 2_400 } else { 60 };
            let second = now - random.below(within).cast_signed();
            let tags = TagSet::from_iter([("dyno", format!("web.{}", random.below(4)))]);
            let value = Value::new(random.below(9_000) as f64 / 8.0, Unit::MILLISECONDS);
            let time = Timestamp::from_unix_micros(second * 1_000_000 + random.below(1_000_000).cast_signed());
            let _ = self.engine.observe(&Observation::measure("took", value, &tags, time));
        }
        // Some are rare.
        if random.below(40) == 0 {
            let time = Timestamp::from_unix_seconds(now - 20);
            let _ = self.engine.observe(&Observation::count("failed", Value::plain(1.0), &TagSet::new(), time));
        }
        let time = Timestamp::from_unix_seconds(now);
        let (gather, of) = (&mut self.gather, owner("d.1"));
        gather.heard(of, time);
        self.engine.advance(time, &mut EachRow(|row: &Row<'_>| gather.keep(of, row))).unwrap();
        self.minutes.moved(time, &settings());
        self.gather.commit(self.seq).unwrap();
    }
}

#[test]
fn minutes_are_the_same_however_often_it_is_killed() {
    let dirs = ["once", "killed"].map(|name| Kept::new(name).dir.clone());
    for dir in &dirs {
        std::fs::create_dir_all(dir).unwrap();
    }
    killed_or_not_it_keeps_the_same(|of, snapshot| Counting::start(&dirs[of], snapshot));
    dirs.iter().for_each(|dir| drop(std::fs::remove_dir_all(dir)));
}

/// Two are started, in places of their own, and the second of them once more each time it is killed.
pub(super) fn killed_or_not_it_keeps_the_same<T: Tables>(start: impl Fn(usize, &(u64, Vec<u8>)) -> Counting<T>) {
    const EVENTS: u64 = 150;
    let mut once = start(0, &(0, Vec::new()));
    for _ in 0..EVENTS {
        once.step();
        once.write();
    }
    while once.keeper.tidy(&mut once.open).unwrap() {}
    let mut random = Random(99);
    let mut snapshot = (0, Vec::new());
    let mut killed = start(1, &snapshot);
    let mut kills = 0;
    while killed.seq < EVENTS || killed.gather.position() < EVENTS {
        if killed.seq < EVENTS {
            killed.step();
        }
        match random.below(12) {
            // What is on its way is lost.
            0 => {
                kills += 1;
                killed = start(1, &snapshot);
            }
            1 | 2 => while killed.keeper.tidy(&mut killed.open).unwrap() {},
            3 if killed.gather.position() >= killed.seq => snapshot = (killed.seq, killed.engine.snapshot(b"")),
            _ => {}
        }
        killed.write();
        // Its thread may not have come to it.
        if killed.gather.position() < killed.seq && random.below(2) == 0 {
            killed = start(1, &snapshot);
        }
    }
    assert!(kills > 5, "{kills}");
    for function in [Function::Count, Function::Sum, Function::Last, Function::Max, Function::Quantile(0.9)] {
        for (grouping, step) in [(Grouping::Apart, 60), (Grouping::Together, 900), (Grouping::Apart, 3_600)] {
            let question = asked("took", function, grouping);
            let span = Span { start: START, end: START + EVENTS.cast_signed() * 60 };
            let [a, b] = [&once, &killed]
                .map(|of| of.minutes.series("default", None, &question, span, Some(step), 100).unwrap());
            assert!(!a.lines.is_empty());
            assert_eq!(a.lines, b.lines, "{function:?} by {step}");
        }
    }
    assert_eq!(killed.minutes.counts().failures.load(Ordering::Relaxed), 0);
}
