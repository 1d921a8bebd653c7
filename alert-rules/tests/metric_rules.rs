//! Metric rules as whoever embeds them meets them: each kind of condition, what a signal is, rearm, clear, revisions, gaps.

use alert_rules::{Change, Clear, Condition, Function, MetricAlert, MetricRule, MetricRules, Tick, Total, Verdict};
use core::time::Duration;
use metric_model::{DataPoint, Kind, Percentile, Percentiles, Stats, TagSet, Timestamp, Unit, Window};

const MINUTE: Duration = Duration::from_secs(60);
const NORMAL: Change = Change::Cleared(Clear::Normal);

struct House {
    rules: MetricRules,
    /// The next minute to close.
    now: i64,
    id: u64,
    told: Vec<(i64, MetricAlert)>,
}

fn window(minute: i64) -> Window {
    Window::containing(Timestamp::from_unix_seconds(60 * minute), MINUTE)
}

impl House {
    fn new(rule: MetricRule) -> Self {
        let mut rules = MetricRules::new(MINUTE);
        assert!(rules.set(7, rule));
        let mut house = Self { rules, now: 0, id: 0, told: Vec::new() };
        house.tick();
        house
    }

    fn give(&mut self, minute: i64, drain: &str, kind: Kind, name: &str, dyno: &str, stats: Stats) {
        let tags = TagSet::from_iter([("dyno", dyno)]);
        self.rules.point(drain, &DataPoint::new(window(minute), kind, name, Unit::NONE, &tags, stats));
    }

    fn load_of(&mut self, dyno: &str, value: f64) {
        self.give(self.now, "shop", Kind::Sample, "load", dyno, Stats::sample(1, value, value, value, value));
    }

    fn revise(&mut self, minute: i64, value: f64) {
        self.give(minute, "shop", Kind::Sample, "load", "web.1", Stats::sample(1, value, value, value, value));
    }

    fn tick(&mut self) {
        self.id += 1;
        let end = window(self.now).end();
        let verdicts = self.rules.tick(Tick::new(self.id, end), end);
        self.told.extend(verdicts.into_iter().filter_map(Verdict::alert).map(|alert| (self.now, alert)));
        self.now += 1;
    }

    /// A minute each; `None` is one without a point.
    fn loads(&mut self, values: impl IntoIterator<Item = Option<f64>>) {
        for value in values {
            if let Some(value) = value {
                self.load_of("web.1", value);
            }
            self.tick();
        }
    }

    fn changes(&self) -> Vec<(i64, Change)> {
        self.told.iter().map(|(minute, alert)| (*minute, alert.change())).collect()
    }
}

fn minutes(count: u32) -> Duration {
    count * MINUTE
}

fn five() -> Condition {
    Condition::above("load", 1.0).with_duration(minutes(5))
}

#[test]
fn one_point_is_enough_without_a_duration() {
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0)));
    house.loads([0.5, 1.0, 1.1, 0.2].map(Some));
    assert_eq!(house.changes(), [(3, Change::Fired), (4, NORMAL)]);
    let [(_, fired), (_, clear)] = &house.told[..] else { panic!("two") };
    assert_eq!(
        fired.to_string(),
        "fired: load of shop dyno=web.1: 1 of 1 point above 1, longest run 1, the newest 1.1"
    );
    assert_eq!((fired.incident(), clear.incident()), (4, 4));
    assert_eq!((clear.to_string().as_str(), clear.readings().len()), ("clear", 0));
}

#[test]
fn with_a_duration_all_points_must_violate_and_be_there_for_as_long() {
    let mut house = House::new(MetricRule::new(five()));
    house.loads([2.0; 4].map(Some));
    assert!(house.told.is_empty(), "four minutes");
    house.loads([Some(2.0), None, Some(2.0), Some(0.5), Some(2.0), Some(2.0), Some(2.0), Some(2.0)]);
    assert_eq!(house.changes(), [(5, Change::Fired), (8, NORMAL)]);
    house.loads([Some(2.0)]);
    assert_eq!(
        house.changes().last(),
        Some(&(13, Change::Fired)),
        "a gap is no point, and neither ends nor makes a run"
    );
}

#[test]
fn below_and_functions_look_at_their_number() {
    let stats = Stats::sample(4, 40.0, 1.0, 25.0, 7.0).with_percentiles(Percentiles::exact([6.0, 20.0, 24.0, 25.0]));
    let of_measure = [
        (Function::Average, 10.0),
        (Function::Min, 1.0),
        (Function::Max, 25.0),
        (Function::Sum, 40.0),
        (Function::Count, 4.0),
        (Function::Last, 7.0),
        (Function::Percentile(Percentile::P95), 20.0),
    ];
    for (function, value) in of_measure {
        for (condition, fires) in [
            (Condition::above("load", value), false),
            (Condition::above("load", value - 0.5), true),
            (Condition::below("load", value), false),
            (Condition::below("load", value + 0.5), true),
        ] {
            let mut house = House::new(MetricRule::new(condition.clone().with_function(function)));
            house.give(1, "shop", Kind::Measure, "load", "web.1", stats);
            house.tick();
            assert_eq!(house.told.len(), usize::from(fires), "{condition} of {value}");
        }
    }
    for function in [Function::Average, Function::Min, Function::Max, Function::Sum, Function::Last] {
        let mut house = House::new(MetricRule::new(Condition::above("load", 8.5).with_function(function)));
        house.give(1, "shop", Kind::Count, "load", "web.1", Stats::count(3, 9.0));
        house.tick();
        assert_eq!(house.told.len(), 1, "a count is its sum: {function}");
    }
}

#[test]
fn a_count_is_zero_in_a_minute_that_was_seen_and_a_gap_in_one_that_was_not() {
    let mut house = House::new(MetricRule::new(Condition::below("load", 1.0).with_duration(minutes(3))));
    house.give(1, "shop", Kind::Count, "load", "web.1", Stats::count(1, 1.0));
    for _ in 0..4 {
        house.tick();
    }
    assert_eq!(house.changes(), [(4, Change::Fired)]);

    let mut house = House::new(MetricRule::new(Condition::below("load", 1.0).with_duration(minutes(3))));
    house.give(1, "shop", Kind::Count, "load", "web.1", Stats::count(1, 1.0));
    house.tick();
    house.rules.unknown(window(2).start(), window(3).end());
    for _ in 0..2 {
        house.tick();
    }
    assert!(house.told.is_empty());
    house.tick();
    assert_eq!(house.changes(), [(4, Change::Fired)], "of three minutes one was seen, and its count was 0");
}

#[test]
fn absent_needs_a_point_before_and_clears_when_one_comes() {
    let mut house = House::new(MetricRule::new(Condition::absent("load", minutes(5))));
    house.loads([None; 20]);
    assert!(house.told.is_empty(), "never seen");
    house.loads([Some(1.0), None, None, None, None]);
    assert!(house.told.is_empty());
    house.loads([None, None, Some(1.0)]);
    assert_eq!(house.changes(), [(26, Change::Fired), (28, NORMAL)]);
    assert_eq!(
        house.told[0].1.to_string(),
        "fired: load of shop dyno=web.1: 0 points in 5 minutes, the last one at 1970-01-01T00:21:00Z"
    );
}

#[test]
fn absent_is_of_all_signals_together_unless_they_are_told_one_by_one() {
    let run = |rule: MetricRule| {
        let mut house = House::new(rule);
        for minute in 1..20 {
            house.load_of("web.1", 1.0);
            if minute < 3 {
                house.load_of("web.2", 1.0);
            }
            house.tick();
        }
        house.told
    };
    let absent = Condition::absent("load", minutes(5));
    assert!(run(MetricRule::new(absent.clone())).is_empty());
    let told = run(MetricRule::new(absent).per_signal().with_rearm(minutes(60)));
    let [(7, alert)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(alert.signal().map(|(drain, tags)| (drain, tags.get("dyno"))), Some(("shop", Some("web.2"))));
}

#[test]
fn an_outage_is_not_absence_and_is_told_once() {
    let mut house = House::new(MetricRule::new(Condition::absent("load", minutes(10))));
    house.loads([Some(1.0)]);
    house.now = 182;
    house.id += 1;
    let end = window(181).end();
    let verdicts = house.rules.tick(Tick::new(house.id, end), end);
    let [Verdict::Unknown(unknown)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((unknown.from(), unknown.until(), unknown.rules()), (window(1).end(), end, &[7][..]));
    house.loads([None; 9]);
    assert!(house.told.is_empty());
    house.loads([None]);
    assert_eq!(house.changes(), [(191, Change::Fired)], "ten minutes that were seen");
}

#[test]
fn it_tells_again_after_the_rearm_time_and_at_once_when_it_was_clear() {
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0)));
    house.loads([2.0; 25].map(Some));
    house.loads([0.0, 2.0, 2.0].map(Some));
    let fired = Change::Fired;
    assert_eq!(house.changes(), [(1, fired), (11, Change::Again), (21, Change::Again), (26, NORMAL), (27, fired)]);
    assert!(house.told[..4].iter().all(|(_, alert)| alert.incident() == 2));
    // Silence neither clears nor tells again.
    house.loads([None; 60]);
    assert_eq!(house.told.len(), 5);
}

#[test]
fn signals_are_told_apart_if_asked() {
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0)).per_signal().with_rearm(minutes(60)));
    for minute in 1..6 {
        house.load_of("web.1", 2.0);
        house.load_of("web.2", if minute == 3 { 2.0 } else { 0.0 });
        house.tick();
    }
    let told: Vec<(i64, Change, &str)> = house
        .told
        .iter()
        .map(|(minute, alert)| {
            (*minute, alert.change(), alert.signal().and_then(|(_, tags)| tags.get("dyno")).unwrap())
        })
        .collect();
    assert_eq!(told, [(1, Change::Fired, "web.1"), (3, Change::Fired, "web.2"), (4, NORMAL, "web.2")]);
}

#[test]
fn the_same_tags_of_another_drain_are_another_signal() {
    let mut house = House::new(MetricRule::new(five()));
    for minute in 1..8 {
        // Each has a gap, and together they would not.
        let drain = if minute % 2 == 0 { "shop" } else { "depot" };
        house.give(minute, drain, Kind::Sample, "load", "web.1", Stats::sample(1, 2.0, 2.0, 2.0, 2.0));
        house.give(minute, drain, Kind::Sample, "load", "web.2", Stats::sample(1, 0.0, 0.0, 0.0, 0.0));
        house.tick();
    }
    assert_eq!(house.rules.explain(7).len(), 4);
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0)).with_drains(["depot*"]));
    house.load_of("web.1", 2.0);
    house.tick();
    assert!(house.told.is_empty());
}

#[test]
fn selectors_know_wildcards_several_values_and_negation() {
    let condition = Condition::above("lo*", 1.0).with_tag("dyno", ["web.*", "clock.1"]).without_tag("dyno", ["*.2"]);
    let mut house = House::new(MetricRule::new(condition));
    for dyno in ["web.1", "web.2", "clock.1", "clock.3", "worker.1"] {
        house.load_of(dyno, 2.0);
    }
    house.give(1, "shop", Kind::Sample, "memory", "web.1", Stats::sample(1, 2.0, 2.0, 2.0, 2.0));
    house.tick();
    let dynos: Vec<&str> = house.told[0].1.readings().iter().filter_map(|reading| reading.tags().get("dyno")).collect();
    assert_eq!(dynos, ["web.1", "clock.1"]);
}

#[test]
fn all_conditions_must_hold_or_any() {
    let memory = Condition::above("memory", 100.0);
    let both = MetricRule::new(Condition::above("load", 1.0)).and(memory);
    let run = |rule: MetricRule| {
        let mut house = House::new(rule);
        for (load, memory) in [(2.0, 50.0), (2.0, 150.0), (0.0, 150.0), (0.0, 50.0)] {
            house.load_of("web.1", load);
            // Of another signal: conditions are asked one by one.
            house.give(
                house.now,
                "shop",
                Kind::Sample,
                "memory",
                "db",
                Stats::sample(1, memory, memory, memory, memory),
            );
            house.tick();
        }
        house.changes()
    };
    assert_eq!(run(both.clone()), [(2, Change::Fired), (3, NORMAL)]);
    assert_eq!(run(both.any()), [(1, Change::Fired), (4, NORMAL)]);
}

#[test]
fn a_derivative_is_the_step_between_points_and_knows_resets() {
    let run = |detect_reset, threshold: f64| {
        let rises = Function::Derivative { detect_reset };
        let condition =
            if threshold < 0.0 { Condition::below("load", threshold) } else { Condition::above("load", threshold) };
        let mut house = House::new(MetricRule::new(condition.with_function(rises)));
        house.loads([Some(100.0), Some(110.0), None, Some(140.0), Some(5.0), Some(6.0)]);
        house.changes()
    };
    assert_eq!(run(true, 20.0), [(4, Change::Fired), (5, NORMAL)]);
    assert_eq!(run(true, -1.0), []);
    assert_eq!(run(false, -1.0), [(5, Change::Fired), (6, NORMAL)]);
}

#[test]
fn a_revision_may_fire_and_never_takes_back() {
    let mut house = House::new(MetricRule::new(five()).with_rearm(minutes(60)));
    house.loads([2.0, 2.0, 0.5, 2.0, 2.0, 2.0].map(Some));
    assert!(house.told.is_empty());
    // The third was 2, too: what it completes is told with the next tick.
    house.revise(3, 2.0);
    house.loads([Some(2.0)]);
    assert_eq!(house.changes(), [(6, Change::Fired)].map(|(minute, change)| (minute + 1, change)));
    assert_eq!(house.told[0].1.time(), window(6).end());
    // It was not, after all. Nothing is taken back; the next minute is judged by what is known then.
    house.revise(6, 0.5);
    house.id += 1;
    let end = window(7).end();
    assert!(house.rules.tick(Tick::new(house.id, end), end).is_empty());
    house.loads([Some(2.0)]);
    assert_eq!(house.changes()[1..], [(8, NORMAL)]);
    // The same number again says nothing new.
    house.revise(8, 2.0);
    house.loads([Some(2.0)]);
    assert_eq!(house.told.len(), 2);
}

#[test]
fn a_late_first_point_may_fire_too() {
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0)));
    house.loads([0.5, 0.5].map(Some));
    house.give(1, "shop", Kind::Sample, "load", "web.9", Stats::sample(1, 3.0, 3.0, 3.0, 3.0));
    house.loads([Some(0.5)]);
    assert_eq!(house.changes(), [(3, Change::Fired)]);
    assert_eq!(house.told[0].1.readings()[0].tags().get("dyno"), Some("web.9"));
}

#[test]
fn what_is_cleared_by_hand_fires_again_at_once_if_it_holds() {
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0)).with_rearm(minutes(600)));
    house.loads([2.0, 2.0].map(Some));
    house.rules.clear(7);
    house.loads([2.0, 0.0].map(Some));
    let manual = Change::Cleared(Clear::Manual);
    assert_eq!(house.changes(), [(1, Change::Fired), (3, manual), (3, Change::Fired), (4, NORMAL)]);
    let incidents: Vec<u64> = house.told.iter().map(|(_, alert)| alert.incident()).collect();
    assert_eq!(incidents, [2, 2, 4, 4]);
}

#[test]
fn a_rule_that_changes_begins_anew_and_ends_what_it_told() {
    let mut house = House::new(MetricRule::new(five()));
    house.loads([2.0; 5].map(Some));
    assert!(!house.rules.set(7, MetricRule::new(five())), "the same");
    house.loads([Some(2.0)]);
    assert_eq!(house.changes(), [(5, Change::Fired)]);
    assert!(house.rules.set(7, MetricRule::new(five()).and(five())));
    house.loads([2.0; 5].map(Some));
    let manual = Change::Cleared(Clear::Manual);
    assert_eq!(house.changes()[1..], [(7, manual), (11, Change::Fired)], "five minutes of its own");
    assert!(house.rules.remove(7));
    house.loads([Some(2.0)]);
    assert_eq!(house.changes()[3..], [(12, manual)]);
}

#[test]
fn after_ten_days_of_silence_it_is_clear_and_forgotten() {
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0)));
    house.loads([Some(2.0)]);
    house.loads([None; 14_400]);
    assert_eq!(house.told.len(), 1);
    assert_eq!(house.rules.explain(7).len(), 1);
    house.loads([None]);
    assert_eq!(house.changes()[1..], [(14_402, Change::Cleared(Clear::Auto))]);
    assert!(house.rules.explain(7).is_empty());
    house.loads([Some(2.0)]);
    assert_eq!(house.changes()[2..], [(14_403, Change::Fired)]);
}

#[test]
fn what_finds_no_room_is_counted() {
    let mut rules = MetricRules::new(MINUTE).with_most_signals(2);
    rules.set(7, MetricRule::new(Condition::above("load", 1.0)));
    for dyno in ["web.1", "web.2", "web.3", "web.4"] {
        let tags = TagSet::from_iter([("dyno", dyno)]);
        let stats = Stats::sample(1, 2.0, 2.0, 2.0, 2.0);
        rules.point("shop", &DataPoint::new(window(1), Kind::Sample, "load", Unit::NONE, &tags, stats));
    }
    assert_eq!(rules.refused(), 2);
    let verdicts = rules.tick(Tick::new(1, window(1).end()), window(1).end());
    let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!(alert.readings().len(), 2);
}

#[test]
fn an_alert_names_a_hundred_signals_at_most() {
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0)));
    for number in 0..150 {
        house.load_of(&format!("web.{number}"), 2.0);
    }
    house.tick();
    let [(_, alert)] = &house.told[..] else { panic!("one") };
    assert_eq!((alert.readings().len(), alert.more()), (100, 50));
    assert!(alert.to_string().ends_with("; and 50 more"));
}

#[test]
fn a_total_is_one_number_of_all_streams_that_the_selector_fits() {
    let run = |total| {
        let condition = Condition::above("load", 5.0).with_tag("dyno", ["web.*"]).together(total);
        let mut house = House::new(MetricRule::new(condition));
        for (drain, dyno, value) in
            [("shop", "web.1", 1.0), ("shop", "web.2", 8.0), ("depot", "web.1", 3.0), ("shop", "run.1", 100.0)]
        {
            house.give(house.now, drain, Kind::Sample, "load", dyno, Stats::sample(1, value, value, value, value));
        }
        house.tick();
        let standing = house.rules.explain(7);
        let [reading] = &standing[..] else { panic!("{standing:?}") };
        assert_eq!((reading.drain(), reading.tags().len(), reading.streams()), ("", 0, Some(3)));
        (reading.value(), house.told)
    };
    let [sum, max, min, mean] = [Total::Sum, Total::Max, Total::Min, Total::Mean].map(run);
    assert_eq!([sum.0, max.0, min.0, mean.0], [Some(12.0), Some(8.0), Some(1.0), Some(4.0)]);
    assert_eq!([&sum, &max, &min, &mean].map(|(_, told)| told.len()), [1, 1, 0, 0]);
    let (_, alert) = &sum.1[0];
    assert!(alert.signal().is_none());
    assert_eq!(
        alert.to_string(),
        "fired: sum of 3 streams of load: 1 of 1 point above 5, longest run 1, the newest 12"
    );
}

#[test]
fn the_total_of_a_window_goes_on_while_streams_come_and_go() {
    let condition = Condition::above("load", 5.0).with_duration(minutes(3)).together(Total::Sum);
    let mut house = House::new(MetricRule::new(condition).per_signal());
    // No dyno is there for three minutes, and each minute has more than five.
    for dyno in ["web.1", "web.2", "web.3", "web.4"] {
        house.load_of(dyno, 6.0);
        house.tick();
    }
    let [(3, alert)] = &house.told[..] else { panic!("{:?}", house.told) };
    let (drain, tags) = alert.signal().expect("it tells signals one by one");
    assert!(drain.is_empty() && tags.is_empty(), "a total is of none in particular");
    house.load_of("web.1", 6.0);
    house.load_of("web.2", -2.0);
    house.tick();
    assert_eq!(house.changes(), [(3, Change::Fired), (5, NORMAL)]);
}

#[test]
fn what_is_late_is_put_into_a_total_before_it_is_judged() {
    let condition = Condition::below("load", 5.0).together(Total::Sum);
    let late = |values: [f64; 2]| {
        let mut house = House::new(MetricRule::new(condition.clone()));
        house.loads([Some(9.0), None, Some(9.0)]);
        for (dyno, value) in ["web.1", "web.2"].into_iter().zip(values) {
            house.give(2, "shop", Kind::Sample, "load", dyno, Stats::sample(1, value, value, value, value));
        }
        house.loads([Some(9.0)]);
        house.changes()
    };
    assert_eq!(late([3.0, 3.0]), [], "each half is below, and the whole is not");
    assert_eq!(late([3.0, 1.0]), [(4, Change::Fired), (4, NORMAL)]);

    // A number that was said already is replaced, and not added.
    let mut house = House::new(MetricRule::new(Condition::above("load", 5.0).together(Total::Sum)));
    house.load_of("web.2", 2.0);
    house.loads([Some(2.0), Some(0.0)]);
    house.revise(1, 3.0);
    house.loads([Some(0.0)]);
    assert!(house.told.is_empty(), "2 and 3");
    house.revise(1, 3.5);
    house.loads([Some(0.0)]);
    assert_eq!(house.changes(), [(4, Change::Fired), (4, NORMAL)]);
}

#[test]
fn an_absence_together_is_one_of_all_streams_also_one_by_one() {
    let condition = Condition::absent("load", minutes(2)).together(Total::Max);
    assert_eq!(condition.to_string(), "no point of any stream of load for 2 minutes");
    let mut house = House::new(MetricRule::new(condition).per_signal());
    for minute in 1..6 {
        if minute < 4 {
            house.load_of(if minute == 1 { "web.1" } else { "web.2" }, 1.0);
        }
        house.tick();
    }
    assert_eq!(house.changes(), [(5, Change::Fired)]);
}

#[test]
fn a_stream_under_a_total_takes_the_room_of_four() {
    let mut house = House::new(MetricRule::new(Condition::above("load", 1.0).together(Total::Sum)));
    house.rules = MetricRules::new(MINUTE).with_most_signals(9);
    house.rules.set(7, MetricRule::new(Condition::above("load", 1.0).together(Total::Sum)));
    for dyno in ["web.1", "web.2", "web.3"] {
        house.load_of(dyno, 2.0);
    }
    house.tick();
    assert_eq!((house.rules.refused(), house.rules.explain(7)[0].value()), (1, Some(4.0)));
}

#[test]
fn what_is_silent_for_ten_days_leaves_a_total_and_its_room() {
    let sum = || MetricRule::new(Condition::above("load", 1.0).together(Total::Sum));
    let mut house = House::new(sum());
    house.rules = MetricRules::new(MINUTE).with_most_signals(8);
    house.rules.set(7, sum());
    house.load_of("web.1", 2.0);
    house.load_of("web.2", 2.0);
    house.tick();
    house.load_of("web.3", 2.0);
    house.loads([None; 14_401]);
    assert_eq!((house.rules.refused(), house.rules.explain(7).len()), (1, 0));
    assert_eq!(house.changes(), [(1, Change::Fired), (14_402, Change::Cleared(Clear::Auto))]);
    house.load_of("web.3", 2.0);
    house.tick();
    assert_eq!((house.rules.refused(), house.rules.explain(7)[0].value()), (1, Some(2.0)));
}

/// What the first version of states wrote for these rules after these points.
const OLD_STATE: &str = "\
     414c4552544d019303808ece1c010380f0f0e4010106010a0c01808c8d9e0280a8a9d702000002039ab7c8aab2d0999fa20101000380f0\
     f0e4010102010473686f70046c6f61640200010464796e6f057765622e3106070702060106000000000000f83f000001010473686f7004\
     6c6f61640200010464796e6f057765622e3206070302060106000000000000084000000007e5d89681f7c5a3bc8d0102010473686f7000\
     0180b8b872010473686f70010464796e6f057765622e320280d4d4ab010202010473686f70046c6f61640200010464796e6f057765622e\
     310603000206010600000000000000000106000000000000f83f0104000000000000f83f00010473686f70046c6f61640200010464796e\
     6f057765622e3206030302060106000000000000f03f01060000000000000840010400000000000000400101010473686f700468697473\
     0000000607070206010600000000000008400000010508000000000000000000f83f08010000000000000000f83f080000010000000000\
     001040080100010000000000001040080101000000000000000840bf8e44a28e477f8c";

#[test]
fn a_state_has_version_2_only_if_it_has_a_total_and_version_1_is_read() {
    let load = Condition::above("load", 1.0).with_duration(minutes(3));
    let steps = Condition::above("l*", 0.5).with_function(Function::Derivative { detect_reset: true });
    let hits = Condition::below("hits", 5.0);
    let old = [(3, MetricRule::new(load)), (7, MetricRule::new(steps).and(hits.clone()).any().per_signal())];
    let mut house = House::new(MetricRule::new(hits.clone().together(Total::Sum)));
    house.rules = MetricRules::new(MINUTE);
    for (number, rule) in old.clone() {
        house.rules.set(number, rule);
    }
    for minute in 1..5 {
        house.now = minute;
        house.load_of("web.1", 1.5);
        house.load_of("web.2", minute as f64);
        if minute != 2 {
            let point = Stats::count(1, 3.0);
            house
                .rules
                .point("shop", &DataPoint::new(window(minute), Kind::Count, "hits", Unit::NONE, &TagSet::new(), point));
        }
        if minute < 4 {
            house.id = minute as u64 - 1;
            house.tick();
        }
    }
    house.rules.unknown(window(5).start(), window(6).start());
    let state = house.rules.state();
    assert_eq!(hex(&state), OLD_STATE);
    let mut again = MetricRules::restore(MINUTE, &state, old.clone()).expect("version 1");
    assert_eq!(again.state(), state);

    let total = || MetricRule::new(hits.clone().together(Total::Sum));
    let with_total = old.into_iter().chain([(9, total())]);
    let mut newer = MetricRules::restore(MINUTE, &state, with_total.clone()).expect("a rule more");
    let [one, other] = [&mut again, &mut newer].map(|rules| rules.tick(Tick::new(9, window(4).end()), window(4).end()));
    assert_eq!(one, other);
    assert!(newer.remove(9));
    assert_eq!(newer.state(), again.state(), "beside a total the others are as they were");
    newer.set(9, total());
    let state = newer.state();
    assert_eq!(state[6], 2, "the version stands behind the six letters of its kind");
    assert_eq!(MetricRules::restore(MINUTE, &state, with_total).expect("version 2").state(), state);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
